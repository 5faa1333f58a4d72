"""Act: in quiet hours what is not grave waits, and is told as it then stands: nothing is lost, nothing comes twice."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from incident_world import DAY, event, happen
from receiver import Receiver
from slack_standin import Slack, broken
from watchkeeper.adapters.settings import Settings
from watchkeeper.adapters.workspace import Home
from watchkeeper.monitor import Monitor
from watchkeeper.operations.act import act
from watchkeeper.operations.care import acknowledge
from watchkeeper.operations.silence import About, silence
from watchkeeper.records import Action
from watchkeeper.story import Cause

HOUR = timedelta(hours=1)
NIGHT = datetime.fromisoformat("2025-03-04T23:00Z")
"""Midnight in Berlin, of the day after the incident of day 0 began."""
MORNING = datetime.fromisoformat("2025-03-05T06:00Z")
WAITS = "waits until Wed 5 Mar 2025, 07:00: quiet hours"
FOUND = (Cause(kind="data", subject="faulty data: wind"),)


@pytest.fixture
def slack() -> Iterator[Slack]:
    with Slack() as server:
        yield server


@pytest.fixture
def run(home: Home, parcels: Monitor, slack: Slack) -> Callable[..., list[tuple[str, str, str]]]:
    """Act on the parcels, in Berlin, quiet from 22 to 7; return (kind, state, reason): `run(now)`."""

    def acting(now: datetime, settings: Settings | None = None, **more: Any) -> list[tuple[str, str, str]]:
        quiet = {"from": "22:00", "to": "07:00", **more.pop("quiet", {})}
        said = {**parcels.model_dump(by_alias=True, exclude_none=True), "timezone": "Europe/Berlin", "alerts": {"quiet_hours": quiet}, **more}
        rows = act(home, {"parcels": Monitor.model_validate(said)}, now=now, settings=settings or slack.as_bot)
        return [(row.kind, row.state, row.reason) for row in rows]

    return acting


def told(slack: Slack) -> list[str]:
    return [m["text"] for m in slack.messages]


def states(home: Home) -> set[tuple[str, str]]:
    return {(a.kind, a.state) for a in home.lake.newest(Action)}


def test_a_message_waits_for_the_end_of_quiet_hours_and_is_kept_with_the_reason(slack: Slack, home: Home, run):
    happen(home, event(at=NIGHT))
    assert run(NIGHT) == [("open", "held", WAITS)]
    assert run(NIGHT) == run(NIGHT + 2 * HOUR) == []
    assert slack.messages == []
    [kept] = home.lake.newest(Action)
    assert (kept.state, kept.reason) == ("held", WAITS)
    assert json.loads(kept.payload)["message"]["title"] == "parcels: opened on day 0"
    assert run(MORNING - timedelta(seconds=1)) == []
    assert run(MORNING) == [("open", "sent", "")]
    assert run(MORNING) == run(MORNING + HOUR) == []
    assert told(slack) == ["🔴 parcels: opened on day 0"]


def test_by_day_nothing_waits(slack: Slack, home: Home, run):
    assert run(happen(home, event())) == [("open", "sent", "")]  # 06:00 UTC is 07:00 in Berlin


def test_what_waited_is_told_as_it_stands_in_the_morning(slack: Slack, home: Home, run):
    happen(home, event(at=NIGHT))
    run(NIGHT)
    happen(home, event("joined", day=1, at=NIGHT + 2 * HOUR))
    assert run(NIGHT + 2 * HOUR) == []
    assert sorted(run(MORNING)) == [("open", "sent", ""), ("update", "skipped", "told with the opening")]
    assert told(slack) == ["🔴 parcels: joined on day 1"]
    assert run(MORNING + DAY) == []


def test_an_incident_that_came_and_went_in_the_night_is_told_once_in_one_line(slack: Slack, home: Home, run):
    happen(home, event(at=NIGHT))
    run(NIGHT)
    happen(home, event("resolved", at=NIGHT + 4 * HOUR))
    assert [state for _, state, _ in run(NIGHT + 4 * HOUR)] == ["held"]
    assert sorted(run(MORNING)) == [("open", "skipped", "the incident was resolved before this could be told"), ("resolve", "sent", "")]
    over = "over (3 days clear); opened Wed 5 Mar 2025, 00:00, resolved Wed 5 Mar 2025, 04:00"
    assert told(slack) == [f"✅ parcels: opened on day 0: {over}"]
    assert [b["type"] for b in slack.messages[0]["blocks"]] == ["header", "context"]
    assert run(MORNING + DAY) == []
    assert ("open", "held") in states(home)  # rows are added and never changed; how it ended stands beside


def test_the_night_of_an_incident_that_is_known_becomes_one_update_or_its_end(slack: Slack, home: Home, run):
    opened = happen(home, event())
    run(opened)
    happen(home, event("joined", day=1, at=NIGHT, causes=FOUND))
    assert run(NIGHT) == [("update", "held", WAITS)]
    happen(home, event("resolved", day=2, at=NIGHT + 3 * HOUR))
    run(NIGHT + 3 * HOUR)
    assert sorted((kind, state) for kind, state, _ in run(MORNING)) == [("resolve", "sent"), ("update", "skipped")]
    assert told(slack) == ["🔴 parcels: opened on day 0", "✅ parcels: resolved: 3 days clear"]
    assert slack.messages[1]["thread_ts"] == slack.messages[0]["ts"]


def test_a_critical_incident_breaks_through_and_takes_with_it_what_waited(slack: Slack, home: Home, run):
    happen(home, event(at=NIGHT))
    run(NIGHT)
    now = happen(home, event("joined", day=1, severity="critical", at=NIGHT + HOUR))
    assert sorted(run(now)) == [("open", "sent", ""), ("update", "skipped", "told with the opening")]
    assert told(slack) == ["🚨 parcels: joined on day 1"]
    assert run(happen(home, event("resolved", day=2, at=NIGHT + 5 * HOUR))) == [("resolve", "sent", "")]


def test_the_monitor_says_what_breaks_through(slack: Slack, home: Home, run):
    happen(home, event(at=NIGHT), event(incident="i2", subject="depot=north", family="segment", severity="warning", at=NIGHT))
    assert sorted((kind, state) for kind, state, _ in run(NIGHT, quiet={"except": "high"})) == [("open", "held"), ("open", "sent")]
    happen(home, event(incident="i3", day=1, severity="critical", at=NIGHT + HOUR))
    assert [state for _, state, _ in run(NIGHT + HOUR, quiet={"except": "none"})] == ["held"]


def test_what_failed_by_day_is_not_tried_again_by_night(slack: Slack, home: Home, run):
    slack.faults.append(broken())
    evening = NIGHT - 2 * HOUR
    happen(home, event(at=evening - HOUR))
    assert [state for _, state, _ in run(evening - HOUR)] == ["failed"]
    assert run(NIGHT) == []
    assert run(MORNING) == [("open", "sent", "")]


def test_an_update_whose_cooldown_ends_in_the_night_waits_too(slack: Slack, home: Home, run):
    evening = NIGHT - 4 * HOUR
    happen(home, event(at=evening))
    run(evening)
    happen(home, event("joined", day=1, at=evening + HOUR, causes=FOUND))
    assert run(evening + HOUR) == []
    assert run(NIGHT + 4 * HOUR) == []
    assert run(MORNING) == [("update", "sent", "")]


def test_every_receiver_waits_and_each_is_told_once(home: Home, run):
    with Receiver() as pager:
        settings = Settings(webhook_url=f"{pager.url}/hook")
        happen(home, event(at=NIGHT))
        assert run(NIGHT, settings) == [("open", "held", WAITS)] * 2
        assert run(MORNING, settings) == [("open", "sent", "")] * 2
        assert run(MORNING, settings) == []
        assert len(pager.requests) == 1


def test_quiet_hours_of_days_do_not_make_old_news_of_what_waited(slack: Slack, home: Home, run):
    """Six days in a row are quiet; what opened and ended on the first of them is told on the seventh."""
    long = {"quiet": {"from": "00:00", "to": "24:00", "days": ["tue", "wed", "thu", "fri", "sat", "sun"]}}
    happen(home, event(at=NIGHT - 12 * HOUR))
    assert [state for _, state, _ in run(NIGHT - 12 * HOUR, **long)] == ["held"]
    happen(home, event("resolved", at=NIGHT))
    run(NIGHT, **long)
    monday = datetime.fromisoformat("2025-03-09T23:00Z")
    assert run(monday - timedelta(seconds=1), **long) == []
    assert ("resolve", "sent", "") in run(monday, **long)
    assert len(slack.messages) == 1


def test_what_waited_is_old_news_where_nobody_ran_for_a_week_after(slack: Slack, home: Home, run):
    happen(home, event(at=NIGHT), event("resolved", at=NIGHT + HOUR))
    assert [state for _, state, _ in run(NIGHT + HOUR)] == ["held"]
    assert {(state, reason) for _, state, reason in run(MORNING + 9 * DAY)} == {("skipped", "older than 7 days")}
    assert slack.messages == []


def test_quiet_hours_that_are_edited_say_so_in_what_waits(home: Home, run):
    happen(home, event(at=NIGHT))
    run(NIGHT)
    later = {"quiet": {"to": "09:00"}}
    assert run(NIGHT + HOUR, **later) == [("open", "held", "waits until Wed 5 Mar 2025, 09:00: quiet hours")]
    assert run(MORNING, **later) == []
    assert run(MORNING + 2 * HOUR, **later) == [("open", "sent", "")]


def test_a_silence_in_the_night_is_a_silence_and_what_follows_it_is_told(slack: Slack, home: Home, run):
    opened = happen(home, event())
    run(opened)
    happen(home, event("resolved", day=1, at=NIGHT))
    assert [state for _, state, _ in run(NIGHT)] == ["held"]
    silence(home, About(model="parcels"), until=MORNING + 3 * HOUR, who="ann", why="asleep", now=NIGHT + HOUR)
    assert run(NIGHT + 2 * HOUR) == run(MORNING) == []
    assert run(MORNING + 3 * HOUR) == [("resolve", "sent", "")]


def test_an_end_that_waited_for_the_morning_and_then_for_a_long_silence_is_told_after_it(slack: Slack, home: Home, run):
    run(happen(home, event()))
    happen(home, event("resolved", day=1, at=NIGHT))
    run(NIGHT)
    silence(home, About(model="parcels"), until=MORNING + 10 * DAY, who="ann", why="away", now=NIGHT + HOUR)
    assert run(MORNING) == []
    assert run(MORNING + 10 * DAY) == [("resolve", "sent", "")]
    assert told(slack)[1:] == ["✅ parcels: resolved: 3 days clear"]


def test_who_acknowledged_it_in_the_night_is_said_in_the_morning(slack: Slack, home: Home, run):
    happen(home, event(at=NIGHT))
    run(NIGHT)
    acknowledge(home, "i1", who="ann", why="the depot is asked", now=NIGHT + HOUR)
    run(MORNING)
    assert "*Acknowledged:* by ann on Wed 5 Mar 2025, 01:00: the depot is asked." in str(slack.messages[0]["blocks"])


def test_retraining_is_asked_for_once_and_does_not_wait(home: Home, run):
    happen(home, event(at=NIGHT), event("joined", day=1, at=NIGHT), event("joined", day=2, at=NIGHT))
    more = {"retraining": {"webhook": "http://127.0.0.1:9/train"}}
    assert [kind for kind, *_ in run(NIGHT, **more)].count("retrain") == 1
    before = sum(a.kind == "retrain" for a in home.lake.newest(Action))
    run(NIGHT, **more)
    run(MORNING, **more)
    assert len({a.action_id for a in home.lake.newest(Action) if a.kind == "retrain"}) == 1
    assert before == 2  # planned, and tried


def test_a_run_whose_clock_is_behind_does_not_hold_back_or_repeat_what_was_sent(slack: Slack, home: Home, run):
    happen(home, event(at=NIGHT))
    run(NIGHT)
    run(MORNING)
    assert run(NIGHT + HOUR) == []
    assert len(slack.messages) == 1
