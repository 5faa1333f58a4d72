"""Due: which windows must be measured, since something that their scores rest on changed or they ended.

Belongs here: what a window rests on, and what it rested on when it was measured last. Does not: measuring it (measure.py).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.adapters.arrow_records import TIMESTAMP
from watchkeeper.adapters.lake import among
from watchkeeper.adapters.workspace import Home
from watchkeeper.judgement.eras import Era
from watchkeeper.monitor import Monitor
from watchkeeper.operations.rollup import Basis
from watchkeeper.operations.sums import Ledger, reference_revision
from watchkeeper.operations.version_book import VersionBook
from watchkeeper.records import Run, key
from watchkeeper.windows import Grid, Window

MEASURE = "measure"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Due:
    """A window to be measured, what it rests on now, and which measuring of this moment it is."""

    window: Window
    inputs: str
    revision: int


@dataclass(frozen=True, slots=True)
class Known:
    """The newest measuring of each window: its `now`, which of that moment it was, and what it rested on.

    Windows and moments are microseconds since 1970: a year has thousands of measurings, and moments are dear to make.
    """

    newest: dict[tuple[int, int], tuple[int, int, str]]
    is_kept: bool = True

    def rested_on(self, window: Window) -> str | None:
        """Return what the newest measuring of a window rested on, None where there is none, or all are to be done again."""
        return self.newest.get(_place(window), (0, 0, None))[2] if self.is_kept else None

    def next_revision(self, window: Window, now: datetime) -> int:
        """Return which measuring of this moment comes next."""
        at, revision, _ = self.newest.get(_place(window), (0, 0, ""))
        return revision + 1 if at == _microseconds(now) else 0


def known_measurings(home: Home, monitor: Monitor, now: datetime, *, is_kept: bool, operations: Sequence[str] = (MEASURE,)) -> dict[str, Known]:
    """Return by operation how each window was measured last, as known at `now`; not `is_kept`, all are to be done again."""
    mine = (pc.field("model") == monitor.model) & among("operation", operations) & (pc.field("outcome") != "failed")
    mine &= pc.field("computed_at") <= pa.scalar(now, TIMESTAMP)
    there = home.lake.dataset(Run.TABLE)
    if there is None:
        return {operation: Known({}, is_kept) for operation in operations}
    names = [n for n in ("operation", "window_start", "window_end", "computed_at", "revision", "inputs") if n in there.schema.names]
    every = there.to_table(columns=names, filter=mine)
    return {operation: _newest(every.filter(pc.field("operation") == operation), is_kept=is_kept) for operation in operations}


def _newest(runs: pa.Table, *, is_kept: bool) -> Known:
    starts, ends, moments = (runs.column(n).cast(pa.int64()).to_pylist() for n in ("window_start", "window_end", "computed_at"))
    revisions = pc.fill_null(runs.column("revision"), 0).to_pylist() if "revision" in runs.column_names else [0] * runs.num_rows
    newest: dict[tuple[int, int], tuple[int, int, str]] = {}
    for start, end, *found in zip(starts, ends, moments, revisions, runs.column("inputs").to_pylist(), strict=True):
        newest[start, end] = max(newest.get((start, end), (0, -1, "")), tuple(found))
    return Known(newest, is_kept)


def _place(window: Window) -> tuple[int, int]:
    return _microseconds(window.start), _microseconds(window.end)


def _microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta.resolution


def due_windows(
    era: Era, basis: Basis, versions: VersionBook, grid: Grid, now: datetime, start: datetime | None, end: datetime | None, known: Known
) -> Iterator[Due]:
    """Yield the windows of an era, of a grid and within [start, end), that rest on something else now than when they were measured last."""
    monitor, parts = era.monitor, basis.parts
    if parts.is_empty:
        return
    first, last = parts.starts[0], last_of(grid, now).end
    span = era.within(max(first, start) if start else first, min(last, end) if end else last)
    limit = f".{monitor.service.latency_limit:g}ms" if monitor.service.latency_limit is not None else ""
    usual = f"{_compared(monitor, parts)}{_still_due(monitor, basis, now)}{limit}"
    rolled = {step.since: f"/~{_compared(step.monitor, parts)}" for step in era.steps} if grid == monitor.grid else {}
    for window in (w for w in grid.between(span.start, span.end) if w.start in era):
        state, own = basis.maturity.state_of(window, now), versions.inputs(window)
        step = era.step_at(window.start) if rolled else None
        inputs = f"{basis.bins}/{usual}{rolled[step.since] if step else ''}/{parts.revision(window)}/{state}/{silence_of(parts, window, now)}{own and f'/{own}'}"
        if known.rested_on(window) != inputs:
            yield Due(window, inputs, known.next_revision(window, now))


def _compared(monitor: Monitor, parts: Ledger) -> str:
    """Return what tells references apart: their windows, and the newest of their parts."""
    return f"{key(*(monitor.reference_span or ()), *monitor.reference_left_out)[:8]}.{reference_revision(monitor, parts)}"


def _still_due(monitor: Monitor, basis: Basis, now: datetime) -> str:
    """Return up to when the reference's labels are due, empty when all of them are."""
    due = basis.labels_due(monitor, now)
    return f".{due:%Y%m%dT%H%M}" if monitor.reference_span and due < monitor.reference_span[1] else ""


def last_ended(monitor: Monitor, now: datetime) -> Window:
    """Return the newest window that has ended."""
    return last_of(monitor.grid, now)


def last_of(grid: Grid, now: datetime) -> Window:
    """Return the newest window of a grid that has ended."""
    return grid.at(grid.at(now).start - timedelta(microseconds=1))


def silence_of(parts: Ledger, window: Window, now: datetime) -> str:
    """Say why a window has no parts: empty (later ones do), late (it ended lately), or missed; nothing when it has some."""
    if parts.revision(window):
        return ""
    if parts.has_after(window.end):
        return "empty"
    return "late" if now < window.end + 2 * (window.end - window.start) else "missed"
