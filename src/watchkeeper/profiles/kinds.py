"""Row functions: what is counted of a column whose values would drift by themselves, as dates and times do.

Belongs here: one function a kind, (values, times of the events, time zone) -> numbers, so that each adds up like any other
column. Does not: bins (bins.py), counting (scan.py). A new kind is a function here and a row in `ROW_FUNCTIONS`.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.profiles.columns import Bounded, Rows

_DAY_US = 86_400_000_000.0
RowFunction = Callable[[pa.ChunkedArray, pa.ChunkedArray, str], pa.ChunkedArray]


def age(column: pa.ChunkedArray, times: pa.ChunkedArray, timezone: str) -> pa.ChunkedArray:
    """Days from the value to the event, exact for 285 years around 1970 and never too many to tell; a date begins at midnight of the clock."""
    there = _local(times, timezone) if pa.types.is_date(column.type) else times
    return pc.divide(pc.subtract(_microseconds(there), _microseconds(column)), _DAY_US)


def _microseconds(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return moments as microseconds since 1970, in floats: whole numbers would overflow between the years 1500 and 9999."""
    if pa.types.is_date(column.type):
        days = pc.cast(pc.cast(column, pa.date32()), pa.int32())
        return pc.multiply(pc.cast(days, pa.float64()), _DAY_US)
    ticks = pc.cast(pc.cast(column, pa.timestamp("us", column.type.tz), safe=False), pa.int64())
    return pc.cast(ticks, pa.float64(), safe=False)


def _local(column: pa.ChunkedArray, timezone: str) -> pa.ChunkedArray:
    """Return moments as a clock in `timezone` shows them; dates and times without a zone as they are."""
    if pa.types.is_date(column.type):
        return pc.cast(column, pa.date32())
    if pa.types.is_timestamp(column.type) and column.type.tz is not None:
        return pc.local_timestamp(pc.cast(column, pa.timestamp("us", ZoneInfo(timezone).key)))
    return pc.cast(column, pa.timestamp("us"))


def hour(column: pa.ChunkedArray, times: pa.ChunkedArray, timezone: str) -> pa.ChunkedArray:  # noqa: ARG001
    """Hour of the day, 0 to 23."""
    return pc.hour(_local(column, timezone))


def weekday(column: pa.ChunkedArray, times: pa.ChunkedArray, timezone: str) -> pa.ChunkedArray:  # noqa: ARG001
    """Day of the week, Monday is 1."""
    return pc.day_of_week(_local(column, timezone), count_from_zero=False)


ROW_FUNCTIONS: dict[str, RowFunction] = {"age": age, "hour": hour, "weekday": weekday}


def derived_from(name: str, kind: pa.DataType) -> list[str]:
    """Return what is counted in place of a column of a type; the column itself for most.

    >>> derived_from("booked_at", pa.timestamp("us", "UTC"))
    ['booked_at@age', 'booked_at@hour', 'booked_at@weekday']
    """
    if pa.types.is_timestamp(kind):
        return [f"{name}@{function}" for function in ("age", "hour", "weekday")]
    if pa.types.is_date(kind):
        return [f"{name}@{function}" for function in ("age", "weekday")]
    return [name]


def source_of(name: str, stored: Collection[str] = ()) -> tuple[str, str]:
    """Return the column and the row function that a name stands for; the function is empty for a plain column, as those `stored` are.

    >>> source_of("booked_at@age"), source_of("@score"), source_of("mail@home"), source_of("dog@age", ["dog@age"])
    (('booked_at', 'age'), ('@score', ''), ('mail@home', ''), ('dog@age', ''))
    """
    column, _, function = name.rpartition("@")
    return (column, function) if column and function in ROW_FUNCTIONS and name not in stored else (name, "")


@dataclass(frozen=True, slots=True)
class Derived:
    """Rows whose columns also answer to the names of row functions; `time` is the column of the events' times."""

    rows: Rows
    time: str
    timezone: str

    @property
    def num_rows(self) -> int:
        """How many rows there are."""
        return self.rows.num_rows

    @property
    def column_names(self) -> list[str]:
        """The columns that are stored."""
        return self.rows.column_names

    def bounds(self, column: str) -> pa.Array | None:
        """Return what the rows know of a stored column's first and last time."""
        return self.rows.bounds(column) if isinstance(self.rows, Bounded) else None

    def column(self, i: str) -> pa.ChunkedArray:
        """Return a column, or what a row function makes of one."""
        column, function = source_of(i, self.rows.column_names)
        if not function:
            return self.rows.column(i)
        return ROW_FUNCTIONS[function](self.rows.column(column), self.rows.column(self.time), self.timezone)
