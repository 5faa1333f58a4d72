"""CSV and JSON lines: rows out of text, the types of whole columns, and the lines that do not fit.

Belongs here: what text means as a value. Does not: other formats (files.py), or what a column means (operations/cast.py).
Columns are typed by all of their values, never by the first block of a file; what is lossy stays text.
"""

import io
import json
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from watchkeeper.adapters.quotes import Torn, torn
from watchkeeper.errors import UnreadableError
from watchkeeper.words import counted

ABSENT = ("NA", "N/A", "null", "NULL", "None")
AS_WRITTEN = r"^[+-]?0[0-9xX]|^\+"  # a text that would lose something as a number: zeros in front, a plus, a base
_TIMES = (pa.date32(), pa.timestamp("us"), pa.timestamp("us", "UTC"))
_BOM = b"\xef\xbb\xbf"
_DELIMITERS = {";": "semicolons", ",": "commas", "\t": "tabs", "|": "bars"}
_BLOCK, _LARGEST_BLOCK = 2**20, 2**31 - 1


@dataclass(frozen=True, slots=True)
class Unfit:
    """A line that is no row, with its number among the rows of the file, from 0."""

    number: int
    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class Reading:
    """The rows of a file, their numbers in it, and the lines that are no rows; `untyped` are columns of text that say nothing but "absent"."""

    rows: pa.Table
    numbers: pa.Array
    unfit: list[Unfit] = field(default_factory=list)
    untyped: frozenset[str] = frozenset()

    @classmethod
    def whole(cls, rows: pa.Table) -> "Reading":
        """Return the reading of a file of which every row could be read."""
        return cls(rows, pa.array(range(rows.num_rows), pa.int64()))

    @classmethod
    def around(cls, rows: pa.Table, unfit: list[Unfit], untyped: Collection[str] = ()) -> "Reading":
        """Return rows numbered around the lines that do not fit."""
        return cls(rows, pa.array(_numbers_besides({u.number for u in unfit}, rows.num_rows), pa.int64()), unfit, frozenset(untyped))

    @property
    def known(self) -> pa.Table:
        """The rows with null where a whole column is absent."""
        return without_values(self.rows, self.untyped)


def without_values(rows: pa.Table, columns: Collection[str]) -> pa.Table:
    """Return rows with some columns null."""
    for name in set(columns) & set(rows.column_names):
        rows = rows.set_column(rows.column_names.index(name), name, pa.nulls(rows.num_rows))
    return rows


def read_csv(data: bytes, name: str, delimiter: str, texts: Collection[str] = ()) -> Reading:
    """Return the rows of a CSV file, the columns in `texts` as they are written; rows with another number of fields than the header, and those of torn quotes, do not fit."""
    _require_utf8(data, name)
    data = data.removeprefix(_BOM)
    set_aside = torn(data, name, delimiter) if b'"' in data else []
    unfit: list[Unfit] = []
    rows = _parse_csv(_besides(data, set_aside), name, delimiter, unfit)
    unfit = _among(unfit, [Unfit(t.number, data[t.start : t.end].decode().rstrip("\r\n"), t.reason) for t in set_aside], rows.num_rows)
    if rows.num_rows == 0 and unfit:
        raise UnreadableError(f"has no row that fits its header; {unfit[0].reason}", where=name, then="Write it with one delimiter and quoted text.")
    columns = [c if n in texts else typed(c) for n, c in zip(rows.column_names, rows.columns, strict=True)]
    untyped = {n for n, c in zip(rows.column_names, columns, strict=True) if n not in texts and is_absent(c)}
    return Reading.around(pa.table(columns, names=rows.column_names), unfit, untyped)


def with_paths(rows: pa.Table, wanted: Collection[str]) -> pa.Table:
    """Return rows with a column for each wanted path into an object: `request.user.id`; a column that has that very name is left as it is.

    What is not wanted stays inside. Where an object has no such field, or is none, the value is null. An object may be written as text, as it is where
    one line of many has something else in its place.

    >>> with_paths(pa.table({"request": [{"id": 7}, None]}), ["request.id", "request.time"]).column_names
    ['request', 'request.id']
    """
    absent = sorted(set(wanted) - set(rows.column_names))
    opened = _opened(rows, absent)
    for path in absent:
        found = _inside(opened, path)
        if found is not None:
            rows = rows.append_column(path, found)
    return rows


