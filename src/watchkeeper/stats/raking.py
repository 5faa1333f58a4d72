"""Raking: weights under which rows have the shares of cells that other rows have, feature by feature.

Belongs here: cells of rows and shares wanted -> weights. Does not: which features need it (measures/likeness.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.integer[Any]]
_CYCLES, _CLOSE = 100, 1e-4


@dataclass(frozen=True, slots=True)
class Raked:
    """Weights of one row of each kind; over all rows they sum to `effective`: as many rows of equal weight would tell as much (Kish 1965).

    `outside` is, of each feature, the share wanted in cells that no row lies in; the other cells are weighted as if it were none.
    """

    weights: Floats
    effective: float
    outside: Floats


def raked(cells: Codes, rows: NDArray[np.number[Any]], shares: Sequence[Floats]) -> Raked:
    """Weight rows until each feature's cells hold the shares wanted (iterative proportional fitting, Deming and Stephan 1940).

    `cells` has shape (kinds of rows, features), `rows` says how many there are of each kind, and `shares` holds an array over the cells
    of each feature. The weights are those that differ least from equal ones in the sense of Kullback and Leibler: their logarithm is a
    sum over features.

    >>> found = raked(np.array([[0], [1]]), np.array([30, 10]), [np.array([0.5, 0.5])])
    >>> found.weights.round(2).tolist(), round(found.effective)
    ([0.5, 1.5], 30)
    """
    weights = rows.astype(float)
    weights /= weights.sum()
    held = [np.bincount(cells[:, f], weights=weights, minlength=len(share)) > 0 for f, share in enumerate(shares)]
    outside = np.array([float(share[~there].sum()) for share, there in zip(shares, held, strict=True)])
    wanted = [np.where(there, share, 0.0) / max(1e-300, 1 - out) for share, there, out in zip(shares, held, outside, strict=True)]
    for _ in range(_CYCLES):
        off = 0.0
        for f, share in enumerate(wanted):
            now = np.bincount(cells[:, f], weights=weights, minlength=len(share))
            off = max(off, float(np.abs(now - share).max()))
            weights = weights * np.divide(share, now, out=np.zeros(len(share)), where=now > 0)[cells[:, f]]
        if off < _CLOSE:
            break
    return _of_one(weights, rows, outside)


def _of_one(weights: Floats, rows: NDArray[np.number[Any]], outside: Floats) -> Raked:
    """Turn the weights of kinds of rows into those of one row of each kind."""
    whole = float(weights.sum())
    if whole <= 0:  # the shares wanted exclude one another
        return Raked(np.zeros(len(weights)), 0.0, outside)
    one = np.divide(weights / whole, rows, out=np.zeros(len(weights)), where=rows > 0)
    effective = 1 / float(np.sum(one * one * rows))
    return Raked(one * effective, effective, outside)
