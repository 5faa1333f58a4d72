"""Groups: which window and segment value each row belongs to, as one number.

Belongs here: rows -> group codes and their names, one dimension at a time. Does not: counting (scan.py).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from watchkeeper.profiles.scan import as_codes
from watchkeeper.windows import Grid

Ints = NDArray[np.int64]
MOST_VALUES = 200
REST = "(other)"
NULL = "(null)"


@dataclass(frozen=True, slots=True)
class Groups:
    """One dimension: row i is in group `codes[i]`, which is window `code // len(segments)`, segment `code % len(segments)`."""

    codes: Ints
    starts: Sequence[datetime]
    segments: Sequence[str]

    @property
    def size(self) -> int:
        """How many groups there are."""
        return len(self.starts) * len(self.segments)

    @property
    def is_whole(self) -> bool:
        """Tell whether this is the dimension without segments."""
        return list(self.segments) == [""]

    def named(self) -> Iterator[tuple[int, datetime, str]]:
        """Yield (group, window start, segment)."""
        for g in range(self.size):
            yield g, self.starts[g // len(self.segments)], self.segments[g % len(self.segments)]


def windows_of(times: pa.ChunkedArray, grid: Grid) -> tuple[Ints, list[datetime]]:
    """Return each row's window as an index, and the windows' starts."""
    micros = np.asarray(times.cast(pa.timestamp("us", "UTC")).cast(pa.int64()).combine_chunks())
    if len(micros) == 0:
        return np.empty(0, np.int64), []
    first, last = (datetime.fromtimestamp(int(m) / 1e6, UTC) for m in (micros.min(), micros.max()))
    starts = [w.start for w in grid.between(first, last)] or [grid.at(first).start]
    if grid.at(last).start > starts[-1]:
        starts.append(grid.at(last).start)
    edges = np.array([int(s.timestamp() * 1_000_000) for s in starts], np.int64)
    place = np.searchsorted(edges, micros, side="right") - 1
    used, codes = np.unique(place, return_inverse=True)
    return codes.astype(np.int64), [starts[i] for i in used]


def dimensions(table: pa.Table, window: Ints, starts: Sequence[datetime], segments: Sequence[str]) -> Iterator[Groups]:
    """Yield the whole, then one dimension per declared segment (`a&b` for a pair)."""
    yield Groups(window, starts, [""])
    for declared in segments:
        columns = declared.split("&")
        if all(c in table.column_names for c in columns):
            codes, names = _values(table, columns)
            yield Groups(window * len(names) + codes, starts, names)


def _values(table: pa.Table, columns: Sequence[str]) -> tuple[Ints, list[str]]:
    codes = np.zeros(table.num_rows, np.int64)
    names = [""]
    for column in columns:
        coded, distinct = _frequent(*as_codes(table.column(column)))
        codes = codes * len(distinct) + coded
        names = [f"{left}&{column}={value}" if left else f"{column}={value}" for left in names for value in distinct]
    used, place = np.unique(codes, return_inverse=True)
    return place.astype(np.int64), [names[i] for i in used]


def _frequent(codes: Ints, distinct: list[str]) -> tuple[Ints, list[str]]:
    """Give null a name of its own, and fold all but the most frequent values into one."""
    values = [*distinct, NULL]
    codes = np.where(codes < 0, len(distinct), codes)
    if len(values) <= MOST_VALUES:
        return codes, values
    order = np.argsort(-np.bincount(codes, minlength=len(values)), kind="stable")
    place = np.full(len(values), MOST_VALUES, np.int64)
    place[order[:MOST_VALUES]] = np.arange(MOST_VALUES)
    return place[codes], [*(values[i] for i in order[:MOST_VALUES]), REST]
