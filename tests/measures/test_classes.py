"""Multiclass KPIs are scikit-learn's on random tables; bad tables say why there is no number."""

import warnings

import numpy as np
import pytest
import sklearn.metrics as sk

from draws import draws
from measure_world import NAN, label_parts, multiclass, multiclass_rows
from watchkeeper.measures import classes, performance
from watchkeeper.measures.views import MulticlassView
from watchkeeper.profiles.counts import add
from watchkeeper.stats.confusion import macro_f1, of_confusion
from watchkeeper.stats.intervals import ratio_of_counts

NAMES = ("ant", "bee", "cat", "dog", "eel")
CASES = draws(150, at_each_change=50)


def table(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, tuple[str, ...]]:
    """Random rows: 1 to 5 classes, tiny to many, tied chances, absent classes, labels and decisions outside, chances that add up to anything."""
    rng = np.random.default_rng(seed)
    n, k = int(rng.choice([3, 8, 30, 250, 2_500])), int(rng.integers(1, 6))
    chance = rng.dirichlet(rng.uniform(0.2, 3, k), n) if k > 1 else np.ones((n, 1))
    chance = np.round(chance, rng.choice([1, 2, 9])) * rng.choice([1.0, 0.7, 1.2])
    truth = drawn(rng, chance / np.maximum(chance.sum(axis=1, keepdims=True), 0.1))
    said = np.where(rng.random(n) < 0.8, chance.argmax(axis=1), rng.integers(0, k, n))
    if rng.random() < 0.3:
        truth = np.where(rng.random(n) < 0.1, k, truth)  # labels of a class without a probability
    if rng.random() < 0.3:
        said = np.where(rng.random(n) < 0.1, rng.integers(k, k + 2, n), said)  # decisions outside
    if rng.random() < 0.3:
        truth[truth == 0] = max(0, k - 1)  # a class that never was
    if rng.random() < 0.3:
        chance[rng.random(n) < 0.2] = NAN
    return said, np.where(rng.random(n) < 0.1, NAN, truth), chance, (*NAMES[:k], "outside", "another")


def expected(truth, said) -> dict[str, float]:
    there = sorted(set(truth))
    macro, weighted = ({"labels": there, "average": average, "zero_division": 0} for average in ("macro", "weighted"))
    out = {
        "accuracy": sk.accuracy_score(truth, said),
        "macro_precision": sk.precision_score(truth, said, **macro),
        "macro_recall": sk.recall_score(truth, said, **macro),
        "macro_f1": sk.f1_score(truth, said, **macro),
        "weighted_precision": sk.precision_score(truth, said, **weighted),
        "weighted_f1": sk.f1_score(truth, said, **weighted),
        "matthews": sk.matthews_corrcoef(truth, said) if min(len(there), len(set(said))) > 1 else NAN,
    }
    assert out["macro_recall"] == pytest.approx(sk.balanced_accuracy_score(truth, said)), "the same under another name"
    assert out["accuracy"] == pytest.approx(sk.f1_score(truth, said, average="micro")), "the same under another name"
    assert out["accuracy"] == pytest.approx(sk.recall_score(truth, said, **weighted)), "the same under another name"
    return out


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(CASES))
def test_a_random_table_has_the_numbers_of_scikit_learn(seed):
    said, truth, chance, names = table(seed)
    view, known = multiclass(said, truth, names, chance), np.isfinite(truth)
    if not known.any():
        assert not classes.macro_f1(view).is_defined
        return
    for name, value in expected(truth[known], said[known]).items():
        ours = getattr(performance if name == "accuracy" else classes, name)(view)
        assert ours.value == pytest.approx(value, abs=1e-9, nan_ok=True), name
        assert ours.n == known.sum()
        assert ours.is_defined or ours.reason
        assert not ours.is_defined or ours.low - 1e-12 <= ours.value <= ours.high + 1e-12
    for code, one in enumerate(names):
        _one_class(view, one, truth[known] == code, said[known] == code, chance[known, code] if code < chance.shape[1] else np.full(known.sum(), NAN))


