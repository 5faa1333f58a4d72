"""Traces: what the rows of bad windows show beside those of the weeks before, column by column.

Belongs here: rows of both sides -> where a number changed, and what other shares of its rows account for. Does not: reading rows
(operations/traces.py), inputs that are odd (odd_inputs.py), what follows from them (row_causes.py, service_causes.py).

Of a number's change other shares of a column's cells account for what they would have made had each cell stayed as it was (Kitagawa's rates at the
old level: a symmetric split gives mix a half of what changed in a cell that all rows are in now). A place is named
when it carries most of what changed inside cells, its rows several times as much of it as others, and by more than chance
makes of so many places.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from watchkeeper.judgement.error_changes import ErrorChange
from watchkeeper.judgement.odd_inputs import Hole, Odd, Repeats, change_of
from watchkeeper.judgement.spells import BadDay, Spell
from watchkeeper.judgement.strains import Spoilt, Strain
from watchkeeper.stats.intervals import Z95
from watchkeeper.stats.mix import Side

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_MOST_OF_IT, _MORE_THAN_ALL, _TIMES, _SURE = 0.6, 2.0, 4.0, 4.5
_LEAST_IN_A_PLACE, _LEAST_A_DAY, _LEAST_DAYS, _LARGEST, _TRIED = 30, 5, 10, 0.75, 10
_WITHIN = 3.0  # spreads from day to day
_SURELY, _ENOUGH = 0.2, 0.4


@dataclass(frozen=True, slots=True)
class Column:
    """The cell of each row in one column, `-1` where it has no value; `said` names cells from first to last, which are neighbours where `is_ordered`; `unseen` is that of new categories."""

    name: str
    role: str
    cells: Ints
    said: Callable[[int, int], str]
    is_ordered: bool = False
    unseen: int = -2


@dataclass(frozen=True, slots=True)
class Place:
    """Where a number changed: its mean there now and usually, and which share of the rows and of the whole change that is."""

    column: str
    role: str
    where: str
    now: float
    usual: float
    share_of_rows: float
    share_of_change: float
    first: int = 0
    last: int = 0


@dataclass(frozen=True, slots=True)
class Mix:
    """What other shares of a column's cells account for in a number's change, as a share with the lower end of its 95 % interval, and the cell that does most of it."""

    column: str
    role: str
    where: str
    share: float
    low: float
    rows_now: float
    rows_usual: float


@dataclass(frozen=True)
class Traces:
    """All that rows show; `read` is how many rows were looked at and how many there are, where these are more.

    `days` are the bad ones and how far the number was off on each; `spells` the inputs that were odd on some of them.
    `outcome` is the rate of positive labels in the place, now and usually, and by how much more it moved than the scores there; `labels` that of all, now and usually, and how many there are now;
    `turned` the log loss of labels as they are, turned round, and usually;
    `grown` the rows of each value of a service column, now and usually; `strains` what GPUs and hosts did that people would ask about;
    `error` is what became of the mean error of a model whose outcome no score foresees, and `error_there` what became of it in the place;
    `has_outrun` whether what such a model says moved and the outcome did not follow;
    `odd_host` the host that a change of quality lies in, and which of its answers are the same or failed.
    """

    read: tuple[int, int] | None = None
    place: Place | None = None
    outcome: tuple[float, float, float] | None = None
    mixes: Sequence[Mix] = ()
    error: ErrorChange | None = None
    error_there: ErrorChange | None = None
    has_outrun: bool = False
    odd: Sequence[Odd] = ()
    days: Sequence[BadDay] = ()
    spells: Sequence[Spell] = ()
    repeats: Repeats | None = None
    holes: Sequence[Hole] = ()
    labels: tuple[float, float, int] | None = None
    turned: tuple[float, float, float] | None = None
    grown: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    sides: tuple[float, float] = (0.0, 0.0)
    strains: Sequence[Strain] = ()
    odd_host: tuple[Place, Spoilt] | None = None


def _sums(cells: Ints, value: Floats, size: int) -> tuple[Floats, Floats, Floats]:
    weights = (np.ones(len(value)), value, value**2)
    rows, totals, squares = (np.bincount(cells, each, minlength=size).astype(np.float64) for each in weights)
    return rows, totals, squares


def _sides(column: Column, value: Floats, is_during: Bools) -> tuple[Side, Side]:
    """Return the sums of each cell before and during; the first is of rows without a value."""
    known = np.isfinite(value)
    size = int(column.cells.max(initial=-1)) + 2
    before, during = known & ~is_during, known & is_during
    return Side(*_sums(column.cells[before] + 1, value[before], size)), Side(*_sums(column.cells[during] + 1, value[during], size))


def mixes_of(columns: Sequence[Column], value: Floats, is_during: Bools, day: Ints) -> list[Mix]:
    """Return what each column's other shares account for in the change of a mean, those that surely account for some, the largest first.

    Rows of one day are no independent witnesses (all of them have its weather): what is likely told is told with the interval of a jackknife over days.
    """
    out = []
    for column in columns:
        before, during = _sides(column, value, is_during)
        share, parts = _mix(column, before, during)
        change = during.mean - before.mean if during.n and before.n else 0.0
        top = int(np.argmax(parts * (during.shares > before.shares))) if change else 0
        if not top or share <= 0:
            continue
        noise = np.where(before.rows > 0, _variance(before), _variance(during))
        doubt = Z95 * float(np.sqrt(((during.shares - before.shares) ** 2 * noise).sum())) / abs(change)
        if share >= _ENOUGH and share > doubt:
            doubt = max(doubt, Z95 * _by_days(column, value, is_during, day))
        if share > doubt:
            shares = (float(during.shares[top]), float(before.shares[top]))
            out.append(Mix(column.name, column.role, column.said(top - 1, top - 1), share, max(0.0, share - doubt), *shares))
    return sorted(out, key=lambda m: -m.share)


def _mix(column: Column, before: Side, during: Side) -> tuple[float, Floats]:
    """Return the share of a mean's change that other shares of cells account for, were each as it was before, and that of each cell.

    A category that is new has no before: it is as it is now. A range of a number that is new is as all rows were.
    """
    nothing = np.zeros(len(before.rows))
    change = during.mean - before.mean if during.n and before.n else 0.0
    if not change:
        return 0.0, nothing
    level = np.where(before.rows > 0, before.means, before.mean if column.is_ordered else during.means)
    parts: Floats = (during.shares - before.shares) * (level - before.mean) / change
    return float(parts.sum()), parts


def _by_days(column: Column, value: Floats, is_during: Bools, day: Ints) -> float:
    """Return the standard error of a mix's share by leaving out one day after the other."""
    out = 0.0
    for side in (~is_during, is_during):
        days = np.unique(day[side & np.isfinite(value)])
        if len(days) < 2:  # noqa: PLR2004 - of one day nothing is left
            continue
        left_out = (_sides(column, np.where(side & (day == d), np.nan, value), is_during) for d in days)
        shares = np.array([_mix(column, *sides)[0] for sides in left_out])
        out += (len(days) - 1) / len(days) * float(((shares - shares.mean()) ** 2).sum())
    return float(np.sqrt(out))


