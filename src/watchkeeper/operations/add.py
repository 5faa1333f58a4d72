"""Adds a model to the workspace: reads its data, drafts a monitor and its expectation suites, and writes them.

Belongs here: the one action behind `watchkeeper add`. Does not: what is guessed and why (draft.py, guesses.py).
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.adapters import connections, databases, files
from watchkeeper.adapters.database_types import converted, is_taken
from watchkeeper.adapters.monitor_files import mistakes, understand
from watchkeeper.adapters.scaffold import create
from watchkeeper.adapters.suite_drafts import draft_suite
from watchkeeper.adapters.text_files import Reading
from watchkeeper.adapters.workspace import Home, load_monitors
from watchkeeper.adapters.yaml_lines import parse_yaml
from watchkeeper.errors import UnreadableError, UsageError
from watchkeeper.monitor import Monitor
from watchkeeper.operations.cast import Cast, cast
from watchkeeper.operations.draft import draft, glob_of, named
from watchkeeper.operations.drafting import SAID, Answer, Draft, Question, Said, Source
from watchkeeper.operations.lots import without_values
from watchkeeper.operations.monitor_text import monitor_text
from watchkeeper.operations.twins import dropped_twins, twin_text
from watchkeeper.words import counted

_INDEX = re.compile(r"__index_level_\d+__")
"""What pandas calls the numbers of its rows where it writes them down."""
_MOST_FILES, _ROWS_TO_LEARN_FROM = 1000, 100_000
_PATIENCE = timedelta(minutes=10)
_ANY_TIME = datetime(9000, 1, 1, tzinfo=UTC)  # a draft asks for no row whether it lies in the future


@dataclass(frozen=True, slots=True)
class Added:
    """What was guessed, what must still be said, and the files written (none while something must be said); `left_out` says what of the data is not used."""

    model: str
    guesses: list[Answer]
    questions: list[Question]
    files: list[str]
    kept: list[str]
    left_out: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A query to learn from, as the command line says it."""

    sql: str
    connection: str
    watermark: str | None = None

    def place(self, columns: Sequence[str]) -> dict[str, str]:
        """Return what the monitor file will say of it; of two queries only one may have the watermark."""
        said = {"sql": self.sql, "connection": self.connection}
        return said | ({"watermark": self.watermark} if self.watermark in columns and self.watermark else {})


Given = Path | Ask


def add(home: Home, model: str, *, events: Given, labels: Given | None, said: Said) -> Added:
    """Draft a monitor and its suites from data and write them; suites that are there already are kept.

    Raises:
        UsageError: the model is there already, or a named column or file is not.
        UnreadableError: a data file or a database cannot be read.
        ConfigurationError: a connection is not known, or its database refuses the query.

    """
    target = home.monitors_dir / f"{model}.yaml"
    twin = next((m for m in load_monitors(home)[0] if m.casefold() == model.casefold()), None)  # tables do not tell names apart by case
    if target.exists() or twin is not None:
        raise UsageError(f"there is a model '{twin or model}' already", where=str(home.monitors_dir), then="Edit its file, or choose another name.")
    given: dict[str, Given] = {"events": events, **({"labels": labels} if labels else {})}
    files.require([path for path in given.values() if isinstance(path, Path)])
    sources = _of_files(home, model, {kind: path for kind, path in given.items() if isinstance(path, Path)})
    sources |= {kind: _of_query(ask) for kind, ask in given.items() if isinstance(ask, Ask)}
    marks = {ask.watermark for ask in given.values() if isinstance(ask, Ask) and ask.watermark}
    if marks and not any("watermark" in source.place for source in sources.values()):
        raise UsageError(f"no query has a column '{marks.pop()}'", where="--watermark", then="Name the one that says when a row changed last.")
    sources, indexes = _without_indexes(sources, said)
    told = draft(model, sources["events"], sources.get("labels"), said=said, timezone=home.workspace.timezone)
    kept_columns, left_out = _without_twins(sources, told)
    if left_out:
        sources = kept_columns
        told = draft(model, sources["events"], sources.get("labels"), said=said, timezone=home.workspace.timezone)
    left_out = [*indexes, *left_out, *told.left_out]
    if told.questions:
        return Added(model, told.answers, told.questions, [], [], left_out)
    text = monitor_text(told.answers, " and ".join(p.name if isinstance(p, Path) else f"a query to {p.connection}" for p in given.values()))
    monitor = _understood(text, target.name)
    landed = {kind: cast(Reading.whole(source.rows), monitor, kind, now=_ANY_TIME) for kind, source in _by_kind(sources)}
    left_out += filter(None, (_set_aside(rows, kind, sources[kind].rows.num_rows) for kind, rows in landed.items()))
    create(target, text)
    written, kept = _write_suites(home, monitor, landed)
    return Added(model, told.answers, [], [_name(home, target), *written], kept, left_out)


