"""Spans: windows, cut where a price changes, so that each is billed at the prices of its day.

Belongs here: that cut. Does not: which price holds on a day (prices.py, token_prices.py).
"""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from watchkeeper.windows import Window, local_midnight


@dataclass(frozen=True, slots=True)
class PriceSpan:
    """A part of a window in which no price changes; `priced_on` is a day of it, in the zone in which prices change at midnight."""

    window_start: datetime
    start: datetime
    end: datetime
    priced_on: date


def spans_of(windows: Iterable[Window], changes: Iterable[date], zone: str) -> list[PriceSpan]:
    """Return the spans of some windows.

    >>> from datetime import UTC
    >>> day = Window(datetime(2025, 1, 31, 12, tzinfo=UTC), datetime(2025, 2, 1, 12, tzinfo=UTC))
    >>> [(s.start.hour, s.end.hour, str(s.priced_on)) for s in spans_of([day], [date(2025, 2, 1)], "UTC")]
    [(12, 0, '2025-01-31'), (0, 12, '2025-02-01')]
    """
    moments = sorted(local_midnight(d, zone) for d in changes)
    made: list[PriceSpan] = []
    for window in windows:
        inside: Sequence[datetime] = [m for m in moments if window.start < m < window.end]
        edges = [window.start, *inside, window.end]
        made += [PriceSpan(window.start, a, b, a.astimezone(ZoneInfo(zone)).date()) for a, b in itertools.pairwise(edges)]
    return made
