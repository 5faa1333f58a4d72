"""Estimated performance: what KPIs come to if a score means what it meant in the reference (CBPE), and how far the truth was from that.

Belongs here: one function a metric, (calibration, view) -> Estimate. Does not: the truth's own KPIs (performance.py).

An estimate looks at scores alone: it follows inputs that make a model less sure, and is blind to a change of what the inputs mean,
which the gap of realised and estimated shows once labels are there (Kivimaki et al. 2025, arXiv 2505.05295).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import nan, sqrt

import numpy as np
from numpy.typing import NDArray

from watchkeeper.measures import performance
from watchkeeper.measures.likeness import ReferenceRows
from watchkeeper.measures.views import BinaryView, ClassView
from watchkeeper.profiles.labelled import NEGATIVE, PENDING, POSITIVE, TINY
from watchkeeper.stats import ranking
from watchkeeper.stats.calibration import Calibration, calibrated
from watchkeeper.stats.intervals import Z95, Estimate, auc_interval, undefined

Floats = NDArray[np.float64]
LEAST_LABELLED = 200
_STEP = 1e-4
_ALL, _LABELLED = (POSITIVE, NEGATIVE, PENDING), (POSITIVE, NEGATIVE)


def calibration_of(reference: BinaryView) -> Calibration | str:
    """Return what scores mean in the reference, or why that cannot be said."""
    if reference.labelled and not reference.scored:
        return "no scores were logged in the reference, and an estimate is made of scores"
    if reference.scored < LEAST_LABELLED:
        return f"the reference has {reference.scored:,} labelled rows with a score, {LEAST_LABELLED} are needed to say what a score means"
    (positives, negatives), scores = reference.by_score(*_LABELLED)
    if not positives.any() or not negatives.any():
        return "the labels of the reference are of one class only"
    return calibrated(positives, negatives, scores)


def weighted(known: ReferenceRows, weights: Floats, before: Calibration) -> Calibration:
    """Return what scores mean for rows of the reference that are weighted to the inputs of a window; what they meant `before` stands until these contradict it."""
    cells, place = known.by_score
    positives, negatives = (np.bincount(place, weights=weights * (known.truth == side), minlength=len(cells)) for side in (1, 0))
    return calibrated(positives, negatives, cells, before)


@dataclass(frozen=True)
class Expected:
    """Rows by score, and what is expected of them; arrays are over scores in ascending order.

    `flagged` are those decided positive, None where decisions do not follow the score.
    """

    calibration: Calibration
    scores: Floats
    rows: Floats
    chances: Floats
    flagged: Floats | None

    @property
    def n(self) -> int:
        """Rows with a score."""
        return int(self.rows.sum())

    def mean_of(self, if_positive: Floats, if_negative: Floats) -> Estimate:
        """Return the mean of a row function that depends on the outcome; the rows' own chance and the doubt about chances make its interval."""
        share = self.rows / max(1, self.n)
        value = float(
            np.sum(share * (self.chances * if_positive + (1 - self.chances) * if_negative))
        )  # a BLAS product differs from process to process
        return self.within(value, share * (if_positive - if_negative), share / max(1, self.n) * (if_positive - if_negative) ** 2)

    def within(self, value: float, slopes: Floats, weights: Floats, least: float = -np.inf, most: float = np.inf) -> Estimate:
        """Return an estimate with its band: `slopes` by chance, `weights` of the rows' own variance."""
        variance = float(np.sum(weights * self.chances * (1 - self.chances))) + self.calibration.doubt(slopes, self.scores)
        se = sqrt(max(0.0, variance))
        return Estimate(value, se, max(least, value - Z95 * se), min(most, value + Z95 * se), self.n)


def expected(calibration: Calibration, view: BinaryView, outcomes: tuple[str, ...] = _ALL) -> Expected:
    """Return what is expected of the rows of some outcomes, whatever these are; worked out once for all numbers that rest on it."""
    found: Expected = view.once((id(calibration), outcomes), lambda: _expected(calibration, view, outcomes))
    return found


