"""Columns as the scan takes them: plain arrays of numbers or of dictionary codes, with what is null.

Belongs here: Arrow -> numpy for every type that is counted. Does not: which cell a value falls in (bins.py, scan.py).
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bits = NDArray[np.uint8]
_TICKS = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}
_NO_BITS: Bits = np.frombuffer(b"", np.uint8)


class Rows(Protocol):
    """Some rows whose columns are read when asked for: a table, or a piece of a file."""

    @property
    def num_rows(self) -> int:
        """How many rows there are."""
        ...

    @property
    def column_names(self) -> list[str]:
        """The columns there are."""
        ...

    def column(self, i: str) -> pa.ChunkedArray:
        """Return a column."""
        ...


@runtime_checkable
class Bounded(Protocol):
    """Rows that may know between which times a column's lie before it is read."""

    def bounds(self, column: str) -> pa.Array | None:
        """Return the first and the last time of a column without nulls, None where that is not known."""
        ...


class Piece(NamedTuple):
    """Values of consecutive rows beside Arrow's validity bitmap, which is empty when none is null."""

    values: NDArray[np.generic]
    bits: Bits
    offset: int


def is_numeric(kind: pa.DataType) -> bool:
    """Tell whether a type is counted by value (numbers, booleans, times) and not by category."""
    return bool(
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_temporal(kind)
    )


def is_text(kind: pa.DataType) -> bool:
    """Tell whether a type is counted by category."""
    if pa.types.is_dictionary(kind):
        return is_text(kind.value_type)
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def as_numbers(column: pa.ChunkedArray) -> tuple[Floats, NDArray[np.bool_]]:
    """Return a column as floats with its null mask; moments become seconds since 1970, times of day and durations seconds, booleans 0 and 1."""
    nulls = np.asarray(pc.is_null(column).combine_chunks())
    return np.asarray(pc.fill_null(_floats(column), 0.0).combine_chunks(), dtype=float), nulls


def numbers(chunk: pa.Array) -> Piece:
    """Return a chunk as numbers (64-bit, whole or not) without copying what already is."""
    plain = chunk if chunk.type in (pa.float64(), pa.int64()) else _floats(chunk)
    return Piece(_buffer(plain, plain.type.to_pandas_dtype()), _bits(plain), plain.offset)


def codes(chunk: pa.Array) -> tuple[Piece, list[str | None]]:
    """Return a chunk as dictionary codes, and the texts they stand for (None for null)."""
    coded = chunk if pa.types.is_dictionary(chunk.type) else pc.dictionary_encode(pc.cast(chunk, pa.string()))
    indices = coded.indices if coded.indices.type == pa.int32() else pc.cast(coded.indices, pa.int32())
    texts = pc.cast(coded.dictionary, pa.string()).to_pylist()
    return Piece(_buffer(indices, np.int32), _bits(indices), indices.offset), texts


def as_codes(column: pa.ChunkedArray) -> tuple[Ints, list[str]]:
    """Return a column as codes into distinct texts, -1 for null."""
    places: dict[str, int] = {}
    out = [np.empty(0, np.int64)]
    for chunk in column.chunks:
        piece, texts = codes(chunk)
        lookup = np.array([*(-1 if t is None else places.setdefault(t, len(places)) for t in texts), -1], np.int64)
        here = lookup[piece.values if len(piece.bits) == 0 else np.where(valid(piece), piece.values, -1)]
        out.append(here)
    return out[1] if len(out) == 2 else np.concatenate(out), list(places)  # noqa: PLR2004 - one chunk: nothing to join


def valid(piece: Piece) -> NDArray[np.bool_]:
    """Return which values of a piece are there."""
    n = len(piece.values)
    if len(piece.bits) == 0:
        return np.ones(n, bool)
    return np.unpackbits(piece.bits, count=piece.offset + n, bitorder="little")[piece.offset :].astype(bool)


def _floats(column: pa.ChunkedArray | pa.Array) -> pa.ChunkedArray | pa.Array:
    if pa.types.is_temporal(column.type):
        column = _seconds(column)
    elif pa.types.is_boolean(column.type):
        column = pc.cast(column, pa.int8())
    return pc.cast(column, pa.float64(), safe=False)


def _seconds(column: pa.ChunkedArray | pa.Array) -> pa.ChunkedArray | pa.Array:
    kind = column.type
    if pa.types.is_date32(kind):
        return pc.multiply(pc.cast(column, pa.int32()).cast(pa.float64()), 86_400.0)
    ticks = pc.cast(column, pa.int32() if pa.types.is_time32(kind) else pa.int64())
    return pc.divide(pc.cast(ticks, pa.float64(), safe=False), _TICKS["ms" if pa.types.is_date64(kind) else kind.unit])


def _buffer(array: pa.Array, dtype: type) -> NDArray[np.generic]:
    data = array.buffers()[1]
    if data is None or len(array) == 0:
        return np.zeros(len(array), dtype)
    return np.frombuffer(data, dtype, count=array.offset + len(array))[array.offset :]


def _bits(array: pa.Array) -> Bits:
    """Return the validity, always read-only: whether Arrow's buffer may be written to depends on where it is from, and loops are compiled for each."""
    if array.null_count == 0:
        return _NO_BITS
    if (buffer := array.buffers()[0]) is None:
        return _NO_BITS
    bits = np.frombuffer(buffer, np.uint8)
    bits.flags.writeable = False
    return bits


def bounds_of(rows: Rows, column: str) -> Ints | None:
    """Return the first and the last moment of a column where they are known unread, as microseconds since 1970."""
    known = rows.bounds(column) if isinstance(rows, Bounded) else None
    return None if known is None else moments_of(pa.chunked_array([known]))


def moments_of(column: pa.ChunkedArray) -> Ints:
    """Return times as microseconds since 1970."""
    parts: Sequence[Ints] = [_buffer(c.cast(pa.timestamp("us", "UTC")).view(pa.int64()), np.int64) for c in column.chunks]  # type: ignore[misc]
    return parts[0] if len(parts) == 1 else np.concatenate([np.empty(0, np.int64), *parts])
