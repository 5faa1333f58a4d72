"""Act: who is told of which incident, and what happens to the threads when another route takes it."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from conftest import PARCELS
from incident_world import MONDAY, event, happen
from receiver import Receiver
from slack_standin import Slack, broken, refused
from watchkeeper.adapters.settings import Settings
from watchkeeper.adapters.workspace import Home
from watchkeeper.monitor import Monitor
from watchkeeper.operations.act import act
from watchkeeper.operations.listing import told
from watchkeeper.records import Action

HOUR = timedelta(hours=1)
ROUTES = [{"severity": "critical", "channel": "#oncall"}, {"families": ["data"], "channel": "#platform"}]


@pytest.fixture
def slack() -> Iterator[Slack]:
    with Slack(("#parcels", "#oncall", "#platform")) as server:
        yield server


@pytest.fixture
def run(home: Home, parcels: Monitor, slack: Slack) -> Callable[..., list[Action]]:
    """Act on the parcels, whose alerts have routes: `run(now)`."""

    def acting(now: datetime, settings: Settings | None = None, routes: list[dict[str, Any]] = ROUTES) -> list[Action]:
        monitor = Monitor.model_validate({**parcels.model_dump(by_alias=True, exclude_none=True), "alerts": {"routes": routes}})
        return act(home, {"parcels": monitor}, now=now, settings=settings or slack.as_bot)

    return acting


def said(slack: Slack) -> list[tuple[str, str, str]]:
    """Return (channel, text, text of the message that it answers) of each message."""
    names = {number: name for name, number in slack.channels.items()}
    heads = {m["ts"]: m["text"] for m in slack.messages}
    return [(names[m["channel"]], m["text"], heads.get(m.get("thread_ts", ""), "")) for m in slack.messages]


def test_each_incident_is_told_where_the_first_route_that_takes_it_says(slack: Slack, home: Home, run):
    now = happen(home, event(), event(incident="i2", family="data", subject="missing values", severity="warning"))
    run(now)
    run(happen(home, event(incident="i3", family="data", subject="new categories", severity="critical", day=1)))
    assert [channel for channel, *_ in said(slack)] == ["#parcels", "#platform", "#oncall"]


def test_an_incident_that_gets_graver_opens_where_its_new_route_leads_and_the_old_thread_gets_its_update(slack: Slack, home: Home, run):
    opened = happen(home, event())
    run(opened)
    happen(home, event("joined", severity="critical", day=1, at=opened + HOUR))
    rows = run(opened + HOUR)
    assert [(r.kind, r.state) for r in rows] == [("open", "sent")]  # at once; the update waits for the cooldown
    run(opened + 6 * HOUR)
    run(happen(home, event("joined", severity="critical", day=2)))
    run(happen(home, event("resolved", day=3)))
    first, second = "🔴 parcels: opened on day 0", "🚨 parcels: joined on day 1"
    assert said(slack)[:3] == [
        ("#parcels", first, ""),
        ("#oncall", second, ""),
        ("#parcels", "🚨 parcels: now critical, was high: joined on day 1", first),
    ]
    threads = [("#oncall", second), ("#parcels", first)]
    assert sorted(said(slack)[3:5]) == [(channel, "🚨 parcels goes on, 3 days since it began: joined on day 2", head) for channel, head in threads]
    assert sorted(said(slack)[5:]) == [(channel, "✅ parcels: resolved: 3 days clear", head) for channel, head in threads]
    assert sorted(u["text"] for u in slack.updates) == ["✅ Resolved: parcels: joined on day 2"] * 2
    assert "*Told so far:* in #parcels." in str(slack.messages[1]["blocks"])
    assert "`i1`, critical, #oncall." in str(slack.messages[1]["blocks"])
    assert len(set(slack.keys())) == len(slack.keys())


def test_the_same_run_again_says_nothing_twice(slack: Slack, home: Home, run):
    opened = happen(home, event())
    run(opened)
    now = happen(home, event("joined", severity="critical", day=1))
    assert len(run(now)) == 2
    assert run(now) == run(now + HOUR) == run(opened) == []
    assert len(slack.messages) == 3


def test_an_opening_that_failed_in_the_new_channel_is_tried_again_there_alone(slack: Slack, home: Home, run):
    run(happen(home, event()))
    now = happen(home, event("joined", severity="critical", day=1))
    slack.faults.append(broken())
    assert sorted((r.kind, r.state) for r in run(now)) in ([("open", "failed"), ("update", "sent")], [("open", "sent"), ("update", "failed")])
    assert [r.state for r in run(now)] == ["sent"]
    assert sorted(channel for channel, *_ in said(slack)) == ["#oncall", "#parcels", "#parcels"]


def test_the_end_is_told_in_a_channel_that_the_opening_never_reached(slack: Slack, home: Home, run):
    run(happen(home, event()))
    slack.channels.pop("#oncall")
    run(happen(home, event("joined", severity="critical", day=1)))
    slack.channels["#oncall"] = "C900"
    rows = run(happen(home, event("resolved", day=2)))
    assert sorted((r.kind, r.state) for r in rows) == [("open", "skipped"), ("resolve", "sent"), ("resolve", "sent")]
    [alone] = [m for m in slack.messages if m["channel"] == "C900"]
    assert "This is the only message about it." in str(alone["blocks"])


def test_a_webhook_of_slack_has_one_channel_and_is_told_once(slack: Slack, home: Home, run):
    run(happen(home, event()), slack.as_webhook)
    rows = run(happen(home, event("joined", severity="critical", day=1)), slack.as_webhook)
    assert [(r.kind, r.state) for r in rows] == [("update", "sent")]
    assert [m["text"] for m in slack.hooked] == ["🔴 parcels: opened on day 0", "🚨 parcels: now critical, was high: joined on day 1"]
    assert "`i1`, critical, #oncall." in str(slack.hooked[1]["blocks"])


def test_a_pager_is_told_once_and_learns_the_channel_of_the_route(home: Home, run):
    with Receiver() as pager:
        settings = Settings(webhook_url=f"{pager.url}/hook")
        run(happen(home, event()), settings)
        run(happen(home, event("joined", severity="critical", day=1)), settings)
        assert [(r.content["kind"], r.content["channel"]) for r in pager.requests] == [("open", "#parcels"), ("update", "#oncall")]


def test_routes_that_are_edited_while_an_incident_goes_on_open_it_in_the_new_channel_with_its_next_news(slack: Slack, home: Home, run):
    run(happen(home, event()), routes=[])
    moved = [{"families": ["kpi"], "channel": "#platform"}]
    assert run(MONDAY + timedelta(days=1, hours=8), routes=moved) == []
    run(happen(home, event("joined", day=1)), routes=moved)
    assert sorted(said(slack))[1:] == [("#parcels", "🔴 parcels: opened on day 0", ""), ("#platform", "🔴 parcels: joined on day 1", "")]


def test_what_was_sent_before_there_were_routes_keeps_its_thread(slack: Slack, home: Home, run):
    """Rows that an earlier release wrote name a channel and no place."""
    now = happen(home, event())
    run(now, routes=[])
    rows = home.lake.newest(Action)
    old = [json.loads(r.payload) for r in rows]
    assert all(content.pop("place") == content["channel"] for content in old)
    home.lake.append_records(
        Action, [replace(r, payload=json.dumps(c), at=r.at + timedelta(seconds=1)) for r, c in zip(rows, old, strict=True)], guard=("act", 2)
    )
    run(happen(home, event("joined", day=1)), routes=[])
    assert said(slack)[1] == ("#parcels", "🔴 parcels goes on, 2 days since it began: joined on day 1", "🔴 parcels: opened on day 0")


def test_a_channel_that_slack_does_not_know_is_named_with_where_it_may_be_said(slack: Slack, home: Home, run):
    slack.faults.append(refused("channel_not_found"))
    [row] = run(happen(home, event()))
    assert "Name an existing channel in alerts.routes, alerts.channel or owner" in row.reason


def test_an_incident_is_shown_with_the_channel_of_its_route(make_home):
    home = make_home(PARCELS | {"alerts": {"routes": ROUTES}})
    now = happen(home, event(severity="critical"))
    assert "`i1`, critical, #oncall." in told(home, "i1", now=now)
