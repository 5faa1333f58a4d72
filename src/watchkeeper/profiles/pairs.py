"""Pairs: two numeric features side by side, as sums of products of their normal scores; their correlation is arithmetic on these.

Belongs here: which features are related, what is counted of a pair, and reading it back. Does not: the loop (kernel.py), the
correlation itself (measures/drift.py).

A value's normal score is that of its cell: the normal quantile at the middle of the cell's ranks in the reference. So no far
value decides, and what is added up is bounded.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from watchkeeper.profiles.bins import FeatureBins
from watchkeeper.profiles.counted import Counted
from watchkeeper.profiles.counts import Counts

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Codes = NDArray[np.uint8]
Pair = tuple[str, str]
MOST_PAIRS = 200
LEAST_CORRELATION = 0.2
_LEAST_ERRORS = 4.0
"""How many standard errors of a correlation of nothing a pair must lie above."""
NO_CELL = 255
SUMS = 5
"""Sums of a pair: of ab, a, b, aa and bb over the rows in which both have a value."""
UNIT = 1 / 64
"""Sums of pairs are kept in multiples of it, which moves the correlation of a part's n rows by less than a tenth over n."""


@dataclass(frozen=True, slots=True)
class PairSums:
    """What the parts of a window say of a pair of features, over the `n` rows in which both have a value."""

    n: int = 0
    ab: float = 0.0
    a: float = 0.0
    b: float = 0.0
    aa: float = 0.0
    bb: float = 0.0


def name_of(pair: Pair) -> str:
    """Return what the scores of a pair are about.

    >>> name_of(("price", "weight"))
    'price*weight'
    """
    return "*".join(pair)


def parts_of(name: str) -> Pair:
    """Return the two features of a pair's name.

    >>> parts_of("price*weight")
    ('price', 'weight')
    """
    left, _, right = name.partition("*")
    return left, right


def related(names: Sequence[str], scores: Floats) -> tuple[Pair, ...]:
    """Return the pairs of features whose normal scores go together in a sample of the reference, the closest 200 at most.

    `scores` (features, rows) are 0 where there is no value. A pair is related from a correlation of .2 on, and beyond four
    standard errors.
    """
    size = np.sqrt((scores**2).sum(axis=1))
    rows = scores.shape[1]
    least = max(LEAST_CORRELATION, _LEAST_ERRORS / np.sqrt(max(1, rows)))
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.abs(scores @ scores.T / np.outer(size, size))
    left, right = np.nonzero(np.triu(found >= least, k=1))
    order = np.lexsort((right, left, -found[left, right].round(6)))[:MOST_PAIRS]
    return tuple(sorted((names[left[i]], names[right[i]]) for i in order.tolist()))


@dataclass(frozen=True)
class Pairing:
    """The pairs that a scan counts, and what number each cell of their features stands for."""

    pairs: tuple[Pair, ...]
    columns: tuple[str, ...]
    scores: Floats
    there: Floats
    left: Ints
    right: Ints

    def codes(self, rows: int) -> Codes:
        """Return room for the cells of so many rows, (columns, rows); what is not filled in has no value."""
        return np.full((len(self.columns), rows), NO_CELL, np.uint8)

    def counted(self, sizes: Ints, counts: Ints, sums: Floats) -> Counted:
        """Return what was counted, group by group: five cells a pair, each with its sum; `sizes` are the rows of each group."""
        groups, pairs = len(sizes), len(self.pairs)
        cells = np.tile(np.arange(pairs * SUMS), groups)
        n = np.repeat(counts[:groups].reshape(-1), SUMS)
        extremes = np.tile(np.array([0.0, 0.0, np.inf, -np.inf]), (groups, 1))
        some = n > 0
        ends = np.concatenate([[0], np.cumsum(some.reshape(groups, -1).sum(axis=1))])
        return Counted(sizes, np.zeros((groups, 4), np.int64), extremes, ends, cells[some], n[some], sums[:groups].reshape(-1)[some])


def pairing(pairs: Sequence[Pair], bins: Mapping[str, FeatureBins]) -> Pairing:
    """Return how pairs are counted over bins."""
    columns = tuple(sorted({name for pair in pairs for name in pair}))
    scores, there = np.zeros((len(columns), NO_CELL + 1)), np.zeros((len(columns), NO_CELL + 1))
    for c, name in enumerate(columns):
        size = bins[name].size
        scores[c, :size], there[c, :size] = bins[name].normal_scores, 1.0
    left, right = (np.array([columns.index(pair[side]) for pair in pairs], np.int64) for side in (0, 1))
    return Pairing(tuple(pairs), columns, scores, there, left, right)


def sums_of(counts: Counts, place: int) -> PairSums:
    """Return what was counted of the pair at a place."""
    n, sums = (dense(SUMS * (place + 1))[SUMS * place :] for dense in (_within(counts, place).dense, _within(counts, place).dense_sums))
    return PairSums(int(n[0]), *sums.tolist())


def _within(counts: Counts, place: int) -> Counts:
    inside = slice(*np.searchsorted(counts.cells, [SUMS * place, SUMS * (place + 1)]))
    return Counts(cells=counts.cells[inside], counts=counts.counts[inside], sums=counts.sums[inside] if len(counts.sums) else counts.sums)
