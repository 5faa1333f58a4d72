"""Questions of people to the lake itself, in SQL: they read, and nothing else.

Belongs here: which tables a question sees and which questions are refused. Does not: the connection (adapters/warehouse.py),
or the file for BI tools (publish.py).
"""

import difflib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count

import duckdb
import pyarrow as pa
import pyarrow.dataset as pads

from watchkeeper.adapters.arrow_records import arrow_schema, from_arrow, to_arrow
from watchkeeper.adapters.warehouse import connect, dataset_of_record, newest_sql, quoted, registered_name, statement
from watchkeeper.adapters.workspace import Home
from watchkeeper.errors import UsageError
from watchkeeper.monitor import Monitor
from watchkeeper.operations.audit import private_shown
from watchkeeper.operations.fit import is_private
from watchkeeper.operations.publish import incident_table
from watchkeeper.records import RECORDS, Bins, IncidentEvent, Quarantined, Run
from watchkeeper.samples import TELEMETRY_QUARANTINE
from watchkeeper.site.published import CostRow, IncidentRow

_WORDS = {"LOAD": "INSTALL or LOAD"}
_MISSING_TABLE = re.compile(r"Table with name (\S+) does not exist")
_MISSING_COLUMN = re.compile(r"Referenced column|does not have a column named")
_READING = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)


def query(home: Home, monitors: Mapping[str, Monitor], sql: str, *, now: datetime, private_reason: str | None = None) -> pa.Table:
    """Return the answer to one SELECT, over the lake as known at `now`.

    Every record table is there twice: under its name with the newest revision of each key, and as `<name>_all` with every
    revision. What the published file makes of them has its name there: `incidents`, one row each (what happened to them is
    `incident_events`), and `costs`. `events_<model>`, `labels_<model>` and `quarantine_<model>` are there for each model, without private columns and
    without quarantined rows' content, and the bins of private columns without edges and categories, unless `private_reason` says why they are needed; that is kept in `runs`.

    Raises:
        UsageError: the statement would write, is not one statement, or DuckDB cannot answer it.

    """
    _refuse_writes(sql)
    connection = connect(home, {}, is_shared=False)
    _register_records(home, connection, monitors, now, has_private=private_reason is not None)
    for monitor in monitors.values():
        _register_model(home, connection, monitor, has_private=private_reason is not None)
    connection.execute("SET enable_external_access = false; SET lock_configuration = true")
    try:
        answer = _named_apart(connection.sql(sql).to_arrow_table())
    except duckdb.Error as error:
        columns = _columns_of(connection, sql) if _MISSING_COLUMN.search(str(error)) else []
        raise UsageError(_said(error, _names(connection)), where="sql", then=" ".join(columns) or "`SHOW TABLES` lists what there is.") from error
    if private_reason is not None:
        home.lake.append_records(Run, [private_shown(model, "sql", sql, private_reason, rows=answer.num_rows, now=now) for model in monitors])
    return answer


def _named_apart(answer: pa.Table) -> pa.Table:
    """Return an answer whose columns all have names of their own, as DuckDB names those of a table: the second `a` is `a_1`.

    >>> _named_apart(pa.table([[1], [2], [3]], names=["a", "a", "a_1"])).column_names
    ['a', 'a_2', 'a_1']
    """
    names: list[str] = []
    for name in answer.column_names:
        others = {*answer.column_names, *names}
        names.append(name if name not in names else next(n for n in (f"{name}_{i}" for i in count(1)) if n not in others))
    return answer.rename_columns(names)


def _refuse_writes(sql: str) -> None:
    try:
        statements = duckdb.extract_statements(sql)
    except duckdb.Error as error:
        raise UsageError(_said(error), where="sql", then="Write one SELECT.") from error
    if len(statements) != 1:
        raise UsageError(f"{len(statements)} statements were given", where="sql", then="Write one SELECT.")
    if statements[0].type not in _READING:
        raise UsageError(
            f"{_WORDS.get(statements[0].type.name, statements[0].type.name)} would change something, and this only reads",
            where="sql",
            then="Write one SELECT.",
        )


def _said(error: duckdb.Error, tables: Sequence[str] = ()) -> str:
    """Return what DuckDB says is wrong and what may have been meant, without the statement, which the person has before them.

    Of tables DuckDB proposes its own too, such as `pg_enum`; the nearest of `tables` is named in their place.
    """
    lines = [line.strip().rstrip("!?.") for line in str(error).splitlines() if line.strip()]
    missing = _MISSING_TABLE.search(lines[0])
    if missing:
        near = difflib.get_close_matches(missing[1], tables, n=1, cutoff=0.5)
        return "; ".join([lines[0], *(f'did you mean "{name}"' for name in near)])
    proposed = [line.replace("Did", "did", 1) for line in lines[1:2] if line.startswith("Did you mean")]
    bindings = [line.replace("Candidate bindings", "there is", 1) for line in lines[1:2] if line.startswith("Candidate bindings")]
    return "; ".join(lines[:1] + proposed + bindings)


