"""Seen: what earlier looks at the newest rows left behind: how far each number was looked at, and what it was where it was in line.

Belongs here: reading the table `looks`, as columns and not as records: there is one of each number of the service a minute. Does not: looking
(newest.py), what is made of it (judgement/newest.py).
"""

from collections.abc import Collection
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.adapters.arrow_records import TIMESTAMP
from watchkeeper.adapters.lake import among
from watchkeeper.adapters.workspace import Home
from watchkeeper.judgement.newest import Before, Named
from watchkeeper.monitor import Monitor
from watchkeeper.records import Look
from watchkeeper.windows import Window

REMEMBERED = timedelta(days=7)
"""How far back looks tell how much stretches of minutes differ."""
_NAME = ["metric", "feature", "segment"]


def reached_in(home: Home, monitor: Monitor, bins: str, hour: Window, *, now: datetime) -> dict[Named, int]:
    """Return up to which revision of the parts each number was looked at in an hour; one that is not named was not yet."""
    started = pa.scalar(hour.start, TIMESTAMP)
    here = (pc.field("rows_from") >= started) & (pc.field("rows_from") < pa.scalar(hour.end, TIMESTAMP)) & (pc.field("computed_at") >= started)
    found = home.lake.read(Look.TABLE, columns=[*_NAME, "reached"], where=_of(monitor, bins, now) & here)
    if found is None:
        return {}
    newest = found.group_by(_NAME).aggregate([("reached", "max")])
    return {(m, f, s): reached for m, f, s, reached in zip(*(newest.column(c).to_pylist() for c in (*_NAME, "reached_max")), strict=True)}


def in_line_before(home: Home, monitor: Monitor, bins: str, names: Collection[Named], *, now: datetime) -> dict[Named, Before]:
    """Return what numbers of the service were in the looks of the last days in which they were in line; of data these are not kept."""
    since = pc.field("computed_at") >= pa.scalar(now - REMEMBERED, TIMESTAMP)
    these = among("metric", {metric for metric, _, _ in names}) & among("segment", {segment for _, _, segment in names})
    mine = _of(monitor, bins, now) & since & these & (pc.field("family") == "service") & ~pc.field("is_out")
    found = home.lake.read(Look.TABLE, columns=[*_NAME, "value", "expected", "n"], where=mine)
    if found is None:
        return {}
    lists = found.group_by(_NAME, use_threads=False).aggregate([("value", "list"), ("expected", "list"), ("n", "list")])
    keys = zip(*(lists.column(c).to_pylist() for c in _NAME), strict=True)
    values = zip(*(lists.column(c) for c in ("value_list", "expected_list", "n_list")), strict=True)
    return {key: Before(*(np.asarray(each.values, float) for each in several)) for key, several in zip(keys, values, strict=True)}


def _of(monitor: Monitor, bins: str, now: datetime) -> pc.Expression:
    mine = (pc.field("model") == monitor.model) & (pc.field("environment") == monitor.environment) & (pc.field("bins") == bins)
    return mine & (pc.field("computed_at") <= pa.scalar(now, TIMESTAMP))
