"""Quantiles of errors lie between the order statistics that the binomial names; what an earlier release did not count says so; lift by hand."""

import numpy as np
import pytest
from scipy import stats

from measure_world import binary, regression
from watchkeeper.measures.error_shape import absolute_error_quantile, error_quantile, pinball, smape
from watchkeeper.measures.lift import lift
from watchkeeper.measures.performance import mae
from watchkeeper.measures.views import RegressionView
from watchkeeper.profiles.labelled import ABOVE, SYMMETRIC


@pytest.mark.parametrize(("quantile", "n"), [(0.5, 6), (0.5, 1_000), (0.05, 100), (0.95, 100), (0.9, 36)])
def test_the_interval_of_a_quantile_ends_at_the_ranks_of_the_binomial(quantile, n):
    errors = np.arange(1.0, n + 1)
    found = error_quantile(quantile, regression(errors, np.zeros(n)))
    below, above = stats.binom.ppf([0.025, 0.975], n, quantile)
    first = below if stats.binom.cdf(below, n, quantile) > 0.025 else below + 1
    assert (found.low, found.high) == pytest.approx((first, above + 1), rel=0.0068)
    assert found.reason == ""


def test_a_quantile_whose_interval_has_no_end_among_so_few_rows_says_approximate():
    found = error_quantile(0.95, regression(np.arange(1.0, 21.0), np.zeros(20)))
    assert found.reason == "approximate interval: 20 rows"
    assert found.high == pytest.approx(20.0, rel=0.0068)


@pytest.mark.parametrize(("size", "said"), [(3e6, "errors of a million and more"), (1e-9, "errors under a millionth")])
def test_a_quantile_at_the_ends_of_the_grid_is_undefined_and_says_why(size, said):
    view = regression(np.full(50, size), np.zeros(50))
    for found in (error_quantile(0.5, view), absolute_error_quantile(0.9, view)):
        assert not found.is_defined
        assert found.reason == f"{said} are not told apart"


def test_errors_of_nought_have_quantiles_of_nought():
    found = absolute_error_quantile(0.9, regression(np.ones(50), np.ones(50)))
    assert (found.value, found.low, found.high) == (0.0, 0.0, 0.0)


def test_what_an_earlier_release_did_not_count_says_so_and_all_else_is_there():
    view = regression(np.arange(40.0), np.zeros(40))
    old = RegressionView({key: part for key, part in view.parts.items() if key[0] not in (ABOVE, SYMMETRIC)})
    for found in (smape(old), pinball(0.9, old)):
        assert not found.is_defined
        assert found.reason.startswith("some of these rows were counted by an earlier release")
    assert mae(old).value == mae(view).value
    assert error_quantile(0.5, old) == error_quantile(0.5, view)


def test_lift_takes_a_part_of_the_rows_whose_scores_are_equal_at_the_cut():
    """Of the upper tenth of twenty rows one has .9 and is positive; the other one is any of four with .5, of which one is positive."""
    score = [0.9] + [0.5] * 4 + [0.1] * 15
    truth = [1.0] + [1.0, 0.0, 0.0, 0.0] + [1.0, 1.0] + [0.0] * 13
    found = lift(0.1, binary(score, truth))
    assert found.value == pytest.approx((1 + 0.25) / 2 / (4 / 20))
    assert found.low < found.value < found.high
    assert lift(0.1, binary(score, np.zeros(20))).reason == "no positives"
    assert lift(0.1, binary(np.full(20, np.nan), truth)).reason == "no scores were logged"
