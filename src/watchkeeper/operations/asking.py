"""Queries to parts: what is new in a database, asked for once and handed on as files are.

Belongs here: from when on rows are asked for, which columns are taken, and how far a query was read. Does not: the database
(adapters/databases.py), landing (landing.py), or what repeats (repeats.py, resumed.py).

The whole answer goes to a nameless file on disk before its first row lands: the database is left alone soon, memory holds one
part, and nothing remains after a kill. How far the query was read is written down when all of it has landed, so whatever a
killed run has left out is asked for again; what it has landed is known by its ids.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import IO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from watchkeeper.adapters.connections import Connection, find
from watchkeeper.adapters.database_types import converted, is_taken, name_of
from watchkeeper.adapters.databases import Question, answer, described
from watchkeeper.adapters.files import Content
from watchkeeper.errors import ConfigurationError
from watchkeeper.monitor import Monitor, Place
from watchkeeper.operations.cast import lacks, needed_columns
from watchkeeper.operations.lots import Intake
from watchkeeper.records import Source, Watermark, key
from watchkeeper.words import listed

_AHEAD = timedelta(days=2)  # beyond it a watermark is a mistake: taken as read up to there, no row would ever be new again


@dataclass(frozen=True, slots=True)
class Query:
    """A query of one source of a monitor that the database has accepted: its columns, and those that cannot be taken."""

    monitor: Monitor
    source: Source
    connection: Connection
    question: Question
    columns: pa.Schema
    left_out: tuple[str, ...]

    @property
    def kept(self) -> list[str]:
        """The columns that land: a watermark that has no other use is none of the model's."""
        mark = self.question.watermark
        is_idle = mark is not None and mark not in self.monitor.named_columns | set(needed_columns(self.monitor, self.source))
        return [name for name in self.columns.names if not (is_idle and name == mark)]

    @property
    def texts(self) -> set[str]:
        """The columns whose numbers are names."""
        return {name for name, role in needed_columns(self.monitor, self.source).items() if role == "id"}

    @property
    def told_by(self) -> tuple[str, str]:
        """The column of its ids, and how the names of its parts begin."""
        return next(name for name, role in needed_columns(self.monitor, self.source).items() if role == "id"), f"{self.connection.name}-{self.source}"

    @property
    def identity(self) -> str:
        """What a watermark belongs to."""
        return key(self.connection.name, self.question.sql, self.question.watermark)


@dataclass(slots=True)
class Answer:
    """An answer on disk: how long each part is, and the greatest watermark in all of them."""

    file: IO[bytes]
    sizes: list[int] = field(default_factory=list)
    highest: datetime | date | None = None

    def parts(self) -> Iterator[bytes]:
        """Yield the parts, each as Parquet."""
        self.file.seek(0)
        for size in self.sizes:
            yield self.file.read(size)


def prepared(monitor: Monitor, source: Source, place: Place) -> Query:
    """Return the query of a source after asking the database for its columns.

    Raises:
        ConfigurationError: the connection is not known, the query is refused, or its columns are not those that the monitor needs.
        UnreachableError: the database does not answer.

    """
    connection = find(place.connection or "")
    question = Question(place.sql or "", place.timeout, place.watermark)
    there = described(connection, question)
    query = Query(monitor, source, connection, question, pa.schema([f for f in there if is_taken(f)]), tuple(_left_out(there)))
    if wrong := next(_mistakes(query, there), ""):
        raise ConfigurationError(wrong, where=f"{monitor.model}: the query for {source}", then="Correct `sql`, or the monitor file.")
    return query


def _mistakes(query: Query, there: pa.Schema) -> Iterator[str]:
    names, watermark = there.names, query.question.watermark
    if twice := sorted({n for n in names if names.count(n) > 1}):
        yield f"has more than one column named {listed(twice)}"
    needed = needed_columns(query.monitor, query.source)
    if lacking := lacks(names, needed):
        yield lacking
    if odd := [f"{f.name!r} is of the type {name_of(f)}" for f in there if f.name in needed and f.name not in query.columns.names]:
        yield f"{listed(odd)}, which cannot be taken; cast it in the query"
    if watermark is not None and watermark not in names:
        yield lacks(names, {watermark: "watermark"})
    if watermark is not None and watermark in names and not _is_time(there.field(watermark).type):
        yield f"the watermark {watermark!r} is of the type {name_of(there.field(watermark))}; it must be a column of times or dates"


