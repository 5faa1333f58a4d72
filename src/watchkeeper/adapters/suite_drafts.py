"""A first expectation suite, drafted from one data file for people to correct.

Belongs here: what a file suggests about its columns, generously, so that the next ordinary file passes. Does not:
running suites (expectations.py) or reading them (suites.py). Critical is only what makes a row unusable.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.monitor import Monitor
from watchkeeper.records import Source
from watchkeeper.words import counted, percent

_TYPE = "expect_column_values_to_be_of_type"
_FEW = 30  # distinct texts that still make a set a person would read
_SEEN_OFTEN = 20  # rows for each of them, so that the set is likely whole


@dataclass(frozen=True, slots=True)
class _Draft:
    """The file and whom to ask about it."""

    rows: pa.Table
    owner: str
    whose: str = "the first file"

    def say(self, kind: str, severity: str, why: str, **kwargs: Any) -> dict[str, Any]:
        return {"type": kind, "kwargs": kwargs, "severity": severity, "meta": {"owner": self.owner, "why": why}}

    def filled(self, column: str, severity: str, why: str) -> dict[str, Any]:
        return self.say("expect_column_values_to_not_be_null", severity, why, column=column)


def draft_suite(rows: pa.Table, *, monitor: Monitor, source: Source, set_aside: int = 0) -> dict[str, Any]:
    """Return a suite for files like `rows`, as the JSON of Great Expectations.

    `set_aside` is how many rows of the file are not among them, since none could be used. Values of private columns and of ids are not written into it.
    """
    kept = rows.select([name for name in rows.column_names if not name.startswith("wk_")])
    whose = f"the first file, without {counted(set_aside, 'row')} that could not be used," if set_aside else "the first file"
    draft = _Draft(kept, monitor.owner or "data team", whose)
    roles = _of_events(draft, monitor) if source == "events" else _of_labels(draft, monitor)
    expectations = [*roles, *_of_table(draft)]
    judged = {(e["kwargs"].get("column"), e["type"]) for e in expectations} | {(name, _TYPE) for name in _cast_by_intake(monitor, source)}
    changing = {monitor.columns.version, monitor.columns.environment}  # a release is no fault in the data
    for name in kept.column_names:
        if name in changing and source == "events":
            continue
        has_free_values = name in monitor.private or name in _ids(monitor, source)
        expectations += [e for e in _of_column(draft, name, has_free_values=has_free_values) if (name, e["type"]) not in judged]
    return {"name": monitor.suite_names[source], "expectations": expectations, "meta": {"drafted_from_rows": kept.num_rows}}


def _cast_by_intake(monitor: Monitor, source: Source) -> set[str | None]:
    """Return the columns whose type in a file says nothing: intake casts ids and times."""
    if source == "events":
        return {monitor.columns.id, monitor.columns.time}
    return {monitor.labels.join, monitor.labels.time} if monitor.labels else set()


def _ids(monitor: Monitor, source: Source) -> set[str | None]:
    """Return the columns of names that go on: the next file's ids lie beyond those of the first."""
    if source == "events":
        return {monitor.columns.id, monitor.columns.entity, monitor.columns.trace_id}
    return {monitor.labels.join} if monitor.labels else set()


def _of_events(draft: _Draft, monitor: Monitor) -> Iterator[dict[str, Any]]:
    columns = monitor.columns
    yield draft.filled(columns.id, "critical", "a prediction without an id can be joined to no label")
    apart = [column for column in (columns.version, columns.environment) if column in draft.rows.column_names]
    if apart:
        why = f"an id names one prediction; that of another `{'` or `'.join(str(c) for c in apart)}` is another one"
        yield draft.say("expect_compound_columns_to_be_unique", "critical", why, column_list=[columns.id, *apart])
    else:
        yield draft.say("expect_column_values_to_be_unique", "critical", "an id names one prediction", column=columns.id)
    yield draft.filled(columns.time, "critical", "a prediction without a time belongs to no window")
    if columns.score is not None:
        yield from _of_score(draft, monitor, columns.score)


def _of_score(draft: _Draft, monitor: Monitor, score: str) -> Iterator[dict[str, Any]]:
    if monitor.task == "binary":
        yield draft.say("expect_column_values_to_be_between", "critical", "the score is a probability", column=score, min_value=0, max_value=1)
    if monitor.columns.status is None:
        yield draft.filled(score, "critical", "a prediction without a score says nothing")
    else:
        yield {
            **draft.filled(score, "warning", f"a request that went well has a score; `{monitor.columns.status}` tells the others"),
            "kwargs": {"column": score, "mostly": 0.95},
        }