def _one_class(view, name, truth, said, chance) -> None:
    ours = view.of_class(name)
    assert classes.recall(ours).value == pytest.approx(sk.recall_score(truth, said) if truth.any() else NAN, abs=1e-9, nan_ok=True)
    assert classes.precision(ours).value == pytest.approx(sk.precision_score(truth, said) if said.any() else NAN, abs=1e-9, nan_ok=True)
    assert classes.f1(ours).value == pytest.approx(sk.f1_score(truth, said) if (truth | said).any() else NAN, abs=1e-9, nan_ok=True)
    scored = np.isfinite(chance)
    value = sk.roc_auc_score(truth[scored], np.clip(chance[scored], 0, 1)) if len(set(truth[scored])) > 1 else NAN
    auc = classes.roc_auc(ours)
    assert auc.value == pytest.approx(value, abs=1e-3 if scored.sum() >= 200 else 0.05, nan_ok=True)
    assert auc.is_defined or auc.reason


@pytest.mark.parametrize("seed", range(30))
def test_losses_are_scikit_learns_of_the_rows_whose_class_has_a_probability(seed):
    said, truth, chance, names = table(seed)
    chance = chance / np.where(chance.sum(axis=1) > 0, chance.sum(axis=1), 1)[:, None]
    view, k = multiclass(said, truth, names, chance), chance.shape[1]
    mine = np.isfinite(truth) & (truth < k) & np.isfinite(chance).all(axis=1)
    if not mine.any() or k < 2:
        assert classes.brier(view).n == mine.sum()
        return
    t, p = truth[mine], chance[mine]
    assert classes.log_loss(view).value == pytest.approx(sk.log_loss(t, p, labels=range(k)), abs=1e-9)
    assert classes.brier(view).value == pytest.approx(sk.brier_score_loss(t, p, labels=range(k), scale_by_half=False), abs=1e-9)


def test_the_mean_of_one_against_the_rest_is_scikit_learns():
    rng = np.random.default_rng(0)
    chance = rng.dirichlet([2, 1, 0.5], 4_000)
    truth = drawn(rng, chance)
    view = multiclass(chance.argmax(axis=1), truth, NAMES[:3], chance)
    for average, ours in (("macro", classes.macro_roc_auc), ("weighted", classes.weighted_roc_auc)):
        assert ours(view).value == pytest.approx(sk.roc_auc_score(truth, chance, multi_class="ovr", average=average), abs=1e-3)


def test_the_interval_of_an_average_is_the_one_by_every_cell():
    rng = np.random.default_rng(1)
    counts = rng.integers(0, 40, (4, 5))

    def by_cells(c):
        return float(np.mean([2 * c[i, i] / (c[i].sum() + c[:, i].sum()) for i in range(4)]))

    ours, theirs = of_confusion(macro_f1, counts), ratio_of_counts(by_cells, counts)
    assert (ours.value, ours.se) == pytest.approx((theirs.value, theirs.se), rel=1e-6)


def world(rng: np.random.Generator, n: int) -> MulticlassView:
    chance = rng.dirichlet([3, 2, 1], n)
    return multiclass(chance.argmax(axis=1), drawn(rng, chance), NAMES[:3], chance)


def drawn(rng: np.random.Generator, chance: np.ndarray) -> np.ndarray:
    """Draw the class of each row from its chances."""
    return (rng.random(len(chance))[:, None] > np.cumsum(chance, axis=1)[:, :-1]).sum(axis=1).astype(float)


@pytest.fixture(scope="module")
def windows() -> tuple[MulticlassView, list[MulticlassView]]:
    rng = np.random.default_rng(2)
    return world(rng, 100_000), [world(rng, 400) for _ in range(300)]


@pytest.mark.parametrize("name", ["macro_precision", "macro_recall", "macro_f1", "weighted_f1", "matthews", "macro_roc_auc", "brier"])
def test_an_interval_covers(name, windows):
    """Of 300 windows of 400 rows 95 % should; that of an AUC is wider than it need be, since classes count as moving together."""
    number, (long, short) = getattr(classes, name), windows
    value, found = number(long).value, [number(window) for window in short]
    assert 274 <= sum(e.low <= value <= e.high for e in found) <= (300 if name == "macro_roc_auc" else 295)


def test_a_class_that_was_never_decided_has_a_precision_of_nought_in_averages_and_none_by_itself():
    view = multiclass([0, 0, 0, 0], [0, 0, 1, 1], NAMES[:2])
    assert classes.macro_precision(view).value == 0.25
    assert classes.precision(view.of_class("bee")).reason == "this class was never decided"
    assert classes.recall(view.of_class("bee")).value == 0
    assert classes.recall(view.of_class("cat")).reason == "no label is of this class"