def _without_twins(sources: dict[str, Source], told: Draft) -> tuple[dict[str, Source], list[str]]:
    """Return the sources without columns that differ from another only in case, and the sentences about these; one with a role stays."""
    dropped = {kind: dropped_twins(source.rows.column_names, wanted=told.taken()) for kind, source in sources.items()}
    kept = {kind: replace(source, rows=source.rows.drop_columns(list(dropped[kind]))) for kind, source in sources.items()}
    return kept, [twin_text(*twins) for of_source in dropped.values() for twins in of_source.items()]


def _without_indexes(sources: dict[str, Source], said: Said) -> tuple[dict[str, Source], list[str]]:
    """Return the sources without the row numbers that pandas writes, and the sentences about these; one that a person named stays."""
    named_ones = {name for value in asdict(said).values() for name in (value if isinstance(value, list) else [value])}
    found = {kind: [n for n in source.rows.column_names if _INDEX.fullmatch(n) and n not in named_ones] for kind, source in sources.items()}
    kept = {kind: replace(source, rows=source.rows.drop_columns(found[kind]), unused=tuple(found[kind])) for kind, source in sources.items()}
    told = [
        f"`{name}` of the {kind} is the index of pandas, no input of the model: it is left out" for kind, names in found.items() for name in names
    ]
    return kept, told


def _of_query(ask: Ask) -> Source:
    """Ask a database for some rows to learn from; later for columns of all of them."""
    connection, question = connections.find(ask.connection), databases.Question(ask.sql, _PATIENCE)
    there = databases.described(connection, question)
    taken = pa.schema([f for f in there if is_taken(f)])

    def read(columns: Sequence[str], limit: int | None = None) -> pa.Table:
        asked = pa.schema([taken.field(name) for name in dict.fromkeys(columns)])
        tables = [converted(rows, ()) for rows in databases.answer(connection, question, asked, limit=limit)]
        return pa.concat_tables(tables) if tables else converted(asked.empty_table(), ())

    names = [name for name in taken.names if name != ask.watermark]
    rows = read(names, _ROWS_TO_LEARN_FROM)
    if rows.num_rows == 0:
        raise UsageError("the query gives no rows to learn from", where=connection.where, then="Ask for some that are there.")
    return Source(rows, ask.place(there.names), SAID, read)


def _of_files(home: Home, model: str, paths: dict[str, Path]) -> dict[str, Source]:
    """Read the files; when the glob of one would also match the other, fewer of the digits vary, else each keeps its own name."""
    whole = {kind: path.resolve() for kind, path in paths.items()}
    globs = {kind: glob_of(path, home.root, model) for kind, path in whole.items()}
    if _overlap(whole, globs):
        globs = {kind: glob_of(path, home.root, model, is_tight=True) for kind, path in whole.items()}
    if _overlap(whole, globs):
        globs = {kind: (named(path, home.root), "this file alone: the other file's name is too much like it") for kind, path in whole.items()}
    return {
        kind: Source(
            _rows(path),
            {"files": globs[kind][0]},
            globs[kind][1],
            partial(_whole, home, path, globs[kind][0]),
            partial(_times, home, path, globs[kind][0]),
        )
        for kind, path in whole.items()
    }


