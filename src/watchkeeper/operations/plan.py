"""What act is to do: incident events and digests, as of a moment, become rows of the outbox.

Belongs here: putting the rules of judgement/ together into actions. Does not: what messages about incidents say (messages.py), sending
(act.py).
Nothing here writes, and the same records always give the same plan with the same keys.
"""

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from watchkeeper.judgement import outbox, retraining
from watchkeeper.judgement.episodes import needs_labels
from watchkeeper.judgement.incidents import in_order
from watchkeeper.judgement.notices import SILENCED, STALE, TOLD_WITH, Fate, Notice, goes_on, is_stale, notices, silenced_text
from watchkeeper.judgement.outbox import Standing
from watchkeeper.judgement.together import Course
from watchkeeper.monitor import Monitor
from watchkeeper.operations.grouping import grouped
from watchkeeper.operations.known import TARGETS, Known, held_since, standings_of
from watchkeeper.operations.messages import messages, payload_of, story_of
from watchkeeper.records import Action, Digest, IncidentEvent, key
from watchkeeper.site.links import digest_links
from watchkeeper.site.message import digest_message
from watchkeeper.words import moment_text

QUIET = "quiet hours"
_OVERTAKEN = "another message said as much when the quiet hours were over"


def plan(known: Known) -> list[Action]:
    """Return the rows to commit before anything is sent: planned actions, held and skipped ones with the reason."""
    rows: list[Action] = []
    for course in known.courses:
        history, monitor = course.events, known.monitor_of(course.model)
        if monitor is None or not known.is_acted_for(course):
            continue
        found = notices(
            history,
            _decided(history, known.standings),
            now=known.now,
            mature_after=max(_wait(known, e) for e in history),
            silences=known.silences,
            held=held_since(history, known.standings),
            broken=known.promises_broken(course),
        )
        until = known.quiet_until(course.lead)
        if until is None:
            rows += [row for notice in found for target in known.targets for row in messages(known, monitor, course, notice, target)]
        else:
            rows += _held(known, monitor, course, found, until)
        for name in course.incidents:
            mine = course.of(name)
            if (own := known.monitors.get(mine[0].model)) is not None:
                rows += _retrain(known, own, mine, [n for n in found if n.event.incident_id == name], rows)
    rows += [row for digest in known.digests for row in _digest(known, digest)]
    taken = (*_unsent(known), *_untrue(known), *_released(known, rows), *outbox.superseded(rows, known.standings))
    overtaken = {old.action_id: (old, why) for old, why in taken}
    return grouped(rows) + [_passed_over(known, old, why) for old, why in overtaken.values()]


def _unsent(known: Known) -> Iterator[tuple[Action, str]]:
    """Yield messages that wait and are about what is silenced by now; the end of what people know of waits on (act.py)."""
    for standing in known.standings.values():
        action = standing.action
        if standing.state == "waiting" and action.kind in ("open", "update") and (silence := known.silence_of(action.incident_id)):
            yield action, silenced_text(silence)


def _untrue(known: Known) -> Iterator[tuple[Action, str]]:
    """Yield ends that wait though what they are about goes on again: it is told as it stands now."""
    for standing in known.standings.values():
        action = standing.action
        course = known.course_of(action.incident_id) if standing.state == "waiting" and action.kind == "resolve" else None
        if course is not None and goes_on(course.events):
            yield action, "the incident is open again"


def _held(known: Known, monitor: Monitor, course: Course, found: Sequence[Notice], until: datetime) -> Iterator[Action]:
    """Yield what waits for the end of quiet hours, and what no waiting would let people be told.

    Nothing that waits is decided: when the quiet hours are over it is told as it then stands.
    """
    why = f"waits until {moment_text(until, monitor.timezone)}: {QUIET}"
    for notice in found:
        is_settled = notice.skip == STALE or notice.skip.startswith(SILENCED)
        for target in known.targets if is_settled or not notice.skip else ():
            row = messages(known, monitor, course, notice, target)[0]
            before = known.standings.get(row.action_id)
            if is_settled:
                yield row
            elif before is None or (before.state, before.reason) != ("held", why):
                yield dataclasses.replace(row, state="held", reason=why)


