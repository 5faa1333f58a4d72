"""What act is to do: incident events and digests, as of a moment, become rows of the outbox.

Belongs here: putting the rules of judgement/ and the words of site/ together into actions. Does not: sending (act.py).
Nothing here writes, and the same records always give the same plan with the same keys.
"""

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from watchkeeper.adapters.workspace import Home
from watchkeeper.judgement import outbox, retraining
from watchkeeper.judgement.episodes import needs_labels
from watchkeeper.judgement.incidents import Incident, alongside, fold, in_order, is_by_hand
from watchkeeper.judgement.notices import SILENCED, STALE, Fate, Notice, goes_on, is_stale, notices, severity_so_far, silenced_text
from watchkeeper.judgement.outbox import Standing
from watchkeeper.judgement.silences import in_force
from watchkeeper.judgement.together import Course, Together, courses, together_of
from watchkeeper.monitor import Monitor
from watchkeeper.records import Action, Digest, IncidentEvent, Silence, Story, key
from watchkeeper.site.care import care_lines
from watchkeeper.site.links import digest_links, incident_links
from watchkeeper.site.message import Message, belated_message, digest_message, ending, incident_message, text
from watchkeeper.site.together import origin_lines
from watchkeeper.words import moment_text

TARGETS = ("slack", "file", "webhook", "event")
KINDS = ("open", "update", "resolve")


@dataclass(frozen=True, slots=True)
class Known:
    """All that a plan rests on."""

    home: Home
    monitors: Mapping[str, Monitor]
    histories: Mapping[str, list[IncidentEvent]]
    digests: Sequence[Digest]
    standings: Mapping[str, Standing]
    targets: Sequence[str]
    waits: Mapping[str, timedelta]
    """How long after a window each model's labels are due."""
    now: datetime
    silences: Mapping[str, Sequence[Silence]] = field(default_factory=dict)
    """Incident id -> those that cover it, past ones too."""
    beside: Mapping[str, Monitor] = field(default_factory=dict)
    """Monitors of other models that have incidents in one with these."""

    def monitor_of(self, model: str) -> Monitor | None:
        """Return the monitor of a model, one beside those that are acted for too; None where it is not watched."""
        return self.monitors.get(model) or self.beside.get(model)

    def channel_of(self, model: str) -> str | None:
        """Return where messages about a model go, None where it is not watched."""
        monitor = self.monitor_of(model)
        return None if monitor is None else monitor.channel or self.home.workspace.slack.channel or ""

    def silence_of(self, incident_id: str) -> Silence | None:
        """Return the silence in which an incident is, if any, and all that are told of under its id and go on."""
        own = in_force(self.silences.get(incident_id, ()), self.now)
        with_it = next((c.incidents for c in courses(self.histories, self.channel_of) if c.lead == incident_id), []) if own else []
        are_silent = (in_force(self.silences.get(name, ()), self.now) for name in with_it if goes_on(self.histories[name]))
        return own if all(are_silent) else None


def plan(known: Known) -> list[Action]:
    """Return the rows to commit before anything is sent: planned actions, and skipped ones with the reason."""
    rows: list[Action] = []
    for course in courses(known.histories, known.channel_of):
        history = course.events
        if known.monitors.keys().isdisjoint(e.model for e in history):
            continue
        found = notices(
            history,
            _decided(history, known.standings),
            now=known.now,
            mature_after=max(_wait(known, e) for e in history),
            silences=known.silences,
        )
        rows += [_told(known, course, notice, target) for notice in found for target in known.targets]
        for name in course.incidents:
            mine = course.of(name)
            if (monitor := known.monitors.get(mine[0].model)) is not None:
                rows += _retrain(known, monitor, mine, [n for n in found if n.event.incident_id == name], rows)
    rows += [row for digest in known.digests for row in _digest(known, digest)]
    overtaken = {old.action_id: (old, why) for old, why in (*_unsent(known), *outbox.superseded(rows, known.standings))}
    return rows + [_passed_over(known, old, why) for old, why in overtaken.values()]


def _unsent(known: Known) -> Iterator[tuple[Action, str]]:
    """Yield messages that wait and are about what is silenced by now; the end of what people know of waits on (act.py)."""
    for standing in known.standings.values():
        action = standing.action
        if standing.state == "waiting" and action.kind in ("open", "update") and (silence := known.silence_of(action.incident_id)):
            yield action, silenced_text(silence)


def _decided(history: Sequence[IncidentEvent], standings: Mapping[str, Standing]) -> dict[str, Fate]:
    """Return the events that have an action for any target, and what became of them: told, if one of these was more than skipped.

    Any target: one that is configured later does not tell old news again.
    """
    found = {e.event_id: [standings[k] for kind in KINDS for t in TARGETS if (k := key(e.event_id, kind, t)) in standings] for e in history}
    return {event_id: _fate(those) for event_id, those in found.items() if those}


