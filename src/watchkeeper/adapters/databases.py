"""Databases, asked through ADBC: a query's rows as Arrow tables of a bounded size.

Belongs here: drivers and what differs between them, time limits, and what goes wrong in one sentence. Does not: addresses and
secrets (connections.py), which query is asked (operations/asking.py), or types (database_types.py).

ADBC and not SQLAlchemy: rows come as Arrow columns, from PostgreSQL by COPY, so that nothing is built row by row. The driver for
PostgreSQL copies only what has no parameters and else holds the whole result in memory; so a value is handed over as a setting
of the transaction, which the query reads.
"""

import re
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from importlib import import_module
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

import pyarrow as pa

from watchkeeper.adapters.connections import Connection
from watchkeeper.errors import ConfigurationError, UnreachableError, WatchkeeperError
from watchkeeper.words import counted

PART_ROWS, PART_BYTES = 500_000, 128 * 2**20
_CONNECT_S, _SILENT_S = 10, 60
_PATIENT = {  # of libpq: give up on a host that does not answer, or that has gone while it was read
    "application_name": "watchkeeper",
    "connect_timeout": str(_CONNECT_S),
    "keepalives_idle": "20",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": str(_SILENT_S * 1000),
}
_SAID = re.compile(r"(?:ERROR|FATAL):\s*(.+)")
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"|«[^»]*»|»[^«]*«|„[^“]*“")
_ENDING = re.compile(r";\s*(--[^\n]*\s*)*$")
_LATER = "The next run asks for everything that is new since the last one that was done"


@dataclass(frozen=True, slots=True)
class Question:
    """A query, and how it is put: `since` asks only for rows whose `watermark` is that or later, or not known."""

    sql: str
    timeout: timedelta
    watermark: str | None = None
    since: datetime | date | None = None

    @property
    def wrapped(self) -> str:
        """The query as a table; on lines of its own, so that it may end in a comment."""
        return f"(\n{_ENDING.sub('', self.sql.strip())}\n) as wk"


@dataclass(frozen=True, slots=True)
class Dialect(ABC):
    """What is particular to a kind of database."""

    module: str
    extra: str
    is_folded: bool = False  # unquoted names come in capitals

    def uri(self, url: str) -> str:
        """Return the address as the driver wants it."""
        return url

    @abstractmethod
    def begin(self, cursor: Any, timeout: timedelta) -> None:
        """Let the transaction read only, and end after a time."""

    @abstractmethod
    def since(self, cursor: Any, moment: datetime | date, kind: pa.DataType) -> tuple[str, list[str]]:
        """Return an expression for a moment, and the parameters in it."""


class PostgreSQL(Dialect):
    """PostgreSQL and what speaks its protocol."""

    def uri(self, url: str) -> str:
        """Return the address with the waits that it does not set itself."""
        parts = urlsplit(url)
        return urlunsplit(parts._replace(query=urlencode(_PATIENT | dict(parse_qsl(parts.query)), quote_via=quote)))

    def begin(self, cursor: Any, timeout: timedelta) -> None:
        """Everything holds for this transaction alone, so that it also works behind a pooler."""
        cursor.execute("set transaction read only")
        _fetched(cursor, "select set_config('statement_timeout', $1, true)", [str(int(timeout.total_seconds() * 1000))])

    def since(self, cursor: Any, moment: datetime | date, kind: pa.DataType) -> tuple[str, list[str]]:
        """Hand the moment over as a setting: the planner still sees it, and uses an index."""
        _fetched(cursor, "select set_config('watchkeeper.since', $1, true)", [moment.isoformat()])
        name = "date" if pa.types.is_date(kind) else "timestamptz" if kind.tz else "timestamp"
        return f"current_setting('watchkeeper.since')::{name}", []


