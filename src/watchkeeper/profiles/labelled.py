"""Label profiles: what a model said against what became true, as additive parts per task.

Belongs here: score, decision and label of rows -> parts whose sums give every KPI. Does not: joining labels to events
(operations/profile.py), or the KPIs (measures/performance.py).
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from watchkeeper.profiles.close_scores import Scores, scores_of_rows
from watchkeeper.profiles.counted import Counted, of_rows
from watchkeeper.profiles.grids import signed_log_cells
from watchkeeper.records import CLASS

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
TINY = float(np.finfo(np.float64).eps)

SCORE, DECISION, ERROR = "@score", "@decision", "@error"
DECIDED = "@decided="
"""What the name of a class's probability begins with where rows were decided so; where they were decided otherwise, with `CLASS`."""
POSITIVE, NEGATIVE, PENDING, KNOWN = "1", "0", "", "known"
EVERY = "every"
"""The outcome of what is counted of labelled rows and others alike."""
ENTROPY, LOW_MARGIN = "entropy", "low_margin"
NEAR = 0.05
"""How near to a threshold a score says that the model is unsure; two classes lead each other by twice as much."""
TRUTH_CENTRED = "truth_centred"
TRUTH_SQUARED, TRUTH_CUBED = "truth_squared", "truth_cubed"
"""Powers of the centred truth; the sum of squares of the first is that of the fourth power."""
ERROR_BY_TRUTH, SQUARED_ERROR_BY_TRUTH = "error_by_truth", "squared_error_by_truth"
"""Error and squared error, each times the centred truth: with them it is known how far the R squared of other rows would lie."""
UNLOGGED = "@unlogged"
"""What labelled rows without the probability of a class are counted under, by class."""
LABEL_TEXT = "@label"
"""What labels of a binary model are counted under by their texts, where these are names."""
MOST_TEXTS = 20
OWN, FAILED = "own:", "failed: "
ABOVE, SYMMETRIC = "error_above", "symmetric_error_ratio"
NO_CLASS = 0
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Labelled:
    """Predictions with their labels where known; `truth` is NaN (or code -1) while a label is missing."""

    score: Floats
    decision: Ints
    truth: Floats
    classes: tuple[str, ...] = ()
    probability_of_truth: Floats | None = None
    centre: float = 0.0
    """Regression: a number near the truths, the same for all parts, from which their spread is reckoned without cancellation."""
    chances: Mapping[str, Floats] = field(default_factory=dict)
    """Multiclass: the probability of each class that has one; NaN where it was not logged."""
    is_scored: bool = True
    """Binary: whether the model logs probabilities; one that logs decisions alone has NaN for scores."""


@dataclass(frozen=True, slots=True)
class Coded:
    """Rows in cells; `values` add moments and sums per cell."""

    cells: Ints
    nulls: NDArray[np.bool_]
    values: Floats | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """One quantity of labelled rows, computed once; every segment dimension counts the same cells."""

    feature: str
    outcome: str
    rows: NDArray[np.bool_]
    coded: Coded
    places: Ints | None = None
    """Where each cell is kept, if not at its own number."""
    scores: Scores | None = None
    """The scores that are ranked, of which a group keeps some one by one."""
    among: NDArray[np.bool_] | None = None
    """The rows among which they are ranked: those with a label, whatever it is."""
    is_sum: bool = False
    """Whether only the moments are kept."""
    is_of_whole: bool = False
    """Whether it is kept of all rows together and not of segments."""
    is_exact: bool = False
    """Whether moments keep all their digits in segments too."""

    def count(self, group: NDArray[np.integer[Any]], groups: int, *, is_whole: bool = True) -> Counted:
        """Return the counts of each group 0 .. groups-1 over the piece's rows; rows of group -1 belong to none.

        Groups that are a part of the rows (`is_whole` is false: segments) are many, and keep scores one by one only where the grid would not do.
        """
        mine = np.where(self.rows, group, -1)
        if self.scores is not None and self.among is not None:
            codes, names = self.scores.among(self.among, group, groups, is_whole=is_whole)
            counted = of_rows(codes, self.coded.values, self.coded.nulls, mine, groups, has_extremes=False, has_sums=False)
            return replace(counted, cells=names[counted.cells])
        kept = {"has_cells": not self.is_sum, "has_sums": self.places is not None}
        counted = of_rows(self.coded.cells, self.coded.values, self.coded.nulls, mine, groups, has_extremes=False, **kept)
        return counted if self.places is None else counted.renamed(self.places)


