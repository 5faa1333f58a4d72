"""Scores that the grid would tie together are kept one by one, where there are few enough of them."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from measure_world import binary
from watchkeeper.measures.performance import average_precision, roc_auc
from watchkeeper.measures.views import BinaryView
from watchkeeper.profiles.counts import Counts, add
from watchkeeper.profiles.grids import EXACT, exact_cells, logit_cells, on_the_grid, scores_of
from watchkeeper.profiles.labelled import SCORE


def drawn(n: int, width: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = (rng.random(n) < 0.3).astype(float)
    return 0.5 + width * np.tanh(rng.normal(size=n) + truth), truth


def cells_of(view: BinaryView) -> np.ndarray:
    return np.concatenate([view.score(o).cells for o in ("0", "1")])


@pytest.mark.parametrize("width", [1e-2, 1e-4, 1e-9])
def test_close_scores_are_ranked_exactly(width):
    score, truth = drawn(900, width)
    view = binary(score, truth)
    assert (cells_of(view) >= EXACT).all()
    assert roc_auc(view).value == pytest.approx(roc_auc_score(truth, score), abs=1e-12)
    assert average_precision(view).value == pytest.approx(average_precision_score(truth, score), abs=1e-12)


def test_scores_spread_out_or_really_equal_stay_on_the_grid():
    score, truth = drawn(900, 0.49)
    for spread in (score, np.round(score, 1)):
        assert (cells_of(binary(spread, truth)) < EXACT).all()


def test_close_scores_that_are_too_many_stay_on_the_grid_and_the_number_says_how_rough_it_is():
    score, truth = drawn(20_000, 1e-3)
    found = roc_auc(binary(score, truth))
    exact = roc_auc_score(truth, score)
    assert found.reason.startswith("the scores lie close together: ranked to ")
    assert abs(found.value - exact) <= float(found.reason.split()[-1]) + 0.0005


def test_exact_parts_and_parts_on_the_grid_add_up_on_the_grid():
    near, far = (binary(*drawn(600, width, seed)) for width, seed in ((1e-4, 1), (0.49, 2)))
    whole = BinaryView({key: add([near.parts.get(key, Counts()), far.parts.get(key, Counts())]) for key in {*near.parts, *far.parts}})
    positives, negatives, _ = whole.cells()
    assert int(positives.sum() + negatives.sum()) == 1200
    (a, ta), (b, tb) = drawn(600, 1e-4, 1), drawn(600, 0.49, 2)
    assert roc_auc(whole).value == pytest.approx(roc_auc_score([*ta, *tb], [*a, *b]), abs=0.005 + whole.tied)
    assert whole.score("1").n + whole.score("0").n == 1200


def test_an_exact_cell_is_its_score_and_rises_with_it():
    score = np.sort(np.concatenate([[0.0, 1.0, 5e-324], np.random.default_rng(3).random(200)]))
    cells = exact_cells(score)
    assert (np.diff(cells) > 0).all()
    np.testing.assert_array_equal(scores_of(cells), score)
    np.testing.assert_array_equal(on_the_grid(cells), logit_cells(score))
    np.testing.assert_array_equal(on_the_grid(logit_cells(score)), logit_cells(score))
    np.testing.assert_allclose(scores_of(logit_cells(score)), score, atol=0.002)


def test_private_sums_per_cell_are_not_needed_for_scores():
    assert len(binary(*drawn(300, 0.4)).parts[SCORE, "1"].sums) == 0
