"""Incidents: an episode of signals becomes an incident, which opens, grows and resolves.

Belongs here: what is new about episodes, and the fold of events into an incident. Does not: which signals are one story
(episodes.py), the cause (causes.py), the words (story.py).

An incident still going on after `LASTING` is closed as lasting: it stays in the digest, and the same subject opens no new one
until it has been clear. One that a person closed opens again by windows that were not known to be bad then, and by nothing else.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise

from watchkeeper.judgement.episodes import Episode, needs_labels, severity_of
from watchkeeper.judgement.eras import NEW_NORMAL
from watchkeeper.judgement.other_windows import UNJUDGED
from watchkeeper.judgement.worsening import is_worse
from watchkeeper.records import SEVERITIES, IncidentEvent, Severity, Signal, Silence, key
from watchkeeper.story import Story
from watchkeeper.words import moment_text

LASTING = timedelta(days=28)
LATE_ROWS = timedelta(days=7)
RESTATED = "restated: with what has landed since, nothing is out of line"
CAUSE_CHANGED = "the cause changed"
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
    acknowledgement: IncidentEvent | None = None
    acknowledged_at: datetime | None = None
    silence: Silence | None = None
    faults: tuple[str, ...] = ()
    part_of: str = ""
    split_from: str = ""
    parts: tuple["Incident", ...] = ()
    """Those of other models that tell of the same fault (together.py)."""

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

    Those that were taken back, which never were, are left out.
    """
    every = list(incidents)
    one = next(i for i in every if i.id == incident_id)
    others = [i for i in every if i.id != one.id and (i.model, i.environment) == (one.model, one.environment) and not i.is_withdrawn]
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
        window_end=last.window_end if last.why.startswith(CAUSE_CHANGED) else max(e.window_end for e in history),
        headline=told_by[-1][0].headline if told_by else first.subject,
        signals=sorted({s.rstrip("?") for e in history for s in e.signals}),
        marks=tuple(sorted({s for e in history for s in e.signals})),
        story=told_by[-1][0] if told_by else None,
        told_at=told_by[-1][1] if told_by else None,
        why=last.why,
        closed_by=last.who if is_closed else "",
        reopened_at=max((course[n].at for ended, n in reopenings if is_by_hand(ended)), default=None),
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


Teller = Callable[[Episode, Severity], Story]
EndTeller = Callable[[Episode], Story]
Worsened = Callable[[Incident, Episode], str]
Learned = Callable[[Episode, datetime], str]
Unjudged = Callable[[Incident, Episode | None], str]
FaultsOf = Callable[[Episode], list[str]]


def developments(
    model: str,
    environment: str,
    known: Sequence[Incident],
    found: Sequence[Episode],
    tell: Teller,
    now: datetime,
    *,
    tell_end: EndTeller | None = None,
    timezone: str = "UTC",
    is_judged: Callable[[Incident], bool] = lambda _incident: True,
    learned: Learned = lambda _episode, _since: "",
    worsened: Worsened = lambda _incident, _episode: "",
    normal_now: Callable[[Incident], str] = lambda _incident: "",
    unjudged: Unjudged = lambda _incident, _episode: "",
    faults_of: FaultsOf = lambda _episode: [],
) -> list[IncidentEvent]:
    """Return what is new: incidents to open, signals that join, stories to bring up to date, and incidents that are over.

    `tell` gives the story of an incident as it stands, `tell_end` that of its end; `learned` says what bears on an episode and
    became known since a moment, other than its signals; `worsened` in what an open incident got worse; `faults_of` names what an episode is about that other models may be hit by as well.
    An open incident of which nothing is out of line any more is over only where `is_judged` says that its windows could still be found so,
    and `normal_now` says whether a new normal that was declared since is why; `unjudged` says why its windows, with what there is of it by
    today's, are judged no more. Rows may be late: one that waited for no label
    is taken back in the same way for a week after it was over.
    """
    out: list[IncidentEvent] = []
    taken: set[str] = set()
    for episode in found:
        incident = matching(known, episode)
        if incident is not None:
            taken.add(incident.id)
            if incident.is_open and (why := unjudged(incident, episode)):
                out.append(_ended(incident, why, now))
                continue
        whose = _Whose(
            model, environment, timezone, incident.id if incident else key(model, environment, episode.family, episode.subject, episode.start)
        )
        out += [
            *_of_episode(whose, incident, episode, tell, learned, worsened, faults_of, now),
            *(
                _closing(whose, incident, episode, now, tell_end)
                if incident is None or _goes_on(incident, episode) or _is_past(incident, episode)
                else []
            ),
        ]
    for incident in known:
        if incident.id in taken or not (incident.is_open or _is_just_over(incident, now)):
            continue
        if why := unjudged(incident, None):
            out += [_ended(incident, why, now)] if incident.is_open else []
        elif is_judged(incident):
            out.append(_ended(incident, normal_now(incident) or RESTATED, now))
    return out