def _expected(calibration: Calibration, view: BinaryView, outcomes: tuple[str, ...]) -> Expected:
    counts, scores = view.by_score(*outcomes)
    rows = np.sum(counts, axis=0).astype(float)
    flags = view.flagged(*outcomes) if isinstance(view, ClassView) else _flagged(counts, [view.decided(o) for o in outcomes])
    return Expected(calibration, scores, rows, calibration.of(scores), flags)


def _flagged(counts: list[NDArray[np.int64]], decided: list[tuple[int, int]]) -> Floats | None:
    """Return how many rows of each score were flagged, as the highest ones; None where any outcome's own count of flagged rows says otherwise."""
    rows = np.sum(counts, axis=0).astype(float)
    left = float(sum(flagged for flagged, _ in decided))
    if any(flagged + passed != int(each.sum()) for each, (flagged, passed) in zip(counts, decided, strict=True)):
        return None
    above = np.cumsum(rows[::-1])[::-1] - rows
    flags: Floats = np.clip(left - above, 0.0, rows)
    whole = flags == rows
    for each, (flagged, _) in zip(counts, decided, strict=True):
        if not int(each[whole].sum()) <= flagged <= int(each[flags > 0].sum()):
            return None
    return flags


def _of_decisions(found: Expected, function: Callable[[Expected, Floats], Estimate]) -> Estimate:
    if found.flagged is None:
        return undefined("decisions do not follow the score: which rows were flagged is not known by score", found.n)
    return function(found, found.flagged)


# Means over rows


def _scored(found: Expected, if_positive: Floats, if_negative: Floats) -> Estimate:
    return found.mean_of(if_positive, if_negative) if found.n else undefined("no scores were logged")


def _log_losses(found: Expected) -> tuple[Floats, Floats]:
    p = np.clip(found.scores, TINY, 1 - TINY)
    return -np.log(p), -np.log1p(-p)


def _rightness(found: Expected) -> Estimate:
    def right(found: Expected, flagged: Floats) -> Estimate:
        share = np.divide(flagged, found.rows, out=np.zeros_like(flagged), where=found.rows > 0)
        return _cut(_scored(found, share, 1 - share))

    return _of_decisions(found, right)


def accuracy(calibration: Calibration, view: BinaryView) -> Estimate:
    """Share of decisions that are expected to be right."""
    return _rightness(expected(calibration, view))


def log_loss(calibration: Calibration, view: BinaryView) -> Estimate:
    """Mean negative log likelihood that is expected of the scores, nats."""
    found = expected(calibration, view)
    return _scored(found, *_log_losses(found))


def brier(calibration: Calibration, view: BinaryView) -> Estimate:
    """Mean squared difference of score and truth that is expected."""
    found = expected(calibration, view)
    return _cut(_scored(found, (1 - found.scores) ** 2, found.scores**2))


def positive_rate(calibration: Calibration, view: BinaryView) -> Estimate:
    """Share of rows whose truth is expected to be positive."""
    found = expected(calibration, view)
    return _cut(_scored(found, np.ones(len(found.rows)), np.zeros(len(found.rows))))


def _cut(found: Estimate) -> Estimate:
    return replace(found, low=max(0.0, found.low), high=min(1.0, found.high)) if found.is_defined else found


# Ratios of expected counts


def _ratio(calibration: Calibration, view: BinaryView, function: Callable[[float, float, float, float], tuple[float, float, float]]) -> Estimate:
    """Return a function of (found, missed, flagged, rows) with its slopes by the first two: delta method over independent rows."""

    def over(found: Expected, flagged: Floats) -> Estimate:
        passed = found.rows - flagged
        hit, missed = float(np.sum(flagged * found.chances)), float(np.sum(passed * found.chances))
        value, by_hit, by_missed = function(hit, missed, float(flagged.sum()), float(found.n))
        if value != value:  # noqa: PLR0124 - not a number
            return undefined("nothing was flagged, or no positive is expected", found.n)
        return found.within(value, by_hit * flagged + by_missed * passed, by_hit**2 * flagged + by_missed**2 * passed, 0.0, 1.0)

    return _of_decisions(expected(calibration, view), over)


def precision(calibration: Calibration, view: BinaryView) -> Estimate:
    """Share of flagged rows that are expected to be positive."""
    return _ratio(calibration, view, lambda hit, _, flagged, __: (hit / flagged, 1 / flagged, 0.0) if flagged else (nan, nan, nan))


