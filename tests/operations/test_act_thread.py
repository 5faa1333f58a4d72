"""Act: an incident's thread has its story once, then news, and that it goes on ever more seldom; also after a failure, and after an earlier release."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest

from incident_world import DAY, MONDAY, event, happen
from slack_standin import Slack, broken
from watchkeeper.adapters.workspace import Home
from watchkeeper.monitor import Monitor
from watchkeeper.operations.act import act
from watchkeeper.operations.care import resolve
from watchkeeper.records import Action, IncidentEvent, key
from watchkeeper.story import Cause


@pytest.fixture
def slack() -> Iterator[Slack]:
    with Slack(("#parcels",)) as server:
        yield server


@pytest.fixture
def run(home: Home, parcels: Monitor, slack: Slack) -> Callable[[datetime], list[Action]]:
    """Act on the parcels at a moment."""
    return lambda now: act(home, {"parcels": parcels}, now=now, settings=slack.as_bot)


def outcomes(rows: list[Action]) -> list[tuple[str, str]]:
    return [(row.kind, row.state) for row in rows]


def told(slack: Slack) -> list[str]:
    return [m["text"] for m in slack.messages]


def test_a_thread_has_the_whole_story_once_then_news_and_ever_fewer_lines(home: Home, run, slack: Slack):
    run(happen(home, event()))
    for day in range(1, 9):
        found = (Cause(kind="data", subject="faulty data: wind", share=0.7),) if day >= 5 else ()
        run(happen(home, event("joined", day=day, causes=found)))
    run(happen(home, event("resolved", day=9)))
    opened, *lines, news, week, over = ["\n".join(_texts(m)) for m in slack.messages]
    assert "*Likely cause:* unknown" in opened
    rest = "`i1`, high, #parcels. Next in {}, or with news. All of it: `watchkeeper incidents show i1`."
    assert lines == [
        f"🔴 parcels goes on, {began} since it began: joined on day {day}\n{rest.format(after)}"
        for day, began, after in ((1, "2 days", "1 day"), (2, "3 days", "1 day"), (3, "4 days", "4 days"))
    ]
    assert news.splitlines()[:2] == [
        "🔴 parcels: the likely cause is found: faulty data: wind (70 % of the change)",
        "*As it stands:* joined on day 5.",
    ]
    assert week.startswith("🔴 parcels goes on, 8 days since it began: joined on day 7\n")
    assert over.splitlines()[1:3] == ["*Lasted:* 10 days, 3 to 12 Mar 2025.", "*Cause in the end:* faulty data: wind (70 % of the change)."]
    assert len(home.lake.newest(IncidentEvent)) == 10
    assert [(r.state, r.reason) for r in home.lake.newest(Action) if r.state == "skipped"] == [
        ("skipped", f"it only went on: told again {day} days after it opened, or with news") for day in (7, 7, 14)
    ]


def test_a_promise_that_breaks_meanwhile_is_news_in_the_thread(home: Home, run, slack: Slack):
    run(happen(home, event()))
    run(happen(home, event("joined", day=1), event(incident="p1", day=1, family="target", subject="recall")))
    assert sorted(told(slack)[1:]) == ["🔴 parcels: opened on day 1", "🔴 parcels: opened on day 1 (`p1`)"]
    run(happen(home, event("joined", day=2)))
    assert told(slack)[3:] == ["🔴 parcels goes on, 3 days since it began: joined on day 2"]


def _texts(message: dict[str, Any]) -> list[str]:
    return [b["elements"][0]["text"] if b["type"] == "context" else b["text"]["text"] for b in message["blocks"]]


def test_what_an_earlier_release_told_every_day_is_not_told_again(home: Home, run, slack: Slack):
    """It kept the same names of its messages, and no numbers in a story to compare with."""
    days = [event(), *(event("joined", day=day) for day in range(1, 6))]
    happen(home, *days)
    rows = [
        Action(
            action_id=key(e.event_id, kind, "slack"),
            incident_id="i1",
            model="parcels",
            kind=kind,
            target="slack",
            state=state,
            attempt=attempt,
            payload=json.dumps({"channel": "#parcels", "place": "#parcels", "severity": "high"}),
            receipt="C000/1.0" if attempt else "",
            at=e.at,
        )
        for e in days
        for kind in ("open" if e.event == "opened" else "update",)
        for attempt, state in enumerate(("planned", "sent"))
    ]
    home.lake.append_records(Action, rows)
    assert run(days[-1].at) == []
    assert [(r.kind, r.state) for r in run(happen(home, event("joined", day=6)))] == [("update", "skipped")]
    assert outcomes(run(happen(home, event("joined", day=7)))) == [("update", "sent")]
    assert [(m["text"], m["thread_ts"]) for m in slack.messages] == [("🔴 parcels goes on, 8 days since it began: joined on day 7", "1.0")]


def test_news_that_failed_is_told_with_the_next_update_and_once(home: Home, run, slack: Slack):
    wind = (Cause(kind="data", subject="faulty data: wind"),)
    run(happen(home, event()))
    slack.faults.append(broken())
    assert outcomes(run(happen(home, event("joined", day=1, causes=wind)))) == [("update", "failed")]
    rows = run(happen(home, event("joined", day=2, causes=wind)))
    assert sorted(outcomes(rows)) == [("update", "sent"), ("update", "skipped")]
    run(happen(home, event("joined", day=3, causes=wind)))
    assert told(slack)[1:] == [
        "🔴 parcels: the likely cause is found: faulty data: wind",
        "🔴 parcels goes on, 4 days since it began: joined on day 3",
    ]


@pytest.mark.parametrize("is_edited", [False, True])
def test_an_end_that_did_not_get_through_is_not_told_of_what_is_open_again(home: Home, run, slack: Slack, is_edited):
    """Its edit may have gone through before the message failed: then the opening is put right."""
    run(happen(home, event()))
    slack.fail_on("chat.postMessage" if is_edited else "chat.update")
    assert outcomes(run(happen(home, event("resolved", day=4)))) == [("resolve", "failed")]
    slack.fail_on("")
    rows = run(happen(home, event("joined", day=5)))
    assert [(r.kind, r.state, r.reason) for r in rows] == [("resolve", "skipped", "the incident is open again"), ("update", "sent", "")]
    assert told(slack) == ["🔴 parcels: opened on day 0", "🔴 parcels: joined on day 5"]
    assert "*Open again:* it was 3 days clear." in "\n".join(_texts(slack.messages[1]))
    edits = ["✅ Resolved: parcels: opened on day 0"] if is_edited else []
    assert [u["text"] for u in slack.updates] == [*edits, "🔴 Open again: parcels: joined on day 5"]
    run(happen(home, event("joined", day=6)))
    assert (told(slack)[2:], len(slack.updates)) == (["🔴 parcels goes on, 7 days since it began: joined on day 6"], len(edits) + 1)


def test_that_it_is_open_again_is_said_until_it_gets_through(home: Home, run, slack: Slack):
    run(happen(home, event()))
    run(happen(home, event("resolved", day=4)))
    slack.fail_on("chat.postMessage")
    assert outcomes(run(happen(home, event("joined", day=5)))) == [("update", "failed")]
    slack.fail_on("")
    run(happen(home, event("joined", day=6)))
    assert told(slack)[2:] == ["🔴 parcels: joined on day 6"]
    assert "*Open again:* it was 3 days clear." in "\n".join(_texts(slack.messages[2]))
    run(happen(home, event("joined", day=7)))
    assert "Open again" not in str(slack.messages[3])


def test_what_is_closed_by_hand_and_bad_again_before_a_run_is_told_whole_and_its_days_count_from_then(home: Home, run, slack: Slack):
    run(happen(home, event()))
    for day in (1, 2):
        run(happen(home, event("joined", day=day)))
    resolve(home, "i1", who="ana", why="the feed was repaired", now=MONDAY + 4 * DAY)
    for day in (3, 4, 5):
        run(happen(home, event("joined", day=day)))
    assert told(slack)[3:] == [
        "🔴 parcels: joined on day 3",
        "🔴 parcels goes on, 5 days since it began: joined on day 4",
        "🔴 parcels goes on, 6 days since it began: joined on day 5",
    ]
    again, *later = ("\n".join(_texts(m)) for m in slack.messages[3:])
    assert "*Open again:* resolved by ana on Fri 7 Mar 2025, 00:00: the feed was repaired." in again
    assert "*Do:* ask the depot." in again
    assert not any("Open again" in said for said in later)
