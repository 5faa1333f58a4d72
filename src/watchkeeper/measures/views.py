"""Views: the sums of parts that one metric looks at, with names for what they hold.

Belongs here: reading quantities off counts. Does not: the metrics (drift.py, performance.py, service.py).
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from watchkeeper.profiles.bins import FeatureBins
from watchkeeper.profiles.counts import Counts, add
from watchkeeper.profiles.grids import EXACT, LOGIT_CELLS, on_the_grid, rounded, scores_of
from watchkeeper.profiles.labelled import DECIDED, DECISION, ERROR, EVERY, KNOWN, NEGATIVE, NO_CLASS, PENDING, POSITIVE, SCORE, UNLOGGED, class_cell
from watchkeeper.records import CLASS
from watchkeeper.stats.intervals import Estimate

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
LabelParts = Mapping[tuple[str, str], Counts]
_NOTHING = Counts()
_ONE_HALF = Estimate(0.5)


@dataclass(frozen=True)
class FeatureView:
    """One feature's counts over its fine bins, or over its coarse ones when `is_coarse`."""

    bins: FeatureBins
    counts: Counts
    is_coarse: bool = False

    @property
    def coarse(self) -> Ints:
        """Counts over the coarse cells."""
        if self.is_coarse:
            return self.counts.dense(self.bins.coarse_size)
        return self.counts.recoded(np.asarray(self.bins.coarse, np.int64)).dense(self.bins.coarse_size)

    @property
    def fine(self) -> Ints:
        """Counts over the fine cells."""
        return self.counts.dense(self.bins.size)

    @property
    def finite(self) -> Ints:
        """Counts over the fine cells without infinities, which lie in the end cells and have no share in the sums."""
        counts = self.fine
        counts[0] -= self.counts.neg_infs
        counts[-1] -= self.counts.pos_infs
        return counts

    @property
    def has_sums(self) -> bool:
        """Tell whether the sums of the values were kept; where there is no value there is nothing to keep."""
        return self.counts.valued == 0 or len(self.counts.sums) > 0

    @property
    def fine_sums(self) -> Floats:
        """Sums of the values in each fine cell."""
        return self.counts.dense_sums(self.bins.size)


@dataclass(frozen=True)
class BinaryView:
    """Scores and decisions by outcome: positive, negative, and still without a label.

    `threshold` is the score that decisions turn at; where it is not known, it says why. `goes_beyond` tells that scores lie outside [0, 1].
    """

    parts: LabelParts
    threshold: Estimate = _ONE_HALF
    goes_beyond: bool = False

    def score(self, outcome: str) -> Counts:
        """Return the score cells of one outcome."""
        return self.parts.get((SCORE, outcome), _NOTHING)

    def decided(self, outcome: str) -> tuple[int, int]:
        """Return how many of one outcome were flagged, and how many were not."""
        table = self.parts.get((DECISION, outcome), _NOTHING).dense(2)
        return int(table[1]), int(table[0])

    def loss(self, name: str) -> Counts:
        """Return the moments of a loss over labelled rows."""
        return self.parts.get((name, KNOWN), _NOTHING)

    @property
    def positives(self) -> int:
        """Labelled rows whose truth is positive."""
        return self.score(POSITIVE).n

    @property
    def negatives(self) -> int:
        """Labelled rows whose truth is negative."""
        return self.score(NEGATIVE).n

    @property
    def labelled(self) -> int:
        """Rows with a label."""
        return self.positives + self.negatives

    @property
    def scored(self) -> int:
        """Rows with a label and a score."""
        return self.score(POSITIVE).finite + self.score(NEGATIVE).finite

    @property
    def pending(self) -> int:
        """Rows without one."""
        return self.score(PENDING).n

    @property
    def confusion(self) -> Ints:
        """[[true negative, false positive], [false negative, true positive]] over rows with a decision."""
        (tp, fn), (fp, tn) = self.decided(POSITIVE), self.decided(NEGATIVE)
        return np.array([[tn, fp], [fn, tp]])

    def score_sum(self, *outcomes: str) -> float:
        """Return the sum of the scores of some outcomes."""
        return sum(self.score(o).sum for o in outcomes)

    def cells(self) -> tuple[Ints, Ints, Floats]:
        """Return positives, negatives and score sums in ascending cells of the score."""
        (positives, negatives), scores = self.by_score(POSITIVE, NEGATIVE)
        return positives, negatives, (positives + negatives) * scores

    def by_score(self, *outcomes: str) -> tuple[list[Ints], Floats]:
        """Return the rows of each outcome, and the score, in ascending cells: one score each, and the grid's where any part has no more than that."""
        rows, _, scores = self._by_cell(*outcomes)
        return rows, scores

    def ranks(self, *outcomes: str) -> tuple[list[Ints], NDArray[np.bool_]]:
        """Return the rows of each outcome in ascending cells of the score, and which of these are steps of the grid, whose rows may differ."""
        rows, cells, _ = self._by_cell(*outcomes)
        return rows, cells < EXACT

    def _by_cell(self, *outcomes: str) -> tuple[list[Ints], Ints, Floats]:
        found: tuple[list[Ints], Ints, Floats] = self.once(outcomes, lambda: _by_cell([self.score(o) for o in outcomes]))
        return found

    def once(self, name: Hashable, made: Callable[[], Any]) -> Any:
        """Return what goes by a name, worked out the first time it is asked for: many KPIs ask for the same."""
        if name not in self._made:
            self._made[name] = made()
        return self._made[name]

    @cached_property
    def _made(self) -> dict[Hashable, Any]:
        return {}

    @property
    def tied(self) -> float:
        """How far a ranking by cells may be off: half the share of (positive, negative) pairs in a common step of the grid."""
        (positives, negatives), cells, _ = self._by_cell(POSITIVE, NEGATIVE)
        steps = cells < EXACT
        every = int(positives.sum()) * int(negatives.sum())
        return float(np.dot(positives[steps], negatives[steps])) / (2 * max(1, every))


