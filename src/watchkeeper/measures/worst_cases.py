"""Worst cases: what a binary KPI would be if every label that is still missing fell the one way, or the other.

Belongs here: one function a metric, view -> the least and the greatest value that any assignment of the missing labels leaves possible. Does not:
the KPIs themselves (performance.py), several classes (classes.py), when bounds are asked for (readings.py).

Those of the decisions follow from counts: a missing label of a flagged row makes a true or a false positive, of one passed over a false or a true
negative, and each number rises or falls with each of them whatever the others are. So its extremes lie at corners. An extreme that no assignment
defines is NaN. Those of losses are sums of each row's own best and worst case. That of the ROC AUC is searched for, see `roc_auc_bounds`.
tests/measures/test_bounds.py holds each of them against all 2 ** m assignments.
"""

from collections.abc import Callable
from itertools import pairwise
from math import nan

import numpy as np
from numpy.typing import NDArray

from watchkeeper.measures.views import BinaryView
from watchkeeper.profiles.grids import ends_of
from watchkeeper.profiles.labelled import NEGATIVE, PENDING, POSITIVE, TINY
from watchkeeper.stats import ranking

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bounds = tuple[float, float]

_ROWS_AT_ONCE = 1_000_000


def _ratio(top: float, bottom: float) -> float:
    return top / bottom if bottom > 0 else nan


def positive_rate_bounds(view: BinaryView) -> Bounds:
    """All missing labels negative, all positive."""
    every = view.labelled + view.pending
    return _ratio(view.positives, every), _ratio(view.positives + view.pending, every)


def calibration_gap_bounds(view: BinaryView) -> Bounds:
    """All missing labels negative, all positive; scores are known either way."""
    waiting = view.score(PENDING).finite
    every = view.scored + waiting
    least = view.score(POSITIVE).finite - view.score_sum(POSITIVE, NEGATIVE, PENDING)
    return _ratio(least, every), _ratio(least + waiting, every)


def accuracy_bounds(view: BinaryView) -> Bounds:
    """All missing labels contradict the decision, all agree with it."""
    table, waiting = view.confusion, sum(view.decided(PENDING))
    every = int(table.sum()) + waiting
    return _ratio(int(np.trace(table)), every), _ratio(int(np.trace(table)) + waiting, every)


def precision_bounds(view: BinaryView) -> Bounds:
    """All flagged rows without a label turn out negative, all positive."""
    (_, fp), (_, tp) = view.confusion
    flagged, _ = view.decided(PENDING)
    return _ratio(tp, tp + fp + flagged), _ratio(tp + flagged, tp + fp + flagged)


def recall_bounds(view: BinaryView) -> Bounds:
    """The rows passed over turn out positive, the flagged ones do."""
    _, (fn, tp) = view.confusion
    flagged, passed = view.decided(PENDING)
    return _ratio(tp, tp + fn + passed), _ratio(tp + flagged, tp + fn + flagged)


def specificity_bounds(view: BinaryView) -> Bounds:
    """The flagged rows turn out negative, those passed over do."""
    (tn, fp), _ = view.confusion
    flagged, passed = view.decided(PENDING)
    return _ratio(tn, tn + fp + flagged), _ratio(tn + passed, tn + fp + passed)


def f1_bounds(view: BinaryView) -> Bounds:
    """All missing labels contradict the decision, all agree with it.

    Of `a` flagged rows that turn out positive and `b` passed over that do, F1 is 2 (tp + a) / (2 tp + fp + fn + flagged + a + b): as the divisor is
    at least twice tp + a, it rises with a, and it falls with b.
    """
    (_, fp), (fn, tp) = view.confusion
    flagged, passed = view.decided(PENDING)
    every = 2 * tp + fp + fn + flagged
    return _ratio(2 * tp, every + passed), _ratio(2 * (tp + flagged), every + flagged)


def balanced_accuracy_bounds(view: BinaryView) -> Bounds:
    """All missing labels contradict the decision, all agree with it: recall and specificity rise with each right decision, and fall with each wrong one."""
    (tn, fp), (fn, tp) = view.confusion
    flagged, passed = view.decided(PENDING)
    least = _ratio(tp, tp + fn + passed) + _ratio(tn, tn + fp + flagged)
    most = _ratio(tp + flagged, tp + fn + flagged) + _ratio(tn + passed, tn + fp + passed)
    return least / 2, most / 2


def log_loss_bounds(view: BinaryView) -> Bounds:
    """Each missing label falls on the likelier side, on the less likely one; scores at the end of their cell that is further out."""
    return _loss_bounds(view, "log_loss", lambda right: -np.log(np.maximum(right, TINY)))


