"""Multiple testing: which of many p-values to believe at a stated rate of false ones.

Belongs here: procedures over p-values. Does not: where p-values come from (judgement/normal.py).
"""

import numpy as np
from numpy.typing import NDArray


def benjamini_hochberg(p: NDArray[np.float64], level: float) -> NDArray[np.bool_]:
    """Return which hypotheses are rejected with false discovery rate at most `level` (Benjamini and Hochberg 1995).

    NaN is a test that was not made. Under a global null the chance of any rejection is at most `level` too (Simes).

    >>> benjamini_hochberg(np.array([0.001, 0.2, np.nan]), 0.05).tolist()
    [True, False, False]
    """
    rejected = np.zeros(len(p), bool)
    made = np.flatnonzero(np.isfinite(p))
    if len(made) == 0:
        return rejected
    order = made[np.argsort(p[made], kind="stable")]
    passed = np.flatnonzero(p[order] <= level * np.arange(1, len(order) + 1) / len(order))
    if len(passed):
        rejected[order[: passed[-1] + 1]] = True
    return rejected