def _by_cell(sides: list[Counts]) -> tuple[list[Ints], Ints, Floats]:
    """Return the rows of each side by cell, the cells in ascending order of their scores, and the scores."""
    if all(int(side.cells[-1:].max(initial=0)) < LOGIT_CELLS for side in sides):
        return _by_step(sides)
    cells = _distinct([side.cells for side in sides])
    for coarser in (rounded, on_the_grid) if len(cells) and cells[0] < EXACT else (rounded,):
        less = coarser(cells)
        less = np.where(_are_among(cells, less), less, cells)
        if np.array_equal(less, cells):
            continue
        sides = [side.moved(partial(_looked_up, cells, less)) for side in sides]
        cells = _distinct([side.cells for side in sides])
    scores = scores_of(cells)
    if cells[:1].min(initial=EXACT) < EXACT <= cells[-1:].max(initial=0):  # steps of the grid and single scores lie among each other
        order = np.argsort(scores, kind="stable")
        return [_dense(side, cells)[order] for side in sides], cells[order], scores[order]
    return [_dense(side, cells) for side in sides], cells, scores


def _by_step(sides: list[Counts]) -> tuple[list[Ints], Ints, Floats]:
    """Return the same of sides that hold nothing but steps of the grid, as those of most segments do."""
    dense = [side.dense(LOGIT_CELLS) for side in sides]
    cells = np.flatnonzero(np.add.reduce(dense)) if dense else np.empty(0, np.int64)
    return [rows[cells] for rows in dense], cells, scores_of(cells)


def _distinct(parts: list[Ints]) -> Ints:
    """Return the different cells of several parts in ascending order."""
    every = np.sort(np.concatenate(parts), kind="stable")
    return every[np.concatenate([[True], every[1:] != every[:-1]])] if len(every) else every


def _are_among(known: Ints, cells: Ints) -> NDArray[np.bool_]:
    """Tell which cells are among known ones, which ascend: of these some part has no more than that of its rows there."""
    found: NDArray[np.bool_] = known[np.minimum(np.searchsorted(known, cells), len(known) - 1)] == cells if len(known) else np.zeros(len(cells), bool)
    return found


def _looked_up(known: Ints, instead: Ints, cells: Ints) -> Ints:
    """Return what stands for each of some cells, which are among known ones."""
    return instead[np.searchsorted(known, cells)]


def _dense(counts: Counts, cells: Ints) -> Ints:
    """Return counts as an array over some cells, which hold all of theirs."""
    out = np.zeros(len(cells), np.int64)
    out[np.searchsorted(cells, counts.cells)] = counts.counts
    return out


@dataclass(frozen=True)
class RegressionView:
    """Errors (prediction minus truth) of labelled rows, and how many rows have none yet."""

    parts: LabelParts

    def of(self, name: str) -> Counts:
        """Return the moments of a row function over labelled rows."""
        return self.parts.get((name, KNOWN), _NOTHING)

    @property
    def error(self) -> Counts:
        """The errors."""
        return self.of(ERROR)

    @property
    def labelled(self) -> int:
        """Rows with a label."""
        return self.error.n

    @property
    def pending(self) -> int:
        """Rows without one."""
        return self.parts.get((SCORE, PENDING), _NOTHING).n


@dataclass(frozen=True)
class ClassView(BinaryView):
    """One class against all others: its probability is the score, and it was flagged where it was the decided class."""

    def flagged(self, *outcomes: str) -> Floats:
        """Return how many rows of each score of `by_score` were decided so."""
        counts, _ = self.by_score(*outcomes, *(DECIDED + o for o in outcomes))
        decided: Floats = np.sum(counts[len(outcomes) :], axis=0).astype(float)
        return decided