class Snowflake(Dialect):
    """Snowflake, whose driver gives batches whatever the parameters."""

    def uri(self, url: str) -> str:
        """Return the address without its kind, which this driver does not know."""
        return url.partition("://")[2]

    def begin(self, cursor: Any, timeout: timedelta) -> None:
        """End a statement after a time."""
        cursor.execute(f"alter session set statement_timeout_in_seconds = {max(1, int(timeout.total_seconds()))}")

    def since(self, cursor: Any, moment: datetime | date, kind: pa.DataType) -> tuple[str, list[str]]:  # noqa: ARG002 - PostgreSQL's needs it
        """Hand the moment over as a parameter."""
        name = "to_date" if pa.types.is_date(kind) else "to_timestamp_tz" if kind.tz else "to_timestamp_ntz"
        return f"{name}(?)", [moment.isoformat()]


_POSTGRESQL = PostgreSQL("adbc_driver_postgresql", "postgres")
DIALECTS: dict[str, Dialect] = {
    "postgresql": _POSTGRESQL,
    "postgres": _POSTGRESQL,
    "snowflake": Snowflake("adbc_driver_snowflake", "snowflake", is_folded=True),
}


def answers(connection: Connection) -> None:
    """Raise, with the reason, when a database does not answer."""
    with _asking(connection, Question("select 1", timedelta(seconds=_CONNECT_S))) as cursor:
        _fetched(cursor, "select 1")


def described(connection: Connection, question: Question) -> pa.Schema:
    """Return the columns that a query gives, without running it.

    Raises:
        UnreachableError: the database does not answer.
        ConfigurationError: it refuses the query, or there is no driver for it.

    """
    with _asking(connection, question) as cursor:
        return cursor.adbc_execute_schema(f"select * from {question.wrapped}")


def answer(connection: Connection, question: Question, columns: pa.Schema, *, limit: int | None = None) -> Iterator[pa.Table]:
    """Yield the rows of a query, of these columns, in tables of at most about PART_ROWS rows and PART_BYTES.

    Raises:
        UnreachableError: the database does not answer or takes too long; perhaps after some tables.

    """
    with _asking(connection, question) as cursor:
        sql = f"select {', '.join(map(quoted, columns.names))} from {question.wrapped}"
        parameters: list[str] = []
        if question.watermark is not None and question.since is not None:
            moment, parameters = DIALECTS[connection.scheme].since(cursor, question.since, columns.field(question.watermark).type)
            sql += f" where {quoted(question.watermark)} >= {moment} or {quoted(question.watermark)} is null"
        if limit is not None:
            sql += f" limit {int(limit)}"
        cursor.execute(sql, parameters or None)
        yield from _portions(cursor.fetch_record_batch())


def quoted(name: str) -> str:
    """Return the name of a column as SQL takes it, whatever is in it."""
    return '"' + name.replace('"', '""') + '"'


def _portions(reader: pa.RecordBatchReader) -> Iterator[pa.Table]:
    batches: list[pa.RecordBatch] = []
    rows = size = 0
    for whole in reader:
        for start in range(0, whole.num_rows, PART_ROWS):
            batch = whole.slice(start, PART_ROWS)
            if batches and (rows + batch.num_rows > PART_ROWS or size + batch.nbytes > PART_BYTES):
                yield pa.Table.from_batches(batches)
                batches, rows, size = [], 0, 0
            batches.append(batch)
            rows, size = rows + batch.num_rows, size + batch.nbytes
    if batches:
        yield pa.Table.from_batches(batches)


def _fetched(cursor: Any, sql: str, parameters: list[str] | None = None) -> None:
    cursor.execute(sql, parameters)
    cursor.fetchall()


@contextmanager
def _asking(connection: Connection, question: Question) -> Iterator[Any]:
    """Yield a cursor in a transaction of its own; whatever the driver raises inside is told in one sentence."""
    driver, dialect = _driver(connection)
    began = time.monotonic()
    try:
        with driver.connect(dialect.uri(connection.url)) as opened, opened.cursor() as cursor:
            dialect.begin(cursor, question.timeout)
            yield cursor
    except (driver.Error, pa.ArrowException, OSError) as error:
        kind, what, then = _told(error, connection, question, time.monotonic() - began)
        raise kind(what, where=connection.where, then=then) from None  # the driver's own text may hold the address


