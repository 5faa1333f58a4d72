"""Incidents: what is wrong, as the events of its life have left it.

Belongs here: the fold of events into an incident, and what it says of itself. Does not: which events there are to be (developments.py), which signals
are one story (episodes.py), the cause (causes.py), the words (story.py).
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

from watchkeeper.judgement.eras import NEW_NORMAL
from watchkeeper.judgement.other_windows import UNJUDGED
from watchkeeper.judgement.worsening import is_worse
from watchkeeper.records import SEVERITIES, IncidentEvent, Silence
from watchkeeper.story import Story

RESTATED = "restated: with what has landed since, nothing is out of line"
CAUSE_CHANGED = "the cause changed"
CLEAR_SINCE = "clear since"
OURSELVES = "watchkeeper"
LASTED = "lasts: the state is known and stays in the digest; no new incident opens until it has been clear"

_SEQUENCE = ("opened", "joined", "updated", "acknowledged", "resolved")


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """An incident as its events have left it; `state` is open, acknowledged, silenced, lasting or resolved.

    Silenced is one that a silence (silences.py) covers; events alone never say so.
    """

    id: str
    model: str
    environment: str
    state: str
    severity: str
    family: str
    subject: str
    opened_at: datetime
    worse_at: datetime
    """When it opened, or people were last told at once that it got worse."""
    detected_at: datetime
    onset_at: datetime
    resolved_at: datetime | None
    window_start: datetime
    window_end: datetime
    headline: str
    signals: list[str] = field(default_factory=list)
    marks: tuple[str, ...] = ()
    story: Story | None = None
    told_at: datetime | None = None
    why: str = ""
    closed_by: str = ""
    reopened_at: datetime | None = None
    """When it opened again that a person had closed, or that lasted."""
    acknowledgement: IncidentEvent | None = None
    acknowledged_at: datetime | None = None
    silence: Silence | None = None
    faults: tuple[str, ...] = ()
    part_of: str = ""
    split_from: str = ""
    parts: tuple["Incident", ...] = ()
    """Those that are one with it: of other models by the same fault, of its own by what a fault of data did (together.py)."""

    @property
    def is_open(self) -> bool:
        """Tell whether anybody is asked to look; what lasts goes on and is known."""
        return self.state not in ("lasting", "resolved")

    @property
    def is_withdrawn(self) -> bool:
        """Tell whether what landed later took it back: it never was."""
        return self.why == RESTATED and not self.is_open and not self.is_closed_by_hand

    @property
    def is_normal_now(self) -> bool:
        """Tell whether it ended since somebody declared a new normal."""
        return self.why.startswith(NEW_NORMAL) and not self.is_open and not self.is_closed_by_hand

    @property
    def is_unjudged(self) -> bool:
        """Tell whether it ended since the monitor's windows are others, which says nothing of whether it is over."""
        return self.why.startswith(UNJUDGED) and not self.is_open and not self.is_closed_by_hand

    @property
    def is_closed_by_hand(self) -> bool:
        """Tell whether a person closed it."""
        return self.closed_by not in ("", OURSELVES)

    @property
    def leader(self) -> str:
        """The incident under whose id it is told."""
        return self.part_of or self.id

    @property
    def models(self) -> list[str]:
        """The models that it is about, its own first."""
        return list(dict.fromkeys([self.model, *(p.model for p in self.parts)]))


def in_order(events: Iterable[IncidentEvent]) -> list[IncidentEvent]:
    """Return events in the order in which they happened; those of one moment in the order of an incident's life."""
    return sorted(events, key=lambda e: (e.at, _SEQUENCE.index(e.event), e.window_start, e.event_id))


def fold(events: Iterable[IncidentEvent]) -> list[Incident]:
    """Return incidents in the order they opened."""
    by_id: dict[str, list[IncidentEvent]] = defaultdict(list)
    for event in in_order(events):
        by_id[event.incident_id].append(event)
    return sorted((_folded(history) for history in by_id.values()), key=lambda i: (i.opened_at, i.window_start, i.id))


