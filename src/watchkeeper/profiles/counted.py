"""Counted: the counts of one quantity in many groups at once, as columns; what a scan yields and the lake stores.

Belongs here: the columns, and making them of dense counters or of rows. Does not: one group's counts (counts.py), keys (parts.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from watchkeeper.profiles.counts import Counts

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Codes = NDArray[np.integer[Any]]
NULL, NAN, POS_INF, NEG_INF = range(4)
"""Columns of `odd`: values that are none."""
_DENSE = 4
_FAR = 1 << 32


@dataclass(frozen=True, slots=True)
class Counted:
    """Counts of groups 0 .. groups-1; those of group g are `cells[ends[g]:ends[g + 1]]`, ascending, and so on.

    `odd` has shape (groups, 4): null, NaN, +infinity, -infinity; `moments` (groups, 4): sum, sum of squares, smallest and
    largest finite value. `sums` is empty for what has no values.
    """

    n: Ints
    odd: Ints
    moments: Floats
    ends: Ints
    cells: Ints
    counts: Ints
    sums: Floats

    @property
    def groups(self) -> int:
        """How many groups there are."""
        return len(self.n)

    def of(self, group: int) -> Counts:
        """Return the counts of one group."""
        return self.chosen(np.array([group])).each()[0]

    def each(self, has_sums: Sequence[bool] | None = None) -> list[Counts]:
        """Return the counts of every group; with `has_sums`, the sums per cell of those groups alone for which it is true."""
        kept = [len(self.sums) > 0] * self.groups if has_sums is None else has_sums
        ends, numbers, odd, moments = (a.tolist() for a in (self.ends, self.n, self.odd, self.moments))
        out = []
        for g, (n, (nulls, nans, pos_infs, neg_infs), (total, squares, low, high)) in enumerate(zip(numbers, odd, moments, strict=True)):
            inside = slice(ends[g], ends[g + 1])
            sums = self.sums[inside if kept[g] else slice(0)]
            out.append(Counts(n, nulls, nans, pos_infs, neg_infs, low, high, total, squares, self.cells[inside], self.counts[inside], sums))
        return out

    def chosen(self, groups: Ints) -> "Counted":
        """Return some groups, in the order given."""
        sizes = np.diff(self.ends)[groups]
        ends = np.concatenate([[0], np.cumsum(sizes)])
        places = np.arange(ends[-1]) + np.repeat(self.ends[groups] - ends[:-1], sizes)
        sums = self.sums[places] if len(self.sums) else self.sums
        return Counted(self.n[groups], self.odd[groups], self.moments[groups], ends, self.cells[places], self.counts[places], sums)

    def beside(self, other: "Counted") -> "Counted":
        """Return the groups of both, the other's after these."""
        return Counted(
            np.concatenate([self.n, other.n]),
            np.concatenate([self.odd, other.odd]),
            np.concatenate([self.moments, other.moments]),
            np.concatenate([self.ends, self.ends[-1] + other.ends[1:]]),
            np.concatenate([self.cells, other.cells]),
            np.concatenate([self.counts, other.counts]),
            np.concatenate([self.sums, other.sums]),
        )

    def without_sums(self) -> "Counted":
        """Return the same rows without sums per cell: where a cell says its value, or only the whole's sum is asked for."""
        return replace(self, sums=np.empty(0))

    def without_extremes(self) -> "Counted":
        """Return the same rows without the smallest and the largest value."""
        moments = self.moments.copy()
        moments[:, 2:] = (np.inf, -np.inf)
        return replace(self, moments=moments)

    def rounded(self) -> "Counted":
        """Return the same rows with moments in single precision (7 digits), without extremes and sums per cell; counts stay whole."""
        with np.errstate(over="ignore"):
            moments = self.moments.astype(np.float32).astype(np.float64)
        moments = np.where(np.isfinite(moments), moments, self.moments)
        return replace(self, moments=moments, sums=np.empty(0)).without_extremes()

    def without_values(self) -> "Counted":
        """Return the same rows as counts alone: no sums, no smallest and no largest value."""
        return self.without_moments().without_sums()

    def without_moments(self) -> "Counted":
        """Return the same rows with what is kept by cell alone."""
        return replace(self, moments=_no_moments(self.groups))

    def renamed(self, names: Ints) -> "Counted":
        """Return the same rows with cell c called `names[c]`."""
        owner = np.repeat(np.arange(self.groups), np.diff(self.ends))
        cells = names[self.cells]
        order = np.lexsort((cells, owner))
        return replace(self, cells=cells[order], counts=self.counts[order], sums=self.sums[order] if len(self.sums) else self.sums)


