"""The label join: each prediction beside the last label known for it, read for the days that changed and no others.

Belongs here: the join in DuckDB and the canonical columns it gives. Does not: counting what came out (profile.py).
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads
from numpy.typing import NDArray

from watchkeeper.adapters.arrow_records import TIMESTAMP
from watchkeeper.adapters.lake import among
from watchkeeper.adapters.warehouse import ask, connect, statement
from watchkeeper.adapters.workspace import Home
from watchkeeper.monitor import Monitor
from watchkeeper.operations.classes import is_positive
from watchkeeper.operations.convert import as_text, fitted
from watchkeeper.profiles.bins import FeatureBins
from watchkeeper.profiles.columns import as_numbers
from watchkeeper.profiles.labelled import SCORE, Labelled
from watchkeeper.windows import Grid, Window

Floats = NDArray[np.float64]
_NEAR = timedelta(days=1)
SENSITIVE = "s:"
"""What the names of sensitive columns begin with among joined ones: a column called `score` is not the score."""
ENTITY = "e:"
"""What the column that says whom a row is about is called among joined ones."""


@dataclass(frozen=True, slots=True)
class Joined:
    """Predictions of some windows beside their labels: `rows` in the order they landed in, `events` where other columns lie."""

    rows: pa.Table
    events: pads.Dataset
    inside: pc.Expression

    def columns(self, names: Sequence[str]) -> pa.Table:
        """Return other columns of the same predictions, row by row."""
        return self.events.to_table(columns=list(names), filter=self.inside)


class Touched(NamedTuple):
    """The windows whose label profiles new batches change, each with its predictions, and the last of them that each batch touches.

    `waiting` counts, for each batch of labels, those that landed before their prediction, or that have none yet.
    """

    rows: dict[Window, int]
    last: dict[str, Window]
    waiting: dict[str, int]


def touched(home: Home, monitor: Monitor, grid: Grid, *, events: Mapping[str, datetime], labels: Mapping[str, datetime], now: datetime) -> Touched:
    """Return the windows of a grid whose label profile the given new batches change; each is given with when its first rows landed."""
    predictions = home.lake.dataset(f"events/{monitor.model}")
    if predictions is None:
        return Touched({}, {}, {})
    new = _labels_of(home, monitor, labels, now)
    found = _predictions_of(predictions, monitor, new, now)
    columns = {"wk_batch": pc.field("wk_batch"), "time": pc.field("wk_time")}
    come = predictions.to_table(columns=columns, filter=_of_batches(events, now)) if events else found.slice(0, 0)
    told = new.select(["id", "wk_batch"]).join(found.select(["id", "time"]), "id", join_type="inner")
    last: dict[str, Window] = {}
    rows: dict[Window, int] = {}
    for table in (come, told):
        if table.num_rows == 0:
            continue
        quarters = _quarters(table.select(["wk_batch", "time"]))
        for batch, window in zip(quarters.column("wk_batch").to_pylist(), _windows(grid, quarters), strict=True):
            last[batch], rows[window] = max(window, last.get(batch, window)), 0
    if rows:
        counted = _quarters(predictions.to_table(columns={"time": pc.field("wk_time")}, filter=_landed(None, now) & _within(rows)))
        for window, n in zip(_windows(grid, counted), counted.column("count_all").to_pylist(), strict=True):
            rows[window] += n
    return Touched(rows, last, _waiting(new, found))


def _quarters(rows: pa.Table) -> pa.Table:
    """Return how many rows lie in each quarter of an hour, by what else they hold; days of some zones begin at half past."""
    quarters = rows.set_column(rows.column_names.index("time"), "quarter", pc.floor_temporal(rows.column("time"), 15, "minute"))
    return quarters.group_by(quarters.column_names).aggregate([([], "count_all")])


def _windows(grid: Grid, quarters: pa.Table) -> list[Window]:
    """Return the window that each quarter of an hour lies in; batches share their quarters."""
    coded = quarters.column("quarter").combine_chunks().dictionary_encode()
    windows = [grid.at(quarter) for quarter in coded.dictionary.to_pylist()]
    return [windows[code] for code in coded.indices.to_pylist()]


def _of_batches(batches: Mapping[str, datetime], now: datetime) -> pc.Expression:
    return among("wk_batch", batches) & _landed(min(batches.values()), now)


def _labels_of(home: Home, monitor: Monitor, batches: Mapping[str, datetime], now: datetime) -> pa.Table:
    """Return the labels of batches: id, batch, and when they became known and landed."""
    labels = home.lake.dataset(f"labels/{monitor.model}") if batches else None
    if labels is None:
        moment = pa.array([], TIMESTAMP)
        return pa.table({"id": pa.array([], pa.string()), "wk_batch": pa.array([], pa.string()), "labelled_at": moment, "wk_landed_at": moment})
    return labels.to_table(columns=["id", "wk_batch", "labelled_at", "wk_landed_at"], filter=_of_batches(batches, now))


def _predictions_of(predictions: pads.Dataset, monitor: Monitor, labels: pa.Table, now: datetime) -> pa.Table:
    """Return id, time and landing of the predictions that labels belong to, looking back only as far as it takes to find them all."""
    found = [pa.table({"id": pa.array([], pa.string()), "time": pa.array([], TIMESTAMP), "landed": pa.array([], TIMESTAMP)})]
    missing = pc.unique(labels.column("id")).drop_null()
    known = pc.min(labels.column("labelled_at")).as_py() if len(missing) else None
    reach = (monitor.labels.mature_after or _NEAR, monitor.id_scope) if monitor.labels else ()
    before = None
    for after in [*sorted({known - 2 * r for r in reach}, reverse=True), None] if known else ():
        ids, _ = fitted(pa.chunked_array([missing]), predictions.schema.field(monitor.columns.id).type, "UTC")
        inside = _landed(None, now) & pc.field(monitor.columns.id).isin(ids.drop_null().combine_chunks())
        for moment, is_in in ((after, pc.greater_equal), (before, pc.less)):
            inside &= is_in(pc.field("wk_time"), pa.scalar(moment, TIMESTAMP)) if moment else pc.scalar(True)
        columns = {"id": pc.field(monitor.columns.id), "time": pc.field("wk_time"), "landed": pc.field("wk_landed_at")}
        rows = predictions.to_table(columns=columns, filter=inside)
        found.append(rows.set_column(0, "id", as_text(rows.column("id"))))
        missing = missing.filter(pc.invert(pc.is_in(missing, pc.unique(found[-1].column("id")))))
        if len(missing) == 0:
            break
        before = after
    return pa.concat_tables(found)


def _waiting(labels: pa.Table, found: pa.Table) -> dict[str, int]:
    earliest = found.group_by("id").aggregate([("landed", "min")])
    both = labels.join(earliest, "id", join_type="left outer")
    is_early = pc.fill_null(pc.greater(both.column("landed_min"), both.column("wk_landed_at")), fill_value=True)
    tally = both.filter(is_early).group_by("wk_batch").aggregate([([], "count_all")])
    return dict(zip(tally.column("wk_batch").to_pylist(), tally.column("count_all").to_pylist(), strict=True))


def _landed(since: datetime | None, now: datetime) -> pc.Expression:
    landed = pc.field("wk_landed_at")
    known = landed <= pa.scalar(now, TIMESTAMP)
    return known if since is None else known & (landed >= pa.scalar(since, TIMESTAMP))


def joined(home: Home, monitor: Monitor, windows: Collection[Window], *, now: datetime, early: datetime | None = None) -> Joined | None:
    """Return the predictions of the windows with their labels: id, time, score, decision, version, environment, segments, label.

    They come in the order they landed in, so that sums over them come out the same each time. Labels that landed before the
    first of the predictions are looked at from `early` on, or all of them when it is not given.
    """
    events = home.lake.dataset(f"events/{monitor.model}")
    if events is None:
        return None
    inside = _landed(None, now) & _within(windows)
    wanted = {name: pc.field(column) for name, column in _columns(monitor).items() if column in events.schema.names}
    rows = events.to_table(columns=wanted, filter=inside)
    rows = rows.set_column(rows.column_names.index("id"), "id", as_text(rows.column("id")))
    first = pc.min(rows.column("wk_landed_at")).as_py()
    labels = _last_labels(home, monitor, rows.column("id"), min(early, first) if early and first else None, now)
    return Joined(rows.drop_columns(["wk_landed_at"]).append_column("label", labels), events, inside)


def _last_labels(home: Home, monitor: Monitor, ids: pa.ChunkedArray, since: datetime | None, now: datetime) -> pa.ChunkedArray:
    """Return the last label of each prediction that landed since a moment, null where there is none."""
    labels = home.lake.dataset(f"labels/{monitor.model}")
    if labels is None:
        return pa.chunked_array([pa.nulls(len(ids), pa.string())])
    with connect(home, {}) as connection:
        connection.register("predictions", pa.table({"id": ids, "position": np.arange(len(ids))}))
        connection.register("labels", labels.filter(_landed(since, now)))
        found = ask(connection, statement("labelled"))
    place = np.asarray(found.column("position").combine_chunks())
    if np.bincount(place).max(initial=0) > 1:
        found = found.sort_by([(name, "ascending") for name in ("position", "labelled_at", "wk_landed_at", "wk_order", "wk_row")])
        place = np.asarray(found.column("position").combine_chunks())
    last = np.full(len(ids), -1)
    last[place] = np.arange(len(place))  # of several the later ones stand
    return found.column("label").take(pa.array(last, mask=last < 0))


def predictions_of(home: Home, monitor: Monitor, windows: Collection[Window], *, now: datetime) -> int:
    """Return how many predictions of the windows have landed."""
    events = home.lake.dataset(f"events/{monitor.model}")
    return 0 if events is None else events.count_rows(filter=_landed(None, now) & _within(windows))


def rows_within(
    home: Home, monitor: Monitor, windows: Collection[Window], columns: Callable[[list[str]], list[str]], *, now: datetime
) -> Iterator[pa.Table]:
    """Yield the predictions of windows, some at a time; `columns` says which of the stored columns are wanted."""
    events = home.lake.dataset(f"events/{monitor.model}")
    if events is not None:
        for batch in events.to_batches(columns=columns(events.schema.names), filter=_landed(None, now) & _within(windows)):
            yield pa.Table.from_batches([batch])


def in_environment(monitor: Monitor, rows: pa.Table) -> pa.ChunkedArray:
    """Tell which joined rows are of the monitor's environment; those that name none are."""
    if "environment" not in rows.column_names:
        return pa.chunked_array([pa.repeat(pa.scalar(value=True), rows.num_rows)])
    return pc.equal(pc.fill_null(pc.cast(rows.column("environment"), pa.string()), monitor.environment), monitor.environment)


