"""The scan: rows to counts per group in one pass, a column at a time; a window or a segment is only an offset into the counters.

Belongs here: quantities, and counting them over pieces of rows. Does not: where rows come from and parts go
(operations/profile.py), the loops themselves (kernel.py), which group a row is in (groups.py).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from watchkeeper.profiles.bins import FeatureBins, code_categories
from watchkeeper.profiles.columns import Floats, Ints, Piece, Rows, codes, is_numeric, numbers, valid
from watchkeeper.profiles.counted import Counted, of_counters
from watchkeeper.profiles.groups import Dimension
from watchkeeper.profiles.kinds import source_of
from watchkeeper.profiles.pairs import SUMS, Pairing

Groups = NDArray[np.int32]
Cells = NDArray[np.uint16]
_NONE = np.empty(0, np.uint16)


class Counters:
    """Cells, sums, moments and odd values of one quantity in one dimension; they grow with its groups."""

    def __init__(self, width: int, *, has_values: bool, has_sums: bool | None = None) -> None:
        """Begin without groups; `has_sums`, unless said the same as `has_values`, adds sums per cell and extremes."""
        self.width, self.has_values, self.room = width, has_values, 0
        self.has_sums = has_values if has_sums is None else has_sums
        self.counts: Ints = np.empty(0, np.int64)
        self.sums: Floats = np.empty(0)
        self.moments: Floats = np.empty((0, 4))
        self.odd: Ints = np.empty((0, 4), np.int64)

    def grow(self, groups: int) -> "Counters":
        """Make room for that many groups."""
        if groups > self.room:
            before, self.room = self.room, max(groups, 2 * self.room)
            self.counts = _larger(self.counts, self.room * self.width)
            self.odd = _larger(self.odd, self.room)
            if self.has_sums:
                self.sums = _larger(self.sums, self.room * self.width)
            if self.has_values:
                self.moments = _larger(self.moments, self.room)
                self.moments[before:, 2:] = (np.inf, -np.inf)
        return self

    def counted(self, sizes: Ints) -> Counted:
        """Return what was counted; `sizes` are the rows of each group."""
        self.grow(len(sizes))
        return of_counters(sizes, self.width, self.counts, self.sums, self.moments, self.odd)


def _larger(counters: NDArray[Any], size: int) -> NDArray[Any]:
    """Return the same counters with room for more; memory that is not counted in yet is not touched."""
    out = np.zeros((size, *counters.shape[1:]), counters.dtype)
    out[: len(counters)] = counters
    return out


class Quantity(Protocol):
    """What is counted of each row of a column."""

    @property
    def column(self) -> str:
        """The column it is read off."""
        ...

    def takes(self, kind: pa.DataType) -> bool:
        """Tell whether it can be read off a column of this type."""
        ...

    def counters(self, *, is_whole: bool) -> Counters:
        """Return empty counters for the whole, or for a segment dimension."""
        ...

    def count(self, chunk: pa.Array, groups: Sequence[Groups], counters: Sequence[Counters], cells: Cells = _NONE) -> None:
        """Add a chunk's rows; `groups` and `counters` are the whole's, then those of each segment dimension.

        `cells`, unless empty, receives each row's cell, or a number beyond them where it has none.
        """
        ...


@dataclass(frozen=True, slots=True)
class Numbers:
    """Numbers in the cells of their bins; in segments in coarse cells."""

    column: str
    bins: FeatureBins

    def takes(self, kind: pa.DataType) -> bool:
        """Numbers, booleans and times."""
        return is_numeric(kind)

    def counters(self, *, is_whole: bool) -> Counters:
        """Fine cells for the whole, coarse ones for segments."""
        return Counters(self.bins.size if is_whole else self.bins.coarse_size, has_values=True, has_sums=is_whole)

    def count(self, chunk: pa.Array, groups: Sequence[Groups], counters: Sequence[Counters], cells: Cells = _NONE) -> None:
        """Find each value's cell once; segments count the same cells."""
        from watchkeeper.profiles import kernel

        values, bits, offset = numbers(chunk)
        bins, whole = self.bins, counters[0]
        if len(groups) > 1 and len(cells) == 0:
            cells = np.empty(len(values), np.uint16)
        edges, guide = np.array([*bins.edges, np.inf]), bins.guide
        kernel.count_numbers(
            values,
            bits,
            offset,
            groups[0],
            edges,
            guide.low,
            guide.per_unit,
            guide.below,
            bins.size,
            whole.counts,
            whole.sums,
            whole.moments,
            whole.odd,
            cells,
        )
        for group, one in zip(groups[1:], counters[1:], strict=True):
            kernel.count_cells(values, cells, bins.fold, group, bins.coarse_size, one.counts, one.sums, one.moments, one.odd)


