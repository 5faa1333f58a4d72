"""Consistency: whether the same input, scored more than once by one version, came out the same.

Belongs here: which rows and which of their columns are the input, and asking DuckDB. Does not: the statement
(adapters/sql/consistency.sql), the words (site/consistency.py).
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads

from watchkeeper.adapters.warehouse import ask, connect, statement
from watchkeeper.adapters.workspace import Home
from watchkeeper.errors import UsageError
from watchkeeper.monitor import Monitor
from watchkeeper.operations.classes import is_positive
from watchkeeper.operations.convert import as_text
from watchkeeper.operations.fit import features_of
from watchkeeper.operations.join import in_environment, rows_within
from watchkeeper.operations.values import rows_of
from watchkeeper.profiles.columns import as_numbers, is_numeric
from watchkeeper.profiles.kinds import source_of
from watchkeeper.site.consistency import Consistency, Output, Repeat
from watchkeeper.site.explanation import MASK
from watchkeeper.stats.intervals import proportion
from watchkeeper.windows import Window

TOLERANCE = 1e-6
"""Scores that differ by no more, of their size or of 1 where they are less, are the same: arithmetic in another order moves them so far."""
_WEEK = timedelta(days=7)
_OUTPUTS = pa.schema([("position", pa.int64()), ("id", pa.string()), ("version", pa.string()), ("score", pa.float64()), ("decision", pa.string())])


def consistency(home: Home, monitor: Monitor, *, now: datetime, window: Window | None = None, limit: int = 5) -> Consistency:
    """Return how inputs that came more than once in a window (default: the seven days up to the newest) were scored, with `limit` examples.

    An input is what the columns of all features hold, as they were logged: what is derived from their times is not part of it. Rows
    of another environment, and those without any output, do not count.

    Raises:
        UsageError: the model logs no output, or no feature.

    """
    span = window or _lately(home, monitor)
    events = home.lake.dataset(f"events/{monitor.model}")
    nothing = Consistency(model=monitor.model, window=span)
    if events is None or span is None:
        return nothing
    features = _inputs(monitor, events)
    rows = pa.RecordBatchReader.from_batches(_schema(events, features), _predictions(home, monitor, span, features, events, now))
    with connect(home, {}) as connection:
        connection.register("predictions", rows)
        found = ask(connection, statement("consistency"), {"tolerance": TOLERANCE, "examples": limit}).to_pylist()
    return _told(nothing, found, _looked_up(home, monitor, span, features, events, found, now))


def _lately(home: Home, monitor: Monitor) -> Window | None:
    newest = home.lake.newest_moment(f"events/{monitor.model}", "wk_time")
    return None if newest is None else Window((end := monitor.grid.at(newest).end) - _WEEK, end)


def _inputs(monitor: Monitor, events: pads.Dataset) -> list[str]:
    there = events.schema.names
    features = [name for name in dict.fromkeys(source_of(n, there)[0] for n in features_of(monitor, events.schema)) if name in there]
    if not features:
        raise UsageError("no column of its rows is a feature, so that no input is known", where=monitor.model, then="Name them in `features`.")
    outputs = [monitor.columns.score, monitor.columns.prediction, *monitor.columns.probabilities.values()]
    if not any(name in there for name in outputs):
        raise UsageError("its rows hold no output to compare", where=monitor.model, then="Name `columns.score` or `columns.prediction`.")
    return features


def _schema(events: pads.Dataset, features: Sequence[str]) -> pa.Schema:
    return pa.schema([*_OUTPUTS, *(pa.field(f"in:{name}", events.schema.field(name).type) for name in features)])


def _predictions(
    home: Home, monitor: Monitor, span: Window, features: Sequence[str], events: pads.Dataset, now: datetime
) -> Iterator[pa.RecordBatch]:
    """Yield what the statement asks for, numbered in the order of reading, which is the same each time."""
    schema, begun = _schema(events, features), 0
    for rows in _read(home, monitor, span, features, now):
        score, decision = _outputs(monitor, rows)
        version = (
            as_text(rows.column(monitor.columns.version)) if monitor.columns.version in rows.column_names else pa.nulls(rows.num_rows, pa.string())
        )
        columns = [
            pa.array(np.arange(begun, begun + rows.num_rows)),
            as_text(rows.column(monitor.columns.id)),
            pc.fill_null(version, ""),
            score,
            decision,
            *(rows.column(name) for name in features),
        ]
        begun += rows.num_rows
        made = pa.table(columns, schema=schema)
        has_output = pc.or_(pc.is_valid(made.column("score")), pc.is_valid(made.column("decision")))
        yield from made.filter(pc.and_(has_output, in_environment(monitor, _environment(monitor, rows)))).to_batches()


def _read(home: Home, monitor: Monitor, span: Window, features: Sequence[str], now: datetime) -> Iterator[pa.Table]:
    roles = monitor.columns
    named = {*features, roles.id, roles.version, roles.environment, roles.score, roles.prediction, *roles.probabilities.values()}
    return rows_within(home, monitor, [span], lambda there: [n for n in there if n in named], now=now)


def _environment(monitor: Monitor, rows: pa.Table) -> pa.Table:
    name = monitor.columns.environment
    column = rows.column(name) if name in rows.column_names else pa.nulls(rows.num_rows, pa.string())
    return pa.table({"environment": column})


def _outputs(monitor: Monitor, rows: pa.Table) -> tuple[pa.Array, pa.ChunkedArray]:
    """Return score and decision of each row; the score of several classes is the largest probability, and a number has no decision."""
    names = [n for n in (*monitor.columns.probabilities.values(), monitor.columns.score) if n in rows.column_names]
    if not names and monitor.task == "regression" and monitor.columns.prediction in rows.column_names:
        names = [str(monitor.columns.prediction)]
    known = [_numbers(rows.column(name)) for name in names if is_numeric(rows.column(name).type)]
    score = np.fmax.reduce(known) if known else np.full(rows.num_rows, np.nan)
    said = monitor.columns.prediction
    if monitor.task != "regression" and said in rows.column_names:
        return pa.array(score, mask=~np.isfinite(score)), _decided(monitor, rows.column(said))
    if monitor.task == "binary":
        flags = np.where(score >= monitor.threshold, "1", "0")
        return pa.array(score, mask=~np.isfinite(score)), pa.chunked_array([pa.array(flags, pa.string(), mask=~np.isfinite(score))])
    return pa.array(score, mask=~np.isfinite(score)), pa.chunked_array([pa.nulls(rows.num_rows, pa.string())])


def _numbers(column: pa.ChunkedArray) -> np.ndarray[Any, np.dtype[np.float64]]:
    values, nulls = as_numbers(column)
    return np.where(nulls, np.nan, values)


def _decided(monitor: Monitor, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return decisions as text, of a binary model 1 or 0 whatever they were spelled like."""
    if monitor.task != "binary":
        return as_text(column)
    said = is_positive(column, monitor.positive)
    return pa.chunked_array([pa.array(np.where(said == 1, "1", "0"), pa.string(), mask=np.isnan(said))])


