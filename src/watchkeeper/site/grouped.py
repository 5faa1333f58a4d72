"""One message about several incidents that opened at once: a line each, the gravest first.

Belongs here: its words, also once some are over. Does not: which incidents are told together (judgement/outbox.py), or the message about
one (message.py).
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from watchkeeper.records import Severity
from watchkeeper.site.message import ICONS, Line, Message
from watchkeeper.words import counted

SHOWN = 10
_MODELS_SHOWN = 3
_OF_ONE = ("Incident", "Look")
_OF_ENDS = ("Lasted", "So far", "At worst", "Cause in the end")
_NONE: Mapping[str, Message] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Opened:
    """One of the incidents: what its own message would have said, with a title that tells how it stands."""

    incident_id: str
    model: str
    severity: Severity
    message: Message


def grouped_message(openings: Sequence[Opened], *, channel: str, over: Mapping[str, Message] = _NONE, again: Collection[str] = ()) -> Message:
    """Return the message about incidents, given the gravest first.

    `over` maps those that are over by now to what their own message would say at the end; `again` are those that were over and are open again.
    """
    still = [o for o in openings if o.incident_id not in over]
    gravest, is_all_over = next(iter(still), openings[0]), not still
    is_well = all(end.icon == ICONS["resolved"] for end in over.values())
    word = ("Resolved: " if is_well else "Closed: ") if is_all_over else ""
    shown = openings[:SHOWN]
    is_of_one = len({o.model for o in openings}) == 1
    lines: list[Line] = [("", _line(o, is_alone=is_of_one, end=over.get(o.incident_id), is_again=o.incident_id in again)) for o in shown]
    rest = len(openings) - len(shown)
    pages = [(f"Incident {o.incident_id}", address) for o in shown for label, address in o.message.links if label == "Incident"]
    return Message(
        icon=ICONS[("resolved" if is_well else "notice") if is_all_over else gravest.severity],
        title=f"{word}{_title(openings, again)}",
        facts=[*lines, *([("", f"And {rest} more: `watchkeeper incidents` lists them.")] if rest else [])],
        verdict=[]
        if is_all_over
        else [("Do", f"look first at `{gravest.incident_id}`; `watchkeeper incidents show {gravest.incident_id}` tells all of it.")],
        footer=", ".join(filter(None, (gravest.severity, channel))) + ".",
        links=[*pages, *(link for link in gravest.message.links if link[0] not in _OF_ONE)],
    )


def _title(openings: Sequence[Opened], again: Collection[str]) -> str:
    named = [o for o in openings if o.incident_id in again] or openings
    every = counted(len(openings), "incident")
    many = f"{len(named)} of {every} open again" if again else f"{every} opened"
    if len({o.model for o in openings}) == 1:
        return f"{openings[0].model}: {many}"
    models = Counter(o.model for o in named).most_common()
    rest = f" and {len(models) - _MODELS_SHOWN} more" if len(models) > _MODELS_SHOWN else ""
    return f"{many}: {', '.join(f'{model} {count}' for model, count in models[:_MODELS_SHOWN])}{rest}"


def _line(opening: Opened, *, is_alone: bool, end: Message | None, is_again: bool) -> str:
    """Return the line of one: while it goes on how it stands, then as it was, with how long, how bad and why."""
    state, _, said = (opening.severity, "", opening.message.title) if end is None else end.title.partition(": ")
    said = said.removeprefix(f"{opening.model}: ") if is_alone else said
    facts = [] if end is None else [f"{label.lower()}: {text.rstrip('.')}" for label, text in end.facts if label in _OF_ENDS]
    icon = ICONS[opening.severity] if end is None else end.icon
    return f"{icon} {'Open again: ' if is_again else ''}{said.rstrip('.')} (`{opening.incident_id}`, {'; '.join([state[:1].lower() + state[1:], *facts])})"
