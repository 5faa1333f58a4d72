"""Report: which periods get a digest, when, and once; what it tells of whole worlds."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pytest

from conftest import PARCELS, new_home
from evidence_world import signal
from incident_world import event
from watchkeeper.adapters.workspace import Home, load_monitors
from watchkeeper.judgement.incidents import LASTED
from watchkeeper.monitor import Monitor
from watchkeeper.operations.report import digest_of, newest_as_it_stands, newest_digest, report
from watchkeeper.operations.watch import watch
from watchkeeper.records import Digest, IncidentEvent, Score, Signal
from watchkeeper.story import Story
from watchkeeper.windows import Grid
from worlds import DAY, parcels_days

FIRST, BEGIN = date(2025, 1, 1), datetime(2025, 1, 1, tzinfo=UTC)
MONDAY = datetime(2025, 1, 20, tzinfo=UTC)
END_OF_WEEK = MONDAY + 7 * DAY
SEEN = BEGIN + 30 * DAY


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Twenty-six days of parcels, watched when all their labels were due."""
    home = new_home(tmp_path_factory.mktemp("report") / "home", PARCELS)
    parcels_days(home.root, FIRST, 26)
    watch(home, now=SEEN)
    return home


@pytest.fixture
def quiet(seen: Home, copy_of: Callable[[Home], Home]) -> Home:
    """A copy of it, to which something may happen."""
    return copy_of(seen)


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


def test_a_week_in_which_everything_is_flagged_is_not_told_as_one_that_found_everything(make_home):
    def flagged(events: pa.Table, labels: pa.Table) -> tuple[pa.Table, pa.Table]:
        score = 1 - (1 - events["p_late"].to_numpy()) * 0.3
        for name, values in (("p_late", score), ("is_late", score >= 0.5)):
            events = events.set_column(events.column_names.index(name), name, pa.array(values))
        return events, labels

    promised = {"targets": [{"metric": "recall", "at_least": 0.3, "per": "week"}]}
    home = make_home(PARCELS | promised)
    parcels_days(home.root, FIRST, 26, change=dict.fromkeys(range(19, 26), flagged))
    watch(home, now=SEEN)
    said = digests(home)[MONDAY.date()].text
    assert re.search(
        r"Found \d+ of \d+ .*\(100 %.*\)\. But 100 % of predictions were flagged, over the whole reference 3 %; 24 % of these were positive", said
    )
    assert re.search(r"recall at least 0.3: kept \(1.00, with 100 % of predictions flagged\)", said)
    stories = [Story.from_json(e.story) for e in home.lake.newest(IncidentEvent) if e.event == "opened" and e.family == "kpi"]
    assert "But 100 % of predictions were flagged" in dict(stories[0].facts)["Missed"]


def test_weeks_that_hold_days_of_the_reference_are_not_told(seen):
    assert sorted(digests(seen)) == [MONDAY.date()]


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


def test_that_an_incident_ends_after_its_week_was_told_is_no_correction_of_it(home):
    """The digest is written anew for a figure that came again, and says by then how long the incident took."""
    parcels_days(home.root, FIRST, 26)
    watch(home, now=END_OF_WEEK)
    monitors, told = load_monitors(home)[0], END_OF_WEEK + timedelta(hours=36)
    opened = replace(event(at=END_OF_WEEK), window_start=MONDAY + DAY, window_end=MONDAY + 2 * DAY)
    home.lake.append_records(IncidentEvent, [opened])
    [first] = report(home, monitors, now=told)
    assert "**Times:** detected after 6 days (1 incident)." in first.text
    over = replace(opened, event_id="over", event="resolved", story="{}", why="3 days clear", at=told + DAY)
    home.lake.append_records(IncidentEvent, [over])
    again = next(s for s in home.lake.newest(Score) if s.window_start == MONDAY and s.metric == "log_loss" and not s.segment)
    home.lake.append_records(Score, [replace(again, revision=again.revision + 1, computed_at=told + DAY)])
    [second] = report(home, monitors, now=told + DAY)
    assert "**Times:** detected after 6 days (1 incident), resolved after 2.5 days (1)." in second.text
    assert (second.revision, second.corrections) == (1, 0)


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
    assert told[date(2025, 1, 21)].headline == "parcels, Tue 21 January: nothing to measure. no predictions landed on 21 to 24 January, usually 800"
    assert "no events of this period have landed" in told[date(2025, 1, 21)].text


