"""Random tables, counted in parts as a scan counts them and added up, have the KPIs that scikit-learn finds on their rows.

Exact ones to 1e-9, rankings too where every part has 2,000 labelled rows or fewer; of larger parts ROC AUC within .001 and average precision within .003.
"""

import warnings

import numpy as np
import pytest
import sklearn.metrics as sk

from draws import draws
from measure_world import NAN, decided, label_parts
from watchkeeper.measures import catalogue
from watchkeeper.measures.views import BinaryView, RegressionView
from watchkeeper.profiles.close_scores import MOST_EXACT
from watchkeeper.profiles.counts import add
from watchkeeper.profiles.labelled import Labelled

EXACT = 1e-9
BINARY_CASES, LARGE_CASES, REGRESSION_CASES = draws(300, at_each_change=100), draws(24, at_each_change=8), draws(120, at_each_change=40)
RANKINGS = ("roc_auc", "average_precision", "lift_at_1", "lift_at_10", "calibration_error")


def parts_of(rng: np.random.Generator, rows: int, most: int) -> np.ndarray:
    """Return the part of each row: some parts of very different sizes, none larger than `most`."""
    ends: list[int] = []
    while sum(ends) < rows:
        ends.append(min(rows - sum(ends), int(rng.choice([1, 7, 60, 500, most])), most))
    return np.repeat(np.arange(len(ends)), ends)


def summed(task: str, rows: Labelled, part: np.ndarray) -> dict:
    """Count each part as the scan does, and add them up."""
    found = []
    for one in np.unique(part):
        mine = part == one
        found.append(label_parts(task, Labelled(rows.score[mine], rows.decision[mine], rows.truth[mine], centre=rows.centre)))
    return {key: add([p[key] for p in found if key in p]) for key in {k for p in found for k in p}}


