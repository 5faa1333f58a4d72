"""The gap to the rest: how far a segment's calibration gap lies from that of all other rows.

Belongs here: the metric and its formula. Does not: stating it as a score (readings.py).
"""

from watchkeeper.measures.catalogue import Metric
from watchkeeper.measures.performance import calibration_gap, claimed_variance
from watchkeeper.measures.views import BinaryView
from watchkeeper.stats.intervals import Z95, Estimate

GAP_TO_REST = Metric(
    name="calibration_gap_to_rest",
    subject="binary",
    function=Estimate,
    method="difference of two means, variance at least the scores' own",
    unit="ratio",
    direction="closer_to_zero",
    family="performance",
    least=5,
    in_segments=True,
    needs_labels=True,
)


def gap_to_rest(whole: BinaryView, part: BinaryView) -> Estimate:
    """Return the calibration gap of some rows less that of all others; the variance is at least what the scores claim."""
    n, rest = part.scored, whole.scored - part.scored
    if n == 0 or rest <= 0:
        return Estimate(float("nan"), n=n, reason="no labels on one side")
    ours, all_rows = calibration_gap(part), calibration_gap(whole)
    others = (all_rows.value * whole.scored - ours.value * n) / rest
    se = (max(ours.se**2, claimed_variance(part)) + all_rows.se**2 * whole.scored / rest) ** 0.5
    gap = ours.value - others
    return Estimate(gap, se, gap - Z95 * se, gap + Z95 * se, n)
