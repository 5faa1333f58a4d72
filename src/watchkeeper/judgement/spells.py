"""Spells: on which days of an incident an input was odd, and how far the number was off on each day.

Belongs here: values and numbers day by day -> a spell. Does not: what is odd about values of one stretch (odd_inputs.py), what follows for the
causes (later_causes.py).

A fault that begins, or ends, while an incident goes on is blurred where all of its rows are taken together. A day shows it where it has a hundred rows; a
spell is two such days in a row and more. What the days before the incident show as well, is no fault: weather of one day has all rows of that day.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from watchkeeper.judgement.odd_inputs import Odd, by_day, odd_beside, stillness
from watchkeeper.stats.exchanges import LEAST_ROWS

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_LEAST_DAYS, _USUAL_DAYS = 2, 10
_ENOUGH = 20_000  # values of the weeks before, for quantiles


@dataclass(frozen=True, slots=True)
class BadDay:
    """A day of an incident: its rows with a number, by how much the mean of that lies beyond the one before the incident, and its standard error."""

    start: datetime
    rows: int
    beyond: float
    se: float


@dataclass(frozen=True, slots=True)
class Spell:
    """An input that was odd on some days of an incident, which are told by their starts."""

    odd: Odd
    days: tuple[datetime, ...]


def spell_of(feature: str, values: Floats, is_during: Bools, day: Ints, starts: Sequence[datetime]) -> Spell | None:
    """Return the longest run of days on which a number was odd in one way, None without one; `day` is the place among all days of each row, `starts` when these begin."""
    known = np.isfinite(values)
    before, day_before = values[known & ~is_during], day[known & ~is_during]
    if len(before) < LEAST_ROWS:
        return None
    still = stillness(before, day_before)
    some = before[:: 1 + len(before) // _ENOUGH]
    during = _full_days(values[known & is_during], day[known & is_during])
    found = [(number, odd_beside(feature, some, rows, still)) for number, rows in during]
    run = max(_runs(found), key=len, default=[])
    if len(run) < _LEAST_DAYS:
        return None
    how = run[0][1]
    usual = [odd_beside(feature, some, rows, still) for _, rows in _full_days(before, day_before)[-_USUAL_DAYS:]]
    of_run = np.isin(day, [number for number, _ in run]) & known & is_during
    odd = odd_beside(feature, some, values[of_run], still)
    if odd is None or odd.how != how or any(one is not None and one.how == how for one in usual):
        return None
    return Spell(odd, tuple(starts[number] for number, _ in run))


def _full_days(values: Floats, day: Ints) -> list[tuple[int, Floats]]:
    """Return the values of each day that has enough of them."""
    return [(number, rows) for number, rows in by_day(values, day) if len(rows) >= LEAST_ROWS]


def _runs(found: Sequence[tuple[int, Odd | None]]) -> list[list[tuple[int, str]]]:
    """Return the runs of days, one after the other, that are odd in one way."""
    out: list[list[tuple[int, str]]] = [[]]
    for number, odd in found:
        if odd is None or (out[-1] and out[-1][-1][1] != odd.how):
            out.append([])
        if odd is not None:
            out[-1].append((number, odd.how))
    return out


def bad_days(value: Floats, is_during: Bools, day: Ints, starts: Sequence[datetime]) -> list[BadDay]:
    """Return the days of an incident on which the number of enough rows is known."""
    known = np.isfinite(value)
    usual = float(value[known & ~is_during].mean()) if (known & ~is_during).any() else np.nan
    days = _full_days(value[known & is_during], day[known & is_during]) if np.isfinite(usual) else []
    return [BadDay(starts[number], len(rows), float(rows.mean()) - usual, float(rows.std(ddof=1) / np.sqrt(len(rows)))) for number, rows in days]