def in_order(rows: pads.Scanner) -> pa.RecordBatchReader:
    """Return rows with their ids as text and their position, to be read once."""
    names = rows.projected_schema.names
    place = names.index("id")
    schema = rows.projected_schema.set(place, pa.field("id", pa.string())).append(pa.field("position", pa.int64()))

    def batches() -> Iterator[pa.RecordBatch]:
        begun = 0
        for batch in rows.to_batches():
            ids = as_text(pa.chunked_array([batch.column(place)])).combine_chunks()
            columns = [*batch.columns[:place], ids, *batch.columns[place + 1 :], pa.array(np.arange(begun, begun + batch.num_rows))]
            yield pa.record_batch(columns, schema=schema)
            begun += batch.num_rows

    return pa.RecordBatchReader.from_batches(schema, batches())


def _columns(monitor: Monitor) -> dict[str, str]:
    roles = monitor.columns
    fixed = {
        "id": roles.id,
        "time": "wk_time",
        "wk_landed_at": "wk_landed_at",
        "score": roles.score,
        "prediction": roles.prediction,
        "version": roles.version,
        "environment": roles.environment,
        ENTITY: roles.entity,
    }
    segments = {column: column for declared in monitor.segments for column in declared.split("&")}
    sensitive = {SENSITIVE + column: column for column in monitor.sensitive}
    chances = {f"p:{name}": column for name, column in roles.probabilities.items()}
    return {name: column for name, column in (segments | sensitive | chances | fixed).items() if column}