def _of_labels(draft: _Draft, monitor: Monitor) -> Iterator[dict[str, Any]]:
    if monitor.labels is None:
        return
    yield draft.filled(monitor.labels.join, "critical", "a label without an id can be joined to no prediction")
    yield draft.say("expect_column_values_to_be_unique", "warning", "one file tells the truth about a prediction once", column=monitor.labels.join)
    if monitor.labels.time is not None:
        yield draft.filled(monitor.labels.time, "critical", "when the truth became known decides which runs may see it")


def _of_table(draft: _Draft) -> Iterator[dict[str, Any]]:
    n = draft.rows.num_rows
    yield draft.say(
        "expect_table_columns_to_match_set", "warning", "the columns of the first file", column_set=draft.rows.column_names, exact_match=False
    )
    yield draft.say(
        "expect_table_row_count_to_be_between",
        "warning",
        f"{draft.whose} held {counted(n, 'row')}",
        min_value=max(1, n // 10),
        max_value=max(10, n * 10),
    )


def _of_column(draft: _Draft, name: str, *, has_free_values: bool) -> Iterator[dict[str, Any]]:
    column = draft.rows[name]
    if column.null_count == len(column):
        return
    kind = _duckdb_type(column.type)
    if kind:
        yield draft.say(_TYPE, "warning", "the type of the first file", column=name, type_=kind)
    yield from _of_nulls(draft, name, column)
    if has_free_values:
        return
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        yield from _of_numbers(draft, name, column)
    elif _is_text(column.type):
        yield from _of_texts(draft, name, column)


def _of_nulls(draft: _Draft, name: str, column: pa.ChunkedArray) -> Iterator[dict[str, Any]]:
    share = column.null_count / len(column)
    mostly = math.floor((1 - 2 * share - 0.02) * 100) / 100
    if mostly > 0:
        why = f"{percent(share, digits=1)} of the first file's rows had none"
        yield draft.say("expect_column_values_to_not_be_null", "warning", why, column=name, mostly=mostly)


def _of_numbers(draft: _Draft, name: str, column: pa.ChunkedArray) -> Iterator[dict[str, Any]]:
    numbers = pc.drop_null(column).cast(pa.float64(), safe=False)
    finite = numbers.filter(pc.is_finite(numbers))
    if len(finite) == 0:
        return
    if sorted(pc.unique(finite).to_pylist()) == [0.0, 1.0]:
        yield draft.say("expect_column_values_to_be_in_set", "warning", f"{draft.whose} held 0 and 1 only", column=name, value_set=[0, 1])
        return
    low, high = pc.min(finite).as_py(), pc.max(finite).as_py()
    room = (high - low) or max(abs(high), 1.0)
    floor = 0.0 if low >= 0 else _rounded(low - room, down=True)
    where = "above, and nothing below 0" if low >= 0 else "on either side"
    why = f"the range of the first file, and as much again {where}"
    yield draft.say("expect_column_values_to_be_between", "warning", why, column=name, min_value=floor, max_value=_rounded(high + room, down=False))


def _of_texts(draft: _Draft, name: str, column: pa.ChunkedArray) -> Iterator[dict[str, Any]]:
    values = pc.unique(pc.drop_null(column)).to_pylist()
    if len(values) <= _FEW and len(values) * _SEEN_OFTEN <= len(column):
        yield draft.say("expect_column_values_to_be_in_set", "warning", "the values of the first file", column=name, value_set=sorted(values))


def _rounded(value: float, *, down: bool) -> float:
    """Round away from the data to two digits, which a person can read and remember."""
    if value == 0:
        return 0.0
    step = 10.0 ** (math.floor(math.log10(abs(value))) - 1)
    return float(f"{(math.floor if down else math.ceil)(value / step) * step:.12g}")


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _duckdb_type(kind: pa.DataType) -> str:
    if _is_text(kind):
        return "VARCHAR"
    if pa.types.is_boolean(kind):
        return "BOOLEAN"
    if pa.types.is_integer(kind):
        return "BIGINT"
    if pa.types.is_floating(kind):
        return "DOUBLE"
    if pa.types.is_date(kind):
        return "DATE"
    return "TIMESTAMP" if pa.types.is_timestamp(kind) else ""