def _looked_up(
    home: Home, monitor: Monitor, span: Window, features: Sequence[str], events: pads.Dataset, found: Sequence[Mapping[str, Any]], now: datetime
) -> dict[int, dict[str, Any]]:
    """Return the rows at the places of examples, read once more; private columns are masked."""
    wanted = sorted({row[name] for row in found for name in ("at_one", "at_other") if row[name] is not None})
    out: dict[int, dict[str, Any]] = {}
    for batch in _predictions(home, monitor, span, features, events, now) if wanted else ():
        mine = batch.filter(pc.is_in(batch.column("position"), pa.array(wanted, pa.int64())))
        for row in rows_of(pa.Table.from_batches([mine])) if mine.num_rows else ():
            out[row["position"]] = {n: MASK if n.removeprefix("in:") in monitor.private and n.startswith("in:") else v for n, v in row.items()}
    return out


def _told(nothing: Consistency, found: Sequence[Mapping[str, Any]], rows: Mapping[int, Mapping[str, Any]]) -> Consistency:
    total = found[0]
    share = proportion(total["differing"], total["repeated"])
    is_known = total["repeated"] > 0
    return Consistency(
        model=nothing.model,
        window=nothing.window,
        predictions=total["rows"],
        inputs=total["inputs"],
        repeated=total["repeated"],
        rows_repeated=total["rows_repeated"],
        differing=total["differing"],
        decided_otherwise=total["decided_otherwise"],
        scored_otherwise=total["scored_otherwise"],
        inconsistency_ratio=share.value if is_known else None,
        low=share.low if is_known else None,
        high=share.high if is_known else None,
        mean_range=total["mean_range"],
        largest_range=total["largest_range"],
        pooled_sd=total["pooled_sd"],
        examples=tuple(_repeat(row, rows) for row in found if row["at_one"] is not None),
    )


def _repeat(row: Mapping[str, Any], rows: Mapping[int, Mapping[str, Any]]) -> Repeat:
    one, other = rows[row["at_one"]], rows[row["at_other"]]
    inputs = {name.removeprefix("in:"): value for name, value in one.items() if name.startswith("in:")}
    return Repeat(version=one["version"], times=row["times"], spread=row["spread"], one=_output(one), other=_output(other), inputs=inputs)


def _output(row: Mapping[str, Any]) -> Output:
    return Output(id=row["id"], score=row["score"], decision=row["decision"] or "")
