"""How long incidents took, as it is shown: in listings, the published columns, `incidents show`, pages and digests."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from conftest import PARCELS
from evidence_world import signal
from incident_world import DAY, MONDAY, event, happen
from watchkeeper.adapters.settings import Settings
from watchkeeper.adapters.workspace import Home, load_monitors
from watchkeeper.operations.act import act
from watchkeeper.operations.care import acknowledge
from watchkeeper.operations.listing import incident_listing, told
from watchkeeper.operations.pages import pages
from watchkeeper.operations.query import query
from watchkeeper.operations.report import digest_of
from watchkeeper.records import Signal
from watchkeeper.windows import Grid

HOUR = timedelta(hours=1)
OPENED = MONDAY + 60 * HOUR
"""Noon of Wednesday, 36 hours after the incident's first window ended: its labels were due."""


@pytest.fixture
def quiet_home(make_home: Callable[..., Home]) -> Home:
    """A workspace in which messages wait from noon to six."""
    return make_home(PARCELS | {"timezone": "UTC", "alerts": {"quiet_hours": {"from": "12:00", "to": "18:00"}}}, name="quiet")


def lived(home: Home) -> datetime:
    """Write an incident that opened, was told, acknowledged and resolved; return the moment of its end."""
    first = replace(signal(), signal_id="s1", window_start=MONDAY, window_end=MONDAY + DAY, computed_at=OPENED)
    home.lake.append_records(Signal, [first])
    happen(home, event(at=OPENED, signals=["s1"]))
    for now in (OPENED, OPENED + 6 * HOUR):
        act(home, load_monitors(home)[0], now=now, settings=Settings())
    acknowledge(home, "i1", who="ann", now=OPENED + 9 * HOUR)
    return happen(home, event("resolved", day=5, at=OPENED + 4 * DAY))


def test_a_listing_and_a_query_tell_when_it_was_told_and_how_long_it_took(quiet_home: Home):
    now = lived(quiet_home)
    [row] = incident_listing(quiet_home, models=None, resolved=True, now=now)
    assert (row["detected_at"], row["first_told_at"], row["acknowledged_at"]) == (OPENED, OPENED + 6 * HOUR, OPENED + 9 * HOUR)
    assert (row["detect_hours"], row["acknowledge_hours"], row["resolve_hours"]) == (60.0, 9.0, 96.0)
    found = query(quiet_home, {}, "SELECT median(detect_hours) AS detect, median(resolve_hours) AS resolve FROM incidents", now=now)
    assert found.to_pylist() == [{"detect": 60.0, "resolve": 96.0}]


def test_before_it_happened_it_is_not_known(quiet_home: Home):
    lived(quiet_home)
    [row] = incident_listing(quiet_home, models=None, resolved=True, now=OPENED + HOUR)
    assert (row["first_told_at"], row["acknowledged_at"], row["acknowledge_hours"], row["resolve_hours"]) == (None, None, None, None)
    assert row["detect_hours"] == 60.0


def test_show_tells_how_long_it_took_and_what_of_that_its_labels_did(quiet_home: Home):
    now = lived(quiet_home)
    took = "Detected after 2.5 days, of which 36 h waiting for labels; acknowledged after 9 h; resolved after 4 days.\n"
    assert told(quiet_home, "i1", now=now).endswith(took)
    assert told(quiet_home, "i1", now=OPENED).endswith("Detected after 2.5 days, of which 36 h waiting for labels.\n")


def test_a_monitor_that_does_not_know_when_labels_are_due_tells_the_plain_time(make_home: Callable[..., Home]):
    labels = {name: value for name, value in PARCELS["labels"].items() if name != "mature_after"}
    home = make_home(PARCELS | {"timezone": "UTC", "labels": labels}, name="unknown")
    assert told(home, "i1", now=lived(home)).endswith("Detected after 2.5 days; acknowledged after 9 h; resolved after 4 days.\n")


