"""Harm: a fault of a model's data, and what it did to a KPI of the same model. They are two incidents and one story.

Belongs here: which incidents of one model are that, and the words of it. Does not: which incident leads, and how they stand as one (together.py), or
finding causes (causes.py).

An incident of a KPI or a segment is harm of one about data where it names a column of that as what is at fault: by its first cause or one that came
later. Their bad windows must overlap. By another likely cause it stays its own, and by time alone: beside the first cause a fault is no more than possible.
"""

from collections.abc import Sequence

from watchkeeper.judgement.incidents import Incident
from watchkeeper.story import Cause, Story
from watchkeeper.words import listed, percent

HARMED = ("kpi", "segment")
_DATA = "data"


def are_fault_and_harm(one: Incident, other: Incident) -> bool:
    """Tell whether of two incidents one is a fault of a model's data and the other what that did to the model."""
    fault, harm = (one, other) if one.family == _DATA else (other, one)
    if fault.family != _DATA or harm.family not in HARMED or (one.model, one.environment) != (other.model, other.environment):
        return False
    overlap = one.window_start < other.window_end and other.window_start < one.window_end
    return overlap and not one.is_withdrawn and not other.is_withdrawn and not _at_fault(fault).isdisjoint(_at_fault(harm))


def _at_fault(incident: Incident) -> set[str]:
    """Return the columns whose values are what is wrong, by an incident's causes as told last."""
    found = incident.story.causes if incident.story is not None else []
    return {column for cause in (found if incident.family == _DATA else _blamed(found)) for column in cause.columns}


def _blamed(causes: Sequence[Cause]) -> list[Cause]:
    """Return the first of the causes of a KPI, and those that came later."""
    return [c for n, c in enumerate(causes) if n == 0 or c.is_later]


def suffers(family: str, subject: str) -> str:
    """Return what is said for a part of the whole: that the data is at fault, that the model suffers, or a segment of it.

    >>> suffers("data", "missing values"), suffers("kpi", "kpi"), suffers("segment", "depot=north")
    ('its data is at fault', 'the model suffers', 'depot=north suffers')
    """
    if family == _DATA:
        return "its data is at fault"
    return f"{subject if family == 'segment' else 'the model'} suffers"


def began_text(story: Story, family: str, subject: str) -> str:
    """Return what people hear who know of the one when the other begins: what it is, and how much of it the fault accounts for.

    >>> weight = Cause(kind="data", subject="faulty data: weight", share=0.51, columns=["weight"])
    >>> began_text(Story(headline="24 % were late; the model expected 50 %", when="", causes=[weight]), "kpi", "kpi")
    'the model suffers now: 24 % were late; the model expected 50 %; 51 % of that by weight'
    >>> began_text(Story(headline="depot=north: 24 % were late, the model expected 50 %", when=""), "segment", "depot=north")
    'depot=north suffers now: 24 % were late, the model expected 50 %'
    """
    said = story.headline.rstrip(".").removeprefix(f"{subject}: ")
    if family == _DATA:
        return f"{suffers(family, subject)}: {said}"
    by = [f"{percent(c.share)} of that by {listed(c.columns)}" for c in _blamed(story.causes) if c.columns and c.share is not None]
    return "; ".join([f"{suffers(family, subject)} now: {said}", *by])


def turned_text(family: str, subject: str, *, is_over: bool) -> str:
    """Return that one of the two is over while the other goes on, or is back.

    >>> turned_text("data", "missing values", is_over=True), turned_text("kpi", "kpi", is_over=False)
    ('its data is no longer at fault', 'the model suffers again')
    """
    if not is_over:
        return f"{suffers(family, subject)} again"
    return "its data is no longer at fault" if family == _DATA else f"{subject if family == 'segment' else 'the model'} no longer suffers"
