"""Losses by feature are sums over the labelled rows of each coarse cell, for every task and kind of column, however rows are grouped."""

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import log_loss

from watchkeeper.profiles.bins import code_categories, code_numeric, fit_category, fit_numeric
from watchkeeper.profiles.counts import add
from watchkeeper.profiles.labelled import Labelled
from watchkeeper.profiles.losses import counted_losses, errors, losses, losses_of, row_errors
from watchkeeper.profiles.scan import Numbers, of_category

RNG = np.random.default_rng(5)
N = 4000
SCORE = RNG.random(N)
TRUTH = np.where(RNG.random(N) < 0.1, np.nan, (RNG.random(N) < SCORE).astype(float))
DECISION = (SCORE > 0.5).astype(np.int64)
NOTHING = np.full(N, -1)
VALUES = RNG.normal(size=N)
TOWNS = np.array(["ulm", "bonn", "köln", "new"])[RNG.integers(0, 4, N)]
NUMERIC, CATEGORY = fit_numeric("x", RNG.normal(size=3000)), fit_category("town", {"ulm": 5, "bonn": 3, "köln": 2})
CHUNKED = pa.chunked_array([pa.array(VALUES[:1500], mask=np.arange(1500) % 7 == 0), pa.array(VALUES[1500:])])
GONE = np.arange(N) % 7 == 0
GONE[1500:] = False
COLUMNS = {
    "numbers": (Numbers("x", NUMERIC), NUMERIC, CHUNKED, np.where(GONE, -1, NUMERIC.fold[code_numeric(NUMERIC, VALUES)])),
    "texts": (
        of_category("town", CATEGORY),
        CATEGORY,
        pa.chunked_array([pa.array(np.where(GONE, None, TOWNS))]),
        np.where(GONE, -1, CATEGORY.fold[code_categories(CATEGORY, TOWNS.tolist())]),
    ),
    "dictionary": (
        of_category("town", CATEGORY),
        CATEGORY,
        pa.chunked_array([pa.array(TOWNS[:100].tolist()).dictionary_encode(), pa.array(TOWNS[100:].tolist()).dictionary_encode()]),
        CATEGORY.fold[code_categories(CATEGORY, TOWNS.tolist())],
    ),
}
TASKS = {
    "binary": (Labelled(SCORE, DECISION, TRUTH), -np.where(TRUTH == 1, np.log(SCORE), np.log(1 - SCORE)), SCORE),
    "regression": (Labelled(SCORE, NOTHING, TRUTH * 3), np.abs(SCORE - TRUTH * 3), SCORE),
    "multiclass": (
        Labelled(SCORE, DECISION, np.nan_to_num(TRUTH, nan=-1).astype(np.int64), ("a", "b")),
        (DECISION != TRUTH).astype(float),
        0 * SCORE,
    ),
}


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("kind", COLUMNS)
def test_rows_losses_and_scores_add_up_in_each_cell_and_group(task, kind):
    quantity, bins, column, cells = COLUMNS[kind]
    rows, lost, score = TASKS[task]
    group = (np.arange(N) % 3 - 1).astype(np.int32)
    found = losses(task, rows)
    counted = counted_losses(quantity, bins, column, found, group, 2).each()
    for g, counts in enumerate(counted):
        n, loss, scored = losses_of(counts, bins)
        assert counts.n == int(((group == g) & np.isfinite(TRUTH)).sum())
        for c in range(bins.coarse_size):
            inside = (cells == c) & (group == g) & np.isfinite(TRUTH)
            assert n[c] == inside.sum()
            assert loss[c] == pytest.approx(lost[inside].sum(), rel=5e-4)
            assert scored[c] == pytest.approx(score[inside].sum(), rel=5e-4)
    assert counts.valued == int(((cells >= 0) & (group == 1) & np.isfinite(TRUTH)).sum())
    together = losses_of(add(counted), bins)
    whole = losses_of(counted_losses(quantity, bins, column, found, np.where(group < 0, -1, 0).astype(np.int32), 1).each()[0], bins)
    np.testing.assert_array_equal(together[0], whole[0])
    np.testing.assert_allclose(together[1], whole[1], rtol=1e-3)