def _released(known: Known, rows: Sequence[Action]) -> Iterator[tuple[Action, str]]:
    """Yield what waited for the end of quiet hours that are over, and was not planned: it is told by another message."""
    planned = {row.action_id for row in rows}
    for standing in known.standings.values():
        action = standing.action
        course = known.course_of(action.incident_id) if standing.state == "held" and action.action_id not in planned else None
        if course is None or not known.is_acted_for(course):
            continue
        if not known.silence_of(action.incident_id) and known.quiet_until(action.incident_id) is None:
            yield action, _OVERTAKEN


def _decided(history: Sequence[IncidentEvent], standings: Mapping[str, Standing]) -> dict[str, Fate]:
    """Return the events that have an action for any target, and what became of them.

    Any target: one that is configured later does not tell old news again. What waits for the end of quiet hours is not decided.
    """
    found = {e.event_id: [s for s in standings_of(e, standings) if s.state != "held"] for e in history}
    return {event_id: _fate(those) for event_id, those in found.items() if those}


def _fate(standings: Sequence[Standing]) -> Fate:
    """Return what became of an event; an opening or an end that waits is as good as told, as nothing takes its place."""
    if any(s.state == "sent" for s in standings):
        return "told"
    open_ones = [s for s in standings if s.state != "skipped"]
    if open_ones:
        kind, is_tried = open_ones[0].action.kind, any(s.state == "waiting" for s in open_ones)
        return "told" if kind == "resolve" or (kind == "open" and is_tried) else "waiting"
    if any(s.reason.startswith(SILENCED) for s in standings):
        return "silenced"
    return "told with" if any(s.reason == TOLD_WITH for s in standings) else "passed over"


def _wait(known: Known, event: IncidentEvent) -> timedelta:
    """Return how long after its windows an incident may have to wait until it can be told for good."""
    return known.waits.get(event.model, timedelta(0)) if needs_labels(event.family, event.subject) else timedelta(0)


def _retrain(known: Known, monitor: Monitor, history: Sequence[IncidentEvent], found: Sequence[Notice], rows: Sequence[Action]) -> list[Action]:
    """Return the decision about training the model again, when something new happened in an incident that asks for one."""
    if not found or not retraining.is_asked(history, monitor.retraining):
        return []
    newest = in_order(n.event for n in found)[-1]
    if (newest.event == "resolved" and len(found) == 1) or key(newest.event_id, "retrain", "training") in known.standings:
        return []
    triggers = [s for s in [*known.standings.values(), *outbox.fold(rows).values()] if s.action.kind == "retrain" and s.action.model == monitor.model]
    is_old = is_stale(newest.at, newest.window_end, now=known.now, mature_after=_wait(known, newest))
    why = STALE if is_old else retraining.objection(history, story_of(history, history[-1]), monitor, triggers, now=known.now)
    return [_trigger(history, newest, why, known.now)]


def _trigger(history: Sequence[IncidentEvent], newest: IncidentEvent, why: str, now: datetime) -> Action:
    window = [min(e.window_start for e in history).isoformat(), max(e.window_end for e in history).isoformat()]
    reason = story_of(history, newest).headline
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
        payload=payload_of(message, channel=channel, severity="notice", file=f"{end:%Y-%m-%d}-{digest.digest_id}-digest{restated}.md", place=channel),
        reason=skip,
        at=known.now,
    )


def _passed_over(known: Known, old: Action, why: str) -> Action:
    attempts = known.standings[old.action_id].attempts
    return dataclasses.replace(old, state="skipped", attempt=attempts, reason=why, at=known.now)
