"""An audit names what is there and nothing else, and says so where it cannot tell."""

import numpy as np
import pytest
from benchmarks.fairness import CALM, PLANTED, calm, calm_errors, is_found, planted, views
from sklearn.metrics import confusion_matrix

from measure_world import NAN
from watchkeeper.measures.criteria import BINARY
from watchkeeper.measures.fairness import FEW, LEAST, LEVEL, audit
from watchkeeper.profiles.labelled import Labelled


def people(sizes, flagged, *, seed=0, labelled=1.0):
    """Groups of so many rows with such shares flagged; truths agree with the decision in eight cases of ten."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(len(sizes)), sizes)
    decision = (rng.random(len(group)) < np.repeat(flagged, sizes)).astype(np.int64)
    truth = np.where(rng.random(len(group)) < 0.8, decision, 1 - decision).astype(float)
    truth[rng.random(len(group)) > np.where(decision == 1, 1.0, labelled)] = NAN
    return Labelled(np.where(decision == 1, 0.8, 0.2), decision, truth), group


def exact(sizes, flagged):
    """Groups of so many rows of which just such shares are flagged, rightly."""
    group = np.repeat(np.arange(len(sizes)), sizes)
    decision = np.concatenate([np.arange(n) < round(n * p) for n, p in zip(sizes, flagged, strict=True)]).astype(np.int64)
    return Labelled(np.full(len(group), 0.5), decision, decision.astype(float)), group


def audited(*given, **more):
    rows, group = people(*given, **more)
    return audit("binary", {"group": views("binary", rows, group, len(given[0]))})


def said(found, group, metric):
    return next(s for s in found.statements if s.group == f"group={group}" and s.metric == metric)


def test_rates_are_those_of_a_confusion_matrix_of_the_group_and_of_all_others():
    rows, group = people([300, 500, 200], [0.3, 0.5, 0.4])
    found = audit("binary", {"group": views("binary", rows, group, 3)})
    for g in range(3):
        for inside, side in ((group == g, "rate"), (group != g, "rest_rate")):
            (tn, fp), (fn, tp) = confusion_matrix(rows.truth[inside], rows.decision[inside])
            expected = {
                "demographic_parity": (tp + fp) / inside.sum(),
                "equal_opportunity": tp / (tp + fn),
                "predictive_parity": tp / (tp + fp),
                "calibration": (rows.truth - rows.score)[inside].mean(),
            }
            for metric, rate in expected.items():
                assert getattr(said(found, g, metric), side) == pytest.approx(rate), (metric, g, side)
            odds = said(found, g, "equalised_odds")
            assert getattr(odds, side) == pytest.approx(tp / (tp + fn) if "positive" in odds.reason else fp / (fp + tn))


def test_gaps_of_the_group_and_of_all_others_are_told_with_the_verdicts_that_follow():
    found = audited([20_000, 20_000, 2_000], [0.3, 0.3, 0.6])
    assert said(found, 2, "demographic_parity").verdict == "violation"
    assert said(found, 2, "demographic_parity_ratio").verdict == "violation"
    assert said(found, 2, "demographic_parity").value == pytest.approx(0.3, abs=0.03)
    assert said(found, 2, "demographic_parity_ratio").value == pytest.approx(2.0, abs=0.1)
    assert said(found, 0, "demographic_parity").verdict == "none"
    assert found.statements[0].verdict == found.verdict == "violation"


@pytest.mark.parametrize("n", [1, 12, LEAST - 1])
def test_denominators_under_thirty_cannot_tell_however_large_the_gap(n):
    found = audited([5_000, n], [0.05, 0.99])
    for metric in BINARY:
        one = said(found, 1, metric.name)
        assert one.verdict == "cannot tell", metric.name
        assert one.needed is None or one.needed >= LEAST
    assert "at least 30 are needed" in said(found, 1, "demographic_parity").reason
    assert all(s.verdict == "cannot tell" for s in found.statements if s.group == "group=0")


def test_a_group_alone_has_nobody_to_be_compared_with():
    found = audited([400], [0.3])
    assert {s.verdict for s in found.statements} == {"cannot tell"}
    assert {s.rest_n for s in found.statements} == {0}


def test_with_as_many_rows_as_were_said_to_be_needed_four_audits_of_five_can_tell():
    needed = said(audited([100, 20_000], [0.3, 0.3]), 0, "demographic_parity").needed
    assert needed is not None
    verdicts = [said(audited([needed, 20_000], [0.3, 0.3], seed=s), 0, "demographic_parity").verdict for s in range(12)]
    assert "violation" not in verdicts
    assert verdicts.count("none") >= 9


def test_a_gap_on_the_limit_is_not_promised_to_be_told_with_more_rows():
    rows, group = exact([20_000, 20_000], [0.30, 0.35])
    found = said(audit("binary", {"group": views("binary", rows, group, 2)}), 1, "demographic_parity")
    assert (found.verdict, found.needed) == ("cannot tell", None)
    assert "on the limit" in found.reason


def test_a_group_with_few_hits_is_drawn_towards_the_others_and_never_beyond_its_own_count():
    rows, group = people([60, 4_000, 4_000], [0.0, 0.2, 0.2])
    few = said(audit("binary", {"group": views("binary", rows, group, 3)}), 0, "demographic_parity")
    assert few.is_shrunk
    assert few.rate == 0.0
    assert -few.rest_rate < few.value < 0
    many = said(audited([400, 4_000, 4_000], [0.2, 0.2, 0.2]), 0, "demographic_parity")
    assert many.value == pytest.approx(many.rate - many.rest_rate)
    assert many.rate * many.n >= FEW
    assert not many.is_shrunk


def test_where_two_attributes_meet_a_small_group_is_expected_where_both_add_up():
    """Of women and of the north more are flagged: what is expected of the few women of the north is both together."""
    sizes, flagged = np.array([8_000, 8_000, 8_000, 60]), np.array([0.02, 0.06, 0.06, 0.1])
    rows, cell = exact(sizes, flagged)

    def named(codes, labels):
        return dict(zip(labels, views("binary", rows, codes, len(labels)).values(), strict=True))

    both = [f"sex={a}&region={b}" for a in "mf" for b in "sn"]
    attributes = {"sex": named(cell // 2, ["sex=m", "sex=f"]), "region": named(cell % 2, ["region=s", "region=n"]), "sex&region": named(cell, both)}
    found = next(s for s in audit("binary", attributes).statements if s.group == both[3] and s.metric == "demographic_parity")
    women, north, every = (np.average(flagged[some], weights=sizes[some]) for some in ([2, 3], [1, 3], [0, 1, 2, 3]))
    assert found.is_shrunk
    assert found.rate == 0.1
    assert found.value + found.rest_rate == pytest.approx((0.1 + women + north - every) / 2)


def test_labels_that_the_decision_selects_are_warned_of():
    assert any("Labels are selective" in w for w in audited([3_000, 3_000], [0.3, 0.3], labelled=0.5).warnings)
    assert audited([3_000, 3_000], [0.3, 0.3]).warnings == ()


def test_a_group_with_fewer_labels_than_the_others_is_warned_of():
    rows, group = people([2_000, 2_000], [0.3, 0.3])
    rows.truth[(group == 0) & (np.arange(4_000) % 2 == 0)] = NAN
    (warning,) = audit("binary", {"group": views("binary", rows, group, 2)}).warnings
    assert "50% of group=0 have a label and 100% of all others" in warning


def test_without_labels_the_selection_is_audited_and_nothing_else():
    rows, group = people([9_000, 9_000], [0.3, 0.6])
    found = audit("binary", {"group": views("binary", Labelled(rows.score, rows.decision, np.full(18_000, NAN)), group, 2)}, has_labels=False)
    assert {s.metric for s in found.statements} == {"demographic_parity", "demographic_parity_ratio"}
    assert found.verdict == "violation"
    assert "no labels" in found.warnings[0]


def test_the_level_rises_with_more_statements_than_thirty():
    few, many = audited([500] * 6, [0.3] * 6), audited([500] * 12, [0.3] * 12)
    assert few.level == LEVEL
    assert 1 - many.level == pytest.approx((1 - LEVEL) / 2)


def test_a_regression_is_unfair_where_one_groups_error_leans_to_one_side():
    rng = np.random.default_rng(0)
    group = np.repeat([0, 1, 2], [20_000, 20_000, 3_000])
    truth = rng.normal(100, 20, len(group))
    rows = Labelled(truth + rng.normal(0, 5, len(group)) + 3 * (group == 2), np.full(len(group), -1), truth)
    found = audit("regression", {"group": views("regression", rows, group, 3)})
    assert said(found, 2, "mean_error").verdict == "violation"
    assert said(found, 2, "mean_error").value == pytest.approx(3 / (5 * np.sqrt(2 / np.pi)), abs=0.1)
    assert said(found, 2, "mean_error").rate == pytest.approx(3.0, abs=0.3)


def test_errors_beyond_all_numbers_cannot_tell():
    truth = np.tile([1.0, 2.0], 100)
    score = truth.copy()
    score[0] = np.inf
    score[1] = 1e308
    found = audit("regression", {"group": views("regression", Labelled(score, np.full(200, -1), truth), np.arange(200) % 2, 2)})
    assert {s.verdict for s in found.statements} == {"cannot tell"}


def test_predictions_that_are_all_right_have_no_error_to_compare():
    truth = np.arange(200.0)
    found = audit("regression", {"group": views("regression", Labelled(truth, np.full(200, -1), truth), np.arange(200) % 2, 2)})
    assert {(s.verdict, s.reason) for s in found.statements} == {("cannot tell", "the others' errors are all zero")}


@pytest.mark.parametrize("world", CALM)
def test_of_audits_without_a_gap_hardly_any_names_a_violation(world):
    """The whole of 500 is `python -m benchmarks.fairness`: at most 1 %; of these 40 one may."""
    rng = np.random.default_rng(7)
    assert sum(calm(rng, *CALM[world]).verdict == "violation" for _ in range(40)) <= 1


def test_of_audits_of_like_errors_hardly_any_names_a_violation():
    rng = np.random.default_rng(7)
    assert sum(calm_errors(rng).verdict == "violation" for _ in range(40)) <= 1


@pytest.mark.parametrize("metric", PLANTED)
def test_a_gap_of_fifteen_points_is_found_with_four_hundred_rows(metric):
    rng = np.random.default_rng(7)
    assert sum(is_found(planted(rng, metric), metric) for _ in range(60)) >= 48