@dataclass(frozen=True)
class MulticlassView:
    """Decided class per true class, and the probability of each class by outcome."""

    parts: LabelParts
    made: dict[str, ClassView] = field(default_factory=dict, compare=False, repr=False)
    expected: dict[tuple[str, ...], tuple[object, Any]] = field(default_factory=dict, compare=False, repr=False)
    """What was expected of the rows of some outcomes, and by which calibrations: many numbers rest on it."""

    @cached_property
    def classes(self) -> list[str]:
        """The true classes seen."""
        return sorted(o for f, o in self.parts if f == DECISION and o != PENDING)

    @cached_property
    def with_chances(self) -> list[str]:
        """The classes of which probabilities were logged."""
        return sorted({f.removeprefix(prefix) for f, _ in self.parts for prefix in (CLASS, DECIDED) if f.startswith(prefix)})

    @cached_property
    def counts(self) -> Ints:
        """Counts [true class, decided class]; columns beyond the true classes hold decisions for each other class, and for none."""
        return self._placed(self.classes, self.classes)

    def _placed(self, names: Sequence[str], truths: Sequence[str]) -> Ints:
        """Return counts [truth, decision] with the decisions for some classes first, then those for each other cell."""
        place = {class_cell(name): i for i, name in enumerate(names)}
        rows = [self.parts.get((DECISION, truth), _NOTHING) for truth in truths]
        for cell in sorted({cell for counts in rows for cell in counts.cells.tolist()} - place.keys()):
            place[cell] = len(place)
        out = np.zeros((len(rows), len(place)), np.int64)
        for i, counts in enumerate(rows):
            out[i, [place[cell] for cell in counts.cells.tolist()]] = counts.counts
        return out

    @property
    def confusion(self) -> Ints:
        """Counts [true class, decided class]; the last column holds decisions for none of the true classes."""
        return self.table(self.classes)

    def table(self, names: Sequence[str]) -> Ints:
        """Return counts [true class, decided class] of the classes named; the last column holds decisions for none of them."""
        placed = self._placed(names, names)
        return np.column_stack([placed[:, : len(names)], placed[:, len(names) :].sum(axis=1)])

    @property
    def pending_decided(self) -> int:
        """Rows without a label that were decided for some class."""
        waiting = self.parts.get((DECISION, PENDING), _NOTHING)
        return int(waiting.counts[waiting.cells != NO_CLASS].sum())

    def loss(self, name: str) -> Counts:
        """Return the moments of a loss over labelled rows, where probabilities were logged."""
        return self.parts.get((name, KNOWN), _NOTHING)

    @cached_property
    def unlogged(self) -> dict[str, int]:
        """How many labelled rows lack the probability of a class, of the classes of which one does, the most first."""
        found = {outcome: counts.n for (feature, outcome), counts in self.parts.items() if feature == UNLOGGED and counts.n}
        return dict(sorted(found.items(), key=lambda one: (-one[1], one[0])))

    def of(self, name: str) -> Counts:
        """Return the moments of a row function over all rows, where probabilities were logged."""
        return self.parts.get((name, EVERY), _NOTHING)

    @property
    def labelled(self) -> int:
        """Rows with a label."""
        return int(self.counts.sum())

    @property
    def pending(self) -> int:
        """Rows without one."""
        return self.parts.get((DECISION, PENDING), _NOTHING).n

    def rows_of(self, name: str) -> int:
        """Labelled rows of a class."""
        return self.parts.get((DECISION, name), _NOTHING).n

    def of_class(self, name: str) -> ClassView:
        """Return one class against all others; made once."""
        if name not in self.made:
            self.made[name] = self._of_class(name)
        return self.made[name]

    def _of_class(self, name: str) -> ClassView:
        cell = class_cell(name)
        out: dict[tuple[str, str], Counts] = {}
        of_outcomes: tuple[tuple[str, Sequence[str]], ...] = (
            (POSITIVE, [name]),
            (NEGATIVE, [o for o in self.classes if o != name]),
            (PENDING, [PENDING]),
        )
        for outcome, truths in of_outcomes:
            rows = [self.parts.get((DECISION, truth), _NOTHING) for truth in truths]
            n, flagged = sum(c.n for c in rows), sum(int(c.counts[c.cells == cell].sum()) for c in rows)
            out[DECISION, outcome] = Counts(n, cells=np.array([0, 1]), counts=np.array([n - flagged, flagged]))
            sides = [self.parts[prefix + name, outcome] for prefix in (CLASS, DECIDED) if (prefix + name, outcome) in self.parts]
            out[SCORE, outcome] = add(sides) if sides else Counts(n, nulls=n)
            out[SCORE, DECIDED + outcome] = self.parts.get((DECIDED + name, outcome), _NOTHING)
        return ClassView(out)
