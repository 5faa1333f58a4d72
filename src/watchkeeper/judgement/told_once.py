"""Told once: which episodes of a segment are the story of another one, of the whole model or of a segment, and open no incident of their own.

Belongs here: that choice. Does not: which signals are one episode (episodes.py), the incident of a fault that hits several models (together.py).
"""

from collections.abc import Callable
from dataclasses import replace

from watchkeeper.judgement.causes import causes
from watchkeeper.judgement.episodes import Episode
from watchkeeper.judgement.evidence import Evidence
from watchkeeper.judgement.moves import INPUTS_CHANGED, SO_DID
from watchkeeper.judgement.places import carrier
from watchkeeper.spelling import segment_pairs
from watchkeeper.story import Cause

_NAMES_NOTHING = "concept"
"""The kind of cause that is told of any outcome that changed: two of it need not be one, unless they name one place."""
_WHERE = ", where "


def is_told_with(segment: Episode, other: Episode, evidence_of: Callable[[Episode], Evidence]) -> bool:
    """Tell whether an episode of a segment is the story of another one: one fault, told once.

    Of one of the whole model it is where that names the segment, and where both have one cause; of another segment's where its outcome changed in
    that one's rows. A segment that is less wrong than the rest is no signal at all (apart.py).
    It is a story of its own when it began before the other, or goes on after that is over.
    """
    if segment.family != "segment" or other is segment or not other.start <= segment.signals[0].window_start < other.end:
        return False
    if other.is_over and segment.end > other.end:
        return False
    if other.family == "segment":
        return _lies_in(evidence_of(segment), other.subject) and not _lies_in(evidence_of(other), segment.subject)
    if other.family != "kpi":
        return False
    every = evidence_of(other)
    found = carrier(every)
    if found is not None and found.segment == segment.subject:
        return True
    return _have_one_cause(evidence_of(segment), every)


def _have_one_cause(mine: Evidence, every: Evidence) -> bool:
    """Tell whether the likeliest cause of both is one, and names what is at fault, or where."""
    first, other = _likeliest(mine), _likeliest(every)
    if first is None or other is None or first.kind != other.kind:
        return False
    if first.kind == _NAMES_NOTHING:
        return _place(first) != "" and _place(first) == _place(other)
    return _inputs(first) == _inputs(other)


def _lies_in(evidence: Evidence, segment: str) -> bool:
    """Tell whether the outcome changed in the rows of one segment, by the likeliest cause."""
    first = _likeliest(evidence)
    pairs = segment_pairs(segment)
    return first is not None and first.kind == _NAMES_NOTHING and _place(first) in (segment, " and ".join(f"{c} = {v}" for c, v in pairs))


def _likeliest(evidence: Evidence) -> Cause | None:
    return next(iter(causes(replace(evidence, fault_places={}))), None)


def _inputs(cause: Cause) -> str:
    """Return the inputs that a cause names as moved, whatever the scores and the outcome did besides; of another kind of cause all it says."""
    return cause.subject.removeprefix(INPUTS_CHANGED).rpartition(SO_DID)[2] if cause.kind == "covariate" else cause.subject


def _place(cause: Cause) -> str:
    """Return the place that a cause names, empty where it names none."""
    return cause.subject.rpartition(_WHERE)[2] if _WHERE in cause.subject else ""
