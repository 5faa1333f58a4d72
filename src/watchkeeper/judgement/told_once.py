"""Told once: which episodes of a segment are the story of the whole model's, and open no incident of their own.

Belongs here: that choice. Does not: which signals are one episode (episodes.py), the incident of a fault that hits several models (together.py).
"""

from collections.abc import Callable
from dataclasses import replace

from watchkeeper.judgement.causes import causes
from watchkeeper.judgement.episodes import Episode
from watchkeeper.judgement.evidence import Evidence
from watchkeeper.judgement.places import carrier

_NAMES_NOTHING = "concept"
"""The kind of cause that is told of any outcome that changed: two of it need not be one."""


def is_told_with(segment: Episode, whole: Episode, evidence_of: Callable[[Episode], Evidence]) -> bool:
    """Tell whether an episode of a segment is the story of one of the whole model: one fault, told once.

    It is where the whole's names that segment, and where both have one cause; one that is less wrong than the rest is no signal at all (apart.py).
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
    return _have_one_cause(evidence_of(segment), every)


def _have_one_cause(mine: Evidence, every: Evidence) -> bool:
    """Tell whether the likeliest cause of both is one, and names what is at fault."""
    first, other = (next(iter(causes(replace(evidence, fault_places={}))), None) for evidence in (mine, every))
    return first is not None and other is not None and first.kind != _NAMES_NOTHING and (first.kind, first.subject) == (other.kind, other.subject)
