"""Calibration: which share of rows was positive where the model gave a score, learned once on labelled rows.

Belongs here: labelled counts per score -> the chance behind a score, and how sure it is. Does not: what is estimated with it (measures/estimated.py).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincc

Floats = NDArray[np.float64]
Rows = NDArray[np.int64] | Floats
"""Rows per score; parts of rows where they are weighted."""
_GROUPS = 10
_LEVEL = 0.05


@dataclass(frozen=True)
class Calibration:
    """The chance of a positive behind a score; learned on `n` labelled rows, of which every `edges` ends a tenth.

    `scores` and `chances` are the points of an isotonic regression (Zadrozny and Elkan 2002), none where scores are chances as they are.
    `variance` is that of the chance in each tenth, from the rows it was learned on.
    """

    scores: Floats
    chances: Floats
    edges: Floats
    variance: Floats
    n: int

    @property
    def is_identity(self) -> bool:
        """Tell whether scores are taken as they are."""
        return len(self.scores) == 0

    def of(self, scores: Floats) -> Floats:
        """Return the chance behind each score; beyond the scores it was learned on, that of the outermost one."""
        inside = np.clip(scores, 0.0, 1.0)
        return inside if self.is_identity else np.interp(inside, self.scores, self.chances)

    def group(self, scores: Floats) -> NDArray[np.int64]:
        """Return in which tenth of the rows it was learned on each score lies."""
        return np.searchsorted(self.edges, scores, side="left").astype(np.int64)

    def doubt(self, slopes: Floats, scores: Floats) -> float:
        """Return the variance that an estimate has since chances were learned on few rows; `slopes` says by how much it moves with each chance."""
        pulled = np.bincount(self.group(scores), weights=slopes, minlength=len(self.variance))
        return float(np.sum(pulled**2 * self.variance))


def calibrated(positives: Rows, negatives: Rows, scores: Floats, before: Calibration | None = None) -> Calibration:
    """Learn what scores mean from labelled counts per score, in ascending order of the scores.

    Where ten equally filled groups hold as many positives as their scores add up to (Hosmer and Lemeshow 1980, on rows the model
    was not trained on: ten degrees of freedom), scores are taken as they are: a curve fitted to few rows would add noise and no truth.
    Of weighted rows, which add up to as many as they tell, what was known `before` stands until they contradict it.

    >>> rows = np.array([100, 100])
    >>> calibrated(rows // 2, rows // 2, np.array([0.2, 0.8])).of(np.array([0.2])).round(2).tolist()
    [0.5]
    """
    rows = (positives + negatives).astype(float)
    n = float(rows.sum())
    group = np.minimum(((np.cumsum(rows) - rows / 2) * _GROUPS / n).astype(np.int64), _GROUPS - 1)
    used = np.unique(group)
    group = np.searchsorted(used, group)
    chances = scores if before is None else before.of(scores)
    held, seen, said, spread = (np.bincount(group, weights=w) for w in (rows, positives, rows * chances, rows * chances * (1 - chances)))
    misfit = float(np.sum((seen - said) ** 2 / np.maximum(spread, 1e-9)))
    share = (seen + 0.5) / (held + 1)
    last = np.searchsorted(group, np.arange(len(used)), side="right") - 1
    edges, variance = scores[last][:-1], share * (1 - share) / held
    if gammaincc(len(used) / 2, misfit / 2) >= _LEVEL:  # the chance of such a misfit or a worse one
        points = (np.empty(0), np.empty(0)) if before is None else (before.scores, before.chances)
        return Calibration(*points, edges, variance, int(n))
    from scipy.optimize import isotonic_regression

    there = rows > 0
    risen = isotonic_regression((positives / np.maximum(rows, 1e-300))[there], weights=rows[there]).x
    steps = np.concatenate([[True], risen[1:] != risen[:-1], [True]])
    ends = steps[1:] | steps[:-1]  # of a stretch of one chance the first and the last point tell all
    return Calibration(scores[there][ends], risen[ends], edges, variance, int(n))