def told_mix(mixes: Sequence[Mix]) -> Mix | None:
    """Return the mix that accounts for most, where it surely accounts for a fifth and likely for two fifths."""
    return next((m for m in mixes if m.low >= _SURELY and m.share >= _ENOUGH), None)


def without(mix: Mix, columns: Sequence[Column], value: Floats, is_during: Bools) -> Floats:
    """Return a number less what it usually is in the cells of a column, so that other shares of these no longer change its mean."""
    column = next(c for c in columns if (c.name, c.role) == (mix.column, mix.role))
    before, _ = _sides(column, value, is_during)
    out: Floats = value - np.where(before.rows > 0, before.means, before.mean)[column.cells + 1]
    return out


def rose_within(place: Place, mix: Mix, columns: Sequence[Column], mixed: Sequence[Column], value: Floats, is_during: Bools) -> bool:
    """Tell whether a number changed in a place beyond what other shares of a column's cells make there: rows of strong wind may always have been worse where parcels are light."""
    column = next(c for c in columns if (c.name, c.role) == (place.column, place.role))
    inside = np.where((column.cells >= place.first) & (column.cells <= place.last), value, np.nan)
    change, se = change_of(without(mix, mixed, inside, is_during), is_during)
    return abs(change) > max(Z95 * se, abs(place.now - place.usual) / 2)


