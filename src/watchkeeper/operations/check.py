"""Checks a whole workspace: monitors, suites, and the columns they name against the newest data.

Belongs here: what can be wrong between files. Does not: what can be wrong inside one (adapters/monitor_files.py, suite_lint.py).
"""

import difflib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from watchkeeper.adapters import files
from watchkeeper.adapters.expressions import columns_of
from watchkeeper.adapters.monitor_files import Problem, beside_unknown_keys, nearest
from watchkeeper.adapters.suite_lint import lint_suites
from watchkeeper.adapters.suites import parse
from watchkeeper.adapters.text_files import with_paths
from watchkeeper.adapters.workspace import Home, load_monitors, monitor_documents
from watchkeeper.adapters.yaml_lines import Document
from watchkeeper.adapters.yaml_lines import Path as Key
from watchkeeper.errors import ConfigurationError, UnreachableError, UnreadableError
from watchkeeper.judgement.self_audit import self_audit
from watchkeeper.judgement.standing import named_version, unseen
from watchkeeper.measures import prices, token_prices
from watchkeeper.measures.prices import Price
from watchkeeper.measures.token_prices import TokenPrice
from watchkeeper.monitor import Cost, Monitor, Place
from watchkeeper.operations.asking import prepared
from watchkeeper.operations.bins_in_force import reference_problem, stored_bins, too_short
from watchkeeper.operations.cost_doubts import book_doubts, cost_doubts
from watchkeeper.operations.draft import glob_of
from watchkeeper.operations.era_signals import charted_now
from watchkeeper.operations.label_classes import remarks
from watchkeeper.operations.latency_units import latency_doubts
from watchkeeper.operations.limits import wild_text
from watchkeeper.operations.maturity import maturity_of
from watchkeeper.operations.own_kpis import ROLES
from watchkeeper.operations.sensitive import not_audited
from watchkeeper.operations.spending import Books, books_or_reasons
from watchkeeper.operations.suite_fit import unanswerable
from watchkeeper.operations.trust import awaits_reference, reference_doubt
from watchkeeper.operations.twins import dropped_twins, twin_text
from watchkeeper.operations.unlooked import MEND, unlooked_text
from watchkeeper.operations.verdict import suite_file
from watchkeeper.operations.version_list import known_standings, version_doubt
from watchkeeper.profiles.kinds import source_of
from watchkeeper.records import Source
from watchkeeper.words import counted

_NAME_COLUMNS = ("column", "column_A", "column_B")


@dataclass(frozen=True, slots=True)
class Finding:
    """A mistake, which must be corrected, or a warning, which should be read."""

    level: Literal["mistake", "warning"]
    file: str
    line: int | None
    what: str
    hint: str = ""
    model: str = ""

    def __str__(self) -> str:
        """One sentence."""
        return str(Problem(self.file, self.line, self.what, self.hint))


@dataclass(frozen=True, slots=True)
class Checked:
    """What was looked at, and what was found."""

    monitors: list[str]
    suites: list[str]
    findings: list[Finding]

    @property
    def is_sound(self) -> bool:
        """Tell whether nothing must be corrected."""
        return not any(f.level == "mistake" for f in self.findings)


def check(home: Home, *, now: datetime) -> Checked:
    """Return everything that is wrong in the workspace as of `now`, all at once."""
    (monitors, problems), books = load_monitors(home), books_or_reasons(home)
    found = [Finding("mistake", p.file, p.line, p.what, p.hint, p.model) for p in problems]
    for document in monitor_documents(home):
        monitor = monitors.get(str(document.data.get("model"))) or beside_unknown_keys(Monitor, document)
        if monitor is not None:
            found += _of_monitor(home, monitor, books, document, now)
    found += _of_suites(home, monitors, is_whole=not problems)
    found += _of_prices(books, {m.cost.currency for m in monitors.values()})
    found += [Finding("warning", doubt.about, None, doubt.what, doubt.hint) for doubt in book_doubts(home, monitors, books, now=now)]
    names = sorted(path.name for path in home.suites_dir.glob("*.json"))
    if not monitors and not problems:
        found.append(
            Finding(
                "warning", str(home.monitors_dir.relative_to(home.root)), None, "no model is watched yet", "run `watchkeeper add MODEL --events FILE`"
            )
        )
    return Checked(sorted(monitors), names, found)


