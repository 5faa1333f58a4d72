"""Profile: scan each batch once into parts, and rebuild the label parts of the days that new rows or labels touch.

Belongs here: which batches are new, and writing their parts in one commit. Does not: the counting (profiles/), or what
is read off the counts (measure.py).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import chain

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.adapters.lake import TIMESTAMP
from watchkeeper.adapters.workspace import Home
from watchkeeper.errors import ConflictError
from watchkeeper.monitor import Monitor
from watchkeeper.operations.fit import bins_of, is_numeric, private_name
from watchkeeper.operations.join import joined, labelled, touched_windows
from watchkeeper.profiles.bins import FeatureBins
from watchkeeper.profiles.counts import Counts
from watchkeeper.profiles.grids import LATENCY_STEP, latency_cells
from watchkeeper.profiles.groups import Groups, dimensions, windows_of
from watchkeeper.profiles.labelled import SCORE, pieces
from watchkeeper.profiles.parts import FEATURE, LABEL, LABELS_BATCH, MARK, SERVICE, PartKey, record
from watchkeeper.profiles.scan import Coded, as_codes, as_numbers, coded_numbers, coded_texts
from watchkeeper.records import Batch, Profile

LATENCY, STATUS = "@latency", "@status"
_LATENCY_CELLS = int(np.log(1e12) / np.log1p(LATENCY_STEP)) + 2
_GOOD_STATUS = {"", "ok", "200", "success", "succeeded", "0"}
_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def profile(home: Home, monitor: Monitor, *, now: datetime) -> int:
    """Write the parts of every batch that has none yet; return how many parts were written.

    Parts and the mark that a batch is done are one commit, so a killed run leaves either all of a batch or nothing, and
    a concurrent one is refused and finds the work done.
    """
    while True:
        try:
            return _profile_once(home, monitor, now)
        except ConflictError:
            continue


def _profile_once(home: Home, monitor: Monitor, now: datetime) -> int:
    app_id = f"profile:{monitor.model}"
    seen = home.lake.version(Profile.TABLE, app_id)
    found = bins_of(home, monitor, now=now)
    if found is None:
        return 0
    bins, fitted = found
    todo = _unprofiled(home, monitor, bins, now)
    if not todo:
        return 0
    rows = [
        record(k, c, model=monitor.model, bins=bins, grain=monitor.window, revision=seen + 1, now=now)
        for k, c in _parts(home, monitor, fitted, todo, now)
    ]
    home.lake.append_records(Profile, rows, guard=(app_id, seen))
    return len(rows)


def _unprofiled(home: Home, monitor: Monitor, bins: str, now: datetime) -> list[Batch]:
    """Return the batches with rows that no scan has seen: new ones, and those of which rows were released from quarantine."""
    mine = pc.field("model") == monitor.model
    is_mark = mine & (pc.field("kind") == MARK) & (pc.field("bins") == bins)
    marks = home.lake.read(Profile.TABLE, columns=["batch_id", "n"], where=is_mark)
    scanned: dict[str, int] = {}
    for batch_id, n in zip(*(marks.column(c).to_pylist() for c in ("batch_id", "n")), strict=True) if marks is not None else ():
        scanned[batch_id] = max(n, scanned.get(batch_id, 0))
    batches: list[Batch] = home.lake.newest(Batch, as_of=now, where=mine)
    return [b for b in batches if b.rows_landed > scanned.get(b.batch_id, 0)]


def _parts(home: Home, monitor: Monitor, bins: dict[str, FeatureBins], todo: list[Batch], now: datetime) -> Iterator[tuple[PartKey, Counts]]:
    events, labels = ([b.batch_id for b in todo if b.source == source] for source in ("events", "labels"))
    if events:
        rows = home.lake.read(
            f"events/{monitor.model}",
            where=pc.is_in(pc.field("wk_batch"), pa.array(events)) & (pc.field("wk_landed_at") <= pa.scalar(now, TIMESTAMP)),
        )
        for batch in events:
            assert rows is not None  # noqa: S101 - a batch with rows has a table
            yield from _event_parts(monitor, bins, rows.filter(pc.field("wk_batch") == batch), batch_id=batch)
    if monitor.labels is not None:
        yield from _label_parts(home, monitor, bins, events, labels, now)
    for each in todo:
        yield PartKey(_EPOCH, MARK, "", batch_id=each.batch_id), Counts(n=each.rows_landed)


def _event_parts(monitor: Monitor, bins: dict[str, FeatureBins], rows: pa.Table, batch_id: str) -> Iterator[tuple[PartKey, Counts]]:
    """Count the rows of one batch: one part per window, segment, version and quantity."""
    columns = {"time": "wk_time", "version": monitor.columns.version or "", "environment": monitor.columns.environment or ""}
    segmented = _segmented(monitor, rows, columns)
    for each in chain(_features(monitor, bins, rows), _service(monitor, rows)):
        for version, environment, groups, inside in segmented:
            for (_, start, segment), counts in zip(groups.named(), each.count(inside, groups), strict=True):
                if counts.n:
                    yield PartKey(start, each.kind, each.name, "", segment, version, environment, batch_id), counts


@dataclass(frozen=True, slots=True)
class _Column:
    """One quantity of a batch, read and put into cells once; every segment dimension counts the same cells."""

    kind: str
    name: str
    coded: Coded
    is_private: bool = False

    def count(self, inside: np.ndarray, groups: Groups) -> list[Counts]:
        """Return the counts of each group; features within segments are counted in coarse cells."""
        counts = self.coded.count(inside, groups.size, coarse=self.kind == FEATURE and not groups.is_whole)
        return [c.without_values() for c in counts] if self.is_private else counts


def _features(monitor: Monitor, bins: dict[str, FeatureBins], rows: pa.Table) -> Iterator[_Column]:
    for name, fitted in bins.items():
        column = {SCORE: monitor.columns.score, "@prediction": monitor.columns.prediction}.get(name, name)
        if column not in rows.column_names:
            continue
        is_private = name in monitor.private
        if fitted.kind == "numeric":
            if is_numeric(rows.column(column).type):
                yield _Column(FEATURE, name, coded_numbers(fitted, *as_numbers(rows.column(column))), is_private)
        else:
            codes, distinct = as_codes(rows.column(column))
            yield _Column(FEATURE, name, coded_texts(fitted, codes, [private_name(d) for d in distinct] if is_private else distinct))


def _service(monitor: Monitor, rows: pa.Table) -> Iterator[_Column]:
    if monitor.columns.latency in rows.column_names:
        values, nulls = as_numbers(rows.column(monitor.columns.latency))
        cells = np.clip(latency_cells(np.where(np.isfinite(values), values, 0.0)), 0, _LATENCY_CELLS - 1)
        yield _Column(SERVICE, LATENCY, Coded(cells, _LATENCY_CELLS, nulls, values))
    if monitor.columns.status in rows.column_names:
        codes, distinct = as_codes(rows.column(monitor.columns.status))
        is_error = np.array([d.strip().lower() not in _GOOD_STATUS for d in distinct] + [False])
        yield _Column(SERVICE, STATUS, Coded(is_error[codes].astype(np.int64), 2, np.zeros(len(codes), bool)))


def _label_parts(
    home: Home, monitor: Monitor, bins: dict[str, FeatureBins], events: list[str], labels: list[str], now: datetime
) -> Iterator[tuple[PartKey, Counts]]:
    windows = touched_windows(home, monitor, events=events, labels=labels, now=now)
    rows = joined(home, monitor, windows, now=now) if windows else None
    if rows is None or rows.num_rows == 0:
        return
    segmented = _segmented(monitor, rows, {"time": "time", "version": "version", "environment": "environment"})
    for piece in pieces(monitor.task, labelled(monitor, rows, bins)):
        for version, environment, groups, inside in segmented:
            for (_, start, segment), counts in zip(groups.named(), piece.count(inside, groups.size), strict=True):
                if counts.n:
                    yield PartKey(start, LABEL, piece.feature, piece.outcome, segment, version, environment, LABELS_BATCH), counts


def _segmented(monitor: Monitor, rows: pa.Table, columns: dict[str, str]) -> list[tuple[str, str, Groups, np.ndarray]]:
    """Return (version, environment, groups, each row's group or -1) for every version and environment present in every segment dimension."""
    window, starts = windows_of(rows.column(columns["time"]), monitor.grid)
    origins = list(_origins(monitor, rows, columns))
    return [
        (version, environment, groups, np.where(mine, groups.codes, -1))
        for groups in dimensions(rows, window, starts, monitor.segments)
        for version, environment, mine in origins
    ]


def _origins(monitor: Monitor, rows: pa.Table, columns: dict[str, str]) -> Iterator[tuple[str, str, np.ndarray]]:
    """Yield each (version, environment) present with the mask of its rows."""
    versions, version = _texts(rows, columns["version"], "")
    environments, environment = _texts(rows, columns["environment"], monitor.environment)
    for v, e in sorted(set(zip(version.tolist(), environment.tolist(), strict=True))):
        yield versions[v], environments[e], (version == v) & (environment == e)


def _texts(rows: pa.Table, column: str, default: str) -> tuple[list[str], np.ndarray]:
    if column not in rows.column_names:
        return [default], np.zeros(rows.num_rows, np.int64)
    codes, distinct = as_codes(rows.column(column))
    return [*distinct, default], np.where(codes < 0, len(distinct), codes)
