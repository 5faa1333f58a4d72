"""Odd places: the one segment in which an input has another unit or other codes, where all other rows are as they were.

Belongs here: which segments are asked, and which one is told. Does not: what is odd about values (odd_inputs.py), reading rows (operations/traces.py).

So many segments are asked that a chance find has to be ruled out: the values of all other rows must show nothing, and a factor that the world itself
may have made is none. Days of an incident on which the fault was not there hide it where all are taken together. A segment has few rows a day, so the days
that show it are those whose median lies nine times off; two in a row and more are a spell, which their rows together must bear out, and no day before, nor all other
rows on any, may show it.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from watchkeeper.judgement.odd_inputs import FAR, Hole, Odd, by_day, change_of
from watchkeeper.judgement.spells import Spell
from watchkeeper.judgement.traces import Column
from watchkeeper.stats.exchanges import LEAST_ROWS

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Asked = Callable[[Bools, str], Odd | None]
"""Tells what is odd about an input in some rows, and where these are."""

_LARGEST, _TRIED = 0.8, 20
_ROWS_OF_A_DAY, _LEAST_DAYS = 10, 2


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


def spell_in_place(
    feature: str, values: Floats, asked: Callable[[Bools], Asked], segments: Sequence[Column], is_during: Bools, day: Ints, starts: Sequence[datetime]
) -> Spell | None:
    """Return the longest run of days on which the unit of a number was another one in one segment alone, None without one.

    `asked` makes what asks about the rows of some bad days beside those before; `day` is the place among all days of each row, `starts` when these begin.
    """
    found: list[Spell] = []
    for column in (c for c in segments if c.name != feature):
        for cell, _ in _fullest(column, is_during):
            run = _run_far_off(np.where(column.cells == cell, values, np.nan), is_during, day)
            if len(run) < _LEAST_DAYS or _run_far_off(np.where(column.cells == cell, np.nan, values), is_during, day):
                continue
            odd = odd_in_place(feature, asked(np.isin(day, run)), [_alone(column, cell)], is_during)
            found += [Spell(odd, tuple(starts[number] for number in run))] if odd is not None else []
    return max(found, key=lambda spell: len(spell.days), default=None)


def _run_far_off(values: Floats, is_during: Bools, day: Ints) -> list[int]:
    """Return the longest run of bad days on which the median of known values lies nine times off, to one side; empty where days before do as well."""
    known = np.isfinite(values)
    before, usual = values[known & ~is_during], by_day(values[known & ~is_during], day[known & ~is_during])
    middle = float(np.median(before)) if len(before) >= LEAST_ROWS else 0.0
    if middle <= 0 or any(_far_off(rows, middle) for _, rows in usual):
        return []
    runs: list[list[int]] = [[]]
    side = 0
    for number, rows in by_day(values[known & is_during], day[known & is_during]):
        now = _far_off(rows, middle)
        runs += [[]] if now == 0 or now != side else []
        runs[-1] += [number] if now else []
        side = now
    return max(runs, key=len)


def _far_off(rows: Floats, middle: float) -> int:
    """Return to which side a day's median lies nine times off what is usual, 0 where it does not or the day has too few rows."""
    now = float(np.median(rows)) if len(rows) >= _ROWS_OF_A_DAY else middle
    return int(now > FAR * middle) - int(now * FAR < middle)


def _alone(column: Column, cell: int) -> Column:
    """Return a column with one of its values alone."""
    return replace(column, cells=np.where(column.cells == cell, cell, -1))


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