def _of_monitor(home: Home, monitor: Monitor, books: Books, document: Document, now: datetime) -> Iterator[Finding]:
    if not monitor.channel:
        yield _finding("warning", document, ("owner",), "no owner", "name who answers for the model: a person or a channel")
    if short := too_short(monitor):
        yield _finding("warning", document, ("reference", "to"), short, "let reference.to be a later day")
    if doubt := reference_doubt(home, monitor, now=now):
        yield _finding("warning", document, ("reference",), doubt, "see docs/monitor-file.md, Reference")
    for said in wild_text(self_audit(*charted_now(home, monitor, now=now))):
        yield _finding("warning", document, ("reference",), said, f"`watchkeeper limits {monitor.model}` shows when")
    yield from _of_newest(home, monitor, document, now)
    yield from _of_latencies(home, monitor, document, now)
    yield from _of_costs(monitor, books, document, now)
    yield from _of_labels(home, monitor, document, now)
    if awaits_reference(home, monitor, now):
        hint = "until then nothing is judged; name days of which there are rows"
        yield _finding("warning", document, ("reference",), reference_problem(monitor, now=now), hint)
    known = known_standings(home, monitor, now=now) if monitor.versions.references else []
    for name in unseen(monitor, known) if known else ():
        there = sorted({named_version(s.version) for s in known})
        yield _finding("warning", document, ("versions", "references", name), f"no row of version '{name}' has landed", _near(name, there))
    for standing in known:
        if standing.source == "named" and (why := standing.why or version_doubt(home, monitor, standing, now=now)):
            yield _finding("warning", document, ("versions", "references", named_version(standing.version)), why)
    if monitor.sensitive and (why := not_audited(monitor)[0]):
        yield _finding("warning", document, ("sensitive",), why, "the columns are not audited")
    yield from _of_columns(home, monitor, document)


def _of_newest(home: Home, monitor: Monitor, document: Document, now: datetime) -> Iterator[Finding]:
    if asleep := unlooked_text(home, monitor, now=now):
        yield _finding("warning", document, ("events",), asleep, MEND)


def _of_latencies(home: Home, monitor: Monitor, document: Document, now: datetime) -> Iterator[Finding]:
    for said in latency_doubts(home, monitor, now=now):
        yield _finding("warning", document, ("columns", "latency"), said, "see docs/service.md, Which columns to log")


def _of_costs(monitor: Monitor, books: Books, document: Document, now: datetime) -> Iterator[Finding]:
    for doubt in cost_doubts(monitor, books, now=now):
        yield _finding("warning", document, ("cost", doubt.about), doubt.what, doubt.hint)


def _of_labels(home: Home, monitor: Monitor, document: Document, now: datetime) -> Iterator[Finding]:
    if not (due := maturity_of(home, monitor, now=now)).is_settled and stored_bins(home, monitor, now=now):
        yield _finding("warning", document, ("labels", "mature_after"), due.text)
    for said in filter(None, remarks(home, monitor, now=now)):
        yield _finding("warning", document, ("labels", "column"), said, "see docs/late-labels.md, Labels of other classes")


def _of_columns(home: Home, monitor: Monitor, document: Document) -> Iterator[Finding]:
    events: dict[Key, str] = {("columns", role): name for role, name in monitor.columns.single().items()}
    events |= {("columns", "probabilities", label): name for label, name in monitor.columns.probabilities.items()}
    events |= {("columns", "attributions", of): name for of, name in monitor.columns.attributions.items()}
    events |= {("features", i): name for i, name in enumerate(monitor.features or [])}
    events |= {("segments", i): part for i, pair in enumerate(monitor.segments) for part in pair.split("&")}
    events |= {("sensitive", i): name for i, name in enumerate(monitor.sensitive)}
    events |= {("targets", i, "feature"): t.feature for i, t in enumerate(monitor.targets) if t.feature and not t.feature.startswith("@")}
    events |= {("kpis", i, "sql", name): name for i, kpi in enumerate(monitor.kpis) for name in columns_of(kpi.sql) if name not in ROLES}
    of_labels = {monitor.labels.join, monitor.labels.column} if monitor.labels is not None else set()
    events |= {("private", i): name for i, name in enumerate(monitor.private) if name not in of_labels}
    named: dict[Source, dict[Key, str]] = {"events": events}
    if monitor.labels is not None:
        named["labels"] = {("labels", role): name for role in ("join", "column", "time") if (name := getattr(monitor.labels, role))}
    for source, place in monitor.places.items():
        if place.files is not None:
            yield from _against_newest(home, document, (source, "files"), place.files, named[source])
            yield from _of_files_beside(home, monitor, document, source, place.files)
            yield from _of_suite_columns(home, monitor, source, place.files)
        else:
            yield from _against_answer(monitor, document, source, place, named[source])
    if monitor.reference.files is not None:
        yield from _against_newest(home, document, ("reference", "files"), monitor.reference.files, events)


