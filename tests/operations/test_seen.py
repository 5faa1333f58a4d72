"""What earlier looks left behind: how far each number was looked at in an hour, and what it was where it was in line."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from live_world import live_workspace
from watchkeeper.adapters.workspace import Home, find_home, load_monitors
from watchkeeper.operations.seen import REMEMBERED, in_line_before, reached_in
from watchkeeper.records import Look
from watchkeeper.windows import Grid

NOW = datetime(2026, 11, 20, 14, 20, tzinfo=UTC)
HOUR = Grid("hour", "UTC").at(NOW)
ERRORS, LATENCY = ("error_ratio", "", ""), ("latency_p95", "", "")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    live_workspace(tmp_path, ["rides"], NOW, days=1, rows_an_hour=1)
    return find_home(tmp_path)


def seen(at: datetime, reached: int, metric: str = "error_ratio", value: float = 0.1, **more: Any) -> Look:
    hour = Grid("hour", "UTC").at(at)
    told = {"family": "service", "window_start": hour.start, "window_end": hour.end, "bins": "b1", "n": 100, **more}
    return Look(
        model="rides", environment="production", metric=metric, rows_from=at, rows_to=at, value=value, reached=reached, computed_at=at, **told
    )


def test_each_number_of_each_hour_has_a_mark_of_its_own(home: Home):
    before = HOUR.start - timedelta(minutes=10)
    found = [seen(before, 90), seen(HOUR.start, 3), seen(NOW, 7), seen(HOUR.start, 5, "latency_p95"), seen(NOW, 99, bins="b2")]
    home.lake.append_records(Look, found)
    monitor = load_monitors(home)[0]["rides"]
    assert reached_in(home, monitor, "b1", HOUR, now=NOW) == {ERRORS: 7, LATENCY: 5}
    assert reached_in(home, monitor, "b1", Grid("hour", "UTC").at(before), now=NOW) == {ERRORS: 90}
    assert reached_in(home, monitor, "b1", HOUR, now=HOUR.start) == {ERRORS: 3, LATENCY: 5}, "as it was known then"


def test_only_looks_of_the_last_days_that_were_in_line_tell_how_minutes_differ(home: Home):
    found = [
        seen(NOW - timedelta(minutes=2), 1, value=0.2),
        seen(NOW - timedelta(minutes=1), 2, value=0.3),
        seen(NOW, 3, value=0.9, is_out=True),
        seen(NOW - REMEMBERED - timedelta(minutes=1), 0, value=0.8),
        seen(NOW, 4, value=0.7, bins="b2"),
        seen(NOW, 5, value=0.6, segment="region=eu"),
        seen(NOW, 6, "null_ratio", value=0.5, family="data"),
    ]
    home.lake.append_records(Look, found)
    asked = [ERRORS, LATENCY, ("null_ratio", "", "")]
    before = in_line_before(home, load_monitors(home)[0]["rides"], "b1", asked, now=NOW)
    assert list(before) == [ERRORS]
    assert sorted(before[ERRORS].value) == [0.2, 0.3]
    assert before[ERRORS].n.tolist() == [100.0, 100.0]
