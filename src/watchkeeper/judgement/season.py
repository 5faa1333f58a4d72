"""Season: what a number usually is at each place of the week, and between what it usually lies there.

Belongs here: places of the week, the centre of each, the range that reference windows keep around it. Does not: wander, noise and
charts (normal.py), drawing a range (site/charts.py).

A place is a weekday, or for hours an hour of the week. Places are told apart only where BIC prefers that, and three cycles were seen.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import isfinite
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from watchkeeper.monitor import Monitor

Floats = NDArray[np.float64]
Places = NDArray[np.int64]
Grouping = Callable[[Places], Places]
LEAST_FOR_RANGE = 20
_TAIL = 0.025
_CYCLES = 3
_DAYS = 7
_LONGEST = timedelta(hours=25)
"""A day on which clocks are put back."""
_HOURS = 24
KINDS = ("", "weekday", "hour of the day", "hour of the week")


@dataclass(frozen=True, slots=True)
class Range:
    """Between what 95 % of reference windows lie."""

    low: float
    high: float


@dataclass(frozen=True)
class Usual:
    """What is usual at each place of the week; `kind` says by what the places differ, and is empty where they do not.

    `later` holds since when another is usual, in order. Where too little is known to say, ends are NaN.
    """

    timezone: str
    kind: str
    low: Floats
    high: Floats
    later: tuple[tuple[datetime, "Usual"], ...] = ()

    @property
    def is_known(self) -> bool:
        """Tell whether anything is known to be usual."""
        return bool(np.isfinite(self.low).any())

    def at(self, start: datetime) -> "Usual":
        """Return what is usual when a window starts."""
        return next((usual for since, usual in reversed(self.later) if start >= since), self)

    def of(self, starts: Sequence[datetime]) -> list[Range | None]:
        """Return what is usual for the windows that start then, None where too little is known to say."""
        found = places(starts, self.timezone, len(self.low) // _DAYS)
        ends = zip(self.low[found].tolist(), self.high[found].tolist(), strict=True)
        ranges = [Range(low, high) if isfinite(low) else None for low, high in ends]
        for since, usual in self.later:
            ranges = [after if start >= since else before for start, before, after in zip(starts, ranges, usual.of(starts), strict=True)]
        return ranges


def unknown(timezone: str, grain: str) -> Usual:
    """Return that it is not known what is usual."""
    nothing = np.full(_DAYS * slots_of(grain), np.nan)
    return Usual(timezone, "", nothing, nothing)


def slots_of(grain: str) -> int:
    """Return how many places of the week a weekday has."""
    return _HOURS if grain == "hour" else 1


def places(starts: Sequence[datetime], timezone: str, slots: int) -> Places:
    """Return the place of the week of each window."""
    zone = ZoneInfo(timezone)
    local = [start.astimezone(zone) for start in starts]
    return np.array([at.weekday() * slots + (at.hour if slots > 1 else 0) for at in local], np.int64)


def on_calendar(monitor: Monitor, windows: Sequence[tuple[datetime, datetime]]) -> NDArray[np.bool_]:
    """Tell which windows lie on a day that the monitor's calendar names, by its own clock; weeks and months are never left out for a day of theirs."""
    named, zone = {day for days in monitor.calendar.values() for day in days}, ZoneInfo(monitor.timezone)
    if not named:
        return np.zeros(len(windows), bool)
    return np.array([end - start <= _LONGEST and start.astimezone(zone).date() in named for start, end in windows], bool)


def centre(values: Floats, place: Places, slots: int) -> tuple[Floats, int, str]:
    """Return the centre of each place, its number of parameters and by what places differ: one mean, or one for each where BIC prefers it."""
    seen = np.isfinite(values)
    n, every = int(seen.sum()), np.arange(_DAYS * slots)
    if n == 0:
        return np.full(len(every), np.nan), 1, ""
    known, at = values[seen], place[seen]
    best = (np.full(len(every), float(known.mean())), 1, "")
    least = _bic(known, best[0][at], 1)
    for kind, group in _groupings(slots):
        mine, groups = group(at), int(group(every).max()) + 1
        counts = np.bincount(mine, minlength=groups)
        found = int((counts > 0).sum())
        if found < 2 or n < _CYCLES * found:  # noqa: PLR2004 - something to compare
            continue
        means = np.where(counts > 0, np.bincount(mine, known, groups) / np.maximum(1, counts), known.mean())
        bic = _bic(known, means[mine], found)
        if bic < least:
            least, best = bic, (means[group(every)], found, kind)
    return best


def _groupings(slots: int) -> list[tuple[str, Grouping]]:
    by_day: tuple[str, Grouping] = (KINDS[1], lambda place: place // slots)
    return [by_day] if slots == 1 else [by_day, (KINDS[2], lambda place: place % slots), (KINDS[3], lambda place: place)]


def _bic(known: Floats, fitted: Floats, parameters: int) -> float:
    n = len(known)
    return float(n * np.log(max(float(((known - fitted) ** 2).sum()), 1e-300) / n) + parameters * np.log(n))


def spread(residual: Floats) -> tuple[float, float] | None:
    """Return between what 95 % of residuals lie, None when there are too few to say."""
    known = np.sort(residual[np.isfinite(residual)])
    cut = int(len(known) * _TAIL)
    return None if len(known) < LEAST_FOR_RANGE else (float(known[cut]), float(known[-1 - cut]))


def usual_of(starts: Sequence[datetime], values: Floats, timezone: str, grain: str) -> Usual | None:
    """Return what is usual by the reference's windows, None when there are too few to say; `values` on the scale that is judged."""
    slots = slots_of(grain)
    place = places(starts, timezone, slots)
    middle, _, kind = centre(values, place, slots)
    found = spread(values - middle[place])
    return None if found is None else Usual(timezone, kind, middle + found[0], middle + found[1])
