"""How well scores rank outcomes, from counts of positives and negatives per score cell.

Belongs here: AUC, average precision and calibration error on cells in ascending score order. Does not: the cells (profiles/grids.py).
"""

from math import nan

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.int64] | Floats
"""Rows per cell; parts of rows where they are only expected."""


def roc_auc(positives: Counts, negatives: Counts) -> float:
    """Return the area under the ROC curve; ties within a cell count half (Mann-Whitney).

    >>> roc_auc(np.array([0, 2]), np.array([2, 0]))
    1.0
    """
    p, n = positives.sum().item(), negatives.sum().item()
    if p == 0 or n == 0:
        return nan
    below = np.cumsum(negatives) - negatives
    return float(np.sum(positives * (below + negatives / 2)) / (p * n))


def average_precision(positives: Counts, negatives: Counts) -> float:
    """Return sum over thresholds of precision times the step in recall, highest score first (as scikit-learn).

    >>> average_precision(np.array([0, 2]), np.array([2, 0]))
    1.0
    """
    p = positives.sum().item()
    if p == 0:
        return nan
    hits, misses = np.cumsum(positives[::-1]), np.cumsum(negatives[::-1])
    flagged = hits + misses
    precision = np.divide(hits, flagged, out=np.zeros(len(hits)), where=flagged > 0)
    return float(np.sum(precision * positives[::-1]) / p)


def calibration_error(positives: Counts, negatives: Counts, score_sums: NDArray[np.float64], groups: int = 10) -> float:
    """Return the expected calibration error over `groups` equally filled groups of cells (Naeini et al. 2015).

    `score_sums` holds the sum of the scores in each cell, positives and negatives together.

    >>> calibration_error(np.array([1, 1]), np.array([1, 1]), np.array([1.0, 1.0]))
    0.0
    """
    rows = positives + negatives
    n = int(rows.sum())
    if n == 0:
        return nan
    middle = np.cumsum(rows) - rows / 2
    group = np.minimum((middle * groups / n).astype(np.int64), groups - 1)
    late = np.bincount(group, weights=positives, minlength=groups)
    said = np.bincount(group, weights=score_sums, minlength=groups)
    return float(np.abs(late - said).sum() / n)


def found_above(positives: Counts, negatives: Counts, share: float) -> float:
    """Return how many positives lie among the `share` of all rows that scored highest; of the cell at the cut as large a part as is taken of its rows.

    >>> found_above(np.array([1, 2]), np.array([5, 2]), 0.7)
    2.5
    """
    rows = positives + negatives
    wanted = share * float(rows.sum())
    above = np.cumsum(rows[::-1])[::-1] - rows
    taken = np.clip(wanted - above, 0.0, rows)
    return float(np.sum(np.divide(taken * positives, rows, out=np.zeros(len(rows)), where=rows > 0)))
