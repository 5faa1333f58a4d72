"""The label join: each prediction beside the last label known for it, read for the days that changed and no others.

Belongs here: the join in DuckDB and the canonical columns it gives. Does not: counting what came out (profile.py).
"""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads
from numpy.typing import NDArray

from watchkeeper.adapters.lake import TIMESTAMP
from watchkeeper.adapters.warehouse import ask, connect, statement
from watchkeeper.adapters.workspace import Home
from watchkeeper.monitor import Monitor
from watchkeeper.operations.classes import is_positive
from watchkeeper.operations.convert import as_text
from watchkeeper.profiles.bins import FeatureBins
from watchkeeper.profiles.columns import as_numbers
from watchkeeper.profiles.labelled import SCORE, Labelled
from watchkeeper.windows import Grid, Window

Floats = NDArray[np.float64]


class Touched(NamedTuple):
    """The windows whose label profiles new batches change, each with its predictions, and the last of them that each batch touches."""

    rows: dict[Window, int]
    last: dict[str, Window]


def touched(home: Home, monitor: Monitor, grid: Grid, *, events: Collection[str], labels: Collection[str], now: datetime) -> Touched:
    """Return the windows of a grid whose label profile the given new batches change."""
    connection = _connected(home, monitor, {"id": monitor.columns.id, "time": "wk_time", "wk_batch": "wk_batch"}, None, now)
    if connection is None:
        return Touched({}, {})
    with connection:
        pairs = ask(connection, statement("touched_moments"), {"events": list(events), "labels": list(labels)})
        counted = ask(connection, statement("rows_by_moment"))
    last: dict[str, Window] = {}
    for batch, moment in zip(pairs.column("batch").to_pylist(), pairs.column("moment").to_pylist(), strict=True):
        last[batch] = max(grid.at(moment), last.get(batch, grid.at(moment)))
    rows = dict.fromkeys((grid.at(moment) for moment in pc.unique(pairs.column("moment")).to_pylist()), 0)
    for moment, n in zip(counted.column("moment").to_pylist(), counted.column("n").to_pylist(), strict=True):
        window = grid.at(moment)
        if window in rows:
            rows[window] += n
    return Touched(rows, last)


def joined(home: Home, monitor: Monitor, windows: Collection[Window], *, now: datetime) -> pa.Table | None:
    """Return the predictions of the windows with their labels: id, time, score, decision, version, environment, segments, label.

    They come in the order they landed in, so that sums over them come out the same each time.
    """
    connection = _connected(home, monitor, _columns(monitor), windows, now)
    if connection is None:
        return None
    with connection:
        rows = ask(connection, statement("labelled"), {"now": now})
    order = np.argsort(np.asarray(rows.column("position").combine_chunks()), kind="stable")
    return rows.drop_columns(["position"]).take(pa.array(order))


def _connected(
    home: Home, monitor: Monitor, columns: Mapping[str, str], windows: Collection[Window] | None, now: datetime
) -> duckdb.DuckDBPyConnection | None:
    """Return a connection that has the predictions and the labels; neither is held in memory whole."""
    events = home.lake.dataset(f"events/{monitor.model}")
    if events is None:
        return None
    wanted = {name: pc.field(column) for name, column in columns.items() if column in events.schema.names}
    known = pc.field("wk_landed_at") <= pa.scalar(now, TIMESTAMP)
    if windows is not None:
        known &= _within(windows)
    connection = connect(home, {"labels": f"labels/{monitor.model}"})
    connection.register("raw", _in_order(events.scanner(columns=wanted, filter=known)))
    connection.execute("CREATE TEMP TABLE predictions AS SELECT * FROM raw")
    if home.lake.table(f"labels/{monitor.model}") is None:
        connection.execute(
            "CREATE TEMP TABLE labels (id VARCHAR, label VARCHAR, labelled_at TIMESTAMPTZ, wk_batch VARCHAR, wk_row BIGINT, wk_landed_at TIMESTAMPTZ)"
        )
    return connection


def _in_order(rows: pads.Scanner) -> pa.RecordBatchReader:
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
        "wk_batch": "wk_batch",
        "score": roles.score,
        "prediction": roles.prediction,
        "version": roles.version,
        "environment": roles.environment,
    }
    segments = {column: column for declared in monitor.segments for column in declared.split("&")}
    chances = {f"p:{name}": column for name, column in roles.probabilities.items()}
    return {name: column for name, column in (segments | chances | fixed).items() if column}


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
    score = _numbers(rows, "score" if "score" in rows.column_names else "prediction")
    if monitor.task == "binary":
        truth = is_positive(rows.column("label"), monitor.positive)
        return Labelled(score, _decision(monitor, rows, score), truth)
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
    chances = {name.removeprefix("p:"): _numbers(rows, name) for name in rows.column_names if name.startswith("p:")}
    if not chances:
        return Labelled(np.full(len(said), np.nan), said, truth, classes)
    of_truth = np.array([chances[t][i] if t in chances else np.nan for i, t in enumerate(truth_text)])
    return Labelled(np.full(len(said), np.nan), said, truth, classes, of_truth)