def recall(calibration: Calibration, view: BinaryView) -> Estimate:
    """Share of the positives expected that were flagged."""

    def share(hit: float, missed: float, _: float, __: float) -> tuple[float, float, float]:
        every = hit + missed
        return (hit / every, missed / every**2, -hit / every**2) if every > 0 else (nan, nan, nan)

    return _ratio(calibration, view, share)


def specificity(calibration: Calibration, view: BinaryView) -> Estimate:
    """Share of the negatives expected that were not flagged."""

    def share(hit: float, missed: float, flagged: float, rows: float) -> tuple[float, float, float]:
        passed, negatives = rows - flagged - missed, rows - hit - missed
        if negatives <= 0:
            return nan, nan, nan
        return passed / negatives, passed / negatives**2, (passed - negatives) / negatives**2

    return _ratio(calibration, view, share)


def f1(calibration: Calibration, view: BinaryView) -> Estimate:
    """Harmonic mean of the precision and the recall that are expected."""

    def mean(hit: float, missed: float, flagged: float, _: float) -> tuple[float, float, float]:
        every = flagged + hit + missed
        return (2 * hit / every, 2 / every - 2 * hit / every**2, -2 * hit / every**2) if every > 0 else (nan, nan, nan)

    return _ratio(calibration, view, mean)


# Rankings


def _ranked(
    calibration: Calibration, view: BinaryView, rank: Callable[[Floats, Floats], float], around: Callable[[float, int, int], Estimate]
) -> Estimate:
    """Return a ranking of expected positives and negatives: the interval it would have of so many rows, wider by the doubt about chances."""
    found = expected(calibration, view)
    if not found.n:
        return undefined("no scores were logged")
    positives, negatives = found.rows * found.chances, found.rows * (1 - found.chances)
    if min(positives.sum(), negatives.sum()) < 1:
        return undefined("less than one positive, or one negative, is expected", found.n)
    value = rank(positives, negatives)
    few = around(value, round(float(positives.sum())), round(float(negatives.sum())))
    if few.reason:
        return replace(few, n=found.n)
    group, doubt = calibration.group(found.scores), 0.0
    for place, variance in enumerate(calibration.variance):
        moved = np.where(group == place, found.chances + _STEP, found.chances)
        doubt += ((rank(found.rows * moved, found.rows * (1 - moved)) - value) / _STEP) ** 2 * variance
    low, high = (value + side * sqrt((end - value) ** 2 + Z95**2 * doubt) for side, end in ((-1, few.low), (1, few.high)))
    return Estimate(value, sqrt(few.se**2 + doubt), max(0.0, low), min(1.0, high), found.n)


def roc_auc(calibration: Calibration, view: BinaryView) -> Estimate:
    """Area under the ROC curve that is expected."""
    return _ranked(calibration, view, ranking.roc_auc, auc_interval)


def average_precision(calibration: Calibration, view: BinaryView) -> Estimate:
    """Average precision that is expected."""
    return _ranked(calibration, view, ranking.average_precision, lambda value, p, n: performance.precision_interval(value, p, p + n))


# Realised minus estimated, over the same labelled rows


def accuracy_gap(calibration: Calibration, view: BinaryView) -> Estimate:
    """Share of labelled decisions that are right, minus the share expected of these rows: below nought where the model is wrong more often than it knows."""
    return realised_minus(performance.accuracy(view), _rightness(expected(calibration, view, _LABELLED)))


def log_loss_gap(calibration: Calibration, view: BinaryView) -> Estimate:
    """Log loss of labelled rows minus the log loss expected of them, nats."""
    found = expected(calibration, view, _LABELLED)
    return realised_minus(performance.log_loss(view), _scored(found, *_log_losses(found)))


def realised_minus(realised: Estimate, estimate: Estimate) -> Estimate:
    """Return realised minus estimated; were the estimate right, the realised value would differ from it by the estimate's own band."""
    if not realised.is_defined or not estimate.is_defined:
        return estimate if realised.is_defined else realised
    gap = realised.value - estimate.value
    return Estimate(gap, estimate.se, gap - Z95 * estimate.se, gap + Z95 * estimate.se, realised.n)
