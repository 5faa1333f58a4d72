"""Label profiles: what a model said against what became true, as additive parts per task.

Belongs here: score, decision and label of rows -> parts whose sums give every KPI. Does not: joining labels to events
(operations/profile.py), or the KPIs (measures/performance.py).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from watchkeeper.profiles.counts import Counts
from watchkeeper.profiles.grids import LOGIT_CELLS, SIGNED_LOG_CELLS, logit_cells, signed_log_cells
from watchkeeper.profiles.scan import count_cells

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
TINY = float(np.finfo(np.float64).eps)

SCORE, DECISION, ERROR = "@score", "@decision", "@error"
POSITIVE, NEGATIVE, PENDING, KNOWN = "1", "0", "", "known"
NO_CLASS = 0


@dataclass(frozen=True, slots=True)
class Labelled:
    """Predictions with their labels where known; `truth` is NaN (or code -1) while a label is missing."""

    score: Floats
    decision: Ints
    truth: Floats
    classes: tuple[str, ...] = ()
    probability_of_truth: Floats | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """One quantity counted in every group."""

    feature: str
    outcome: str
    counts: list[Counts]


def binary_pieces(rows: Labelled, group: Ints, groups: int) -> list[Piece]:
    """Return score cells and decisions by outcome, and the losses of labelled rows; truth is 1, 0 or NaN."""
    known = np.isfinite(rows.truth)
    scored = np.isfinite(rows.score)
    cells = logit_cells(np.where(scored, rows.score, 0.5))
    out = []
    for outcome, mask in ((POSITIVE, rows.truth == 1), (NEGATIVE, rows.truth == 0), (PENDING, ~known)):
        inside = np.where(mask, group, -1)
        out.append(Piece(SCORE, outcome, count_cells(cells, LOGIT_CELLS, rows.score, ~scored, inside, groups)))
        out.append(Piece(DECISION, outcome, count_cells(np.maximum(rows.decision, 0), 2, None, rows.decision < 0, inside, groups)))
    labelled = np.where(known & scored, group, -1)
    p = np.clip(rows.score, TINY, 1 - TINY)
    loss = -np.where(rows.truth == 1, np.log(p), np.log1p(-p))
    return [*out, _sums("log_loss", loss, labelled, groups), _sums("brier", (rows.score - rows.truth) ** 2, labelled, groups)]


def regression_pieces(rows: Labelled, group: Ints, groups: int) -> list[Piece]:
    """Return the errors (prediction minus truth) of labelled rows with their losses, and the rows still without a label."""
    known = np.isfinite(rows.truth) & np.isfinite(rows.score)
    labelled, pending = np.where(known, group, -1), np.where(np.isfinite(rows.truth), -1, group)
    error = np.where(known, rows.score - rows.truth, 0.0)
    size = np.abs(rows.truth)
    relative = np.where(known & (size > 0), group, -1)
    nothing = np.zeros(len(error), bool)
    return [
        Piece(ERROR, KNOWN, count_cells(signed_log_cells(error), SIGNED_LOG_CELLS, error, nothing, labelled, groups)),
        Piece(SCORE, PENDING, count_cells(np.zeros(len(error), np.int64), 1, None, nothing, pending, groups)),
        _sums("abs_error", np.abs(error), labelled, groups),
        _sums("squared_error", error**2, labelled, groups),
        _sums("truth", rows.truth, labelled, groups),
        _sums("abs_error_ratio", np.abs(error) / np.where(size > 0, size, 1.0), relative, groups),
    ]


def class_cell(name: str) -> int:
    """Return the cell of a decided class: 48 bits of a hash of its name, so that parts add up whatever classes each scan saw."""
    return 1 + int.from_bytes(hashlib.sha256(name.encode()).digest()[:6], "big")


def multiclass_pieces(rows: Labelled, group: Ints, groups: int) -> list[Piece]:
    """Return the confusion: decided class per true class; `truth` and `decision` are codes into `classes`."""
    cells = np.array([NO_CLASS, *(class_cell(name) for name in rows.classes)], np.int64)
    known = rows.truth >= 0
    out = [Piece(DECISION, PENDING, _decided(rows.decision, cells, np.where(known, -1, group), groups))]
    for code, name in enumerate(rows.classes):
        out.append(Piece(DECISION, name, _decided(rows.decision, cells, np.where(rows.truth == code, group, -1), groups)))
    if rows.probability_of_truth is not None:
        known &= np.isfinite(rows.probability_of_truth)
        loss = -np.log(np.clip(rows.probability_of_truth, TINY, 1.0))
        out.append(_sums("log_loss", loss, np.where(known, group, -1), groups))
    return out


def _decided(decision: Ints, cells: Ints, group: Ints, groups: int) -> list[Counts]:
    """Count decisions per group, each in the cell of its class's name; none and unknown ones in `NO_CLASS`."""
    places = count_cells(np.maximum(decision, -1) + 1, len(cells), None, np.zeros(len(decision), bool), group, groups)
    return [c.recoded(cells) for c in places]


def _sums(feature: str, values: Floats, group: Ints, groups: int) -> Piece:
    """Count a row function by its moments alone."""
    flat = count_cells(np.zeros(len(values), np.int64), 1, values, np.zeros(len(values), bool), group, groups)
    return Piece(feature, KNOWN, [replace(c, cells=c.cells[:0], counts=c.counts[:0], sums=c.sums[:0]) for c in flat])


def pieces(task: str, rows: Labelled, group: Ints, groups: int) -> Sequence[Piece]:
    """Return the label parts of a task; none for tasks without KPIs of their own."""
    by_task = {"binary": binary_pieces, "regression": regression_pieces, "multiclass": multiclass_pieces}
    return by_task[task](rows, group, groups) if task in by_task else []
