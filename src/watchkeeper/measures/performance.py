"""KPIs from label profiles, each with its interval; undefined ones say why.

Belongs here: one function a metric, view -> Estimate. Does not: what missing labels leave open (worst_cases.py), units and directions
(catalogue.py), what has been learned as normal (judgement/), several classes (classes.py).
"""

from collections.abc import Callable
from dataclasses import replace
from math import exp, isfinite, nan, sqrt

import numpy as np
from numpy.typing import NDArray

from watchkeeper.measures.views import BinaryView, MulticlassView, RegressionView
from watchkeeper.profiles.counts import Counts
from watchkeeper.profiles.labelled import (
    ERROR_BY_TRUTH,
    NEGATIVE,
    PENDING,
    POSITIVE,
    SQUARED_ERROR_BY_TRUTH,
    TRUTH_CENTRED,
    TRUTH_CUBED,
    TRUTH_SQUARED,
)
from watchkeeper.stats import ranking
from watchkeeper.stats.intervals import OVERFLOW, Z95, Estimate, at_least_as_unsure, auc_interval, mean, proportion, ratio_of_counts, root, undefined
from watchkeeper.words import counted

Floats = NDArray[np.float64]
LEAST_FOR_T, LEAST_FOR_LOSS, LEAST_FOR_DELTA, LEAST_OF_CLASS, LEAST_OF_SHARE = 1_000, 300, 20, 5, 10
"""Rows below which intervals say approximate, as `python -m benchmarks.coverage` found: of means of errors, of log loss and Brier, rows of either
outcome for functions of the confusion, rows of either for a ROC AUC, the denominator of a share.
"""
_ROUGH = 0.005
_ROUNDING = 1e-12
_WIDEST = 500.0


# Binary


def unscored(view: BinaryView) -> Estimate:
    """Return the estimate of a number of scores where there are none."""
    return undefined("no scores were logged" if view.labelled else "no labels", view.labelled)


def roc_auc(view: BinaryView) -> Estimate:
    """Area under the ROC curve; Newcombe's interval.

    Exact where parts of 2,000 labelled rows or fewer are added, as most days and hours are; of larger ones within .001. In segments, whose
    scores are ranked on the logit grid, one tied pair weighs as much as the rows are few: within .001 of the exact value from 300 rows
    on, .003 from 100, .01 from 30; the interval is far wider.
    """
    if not view.scored:
        return unscored(view)
    positives, negatives, _ = view.cells()
    p, n = int(positives.sum()), int(negatives.sum())
    found = _of_rarer(auc_interval(ranking.roc_auc(positives, negatives), p, n), p, n, LEAST_OF_CLASS)
    return replace(found, reason=f"the scores lie close together: ranked to {view.tied:.3f}") if view.tied > _ROUGH else found


def average_precision(view: BinaryView) -> Estimate:
    """Average precision; logit interval of Boyd, Eng and Page 2013.

    Exact where parts of 2,000 labelled rows or fewer are added; of larger ones within .003, since the highest 500 scores of each are kept one by
    one. Where parts of an earlier release or of segments are added, scores share the cells of the logit grid: within .05 at 200 rows, .015 at
    1,000, .006 at 5,000 and .004 at 20,000.
    """
    positives, negatives, _ = view.cells()
    value = ranking.average_precision(positives, negatives)
    return precision_interval(value, int(positives.sum()), view.scored) if view.scored else unscored(view)


def precision_interval(value: float, p: int, n: int) -> Estimate:
    """Return an average precision over `n` rows, `p` of them positive, with its logit interval."""
    if p == 0:
        return undefined("no positives", n)
    if not 0 < value < 1:
        return Estimate(value, n=n, reason="no interval at 0 or 1")
    spread = Z95 / sqrt(p * value * (1 - value))
    place = np.log(value / (1 - value))
    low, high = (1 / (1 + np.exp(-(place + side * spread))) for side in (-1, 1))
    return Estimate(value, sqrt(value * (1 - value) / p), float(low), float(high), n)


def log_loss(view: BinaryView) -> Estimate:
    """Mean negative log likelihood of the truth, nats."""
    loss = view.loss("log_loss")
    return of_few(mean(loss.sum, loss.sum2, loss.n), LEAST_FOR_LOSS) if loss.n else unscored(view)


def brier(view: BinaryView) -> Estimate:
    """Mean squared difference of score and truth."""
    loss = view.loss("brier")
    return of_few(mean(loss.sum, loss.sum2, loss.n), LEAST_FOR_LOSS) if loss.n else unscored(view)


