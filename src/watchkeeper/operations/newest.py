"""Newest: look at the rows that came since the last look, of a window that has not ended; old rows and old parts are not touched.

Belongs here: which parts are new, the numbers of these, and keeping what was seen. Does not: what is out of line (judgement/newest.py), the
loop around it (follow.py).

What came in since the last look are the parts of a later revision in the hours that still run: each batch has parts of its own, so a minute
needs no finer grain, and nothing is kept by the minute but the few numbers of a look. How far the parts were looked at is kept with them,
so that any process goes on from there, and of two that look at the same both find the same.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.adapters.arrow_records import TIMESTAMP, to_arrow
from watchkeeper.adapters.lake import among
from watchkeeper.adapters.workspace import Home
from watchkeeper.judgement.newest import LEAST_ROWS, Before, Held, Named, UsualHours, looked_at, newest_signals, out_of_line, signal_id, usual_hours
from watchkeeper.judgement.worsening import has_grown
from watchkeeper.measures.readings import readings
from watchkeeper.monitor import Monitor
from watchkeeper.operations.eras import in_era
from watchkeeper.operations.rollup import Basis, are_of_segments, basis_of, frame_of, reference_of, rolled_up
from watchkeeper.operations.sums import KEPT, added, reference_revision
from watchkeeper.profiles.parts import FEATURE, LABELS_BATCH, SERVICE, newest_scans
from watchkeeper.records import Batch, Look, Profile, Score, Signal, key
from watchkeeper.windows import Grid, Window

LATE = timedelta(minutes=5)
"""How long after an hour's end rows of it are still looked at."""
REMEMBERED = timedelta(days=7)
"""How far back looks tell how much stretches of minutes differ."""
_LEARNED_FROM = timedelta(days=28)
_USUAL: dict[str, list[UsualHours]] = {}


def look(home: Home, monitor: Monitor, *, now: datetime) -> list[Look]:
    """Judge what was counted since the last look of the hours that still run; keep and return what was seen, nothing where there are too few rows yet.

    Where parts span days (fewer than about 1,000 rows an hour) there is nothing to look at: a minute of such a model has too few rows to
    tell anything by, and hours of the reference to compare them with are not kept.
    """
    basis = basis_of(home, monitor, now=now)
    if basis is None or basis.grain != "hour":
        return []
    seen = _looks(home, monitor, basis, now)
    new = _new_parts(home, monitor, basis, max((one.reached for one in seen), default=0), now)
    if new is None:
        return []
    made = [one for hour in _hours(new, now) for one in _look_at(home, monitor, basis, new, hour, seen, now)]
    home.lake.append_records(Look, made)
    return made


def told_by_windows(home: Home, monitors: Iterable[Monitor], *, now: datetime) -> list[str]:
    """Return the models whose newest rows are not looked at, as their rows are not counted by the hour: these are told by their windows alone."""
    found = [(monitor.model, basis_of(home, monitor, now=now)) for monitor in monitors]
    return [model for model, basis in found if basis is not None and basis.grain != "hour"]


def news(home: Home, made: Sequence[Look], *, now: datetime) -> list[Look]:
    """Return what is out of line in looks and was in none before them, or has doubled since: only that changes what is to be told."""
    out = [one for one in made if one.is_out]
    if not out:
        return []
    reached, since = min(one.reached for one in made), pa.scalar(min(one.window_start for one in out), TIMESTAMP)
    mine = (pc.field("model") == out[0].model) & pc.field("is_out") & (pc.field("reached") < reached) & (pc.field("window_start") >= since)
    known: dict[str, float] = {}
    for one in home.lake.newest(Look, as_of=now, where=mine):
        known[signal_id(one)] = max(one.value, known.get(signal_id(one), 0.0))
    return [one for one in out if signal_id(one) not in known or has_grown(one.value, known[signal_id(one)], one.expected)]


def signals_of_looks(home: Home, monitor: Monitor, bins: str, *, now: datetime) -> list[Signal]:
    """Return the signals of all looks at a model's windows, as known at `now`."""
    if home.lake.table(Look.TABLE) is None:
        return []
    mine = (pc.field("model") == monitor.model) & (pc.field("environment") == monitor.environment) & (pc.field("bins") == bins) & pc.field("is_out")
    return newest_signals(home.lake.newest(Look, as_of=now, where=mine), now)


def _looks(home: Home, monitor: Monitor, basis: Basis, now: datetime) -> list[Look]:
    """Return the looks of the last days over the bins in force; those at the rows of today say how far they went."""
    if home.lake.table(Look.TABLE) is None:
        return []
    mine = (pc.field("model") == monitor.model) & (pc.field("environment") == monitor.environment) & (pc.field("bins") == basis.bins)
    return home.lake.newest(Look, as_of=now, where=mine & (pc.field("computed_at") >= pa.scalar(now - REMEMBERED, TIMESTAMP)))