def _columns_of(connection: duckdb.DuckDBPyConnection, sql: str) -> list[str]:
    """Return a sentence for each table that a statement names: which columns it has, such as `label` and not what the files call it."""
    named = [table for table in _names(connection) if re.search(rf"\b{re.escape(table)}\b", sql, re.IGNORECASE)]
    described = ((table, connection.execute(f"DESCRIBE {quoted(table)}").fetchall()) for table in named)
    return [f"{table} has {', '.join(column for column, *_ in columns)}." for table, columns in described]


def _names(connection: duckdb.DuckDBPyConnection) -> list[str]:
    return [name for (name,) in connection.execute("SHOW TABLES").fetchall()]


def _register_records(
    home: Home, connection: duckdb.DuckDBPyConnection, monitors: Mapping[str, Monitor], now: datetime, *, has_private: bool
) -> None:
    known_at = f"TIMESTAMPTZ '{now.astimezone(UTC).isoformat()}'"
    for record in (r for r in RECORDS if r is not Quarantined):
        name = asked_name(record)
        found = _bins_shown(home, monitors) if record is Bins and not has_private else dataset_of_record(home.lake, record)
        connection.register(f"{name}_all", found or arrow_schema(record).empty_table())
        connection.execute(f"CREATE VIEW {quoted(name)} AS {newest_sql(record, f'{name}_all', as_of=known_at)}")
    aside = home.lake.dataset(TELEMETRY_QUARANTINE)  # it holds reasons alone, and no rows
    name = registered_name(TELEMETRY_QUARANTINE)
    connection.register(f"{name}_all", aside or arrow_schema(Quarantined).empty_table())
    connection.execute(f"CREATE VIEW {quoted(name)} AS {newest_sql(Quarantined, f'{name}_all', as_of=known_at)}")
    connection.register(IncidentRow.TABLE, incident_table(home, now=now))
    connection.execute(f"CREATE VIEW {CostRow.TABLE} AS {statement('published_costs')}")


def _bins_shown(home: Home, monitors: Mapping[str, Monitor]) -> pa.Table | None:
    """Return the bins without what was read off private columns: categories, and edges, which are values where these are few.

    Of a model that has no monitor now, nobody can tell which columns are private.
    """
    found = home.lake.read(Bins.TABLE)
    if found is None:
        return None
    kept = [b if b.model in monitors and not is_private(monitors[b.model], b.feature) else _bare(b) for b in from_arrow(Bins, found)]
    return to_arrow(Bins, kept)


def _bare(bins: Bins) -> Bins:
    return replace(bins, edges=[], categories=[], others=[])


def asked_name(record: type) -> str:
    """Return the name of a record's table in a question: that of the lake, but for what happened to incidents.

    >>> asked_name(Run), asked_name(IncidentEvent)
    ('runs', 'incident_events')
    """
    return "incident_events" if record is IncidentEvent else registered_name(record.TABLE)  # type: ignore[attr-defined]


def _register_model(home: Home, connection: duckdb.DuckDBPyConnection, monitor: Monitor, *, has_private: bool) -> None:
    for kind, hidden in private_columns(monitor).items():
        dataset = home.lake.dataset(f"{kind}/{monitor.model}")
        if dataset is None and kind == "quarantine":  # its columns are known before its first row
            dataset = pads.dataset(arrow_schema(Quarantined).empty_table())
        if dataset is not None:
            seen = dataset if has_private else _without(dataset, hidden)
            connection.register(registered_name(f"{kind}/{monitor.model}"), seen)


def private_columns(monitor: Monitor) -> dict[str, set[str]]:
    """Return table kind -> columns that are shown on demand only."""
    private = set(monitor.private)
    of_labels = {"id"} if monitor.columns.id in private else set()
    if monitor.labels is not None:
        of_labels |= {"id"} if monitor.labels.join in private else set()
        of_labels |= {"label"} if monitor.labels.column in private else set()
    return {"events": private, "labels": of_labels, "quarantine": {"row", "reasons"}}


def _without(dataset: pads.Dataset, hidden: Collection[str]) -> pads.Dataset:
    return dataset.replace_schema(pa.schema([f for f in dataset.schema if f.name not in hidden]))