def positive_rate(view: BinaryView) -> Estimate:
    """Share of labelled rows whose truth is positive."""
    return proportion(view.positives, view.labelled)


def score_mean(view: BinaryView) -> Estimate:
    """Mean score of all predictions, labelled or not: the share of positives the model expects."""
    every = [view.score(o) for o in (POSITIVE, NEGATIVE, PENDING)]
    scored, rows = sum(c.finite for c in every), sum(c.n for c in every)
    return mean(sum(c.sum for c in every), sum(c.sum2 for c in every), scored) if scored or not rows else undefined("no scores were logged", rows)


def calibration_gap(view: BinaryView) -> Estimate:
    """Mean of truth minus score over labelled rows: how much more often it happened than the model said. Rows without a score stay out."""
    if not view.scored:
        return unscored(view)
    gap = view.score(POSITIVE).finite - view.score_sum(POSITIVE, NEGATIVE)
    return at_least_as_unsure(mean(gap, view.loss("brier").sum, view.scored), claimed_variance(view))


def claimed_variance(view: BinaryView) -> float:
    """Return the variance of the mean truth if the scores were right: sum of p (1 - p) over n squared.

    With few rows the observed variance is often far too small (five rows without a single positive), this one is not.
    """
    counts = [view.score(POSITIVE), view.score(NEGATIVE)]
    return max(0.0, sum(c.sum - c.sum2 for c in counts)) / max(1, view.scored) ** 2


def calibration_error(view: BinaryView) -> Estimate:
    """Expected calibration error over ten equally filled groups; no interval is given, since its sampling is not normal."""
    if not view.scored:
        return unscored(view)
    return Estimate(ranking.calibration_error(*view.cells()), n=view.scored, reason="no interval: its sampling is not normal")


def flagged_ratio(view: BinaryView) -> Estimate:
    """Share of predictions decided positive."""
    flagged, passed = np.sum([view.decided(o) for o in (POSITIVE, NEGATIVE, PENDING)], axis=0)
    return proportion(int(flagged), int(flagged + passed))


def accuracy(view: BinaryView | MulticlassView) -> Estimate:
    """Share of labelled decisions that are right."""
    table = view.confusion
    return proportion(int(np.trace(table)), int(table.sum()))


def _share(hits: int, rows: int) -> Estimate:
    return of_few(proportion(hits, rows), LEAST_OF_SHARE)


def precision(view: BinaryView) -> Estimate:
    """Share of flagged rows that are positive."""
    (_, fp), (_, tp) = view.confusion
    return _share(int(tp), int(tp + fp)) if tp + fp else undefined("nothing was flagged", view.labelled)


def recall(view: BinaryView) -> Estimate:
    """Share of positives that were flagged."""
    _, (fn, tp) = view.confusion
    return _share(int(tp), int(tp + fn)) if tp + fn else undefined("no positives", view.labelled)


def specificity(view: BinaryView) -> Estimate:
    """Share of negatives that were not flagged."""
    (tn, fp), _ = view.confusion
    return _share(int(tn), int(tn + fp)) if tn + fp else undefined("no negatives", view.labelled)


def f1(view: BinaryView) -> Estimate:
    """Harmonic mean of precision and recall; delta-method interval."""
    return _of_confusion(lambda c: _ratio(2 * c[1, 1], 2 * c[1, 1] + c[0, 1] + c[1, 0]), view)


def balanced_accuracy(view: BinaryView) -> Estimate:
    """Mean of recall and specificity; delta-method interval."""
    return _of_confusion(lambda c: (_ratio(c[1, 1], c[1].sum()) + _ratio(c[0, 0], c[0].sum())) / 2, view)


def matthews(view: BinaryView) -> Estimate:
    """Matthews correlation of decision and truth; delta-method interval."""
    return _of_confusion(_matthews, view, least=-1.0)


def _of_confusion(function: Callable[[Floats], float], view: BinaryView, least: float = 0.0) -> Estimate:
    negatives, positives = view.confusion.sum(axis=1).tolist()
    return _of_rarer(ratio_of_counts(function, view.confusion, least=least), positives, negatives, LEAST_FOR_DELTA)


def _of_rarer(found: Estimate, positives: int, negatives: int, least: int) -> Estimate:
    """Return an estimate that says of how few rows of the rarer outcome its interval is."""
    return of_few(found, least, "positive" if positives <= negatives else "negative", min(positives, negatives))


def _matthews(c: Floats) -> float:
    (tn, fp), (fn, tp) = c
    return _ratio(tp * tn - fp * fn, sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)))


