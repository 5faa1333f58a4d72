"""Missing segments: values of a segment column whose rows no longer come while those of others do.

Belongs here: which segments are asked, and beside what. Does not: how few rows are missed (usual_rows.py), signals of them (shortfall.py).

A segment is asked where all rows of the window are enough; if fewer came of all, fewer are expected of it. Chance is divided by the segments
asked. A column whose values come and go by themselves, as products do, tells nothing: one had five rows a window at one end of the
reference and none at the other. So do windows in which none of the reference's values has rows, as where the column is gone or all values are spelled otherwise, and rows
that have no value, or are told as `(other)`.
That the column itself moved in such a window is no news beside it, and no sign of what does no harm.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from watchkeeper.judgement.usual_rows import CHANCE, LIKE, SHARE, UsualRows
from watchkeeper.profiles.groups import NULL, REST
from watchkeeper.records import Signal

_STEADY = 5
Floats = NDArray[np.float64]


class Whole(NamedTuple):
    """The windows of a model in order: when they start, their place of the week, all their rows, and which of them are the reference's (the first ones)."""

    starts: Sequence[datetime]
    places: Sequence[int]
    rows: Sequence[float]
    reference: int


class MissedSegment(NamedTuple):
    """A window in which far too few rows of a segment came: its place among the windows, what came, what windows like it had, and by what chance so few would come."""

    segment: str
    at: int
    value: float
    like: Sequence[float]
    chance: float


def missed_segments(columns: Collection[str], counted: pa.Table, whole: Whole, may_be_late: Sequence[bool]) -> Iterator[MissedSegment]:
    """Yield the windows after the reference in which a segment of some columns is missed; `counted` has `segment`, `window_start` and `value`, the rows."""
    levels, enough = _levels(whole)
    for names, rows in _by_column(columns, counted, whole.starts):
        asked = [i for i, name in enumerate(names) if name.partition("=")[2] not in (NULL, REST) and rows[i, : whole.reference].any()]
        told = rows[asked].any(axis=0) & (np.array(whole.rows) > 0)
        if not asked or _come_and_go(rows[asked][:, : whole.reference][:, told[: whole.reference]]):
            continue
        is_after = np.arange(len(whole.starts)) >= whole.reference
        reference, after = np.flatnonzero(told & ~is_after), np.flatnonzero(told & is_after & enough)
        if len(reference) < LIKE:
            continue
        for i in _short(rows, asked, np.array(whole.places), reference, after):
            usual = UsualRows(rows[i, reference].tolist(), _of(whole.places, reference), _of(levels, reference))
            found = usual.missed(rows[i, after].tolist(), _of(whole.places, after), _of(may_be_late, after), _of(levels, after), CHANCE / len(asked))
            yield from (MissedSegment(names[i], int(after[one.at]), float(rows[i, after[one.at]]), one.like, one.chance) for one in found)


def columns_gone(found: Iterable[Signal]) -> set[tuple[str, datetime]]:
    """Return the columns of which a value is missed, each with the start of the window."""
    return {(s.segment.partition("=")[0], s.window_start) for s in found if s.metric == "rows" and s.segment and s.level == "page"}


def _levels(whole: Whole) -> tuple[list[float], NDArray[np.bool_]]:
    """Return how much of what is usual came of all rows, at most 1, and whether that is enough to miss a segment in."""
    usual = UsualRows(whole.rows[: whole.reference], whole.places[: whole.reference])
    typical = np.array([np.median(usual.like(place)) for place in whole.places])
    share = np.divide(whole.rows, typical, out=np.zeros(len(typical)), where=typical > 0)
    return np.minimum(1.0, share).tolist(), share >= SHARE


def of_columns(scores: pa.Table, columns: Collection[str]) -> pa.Table:
    """Return the scores of the segments of some columns, and of no pairs."""
    names = scores.column("segment")
    mine = pc.and_(pc.is_in(pc.list_element(pc.split_pattern(names, "=", max_splits=1), 0), pa.array(columns, names.type)), pc.not_equal(names, ""))
    return scores.filter(pc.and_(mine, pc.invert(pc.match_substring(names, "&"))))


def _by_column(columns: Collection[str], counted: pa.Table, starts: Sequence[datetime]) -> Iterator[tuple[list[str], Floats]]:
    """Yield the segments of each column and their rows, one row a segment and one column a window; 0 where it has none."""
    mine = of_columns(counted, columns)
    at = pc.index_in(mine.column("window_start"), pa.array(starts, mine.schema.field("window_start").type))
    mine = mine.append_column("at", at).filter(pc.field("at").is_valid() & pc.field("value").is_valid())
    names = mine.column("segment").combine_chunks().dictionary_encode()
    every = names.dictionary.to_pylist()
    rows = np.zeros((len(every), len(starts)))
    rows[names.indices.to_numpy(), mine.column("at").to_numpy()] = mine.column("value").to_numpy()
    for column in columns:
        here = [i for i, name in enumerate(every) if name.partition("=")[0] == column]
        if here:
            yield [every[i] for i in here], rows[here]


def _come_and_go(reference: Floats) -> bool:
    """Tell whether a segment that was steady at one end of the reference had no rows at the other."""
    third = reference.shape[1] // 3
    if not third:
        return True
    ends = np.median(reference[:, :third], axis=1), np.median(reference[:, -third:], axis=1)
    return bool(((np.maximum(*ends) >= _STEADY) & (np.minimum(*ends) == 0)).any())


def _short(rows: Floats, asked: Sequence[int], places: NDArray[np.int64], reference: NDArray[np.int64], after: NDArray[np.int64]) -> list[int]:
    """Return the segments that have any window with less than is missed, so that the others need no closer look."""
    least = np.tile(rows[:, reference].min(axis=1)[:, None], len(after))
    for place in np.unique(places[after]):
        like = reference[places[reference] == place]
        if len(like) >= LIKE:
            least[:, places[after] == place] = rows[:, like].min(axis=1)[:, None]
    is_short = np.asarray((rows[:, after] < SHARE * least).any(axis=1))
    return [i for i in asked if is_short[i]]


def _of(values: Sequence[Any], at: NDArray[np.int64]) -> list[Any]:
    return [values[i] for i in at.tolist()]
