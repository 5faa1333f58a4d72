"""A dry run of validation: what would fail, how many rows would be set aside and why. Nothing is written.

Belongs here: choosing the rows and the suite, and adding up what they come to. Does not: running a suite
(adapters/expectations.py), or what intake does with the outcome (operations/ingest.py).
"""

import difflib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa

from watchkeeper.adapters.expectations import Checked, Finding, check
from watchkeeper.adapters.files import interpret, load
from watchkeeper.adapters.warehouse import ask, connect, quoted
from watchkeeper.adapters.workspace import Home
from watchkeeper.errors import ConfigurationError, UnreadableError, UsageError
from watchkeeper.monitor import Monitor
from watchkeeper.operations.cast import cast, labels_of
from watchkeeper.records import Source

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
    suite: str | None = None,
    source: Source = "events",
) -> Preview:
    """Check a file as intake would, or else what landed of the `last` days (default 30) before `now`.

    Raises:
        UsageError: both a file and a stretch of time are given.
        ConfigurationError: the suite named is not there, or is no suite.
        UnreadableError: the file cannot be read, or lacks a column that every row needs.

    """
    if file is not None and last is not None:
        raise UsageError("give either a file or a stretch of time, not both", then="Leave out --last to check the file.")
    path = _suite_file(home, monitor, source, suite)
    if file is not None:
        return _of_file(file, monitor, source, path, now)
    rows = _landed(home, monitor, source, now, last or LAST)
    checked = check(rows, path, private=monitor.private) if rows.num_rows else Checked(suite=path.stem)
    return _preview(monitor, source, f"{source} of the last {_days(last or LAST)}", rows.num_rows, checked, {})


def _of_file(file: Path, monitor: Monitor, source: Source, suite: Path, now: datetime) -> Preview:
    content = load(file)
    if content is None:
        raise UnreadableError("is not there", where=str(file), then="Name the file as seen from here.")
    reading = interpret(content.data, content.name)
    usable = cast(reading, monitor, source, now=now)
    checked = check(usable.view, suite, private=monitor.private)
    return _preview(monitor, source, content.name, reading.rows.num_rows + len(reading.unfit), checked, usable.rejects.reasons)


def _suite_file(home: Home, monitor: Monitor, source: Source, suite: str | None) -> Path:
    path = home.suites_dir / f"{suite or monitor.suite_names[source]}.json"
    if suite is None or path.exists():
        return path
    near = difflib.get_close_matches(suite, [p.stem for p in home.suites_dir.glob("*.json")], n=1)
    raise ConfigurationError(f"there is no suite {suite!r}" + (f"; the nearest is {near[0]!r}." if near else "."), where=str(home.suites_dir))


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


def _preview(monitor: Monitor, source: Source, what: str, rows: int, checked: Checked, rejects: Mapping[int, list[str]]) -> Preview:
    broken = checked.reasons_by_row
    counted = Counter(reason for by_row in (rejects, broken) for reasons in by_row.values() for reason in reasons)
    for finding in checked.refusals:
        counted[finding.reason] = rows
    return Preview(
        model=monitor.model,
        source=source,
        what=what,
        suite=checked.suite,
        suite_hash=checked.suite_hash,
        rows=rows,
        quarantined=rows if checked.refusals else len(rejects.keys() | broken.keys()),
        is_refused=bool(checked.refusals),
        reasons=dict(counted.most_common()),
        findings=checked.findings,
    )


def _days(last: timedelta) -> str:
    hours = last.total_seconds() / 3600
    return f"{hours / 24:g} days" if hours >= 24 else f"{hours:g} hours"  # noqa: PLR2004 - hours of a day
