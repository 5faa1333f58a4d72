"""The types that databases give, as those that intake knows: which columns can be taken, and how their values come over.

Belongs here: what ADBC drivers give that Arrow has no plain type for. Does not: what the lake keeps (operations/convert.py).
"""

from collections.abc import Collection, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

_FIRST, _LAST = "0001-01-01", "9999-12-31"
_PLAIN = (
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_decimal,
    pa.types.is_boolean,
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_string_view,
    pa.types.is_timestamp,
    pa.types.is_date,
    pa.types.is_time,
    pa.types.is_null,
)


def name_of(field: pa.Field) -> str:
    """Return what the database calls the type of a column, as far as its driver tells."""
    told = (field.metadata or {}).get(b"POSTGRESQL:type", b"").decode()
    return f"{told.removeprefix('_')}[]" if told.startswith("_") else told or str(field.type)


def is_taken(field: pa.Field) -> bool:
    """Tell whether the values of a column can be taken in: numbers, truths, times, texts and uuids.

    >>> is_taken(pa.field("a", pa.int16())), is_taken(pa.field("a", pa.list_(pa.int16())))
    (True, False)
    """
    return _is_numeric(field.type) or isinstance(field.type, pa.UuidType) or any(is_one(field.type) for is_one in _PLAIN)


def _is_numeric(kind: pa.DataType) -> bool:
    return isinstance(kind, pa.OpaqueType) and kind.type_name == "numeric"


def converted(rows: pa.Table, texts: Collection[str]) -> pa.Table:
    """Return rows in plain types: exact numbers as floats, in `texts` (ids) as they are written, uuids as text.

    A time outside the years 1 to 9999, as `infinity` is, becomes null: nothing else here can say it.
    """
    return pa.table({name: _column(rows[name], is_text=name in texts) for name in rows.column_names})


def _column(column: pa.ChunkedArray, *, is_text: bool) -> pa.ChunkedArray:
    kind = column.type
    if _is_numeric(kind):
        text = _storage(column)
        return pc.replace_substring_regex(text, r"^(-?\d+)\.0+$", r"\1") if is_text else pc.cast(text, pa.float64())
    if pa.types.is_decimal(kind) and is_text:
        return pc.replace_substring_regex(pc.cast(column, pa.string()), r"^(-?\d+)\.0+$", r"\1")
    if isinstance(kind, pa.UuidType):
        return pa.chunked_array([pa.array(_uuids(column), pa.string())])
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return _within(column)
    return column


def _uuids(column: pa.ChunkedArray) -> Iterator[Any]:
    return (None if value is None else str(value) for value in column.to_pylist())


def _storage(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pa.chunked_array([chunk.storage for chunk in column.chunks], column.type.storage_type)


def _within(column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = column.type
    if pa.types.is_timestamp(kind) and kind.unit == "ns":  # whose whole range is within
        return column
    plain = pa.timestamp(kind.unit) if pa.types.is_timestamp(kind) else kind
    first, last = (pc.cast(pa.scalar(day), pa.date32()).cast(plain).cast(kind) for day in (_FIRST, _LAST))
    is_within = pc.and_(pc.greater_equal(column, first), pc.less_equal(column, last))
    return pc.if_else(is_within, column, pa.scalar(None, kind))
