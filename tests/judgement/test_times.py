"""How long incidents took: until they were seen, acknowledged and over; and how much of the first was the wait for labels."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from evidence_world import signal
from incident_world import DAY, MONDAY, event
from watchkeeper.judgement.episodes import Episode
from watchkeeper.judgement.incidents import RESTATED, Incident, fold
from watchkeeper.judgement.times import Medians, Times, medians, times_of, times_text, waited_for_labels
from watchkeeper.records import IncidentEvent, Signal

HOUR = timedelta(hours=1)
DUE = 36 * HOUR


def one(*events: IncidentEvent) -> Incident:
    [found] = fold(events)
    return found


def test_times_run_from_the_first_window_to_the_opening_and_from_there_to_what_people_did_and_to_the_end():
    acknowledged = event("acknowledged", day=1, at=MONDAY + 33 * HOUR)
    again = event("acknowledged", day=2, at=MONDAY + 60 * HOUR, who="bo")
    found = one(event(), acknowledged, again, event("resolved", day=3))
    assert times_of(found) == Times(detect_hours=30, acknowledge_hours=3, resolve_hours=72)
    assert times_text(found) == "detected after 30 h; acknowledged after 3 h; resolved after 3 days"


def test_what_was_over_before_it_was_found_has_no_time_to_resolve_and_is_in_no_median_of_it():
    found = one(event(), replace(event("resolved", day=3), at=event().at))
    assert times_text(found) == "detected after 30 h; over when it was found"
    assert times_of(found) == Times(detect_hours=30)
    assert medians([found]).text == "detected after 30 h (1 incident)"
    later = one(event(incident="i2"), event("resolved", incident="i2", day=2))
    assert medians([found, later]) == Medians(30, 2, 48, 1)


def test_what_goes_on_has_no_time_to_resolve_and_what_was_taken_back_has_none_at_all():
    assert times_of(one(event())) == Times(detect_hours=30)
    taken_back = one(event(), replace(event("resolved", day=1), why=RESTATED))
    assert times_of(taken_back) == Times()
    assert times_text(taken_back) == ""


def test_where_the_newest_rows_told_it_began_with_the_first_bad_one_unless_an_earlier_window_was_bad_too():
    told_at, first_row = MONDAY + 9 * HOUR, MONDAY + 8.9 * HOUR
    opened = replace(event(at=told_at), rows_from=first_row)
    whole_day = event("joined")
    assert one(opened, whole_day).onset_at == first_row
    assert times_text(one(opened, whole_day)) == "detected after 6 min"
    assert one(opened, event("joined", day=-1, at=MONDAY + 3 * DAY)).onset_at == MONDAY - DAY


def test_bad_rows_are_known_of_a_window_only_where_nothing_else_told_of_it():
    newest = replace(signal("latency_p95", 780.0, family="service", rule="newest"), rows_from=MONDAY, rows_to=MONDAY + HOUR)
    later = replace(newest, rows_from=MONDAY + HOUR)
    assert Episode("service", "service", [later, newest], is_over=False).rows_from == MONDAY
    assert Episode("service", "service", [newest, signal("error_ratio", 0.1, family="service")], is_over=False).rows_from is None
    assert Episode("service", "service", [newest], is_over=False, onset=newest.window_start - HOUR).rows_from is None


def test_an_onset_that_becomes_known_later_is_where_the_time_to_detect_begins():
    earlier = event("joined", day=-1, at=MONDAY + 3 * DAY)
    assert times_of(one(event(), earlier)).detect_hours == 54


def test_one_that_opened_again_took_until_its_last_end():
    found = one(event(), event("resolved", day=1), event("joined", day=2), event("resolved", day=4))
    assert times_of(found).resolve_hours == 96


def opened(*marks: str, hours: int = 60, **more: Any) -> tuple[Incident, IncidentEvent]:
    opening = event(at=MONDAY + hours * HOUR, signals=list(marks), **more)
    return one(opening), opening


def a_signal(name: str, day: int = 0) -> Signal:
    return replace(signal(), signal_id=name, window_start=MONDAY + day * DAY, window_end=MONDAY + (day + 1) * DAY)


def test_the_wait_for_labels_is_told_where_what_opened_the_incident_was_final():
    incident, opening = opened("s1")
    waited = waited_for_labels(incident, opening, [a_signal("s1")], DUE)
    assert waited == DUE
    assert times_text(incident, waited) == "detected after 2.5 days, of which 36 h waiting for labels"


@pytest.mark.parametrize(
    ("marks", "hours", "more"),
    [
        (("s1?",), 60, {}),  # told of a provisional number
        (("s1", "s2?"), 60, {}),
        (("s1",), 59, {}),  # before they were due
        (("s1",), 60, {"family": "data", "subject": "missing values"}),
        (("s1",), 60, {"family": "target", "subject": "target psi"}),
        (("gone",), 60, {}),
        ((), 60, {}),
    ],
)
def test_nothing_is_told_of_the_wait_for_labels_where_it_is_not_known(marks: tuple[str, ...], hours: int, more: dict[str, str]):
    incident, opening = opened(*marks, hours=hours, **more)
    assert waited_for_labels(incident, opening, [a_signal("s1"), a_signal("s2")], DUE) is None


def test_medians_are_of_the_incidents_to_which_it_happened():
    over = [one(event(incident=f"i{n}"), event("resolved", incident=f"i{n}", day=n)) for n in (1, 2, 5)]
    going_on = one(event(incident="i7", at=MONDAY + 100 * HOUR))
    taken_back = one(event(incident="i8", at=MONDAY + 900 * HOUR), replace(event("resolved", incident="i8", at=MONDAY + 901 * HOUR), why=RESTATED))
    assert medians([*over, going_on, taken_back]) == Medians(30, 4, 48, 3)
    assert medians([taken_back]).text == medians([]).text == ""
