"""Differences and ratios of two numbers with their intervals, shares of small groups, and how many rows an answer takes.

Belongs here: numbers in, `Estimate` out. Does not: what is compared with what, or the verdicts (measures/fairness.py).
"""

from collections.abc import Sequence
from math import ceil, hypot, inf, isfinite, nan, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, ndtri, stdtrit

from watchkeeper.stats.intervals import OVERFLOW, Estimate, undefined

POWER = float(ndtri(0.8))
"""Rows are reckoned such that four audits of five give an answer."""

_STRONGEST = 1e6


def z_of(level: float) -> float:
    """Return how many standard errors a two-sided interval of a level reaches to each side.

    >>> round(z_of(0.95), 2), round(z_of(0.99), 3)
    (1.96, 2.576)
    """
    return float(ndtri((1 + level) / 2))


def difference(ours: Estimate, theirs: Estimate) -> Estimate:
    """Return ours - theirs; of two Wilson intervals this makes Newcombe's hybrid score interval (Newcombe 1998, method 10).

    The level is that of the two intervals.

    >>> from watchkeeper.stats.intervals import proportion
    >>> e = difference(proportion(56, 70), proportion(48, 80))
    >>> round(e.value, 4), round(e.low, 4), round(e.high, 4)
    (0.2, 0.0524, 0.3339)
    """
    if not (ours.is_defined and theirs.is_defined):
        return undefined(theirs.reason if ours.is_defined else ours.reason, ours.n)
    value = ours.value - theirs.value
    low, high = hypot(ours.value - ours.low, theirs.high - theirs.value), hypot(ours.high - ours.value, theirs.value - theirs.low)
    return Estimate(value, hypot(ours.se, theirs.se), value - low, value + high, ours.n)


def difference_of_means(values: NDArray[np.float64], others: NDArray[np.float64]) -> Estimate:
    """Return the mean of `values` minus that of `others` with Welch's t interval (Welch 1947); both of shape (rows,).

    >>> e = difference_of_means(np.array([3.0, 4.0, 5.0]), np.array([1.0, 2.0, 3.0]))
    >>> round(e.value, 3), round(e.low, 3), round(e.high, 3)
    (2.0, -0.267, 4.267)
    """
    n = len(values) + len(others)
    if min(len(values), len(others)) < 2:  # noqa: PLR2004 - a variance takes two
        return undefined("too few rows for an interval", n)
    value = float(values.mean() - others.mean())
    parts = np.array([values.var(ddof=1) / len(values), others.var(ddof=1) / len(others)])
    se = sqrt(parts.sum())
    if se == 0 or not isfinite(se):
        return Estimate(value, n=n, reason="no spread: no interval" if se == 0 else OVERFLOW)
    freedom = parts.sum() ** 2 / (parts**2 / np.array([len(values) - 1, len(others) - 1])).sum()
    half = float(stdtrit(freedom, 0.975)) * se
    return Estimate(value, se, value - half, value + half, n)


def ratio(ours: Estimate, theirs: Estimate) -> Estimate:
    """Return ours / theirs with the interval made of both intervals (MOVER-R, Donner and Zou 2012); infinite above where theirs may be zero.

    >>> from watchkeeper.stats.intervals import proportion
    >>> e = ratio(proportion(40, 100), proportion(500, 1000))
    >>> round(e.value, 2), round(e.low, 2), round(e.high, 2)
    (0.8, 0.61, 1.01)
    """
    if theirs.value <= 0:
        return undefined("the others' share is zero", ours.n)
    product = ours.value * theirs.value
    least = _bound(product, ours.low * (2 * ours.value - ours.low), theirs.high * (2 * theirs.value - theirs.high), -1.0)
    most = _bound(product, ours.high * (2 * ours.value - ours.high), theirs.low * (2 * theirs.value - theirs.low), 1.0)
    return Estimate(ours.value / theirs.value, nan, max(0.0, least), most, ours.n)


def _bound(product: float, top: float, bottom: float, side: float) -> float:
    """Solve bottom r^2 - 2 product r + top = 0 for the smaller or the larger r."""
    if bottom == 0:
        return inf if side > 0 else top / (2 * product) if product else 0.0
    return (product + side * sqrt(max(0.0, product * product - top * bottom))) / bottom


def shrunk(hits: float, n: int, prior: float, strength: float, level: float) -> Estimate:
    """Return a share drawn towards a prior one that weighs as much as `strength` rows: mean and equal-tailed interval of the Beta posterior.

    >>> e = shrunk(0, 40, 0.1, 20, 0.95)
    >>> round(e.value, 3), round(e.low, 3), round(e.high, 3)
    (0.033, 0.004, 0.091)
    """
    a, b = hits + strength * prior, n - hits + strength * (1 - prior)
    value = a / (a + b)
    low, high = (float(betaincinv(a, b, q)) for q in ((1 - level) / 2, (1 + level) / 2))
    return Estimate(value, sqrt(value * (1 - value) / (a + b + 1)), low, high, n)


def prior_strength(hits: Sequence[float], rows: Sequence[int], priors: Sequence[float]) -> float:
    """Return how many rows the priors of some groups are worth: few where the groups' shares really differ from them, else many.

    By moments: what the shares scatter about the priors beyond what chance does, each group weighed by its rows
    (Kleinman 1973). Between 1 and a million.

    >>> prior_strength([10, 12, 9], [100, 100, 100], [0.1, 0.1, 0.1])
    1000000.0
    >>> round(prior_strength([5, 30, 60], [100, 100, 100], [0.3, 0.3, 0.3]))
    3
    """
    h, n, m = np.asarray(hits, float), np.asarray(rows, float), np.asarray(priors, float)
    chance = m * (1 - m)
    excess = float(n @ (h / n - m) ** 2 - chance.sum())
    room = float(n @ chance - chance.sum())
    if excess <= 0 or room <= 0:
        return _STRONGEST
    return float(np.clip(room / excess - 1, 1.0, _STRONGEST))


def rows_needed(variance: float, tolerance: float, level: float) -> int:
    """Return how many rows each of two like groups takes, so that no gap at all is told from one of `tolerance` in four cases of five.

    `variance` is that of one row, p (1 - p) for shares: 2 variance (z + .84)^2 / tolerance^2.

    >>> rows_needed(0.25, 0.05, 0.95)
    1570
    """
    return ceil(2 * variance * ((z_of(level) + POWER) / tolerance) ** 2)