def _overlap(paths: dict[str, Path], globs: dict[str, tuple[str, str]]) -> bool:
    """Tell whether a glob also matches the file of another kind."""
    return any(path.match(globs[other][0]) for kind, path in paths.items() for other in globs if other != kind)


def _whole(home: Home, path: Path, pattern: str, columns: Sequence[str]) -> pa.Table:
    """Return columns of all files that a glob matches; those that cannot be read, or lack a column, are left to intake."""
    tables = []
    for found in dict.fromkeys([path, *files.discover(home, pattern)[:_MOST_FILES]]):  # type: files.File
        try:
            rows = files.read(found, found.name)
        except UnreadableError:
            continue
        if set(columns) <= set(rows.column_names):
            tables.append(rows.select(list(dict.fromkeys(columns))))
    kinds = {t.schema for t in tables}
    return pa.concat_tables(tables if len(kinds) == 1 else [_as_text(t) for t in tables])


def _times(home: Home, path: Path, pattern: str, column: str) -> tuple[pa.ChunkedArray, str]:
    """Return a column of all files that a glob matches, and which files these are; of a store as many as are fetched in reasonable time."""
    found: list[files.File] = list(dict.fromkeys([path, *files.discover(home, pattern)]))
    some = found if all(isinstance(file, Path) for file in found) else found[:_MOST_FILES]
    columns = []
    for file in some:
        try:
            columns.append(files.column_of(file, column))
        except UnreadableError:
            continue
    known = [c for c in columns if c is not None]
    alike = known if len({c.type for c in known}) == 1 else [pc.cast(c, pa.string()) for c in known]
    said = "the files'" if len(some) == len(found) else f"the first {len(some):,} of {len(found):,} files'"
    return pa.chunked_array([chunk for c in alike for chunk in c.chunks], alike[0].type), said


def _as_text(rows: pa.Table) -> pa.Table:
    """Return a table whose columns are text, so that files which write the same differently can be put together."""
    return pa.table({name: pc.cast(rows[name], pa.string()) for name in rows.column_names})


def _rows(path: Path) -> pa.Table:
    rows = files.read(path, path.name)
    if rows.num_rows == 0:
        raise UsageError("has no rows to learn from", where=str(path), then="Name a file with rows.")
    return rows


def _understood(text: str, name: str) -> Monitor:
    monitor, problems = understand(Monitor, parse_yaml(text, name))
    if monitor is None:
        raise mistakes(problems)
    return monitor


def _by_kind(sources: dict[str, Source]) -> Iterator[tuple[Literal["events", "labels"], Source]]:
    kinds: tuple[Literal["events", "labels"], ...] = ("events", "labels")
    yield from ((kind, sources[kind]) for kind in kinds if kind in sources)


def _set_aside(landed: Cast, kind: str, rows: int) -> str:
    """Say how many rows of what a draft was learned from intake would set aside, and why most of them; empty where it would none."""
    rejected = landed.rejects.reasons
    if not rejected:
        return ""
    reason, many = Counter(without_values(reasons[0]) for reasons in rejected.values()).most_common(1)[0]
    which = f", {many:,} of them since" if many < len(rejected) else ":"
    return f"{len(rejected):,} of {counted(rows, 'row')} of the {kind} will be set aside when taken in{which} {reason}; see that task, column and unit are the right ones"


def _write_suites(home: Home, monitor: Monitor, landed: dict[Literal["events", "labels"], Cast]) -> tuple[list[str], list[str]]:
    """Write a suite for rows as it sees them when they are taken in: without the unusable ones, a whole-number score as a number."""
    written, kept = [], []
    for kind, rows in landed.items():
        path = home.suites_dir / f"{monitor.suite_names[kind]}.json"
        if path.exists():
            kept.append(_name(home, path))
            continue
        drafted = draft_suite(rows.view, monitor=monitor, source=kind, set_aside=len(rows.rejects.reasons))
        create(path, json.dumps(drafted, indent=2, ensure_ascii=False, default=str) + "\n")
        written.append(_name(home, path))
    return written, kept


def _name(home: Home, path: Path) -> str:
    return str(path.relative_to(home.root))
