"""A new normal: windows since then are compared with it and judged by it, what was before stays, and no row is read."""

import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from watchkeeper.adapters.workspace import Home, load_monitor
from watchkeeper.errors import UsageError
from watchkeeper.operations.incident_book import known_incidents
from watchkeeper.operations.judge import judge
from watchkeeper.operations.measure import measure
from watchkeeper.operations.rebaseline import rebaseline, take_back
from watchkeeper.operations.watch import watch
from watchkeeper.records import Baseline, IncidentEvent, ReferenceScore, Run, Score, Signal
from worlds import DAY, parcels_days

FIRST, BEGIN = date(2025, 1, 1), datetime(2025, 1, 1, tzinfo=UTC)
SHIFT, DECLARED = 20, 36
"""From this day on parcels are heavier and more of them late; and on this day the new normal is declared."""
NOW = BEGIN + 40 * DAY


def heavier(events: pa.Table, labels: pa.Table) -> tuple[pa.Table, pa.Table]:
    place = events.column_names.index("weight_kg")
    return events.set_column(place, "weight_kg", pc.multiply(events.column("weight_kg"), 3.0)), labels


@pytest.fixture(scope="module")
def shifted(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Forty days of parcels; from the 21st on they are three times as heavy, and half are late."""
    from conftest import PARCELS, new_home

    home = new_home(tmp_path_factory.mktemp("eras") / "home", PARCELS)
    bad = range(SHIFT, 40)
    parcels_days(home.root, FIRST, 40, rows=300, late=dict.fromkeys(bad, 0.5), change=dict.fromkeys(bad, heavier))
    watch(home, now=BEGIN + (DECLARED + 2) * DAY)
    return home


@pytest.fixture
def watched(shifted: Home, copy_of: Callable[[Home], Home]) -> Home:
    return copy_of(shifted)


def declare(home: Home, now: datetime = NOW, **more: object):
    given = {"start": FIRST + SHIFT * DAY, "end": FIRST + (SHIFT + 14) * DAY, "who": "ann", "why": "a new carrier"} | more
    return rebaseline(home, "parcels", now=now, **given)


def signals(home: Home, now: datetime) -> set[tuple[str, str, int]]:
    found = home.lake.newest(Signal, as_of=now)
    return {(s.metric, s.feature, (s.window_start - BEGIN) // DAY) for s in found if s.state != "withdrawn"}


def test_x(watched: Home):
    now = NOW
    print(known_incidents(watched, now=now))
    done = declare(watched)
    print(done)
    print(sorted(signals(watched, now)))
    watch(watched, now=NOW)
    print(sorted(signals(watched, now)))
    for i in known_incidents(watched, now=now): print(i.id, i.state, i.window_start, i.window_end, i.why, i.headline)
    assert 0
