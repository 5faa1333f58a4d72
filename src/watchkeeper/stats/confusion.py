"""Confusions: averages over classes from what was found, what was true and what was decided, with delta-method intervals.

Belongs here: numbers that a confusion's diagonal and margins tell. Does not: where confusions come from (measures/views.py), which of
these numbers are measured (measures/classes.py) or expected (measures/estimated_classes.py).

All functions take arrays over classes, whole rows or parts of rows where they are only expected: `hits` (rows of a class that were
decided so), `truths` (rows of it), `decided` (rows decided so). `decided` may be longer: what follows are decisions for none of the classes.
A class without rows is left out of averages, one that was never decided has a precision of nought: as in scikit-learn, over the classes that are there.
"""

from collections.abc import Callable, Sequence
from math import isfinite, nan, sqrt

import numpy as np
from numpy.typing import NDArray

from watchkeeper.stats.intervals import Z95, Estimate, undefined

Floats = NDArray[np.float64]
OfMargins = Callable[[Floats, Floats, Floats], float]
LEAST_EXPECTED = 1e-9
"""Rows, or parts of them, from which on a class is there."""


def _averaged(values: Floats, truths: Floats, *, by_rows: bool) -> float:
    there = truths > LEAST_EXPECTED
    if not there.any():
        return nan
    weights = np.where(there, truths, 0.0) if by_rows else there.astype(float)
    return float(np.sum(values * weights) / np.sum(weights))


def _over(top: Floats, bottom: Floats) -> Floats:
    return np.divide(top, bottom, out=np.zeros(len(top)), where=bottom > LEAST_EXPECTED)


def macro_recall(hits: Floats, truths: Floats, decided: Floats) -> float:
    """Return the mean over classes of the share of their rows that was found.

    >>> macro_recall(np.array([3.0, 1.0]), np.array([4.0, 2.0]), np.array([4.0, 2.0]))
    0.625
    """
    del decided
    return _averaged(_over(hits, truths), truths, by_rows=False)


def macro_precision(hits: Floats, truths: Floats, decided: Floats) -> float:
    """Return the mean over classes of the share of decisions for them that was right."""
    return _averaged(_over(hits, decided[: len(hits)]), truths, by_rows=False)


def weighted_precision(hits: Floats, truths: Floats, decided: Floats) -> float:
    """Return the same, each class with the weight of its rows."""
    return _averaged(_over(hits, decided[: len(hits)]), truths, by_rows=True)


def macro_f1(hits: Floats, truths: Floats, decided: Floats) -> float:
    """Return the mean over classes of the harmonic mean of precision and recall."""
    return _averaged(_over(2 * hits, truths + decided[: len(hits)]), truths, by_rows=False)


def weighted_f1(hits: Floats, truths: Floats, decided: Floats) -> float:
    """Return the same, each class with the weight of its rows."""
    return _averaged(_over(2 * hits, truths + decided[: len(hits)]), truths, by_rows=True)


def matthews(hits: Floats, truths: Floats, decided: Floats) -> float:
    """Return the correlation of truth and decision over all classes (Gorodkin 2004); each decision for none of the classes is one of its own.

    >>> matthews(np.array([2.0, 2.0]), np.array([2.0, 2.0]), np.array([2.0, 2.0]))
    1.0
    """
    rows = float(truths.sum())
    shared = float(hits.sum()) * rows - float(np.sum(truths * decided[: len(truths)]))
    spread = (rows**2 - float(np.sum(truths**2))) * (rows**2 - float(np.sum(decided**2)))
    return shared / sqrt(spread) if spread > LEAST_EXPECTED * rows**4 else nan


def slopes(function: OfMargins, hits: Floats, truths: Floats, decided: Floats) -> tuple[Floats, Floats, Floats]:
    """Return by how much a number moves with each of its arguments, by central differences; nought where it has no slope."""
    margins = [hits.astype(float), truths.astype(float), decided.astype(float)]
    made = [np.array([_slope(function, margins, place, i) for i in range(len(margin))]) for place, margin in enumerate(margins)]
    return made[0], made[1], made[2]


def _slope(function: OfMargins, margins: Sequence[Floats], place: int, i: int) -> float:
    step, ends = max(1e-4, 1e-6 * margins[place][i]), []
    for side in (step, -min(step, float(margins[place][i]))):
        moved = [margin.copy() for margin in margins]
        moved[place][i] += side
        ends.append((float(moved[place][i]), function(moved[0], moved[1], moved[2])))
    (high, above), (low, below) = ends
    slope = (above - below) / (high - low)
    return slope if isfinite(slope) else 0.0


def of_confusion(function: OfMargins, counts: NDArray[np.int64], least: float = 0.0) -> Estimate:
    """Return a number of a confusion [true class, decided class] with its delta-method interval over independent rows, cut at `least` and 1.

    >>> e = of_confusion(macro_recall, np.array([[50, 50], [0, 100]]))
    >>> round(e.value, 3), round(e.se, 3)
    (0.75, 0.025)
    """
    n = int(counts.sum())
    hits, truths, decided = np.diagonal(counts).astype(float), counts.sum(axis=1).astype(float), counts.sum(axis=0).astype(float)
    value = function(hits, truths, decided) if n else nan
    if not isfinite(value):
        return undefined("no rows" if n == 0 else "undefined: a denominator is zero", n)
    of_hits, of_truths, of_decided = slopes(function, hits, truths, decided)
    slope = of_truths[:, None] + of_decided[None, :]
    slope[np.arange(len(hits)), np.arange(len(hits))] += of_hits
    share = counts / n
    variance = float(np.sum(share * slope**2) - np.sum(share * slope) ** 2) * n
    se = sqrt(max(0.0, variance))
    return Estimate(value, se, max(least, value - Z95 * se), min(1.0, value + Z95 * se), n)
