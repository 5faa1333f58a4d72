"""By how much a mean error moved, against numbers worked by hand."""

import numpy as np
import pytest

from watchkeeper.judgement.error_changes import ErrorChange, error_change, has_outrun

NAN = float("nan")


def test_means_and_their_doubt_are_those_of_known_rows():
    error = np.array([1.0, 3.0, NAN, 5.0, 9.0, NAN])
    is_during = np.array([False, False, False, True, True, True])
    found = error_change("mean absolute error", error, is_during, np.zeros(6, int), unit="min")
    assert (found.usual, found.now) == (2.0, 7.0)
    assert found.se == pytest.approx(np.sqrt(2 / 2 + 8 / 2)), "variances of two rows each, by their number"


def test_rows_of_one_day_are_no_independent_witnesses():
    day = np.repeat(np.arange(10), 100)
    error = np.repeat(np.tile([1.0, 3.0], 5), 100)
    found = error_change("error", error, day >= 5, day)
    of_days = [np.array([3.0, 1.0, 3.0, 1.0, 3.0]), np.array([1.0, 3.0, 1.0, 3.0, 1.0])]
    assert found.se == pytest.approx(np.sqrt(sum(side.var(ddof=1) / 5 for side in of_days))), "as of ten numbers, one a day"


@pytest.mark.parametrize("known", [[], [0], [0, 1], [0, 1, 2]])
def test_a_side_of_less_than_two_rows_tells_nothing(known):
    error = np.full(4, NAN)
    error[known] = 1.0
    assert error_change("error", error, np.array([False, False, True, True]), np.zeros(4, int)) is None


def test_an_error_is_told_in_its_own_unit_and_never_as_a_percentage():
    assert ErrorChange("mean absolute error", 7.4, 3.1, 0.1, "min").text == "mean absolute error from 3.10 to 7.40 min (+4.30 [4.10, 4.50])"
    assert ErrorChange("error", 0.71, 0.18, 0.02).text == "error from 0.180 to 0.710 (+0.530 [0.491, 0.569])"
    assert ErrorChange("mean error", -2.0, 1.0, 0.5).text == "mean error from 1.00 to -2.00 (-3.00 [-3.98, -2.02])"


@pytest.mark.parametrize(
    ("moved", "followed", "expected"),
    [(3.0, 3.0, False), (3.0, 0.0, True), (3.0, -3.0, True), (0.0, 5.0, False), (3.0, 1.0, True), (3.0, 2.0, False)],
)
def test_predictions_that_moved_alone_have_outrun_the_outcome(moved, followed, expected):
    rng = np.random.default_rng(0)
    is_during = np.arange(2000) >= 1000
    said, truth = rng.normal(0, 1, 2000) + moved * is_during, rng.normal(0, 1, 2000) + followed * is_during
    assert has_outrun(said, truth, is_during) is expected


def test_shares_of_classes_are_compared_as_numbers_are():
    is_during = np.arange(2000) >= 1000
    usual, other = np.tile([0.0, 0.0, 1.0, 2.0], 250), np.tile([2.0, 2.0, 1.0, 2.0], 250)
    moved, still = np.concatenate([usual, other]), np.concatenate([usual, usual])
    assert has_outrun(moved, still, is_during, 3)
    assert not has_outrun(moved, moved, is_during, 3)
    assert not has_outrun(still, moved, is_during, 3)
    assert not has_outrun(np.where(is_during, -1.0, moved), still, is_during, 3), "rows without a decision say nothing"
