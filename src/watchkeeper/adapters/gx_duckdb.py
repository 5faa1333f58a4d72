"""The bridge that lets Great Expectations run its SQL on a live DuckDB connection.

Belongs here: the SQLAlchemy dialect, and how GX is told of it. Does not: suites and outcomes (expectations.py).
GX knows no DuckDB, and the published dialects lose each result when GX closes its connection before it fetches. The
bridge leans on a few inner parts of GX, so GX is pinned and tests/adapters/test_gx_duckdb.py is the contract.
Importing this module imports SQLAlchemy; import it inside functions.
"""

import types
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import duckdb
import sqlalchemy as sa
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.base import PGCompiler, PGDialect, PGIdentifierPreparer
from sqlalchemy.engine.default import DefaultExecutionContext

from watchkeeper.adapters.warehouse import heard

_LIVE: dict[str, duckdb.DuckDBPyConnection] = {}

# DuckDB's type names, as suites may write them, and the classes that GX compares.
TYPES: dict[str, type[sa.types.TypeEngine[Any]]] = {
    "BIGINT": sa.types.BIGINT,
    "BLOB": sa.types.BLOB,
    "BOOLEAN": sa.types.BOOLEAN,
    "DATE": sa.types.DATE,
    "DECIMAL": sa.types.DECIMAL,
    "DOUBLE": sa.types.DOUBLE,
    "ENUM": sa.types.VARCHAR,
    "FLOAT": sa.types.FLOAT,
    "HUGEINT": sa.types.NUMERIC,
    "INTEGER": sa.types.INTEGER,
    "INTERVAL": sa.types.Interval,
    "SMALLINT": sa.types.SMALLINT,
    "TIME": sa.types.TIME,
    "TIMESTAMP": sa.types.TIMESTAMP,
    "TIMESTAMP WITH TIME ZONE": sa.types.TIMESTAMP,
    "TIMESTAMP_MS": sa.types.TIMESTAMP,
    "TIMESTAMP_NS": sa.types.TIMESTAMP,
    "TIMESTAMP_S": sa.types.TIMESTAMP,
    "TINYINT": sa.types.SMALLINT,
    "UBIGINT": sa.types.NUMERIC,
    "UINTEGER": sa.types.BIGINT,
    "USMALLINT": sa.types.INTEGER,
    "UTINYINT": sa.types.SMALLINT,
    "UUID": sa.types.UUID,
    "VARCHAR": sa.types.VARCHAR,
}


class Cursor:
    """A cursor that fetches at once, so that its rows outlive the connection GX closes too early."""

    arraysize = 1
    rowcount = -1
    lastrowid = None

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Run statements on `connection`."""
        self._connection = connection
        self._rows: list[tuple[Any, ...]] = []
        self.description: list[tuple[Any, ...]] | None = None

    def execute(self, statement: str, parameters: Sequence[Any] | None = None) -> "Cursor":
        """Run one statement and keep its rows."""
        with heard():
            result = self._connection.execute(statement, list(parameters) if parameters else None)
            self.description = [(d[0], str(d[1]), None, None, None, None, None) for d in result.description or []] or None
            self._rows = result.fetchall() if self.description else []
        return self

    def executemany(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run one statement for each row of parameters."""
        self._connection.executemany(statement, [list(row) for row in rows])

    def fetchall(self) -> list[tuple[Any, ...]]:
        """Return what is left."""
        return self.fetchmany(len(self._rows))

    def fetchone(self) -> tuple[Any, ...] | None:
        """Return the next row, None after the last."""
        return next(iter(self.fetchmany(1)), None)

    def fetchmany(self, size: int = arraysize) -> list[tuple[Any, ...]]:
        """Return up to `size` rows."""
        taken, self._rows = self._rows[:size], self._rows[size:]
        return taken

    def close(self) -> None:
        """Do nothing: the rows are fetched already."""


