"""A number that floats cannot hold is no number: not evaluated, with its reason, and never a zero."""

import warnings
from math import isfinite

import numpy as np
import pytest

from measure_world import counted, regression
from watchkeeper.measures import catalogue
from watchkeeper.measures.views import FeatureView
from watchkeeper.profiles.bins import fit_numeric
from watchkeeper.stats.intervals import OVERFLOW, mean

RNG = np.random.default_rng(5)
FAR = RNG.choice([1e308, -1e308, 1.7e308], 400)
LARGE = RNG.normal(size=400) * 1e200
NEAR = RNG.normal(size=400)


def measured(reference, analysis) -> dict:
    """Return every feature metric that numbers have, computed with warnings as errors."""
    bins = fit_numeric("x", reference)
    ours = [FeatureView(bins, counted(bins, values)) for values in (reference, analysis)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return {m.name: m.function(*ours) for m in catalogue.of("feature", stored_only=False) if m.only != "category"}


@pytest.mark.parametrize("analysis", [FAR, np.concatenate([NEAR, [1e308, 1e308]])], ids=["all", "two"])
@pytest.mark.parametrize("reference", [FAR, NEAR], ids=["of such", "of others"])
def test_values_that_cannot_be_added_up_have_no_mean_and_no_distance_in_their_unit(reference, analysis):
    found = measured(reference, analysis)
    without = {name: e.reason for name, e in found.items() if not e.is_defined}
    assert without == {"mean": OVERFLOW, "wasserstein": OVERFLOW}


def test_values_whose_squares_overflow_have_a_mean_without_an_interval():
    found = measured(LARGE, LARGE)
    assert found["mean"].value == pytest.approx(LARGE.mean())
    assert not isfinite(found["mean"].se)
    assert found["mean"].reason == "the squares are too large to add up: no interval"
    assert found["wasserstein"].value == 0.0


def test_a_distance_between_floats_near_the_end_is_one():
    found = measured(np.full(400, 1e305), np.full(400, 3e305))
    assert found["wasserstein"].value == pytest.approx(2e305)


def test_a_mean_beyond_all_floats_says_so():
    for total in (np.inf, -np.inf, np.nan):
        assert mean(total, 1.0, 5).reason == OVERFLOW


def test_errors_beyond_all_floats_leave_no_kpi_of_them():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        view = regression([1e308, -1e308, 1e308, 5.0], [-1e308, 1e308, 3.0, 5.0])
        found = {m.name: m.function(view) for m in catalogue.of("regression", stored_only=False) if not m.estimates}
    missing = {name: e.reason for name, e in found.items() if not e.is_defined}
    quantiles = {name for name in found if name.startswith(("error_p", "absolute_error_p"))} - {"error_p50"}
    sums = ("mae", "rmse", "bias", "mape", "r2", *(f"pinball_{q}" for q in (10, 50, 90)))
    assert missing == dict.fromkeys(sums, OVERFLOW) | dict.fromkeys(quantiles, "errors of a million and more are not told apart")


def test_large_errors_have_a_mean_without_an_interval_and_no_mean_square():
    view = regression([1e200, -1e200, 1e200, 5.0], [3.0, 2.0, 1.0, 5.0])
    found = {m.name: m.function(view) for m in catalogue.of("regression", stored_only=False) if not m.estimates}
    assert found["mae"].value == pytest.approx(0.75e200)
    assert {name for name, e in found.items() if e.reason == OVERFLOW} == {"rmse", "r2"}


def test_of_a_private_column_there_is_no_mean_and_no_distance_in_its_unit():
    bins = fit_numeric("x", NEAR)
    ours = FeatureView(bins, counted(bins, NEAR).without_values())
    found = {m.name: m.function(ours, ours).reason for m in catalogue.of("feature", stored_only=False) if m.name in ("mean", "wasserstein")}
    assert found == dict.fromkeys(("mean", "wasserstein"), "of a private column only counts are kept")
