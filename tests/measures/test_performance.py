"""Intervals of KPIs that have a formula of their own are that formula, and cover."""

from math import isnan, log, sqrt

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import average_precision_score, r2_score

from draws import draws
from measure_world import binary, regression
from watchkeeper.measures import performance
from watchkeeper.measures.views import RegressionView


@pytest.mark.parametrize("shift", [0.0, 40.0])
@pytest.mark.parametrize("said", [lambda x: x, lambda x: -0.3 * x + 0.4, lambda x: 0.0 * x], ids=["right", "worse than the mean", "constant"])
def test_the_interval_of_r2_is_that_of_drawing_again(said, shift):
    rng = np.random.default_rng(3)
    signal = rng.gamma(2.0, 1.0, 600)
    truth = signal + rng.normal(size=600) + shift
    guess = said(signal) + shift
    ours = performance.r2(regression(guess, truth))
    assert ours.value == pytest.approx(r2_score(truth, guess))
    drawn = [r2_score(truth[rows], guess[rows]) for rows in rng.integers(0, 600, (1_000, 600))]
    assert ours.se == pytest.approx(np.std(drawn), rel=0.12)
    assert (ours.low, ours.high) == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])), abs=0.35 * np.std(drawn))


@pytest.mark.parametrize("slope", [1.0, -0.5])
def test_the_interval_of_r2_covers(slope):
    rng = np.random.default_rng(0)
    truly = 1 - ((1 - slope) ** 2 + 1) / 2  # the truth is the guess and as much noise, the prediction a multiple of the guess
    covered = []
    for _ in range(300):
        guess = rng.normal(size=150)
        ours = performance.r2(regression(slope * guess, guess + rng.normal(size=150)))
        covered.append(ours.low <= truly <= ours.high)
    assert 0.9 <= np.mean(covered) <= 0.98


def test_an_r2_of_one_and_one_of_earlier_parts_have_no_interval_and_say_so():
    whole = performance.r2(regression([1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 4.0]))
    assert (whole.value, isnan(whole.se), whole.reason) == (1.0, True, "no interval at 1")
    view = regression([1.0, 2.5, 3.0, 4.0], [1.0, 2.0, 3.0, 4.0])
    earlier = performance.r2(RegressionView({k: v for k, v in view.parts.items() if k[0] != "truth_squared"}))
    assert (isnan(earlier.se), earlier.reason) == (True, "no interval: some of these rows were counted by an earlier release")


def test_mape_says_how_many_rows_have_a_truth_of_nought():
    some = performance.mape(regression([1.0, 3.0, 2.0, 5.0], [0.0, 2.0, 0.0, 4.0]))
    assert (some.value, some.n) == (pytest.approx((0.5 + 0.25) / 2), 2)
    assert some.reason.endswith("without 2 rows whose truth is 0")
    none = performance.mape(regression([1.0, 2.0], [0.0, 0.0]))
    assert (none.is_defined, none.reason) == (False, "the truth is 0 in every labelled row")
    assert "truth is 0" not in performance.mape(regression([1.0, 2.0], [1.0, 1.0])).reason


def test_average_precision_has_the_interval_of_its_logit():
    rng = np.random.default_rng(1)
    truth = (rng.random(400) < 0.2).astype(float)
    ours = performance.average_precision(binary(1 / (1 + np.exp(-rng.normal(truth, 1))), truth))
    place, spread = log(ours.value / (1 - ours.value)), 1 / sqrt(truth.sum() * ours.value * (1 - ours.value))
    low, high = place + stats.norm.interval(0.95)[0] * spread, place + stats.norm.interval(0.95)[1] * spread
    assert (ours.low, ours.high) == pytest.approx((1 / (1 + np.exp(-low)), 1 / (1 + np.exp(-high))))


def test_a_perfect_average_precision_has_no_interval_and_says_so():
    ours = performance.average_precision(binary([0.9, 0.1], [1, 0]))
    assert (ours.value, ours.reason) == (1.0, "no interval at 0 or 1")


def test_the_spread_of_the_rmse_is_that_of_drawing_again():
    rng = np.random.default_rng(2)
    errors = rng.standard_t(8, (400, 500))
    nothing = np.zeros(500)
    again = [performance.rmse(regression(e, nothing)) for e in errors]
    assert np.mean([e.se for e in again]) == pytest.approx(np.std([e.value for e in again]), rel=0.15)


