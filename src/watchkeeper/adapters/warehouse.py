"""DuckDB over the lake: an in-memory connection in which lake tables are registered by name.

Belongs here: connections and where statements are kept. Does not: the statements themselves (adapters/sql/*.sql, one
SELECT a file), the file that people open (operations/publish.py), or the tables (adapters/lake.py).
"""

import dataclasses
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from os import cpu_count
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.dataset as pads

from watchkeeper.adapters.arrow_records import arrow_schema
from watchkeeper.adapters.lake import Lake
from watchkeeper.adapters.workspace import Home
from watchkeeper.errors import UsageError
from watchkeeper.records import RECORDS

# What DuckDB may do on its own is nothing: no download of extensions, no reading of Python variables as tables.
_CLOSED = {"TimeZone": "UTC", "autoinstall_known_extensions": False, "python_enable_replacements": False}

_INTERRUPTED = "Query interrupted"
_PER_THREAD = 64_000_000  # bytes: with less DuckDB gives up where it could go slower


def registered_name(table: str) -> str:
    """Return the name under which a lake table is known in SQL.

    >>> registered_name("events/flight_delays")
    'events_flight_delays'
    """
    return table.replace("/", "_")


def connect(home_or_lake: Home | Lake, tables: Mapping[str, str] | None = None, *, is_shared: bool = True) -> duckdb.DuckDBPyConnection:
    """Return an in-memory connection, its session in UTC, over tables of the lake.

    `tables` maps the name in SQL to the lake table; without it every record table is registered under its own name.
    A table that was never written is left out. Of a workspace, half of its `memory_limit` is DuckDB's; what does not fit into
    that spills to the temporary folder. Rows come
    from the state the lake has now: connect again to see later ones. The connections of a process share one database,
    where each sees only what was registered on it; not shared, it may be attached to, locked or filled with views.
    """
    lake = home_or_lake.lake if isinstance(home_or_lake, Home) else home_or_lake
    connection = _shared().cursor() if is_shared else _opened()
    if isinstance(home_or_lake, Home):
        given = home_or_lake.memory_bytes // 2
        connection.execute(f"SET memory_limit = '{given} B'; SET threads = {max(1, min(cpu_count() or 1, given // _PER_THREAD))}")
    for name, table in (tables or {}).items():
        dataset = lake.dataset(table)
        if dataset is not None:
            connection.register(name, dataset)
    for record in (r for r in RECORDS if tables is None and r.TABLE != "quarantine"):
        dataset = dataset_of_record(lake, record)
        if dataset is not None:
            connection.register(registered_name(record.TABLE), dataset)
    return connection


@cache
def _shared() -> duckdb.DuckDBPyConnection:
    """Return the database of this process; opening one costs more than most questions."""
    return _opened()


def _opened() -> duckdb.DuckDBPyConnection:
    opened = duckdb.connect(config={**_CLOSED, "temp_directory": str(Path(tempfile.gettempdir()) / "watchkeeper-duckdb")})
    opened.execute("SET autoload_known_extensions = false")  # only now: the session's time zone needs the one that is built in
    return opened


def dataset_of_record(lake: Lake, record: Any) -> pads.Dataset | None:
    """Return the table of a record, None where there is none; fields that it was written without are null."""
    found = lake.dataset(record.TABLE)
    missing = [] if found is None else [f.with_nullable(True) for f in arrow_schema(record) if f.name not in found.schema.names]
    return found.replace_schema(pa.schema([*found.schema, *missing])) if found is not None and missing else found


def ask(connection: duckdb.DuckDBPyConnection, sql: str, parameters: Mapping[str, Any] | list[Any] | None = None) -> pa.Table:
    """Return the answer to a query as a table; values reach it as parameters only (`?`, or `$name` for a mapping)."""
    given = dict(parameters) if isinstance(parameters, Mapping) else parameters
    with heard():
        return connection.sql(sql, params=given or None).to_arrow_table()


@contextmanager
def heard() -> Iterator[None]:
    """Let Ctrl-C be heard: DuckDB ends the query, takes the interrupt for itself and raises a RuntimeError, which passes for a failure."""
    try:
        yield
    except RuntimeError as error:
        if type(error) is RuntimeError and str(error) == _INTERRUPTED:
            raise KeyboardInterrupt from error
        raise


def clock_of(record: type) -> str:
    """Return the column that says since when a row of a record is known.

    >>> from watchkeeper.records import Score
    >>> clock_of(Score)
    'computed_at'
    """
    names = {f.name for f in dataclasses.fields(record)}
    return next(n for n in ("computed_at", "landed_at", "validated_at", "recorded_at", "at", "sampled_at") if n in names)


def newest_sql(record: type, relation: str, *, as_of: str = "$as_of") -> str:
    """Return a SELECT of the newest revision of each key in `relation`, of what was known at the SQL expression `as_of`."""
    clock, names = quoted(clock_of(record)), [f.name for f in dataclasses.fields(record)]
    order = f"{clock} DESC, revision DESC" if "revision" in names else f"{clock} DESC"
    keys = ", ".join(quoted(k) for k in record.KEY)  # type: ignore[attr-defined]
    return f"SELECT * FROM {quoted(relation)} WHERE {clock} <= {as_of} QUALIFY row_number() OVER (PARTITION BY {keys} ORDER BY {order}) = 1"


@cache
def statement(name: str) -> str:
    """Return the text of `sql/<name>.sql`.

    Raises:
        UsageError: there is no such statement.

    """
    found = files("watchkeeper.adapters").joinpath("sql", f"{name}.sql")
    if not found.is_file():
        raise UsageError(f"no statement is called {name!r}", where="adapters/sql")
    return found.read_text(encoding="utf-8")


def quoted(identifier: str) -> str:
    """Return an identifier as SQL wants it, whatever it holds.

    >>> quoted("arrivals, late")
    '"arrivals, late"'
    """
    return '"' + identifier.replace('"', '""') + '"'