def _is_time(kind: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(kind) or pa.types.is_date(kind))


def _left_out(there: pa.Schema) -> Iterator[str]:
    for f in there:
        if not is_taken(f):
            yield f"column {f.name!r} is left out: {name_of(f)} values are not supported; take what you need of them in the query"


@contextmanager
def asked(intake: Intake, place: Place) -> Iterator[tuple[Query, Answer]]:
    """Ask a database for what is new, and yield its answer.

    Raises:
        ConfigurationError: the connection is not known, the query is refused, or its columns are not those that the monitor needs.
        UnreachableError: the database does not answer or takes too long; nothing has landed then.

    """
    query = prepared(intake.monitor, intake.source, place)
    since = _since(intake, query, place.lookback)
    question = Question(query.question.sql, query.question.timeout, query.question.watermark, since)
    folder = intake.home.root / "spool"
    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        found = Answer(file)
        for rows in answer(query.connection, question, query.columns):
            found.highest = _highest(rows, query, found.highest, intake.now)
            found.sizes.append(file.write(_written(converted(rows.select(query.kept), query.texts))))
        yield query, found


def contents(query: Query, found: Answer, known: Callable[[pa.Table], pa.Table]) -> Iterator[Content]:
    """Yield the parts of an answer that have rows besides those which `known` takes away."""
    for number, data in enumerate(found.parts(), start=1):
        rows = pq.read_table(pa.BufferReader(data))
        left = known(rows)
        if left.num_rows:
            name = f"{query.told_by[1]}{f'-{number}' if len(found.sizes) > 1 else ''}.parquet"
            yield Content(name, data if left is rows else _written(left), is_part=True, notes=query.left_out)


def _written(rows: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(rows, sink, compression="zstd")
    return bytes(sink.getvalue())


def _highest(rows: pa.Table, query: Query, before: datetime | date | None, now: datetime) -> datetime | date | None:
    if query.question.watermark is None:
        return None
    column = rows[query.question.watermark]
    limit = pa.scalar((now + _AHEAD).astimezone(UTC).replace(tzinfo=None), pa.timestamp("us"))
    kind = column.type
    limit = limit.cast(pa.timestamp("us", kind.tz)) if pa.types.is_timestamp(kind) else limit.cast(pa.date32(), safe=False)
    highest: datetime | date | None = pc.max(column.filter(pc.less_equal(column, limit))).as_py()
    return max((m for m in (before, highest) if m is not None), default=None)


def _since(intake: Intake, query: Query, lookback: timedelta) -> datetime | date | None:
    """Return from when on rows are asked for, None for all of them."""
    reached = _reached(intake, query)
    return None if reached is None else reached - lookback


def _reached(intake: Intake, query: Query) -> datetime | date | None:
    if query.question.watermark is None:
        return None
    mine = (pc.field("model") == intake.monitor.model) & (pc.field("source") == intake.source) & (pc.field("query") == query.identity)
    found = intake.home.lake.read(Watermark.TABLE, columns=["value"], where=mine)
    values = [] if found is None else found["value"].to_pylist()
    return max((_moment(v) for v in values if _is_like(v, query)), default=None)


def _is_like(value: str, query: Query) -> bool:
    """Tell whether a watermark is of the kind that the column has today: another one cannot be compared with it."""
    kind = query.columns.field(query.question.watermark).type
    moment = _moment(value)
    return isinstance(moment, datetime) == pa.types.is_timestamp(kind) and (getattr(moment, "tzinfo", None) is None) == (
        getattr(kind, "tz", None) is None
    )


def _moment(value: str) -> datetime | date:
    return datetime.fromisoformat(value) if "T" in value else date.fromisoformat(value)


def note_reached(intake: Intake, query: Query, highest: datetime | date | None, batch_id: str) -> None:
    """Write down how far a query was read, once all of that has landed; not when it is no further than before."""
    before = _reached(intake, query)
    if highest is None or (before is not None and highest <= before):
        return
    reached = Watermark(
        model=intake.monitor.model,
        source=intake.source,
        query=query.identity,
        connection=query.connection.name,
        column=query.question.watermark or "",
        value=highest.isoformat(),
        batch_id=batch_id,
        at=intake.now,
    )
    intake.home.lake.append_records(Watermark, [reached])
