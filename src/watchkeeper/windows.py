"""Half-open windows [start, end) on a monitor's grid: hours, days and weeks that start at its local midnight.

Belongs here: arithmetic on window boundaries. Does not: which windows are due (operations/measure.py).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Literal, TypeVar
from zoneinfo import ZoneInfo

Grain = Literal["hour", "day", "week", "month"]
FIRST_YEAR, LAST_YEAR = 1971, 2200
"""The years in which models are watched; one before them was never set, and far after them no window can be reckoned."""
Dated = TypeVar("Dated", bound=date)


@dataclass(frozen=True, order=True, slots=True)
class Window:
    """A half-open stretch of time; `start` and `end` are UTC."""

    start: datetime
    end: datetime

    def __contains__(self, moment: object) -> bool:
        """Tell whether a moment lies in the window."""
        return isinstance(moment, datetime) and self.start <= moment < self.end

    def overlaps(self, other: "Window") -> bool:
        """Tell whether two windows share any moment."""
        return self.start < other.end and other.start < self.end

    def until(self, moment: datetime) -> "Window":
        """Return the part of the window that a moment leaves behind."""
        return Window(self.start, max(self.start, min(self.end, moment)))


@dataclass(frozen=True, slots=True)
class Grid:
    """The windows of one grain in one time zone.

    >>> grid = Grid("day", "America/New_York")
    >>> w = grid.at(datetime(2013, 3, 10, 12, tzinfo=UTC))      # the day the clocks go forward
    >>> (w.end - w.start).total_seconds() / 3600
    23.0
    """

    grain: Grain
    timezone: str

    def at(self, moment: datetime) -> Window:
        """Return the window that holds `moment`."""
        if self.grain == "hour":
            start = moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
            return Window(start, start + timedelta(hours=1))
        day = moment.astimezone(ZoneInfo(self.timezone)).date()
        if self.grain == "week":
            day -= timedelta(days=day.weekday())
        elif self.grain == "month":
            day = day.replace(day=1)
        return Window(self._midnight(day), self._midnight(self._next(day)))

    def between(self, start: datetime, end: datetime) -> Iterator[Window]:
        """Yield, in order, the windows that overlap [start, end)."""
        if end <= start:
            return
        window = self.at(start)
        while window.start < end:
            yield window
            window = self.at(window.end)

    def _next(self, day: date) -> date:
        if self.grain == "month":
            return (day.replace(day=28) + timedelta(days=4)).replace(day=1)
        return day + timedelta(days=7 if self.grain == "week" else 1)

    def _midnight(self, day: date) -> datetime:
        return local_midnight(day, self.timezone)


def grain_of(length: timedelta) -> Grain:
    """Return the grain of a window by its length; days and weeks may be an hour longer or shorter.

    >>> grain_of(timedelta(hours=23)), grain_of(timedelta(days=28)), grain_of(timedelta(days=7, hours=1))
    ('day', 'month', 'week')
    """
    longest: list[tuple[Grain, timedelta]] = [("hour", timedelta(hours=2)), ("day", timedelta(days=2)), ("week", timedelta(days=14))]
    return next((grain for grain, limit in longest if length < limit), "month")


def in_reckoning(day: Dated) -> Dated:
    """Return a day, or a moment, that lies in the years in which windows can be reckoned.

    >>> in_reckoning(date(9999, 12, 31))
    Traceback (most recent call last):
    ValueError: the year 9999 is not one of 1971 to 2200

    Raises:
        ValueError: it lies outside them.

    """
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        message = f"the year {day.year} is not one of {FIRST_YEAR} to {LAST_YEAR}"
        raise ValueError(message)
    return day


@lru_cache(maxsize=65_536)  # of rows there are many and of days few
def local_midnight(day: date, timezone: str) -> datetime:
    """Return the UTC moment at which `day` begins in `timezone`."""
    return datetime.combine(day, time(), ZoneInfo(timezone)).astimezone(UTC)