def test_the_page_of_an_incident_has_them_too(quiet_home: Home):
    now = lived(quiet_home)
    pages(quiet_home, load_monitors(quiet_home)[0], now=now)
    page = (quiet_home.site_dir / "incidents" / "i1.html").read_text(encoding="utf-8")
    assert "Detected after 2.5 days; acknowledged after 9 h; resolved after 4 days" in page


def test_a_digest_has_the_medians_of_its_incidents(quiet_home: Home):
    end = lived(quiet_home)
    happen(quiet_home, event(incident="i2", day=1, at=OPENED + 4 * HOUR, family="data", subject="missing values"))
    monitor, week = load_monitors(quiet_home)[0]["parcels"], Grid("week", "UTC").at(MONDAY)
    early = digest_of(quiet_home, monitor, week, now=OPENED + 5 * HOUR, period="week")
    late = digest_of(quiet_home, monitor, week, now=end, period="week")
    assert "**Times:** detected after 2.1 days (median of 2 incidents).\n" in early.text
    assert "**Times:** detected after 2.1 days (median of 2 incidents), resolved after 4 days (1).\n" in late.text
    figures = json.loads(late.facts)
    assert {name: figures[name] for name in ("detect_hours", "detected", "resolve_hours", "resolved")} == {
        "detect_hours": 50.0,
        "detected": 2,
        "resolve_hours": 96.0,
        "resolved": 1,
    }


def test_an_incident_with_a_part_that_began_earlier_has_one_time_wherever_it_is_told(quiet_home: Home):
    whole, now = event(day=6, at=MONDAY + 10 * DAY), MONDAY + 10 * DAY
    part = replace(event(incident="i2", family="segment", subject="zone=4", at=now), part_of="i1", window_end=MONDAY + 5 * DAY)
    happen(quiet_home, whole, part)
    [row] = incident_listing(quiet_home, models=None, resolved=True, now=now)
    assert (row["onset_at"], row["detect_hours"], row["window_start"]) == (MONDAY, 240.0, MONDAY)
    found = query(quiet_home, {}, "SELECT DISTINCT detect_hours FROM incidents", now=now)
    assert found.to_pylist() == [{"detect_hours": 240.0}]
    monitor = load_monitors(quiet_home)[0]["parcels"]
    shown = {name: told(quiet_home, name, now=now) for name in ("i1", "i2")}
    assert all("*All of it:* 3 to 9 Mar 2025.\n" in said and said.endswith("Detected after 10 days.\n") for said in shown.values())
    digest = digest_of(quiet_home, monitor, Grid("week", "UTC").at(MONDAY), now=now, period="week")
    assert "opened on day 6; cause unknown; reply if you know (all of it: 3 to 9 March)." in digest.text
    assert "**Times:** detected after 10 days (1 incident)." in digest.text
    pages(quiet_home, load_monitors(quiet_home)[0], now=now)
    page = (quiet_home.site_dir / "incidents" / "i1.html").read_text(encoding="utf-8")
    assert "<dt>All of it</dt><dd>3 to 9 Mar 2025</dd>" in page
    assert "Detected after 10 days" in page
    assert "Mon 3 Mar 2025, 00:00" in page.split("Wrong since")[1][:60]


def test_a_part_of_another_model_counts_in_the_time_of_a_digest_and_alone_there_it_has_its_own(make_home: Callable[..., Home]):
    home = make_home(PARCELS | {"timezone": "UTC"}, name="several")
    now = MONDAY + 3 * DAY
    happen(home, event(day=1, at=now), replace(event(incident="i2", model="letters", at=now), part_of="i1"))
    text = digest_of(home, load_monitors(home)[0]["parcels"], Grid("week", "UTC").at(MONDAY), now=now, period="week").text
    assert "**Times:** detected after 3 days (1 incident)." in text
    happen(home, event(incident="i3", model="letters", day=1, at=now), replace(event(incident="i4", day=2, at=now), part_of="i3"))
    text = digest_of(home, load_monitors(home)[0]["parcels"], Grid("week", "UTC").at(MONDAY), now=now, period="week").text
    assert "**Times:** detected after 2 days (median of 2 incidents)." in text