def _within(windows: Collection[Window]) -> pc.Expression:
    """Match the span of the windows where they are many, each of them where they are few."""
    ordered = sorted(windows)
    inside = pc.scalar(False)
    start, end = ordered[0].start, ordered[0].end
    for window in ordered[1:]:
        if window.start > end:
            inside, start = inside | _in_time(start, end), window.start
        end = window.end
    return inside | _in_time(start, end)


def _in_time(start: datetime, end: datetime) -> pc.Expression:
    time = pc.field("wk_time")
    return (time >= pa.scalar(start, TIMESTAMP)) & (time < pa.scalar(end, TIMESTAMP))


def labelled(monitor: Monitor, rows: pa.Table, bins: dict[str, FeatureBins]) -> Labelled:
    """Return joined rows as the arrays that a label profile counts."""
    if monitor.task == "multiclass":
        return _multiclass(rows, bins)
    if monitor.task == "binary":
        score = np.full(rows.num_rows, np.nan) if monitor.decides_alone else _numbers(rows, "score")
        truth = is_positive(rows.column("label"), monitor.positive)
        return Labelled(score, _decision(monitor, rows, score), truth, is_scored=not monitor.decides_alone)
    score = _numbers(rows, "score" if "score" in rows.column_names else "prediction")
    edges = bins[SCORE].edges if SCORE in bins else ()
    return Labelled(score, np.full(len(score), -1, np.int64), _numbers(rows, "label"), centre=edges[len(edges) // 2] if edges else 0.0)


def _decision(monitor: Monitor, rows: pa.Table, score: Floats) -> NDArray[np.int64]:
    """Return 1 or 0, or -1 where nothing was decided (an error, say)."""
    if "prediction" in rows.column_names:
        said = is_positive(rows.column("prediction"), monitor.positive)
        return np.where(np.isfinite(said), said, -1).astype(np.int64)
    return np.where(np.isfinite(score), score >= monitor.threshold, -1).astype(np.int64)


def _numbers(rows: pa.Table, name: str) -> Floats:
    column = rows.column(name)
    if pa.types.is_string(column.type) or pa.types.is_null(column.type):
        column = pa.chunked_array([pa.array([_as_float(text) for text in column.to_pylist()], pa.float64())])
    values, nulls = as_numbers(column)
    return np.where(nulls, np.nan, values)


def _as_float(text: str | None) -> float | None:
    """Return a text as a number, None where it is none: a class name, say."""
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def _multiclass(rows: pa.Table, bins: dict[str, FeatureBins]) -> Labelled:
    truth_text, said_text = (pc.cast(rows.column(name), pa.string()).to_pylist() for name in ("label", "prediction"))
    fitted = bins["@prediction"].categories if "@prediction" in bins else ()
    classes = tuple(sorted({*fitted, *(t for t in (*truth_text, *said_text) if t is not None)}))
    place = {c: i for i, c in enumerate(classes)}
    truth = np.array([np.nan if t is None else place[t] for t in truth_text], float)
    said = np.array([place.get(s, -1) if s is not None else -1 for s in said_text], np.int64)
    nothing = np.full(len(said), np.nan)
    chances = {name.removeprefix("p:"): _numbers(rows, name) for name in rows.column_names if name.startswith("p:")}
    if not chances:
        return Labelled(nothing, said, truth, classes)
    of_truth = nothing.copy()
    for name in chances.keys() & place.keys():
        mine = truth == place[name]
        of_truth[mine] = chances[name][mine]
    return Labelled(nothing, said, truth, classes, of_truth, chances=chances)