class Connection:
    """A DB-API view of a DuckDB connection that its opener owns: it is neither committed nor closed from here."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Wrap `connection`."""
        self._connection = connection

    def cursor(self) -> Cursor:
        """Return a new cursor."""
        return Cursor(self._connection)

    def commit(self) -> None:
        """Do nothing."""

    def rollback(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class Driver(types.ModuleType):
    """What SQLAlchemy takes for a DB-API module."""

    paramstyle = "qmark"
    apilevel = "2.0"
    threadsafety = 1
    Error = DatabaseError = InterfaceError = duckdb.Error
    DataError = duckdb.DataError
    IntegrityError = duckdb.IntegrityError
    InternalError = duckdb.InternalError
    NotSupportedError = duckdb.NotSupportedError
    OperationalError = duckdb.OperationalError
    ProgrammingError = duckdb.ProgrammingError
    Warning = Warning

    @staticmethod
    def connect(key: str) -> Connection:
        """Return the live connection lent under `key`."""
        return Connection(_LIVE[key])


class Compiler(PGCompiler):
    """PostgreSQL's SQL, save where DuckDB differs."""

    def render_literal_value(self, value: Any, type_: Any) -> str:
        """Quote as standard SQL: DuckDB takes a backslash as it stands."""
        return super(PGCompiler, self).render_literal_value(value, type_)

    def visit_mod_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        """Write one percent sign: parameters are question marks here."""
        del operator
        return f"{self.process(binary.left, **kw)} % {self.process(binary.right, **kw)}"


class Identifiers(PGIdentifierPreparer):
    """Names, always in quotes: DuckDB reserves words that PostgreSQL does not, such as `at`."""

    def _requires_quotes(self, value: str) -> bool:
        del value
        return True


class Dialect(PGDialect):
    """DuckDB for SQLAlchemy, as far as GX asks."""

    name = "duckdb"
    driver = "duckdb"
    default_paramstyle = "qmark"
    default_schema_name = "main"
    statement_compiler = Compiler
    preparer = Identifiers
    execution_ctx_cls = DefaultExecutionContext  # type: ignore[assignment] # PostgreSQL's own reads sequences
    supports_sane_rowcount = False
    supports_server_side_cursors = False
    supports_statement_cache = True

    @classmethod
    def import_dbapi(cls) -> Any:
        """Return the driver."""
        return Driver("duckdb_driver")

    def create_connect_args(self, url: sa.URL) -> Any:
        """Return the key of the live connection."""
        return (url.database,), {}

    def initialize(self, connection: Any) -> None:
        """Ask the database nothing: PostgreSQL's questions do not apply."""

    def on_connect(self) -> None:
        """Do nothing on a new connection."""

    def get_columns(self, connection: Any, table_name: str, schema: str | None = None, **_: Any) -> Any:
        """Return the columns of a table or view with their types."""
        try:
            rows = self._describe(connection, table_name, schema)
        except sa.exc.DBAPIError as error:
            raise sa.exc.NoSuchTableError(table_name) from error
        return [{"name": row[0], "type": _type(row[1]), "nullable": row[2] == "YES", "default": None} for row in rows]

    def get_pk_constraint(self, *_: Any, **__: Any) -> Any:
        """Return no key: batches have none."""
        return {"constrained_columns": [], "name": None}

    def has_table(self, connection: Any, table_name: str, schema: str | None = None, **_: Any) -> bool:
        """Tell whether a table or view exists."""
        try:
            self._describe(connection, table_name, schema)
        except sa.exc.DBAPIError:
            return False
        return True

    def get_schema_names(self, connection: Any, **_: Any) -> Any:
        """Return the schemas."""
        return [row[0] for row in connection.exec_driver_sql("select distinct schema_name from information_schema.schemata")]

    def get_table_names(self, connection: Any, schema: str | None = None, **_: Any) -> Any:
        """Return the tables."""
        del schema
        return [row[0] for row in connection.exec_driver_sql("select table_name from duckdb_tables()")]

    def get_view_names(self, connection: Any, schema: str | None = None, **_: Any) -> Any:
        """Return the views that people made."""
        del schema
        return [row[0] for row in connection.exec_driver_sql("select view_name from duckdb_views() where not internal")]

    def _describe(self, connection: Any, table: str, schema: str | None) -> Any:
        quote = self.identifier_preparer.quote
        name = ".".join(quote(str(part)) for part in (schema, table) if part)
        return connection.exec_driver_sql(f"describe {name}").fetchall()


def _type(name: str) -> sa.types.TypeEngine[Any]:
    return TYPES.get(name.split("(", maxsplit=1)[0], sa.types.NullType)()


# GX looks up type names as attributes of the dialect's module, and calls REGEXP_MATCHES, which DuckDB has too, where
# that module carries the name DremioDialect.
_MODULE = types.SimpleNamespace(__name__="duckdb", dialect=Dialect, DremioDialect=None, **TYPES)

registry.impls["duckdb"] = lambda: Dialect


@contextmanager
def remembering() -> Iterator[None]:
    """Let GX build an expectation's configuration, and the name of a metric's arguments, once while the body runs.

    It builds both anew, with pydantic and JSON, each of the hundreds of times that a check asks: two fifths of the time of
    a check. Nothing changes an expectation while it is checked, and names are told apart by all that they are made of. One body at a time.
    """
    from great_expectations.core.id_dict import IDDict
    from great_expectations.expectations.expectation import Expectation

    built: dict[int, tuple[Any, Any]] = {}  # with the expectation itself, so that its id stays its own
    named: dict[tuple[Any, ...], Any] = {}
    anew, name = Expectation.configuration, IDDict.to_id

    def once(expectation: Any) -> Any:
        if id(expectation) not in built:
            built[id(expectation)] = (expectation, anew.fget(expectation))
        return built[id(expectation)][1]

    def name_once(arguments: Any, *only: Any, **keys: Any) -> Any:
        if only or keys:
            return name(arguments, *only, **keys)
        try:
            content = tuple((k, type(v), v) for k, v in arguments.items())
            if content not in named:
                named[content] = name(arguments)
            return named[content]
        except TypeError:  # lists and dictionaries do not hash
            return name(arguments)

    Expectation.configuration, IDDict.to_id = property(once), name_once
    try:
        yield
    finally:
        Expectation.configuration, IDDict.to_id = anew, name


@contextmanager
def batch(context: Any, connection: duckdb.DuckDBPyConnection, table: str, asset: str) -> Iterator[Any]:
    """Yield a GX batch over `table` of a live connection; `asset` is the name that results carry.

    The datasource is made once: GX writes its whole configuration out at every change, which costs more than a check.
    """
    _LIVE[table] = connection
    source = _source(context, table)
    engine = source.get_execution_engine()
    engine.dialect_module = _MODULE
    try:
        yield _definition(context, table, asset).get_batch()
    finally:
        engine.close()
        source.get_engine().dispose()
        source._execution_engine = None  # noqa: SLF001 - it has seen the columns of this connection's table
        del _LIVE[table]


@cache
def _source(context: Any, table: str) -> Any:
    return context.data_sources.add_sql(name=table, connection_string=f"duckdb:///{table}")


@cache
def _definition(context: Any, table: str, asset: str) -> Any:
    return _source(context, table).add_table_asset(asset, table_name=table).add_batch_definition_whole_table("whole")
