"""Act: incidents that open at once are one message to a channel; each goes on in its thread, and after a kill only that message may come twice."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from conftest import PARCELS
from incident_world import DAY, event, happen
from receiver import Receiver
from slack_standin import Slack, broken, delivered_but_silent
from watchkeeper.adapters.settings import Settings
from watchkeeper.adapters.workspace import Home
from watchkeeper.monitor import Monitor
from watchkeeper.operations.act import act
from watchkeeper.operations.grouping import messages_in
from watchkeeper.operations.silence import About, silence
from watchkeeper.records import Action, IncidentEvent
from watchkeeper.site.message import UNKNOWN

HOUR = timedelta(hours=1)


@pytest.fixture
def slack() -> Iterator[Slack]:
    with Slack(("#parcels", "#oncall")) as server:
        yield server


@pytest.fixture
def run(home: Home, parcels: Monitor, slack: Slack) -> Callable[..., list[Action]]:
    """Act on the parcels and on letters of the same owner: `run(now)`."""
    letters = Monitor.model_validate(PARCELS | {"model": "letters"})

    def acting(now: datetime, settings: Settings | None = None, **alerts: Any) -> list[Action]:
        monitor = Monitor.model_validate({**parcels.model_dump(by_alias=True, exclude_none=True), "alerts": alerts})
        return act(home, {"parcels": monitor, "letters": letters}, now=now, settings=settings or slack.as_bot)

    return acting


def several(count: int, **more: Any) -> list[IncidentEvent]:
    return [event(incident=f"i{n}", subject=f"depot={n}", family="segment", **{"severity": "warning", **more}) for n in range(count)]


def lines(message: dict[str, Any]) -> list[str]:
    return [line for block in message["blocks"] if block["type"] == "section" for line in block["text"]["text"].splitlines()]


def footer(message: dict[str, Any]) -> str:
    return str(message["blocks"][-1]["elements"][0]["text"])


def test_three_that_open_at_once_are_one_message_the_gravest_first(slack: Slack, home: Home, run):
    now = happen(home, *several(2), event(incident="i9", severity="critical"))
    rows = run(now)
    assert [(r.kind, r.state) for r in rows] == [("open", "sent")] * 3
    assert len({r.receipt for r in rows}) == 1
    assert messages_in(rows) == 1
    [message] = slack.messages
    assert message["text"] == "🚨 parcels: 3 incidents opened"
    assert lines(message) == [
        "🚨 opened on day 0 (`i9`, critical)",
        "🟠 opened on day 0 (`i0`, warning)",
        "🟠 opened on day 0 (`i1`, warning)",
        "*Do:* look first at `i9`; `watchkeeper incidents show i9` tells all of it.",
    ]
    assert run(now) == run(now + HOUR) == []


def test_two_are_two_messages(slack: Slack, home: Home, run):
    run(happen(home, *several(2)))
    assert len(slack.messages) == 2


def test_those_of_several_models_that_share_a_channel_are_one_message_and_name_their_model(slack: Slack, home: Home, run):
    letters = event(incident="l1", model="letters", severity="critical")
    run(happen(home, *several(2), letters))
    [message] = slack.messages
    assert message["text"] == "🚨 3 incidents opened: parcels 2, letters 1"
    assert lines(message)[:2] == ["🚨 letters: opened on day 0 (`l1`, critical)", "🟠 parcels: opened on day 0 (`i0`, warning)"]


def test_each_channel_has_its_own_message(slack: Slack, home: Home, run):
    now = happen(home, *several(3), *(event(incident=f"c{n}", severity="critical") for n in range(2)))
    run(now, routes=[{"severity": "critical", "channel": "#oncall"}])
    assert sorted(m["text"] for m in slack.messages) == ["🚨 parcels: opened on day 0"] * 2 + ["🟠 parcels: 3 incidents opened"]


def test_many_end_in_how_many_more_there_are(slack: Slack, home: Home, run):
    run(happen(home, *several(14)))
    [message] = slack.messages
    assert len(lines(message)) == 12
    assert lines(message)[10] == "And 4 more: `watchkeeper incidents` lists them."


def test_updates_and_ends_go_to_the_thread_of_the_one_message_whose_lines_say_what_is_over(slack: Slack, home: Home, run):
    run(happen(home, *several(3)))
    run(happen(home, event("joined", incident="i1", day=1, subject="depot=1", family="segment", severity="high")))
    for day, name in ((2, "i0"), (3, "i1"), (4, "i2")):
        run(happen(home, event("resolved", incident=name, day=day, subject=f"depot={name[1]}", family="segment", severity="warning")))
    head, *replies = slack.messages
    assert {m["thread_ts"] for m in replies} == {head["ts"]}
    assert [m["text"] for m in replies] == ["🔴 parcels: now high, was warning: joined on day 1"] + ["✅ parcels: resolved: 3 days clear"] * 3
    assert {u["ts"] for u in slack.updates} == {head["ts"]}
    assert [u["text"] for u in slack.updates] == [
        "🔴 parcels: 3 incidents opened",
        "🟠 parcels: 3 incidents opened",
        "✅ Resolved: parcels: 3 incidents opened",
    ]
    assert lines(slack.updates[1])[:3] == [
        f"✅ joined on day 1 (`i1`, resolved; lasted: 4 days, 3 to 6 Mar 2025; cause in the end: {UNKNOWN.rstrip('.')})",
        f"✅ opened on day 0 (`i0`, resolved; lasted: 3 days, 3 to 5 Mar 2025; cause in the end: {UNKNOWN.rstrip('.')})",
        "🟠 opened on day 0 (`i2`, warning)",
    ]


def test_one_that_opens_again_is_no_longer_called_over(slack: Slack, home: Home, run):
    run(happen(home, *several(3)))
    same = {"incident": "i0", "subject": "depot=0", "family": "segment", "severity": "warning"}
    run(happen(home, event("resolved", day=1, **same)))
    run(happen(home, event("joined", day=2, **same)))
    assert slack.updates[-1]["text"] == "🟠 parcels: 1 of 3 incidents open again"
    assert lines(slack.updates[-1])[0] == "🟠 Open again: joined on day 2 (`i0`, warning)"
    run(happen(home, event("resolved", day=3, **(same | {"incident": "i1", "subject": "depot=1"}))))
    still, over = lines(slack.updates[-1])[:2]
    assert (still, over.partition(";")[0]) == ("🟠 Open again: joined on day 2 (`i0`, warning)", "✅ opened on day 0 (`i1`, resolved")


def test_each_line_says_how_its_incident_stands_and_the_last_of_it_how_grave_they_were(slack: Slack, home: Home, run):
    def of(name: str, severity: str = "warning") -> dict[str, str]:
        return {"incident": name, "subject": f"depot={name[1]}", "family": "segment", "severity": severity}

    run(happen(home, *several(3)))
    run(happen(home, event("joined", day=1, **of("i1", "high"))))
    run(happen(home, event("resolved", day=2, **of("i0"))))
    assert lines(slack.updates[-1])[0] == "🔴 joined on day 1 (`i1`, high)"
    run(happen(home, event("resolved", day=3, **of("i1", "high"))))
    run(happen(home, event("resolved", day=4, **of("i2"))))
    assert slack.updates[-1]["text"] == "✅ Resolved: parcels: 3 incidents opened"
    assert footer(slack.updates[-1]) == "high, #parcels."
    run(happen(home, event("joined", day=5, **of("i0", "critical"))))
    assert slack.updates[-1]["text"] == "🚨 parcels: 1 of 3 incidents open again"
    assert lines(slack.updates[-1])[0] == "🚨 Open again: joined on day 5 (`i0`, critical)"
    assert footer(slack.updates[-1]) == "critical, #parcels."
    run(happen(home, event("resolved", day=6, **of("i0", "critical"))))
    assert (slack.updates[-1]["text"], footer(slack.updates[-1])) == ("✅ Resolved: parcels: 3 incidents opened", "critical, #parcels.")


def test_no_edit_of_a_run_calls_over_what_the_same_run_finds_open_again(slack: Slack, home: Home, run):
    run(happen(home, *several(3)))
    ends = {n: {"incident": f"i{n}", "subject": f"depot={n}", "family": "segment", "severity": "warning"} for n in range(3)}
    run(happen(home, *(event("resolved", day=1, **ends[n]) for n in (1, 2))))
    run(happen(home, event("joined", day=2, **ends[2]), event("resolved", day=2, **ends[0])))
    assert [u["text"] for u in slack.updates[2:]] == ["🟠 parcels: 1 of 3 incidents open again"] * 2


def test_a_message_that_failed_is_tried_again_whole_with_the_same_key(slack: Slack, home: Home, run):
    now = happen(home, *several(4))
    slack.faults.append(delivered_but_silent())
    assert [r.state for r in run(now)] == ["failed"] * 4
    assert [r.state for r in run(now)] == ["sent"] * 4
    assert len(slack.keys()) == 2
    assert len(set(slack.keys())) == 1


def test_one_that_is_over_before_the_next_try_is_left_out_and_the_key_stays(slack: Slack, home: Home, run):
    now = happen(home, *several(4))
    slack.faults.append(delivered_but_silent())
    run(now)
    run(happen(home, event("resolved", incident="i2", subject="depot=2", family="segment", severity="warning", at=now + HOUR)))
    first, second = [m for m in slack.messages if "incidents opened" in m["text"]]
    [alone] = [m for m in slack.messages if m["text"].startswith("✅")]
    assert (first["text"], second["text"]) == ("🟠 parcels: 4 incidents opened", "🟠 parcels: 3 incidents opened")
    assert first["metadata"] == second["metadata"] != alone["metadata"]
    assert [line.partition("(")[2] for line in lines(second)[:3]] == ["`i0`, warning)", "`i1`, warning)", "`i3`, warning)"]


def test_what_is_left_of_a_group_alone_says_all_of_itself(slack: Slack, home: Home, run):
    now = happen(home, *several(3))
    slack.faults.append(broken())
    run(now)
    for name in ("i0", "i1"):
        silence(home, About(incident=name), until=now + 5 * DAY, who="ann", why="known", now=now + HOUR)
    run(now + HOUR)
    [message] = slack.messages
    assert message["text"] == "🟠 parcels: opened on day 0"
    assert "`i2`, warning, #parcels." in str(message["blocks"])


def test_what_waited_for_the_morning_is_one_message_then(slack: Slack, home: Home, run):
    quiet = {"quiet_hours": {"from": "05:00", "to": "09:00"}}
    now = happen(home, *several(3))
    assert [r.state for r in run(now, **quiet)] == ["held"] * 3
    assert [r.state for r in run(now + 3 * HOUR, **quiet)] == ["sent"] * 3
    assert [m["text"] for m in slack.messages] == ["🟠 parcels: 3 incidents opened"]


def test_a_pager_is_told_of_each(home: Home, run):
    with Receiver() as pager:
        now = happen(home, *several(3))
        rows = run(now, Settings(webhook_url=f"{pager.url}/hook"))
        assert sorted((r.target, r.state) for r in rows) == [("file", "sent")] * 3 + [("webhook", "sent")] * 3
        assert messages_in(rows) == 4
        assert {r.content["incident_id"] for r in pager.requests} == {"i0", "i1", "i2"}


def test_without_slack_they_are_one_file_and_run_prints_it_once(home: Home, run):
    rows = run(happen(home, *several(3)), Settings())
    [file] = home.outbox_dir.iterdir()
    assert file.name.startswith("2025-03-04-")
    printed = [text for r in rows if (text := json.loads(r.payload).get("text"))]
    assert printed == [file.read_text().replace("  \n", "\n")]


def test_a_webhook_of_slack_is_sent_one_message(slack: Slack, home: Home, run):
    run(happen(home, *several(3)), slack.as_webhook)
    assert [m["text"] for m in slack.hooked] == ["🟠 parcels: 3 incidents opened"]
