"""A model of losses: what a row's error comes to, given its inputs and its prediction (direct loss estimation).

Belongs here: fitting it on labelled rows, and its mean over other rows with a band. Does not: reading rows (operations/expected_losses.py).

Gradient-boosted trees of scikit-learn, three of them, each fitted without a third of the weeks; the rows that one has not seen tell how
wrong they are. They see inputs alone: a change of what inputs mean leaves them where they were.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import sqrt
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from watchkeeper.stats.intervals import Z95, Estimate

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Loss = Literal["absolute", "squared", "signed"]

FOLDS, LEAST_DAYS = 3, 6
_WEEK = 7
_TREES, _LEAVES, _LEAST_IN_A_LEAF = 100, 15, 100


def losses_of(error: Floats, loss: Loss) -> Floats:
    """Return the loss of each error (prediction minus truth)."""
    return np.abs(error) if loss == "absolute" else error**2 if loss == "squared" else error


@dataclass(frozen=True)
class LossModel:
    """Three regressors, each blind to one fold of days, and how wrong they were there.

    `row` and `day` are variances, of one row's loss around what was expected and of whole days' means beyond that: of losses that cannot be
    negative in units of the squared expectation. `known` is what was expected of the rows it was learned on, by what had not seen them.
    """

    loss: Loss
    models: tuple[Any, ...]
    row: float
    day: float
    known: Estimate

    def expected(self, features: Iterable[NDArray[np.float32]], fold: int | None = None) -> Estimate:
        """Return the mean loss that is expected of rows, given in blocks of shape (rows, features).

        Rows of a day that a model was fitted on are told by the one of their `fold` alone, others by all three.
        """
        models = self.models if fold is None else (self.models[fold],)
        n, total, total_squares = 0, 0.0, 0.0
        for block in features:
            each = np.mean([self._of(model, block) for model in models], axis=0)
            n, total, total_squares = n + len(block), total + float(np.sum(each)), total_squares + float(np.sum(each * each))
        return self._stated(n, total, total_squares)

    def _of(self, model: Any, block: NDArray[np.float32]) -> Floats:
        said = cast("Floats", model.predict(block)) if len(block) else np.empty(0)
        return said if self.loss == "signed" else np.maximum(said, 0.0)

    def _stated(self, n: int, total: float, total_squares: float) -> Estimate:
        if n == 0:
            return Estimate(float("nan"), reason="no rows")
        mean, is_scaled = total / n, self.loss != "signed"
        variance = self.row * (total_squares / n if is_scaled else 1.0) / n + self.day * (mean * mean if is_scaled else 1.0)
        se = sqrt(variance)
        return Estimate(mean, se, mean - Z95 * se, mean + Z95 * se, n)


def fold_of(day: Ints | int, days: int) -> Any:
    """Return which fold a day lies in: weeks in turn, single days where there are few of them."""
    return (day // _WEEK) % FOLDS if days >= FOLDS * _WEEK else day % FOLDS


def fitted(features: NDArray[np.float32], is_category: list[bool], error: Floats, day: Ints, days: int, loss: Loss) -> LossModel:
    """Fit a model of a loss to rows: `features` of shape (rows, features), NaN where missing, codes below 255 where `is_category`."""
    from sklearn.ensemble import HistGradientBoostingRegressor
    from threadpoolctl import threadpool_limits

    lost, fold = losses_of(error, loss), fold_of(day, days)
    models, held = [], np.zeros(len(lost))
    with threadpool_limits(1):
        for one in range(FOLDS):
            model = HistGradientBoostingRegressor(
                max_iter=_TREES,
                max_leaf_nodes=_LEAVES,
                min_samples_leaf=_LEAST_IN_A_LEAF,
                early_stopping=False,
                categorical_features=is_category,
                random_state=0,
            )
            models.append(model.fit(features[fold != one], lost[fold != one]))
            if (fold == one).any():
                held[fold == one] = model.predict(features[fold == one])
    if loss != "signed":
        held = np.maximum(held, 0.0)
    row, between = _variances(lost, held, day, is_scaled=loss != "signed")
    blank = LossModel(loss, tuple(models), row, between, Estimate(0.0))
    known = blank._stated(len(held), float(np.sum(held)), float(np.sum(held * held)))  # noqa: SLF001 - its own
    return LossModel(loss, tuple(models), row, between, known)


def _variances(lost: Floats, held: Floats, day: Ints, *, is_scaled: bool) -> tuple[float, float]:
    """Return the variance of one row around what was expected, and of a day's mean beyond what its rows explain."""
    off = lost - held
    scale = float(np.mean(held * held)) if is_scaled else 1.0
    row = float(np.mean(off * off)) / max(scale, 1e-300)
    counts = np.bincount(day)
    there = counts > 1
    n = counts[there]
    mean, square = (np.bincount(day, weights=w)[there] / n for w in (off, off * off))
    level = np.bincount(day, weights=held)[there] / n if is_scaled else np.ones(len(n))
    beyond = (mean**2 - (square - mean**2) / np.maximum(1, n - 1)) / np.maximum(level**2, 1e-300)
    return row, max(0.0, float(np.mean(beyond))) if len(n) else 0.0
