"""Openings of one run to one channel, told as one message: which these are, the message, and what a message that opened a thread says when incidents end.

Belongs here: the fold of several actions into one posting. Does not: the words (site/grouped.py), or when an action is due
(judgement/outbox.py). Each incident keeps an action of its own, with the receipt of the one message, in whose thread it goes on; the key
that the message carries is that of the group, planned once, whoever of it is still to be told.
"""

import dataclasses
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType

from watchkeeper.judgement.outbox import Standing
from watchkeeper.operations.messages import payload_of
from watchkeeper.records import SEVERITIES, Action, key
from watchkeeper.site.grouped import Opened, grouped_message
from watchkeeper.site.message import Message, sentence

LEAST = 3
_NONE: Mapping[str, Standing] = MappingProxyType({})
_PEOPLE = ("slack", "file")
"""Targets of one message about many; a pager and automations are told of each incident."""


def grouped(rows: Sequence[Action]) -> list[Action]:
    """Return rows that are to be planned, where three openings and more go to one channel with the name of their group."""
    by_place: dict[tuple[str, str], list[Action]] = defaultdict(list)
    for row in rows:
        if row.kind == "open" and row.state == "planned" and row.target in _PEOPLE:
            by_place[row.target, json.loads(row.payload)["channel"]].append(row)
    names = {a.action_id: key("group", *sorted(b.action_id for b in those)) for those in by_place.values() if len(those) >= LEAST for a in those}
    return [_named(row, names[row.action_id]) if row.action_id in names else row for row in rows]


def as_one(members: Sequence[Standing]) -> Action:
    """Return what is sent of actions that are due together: of one alone what it says itself, under the key of its group."""
    first = members[0]
    name = first.group or first.action.action_id
    if len(members) == 1:
        return dataclasses.replace(first.action, action_id=name)
    content = json.loads(first.action.payload)
    openings = _openings(members)
    payload = payload_of(
        grouped_message(openings, channel=content["channel"]),
        channel=content["channel"],
        severity=openings[0].severity,
        file=f"{content['file'][:10]}-{name}-open.md",
        place=content["place"],
    )
    return dataclasses.replace(first.action, action_id=name, payload=payload)


def outcome_payloads(members: Sequence[Standing], sent: Action) -> list[str]:
    """Return what is kept of each action that was sent: of several in one message, the message once, and with all the group."""
    if len(members) == 1:
        return [members[0].action.payload]
    whole, part = {**json.loads(sent.payload), "group": members[0].group}, {"group": members[0].group}
    return [json.dumps(content, ensure_ascii=False) for content in (whole, *[part] * (len(members) - 1))]


def opener_says(standing: Standing, opener: Standing, standings: Iterable[Standing]) -> Message | None:
    """Return what the message that opened a thread says once `standing` is told: the end of its incident, or that it goes on again; None where it stays."""
    every = list(standings)
    if standing.action.kind != "resolve" and not _is_end(_last(standing, every)):
        return None
    members = [s for s in every if opener.group and s.group == opener.group and s.receipt == opener.receipt]
    if len(members) < 2:  # noqa: PLR2004 - a message of its own
        return _alone(standing, _message(opener.action))
    mine = standing.action.incident_id
    newest = {s.action.incident_id: standing if s.action.incident_id == mine else _newest(s, every) for s in members}
    over = {name: _closed(last) for name, last in newest.items() if _is_end(last)}
    again = {s.action.incident_id for s in members if s.action.incident_id not in over and any(_is_end(t) for t in _told(s, every))}
    openings = _openings(members, newest)
    return grouped_message(openings, channel=json.loads(opener.action.payload)["channel"], over=over, again=again)


def _alone(standing: Standing, opened: Message) -> Message:
    """Return what a message about one incident, which `opened` its thread, says instead."""
    if standing.action.kind != "resolve":
        now = _message(standing.action)
        return dataclasses.replace(now, title=f"Open again: {now.state_line}")
    told = _closed(standing)
    first = [] if opened.title in told.title else [("First told", sentence(opened.title))]
    return dataclasses.replace(told, facts=[*told.facts, *first])


def messages_in(rows: Collection[Action]) -> int:
    """Return how many messages rows of the outbox that were sent are: those of a group are one."""
    return len({json.loads(row.payload or "{}").get("group") or (row.action_id, row.target) for row in rows if row.state == "sent"})


def _named(row: Action, name: str) -> Action:
    return dataclasses.replace(row, payload=json.dumps({**json.loads(row.payload), "group": name}, ensure_ascii=False))


def _openings(members: Sequence[Standing], newest: Mapping[str, Standing] = _NONE) -> list[Opened]:
    """Return the incidents that were told together, the gravest first, each as the `newest` message about it tells, by incident."""
    found = []
    for s in members:
        last = newest.get(s.action.incident_id, s)
        said = dataclasses.replace(_message(s.action), title=_message(last.action).state_line)
        found.append(Opened(s.action.incident_id, s.action.model, json.loads(last.action.payload)["severity"], said))
    return sorted(found, key=lambda o: (-SEVERITIES.index(o.severity), o.model, o.incident_id))


def _message(action: Action) -> Message:
    return Message.from_dict(json.loads(action.payload)["message"])


def _closed(end: Standing) -> Message:
    """Return what the end of an incident leaves in the message that opened it."""
    content = json.loads(end.action.payload)
    return Message.from_dict(content.get("closed", content["message"]))


def _told(one: Standing, standings: Iterable[Standing]) -> list[Standing]:
    """Return what was told in the thread of a message, in order, with ends that failed: they may have been edited into what opened it."""
    found = [s for s in standings if s.thread == one.thread and (s.state == "sent" or (_is_end(s) and s.attempts))]
    return sorted(found, key=lambda s: (s.at, s.action.at))


def _last(one: Standing, standings: Sequence[Standing]) -> Standing | None:
    """Return the last of what was told in the thread of a message."""
    return next(reversed(_told(one, standings)), None)


def _newest(one: Standing, standings: Sequence[Standing]) -> Standing:
    """Return the message that says how an incident stands: the last that was told, or the update that waits after it."""
    waiting = [s for s in standings if s.thread == one.thread and s.state == "waiting" and s.action.kind == "update"]
    return (waiting or _told(one, standings))[-1]


def _is_end(standing: Standing | None) -> bool:
    return standing is not None and standing.action.kind == "resolve"
