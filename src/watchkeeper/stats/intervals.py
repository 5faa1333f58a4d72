"""Intervals for the quantities we report; each names its source and says when it is only approximate.

Belongs here: numbers in, `Estimate` out. Does not: which interval a metric uses (measures/).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import isfinite, nan, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit  # scipy.stats has them too, and takes half a second to import

Z95 = float(ndtri(0.975))
_FINE = 1e-10
OVERFLOW = "the values are too large to add up"


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its standard error and 95 % interval; `nan` where undefined, then `reason` says why."""

    value: float
    se: float = nan
    low: float = nan
    high: float = nan
    n: int = 0
    reason: str = ""

    @property
    def is_defined(self) -> bool:
        """Tell whether there is a number."""
        return isfinite(self.value)

    def shifted(self, by: float) -> "Estimate":
        """Return the same estimate moved by a constant."""
        return Estimate(self.value + by, self.se, self.low + by, self.high + by, self.n, self.reason)


def undefined(reason: str, n: int = 0) -> Estimate:
    """Return the estimate that is none, and why."""
    return Estimate(nan, n=n, reason=reason)


def proportion(hits: float, n: float, z: float = Z95) -> Estimate:
    """Return hits / n with Wilson's score interval (Wilson 1927), of 95 % or as many standard errors wide as `z` says.

    >>> e = proportion(8, 10)
    >>> round(e.value, 3), round(e.low, 3), round(e.high, 3)
    (0.8, 0.49, 0.943)
    """
    if n <= 0:
        return undefined("no rows")
    p = hits / n
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * sqrt(p * (1 - p) / n + z**2 / (4 * n * n))
    low = max(0.0, centre - half) if hits > 0 else 0.0  # where rounding would leave 7e-18
    high = min(1.0, centre + half) if hits < n else 1.0
    return Estimate(p, sqrt(max(p * (1 - p), 0.0) / n), low, high, int(n))


def mean(total: float, total_squares: float, n: int) -> Estimate:
    """Return the mean of n values with Student's t interval, from their sum and sum of squares; none where the sum is beyond all floats.

    >>> e = mean(6.0, 14.0, 3)          # 1, 2, 3
    >>> round(e.value, 3), round(e.se, 3)
    (2.0, 0.577)
    """
    if n <= 0:
        return undefined("no rows")
    if not isfinite(total):
        return undefined(OVERFLOW, n)
    centre = total / n
    if n == 1:
        return Estimate(centre, n=1, reason="one row: no interval")
    if not isfinite(total_squares) or not isfinite(centre * centre):
        return Estimate(centre, n=n, reason="the squares are too large to add up: no interval")
    variance = max(0.0, (total_squares - n * centre * centre) / (n - 1))
    se = sqrt(variance / n)
    half = float(stdtrit(n - 1, 0.975)) * se
    return Estimate(centre, se, centre - half, centre + half, n)


def at_least_as_unsure(found: Estimate, variance: float) -> Estimate:
    """Return an estimate whose interval is no narrower than a variance makes it."""
    if not isfinite(found.se) or found.se**2 >= variance:
        return found
    se = sqrt(variance)
    half = (found.high - found.value) * se / found.se if found.se > 0 else Z95 * se
    return replace(found, se=se, low=found.value - half, high=found.value + half)


def root(found: Estimate) -> Estimate:
    """Return the root of a mean above nought, with its interval by the delta method: its standard error over twice the root.

    >>> e = root(Estimate(4.0, 0.4, 3.2, 4.8, 100))
    >>> e.value, round(e.se, 3), round(e.low, 3), round(e.high, 3)
    (2.0, 0.1, 1.8, 2.2)
    """
    value = sqrt(found.value)
    low, high = (value + (end - found.value) / (2 * value) for end in (found.low, found.high))
    return replace(found, value=value, se=found.se / (2 * value), low=low, high=high)


def auc_interval(auc: float, positives: int, negatives: int) -> Estimate:
    """Return an AUC with Newcombe's method 5: Hanley-McNeil variance in a score-type interval (Newcombe 2006).

    Covers 95-97 % from five positives and five negatives up, where DeLong's does not.

    >>> e = auc_interval(0.9, 30, 30)
    >>> round(e.low, 2), round(e.high, 2)
    (0.78, 0.95)
    """
    n = positives + negatives
    if positives == 0 or negatives == 0:
        return undefined("one class only", n)
    low = _newcombe_limit(auc, positives, negatives, -1.0)
    high = _newcombe_limit(auc, positives, negatives, 1.0)
    return Estimate(auc, sqrt(_auc_variance(auc, positives, negatives)), low, high, n)


def _auc_variance(theta: float, positives: int, negatives: int) -> float:
    half = (positives + negatives) / 2 - 1
    return theta * (1 - theta) * (1 + half * (1 - theta) / (2 - theta) + half * theta / (1 + theta)) / (positives * negatives)


def _newcombe_limit(auc: float, positives: int, negatives: int, side: float) -> float:
    """Solve |theta - auc| = z sqrt(V(theta)) on one side of auc, by bisection."""
    inner, outer = auc, 1.0 if side > 0 else 0.0
    while abs(outer - inner) > _FINE:
        middle = (inner + outer) / 2
        if abs(middle - auc) < Z95 * sqrt(_auc_variance(middle, positives, negatives)):
            inner = middle
        else:
            outer = middle
    return (inner + outer) / 2


def ratio_of_counts(function: Callable[[NDArray[np.float64]], float], counts: NDArray[np.int64], least: float = 0.0) -> Estimate:
    """Return a smooth function of multinomial counts with a delta-method interval (gradient by central differences).

    The function's values lie between `least` and 1, and the interval is cut there.

    >>> e = ratio_of_counts(lambda c: float(c[0] / c.sum()), np.array([50, 50]))
    >>> round(e.value, 3), round(e.se, 3)
    (0.5, 0.05)
    """
    flat = counts.ravel().astype(float)
    n = int(flat.sum())
    value = function(flat.reshape(counts.shape)) if n else nan
    if not isfinite(value):
        return undefined("no rows" if n == 0 else "undefined: a denominator is zero", n)
    gradient = np.array([_slope(function, flat, i, counts.shape) for i in range(len(flat))])
    share = flat / n
    variance = n * (float(share @ gradient**2) - float(share @ gradient) ** 2)
    se = sqrt(max(0.0, variance))
    return Estimate(value, se, max(least, value - Z95 * se), min(1.0, value + Z95 * se), n)


def _slope(function: Callable[[NDArray[np.float64]], float], flat: NDArray[np.float64], i: int, shape: tuple[int, ...]) -> float:
    step = max(1e-4, 1e-6 * flat[i])
    up, down = flat.copy(), flat.copy()
    up[i] += step
    down[i] = max(0.0, down[i] - step)
    slope = (function(up.reshape(shape)) - function(down.reshape(shape))) / (up[i] - down[i])
    return slope if isfinite(slope) else 0.0
