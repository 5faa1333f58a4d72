"""Newest: look at the rows that came since the last look, of a window that has not ended.

Belongs here: which parts are new, the numbers of these, and keeping what was seen. Does not: what is out of line (judgement/newest.py), what
earlier looks saw (seen.py), the loop around it (follow.py).

What came in since the last look are the parts of a later revision in the hours that still run: each batch has parts of its own, so a minute
needs no finer grain, and nothing is kept by the minute but the few numbers of a look. A percentile needs more rows than a share, and a host
has fewer than the whole. So each number of the service, and all of the data together, wait in each hour for rows of their own, and no row is
in two looks at one number. How far each was looked at is kept with it, so that any process goes on from there, and of two that look at the
same both find the same.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache, partial

import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.adapters.arrow_records import TIMESTAMP, to_arrow
from watchkeeper.adapters.lake import among
from watchkeeper.adapters.workspace import Home
from watchkeeper.judgement.newest import LEAST_ROWS, Held, Named, UsualHours, awaited, looked_at, newest_signals, out_of_line, signal_id, usual_hours
from watchkeeper.judgement.worsening import has_grown
from watchkeeper.measures.frame import Frame
from watchkeeper.measures.readings import readings
from watchkeeper.monitor import Monitor
from watchkeeper.operations.eras import in_era
from watchkeeper.operations.rollup import Basis, are_of_segments, basis_of, frame_of, reference_of, rolled_up
from watchkeeper.operations.seen import in_line_before, reached_in
from watchkeeper.operations.sums import KEPT, added, reference_revision
from watchkeeper.profiles.parts import FEATURE, LABELS_BATCH, SERVICE, newest_scans
from watchkeeper.records import Batch, Look, Profile, Score, Signal, key
from watchkeeper.windows import Grid, Window

LATE = timedelta(minutes=5)
"""How long after an hour's end rows of it are still looked at."""
_LEARNED_FROM = timedelta(days=28)
_ROWS: Named = ("rows", "", "")
"""How many rows are looked at; it stands for all numbers of the data, which wait for rows together."""
_USUAL: dict[str, list[UsualHours]] = {}


def look(home: Home, monitor: Monitor, *, now: datetime) -> list[Look]:
    """Judge what was counted since the last look of the hours that still run; keep and return what was seen, nothing where there are too few rows yet.

    Where parts span days (fewer than about 1,000 rows an hour, or than 200 of a segment value) there is nothing to look at: a minute of such a model has too few rows to
    tell anything by, and hours of the reference to compare them with are not kept.
    """
    basis = basis_of(home, monitor, now=now)
    if basis is None or basis.grain != "hour":
        return []
    hours = Grid("hour", monitor.timezone)
    running = sorted({hours.at(now - LATE), hours.at(now)})  # those to come are wrong clocks, and wait
    made = [one for hour in running for one in _look_at(home, monitor, basis, hour, now)]
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


def signals_of_looks(home: Home, monitor: Monitor, bins: str, *, since: datetime | None, now: datetime) -> list[Signal]:
    """Return the signals of all looks at a model's windows that start at a moment or later, as known at `now`."""
    if home.lake.table(Look.TABLE) is None:
        return []
    mine = (pc.field("model") == monitor.model) & (pc.field("environment") == monitor.environment) & (pc.field("bins") == bins) & pc.field("is_out")
    if since is not None:
        mine &= pc.field("window_start") >= pa.scalar(since, TIMESTAMP)
    return newest_signals(home.lake.newest(Look, as_of=now, where=mine), now)


def _look_at(home: Home, monitor: Monitor, basis: Basis, hour: Window, now: datetime) -> Iterator[Look]:
    """Yield what is seen of the new rows of one hour."""
    marks = reached_in(home, monitor, basis.bins, hour, now=now)
    of_hour = _of_hour(monitor, basis, hour, now)
    reached = _newest_revision(home, of_hour & (pc.field("revision") > max(marks.values(), default=0)))
    if reached is None:
        return
    window = monitor.grid.at(hour.start)
    era = in_era(home, monitor, window.start, now=now)
    usual = _usual(home, era, basis, now)
    due = _by_mark([_ROWS, *awaited(era, usual, hour)], marks)
    parts = _unseen(home, of_hour, due)
    metrics = {rule.metric for rule in looked_at(monitor)}
    reference = reference_of(home, era, basis, now=now, metrics=metrics)
    frame = frame_of(home, era, hour, "hour", basis, reference, now, metrics={*metrics, *_ROWS[:1]})
    scores: list[Score] = []
    seen_from: dict[Named, int] = {}
    for mark, names in due.items():
        found = _numbers(frame, monitor, _since(parts, mark, names), names)
        seen_from |= {_name(score): mark for score in found}
        scores += found

    @cache
    def span(mark: int) -> tuple[datetime, datetime]:
        return _span(home, monitor, _since(parts, mark, due[mark]), hour, now)

    def told(score: Score, held: Held | None) -> Look:
        return _seen(score, held, window, span(seen_from[_name(score)]), reached, now)

    yield from (told(score, None) for score in scores if _name(score) == _ROWS)
    judged = out_of_line(era, usual, [s for s in scores if _name(s) != _ROWS], partial(in_line_before, home, monitor, basis.bins, now=now))
    yield from (told(score, held) for score, held in judged if held.is_out or held.rule.family == "service")