def test_predictions_without_probabilities_have_the_numbers_of_decisions_alone():
    view = multiclass([0, 1, 1, 0], [0, 1, 0, 1], NAMES[:2])
    assert classes.macro_f1(view).value == 0.5
    for number in (classes.log_loss, classes.brier, classes.macro_roc_auc):
        assert number(view).reason == "no probabilities were logged"
    assert classes.roc_auc(view.of_class("ant")).reason == "no probabilities of this class were logged"


def test_labels_outside_the_class_set_count_as_wrong_and_are_told_of_in_losses():
    chance = np.tile([0.8, 0.2], (4, 1))
    view = multiclass([0, 0, 0, 0], [0, 0, 2, 2], ("ant", "bee", "yak"), chance)
    assert performance.accuracy(view).value == 0.5
    ours = classes.log_loss(view)
    assert (ours.n, ours.value) == (2, pytest.approx(-np.log(0.8)))
    assert ours.reason == "without 2 labels of classes that have no probability: yak"
    assert classes.recall(view.of_class("yak")).value == 0


def test_one_class_only_has_recall_and_no_ranking():
    view = multiclass([0, 1, 0], [0, 0, 0], NAMES[:2], np.tile([0.7, 0.3], (3, 1)))
    assert classes.macro_recall(view).value == pytest.approx(2 / 3)
    assert classes.matthews(view).reason
    assert classes.macro_roc_auc(view).reason == "the labels are of one class only"
    assert classes.recall(view.of_class("bee")).reason == "no label is of this class"


def test_the_worst_case_of_accuracy_holds_whatever_the_missing_labels_say():
    said, truth = [0, 1, 2, 0, 1, -1], [0, 0, 2, NAN, NAN, NAN]
    low, high = classes.accuracy_bounds(multiclass(said, truth, NAMES[:3]))
    assert (low, high) == pytest.approx((2 / 6, 4 / 6)), "nothing was decided of the last row"


def test_classes_add_up_over_windows_that_saw_others():
    rng = np.random.default_rng(3)
    chance = rng.dirichlet([2, 1, 1], 600)
    truth, said = chance.argmax(axis=1).astype(float), rng.permutation(chance.argmax(axis=1))
    sides = [label_parts("multiclass", multiclass_rows(said[i], truth[i], NAMES[:3], chance[i])) for i in (slice(0, 200), slice(200, 600))]
    both = MulticlassView({key: add([side[key] for side in sides if key in side]) for key in sides[0] | sides[1]})
    whole = multiclass(said, truth, NAMES[:3], chance)
    assert both.counts.tolist() == whole.counts.tolist()
    assert both.of_class("bee").flagged("1", "0").sum() == (said == 1).sum()
    assert classes.macro_roc_auc(both).value == pytest.approx(classes.macro_roc_auc(whole).value, abs=2e-3)


def test_many_classes_are_measured_at_once():
    rng = np.random.default_rng(4)
    names = tuple(f"c{i:03}" for i in range(150))
    truth = rng.integers(0, 150, 5_000).astype(float)
    said = np.where(rng.random(5_000) < 0.6, truth, rng.integers(0, 150, 5_000)).astype(int)
    view = multiclass(said, truth, names)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert classes.macro_f1(view).value == pytest.approx(sk.f1_score(truth, said, average="macro"))
    assert len(classes.most_frequent(view)) == classes.MOST_CLASSES


def test_rows_that_lack_the_probability_of_a_class_are_counted_and_the_class_is_named():
    truth, said = [0, 0, 1, 1, 2], [0, 1, 1, 1, 2]
    chances = np.full((5, 3), 1 / 3)
    chances[:, 0] = NAN
    one_missing = multiclass(said, truth, ("red", "green", "blue"), chances)
    found = classes.log_loss(one_missing)
    assert (found.n, found.reason) == (3, "without 2 labelled rows of which a probability is missing: red")
    for number in (classes.brier, classes.macro_roc_auc, classes.weighted_roc_auc):
        assert number(one_missing).reason == "a probability is missing in every labelled row: red"
    chances[:, 0] = [1 / 3, 1 / 3, 1 / 3, NAN, 1 / 3]
    some = classes.brier(multiclass(said, truth, ("red", "green", "blue"), chances))
    assert (some.n, some.reason) == (4, "without 1 labelled row of which a probability is missing: red")