def label_coverage(view: BinaryView | RegressionView | MulticlassView) -> Estimate:
    """Share of predictions whose truth is known."""
    return proportion(view.labelled, view.labelled + view.pending)


def _ratio(top: float, bottom: float) -> float:
    return top / bottom if bottom > 0 else nan


# Regression


def mae(view: RegressionView) -> Estimate:
    """Mean absolute error, in the unit of the truth."""
    return mean_of(view.of("abs_error"))


def mean_of(c: Counts) -> Estimate:
    """Return the mean of counted values, of which none may be infinite; of few rows it says that its interval is approximate."""
    return of_few(mean(c.sum, c.sum2, c.n)) if c.finite == c.n else undefined(OVERFLOW, c.n)


def of_few(found: Estimate, least: int = LEAST_FOR_T, what: str = "row", n: int | None = None) -> Estimate:
    """Return an estimate that says of how few rows its interval is, where they are fewer than it takes to cover 95 %."""
    rows = found.n if n is None else n
    if rows >= least or found.reason or not found.is_defined:
        return found
    return replace(found, reason=f"approximate interval: {counted(rows, what)}")


def rmse(view: RegressionView) -> Estimate:
    """Root of the mean squared error; delta-method interval."""
    e = view.of("squared_error")
    squared = mean_of(e)
    if not squared.is_defined or squared.value <= 0:
        return Estimate(0.0, n=e.n) if squared.is_defined else squared
    return root(squared)


def bias(view: RegressionView) -> Estimate:
    """Mean of prediction minus truth."""
    return mean_of(view.error)


def mape(view: RegressionView) -> Estimate:
    """Mean absolute error relative to the truth, over rows whose truth is not zero; the others are told."""
    ratios = view.of("abs_error_ratio")
    zeros = view.error.n - ratios.n
    if zeros and not ratios.n:
        return undefined("the truth is 0 in every labelled row", zeros)
    found = mean_of(ratios)
    return replace(found, reason="; ".join(filter(None, (found.reason, f"without {counted(zeros, 'row')} whose truth is 0")))) if zeros > 0 else found


def r2(view: RegressionView) -> Estimate:
    """Share of the truth's variance explained, below 0 where the mean of the truth would have been the better prediction.

    The interval is that of rows drawn again, by the delta method on the logarithm of 1 - R squared; it takes no prediction to be right in the mean.
    """
    truth, squared = view.of(TRUTH_CENTRED), view.of("squared_error")
    n = truth.n
    spread = truth.sum2 - truth.sum * truth.sum / n if n else 0.0
    if squared.finite < squared.n or not isfinite(spread) or not isfinite(squared.sum):
        return undefined(OVERFLOW, n)
    if n < 4 or spread <= _ROUNDING * truth.sum2:  # noqa: PLR2004 - so few say nothing of a spread
        return undefined("fewer than four labels" if n < 4 else "the truth is constant", n)  # noqa: PLR2004
    unexplained = squared.sum / spread
    if view.of(TRUTH_SQUARED).n < n:
        return Estimate(1 - unexplained, n=n, reason="no interval: some of these rows were counted by an earlier release")
    if unexplained == 0:
        return Estimate(1.0, n=n, reason="no interval at 1")
    se = sqrt(max(0.0, _pulls_squared(view, unexplained)) / (n - 1) * n) / spread
    if not isfinite(se):
        return Estimate(1 - unexplained, n=n, reason="the squares are too large to add up: no interval")
    wide = exp(min(Z95 * se / unexplained, _WIDEST))
    return Estimate(1 - unexplained, se, 1 - unexplained * wide, 1 - unexplained / wide, n, "approximate interval")


def _pulls_squared(view: RegressionView, unexplained: float) -> float:
    """Return the sum over rows of (e^2 - q (y - mean y)^2)^2, where q is the part of the variance that is not explained, from sums about another centre."""
    centred, squares, cubes = (view.of(name) for name in (TRUTH_CENTRED, TRUTH_SQUARED, TRUTH_CUBED))
    n, off = centred.n, centred.sum / centred.n
    fourth = squares.sum2 - 4 * off * cubes.sum + 6 * off**2 * squares.sum - 4 * off**3 * centred.sum + n * off**4
    both = view.of(ERROR_BY_TRUTH).sum2 - 2 * off * view.of(SQUARED_ERROR_BY_TRUTH).sum + off**2 * view.of("squared_error").sum
    return float(view.of("squared_error").sum2 - 2 * unexplained * both + unexplained**2 * fourth)


def truth_mean(view: RegressionView) -> Estimate:
    """Mean of the truth."""
    return mean_of(view.of("truth"))
