"""Act: what several models have as one is told as one also by routes, in quiet hours, and among other openings."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from conftest import PARCELS
from incident_world import DAY, event, happen
from slack_standin import Slack
from watchkeeper.adapters.workspace import Home, load_monitors
from watchkeeper.operations.act import act
from watchkeeper.records import IncidentEvent

HOUR = timedelta(hours=1)
NIGHT = datetime.fromisoformat("2025-03-04T23:00Z")
MORNING = datetime.fromisoformat("2025-03-05T07:00Z")
QUIET = {"quiet_hours": {"from": "22:00", "to": "07:00"}}
LED = {"model": "letters", "incident": "i1"}
PART = {"incident": "i2", "part_of": "i1"}


@pytest.fixture
def slack() -> Iterator[Slack]:
    with Slack(("#parcels", "#oncall")) as server:
        yield server


@pytest.fixture
def run(make_home: Callable[..., Home], slack: Slack) -> Callable[..., tuple[Home, Callable[..., list[tuple[str, str]]]]]:
    """Return a maker of a workspace of letters, which lead, and parcels, and of what acts on it and returns (kind, state)."""

    def made(alerts: dict[str, Any], of_parts: dict[str, Any] | None = None) -> tuple[Home, Callable[..., list[tuple[str, str]]]]:
        home = make_home(PARCELS | {"model": "letters", "alerts": alerts}, PARCELS | ({"alerts": of_parts} if of_parts else {}))

        def acting(now: datetime) -> list[tuple[str, str]]:
            return [(row.kind, row.state) for row in act(home, load_monitors(home)[0], now=now, settings=slack.as_bot)]

        return home, acting

    return made


def said(slack: Slack) -> list[tuple[str, str, str]]:
    """Return (channel, text, text of the message that it answers) of each message."""
    names = {number: name for name, number in slack.channels.items()}
    heads = {m["ts"]: m["text"] for m in slack.messages}
    return [(names[m["channel"]], m["text"], heads.get(m.get("thread_ts", ""), "")) for m in slack.messages]


def both(at: datetime, **more: Any) -> list[IncidentEvent]:
    return [event(at=at, **(LED | more)), event(at=at, **(PART | more))]


def test_a_part_that_is_graver_opens_all_of_it_where_the_route_of_the_leading_model_leads(run, slack: Slack):
    home, acting = run({"routes": [{"severity": "critical", "channel": "#oncall"}], "cooldown": "1h"})
    acting(happen(home, event(**LED)))
    acting(happen(home, event(day=1, severity="critical", **PART)))
    opening = "🔴 letters: opened on day 0"
    now = "🚨 letters: opened on day 0; parcels too"
    assert said(slack) == [("#parcels", opening, ""), ("#parcels", "🚨 letters: also parcels: opened on day 1", opening), ("#oncall", now, "")]
    acting(happen(home, event("resolved", day=2, **LED)))
    acting(happen(home, event("resolved", day=3, **PART)))
    ends = [(channel, head) for channel, text, head in said(slack) if text.startswith("✅")]
    assert sorted(ends) == [("#oncall", now), ("#parcels", opening)]


def test_quiet_hours_of_the_leading_model_hold_all_of_it_back_and_it_is_told_once_in_the_morning(run, slack: Slack):
    home, acting = run(QUIET)
    happen(home, *both(NIGHT))
    assert acting(NIGHT) == [("open", "held")]
    assert acting(NIGHT + HOUR) == slack.messages == []
    assert sorted(acting(MORNING)) == [("open", "sent"), ("update", "skipped")]
    assert [text for _, text, _ in said(slack)] == ["🔴 letters: opened on day 0; parcels too"]
    assert acting(MORNING + DAY) == []


def test_quiet_hours_of_a_part_hold_nothing_back(run, slack: Slack):
    home, acting = run({}, QUIET)
    happen(home, *both(NIGHT))
    assert ("open", "sent") in acting(NIGHT)


def test_a_critical_part_lets_all_of_it_through(run, slack: Slack):
    home, acting = run(QUIET)
    happen(home, event(at=NIGHT, **LED), event(at=NIGHT, severity="critical", **PART))
    assert ("open", "sent") in acting(NIGHT)


def test_what_came_and_went_for_all_while_messages_waited_is_one_brief_message(run, slack: Slack):
    home, acting = run(QUIET)
    happen(home, *both(NIGHT))
    acting(NIGHT)
    happen(home, event("resolved", at=NIGHT + HOUR, **LED), event("resolved", at=NIGHT + 2 * HOUR, **PART))
    acting(NIGHT + 2 * HOUR)
    acting(MORNING)
    [(_, text, _)] = said(slack)
    assert text.startswith("✅ letters: opened on day 0; parcels too: over (3 days clear); opened Tue 4 Mar 2025, 23:00")
    assert text.endswith("resolved Wed 5 Mar 2025, 01:00")


def test_among_openings_that_are_one_message_it_counts_as_one(run, slack: Slack):
    home, acting = run({})
    others = [event(incident=f"o{n}", subject=f"other {n}") for n in range(2)]
    acting(happen(home, event(**LED), event(**PART), *others))
    [(_, text, _)] = said(slack)
    assert text == "🔴 3 incidents opened: parcels 2, letters 1"
