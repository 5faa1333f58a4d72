"""What an incident has to do with others, in words: with those of other models that tell of the same fault, and with the one it goes on from.

Belongs here: those lines, for messages, the command line and pages. Does not: which incidents are one (judgement/together.py), or two
(judgement/splits.py).
"""

from watchkeeper.judgement.incidents import Incident
from watchkeeper.judgement.together import Together
from watchkeeper.words import counted, listed

_NAMED = 3


def too(together: Together, *, is_over: bool = False) -> str:
    """Return what follows a headline: the other models that have the same, of those the ones that still do unless all is over.

    >>> too(Together())
    ''
    """
    models = list(dict.fromkeys(i.model for i in together.others if is_over or i.state not in ("lasting", "resolved")))
    more = [counted(len(models) - _NAMED, "more model")] if len(models) > _NAMED else []
    return f"; {listed([*models[:_NAMED], *more])} too" if models else ""


def together_lines(together: Together) -> list[tuple[str, str]]:
    """Return (label, text) of what several models have in common, and of each other one its own headline."""
    if not together.others:
        return []
    of = f"{counted(len({i.model for i in together.others}) + 1, 'model')}: "
    return [("Same fault", f"{of}{'; '.join(together.faults)}."), *map(_own, together.others)]


def origin_lines(incident: Incident) -> list[tuple[str, str]]:
    """Return (label, text) of the incident that one goes on from."""
    return [("Goes on from", f"{incident.split_from}, whose cause changed")] if incident.split_from else []


def own_text(incident: Incident) -> str:
    """Return what is said of one of several: how grave, whether it is over, its own headline."""
    state = "" if incident.state == "open" else f", {incident.state}"
    return f"{incident.severity}{state}: {incident.headline}."


def _own(incident: Incident) -> tuple[str, str]:
    return incident.model, f"`{incident.id}` {'' if incident.part_of else 'leads, '}{own_text(incident)}"
