"""Losses by feature: of labelled rows, how much was lost and what was predicted in each coarse cell of a feature.

Belongs here: a row's loss by task, adding losses up by cells, and reading them back. Does not: reading rows (operations/losses.py).
"""

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from watchkeeper.profiles.bins import FeatureBins
from watchkeeper.profiles.counted import Counted
from watchkeeper.profiles.counts import Counts
from watchkeeper.profiles.labelled import TINY, Labelled
from watchkeeper.profiles.scan import Counters, Groups, Quantity

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
_KEPT = np.uint32(0xFFFFF000)
"""Of a sum's 23 binary places 11 are kept, which are three digits."""


@dataclass(frozen=True, slots=True)
class Losses:
    """Each row's loss, NaN where it has no label, and the score it was given, 0 where there is none; both of shape (rows,)."""

    loss: Floats
    score: Floats


def losses(task: str, rows: Labelled) -> Losses | None:
    """Return the losses of rows, None for a task without labels of its own.

    Of binary models and of classes log loss where their probabilities are given, else 0 or 1; of a regression the absolute error.
    """
    if task == "binary" and not rows.is_scored:
        return Losses(np.asarray(errors(task, rows), np.float64), np.zeros(len(rows.truth)))
    if task == "multiclass":
        return Losses(np.where(rows.truth >= 0, _loss_of_classes(rows), np.nan), np.zeros(len(rows.truth)))
    if task not in ("binary", "regression"):
        return None
    known = np.isfinite(rows.truth) & np.isfinite(rows.score)
    if task == "regression":
        with np.errstate(over="ignore", invalid="ignore"):
            lost = np.abs(rows.score - rows.truth)
    else:
        p = np.clip(rows.score, TINY, 1 - TINY)
        lost = -np.where(rows.truth == 1, np.log(p), np.log1p(-p))
    return Losses(np.where(known & np.isfinite(lost), lost, np.nan), np.where(known, rows.score, 0.0))


def errors(task: str, rows: Labelled) -> Floats | None:
    """Return 1 for each row that was decided wrong, 0 for one that was not, NaN where that is not known; None for a task without decisions.

    A class that was not decided on is wrong; of a binary model it is left out.
    """
    if task == "multiclass":
        return np.where(rows.truth >= 0, rows.decision != rows.truth, np.nan)
    if task != "binary":
        return None
    return np.where(np.isfinite(rows.truth) & (rows.decision >= 0), rows.decision != rows.truth, np.nan)


@dataclass(frozen=True, slots=True)
class RowErrors:
    """What a KPI is the mean of, row by row (NaN where that is not known), and what it is called; `power` of the truth's unit it has, and whether it has a sign."""

    name: str
    values: Floats
    power: int = 0
    is_signed: bool = False


def row_errors(task: str, metric: str, rows: Labelled) -> RowErrors | None:
    """Return the error of each row that goes with a KPI: of a regression the absolute one, the squared one (RMSE, R squared) or the error itself (bias).

    Of decisions and classes it is 1 where wrong and 0 where right, of classes whose log loss or Brier score is asked for their log loss. None for a binary model with
    scores, whose outcome's rate these foresee, and for a task without labels of its own.
    """
    if task == "regression":
        with np.errstate(over="ignore", invalid="ignore"):
            error = rows.score - rows.truth
            if metric == "bias":
                found = RowErrors("mean error", error, 1, is_signed=True)
            elif metric in ("rmse", "r2"):
                found = RowErrors("mean squared error", error**2, 2)
            else:
                found = RowErrors("mean absolute error", np.abs(error), 1)
    elif task == "multiclass" and metric in ("log_loss", "brier") and rows.probability_of_truth is not None:
        found = RowErrors("log loss", np.where(rows.truth >= 0, _loss_of_classes(rows), np.nan))
    elif (task == "binary" and rows.is_scored) or (wrong := errors(task, rows)) is None:
        return None
    else:
        found = RowErrors("error", wrong)
    return replace(found, values=np.where(np.isfinite(found.values), found.values, np.nan))


def _loss_of_classes(rows: Labelled) -> Floats:
    if rows.probability_of_truth is None:
        return np.asarray(rows.decision != rows.truth, np.float64)
    lost: Floats = -np.log(np.clip(rows.probability_of_truth, TINY, 1.0))
    return lost


def counted_losses(quantity: Quantity, bins: FeatureBins, column: pa.ChunkedArray, rows: Losses, group: Groups, groups: int) -> Counted:
    """Add the losses of labelled rows up by the coarse cells of their values, group by group; rows of group -1 belong to none.

    Cell c holds how many rows there are and the sum of their losses, cell `coarse_size + c` the sum of their scores. Sums are
    kept to three digits.
    """
    from watchkeeper.profiles import kernel

    mine = np.where(np.isfinite(rows.loss), group, -1).astype(np.int32)
    width, start = bins.coarse_size, 0
    whole = quantity.counters(is_whole=True).grow(groups)
    lost, scored = (Counters(width, has_values=True).grow(groups) for _ in range(2))
    for chunk in column.chunks:
        inside = slice(start, start := start + len(chunk))
        cells = np.zeros(len(chunk), np.uint16)
        quantity.count(chunk, [mine[inside]], [whole], cells)
        for values, one in ((rows.loss, lost), (rows.score, scored)):
            kernel.count_cells(values[inside], cells, bins.fold, mine[inside], width, one.counts, one.sums, one.moments, one.odd)
    sizes = np.bincount(mine[mine >= 0], minlength=groups)
    return _side_by_side(lost.counted(sizes), scored.counted(sizes), width)


def _side_by_side(lost: Counted, scored: Counted, width: int) -> Counted:
    """Return the cells of both, group by group; rows are counted once."""
    twice = np.concatenate([lost.ends[:-1], lost.ends[1:]]).reshape(2, -1)
    sizes = twice[1] - twice[0]
    ends = np.concatenate([[0], np.cumsum(2 * sizes)])
    owner = np.repeat(np.arange(lost.groups), sizes)
    first = np.arange(len(lost.cells)) + lost.ends[owner]
    second = first + sizes[owner]
    cells, counts, sums = np.empty(ends[-1], np.int64), np.zeros(ends[-1], np.int64), np.empty(ends[-1])
    cells[first], cells[second] = lost.cells, lost.cells + width
    counts[first] = lost.counts
    sums[first], sums[second] = lost.sums, scored.sums
    return replace(lost, ends=ends, cells=cells, counts=counts, sums=_three_digits(sums)).without_moments()


def _three_digits(sums: Floats) -> Floats:
    with np.errstate(over="ignore"):
        bits = sums.astype(np.float32).view(np.uint32)
    return ((bits + np.uint32(0x800)) & _KEPT).view(np.float32).astype(np.float64)


def losses_of(counts: Counts, bins: FeatureBins) -> tuple[Ints, Floats, Floats]:
    """Return, for each coarse cell, the labelled rows, the sum of their losses and the sum of their scores."""
    width = bins.coarse_size
    sums = counts.dense_sums(2 * width)
    return counts.dense(2 * width)[:width], sums[:width], sums[width:]