def _inside(rows: pa.Table, path: str) -> pa.ChunkedArray | None:
    """Return what lies at a path, None where no row has it; names in an object may hold dots themselves."""
    steps = path.split(".")
    for first in range(1, len(steps)):
        name = ".".join(steps[:first])
        if name in rows.column_names and pa.types.is_struct(rows.schema.field(name).type):
            column = rows.column(name)
            inner = pa.Table.from_arrays([pc.struct_field(column, [i]) for i in range(column.type.num_fields)], names=[f.name for f in column.type])
            rest = ".".join(steps[first:])
            return inner.column(rest) if rest in inner.column_names else _inside(_opened(inner, [rest]), rest)
    return None


def _opened(rows: pa.Table, paths: Collection[str]) -> pa.Table:
    """Return rows with objects that are written as text as such, in the columns in which paths begin."""
    for name in rows.column_names:
        if any(path.startswith(f"{name}.") for path in paths):
            rows = rows.set_column(rows.column_names.index(name), name, _objects(rows.column(name)))
    return rows


def _objects(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return the objects of a column of text in which some are written; any other column as it is."""
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return column
    found = column_of([_object(text) for text in column.to_pylist()])
    return pa.chunked_array([found]) if pa.types.is_struct(found.type) else column


def _object(text: str | None) -> dict[str, Any] | None:
    try:
        found = json.loads(text) if text is not None and text.startswith("{") else None
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def is_absent(column: pa.ChunkedArray) -> bool:
    """Tell whether a column says of every row that the value is not there, in words or by saying nothing."""
    return bool(pa.types.is_string(column.type) and len(column) and pc.all(pc.is_in(column, pa.array([*ABSENT, None]))).as_py())


def _besides(data: bytes, set_aside: list[Torn]) -> bytes:
    """Return the bytes of the rows that are left."""
    ends = [0, *(t.end for t in set_aside)]
    starts = [*(t.start for t in set_aside), len(data)]
    return b"".join(data[end:start] for end, start in zip(ends, starts, strict=True)) if set_aside else data


def _among(unfit: list[Unfit], cut: list[Unfit], rows: int) -> list[Unfit]:
    """Return all lines that do not fit, `unfit` renumbered for the file from which others had been cut."""
    if not cut:
        return unfit
    left = _numbers_besides({u.number for u in cut}, rows + len(unfit))
    return sorted([*cut, *(replace(u, number=int(left[u.number])) for u in unfit)], key=lambda u: u.number)


def _numbers_besides(taken: Collection[int], count: int) -> np.ndarray:
    """Return the first `count` numbers from 0 that are not taken; each that is taken lies among those."""
    return np.delete(np.arange(count + len(taken)), list(taken))


def _parse_csv(data: bytes, name: str, delimiter: str, unfit: list[Unfit], block_size: int = _BLOCK) -> pa.Table:
    def set_aside(row: Any) -> str:
        unfit.append(
            Unfit(row.number - 2, row.text, f"the row has {counted(row.actual_columns, 'field')} where the header names {row.expected_columns}")
        )
        return "skip"

    parse = pa.csv.ParseOptions(delimiter=delimiter, invalid_row_handler=set_aside, newlines_in_values=True)
    serial = pa.csv.ReadOptions(use_threads=False, block_size=block_size)  # with threads, rows that do not fit come without their numbers
    try:
        header = pa.csv.open_csv(io.BytesIO(data), read_options=serial, parse_options=parse).schema.names
        _require_delimiter(header, name, delimiter)
        unfit.clear()
        as_text = pa.csv.ConvertOptions(
            column_types=dict.fromkeys(header, pa.string()), strings_can_be_null=True, quoted_strings_can_be_null=False, null_values=[""]
        )
        return pa.csv.read_csv(io.BytesIO(data), read_options=serial, parse_options=parse, convert_options=as_text)
    except pa.ArrowInvalid as error:
        if block_size < len(data):  # a row may be longer than a block
            unfit.clear()
            return _parse_csv(data, name, delimiter, unfit, min(len(data) + 1, _LARGEST_BLOCK))
        raise UnreadableError(
            f"is not readable as CSV ({_first_line(error)})", where=name, then="Write it again as UTF-8 with one header line."
        ) from error


def _require_delimiter(header: list[str], name: str, delimiter: str) -> None:
    other = next((d for d in _DELIMITERS if len(header) == 1 and d != delimiter and d in header[0]), None)
    if other is not None:
        then = "Write it with commas, or with tabs as .tsv."
        raise UnreadableError(f"is separated by {_DELIMITERS[other]}, not by {_DELIMITERS[delimiter]} as its name says", where=name, then=then)


def typed(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column of text as the narrowest type that loses nothing of it: integer, float, truth, date, time, or text.

    >>> typed(pa.chunked_array([["1", "NA", "2.5"]])).to_pylist()
    [1.0, None, 2.5]
    >>> typed(pa.chunked_array([["007", "008"]])).to_pylist()
    ['007', '008']
    >>> typed(pa.chunked_array([["1234567890123456789012"]])).to_pylist()  # a float would be another number
    ['1234567890123456789012']
    """
    if column.null_count == len(column):
        return pa.chunked_array([pa.nulls(len(column))])
    if not pc.any(pc.match_substring_regex(column, AS_WRITTEN)).as_py():
        present = pc.if_else(pc.is_in(column, pa.array(ABSENT)), pa.scalar(None, pa.string()), column)
        if present.null_count < len(present):
            found = _cast(present, pa.int64())
            if found is None and not pc.all(pc.match_substring_regex(present, r"^-?\d+$")).as_py():
                found = _cast(present, pa.float64())
            if found is not None:
                return found
    if pc.all(pc.is_in(pc.utf8_lower(column.drop_null()), pa.array(["true", "false"]))).as_py():
        return pc.cast(pc.utf8_lower(column), pa.bool_())
    found = next((t for t in (_cast(column, kind) for kind in _TIMES) if t is not None), None)
    return column if found is None else found


def _cast(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray | None:
    try:
        return pc.cast(column, kind)
    except pa.ArrowInvalid:
        return None


def read_json_lines(data: bytes, name: str) -> Reading:
    """Return the rows of a file with one JSON object a line; lines that are none do not fit."""
    import polars as pl

    _require_utf8(data, name)
    data = data.removeprefix(_BOM)
    if not data.strip():
        raise UnreadableError("is empty, not even one object", where=name, then="Write it again, or remove it.")
    try:
        return Reading.whole(pl.read_ndjson(io.BytesIO(data), infer_schema_length=None).to_arrow())
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, pa.ArrowInvalid):  # the last for whole numbers beyond 64 bits
        return _read_line_by_line(data, name)


def _read_line_by_line(data: bytes, name: str) -> Reading:
    rows: list[dict[str, Any]] = []
    unfit: list[Unfit] = []
    for number, line in enumerate(t for t in data.decode().split("\n") if t.strip()):
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if isinstance(row, dict):
            rows.append(row)
        else:
            unfit.append(Unfit(number, line, "the line is not a JSON object"))
    if not rows:
        raise UnreadableError("holds no line that is a JSON object", where=name, then="Write one object a line.")
    return Reading.around(table_of(rows), unfit)


def table_of(rows: list[dict[str, Any]]) -> pa.Table:
    """Return JSON objects as a table; what an object lacks is null."""
    names = list(dict.fromkeys(key for row in rows for key in row))
    return pa.table([column_of([row.get(key) for row in rows]) for key in names], names=names)


def column_of(values: list[Any]) -> pa.Array:
    """Return Python values as one column; values of unlike kinds become text, also those of one field of objects.

    >>> column_of([1, 2.5, None]).to_pylist(), column_of([1, "x"]).to_pylist()
    ([1.0, 2.5, None], ['1', 'x'])
    >>> column_of([{"ms": 1, "ok": True}, None, {"ms": "slow"}]).to_pylist()
    [{'ms': '1', 'ok': True}, None, {'ms': 'slow', 'ok': None}]
    """
    kinds = {type(v) for v in values if v is not None}
    try:
        if kinds == {int, float}:
            return pa.array([None if v is None else float(v) for v in values], pa.float64())
        if len(kinds) <= 1:
            return pa.array(values)
    except (pa.ArrowInvalid, OverflowError, pa.ArrowTypeError):
        pass
    if kinds == {dict} and (names := list(dict.fromkeys(key for v in values if v is not None for key in v))):
        fields = [column_of([None if v is None else v.get(key) for v in values]) for key in names]
        return pa.StructArray.from_arrays(fields, names, mask=pa.array([v is None for v in values]))
    return pa.array([v if v is None or isinstance(v, str) else json.dumps(v) for v in values], pa.string())


def _require_utf8(data: bytes, name: str) -> None:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UnreadableError(f"is not UTF-8 text (byte 0x{data[error.start]:02x} in line {line})", where=name, then="Save it as UTF-8.") from error
    if b"\0" in data.partition(b"\n")[0]:
        raise UnreadableError("is not UTF-8 text (NUL bytes in line 1, as in UTF-16)", where=name, then="Save it as UTF-8.")


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0].strip().rstrip(".:")
