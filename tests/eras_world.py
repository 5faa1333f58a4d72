"""A world that changed for good: parcels that became heavier and later, and the new normal that somebody declares.

Belongs here: its days, the declaration, and bringing numbers and verdicts up to date. Does not: what is expected of them.
"""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from conftest import PARCELS, new_home
from watchkeeper.adapters.workspace import Home, load_monitor
from watchkeeper.operations.judge import judge
from watchkeeper.operations.measure import measure
from watchkeeper.operations.rebaseline import Rebased, rebaseline
from watchkeeper.operations.watch import watch
from worlds import DAY, parcels_days

FIRST, BEGIN = date(2025, 1, 1), datetime(2025, 1, 1, tzinfo=UTC)
SHIFT, SINCE = 20, 34
"""From this day on parcels are heavier and half of them late; and from this day on that is normal, by the two weeks before."""
WATCHED, NOW = BEGIN + 38 * DAY, BEGIN + 38 * DAY + timedelta(hours=1)
SAID = "new normal since Tue 4 Feb 2025, by ann: a new carrier"


def heavier(events: pa.Table, labels: pa.Table) -> tuple[pa.Table, pa.Table]:
    place = events.column_names.index("weight_kg")
    return events.set_column(place, "weight_kg", pc.multiply(events.column("weight_kg"), 3.0)), labels


def days(home: Home, first: int, count: int, *, late: float = 0.5, is_heavy: bool = True) -> None:
    """Write days of parcels that are late and heavy."""
    change = dict.fromkeys(range(count), heavier) if is_heavy else None
    parcels_days(home.root, FIRST + first * DAY, count, rows=300, late=dict.fromkeys(range(count), late), change=change)


def shifted_home(root: Path) -> Home:
    """Make a workspace with thirty-eight days of parcels, watched; from the 21st on they are three times as heavy, and half are late."""
    home = new_home(root, PARCELS)
    days(home, 0, SHIFT, late=0.2, is_heavy=False)
    days(home, SHIFT, 18)
    watch(home, now=WATCHED)
    return home


def declare(home: Home, now: datetime = NOW, **more: Any) -> Rebased:
    given = {"start": FIRST + SHIFT * DAY, "end": FIRST + SINCE * DAY, "who": "ann", "why": "a new carrier"} | more
    return rebaseline(home, "parcels", now=now, **given)


def brought_up(home: Home, now: datetime = NOW) -> None:
    """Measure and judge."""
    measure(home, load_monitor(home, "parcels"), now=now)
    judge(home, {"parcels": load_monitor(home, "parcels")}, now=now)
