"""The shape of a regression's errors: quantiles, pinball loss, and the symmetric relative error, each with its interval.

Belongs here: one function a metric, view -> Estimate. Does not: mean errors (performance.py).
"""

from math import ceil, floor

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtrik

from watchkeeper.measures.performance import mean_of, of_few
from watchkeeper.measures.views import RegressionView
from watchkeeper.profiles.grids import SIGNED_LOG_CELLS, signed_log_middle
from watchkeeper.profiles.labelled import ABOVE, SYMMETRIC
from watchkeeper.stats.intervals import OVERFLOW, Z95, Estimate, mean, undefined
from watchkeeper.words import counted

Ints = NDArray[np.int64]
_NOUGHT = SIGNED_LOG_CELLS // 2
_OUTERMOST = SIGNED_LOG_CELLS // 2 - 1
_TAIL = 0.025
_EARLIER = "some of these rows were counted by an earlier release, which did not keep what this number is made of"


def smape(view: RegressionView) -> Estimate:
    """Mean of 2 |prediction - truth| / (|prediction| + |truth|), from 0 to 2; 0 where both are zero (Makridakis 1993)."""
    ratios = view.of(SYMMETRIC)
    return mean_of(ratios) if ratios.n == view.error.n else undefined(_EARLIER, view.error.n)


def pinball(quantile: float, view: RegressionView) -> Estimate:
    """Mean of `quantile` times what the truth lies above the prediction, and 1 - `quantile` times what it lies below (Koenker and Bassett 1978)."""
    error, above = view.error, view.of(ABOVE)
    if error.n == 0:
        return undefined("no rows")
    if error.finite < error.n:
        return undefined(OVERFLOW, error.n)
    if above.n < error.n:
        return undefined(_EARLIER, error.n)
    over, under = above.sum, max(0.0, above.sum - error.sum)
    squares = (1 - quantile) ** 2 * above.sum2 + quantile**2 * max(0.0, error.sum2 - above.sum2)
    return of_few(mean((1 - quantile) * over + quantile * under, squares, error.n))


def error_quantile(quantile: float, view: RegressionView) -> Estimate:
    """Return a quantile of prediction minus truth, within .7 % of it: the middle of its cell, of 170 a decade."""
    return _quantile(quantile, view.error.cells, view.error.counts)


def absolute_error_quantile(quantile: float, view: RegressionView) -> Estimate:
    """Return a quantile of the absolute error, within .7 % of it."""
    sizes, place = np.unique(np.abs(view.error.cells - _NOUGHT), return_inverse=True)
    counts = np.bincount(place, weights=view.error.counts, minlength=len(sizes)).astype(np.int64)
    return _quantile(quantile, sizes + _NOUGHT, counts)


def _quantile(quantile: float, cells: Ints, counts: Ints) -> Estimate:
    """Return the least value that so large a part of rows does not exceed, between the order statistics that the binomial distribution names.

    The interval holds whatever the distribution of the errors is (David and Nagaraja 2003, 7.1); where there are too few rows for one of its
    ends the outermost row stands for it.
    """
    n = int(counts.sum())
    if n == 0:
        return undefined("no rows")
    up_to = np.cumsum(counts)

    def at(rank: int) -> int:
        return int(cells[np.searchsorted(up_to, min(max(rank, 1), n))])

    cell = at(ceil(n * quantile - 1e-9))
    if abs(cell - _NOUGHT) in (1, _OUTERMOST):
        return undefined(f"errors {'under a millionth' if abs(cell - _NOUGHT) == 1 else 'of a million and more'} are not told apart", n)
    first, last = _ranks(quantile, n)
    value, low, high = signed_log_middle(np.array([cell, at(first), at(last)])).tolist()
    reason = "" if first >= 1 and last <= n else f"approximate interval: {counted(n, 'row')}"
    return Estimate(value, (high - low) / (2 * Z95), low, high, n, reason)


def _ranks(quantile: float, n: int) -> tuple[int, int]:
    """Return the ranks, from 1, between which a quantile lies: at most a chance of 2.5 % that it lies below, and above; 0 and n + 1 where there is none.

    >>> _ranks(0.5, 10)
    (2, 9)
    """
    lowest = floor(bdtrik(_TAIL, n, quantile)) + 1 if (1 - quantile) ** n <= _TAIL else 0
    return lowest, ceil(bdtrik(1 - _TAIL, n, quantile)) + 1
