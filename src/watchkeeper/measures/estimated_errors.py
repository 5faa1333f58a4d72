"""Estimated errors of a regression: what a prediction's error comes to where the reference had inputs like these.

Belongs here: one function a metric, (reference's errors as weighted to a window, view) -> Estimate. Does not: the weights (likeness.py),
the truth's own KPIs (performance.py).

Weights whose logarithm is a sum over cells of features stand for a model of the loss that is additive in those cells, fitted on the
reference: direct loss estimation without a second model to keep. It is blind to a change of what inputs mean.
"""

from dataclasses import dataclass, replace
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from watchkeeper.measures import performance
from watchkeeper.measures.views import RegressionView
from watchkeeper.stats.intervals import Z95, Estimate, undefined
from watchkeeper.words import percent

Floats = NDArray[np.float64]
LEAST_COVERED = 0.9
"""The share of predictions that must have a label before a realised error is set against an estimate for all of them."""


@dataclass(frozen=True)
class LikeErrors:
    """Errors (prediction minus truth) of the reference's rows, and how much each counts."""

    error: Floats
    weights: Floats

    def mean(self, values: Floats, rows: int) -> Estimate:
        """Return the weighted mean of a row function, as it is expected of `rows` rows: doubt about the mean, and the rows' own chance."""
        whole = float(np.sum(self.weights))
        value = float(np.sum(self.weights * values)) / whole
        off = (values - value) ** 2
        learned, own = float(np.sum(self.weights**2 * off)) / whole**2, float(np.sum(self.weights * off)) / whole / max(1, rows)
        se = sqrt(learned + own)
        return Estimate(value, se, value - Z95 * se, value + Z95 * se, rows)


def _rows(view: RegressionView) -> int:
    return view.labelled + view.pending


def mae(known: LikeErrors, view: RegressionView) -> Estimate:
    """Mean absolute error that is expected, in the unit of the truth."""
    found = known.mean(np.abs(known.error), _rows(view))
    return replace(found, low=max(0.0, found.low))


def rmse(known: LikeErrors, view: RegressionView) -> Estimate:
    """Root of the mean squared error that is expected; delta-method interval."""
    squared = known.mean(known.error**2, _rows(view))
    value = sqrt(max(0.0, squared.value))
    se = squared.se / (2 * value) if value else 0.0
    return Estimate(value, se, max(0.0, value - Z95 * se), value + Z95 * se, squared.n)


def bias(known: LikeErrors, view: RegressionView) -> Estimate:
    """Mean of prediction minus truth that is expected."""
    return known.mean(known.error, _rows(view))


def mae_gap(known: LikeErrors, view: RegressionView) -> Estimate:
    """Mean absolute error of labelled rows minus the one expected of all: above nought where inputs mean something else than they did."""
    realised, covered = performance.mae(view), view.labelled / max(1, _rows(view))
    if not realised.is_defined:
        return realised
    if covered < LEAST_COVERED:
        return undefined(
            f"{percent(covered)} of rows have a label, and the estimate is of all of them: it takes {percent(LEAST_COVERED)}", view.labelled
        )
    expected = known.mean(np.abs(known.error), view.labelled)
    gap = realised.value - expected.value
    return Estimate(gap, expected.se, gap - Z95 * expected.se, gap + Z95 * expected.se, view.labelled)
