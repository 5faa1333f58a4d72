"""Versions at work: how many rows each model version had around the onset of an incident, how they differ in the same windows, and who has the traffic.

Belongs here: reading parts by version. Does not: which versions count as come (judgement/versions.py).
"""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.adapters.arrow_records import TIMESTAMP
from watchkeeper.adapters.lake import among
from watchkeeper.adapters.workspace import Home
from watchkeeper.judgement.episodes import Episode
from watchkeeper.judgement.standing import RowsOfVersions
from watchkeeper.judgement.succession import Succession, succession
from watchkeeper.judgement.versions import BEFORE_A_WINDOW, WEEK, Came, Versions, versions
from watchkeeper.measures import catalogue
from watchkeeper.measures.readings import readings
from watchkeeper.monitor import Monitor
from watchkeeper.operations.rollup import Basis, are_of_outputs, basis_of, frame_of, reference_of
from watchkeeper.operations.sums import added, of_environment, parts_within, rows_by_version
from watchkeeper.records import Score, Signal
from watchkeeper.windows import Window


def versions_at_onset(home: Home, monitor: Monitor, episode: Episode, lead: Signal, *, now: datetime, are_compared: bool = True) -> Versions | None:
    """Return the versions that had rows up to the first bad window of an episode, None when rows name none; those that came are compared with the others."""
    basis = basis_of(home, monitor, now=now)
    if basis is None or monitor.columns.version is None:
        return None
    segment = episode.subject if episode.family == "segment" else ""
    start, end = episode.start, episode.first_end
    begin = start - 2 * (BEFORE_A_WINDOW + WEEK)
    metric = _metric(monitor, lead)
    rows = rows_by_version(home, monitor, basis.bins, basis.fitted, now=now)
    found = versions(_rows(monitor, rows, Window(begin, episode.end)), start, end)
    if found is None or not found.came or not metric or not are_compared:
        return found
    of_outputs = are_of_outputs(basis, {metric})
    parts = parts_within(home, monitor, basis.bins, begin, episode.end, now=now, of_whole=not segment, of_outputs=of_outputs)
    here = of_environment(parts, monitor.environment).filter(pc.field("segment") == segment)
    return replace(found, came=[_compared(home, monitor, basis, here, c, metric, now) for c in found.came])


def succession_by(home: Home, monitor: Monitor, until: datetime, *, now: datetime) -> Succession | None:
    """Return who has the traffic by a moment, None where that is the version of the model's reference or rows name none."""
    basis = basis_of(home, monitor, now=now)
    if basis is None or monitor.columns.version is None:
        return None
    return succession(monitor, rows_by_version(home, monitor, basis.bins, basis.fitted, now=now), until)


def _metric(monitor: Monitor, lead: Signal) -> str:
    """Return the metric by which versions are told apart: the leading one, of a gap to the rest the segment's own gap; empty for a feature's."""
    name = "calibration_gap" if lead.metric == "calibration_gap_to_rest" else lead.metric
    found = catalogue.find(name, monitor.task) or catalogue.find(name, "service")
    return name if found is not None and not lead.feature and name != "rows" else ""


def _rows(monitor: Monitor, rows: RowsOfVersions, span: Window) -> dict[datetime, dict[str, int]]:
    """Return the rows of each version by start of an hour or a day in a span, in the monitor's environment."""
    out: dict[datetime, dict[str, int]] = defaultdict(dict)
    for (environment, version), mine in rows.items():
        for start, n in mine.items() if environment == monitor.environment else ():
            if start in span:
                out[start][version] = n
    return out


def _compared(home: Home, monitor: Monitor, basis: Basis, parts: pa.Table, came: Came, metric: str, now: datetime) -> Came:
    """Return a version with the metric on its rows and on the others', in the windows that have both; without where none has."""
    mine, others = _windows(monitor, parts, {came.version}), _windows(monitor, parts, set(came.before))
    both = mine & others
    if not both:
        return came
    span = Window(min(w.start for w in both), max(w.end for w in both))
    frame = frame_of(home, monitor, span, monitor.window, basis, reference_of(home, monitor, basis, now=now, metrics={metric}), now, metrics={metric})

    def of(names: Collection[str]) -> Score | None:
        starts = [s for s in pc.unique(parts.column("window_start")).to_pylist() if monitor.grid.at(s) in both]
        inside = parts.filter(among("version", names) & pc.field("window_start").isin(pa.array(starts, TIMESTAMP)))
        return next((s for s in readings(frame, added(inside)) if s.metric == metric and s.value is not None and not s.feature), None)

    ours, theirs = of({came.version}), of(set(came.before))
    return came if ours is None or theirs is None else replace(came, ours=ours, theirs=theirs)


def _windows(monitor: Monitor, parts: pa.Table, names: Collection[str]) -> set[Window]:
    mine = parts.filter(among("version", names))
    return {monitor.grid.at(start) for start in pc.unique(mine.column("window_start")).to_pylist()}
