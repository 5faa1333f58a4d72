"""Intervals are those of their sources, and cover what they should."""

from math import isnan, sqrt

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import brentq
from statsmodels.stats.proportion import proportion_confint

from watchkeeper.stats.intervals import (
    Z95,
    auc_interval,
    mean,
    proportion,
    ratio_of_counts,
)
from watchkeeper.stats.ranking import roc_auc


@pytest.mark.parametrize(("hits", "n"), [(0, 1), (1, 1), (0, 40), (3, 7), (40, 40), (1, 100_000), (54_321, 100_000)])
def test_a_proportion_has_wilsons_interval(hits, n):
    low, high = proportion_confint(hits, n, method="wilson")
    ours = proportion(hits, n)
    assert (ours.value, ours.n) == (hits / n, n)
    assert (ours.low, ours.high) == pytest.approx((low, high), abs=1e-12)


@pytest.mark.parametrize("n", [*range(1, 400), 1351, 100_000])
def test_of_none_or_all_the_interval_ends_at_zero_or_one_exactly(n):
    assert (proportion(0, n).low, proportion(n, n).high) == (0.0, 1.0)


@pytest.mark.parametrize("n", [2, 3, 30, 5000])
def test_a_mean_has_students_interval(n):
    values = np.random.default_rng(n).gamma(2.0, 3.0, n)
    ours = mean(float(values.sum()), float((values**2).sum()), n)
    low, high = stats.t.interval(0.95, n - 1, values.mean(), stats.sem(values))
    assert (ours.value, ours.se, ours.low, ours.high) == pytest.approx((values.mean(), stats.sem(values), low, high), rel=1e-9)


def test_the_mean_of_one_row_has_no_interval_and_says_so():
    one = mean(4.0, 16.0, 1)
    assert one.value == 4.0
    assert isnan(one.low)
    assert "one row" in one.reason


@pytest.mark.parametrize("estimate", [mean(0.0, 0.0, 0), proportion(0, 0), auc_interval(0.5, 0, 3), auc_interval(0.5, 3, 0)])
def test_nothing_to_estimate_from_is_undefined_with_a_reason(estimate):
    assert not estimate.is_defined
    assert estimate.reason


def hanley_mcneil(theta: float, positives: int, negatives: int) -> float:
    """Newcombe's method 5: Hanley and McNeil's variance with both group sizes replaced by their mean."""
    shared = (positives + negatives) / 2 - 1
    spread = 1 + shared * (1 - theta) / (2 - theta) + shared * theta / (1 + theta)
    return sqrt(theta * (1 - theta) * spread / (positives * negatives))


@pytest.mark.parametrize(("auc", "positives", "negatives"), [(0.5, 5, 5), (0.9, 30, 30), (0.72, 8, 900), (0.99, 200, 50), (0.2, 12, 40)])
def test_an_auc_has_newcombes_interval(auc, positives, negatives):
    ours = auc_interval(auc, positives, negatives)
    for limit, side in ((ours.low, -1), (ours.high, 1)):
        end = 1e-12 if side < 0 else 1 - 1e-12
        expected = brentq(lambda t, s=side: s * (t - auc) - Z95 * hanley_mcneil(t, positives, negatives), auc, end)
        assert limit == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("auc", [0.0, 1.0])
def test_a_perfect_auc_still_has_an_interval_inside_zero_and_one(auc):
    ours = auc_interval(auc, 6, 9)
    assert 0 <= ours.low <= auc <= ours.high <= 1
    assert ours.high - ours.low > 0.1


def coverage(truth: float, intervals) -> float:
    return float(np.mean([low <= truth <= high for low, high in intervals]))


@pytest.mark.parametrize(("positives", "negatives", "shift"), [(5, 5, 1.0), (8, 60, 1.5), (40, 40, 0.5)])
def test_auc_intervals_cover_from_five_rows_of_each_class_up(positives, negatives, shift):
    rng = np.random.default_rng(positives)
    found = []
    for _ in range(600):
        score = np.concatenate([rng.normal(shift, 1, positives), rng.normal(0, 1, negatives)])
        is_positive = np.arange(len(score)) < positives
        ranked = is_positive[np.argsort(score)].astype(np.int64)
        ours = auc_interval(roc_auc(ranked, 1 - ranked), positives, negatives)
        found.append((ours.low, ours.high))
    assert 0.93 <= coverage(stats.norm.cdf(shift / sqrt(2)), found) <= 0.99


@pytest.mark.parametrize("n", [5, 15, 60, 400])
def test_proportion_intervals_cover_95_percent_on_average_over_p(n):
    ours = [proportion(k, n) for k in range(n + 1)]
    p = np.linspace(0.02, 0.98, 97)
    chance = stats.binom.pmf(np.arange(n + 1)[:, None], n, p)
    covers = np.array([[e.low] for e in ours]) <= p, p <= np.array([[e.high] for e in ours])
    covered = (chance * (covers[0] & covers[1])).sum(axis=0)
    assert covered.mean() == pytest.approx(0.95, abs=0.01)
    assert covered.min() > 0.83


def test_mean_intervals_cover():
    rows = np.random.default_rng(3).normal(7.0, 2.0, (1500, 12))
    ours = [mean(float(r.sum()), float((r * r).sum()), len(r)) for r in rows]
    assert 0.935 <= coverage(7.0, [(e.low, e.high) for e in ours]) <= 0.965


def f1(c) -> float:
    return 2 * c[1, 1] / (2 * c[1, 1] + c[0, 1] + c[1, 0])


def test_a_delta_interval_has_the_spread_that_resampling_has():
    table = np.array([[500, 60], [80, 160]])
    again = np.random.default_rng(0).multinomial(table.sum(), table.ravel() / table.sum(), 4000).reshape(-1, 2, 2)
    ours = ratio_of_counts(f1, table)
    assert ours.value == f1(table)
    assert ours.se == pytest.approx(np.std([f1(c) for c in again]), rel=0.05)


def test_a_delta_interval_ends_where_its_quantity_does():
    nearly = ratio_of_counts(f1, np.array([[5, 0], [1, 9]]))
    assert nearly.high == 1.0
    assert ratio_of_counts(lambda c: float(c[0] / c.sum()), np.array([1, 9])).low == 0.0


def test_moving_an_estimate_moves_its_interval():
    moved = proportion(8, 10).shifted(-0.8)
    assert moved.value == pytest.approx(0)
    assert moved.low < 0 < moved.high