def _fate(standings: Sequence[Standing]) -> Fate:
    if any(s.state != "skipped" for s in standings):
        return "told"
    return "silenced" if any(s.reason.startswith(SILENCED) for s in standings) else "passed over"


def _wait(known: Known, event: IncidentEvent) -> timedelta:
    """Return how long after its windows an incident may have to wait until it can be told for good."""
    return known.waits.get(event.model, timedelta(0)) if needs_labels(event.family, event.subject) else timedelta(0)


def _told(known: Known, course: Course, notice: Notice, target: str) -> Action:
    channel, monitor = known.channel_of(course.model) or "", known.monitor_of(course.model)
    severity = severity_so_far(course.events)
    message = _message(known, course, notice, target, severity=severity, channel=channel)
    timezone = monitor.timezone if monitor else known.home.workspace.timezone
    return Action(
        action_id=key(notice.event.event_id, notice.kind, target),
        incident_id=course.lead,
        model=course.model,
        kind=notice.kind,
        target=target,
        state="skipped" if notice.skip else "planned",
        payload=_payload(message, channel=channel, severity=severity, file=_file_name(course.lead, notice, timezone)),
        reason=notice.skip,
        at=known.now,
    )


def _message(known: Known, course: Course, notice: Notice, target: str, *, severity: str, channel: str) -> Message:
    is_over = notice.kind == "resolve"
    links = incident_links(known.home.workspace.links, known.home.site_dir, incident_id=course.lead, is_over=is_over)
    one = _spoken_of(course, is_over=is_over)
    history = course.of(one)
    event, teller = (_own(history, e, is_over=is_over) for e in (notice.event, notice.teller))
    story = _story(history, teller)
    if is_over:
        story = ending(event, story)
    every = fold(e for others in known.histories.values() if others[0].model == event.model for e in others)
    together = _together(known, next(i for i in every if i.id == one))
    told: dict[str, Any] = {"severity": severity, "channel": channel, "links": links, "together": together}
    named = dataclasses.replace(event, incident_id=course.lead)
    if is_over and not _is_known(known, course, target):
        opening = _story([e for e in history if e.event != "resolved"], history[0])
        return belated_message(opening, story, named, **told)
    cared = [] if is_over else _cared(known, history, event, next(i for i in every if i.id == one))
    return incident_message(story, named, **told, beside=alongside(one, every), cared=cared)


def _is_known(known: Known, course: Course, target: str) -> bool:
    """Tell whether a message about it went through, be it under the one that led until its model was watched no more."""
    leader = course.of(course.lead)[0].part_of
    is_gone = leader in known.histories and known.channel_of(known.histories[leader][0].model) is None
    threads = {(name, target) for name in (course.lead, *([leader] if is_gone else []))}
    return any(s.state == "sent" and s.thread in threads for s in known.standings.values())


def _spoken_of(course: Course, *, is_over: bool) -> str:
    """Return the incident whose headline is told of several: the leading one, or while that is over and others go on the first of these."""
    goes_on = {e.incident_id: e.event != "resolved" for e in course.events if e.event != "acknowledged"}
    return course.lead if is_over else next((name for name in course.incidents if goes_on[name]), course.lead)


def _own(history: Sequence[IncidentEvent], event: IncidentEvent, *, is_over: bool) -> IncidentEvent:
    """Return an event if it is of an incident, else the last of the incident's own that says how it stands."""
    if event in history:
        return event
    return next(e for e in reversed(history) if e.event != "acknowledged" and (is_over or e.event != "resolved"))


def _together(known: Known, incident: Incident) -> Together:
    """Return the incidents of other watched models that tell of the same fault, also those that are told of in another channel."""
    leader = incident.part_of or incident.id
    every = (h for h in known.histories.values() if leader in (h[0].incident_id, h[0].part_of))
    mine = [h for h in every if known.channel_of(h[0].model) is not None]
    return together_of(incident, fold(e for history in mine for e in history)) if len(mine) > 1 else Together()


def _cared(known: Known, history: Sequence[IncidentEvent], event: IncidentEvent, incident: Incident) -> list[tuple[str, str]]:
    """Return what came before of an incident that goes on: that somebody had closed it, what it goes on from, and that somebody looks after it."""
    monitor = known.monitor_of(incident.model)
    zone = monitor.timezone if monitor else known.home.workspace.timezone
    before = next((e for e in reversed(history[: history.index(event)]) if e.event != "acknowledged"), None)
    closed = [("Open again", f"resolved by {before.who} on {moment_text(before.at, zone)}: {before.why}")] if before and is_by_hand(before) else []
    return [*closed, *origin_lines(incident), *care_lines(incident, zone)]


