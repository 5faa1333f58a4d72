"""Look closer: an Evidently report of one window against the reference, on a sample that is said.

Belongs here: which window, which rows, which columns. Does not: drawing (adapters/reports.py), or numbers that decide
anything: those are scores, computed on all rows.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import cast

import duckdb
import pyarrow as pa

from watchkeeper.adapters.reports import Compared, comparable, drift_report
from watchkeeper.adapters.swap import write_whole
from watchkeeper.adapters.warehouse import ask, connect, statement
from watchkeeper.adapters.workspace import Home
from watchkeeper.errors import UsageError, WatchkeeperError
from watchkeeper.judgement.incidents import Incident, fold
from watchkeeper.monitor import Monitor
from watchkeeper.operations.eras import in_era
from watchkeeper.operations.fit import features_of
from watchkeeper.profiles.kinds import source_of
from watchkeeper.records import SEVERITIES, IncidentEvent, Severity
from watchkeeper.windows import Window
from watchkeeper.words import counted, window_text

SAMPLE_ROWS = 5_000
SEED = 2013
FOLDER = "looks"


class NothingToLookAtError(WatchkeeperError):
    """The window or the reference holds no events, or nothing of them that can be drawn."""


def look(home: Home, monitor: Monitor, *, window: Window | None, now: datetime) -> Path:
    """Write the report of `window` and return it; without one, of the worst open incident's window, else of the newest.

    Raises:
        UsageError: the reference is files of which none has landed.
        NothingToLookAtError: there are no events on one side, or nothing of them can be drawn.

    """
    incident = worst_incident(home, monitor, now=now) if window is None else None
    chosen = window or (Window(incident.window_start, incident.window_end) if incident else newest_window(home, monitor, now=now))
    return _written(home, monitor, chosen, home.site_dir / FOLDER / _file_name(monitor, chosen, incident), now)


def look_at(home: Home, monitor: Monitor, incident: Incident, *, now: datetime) -> Path:
    """Write the report of an incident's windows and return it."""
    window = Window(incident.window_start, incident.window_end)
    return _written(home, monitor, window, home.site_dir / FOLDER / _file_name(monitor, window, incident), now)


def look_at_worst(home: Home, monitors: Mapping[str, Monitor], *, now: datetime) -> Path | None:
    """Write the report of the gravest incident of all and return it, once; None when there is no incident, or nothing to look at."""
    incidents = [i for i in fold(home.lake.newest(IncidentEvent, as_of=now)) if i.model in monitors]
    worst = max(incidents, key=lambda i: (SEVERITIES.index(cast("Severity", i.severity)), i.is_open, len(i.signals)), default=None)
    if worst is None:
        return None
    made = home.site_dir / FOLDER / f"{worst.id}.html"
    if made.is_file():
        return made
    try:
        return look_at(home, monitors[worst.model], worst, now=now)
    except (NothingToLookAtError, UsageError):  # such as days without any events: its page tells of it all the same
        return None


def worst_incident(home: Home, monitor: Monitor, *, now: datetime) -> Incident | None:
    """Return the open incident that matters most: by severity, then the newest."""
    incidents = [i for i in fold(home.lake.newest(IncidentEvent, as_of=now)) if i.model == monitor.model and i.is_open]
    return max(incidents, key=lambda i: (SEVERITIES.index(cast("Severity", i.severity)), i.opened_at), default=None)


def newest_window(home: Home, monitor: Monitor, *, now: datetime) -> Window:
    """Return the newest window that has ended and holds events."""
    sql = "SELECT max(wk_time) AS last FROM events WHERE wk_time < $before AND wk_landed_at <= $now"
    last = ask(_events(home, monitor), sql, {"before": monitor.grid.at(now).start, "now": now}).column("last")[0].as_py()
    if last is None:
        raise NothingToLookAtError("no window with events has ended", where=monitor.model, then="Wait for it, or choose a `--window`.")
    return monitor.grid.at(last)


def _events(home: Home, monitor: Monitor) -> duckdb.DuckDBPyConnection:
    table = f"events/{monitor.model}"
    if home.lake.table(table) is None:
        raise NothingToLookAtError("no events have landed", where=monitor.model, then="Run `watchkeeper ingest` first.")
    return connect(home, {"events": table})


def _file_name(monitor: Monitor, window: Window, incident: Incident | None) -> str:
    return f"{incident.id}.html" if incident else f"{monitor.model}_{window.start:%Y%m%d%H}_{window.end:%Y%m%d%H}.html"


def _written(home: Home, monitor: Monitor, window: Window, path: Path, now: datetime) -> Path:
    span = in_era(home, monitor, window.start, now=now).reference_span
    if span is None:
        raise UsageError(
            "the reference is files, and none of them has landed", where=monitor.model, then="Run `watchkeeper run` once they are there."
        )
    sides = [_sample(home, monitor, w, now) for w in (Window(*span), window)]
    for side, name in zip(sides, ("the reference", window_text(window.start, window.end, monitor.timezone)), strict=True):
        if side.num_rows == 0:
            raise NothingToLookAtError(f"no events lie in {name}", where=monitor.model, then="Choose another `--window`.")
    reference, analysis = sides
    compared = comparable(reference, analysis, _columns(monitor, analysis.schema))
    if not compared.numbers and not compared.categories:
        raise NothingToLookAtError(
            "no column can be drawn", where=monitor.model, then="; ".join(f"{n}: {why}" for n, why in compared.left_out.items())
        )
    title = f"{monitor.model}: {window_text(window.start, window.end, monitor.timezone)} against the reference"
    write_whole(path, drift_report(reference, analysis, compared, title=title, remarks=_remarks(monitor, sides, compared)))
    return path


def _sample(home: Home, monitor: Monitor, window: Window, now: datetime) -> pa.Table:
    given = {"start": window.start, "end": window.end, "as_of": now, "seed": SEED, "size": SAMPLE_ROWS}
    return ask(_events(home, monitor), statement("sample"), given)


def _columns(monitor: Monitor, schema: pa.Schema) -> list[str]:
    outputs = [c for c in (monitor.columns.score, monitor.columns.prediction) if c and c in schema.names]
    return [c for c in dict.fromkeys([*outputs, *(source_of(f, schema.names)[0] for f in features_of(monitor, schema))]) if c not in monitor.private]


def _remarks(monitor: Monitor, sides: Sequence[pa.Table], compared: Compared) -> list[str]:
    reference, analysis = (s.num_rows for s in sides)
    remarks = [
        f"A sample: {counted(analysis, 'row')} of the window and {reference:,} of the reference, at most {SAMPLE_ROWS:,} each, drawn with seed {SEED}.",
        "A picture to look at, made by Evidently. What counts (scores, signals, incidents) is computed by Watchkeeper on all rows.",
        "Whether drift is 'detected' here goes by Evidently's fixed limits for one column at a time; Watchkeeper's incidents do not.",
    ]
    if monitor.private:
        remarks.append(f"Private columns are left out ({len(monitor.private)}).")
    return remarks + [f"Left out: {name}, {why}." for name, why in compared.left_out.items()]
