"""Benjamini and Hochberg's procedure rejects what scipy's adjusted p-values say."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control

from measure_world import quickly
from watchkeeper.stats.testing import adjusted, benjamini_hochberg

ps = st.lists(st.floats(0, 1) | st.floats(0, 0.01), min_size=1, max_size=40).map(np.array)


@given(ps, st.sampled_from([0.01, 0.05, 0.2]))
@quickly
def test_rejections_are_those_of_the_adjusted_p_values(p, level):
    scipys = false_discovery_control(p)
    np.testing.assert_allclose(adjusted(p), scipys, rtol=1e-12)
    clear = np.abs(scipys - level) > 1e-12
    np.testing.assert_array_equal(benjamini_hochberg(p, level)[clear], (scipys <= level)[clear])


@given(ps)
@quickly
def test_a_test_that_was_not_made_changes_nothing_for_the_others(p):
    with_gap = np.insert(p, len(p) // 2, np.nan)
    rejected = benjamini_hochberg(with_gap, 0.05)
    assert not rejected[len(p) // 2]
    np.testing.assert_array_equal(np.delete(rejected, len(p) // 2), benjamini_hochberg(p, 0.05))


def test_no_tests_reject_nothing():
    assert benjamini_hochberg(np.array([]), 0.05).tolist() == []
    assert benjamini_hochberg(np.array([np.nan]), 0.05).tolist() == [False]
