"""How long an incident took: until it was seen, until somebody looked after it, until it was over.

Belongs here: the definitions, and what they are of several incidents. Does not: when an incident opens and ends (developments.py).

**Time to detect** is from the start of its first window out of line, as known by now, until it opened: the window itself, the wait for
labels, and the wait for the next run are part of it. Where the newest rows of that window told, it is from the first of those that were bad. **Time to acknowledge** and **time to resolve** are from then until somebody first
said to look after it, and until it was over: that takes windows without trouble. What was over when it was found, before anybody could be told, took no time to resolve. What was taken back never was and took no time; what
lasts, or is no longer judged, is not resolved. A budget is told of before it breaks, and has no time to detect. Times are in hours.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from watchkeeper.judgement.incidents import Incident
from watchkeeper.records import IncidentEvent, Signal
from watchkeeper.words import counted, hours_text

_OF_LABELS = ("kpi", "segment")
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Times:
    """How long one incident took; None where that has not happened, or never will."""

    detect_hours: float | None = None
    acknowledge_hours: float | None = None
    resolve_hours: float | None = None


def times_of(incident: Incident) -> Times:
    """Return how long an incident took until it was seen, acknowledged and over."""
    if incident.is_withdrawn:
        return Times()
    seen = incident.detected_at
    over = None if incident.is_unjudged or _was_over(incident) else incident.resolved_at
    begun = None if incident.family == "cost" else incident.onset_at
    return Times(_hours(begun, seen), _hours(seen, incident.acknowledged_at), _hours(seen, over))


def waited_for_labels(incident: Incident, opening: IncidentEvent, signals: Iterable[Signal], due_after: timedelta) -> timedelta | None:
    """Return how much of the time to detect passed until the labels were due of the first window that alarmed, None where none can be told.

    It can where all that opened the incident rests on labels and was final by then: what is told of provisional numbers waited for less.
    """
    by_id = {s.signal_id: s for s in signals}
    first = min((by_id[mark].window_end for mark in opening.signals if mark in by_id), default=None)
    is_final = incident.family in _OF_LABELS and bool(opening.signals) and all(mark in by_id for mark in opening.signals)
    if not is_final or first is None or incident.is_withdrawn or not due_after or first + due_after > incident.detected_at:
        return None
    return due_after


def times_text(incident: Incident, waited: timedelta | None = None) -> str:
    """Return in words how long an incident took, empty of one that was taken back."""
    times = times_of(incident)
    of_which = f", of which {hours_text(waited / _HOUR)} waiting for labels" if waited else ""
    told = [
        f"{verb} after {hours_text(hours)}{more}"
        for verb, hours, more in (
            ("detected", times.detect_hours, of_which),
            ("acknowledged", times.acknowledge_hours, ""),
            ("resolved", times.resolve_hours, ""),
        )
        if hours is not None
    ]
    is_told = _was_over(incident) and not (incident.is_withdrawn or incident.is_unjudged)
    return "; ".join([*told, *(["over when it was found"] if is_told else [])])


@dataclass(frozen=True, slots=True)
class Medians:
    """The medians of several incidents, each with how many it is of."""

    detect_hours: float | None = None
    detected: int = 0
    resolve_hours: float | None = None
    resolved: int = 0

    @property
    def text(self) -> str:
        """The medians in words, empty of no incident.

        >>> Medians(42.0, 3, 96.0, 2).text, Medians(42.0, 1).text
        ('detected after 42 h (median of 3 incidents), resolved after 4 days (median of 2)', 'detected after 42 h (1 incident)')
        """
        told = []
        if self.detect_hours is not None:
            told.append(f"detected after {hours_text(self.detect_hours)} ({_of(counted(self.detected, 'incident'), self.detected)})")
        if self.resolve_hours is not None:
            told.append(f"resolved after {hours_text(self.resolve_hours)} ({_of(str(self.resolved), self.resolved)})")
        return ", ".join(told)


def medians(incidents: Sequence[Incident]) -> Medians:
    """Return the medians of incidents: of all of them until they were seen, of those that were over later until they were."""
    every = [times_of(i) for i in incidents]
    detect = [t.detect_hours for t in every if t.detect_hours is not None]
    resolve = [t.resolve_hours for t in every if t.resolve_hours is not None]
    return Medians(median(detect) if detect else None, len(detect), median(resolve) if resolve else None, len(resolve))


def _was_over(incident: Incident) -> bool:
    """Tell whether an incident was over when it was found."""
    return incident.resolved_at is not None and incident.resolved_at <= incident.detected_at


def _of(told: str, count: int) -> str:
    return f"median of {told}" if count > 1 else told


def _hours(start: datetime | None, end: datetime | None) -> float | None:
    return None if start is None or end is None else (end - start) / _HOUR
