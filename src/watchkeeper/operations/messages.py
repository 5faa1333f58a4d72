"""Messages about incidents: one event of one becomes the rows that tell of it, in each target and each place of it.

Belongs here: putting the story, the words of site/ and the channel together. Does not: which events are told (judgement/notices.py), in
which threads (judgement/routes.py), or what else is done about an incident (plan.py).
"""

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from watchkeeper.judgement.incidents import RESTATED, Incident, alongside, fold, is_by_hand
from watchkeeper.judgement.notices import Kind, Notice, severity_so_far
from watchkeeper.judgement.routes import addressed, threads_of
from watchkeeper.monitor import Monitor
from watchkeeper.operations.known import Known, held_since
from watchkeeper.records import Action, IncidentEvent, Story, key
from watchkeeper.site.care import care_lines
from watchkeeper.site.links import incident_links
from watchkeeper.site.message import Message, belated_message, brief_message, ending, incident_message, text
from watchkeeper.words import listed, moment_text


def messages(known: Known, monitor: Monitor, history: Sequence[IncidentEvent], notice: Notice, target: str) -> list[Action]:
    """Return the messages about an event, one for each place of the target; what is not told is written down once."""
    event, severity = notice.event, severity_so_far(history)
    channel = monitor.channel_of(severity, event.family) or known.home.workspace.slack.channel or ""
    threads = threads_of(event.incident_id, target, known.standings.values())
    places = addressed(notice.kind, channel, threads, is_parted=known.is_parted and target == "slack")
    return [
        Action(
            action_id=key(event.event_id, notice.kind, target, *([kind, place] if number else [])),
            incident_id=event.incident_id,
            model=event.model,
            kind=kind,
            target=target,
            state="skipped" if notice.skip else "planned",
            payload=_payload(known, history, notice, _Place(target, kind, place, threads, channel)),
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


def _payload(known: Known, history: Sequence[IncidentEvent], notice: Notice, where: _Place) -> str:
    severity = severity_so_far(history)
    channel = where.place if known.is_parted and where.target == "slack" else where.routed
    message = _message(known, history, notice, where, severity=severity, channel=channel)
    file = _file_name(notice, known.monitors[notice.event.model].timezone)
    return payload_of(message, channel=channel, severity=severity, file=file, place=where.place)


def _message(known: Known, history: Sequence[IncidentEvent], notice: Notice, where: _Place, *, severity: str, channel: str) -> Message:
    event = notice.event
    links = incident_links(known.home.workspace.links, known.home.site_dir, incident_id=event.incident_id, is_over=notice.kind == "resolve")
    story = story_of(history, notice.teller)
    if notice.kind == "resolve":
        story = ending(event, story)
    thread = (event.incident_id, where.target, where.place if where.target == "slack" else "")
    is_first = not any(s.state == "sent" and s.thread == thread for s in known.standings.values())
    if notice.kind == "resolve" and is_first:
        opening = story_of([e for e in history if e.event != "resolved"], history[0])
        if held_since(history, known.standings):
            zone = known.monitors[event.model].timezone
            return brief_message(opening, story, event, opened_at=history[0].at, severity=severity, channel=channel, links=links, timezone=zone)
        return belated_message(opening, story, event, severity=severity, channel=channel, links=links)
    every = fold(e for one in known.histories.values() if one[0].model == event.model for e in one)
    beside = alongside(event.incident_id, every)
    cared = [] if notice.kind == "resolve" else _cared(known, history, notice, next(i for i in every if i.id == event.incident_id))
    if where.kind == "open" and where.threads:
        cared = [("Told so far", f"in {listed(where.threads)}"), *cared]
    return incident_message(story, event, severity=severity, channel=channel, links=links, beside=beside, cared=cared)


def _cared(known: Known, history: Sequence[IncidentEvent], notice: Notice, incident: Incident) -> list[tuple[str, str]]:
    """Return what became of an incident that goes on: that it was over, or somebody had closed it, and that somebody looks after it."""
    zone = known.monitors[incident.model].timezone
    before = next((e for e in reversed(history[: history.index(notice.event)]) if e.event != "acknowledged"), None)
    closed = [("Open again", _was_over(before, zone))] if before is not None and before.event == "resolved" and before.why != RESTATED else []
    return [*closed, *care_lines(incident, zone)]


def _was_over(event: IncidentEvent, zone: str) -> str:
    return f"resolved by {event.who} on {moment_text(event.at, zone)}: {event.why}" if is_by_hand(event) else f"it was {event.why}"


def story_of(history: Sequence[IncidentEvent], event: IncidentEvent) -> Story:
    """Return the story of an event, or where it brings none the newest one of its incident."""
    own = Story.from_json(event.story)
    told = [s for s in (Story.from_json(e.story) for e in history) if s is not None]
    plain = Story(headline=f"{event.family} incident about {event.subject or event.model}", when="")
    return own or (told[-1] if told else plain)


def payload_of(message: Message, *, channel: str, severity: str, file: str, place: str) -> str:
    """Return what is to be sent; `place` is the channel of the thread, which a webhook of Slack does not choose."""
    content = {"channel": channel, "place": place, "severity": severity, "file": file, "message": dataclasses.asdict(message), "text": text(message)}
    return json.dumps(content, ensure_ascii=False)


def _file_name(notice: Notice, timezone: str) -> str:
    at = notice.event.at.astimezone(ZoneInfo(timezone))
    clock = f"-{at:%H%M}" if notice.kind == "update" else ""
    return f"{at:%Y-%m-%d}-{notice.event.incident_id}-{notice.kind}{clock}.md"
