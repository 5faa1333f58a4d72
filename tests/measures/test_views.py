"""Views name what parts hold; a class or a score that is missing shifts nothing."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score

from measure_world import NAN, assert_same, binary, counted, feature, label_parts, multiclass, regression
from watchkeeper.measures import drift, performance
from watchkeeper.measures.views import BinaryView, FeatureView, MulticlassView, RegressionView
from watchkeeper.profiles.bins import fit_numeric
from watchkeeper.profiles.counts import add
from watchkeeper.profiles.labelled import Labelled

CLASSES = ("ant", "bee", "cat")


def test_a_window_without_one_class_has_the_confusion_of_the_others():
    view = multiclass([0, 2, 2, 1], [0, 2, 2, 0], CLASSES)
    assert view.classes == ["ant", "cat"]
    assert view.confusion.tolist() == [[1, 0, 1], [0, 2, 0]]
    assert performance.accuracy(view).value == 0.75


def test_windows_that_saw_different_classes_sum_to_one_confusion():
    first = label_parts("multiclass", Labelled(np.full(3, NAN), np.array([0, 1, 1]), np.array([0.0, 1, 0]), ("ant", "cat")))
    second = label_parts("multiclass", Labelled(np.full(3, NAN), np.array([2, 1, 0]), np.array([2.0, 1, 2]), CLASSES))
    both = {key: add([side[key] for side in (first, second) if key in side]) for key in first | second}
    truth, said = ["ant", "cat", "ant", "cat", "bee", "cat"], ["ant", "cat", "cat", "cat", "bee", "ant"]
    assert performance.accuracy(MulticlassView(both)).value == pytest.approx(accuracy_score(truth, said))
    assert MulticlassView(both).confusion.tolist() == [[1, 0, 1, 0], [0, 1, 0, 0], [1, 0, 2, 0]]


def test_a_row_without_a_score_has_an_outcome_and_no_part_in_the_calibration():
    with_gap, without = binary([0.2, NAN, 0.7], [1, 1, 0], [0, -1, 1]), binary([0.2, 0.7], [1, 0])
    assert (with_gap.labelled, with_gap.scored, with_gap.pending) == (3, 2, 0)
    assert performance.positive_rate(with_gap).value == pytest.approx(2 / 3)
    for metric in (performance.calibration_gap, performance.log_loss, performance.brier, performance.roc_auc, performance.calibration_error):
        ours, theirs = metric(with_gap), metric(without)
        assert (ours.value, ours.n) == (theirs.value, theirs.n), metric


def test_decisions_without_scores_leave_the_kpis_of_scores_undefined_and_say_so():
    view = binary([NAN, NAN], [1, 0], [1, 1])
    assert performance.accuracy(view).value == 0.5
    scores_only = [performance.roc_auc, performance.average_precision, performance.log_loss, performance.brier]
    for metric in (*scores_only, performance.calibration_gap, performance.calibration_error):
        assert metric(view).reason == "no scores were logged", metric


@pytest.mark.parametrize("view", [BinaryView({}), RegressionView({}), MulticlassView({})], ids=["binary", "regression", "multiclass"])
def test_a_window_without_parts_has_no_labels_and_none_pending(view):
    assert (view.labelled, view.pending) == (0, 0)
    assert not performance.label_coverage(view).is_defined


def test_rows_still_without_a_label_are_pending_in_every_task():
    assert binary([0.2, 0.4], [1, NAN]).pending == 1
    assert regression([0.2, 0.4], [NAN, NAN]).pending == 2
    assert multiclass([0, 1, 1], [NAN, 1, NAN], CLASSES).pending == 2


def test_coarse_cells_are_the_same_counted_fine_or_coarse():
    values = np.random.default_rng(0).normal(size=500)
    bins = fit_numeric("x", values)
    fine = feature(bins, values)
    stored_coarse = fine.counts.recoded(np.asarray(bins.coarse))
    np.testing.assert_array_equal(FeatureView(bins, stored_coarse, is_coarse=True).coarse, fine.coarse)
    assert_same(stored_coarse.recoded(np.arange(bins.coarse_size)), stored_coarse)


def test_infinities_have_no_place_and_do_not_move_the_wasserstein_distance():
    reference = np.random.default_rng(1).normal(1000, 1, 2000)
    bins = fit_numeric("x", reference)
    without, with_some = reference[:500], np.concatenate([reference[:500], np.full(50, np.inf), np.full(20, -np.inf)])
    plain, odd = (drift.wasserstein(feature(bins, reference), FeatureView(bins, counted(bins, v))).value for v in (without, with_some))
    assert odd == pytest.approx(plain)
