"""Values of Arrow as Python has them, and those it has none for as text.

Belongs here: that step for columns and rows. Does not: other types for a column (convert.py), or how a value is shown (cli/output.py).
"""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc


def rows_of(answer: pa.Table) -> list[dict[str, Any]]:
    """Return an answer row by row; columns with moments outside the years 1 to 9999, which Python has none for, as text.

    >>> rows_of(pa.table({"at": pa.array([253402300800], pa.timestamp("s"))}))
    [{'at': '10000-01-01 00:00:00'}]
    """
    columns = {name: values_of(answer[name]) for name in answer.column_names}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def values_of(column: pa.ChunkedArray | pa.Array) -> list[Any]:
    """Return a column value by value, as text where moments lie outside the years 1 to 9999."""
    try:
        values: list[Any] = column.to_pylist()
    except (OverflowError, ValueError):
        values = pc.cast(column, _with_texts(column.type)).to_pylist()
    return values


def _with_texts(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_map(kind):
        return pa.map_(_with_texts(kind.key_type), _with_texts(kind.item_type))
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(f.name, _with_texts(f.type)) for f in kind])
    if pa.types.is_list(kind):
        return pa.list_(_with_texts(kind.value_type))
    return pa.string() if pa.types.is_timestamp(kind) or pa.types.is_date(kind) else kind