def _name(score: Score) -> Named:
    return score.metric, score.feature, score.segment


def _of_hour(monitor: Monitor, basis: Basis, hour: Window, now: datetime) -> pc.Expression:
    """Match the parts of a model's events in an hour."""
    mine = (pc.field("model") == monitor.model) & (pc.field("bins") == basis.bins) & (pc.field("environment") == monitor.environment)
    mine &= (pc.field("window_start") == pa.scalar(hour.start, TIMESTAMP)) & (pc.field("computed_at") <= pa.scalar(now, TIMESTAMP))
    return mine & pc.field("kind").isin([FEATURE, SERVICE]) & (pc.field("batch_id") != LABELS_BATCH)


def _newest_revision(home: Home, where: pc.Expression) -> int | None:
    found = home.lake.read(Profile.TABLE, columns=["revision"], where=where)
    return int(pc.max(found.column("revision")).as_py()) if found is not None and found.num_rows else None


def _by_mark(names: Iterable[Named], marks: Mapping[Named, int]) -> dict[int, set[Named]]:
    """Return numbers by how far they were looked at."""
    out: dict[int, set[Named]] = defaultdict(set)
    for name in names:
        out[marks.get(name, 0)].add(name)
    return dict(out)


def _unseen(home: Home, of_hour: pc.Expression, due: Mapping[int, Collection[Named]]) -> pa.Table:
    """Return the parts of an hour that some number has not been looked at with: of the data those of the whole, of the service those of each place since its own."""
    kind, segment, revision = pc.field("kind"), pc.field("segment"), pc.field("revision")
    least: dict[str, int] = {"": min(due)}
    for mark, names in sorted(due.items()):
        for _, _, place in names:
            least.setdefault(place, mark)
    wanted = (kind == FEATURE) & (segment == "") & (revision > next(mark for mark, names in due.items() if _ROWS in names))
    for mark in set(least.values()):
        wanted |= (kind == SERVICE) & among("segment", (place for place, own in least.items() if own == mark)) & (revision > mark)
    return newest_scans(home.lake.read(Profile.TABLE, where=of_hour & wanted))


def _since(parts: pa.Table, mark: int, names: Collection[Named]) -> pa.Table:
    """Return the parts that numbers are taken from which were looked at up to a mark; figures of a place stand beside those of the whole."""
    mine = (pc.field("revision") > mark) & among("segment", {"", *(place for _, _, place in names)})
    return parts.filter(mine if _ROWS in names else mine & (pc.field("kind") == SERVICE))


def _numbers(frame: Frame, monitor: Monitor, parts: pa.Table, names: Collection[Named]) -> list[Score]:
    """Return the numbers of some parts that were asked for; those of the data where there are rows enough, after how many these are."""
    of_data = {rule.metric for rule in looked_at(monitor) if rule.family == "data"} if _ROWS in names else set()
    asked = replace(frame, metrics=of_data | {metric for metric, _, _ in names})
    found = [s for s in readings(asked, added(parts)) if s.value is not None]
    is_enough = any(_name(s) == _ROWS and s.n >= LEAST_ROWS for s in found)
    return [s for s in found if (_name(s) in names and (_name(s) != _ROWS or is_enough)) or (s.metric in of_data and is_enough)]


def _seen(score: Score, held: Held | None, window: Window, span: tuple[datetime, datetime], reached: int, now: datetime) -> Look:
    return Look(
        model=score.model,
        environment=score.environment,
        family=held.rule.family if held else "",
        metric=score.metric,
        feature=score.feature,
        segment=score.segment,
        window_start=window.start,
        window_end=window.end,
        rows_from=span[0],
        rows_to=span[1],
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
        bins=score.bins,
        computed_at=now,
    )


def _span(home: Home, monitor: Monitor, parts: pa.Table, hour: Window, now: datetime) -> tuple[datetime, datetime]:
    """Return when the first and the last of the new rows of an hour were, as their batches say."""
    where = (pc.field("model") == monitor.model) & among("batch_id", pc.unique(parts.column("batch_id")).to_pylist())
    batches: list[Batch] = home.lake.newest(Batch, as_of=now, where=where)
    starts, ends = [b.starts_at for b in batches if b.starts_at], [b.ends_at for b in batches if b.ends_at]
    first, last = min(starts, default=hour.start), max(ends, default=now)
    return min(max(first, hour.start), hour.end - timedelta.resolution), min(max(last, hour.start), hour.end)


def _usual(home: Home, monitor: Monitor, basis: Basis, now: datetime) -> list[UsualHours]:
    """Return what is usual in the hours of a monitor's reference, of its last four weeks; kept in this process while neither a part of it nor the monitor changes."""
    span = monitor.reference_span
    if span is None:
        return []
    name = key(home.lake.address, monitor.model_dump_json(), basis.bins, *span, reference_revision(monitor, basis.parts))
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
