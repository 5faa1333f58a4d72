"""Messages about incidents: one event of one becomes the rows that tell of it, in each target and each place of it.

Belongs here: putting the story, the words of site/ and the channel together. Does not: which events are told (judgement/notices.py), in
which threads (judgement/routes.py), or what else is done about an incident (plan.py).
"""

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from watchkeeper.judgement.harm import HARMED
from watchkeeper.judgement.incidents import CAUSE_CHANGED, LASTED, RESTATED, Incident, alongside, fold, is_by_hand
from watchkeeper.judgement.notices import Kind, Notice, severity_so_far
from watchkeeper.judgement.routes import addressed, threads_of
from watchkeeper.judgement.together import Course, Together, together_of
from watchkeeper.judgement.worsening import WORSE, is_worse
from watchkeeper.monitor import Monitor
from watchkeeper.operations.known import Known, held_since, standings_of
from watchkeeper.records import Action, IncidentEvent, key
from watchkeeper.site.care import care_lines
from watchkeeper.site.links import incident_links
from watchkeeper.site.message import Message, belated_message, brief_message, ending, incident_message, text
from watchkeeper.site.together import origin_lines
from watchkeeper.site.updates import closed_message, end_lines, update_message
from watchkeeper.story import Story
from watchkeeper.words import listed, moment_text


def messages(known: Known, monitor: Monitor, course: Course, notice: Notice, target: str) -> list[Action]:
    """Return the messages about an event of a course, whose lead has the monitor, one for each place of the target; what is not told is written down once."""
    event, severity = notice.event, severity_so_far(course.events)
    channel = monitor.channel_of(severity, event.family) or known.home.workspace.slack.channel or ""
    threads = threads_of(course.lead, target, known.standings.values())
    places = addressed(notice.kind, channel, threads, is_parted=known.is_parted and target == "slack")
    return [
        Action(
            action_id=key(event.event_id, notice.kind, target, *([kind, place] if number else [])),
            incident_id=course.lead,
            model=course.model,
            kind=kind,
            target=target,
            state="skipped" if notice.skip else "planned",
            payload=_payload(known, monitor, course, notice, _Place(target, kind, place, threads, channel)),
            reason=notice.skip,
            at=known.now,
        )
        for number, (kind, place) in enumerate(places[: 1 if notice.skip else None])
    ]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where one message goes, what kind of message it is there, and where else people were told before."""

    target: str
    kind: Kind
    place: str
    threads: Sequence[str]
    routed: str


def _payload(known: Known, monitor: Monitor, course: Course, notice: Notice, where: _Place) -> str:
    severity = severity_so_far(course.events)
    channel = where.place if known.is_parted and where.target == "slack" else where.routed
    message = _message(known, monitor, course, notice, where, severity=severity, channel=channel)
    file = _file_name(course.lead, notice, monitor.timezone)
    closed = closed_message(message, _ended(course, notice)) if notice.kind == "resolve" and where.target == "slack" else None
    return payload_of(message, channel=channel, severity=severity, file=file, place=where.place, is_urgent=notice.is_urgent, closed=closed)


def _message(known: Known, monitor: Monitor, course: Course, notice: Notice, where: _Place, *, severity: str, channel: str) -> Message:
    is_over = notice.kind == "resolve"
    links = incident_links(known.home.workspace.links, known.home.site_dir, incident_id=course.lead, is_over=is_over)
    one = _spoken_of(course, is_over=is_over)
    history = course.of(one)
    event, teller = (_own(history, e, is_over=is_over) for e in (notice.event, notice.teller))
    story = story_of(history, teller)
    if is_over:
        story = ending(event, story)
    every = fold(e for others in known.histories.values() if others[0].model == event.model for e in others)
    mine = next(i for i in every if i.id == one)
    told: dict[str, Any] = {"severity": severity, "channel": channel, "links": links, "together": _together(known, mine)}
    named = dataclasses.replace(event, incident_id=course.lead)
    if is_over and not _is_known(known, course, where):
        opening = story_of([e for e in history if e.event != "resolved"], history[0])
        if held_since(course.events, known.standings):
            last = dataclasses.replace(named, at=notice.event.at)
            return brief_message(opening, story, last, opened_at=course.events[0].at, timezone=monitor.timezone, **told)
        return belated_message(opening, story, named, **told)
    cared = end_lines(_in_all(mine, course, every), monitor.timezone) if is_over else _cared(known, course, event, mine)
    if where.kind == "update" and notice.day is not None:
        began_at = _in_all(mine, course, every).onset_at
        return update_message(story, named, notice.news, day=notice.day, began_at=began_at, cared=cared, **told)
    if is_worse(event):
        cared = [("Got worse", event.why.removeprefix(WORSE)), *cared]
    if where.kind == "open" and where.threads:
        cared = [("Told so far", f"in {listed(where.threads)}"), *cared]
    return incident_message(story, named, **told, beside=alongside(one, every), cared=cared)


def _ended(course: Course, notice: Notice) -> IncidentEvent:
    """Return the end of the incident that the end of a course is told by."""
    return _own(course.of(_spoken_of(course, is_over=True)), notice.event, is_over=True)


def _is_known(known: Known, course: Course, where: _Place) -> bool:
    """Tell whether a message about it went through, be it under the one that led until its model was watched no more."""
    leader = course.of(course.lead)[0].part_of
    is_gone = leader in known.histories and known.channel_of(known.histories[leader][0].model) is None
    place = where.place if where.target == "slack" else ""
    threads = {(name, where.target, place) for name in (course.lead, *([leader] if is_gone else []))}
    return any(s.state == "sent" and s.thread in threads for s in known.standings.values())


def _spoken_of(course: Course, *, is_over: bool) -> str:
    """Return the incident whose headline is told of several: the leading one, or while that is over and others go on the first of these.

    While the leading model suffers by a fault of its data it is told by its KPI, which names the fault as its cause. At the end it is what was
    over last of the two, and of those that ended at once the KPI.
    """
    last = {e.incident_id: e for e in course.events if e.event != "acknowledged"}
    own = [name for name in course.incidents if last[name].model == course.model and last[name].why != RESTATED]
    if is_over:
        return max(own, key=lambda name: (last[name].at, last[name].family in HARMED, last[name].family == "kpi"), default=course.lead)
    goes_on = [name for name in course.incidents if last[name].event != "resolved"]
    harm = [name for name in own if name in goes_on and last[name].family in HARMED] if len(own) > 1 else []
    return next((name for name in [*sorted(harm, key=lambda name: last[name].family != "kpi"), *goes_on]), course.lead)


def _in_all(incident: Incident, course: Course, every: Sequence[Incident]) -> Incident:
    """Return an incident of a model with the time of all of its own that are told as one with it, but for what never was."""
    mine = [i for i in every if i.id in course.incidents and not i.is_withdrawn] or [incident]
    return dataclasses.replace(incident, onset_at=min(i.onset_at for i in mine), window_end=max(i.window_end for i in mine))


def _own(history: Sequence[IncidentEvent], event: IncidentEvent, *, is_over: bool) -> IncidentEvent:
    """Return an event if it is of an incident, else the last of the incident's own that says how it stands."""
    if event in history:
        return event
    return next(e for e in reversed(history) if e.event != "acknowledged" and (is_over or e.event != "resolved"))


