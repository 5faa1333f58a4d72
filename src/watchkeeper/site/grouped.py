"""One message about several incidents that opened at once: a line each, the gravest first.

Belongs here: its words, also once some are over. Does not: which incidents are told together (judgement/outbox.py), or the message about
one (message.py).
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from watchkeeper.records import Severity
from watchkeeper.site.message import ICONS, Line, Message
from watchkeeper.words import counted

SHOWN = 10
_MODELS_SHOWN = 3
_OF_ONE = ("Incident", "Look")


@dataclass(frozen=True, slots=True)
class Opened:
    """One of the incidents: what its own message would have said."""

    incident_id: str
    model: str
    severity: Severity
    message: Message


def grouped_message(openings: Sequence[Opened], *, channel: str, over: Collection[str] = ()) -> Message:
    """Return the message about incidents, given the gravest first; `over` are the ids of those that are resolved by now."""
    gravest, is_all_over = openings[0], all(o.incident_id in over for o in openings)
    shown = openings[:SHOWN]
    lines: list[Line] = [("", _line(o, is_alone=len({o.model for o in openings}) == 1, is_over=o.incident_id in over)) for o in shown]
    rest = len(openings) - len(shown)
    pages = [(f"Incident {o.incident_id}", address) for o in shown for label, address in o.message.links if label == "Incident"]
    return Message(
        icon=ICONS["resolved" if is_all_over else gravest.severity],
        title=f"{'Resolved: ' if is_all_over else ''}{_title(openings)}",
        facts=[*lines, *([("", f"And {rest} more: `watchkeeper incidents` lists them.")] if rest else [])],
        verdict=[("Do", f"look first at `{gravest.incident_id}`; `watchkeeper incidents show {gravest.incident_id}` tells all of it.")],
        footer=", ".join(filter(None, (gravest.severity, channel))) + ".",
        links=[*pages, *(link for link in gravest.message.links if link[0] not in _OF_ONE)],
    )


def _title(openings: Sequence[Opened]) -> str:
    many = f"{counted(len(openings), 'incident')} opened"
    models = Counter(o.model for o in openings).most_common()
    if len(models) == 1:
        return f"{models[0][0]}: {many}"
    rest = f" and {len(models) - _MODELS_SHOWN} more" if len(models) > _MODELS_SHOWN else ""
    return f"{many}: {', '.join(f'{model} {count}' for model, count in models[:_MODELS_SHOWN])}{rest}"


def _line(opening: Opened, *, is_alone: bool, is_over: bool) -> str:
    said = opening.message.title.removeprefix(f"{opening.model}: ") if is_alone else opening.message.title
    state = "resolved" if is_over else opening.severity
    return f"{ICONS[state]} {said.rstrip('.')} (`{opening.incident_id}`, {state})"