def place_of(columns: Sequence[Column], value: Floats, is_during: Bools, day: Ints) -> Place | None:
    """Return the place that most of a mean's change comes from, None where no place stands out.

    It stands out from other rows of the same days, and from by how much these differ from day to day.
    """
    found: list[tuple[float, Place, Column]] = []
    for column in columns:
        before, during = _sides(column, value, is_during)
        both = (before.rows >= _LEAST_IN_A_PLACE) & (during.rows >= _LEAST_IN_A_PLACE / 2)
        both[0] = False
        moved = np.where(both, (during.means - before.means) * during.rows, 0.0)
        noise = np.where(both, during.rows**2 * (_variance(during) + _variance(before)), 0.0)
        whole, rows = float(moved.sum()), float(during.rows[both].sum())
        if not whole or both.sum() < 2:  # noqa: PLR2004 - a place needs a rest
            continue
        for first, last in _runs(np.flatnonzero(both), is_ordered=column.is_ordered):
            inside = slice(first, last + 1)
            share, of_rows = float(moved[inside].sum()) / whole, float(during.rows[inside][both[inside]].sum()) / rows
            if not _MOST_OF_IT <= share <= _MORE_THAN_ALL or of_rows > _LARGEST or share * (1 - of_rows) < _TIMES * of_rows * (1 - share):
                continue
            n = of_rows * rows
            apart = moved[inside].sum() / n - (whole - moved[inside].sum()) / (rows - n)
            doubt = np.sqrt(noise[inside].sum() / n**2 + (noise.sum() - noise[inside].sum()) / (rows - n) ** 2)
            if abs(apart) > _SURE * doubt:
                now, usual = (float(side.totals[inside].sum() / side.rows[inside].sum()) for side in (during, before))
                here = Place(column.name, column.role, column.said(first - 1, last - 1), now, usual, of_rows, share, first - 1, last - 1)
                found.append((float(abs(apart) / doubt), here, column))
    best = sorted(found, key=lambda each: -each[0])[:_TRIED]
    return next((place for _, place, column in best if _stands_out_by_day(place, column, value, is_during, day)), None)


def _stands_out_by_day(place: Place, column: Column, value: Floats, is_during: Bools, day: Ints) -> bool:
    """Tell whether a place differs from the rest of its own days by more than it does from day to day."""
    known = np.isfinite(value)
    inside = (column.cells >= place.first) & (column.cells <= place.last)
    numbers = np.unique(day, return_inverse=True)[1]
    size = int(numbers.max(initial=0)) + 1
    rows, means = [], []
    for side in (known & inside, known & ~inside):
        n = np.bincount(numbers[side], minlength=size)
        rows.append(n)
        means.append(np.bincount(numbers[side], value[side], minlength=size) / np.maximum(n, 1))
    both = (rows[0] >= _LEAST_A_DAY) & (rows[1] >= _LEAST_A_DAY)
    is_bad = np.bincount(numbers[is_during], minlength=size) > 0
    apart = means[0] - means[1]
    now, before = apart[both & is_bad], apart[both & ~is_bad]
    if len(now) == 0 or len(before) < _LEAST_DAYS:
        return False
    return bool(abs(now.mean() - before.mean()) > _WITHIN * before.std(ddof=1) * np.sqrt(1 / len(now) + 1 / len(before)))


def _variance(side: Side) -> Floats:
    """Return the variance of each cell's mean."""
    rows = np.maximum(side.rows, 1.0)
    scatter = np.maximum(0.0, side.squares / rows - side.means**2)
    out: Floats = scatter / rows + 1.0 / rows**2 / 12
    return out


def _runs(cells: Ints, *, is_ordered: bool) -> list[tuple[int, int]]:
    """Return the cells one by one, and where they are in order all runs of neighbours."""
    single = [(int(c), int(c)) for c in cells]
    return single + ([(int(a), int(b)) for a, b in combinations(cells, 2)] if is_ordered else [])
