"""Records as columns and back: the schema of a record class, and what its rows are in Arrow.

Belongs here: types and defaults. Does not: what the fields mean (records.py), tables on disk (lake.py).
"""

import dataclasses
import types
import typing
from collections.abc import Iterable, Iterator
from datetime import datetime
from operator import attrgetter
from typing import Any

import pyarrow as pa

TIMESTAMP = pa.timestamp("us", "UTC")
_ARROW: dict[object, pa.DataType] = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_(), datetime: TIMESTAMP}


def arrow_schema(record: type) -> pa.Schema:
    """Return the table schema of a record class from its annotations."""
    hints = typing.get_type_hints(record)
    return pa.schema([_arrow_field(f.name, hints[f.name]) for f in dataclasses.fields(record)])


def _arrow_field(name: str, hint: Any) -> pa.Field:
    nullable = False
    if isinstance(hint, types.UnionType):
        hint, nullable = next(a for a in hint.__args__ if a is not type(None)), True
    if typing.get_origin(hint) is list:
        return pa.field(name, pa.list_(_ARROW[hint.__args__[0]]))
    if typing.get_origin(hint) is typing.Literal:
        hint = str
    return pa.field(name, _ARROW[hint], nullable=nullable or hint is not str)


def to_arrow(record: type, rows: Iterable[Any]) -> pa.Table:
    """Return records as a table; `rows` are instances of `record`."""
    every = list(rows)
    columns = {f.name: list(map(attrgetter(f.name), every)) for f in dataclasses.fields(record)}
    return pa.table(columns, schema=arrow_schema(record))


def as_list(column: pa.ChunkedArray) -> list[Any]:
    """Return a column as Python's values; times are many and their moments few, so each is made once."""
    if not pa.types.is_timestamp(column.type):
        return list(column.to_pylist())
    coded = column.combine_chunks().dictionary_encode()
    moments = coded.dictionary.to_pylist()
    return [None if code is None else moments[code] for code in coded.indices.to_pylist()]


def from_arrow(record: type, rows: pa.Table) -> Iterator[Any]:
    """Yield rows as records; where a field that has a default is null, or was not kept yet, it has its default."""
    fields = [f for f in dataclasses.fields(record) if f.name in rows.column_names]
    values = [as_list(rows.column(f.name)) for f in fields]
    for several, f in zip(values, fields, strict=True):
        if rows.column(f.name).null_count == 0:
            continue
        if f.default_factory is not dataclasses.MISSING:
            several[:] = [f.default_factory() if v is None else v for v in several]
        elif f.default is not dataclasses.MISSING:
            several[:] = [f.default if v is None else v for v in several]
    names = [f.name for f in fields]
    for row in zip(*values, strict=True):
        yield record(**dict(zip(names, row, strict=True)))
