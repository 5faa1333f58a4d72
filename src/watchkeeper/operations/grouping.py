"""Openings of one run to one channel, told as one message: which these are, the message, and its lines when incidents end.

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
from watchkeeper.site.message import ICONS, Message

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


def closed(standing: Standing, opener: Standing, standings: Iterable[Standing]) -> Message:
    """Return what the message that opened a thread says once `standing`, the end of its incident, is told."""
    every = list(standings)
    members = [s for s in every if opener.group and s.group == opener.group and s.receipt == opener.receipt]
    if len(members) < 2:  # noqa: PLR2004 - a message of its own
        opened = _message(opener.action)
        done = [line for line in opened.verdict if line[0] != "Do"]  # nothing is to be done any more
        return dataclasses.replace(opened, icon=ICONS["resolved"], title=f"Resolved: {opened.title}", verdict=done)
    over = {s.action.incident_id for s in members if _is_over(s, every)} | {standing.action.incident_id}
    return grouped_message(_openings(members), channel=json.loads(opener.action.payload)["channel"], over=over)


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


def _is_over(opening: Standing, standings: Iterable[Standing]) -> bool:
    """Tell whether the last that was told in a thread is that its incident is over."""
    told = [s for s in standings if s.thread == opening.thread and s.state == "sent"]
    return max(told, key=lambda s: s.at).action.kind == "resolve"
