"""Ranking measures on cells are scikit-learn's on rows that carry their cell's score."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from measure_world import quickly
from watchkeeper.stats import ranking

tables = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=40).map(lambda rows: np.array(rows, np.int64).T)
two_classes = tables.filter(lambda t: t[0].sum() > 0 and t[1].sum() > 0)


def rows_of(table):
    cells = np.arange(table.shape[1])
    score = np.concatenate([np.repeat(cells, table[0]), np.repeat(cells, table[1])])
    return np.repeat([1, 0], table.sum(axis=1)), score


@given(two_classes)
@quickly
def test_roc_auc_is_scikit_learns(table):
    assert ranking.roc_auc(*table) == pytest.approx(roc_auc_score(*rows_of(table)), abs=1e-9)


@given(two_classes)
@quickly
def test_average_precision_is_scikit_learns(table):
    assert ranking.average_precision(*table) == pytest.approx(average_precision_score(*rows_of(table)), abs=1e-9)


@pytest.mark.parametrize("side", [0, 1])
def test_one_class_alone_has_no_auc(side):
    table = [np.array([1, 2]), np.array([3, 4])]
    table[side] = np.array([0, 0])
    assert np.isnan(ranking.roc_auc(*table))


def test_calibration_error_of_scores_that_say_too_much_is_how_much_too_much():
    positives, negatives = np.array([10, 40, 50]), np.array([90, 60, 50])
    said = (positives + negatives) * np.array([0.1, 0.4, 0.5]) + 5.0
    assert ranking.calibration_error(positives, negatives, said, groups=3) == pytest.approx(0.05)


def test_calibration_error_of_no_rows_is_undefined():
    assert np.isnan(ranking.calibration_error(np.array([0]), np.array([0]), np.array([0.0])))