def _against_answer(monitor: Monitor, document: Document, source: Source, place: Place, named: dict[Key, str]) -> Iterator[Finding]:
    """Yield what is wrong with a query: its connection, what the database refuses, and the named columns that it does not give."""
    try:
        query = prepared(monitor, source, place)
    except UnreachableError as error:
        yield _finding("warning", document, (source, "sql"), str(error).rstrip("."), "its columns were not checked")
        return
    except ConfigurationError as error:
        at = "connection" if error.what.startswith("there is no connection") else "sql"
        yield _finding("mistake", document, (source, at), f"{source}.{at}: {error.what}", error.then)
        return
    for left_out in query.left_out:
        yield _finding("warning", document, (source, "sql"), left_out)
    for key, column in named.items():
        if column not in query.columns.names:
            yield _finding(_level(key), document, key, f"the query has no column '{column}'", _near(column, query.columns.names))
    for twins in dropped_twins(query.columns.names, wanted=named.values()).items():
        yield _finding("warning", document, (source, "sql"), twin_text(*twins))


def _against_newest(home: Home, document: Document, said_at: Key, pattern: str, named: dict[Key, str]) -> Iterator[Finding]:
    """Yield the named columns that the newest file of `pattern` lacks."""
    try:
        newest = _newest(files.discover(home, pattern))
        columns = with_paths(files.read(newest, newest.name), named.values()).column_names if newest else []
    except UnreadableError as error:
        yield _finding("warning", document, said_at, f"the newest file {error}", "its columns were not checked")
        return
    if newest is None:
        yield _finding("warning", document, said_at, f"no file matches {pattern} yet", "its columns were not checked")
        return
    for key, column in named.items():
        if source_of(column, columns)[0] not in columns:
            valid = [*columns, *ROLES] if key[0] == "kpis" else columns
            yield _finding(_level(key), document, key, f"{newest.name} has no column '{column}'", _near(column, valid))
    for twins in dropped_twins(columns, wanted=named.values()).items():
        yield _finding("warning", document, said_at, f"{newest.name}: {twin_text(*twins)}")


def _of_files_beside(home: Home, monitor: Monitor, document: Document, source: Source, pattern: str) -> Iterator[Finding]:
    """Yield that files which differ in digits alone from the one file that is named are not read."""
    path = home.root / pattern
    if files.is_glob(pattern) or not path.is_file():
        return
    like, _ = glob_of(path, home.root, is_tight=True)
    patterns = [monitor.reference.files, *(place.files for place in monitor.places.values())]
    read = {file for each in patterns if each for file in files.discover(home, each)}
    beside = [file.name for file in files.discover(home, like) if file not in read]
    if beside:
        what = f"{counted(len(beside), 'file')} beside {path.name} {'is' if len(beside) == 1 else 'are'} not read, such as {beside[-1]}"
        yield _finding("warning", document, (source, "files"), what, f"write {like} to read all of them")


def _level(key: Key) -> Literal["mistake", "warning"]:
    """Return how grave it is that a column is missing: a private one may be in some files only, but a misspelt one would be shown."""
    return "warning" if key[0] == "private" else "mistake"


