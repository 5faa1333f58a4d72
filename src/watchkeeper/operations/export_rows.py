"""The rows that our metrics are made of: the newest score of each series, and the runs that say how fresh all is.

Belongs here: finding them among many without making a record of each, and not twice while the lake stays as it is. Does not: what is said
of them (export.py).
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.adapters.arrow_records import TIMESTAMP, from_arrow
from watchkeeper.adapters.lake import among
from watchkeeper.adapters.warehouse import ask, connect, dataset_of_record, newest_sql
from watchkeeper.adapters.workspace import Home
from watchkeeper.monitor import Monitor
from watchkeeper.operations.bins_in_force import in_force
from watchkeeper.operations.status import OPERATIONS
from watchkeeper.records import Run, Score, key

LASTS = timedelta(days=35)
"""Scores of windows that ended longer ago are no news, and would be taken for what is now."""

_SERIES = "environment, version, metric, feature, segment, grain, state, unit"
_SCORES = f"""
SELECT * FROM ({newest_sql(Score, "there")})
WHERE value IS NOT NULL AND state IN ('done', 'provisional', 'mature')
QUALIFY row_number() OVER (PARTITION BY {_SERIES} ORDER BY window_start DESC, computed_at DESC, method DESC) = 1
"""
_RUNS = f"""
SELECT * FROM ({newest_sql(Run, "there")})
QUALIFY row_number() OVER (PARTITION BY model, operation ORDER BY computed_at DESC, window_start DESC) = 1
OR (operation = 'measure' AND outcome = 'done' AND row_number() OVER (PARTITION BY model, operation, outcome ORDER BY window_end DESC) = 1)
"""
_KEPT = 64


class _Seen(NamedTuple):
    """What was found of one state of the table of scores, as of when."""

    now: datetime
    scores: list[Score]


_FOUND: dict[str, _Seen] = {}


def newest_scores(home: Home, monitor: Monitor, *, now: datetime) -> list[Score]:
    """Return the newest score of each series of a model: of labels still missing and of all there, the newest of each.

    Kept in this process while no score is written: a run shows them, sends them, and looks at them again minutes later.
    """
    table, bins = home.lake.table(Score.TABLE), in_force(home, monitor, now=now)
    if table is None:
        return []
    name = key(home.lake.address, table.metadata().id, table.version(), monitor.model, str(bins))
    seen = _FOUND.get(name)
    if seen is None or not _still_holds(home, seen, now):
        since = pa.scalar(now - LASTS, TIMESTAMP)
        where = (pc.field("model") == monitor.model) & (pc.field("window_end") >= since) & bins
        if len(_FOUND) > _KEPT:
            _FOUND.clear()
        seen = _FOUND[name] = _Seen(now, _found(home, Score, where, _SCORES, now))
    return [s for s in seen.scores if s.window_end >= now - LASTS]


def _still_holds(home: Home, seen: _Seen, now: datetime) -> bool:
    """Tell whether a later moment knows no more than what was found: of a moment before rows that are there already each has its own."""
    newest = home.lake.newest_moment(Score.TABLE, "computed_at")
    return seen.now == now or (newest is not None and newest <= seen.now <= now)


def newest_runs(home: Home, monitors: Mapping[str, Monitor], *, now: datetime) -> list[Run]:
    """Return the newest run of each operation of each model, and the measurement of its newest window."""
    return _found(home, Run, among("model", sorted(monitors)) & among("operation", OPERATIONS), _RUNS, now)


def _found(home: Home, record: type, where: pc.Expression, sql: str, now: datetime) -> list[Any]:
    dataset = dataset_of_record(home.lake, record)
    if dataset is None:
        return []
    connection = connect(home, {})
    connection.register("there", dataset.filter(where))
    return list(from_arrow(record, ask(connection, sql, {"as_of": now})))
