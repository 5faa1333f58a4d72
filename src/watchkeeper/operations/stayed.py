"""Stayed: the KPI of each version that the reference is of, in it and after it.

Belongs here: reading it. Does not: what it says of the reference (judgement/honesty.py).
"""

from collections import defaultdict
from datetime import datetime

import numpy as np
import pyarrow.compute as pc

from watchkeeper.adapters.workspace import Home
from watchkeeper.judgement.honesty import OfVersion, told_by
from watchkeeper.judgement.standing import RowsOfVersions, named_version, of_reference
from watchkeeper.monitor import Monitor
from watchkeeper.operations.bins_in_force import in_force
from watchkeeper.operations.version_list import known_rows
from watchkeeper.records import Score
from watchkeeper.windows import Window


def versions_of_reference(home: Home, monitor: Monitor, *, now: datetime) -> list[OfVersion]:
    """Return the KPI of each version with rows in the reference, none where rows name no version; `monitor` has the reference that is asked about."""
    span, rows = monitor.reference_span, known_rows(home, monitor, now=now)
    if span is None or not rows:
        return []
    scores = _by_version(home, monitor, rows, now)
    out = []
    for version, n in sorted(of_reference(monitor, rows).items()):
        mine = sorted(scores[named_version(version)].items())
        reference, after = [v for start, v in mine if span[0] <= start < span[1]], [v for start, v in mine if start >= span[1]]
        out.append(OfVersion(n, np.asarray(reference, float), np.asarray(after, float)))
    return out


def _by_version(home: Home, monitor: Monitor, rows: RowsOfVersions, now: datetime) -> dict[str, dict[datetime, float]]:
    """Return the final values of the KPI by version and start of a window; of a window whose rows are all of one version only the whole is measured."""
    about = (pc.field("model") == monitor.model) & (pc.field("environment") == monitor.environment) & (pc.field("grain") == monitor.window)
    about &= (pc.field("metric") == told_by(monitor)) & (pc.field("segment") == "") & (pc.field("feature") == "") & in_force(home, monitor, now=now)
    every: list[Score] = home.lake.newest(Score, as_of=now, where=about)
    alone = _alone(monitor, rows)
    out: dict[str, dict[datetime, float]] = defaultdict(dict)
    for score in sorted(every, key=lambda s: s.version):  # the whole first: what is measured of the version itself stands
        version = score.version or alone.get(Window(score.window_start, score.window_end), "")
        if version and score.state == "mature" and score.value is not None:
            out[version][score.window_start] = score.value
    return out


def _alone(monitor: Monitor, rows: RowsOfVersions) -> dict[Window, str]:
    """Return the windows whose rows in the monitor's environment are all of one version, and which."""
    found: dict[Window, set[str]] = defaultdict(set)
    for (environment, version), mine in rows.items():
        for start, n in mine.items() if environment == monitor.environment else ():
            if n:
                found[monitor.grid.at(start)].add(named_version(version))
    return {window: next(iter(versions)) for window, versions in found.items() if len(versions) == 1}
