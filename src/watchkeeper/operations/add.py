"""Adds a model to the workspace: reads its data files, drafts a monitor and its expectation suites, and writes them.

Belongs here: the one action behind `watchkeeper add`. Does not: what is guessed and why (draft.py, guesses.py).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.adapters import files
from watchkeeper.adapters.monitor_files import mistakes, understand
from watchkeeper.adapters.scaffold import create
from watchkeeper.adapters.suite_drafts import draft_suite
from watchkeeper.adapters.text_files import Reading
from watchkeeper.adapters.workspace import Home, load_monitors
from watchkeeper.adapters.yaml_lines import parse_yaml
from watchkeeper.errors import UnreadableError, UsageError
from watchkeeper.monitor import Monitor
from watchkeeper.operations.cast import cast
from watchkeeper.operations.draft import Answer, Question, Said, Source, draft, glob_of, named
from watchkeeper.operations.monitor_text import monitor_text

_MOST_FILES = 1000
_ANY_TIME = datetime(9000, 1, 1, tzinfo=UTC)  # a draft asks for no row whether it lies in the future


@dataclass(frozen=True, slots=True)
class Added:
    """What was guessed, what must still be said, and the files written (none while something must be said)."""

    model: str
    guesses: list[Answer]
    questions: list[Question]
    files: list[str]
    kept: list[str]


def add(home: Home, model: str, *, events: Path, labels: Path | None, said: Said) -> Added:
    """Draft a monitor and its suites from data files and write them; suites that are there already are kept.

    Raises:
        UsageError: the model is there already, or a named column or file is not.
        UnreadableError: a data file cannot be read.

    """
    target = home.monitors_dir / f"{model}.yaml"
    if target.exists() or model in load_monitors(home)[0]:
        raise UsageError(f"there is a model '{model}' already", where=str(home.monitors_dir), then="Edit its file, or choose another name.")
    files.require([events, *([labels] if labels else [])])
    sources = _sources(home, {"events": events, **({"labels": labels} if labels else {})})
    told = draft(model, sources["events"], sources.get("labels"), said=said, timezone=home.workspace.timezone)
    if told.questions:
        return Added(model, told.answers, told.questions, [], [])
    text = monitor_text(told.answers, " and ".join(p.name for p in (events, labels) if p))
    monitor = _understood(text, target.name)
    create(target, text)
    written, kept = _write_suites(home, monitor, sources)
    return Added(model, told.answers, [], [_name(home, target), *written], kept)


def _sources(home: Home, paths: dict[str, Path]) -> dict[str, Source]:
    """Read the files; when the glob of one would also match the other, each keeps its own name."""
    whole = {kind: path.resolve() for kind, path in paths.items()}
    globs = {kind: glob_of(path, home.root) for kind, path in whole.items()}
    if any(path.match(globs[other][0]) for kind, path in whole.items() for other in globs if other != kind):
        globs = {kind: (named(path, home.root), "this file alone: the other file's name is too much like it") for kind, path in whole.items()}
    return {kind: Source(_rows(path), *globs[kind], partial(_whole, home, path, globs[kind][0])) for kind, path in whole.items()}


def _whole(home: Home, path: Path, pattern: str, columns: Sequence[str]) -> pa.Table:
    """Return columns of all files that a glob matches; those that cannot be read, or lack a column, are left to intake."""
    tables = []
    for found in dict.fromkeys([path, *files.discover(home, pattern)[:_MOST_FILES]]):
        try:
            rows = files.read(found, found.name)
        except UnreadableError:
            continue
        if set(columns) <= set(rows.column_names):
            tables.append(rows.select(list(dict.fromkeys(columns))))
    kinds = {t.schema for t in tables}
    return pa.concat_tables(tables if len(kinds) == 1 else [_as_text(t) for t in tables])


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


def _write_suites(home: Home, monitor: Monitor, sources: dict[str, Source]) -> tuple[list[str], list[str]]:
    written, kept = [], []
    kinds: tuple[Literal["events", "labels"], ...] = ("events", "labels")
    for kind in kinds:
        if kind not in sources:
            continue
        path = home.suites_dir / f"{monitor.suite_names[kind]}.json"
        if path.exists():
            kept.append(_name(home, path))
            continue
        drafted = draft_suite(_as_landed(sources[kind].rows, monitor, kind), monitor=monitor, source=kind)
        create(path, json.dumps(drafted, indent=2, ensure_ascii=False, default=str) + "\n")
        written.append(_name(home, path))
    return written, kept


def _as_landed(rows: pa.Table, monitor: Monitor, kind: Literal["events", "labels"]) -> pa.Table:
    """Return rows as a suite sees them when they are taken in: without the unusable ones, a whole-number score as a number."""
    return cast(Reading.whole(rows), monitor, kind, now=_ANY_TIME).view


def _name(home: Home, path: Path) -> str:
    return str(path.relative_to(home.root))