@dataclass(frozen=True, slots=True)
class Texts:
    """Texts in cells that `cell_of` finds for each distinct one; `fold` gives the cells of segments."""

    column: str
    size: int
    cells_of: Callable[[Sequence[str]], Ints]
    fold: Ints

    def takes(self, kind: pa.DataType) -> bool:
        """Any type that has a text."""
        return not pa.types.is_nested(kind)

    def counters(self, *, is_whole: bool) -> Counters:
        """Fine cells for the whole, coarse ones for segments."""
        return Counters(self.size if is_whole else int(self.fold.max()) + 1, has_values=False)

    def count(self, chunk: pa.Array, groups: Sequence[Groups], counters: Sequence[Counters], cells: Cells = _NONE) -> None:
        """Look each dictionary code up; no text is compared more than once a chunk."""
        from watchkeeper.profiles import kernel

        (values, bits, offset), texts = codes(chunk)
        there = [t for t in texts if t is not None]
        known = np.full(len(texts), -1, np.int64)
        known[[i for i, t in enumerate(texts) if t is not None]] = self.cells_of(there)
        folded = np.where(known < 0, -1, self.fold[np.maximum(known, 0)])
        for lookup, group, one in zip((known, *(folded for _ in groups[1:])), groups, counters, strict=True):
            kernel.count_codes(values, bits, offset, lookup, group, one.width, one.counts, one.odd)
        if len(cells):
            found = np.append(known, -1)[np.where(valid(Piece(values, bits, offset)), values, -1)]
            cells[:] = np.where(found < 0, self.size, found)


@dataclass(frozen=True, slots=True)
class Gridded:
    """Numbers, times a scale, on a fixed grid: the same in segments, or as `fold` has it."""

    column: str
    size: int
    cells_of: Callable[[Floats], Ints]
    scale: float = 1.0
    fold: Ints | None = None

    def takes(self, kind: pa.DataType) -> bool:
        """Numbers, booleans and times."""
        return is_numeric(kind)

    def counters(self, *, is_whole: bool) -> Counters:
        """The grid's cells; in segments what they fold to."""
        width = self.size if is_whole or self.fold is None else int(self.fold.max()) + 1
        return Counters(width, has_values=True, has_sums=is_whole)

    def count(self, chunk: pa.Array, groups: Sequence[Groups], counters: Sequence[Counters], cells: Cells = _NONE) -> None:
        """Find each value's cell once."""
        from watchkeeper.profiles import kernel

        piece = numbers(chunk)
        values = piece.values.astype(np.float64)
        if self.scale != 1:
            with np.errstate(over="ignore"):  # what is too large for a number is infinite, and counted as that
                values *= self.scale
        found = np.clip(self.cells_of(np.where(np.isnan(values), 0.0, values)), 0, self.size - 1).astype(np.uint16)
        found = np.where(np.isnan(values), self.size + 1, found)
        found = np.where(valid(piece), found, self.size).astype(np.uint16)
        if len(cells):
            cells[:] = found
        same = np.arange(self.size)
        for place, (group, one) in enumerate(zip(groups, counters, strict=True)):
            fold = same if place == 0 or self.fold is None else self.fold
            kernel.count_cells(values, found, fold, group, one.width, one.counts, one.sums, one.moments, one.odd)


