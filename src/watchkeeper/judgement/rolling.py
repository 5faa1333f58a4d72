"""The rolling reference: when it takes a step, which windows a step is made of, and which numbers go along with it.

Belongs here: days that are over -> a step or the reason why there is none. Does not: the stretches that follow from steps (eras.py), what is known
of the days (operations/rolling.py).

A rolling reference moves notices and never pages. Drift of inputs is compared with newer days; KPIs, segments, data faults, service, promises and
estimates go on by the reference that people declared. So nothing that wakes somebody is absorbed, no incident ends by a step, and no row is read.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count, groupby
from math import ceil
from zoneinfo import ZoneInfo

from watchkeeper.judgement.eras import ROLLING, Era, is_step_of
from watchkeeper.judgement.incidents import Incident
from watchkeeper.judgement.normal import LEAST_WINDOWS
from watchkeeper.judgement.policy import rules_of
from watchkeeper.monitor import Monitor
from watchkeeper.records import Baseline, Score, key
from watchkeeper.windows import Window, local_midnight
from watchkeeper.words import counted, metric_text, number_text, window_text

LEAST_SHARE = 0.5
"""Of the windows that a step is to be made of, so many must be clean; else it is skipped."""
MOVED_BY = 0.1
"""From this PSI on it is said that an input has moved since the reference was declared."""
_NAMED = 6


@dataclass(frozen=True, slots=True)
class Seen:
    """A window that a step may be made of, and why it is not, empty where it is."""

    window: Window
    why: str = ""


def moved(monitor: Monitor) -> frozenset[str]:
    """Return the metrics that go along with a rolling reference: those of inputs, of which none pages.

    One that is promised by the monitor's own window stays: a promise is held against what was declared.
    """
    promised = {t.metric for t in monitor.targets if t.per == monitor.window}
    return frozenset(r.metric for r in rules_of(monitor) if r.family == "covariate") - promised


def steps_due(monitor: Monitor, era: Era, known: Iterable[Baseline], now: datetime) -> Iterator[datetime]:
    """Yield the moments at which steps of an era are due by `now` and not decided: every so many days from its beginning on, at the start of a window."""
    rolling, begins = monitor.reference.rolling, era.begins
    if rolling is None or begins is None:
        return
    last = max((b.since for b in known if is_step_of(era, b)), default=begins)
    first = begins.astimezone(ZoneInfo(monitor.timezone)).date()
    for step in count(1):
        moment = _on_grid(monitor, local_midnight(first + step * rolling.every, monitor.timezone))
        if moment > now or (era.until is not None and moment >= era.until):
            return
        if moment > last:
            yield moment
            last = moment


def days_of(monitor: Monitor, era: Era, mature: datetime) -> list[Window]:
    """Return the windows that a step is to be made of: the last ones before `mature`, up to when the labels were due as it came due.

    None is older than the era's own reference, and none lies between that and the era's beginning, where another normal was in force.
    """
    rolling, span, begins = monitor.reference.rolling, era.monitor.reference_span, era.begins
    if rolling is None or span is None or begins is None:
        return []
    after = mature.astimezone(ZoneInfo(monitor.timezone)).date()
    end = local_midnight(after, monitor.timezone)
    start = max(span[0], _on_grid(monitor, local_midnight(after - rolling.last, monitor.timezone)))
    inside = (w for w in monitor.grid.between(start, end) if start <= w.start and w.end <= end)
    return [w for w in inside if w.start < span[1] or w.start >= begins]


def _on_grid(monitor: Monitor, moment: datetime) -> datetime:
    """Return the moment, or the next one at which a window starts."""
    window = monitor.grid.at(moment)
    return moment if window.start == moment else window.end


def step(monitor: Monitor, era: Era, since: datetime, seen: Sequence[Seen], now: datetime) -> Baseline:
    """Return the step that begins at a moment, or, where too few of its windows are clean, that it is skipped."""
    rolling = monitor.reference.rolling
    asked = round(rolling.last / _length(monitor)) if rolling is not None else 0
    clean, out = [s for s in seen if not s.why], [s for s in seen if s.why]
    least, has = max(LEAST_WINDOWS, ceil(LEAST_SHARE * asked)), f"{len(clean)} of {counted(asked, monitor.window)}"
    left = _left_out_text(out, monitor.timezone)
    is_taken = len(clean) >= least
    said = [has] if is_taken else [f"skipped: only {has} are known to be clean, and a step takes {least}"]
    start, end = (
        (clean[0].window.start, clean[-1].window.end) if is_taken else (seen[0].window.start, seen[-1].window.end) if seen else (since, since)
    )
    return Baseline(
        baseline_id=step_id(monitor, era, since),
        event="begun" if is_taken else "skipped",
        model=monitor.model,
        environment=monitor.environment,
        since=since,
        starts_at=start,
        ends_at=end,
        who=ROLLING,
        why="; ".join([*said, *([f"left out: {left}"] if left else [])]),
        at=now,
        kind=ROLLING,
        left_out=_holes(monitor, clean, start, end) if is_taken else [],
    )


def bad_since(taken: Era, incidents: Iterable[Incident]) -> list[Incident]:
    """Return the incidents that days of a step belong to all the same, in order: they became known after it was taken."""
    days = taken.monitor.reference_stretches
    told = (i for i in incidents if not i.is_withdrawn and i.severity != "notice")
    return sorted((i for i in told if any(d.overlaps(Window(i.window_start, i.window_end)) for d in days)), key=lambda i: (i.window_start, i.id))


def moved_text(monitor: Monitor, declared: Window, since_then: Iterable[Score]) -> str:
    """Return how far the days of a step are from those that people declared: inputs by their PSI, and the KPI that tells how good the model is, then and now.

    >>> from datetime import UTC
    >>> moved_text(Monitor.model_construct(timezone="UTC"), Window(datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 1, 15, tzinfo=UTC)), [])
    'since 1 to 14 Jan 2025 no input by a PSI of 0.1 or more'
    """
    found = [s for s in since_then if s.value is not None]
    far = sorted((s for s in found if s.metric == "psi" and (s.value or 0.0) >= MOVED_BY), key=lambda s: -(s.value or 0.0))
    names = [f"{metric_text('', s.feature)} {number_text(s.value)}" for s in far[:_NAMED]] + (
        [f"{len(far) - _NAMED} more"] if len(far) > _NAMED else []
    )
    inputs = f"inputs by a PSI of: {', '.join(names)}" if names else f"no input by a PSI of {MOVED_BY:g} or more"
    kpis = [s for s in found if s.metric != "psi" and s.reference_value is not None]
    told = [
        f"{metric_text(s.metric)} {number_text(s.reference_value, s.unit, [s.value])} then, {number_text(s.value, s.unit, [s.reference_value])} now"
        for s in kpis
    ]
    return "; ".join([f"since {window_text(declared.start, declared.end, monitor.timezone)} {inputs}", *told])


def step_id(monitor: Monitor, era: Era, since: datetime) -> str:
    """Return the id of the step of an era that begins at a moment: there is one, whenever it is decided."""
    return key(monitor.model, monitor.environment, ROLLING, era.begins, since)


def _holes(monitor: Monitor, clean: Sequence[Seen], start: datetime, end: datetime) -> list[datetime]:
    """Return the starts of windows within a step's days that are no part of it."""
    kept = {s.window for s in clean}
    return [w.start for w in monitor.grid.between(start, end) if w not in kept]


def _length(monitor: Monitor) -> timedelta:
    return {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(weeks=1), "month": timedelta(days=30.4)}[monitor.window]


def _left_out_text(out: Sequence[Seen], timezone: str) -> str:
    """Return which windows are no part of a step, those of one reason that follow each other together."""
    runs: list[Seen] = []
    for why, some in groupby(out, key=lambda s: s.why):
        for each in some:
            if runs and runs[-1].why == why and runs[-1].window.end == each.window.start:
                runs[-1] = Seen(Window(runs[-1].window.start, each.window.end), why)
            else:
                runs.append(each)
    told = [f"{window_text(r.window.start, r.window.end, timezone)} ({r.why})" for r in runs]
    more = len(told) - _NAMED
    return ", ".join([*told[:_NAMED], *([f"{more} more"] if more > 0 else [])])
