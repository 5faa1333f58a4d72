"""Agreement of new rows with the columns the lake has: what is cast, what is added, what must be widened first.

Belongs here: which type a column shall have. Does not: how one value becomes another type (convert.py), or how a table is
rewritten (adapters/widening.py). A column changes only losslessly; a value that does not fit sets its row aside.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from watchkeeper.adapters.arrow_records import TIMESTAMP
from watchkeeper.adapters.widening import fits_float
from watchkeeper.monitor import Monitor
from watchkeeper.operations.cast import Cast, Rejects, reject_misfits
from watchkeeper.operations.convert import DATE, as_text, fitted
from watchkeeper.operations.habits import REMEMBERED

_WIDER = {pa.int64(): pa.float64(), DATE: TIMESTAMP}
LANDING = {"wk_batch": pa.string(), "wk_row": pa.int64(), "wk_landed_at": TIMESTAMP, "wk_order": pa.int64()}


@dataclass(slots=True)
class Shape:
    """The columns of a table as they are to be after this landing; `lake` is how they are now, None without a table."""

    lake: pa.Schema | None
    can_widen: Callable[[str], bool]
    brought: Callable[[tuple[str, ...]], list[set[str]]] = lambda _: []
    id_column: str = ""
    met: list[set[str]] = field(default_factory=list)
    types: dict[str, pa.DataType] = field(default_factory=dict)
    widened: set[str] = field(default_factory=set)
    too_large: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Start from what the lake has."""
        if self.lake is not None:
            self.types = {f.name: f.type for f in self.lake}

    @property
    def is_new(self) -> bool:
        """Tell whether columns are to be added."""
        return self.lake is not None and set(self.types) != set(self.lake.names)

    def usual(self, columns: Sequence[str]) -> set[str]:
        """Return those of the columns that most of the newest files had: one odd file must not make every later one look incomplete."""
        newest = [*self.brought(tuple(columns)), *self.met][-REMEMBERED:]
        return {c for c in columns if 2 * sum(c in had for had in newest) > len(newest)}

    def in_wider_types(self, rows: pa.Table, timezone: str) -> pa.Table:
        """Return rows in the types of the table as it is to be, also those that were landed or agreed before a file had a column widened."""
        for name in self.widened & set(rows.column_names):
            if rows[name].type != self.types[name]:
                rows = rows.set_column(rows.column_names.index(name), name, fitted(rows[name], self.types[name], timezone)[0])
        return rows

    def complete(self, rows: pa.Table) -> pa.Table:
        """Return rows with every column of the table, in its order and type; what they lack is null."""
        columns = {
            name: rows[name].cast(kind) if name in rows.column_names else pa.chunked_array([pa.nulls(rows.num_rows, kind)])
            for name, kind in self.types.items()
        }
        return pa.table(columns)


def agree(read: Cast, shape: Shape, monitor: Monitor, fixed: set[str], rejects: Rejects, notes: list[str]) -> pa.Table:
    """Return the rows in the types of the table; `shape` grows by new columns and by those to be widened.

    `fixed` are columns that never get fractions: ids and classes are names, not quantities. The id becomes text instead.
    """
    rows = _respelled(read.rows, shape)
    for name in rows.column_names:
        if (pa.types.is_null(rows[name].type) or name in read.untyped) and name not in shape.types:
            rows = rows.drop_columns([name])  # a column without any value has no type yet: it is added with its first value
        elif name not in shape.types:
            _add(name, rows[name].type, shape, notes)
            if name.startswith("@") and name not in monitor.columns.named().values():
                notes.append(f"column {name!r} is kept but not watched: names that begin with @ stand for the model's own outputs")
        else:
            rows = _in_type(rows, name, shape, monitor, rejects, notes, may_widen=name not in fixed | shape.too_large)
        if name in rows.column_names and rows[name].type == pa.int64() and not fits_float(rows[name]):
            shape.too_large.add(name)
    missing = [n for n in shape.types if n not in rows.column_names and n not in LANDING]
    missed = monitor.named_columns | shape.usual(missing) if missing else set()
    if worth_a_word := [n for n in missing if n in missed]:
        notes.append(f"{_columns(worth_a_word)} missing and taken as null")
    shape.met.append(set(rows.column_names))
    return rejects.keep(rows)


def _add(name: str, kind: pa.DataType, shape: Shape, notes: list[str]) -> None:
    shape.types[name] = kind
    if shape.lake is not None:
        notes.append(f"column {name!r} ({kind}) is new")


def _in_type(rows: pa.Table, name: str, shape: Shape, monitor: Monitor, rejects: Rejects, notes: list[str], *, may_widen: bool) -> pa.Table:
    target = shape.types[name]
    column, misfits = fitted(rows[name], target, monitor.timezone)
    if name == shape.id_column and target in (pa.int64(), pa.float64()) and (len(misfits) or not _says_the_same(column, rows[name])):
        column, misfits, target = *fitted(rows[name], pa.string(), monitor.timezone), pa.string()
        _widen(name, target, shape, notes, f"{_numbers(shape.types[name])} to text, which keeps every id as it is written")
    if len(misfits) and target in _WIDER and may_widen:
        wider, fewer = fitted(rows[name], _WIDER[target], monitor.timezone)
        if len(fewer) < len(misfits) and (target == DATE or name in shape.widened or shape.can_widen(name)):
            how = "dates to times" if target == DATE else "whole numbers to numbers with fractions"
            column, misfits, target = wider, fewer, _WIDER[target]
            _widen(name, target, shape, notes, how)
    reject_misfits(rows, name, np.asarray(misfits), target, monitor, rejects)
    return rows.set_column(rows.column_names.index(name), name, column)


def _says_the_same(column: pa.ChunkedArray, written: pa.ChunkedArray) -> bool:
    """Tell whether numbers are written as the text they were read from; "2.0" and " 2" are other ids than 2."""
    return not pa.types.is_string(written.type) or as_text(column).equals(written)


def _widen(name: str, target: pa.DataType, shape: Shape, notes: list[str], how: str) -> None:
    shape.types[name] = target
    shape.widened.add(name)
    notes.append(f"column {name!r} was widened from {how}")


def _numbers(kind: pa.DataType) -> str:
    return "whole numbers" if pa.types.is_integer(kind) else "numbers"


def _respelled(rows: pa.Table, shape: Shape) -> pa.Table:
    known = {name.lower(): name for name in shape.types}
    names = [n if n in shape.types else known.get(n.lower(), n) for n in rows.column_names]
    return rows.rename_columns(names)


def _columns(names: list[str]) -> str:
    listed = ", ".join(repr(n) for n in names)
    return f"column {listed} is" if len(names) == 1 else f"columns {listed} are"
