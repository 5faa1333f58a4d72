"""Measure: bring the scores of every due window up to date, window by window, each with an outcome.

Belongs here: scores of windows, and what changed about them. Does not: which windows are due (due.py), the numbers (measures/), reading rows
(profile.py).
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from math import isclose
from operator import attrgetter

import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.adapters.arrow_records import TIMESTAMP
from watchkeeper.adapters.workspace import Home
from watchkeeper.judgement.eras import ROLLING, Era
from watchkeeper.judgement.policy import rules_of
from watchkeeper.judgement.rolling import moved
from watchkeeper.measures.catalogue import CATALOGUE, KEPT_AT_PLACES, stored_of
from watchkeeper.measures.cost import COST_METRICS
from watchkeeper.measures.gap_to_rest import GAP_TO_REST
from watchkeeper.measures.own import own_kpis
from watchkeeper.measures.readings import NOT_EVALUATED, readings
from watchkeeper.monitor import Monitor
from watchkeeper.operations.bins_in_force import reference_problem
from watchkeeper.operations.due import MEASURE, Due, due_windows, known_measurings, last_ended, silence_of
from watchkeeper.operations.eras import eras_of
from watchkeeper.operations.maturity import learned
from watchkeeper.operations.pieces import PART_BYTES, parted, share_of_memory
from watchkeeper.operations.rollup import Basis, are_of_outputs, are_of_segments, basis_of, by_window, frame_of, reference_of
from watchkeeper.operations.spread import Spread, in_turn
from watchkeeper.operations.sums import ReferenceSums, added, of_environment, parts_within
from watchkeeper.operations.version_book import NO_VERSIONS, VersionBook, version_book, version_scores
from watchkeeper.records import Baseline, ReferenceScore, Run, Score
from watchkeeper.windows import Grid, Window

NOT_APART = "this version is not measured apart in this window any more"
_WINDOWS, _SCORES_AT_ONCE = 32, 10_000
_SILENT = {
    "empty": "no events landed for this window",
    "late": "no events have landed for it yet",
    "missed": "no events have landed since before it",
}


def measure(
    home: Home,
    monitor: Monitor,
    *,
    now: datetime,
    start: datetime | None = None,
    end: datetime | None = None,
    recompute: bool = False,
    spread: Spread = in_turn,
) -> list[Run]:
    """Write the scores of all due windows in [start, end) (default: all), and what became of each window.

    A window is due when it has ended and something that its scores rest on changed: rows or labels arrived for it or for the
    reference, its labels became mature, or what it is compared with is another one: a new normal was declared, a step of a rolling reference taken, or one taken back.
    With `recompute`, every window asked for is computed again. Scores that came out the same are not written. Many windows are written in several commits, so that a killed run goes on where it stood.
    """
    basis = basis_of(home, monitor, now=now)
    if basis is None:
        return _insufficient(home, monitor, now)
    basis = replace(basis, maturity=learned(home, monitor, basis.bins, now=now))
    done: list[Run] = []
    eras, known = eras_of(home, monitor, now=now), known_measurings(home, monitor, now, is_kept=not recompute)[MEASURE]
    for era in eras:
        versions = version_book(home, era.monitor, basis, now=now)
        due = {g: list(due_windows(era, basis, versions, g, now, start, end, known)) for g in (monitor.grid, *monitor.promise_grids)}
        pieces = [
            replace(piece, steps=era.steps) for grid, some in due.items() for piece in _pieces(home, era.monitor, basis, versions, grid, some, now)
        ]
        done += _written(_Book(home, monitor, now), basis, pieces, spread)
    _references_measured(home, monitor, eras, basis, now=now, is_kept=not recompute, spread=spread)
    return done


def _written(book: "_Book", basis: Basis, pieces: "list[WindowsPiece]", spread: Spread) -> list[Run]:
    """Measure pieces of one era, and write what came of it."""
    done: list[Run] = []
    if pieces:
        reference_of(book.home, pieces[0].monitor, basis, now=book.now)  # read once here, and not by each thread
    for scores, runs in spread("measuring windows", measured, pieces):
        book.add(scores, runs)
        done += runs
    book.commit()
    return done


def _references_measured(home: Home, monitor: Monitor, eras: Iterable[Era], basis: Basis, *, now: datetime, is_kept: bool, spread: Spread) -> None:
    """Bring up to date what the windows of new normals and steps are beside their own sum: before these began they were compared with another reference."""
    begun = [(each.monitor, each.baseline) for era in eras for each in (era, *era.steps) if each.baseline is not None]
    operations = {baseline.baseline_id: f"{MEASURE} {baseline.baseline_id}" for _, baseline in begun}
    is_there = bool(begun) and home.lake.table(ReferenceScore.TABLE) is not None
    known = known_measurings(home, monitor, now, is_kept=is_kept and is_there, operations=list(operations.values())) if begun else {}
    for rebased, baseline in begun:
        operation, out = operations[baseline.baseline_id], set(baseline.left_out)
        own = Era(rebased, baseline.starts_at, baseline.ends_at)
        due = [d for d in due_windows(own, basis, NO_VERSIONS, rebased.grid, now, None, None, known[operation]) if d.window.start not in out]
        pieces = [replace(p, baseline=baseline) for p in _pieces(home, rebased, basis, NO_VERSIONS, rebased.grid, due, now)]
        _written(_Book(home, rebased, now, ReferenceScore, operation), basis, pieces, spread)


@dataclass(frozen=True, slots=True)
class WindowsPiece:
    """Due windows of one grid, each with what it rests on."""

    home: Home
    monitor: Monitor
    basis: Basis
    versions: VersionBook
    grid: Grid
    due: tuple[Due, ...]
    now: datetime
    baseline: Baseline | None = None
    """The new normal whose own windows these are, where they are beside it."""
    steps: tuple[Era, ...] = ()
    """Those of a rolling reference that inputs of windows of the monitor's own grid are compared with."""

    @property
    def name(self) -> str:
        """What it is called where people look."""
        return f"{self.monitor.model}-{self.grid.grain}-{self.due[0].window.start:%Y-%m-%dT%H}"