def _new_parts(home: Home, monitor: Monitor, basis: Basis, reached: int, now: datetime) -> pa.Table | None:
    """Return the parts of events that were counted after a revision, of hours that still run; None where there are none."""
    since = Grid("hour", monitor.timezone).at(now - LATE).start
    mine = (pc.field("model") == monitor.model) & (pc.field("bins") == basis.bins) & (pc.field("computed_at") <= pa.scalar(now, TIMESTAMP))
    mine &= (pc.field("revision") > reached) & (pc.field("window_start") >= pa.scalar(since, TIMESTAMP))
    mine &= pc.field("kind").isin([FEATURE, SERVICE]) & (pc.field("batch_id") != LABELS_BATCH) & (pc.field("environment") == monitor.environment)
    if not any(rule.in_segments for rule in looked_at(monitor)):
        mine &= pc.field("segment") == ""
    rows = home.lake.read(Profile.TABLE, where=mine)
    return newest_scans(rows) if rows is not None and rows.num_rows else None


def _hours(new: pa.Table, now: datetime) -> list[datetime]:
    """Return the hours that new parts are of, in order; those to come are wrong clocks, and wait."""
    return sorted(start for start in pc.unique(new.column("window_start")).to_pylist() if start <= now)


def _look_at(home: Home, monitor: Monitor, basis: Basis, new: pa.Table, start: datetime, seen: Sequence[Look], now: datetime) -> Iterator[Look]:
    """Yield what is seen of the new rows of one hour."""
    parts = new.filter(pc.equal(new.column("window_start"), pa.scalar(start, TIMESTAMP)))
    hour, window = Grid("hour", monitor.timezone).at(start), monitor.grid.at(start)
    era = in_era(home, monitor, window.start, now=now)
    metrics = {rule.metric for rule in looked_at(monitor)}
    reference = reference_of(home, era, basis, now=now, metrics=metrics)
    frame = frame_of(home, era, hour, "hour", basis, reference, now, metrics={*metrics, "rows"})
    scores = [s for s in readings(frame, added(parts)) if s.value is not None]
    rows = next((s for s in scores if s.metric == "rows" and not s.segment), None)
    if rows is None or rows.n < LEAST_ROWS:
        return
    rows_from, rows_to = _span(home, monitor, parts, hour, now)
    reached = int(pc.max(parts.column("revision")).as_py())

    def made(score: Score, held: Held | None) -> Look:
        return Look(
            model=monitor.model,
            environment=monitor.environment,
            family=held.rule.family if held else "",
            metric=score.metric,
            feature=score.feature,
            segment=score.segment,
            window_start=window.start,
            window_end=window.end,
            rows_from=rows_from,
            rows_to=rows_to,
            value=score.value or 0.0,
            low=score.low,
            high=score.high,
            expected=held.expected if held else 0.0,
            normal_low=held.low if held else None,
            normal_high=held.high if held else None,
            p=held.p if held else 1.0,
            n=score.n,
            is_out=held is not None and held.is_out,
            reached=reached,
            bins=basis.bins,
            computed_at=now,
        )

    yield made(rows, None)
    judged = out_of_line(era, _usual(home, era, basis, now), [s for s in scores if s.metric != "rows"], _before(seen))
    yield from (made(score, held) for score, held in judged if held.is_out or held.rule.family == "service")


def _before(seen: Sequence[Look]) -> dict[Named, list[Before]]:
    out: dict[Named, list[Before]] = defaultdict(list)
    for one in seen:
        if one.family and not one.is_out:
            out[one.metric, one.feature, one.segment].append(Before(one.value, one.expected, one.n))
    return out


def _span(home: Home, monitor: Monitor, parts: pa.Table, hour: Window, now: datetime) -> tuple[datetime, datetime]:
    """Return when the first and the last of the new rows of an hour were, as their batches say."""
    where = (pc.field("model") == monitor.model) & among("batch_id", pc.unique(parts.column("batch_id")).to_pylist())
    batches: list[Batch] = home.lake.newest(Batch, as_of=now, where=where)
    starts, ends = [b.starts_at for b in batches if b.starts_at], [b.ends_at for b in batches if b.ends_at]
    first, last = min(starts, default=hour.start), max(ends, default=now)
    return max(first, hour.start), min(max(last, hour.start), hour.end)


def _usual(home: Home, monitor: Monitor, basis: Basis, now: datetime) -> list[UsualHours]:
    """Return what is usual in the hours of a monitor's reference, of its last four weeks; kept in this process while no part of it changes."""
    span = monitor.reference_span
    if span is None:
        return []
    name = key(home.lake.address, monitor.model, basis.bins, *span, reference_revision(monitor, basis.parts))
    if name not in _USUAL:
        made = list(_of_hours(home, monitor, Window(max(span[0], span[1] - _LEARNED_FROM), span[1]), now))
        if len(_USUAL) > KEPT:
            _USUAL.clear()
        _USUAL[name] = usual_hours(monitor, to_arrow(Score, made))
    return _USUAL[name]


def _of_hours(home: Home, monitor: Monitor, span: Window, now: datetime) -> Iterator[Score]:
    """Yield the numbers of the reference's hours, day by day: with many small batches a month of parts is more than memory should hold."""
    metrics = {rule.metric for rule in looked_at(monitor)}
    hours, of_whole = Grid("hour", monitor.timezone), not any(r.in_segments for r in looked_at(monitor)) and not are_of_segments(metrics)
    for day in Grid("day", monitor.timezone).between(span.start, span.end):
        start, end = max(day.start, span.start), min(day.end, span.end)
        yield from rolled_up(home, monitor, hours, now=now, start=start, end=end, metrics=metrics, of_whole=of_whole)
