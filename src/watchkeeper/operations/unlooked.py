"""Unlooked: newest rows that nobody looks at any more, though somebody did.

Belongs here: telling so for check, doctor and status. Does not: the looking (newest.py), windows that are due (status.py).

A step that finds nothing new writes nothing, so silence alone does not tell a watch that ended from a model that rests. It has ended where rows
came that it would have looked at a quarter of an hour ago, or where a silence is twice as long as any between its looks of the last days.
After a week without a look it is taken to be left off for good.
"""

from collections import Counter
from datetime import datetime, timedelta
from itertools import pairwise

import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.adapters.arrow_records import TIMESTAMP, as_list
from watchkeeper.adapters.workspace import Home
from watchkeeper.judgement.newest import LEAST_ROWS
from watchkeeper.monitor import Monitor
from watchkeeper.operations.newest import LATE, told_by_windows
from watchkeeper.records import Batch, Look
from watchkeeper.windows import Grid
from watchkeeper.words import hours_text, moment_text

GIVEN_UP = timedelta(days=7)
MEND = "start `watchkeeper run --every 1m` again, or switch the deployment watch/watch on"
_ROWS_WAIT, _SILENT_FOR = timedelta(minutes=15), timedelta(hours=1)


def unlooked_text(home: Home, monitor: Monitor, *, now: datetime) -> str:
    """Return since when the newest rows were not looked at, empty where they are, never were, or have not been for a week."""
    looks = _looks(home, monitor, now)
    if not looks or now - looks[-1] < _ROWS_WAIT or told_by_windows(home, [monitor], now=now):
        return ""
    last = looks[-1]
    longest = max((later - earlier for earlier, later in pairwise(looks)), default=timedelta(0))
    if not _have_rows_waited(home, monitor, last, now) and now - last < max(_SILENT_FOR, 2 * longest):
        return ""
    return f"the newest rows have not been looked at for {hours_text((now - last) / timedelta(hours=1))}, since {moment_text(last, monitor.timezone)}"


def _looks(home: Home, monitor: Monitor, now: datetime) -> list[datetime]:
    """Return the moments of the looks of the last week, in order."""
    if home.lake.table(Look.TABLE) is None:
        return []
    mine = (pc.field("model") == monitor.model) & (pc.field("environment") == monitor.environment) & (pc.field("metric") == "rows")
    lately = (pc.field("computed_at") >= pa.scalar(now - GIVEN_UP, TIMESTAMP)) & (pc.field("computed_at") <= pa.scalar(now, TIMESTAMP))
    rows = home.lake.read(Look.TABLE, columns=["computed_at"], where=mine & lately)
    return [] if rows is None else sorted(set(as_list(rows.column("computed_at"))))


def _have_rows_waited(home: Home, monitor: Monitor, last: datetime, now: datetime) -> bool:
    """Tell whether enough rows of an hour that still ran landed after the last look, and long enough ago."""
    mine = (pc.field("model") == monitor.model) & (pc.field("source") == "events")
    batches: list[Batch] = home.lake.newest(Batch, as_of=now, where=mine & (pc.field("landed_at") > pa.scalar(last, TIMESTAMP)))
    grid, rows = Grid("hour", monitor.timezone), Counter[datetime]()
    for batch in batches:
        if batch.starts_at is None or batch.ends_at is None or batch.landed_at > now - _ROWS_WAIT:
            continue
        hour = grid.at(batch.starts_at)
        if batch.ends_at < hour.end and hour.start <= batch.landed_at < hour.end + LATE:
            rows[hour.start] += batch.rows_landed
    return any(count >= LEAST_ROWS for count in rows.values())
