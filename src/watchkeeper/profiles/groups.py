"""Groups: which window, version and segment value each row belongs to, as one number a dimension.

Belongs here: rows -> group numbers and their names, piece after piece. Does not: counting (scan.py).
"""

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from watchkeeper.profiles.bins import FeatureBins
from watchkeeper.profiles.columns import Rows, as_codes, bounds_of, moments_of
from watchkeeper.spelling import segment_of
from watchkeeper.windows import Grid

Ints = NDArray[np.int64]
MOST_VALUES, MOST_VERSIONS = 200, 1_000
REST = "(other)"
NULL = "(null)"
_ROOM = 4


class GroupKey(NamedTuple):
    """What the rows of a group have in common; `segment` is empty for the whole."""

    start: datetime
    batch_id: str
    version: str
    environment: str
    segment: str = ""


class _Coded(NamedTuple):
    """One property of rows: its code row by row (negative: the row is left out; None: all are 0), and what the codes stand for."""

    codes: Ints | None
    names: Sequence[Hashable]


@dataclass(slots=True)
class Dimension:
    """Groups of one kind, numbered as they are met; `sizes` counts their rows."""

    keys: list[GroupKey] = field(default_factory=list)
    sizes: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    _places: dict[tuple[Hashable, ...], int] = field(default_factory=dict)

    def number(self, rows: int, *properties: _Coded) -> NDArray[np.int32]:
        """Return the group of each row, -1 for those left out."""
        if all(p.codes is None for p in properties):
            number = self._number(0, properties)
            self._add(np.array([number], np.int32), np.array([rows], np.int64))
            return np.full(rows, number, np.int32)
        packed = _packed(rows, properties)
        size = int(np.prod([len(p.names) for p in properties])) + 1
        if size > _ROOM * rows + 1024:
            met, place, n = np.unique(packed, return_inverse=True, return_counts=True)
            lookup = np.empty(len(met), np.int32)
            where = np.arange(len(met))
        else:
            tally = np.bincount(packed, minlength=size)
            met, place, where = np.flatnonzero(tally), packed, np.flatnonzero(tally)
            n, lookup = tally[met], np.empty(size, np.int32)
        numbers = np.array([self._number(code - 1, properties) for code in met.tolist()], np.int32)
        self._add(numbers[numbers >= 0], n[numbers >= 0])
        lookup[where] = numbers
        return lookup[place]

    def _number(self, code: int, properties: Sequence[_Coded]) -> int:
        if code < 0:
            return -1
        names: list[Hashable] = []
        for one in reversed(properties):
            code, rest = divmod(code, len(one.names))
            names.insert(0, one.names[rest])
        name = tuple(names)
        if name not in self._places:
            self._places[name] = len(self.keys)
            whole = name[0]
            self.keys.append(whole._replace(segment=str(name[1])) if isinstance(whole, GroupKey) else GroupKey(*name))  # type: ignore[arg-type]
        return self._places[name]

    def _add(self, numbers: NDArray[np.int32], n: Ints) -> None:
        sizes = np.zeros(len(self.keys), np.int64)
        sizes[: len(self.sizes)] = self.sizes
        sizes[numbers] += n
        self.sizes = sizes


def _packed(rows: int, properties: Sequence[_Coded]) -> Ints:
    """Return one number for all properties of each row: 0 for rows that any of them leaves out, else the mixed-radix code plus 1."""
    packed, out = np.zeros(rows, np.int64), None
    for one in properties:
        if len(one.names) > 1:
            packed *= len(one.names)
        if one.codes is not None:
            packed += one.codes
            if one.codes.min(initial=0) < 0:
                out = one.codes < 0 if out is None else out | (one.codes < 0)
    packed += 1
    if out is not None:
        packed[out] = 0
    return packed