def of_counters(n: Ints, width: int, counts: Ints, sums: Floats, moments: Floats, odd: Ints) -> Counted:
    """Return what the loops of the kernel have counted: `counts[g * width + c]` values in cell c of group g."""
    groups = len(n)
    used = np.flatnonzero(counts[: groups * width])
    ends = np.searchsorted(used, np.arange(groups + 1) * width).astype(np.int64)
    kept = sums[used] if len(sums) else np.empty(0)
    whole = moments[:groups] if len(moments) else _no_moments(groups)
    return Counted(n, odd[:groups], whole, ends, used % max(1, width), counts[used], kept)


def of_rows(
    cells: Codes,
    values: Floats | None,
    nulls: NDArray[np.bool_],
    group: Codes,
    groups: int,
    *,
    has_extremes: bool = True,
    has_cells: bool = True,
    has_sums: bool = True,
) -> Counted:
    """Count rows whose cells are given; those of group -1 belong to none, `values` add moments and sums.

    What is not wanted is not worked out: the smallest and the largest value, what is kept by cell, and of that the sums.
    """
    inside = group >= 0
    if not inside.all():
        cells, nulls, group = cells[inside], nulls[inside], group[inside]
        values = None if values is None else values[inside]
    n = np.bincount(group, minlength=groups)
    odd = np.zeros((groups, 4), np.int64)
    if nulls.any():
        odd[:, NULL] = np.bincount(group[nulls], minlength=groups)
        cells, group, values = cells[~nulls], group[~nulls], None if values is None else values[~nulls]
    if values is None:
        return Counted(n, odd, _no_moments(groups), *_tallied(group, cells, None, groups))
    is_finite = np.isfinite(values)
    finite, of_finite = values, group
    if not is_finite.all():
        finite, of_finite, is_nan = values[is_finite], group[is_finite], np.isnan(values)
        for column, mask in ((NAN, is_nan), (POS_INF, values == np.inf), (NEG_INF, values == -np.inf)):
            odd[:, column] = np.bincount(group[mask], minlength=groups)
        cells, group, values = cells[~is_nan], group[~is_nan], np.where(is_finite, values, 0.0)[~is_nan]
    moments = _moments(finite, of_finite, groups, has_extremes=has_extremes)
    if not has_cells:
        nothing = np.empty(0, np.int64)
        return Counted(n, odd, moments, np.zeros(groups + 1, np.int64), nothing, nothing, np.empty(0))
    return Counted(n, odd, moments, *_tallied(group, cells, values if has_sums else None, groups))


def _tallied(group: Codes, cells: Codes, values: Floats | None, groups: int) -> tuple[Ints, Ints, Ints, Floats]:
    """Return ends, cells, counts and sums of rows."""
    if len(cells) and cells.max() > _FAR:
        names, near = np.unique(cells, return_inverse=True)
        ends, places, counts, sums = _tallied(group, near, values, groups)
        return ends, names[places].astype(np.int64), counts, sums
    width = int(cells.max()) + 1 if len(cells) else 1
    where = group.astype(np.int64) * width + cells
    size = groups * width
    if size > _DENSE * len(where):
        used, where = np.unique(where, return_inverse=True)
        size = len(used)
    else:
        used = np.arange(size)
    counts = np.bincount(where, minlength=size)
    some = np.flatnonzero(counts)
    sums = np.empty(0) if values is None else np.bincount(where, weights=values, minlength=size)[some].astype(np.float64)
    ends = np.searchsorted(used[some], np.arange(groups + 1) * width).astype(np.int64)
    return ends, (used[some] % width).astype(np.int64), counts[some].astype(np.int64), sums


def _moments(values: Floats, group: Codes, groups: int, *, has_extremes: bool) -> Floats:
    out = _no_moments(groups)
    out[:, 0] = np.bincount(group, weights=values, minlength=groups)
    with np.errstate(over="ignore"):
        out[:, 1] = np.bincount(group, weights=values * values, minlength=groups)
    if has_extremes:
        np.minimum.at(out[:, 2], group, values)
        np.maximum.at(out[:, 3], group, values)
    return out


def _no_moments(groups: int) -> Floats:
    return np.tile(np.array([0.0, 0.0, np.inf, -np.inf]), (groups, 1))
