"""Estimated errors of a regression: what its predictions' errors come to, told by a model of losses (DLE).

Belongs here: one function a metric, (what is expected of a window's rows, view) -> Estimate. Does not: the model (loss_model.py), the
truth's own KPIs (performance.py).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import sqrt

from watchkeeper.measures import performance
from watchkeeper.measures.loss_model import Loss
from watchkeeper.measures.views import RegressionView
from watchkeeper.stats.intervals import Z95, Estimate, undefined
from watchkeeper.words import percent

LEAST_COVERED = 0.9
"""The share of predictions that must have a label before a realised error is set against an estimate for all of them."""


@dataclass(frozen=True)
class ExpectedErrors:
    """The mean of each loss that is expected of some rows; worked out when it is asked for."""

    of: Callable[[Loss], Estimate]


def mae(known: ExpectedErrors, _: RegressionView) -> Estimate:
    """Mean absolute error that is expected, in the unit of the truth."""
    return _not_negative(known.of("absolute"))


def rmse(known: ExpectedErrors, _: RegressionView) -> Estimate:
    """Root of the mean squared error that is expected; delta-method interval."""
    squared = known.of("squared")
    if not squared.is_defined:
        return squared
    value = sqrt(max(0.0, squared.value))
    se = squared.se / (2 * value) if value else 0.0
    return _not_negative(Estimate(value, se, value - Z95 * se, value + Z95 * se, squared.n))


def bias(known: ExpectedErrors, _: RegressionView) -> Estimate:
    """Mean of prediction minus truth that is expected."""
    return known.of("signed")


def mae_gap(known: ExpectedErrors, view: RegressionView) -> Estimate:
    """Mean absolute error of labelled rows minus the one expected of all: above nought where inputs mean something else than they did."""
    realised, covered = performance.mae(view), view.labelled / max(1, view.labelled + view.pending)
    if not realised.is_defined:
        return realised
    if covered < LEAST_COVERED:
        return undefined(
            f"{percent(covered)} of rows have a label, and the estimate is of all of them: it takes {percent(LEAST_COVERED)}", view.labelled
        )
    expected = known.of("absolute")
    if not expected.is_defined:
        return expected
    gap = realised.value - expected.value
    return Estimate(gap, expected.se, gap - Z95 * expected.se, gap + Z95 * expected.se, view.labelled)


def _not_negative(found: Estimate) -> Estimate:
    return replace(found, low=max(0.0, found.low)) if found.is_defined else found