def _driver(connection: Connection) -> tuple[Any, Dialect]:
    dialect = DIALECTS.get(connection.scheme)
    if dialect is None:
        then = f"Known are {', '.join(k for k in DIALECTS if k != 'postgres')}; of another database write the rows to files."
        raise ConfigurationError(f"there is no driver for {connection.scheme}://", where=connection.where, then=then)
    try:
        return import_module(f"{dialect.module}.dbapi"), dialect
    except ImportError as error:
        then = f'pip install "watchkeeper[{dialect.extra}]"'
        raise ConfigurationError(f"the driver {dialect.module} is not installed", where=connection.where, then=then) from error


def _told(error: Exception, connection: Connection, question: Question, elapsed_s: float) -> tuple[type[WatchkeeperError], str, str]:
    """Return what went wrong and what to do next; a query that is refused is a mistake in the monitor file."""
    state, text = getattr(error, "sqlstate", None) or "", str(error)
    said = _SAID.search(text)
    lines = (said[1] if said else text.rpartition("] ")[2]).strip().splitlines()
    first = connection.safe(lines[0].rstrip(".")[:300] if lines else type(error).__name__)
    for reason, tell in _REASONS:
        if reason.search(f"{state} {text.lower()}"):
            return ConfigurationError if tell is _wrong else UnreachableError, *tell(first, connection, question)
    # While rows come, the driver passes the database's words on without their code.
    return UnreachableError, *(_slow if elapsed_s >= question.timeout.total_seconds() else _data)(first, connection, question)


def _expired(_first: str, connection: Connection, _question: Question) -> tuple[str, str]:
    user = f" of user '{connection.user}'" if connection.user else ""
    return f"the password{user} is refused: wrong, changed or expired", f"Renew it in {connection.origin}. {_LATER}."


def _slow(_first: str, _connection: Connection, question: Question) -> tuple[str, str]:
    seconds = int(question.timeout.total_seconds())
    limit = counted(seconds // 60, "minute") if seconds >= 60 and seconds % 60 == 0 else counted(seconds, "second")  # noqa: PLR2004 - of a minute
    then = f"Raise `timeout`, ask for less, or let the watermark have an index. {_LATER}."
    return f"the query took longer than its {limit} and was ended", then


def _unreachable(first: str, connection: Connection, _question: Question) -> tuple[str, str]:
    why = first.removeprefix("Failed to connect: ").rpartition("failed: ")[2].rpartition("dial tcp: ")[2]
    return f"cannot be reached ({why})", f"Look whether it runs and can be reached from here, or correct {connection.origin}. {_LATER}."


def _broken(_first: str, _connection: Connection, _question: Question) -> tuple[str, str]:
    return "the connection broke while it was read", f"Look whether the database was restarted. {_LATER}."


def _wrong(first: str, _connection: Connection, _question: Question) -> tuple[str, str]:
    return f"refuses the query ({first})", "Correct `sql`, or let the user read what it names; `watchkeeper check` asks again."


def _data(first: str, _connection: Connection, _question: Question) -> tuple[str, str]:
    """An error about a value may hold the value, which may be private."""
    return f"the query fails while it is read ({_QUOTED.sub('…', first).partition(': ')[0]})", f"Correct `sql`, or the data. {_LATER}."


_REASONS: tuple[tuple[re.Pattern[str], Callable[[str, Connection, Question], tuple[str, str]]], ...] = (
    (re.compile(r"^28|password authentication failed|no password supplied|incorrect username or password|39010[0-9]|390144"), _expired),
    (re.compile(r"^57014|statement timeout|000604|000630"), _slow),
    (re.compile(r"failed to connect|dial tcp|i/o timeout"), _unreachable),
    (re.compile(r"^08|^57|server closed the connection|connection not open|terminating connection"), _broken),
    (re.compile(r"^(42|0A|25)"), _wrong),
    (re.compile(r"^22"), _data),
)
"""What a driver may say, SQLSTATE first, and how it is told; numbers of six digits are Snowflake's own."""
