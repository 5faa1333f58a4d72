"""The words of `alerts`: which route takes an incident, and until when quiet hours last, also where clocks change."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from watchkeeper.alerts import Alerts, QuietHours

BERLIN = "Europe/Berlin"
ROUTES = Alerts.model_validate(
    {
        "routes": [
            {"severity": "critical", "channel": "#oncall"},
            {"families": ["data", "service"], "channel": "#platform"},
            {"severity": "high", "families": ["kpi"], "channel": "#science"},
        ]
    }
)


def quiet(**said: Any) -> QuietHours:
    return QuietHours.model_validate({"from": "22:00", "to": "07:00", **said})


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("severity", "family", "channel"),
    [
        ("critical", "data", "#oncall"),
        ("warning", "data", "#platform"),
        ("high", "kpi", "#science"),
        ("critical", "kpi", "#oncall"),
        ("warning", "kpi", None),
        ("high", "target", None),
    ],
)
def test_the_first_route_that_takes_an_incident_says_where_it_is_told(severity: str, family: str, channel: str | None):
    assert ROUTES.route_of(severity, family) == channel


@pytest.mark.parametrize(
    ("routes", "mistake"),
    [
        ([{"channel": "#all"}], "give `severity`, `families` or both"),
        ([{"severity": "high", "channel": " "}], "`channel` is empty"),
        ([{"severity": "high", "channel": "#a"}, {"severity": "critical", "channel": "#b"}], "nothing reaches route 2, as route 1 takes all of it"),
        (
            [
                {"families": ["kpi", "data"], "channel": "#a"},
                {"severity": "high", "channel": "#b"},
                {"severity": "critical", "families": ["data"], "channel": "#c"},
            ],
            "nothing reaches route 3, as route 1 takes all of it",
        ),
    ],
)
def test_a_route_that_says_nothing_or_is_never_reached_is_a_mistake(routes: list[dict[str, Any]], mistake: str):
    with pytest.raises(ValidationError, match=mistake):
        Alerts.model_validate({"routes": routes})


@pytest.mark.parametrize(
    ("said", "mistake"),
    [
        ({"from": "22"}, "'22' is not a time of day"),
        ({"to": "24:30"}, "'24:30' is not a time of day"),
        ({"from": "7:00", "to": "7:00"}, "they never end"),
        ({"days": []}, "`days` names no day"),
        ({"except": "warning"}, "'high', 'critical' or 'none'"),
    ],
)
def test_quiet_hours_that_cannot_be_are_a_mistake(said: dict[str, Any], mistake: str):
    with pytest.raises(ValidationError, match=mistake):
        quiet(**said)


@pytest.mark.parametrize(
    ("moment", "end"),
    [
        ("2025-01-06T20:59", None),
        ("2025-01-06T21:00", "2025-01-07T06:00"),
        ("2025-01-07T05:59", "2025-01-07T06:00"),
        ("2025-01-07T06:00", None),
    ],
)
def test_a_night_begins_and_ends_by_the_clock_on_the_wall(moment: str, end: str | None):
    assert quiet().until(at(moment), BERLIN) == (None if end is None else at(end))


@pytest.mark.parametrize(
    ("eve", "hours"),
    [("2025-03-29T21:00", 8), ("2025-10-25T20:00", 10), ("2025-06-10T20:00", 9)],
    ids=["the clock goes forward", "the clock goes back", "it does not"],
)
def test_the_night_in_which_clocks_change_is_an_hour_shorter_or_longer(eve: str, hours: int):
    assert quiet().until(at(eve), BERLIN) == at(eve) + timedelta(hours=hours)


@pytest.mark.parametrize(("start", "to"), [("02:15", "02:45"), ("01:15", "01:45")], ids=["left out in March", "twice in November"])
def test_half_an_hour_of_every_day_is_quiet_once_also_where_the_clock_skips_or_repeats_it(start: str, to: str):
    night, moment, ends, quarters = quiet(**{"from": start, "to": to}), at("2025-01-01T12:00"), set(), 0
    while moment < at("2026-01-01T12:00"):
        end = night.until(moment, "America/New_York")
        if end is not None:
            assert moment < end
            ends.add(end)
            quarters += 1
        moment += timedelta(minutes=15)
    assert (len(ends), quarters) == (365, 2 * 365)


def test_days_are_those_on_which_they_begin():
    workdays = quiet(days=["mon", "tue", "wed", "thu", "fri"])
    assert workdays.until(at("2025-01-11T02:00"), BERLIN) == at("2025-01-11T06:00")  # Saturday, in Friday's night
    assert workdays.until(at("2025-01-11T23:00"), BERLIN) is None
    assert workdays.until(at("2025-01-13T02:00"), BERLIN) is None  # Monday, in Sunday's night


def test_whole_days_that_follow_one_another_are_one_stretch():
    weekend = quiet(**{"from": "00:00", "to": "24:00", "days": ["sat", "sun"]})
    assert weekend.until(at("2025-01-11T10:00"), BERLIN) == at("2025-01-12T23:00")
    assert weekend.until(at("2025-01-12T23:00"), BERLIN) is None


@pytest.mark.parametrize(
    ("breaks_through", "through"), [("critical", ["critical"]), ("high", ["high", "critical"]), ("none", [])], ids=["critical", "high", "none"]
)
def test_messages_as_grave_as_the_exception_do_not_wait(breaks_through: str, through: list[str]):
    assert [s for s in ("warning", "high", "critical") if quiet(**{"except": breaks_through}).lets_through(s)] == through
