"""Differences and ratios of shares are those of their sources; small groups are drawn towards what is expected of them."""

from math import inf

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep

from watchkeeper.stats.differences import difference, difference_of_means, prior_strength, ratio, rows_needed, shrunk, z_of
from watchkeeper.stats.intervals import proportion

PAIRS = [((56, 70), (48, 80)), ((0, 30), (3, 900)), ((30, 30), (880, 900)), ((9, 40), (5000, 20_000)), ((0, 30), (0, 30))]
PAIRS += [((0, 10), (0, 20)), ((10, 10), (0, 20)), ((9, 10), (3, 10)), ((120, 4_000), (9_000, 100_000))]


@pytest.mark.parametrize("level", [0.95, 0.99, 0.999])
@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_a_difference_has_newcombes_interval(ours, theirs, level):
    found = difference(proportion(*ours, z_of(level)), proportion(*theirs, z_of(level)))
    low, high = confint_proportions_2indep(*ours, *theirs, method="newcomb", compare="diff", alpha=1 - level)
    assert (found.value, found.n) == (ours[0] / ours[1] - theirs[0] / theirs[1], ours[1])
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-9)


@pytest.mark.parametrize(("ours", "theirs"), [((56, 70), (48, 80)), ((100, 400), (1250, 5000)), ((9, 100), (500, 5000))])
def test_a_ratio_lies_near_the_score_interval(ours, theirs):
    found = ratio(proportion(*ours), proportion(*theirs))
    low, high = confint_proportions_2indep(*ours, *theirs, method="score", compare="ratio")
    assert (found.low, found.high) == pytest.approx((low, high), rel=0.06)


@pytest.mark.parametrize(("p", "q", "n", "m"), [(0.1, 0.1, 200, 2000), (0.3, 0.5, 50, 500), (0.05, 0.08, 400, 400)])
def test_a_ratios_interval_covers_the_truth_about_as_often_as_it_says(p, q, n, m):
    rng = np.random.default_rng(3)
    drawn = zip(rng.binomial(n, p, 2000), rng.binomial(m, q, 2000), strict=True)
    covered = [e.low <= p / q <= e.high for e in (ratio(proportion(int(a), n), proportion(int(b), m)) for a, b in drawn)]
    assert 0.935 <= np.mean(covered) <= 0.975


def test_of_no_hits_a_ratio_is_zero_and_of_none_among_the_others_there_is_none():
    none = ratio(proportion(0, 50), proportion(30, 100))
    assert (none.value, none.low) == (0.0, 0.0)
    assert 0 < none.high < 0.4
    assert not ratio(proportion(5, 50), proportion(0, 100)).is_defined


def test_where_the_others_may_be_almost_none_a_ratio_is_hardly_bounded_above():
    assert ratio(proportion(10, 50), proportion(1, 2000)).high > 300
    assert ratio(proportion(10, 50), proportion(1, 2000)).high < inf


@pytest.mark.parametrize(("hits", "n", "prior", "strength"), [(0, 40, 0.1, 20), (3, 31, 0.5, 31), (40, 40, 0.9, 1)])
def test_a_small_groups_share_is_the_beta_posterior(hits, n, prior, strength):
    found = shrunk(hits, n, prior, strength, 0.99)
    posterior = stats.beta(hits + strength * prior, n - hits + strength * (1 - prior))
    assert (found.value, found.se) == pytest.approx((posterior.mean(), posterior.std()), rel=1e-9)
    assert (found.low, found.high) == pytest.approx(posterior.interval(0.99), abs=1e-9)


@pytest.mark.parametrize("strength", [5, 50])
def test_the_strength_of_a_prior_is_found_again_in_groups_drawn_from_it(strength):
    rng = np.random.default_rng(1)
    shares = rng.beta(0.2 * strength, 0.8 * strength, 4000)
    hits = rng.binomial(200, shares)
    assert prior_strength(hits.tolist(), [200] * 4000, [0.2] * 4000) == pytest.approx(strength, rel=0.1)


def test_the_rows_needed_give_the_power_they_are_reckoned_for():
    """With so many rows on either side, a gap as large as the tolerance leaves zero out of its interval in four of five cases."""
    n = rows_needed(0.25, 0.05, 0.95)
    rng = np.random.default_rng(2)
    drawn = zip(rng.binomial(n, 0.525, 3000), rng.binomial(n, 0.475, 3000), strict=True)
    outside = [difference(proportion(int(a), n), proportion(int(b), n)).low > 0 for a, b in drawn]
    assert np.mean(outside) == pytest.approx(0.8, abs=0.03)


@pytest.mark.parametrize(("n", "other"), [(2, 2), (3, 400), (200, 5)])
def test_a_difference_of_means_has_welchs_interval(n, other):
    rng = np.random.default_rng(n)
    values, others = rng.gamma(2.0, 3.0, n), rng.normal(1.0, 0.2, other)
    ours = difference_of_means(values, others)
    theirs = stats.ttest_ind(values, others, equal_var=False)
    low, high = theirs.confidence_interval()
    assert (ours.value, ours.value / ours.se, ours.low, ours.high) == pytest.approx((values.mean() - others.mean(), theirs.statistic, low, high))


def test_differences_that_have_no_interval_say_why():
    two, same = np.array([1.0, 2.0]), np.array([4.0, 4.0])
    assert "too few rows" in difference_of_means(two[:1], two).reason
    assert difference(proportion(0, 0), proportion(1, 2)).reason == "no rows"
    assert (difference_of_means(same, same).value, difference_of_means(same, same).reason) == (0.0, "no spread: no interval")
