"""Causes of a service that is slow or fails: a host, a client, the GPUs, more requests than usual, a release.

Belongs here: evidence about a service's incident -> ranked causes. Does not: reading it (operations/service_traces.py), causes of a model's quality
(causes.py).

The rules: what the requests of some hosts or of a version surely account for comes first, then what lies in one host or one segment, each with its share.
Of what is everywhere GPUs and hosts that are strained come before more
requests than any window of the weeks before had, at least half more than usual; these before a change that only came at that time. All of it is attribution, not experiment.
"""

from collections.abc import Sequence
from dataclasses import replace
from math import exp

from watchkeeper.judgement.changes import of_changes
from watchkeeper.judgement.evidence import Evidence
from watchkeeper.judgement.service_story import OF_ERRORS
from watchkeeper.judgement.strain_causes import HOST_ALONE, of_strains
from watchkeeper.judgement.traces import Place
from watchkeeper.story import Cause
from watchkeeper.words import percent

_MANY, _HALF, _TOO_MUCH = 1.5, 0.5, 1.3
REGION_ALONE = "region {} alone"
_ALONE = {"host": HOST_ALONE, "region": REGION_ALONE}


def of_service(evidence: Evidence) -> list[Cause]:
    """Return the causes that evidence supports, the likeliest first; empty means unknown."""
    changes = sorted(of_changes(evidence), key=lambda c: -(c.share or 0.0))
    strains = of_strains(evidence)
    tested = sorted(filter(_is_tested, (*strains, *changes)), key=lambda c: -(c.share or 0.0))
    place = [] if _is_told(evidence, list(filter(_is_tested, strains))) else _of_place(evidence)
    tested = _apart(tested)
    return [*tested, *place, *(c for c in strains if not _is_tested(c)), *_of_volume(evidence), *(c for c in changes if not _is_tested(c))]


def _is_tested(cause: Cause) -> bool:
    return cause.share is not None and cause.share >= _HALF


def _apart(tested: Sequence[Cause]) -> list[Cause]:
    """Return causes that together account for far more than all with that said: they are about the same requests, as of a release on one host that throttles, too."""
    if sum(cause.share or 0.0 for cause in tested) < _TOO_MUCH:
        return list(tested)
    doubt = "another cause accounts for as much: both are about the same requests, and cannot be told apart"
    return [replace(cause, evidence_against=[*cause.evidence_against, doubt]) for cause in tested]


def _is_told(evidence: Evidence, tested: Sequence[Cause]) -> bool:
    """Tell whether the place that stands out is a host of which it is known what ails it."""
    place, subjects = evidence.traces.place, {c.subject for c in tested}
    return (
        place is not None
        and place.role == "host"
        and any(place.where in s.hosts and any(subject.startswith(s.said) for subject in subjects) for s in evidence.traces.strains)
    )


def _of_place(evidence: Evidence) -> list[Cause]:
    place = evidence.traces.place
    if place is None:
        return []
    onset = min(evidence.windows)
    support = [f"{percent(place.share_of_rows)} of requests and {percent(min(1.0, place.share_of_change))} of the change", _extent(evidence, place)]
    if place.role in _ALONE:
        return [
            Cause(
                kind="infrastructure",
                subject=_ALONE[place.role].format(place.where),
                share=min(1.0, place.share_of_change),
                onset=onset,
                evidence_for=support,
            )
        ]
    times = _growth(evidence, place)
    subject = f"{times:.1f} times the usual requests of {place.where}" if times >= _MANY else f"requests of {place.where}"
    return [Cause(kind="traffic", subject=subject, share=min(1.0, place.share_of_change), onset=onset, evidence_for=support)]


def _extent(evidence: Evidence, place: Place) -> str:
    if evidence.lead.metric in OF_ERRORS:
        return f"{percent(place.now)} of them fail, {percent(place.usual)} in the weeks before"
    return f"they take {exp(place.now - place.usual):.1f} times as long as usual"


def _growth(evidence: Evidence, place: Place) -> float:
    """Return how many times the usual rows of a window a place has."""
    now, usual = evidence.traces.grown.get(place.where, (0.0, 0.0))
    every_now, every_usual = evidence.traces.sides
    if evidence.volume is None or not usual or not every_now:
        return 1.0
    return now / every_now * evidence.volume[0] / (usual / every_usual * evidence.volume[1])


def _of_volume(evidence: Evidence) -> list[Cause]:
    if evidence.volume is None:
        return []
    now, usual, most = evidence.volume
    if now <= most or now < _MANY * usual:
        return []
    subject = f"{now / usual:.1f} times the usual requests"
    return [
        Cause(
            kind="traffic",
            subject=subject,
            onset=min(evidence.windows),
            evidence_for=[f"{now:,.0f} in a window, usually {usual:,.0f} and at most {most:,.0f}"],
        )
    ]
