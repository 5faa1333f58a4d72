"""What an incident has to do with others, in words: with those that tell of the same fault, in other models or its own, and with the one it goes on from.

Belongs here: those lines, for messages, the command line and pages. Does not: which incidents are one (judgement/together.py), or two
(judgement/splits.py).
"""

from watchkeeper.judgement.harm import suffers
from watchkeeper.judgement.incidents import Incident
from watchkeeper.judgement.together import Together
from watchkeeper.words import counted, listed, window_text

_NAMED = 3


def too(together: Together, model: str, headline: str, *, is_over: bool = False) -> str:
    """Return what follows a headline of a model: that it suffers, or a segment which that does not name, and the other models that have the same fault; those that still do unless all is over.

    >>> too(Together(), "parcels", "24 % were late")
    ''
    """
    others = [i for i in together.others if is_over or i.state not in ("lasting", "resolved")]
    own = [] if is_over else [i for i in others if i.model == model and not (i.family == "segment" and i.subject in headline)]
    harm = dict.fromkeys(suffers(i.family, i.subject) for i in own)
    models = list(dict.fromkeys(i.model for i in others if i.model != model))
    more = [counted(len(models) - _NAMED, "more model")] if len(models) > _NAMED else []
    return "".join(f"; {said}" for said in [*harm, *([f"{listed([*models[:_NAMED], *more])} too"] if models else [])])


def together_lines(together: Together, model: str) -> list[tuple[str, str]]:
    """Return (label, text) of what is one with an incident of a model: of its own, then what several models have in common, of each its headline."""
    own, others = ([i for i in together.others if (i.model == model) == is_own] for is_own in (True, False))
    of = f"{counted(len({i.model for i in others}) + 1, 'model')}: "
    same = [("Same fault", f"{of}{'; '.join(together.faults)}.")] if together.faults else []
    return [*((name_of(i, model), _told(i)) for i in own), *same, *((name_of(i, model), _told(i)) for i in others)]


def name_of(incident: Incident, model: str) -> str:
    """Return what an incident is called beside one of a model: by its own model, or of the same one by what it is about."""
    if incident.model != model:
        return incident.model
    return {"data": "Data", "kpi": "KPI"}.get(incident.family, incident.subject)


def origin_lines(incident: Incident) -> list[tuple[str, str]]:
    """Return (label, text) of the incident that one goes on from."""
    return [("Goes on from", f"{incident.split_from}, whose cause changed")] if incident.split_from else []


def whole_lines(incident: Incident, whole: Incident, timezone: str) -> list[tuple[str, str]]:
    """Return (label, text) of the time of all that is told as one with an incident, where that is another than its own."""
    is_other = (whole.window_start, whole.window_end) != (incident.window_start, incident.window_end)
    return [("All of it", window_text(whole.window_start, whole.window_end, timezone))] if is_other else []


def own_text(incident: Incident) -> str:
    """Return what is said of one of several: how grave, whether it is over, its own headline."""
    state = "" if incident.state == "open" else f", {incident.state}"
    return f"{incident.severity}{state}: {incident.headline}."


def _told(incident: Incident) -> str:
    return f"`{incident.id}` {'' if incident.part_of else 'leads, '}{own_text(incident)}"