def matching(known: Sequence[Incident], episode: Episode) -> Incident | None:
    """Return the incident that an episode belongs to: the newest of its subject and era whose windows it overlaps."""
    same = [i for i in known if i.subject == episode.subject and i.family == episode.family]
    same = [i for i in same if episode.since is None or i.window_start >= episode.since]
    return next(
        (i for i in reversed(same) if i.window_start < episode.end and episode.start < max(i.window_end, i.window_start + timedelta(seconds=1))), None
    )


def _of_episode(
    whose: "_Whose",
    incident: Incident | None,
    episode: Episode,
    tell: Teller,
    learned: Learned,
    worsened: Worsened,
    faults_of: FaultsOf,
    now: datetime,
) -> list[IncidentEvent]:
    severity = severity_of(episode)
    if incident is None:
        opened = _event(whose, episode, "opened", severity, now, episode.signals, tell(episode, severity))
        return [replace(opened, faults=faults_of(episode))]
    fresh = [s for s in episode.signals if _mark(s) not in incident.marks] if _goes_on(incident, episode) or _is_past(incident, episode) else []
    if incident.is_withdrawn or ((incident.is_normal_now or incident.is_unjudged) and not episode.is_over):
        fresh = fresh or episode.signals
    worse = worsened(incident, episode) if incident.is_open and not episode.is_over else ""
    if fresh:
        return [_event(whose, episode, "joined", severity, now, fresh, tell(episode, severity), why=worse)]
    news = worse or learned(episode, incident.told_at) if incident.is_open and incident.told_at is not None and not episode.is_over else worse
    return [_event(whose, episode, "updated", severity, now, story=tell(episode, severity), why=news)] if news else []


def _goes_on(incident: Incident, episode: Episode) -> bool:
    """Tell whether there may be news: it is open, or what came later shows that it was closed too early.

    What a person closed was known; only a window that was not yet out of line then is news of it.
    """
    if incident.is_closed_by_hand:
        return any(s.window_end > incident.window_end for s in episode.signals)
    is_longer = any(s.window_start >= incident.window_end for s in episode.signals)
    return incident.is_open or incident.why == RESTATED or (incident.why != LASTED and (is_longer or not episode.is_over))


def _is_past(incident: Incident, episode: Episode) -> bool:
    """Tell whether what was closed as lasting has come to its end."""
    return incident.state == "lasting" and episode.is_over


def _closing(whose: "_Whose", incident: Incident | None, episode: Episode, now: datetime, tell_end: EndTeller | None) -> list[IncidentEvent]:
    severity = severity_of(episode)
    if episode.ended:
        return [_event(whose, episode, "resolved", severity, now, why=episode.ended)]
    if episode.is_over:
        story = tell_end(episode) if tell_end else None
        return [_event(whose, episode, "resolved", severity, now, story=story, why=f"clear since {_since(episode.end, whose.timezone)}")]
    if incident is not None and not incident.is_closed_by_hand and now - (incident.reopened_at or incident.opened_at) >= LASTING:
        return [_event(whose, episode, "resolved", severity, now, why=LASTED)]
    return []


def _is_just_over(incident: Incident, now: datetime) -> bool:
    stays = (
        needs_labels(incident.family, incident.subject)
        or incident.is_withdrawn
        or incident.is_normal_now
        or incident.is_unjudged
        or incident.is_closed_by_hand
    )
    ended = None if stays else incident.resolved_at
    return ended is not None and now - ended <= LATE_ROWS


def _since(moment: datetime, timezone: str) -> str:
    return moment_text(moment, timezone).removesuffix(", 00:00")


@dataclass(frozen=True, slots=True)
class _Whose:
    model: str
    environment: str
    timezone: str
    incident_id: str


def _mark(signal: Signal) -> str:
    """Name a signal as it stood; the final word on a provisional one is news."""
    return signal.signal_id if signal.state == "mature" else f"{signal.signal_id}?"


def _event(
    whose: _Whose,
    episode: Episode,
    event: str,
    severity: Severity,
    now: datetime,
    signals: Sequence[Signal] = (),
    story: Story | None = None,
    why: str = "",
) -> IncidentEvent:
    marks = [_mark(s) for s in signals]
    return IncidentEvent(
        event_id=key(
            whose.incident_id, event, *(marks or [str(episode.end)]), *([why, now] if event == "updated" else []), *([why] if why == LASTED else [])
        ),
        incident_id=whose.incident_id,
        model=whose.model,
        environment=whose.environment,
        event=event,
        family=episode.family,
        subject=episode.subject,
        severity=severity,
        window_start=episode.start,
        window_end=episode.end,
        rows_from=episode.rows_from,
        signals=marks,
        story=story.to_json() if story else "{}",
        why=why,
        at=now,
    )


def _ended(incident: Incident, why: str, now: datetime) -> IncidentEvent:
    return event_about(incident, "resolved", key(incident.id, "resolved", why), why=why, now=now)


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
