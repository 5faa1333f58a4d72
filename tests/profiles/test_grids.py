"""Fixed grids keep the order of what they hold, and their atoms are exact."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from measure_world import quickly
from watchkeeper.profiles.grids import LOGIT_CELLS, SIGNED_LOG_CELLS, latency_cells, latency_middle, logit_cells, logit_ends, signed_log_cells

chances = st.lists(st.floats(0, 1), min_size=1, max_size=60).map(np.array)
numbers = st.lists(st.floats(-1e12, 1e12), min_size=1, max_size=60).map(np.array)


@given(chances)
@quickly
def test_logit_cells_rise_with_the_score(p):
    p = np.sort(p)
    cells = logit_cells(p)
    assert (np.diff(cells) >= 0).all()
    assert cells.min() >= 0
    assert cells.max() < LOGIT_CELLS


@given(chances)
@quickly
def test_a_score_lies_between_the_ends_of_its_logit_cell(p):
    low, high = logit_ends(logit_cells(p))
    assert (low - 1e-12 <= p).all()
    assert (p <= high + 1e-12).all()


def test_nought_and_one_have_logit_cells_of_their_own():
    near = np.array([0.0, 5e-324, 1e-12, 0.5, 1 - 1e-12, np.nextafter(1, 0), 1.0])
    cells = logit_cells(near)
    assert (cells == 0).tolist() == [True, *[False] * 6]
    assert (cells == LOGIT_CELLS - 1).tolist() == [*[False] * 6, True]


def test_scores_outside_the_usual_count_as_nought_or_one():
    assert logit_cells(np.array([-0.2, 1.7, -np.inf, np.inf])).tolist() == [0, LOGIT_CELLS - 1, 0, LOGIT_CELLS - 1]


@given(numbers)
@quickly
def test_signed_log_cells_rise_with_the_number_and_mirror_at_nought(x):
    x = np.sort(x)
    cells = signed_log_cells(x)
    assert (np.diff(cells) >= 0).all()
    assert cells.min() >= 0
    assert cells.max() < SIGNED_LOG_CELLS
    middle = SIGNED_LOG_CELLS // 2
    np.testing.assert_array_equal(signed_log_cells(-x) - middle, middle - cells)
    np.testing.assert_array_equal(cells == middle, x == 0)


@given(st.lists(st.floats(1e-3, 1e9), min_size=1, max_size=60).map(np.array))
@quickly
def test_the_middle_of_a_latency_cell_is_within_one_percent_of_what_it_holds(ms):
    np.testing.assert_allclose(latency_middle(latency_cells(ms)), ms, rtol=0.01)


@pytest.mark.parametrize("ms", [0.0, -5.0, 1.1e9, 1e308, np.inf])
def test_no_latency_is_the_first_cell_and_nought(ms):
    cells = latency_cells(np.array([ms]))
    assert cells.tolist() == [0]
    assert latency_middle(cells).tolist() == [0.0]
