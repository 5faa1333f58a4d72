"""How unsure a model is, against numpy on random rows; rows and profiles tell the same."""

import numpy as np
import pytest
from scipy import special

from measure_world import NAN, binary, multiclass
from watchkeeper.judgement.policy import RULES
from watchkeeper.measures.confidence import entropy, entropy_of_classes, learned_threshold, low_confidence_ratio, low_margin_ratio, near
from watchkeeper.measures.views import BinaryView
from watchkeeper.profiles.grids import logit_cells
from watchkeeper.stats.intervals import Estimate

CLASSES = ("ant", "bee", "cat")


def drawn(case: int):
    """Return scores (some missing, some alike, some at the ends), truths (some missing) and a threshold."""
    rng = np.random.default_rng([7, case])
    n = int(rng.integers(1, 2000))
    score = special.expit(rng.normal(rng.normal(0, 2), rng.uniform(0.05, 4), n))
    score = [score, np.round(score, 2), np.where(rng.random(n) < 0.1, rng.integers(0, 2, n), score), score * 1.5 - 0.2][case % 4]
    score = np.where(rng.random(n) < 0.05, NAN, score)
    threshold = float(rng.choice([0.5, 0.35, 0.08, 0.01, 0.97]))
    return score, np.where(rng.random(n) < 0.3, NAN, rng.integers(0, 2, n)), threshold


@pytest.mark.parametrize("case", range(40))
def test_the_share_near_the_threshold_and_the_entropy_are_those_of_the_rows(case):
    score, truth, threshold = drawn(case)
    view = BinaryView(binary(score, truth, np.where(np.isfinite(score), score >= threshold, -1)).parts, Estimate(threshold))
    there = score[np.isfinite(score)]
    ratio = low_confidence_ratio(view)
    if not len(there):
        assert not ratio.is_defined
        return
    reach = min(0.05, threshold / 2, (1 - threshold) / 2)
    surely, at_most = (np.mean((there >= threshold - reach - more) & (there <= threshold + reach + more)) for more in (-1e-12, 0.002))
    assert surely <= ratio.value <= at_most
    assert ratio.value == pytest.approx(near(score, threshold).sum() / len(there), abs=1e-12), "rows and profiles tell the same"
    p = np.clip(there, 0, 1)
    each = special.entr(p) + special.entr(1 - p)
    assert entropy(view).value == pytest.approx(each.mean(), abs=1e-3)
    assert entropy(view).n == ratio.n == len(there)
    if len(there) > 1:
        assert entropy(view).se == pytest.approx(each.std(ddof=1) / np.sqrt(len(there)), abs=1e-3)


@pytest.mark.parametrize("case", range(30))
def test_the_threshold_of_logged_decisions_is_found_to_a_cell(case):
    score, truth, threshold = drawn(4 * case)
    found = learned_threshold(binary(score, truth, np.where(np.isfinite(score), score >= threshold, -1)))
    there = score[np.isfinite(score)]
    if not 0 < (there >= threshold).mean() < 1:
        assert not found.is_defined
        assert "both decisions" in found.reason
        return
    low, high = there[there < threshold].max(), there[there >= threshold].min()
    assert logit_cells(np.array([low]))[0] - 1 <= logit_cells(np.array([found.value + 1e-9]))[0] <= logit_cells(np.array([high]))[0] + 1


@pytest.mark.parametrize("case", range(30))
def test_classes_lead_and_are_spread_as_numpy_says(case):
    rng = np.random.default_rng([9, case])
    n = int(rng.integers(1, 800))
    chances = rng.dirichlet(np.full(3, rng.uniform(0.2, 5)), n)
    chances = np.round(chances, 2) if case % 2 else chances
    chances[rng.random(n) < 0.05, rng.integers(3)] = NAN
    view = multiclass(np.nan_to_num(chances).argmax(axis=1), np.where(rng.random(n) < 0.3, NAN, rng.integers(0, 3, n)), CLASSES, chances)
    whole = chances[np.isfinite(chances).all(axis=1)]
    if not len(whole):
        assert "all its probabilities" in entropy_of_classes(view).reason
        return
    ordered = np.sort(whole, axis=1)
    assert low_margin_ratio(view).value == pytest.approx(np.mean(np.round(ordered[:, 2] - ordered[:, 1], 9) <= 0.1))
    assert entropy_of_classes(view).value == pytest.approx(special.entr(whole).sum(axis=1).mean(), abs=1e-12)
    assert low_margin_ratio(view).n == len(whole)


def test_a_rare_event_s_small_threshold_does_not_make_every_score_unsure():
    assert near(np.array([0.002, 0.012, 0.05]), 0.01).tolist() == [False, True, False]


def test_equal_scores_at_the_threshold_are_all_unsure_and_ends_are_sure():
    half = binary([0.5] * 50, [1.0] * 50)
    assert (low_confidence_ratio(half).value, entropy(half).value) == (1.0, pytest.approx(np.log(2), abs=1e-3))
    ends = binary([0.0, 1.0] * 25, [1.0] * 50)
    assert (low_confidence_ratio(ends).value, entropy(ends).value) == (0.0, 0.0)


def test_without_scores_and_without_a_threshold_it_is_said_why():
    assert entropy(binary([NAN] * 20, [1.0] * 20)).reason == "no scores were logged"
    assert low_confidence_ratio(BinaryView({})).reason == "no scores were logged"
    assert low_confidence_ratio(BinaryView({}, learned_threshold(BinaryView({})))).reason.startswith("the reference does not hold both decisions")


def test_classes_without_two_probabilities_are_not_compared():
    assert not low_margin_ratio(multiclass([0, 1], [0.0, 1.0], CLASSES, np.array([[0.5], [0.4]]))).is_defined


def test_nobody_is_paged_for_a_model_that_is_unsure():
    assert {rule.level for rule in RULES if rule.metric in ("low_confidence_ratio", "entropy")} == {"notice"}