def _story(history: Sequence[IncidentEvent], event: IncidentEvent) -> Story:
    """Return the story of an event, or where it brings none the newest one of its incident."""
    own = Story.from_json(event.story)
    told = [s for s in (Story.from_json(e.story) for e in history) if s is not None]
    plain = Story(headline=f"{event.family} incident about {event.subject or event.model}", when="")
    return own or (told[-1] if told else plain)


def _payload(message: Message, *, channel: str, severity: str, file: str) -> str:
    content = {"channel": channel, "severity": severity, "file": file, "message": dataclasses.asdict(message), "text": text(message)}
    return json.dumps(content, ensure_ascii=False)


def _file_name(lead: str, notice: Notice, timezone: str) -> str:
    at = notice.event.at.astimezone(ZoneInfo(timezone))
    clock = f"-{at:%H%M}" if notice.kind == "update" else ""
    return f"{at:%Y-%m-%d}-{lead}-{notice.kind}{clock}.md"


def _retrain(known: Known, monitor: Monitor, history: Sequence[IncidentEvent], found: Sequence[Notice], rows: Sequence[Action]) -> list[Action]:
    """Return the decision about training the model again, when something new happened in an incident that asks for one."""
    if not found or not retraining.is_asked(history, monitor.retraining):
        return []
    newest = in_order(n.event for n in found)[-1]
    if newest.event == "resolved" and len(found) == 1:
        return []
    triggers = [s for s in [*known.standings.values(), *outbox.fold(rows).values()] if s.action.kind == "retrain" and s.action.model == monitor.model]
    is_old = is_stale(newest.at, newest.window_end, now=known.now, mature_after=_wait(known, newest))
    why = STALE if is_old else retraining.objection(history, _story(history, history[-1]), monitor, triggers, now=known.now)
    return [_trigger(history, newest, why, known.now)]


def _trigger(history: Sequence[IncidentEvent], newest: IncidentEvent, why: str, now: datetime) -> Action:
    window = [min(e.window_start for e in history).isoformat(), max(e.window_end for e in history).isoformat()]
    reason = _story(history, newest).headline
    return Action(
        action_id=key(newest.event_id, "retrain", "training"),
        incident_id=newest.incident_id,
        model=newest.model,
        kind="retrain",
        target="training",
        state="skipped" if why else "planned",
        payload=json.dumps({"model": newest.model, "reason": reason, "incident_id": newest.incident_id, "window": window}, ensure_ascii=False),
        reason=why,
        at=now,
    )


def _digest(known: Known, digest: Digest) -> list[Action]:
    """Return what is to be told of a period: its digest, or after that one correction a revision."""
    first = next((known.standings[k] for t in TARGETS if (k := _digest_key(digest, 0, t)) in known.standings), None)
    if first is None:
        corrections = [_digest_action(known, digest, revision=digest.corrections, skip="told with the digest")] if digest.corrections else []
        return [_digest_action(known, digest, revision=0), *corrections]
    if digest.corrections == 0 or any(_digest_key(digest, digest.corrections, t) in known.standings for t in TARGETS):
        return []
    return [_digest_action(known, digest, revision=digest.corrections, skip=first.reason if first.state == "skipped" else "")]


def _digest_key(digest: Digest, revision: int, target: str) -> str:
    return key(digest.digest_id, "digest", target, *([revision] if revision else []))


def _digest_action(known: Known, digest: Digest, *, revision: int, skip: str = "") -> Action:
    """Return the action of a digest; one that corrects what people were told is due however old its period is."""
    monitor, workspace = known.monitors.get(digest.model), known.home.workspace
    channel = workspace.slack.channel or (monitor.channel if monitor else "")
    ended = digest.computed_at if revision else digest.window_end
    skip = skip or (STALE if is_stale(digest.computed_at, ended, now=known.now, mature_after=known.waits.get(digest.model, timedelta(0))) else "")
    message = digest_message(digest, channel=channel, links=digest_links(workspace.links, digest_id=digest.digest_id))
    end = digest.window_end.astimezone(ZoneInfo(monitor.timezone if monitor else workspace.timezone))
    restated = f"-restated-{revision}" if revision else ""
    return Action(
        action_id=_digest_key(digest, revision, known.targets[0]),
        incident_id=digest.digest_id,
        model=digest.model,
        kind="digest",
        target=known.targets[0],
        state="skipped" if skip else "planned",
        payload=_payload(message, channel=channel, severity="notice", file=f"{end:%Y-%m-%d}-{digest.digest_id}-digest{restated}.md"),
        reason=skip,
        at=known.now,
    )


def _passed_over(known: Known, old: Action, why: str) -> Action:
    attempts = known.standings[old.action_id].attempts
    return dataclasses.replace(old, state="skipped", attempt=attempts, reason=why, at=known.now)
