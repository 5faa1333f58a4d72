"""Openings of one run to one channel, told as one message: which these are, the message, and what a message that opened a thread says when incidents end.

Belongs here: the fold of several actions into one posting. Does not: the words (site/grouped.py), or when an action is due
(judgement/outbox.py). Each incident keeps an action of its own, with the receipt of the one message, in whose thread it goes on; the key
that the message carries is that of the group, planned once, whoever of it is still to be told.
"""

import dataclasses
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

from watchkeeper.judgement.outbox import Standing
from watchkeeper.operations.messages import payload_of
from watchkeeper.records import SEVERITIES, Action, key
from watchkeeper.site.grouped import Opened, grouped_message
from watchkeeper.site.message import Message, sentence

LEAST = 3
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
    every, is_over = list(standings), standing.action.kind == "resolve"
    if not is_over and _end_of(standing, every) is None:
        return None
    members = [s for s in every if opener.group and s.group == opener.group and s.receipt == opener.receipt]
    if len(members) < 2:  # noqa: PLR2004 - a message of its own
        return _alone(standing, _message(opener.action))
    ends = {s.action.incident_id: _closed(end) for s in members if (end := _end_of(s, every)) is not None}
    mine = standing.action.incident_id
    over = {name: end for name, end in ends.items() if name != mine} | ({mine: _closed(standing)} if is_over else {})
    return grouped_message(_openings(members), channel=json.loads(opener.action.payload)["channel"], over=over)


def _alone(standing: Standing, opened: Message) -> Message:
    """Return what a message about one incident, which `opened` its thread, says instead."""
    if standing.action.kind != "resolve":
        again = _message(standing.action)
        return dataclasses.replace(again, title=f"Open again: {again.title}")
    told = _closed(standing)
    first = [] if opened.title in told.title else [("First told", sentence(opened.title))]
    return dataclasses.replace(told, facts=[*told.facts, *first])


def messages_in(rows: Collection[Action]) -> int:
    """Return how many messages rows of the outbox that were sent are: those of a group are one."""
    return len({json.loads(row.payload or "{}").get("group") or (row.action_id, row.target) for row in rows if row.state == "sent"})


def _named(row: Action, name: str) -> Action:
    return dataclasses.replace(row, payload=json.dumps({**json.loads(row.payload), "group": name}, ensure_ascii=False))


def _openings(members: Sequence[Standing]) -> list[Opened]:
    found = [Opened(s.action.incident_id, s.action.model, json.loads(s.action.payload)["severity"], _message(s.action)) for s in members]
    return sorted(found, key=lambda o: (-SEVERITIES.index(o.severity), o.model, o.incident_id))


def _message(action: Action) -> Message:
    return Message.from_dict(json.loads(action.payload)["message"])


def _closed(end: Standing) -> Message:
    """Return what the end of an incident leaves in the message that opened it."""
    content = json.loads(end.action.payload)
    return Message.from_dict(content.get("closed", content["message"]))


def _end_of(one: Standing, standings: Iterable[Standing]) -> Standing | None:
    """Return the end of an incident, where that is the last that was told in the thread of one of its messages, or may have been edited into what opened it."""
    told = [s for s in standings if s.thread == one.thread and (s.state == "sent" or (s.action.kind == "resolve" and s.attempts))]
    last = max(told, key=lambda s: (s.at, s.action.at), default=None)
    return last if last is not None and last.action.kind == "resolve" else None
