"""A promise is kept or broken by windows of its own length, wherever it is told."""

import dataclasses
import json
from datetime import UTC, date, datetime, timedelta

import pytest

import worlds_site as world
from conftest import PARCELS
from watchkeeper.adapters.workspace import Home, load_monitors
from watchkeeper.operations.promises import promises
from watchkeeper.operations.report import digest_of
from watchkeeper.operations.status import overview_rows
from watchkeeper.operations.watch import watch
from watchkeeper.records import Score
from watchkeeper.site.overview import overview_cells
from watchkeeper.windows import Grid, Window
from watchkeeper.words import number_text
from worlds import DAY, parcels_days

MONTHLY = [{"metric": "recall", "at_least": 0.35, "per": "month"}]
MONTH = Grid("month", "America/New_York")
APRIL, MARCH = (MONTH.at(datetime(2013, month, 15, tzinfo=UTC)) for month in (4, 3))
LATER = world.NOW + timedelta(days=60)


@pytest.fixture
def watched(tmp_path):
    """A workspace with daily scores, the newest of which are below the promise."""
    home, monitor = Home(tmp_path), world.monitor(targets=MONTHLY)
    home.lake.append_records(Score, [dataclasses.replace(s, value=0.2) for w in world.days(monitor)[-5:] for s in world._scores(monitor, w)])
    return home, monitor


def measured(home: Home, window: Window, value: float, state: str = "mature") -> None:
    of_day = world._scores(world.monitor(), window)
    recall = next(s for s in of_day if s.metric == "recall")
    home.lake.append_records(Score, [dataclasses.replace(recall, value=value, state=state, grain="month", computed_at=world.NOW)])


def test_a_bad_day_does_not_break_the_promise_of_a_month(watched):
    home, monitor = watched
    measured(home, APRIL, 0.44)
    [found] = promises(home, monitor, now=LATER)
    assert (found.is_kept, found.value, found.window_start, found.window_end) == (True, 0.44, APRIL.start, APRIL.end)
    [row] = overview_rows(home, {monitor.model: monitor}, now=LATER)
    assert overview_cells(row)["targets"] == "1 kept"


def test_a_broken_month_is_named(watched):
    home, monitor = watched
    measured(home, APRIL, 0.3)
    [row] = overview_rows(home, {monitor.model: monitor}, now=LATER)
    assert overview_cells(row)["targets"] == "0 kept, broken: recall at least 0.35 (was 0.300 in April 2013)"


@pytest.mark.parametrize(("window", "state"), [(APRIL, "provisional"), (MARCH, "mature")])
def test_a_month_that_is_not_final_or_lies_in_the_reference_decides_nothing(watched, window, state):
    home, monitor = watched
    measured(home, window, 0.3, state)
    [found] = promises(home, monitor, now=LATER)
    assert (found.is_kept, found.value) == (None, None)


def test_a_period_is_told_with_the_windows_that_were_over_when_it_ended(watched):
    home, monitor = watched
    measured(home, APRIL, 0.3)
    measured(home, MONTH.at(APRIL.end), 0.5)
    [found] = promises(home, monitor, now=LATER, of=Grid("week", "America/New_York").at(datetime(2013, 5, 15, tzinfo=UTC)))
    assert (found.is_kept, found.value) == (False, 0.3)
    assert promises(home, monitor, now=LATER)[0].value == 0.5


def test_status_page_and_digests_tell_the_same_of_a_monthly_promise(make_home, watchkeeper):
    targets = [{"metric": "recall", "at_least": 0.99, "per": "month"}, {"metric": "psi", "feature": "depot", "at_most": 0.9}]
    home = make_home(PARCELS | {"targets": targets}, name="promised")
    parcels_days(home.root, date(2025, 1, 1), 64, rows=60)
    now = datetime(2025, 1, 1, tzinfo=UTC) + 65 * DAY
    watch(home, now=now)
    monitor = load_monitors(home)[0]["parcels"]
    at = ("--now", now.isoformat())
    recall = json.loads(watchkeeper("scores", "parcels", "--metric", "recall", "--by", "month", "--json", *at, at=home).stdout)
    february = next(s["value"] for s in recall if s["window_start"] == "2025-02-01T00:00:00Z")
    shown = json.loads(watchkeeper("status", "--json", *at, at=home).stdout)[0]["targets"][0]
    assert shown == {
        "text": "recall at least 0.99",
        "per": "month",
        "is_kept": False,
        "value": pytest.approx(february),
        "window_start": "2025-02-01T00:00:00Z",
        "window_end": "2025-03-01T00:00:00Z",
        "so_far": None,
    }
    told = {day: _promises(home, monitor, day, now) for day in (date(2025, 1, 22), date(2025, 2, 19), date(2025, 2, 26))}
    assert told[date(2025, 1, 22)].startswith("recall at least 0.99: 0.")
    assert " so far in January, not decided; PSI of depot at most 0.9: kept (0.0" in told[date(2025, 1, 22)]
    assert " so far in February, not decided; " in told[date(2025, 2, 19)]
    assert told[date(2025, 2, 26)].startswith(f"recall at least 0.99: broken in February 2025 ({number_text(february)}), ")
    assert " so far in March; PSI of depot at most 0.9: kept (0.0" in told[date(2025, 2, 26)]


def _promises(home: Home, monitor, day: date, now: datetime) -> str:
    window = Grid("week", "UTC").at(datetime(day.year, day.month, day.day, tzinfo=UTC))
    text = digest_of(home, monitor, window, now=now, period="week").text
    return text.split("**Promises:** ")[1].split("\n")[0]