def scores_and_truths(rng: np.random.Generator, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Return scores and truths of a kind drawn at random: rare to common positives, wide to narrow scores, ties, ends, outsiders, one class."""
    truth = (rng.random(rows) < rng.choice([0.001, 0.01, 0.1, 0.3, 0.5, 0.9])).astype(float)
    place = rng.normal(size=rows) * rng.choice([0.01, 0.3, 1.5, 6.0]) + rng.choice([0.0, 0.5, 3.0]) * truth + rng.choice([-12.0, -3.0, 0.0, 9.0])
    score = 1 / (1 + np.exp(-place))
    kind = rng.integers(0, 9)
    if kind == 0:
        score = np.round(score, int(rng.integers(1, 4)))
    elif kind == 1:
        score = np.full(rows, score[0])
    elif kind == 2:
        score = np.where(rng.random(rows) < 0.3, rng.integers(0, 2, rows), score)
    elif kind == 3:
        score = 0.5 + 1e-9 * place
    elif kind == 4:
        truth = np.full(rows, float(rng.integers(0, 2)))
    elif kind == 5:
        score = rng.uniform(0.4, 0.6, rows) ** np.where(truth == 1, 0.5, 1)
    score = np.where(rng.random(rows) < rng.choice([0.0, 0.1]), NAN, score)
    return score, np.where(rng.random(rows) < rng.choice([0.0, 0.2]), NAN, truth)


def lift(truth, score, share: float) -> float:
    place = np.unique(score, return_inverse=True)[1]
    even = (np.bincount(place, weights=truth) / np.bincount(place))[place]
    taken = np.clip(share * len(score) - np.arange(len(score)), 0, 1)
    return float(np.sum(taken * even[np.argsort(-score, kind="stable")]) / taken.sum() / truth.mean())


def calibration_error(truth, score) -> float:
    _, place = np.unique(score, return_inverse=True)
    rows = np.bincount(place)
    group = np.minimum((np.cumsum(rows) - rows / 2) * 10 // len(score), 9).astype(int)[place]
    return float(sum(abs(np.sum((truth - score)[group == g])) for g in range(10)) / len(score))


def binary_oracles(score, truth, decision) -> dict[str, float]:
    """Return every KPI of the catalogue, NaN where it is undefined."""
    known = np.isfinite(truth)
    both = known & np.isfinite(score)
    t, s, y, said = truth[both], score[both], truth[known & (decision >= 0)], decision[known & (decision >= 0)]
    tp, fp, fn, tn = (float(np.sum((y == a) & (said == b))) for a, b in ((1, 1), (0, 1), (1, 0), (0, 0)))
    two, some = len(set(t)) == 2, len(t) > 0
    everything = score[np.isfinite(score)]
    return {
        "roc_auc": sk.roc_auc_score(t, s) if two else NAN,
        "average_precision": sk.average_precision_score(t, s) if t.any() else NAN,
        "log_loss": sk.log_loss(t, s, labels=[0, 1]) if some else NAN,
        "brier": float(np.mean((t - s) ** 2)) if some else NAN,
        "calibration_gap": float(np.mean(t - s)) if some else NAN,
        "calibration_error": calibration_error(t, s) if some else NAN,
        "positive_rate": float(np.mean(truth[known])) if known.any() else NAN,
        "score_mean": float(np.mean(everything)) if len(everything) else NAN,
        "flagged_ratio": float(np.mean(decision[decision >= 0])) if (decision >= 0).any() else NAN,
        "accuracy": sk.accuracy_score(y, said) if len(y) else NAN,
        "balanced_accuracy": sk.balanced_accuracy_score(y, said) if tp + fn and tn + fp else NAN,
        "precision": sk.precision_score(y, said) if tp + fp else NAN,
        "recall": sk.recall_score(y, said) if tp + fn else NAN,
        "specificity": sk.recall_score(y, said, pos_label=0) if tn + fp else NAN,
        "f1": sk.f1_score(y, said) if tp + fp + fn else NAN,
        "matthews": sk.matthews_corrcoef(y, said) if (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn) else NAN,
        "lift_at_1": lift(t, s, 0.01) if t.any() else NAN,
        "lift_at_10": lift(t, s, 0.1) if t.any() else NAN,
        "label_coverage": float(np.mean(known)),
    }


def assert_is(metric: str, ours, expected: float, within: float) -> None:
    if np.isnan(expected):
        assert not ours.is_defined, metric
        assert ours.reason, metric
        return
    assert ours.value == pytest.approx(expected, rel=within, abs=within), metric


def found_and_expected(seed: list[int], rows: int, most: int):
    rng = np.random.default_rng(seed)
    score, truth = scores_and_truths(rng, rows)
    decision = decided(score)
    view = BinaryView(summed("binary", Labelled(score, decision, truth), parts_of(rng, rows, most)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return view, binary_oracles(score, truth, decision), int(np.sum(np.isfinite(truth)))


@pytest.mark.parametrize("block", range(10))
def test_kpis_of_binary_models_are_exact_where_no_part_is_large(block):
    for case in range(BINARY_CASES // 10):
        rows = int(np.random.default_rng([block, case]).choice([1, 2, 5, 12, 60, 250, 900, MOST_EXACT]))
        view, expected, _ = found_and_expected([1, block, case], rows, MOST_EXACT)
        kpis = [m for m in catalogue.of("binary", stored_only=False) if m.family == "performance" and not m.of_chances]
        assert {m.name for m in kpis} == set(expected)
        for metric in kpis:
            assert_is(f"{metric.name} of case {block}, {case}", metric.function(view), expected[metric.name], EXACT)


@pytest.mark.parametrize("block", range(4))
def test_rankings_of_large_parts_are_within_what_is_promised_and_all_else_is_exact(block):
    for case in range(LARGE_CASES // 4):
        rows = int(np.random.default_rng([block, case]).choice([2_600, 6_000, 14_000, 30_000]))
        view, expected, labelled = found_and_expected([2, block, case], rows, 10_000)
        assert labelled >= 2_000
        for metric in (m for m in catalogue.of("binary", stored_only=False) if m.family == "performance" and not m.of_chances):
            within = {"roc_auc": 0.001, "average_precision": 0.003, "calibration_error": 0.005}.get(metric.name, EXACT)
            if not metric.name.startswith("lift"):
                assert_is(f"{metric.name} of case {block}, {case}", metric.function(view), expected[metric.name], within)


def guesses_and_truths(rng: np.random.Generator, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Return predictions and truths: all sizes, heavy tails, whole numbers with noughts, constants, perfect ones."""
    truth = rng.choice([0.0, 30.0]) + rng.standard_t(3, rows) * rng.choice([0.1, 10.0])
    guess = truth + rng.standard_t(rng.choice([2, 30]), rows) * rng.choice([0.01, 3.0]) + rng.choice([0.0, 1.0])
    kind = rng.integers(0, 6)
    if kind == 0:
        truth, guess = np.round(truth), np.round(guess)
    elif kind == 1:
        truth = np.full(rows, 4.0)
    elif kind == 2:
        guess = truth.copy()
    return np.where(rng.random(rows) < rng.choice([0.0, 0.1]), NAN, guess), np.where(rng.random(rows) < rng.choice([0.0, 0.2]), NAN, truth)


def regression_oracles(guess, truth) -> dict[str, float]:
    both = np.isfinite(guess) & np.isfinite(truth)
    t, g = truth[both], guess[both]
    if len(t) == 0:
        return dict.fromkeys((m.name for m in catalogue.of("regression", stored_only=False) if m.name != "label_coverage"), NAN)
    error, other = g - t, t != 0
    size = np.abs(t) + np.abs(g)
    return {
        "mae": sk.mean_absolute_error(t, g),
        "rmse": sk.root_mean_squared_error(t, g),
        "bias": float(np.mean(error)),
        "mape": sk.mean_absolute_percentage_error(t[other], g[other]) if other.any() else NAN,
        "r2": sk.r2_score(t, g) if len(t) > 3 and np.ptp(t) > 0 else NAN,
        "truth_mean": float(np.mean(t)),
        "smape": float(np.mean(np.where(size > 0, 2 * np.abs(error) / np.where(size > 0, size, 1), 0))),
        **{f"pinball_{q}": sk.mean_pinball_loss(t, g, alpha=q / 100) for q in (10, 50, 90)},
        **{f"error_p{q:02}": float(np.quantile(error, q / 100, method="inverted_cdf")) for q in (5, 50, 95)},
        **{f"absolute_error_p{q}": float(np.quantile(np.abs(error), q / 100, method="inverted_cdf")) for q in (50, 90)},
    }


@pytest.mark.parametrize("block", range(4))
def test_kpis_of_regressions_are_exact_and_quantiles_of_errors_within_seven_thousandths(block):
    for case in range(REGRESSION_CASES // 4):
        rng = np.random.default_rng([3, block, case])
        rows = int(rng.choice([1, 3, 4, 20, 300, 3_000]))
        guess, truth = guesses_and_truths(rng, rows)
        view = RegressionView(
            summed("regression", Labelled(guess, np.full(rows, -1), truth, centre=float(np.nanmean([*truth, 0.0]))), parts_of(rng, rows, 900))
        )
        expected = regression_oracles(guess, truth)
        for metric in catalogue.of("regression", stored_only=False):
            if metric.name in expected and not metric.estimates:
                is_quantile = "error_p" in metric.name
                assert_is(f"{metric.name} of case {block}, {case}", metric.function(view), expected[metric.name], 0.0068 if is_quantile else EXACT)
