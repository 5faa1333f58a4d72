"""Told once: which episodes of a segment are the story of the whole model's, and open no incident of their own.

Belongs here: that choice. Does not: which signals are one episode (episodes.py), the incident of a fault that hits several models (together.py).
"""

from collections.abc import Callable
from dataclasses import replace

from watchkeeper.judgement.causes import causes
from watchkeeper.judgement.episodes import Episode
from watchkeeper.judgement.evidence import CERTAIN, Evidence
from watchkeeper.judgement.places import carrier

_NAMES_NOTHING = "concept"
"""The kind of cause that is told of any outcome that changed: two of it need not be one."""


def is_told_with(segment: Episode, whole: Episode, evidence_of: Callable[[Episode], Evidence]) -> bool:
    """Tell whether an episode of a segment is the story of one of the whole model: one fault, told once.

    It is where the whole's names that segment, where the segment is out of line as the whole is and less so than the rest, and where both have one cause.
    It is a story of its own when it began before the whole's, or goes on after that is over.
    """
    if segment.family != "segment" or whole.family != "kpi" or not whole.start <= segment.signals[0].window_start < whole.end:
        return False
    if whole.is_over and segment.end > whole.end:
        return False
    every = evidence_of(whole)
    found = carrier(every)
    if found is not None and found.segment == segment.subject:
        return True
    mine = evidence_of(segment)
    return _is_less_wrong(mine, every) or _have_one_cause(mine, every)


def _is_less_wrong(mine: Evidence, every: Evidence) -> bool:
    """Tell whether a segment's gap lies on the side of the whole's, and on the other side of all others'."""
    own, whole, apart = _beyond(mine), _beyond(every), mine.lead.value - mine.lead.expected
    return own * whole > 0 > apart * whole


def _beyond(evidence: Evidence) -> float:
    """Return by how much a gap lies beyond what is usual, 0 where that is not known or may be chance."""
    gap = evidence.gap
    if gap is None or gap.value is None:
        return 0.0
    beyond = gap.value - (evidence.usual_gap or 0.0)
    return beyond if abs(beyond) > CERTAIN * (gap.se or 0.0) else 0.0


def _have_one_cause(mine: Evidence, every: Evidence) -> bool:
    """Tell whether the likeliest cause of both is one, and names what is at fault."""
    first, other = (next(iter(causes(replace(evidence, fault_places={}))), None) for evidence in (mine, every))
    return first is not None and other is not None and first.kind != _NAMES_NOTHING and (first.kind, first.subject) == (other.kind, other.subject)