@dataclass(slots=True)
class Scan:
    """Counts quantities over pieces of rows, and pairs of them; memory follows the groups and not the rows."""

    quantities: Sequence[Quantity]
    pairing: Pairing | None = None
    _counters: dict[tuple[int, int], Counters] = field(default_factory=dict)
    _pair_counts: Ints = field(default_factory=lambda: np.empty((0, 0), np.int64))
    _pair_sums: Floats = field(default_factory=lambda: np.empty((0, 0, 0)))

    def add(self, rows: Rows, groups: Sequence[Groups], dimensions: Sequence[Dimension]) -> None:
        """Count a piece: `groups` holds each row's group in every dimension, the whole first."""
        there = set(rows.column_names)
        codes = self.pairing.codes(rows.num_rows) if self.pairing else None
        for q, quantity in enumerate(self.quantities):
            if quantity.column in there or source_of(quantity.column, there)[0] in there:
                place = self.pairing.columns.index(quantity.column) if self.pairing and quantity.column in self.pairing.columns else -1
                self._count(q, rows.column(quantity.column), groups, dimensions, codes[place] if codes is not None and place >= 0 else None)
        if self.pairing and codes is not None:
            self._count_pairs(self.pairing, codes, groups[0], len(dimensions[0].keys))

    def _count(
        self, q: int, column: pa.ChunkedArray, groups: Sequence[Groups], dimensions: Sequence[Dimension], codes: NDArray[np.uint8] | None
    ) -> None:
        """Count one column of a piece, which is given back before the next is read: both would not stay in the processor's cache."""
        quantity, start = self.quantities[q], 0
        if not quantity.takes(column.type):
            return
        counters = [self._of(q, d).grow(len(dimension.keys)) for d, dimension in enumerate(dimensions)]
        for chunk in column.chunks:
            inside = slice(start, start := start + len(chunk))
            cells = _NONE if codes is None else np.zeros(len(chunk), np.uint16)
            quantity.count(chunk, [g[inside] for g in groups], counters, cells)
            if codes is not None:
                codes[inside] = cells

    def _count_pairs(self, pairing: Pairing, codes: NDArray[np.uint8], group: Groups, groups: int) -> None:
        from watchkeeper.profiles import kernel

        if groups > len(self._pair_counts):
            room, pairs = max(groups, 2 * len(self._pair_counts)), len(pairing.pairs)
            self._pair_counts = _larger(self._pair_counts.reshape(-1, pairs), room)
            self._pair_sums = _larger(self._pair_sums.reshape(-1, pairs, SUMS), room)
        kernel.count_pairs(codes, pairing.scores, pairing.there, pairing.left, pairing.right, group, self._pair_counts, self._pair_sums)

    def counted(self, dimensions: Sequence[Dimension]) -> Iterator[tuple[int, int, Counted]]:
        """Yield what was counted: (place of the quantity, place of the dimension, the counts group by group)."""
        for (q, d), counters in self._counters.items():
            yield q, d, counters.counted(dimensions[d].sizes)

    def pairs(self, whole: Dimension) -> Counted | None:
        """Return what was counted of pairs in the groups of the whole, None when there are no pairs."""
        return self.pairing.counted(whole.sizes, self._pair_counts, self._pair_sums) if self.pairing and len(self._pair_counts) else None

    def _of(self, quantity: int, dimension: int) -> Counters:
        if (quantity, dimension) not in self._counters:
            self._counters[quantity, dimension] = self.quantities[quantity].counters(is_whole=dimension == 0)
        return self._counters[quantity, dimension]


def of_category(column: str, bins: FeatureBins, named: Callable[[str], str] = str) -> Texts:
    """Return the counting of a category in its bins; `named` is what a text is called outside the events."""
    return Texts(column, bins.size, lambda distinct: code_categories(bins, [named(t) for t in distinct]), bins.fold)