def _together(known: Known, incident: Incident) -> Together:
    """Return the incidents of watched models that are one with an incident, also those that are told of in another channel."""
    leader = incident.leader
    every = (h for h in known.histories.values() if leader in (h[0].incident_id, h[0].part_of))
    mine = [h for h in every if known.channel_of(h[0].model) is not None]
    return together_of(incident, fold(e for history in mine for e in history)) if len(mine) > 1 else Together()


def _cared(known: Known, course: Course, event: IncidentEvent, incident: Incident) -> list[tuple[str, str]]:
    """Return what came before of an incident that goes on: that it was over or closed, what it goes on from, and that somebody looks after it."""
    monitor = known.monitor_of(incident.model)
    zone = monitor.timezone if monitor else known.home.workspace.timezone
    end = _end_before(known, course, event)
    again = [("Open again", _was_over(end, zone))] if end is not None and end.why != RESTATED else []
    return [*again, *origin_lines(incident), *care_lines(incident, zone)]


def _end_before(known: Known, course: Course, event: IncidentEvent) -> IncidentEvent | None:
    """Return the last end of an incident before an event, None where people were told since that it is open again."""
    before = [e for e in course.events[: course.events.index(event)] if e.event != "acknowledged"]
    ended = next((at for at, e in reversed(list(enumerate(before))) if (e.incident_id, e.event) == (event.incident_id, "resolved")), None)
    if ended is None:
        return None
    again = next((at for at, e in enumerate(before) if at > ended and e.incident_id == event.incident_id), len(before))
    is_told = any(s.state == "sent" for e in before[again:] for s in standings_of(e, known.standings))
    return None if is_told else before[ended]


def _was_over(event: IncidentEvent, zone: str) -> str:
    if is_by_hand(event):
        return f"resolved by {event.who} on {moment_text(event.at, zone)}: {event.why}"
    if event.why == LASTED:
        return "it was closed as lasting"
    return f"it was closed: {event.why}" if event.why.startswith(CAUSE_CHANGED) else f"it was {event.why}"


def story_of(history: Sequence[IncidentEvent], event: IncidentEvent) -> Story:
    """Return the story of an event, or where it brings none the newest one of its incident."""
    own = Story.from_json(event.story)
    told = [s for s in (Story.from_json(e.story) for e in history) if s is not None]
    plain = Story(headline=f"{event.family} incident about {event.subject or event.model}", when="")
    return own or (told[-1] if told else plain)


def payload_of(
    message: Message, *, channel: str, severity: str, file: str, place: str, is_urgent: bool = False, closed: Message | None = None
) -> str:
    """Return what is to be sent; `place` is the channel of the thread, which a webhook of Slack does not choose; what is urgent waits for no cooldown.

    `closed` is what the message that opened the thread says from then on.
    """
    content: dict[str, Any] = {
        "channel": channel,
        "place": place,
        "severity": severity,
        "file": file,
        "message": dataclasses.asdict(message),
        "text": text(message),
    }
    more = ({"urgent": True} if is_urgent else {}) | ({"closed": dataclasses.asdict(closed)} if closed is not None else {})
    return json.dumps(content | more, ensure_ascii=False)


def _file_name(lead: str, notice: Notice, timezone: str) -> str:
    at = notice.event.at.astimezone(ZoneInfo(timezone))
    clock = f"-{at:%H%M}" if notice.kind == "update" else ""
    return f"{at:%Y-%m-%d}-{lead}-{notice.kind}{clock}.md"
