"""Raking gives rows the shares wanted, says how much it cost, and where no row can stand for others."""

import numpy as np
import pytest

from watchkeeper.stats.raking import raked


def shares(cells: np.ndarray, weights: np.ndarray, width: int) -> np.ndarray:
    return np.bincount(cells, weights=weights, minlength=width) / weights.sum()


@pytest.mark.parametrize("seed", range(20))
def test_every_feature_has_the_shares_wanted(seed):
    rng = np.random.default_rng(seed)
    cells, rows = rng.integers(0, 5, (200, 3)), rng.integers(1, 40, 200)
    wanted = [rng.dirichlet([4.0] * 5) for _ in range(3)]
    found = raked(cells, rows, wanted)
    for f, share in enumerate(wanted):
        assert shares(cells[:, f], found.weights * rows, 5) == pytest.approx(share, abs=1e-3)
    assert (found.weights * rows).sum() == pytest.approx(found.effective)
    assert found.effective == pytest.approx((found.weights * rows).sum() ** 2 / (found.weights**2 * rows).sum())
    assert found.effective < rows.sum()


def test_rows_that_have_the_shares_already_all_count_the_same():
    cells, rows = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), np.array([10, 20, 30, 40])
    found = raked(cells, rows, [np.array([0.3, 0.7]), np.array([0.4, 0.6])])
    assert found.weights == pytest.approx(np.ones(4))
    assert found.effective == pytest.approx(100)


def test_of_inputs_that_move_apart_from_each_other_the_weights_are_the_ratio_of_densities():
    rng = np.random.default_rng(3)
    before, after = (np.stack([rng.choice(4, 200_000, p=p) for p in side], 1) for side in (([0.4, 0.3, 0.2, 0.1],) * 2, ([0.1, 0.2, 0.3, 0.4],) * 2))
    kinds, rows = np.unique(before, axis=0, return_counts=True)
    found = raked(kinds, rows, [np.bincount(after[:, f], minlength=4) / len(after) for f in range(2)])
    ratio = np.array([0.1, 0.2, 0.3, 0.4]) / np.array([0.4, 0.3, 0.2, 0.1])
    assert found.weights / found.weights.sum() == pytest.approx((ratio[kinds[:, 0]] * ratio[kinds[:, 1]]) / ratio.sum() ** 2, rel=0.03)


def test_a_share_wanted_where_no_row_lies_is_told_and_the_rest_is_weighted():
    cells, rows = np.array([[0, 0], [1, 1]]), np.array([50, 50])
    found = raked(cells, rows, [np.array([0.3, 0.3, 0.4]), np.array([0.5, 0.5])])
    assert found.outside.tolist() == [0.4, 0.0]
    assert found.weights == pytest.approx([1.0, 1.0])


def test_shares_that_exclude_one_another_leave_no_rows():
    found = raked(np.array([[0, 0], [1, 1]]), np.array([50, 50]), [np.array([1.0, 0.0]), np.array([0.0, 1.0])])
    assert found.effective < 200
