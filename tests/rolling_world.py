"""A world whose inputs change for good and do no harm, with a bad stretch before, watched by a reference that rolls.

Belongs here: its days, and the moments at which it is watched. Does not: what is expected of them.
"""

from datetime import timedelta
from pathlib import Path
from typing import Any

from conftest import PARCELS, new_home
from eras_world import BEGIN, days
from watchkeeper.adapters.workspace import Home
from watchkeeper.operations.watch import watch
from worlds import DAY

ROLLS: dict[str, Any] = PARCELS | {"reference": PARCELS["reference"] | {"rolling": {"every": "2w", "last": "4w"}}}
"""The parcels, whose reference is 1 to 14 January: steps are due on the 29th, on 12 and on 26 February."""
BAD, HEAVY = range(20, 23), 30
"""On these days nine parcels of ten are late; from that day on they are three times as heavy, and no later."""
STEPS = (28, 42, 56)
WATCHED = tuple(BEGIN + day * DAY + timedelta(hours=1) for day in (16, 30, 44, 58))
NOW = WATCHED[-1]


def landed(home: Home, first: int, after: int) -> None:
    """Write the days from one up to another."""
    for day in range(first, after):
        days(home, day, 1, late=0.9 if day in BAD else 0.2, is_heavy=day >= HEAVY)


def rolled_home(root: Path, monitor: dict[str, Any] | None = None, *, until: int = len(WATCHED)) -> Home:
    """Make a workspace and watch it at the first moments, each with the days that were over."""
    home, first = new_home(root, monitor or ROLLS), 0
    for now in WATCHED[:until]:
        after = (now - BEGIN) // DAY
        landed(home, first, after)
        watch(home, now=now)
        first = after
    return home
