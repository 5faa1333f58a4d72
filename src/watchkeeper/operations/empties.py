"""Empties: of which segment the rows are that have no value of a feature.

Belongs here: counting rows of an incident's windows. Does not: which segment is named (judgement/empties.py).
"""

from collections.abc import Sequence
from datetime import datetime

import pyarrow as pa

from watchkeeper.adapters.workspace import Home
from watchkeeper.judgement.empties import EmptyAt, empty_at
from watchkeeper.judgement.episodes import Episode, windows_out_of_line
from watchkeeper.monitor import Monitor
from watchkeeper.operations.bins_in_force import bins_of
from watchkeeper.operations.fit import is_private
from watchkeeper.operations.sums import added, of_environment, parts_within
from watchkeeper.profiles.parts import FEATURE
from watchkeeper.spelling import segment_pairs


def empties(home: Home, monitor: Monitor, episode: Episode, *, now: datetime) -> dict[str, EmptyAt]:
    """Return for each feature whose missing values an episode is about the segment that nearly all of these rows are of, where there is one."""
    features = sorted({s.feature for s in episode.signals if s.family == "data" and s.metric == "null_ratio"})
    found = bins_of(home, monitor, now=now) if features and monitor.segments else None
    if found is None:
        return {}
    spans = windows_out_of_line(episode)
    parts = [of_environment(parts_within(home, monitor, found.version, s.start, s.end, now=now), monitor.environment) for s in spans]
    sums = added(pa.concat_tables(parts))
    declared = [name for name in sums if not name or _is_told(monitor, name, monitor.segments)]
    out = {}
    for feature in features:
        key = (FEATURE, feature, "")
        counts = {name: (c.n, c.nulls + c.nans) for name in declared if (c := sums[name].get(key)) is not None}
        if (one := empty_at(feature, counts)) is not None:
            out[feature] = one
    return out


def _is_told(monitor: Monitor, segment: str, declared: Sequence[str]) -> bool:
    """Tell whether a segment is one of a declared column that is no secret."""
    return all(column in declared and not is_private(monitor, column) for column, _ in segment_pairs(segment))
