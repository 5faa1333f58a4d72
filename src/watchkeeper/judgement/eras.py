"""Eras: which reference a window is compared with and judged by: that of the monitor file, or a new normal since it began.

Belongs here: baselines -> eras in order of time, the words that name them. Does not: reading and declaring them (operations/eras.py,
operations/rebaseline.py), which steps a rolling reference takes (rolling.py), numbers (operations/measure.py).

An era's monitor is the monitor with the era's days as its reference: whatever takes a monitor measures and judges by these. Within an era a rolling
reference takes steps: stretches whose inputs are compared with newer days, while all else goes on by the era's own.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

from watchkeeper.monitor import Monitor
from watchkeeper.records import Baseline
from watchkeeper.reference import NewNormal
from watchkeeper.windows import Window
from watchkeeper.words import counted, moment_text, window_text

NEW_NORMAL = "new normal since "
ROLLING = "rolling"
"""The kind of the steps of a rolling reference, and who takes them."""


@dataclass(frozen=True, slots=True)
class Era:
    """A stretch of time whose windows share a reference; the first has no `since` and no `baseline`, the last no `until` and nothing `after` it.

    `after` says what ended it. `steps` are the stretches within it, in order, whose inputs are compared with a rolling reference; they have none themselves.
    """

    monitor: Monitor
    since: datetime | None = None
    until: datetime | None = None
    baseline: Baseline | None = None
    after: str = ""
    steps: tuple["Era", ...] = ()

    @property
    def begins(self) -> datetime | None:
        """The moment from which its windows are judged: it began then, or, of the first, the monitor file's reference was over."""
        span = self.monitor.reference_span
        return self.since or (span[1] if span else None)

    def step_at(self, moment: datetime) -> "Era | None":
        """Return the step that a window which starts at a moment is of, None before the first."""
        return next((step for step in self.steps if moment in step), None)

    def __contains__(self, moment: object) -> bool:
        """Tell whether a window that starts at a moment is of this era."""
        return isinstance(moment, datetime) and (self.since is None or self.since <= moment) and (self.until is None or moment < self.until)

    def within(self, start: datetime, end: datetime) -> Window:
        """Return what of [start, end) is of this era; its end comes first where nothing is."""
        return Window(max(start, self.since or start), min(end, self.until or end))


def fold(events: Iterable[Baseline]) -> list[Baseline]:
    """Return the new normals and steps that stand, in the order in which they begin; those that were taken back are gone."""
    every = list(events)
    ended = {e.baseline_id for e in every if e.event == "ended"}
    return sorted((e for e in every if e.event == "begun" and e.baseline_id not in ended), key=lambda b: (b.since, b.at, b.baseline_id))


def eras(monitor: Monitor, baselines: Sequence[Baseline]) -> list[Era]:
    """Return the eras of a model in order of time; of new normals that begin at one moment the one declared last counts.

    One that began before the monitor file's reference ends is void: that was moved to later days since. A monitor that is an era's already
    has this one alone.
    """
    if monitor.is_rebased:
        return [Era(monitor)]
    span, whose = monitor.reference_span, (monitor.model, monitor.environment)
    mine = [b for b in baselines if (b.model, b.environment) == whose]
    declared = {b.since: b for b in mine if b.kind != ROLLING and (span is None or b.since >= span[1])}
    made = [Era(monitor), *(Era(_rebased(monitor, b), since, None, b) for since, b in sorted(declared.items()))]
    made = [_until(era, after) for era, after in pairwise(made)] + made[-1:]
    return made if monitor.reference.rolling is None else [replace(era, steps=_steps(monitor, era, mine)) for era in made]


def _steps(monitor: Monitor, era: Era, baselines: Iterable[Baseline]) -> tuple[Era, ...]:
    begun = {b.since: b for b in baselines if is_step_of(era, b) and b.event == "begun"}
    made = [Era(_rebased(monitor, b), since, era.until, b) for since, b in sorted(begun.items())]
    return tuple(replace(step, until=after.since) for step, after in pairwise(made)) + tuple(made[-1:])


def is_step_of(era: Era, baseline: Baseline) -> bool:
    """Tell whether a step, taken or skipped, is of an era: it begins in it, and looks no further back than to the era's own reference."""
    span, begins = era.monitor.reference_span, era.begins
    if baseline.kind != ROLLING or span is None or begins is None:
        return False
    return begins < baseline.since and baseline.since in era and span[0] <= baseline.starts_at


def _until(era: Era, after: Era) -> Era:
    return replace(era, until=after.since, after=new_normal_text(after.baseline, era.monitor.timezone) if after.baseline is not None else "")


def _rebased(monitor: Monitor, baseline: Baseline) -> Monitor:
    zone = ZoneInfo(monitor.timezone)
    first, after = (moment.astimezone(zone).date() for moment in (baseline.starts_at, baseline.ends_at))
    return monitor.model_copy(update={"reference": NewNormal(from_=first, to=after, left_out=tuple(baseline.left_out))})


def era_of(found: Sequence[Era], moment: datetime) -> Era:
    """Return the era that a window which starts at a moment is of."""
    return next(era for era in found if moment in era)


def new_normal_text(baseline: Baseline, timezone: str) -> str:
    """Return why something ends with a new normal.

    >>> from datetime import UTC
    >>> may = datetime(2013, 5, 1, tzinfo=UTC)
    >>> new_normal_text(
    ...     Baseline(baseline_id="b", model="m", environment="", since=may, starts_at=may, ends_at=may, who="ann", why="a new carrier", at=may), "UTC"
    ... )
    'new normal since Wed 1 May 2013, by ann: a new carrier'
    """
    return f"{NEW_NORMAL}{_since(baseline, timezone)}, by {baseline.who}: {baseline.why}"


def _since(baseline: Baseline, timezone: str) -> str:
    return moment_text(baseline.since, timezone).removesuffix(", 00:00")


def reference_text(era: Era) -> str:
    """Return in words which days a new normal's windows are compared with, empty for those of the monitor file."""
    if era.baseline is None:
        return ""
    zone = era.monitor.timezone
    return f"{window_text(era.baseline.starts_at, era.baseline.ends_at, zone)}, {new_normal_text(era.baseline, zone)}"


def step_text(step: Era) -> str:
    """Return in words which days the inputs of a step's windows are compared with, and since when."""
    if step.baseline is None:
        return ""
    zone, made = step.monitor.timezone, step.baseline
    out = f" without {counted(len(made.left_out), step.monitor.window)}" if made.left_out else ""
    return f"inputs with {window_text(made.starts_at, made.ends_at, zone)}{out}, rolling since {_since(made, zone)}"


def compared_text(era: Era, moment: datetime) -> str:
    """Return in words what a window that starts at a moment is compared with, empty where that is the reference of the monitor file alone."""
    step = era.step_at(moment)
    return "; ".join(filter(None, (reference_text(era), step_text(step) if step else "")))
