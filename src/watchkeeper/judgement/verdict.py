"""Verdict: how grave an incident was in one period, and the figure that this rests on.

Belongs here: an incident's alarms of a period -> severity, reason and its words. Does not: the other lines of a digest (digest.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from math import copysign

from watchkeeper.judgement.episodes import Episode, severity_of
from watchkeeper.judgement.evidence import OF_A_RATE
from watchkeeper.judgement.incidents import Incident
from watchkeeper.judgement.leads import lead_of
from watchkeeper.judgement.spans import during_text, typical_text
from watchkeeper.measures.own import unit_of
from watchkeeper.monitor import Monitor
from watchkeeper.records import SEVERITIES, Score, Signal
from watchkeeper.words import measured_text, metric_text, number_text


@dataclass(frozen=True, slots=True)
class Reason:
    """The worst alarm of a period by the number that leads its gravest incident, and in how many windows that number alarmed."""

    worst: Signal
    windows: int


def within(incident: Incident, alarms: Sequence[Signal]) -> Incident:
    """Return an incident as grave as its alarms of a period make it: what came before or after makes the period no worse.

    One that only passes through a period is a warning there. A broken promise is as grave in each period of its time.
    """
    if incident.family == "target" or not incident.signals:
        return incident
    mine = _of(incident, alarms)
    return replace(incident, severity=severity_of(Episode(incident.subject, incident.family, mine, is_over=False)) if mine else "warning")


def reason_of(incidents: Sequence[Incident], alarms: Sequence[Signal]) -> Reason | None:
    """Return what makes a period as bad as it was, None where no number about the model's quality is the gravest."""
    gravest = max((i for i in incidents if i.family == "kpi"), key=lambda i: SEVERITIES.index(i.severity), default=None)
    if gravest is None or any(SEVERITIES.index(i.severity) > SEVERITIES.index(gravest.severity) for i in incidents):
        return None
    mine = _of(gravest, alarms)
    same = [s for s in mine if s.metric == lead_of(mine).metric]
    return Reason(max(same, key=lambda s: abs(s.value - s.expected)), len(same)) if same else None


def reason_text(monitor: Monitor, scores: Mapping[str, Score], reason: Reason, told_at: datetime | None = None) -> str:
    """Return the figure that a verdict rests on: the period's own where it is out of line too, else that of the worst window; empty where the outcome's rate shows it."""
    worst, is_rate = reason.worst, monitor.task == "binary" and reason.worst.metric in OF_A_RATE
    score = scores.get("calibration_gap" if is_rate else worst.metric)
    about = metric_text(worst.metric)
    if score is not None and _shows(score, worst, is_rate=is_rate):
        if is_rate:
            return ""
        usual = (
            ""
            if score.reference_value is None
            else f"; usually {_number(monitor, worst, score.reference_value, score.value)} over the whole reference"
        )
        return f"{about} {measured_text(score.value, score.low, score.high, score.unit, truth=monitor.wording.unit)}{usual}"
    ends = (worst.low, worst.high) if worst.state == "mature" else (None, None)
    value = measured_text(worst.value, *ends, unit_of(monitor, worst.metric), truth=monitor.wording.unit)
    many = f", the worst of {reason.windows} {monitor.window}s that alarmed" if reason.windows > 1 else ""
    typical = f"usually {_number(monitor, worst, worst.expected, worst.value)} {typical_text(worst)}"
    return f"{about} {value} {during_text(monitor, worst.window_start, worst.window_end, told_at)}{many}; {typical}"


def _of(incident: Incident, alarms: Sequence[Signal]) -> list[Signal]:
    ids = set(incident.signals)
    return [s for s in alarms if s.signal_id in ids]


def _shows(score: Score, worst: Signal, *, is_rate: bool) -> bool:
    """Tell whether a period's own number lies surely beyond the reference's, on the side on which it alarmed; of a rate, on either."""
    if score.value is None or score.reference_value is None:
        return score.value is not None
    side = copysign(1.0, score.value - score.reference_value if is_rate else worst.value - worst.expected)
    end = score.low if side > 0 else score.high
    return side * ((score.value if end is None else end) - score.reference_value) > 0


def _number(monitor: Monitor, signal: Signal, value: float, beside: float | None) -> str:
    return number_text(value, unit_of(monitor, signal.metric), (beside,), truth=monitor.wording.unit)
