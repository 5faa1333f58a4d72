"""The list of versions: since when each has rows, whether it is calibrated, and its main KPI beside its own reference.

Belongs here: what is told of each version, and of how they stand as a whole. Does not: the rules (judgement/standing.py), how it is printed
(cli/versions.py, site/model_page.py).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
import pyarrow.compute as pc

from watchkeeper.adapters.lake import among
from watchkeeper.adapters.workspace import Home
from watchkeeper.judgement.honesty import learned_by_heart, told_by
from watchkeeper.judgement.standing import (
    RowsOfVersions,
    Standing,
    are_many,
    named_version,
    reference_text,
    standings,
    unseen,
)
from watchkeeper.judgement.succession import succession, succession_text
from watchkeeper.measures import catalogue
from watchkeeper.monitor import Monitor
from watchkeeper.operations.bins_in_force import in_force, stored_bins
from watchkeeper.operations.eras import in_era
from watchkeeper.operations.maturity import maturity_of
from watchkeeper.operations.sums import rows_by_version
from watchkeeper.operations.version_book import rolled_up_versions
from watchkeeper.records import Score
from watchkeeper.site.version_table import VersionLine, VersionList
from watchkeeper.windows import Window
from watchkeeper.words import counted

LATELY = timedelta(days=28)
_TOLD = 2


def listed_versions(home: Home, monitor: Monitor, *, now: datetime) -> VersionList:
    """Return what is known of the versions of a model; nothing where rows name none, or nothing is measured yet."""
    monitor = in_era(home, monitor, now, now=now)
    found = known_standings(home, monitor, now=now)
    window = _lately(home, monitor, found, now) if monitor.labels else None
    metric = told_by(monitor) if window else ""
    scores = rolled_up_versions(home, monitor, [window], monitor.window, now=now, metrics={metric}) if window and metric else ()
    by_version = {(s.environment, s.version): s for s in scores if not s.feature and s.metric == metric}
    lines = [_line(home, monitor, s, by_version.get((s.environment, named_version(s.version))), now) for s in found]
    lines.sort(key=lambda line: (line.last, line.rows, line.version), reverse=True)
    named = [_unseen(monitor, name) for name in unseen(monitor, found)] if found else []
    return VersionList(lines=[*lines, *named], metric=metric, window=window)


def known_standings(home: Home, monitor: Monitor, *, now: datetime, rows: RowsOfVersions | None = None) -> list[Standing]:
    """Return how each version stands in each environment, none where rows name no version or nothing is measured yet."""
    rows = known_rows(home, monitor, now=now) if rows is None else rows
    return standings(monitor, rows, maturity_of(home, monitor, now=now).until(monitor.grid, now)) if rows else []


def known_rows(home: Home, monitor: Monitor, *, now: datetime) -> RowsOfVersions:
    """Return the rows of each version, none where they name no version or nothing is measured yet."""
    found = stored_bins(home, monitor, now=now) if monitor.columns.version else None
    return {} if found is None else rows_by_version(home, monitor, found.version, found.bins, now=now)


def versions_text(home: Home, monitor: Monitor, window: Window | None, *, now: datetime) -> str:
    """Return what there is to know about the versions of a window: that another one has the traffic, that one is uncalibrated; empty where nothing is."""
    rows = known_rows(home, monitor, now=now) if window else {}
    if window is None or not are_many(monitor, rows):
        return ""
    others = succession(monitor, rows, window.end)
    here = [s for s in known_standings(home, monitor, now=now, rows=rows) if s.environment == monitor.environment]
    waiting = sorted((s for s in here if s.why and s.last.end >= window.end), key=lambda s: -s.rows)
    told = [s.why for s in waiting[:_TOLD]] + (
        [f"{counted(len(waiting) - _TOLD, 'more version')} {'is' if len(waiting) - _TOLD == 1 else 'are'} uncalibrated"]
        if len(waiting) > _TOLD
        else []
    )
    doubts = [
        f"the reference of {named_version(s.version)} is not believed: {why}" for s in here if (why := version_doubt(home, monitor, s, now=now))
    ]
    return "; ".join([*([succession_text(monitor, others, now)] if others else []), *told, *doubts])


def version_doubt(home: Home, monitor: Monitor, standing: Standing, *, now: datetime) -> str:
    """Return why the days named as a version's reference are not believed, empty where they are, or where there is too little to tell.

    Its first windows are not asked: they were scored as they came.
    """
    metric = catalogue.find(told_by(monitor), monitor.task)
    if standing.source != "named" or not standing.reference or metric is None or monitor.labels is None:
        return ""
    about = (pc.field("model") == monitor.model) & (pc.field("version") == named_version(standing.version)) & (pc.field("grain") == monitor.window)
    about &= (pc.field("metric") == metric.name) & (pc.field("segment") == "") & (pc.field("feature") == "")
    about &= among("environment", {*standing.environments, standing.environment}) & in_force(home, monitor, now=now)
    every: list[Score] = home.lake.newest(Score, as_of=now, where=about)
    final = sorted((s for s in every if s.state == "mature" and s.value is not None), key=lambda s: s.window_start)
    span = standing.reference[0]
    reference = [s.value for s in final if s.environment in standing.environments and s.window_start in span]
    after = [s.value for s in final if s.environment == standing.environment and s.window_start >= span.end]
    return learned_by_heart(metric, np.asarray(reference, float), np.asarray(after, float))


def _lately(home: Home, monitor: Monitor, found: Sequence[Standing], now: datetime) -> Window | None:
    """Return the last four weeks with rows whose labels are due, None where there are none."""
    due = maturity_of(home, monitor, now=now).until(monitor.grid, now)
    end = min(due, max((s.last.end for s in found), default=due))
    first = min((s.first.start for s in found), default=end)
    start = max(first, monitor.grid.at(end - LATELY).start)
    return Window(start, end) if start < end else None


def _line(home: Home, monitor: Monitor, standing: Standing, score: Score | None, now: datetime) -> VersionLine:
    return VersionLine(
        version=named_version(standing.version),
        environment=standing.environment,
        first=standing.first.start,
        last=standing.last.end,
        rows=standing.rows,
        is_calibrated=standing.is_calibrated,
        state=standing.why or f"calibrated: {reference_text(monitor, standing)}",
        doubt=version_doubt(home, monitor, standing, now=now),
        score=score,
    )


def _unseen(monitor: Monitor, name: str) -> VersionLine:
    why = "uncalibrated: the monitor names its reference, and no row of it has landed"
    return VersionLine(version=name, environment=monitor.environment, first=None, last=None, rows=0, is_calibrated=False, state=why)
