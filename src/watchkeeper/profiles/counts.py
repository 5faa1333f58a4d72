"""Counts: the additive shape that everything is measured from, and its sum.

Belongs here: one quantity's counts per cell with moments, and adding them up. Does not: how rows become counts (scan.py).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from math import inf

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def _no_ints() -> Ints:
    return np.empty(0, np.int64)


def _no_floats() -> Floats:
    return np.empty(0, np.float64)


@dataclass(frozen=True, slots=True)
class Counts:
    """How many values fell in each cell; `cells` ascending and distinct, `sums` per cell or empty.

    `n` counts every row, null and infinite ones included; `sum` and `sum2` are over finite values.
    """

    n: int = 0
    nulls: int = 0
    nans: int = 0
    pos_infs: int = 0
    neg_infs: int = 0
    low: float = inf
    high: float = -inf
    sum: float = 0.0
    sum2: float = 0.0
    cells: Ints = field(default_factory=_no_ints)
    counts: Ints = field(default_factory=_no_ints)
    sums: Floats = field(default_factory=_no_floats)

    @property
    def valued(self) -> int:
        """Rows that fell in a cell."""
        return int(self.counts.sum())

    @property
    def finite(self) -> int:
        """Rows with a finite number."""
        return self.n - self.nulls - self.nans - self.pos_infs - self.neg_infs

    def dense(self, size: int) -> Ints:
        """Return the counts as an array over cells 0 .. size-1."""
        out = np.zeros(size, np.int64)
        out[self.cells] = self.counts
        return out

    def dense_sums(self, size: int) -> Floats:
        """Return the per-cell sums as an array over cells 0 .. size-1."""
        out = np.zeros(size)
        if len(self.sums):
            out[self.cells] = self.sums
        return out

    def without_values(self) -> "Counts":
        """Return the same rows as counts alone: no sums, no smallest and no largest value."""
        return replace(self, low=inf, high=-inf, sum=0.0, sum2=0.0, sums=_no_floats())

    def recoded(self, coarse: Ints) -> "Counts":
        """Return the same rows over coarser cells; `coarse[i]` is the new cell of cell i."""
        return _gathered(self, coarse[self.cells], self.counts, self.sums)

    def moved(self, to: Callable[[Ints], Ints]) -> "Counts":
        """Return the same rows in the cells that a function makes of theirs."""
        return _gathered(self, to(self.cells), self.counts, self.sums)


def add(parts: Iterable[Counts]) -> Counts:
    """Return the sum of parts: the same as one scan of all their rows."""
    these = list(parts)
    if len(these) == 1:
        return these[0]
    with np.errstate(over="ignore", invalid="ignore"):  # of values near the largest float a sum may be infinite, or none at all
        total, squares = (float(np.sum(those)) for those in ([p.sum for p in these], [p.sum2 for p in these]))
    whole = Counts(
        n=sum(p.n for p in these),
        nulls=sum(p.nulls for p in these),
        nans=sum(p.nans for p in these),
        pos_infs=sum(p.pos_infs for p in these),
        neg_infs=sum(p.neg_infs for p in these),
        low=min((p.low for p in these), default=inf),
        high=max((p.high for p in these), default=-inf),
        sum=total,
        sum2=squares,
    )
    if not these:
        return whole
    has_sums = any(len(p.sums) for p in these)
    sums = np.concatenate([p.sums if len(p.sums) else np.zeros(len(p.cells)) for p in these]) if has_sums else _no_floats()
    return _gathered(whole, np.concatenate([p.cells for p in these]), np.concatenate([p.counts for p in these]), sums)


def _gathered(moments: Counts, cells: Ints, counts: Ints, sums: Floats) -> Counts:
    distinct, place = np.unique(cells, return_inverse=True)
    summed = np.zeros(len(distinct), np.int64)
    np.add.at(summed, place, counts)
    gathered = np.bincount(place, weights=sums, minlength=len(distinct)).astype(np.float64) if len(sums) else _no_floats()
    return Counts(
        moments.n,
        moments.nulls,
        moments.nans,
        moments.pos_infs,
        moments.neg_infs,
        moments.low,
        moments.high,
        moments.sum,
        moments.sum2,
        distinct,
        summed,
        gathered,
    )
