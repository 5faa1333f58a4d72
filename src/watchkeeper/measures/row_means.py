"""Row means: the count, the sum and the sum of squares that a KPI is made of where it is the mean of some value over some rows.

Belongs here: reading them off a view, one function a KPI. Does not: the KPIs themselves (performance.py, classes.py, own.py), what follows
where rows are not alike (clustered.py) or lie in groups (segment_mix.py).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from watchkeeper.measures.performance import claimed_variance
from watchkeeper.measures.views import BinaryView, MulticlassView, RegressionView
from watchkeeper.profiles.counts import Counts
from watchkeeper.profiles.labelled import DECISION, ERROR, KNOWN, NEGATIVE, PENDING, POSITIVE, SCORE, SYMMETRIC
from watchkeeper.stats.intervals import Estimate, at_least_as_unsure, mean, proportion

View = BinaryView | RegressionView | MulticlassView


class RowSums(NamedTuple):
    """How many rows, the sums of their values and of the squares, and the sum of the variances that the values have at the least."""

    n: int
    total: float
    squares: float
    claimed: float = 0.0

    @property
    def mean(self) -> float:
        """The mean of the values."""
        return self.total / self.n if self.n else float("nan")

    def more(self, part: "RowSums") -> "RowSums":
        """Return the sums of these rows and of others."""
        return RowSums(self.n + part.n, self.total + part.total, self.squares + part.squares, self.claimed + part.claimed)

    def less(self, part: "RowSums") -> "RowSums":
        """Return the sums of all rows but those of a part."""
        return RowSums(self.n - part.n, self.total - part.total, self.squares - part.squares, self.claimed - part.claimed)


@dataclass(frozen=True, slots=True)
class RowMean:
    """How a KPI is the mean of a value over rows: its sums, the quantities of label parts that these need, and whether the value is yes or no.

    Of one that is the root of such a mean (`is_root`), the sums are those of the mean.
    """

    sums: Callable[[Any], RowSums]
    needs: frozenset[str]
    is_share: bool = False
    is_root: bool = False

    def interval(self, sums: RowSums) -> Estimate:
        """Return the mean with the interval of independent rows."""
        found = proportion(sums.total, sums.n) if self.is_share else mean(sums.total, sums.squares, sums.n)
        return self.at_least(found, sums)

    def at_least(self, found: Estimate, sums: RowSums) -> Estimate:
        """Return an estimate that is no surer than its values can be."""
        return at_least_as_unsure(found, max(0.0, sums.claimed) / sums.n**2) if sums.n else found


def of_quantity(name: str) -> RowMean:
    """Return the mean of a quantity that parts add up."""
    return RowMean(partial(_quantity, name), frozenset({name}))


def _quantity(name: str, view: View) -> RowSums:
    found = view.parts.get((name, KNOWN), Counts())
    return RowSums(found.n, found.sum, found.sum2)


def _share(hits: float, rows: float) -> RowSums:
    return RowSums(int(rows), float(hits), float(hits))


def _gaps(view: BinaryView) -> RowSums:
    total = view.score(POSITIVE).finite - view.score_sum(POSITIVE, NEGATIVE)
    return RowSums(view.scored, total, view.loss("brier").sum, claimed_variance(view) * view.scored**2)


def _scores(view: BinaryView) -> RowSums:
    every = [view.score(o) for o in (POSITIVE, NEGATIVE, PENDING)]
    return RowSums(sum(c.finite for c in every), sum(c.sum for c in every), sum(c.sum2 for c in every))


def _positives(view: BinaryView) -> RowSums:
    return _share(view.positives, view.labelled)


def _flagged(view: BinaryView) -> RowSums:
    flagged, passed = np.sum([view.decided(o) for o in (POSITIVE, NEGATIVE, PENDING)], axis=0)
    return _share(flagged, flagged + passed)


def _right(view: BinaryView | MulticlassView) -> RowSums:
    table = view.confusion
    return _share(np.trace(table), table.sum())


def _precise(view: BinaryView) -> RowSums:
    (_, fp), (_, tp) = view.confusion
    return _share(tp, tp + fp)


def _found(view: BinaryView) -> RowSums:
    _, (fn, tp) = view.confusion
    return _share(tp, tp + fn)


def _spared(view: BinaryView) -> RowSums:
    (tn, fp), _ = view.confusion
    return _share(tn, tn + fp)


_OF_DECISIONS = frozenset({DECISION})
LOG_LOSS, BRIER = of_quantity("log_loss"), of_quantity("brier")
CALIBRATION_GAP = RowMean(_gaps, frozenset({SCORE, "brier"}))
POSITIVE_RATE = RowMean(_positives, frozenset({SCORE}), is_share=True)
SCORE_MEAN = RowMean(_scores, frozenset({SCORE}))
FLAGGED_RATIO, ACCURACY, PRECISION, RECALL, SPECIFICITY = (
    RowMean(sums, _OF_DECISIONS, is_share=True) for sums in (_flagged, _right, _precise, _found, _spared)
)
MAE, MAPE, SMAPE, BIAS, TRUTH_MEAN = (of_quantity(name) for name in ("abs_error", "abs_error_ratio", SYMMETRIC, ERROR, "truth"))
RMSE = replace(of_quantity("squared_error"), is_root=True)
