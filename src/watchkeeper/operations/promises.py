"""Whether the promises of a monitor are kept: the one answer that every listing, page and digest gives.

Belongs here: reading the scores of the windows that targets name. Does not: which of them decides (judgement/promises.py).
"""

from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.adapters.arrow_records import TIMESTAMP
from watchkeeper.adapters.lake import among
from watchkeeper.adapters.workspace import Home
from watchkeeper.judgement.promises import Promise, promise
from watchkeeper.monitor import Monitor, Target
from watchkeeper.operations.bins_in_force import in_force
from watchkeeper.operations.rollup import rolled_up
from watchkeeper.records import Score
from watchkeeper.windows import Grid, Window


def promises(home: Home, monitor: Monitor, *, now: datetime, of: Window | None = None) -> list[Promise]:
    """Return for each target whether it was kept in the newest final window of its own length, as of `now`.

    With `of`, a period that is told about, only windows that are over when it is; a longer one in which the period lies is
    told so far.
    """
    if not monitor.targets:
        return []
    until = of.end if of else now
    found = _scores(home, monitor, until, now)
    return [promise(monitor, t, found, until=until, running=_running(home, monitor, t, of, now) if of else None) for t in monitor.targets]


def _scores(home: Home, monitor: Monitor, until: datetime, now: datetime) -> list[Score]:
    where = (pc.field("model") == monitor.model) & (pc.field("environment") == monitor.environment) & (pc.field("version") == "")
    where &= among("metric", {t.metric for t in monitor.targets}) & among("grain", {t.per for t in monitor.targets})
    where &= (pc.field("window_start") < pa.scalar(until, TIMESTAMP)) & in_force(home, monitor, now=now)
    found: list[Score] = home.lake.newest(Score, as_of=now, where=where)
    return found


def _running(home: Home, monitor: Monitor, target: Target, of: Window, now: datetime) -> Score | None:
    """Return the number of a target's window that lasts longer than the period it holds, up to the period's end."""
    grid = Grid(target.per, monitor.timezone)
    whole = grid.at(of.start)
    if whole.end <= of.end:
        whole = grid.at(of.end)
    if whole.start >= of.end or whole.end - whole.start <= of.end - of.start:
        return None
    made = rolled_up(home, monitor, grid, now=now, start=whole.start, end=of.end, metrics={target.metric}, of_whole=not target.segment)
    return next((s for s in made if (s.metric, s.feature, s.segment) == (target.metric, target.feature, target.segment)), None)