def _of_suite_columns(home: Home, monitor: Monitor, source: Source, pattern: str) -> Iterator[Finding]:
    """Yield the expectations that cannot be evaluated on the newest file of their source: it lacks the column, or has another kind."""
    suite = suite_file(home, monitor, source)
    if not suite.exists():
        return
    try:
        newest = _newest(files.discover(home, pattern))
        if newest is None:
            return
        entries = parse(suite, suite.read_text("utf-8"))["expectations"]
        schema = with_paths(files.read(newest, newest.name), monitor.named_columns).schema
    except (ConfigurationError, UnreadableError):
        return  # told elsewhere
    columns, place = schema.names, str(suite.relative_to(home.root))
    named = {str(kwargs[name]) for e in entries if isinstance(kwargs := e.get("kwargs"), dict) for name in _NAME_COLUMNS if name in kwargs}
    for column in sorted(named - set(columns)):
        yield Finding("warning", place, None, f"{newest.name} has no column '{column}'", _near(column, columns), monitor.model)
    roles = monitor.columns
    numbers = (
        [
            name
            for name in (
                roles.score,
                roles.latency,
                roles.queue_time,
                roles.input_tokens,
                roles.output_tokens,
                roles.cached_tokens,
                *roles.probabilities.values(),
            )
            if name
        ]
        if source == "events"
        else []
    )
    for what in unanswerable(entries, schema, file=newest.name, numbers=numbers):
        yield Finding("mistake", place, None, what, model=monitor.model)


def _newest(found: list[files.File]) -> files.File | None:
    return max(found, key=lambda f: (files.written_at(f), f.name), default=None)


def _of_suites(home: Home, monitors: dict[str, Monitor], *, is_whole: bool) -> Iterator[Finding]:
    """Check the suites; which of them are used is known once all monitors are understood (`is_whole`)."""
    folder = str(home.suites_dir.relative_to(home.root))
    try:
        gaps = lint_suites(home.suites_dir)
    except ConfigurationError as error:
        yield Finding("mistake", folder, None, error.what)
    else:
        yield from (Finding("warning", folder, None, gap.removesuffix(".")) for gap in gaps)
    used = {name for m in monitors.values() for source, name in m.suite_names.items() if source == "events" or m.labels is not None}
    there = {path.stem for path in home.suites_dir.glob("*.json")}
    explicit = {m.suite for m in monitors.values()} | {m.labels_suite for m in monitors.values()}
    for name in sorted(used - there):
        level: Literal["mistake", "warning"] = "mistake" if name in explicit else "warning"
        yield Finding(
            level,
            f"{folder}/{name}.json",
            None,
            "is not there",
            "nothing is checked before its rows land" if level == "warning" else _near(name, there),
        )
    if monitors and is_whole:
        yield from (Finding("warning", f"{folder}/{name}.json", None, "no monitor uses it", _near(name, used)) for name in sorted(there - used))


def _of_prices(books: Books, currencies: Collection[str]) -> Iterator[Finding]:
    """Yield what is wrong in the price books, and currencies in which no model is billed; those of the default are shipped, and say nothing."""
    for place, error in books.wrong.items():
        yield Finding("mistake", place, None, error.what, error.then)
    of_books: tuple[tuple[str, Sequence[Price | TokenPrice]], ...] = ((prices.BOOK, books.gpus), (token_prices.BOOK, books.tokens))
    for place, lines_of in of_books:
        for idle in sorted({p.currency for p in lines_of} - {*currencies, Cost().currency}) if currencies else ():
            lines = [p.line for p in lines_of if p.currency == idle]
            hint = f"write `currency: {idle}` under `cost` of the monitors that are billed in it"
            yield Finding(
                "warning",
                place,
                lines[0],
                f"no model is billed in {idle}: {counted(len(lines), 'price')} in it {'is' if len(lines) == 1 else 'are'} not used",
                hint,
            )


def _finding(level: Literal["mistake", "warning"], document: Document, key: Key, what: str, hint: str = "") -> Finding:
    place = document.place(key)
    return Finding(level, place.file, place.line, what, hint, str(document.data.get("model")))


def _near(word: str, valid: Collection[str]) -> str:
    """Return the nearest valid word, or all when there are few."""
    close = difflib.get_close_matches(word, list(valid), n=1, cutoff=0.6)
    return nearest(word, valid) if close or len(valid) <= 40 else ""  # noqa: PLR2004 - more than that nobody reads
