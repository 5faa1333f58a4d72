"""Developments: an episode of signals becomes an incident, which opens, grows and resolves.

Belongs here: what is new about episodes beside the incidents that are known, as events. Does not: what events make of an incident (incidents.py), which
signals are one story (episodes.py), the cause (causes.py), the words (story.py).

An incident still going on after `LASTING` is closed as lasting: it stays in the digest, and the same subject opens no new one
until it has been clear; it is open again where it got much worse than people know it. One that a person closed opens again by windows that were not known to be bad then, and by nothing else.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from watchkeeper.judgement.episodes import Episode, needs_labels, severity_of
from watchkeeper.judgement.incidents import CLEAR_SINCE, LASTED, RESTATED, Incident, event_about
from watchkeeper.judgement.worsening import outgrown
from watchkeeper.records import IncidentEvent, Severity, Signal, key
from watchkeeper.story import Story
from watchkeeper.words import moment_text

LASTING = timedelta(days=28)
LATE_ROWS = timedelta(days=7)

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
        whose = _Whose(model, environment, timezone, id_of(model, environment, incident, episode))
        out += [
            *_of_episode(whose, incident, episode, tell, learned, worsened, faults_of, now),
            *(
                _closing(whose, incident, episode, now, tell_end)
                if incident is None or _goes_on(incident, episode) or _is_past(incident, episode)
                else []
            ),
        ]
    for incident in known:
        if incident.id in taken or not (incident.is_open or (_is_just_over(incident, now) and not any(matching([incident], e) for e in found))):
            continue  # what was over, and has come to be a part of what a later one tells of, was wrong all the same
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


def id_of(model: str, environment: str, incident: Incident | None, episode: Episode) -> str:
    """Return the id of the incident that an episode belongs to, or of the one that it opens."""
    return incident.id if incident else key(model, environment, episode.family, episode.subject, episode.start)


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
    outgrew = outgrown(episode, incident.signals) if incident.state == "lasting" and not episode.is_over else ""
    is_told = outgrew or _goes_on(incident, episode) or _is_past(incident, episode)
    fresh = [s for s in episode.signals if _mark(s) not in incident.marks] if is_told else []
    if incident.is_withdrawn or ((incident.is_normal_now or incident.is_unjudged) and not episode.is_over):
        fresh = fresh or episode.signals
    worse = worsened(incident, episode) if incident.is_open and not episode.is_over else outgrew
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
        return [_event(whose, episode, "resolved", severity, now, story=story, why=f"{CLEAR_SINCE} {_since(episode.end, whose.timezone)}")]
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
    of_marks = key(incident.id, "resolved", why, *incident.marks)  # the same end of what came back is another event
    return event_about(incident, "resolved", of_marks, why=why, now=now)