def binary_pieces(rows: Labelled) -> list[Piece]:
    """Return score cells and decisions by outcome, and the losses of labelled rows; truth is 1, 0 or NaN."""
    known, scored = np.isfinite(rows.truth), np.isfinite(rows.score)
    scores = scores_of_rows(rows.score, rows.truth == 1, rows.decision)
    score_cells = Coded(np.empty(0, np.int64), ~scored, rows.score)  # the cells are those of the scores
    decisions = Coded(np.maximum(rows.decision, 0), rows.decision < 0)
    p = np.clip(rows.score, TINY, 1 - TINY)
    loss = -np.where(rows.truth == 1, np.log(p), np.log1p(-p))
    by_outcome = ((POSITIVE, rows.truth == 1), (NEGATIVE, rows.truth == 0), (PENDING, ~known))
    return [
        *(Piece(SCORE, outcome, mask, score_cells, scores=scores, among=mask if outcome == PENDING else known) for outcome, mask in by_outcome),
        *(Piece(DECISION, outcome, mask, decisions) for outcome, mask in by_outcome),
        _sum("log_loss", known & scored, loss),
        _sum("brier", known & scored, (rows.score - rows.truth) ** 2),
    ]


def regression_pieces(rows: Labelled) -> list[Piece]:
    """Return the errors (prediction minus truth) of labelled rows with their losses, and the rows still without a label."""
    with np.errstate(over="ignore"):  # an error beyond all floats is infinite, and counted so
        return _regression_pieces(rows)


def _regression_pieces(rows: Labelled) -> list[Piece]:
    known = np.isfinite(rows.truth) & np.isfinite(rows.score)
    error = np.where(known, rows.score - rows.truth, 0.0)
    size = np.abs(rows.truth)
    nothing = np.zeros(len(error), bool)
    centred = np.where(known, rows.truth - rows.centre, 0.0)
    return [
        Piece(ERROR, KNOWN, known, Coded(signed_log_cells(error), nothing, error)),
        Piece(SCORE, PENDING, ~np.isfinite(rows.truth), Coded(np.zeros(len(error), np.int64), nothing)),
        _sum("abs_error", known, np.abs(error)),
        _sum("squared_error", known, error**2),
        _sum("truth", known, rows.truth),
        _sum(TRUTH_CENTRED, known, centred),
        _of_whole(TRUTH_SQUARED, known, centred**2),
        _of_whole(TRUTH_CUBED, known, centred**3),
        _of_whole(ERROR_BY_TRUTH, known, error * centred),
        _of_whole(SQUARED_ERROR_BY_TRUTH, known, error**2 * centred),
        _sum("abs_error_ratio", known & (size > 0), np.abs(error) / np.where(size > 0, size, 1.0)),
        _sum(ABOVE, known, np.maximum(error, 0.0)),
        _sum(SYMMETRIC, known, _symmetric(np.where(known, rows.score, 0.0), np.where(known, rows.truth, 0.0))),
    ]


def _symmetric(score: Floats, truth: Floats) -> Floats:
    """Return the absolute error over the mean of both sizes, 0 where both are zero; no intermediate number is beyond all floats."""
    scale = np.maximum(np.abs(score), np.abs(truth))
    left, right = (np.divide(side, scale, out=np.zeros(len(scale)), where=scale > 0) for side in (score, truth))
    sizes = np.abs(left) + np.abs(right)
    ratios: Floats = 2 * np.abs(left - right) / np.where(sizes > 0, sizes, 1.0)
    return ratios


def class_cell(name: str) -> int:
    """Return the cell of a decided class: 48 bits of a hash of its name, so that parts add up whatever classes each scan saw."""
    return 1 + int.from_bytes(hashlib.sha256(name.encode()).digest()[:6], "big")


def multiclass_pieces(rows: Labelled) -> Iterator[Piece]:
    """Yield the confusion: decided class per true class, none and unknown ones in `NO_CLASS`; truth and decision are codes into `classes`.

    Where probabilities were logged, losses follow, and the probability of each class by outcome, made one class after another.
    """
    places = np.array([NO_CLASS, *(class_cell(name) for name in rows.classes)], np.int64)
    decided = Coded(np.maximum(rows.decision, -1) + 1, np.zeros(len(rows.decision), bool))
    known = rows.truth >= 0
    yield Piece(DECISION, PENDING, ~known, decided, places)
    for code, name in enumerate(rows.classes):
        yield Piece(DECISION, name, rows.truth == code, decided, places)
    if rows.probability_of_truth is not None:
        loss = -np.log(np.clip(rows.probability_of_truth, TINY, 1.0))
        yield _sum("log_loss", known & np.isfinite(rows.probability_of_truth), loss)
    yield from _unsure_pieces(rows)
    if rows.chances:
        whole = np.logical_and.reduce([np.isfinite(p) for p in rows.chances.values()])
        if rows.probability_of_truth is not None:
            mine = known & whole & np.isfinite(rows.probability_of_truth)
            squares = np.sum([np.where(mine, p, 0.0) ** 2 for p in rows.chances.values()], axis=0)
            yield _sum("brier", mine, squares + 1 - 2 * np.where(mine, rows.probability_of_truth, 0.0))
        for name, chance in rows.chances.items():
            yield replace(_sum(UNLOGGED, known & ~np.isfinite(chance), np.ones(len(chance)), name), is_of_whole=True)
            yield from _class_pieces(name, np.where(whole, chance, np.nan), rows)


