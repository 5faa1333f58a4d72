"""Values as another type without loss, and which of them do not fit.

Belongs here: the types that the lake keeps, and the way of a value into them. Does not: which type a column should have
(shape.py), or what a row with a misfit becomes (cast.py).
"""

import json
import math
from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal
from functools import reduce
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.adapters.arrow_records import TIMESTAMP
from watchkeeper.adapters.text_files import ABSENT, AS_WRITTEN
from watchkeeper.adapters.widening import fits_float
from watchkeeper.operations.times import moment_of, to_utc
from watchkeeper.operations.values import values_of
from watchkeeper.profiles.groups import NULL

DATE = pa.date32()
NOUNS = {
    pa.int64(): "a whole number",
    pa.float64(): "a number",
    pa.bool_(): "true or false",
    DATE: "a date",
    TIMESTAMP: "a time",
    pa.string(): "text",
}
_TRUTHS = {"true": True, "false": False, "1": True, "0": False, "1.0": True, "0.0": False}
_NUMBERS = (pa.int64(), pa.float64())
_INT64 = 2**63
_DECIMAL_BITS, _DECIMAL_DIGITS = 128, 38


def canonical(column: pa.ChunkedArray, timezone: str, *, is_name: bool = False) -> pa.ChunkedArray | None:
    """Return a column as one of the types the lake keeps, None when it holds values that fit none (nested ones, bytes).

    Values of a column that `is_name`, such as ids, are kept exactly whatever their type.
    """
    kind = column.type
    if pa.types.is_dictionary(kind):
        return canonical(pc.cast(column, kind.value_type), timezone, is_name=is_name)
    if kind in NOUNS or pa.types.is_null(kind):
        return column
    if pa.types.is_timestamp(kind):
        return to_utc(column, timezone)
    if pa.types.is_decimal(kind):
        return _from_decimals(column, is_name=is_name)
    target = next((to for is_one, to in _TARGETS if is_one(kind)), None)
    return None if target is None else _cast(column, target)


_TARGETS: tuple[tuple[Callable[[pa.DataType], bool], pa.DataType], ...] = (
    (pa.types.is_integer, pa.int64()),
    (pa.types.is_floating, pa.float64()),
    (pa.types.is_date, DATE),
    (pa.types.is_large_string, pa.string()),
    (pa.types.is_string_view, pa.string()),
    (pa.types.is_time, pa.string()),
    (pa.types.is_duration, pa.int64()),
)


def _cast(column: pa.ChunkedArray, target: pa.DataType) -> pa.ChunkedArray:
    try:
        return pc.cast(column, target)
    except pa.ArrowInvalid:  # a whole number beyond 64 bits
        return pc.cast(column, pa.string())


def _from_decimals(column: pa.ChunkedArray, *, is_name: bool) -> pa.ChunkedArray:
    """Return decimals without fractions as whole numbers; of others, and of those beyond 64 bits, quantities become floats and names text."""
    fractions = column.type.scale > 0 and not is_name
    if column.type.bit_width < _DECIMAL_BITS:  # Arrow computes with larger ones alone
        column = pc.cast(column, pa.decimal128(_DECIMAL_DIGITS, column.type.scale))
    try:
        whole = pc.cast(column, pa.int64())
    except pa.ArrowInvalid:  # a fraction, or beyond 64 bits
        return as_text(column) if is_name else pc.cast(pc.cast(column, pa.string()), pa.float64())  # Arrow's own way gives 12.100000000000001
    return pc.cast(whole, pa.float64()) if fractions and fits_float(whole) else whole


def fitted(column: pa.ChunkedArray, target: pa.DataType, timezone: str, *, is_measured: bool = False) -> tuple[pa.ChunkedArray, np.ndarray]:
    """Return a column as `target`, null where a value does not fit, and the positions of those that do not.

    Text with zeros in front fits no number, since 0042 and 42 are two codes, unless the column `is_measured`, as scores are.

    >>> got, misfits = fitted(pa.chunked_array([["1", "2.0", "x", "NA", "007"]]), pa.int64(), "UTC")
    >>> got.to_pylist(), misfits.tolist()
    ([1, 2, None, None, None], [2, 4])
    """
    nowhere = np.empty(0, np.int64)
    if column.type == target:
        return column, nowhere
    if column.null_count == len(column):
        return pa.chunked_array([pa.nulls(len(column), target)]), nowhere
    if pa.types.is_string(column.type) and target in _NUMBERS and not is_measured and pc.any(pc.match_substring_regex(column, AS_WRITTEN)).as_py():
        return _without_codes(column, target, timezone)
    if (column.type, target) == (DATE, TIMESTAMP):
        return to_utc(column, timezone), nowhere
    try:
        return reduce(pc.cast, _EXACT[column.type, target], column), nowhere
    except (KeyError, pa.ArrowInvalid):
        return _one_by_one(column, target, timezone)


