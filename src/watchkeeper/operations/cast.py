"""Rows of a file as rows of a monitor: kept types, event times, and the rows that cannot be used, with their reasons.

Belongs here: what a row must have by itself. Does not: agreement with what the lake holds (shape.py), repeated ids
(repeats.py), or expectations (verdict.py).
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.adapters.arrow_records import TIMESTAMP
from watchkeeper.adapters.text_files import AS_WRITTEN, Reading, with_paths, without_values
from watchkeeper.errors import UnreadableError
from watchkeeper.monitor import Labels, Monitor
from watchkeeper.operations.classes import is_foreign
from watchkeeper.operations.convert import NOUNS, as_text, canonical, fitted
from watchkeeper.operations.times import to_utc
from watchkeeper.operations.twins import dropped_twins, named_of, twin_text
from watchkeeper.operations.values import values_of
from watchkeeper.profiles.columns import as_codes
from watchkeeper.profiles.statuses import class_cells
from watchkeeper.records import Source

RESERVED = "wk_"
_AHEAD = timedelta(days=1)
_LONG_AGO = datetime(1971, 1, 1, tzinfo=UTC)  # one such row would make a window of every day since


@dataclass(slots=True)
class Rejects:
    """Rows set aside: number in the file -> reasons."""

    reasons: dict[int, list[str]] = field(default_factory=dict)

    def add(self, numbers: Iterable[int], reason: str) -> None:
        """Set rows aside for one more reason."""
        for number in numbers:
            self.reasons.setdefault(int(number), []).append(reason)

    def copy(self) -> "Rejects":
        """Return rejects that can grow without changing these."""
        return Rejects({n: list(r) for n, r in self.reasons.items()})

    def besides(self, others: "Rejects") -> "Rejects":
        """Return these and others together."""
        return Rejects({n: list(r) for n, r in (self.reasons | others.reasons).items()})

    def keep(self, rows: pa.Table) -> pa.Table:
        """Return the rows that are not set aside."""
        return without(rows, self.reasons)


def without(rows: pa.Table, numbers: Collection[int]) -> pa.Table:
    """Return the rows that do not have one of these numbers."""
    if not numbers:
        return rows
    return rows.filter(pc.invert(pc.is_in(rows["wk_row"], pa.array(list(numbers), pa.int64()))))


@dataclass(frozen=True, slots=True)
class Cast:
    """Rows in kept types with `wk_row` (and `wk_time` for events, `id`, `label`, `labelled_at` for labels).

    `view` is what an expectation suite sees: the columns of the file, row for row. Columns that are `untyped` hold words for
    "absent" alone: their type is that of the lake, or of the first file with a value.
    """

    rows: pa.Table
    view: pa.Table
    rejects: Rejects
    notes: list[str]
    untyped: frozenset[str] = frozenset()


def cast(reading: Reading, monitor: Monitor, source: Source, *, now: datetime, landed: Collection[str] = ()) -> Cast:
    """Return the rows that can be used, and why the others cannot; `landed` are the columns of the lake.

    Raises:
        UnreadableError: a column is missing without which no row can be used.

    """
    notes: list[str] = []
    rejects = Rejects()
    for unfit in reading.unfit:
        rejects.add([unfit.number], unfit.reason)
    id_column = labels_of(monitor).join if source == "labels" else monitor.columns.id
    needed = {id_column, labels_of(monitor).column} if source == "labels" else {id_column}
    reading = replace(reading, rows=with_paths(reading.rows, monitor.named_columns if source == "events" else named_of(monitor, source)))
    dropped = dropped_twins(reading.rows.column_names, wanted=named_of(monitor, source), landed=landed)
    notes += [twin_text(*twins) for twins in dropped.items()]
    rows = without_values(reading.rows, reading.untyped & needed).drop_columns(list(dropped))
    table = _kept(rows, monitor, id_column, notes).append_column("wk_row", reading.numbers)
    _reject_nul_bytes(table, rejects)
    found = (_labels if source == "labels" else _events)(table, monitor, rejects, notes, now)
    return replace(found, view=without_values(found.view, reading.untyped), untyped=reading.untyped)


def _kept(rows: pa.Table, monitor: Monitor, id_column: str, notes: list[str]) -> pa.Table:
    kept: dict[str, pa.ChunkedArray] = {}
    for name in rows.column_names:
        column = None if name.startswith(RESERVED) else canonical(rows[name], monitor.timezone, is_name=name == id_column)
        if name.startswith(RESERVED):
            notes.append(f"column {name!r} is left out: names that begin with {RESERVED} are reserved")
        elif column is None and pa.types.is_struct(rows.schema.field(name).type):
            if not any(other.startswith(f"{name}.") for other in rows.column_names):
                inside = rows.schema.field(name).type[0].name if rows.schema.field(name).type.num_fields else "x"
                notes.append(
                    f"column {name!r} is left out: it holds objects, whose fields are taken where the monitor names them, as {name}.{inside}"
                )
        elif column is None:
            notes.append(f"column {name!r} is left out: {rows[name].type} values are not supported")
        else:
            kept[name] = column
    return pa.table(kept) if kept else rows.select([])


def _reject_nul_bytes(rows: pa.Table, rejects: Rejects) -> None:
    """Set aside what a torn write or a wrong encoding left: such text looks like another, and many tools end it there."""
    for name in rows.column_names:
        if pa.types.is_string(rows[name].type):
            rejects.add(_numbers(rows, pc.match_substring(rows[name], "\0")), f"column {name}: the text holds a NUL byte")


def _events(rows: pa.Table, monitor: Monitor, rejects: Rejects, notes: list[str], now: datetime) -> Cast:
    columns = monitor.columns
    _require(rows.column_names, needed_columns(monitor, "events"))
    _reject_missing_ids(rows, columns.id, rejects)
    for name, target in _wanted(monitor).items():
        if name in rows.column_names:
            rows = _coerced(rows, name, target, monitor, rejects)
    rows = _timed(rows, monitor, rejects, now)
    _reject_impossible_scores(rows, monitor, rejects)
    if columns.prediction is not None and columns.prediction in rows.column_names:
        _reject_foreign_classes(rows, columns.prediction, monitor, rejects)
    rows = rejects.keep(rows)
    return Cast(rows, rows.drop_columns(["wk_time"]), rejects, notes)


def _labels(rows: pa.Table, monitor: Monitor, rejects: Rejects, notes: list[str], now: datetime) -> Cast:
    labels = labels_of(monitor)
    _require(rows.column_names, needed_columns(monitor, "labels"))
    _reject_missing_ids(rows, labels.join, rejects)
    rejects.add(_numbers(rows, pc.is_null(rows[labels.column], nan_is_null=True)), f"{labels.column} is null: a label must say something")
    _reject_foreign_classes(rows, labels.column, monitor, rejects)
    moments = (
        _moments(rows, labels.time, monitor, rejects, now) if labels.time else pa.chunked_array([pa.repeat(pa.scalar(now, TIMESTAMP), rows.num_rows)])
    )
    view = rejects.keep(rows.append_column("wk_time", moments))
    landing = {"id": as_text(view[labels.join]), "label": view[labels.column], "labelled_at": view["wk_time"], "wk_row": view["wk_row"]}
    return Cast(pa.table(landing), view.drop_columns(["wk_time"]), rejects, notes)


def texts_of(monitor: Monitor) -> frozenset[str]:
    """Return the columns that are names whatever they look like, and so are read from CSV as they are written."""
    return frozenset(name for name in (monitor.columns.version, monitor.columns.environment) if name)


def labels_of(monitor: Monitor) -> Labels:
    """Return where the labels of a monitor come from.

    Raises:
        UnreadableError: its monitor file names none.

    """
    if monitor.labels is None:
        raise UnreadableError("the monitor file has no part `labels`", where=monitor.model, then="Say there where the labels come from.")
    return monitor.labels


def needed_columns(monitor: Monitor, source: Source) -> dict[str, str]:
    """Return the columns without which no row of a source can be used, each with its role."""
    if source == "events":
        return {monitor.columns.id: "id", monitor.columns.time: "time"} | _needed_outputs(monitor)
    labels = labels_of(monitor)
    return {labels.join: "id", labels.column: "label"} | ({labels.time: "time"} if labels.time else {})


def _needed_outputs(monitor: Monitor) -> dict[str, str]:
    columns = monitor.columns
    probabilities = {name: f"probability of {kind}" for kind, name in columns.probabilities.items()}
    if columns.score is not None:
        return {columns.score: "score"} | probabilities
    return ({columns.prediction: "prediction"} if columns.prediction else {}) | probabilities


def _require(names: Sequence[str], needed: dict[str, str]) -> None:
    if lacking := lacks([n for n in names if n != "wk_row"], needed):
        raise UnreadableError(
            lacking, then="Send the file again with them, or correct the monitor file and release it (`watchkeeper quarantine release`)."
        )


def lacks(names: Sequence[str], needed: Mapping[str, str]) -> str:
    """Return what is missing of the `needed` columns (name -> role) and what is there, empty when all are there."""
    missing = [f"{name!r} ({role})" for name, role in needed.items() if name not in names]
    plural = "s" if len(missing) > 1 else ""
    return f"has no column{plural} {' and '.join(missing)}; it has {', '.join(names[:12]) or 'none'}" if missing else ""


def _wanted(monitor: Monitor) -> dict[str, pa.DataType]:
    columns = monitor.columns
    numbers = [
        columns.score,
        columns.latency,
        columns.queue_time,
        columns.input_tokens,
        columns.output_tokens,
        columns.cached_tokens,
        *columns.probabilities.values(),
    ]
    return {name: pa.float64() for name in numbers if name}


def _coerced(rows: pa.Table, name: str, target: pa.DataType, monitor: Monitor, rejects: Rejects) -> pa.Table:
    column, misfits = fitted(rows[name], target, monitor.timezone, is_measured=True)
    reject_misfits(rows, name, misfits, target, monitor, rejects)
    return rows.set_column(rows.column_names.index(name), name, column)


def reject_misfits(rows: pa.Table, name: str, misfits: np.ndarray, target: pa.DataType, monitor: Monitor, rejects: Rejects) -> None:
    """Set aside the rows whose value in a column is not what the column holds; private values are not repeated."""
    if len(misfits) == 0:
        return
    numbers = rows["wk_row"].take(misfits).to_pylist()
    for number, value in zip(numbers, values_of(rows[name].take(misfits)), strict=True):
        shown = "a private value" if name in monitor.private else repr(str(value))
        is_code = isinstance(value, str) and re.match(AS_WRITTEN, value) and value.strip("+-").isdigit()
        rejects.add([number], f"column {name}: {shown} is not {NOUNS[target]}{' as it is written' if is_code else ''}")


def _reject_missing_ids(rows: pa.Table, name: str, rejects: Rejects) -> None:
    absent = pc.is_null(rows[name], nan_is_null=True)
    if pa.types.is_string(rows[name].type):
        absent = pc.or_kleene(absent, pc.equal(rows[name], ""))
    rejects.add(_numbers(rows, absent), f"{name} is null: a row needs an id")


def _timed(rows: pa.Table, monitor: Monitor, rejects: Rejects, now: datetime) -> pa.Table:
    name = monitor.columns.time
    moments = _moments(rows, name, monitor, rejects, now)
    return rows.set_column(rows.column_names.index(name), name, moments).append_column("wk_time", moments)


def _moments(rows: pa.Table, name: str, monitor: Monitor, rejects: Rejects, now: datetime) -> pa.ChunkedArray:
    moments = to_utc(rows[name], monitor.timezone)
    absent = pc.is_null(rows[name])
    rejects.add(_numbers(rows, absent), f"{name} is null: a row needs a time")
    _reject_each(
        rows, name, pc.and_(pc.is_null(moments), pc.invert(absent)), "is not a time (ISO text, day.month.year, or an epoch)", monitor, rejects
    )
    _reject_each(rows, name, pc.greater(moments, pa.scalar(now + _AHEAD, TIMESTAMP)), "lies more than a day in the future", monitor, rejects)
    _reject_each(rows, name, pc.less(moments, pa.scalar(_LONG_AGO, TIMESTAMP)), "lies before 1971, as times do that were never set", monitor, rejects)
    return moments


def _reject_each(rows: pa.Table, name: str, which: Any, what: str, monitor: Monitor, rejects: Rejects) -> None:
    chosen = rows.filter(which)
    for number, value in zip(chosen["wk_row"].to_pylist(), values_of(chosen[name]), strict=True):
        shown = "a private value" if name in monitor.private else repr(str(value))
        rejects.add([number], f"{name}: {shown} {what}")


def _reject_impossible_scores(rows: pa.Table, monitor: Monitor, rejects: Rejects) -> None:
    columns = monitor.columns
    names = [columns.score] if monitor.task == "binary" else list(columns.probabilities.values())
    for name in names:
        if name:
            outside = pc.or_(pc.less(rows[name], 0.0), pc.greater(rows[name], 1.0))  # NaN is neither, and is kept to be counted
            _reject_each(rows, name, outside, "lies outside [0, 1], where a probability must be", monitor, rejects)


def _reject_foreign_classes(rows: pa.Table, name: str, monitor: Monitor, rejects: Rejects) -> None:
    """Set aside what is no class of a binary model: counted as negative, a 2 for "unknown" would look like the truth."""
    if monitor.task == "binary" and not pa.types.is_null(rows[name].type):
        foreign = is_foreign(rows[name], monitor.positive)
        _reject_each(rows, name, foreign, f"is no class of a binary model whose positive one is {monitor.positive!r}", monitor, rejects)


def failed(rows: pa.Table, monitor: Monitor) -> np.ndarray:
    """Return, row by row, whether a call failed and so has no score: such an event is no bad row."""
    columns = monitor.columns
    output = columns.score or columns.prediction
    if columns.status is None or output is None or columns.status not in rows.column_names or output not in rows.column_names:
        return np.zeros(rows.num_rows, bool)
    codes, texts = as_codes(as_text(rows[columns.status]))
    is_error = np.append(class_cells(texts) > 0, False)[codes]
    flags: np.ndarray = np.asarray(pc.is_null(rows[output])).astype(bool) & is_error
    return flags


def _numbers(rows: pa.Table, which: Any) -> list[int]:
    numbers: list[int] = rows["wk_row"].filter(which).to_pylist()
    return numbers
