"""Scores are kept one by one where they are few or high; of many rows the others share cells."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from measure_world import binary
from watchkeeper.measures.performance import average_precision, roc_auc
from watchkeeper.measures.views import BinaryView
from watchkeeper.measures.worst_cases import log_loss_bounds
from watchkeeper.profiles.close_scores import HIGHEST
from watchkeeper.profiles.counts import add
from watchkeeper.profiles.grids import EXACT, exact_cells, logit_cells, on_the_grid, rounded, scores_of
from watchkeeper.profiles.labelled import SCORE, Labelled, pieces


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


def in_segment(score, truth) -> BinaryView:
    rows = Labelled(score, (score >= 0.5).astype(np.int64), truth)
    return BinaryView({(p.feature, p.outcome): p.count(np.zeros(len(score), np.int64), 1, is_whole=False).of(0) for p in pieces("binary", rows)})


def test_in_segments_scores_spread_out_or_really_equal_stay_on_the_grid_and_close_ones_do_not():
    score, truth = drawn(900, 0.49)
    for spread in (score, np.round(score, 1)):
        assert (cells_of(in_segment(spread, truth)) < EXACT).all()
    score, truth = drawn(900, 1e-4)
    assert (cells_of(in_segment(score, truth)) >= EXACT).all()


@pytest.mark.parametrize(("rows", "width"), [(20_000, 0.49), (20_000, 1e-3), (300_000, 0.49), (300_000, 1e-9)])
def test_of_many_rows_the_highest_scores_are_kept_one_by_one_and_the_rest_in_few_cells(rows, width):
    score, truth = drawn(rows, width)
    view = binary(score, truth)
    cells = np.unique(cells_of(view))
    highest = np.unique(score)[-HIGHEST // 2 :]
    assert np.isin(rounded(exact_cells(highest)), cells).all() or np.isin(exact_cells(highest), cells).all()
    assert len(cells) < 2_500
    assert roc_auc(view).value == pytest.approx(roc_auc_score(truth, score), abs=0.0005)
    assert average_precision(view).value == pytest.approx(average_precision_score(truth, score), abs=0.002)


def test_a_single_positive_among_many_rows_is_ranked_to_a_thousandth():
    score = drawn(6_000, 0.05)[0]
    for place in (10, 3_000, 5_500):
        truth = np.zeros(6_000)
        truth[np.argsort(score)[place]] = 1
        assert roc_auc(binary(score, truth)).value == pytest.approx(roc_auc_score(truth, score), abs=0.001)


def summed(*views: BinaryView) -> BinaryView:
    return BinaryView({key: add([v.parts[key] for v in views if key in v.parts]) for key in {k for v in views for k in v.parts}})


def test_days_of_few_rows_add_up_to_the_exact_ranking_of_all_of_them():
    days = [drawn(500, 0.3, seed) for seed in range(6)]
    score, truth = (np.concatenate(side) for side in zip(*days, strict=True))
    whole = summed(*(binary(*day) for day in days))
    assert roc_auc(whole).value == pytest.approx(roc_auc_score(truth, score), abs=1e-9)
    assert average_precision(whole).value == pytest.approx(average_precision_score(truth, score), abs=1e-9)


def test_a_score_beside_a_part_that_has_only_the_step_it_lies_in_shares_that_step_and_others_stay_as_they_are():
    """Parts of earlier releases, and the crowded cells of large ones, hold steps of the grid."""
    (a, ta), (b, tb) = drawn(600, 0.3, 1), drawn(600, 0.3, 2)
    old = in_segment(a, ta)
    whole = summed(old, binary(b, tb))
    positives, negatives, _ = whole.cells()
    _, scores = whole.by_score("0", "1")
    assert int(positives.sum() + negatives.sum()) == 1200
    assert (np.diff(scores) > 0).all()
    steps = set(cells_of(old).tolist())
    alone = [s for s in b if int(logit_cells(np.array([s]))[0]) not in steps]
    assert 0 < len(alone) < 600
    assert np.isin(scores_of(rounded(exact_cells(np.array(alone)))), scores).all()
    assert 0 < whole.tied < 0.005
    assert roc_auc(whole).value == pytest.approx(roc_auc_score([*ta, *tb], [*a, *b]), abs=whole.tied)


def test_scores_that_lie_close_together_on_the_grid_say_how_roughly_they_are_ranked():
    """As parts of earlier releases hold them."""
    score, truth = drawn(900, 1e-4)
    view = BinaryView({key: c.moved(on_the_grid) if key[0] == SCORE else c for key, c in binary(score, truth).parts.items()})
    found = roc_auc(view)
    assert found.reason.startswith("the scores lie close together: ranked to ")
    assert abs(found.value - roc_auc_score(truth, score)) <= float(found.reason.split()[-1]) + 0.0005


def test_the_bounds_of_the_log_loss_hold_for_close_scores_without_a_label():
    score = 0.3 + 1e-6 * np.arange(40)
    truth = np.where(np.arange(40) < 20, 0.0, np.nan)
    low, high = log_loss_bounds(binary(score, truth))
    assert low == pytest.approx(-np.log(0.7), abs=1e-3)
    assert high == pytest.approx((-np.log(0.7) - np.log(0.3)) / 2, abs=1e-3)


def test_twelve_digits_of_many_scores_are_kept_and_all_where_that_would_tie_two():
    score, truth = drawn(200, 0.4)
    assert not (cells_of(binary(score, truth)) % (1 << 12)).any()
    np.testing.assert_array_equal(np.sort(cells_of(binary(score[:99], truth[:99]))), np.sort(exact_cells(score[:99])))
    score[1] = np.nextafter(score[0], 1)
    np.testing.assert_array_equal(np.sort(cells_of(binary(score, truth))), np.sort(exact_cells(score)))


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