@dataclass(slots=True)
class Grouping:
    """Numbers rows by batch, window, version and environment, and by the values of each segment column.

    `columns` says where the role `time`, `batch`, `version` or `environment` is read; what it leaves out is the same for all
    rows, as in `same`. `batches` are those whose rows count; empty for all. Of the columns `emptied` an empty text is as good as none. `known` are the bins that say which segment
    values keep their names; of versions the first thousand that are met do.
    """

    grid: Grid
    columns: Mapping[str, str]
    same: Mapping[str, str]
    segments: Sequence[str] = ()
    batches: frozenset[str] = frozenset()
    known: Mapping[str, FeatureBins] = field(default_factory=dict)
    emptied: Collection[str] = ()
    whole: Dimension = field(default_factory=Dimension)
    parted: dict[str, Dimension] = field(default_factory=dict)
    _met: dict[str, dict[str, str]] = field(default_factory=dict)

    def number(self, rows: Rows) -> list[NDArray[np.int32]]:
        """Return each row's group in the whole, then in every segment dimension whose columns are there."""
        properties = [self._windows(rows), *(self._text(rows, role) for role in ("batch", "version", "environment"))]
        whole = self.whole.number(rows.num_rows, *properties)
        codes = _Coded(whole.astype(np.int64), self.whole.keys)
        out = [whole]
        for declared in self.segments:
            wanted = declared.split("&")
            if all(c in rows.column_names for c in wanted):
                dimension = self.parted.setdefault(declared, Dimension())
                out.append(dimension.number(rows.num_rows, codes, self._values(rows, wanted)))
        return out

    @property
    def dimensions(self) -> list[Dimension]:
        """The whole, then the segment dimensions met."""
        return [self.whole, *self.parted.values()]

    def _windows(self, rows: Rows) -> _Coded:
        from watchkeeper.profiles import kernel

        column = self.columns["time"]
        bounds = bounds_of(rows, column)
        if bounds is not None and len(starts := starts_of(self.grid, bounds)) == 1:
            return _Coded(None, starts)  # the rows need not be asked
        moments = moments_of(rows.column(column))
        starts = starts_of(self.grid, moments)
        if len(starts) == 1:
            return _Coded(None, starts)
        places = np.empty(len(moments), np.int64)
        edges = np.array([int(s.timestamp() * 1_000_000) for s in starts], np.int64)
        kernel.place(moments, edges, places)
        return _Coded(places, starts)

    def _text(self, rows: Rows, role: str) -> _Coded:
        column, default = self.columns.get(role, ""), self.same[role]
        if column not in rows.column_names:
            return _Coded(None, [default])
        codes, texts = as_codes(rows.column(column))
        if role == "version":
            texts = [self._kept(role, text, MOST_VERSIONS) for text in texts]
        place = {text: i for i, text in enumerate(dict.fromkeys(texts))}
        lookup = np.array([*(-1 if self._is_left_out(role, t) else place[t] for t in texts), len(place)], np.int64)
        names = [*place, default]
        return _Coded(None, names[:1]) if len(texts) == 1 and lookup[0] == 0 and codes.min(initial=0) == 0 else _Coded(lookup[codes], names)

    def _is_left_out(self, role: str, text: str) -> bool:
        return role == "batch" and bool(self.batches) and text not in self.batches

    def _values(self, rows: Rows, columns: Sequence[str]) -> _Coded:
        codes, pairs = np.zeros(rows.num_rows, np.int64), [()]  # type: tuple[NDArray[np.int64], list[tuple[tuple[str, str], ...]]]
        for column in columns:
            coded, texts = as_codes(rows.column(column))
            values = [self._name(column, t) for t in [*texts, None]]
            kept = list(dict.fromkeys(values))
            place = np.array([kept.index(v) for v in values], np.int64)
            codes = codes * len(kept) + place[coded]
            pairs = [(*left, (column, value)) for left in pairs for value in kept]
        return _Coded(codes, [segment_of(each) for each in pairs])

    def _name(self, column: str, text: str | None) -> str:
        """Return what a segment value is called: rare ones of a column with many, and new ones beyond two hundred, are the rest."""
        if text is None or (not text and column in self.emptied):
            return NULL
        bins = self.known.get(column)
        if bins is not None and text in bins.known:
            return text if bins.known[text] < len(bins.categories) else REST
        if bins is not None and bins.others:
            return REST
        return self._kept(f"segment {column}", text, MOST_VALUES)

    def _kept(self, what: str, text: str, most: int) -> str:
        """Return a text, or the name of the rest once so many others were met."""
        met = self._met.setdefault(what, {})
        if text not in met:
            met[text] = text if len(met) < most else REST
        return met[text]


def starts_of(grid: Grid, moments: Ints) -> list[datetime]:
    """Return the starts of the windows from the one of the earliest moment to the one of the latest."""
    if len(moments) == 0:
        return [grid.at(datetime(1970, 1, 1, tzinfo=UTC)).start]
    first, last = (datetime.fromtimestamp(int(m) / 1e6, UTC) for m in (moments.min(), moments.max()))
    starts = [w.start for w in grid.between(first, last)] or [grid.at(first).start]
    if grid.at(last).start > starts[-1]:
        starts.append(grid.at(last).start)
    return starts
