"""Distances agree with scipy, or with the textbook where scipy has none."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial.distance import jensenshannon

from measure_world import quickly
from watchkeeper.stats import distances

counts = st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 10_000)), min_size=1, max_size=60).map(lambda rows: np.array(rows, np.int64).T)
both_filled = counts.filter(lambda pair: pair[0].sum() > 0 and pair[1].sum() > 0)
ON_COUNTS = [
    distances.psi,
    distances.jensen_shannon,
    distances.hellinger,
    distances.total_variation,
    distances.kolmogorov_smirnov,
    distances.chi_square,
]


def textbook_psi(reference, analysis) -> float:
    used = [(r + 0.5, a + 0.5) for r, a in zip(reference.tolist(), analysis.tolist(), strict=True) if r or a]
    before, after = (math.fsum(side) for side in zip(*used, strict=True))
    return math.fsum((a / after - r / before) * math.log((a / after) / (r / before)) for r, a in used)


@given(both_filled)
@quickly
def test_psi_is_the_textbook_sum_with_half_a_count_in_each_used_cell(pair):
    assert distances.psi(*pair) == pytest.approx(textbook_psi(*pair), abs=1e-9)


@given(both_filled)
@quickly
def test_jensen_shannon_is_scipys_in_base_2(pair):
    assert distances.jensen_shannon(*pair) == pytest.approx(jensenshannon(*pair, base=2), abs=1e-7)
    assert distances.jensen_shannon(*pair) ** 2 == pytest.approx(jensenshannon(*pair, base=2) ** 2, abs=1e-9)


@given(both_filled)
@quickly
def test_chi_square_is_scipys_without_correction(pair):
    used = pair[:, pair.sum(axis=0) > 0]
    expected = stats.chi2_contingency(used, correction=False).statistic
    assert distances.chi_square(*pair) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@given(both_filled)
@quickly
def test_kolmogorov_smirnov_is_scipys_on_rows_that_sit_at_their_cell(pair):
    capped = np.minimum(pair, 50)
    rows = [np.repeat(np.arange(capped.shape[1]), side) for side in capped]
    assert distances.kolmogorov_smirnov(*capped) == pytest.approx(stats.ks_2samp(*rows, method="asymp").statistic, abs=1e-9)


@given(both_filled)
@quickly
def test_wasserstein_is_scipys_with_each_cell_at_its_own_mean(pair):
    rng = np.random.default_rng(int(pair.sum()))
    centres = np.sort(rng.normal(size=pair.shape)) + np.arange(pair.shape[1])
    used = pair > 0
    expected = stats.wasserstein_distance(centres[0][used[0]], centres[1][used[1]], pair[0][used[0]], pair[1][used[1]])
    assert distances.wasserstein(*pair, *(pair * centres)) == pytest.approx(expected, abs=1e-9)


@given(both_filled)
@quickly
def test_hellinger_and_total_variation_are_the_textbook_ones(pair):
    r, a = (side / side.sum() for side in pair)
    assert distances.hellinger(*pair) == pytest.approx(math.sqrt(math.fsum((np.sqrt(r) - np.sqrt(a)) ** 2) / 2), abs=1e-9)
    assert distances.total_variation(*pair) == pytest.approx(math.fsum(np.abs(r - a)) / 2, abs=1e-9)


@pytest.mark.parametrize("distance", ON_COUNTS, ids=lambda d: d.__name__)
@given(side=counts.map(lambda pair: pair[0]).filter(lambda c: c.sum() > 0))
@quickly
def test_equal_counts_are_no_distance_apart(distance, side):
    assert distance(side, side) == pytest.approx(0, abs=1e-7)


@pytest.mark.parametrize("distance", ON_COUNTS, ids=lambda d: d.__name__)
@pytest.mark.parametrize("empty", [0, 1])
def test_an_empty_side_has_no_distance(distance, empty):
    sides = [np.array([3, 4]), np.array([5, 6])]
    sides[empty] = np.array([0, 0])
    assert math.isnan(distance(*sides))


def test_an_empty_side_has_no_wasserstein_distance():
    some, none = np.array([3]), np.array([0])
    assert math.isnan(distances.wasserstein(none, some, none.astype(float), some.astype(float)))


def test_psi_of_a_small_shift_into_an_empty_cell_stays_small():
    reference, analysis = np.array([1000, 0]), np.array([999, 1])
    assert distances.psi(reference, analysis) < 0.01
