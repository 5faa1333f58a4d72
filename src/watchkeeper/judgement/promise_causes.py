"""Why a promise broke, where an incident of the same days already says so: it is one story, told there.

Belongs here: which episode that is, and what the promise's story says then. Does not: causes of its own (causes.py), its words else (story.py), whether a promise
is kept (promises.py).

A promise about labels of the whole model is kept by the numbers that an incident of its KPIs is about; one about how scores rank only where that incident is about
ranking, too: a rate that changed says nothing of it. One about the service is kept by the service's numbers. A segment's has causes of its own.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from watchkeeper.judgement.episodes import Episode, severity_of
from watchkeeper.measures import catalogue
from watchkeeper.monitor import Monitor
from watchkeeper.records import SEVERITIES
from watchkeeper.story import Cause, Story

_OF_RANKS = ("roc_auc", "average_precision")


def told_by(monitor: Monitor, promise: Episode, others: Sequence[Episode]) -> Episode | None:
    """Return the episode that tells why a promise broke: the gravest by the same numbers on days of its own, then the one with most of these; None without any."""
    if promise.family != "target":
        return None
    mine = [e for e in others if _is_by_same_numbers(monitor, promise, e) and _common(promise, e) > timedelta(0)]
    return max(mine, key=lambda e: (SEVERITIES.index(severity_of(e)), _common(promise, e)), default=None)


def as_told_by(own: Story, other: Story, incident_id: str) -> Story:
    """Return the story of a promise that broke by what another incident tells: its own numbers, that incident first, and the cause that is told there."""
    first = next((c for c in other.causes if c.kind != "unknown"), None)
    why = (
        []
        if first is None
        else [
            Cause(
                kind=first.kind, subject=first.subject, onset=first.onset, columns=first.columns, evidence_for=[f"tested for incident {incident_id}"]
            )
        ]
    )
    return replace(
        own,
        when=f"{own.when} On days of incident {incident_id}: {other.headline.rstrip('.')}.",
        causes=why,
        ruled_out=[],
        next_steps=[
            f"incident {incident_id} says what to do; once that is over, nothing is left to mend, and this ends with a window that keeps the promise."
        ],
    )


def _is_by_same_numbers(monitor: Monitor, promise: Episode, other: Episode) -> bool:
    metric, feature, segment = next((s.metric, s.feature, s.segment) for s in promise.signals)
    if feature or segment or other.family != _family_of(monitor, metric):
        return False
    return not metric.endswith(_OF_RANKS) or any(s.metric.endswith(_OF_RANKS) for s in other.signals)


def _family_of(monitor: Monitor, metric: str) -> str:
    """Return which incidents are about the numbers of a metric; empty where none are."""
    found = catalogue.find(metric, monitor.task)
    if metric in {k.name for k in monitor.kpis} or (found is not None and found.needs_labels):
        return "kpi"
    return "service" if catalogue.find(metric, "service") is not None else ""


def _common(one: Episode, other: Episode) -> timedelta:
    return min(one.end, other.end) - max(one.start, other.start)