def alongside(incident_id: str, incidents: Iterable[Incident]) -> list[Incident]:
    """Return the other incidents of a model whose bad windows overlap those of one, the gravest first: they may be one trouble.

    Those that were taken back, which never were, are left out, and those that are told as one with it.
    """
    every = list(incidents)
    one = next(i for i in every if i.id == incident_id)
    others = [i for i in every if i.leader != one.leader and (i.model, i.environment) == (one.model, one.environment) and not i.is_withdrawn]
    together = [i for i in others if i.window_start < one.window_end and one.window_start < i.window_end]
    return sorted(together, key=lambda i: (-SEVERITIES.index(i.severity), i.window_start, i.id))


def _folded(history: Sequence[IncidentEvent]) -> Incident:
    course = [e for e in history if e.event != "acknowledged"]
    first, last = course[0], course[-1]
    told_by = [(s, e.at) for e in history if e.event != "resolved" and (s := Story.from_json(e.story)) is not None]
    is_closed = last.event == "resolved"
    lasts = is_closed and last.why == LASTED and last.who == OURSELVES
    reopenings = [(ended, n) for n, (ended, e) in enumerate(pairwise(course), 1) if ended.event == "resolved" != e.event]
    chapter = history[history.index(course[reopenings[-1][1]]) if reopenings else 0 :]
    acknowledgement = next((e for e in reversed(chapter) if e.event == "acknowledged"), None)
    return Incident(
        id=first.incident_id,
        model=first.model,
        environment=first.environment,
        state="lasting" if lasts else "resolved" if is_closed else "acknowledged" if acknowledgement else "open",
        severity=max((e.severity for e in history), key=SEVERITIES.index),
        family=first.family,
        subject=first.subject,
        opened_at=first.at,
        worse_at=max(e.at for e in history if e is first or is_worse(e)),
        detected_at=first.at,
        onset_at=_onset(history),
        resolved_at=last.at if is_closed and not lasts else None,
        window_start=min(e.window_start for e in history),
        window_end=last.window_end if last.why.startswith((CAUSE_CHANGED, CLEAR_SINCE)) else max(e.window_end for e in history),
        headline=told_by[-1][0].headline if told_by else first.subject,
        signals=sorted({s.rstrip("?") for e in history for s in e.signals}),
        marks=tuple(sorted({s for e in history for s in e.signals})),
        story=told_by[-1][0] if told_by else None,
        told_at=told_by[-1][1] if told_by else None,
        why=last.why,
        closed_by=last.who if is_closed else "",
        reopened_at=max((course[n].at for ended, n in reopenings if is_by_hand(ended) or ended.why == LASTED), default=None),
        acknowledgement=acknowledgement,
        acknowledged_at=next((e.at for e in history if e.event == "acknowledged"), None),
        faults=tuple(first.faults),
        part_of=first.part_of,
        split_from=first.split_from,
    )


def _onset(history: Sequence[IncidentEvent]) -> datetime:
    """Return since when it has been wrong: when the first bad row was, where the newest rows told of the first window, else that window's start."""
    start = min(e.window_start for e in history)
    return min((e.rows_from for e in history if e.rows_from is not None and e.window_start == start), default=start)


def is_by_hand(event: IncidentEvent) -> bool:
    """Tell whether an event is that a person closed the incident."""
    return event.event == "resolved" and event.who != OURSELVES


def event_about(incident: Incident, event: str, event_id: str, *, why: str, now: datetime, who: str = OURSELVES) -> IncidentEvent:
    """Return an event about an incident as it stands, which brings no signal and no story."""
    return IncidentEvent(
        event_id=event_id,
        incident_id=incident.id,
        model=incident.model,
        environment=incident.environment,
        event=event,
        family=incident.family,
        subject=incident.subject,
        severity=incident.severity,
        window_start=incident.window_start,
        window_end=incident.window_end,
        who=who,
        why=why,
        at=now,
    )
