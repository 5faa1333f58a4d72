"""An incident of several models in words: what they have in common, and each model's own headline.

Belongs here: those lines, for messages, the command line and pages. Does not: which incidents are one (judgement/together.py).
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


def own_text(incident: Incident) -> str:
    """Return what is said of one of several: how grave, whether it is over, its own headline."""
    state = "" if incident.state == "open" else f", {incident.state}"
    return f"{incident.severity}{state}: {incident.headline}."


def _own(incident: Incident) -> tuple[str, str]:
    return incident.model, f"`{incident.id}` {own_text(incident)}"
