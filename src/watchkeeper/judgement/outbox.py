"""What has become of each action: the fold of its outbox rows, and whether it may be tried now.

Belongs here: pure rules over action rows. Does not: which events are told (notices.py), sending (operations/act.py).
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from watchkeeper.records import SEVERITIES, Action

ATTEMPTS = 8
FIRST_WAIT = timedelta(minutes=5)
LONGEST_WAIT = timedelta(hours=4)


@dataclass(frozen=True, slots=True)
class Standing:
    """One action as it stands: `held` until it is planned, then `waiting`, `sent`, `skipped`, or `failed` for good after `ATTEMPTS` tries."""

    action: Action
    state: str
    attempts: int
    receipt: str
    reason: str
    at: datetime
    not_before: datetime
    thread: tuple[str, str, str]
    """Messages with the same thread are about the same thing and go to the same place, in order."""
    group: str = ""
    """Openings of the same group are told as one message."""


def thread_of(action: Action) -> tuple[str, str, str]:
    """Return the incident, the target and, of an incident's messages to Slack, the channel."""
    said = json.loads(action.payload or "{}") if action.target == "slack" and action.kind != "digest" else {}
    return action.incident_id, action.target, str(said.get("place", said.get("channel", "")))


def fold(rows: Iterable[Action]) -> dict[str, Standing]:
    """Return action id -> how it stands, in the order in which the actions were planned."""
    grouped: dict[str, list[Action]] = defaultdict(list)
    for row in rows:
        grouped[row.action_id].append(row)
    standings = [_standing(sorted(g, key=lambda r: (r.attempt, r.state != "held", r.at))) for g in grouped.values()]
    return {s.action.action_id: s for s in sorted(standings, key=_order)}


def _order(standing: Standing) -> tuple[datetime, int, str, str]:
    """Order actions by when they were planned, those of one run the gravest first, so that nobody reads of a trouble's part before the whole."""
    severity = json.loads(standing.action.payload or "{}").get("severity")
    grave = SEVERITIES.index(severity) if severity in SEVERITIES else 0
    return standing.action.at, -grave, standing.action.incident_id, standing.action.action_id


def _standing(rows: list[Action]) -> Standing:
    last = next((r for r in rows if r.state in ("sent", "skipped")), rows[-1])
    planned = next((r for r in rows if r.state == "planned"), rows[0])
    state = last.state if last.state in ("sent", "skipped", "held") else "failed" if last.attempt >= ATTEMPTS else "waiting"
    return Standing(planned, state, last.attempt, last.receipt, last.reason, last.at, last.at + _wait(last), thread_of(planned), _group_of(planned))


def _group_of(planned: Action) -> str:
    return str(json.loads(planned.payload or "{}").get("group", "")) if planned.kind == "open" else ""


def _wait(last: Action) -> timedelta:
    """Return the least time before the next try: none after the first failure, then doubling, or what the receiver asked for."""
    if last.state != "failed":
        return timedelta(0)
    asked = timedelta(seconds=float(json.loads(last.payload).get("retry_after_s", 0.0)))
    doubling = timedelta(0) if last.attempt < 2 else FIRST_WAIT * 2 ** (last.attempt - 2)  # noqa: PLR2004 - the first retry is free
    return max(asked, min(doubling, LONGEST_WAIT))


def is_due(standing: Standing, standings: Mapping[str, Standing], *, now: datetime, cooldown: timedelta) -> bool:
    """Tell whether an action may be tried now.

    An update also waits until the message that opens its thread is through and `cooldown` has passed since the last
    one, so that a thread reads in order and does not chatter. That an incident got worse does not wait for that.
    """
    if standing.state != "waiting" or standing.not_before > now:
        return False
    if standing.action.kind != "update":
        return True
    others = [s for s in standings.values() if s.thread == standing.thread and s is not standing]
    is_opening_ahead = any(s.state == "waiting" and s.action.kind == "open" for s in others)
    is_urgent = bool(json.loads(standing.action.payload or "{}").get("urgent"))
    return not is_opening_ahead and (is_urgent or all(s.at + cooldown <= now for s in others if s.state == "sent"))


def opener(standing: Standing, standings: Mapping[str, Standing]) -> Standing | None:
    """Return the first message that went through in the thread of `standing`, None when it would be the first."""
    sent = [s for s in standings.values() if s.thread == standing.thread and s.state == "sent" and s is not standing]
    return min(sent, key=lambda s: s.at, default=None)


def superseded(planned: Iterable[Action], standings: Mapping[str, Standing]) -> Iterable[tuple[Action, str]]:
    """Yield waiting actions that newly planned ones make pointless, with the reason."""
    for new in planned:
        if new.state != "planned" or new.kind not in ("update", "resolve"):
            continue
        thread = thread_of(new)
        for old in standings.values():
            if old.state != "waiting" or old.thread != thread:
                continue
            if new.kind == "resolve":
                yield old.action, "the incident was resolved before this could be told"
            elif old.action.kind == "update":
                yield old.action, "a newer update took its place"
