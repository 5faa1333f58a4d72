"""What a column of a data file is like: texts, numbers, shares, how many values.

Belongs here: plain facts about values. Does not: what a column means (guesses.py, truths.py).
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def distinct(column: pa.ChunkedArray) -> int:
    """Return how many different values there are, null apart."""
    return int(pc.count_distinct(column).as_py())


def is_text(column: pa.ChunkedArray) -> bool:
    """Tell whether a column holds texts, also as a dictionary."""
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def is_number(column: pa.ChunkedArray) -> bool:
    """Tell whether a column holds numbers."""
    return bool(pa.types.is_integer(column.type) or pa.types.is_floating(column.type))


def is_share(column: pa.ChunkedArray) -> bool:
    """Tell whether all numbers lie between 0 and 1 and some lie within."""
    if not pa.types.is_floating(column.type):
        return False
    values = np.asarray(pc.drop_null(column), dtype=float)
    values = values[np.isfinite(values)]
    return bool(len(values) and values.min() >= 0 and values.max() <= 1 and np.any((values > 0) & (values < 1)))


def is_measured(column: pa.ChunkedArray) -> bool:
    """Tell whether numbers have fractions, so that they are no classes."""
    if not pa.types.is_floating(column.type):
        return False
    values = np.asarray(pc.drop_null(column), dtype=float)
    return bool(np.any(values[np.isfinite(values)] % 1))