def margins(chances: Mapping[str, Floats]) -> Floats:
    """Return by how much the likeliest class of each row leads the next; NaN where any probability is missing, or there are not two."""
    if len(chances) < 2:  # noqa: PLR2004 - one chance has none beside it
        return np.full(len(next(iter(chances.values()), ())), np.nan)
    ordered = np.sort(np.column_stack(list(chances.values())), axis=1)  # NaN comes last, and stays
    return np.asarray(ordered[:, -1] - ordered[:, -2], np.float64)


def entropies(*chances: Floats) -> Floats:
    """Return minus the sum of p ln p of each row, nats; what lies outside [0, 1] counts as its ends.

    >>> entropies(np.array([0.0, 0.5]), np.array([1.0, 0.5])).round(3).tolist()
    [0.0, 0.693]
    """
    inside = [np.clip(p, 0.0, 1.0) for p in chances]
    found: Floats = np.abs(np.sum([p * np.log(np.where(p > 0, p, 1.0)) for p in inside], axis=0))
    return found


def _unsure_pieces(rows: Labelled) -> Iterator[Piece]:
    """Yield how many rows have two classes nearly alike, and their entropy, of rows that have every probability."""
    if len(rows.chances) > 1:
        margin = margins(rows.chances)
        whole = np.isfinite(margin)
        yield _sum(LOW_MARGIN, whole, (margin <= 2 * NEAR + _ROUNDING).astype(float), EVERY)
        yield _sum(ENTROPY, whole, entropies(*rows.chances.values()), EVERY)


def unlabelled_pieces(task: str, rows: Labelled) -> list[Piece]:
    """Return what is counted of a model that has no labels: its decisions, and how unsure it was."""
    if task == "multiclass":
        return [next(multiclass_pieces(rows)), *_unsure_pieces(rows)]
    return [piece for piece in binary_pieces(rows) if piece.outcome == PENDING] if task == "binary" else []


def _class_pieces(name: str, chance: Floats, rows: Labelled) -> Iterator[Piece]:
    """Yield the cells of a class's probability: of rows of that class, of another and without a label, decided so and otherwise.

    A row of which any probability is missing has none, so that all classes have the same rows. None are kept of segments: they
    would be six parts a class in each.
    """
    code = rows.classes.index(name) if name in rows.classes else len(rows.classes)
    scored, is_decided, known = np.isfinite(chance), rows.decision == code, rows.truth >= 0
    scores = scores_of_rows(chance, rows.truth == code, is_decided.astype(np.int64))
    cells = Coded(np.empty(0, np.int64), ~scored, chance)  # the cells are those of the scores
    by_outcome = ((POSITIVE, rows.truth == code), (NEGATIVE, known & (rows.truth != code)), (PENDING, ~known))
    for prefix, mine in ((CLASS, ~is_decided), (DECIDED, is_decided)):
        for outcome, mask in by_outcome:
            among = mask if outcome == PENDING else known
            yield Piece(prefix + name, outcome, mask & mine, cells, scores=scores, among=among, is_of_whole=True)


def _sum(feature: str, rows: NDArray[np.bool_], values: Floats, outcome: str = KNOWN) -> Piece:
    return Piece(feature, outcome, rows, Coded(np.zeros(len(values), np.int64), np.zeros(len(values), bool), values), is_sum=True)


def _of_whole(feature: str, rows: NDArray[np.bool_], values: Floats) -> Piece:
    return replace(_sum(feature, rows, values), is_of_whole=True)


def text_pieces(codes: NDArray[np.integer[Any]], texts: Sequence[str | None]) -> list[Piece]:
    """Return how many rows have each label text, of the twenty that most have; `codes` are those of rows into `texts`, and rows without a label are in none."""
    rows = np.bincount(codes, minlength=len(texts))
    named = sorted((i for i, text in enumerate(texts) if text and rows[i]), key=lambda i: (-rows[i], texts[i]))[:MOST_TEXTS]
    nothing = np.zeros(len(codes), np.int64)
    return [Piece(LABEL_TEXT, str(texts[i]), codes == i, Coded(nothing, nothing.astype(bool)), is_sum=True, is_of_whole=True) for i in named]


def own_pieces(name: str, values: Floats, failed: NDArray[np.bool_], why: str) -> list[Piece]:
    """Return the moments of a KPI of people's own over its rows, and those it failed on under what went wrong; NaN is no value."""
    made = [_sum(OWN + name, ~np.isnan(values), values)]
    if failed.any():
        made.append(Piece(OWN + name, f"{FAILED}{why}", failed, Coded(np.zeros(len(values), np.int64), np.zeros(len(values), bool)), is_sum=True))
    return made


def pieces(task: str, rows: Labelled) -> Iterable[Piece]:
    """Return the label parts of a task; none for tasks without KPIs of their own. Those of multiclass can be gone through once."""
    by_task: dict[str, Callable[[Labelled], Iterable[Piece]]] = {
        "binary": binary_pieces,
        "regression": regression_pieces,
        "multiclass": multiclass_pieces,
    }
    return by_task[task](rows) if task in by_task else []