def test_two_runs_that_write_the_same_score_restate_nothing(quiet, parcels):
    quiet.lake.append_records(Score, quiet.lake.newest(Score))
    again = digest_of(quiet, parcels, Grid("week", "UTC").at(MONDAY), now=SEEN, period="week")
    assert "restated" not in again.text


def test_a_segments_trouble_that_was_over_before_the_week_is_not_told_again(quiet, parcels):
    about = {"family": "segment", "severity": "warning", "at": SEEN}
    before, within = MONDAY - 3 * DAY, MONDAY + DAY
    stories = [
        replace(
            event(incident=name, subject=name),
            window_start=start,
            window_end=start + 2 * DAY,
            story=Story(headline=f"{name}: late", when="").to_json(),
        )
        for name, start in (("depot=north", before), ("depot=south", within), ("depot=east", before), ("depot=west", before))
    ]
    quiet.lake.append_records(IncidentEvent, [replace(e, **about) for e in stories])
    north, lasting = (replace(e, **about | {"at": SEEN + timedelta(hours=1)}) for e in (stories[0], stories[2]))
    quiet.lake.append_records(
        IncidentEvent,
        [
            replace(north, event="resolved", event_id="over", why="clear since 20 January", story="{}"),
            replace(lasting, event="resolved", event_id="lasts", why=LASTED, story="{}"),
        ],
    )
    told = digest_of(quiet, parcels, Grid("week", "UTC").at(MONDAY), now=BEGIN + 31 * DAY, period="week").text
    assert "depot=north" not in told
    assert "depot=south: late (open); cause unknown." in told
    assert "depot=east: late (known, lasts)." in told
    assert "depot=west: late (open); cause unknown." in told


def test_the_newest_digest_tells_of_incidents_as_they_stand_when_it_is_asked_for(quiet: Home, parcels: Monitor) -> None:
    """It was over when the digest was written and came again two days later."""
    [written] = quiet.lake.newest(Digest)
    bad = Story(headline="depot=south: late (21 January)", when="").to_json()
    opened = replace(event(subject="depot=south", family="segment"), window_start=MONDAY + DAY, window_end=MONDAY + 2 * DAY, story=bad, at=SEEN - DAY)
    over = replace(opened, event_id="over", event="resolved", why="clear since 22 January", story="{}", at=SEEN - DAY)
    longer = Story(headline="depot=south: late (21 to 29 January)", when="").to_json()
    again = replace(opened, event_id="again", event="joined", window_end=MONDAY + 10 * DAY, story=longer, at=SEEN + 2 * DAY)
    quiet.lake.append_records(IncidentEvent, [opened, over, again])
    then, now = (newest_as_it_stands(quiet, parcels, now=at) for at in (SEEN + DAY, SEEN + 2 * DAY))
    assert then is not None
    assert now is not None
    assert then.text.splitlines()[2].startswith("Nothing of this week needs you now.")
    assert "**In segments:** depot=south: late (21 January); cause unknown." in then.text
    assert now.text.splitlines()[2].startswith(
        "1 open incident needs you. 1 open incident began later: no predictions landed on 27 to 30 January, usually 800 ("
    )
    assert "**In segments:** depot=south: late (21 to 29 January) (open); cause unknown." in now.text
    assert (now.digest_id, now.computed_at, now.corrections) == (written.digest_id, SEEN + 2 * DAY, 0)
    assert "ook at incident i1 (`watchkeeper incidents show i1`)." in now.text
    kept = newest_digest(quiet, parcels, now=SEEN + 2 * DAY)
    assert kept is not None
    assert kept.text == written.text  # asking writes nothing


def test_the_reason_of_a_bad_week_is_the_metric_that_leads_its_gravest_incident(quiet, parcels):
    lead = signal("roc_auc", 0.55, day=0, expected=0.7)
    quiet.lake.append_records(Signal, [replace(lead, window_start=MONDAY, window_end=MONDAY + DAY, computed_at=MONDAY)])
    bad = replace(event(), window_start=MONDAY, window_end=MONDAY + DAY, severity="critical", signals=[lead.signal_id], at=SEEN)
    quiet.lake.append_records(IncidentEvent, [bad])
    week = Grid("week", "UTC").at(MONDAY)
    told = digest_of(quiet, parcels, week, now=BEGIN + 31 * DAY, period="week").headline
    assert told.endswith(": bad. AUC 0.550 on Mon 20 January; usually 0.700 on a typical day")
    quiet.lake.append_records(IncidentEvent, [replace(bad, event_id="graver", incident_id="i2", family="data", severity="high", signals=[])])
    assert "AUC" in digest_of(quiet, parcels, week, now=BEGIN + 31 * DAY, period="week").headline
