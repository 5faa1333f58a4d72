"""Report: which periods get a digest, when, and once; what it tells of whole worlds."""

import json
from datetime import UTC, date, datetime, timedelta

from conftest import PARCELS
from watchkeeper.adapters.workspace import load_monitors
from watchkeeper.operations.report import digest_of, report
from watchkeeper.operations.watch import watch
from watchkeeper.records import Digest, Score
from watchkeeper.windows import Grid
from worlds import DAY, parcels_days

FIRST, BEGIN = date(2025, 1, 1), datetime(2025, 1, 1, tzinfo=UTC)
MONDAY = datetime(2025, 1, 20, tzinfo=UTC)
END_OF_WEEK = MONDAY + 7 * DAY


def digests(home) -> dict[date, Digest]:
    return {d.window_start.date(): d for d in home.lake.newest(Digest)}


def test_a_week_is_told_when_its_labels_are_due_and_once(home):
    parcels_days(home.root, FIRST, 26)
    watch(home, now=END_OF_WEEK + timedelta(hours=35))
    assert MONDAY.date() not in digests(home)
    watch(home, now=END_OF_WEEK + timedelta(hours=36))
    assert MONDAY.date() in digests(home)
    monitors = load_monitors(home)[0]
    assert report(home, monitors, now=END_OF_WEEK + timedelta(hours=37)) == []


def test_weeks_that_hold_days_of_the_reference_are_not_told(home):
    parcels_days(home.root, FIRST, 26)
    watch(home, now=BEGIN + 30 * DAY)
    assert sorted(digests(home)) == [MONDAY.date()]


def test_a_bad_week_is_called_so_with_its_cause(home):
    parcels_days(home.root, FIRST, 30, rows=300, late=dict.fromkeys((20, 21, 22, 23), 0.5))
    watch(home, now=BEGIN + 31 * DAY)
    told = digests(home)[MONDAY.date()]
    assert "bad." in told.headline
    assert "**Why:**" in told.text
    assert "restated" not in told.text
    figures = json.loads(told.facts)
    assert len(figures["incidents"]) == 1
    assert figures["label_coverage"] == 1.0


def test_a_digest_may_be_asked_for_before_it_is_final_and_says_so(home, parcels):
    parcels_days(home.root, FIRST, 23)
    now = BEGIN + 23 * DAY
    watch(home, now=now)
    early = digest_of(home, parcels, Grid("week", "UTC").at(MONDAY), now=now, period="week")
    assert "Figures are provisional" in early.text
    assert digests(home) == {}


def test_days_may_be_the_period_and_a_silent_one_is_told_too(make_home):
    home = make_home(PARCELS, digest="day")
    parcels_days(home.root, FIRST, 20)
    watch(home, now=BEGIN + 24 * DAY)
    told = digests(home)
    assert len(told) == 8
    assert told[date(2025, 1, 21)].headline == "parcels, Tue 21 January: nothing to measure."
    assert "no events of this period have landed" in told[date(2025, 1, 21)].text


def test_two_runs_that_write_the_same_score_restate_nothing(home, parcels):
    parcels_days(home.root, FIRST, 26)
    now = BEGIN + 30 * DAY
    watch(home, now=now)
    home.lake.append_records(Score, home.lake.newest(Score))
    again = digest_of(home, parcels, Grid("week", "UTC").at(MONDAY), now=now, period="week")
    assert "restated" not in again.text