def test_a_model_that_is_never_wrong_has_an_rmse_of_nought():
    ours = performance.rmse(regression([1.0, 2.0], [1.0, 2.0]))
    assert (ours.value, ours.n) == (0.0, 2)


def shapes(rng: np.random.Generator, n: int):
    """Yield scores and truths as models have them: narrow to overconfident scores, common to rare positives."""
    for rate in (0.3, 0.05):
        for spread in (0.5, 1.5, 4.0):
            score = 1 / (1 + np.exp(-(log(rate / (1 - rate)) + rng.normal(0, spread, n))))
            yield score, rng.random(n) < score
    score = rng.uniform(size=n)
    yield score, rng.random(n) < score
    score = rng.uniform(0.4, 0.6, n)
    yield score, rng.random(n) < 5 * (score - 0.4)
    score = 1 / (1 + np.exp(-rng.normal(0, 9, n)))
    yield score, rng.random(n) < np.clip(score, 0.2, 0.8)


@pytest.mark.parametrize(("n", "days", "within"), [(200, 40, 0.05), (1_000, 20, 0.015), (5_000, 8, 0.006), (20_000, 3, 0.004)])
def test_average_precision_is_as_exact_as_is_said(n, days, within):
    off, of_interval = [], []
    for day in range(days):
        for score, truth in shapes(np.random.default_rng([n, day]), n):
            if truth.sum() >= 10:
                ours = performance.average_precision(binary(score, truth.astype(float)))
                off.append(abs(ours.value - average_precision_score(truth, score)))
                of_interval.append(off[-1] / (ours.high - ours.low))
    assert len(off) > 7 * days
    assert (max(off) < within, np.median(off) < 0.0005, max(of_interval) < 0.2) == (True, True, True)


def test_a_gap_of_few_rows_without_a_positive_is_no_surer_than_the_scores_themselves():
    """Of healthy hours of 20 rows, a tenth of them positive, hardly any gap lies three standard errors from nought."""
    rng = np.random.default_rng(3)
    far, hours = 0, draws(2_000, at_each_change=1_000)
    for _ in range(hours):
        score = rng.beta(2, 18, 20)
        gap = performance.calibration_gap(binary(score, (rng.random(20) < score).astype(float)))
        assert gap.low <= gap.value <= gap.high
        far += abs(gap.value) > 3 * gap.se
    assert far < 0.02 * hours


FEW = [
    (performance.roc_auc, binary(np.linspace(0.1, 0.9, 50), [1.0] * 4 + [0.0] * 46), "approximate interval: 4 positives"),
    (performance.roc_auc, binary(np.linspace(0.1, 0.9, 50), [0.0] + [1.0] * 49), "approximate interval: 1 negative"),
    (performance.roc_auc, binary(np.linspace(0.1, 0.9, 10), [1.0, 0.0] * 5), ""),
    (performance.precision, binary([0.9] * 9, [1.0, 0.0, 1.0] * 3), "approximate interval: 9 rows"),
    (performance.precision, binary([0.9] * 10, [1.0, 0.0] * 5), ""),
    (performance.recall, binary([0.9, 0.1, 0.2], [1.0, 1.0, 0.0]), "approximate interval: 2 rows"),
    (performance.specificity, binary([0.9, 0.1, 0.2], [1.0, 1.0, 0.0]), "approximate interval: 1 row"),
    (performance.f1, binary([0.9, 0.1] * 50, [1.0, 0.0] * 15 + [0.0] * 70), "approximate interval: 15 positives"),
    (performance.log_loss, binary([0.9, 0.2] * 149, [1.0, 0.0] * 149), "approximate interval: 298 rows"),
    (performance.brier, binary([0.9, 0.2] * 150, [1.0, 0.0] * 150), ""),
    (performance.mae, regression(np.arange(999.0), np.zeros(999)), "approximate interval: 999 rows"),
    (performance.mae, regression(np.arange(1000.0), np.zeros(1000)), ""),
    (performance.bias, regression([1.0, 2.0], [0.0, 0.0]), "approximate interval: 2 rows"),
]


@pytest.mark.parametrize(("metric", "view", "reason"), FEW, ids=[f"{m.__name__}-{r or 'enough'}" for m, _, r in FEW])
def test_an_interval_of_too_few_rows_says_that_it_is_approximate_and_of_how_many(metric, view, reason):
    found = metric(view)
    assert found.is_defined
    assert found.reason == reason
