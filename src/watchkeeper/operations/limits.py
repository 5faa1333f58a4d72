"""Limits of a model's watch: what of each number would be noticed, and what the policy would have paged for in the reference itself.

Belongs here: reading the scores that are judged. Does not: the rules (judgement/limits.py, judgement/self_audit.py), what is printed (cli/limits.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from watchkeeper.adapters.workspace import Home
from watchkeeper.judgement.limits import Limit, limits
from watchkeeper.judgement.normal import LEAST_WINDOWS
from watchkeeper.judgement.self_audit import LEAST, Audited, self_audit
from watchkeeper.monitor import Monitor
from watchkeeper.operations.era_signals import charted_now
from watchkeeper.operations.trust import why_not_judged
from watchkeeper.words import counted, listed, metric_text, window_text


@dataclass(frozen=True, slots=True)
class Limits:
    """Every number that is judged by what is usual, the audit of the reference by itself, and why there is less to say than there could be."""

    model: str
    windows: int
    grain: str
    numbers: Sequence[Limit]
    audit: Sequence[Audited]
    accepted: float
    remarks: Sequence[str]


def limits_of(home: Home, monitor: Monitor, *, now: datetime) -> Limits:
    """Return what would be noticed of a model as known at `now`, by its reference and its budget."""
    monitor, charts = charted_now(home, monitor, now=now)
    numbers = limits(monitor, charts)
    windows = max((int(c.series.is_reference.sum()) for c in charts), default=0)
    audit = self_audit(monitor, charts)
    span = monitor.reference_span
    accepted = monitor.alerts.false_alarms_per_day * ((span[1] - span[0]).days if span else 0)
    remarks = [*filter(None, [why_not_judged(home, monitor, now=now)]), *_uncalibrated(windows, monitor.window), *wild_text(audit)]
    return Limits(monitor.model, windows, monitor.window, numbers, audit, accepted, remarks)


def _uncalibrated(windows: int, grain: str) -> list[str]:
    """Return what so few windows of a reference cannot tell."""
    have = counted(windows, f"{grain} of reference" if windows == 1 else grain) if windows != 1 else f"1 {grain}"
    if windows < LEAST_WINDOWS:
        return [
            f"uncalibrated: the reference has {have} with numbers, and it takes {LEAST_WINDOWS} to say what is usual; nothing pages but targets and missing rows"
        ]
    if windows < LEAST:
        return [f"the reference has {have}: from {LEAST} on it is audited by itself, and weekdays can be told apart from 21 days on"]
    return []


def wild_text(audit: Sequence[Audited]) -> list[str]:
    """Return a sentence for each number that would cry wolf, and pages for nothing."""
    return [
        f"{metric_text(a.metric, a.feature, a.segment)} is too wild to page for: the policy would have told {counted(a.stories, 'story')} of it within the reference; "
        "its alarms are notices"
        for a in audit
        if a.is_wild
    ]


def standing_out(audit: Sequence[Audited], timezone: str) -> list[tuple[str, str]]:
    """Return the reference's windows that its other windows would have paged for, in order, each with the numbers that stand out."""
    numbers: dict[tuple[datetime, datetime], list[str]] = {}
    for found in audit:
        for window in found.windows:
            numbers.setdefault(window, []).append(metric_text(found.metric, found.feature, found.segment))
    return [(window_text(*window, timezone), listed(names)) for window, names in sorted(numbers.items())]
