"""The policy: which numbers are judged, what they may set off, and how the alert budget is shared out.

Belongs here: one row a judged metric. Does not: how it is judged (charts.py), what normal is (normal.py).
"""

from dataclasses import dataclass
from math import inf
from typing import Literal

from watchkeeper.monitor import Monitor
from watchkeeper.records import Family

Level = Literal["page", "notice"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How one metric is judged.

    `tolerance` is the smallest change worth anyone's time, in the metric's unit (or its logarithm when `in_logs`, or as
    a share of what is usual when `is_relative`); `memories` are weights of the slow charts beside the sudden one, and an `e_detector` looks for what lasts. `of_hours` are more
    of these where windows are hours: one hour's rows may be too few to tell a shift by that a day's rows show at once. A number
    whose interval is wider than `widest` says nothing: an AUC of one positive may be anything. One below `negligible` is never out of
    line, however still it lay before. `by_chance` is what a number is by chance alone, times the rows: a PSI over ten cells is 9 / n, so that
    a window of few rows has a larger one though nothing moved. Of one that is `beside_reference` the reference's windows do not say what is
    usual, but its reference value does: of new names there are none in the rows that the names were taken from; up to half as many more
    are no matter. One that is mostly 0 has no scatter to speak of, and is out of line beyond `times_largest` the largest of the reference. A number that `is_share` of rows has the sampling noise of the
    largest share that is no matter.
    """

    metric: str
    family: Family
    level: Level
    tolerance: float
    memories: tuple[float, ...] = ()
    e_detector: bool = False
    of_hours: tuple[float, ...] = ()
    in_logs: bool = False
    is_relative: bool = False
    in_segments: bool = False
    persists: int = 1
    of: int = 1
    least_reference_rows: int = 0
    widest: float = inf
    negligible: float = -inf
    by_chance: float = 0.0
    beside_reference: bool = False
    times_largest: float = 0.0
    is_share: bool = False

    def memories_of(self, windows_per_day: int) -> tuple[float, ...]:
        """Return the weights of the slow charts for windows of such a length."""
        return (*self.memories, *(self.of_hours if windows_per_day > 1 else ()))


RULES: tuple[Rule, ...] = (
    Rule(metric="calibration_gap", family="kpi", level="page", tolerance=0.02, memories=(0.2,), e_detector=True),
    Rule(metric="log_loss", family="kpi", level="page", tolerance=0.02, memories=(0.2,), e_detector=True),
    Rule(metric="roc_auc", family="kpi", level="page", tolerance=0.02, memories=(0.2,), e_detector=True, widest=0.4),
    Rule(metric="accuracy", family="kpi", level="page", tolerance=0.02, memories=(0.2,), e_detector=True),
    Rule(metric="mae", family="kpi", level="page", tolerance=0.05, is_relative=True, memories=(0.2,), e_detector=True),
    Rule(metric="bias", family="kpi", level="page", tolerance=0.02, memories=(0.2,), e_detector=True),
    Rule(
        metric="calibration_gap_to_rest",
        family="segment",
        level="page",
        tolerance=0.05,
        memories=(0.2, 0.05),
        in_segments=True,
        persists=2,
        of=5,
        least_reference_rows=200,
    ),
    Rule(metric="null_ratio", family="data", level="page", tolerance=0.05),
    Rule(metric="null_ratio", family="data", level="notice", tolerance=0.0025, negligible=0.01, times_largest=1.0, is_share=True),
    Rule(metric="unseen_ratio", family="data", level="page", tolerance=0.01, beside_reference=True),
    Rule(metric="exchanged_ratio", family="data", level="page", tolerance=0.1, times_largest=1.0),
    Rule(metric="error_ratio", family="service", level="page", tolerance=0.0025, memories=(0.2,), is_share=True),
    Rule(metric="latency_p95", family="service", level="page", tolerance=0.1, in_logs=True, memories=(0.2,)),
    Rule(metric="latency_over_p99", family="service", level="page", tolerance=0.01, memories=(0.2,), is_share=True),
    Rule(metric="timeout_ratio", family="service", level="page", tolerance=0.0025, memories=(0.2,), is_share=True),
    Rule(metric="queue_time_p95", family="service", level="notice", tolerance=0.25, in_logs=True, memories=(0.2,)),
    Rule(
        metric="latency_to_rest",
        family="service",
        level="page",
        tolerance=0.2,
        in_logs=True,
        memories=(0.2,),
        in_segments=True,
        least_reference_rows=200,
    ),
    Rule(metric="errors_to_rest", family="service", level="page", tolerance=0.01, memories=(0.2,), in_segments=True, least_reference_rows=200),
    Rule(metric="psi", family="covariate", level="notice", tolerance=0.5, in_logs=True, e_detector=True, negligible=0.01, by_chance=9.0),
    Rule(metric="loc", family="covariate", level="notice", tolerance=0.05, memories=(0.2,), of_hours=(0.05,)),
    Rule(metric="spread", family="covariate", level="notice", tolerance=0.05, memories=(0.2,), of_hours=(0.05,)),
    Rule(metric="share_shift", family="covariate", level="notice", tolerance=0.02, times_largest=2.0),
    Rule(metric="segment_shift", family="covariate", level="notice", tolerance=0.1, times_largest=2.0),
    Rule(metric="correlation", family="covariate", level="notice", tolerance=0.05, memories=(0.2,)),
    Rule(metric="low_confidence_ratio", family="covariate", level="notice", tolerance=0.1),
    Rule(metric="score_mean", family="covariate", level="notice", tolerance=0.02, memories=(0.2,)),
)


def rules_of(monitor: Monitor) -> tuple[Rule, ...]:
    """Return the rules of a monitor: those of every model, and one for each KPI of its own, by what a twentieth of it is."""
    own = (_own(kpi.name, "notice" if kpi.direction == "none" else "page") for kpi in monitor.kpis)
    return (*RULES, *own)


def _own(metric: str, level: Level) -> Rule:
    return Rule(metric=metric, family="kpi", level=level, tolerance=0.05, is_relative=True, memories=(0.2,), e_detector=True)


WEIGHTS: dict[Family, float] = {"kpi": 0.4, "segment": 0.25, "data": 0.2, "service": 0.15, "covariate": 1.0}
NOTICES_PER_WEEK = 0.1
LEAST_RUN_DAYS = 365.0
"""How long, in the mean, the e-detectors of a family take until one of them alarms though nothing changed; longer where the budget is small."""
STRICTEST = 0.05


def level_of_family(family: Family, level: Level, pages_per_day: float, windows_per_day: float) -> float:
    """Return the error rate each window may spend on a family: its share of the budget, over the windows of a day."""
    budget = pages_per_day if level == "page" else NOTICES_PER_WEEK / 7
    return min(STRICTEST, WEIGHTS.get(family, 0.1) * budget / windows_per_day)