@dataclass(slots=True)
class _Book:
    """Scores and runs on their way into their tables; enough of them are written at once."""

    home: Home
    monitor: Monitor
    now: datetime
    record: type[Score] = Score
    operation: str = MEASURE
    scores: list[Score] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)

    def add(self, scores: list[Score], runs: list[Run]) -> None:
        """Take the scores of windows, and the runs that say the windows are done."""
        self.scores += scores
        self.runs += runs
        if len(self.scores) > _SCORES_AT_ONCE:
            self.commit()

    def commit(self) -> None:
        """Write what was taken: scores first, then that their windows are done."""
        self.home.lake.append_records(self.record, _changed(self.home, self.monitor, self.record, self.scores, self.now))
        self.home.lake.append_records(Run, [replace(run, operation=self.operation) for run in self.runs])
        self.scores, self.runs = [], []


def _pieces(home: Home, monitor: Monitor, basis: Basis, versions: VersionBook, grid: Grid, due: list[Due], now: datetime) -> Iterator[WindowsPiece]:
    """Cut due windows into pieces whose parts memory can hold, those between them included; a window is never cut."""
    begins = [d.window.start for d in due[:1]] + [d.window.end for d in due]
    costs = [(basis.parts.size(Window(begin, d.window.end)) * PART_BYTES, 1) for begin, d in zip(begins, due, strict=False)]
    for some in parted(due, costs, (share_of_memory(home), _WINDOWS)):
        yield WindowsPiece(home, monitor, basis, versions, grid, tuple(some), now)


