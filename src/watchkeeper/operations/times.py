"""Columns of times, however they were written, as UTC.

Belongs here: ISO text, epochs, zones. Does not: whether a time is plausible for an event (cast.py).
"""

import math
import re
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.adapters.arrow_records import TIMESTAMP

# An epoch says its unit by its size: seconds stay below 1e11 until the year 5138, and 20130401 is no moment of 1970.
_EPOCH_UNITS = ((1e8, 1e11, 1.0), (1e11, 1e14, 1e3), (1e14, 1e17, 1e6), (1e17, 1e20, 1e9))
_ZONED = r"([Zz]|[+-]\d\d:?\d\d)$"
_DOTTED = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})(?:[ T]+(\d.*))?")  # the day first, wherever dots are written
READABLE = (
    "ISO text (2026-01-05 19:28:33, 2026-01-05T19:28:33+01:00), the day first with dots (05.01.2026 19:28:33),"
    " or an epoch in seconds, milliseconds, microseconds or nanoseconds"
)
_LONG_FRACTION = re.compile(r"(\.\d{6})\d+")


def to_utc(column: pa.ChunkedArray, timezone: str) -> pa.ChunkedArray:
    """Return times in UTC, null where there is none or it cannot be understood; times without a zone are `timezone`'s."""
    kind = column.type
    if pa.types.is_timestamp(kind):
        return _from_timestamps(column, timezone)
    if pa.types.is_date(kind):
        return _local(pc.cast(column, pa.timestamp("us")), timezone)
    if pa.types.is_string(kind):
        return _from_text(column, timezone)
    return _one_by_one(column, timezone)


def moment_of(value: Any, timezone: str) -> datetime | None:
    """Return the moment that a value names, None when it names none.

    >>> moment_of("2013-04-22 08:00", "America/New_York")
    datetime.datetime(2013, 4, 22, 12, 0, tzinfo=datetime.timezone.utc)
    >>> moment_of(1366632000000, "UTC")
    datetime.datetime(2013, 4, 22, 12, 0, tzinfo=datetime.timezone.utc)
    >>> moment_of("22.4.2013 08:00", "America/New_York")
    datetime.datetime(2013, 4, 22, 12, 0, tzinfo=datetime.timezone.utc)
    >>> moment_of("soon", "UTC") is None
    True
    """
    if isinstance(value, str):
        return _parsed(value.strip(), timezone)
    if isinstance(value, datetime):
        return _in_utc(value, timezone)
    if isinstance(value, date):
        return _in_utc(datetime(value.year, value.month, value.day), timezone)  # noqa: DTZ001 - made aware right away
    return None if isinstance(value, bool) or not isinstance(value, int | float) else _from_epoch(float(value))


def _from_timestamps(column: pa.ChunkedArray, timezone: str) -> pa.ChunkedArray:
    if column.type.tz is not None:
        return pc.cast(column, TIMESTAMP, safe=False)
    return _local(pc.cast(column, pa.timestamp("us"), safe=False), timezone)


def _local(naive: Any, timezone: str) -> Any:
    """Return local times in UTC: of an hour that comes twice the first one, of an hour that is left out the moment it would begin."""
    aware = pc.assume_timezone(naive, timezone, ambiguous="earliest", nonexistent="latest")
    return pc.cast(aware, TIMESTAMP)


def _from_text(column: pa.ChunkedArray, timezone: str) -> pa.ChunkedArray:
    zoned = pc.fill_null(pc.match_substring_regex(column, _ZONED), False)
    nothing = pa.scalar(None, pa.string())
    try:
        with_zone = pc.cast(pc.if_else(zoned, column, nothing), TIMESTAMP)
        without = _local(pc.cast(pc.if_else(zoned, nothing, column), pa.timestamp("us")), timezone)
    except pa.ArrowInvalid:
        return _one_by_one(column, timezone)
    return pc.coalesce(with_zone, without)


def _one_by_one(column: pa.ChunkedArray, timezone: str) -> pa.ChunkedArray:
    encoded = column.combine_chunks().dictionary_encode()
    moments = pa.array([moment_of(v, timezone) for v in encoded.dictionary.to_pylist()], TIMESTAMP)
    return pa.chunked_array([moments.take(encoded.indices)])


def _parsed(text: str, timezone: str) -> datetime | None:
    dotted = _DOTTED.fullmatch(text)
    iso = text if dotted is None else f"{dotted[3]}-{dotted[2]:0>2}-{dotted[1]:0>2}T{dotted[4] or '00:00'}"
    try:
        return _in_utc(datetime.fromisoformat(_LONG_FRACTION.sub(r"\1", iso)), timezone)
    except (ValueError, OverflowError):
        pass
    try:
        return _from_epoch(float(text))
    except ValueError:
        return None


def _in_utc(moment: datetime, timezone: str) -> datetime:
    aware: datetime = moment if moment.tzinfo else _local(pa.scalar(moment, pa.timestamp("us")), timezone).as_py()
    return aware.astimezone(UTC)


def _from_epoch(number: float) -> datetime | None:
    if not math.isfinite(number):
        return None
    per_second = next((unit for low, high, unit in _EPOCH_UNITS if low <= number < high), None)
    return None if per_second is None else datetime.fromtimestamp(number / per_second, UTC)
