"""Multiple testing: which of many p-values, or differences, to believe at a stated rate of false ones.

Belongs here: procedures over many tests. Does not: where p-values come from (judgement/normal.py).
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

_SURE = 1e-4


def benjamini_hochberg(p: NDArray[np.float64], level: float) -> NDArray[np.bool_]:
    """Return which hypotheses are rejected with false discovery rate at most `level` (Benjamini and Hochberg 1995).

    NaN is a test that was not made. Under a global null the chance of any rejection is at most `level` too (Simes).

    >>> benjamini_hochberg(np.array([0.001, 0.2, np.nan]), 0.05).tolist()
    [True, False, False]
    """
    return adjusted(p) <= level


def adjusted(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return, for each p, the least level at which Benjamini and Hochberg reject it; NaN, a test that was not made, stays.

    >>> adjusted(np.array([0.01, 0.04, 0.03, np.nan])).round(3).tolist()
    [0.03, 0.04, 0.04, nan]
    """
    out = np.full(len(p), np.nan)
    made = np.flatnonzero(np.isfinite(p))
    order = made[np.argsort(p[made], kind="stable")]
    scaled = p[order] * len(order) / np.arange(1, len(order) + 1)
    out[order] = np.minimum.accumulate(scaled[::-1])[::-1]
    return out


def beyond_chance(tests: int) -> float:
    """Return how many standard errors the largest of so many differences of nothing stays within, but for one time in 10,000 (Bonferroni).

    >>> round(beyond_chance(1), 2), round(beyond_chance(40), 2)
    (3.89, 4.71)
    """
    return float(-ndtri(_SURE / (2 * max(1, tests))))