def measured(piece: WindowsPiece) -> tuple[list[Score], list[Run]]:
    """Return the scores of a piece's windows, and what became of each window."""
    home, monitor, basis, grid, due, now = piece.home, piece.monitor, piece.basis, piece.grid, piece.due, piece.now
    metrics = _metrics(monitor, grid) if piece.baseline is None else _of_baseline(monitor, piece.baseline)
    beside = _Beside(piece, metrics)
    of_whole = (grid != monitor.grid or piece.baseline is not None) and not any(t.segment for t in monitor.targets) and not are_of_segments(metrics)
    of_outputs = are_of_outputs(basis, metrics)
    parts = parts_within(home, monitor, basis.bins, due[0].window.start, due[-1].window.end, now=now, of_whole=of_whole, of_outputs=of_outputs)
    found = by_window(grid, parts)
    scores: list[Score] = []
    runs: list[Run] = []
    for each in due:
        made = list(_of_window(piece, each.window, beside.of(each.window), found.get(each.window.start)))
        scores += made if piece.baseline is None else _of_reference(monitor, piece.baseline, made)
        runs.append(_run(monitor, each, silence_of(basis.parts, each.window, now), len(made), now))
    return scores, runs


def _run(monitor: Monitor, due: Due, silence: str, rows: int, now: datetime) -> Run:
    return Run(
        model=monitor.model,
        operation=MEASURE,
        window_start=due.window.start,
        window_end=due.window.end,
        outcome=silence or "done",
        reason=_SILENT.get(silence, ""),
        rows=rows,
        inputs=due.inputs,
        revision=due.revision,
        computed_at=now,
    )


def _metrics(monitor: Monitor, grid: Grid) -> set[str]:
    """Return what is measured in a grid's windows: in the monitor's own all that is stored, and what targets name."""
    promised = {t.metric for t in monitor.targets if t.per == grid.grain}
    stored = stored_of(monitor.task) | {GAP_TO_REST.name, *(m.name for m in own_kpis(monitor))}
    return promised | stored if grid == monitor.grid else promised


def compared_metrics(monitor: Monitor) -> set[str]:
    """Return what is judged and compares rows with those of a reference, so that it is another number beside another one."""
    return {r.metric for r in rules_of(monitor)} & {m.name for m in CATALOGUE if m.subject in ("feature", "segments", "pair")}


def _of_reference(monitor: Monitor, baseline: Baseline, made: Iterable[Score]) -> Iterator[Score]:
    """Yield numbers of the whole as those of a new normal's own window."""
    for score in made:
        if not score.segment and not score.version and score.environment == monitor.environment and score.metric != "rows":
            yield ReferenceScore(**{f.name: getattr(score, f.name) for f in fields(Score)}, baseline_id=baseline.baseline_id)


def _of_baseline(monitor: Monitor, baseline: Baseline) -> set[str]:
    """Return what is measured of the own windows of a new normal, or of a step of a rolling reference."""
    return compared_metrics(monitor) & moved(monitor) if baseline.kind == ROLLING else compared_metrics(monitor)


class _Beside:
    """What the metrics of a piece's windows are compared with: all with one reference, or those of inputs with that of a step."""

    def __init__(self, piece: WindowsPiece, metrics: Collection[str]) -> None:
        self.piece, self.metrics = piece, metrics
        self.moved = moved(piece.monitor) if piece.steps and piece.grid == piece.monitor.grid else frozenset()

    def of(self, window: Window) -> list[tuple[ReferenceSums, Collection[str]]]:
        """Return the references of a window, each with the metrics that are compared with it; the first has the rows."""
        step = next((s for s in self.piece.steps if window.start in s), None) if self.moved else None
        if step is None:
            return [(self._sums(self.piece.monitor, self.metrics), self.metrics)]
        stays, goes = ({m for m in self.metrics if (m in self.moved) == goes_along} for goes_along in (False, True))
        return [(self._sums(self.piece.monitor, stays), stays), (self._sums(step.monitor, goes), goes)]

    def _sums(self, monitor: Monitor, metrics: Collection[str]) -> ReferenceSums:
        return reference_of(self.piece.home, monitor, self.piece.basis, now=self.piece.now, metrics=metrics)


