"""Pieces of a scan: batches to be counted and windows to be joined with their labels, cut so that memory holds several at once.

Belongs here: how work is cut, by what is in it and by the workspace's `memory_limit`, never by who does it. Does not: doing it
(profile.py, measure.py), or who does it (spread.py). A piece carries all it needs and can be sent to another process.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from watchkeeper.adapters.workspace import Home
from watchkeeper.monitor import Monitor
from watchkeeper.operations.bins_in_force import Fitted
from watchkeeper.operations.spread import AT_ONCE
from watchkeeper.profiles.groups import MOST_VALUES
from watchkeeper.records import Batch
from watchkeeper.windows import Window

Item = TypeVar("Item")
PART_BYTES = 12_000
"""About what a part with its cells takes in memory, as read and as added up."""

ID_BYTES = 200
"""About what the id of a label takes while its prediction is looked for."""

_PER_CELL = 16  # bytes: a count and a sum
PER_JOINED_ROW, _PER_CHANCE = 300, 40
"""About the bytes that a prediction beside its label takes, and each probability of a class: in DuckDB, in Arrow and in the arrays that are counted."""

_ROWS, _BATCHES, _WINDOWS = 2_000_000, 16, 32
_HOURS = {"hour": timedelta(hours=1), "day": timedelta(days=1)}


@dataclass(frozen=True, slots=True)
class EventsPiece:
    """Batches of events whose rows are to be counted."""

    home: Home
    monitor: Monitor
    found: Fitted
    batches: tuple[Batch, ...]
    since: datetime
    """When the first of their rows landed."""
    now: datetime

    @property
    def name(self) -> str:
        """What it is called where people look."""
        begun = min((b.starts_at for b in self.batches if b.starts_at), default=None)
        return f"{self.monitor.model}-{begun:%Y-%m-%dT%H}" if begun else self.monitor.model


@dataclass(frozen=True, slots=True)
class LabelsPiece:
    """Windows whose predictions are to be joined with their labels."""

    home: Home
    monitor: Monitor
    found: Fitted
    windows: tuple[Window, ...]
    early: datetime | None
    """Labels that landed before it belong to no prediction that landed later."""
    now: datetime

    @property
    def name(self) -> str:
        """What it is called where people look."""
        return f"{self.monitor.model}-{self.windows[0].start:%Y-%m-%dT%H}"


def share_of_memory(home: Home) -> int:
    """Return the bytes that one piece may take: all that are under way and their results take a third of the limit, DuckDB half.

    The rest is for what allocators keep: with many processes on the machine they were seen to keep a sixth more.
    """
    return max(1, home.memory_bytes // (6 * AT_ONCE))


def events_pieces(
    home: Home, monitor: Monitor, found: Fitted, batches: Iterable[Batch], landed: Mapping[str, datetime], now: datetime
) -> list[EventsPiece]:
    """Return the batches, whose first rows `landed` then, in order of their events, as many to a piece as fit; a batch is never cut."""
    ordered = sorted(batches, key=lambda b: (b.starts_at is None, b.starts_at or b.landed_at, b.batch_id))
    costs = [(_taken(b, found, monitor), b.rows_landed, 1) for b in ordered]
    cut = parted(ordered, costs, (share_of_memory(home), _ROWS, _BATCHES))
    return [EventsPiece(home, monitor, found, tuple(some), min(landed[b.batch_id] for b in some), now) for some in cut]


def labels_pieces(
    home: Home, monitor: Monitor, found: Fitted, windows: Mapping[Window, int], early: datetime | None, now: datetime
) -> list[LabelsPiece]:
    """Return the windows in order, as many to a piece as fit; a window, of so many rows, is never cut."""
    ordered = sorted(windows)
    per_row = PER_JOINED_ROW + _PER_CHANCE * len(monitor.columns.probabilities)
    cut = parted(ordered, [(windows[w] * per_row, 1) for w in ordered], (share_of_memory(home), _WINDOWS))
    return [LabelsPiece(home, monitor, found, tuple(some), early, now) for some in cut]


def parted(items: Sequence[Item], costs: Sequence[Sequence[int]], limits: Sequence[int]) -> Iterator[list[Item]]:
    """Cut items into runs whose costs stay within every limit; an item beyond a limit is a run of its own.

    >>> list(parted("abcd", [(3,), (4,), (9,), (1,)], (8,)))
    [['a', 'b'], ['c'], ['d']]
    """
    run: list[Item] = []
    spent = [0] * len(limits)
    for item, cost in zip(items, costs, strict=True):
        if run and any(s + c > limit for s, c, limit in zip(spent, cost, limits, strict=True)):
            yield run
            run, spent = [], [0] * len(limits)
        run.append(item)
        spent = [s + c for s, c in zip(spent, cost, strict=True)]
    if run:
        yield run


def _taken(batch: Batch, found: Fitted, monitor: Monitor) -> int:
    """Return about how many bytes the counters of a batch take: cells by windows, once and for each segment value."""
    span = batch.ends_at - batch.starts_at if batch.starts_at and batch.ends_at else timedelta(0)
    windows = min(int(span / _HOURS[found.grain]) + 2, batch.rows_landed)
    fine, coarse = sum(b.size for b in found.bins.values()), sum(b.coarse_size for b in found.bins.values())
    groups = sum(min(windows * _values(declared, found), batch.rows_landed) for declared in monitor.segments)
    return _PER_CELL * (windows * fine + groups * coarse)


def _values(declared: str, found: Fitted) -> int:
    """Return how many values a segment may have: those of the reference, or the most that are told apart."""
    known = [found.bins[c].size if c in found.bins else MOST_VALUES for c in declared.split("&")]
    return math.prod(min(size, MOST_VALUES) for size in known)
