"""Means over rows that come in clusters: the variance is that of clusters, whatever their rows have in common, and its interval covers."""

from dataclasses import astuple
from math import isnan, sqrt

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from watchkeeper.stats.clusters import Clusters, clustered_mean, clustered_share, clusters, independent_rows
from watchkeeper.stats.intervals import mean, proportion

Floats = NDArray[np.float64]


def drawn(rng: np.random.Generator, m: int, size: float, *, alike: float, uneven: bool, is_share: bool, chance: float = 0.3) -> tuple[Floats, Floats]:
    """Return totals and rows of m clusters whose rows have an intra-class correlation."""
    rows = 1.0 + rng.poisson(rng.gamma(1.0, size, m) if uneven else np.full(m, size))
    if is_share:
        chances = rng.beta(chance * (1 / alike - 1), (1 - chance) * (1 / alike - 1), m) if alike else np.full(m, chance)
        return rng.binomial(rows.astype(int), chances).astype(float), rows
    return rows * rng.normal(0, sqrt(alike), m) + rng.normal(0, np.sqrt(rows * (1 - alike))), rows


def covered(found_low: float, found_high: float, truth: float) -> bool:
    return bool(found_low <= truth <= found_high)


def test_clusters_of_one_row_each_are_independent_rows():
    x = np.random.default_rng(0).gamma(2.0, 1.0, 57)
    ours, theirs = clustered_mean(float(x.mean()), clusters(x, np.ones(57))), mean(float(x.sum()), float(x @ x), 57)
    assert (ours.se, ours.low, ours.high) == pytest.approx((theirs.se, theirs.low, theirs.high))


def test_of_equal_sizes_it_is_the_usual_correction_and_degrees():
    totals, m = np.random.default_rng(1).normal(3.0, 1.0, 12), 12
    value = float(totals.sum() / (5 * m))
    se = sqrt(m / (m - 1) * np.sum((totals - 5 * value) ** 2) / (5 * m) ** 2)
    found = clustered_mean(value, clusters(totals, np.full(m, 5.0)))
    assert found.se == pytest.approx(se)
    assert found.high - found.value == pytest.approx(stats.t.ppf(0.975, m - 1) * se)


def test_sums_add_up_over_sets_that_share_no_cluster():
    rng = np.random.default_rng(2)
    x, d = rng.normal(size=40), rng.integers(1, 9, 40).astype(float)
    both = Clusters(*(a + b for a, b in zip(astuple(clusters(x[:15], d[:15])), astuple(clusters(x[15:], d[15:])), strict=True)))
    assert astuple(both) == pytest.approx(astuple(clusters(x, d)))


def test_uneven_clusters_are_worth_fewer():
    assert clusters(np.zeros(4), np.array([2.0, 2.0, 2.0, 2.0])).worth == 4
    assert clusters(np.zeros(4), np.array([97.0, 1.0, 1.0, 1.0])).worth == pytest.approx(10_000 / 9_412)
    assert clusters(np.zeros(3), np.array([0.0, 5.0, 5.0])).count == 2


@pytest.mark.parametrize("rows", [np.array([40.0]), np.array([400.0, 1.0, 2.0]), np.array([])])
def test_one_cluster_or_little_more_leaves_no_interval(rows: Floats):
    for function in (clustered_mean, clustered_share):
        found = function(0.25, clusters(rows / 4, rows))
        assert found.value == 0.25
        assert isnan(found.low)
        assert isnan(found.se)


def test_totals_beyond_all_floats_leave_no_interval():
    assert isnan(clustered_mean(1e200, clusters(np.array([1e200, 2e200, 1e200]), np.ones(3))).low)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_share_of_none_or_all_counts_each_cluster_as_one_row(value: float):
    rows = np.full(30, 50.0)
    found = clustered_share(value, clusters(value * rows, rows))
    like = proportion(30 * value, 30, float(stats.t.ppf(0.975, 29)))
    assert (found.low, found.high, found.n) == pytest.approx((like.low, like.high, 1500))
    assert clustered_share(value, clusters(value * rows, rows), if_alike=1500.0).high - found.low < found.high - found.low or value == 1.0


def test_clusters_that_are_all_the_same_count_as_one_row_each():
    rows = np.array([4.0, 8.0, 2.0, 6.0])
    found = clusters(rows / 2, rows)
    assert independent_rows(0.5, found) == 0
    assert clustered_share(0.5, found).high == pytest.approx(proportion(2, 4, float(stats.t.ppf(0.975, found.worth - 1))).high)


def test_a_share_of_alike_rows_counts_fewer_of_them():
    totals, rows = drawn(np.random.default_rng(3), 400, 20, alike=0.2, uneven=False, is_share=True)
    value = float(totals.sum() / rows.sum())
    assert independent_rows(value, clusters(totals, rows)) == pytest.approx(rows.sum() / (1 + 0.2 * 20), rel=0.2)


@pytest.mark.parametrize("is_share", [False, True])
@pytest.mark.parametrize("uneven", [False, True])
@pytest.mark.parametrize(("alike", "m"), [(0.1, 20), (0.3, 60), (0.5, 60)])
def test_intervals_cover_where_rows_of_a_cluster_are_alike_and_those_of_rows_do_not(is_share: bool, uneven: bool, alike: float, m: int):  # noqa: FBT001
    rng, truth = np.random.default_rng([m, int(10 * alike), is_share, uneven]), 0.3 if is_share else 0.0
    ours, of_rows = [], []
    for _ in range(500):
        totals, rows = drawn(rng, m, 20, alike=alike, uneven=uneven, is_share=is_share)
        value = float(totals.sum() / rows.sum())
        found = (clustered_share if is_share else clustered_mean)(value, clusters(totals, rows))
        ours.append(covered(found.low, found.high, truth))
        spread = sqrt((0.3 * 0.7 if is_share else 1.0) / rows.sum())
        of_rows.append(covered(value - 1.96 * spread, value + 1.96 * spread, truth))
    assert 0.91 <= np.mean(ours) <= 0.985  # 500 runs scatter by 1 point
    assert np.mean(of_rows) <= 0.80


@pytest.mark.parametrize("uneven", [False, True])
def test_intervals_cover_where_clusters_do_not_matter(uneven: bool):  # noqa: FBT001
    rng, ours = np.random.default_rng([7, uneven]), []
    for _ in range(500):
        totals, rows = drawn(rng, 40, 10, alike=0.0, uneven=uneven, is_share=False)
        found = clustered_mean(float(totals.sum() / rows.sum()), clusters(totals, rows))
        ours.append(covered(found.low, found.high, 0.0))
    assert 0.925 <= np.mean(ours) <= 0.975
