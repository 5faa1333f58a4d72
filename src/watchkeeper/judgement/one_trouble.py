"""One trouble: whether an incident of the whole model and one of a segment are about the same, by their causes and by what the whole's names.

Belongs here: that rule, over likely causes and over incidents. Does not: which episodes of a segment open no incident at all (told_once.py), a fault of data and
what it did (harm.py), how incidents that are one stand (together.py).

They are one trouble where the whole's names the segment as the place of its excess or of the outcome's change, and where both have one cause: the same fault, the same inputs that
moved, an outcome that changed in the same place; or the whole's is a fault of an input that the segment's says moved. Both are incidents where the segment was out of line before the whole or is so after it, also as the whole's is what is left of
one that split. Their bad windows must overlap.
"""

import re

from watchkeeper.judgement.incidents import Incident
from watchkeeper.judgement.later_causes import about
from watchkeeper.judgement.moves import INPUTS_CHANGED, SO_DID
from watchkeeper.spelling import segment_pairs
from watchkeeper.story import Cause

_NAMES_NOTHING = "concept"
"""The kind of cause that is told of any outcome that changed: two of it need not be one, unless they name one place."""
_WHERE = ", where "


def are_of_one_trouble(one: Incident, other: Incident) -> bool:
    """Tell whether of two incidents one is of a whole model and the other the same trouble in a segment of it."""
    whole, segment = _in_order(one, other)
    if (whole.family, segment.family) != ("kpi", "segment") or (one.model, one.environment) != (other.model, other.environment):
        return False
    overlap = one.window_start < other.window_end and other.window_start < one.window_end
    mine, its = _first_cause(segment), _first_cause(whole)
    is_one = does_name(one, other) or have_one_cause(mine, its) or _shows_in(its, mine)
    return overlap and is_one and not one.is_withdrawn and not other.is_withdrawn


def does_name(one: Incident, other: Incident) -> bool:
    """Tell whether of two incidents that of the whole names the segment of the other as the place of its excess, or of the outcome's change."""
    whole, segment = _in_order(one, other)
    is_carrier = whole.story is not None and whole.story.carrier == segment.subject
    return whole.family == "kpi" and segment.family == "segment" and (is_carrier or lies_in(_first_cause(whole), segment.subject))


def have_one_cause(one: Cause | None, other: Cause | None) -> bool:
    """Tell whether two likely causes are one that names what is at fault, or where; never of what is unknown."""
    if one is None or other is None or one.kind != other.kind:
        return False
    if one.kind == _NAMES_NOTHING:
        return _place(one) != "" and _place(one) == _place(other)
    return _at_work(one) == _at_work(other)


def _shows_in(fault: Cause | None, segment: Cause | None) -> bool:
    """Tell whether a fault of a whole model's data is what a segment's likely cause is about: an input that it says moved, or did the same to the scores there."""
    if fault is None or segment is None or fault.kind != "data" or segment.kind == _NAMES_NOTHING:
        return False
    return any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", segment.subject) for name in fault.columns)


def lies_in(cause: Cause | None, segment: str) -> bool:
    """Tell whether by a likely cause the outcome changed in the rows of one segment.

    >>> lies_in(Cause(kind="concept", subject="the outcome changed, not the inputs, where depot = south"), "depot=south")
    True
    """
    places = (segment, " and ".join(f"{column} = {value}" for column, value in segment_pairs(segment)))
    return cause is not None and cause.kind == _NAMES_NOTHING and _place(cause) in places


def _in_order(one: Incident, other: Incident) -> tuple[Incident, Incident]:
    return (other, one) if one.family == "segment" else (one, other)


def _first_cause(incident: Incident) -> Cause | None:
    return next(iter(incident.story.causes), None) if incident.story is not None else None


def _at_work(cause: Cause) -> str:
    """Return the inputs that a cause names as moved, whatever the scores and the outcome did besides; of another kind of cause what it is about."""
    return cause.subject.removeprefix(INPUTS_CHANGED).rpartition(SO_DID)[2] if cause.kind == "covariate" else about(cause.subject)


def _place(cause: Cause) -> str:
    """Return the place that a cause names, empty where it names none."""
    return cause.subject.rpartition(_WHERE)[2] if _WHERE in cause.subject else ""
