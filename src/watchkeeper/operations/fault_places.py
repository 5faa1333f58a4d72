"""Fault places: of which segment the rows are that have a faulty value of a feature.

Belongs here: counting rows of an incident's windows and of the weeks before. Does not: which segment is named (judgement/fault_places.py).
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

import pyarrow as pa

from watchkeeper.adapters.workspace import Home
from watchkeeper.judgement.episodes import Episode, windows_out_of_line
from watchkeeper.judgement.evidence import ROLLING
from watchkeeper.judgement.fault_places import FaultPlace, fault_place
from watchkeeper.measures.frame import BySegment
from watchkeeper.monitor import Monitor
from watchkeeper.operations.bins_in_force import bins_of
from watchkeeper.operations.fit import is_private
from watchkeeper.operations.sums import added, of_environment, parts_within
from watchkeeper.profiles.bins import FeatureBins
from watchkeeper.profiles.parts import FEATURE
from watchkeeper.records import Signal
from watchkeeper.spelling import segment_pairs
from watchkeeper.windows import Window

_COUNTED = ("null_ratio", "unseen_ratio")


def fault_places(home: Home, monitor: Monitor, episode: Episode, faults: Iterable[Signal], *, now: datetime) -> dict[tuple[str, str], FaultPlace]:
    """Return for each metric and feature of the faults of an episode the segment that nearly all of these rows are of, where there is one."""
    asked = sorted({(s.metric, s.feature) for s in faults if s.metric in _COUNTED})
    found = bins_of(home, monitor, now=now) if asked and monitor.segments else None
    if found is None:
        return {}
    sides = windows_out_of_line(episode), [Window(episode.start - ROLLING, episode.start)]
    during, before = (_sums(home, monitor, found.version, side, now) for side in sides)
    told = {name for name in during if not name or _is_told(monitor, name, monitor.segments)}
    out = {}
    for metric, feature in asked:
        counts = (_counted(sums, told, found.bins.get(feature), metric, feature) for sums in (during, before))
        if (one := fault_place(feature, *counts)) is not None:
            out[metric, feature] = one
    return out


def _sums(home: Home, monitor: Monitor, bins: str, spans: Sequence[Window], now: datetime) -> BySegment:
    parts = [of_environment(parts_within(home, monitor, bins, s.start, s.end, now=now), monitor.environment) for s in spans]
    return added(pa.concat_tables(parts))


def _counted(sums: BySegment, names: Collection[str], bins: FeatureBins | None, metric: str, feature: str) -> dict[str, tuple[int, int]]:
    """Return the rows of each segment and how many have a faulty value; the cells of a segment are the coarse ones."""
    out = {}
    for name in names & sums.keys():
        c = sums[name].get((FEATURE, feature, ""))
        if c is not None and metric == "null_ratio":
            out[name] = (c.n, c.nulls + c.nans)
        elif c is not None and bins is not None and bins.kind == "category":
            unseen = bins.coarse_size - 1 if name else bins.unseen
            out[name] = (c.n, int(c.dense(unseen + 1)[unseen]))
    return out


def _is_told(monitor: Monitor, segment: str, declared: Sequence[str]) -> bool:
    """Tell whether a segment is one of a declared column that is no secret."""
    return all(column in declared and not is_private(monitor, column) for column, _ in segment_pairs(segment))
