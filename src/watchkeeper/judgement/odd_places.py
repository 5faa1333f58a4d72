"""Odd places: the one segment in which an input has another unit or other codes, where all other rows are as they were.

Belongs here: which segments are asked, and which one is told. Does not: what is odd about values (odd_inputs.py), reading rows (operations/traces.py).

So many segments are asked that a chance find has to be ruled out: the values of all other rows must show nothing, and a factor that the world itself
may have made is none.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from watchkeeper.judgement.odd_inputs import Hole, Odd, change_of
from watchkeeper.judgement.traces import Column
from watchkeeper.stats.exchanges import LEAST_ROWS

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Asked = Callable[[Bools, str], Odd | None]
"""Tells what is odd about an input in some rows, and where these are."""

_LARGEST, _TRIED = 0.8, 20


def odd_in_place(feature: str, asked: Asked, segments: Sequence[Column], is_during: Bools) -> Odd | None:
    """Return what is odd about an input in one segment alone, of several in the one with most rows; None where none is, or the rest is odd as well."""
    found = []
    for column in (c for c in segments if c.name != feature):
        for cell, rows in _fullest(column, is_during):
            inside = column.cells == cell
            where = column.said(cell, cell)
            one = asked(inside, f" where {where}")
            if one is not None and one.how != "factor" and asked(~inside, "") is None:
                found.append((rows, where, replace(one, place=(column.name, cell))))
    return max(found, key=lambda each: each[:2], default=(0, "", None))[2]


def _fullest(column: Column, is_during: Bools) -> list[tuple[int, int]]:
    """Return the values with most rows, each with how many it has in the bad windows: enough, before as well, and no more than four in five of all."""
    size = int(column.cells.max(initial=-1)) + 1
    before, during = (np.bincount(column.cells[side & (column.cells >= 0)], minlength=size) for side in (~is_during, is_during))
    enough = (np.minimum(before, during) >= LEAST_ROWS) & (during <= _LARGEST * is_during.sum())
    ranked = sorted(np.flatnonzero(enough), key=lambda cell: -during[cell])
    return [(int(cell), int(during[cell])) for cell in ranked[:_TRIED]]


def hole_of_place(odd: Odd, segments: Sequence[Column], value: Floats, is_during: Bools) -> Hole | None:
    """Return the rows of the segment that an input is odd in as ones without a usable value; None where no other rows are left."""
    inside = next((c.cells == odd.place[1] for c in segments if odd.place is not None and c.name == odd.place[0]), None)
    if inside is None:
        return None
    change, (left, se) = change_of(value, is_during)[0], change_of(np.where(inside, np.nan, value), is_during)
    return Hole(odd.feature, left / change) if change and se else None
