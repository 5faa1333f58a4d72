"""Versions at work: how many rows each model version had around the onset of an incident, and how they differ in the same windows.

Belongs here: reading parts by version. Does not: which versions count as come (judgement/versions.py).
"""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from watchkeeper.adapters.workspace import Home
from watchkeeper.judgement.incidents import Episode
from watchkeeper.judgement.versions import BEFORE_A_WINDOW, WEEK, Came, Versions, versions
from watchkeeper.measures import catalogue
from watchkeeper.measures.readings import readings
from watchkeeper.monitor import Monitor
from watchkeeper.operations.rollup import Basis, are_of_outputs, basis_of, frame_of
from watchkeeper.operations.sums import KeyedParts, added, parts_within, reference_sums
from watchkeeper.profiles.parts import FEATURE
from watchkeeper.records import Score, Signal
from watchkeeper.windows import Window


def versions_at_onset(home: Home, monitor: Monitor, episode: Episode, lead: Signal, *, now: datetime) -> Versions | None:
    """Return the versions that had rows up to the first bad window of an episode, None when rows name none."""
    basis = basis_of(home, monitor, now=now)
    if basis is None or monitor.columns.version is None:
        return None
    segment = episode.subject if episode.family == "segment" else ""
    start, end = episode.start, episode.signals[0].window_end
    begin = start - 2 * (BEFORE_A_WINDOW + WEEK)
    metric = _metric(monitor, lead)
    of_outputs = are_of_outputs(basis, {metric} if metric else {"rows"})
    parts = parts_within(home, monitor, basis.bins, begin, episode.end, now=now, of_whole=not segment, of_outputs=of_outputs)
    mine = [(k, c) for k, c in parts if k.environment == monitor.environment]
    found = versions(_rows(mine), start, end)
    if found is None or not metric:
        return found
    here = [(k, c) for k, c in mine if k.segment == segment]
    return replace(found, came=[_compared(home, monitor, basis, here, c, metric, now) for c in found.came])


def _metric(monitor: Monitor, lead: Signal) -> str:
    """Return the metric by which versions are told apart: the leading one, of a gap to the rest the segment's own gap; empty for a feature's."""
    name = "calibration_gap" if lead.metric == "calibration_gap_to_rest" else lead.metric
    found = catalogue.find(name, monitor.task) or catalogue.find(name, "service")
    return name if found is not None and not lead.feature and name != "rows" else ""


def _rows(parts: KeyedParts) -> dict[datetime, dict[str, int]]:
    """Return the rows of each version in each window of the profiles: as many as its fullest column has."""
    columns: dict[tuple[datetime, str, str], int] = defaultdict(int)
    for key, counts in parts:
        if key.kind == FEATURE and not key.segment:
            columns[key.window_start, key.version, key.feature] += counts.n
    out: dict[datetime, dict[str, int]] = defaultdict(dict)
    for (start, version, _), rows in columns.items():
        out[start][version] = max(rows, out[start].get(version, 0))
    return out


def _compared(home: Home, monitor: Monitor, basis: Basis, parts: KeyedParts, came: Came, metric: str, now: datetime) -> Came:
    """Return a version with the metric on its rows and on the others', in the windows that have both; without where none has."""
    mine, others = _windows(monitor, parts, {came.version}), _windows(monitor, parts, set(came.before))
    both = mine & others
    if not both:
        return came
    span = Window(min(w.start for w in both), max(w.end for w in both))
    frame = frame_of(monitor, span, monitor.window, basis, reference_sums(home, monitor, basis.bins, basis.parts, now=now), now, metrics={metric})

    def of(names: Collection[str]) -> Score | None:
        inside = [(k, c) for k, c in parts if k.version in names and monitor.grid.at(k.window_start) in both]
        return next((s for s in readings(frame, added(inside)) if s.metric == metric and s.value is not None and not s.feature), None)

    ours, theirs = of({came.version}), of(set(came.before))
    return came if ours is None or theirs is None else replace(came, ours=ours, theirs=theirs)


def _windows(monitor: Monitor, parts: KeyedParts, names: Collection[str]) -> set[Window]:
    starts = {k.window_start for k, _ in parts if k.version in names}
    return {monitor.grid.at(start) for start in starts}