_EXACT: dict[tuple[pa.DataType, pa.DataType], tuple[pa.DataType, ...]] = {
    (pa.int64(), pa.float64()): (pa.float64(),),
    (pa.float64(), pa.int64()): (pa.int64(),),
    (pa.int64(), pa.string()): (pa.string(),),
    (pa.float64(), pa.string()): (pa.int64(), pa.string()),  # where all are whole: written as whole numbers
    (pa.bool_(), pa.int64()): (pa.int64(),),
    (pa.string(), pa.int64()): (pa.int64(),),
    (pa.string(), pa.float64()): (pa.float64(),),
    (pa.string(), DATE): (DATE,),
    (DATE, pa.string()): (pa.string(),),
}


def _without_codes(column: pa.ChunkedArray, target: pa.DataType, timezone: str) -> tuple[pa.ChunkedArray, np.ndarray]:
    codes = pc.fill_null(pc.match_substring_regex(column, AS_WRITTEN), False)
    got, misfits = fitted(pc.if_else(codes, pa.scalar(None, pa.string()), column), target, timezone)
    return got, np.union1d(misfits, np.flatnonzero(codes.to_numpy()))


def _one_by_one(column: pa.ChunkedArray, target: pa.DataType, timezone: str) -> tuple[pa.ChunkedArray, np.ndarray]:
    encoded = column.combine_chunks().dictionary_encode()
    values, misfit = [], []
    for value in values_of(encoded.dictionary):
        got, fits = _converted(value, target, timezone)
        values.append(got)
        misfit.append(not fits)
    indices = encoded.indices
    is_misfit = pc.fill_null(pa.array(misfit, pa.bool_()).take(indices), False)
    return pa.chunked_array([pa.array(values, target).take(indices)]), np.flatnonzero(is_misfit.to_numpy(zero_copy_only=False))


def _converted(value: Any, target: pa.DataType, timezone: str) -> tuple[Any, bool]:
    if isinstance(value, str) and target != pa.string() and (not value.strip() or value in ABSENT):
        return None, True
    try:
        got = _INTO[target](value) if target in _INTO else _IN_TIME[target](value, timezone)
    except (ValueError, TypeError, OverflowError):
        return None, False
    return got, got is not None


def _whole(value: Any) -> int | None:
    if isinstance(value, str):
        text = value.strip()
        value = int(text) if text.lstrip("+-").isdigit() else _number(text)
    return int(value) if value == int(value) and -_INT64 <= value < _INT64 else None


def _number(value: Any) -> float | None:
    if isinstance(value, str) and "_" in value:
        return None
    number = float(value)
    return number if not isinstance(value, int) or int(number) == value else None


def _truth(value: Any) -> bool | None:
    return _TRUTHS.get(str(value).strip().lower())


def _day(value: Any, timezone: str) -> date | None:
    """Return the day that begins with a moment; a moment within a day is no date."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    moment = moment_of(value, timezone)
    local = moment.astimezone(ZoneInfo(timezone)) if moment else None
    return local.date() if local and local.timetz().replace(tzinfo=None) == time.min else None


def text_of(value: Any) -> str:
    """Return a value as text that says nothing it did not: whole numbers without a fraction, truths as true and false.

    >>> text_of(7.0), text_of(True), text_of(0.1), text_of(Decimal("7.00"))
    ('7', 'true', '0.1', '7')
    """
    if isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, float) and math.isfinite(value) and value == int(value):
        return str(int(value))
    if isinstance(value, Decimal):
        text = format(value, "f")  # which rounds nothing, as `normalize` does beyond 28 digits
        return text.rstrip("0").rstrip(".") if "." in text else text
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


_IN_TIME: dict[pa.DataType, Callable[[Any, str], Any]] = {TIMESTAMP: moment_of, DATE: _day}
_INTO: dict[pa.DataType, Callable[[Any], Any]] = {pa.int64(): _whole, pa.float64(): _number, pa.bool_(): _truth, pa.string(): text_of}


def as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column of any kept type as text; this is how ids are compared.

    >>> as_text(pa.chunked_array([[1.0, None]])).to_pylist()
    ['1', None]
    """
    return fitted(column, pa.string(), "UTC")[0]


def has_value(column: pa.ChunkedArray, value: str) -> pa.ChunkedArray:
    """Tell which rows have a value as segments name it: its text, and `(null)` where there is none.

    >>> has_value(pa.chunked_array([["a", None]]), "(null)").to_pylist()
    [False, True]
    """
    return pc.equal(pc.fill_null(as_text(column), NULL), value)
