"""Told once: which episodes of a segment are the story of another one, of the whole model or of a segment, and open no incident of their own.

Belongs here: that choice. Does not: which signals are one episode (episodes.py), what the two are about (one_trouble.py), the incident of a fault that hits several models (together.py).
"""

from collections.abc import Callable
from dataclasses import replace

from watchkeeper.judgement.causes import causes
from watchkeeper.judgement.episodes import Episode
from watchkeeper.judgement.evidence import Evidence
from watchkeeper.judgement.one_trouble import have_one_cause, lies_in
from watchkeeper.judgement.places import carrier
from watchkeeper.story import Cause


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
        return lies_in(_likeliest(evidence_of(segment)), other.subject) and not lies_in(_likeliest(evidence_of(other)), segment.subject)
    if other.family != "kpi":
        return False
    every = evidence_of(other)
    found = carrier(every)
    if found is not None and found.segment == segment.subject:
        return True
    return have_one_cause(_likeliest(evidence_of(segment)), _likeliest(every))


def _likeliest(evidence: Evidence) -> Cause | None:
    return next(iter(causes(replace(evidence, fault_places={}))), None)
