"""A dry run of validation: what would fail, how many rows would be set aside and why. Nothing is written.

Belongs here: choosing the rows and the suite, taking a file through intake's own steps, and adding up what they come to. Does
not: those steps (cast.py, shape.py, verdict.py), or landing (landing.py). Repeated ids are not looked for.
"""

import difflib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.adapters.expectations import Checked, Finding
from watchkeeper.adapters.files import Content, interpret, load, require
from watchkeeper.adapters.warehouse import ask, connect, quoted
from watchkeeper.adapters.widening import can_widen
from watchkeeper.adapters.workspace import Home
from watchkeeper.errors import ConfigurationError, UnreadableError, UsageError
from watchkeeper.monitor import Monitor
from watchkeeper.operations.asking import asked, contents
from watchkeeper.operations.cast import Cast, Rejects, cast, labels_of, texts_of
from watchkeeper.operations.lots import Intake
from watchkeeper.operations.shape import Shape, agree
from watchkeeper.operations.verdict import Verdict, of_some_rows, verdict
from watchkeeper.records import Source
from watchkeeper.words import counted

LAST = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What validation would come to; `reasons` counts rows per reason, those of intake's own casting included."""

    model: str
    source: Source
    what: str
    suite: str
    suite_hash: str
    rows: int
    quarantined: int
    is_refused: bool
    reasons: dict[str, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    @property
    def is_failed(self) -> bool:
        """Tell whether a critical expectation fails."""
        return any(f.is_critical_failure for f in self.findings)

    @property
    def is_evaluated(self) -> bool:
        """Tell whether there were rows and expectations, and each could be evaluated."""
        return self.rows > 0 and bool(self.findings) and all(f.outcome != "error" for f in self.findings)


def validate(
    home: Home,
    monitor: Monitor,
    *,
    now: datetime,
    file: Path | None = None,
    last: timedelta | None = None,
    is_asked: bool = False,
    suite: str | None = None,
    source: Source = "events",
) -> Preview:
    """Check a file as intake would, or (`is_asked`) what the monitor's query gives, or else what landed of the `last` days (default 30) before `now`.

    Raises:
        UsageError: more than one of them is given, there is no such file, or no query.
        UnreachableError: the database does not answer.
        ConfigurationError: the suite named is not there, or is no suite.
        UnreadableError: the file cannot be read, or lacks a column that every row needs.

    """
    if (file is not None) + (last is not None) + is_asked > 1:
        raise UsageError("give either a file, a stretch of time or --new, not more than one", then="Leave out --last to check the file.")
    judged = _with_suite(home, monitor, source, suite)
    if file is not None:
        return _of_file(home, judged, source, file, now)
    if is_asked:
        return _of_query(home, judged, source, now)
    stretch = last or LAST
    rows = _landed(home, judged, source, now, stretch)
    found, left_out = of_some_rows(verdict(home, judged, source, rows))
    besides = f", beside {counted(left_out, 'expectation')} about the rows of one file" if left_out else ""
    what = f"{source} of the {_spelled(stretch)} before {now:%Y-%m-%d %H:%M} UTC{besides}"
    return _preview(judged, source, what, rows.num_rows, found, {})


def _with_suite(home: Home, monitor: Monitor, source: Source, suite: str | None) -> Monitor:
    if suite is None:
        return monitor
    if not (home.suites_dir / f"{suite}.json").exists():
        near = difflib.get_close_matches(suite, [p.stem for p in home.suites_dir.glob("*.json")], n=1)
        raise ConfigurationError(f"there is no suite {suite!r}" + (f"; the nearest is {near[0]!r}." if near else "."), where=str(home.suites_dir))
    return monitor.model_copy(update={"suite" if source == "events" else "labels_suite": suite})


def _of_file(home: Home, monitor: Monitor, source: Source, file: Path, now: datetime) -> Preview:
    require([file])
    content = load(file)
    if content is None:
        raise UnreadableError("has just vanished", where=str(file), then="Send it again.")
    return _of_content(home, monitor, source, content, now)


def _of_query(home: Home, monitor: Monitor, source: Source, now: datetime) -> Preview:
    """Check what the next intake would ask for, or the first part of it."""
    place = monitor.places.get(source)
    if place is None or place.sql is None:
        raise UsageError(f"{monitor.model} has no query for {source}", where="--new", then="Name a file by --file.")
    with asked(Intake(home, monitor, source, now), place) as (query, answer):
        content = next(contents(query, answer, lambda rows: rows), None)
    return _of_content(home, monitor, source, content, now) if content else _preview(monitor, source, query.told_by[1], 0, Verdict(Checked()), {})


def _of_content(home: Home, monitor: Monitor, source: Source, content: Content, now: datetime) -> Preview:
    reading = interpret(content.data, content.name, texts_of(monitor))
    try:
        lot = cast(reading, monitor, source, now=now)
    except UnreadableError as error:
        raise UnreadableError(error.what, where=error.where or f"{content.name}, for {monitor.model}", then=error.then) from error
    view, rejects = _as_intake(home, monitor, source, lot)
    found = verdict(home, monitor, source, view)
    found = of_some_rows(found)[0] if content.is_part else found
    return _preview(monitor, source, content.name, reading.rows.num_rows + len(reading.unfit), found, rejects.reasons)


def _as_intake(home: Home, monitor: Monitor, source: Source, read: Cast) -> tuple[pa.Table, Rejects]:
    """Return what the suite sees of a file, in the types of the lake, and the rows that do not fit those."""
    table = f"{source}/{monitor.model}"
    dataset = home.lake.dataset(table)
    shape = Shape(
        None if dataset is None else dataset.schema,
        partial(can_widen, home.lake, table),
        id_column=monitor.columns.id if source == "events" else "id",
    )
    rejects = read.rejects.copy()
    rows = agree(read, shape, monitor, {monitor.columns.id, "id", "label"}, rejects, [])
    view = read.view.filter(pc.is_in(read.view["wk_row"], rows["wk_row"].combine_chunks()))
    columns = {n: view[n].cast(pa.string()) if pa.types.is_null(view[n].type) else view[n] for n in view.column_names}
    return pa.table(columns | ({n: rows[n] for n in rows.column_names if n in columns} if source == "events" else {})), rejects


def _landed(home: Home, monitor: Monitor, source: Source, now: datetime, last: timedelta) -> pa.Table:
    """Return landed rows in the words of the files they came from, numbered."""
    table = f"{source}/{monitor.model}"
    dataset = home.lake.dataset(table)
    if dataset is None:
        return pa.table({"wk_row": pa.array([], pa.int64())})
    if source == "events":
        columns, moment = ", ".join(quoted(name) for name in dataset.schema.names if not name.startswith("wk_")), "wk_time"
    else:
        columns, moment = _label_columns(monitor), "labelled_at"
    sql = f"select {columns}, row_number() over () - 1 as wk_row from landed where {moment} >= $start and {moment} <= $now and wk_landed_at <= $now"
    return ask(connect(home, {"landed": table}), sql, {"start": now - last, "now": now})


def _label_columns(monitor: Monitor) -> str:
    labels = labels_of(monitor)
    named = {"id": labels.join, "label": labels.column} | ({"labelled_at": labels.time} if labels.time else {})
    return ", ".join(f"{stored} as {quoted(name)}" for stored, name in named.items())


def _preview(monitor: Monitor, source: Source, what: str, rows: int, found: Verdict, rejects: Mapping[int, list[str]]) -> Preview:
    broken, checked = found.rejects.reasons, found.checked
    tally = Counter(reason for by_row in (rejects, broken) for reasons in by_row.values() for reason in reasons)
    tally.update({finding.reason: rows for finding in checked.refusals})
    return Preview(
        model=monitor.model,
        source=source,
        what=what,
        suite=checked.suite,
        suite_hash=checked.suite_hash,
        rows=rows,
        quarantined=rows if checked.refusals else len(rejects.keys() | broken.keys()),
        is_refused=bool(checked.refusals),
        reasons=dict(tally.most_common()),
        findings=checked.findings,
    )


def _spelled(stretch: timedelta) -> str:
    hours = stretch.total_seconds() / 3600
    number, unit = (hours / 24, "day") if hours >= 24 else (hours, "hour")  # noqa: PLR2004 - hours of a day
    return f"{number:g} {unit}{'' if number == 1 else 's'}"