def test_the_loss_of_all_cells_is_the_log_loss():
    known = np.isfinite(TRUTH)
    found = losses("binary", TASKS["binary"][0])
    [counts] = counted_losses(Numbers("x", NUMERIC), NUMERIC, pa.chunked_array([VALUES]), found, np.zeros(N, np.int32), 1).each()
    n, loss, _ = losses_of(counts, NUMERIC)
    assert loss.sum() / n.sum() == pytest.approx(log_loss(TRUTH[known], SCORE[known]), rel=5e-4)


def test_classes_with_probabilities_lose_their_log():
    rows = Labelled(SCORE, DECISION, (TRUTH == 1).astype(np.int64), ("a", "b"), np.full(N, 0.25))
    np.testing.assert_allclose(losses("multiclass", rows).loss, np.log(4))


def test_a_task_without_labels_of_its_own_has_no_losses():
    assert losses("ranking", TASKS["binary"][0]) is None


def test_odd_scores_and_values_are_in_no_sum():
    rows = Labelled(np.array([np.nan, np.inf, 0.5, 0.5]), np.array([-1, 1, 1, 1]), np.array([1.0, 1.0, np.nan, 1.0]))
    found = losses("regression", rows)
    column = pa.chunked_array([[np.nan, 1.0, 1.0, np.inf]])
    [counts] = counted_losses(Numbers("x", NUMERIC), NUMERIC, column, found, np.zeros(4, np.int32), 1).each()
    n, loss, score = losses_of(counts, NUMERIC)
    assert (counts.n, n.tolist()[-1], n.sum()) == (1, 1, 1)
    assert (loss.sum(), score.sum()) == (0.5, 0.5)


def test_errors_are_decisions_that_were_wrong_where_both_are_known():
    decision = np.array([1, 0, -1, 1, 0])
    binary_rows = Labelled(NOTHING[:5].astype(float), decision, np.array([1.0, 1.0, 0.0, np.nan, 0.0]))
    np.testing.assert_array_equal(errors("binary", binary_rows), [0, 1, np.nan, np.nan, 0])
    class_rows = Labelled(NOTHING[:5].astype(float), np.array([2, 0, -1, 1, 0]), np.array([2.0, 1.0, 0.0, np.nan, -1.0]), ("a", "b", "c"))
    np.testing.assert_array_equal(errors("multiclass", class_rows), [0, 1, 1, np.nan, np.nan])
    assert errors("regression", binary_rows) is None


@pytest.mark.parametrize(("metric", "name", "expected"), [
    ("mae", "mean absolute error", [2.0, 3.0, np.nan, np.nan]),
    ("mape", "mean absolute error", [2.0, 3.0, np.nan, np.nan]),
    ("rmse", "mean squared error", [4.0, 9.0, np.nan, np.nan]),
    ("bias", "mean error", [2.0, -3.0, np.nan, np.nan]),
])  # fmt: skip
def test_the_error_of_a_regressions_row_goes_with_the_kpi(metric, name, expected):
    rows = Labelled(np.array([3.0, 2.0, np.nan, np.inf]), np.full(4, -1), np.array([1.0, 5.0, 1.0, 1.0]))
    found = row_errors("regression", metric, rows)
    assert (found.name, found.is_signed) == (name, metric == "bias")
    np.testing.assert_array_equal(found.values, expected)


def test_the_error_of_a_class_is_whether_it_was_wrong_unless_its_probability_is_asked_for():
    rows = Labelled(NOTHING[:3].astype(float), np.array([1, 0, -1]), np.array([1.0, 1.0, -1.0]), ("a", "b"), np.array([0.5, 0.25, np.nan]))
    np.testing.assert_array_equal(row_errors("multiclass", "macro_f1", rows).values, [0, 1, np.nan])
    found = row_errors("multiclass", "log_loss", rows)
    assert found.name == "log loss"
    np.testing.assert_allclose(found.values, [np.log(2), np.log(4), np.nan])


def test_a_binary_model_with_scores_has_a_rate_that_they_foresee_and_no_error_of_rows():
    assert row_errors("binary", "accuracy", TASKS["binary"][0]) is None
    alone = Labelled(np.full(3, np.nan), np.array([1, 0, -1]), np.array([1.0, 1.0, 0.0]), is_scored=False)
    np.testing.assert_array_equal(row_errors("binary", "accuracy", alone).values, [0, 1, np.nan])
