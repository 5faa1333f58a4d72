"""The published file: what people and BI tools read, one DuckDB file that is swapped in whole.

Belongs here: what is copied into it and how it is put in place. Does not: its words (site/published.py), or questions to
the lake itself (operations/query.py). No raw events and no private values leave the lake through here.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa

from watchkeeper.adapters.arrow_records import TIMESTAMP, arrow_schema, to_arrow
from watchkeeper.adapters.swap import aside, unwritable
from watchkeeper.adapters.warehouse import connect, newest_sql, quoted, statement
from watchkeeper.adapters.workspace import Home
from watchkeeper.judgement.together import as_one
from watchkeeper.monitor import Monitor
from watchkeeper.operations.incident_book import known_incidents
from watchkeeper.records import Action, Batch, Run, Score, Signal, Validation
from watchkeeper.site.published import CostRow, IncidentRow, described, incident_rows

KEPT = timedelta(days=400)
COPIED: tuple[type, ...] = (Score, Signal, Run, Batch, Validation)
# Written by the oldest layout that holds what we store, so that readers older than the writer can open it.
_STORAGE = "v1.2.0"


def publish(home: Home, monitors: Mapping[str, Monitor], *, now: datetime) -> Path:
    """Write the published file as of `now` and return it; whoever has the old one open keeps reading the old one.

    Raises:
        UnwritableError: the folder or the disk refused; the old file stays.

    """
    try:
        with aside(home.published) as written:
            _write(home, monitors, written, now)
            # A person who opened the file for writing left a log of their own, which would not fit the new one.
            home.published.with_name(f"{home.published.name}.wal").unlink(missing_ok=True)
    except (OSError, duckdb.IOException, duckdb.TransactionException) as error:
        raise unwritable(error, str(home.published)) from error
    return home.published


def _write(home: Home, monitors: Mapping[str, Monitor], path: Path, now: datetime) -> None:
    connection = connect(home, {}, is_shared=False)
    try:
        connection.execute(f"ATTACH '{str(path).replace(chr(39), chr(39) * 2)}' AS published (STORAGE_VERSION '{_STORAGE}')")
        connection.begin()
        connection.register("private", _private(monitors))
        connection.register("folded", incident_table(home, now=now))
        for record in COPIED:
            _copy(home, connection, record, now)
        connection.execute(f"CREATE TABLE published.incidents AS SELECT {_columns(IncidentRow)} FROM folded ORDER BY opened_at")
        connection.execute("USE published")
        connection.execute(f"CREATE VIEW costs AS {statement('published_costs')}")
        _describe(connection)
        connection.commit()
        connection.execute("USE memory; DETACH published")
    finally:
        connection.close()


def _copy(home: Home, connection: duckdb.DuckDBPyConnection, record: type, now: datetime) -> None:
    name = record.TABLE  # type: ignore[attr-defined]
    connection.register(name, home.lake.dataset(name) or arrow_schema(record).empty_table())
    connection.register("today", arrow_schema(record).empty_table())  # a table of an earlier release lacks the columns that came since
    order = ", ".join(quoted(k) for k in record.KEY)  # type: ignore[attr-defined]
    kept = f"SELECT {_columns(record)} FROM (SELECT * FROM ({newest_sql(record, name)}) UNION ALL BY NAME FROM today) AS kept WHERE {_allowed(record)} ORDER BY {order}"
    connection.execute(f"CREATE TABLE published.{name} AS {kept}", {"as_of": now, "since": now - KEPT} if record is Score else {"as_of": now})
    connection.unregister(name)
    connection.unregister("today")


def _allowed(record: type) -> str:
    """Return which rows may be seen: none of a segment of a private column, and of scores those of 400 days."""
    if record not in (Score, Signal):
        return "true"
    hidden = "NOT EXISTS (SELECT 1 FROM private WHERE private.model = kept.model AND contains('&' || kept.segment, '&' || private.name || '='))"
    return f"{hidden} AND window_start >= $since" if record is Score else hidden


def _columns(record: type) -> str:
    """Return the select list: moments as plain UTC, and what was seen in a private column, or of an unknown model, left out."""
    return ", ".join(_column(record, f) for f in arrow_schema(record))


def _column(record: type, field: pa.Field) -> str:
    name = quoted(field.name)
    if field.type == TIMESTAMP:
        return f"{name} AT TIME ZONE 'UTC' AS {name}"
    if record in (Score, Signal) and field.name == "reason":
        named = "EXISTS (SELECT 1 FROM private AS p WHERE p.model = kept.model AND p.name <> '' AND contains(kept.reason, p.name || '='))"
        return f"CASE WHEN {named} THEN '' ELSE reason END AS reason"
    if record is Validation and field.name == "observed":
        seen = "EXISTS (SELECT 1 FROM private AS p WHERE p.model = kept.model AND (p.name = kept.\"column\" OR p.name = '*'))"
        return f"CASE WHEN {seen} OR NOT EXISTS (SELECT 1 FROM private AS p WHERE p.model = kept.model) THEN '' ELSE observed END AS observed"
    return name


def _private(monitors: Mapping[str, Monitor]) -> pa.Table:
    """Return (model, name) of what is private; every known model has a row, so that an unknown one can be told."""
    rows = [(m.model, name) for m in monitors.values() for name in ("", *m.private)]
    return pa.table({"model": pa.array([r[0] for r in rows], pa.string()), "name": pa.array([r[1] for r in rows], pa.string())})


def incident_table(home: Home, *, now: datetime) -> pa.Table:
    """Return one row an incident, as people ask for it, as of `now`."""
    incidents = [as_one(i) for i in known_incidents(home, now=now)]
    return to_arrow(IncidentRow, incident_rows(incidents, home.lake.newest(Signal, as_of=now), home.lake.newest(Action, as_of=now)))


def _describe(connection: duckdb.DuckDBPyConnection) -> None:
    for record, kind in [*((r, "TABLE") for r in (*COPIED, IncidentRow)), (CostRow, "VIEW")]:
        name, docs = record.TABLE, described(record)  # type: ignore[attr-defined]
        connection.execute(f"COMMENT ON {kind} {name} IS {_text((record.__doc__ or '').splitlines()[0])}")
        for column, words in docs.items():
            connection.execute(f"COMMENT ON COLUMN {name}.{quoted(column)} IS {_text(words)}")


def _text(words: str) -> str:
    return "'" + words.replace("'", "''") + "'"
