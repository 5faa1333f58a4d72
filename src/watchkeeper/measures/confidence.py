"""Low confidence: how unsure a model was of its own decisions, before anybody knows whether they were right.

Belongs here: the share of predictions near another decision, their entropy, and the threshold they are near to. Does not: which rows
these are (operations/pick.py), how scores moved (drift.py), whether they are right (performance.py).
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from watchkeeper.measures.views import BinaryView, MulticlassView
from watchkeeper.profiles.counts import Counts
from watchkeeper.profiles.grids import LOGIT_CELLS, logit_cells, logit_ends, rows_of_steps, scores_of
from watchkeeper.profiles.labelled import ENTROPY, LOW_MARGIN, NEAR, NEGATIVE, PENDING, POSITIVE, entropies
from watchkeeper.stats.intervals import Estimate, mean, proportion, undefined

Floats = NDArray[np.float64]
_ALL = (POSITIVE, NEGATIVE, PENDING)
_CLIPPED = "scores outside [0, 1] count as its ends"


def near(score: Floats, threshold: float) -> NDArray[np.bool_]:
    """Tell which scores lie near a threshold; no score is not near.

    Near is within .05 of it or, where that is less, within half of what lies between it and the nearer of 0 and 1: of a threshold of
    .01 a score of .05 is far. Ends are rounded outwards to the grid of scores, which moves them by at most .002, so that rows and
    profiles tell the same.

    >>> near(np.array([0.44, 0.46, 0.55, np.nan]), 0.5).tolist()
    [False, True, True, False]
    """
    is_there = np.isfinite(score)
    return is_there & _near(logit_cells(np.where(is_there, score, 0.0)), threshold)


def _near(cells: NDArray[np.int64], threshold: float) -> NDArray[np.bool_]:
    reach = min(NEAR, threshold / 2, (1 - threshold) / 2)
    low, high = logit_cells(np.array([threshold - reach, threshold + reach]))
    found: NDArray[np.bool_] = (low <= cells) & (cells <= high)
    return found


def learned_threshold(view: BinaryView) -> Estimate:
    """Return the score from which on rows were decided positive, where the model decides by itself: as many score at or above it as were flagged.

    Found to one cell of the grid, .002 at most. Where decisions do not follow the score by one threshold, it is the one that would
    flag as many.
    """
    flagged, passed = np.sum([view.decided(o) for o in _ALL], axis=0).tolist()
    cells, rows = _every_score(view)
    if not flagged or not passed or not rows.sum():
        return undefined("the reference does not hold both decisions with scores, so that no threshold is known", int(rows.sum()))
    above = np.cumsum(rows[::-1])[::-1]
    nearest = int(np.argmin(np.abs(above - flagged * (rows.sum() / (flagged + passed)))))
    return Estimate(float(logit_ends(cells[nearest : nearest + 1])[0][0]), n=int(rows.sum()))


def low_confidence_ratio(view: BinaryView) -> Estimate:
    """Share of scores that lie near the threshold, see `near`; Wilson."""
    if not view.threshold.is_defined:
        return undefined(view.threshold.reason, _scored(view))
    cells, rows = _every_score(view)
    is_near = int(rows[_near(cells, view.threshold.value)].sum())
    return _said(view, proportion(is_near, _scored(view)))


def entropy(view: BinaryView) -> Estimate:
    """Mean of -p ln p - (1 - p) ln (1 - p) over scores, nats: 0 where all is sure, ln 2 = .693 at one half.

    Scores count as the middle of their cell of the grid: off by less than .001 for any row, and by far less in the mean.
    """
    cells, rows = _every_score(view)
    values = _entropies_of_steps()[cells]
    return _said(view, mean(float(np.dot(values, rows)), float(np.dot(values**2, rows)), _scored(view)))


@cache
def _entropies_of_steps() -> Floats:
    """Return the entropy of the middle of each cell of the grid."""
    p = scores_of(np.arange(LOGIT_CELLS))
    return entropies(p, 1 - p)


def _every_score(view: BinaryView) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the cells of the grid that hold scores, in ascending order, and their rows, whatever the outcome."""
    found: tuple[NDArray[np.int64], NDArray[np.int64]] = view.once("every score", lambda: _on_the_grid([view.score(o) for o in _ALL]))
    return found


def _on_the_grid(parts: list[Counts]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    rows = rows_of_steps(*(np.concatenate(each) for each in ([p.cells for p in parts], [p.counts for p in parts])))
    cells = np.flatnonzero(rows)
    return cells, rows[cells]


def _scored(view: BinaryView) -> int:
    return sum(view.score(o).valued for o in _ALL)


def _said(view: BinaryView, found: Estimate) -> Estimate:
    if not _scored(view):
        return undefined("no scores were logged")
    return Estimate(found.value, found.se, found.low, found.high, found.n, _CLIPPED) if view.goes_beyond else found


def low_margin_ratio(view: MulticlassView) -> Estimate:
    """Share of rows whose likeliest class leads the next by .1 or less, of two classes within .05 of one half; Wilson."""
    found = view.of(LOW_MARGIN)
    return proportion(found.sum, found.n) if found.n else _unsaid(view)


def entropy_of_classes(view: MulticlassView) -> Estimate:
    """Mean of minus the sum of p ln p over the classes with a probability, nats: 0 where all is sure, ln k where k classes are alike."""
    found = view.of(ENTROPY)
    return mean(found.sum, found.sum2, found.n) if found.n else _unsaid(view)


def _unsaid(view: MulticlassView) -> Estimate:
    return undefined("no row has all its probabilities", view.labelled + view.pending)