def _of_window(piece: WindowsPiece, window: Window, beside: list[tuple[ReferenceSums, Collection[str]]], parts: pa.Table | None) -> Iterator[Score]:
    """Yield the window's scores by environment: of all versions together, then of those that are measured apart."""
    at_places = KEPT_AT_PLACES | {t.metric for t in piece.monitor.targets if t.segment}
    frames = [
        (
            replace(
                frame_of(piece.home, piece.monitor, window, piece.grid.grain, piece.basis, reference, piece.now, metrics=metrics), at_places=at_places
            ),
            reference,
        )
        for reference, metrics in beside
    ]
    if parts is None:
        yield from (s for s in readings(replace(frames[0][0], has_labels=False, metrics={"rows"}), {}) if s.metric == "rows")
        return
    for environment in sorted(pc.unique(parts.column("environment")).to_pylist()):
        mine = of_environment(parts, environment)
        sums = added(mine)
        for frame, reference in frames:
            here = replace(frame, environment=environment)
            yield from readings(here, sums)
            yield from version_scores(piece.home, piece.monitor, piece.basis, piece.versions, here, mine, reference)


def _changed(home: Home, monitor: Monitor, record: type[Score], scores: list[Score], now: datetime) -> list[Score]:
    """Return the scores that are new or came out differently, the latter with the next revision."""
    if not scores:
        return []
    time = pc.field("window_start")
    span = (time >= pa.scalar(min(s.window_start for s in scores), TIMESTAMP)) & (time <= pa.scalar(max(s.window_start for s in scores), TIMESTAMP))
    known = {_identity(s): s for s in home.lake.newest(record, as_of=now, where=span & (pc.field("model") == monitor.model))}
    return [*_restated(scores, known), *_no_longer_apart(scores, known, now)]


def _no_longer_apart(scores: list[Score], known: dict[tuple[object, ...], Score], now: datetime) -> Iterator[Score]:
    """Withdraw the numbers of versions that were measured apart in these windows and are not any more: another one is the model's, or had more rows."""
    made = {_identity(s) for s in scores}
    windows = {(s.window_start, s.grain) for s in scores}
    for name, before in known.items():
        is_ours = before.version and before.metric not in COST_METRICS  # those of costs are written by costs.py
        if is_ours and before.reason != NOT_APART and name not in made and (before.window_start, before.grain) in windows:
            yield replace(
                before,
                value=None,
                se=None,
                low=None,
                high=None,
                bound_low=None,
                bound_high=None,
                reference="",
                reference_value=None,
                state=NOT_EVALUATED,
                reason=NOT_APART,
                revision=before.revision + 1,
                computed_at=now,
            )


def _restated(scores: Iterable[Score], known: dict[tuple[object, ...], Score]) -> Iterator[Score]:
    for score in scores:
        before = known.get(_identity(score))
        if before is None:
            yield score
        elif not _same(before, score):
            yield replace(score, revision=before.revision + 1)


_KEYS = {record: attrgetter(*record.KEY) for record in (Score, ReferenceScore)}


def _identity(score: Score) -> tuple[object, ...]:
    key: tuple[object, ...] = _KEYS[type(score)](score)
    return key


def _same(before: Score, after: Score) -> bool:
    if any(getattr(before, k) != getattr(after, k) for k in ("state", "reason", "n", "bins", "reference")):
        return False
    return all(
        _close(getattr(before, k), getattr(after, k)) for k in ("value", "low", "high", "bound_low", "bound_high", "reference_value", "coverage")
    )


def _close(before: float | None, after: float | None) -> bool:
    if before is None or after is None:
        return before is after
    return isclose(before, after, rel_tol=1e-12, abs_tol=1e-15)


def _insufficient(home: Home, monitor: Monitor, now: datetime) -> list[Run]:
    """Record, once, that nothing can be measured yet and why."""
    window = last_ended(monitor, now)
    reason = reference_problem(monitor, now=now)
    run = Run(
        model=monitor.model,
        operation=MEASURE,
        window_start=window.start,
        window_end=window.end,
        outcome="insufficient",
        reason=reason,
        computed_at=now,
    )
    mine = (pc.field("model") == monitor.model) & (pc.field("operation") == MEASURE)
    if not any((r.window_start, r.reason) == (run.window_start, reason) for r in home.lake.newest(Run, as_of=now, where=mine)):
        home.lake.append_records(Run, [run])
    return [run]
