"""A place beside all others: how a segment's, a region's or a host's requests fare against those of the same window that are not its own.

Belongs here: (view of the place, view of the whole) -> Estimate. Does not: figures of one view (service.py).

What slows all requests moves no place against the rest, and what slows one place hardly moves the whole: either is told where it is.
"""

from math import exp, sqrt

import numpy as np

from watchkeeper.measures.service_view import Measured, ServiceView
from watchkeeper.profiles.grids import latency_middle
from watchkeeper.stats.differences import difference
from watchkeeper.stats.intervals import Z95, Estimate, proportion, undefined


def latency_to_rest(view: ServiceView, whole: ServiceView) -> Estimate:
    """How many times as long a request takes in a place as elsewhere: the ratio of the geometric means, with Student's interval of the logarithms.

    Both means are taken over cells and so within 1 %; the variance of one row is the larger of both sides', so that few rows that happen to be alike
    are no sure witnesses.
    """
    ours, every = _moments(view.timed), _moments(whole.timed)
    rest = every - ours
    if min(ours[0], rest[0]) < 2:  # noqa: PLR2004 - one row has no scatter
        return undefined("no latency on one side", int(ours[0]))
    (mean, variance), (other, others) = _mean(ours), _mean(rest)
    se = sqrt(max(variance, others) * (1 / ours[0] + 1 / rest[0]))
    ratio = exp(mean - other)
    return Estimate(ratio, ratio * se, ratio * exp(-Z95 * se), ratio * exp(Z95 * se), int(ours[0]))


def errors_to_rest(view: ServiceView, whole: ServiceView) -> Estimate:
    """Share of errors in a place less that of all other requests, with Newcombe's interval; the standard error is that towards no difference.

    Of few requests and rare errors the side towards none is what tells how surely there are more: one error of thirty is no news.
    """
    n, rest = view.status.n, whole.status.n - view.status.n
    if n == 0 or rest <= 0:
        return undefined("no status on one side", n)
    found = difference(proportion(view.errors, n), proportion(whole.errors - view.errors, rest))
    towards = found.value - found.low if found.value > 0 else found.high - found.value
    return Estimate(found.value, towards / Z95, found.low, found.high, n)


def _moments(measured: Measured) -> np.ndarray:
    """Return how many latencies there are, and the sums of their logarithms and of the squares of these."""
    logs = np.log(latency_middle(measured.cells))
    return np.array([measured.rows.sum(), measured.rows @ logs, measured.rows @ logs**2], float)


def _mean(moments: np.ndarray) -> tuple[float, float]:
    n, total, squares = moments
    return float(total / n), max(0.0, float((squares - total**2 / n) / (n - 1)))