def brier_bounds(view: BinaryView) -> Bounds:
    """As of the log loss: each missing label falls on the side that its score is nearer to, on the other one."""
    return _loss_bounds(view, "brier", lambda right: (1 - right) ** 2)


def _loss_bounds(view: BinaryView, name: str, loss: Callable[[Floats], Floats]) -> Bounds:
    """Return the ends of a mean loss that falls with the chance that the model gave to what came."""
    waiting = view.score(PENDING)
    low, high = ends_of(waiting.cells)
    best, worst = loss(np.maximum(high, 1 - low)), loss(np.minimum(low, 1 - high))
    known = view.loss(name)
    total, every = known.sum, known.n + waiting.valued
    return _ratio(total + float(best @ waiting.counts), every), _ratio(total + float(worst @ waiting.counts), every)


def roc_auc_bounds(view: BinaryView) -> Bounds:
    """Of the rows without a label the k lowest scores turn out positive, the k highest do, with the worst and the best k.

    The area is U / (P N): U pairs of a positive above a negative, ties half. Let k of the missing labels be positive: the divisor is then fixed. Where one of
    these has a lower score than a row without a label that is taken as negative, exchanging the two loses no pair: the positive lies above every negative it did,
    the negative below every positive, and the pair itself is won. So the k highest have the greatest U, the k lowest the least, and only k is left to try.

    Rows that share a step of the grid may lie either way round: those without a label are taken as the extreme has it, so that bounds hold, and are wider
    by as much as such rows are many.
    """
    (positives, negatives, waiting), is_step = view.ranks(POSITIVE, NEGATIVE, PENDING)
    known, _ = view.ranks(POSITIVE, NEGATIVE)
    p, n = int(positives.sum()), int(negatives.sum())
    won = ranking.roc_auc(*known) * p * n if p and n else 0.0
    tie = np.where(is_step, 1.0, 0.5)
    most = _greatest_area(positives, negatives, waiting, tie, won)
    most_lost = _greatest_area(positives[::-1], negatives[::-1], waiting[::-1], tie[::-1], p * n - won)
    return 1 - most_lost, most


def _greatest_area(positives: Ints, negatives: Ints, waiting: Ints, tie: Floats, won: float) -> float:
    """Return the greatest area under the curve with the k highest of the waiting rows positive, over all k that leave rows of both outcomes.

    Cells ascend; `tie` is what a pair of one cell counts for where one of it waits, `won` the pairs that labelled rows win among themselves. The row
    number j of a cell that is made a positive wins the negatives below it, and gives up the positives above it:
    with all cells above done, j of them change U by j (gain) + tie j (M - j), where M are the cell's rows.
    """
    p, n, m = float(positives.sum()), float(negatives.sum()), float(waiting.sum())
    above = np.cumsum(waiting[::-1])[::-1] - waiting
    below_negative, below_waiting = np.cumsum(negatives) - negatives, np.cumsum(waiting) - waiting
    above_positive = np.cumsum(positives[::-1])[::-1] - positives
    gain = below_negative + tie * negatives + below_waiting - above_positive - tie * positives - above
    start = won + float(positives @ (below_waiting + tie * waiting))
    whole = waiting * gain
    done = start + np.cumsum(whole[::-1])[::-1] - whole
    found = [_area(start, p, n + m)]
    for cells in _in_pieces(waiting):
        rows = waiting[cells]
        j = np.arange(1, rows.sum() + 1) - np.repeat(np.cumsum(rows) - rows, rows)
        of = [np.repeat(each[cells], rows) for each in (done, gain, tie, waiting, above)]
        pairs = of[0] + j * of[1] + of[2] * j * (of[3] - j)
        divisor = (p + of[4] + j) * (n + m - of[4] - j)
        found += [float(np.max(pairs[divisor > 0] / divisor[divisor > 0], initial=-np.inf))]
    best = np.nanmax([-np.inf, *found])
    return float(best) if np.isfinite(best) else nan


def _area(pairs: float, positives: float, negatives: float) -> float:
    return _ratio(pairs, positives * negatives)


def _in_pieces(rows: Ints) -> list[slice]:
    """Return runs of cells, of a million rows at most where no single cell has more."""
    piece = np.cumsum(rows) // _ROWS_AT_ONCE
    cuts = [0, *(np.flatnonzero(np.diff(piece)) + 1).tolist(), len(rows)]
    return [slice(first, last) for first, last in pairwise(cuts) if rows[first:last].sum()]
