"""Act: what is told, once, in order, and what happens when the wires or the process break."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from incident_world import DAY, MONDAY, event, happen
from receiver import Answer, Receiver
from slack_standin import HOOK, TOKEN, Slack, broken, delivered_but_silent, rate_limited, refused
from watchkeeper.adapters.delivery import Posting
from watchkeeper.adapters.settings import Settings
from watchkeeper.adapters.workspace import Home
from watchkeeper.judgement.incidents import LASTED, RESTATED
from watchkeeper.judgement.outbox import ATTEMPTS
from watchkeeper.monitor import Monitor
from watchkeeper.operations.act import act
from watchkeeper.records import Action, Digest
from watchkeeper.story import Cause, Size, Story
from watchkeeper.workspace import Links, Workspace

FILES = Settings()
HOUR = timedelta(hours=1)
SECRET = "s3cret-s3cret"  # noqa: S105 - a made-up one


@pytest.fixture
def slack() -> Iterator[Slack]:
    with Slack() as server:
        yield server


@pytest.fixture
def run(home: Home, parcels: Monitor) -> Callable[..., list[Action]]:
    """Act on the parcels: `run(now, settings)`."""

    def acting(now: datetime, settings: Settings = FILES, **more: Any) -> list[Action]:
        return act(home, {"parcels": parcels}, now=now, settings=settings, **more)

    return acting


def outcomes(rows: list[Action]) -> list[tuple[str, str]]:
    return [(row.kind, row.state) for row in rows]


def with_updates(home: Home, run: Callable[..., list[Action]], slack: Slack, count: int) -> datetime:
    """Let several incidents be known, of which each has news at the moment returned: openings of one run would be one message."""
    names = [f"i{n}" for n in range(count)]
    run(happen(home, *(event(incident=name) for name in names)), slack.as_bot)
    slack.messages.clear()
    slack.requests.clear()
    slack.arrived.clear()
    return happen(home, *(event("joined", incident=name, day=1) for name in names))


def told(slack: Slack) -> list[str]:
    return [m["text"] for m in slack.messages]


def test_without_slack_a_message_is_a_file_and_is_given_back(home: Home, run):
    rows = run(happen(home, event()))
    assert outcomes(rows) == [("open", "sent")]
    said = (home.outbox_dir / "2025-03-04-i1-open.md").read_text()
    assert said.startswith("🔴 **parcels: opened on day 0**")
    assert said.replace("  \n", "\n") == json.loads(rows[0].payload)["text"]
    assert [p.name for p in home.outbox_dir.iterdir()] == ["2025-03-04-i1-open.md"]


def test_the_same_run_again_sends_nothing(home: Home, run, slack: Slack):
    now = happen(home, event())
    assert outcomes(run(now, slack.as_bot)) == [("open", "sent")]
    assert run(now, slack.as_bot) == []
    assert run(now + HOUR, slack.as_bot) == []
    assert len(slack.messages) == 1


def test_an_incident_is_one_thread_and_its_headline_is_closed(home: Home, run, slack: Slack):
    run(happen(home, event()), slack.as_bot)
    run(happen(home, event("joined", day=1)), slack.as_bot)
    run(happen(home, event("resolved", day=2)), slack.as_bot)
    opened, joined, resolved = slack.messages
    assert told(slack) == [
        "🔴 parcels: opened on day 0",
        "🔴 parcels goes on, 2 days since it began: joined on day 1",
        "✅ parcels: resolved: 3 days clear",
    ]
    assert (joined["thread_ts"], resolved["thread_ts"]) == (opened["ts"], opened["ts"])
    assert [(u["ts"], u["text"]) for u in slack.updates] == [(opened["ts"], "✅ Resolved: parcels: joined on day 1")]


def test_who_reads_the_channel_alone_sees_how_it_ended_and_that_it_came_again(home: Home, run, slack: Slack):
    size = Size(about="MAE", value=9.0, expected=4.0, said="MAE 9 on Tue 4 March, usually 4")
    cause = Cause(kind="data", subject="faulty data: wind", share=0.8)
    grown = event("joined", day=1, causes=(cause,))
    grown = replace(grown, story=replace(Story.from_json(grown.story), size=size).to_json())
    run(happen(home, event()), slack.as_bot)
    run(happen(home, grown), slack.as_bot)
    run(happen(home, event("resolved", day=2)), slack.as_bot)
    run(happen(home, event("joined", day=3)), slack.as_bot)
    over, again = slack.updates
    assert over["text"] == "✅ Resolved: parcels: joined on day 1"
    assert over["blocks"][1]["text"]["text"].splitlines() == [
        "*Ended:* 3 days clear.",
        "*Lasted:* 3 days, 3 to 5 Mar 2025.",
        "*At worst:* MAE 9 on Tue 4 March, usually 4.",
        "*Cause in the end:* faulty data: wind (80 % of the change).",
        "*First told:* parcels: opened on day 0.",
    ]
    assert "ask the depot" not in str(over)
    assert again["text"] == "🔴 Open again: parcels: joined on day 3"
    assert "*Do:* ask the depot." in str(again)
    assert {u["ts"] for u in slack.updates} == {slack.messages[0]["ts"]}


@pytest.mark.parametrize(
    ("end", "says"),
    [
        ({"why": LASTED}, "🔵 Lasts: parcels: opened on day 0"),
        ({"why": RESTATED}, "✅ Taken back: parcels: opened on day 0"),
        ({"why": "scales set right", "who": "bo"}, "✅ Resolved by bo: parcels: opened on day 0"),
    ],
)
def test_the_opening_says_what_kind_of_end_it_was(home: Home, run, slack: Slack, end: dict[str, str], says: str):
    run(happen(home, event()), slack.as_bot)
    run(happen(home, replace(event("resolved", day=2), **end)), slack.as_bot)
    assert [u["text"] for u in slack.updates] == [says]


def test_notices_and_other_environments_are_not_told(home: Home, run, slack: Slack):
    now = happen(home, event(severity="notice"), event(incident="i2", environment="staging"))
    assert run(now, slack.as_bot) == []
    assert home.lake.newest(Action) == []


def test_a_notice_that_grows_opens_when_it_pages(home: Home, run, slack: Slack):
    run(happen(home, event(severity="notice")), slack.as_bot)
    assert outcomes(run(happen(home, event("joined", day=1)), slack.as_bot)) == [("open", "sent")]


def test_what_lies_after_now_is_not_told(home: Home, run, slack: Slack):
    now = happen(home, event())
    assert run(now - HOUR, slack.as_bot) == []
    assert outcomes(run(now, slack.as_bot)) == [("open", "sent")]


def test_an_incident_over_before_it_was_told_is_one_message(home: Home, run, slack: Slack):
    now = happen(home, event(), event("joined", day=1), event("resolved", day=2))
    assert sorted(outcomes(run(now, slack.as_bot))) == [("open", "skipped"), ("resolve", "sent"), ("update", "skipped")]
    assert len(slack.messages) == 1
    assert "*Opened and resolved:* 3 days clear. This is the only message about it." in str(slack.messages[0]["blocks"])


def test_an_opening_that_never_got_through_gives_way_to_the_resolution(home: Home, run, slack: Slack):
    slack.faults.append(broken())
    assert outcomes(run(happen(home, event()), slack.as_bot)) == [("open", "failed")]
    rows = run(happen(home, event("resolved", day=1)), slack.as_bot)
    assert sorted(outcomes(rows)) == [("open", "skipped"), ("resolve", "sent")]
    assert len(slack.messages) == 1


def test_the_opening_tells_the_newest_story(home: Home, run, slack: Slack):
    rows = run(happen(home, event(), event("joined", day=1)), slack.as_bot)
    assert told(slack) == ["🔴 parcels: joined on day 1"]
    assert [(r.kind, r.reason) for r in rows if r.state == "skipped"] == [("update", "told with the opening")]


def test_updates_within_the_cooldown_become_the_newest_one(home: Home, run, slack: Slack):
    opened = happen(home, event())
    run(opened, slack.as_bot)
    run(happen(home, event("joined", day=1, at=opened + HOUR, causes=(Cause(kind="concept", subject="the outcome changed"),))), slack.as_bot)
    rows = run(happen(home, event("joined", day=2, at=opened + 2 * HOUR, causes=(Cause(kind="data", subject="faulty data: wind"),))), slack.as_bot)
    assert [(r.kind, r.reason) for r in rows] == [("update", "a newer update took its place")]
    assert len(slack.messages) == 1
    assert outcomes(run(opened + 6 * HOUR, slack.as_bot)) == [("update", "sent")]
    assert told(slack)[1:] == ["🔴 parcels: the likely cause is found: faulty data: wind"]


def test_an_update_that_says_nothing_new_is_passed_over(home: Home, run, slack: Slack):
    run(happen(home, event()), slack.as_bot)
    rows = run(happen(home, replace(event("joined", day=1), story=event().story)), slack.as_bot)
    assert [(r.kind, r.state, r.reason) for r in rows] == [("update", "skipped", "it would repeat what was told last")]
    worse = replace(event("joined", day=2, severity="critical"), story=event().story)
    assert outcomes(run(happen(home, worse), slack.as_bot)) == [("update", "sent")]


def test_old_history_is_not_sent_in_bulk_but_a_late_verdict_is(home: Home, run, slack: Slack):
    """Judged now, what was over long ago is old news; a window whose labels were due only now is not."""
    now = MONDAY + 10 * DAY
    happen(home, event(at=now), event("resolved", at=now), event(incident="i2", day=1, at=now), event("resolved", incident="i2", day=1, at=now))
    rows = run(now, slack.as_bot)
    stale = {(r.incident_id, r.kind) for r in rows if r.reason == "older than 7 days"}
    assert stale == {("i1", "open"), ("i1", "resolve")}
    assert [(r.incident_id, r.kind) for r in rows if r.state == "sent"] == [("i2", "resolve")]
    assert run(now + DAY, slack.as_bot) == []


def test_what_still_goes_on_is_told_however_long_ago_it_began(home: Home, run, slack: Slack):
    now = MONDAY + 40 * DAY
    happen(home, event(at=now), event("joined", day=1, at=now))
    assert sorted(outcomes(run(now, slack.as_bot))) == [("open", "sent"), ("update", "skipped")]
    assert run(now + DAY, slack.as_bot) == []


def test_the_end_of_what_was_told_is_told_however_long_it_took_to_be_sure(home: Home, run, slack: Slack):
    """With weekly windows, three clear ones take three weeks; an incident nobody heard of stays unheard."""
    run(happen(home, event()), slack.as_bot)
    later = MONDAY + 30 * DAY
    happen(home, event("resolved", day=0, at=later), event(incident="i2", at=later), event("resolved", incident="i2", at=later))
    rows = run(later, slack.as_bot)
    assert sorted((r.incident_id, r.kind, r.state) for r in rows) == [
        ("i1", "resolve", "sent"),
        ("i2", "open", "skipped"),
        ("i2", "resolve", "skipped"),
    ]


def test_a_target_configured_later_is_not_told_old_news(home: Home, run, slack: Slack):
    now = happen(home, event())
    run(now)
    assert run(now + HOUR, slack.as_bot) == []
    assert slack.messages == []


def test_a_failed_message_is_sent_at_a_later_run_with_the_same_key(home: Home, run, slack: Slack):
    now = happen(home, event())
    slack.faults.append(delivered_but_silent())
    assert outcomes(run(now, slack.as_bot)) == [("open", "failed")]
    assert outcomes(run(now, slack.as_bot)) == [("open", "sent")]
    assert len(slack.keys()) == 2
    assert len(set(slack.keys())) == 1


def test_a_message_fails_for_good_after_eight_tries(home: Home, run, slack: Slack):
    now = happen(home, event())
    slack.faults.extend([refused("channel_not_found")] * 20)
    tried = [row for hour in range(60) for row in run(now + hour * HOUR, slack.as_bot)]
    assert [row.attempt for row in tried] == list(range(1, ATTEMPTS + 1))
    assert "channel_not_found" in tried[-1].reason
    assert len(slack.requests) == ATTEMPTS


def test_a_short_wait_is_waited_out_and_a_long_one_is_left_to_a_later_run(home: Home, run, slack: Slack):
    now = happen(home, event(), event(incident="i2"))
    slack.faults.extend([rate_limited(0.1), rate_limited(900)])
    assert outcomes(run(now, slack.as_bot)) == [("open", "failed")]
    assert len(slack.requests) == 2
    run(now + timedelta(seconds=30), slack.as_bot)
    assert len(slack.messages) == 1  # the other one; this one was asked to wait for 15 minutes
    run(now + timedelta(seconds=901), slack.as_bot)
    assert len(slack.messages) == len(set(slack.keys())) == 2


def test_a_target_that_is_down_is_left_alone_after_three_failures(home: Home, run, slack: Slack):
    now = with_updates(home, run, slack, 6)
    slack.faults.extend([broken()] * 3)
    assert outcomes(run(now, slack.as_bot)) == [("update", "failed")] * 3
    assert outcomes(run(now, slack.as_bot)) == [("update", "sent")] * 6


def test_a_broken_pager_does_not_stop_slack(home: Home, run, slack: Slack):
    with Receiver() as pager:
        settings = replace(slack.as_bot, webhook_url=f"{pager.url}/hook?token=t0ken", webhook_secret=HOOK)
        pager.faults.append(Answer(503))
        now = happen(home, event())
        assert sorted((r.target, r.state) for r in run(now, settings)) == [("slack", "sent"), ("webhook", "failed")]
        assert [(r.target, r.state) for r in run(now, settings)] == [("webhook", "sent")]
        first, second = pager.requests
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"] == first.content["key"]
    assert second.content["headline"] == "parcels: opened on day 0"


def test_an_unreachable_prefect_never_fails_the_run(home: Home, run):
    rows = run(happen(home, event()), Settings(prefect_api_url="http://127.0.0.1:1/api"))
    assert sorted((r.target, r.state) for r in rows) == [("event", "failed"), ("file", "sent")]
    assert "Prefect: no answer" in next(r.reason for r in rows if r.state == "failed")


def test_each_digest_is_sent_once_to_the_workspace_channel(make_home, slack: Slack):
    home = make_home(slack={"channel": "#parcels"})
    end = MONDAY + 7 * DAY
    digest = Digest(
        digest_id="d1",
        model="",
        period="week",
        window_start=MONDAY,
        window_end=end,
        headline="A quiet week",
        text="All is well.",
        computed_at=end + HOUR,
    )
    home.lake.append_records(Digest, [digest])
    assert outcomes(act(home, {}, now=end + HOUR, settings=slack.as_bot)) == [("digest", "sent")]
    home.lake.append_records(Digest, [replace(digest, text="All is very well.", computed_at=end + 2 * HOUR)])
    assert act(home, {}, now=end + 3 * HOUR, settings=slack.as_bot) == []
    assert (slack.messages[0]["channel"], slack.messages[0]["text"]) == ("C001", "📊 A quiet week")


def test_a_corrected_digest_is_told_once_in_the_thread_of_the_first(make_home, slack: Slack):
    home = make_home(slack={"channel": "#parcels"})
    end = MONDAY + 7 * DAY
    digest = Digest(
        digest_id="d1", model="", period="week", window_start=MONDAY, window_end=end, headline="A quiet week", text="Fine.", computed_at=end
    )
    home.lake.append_records(Digest, [digest])
    act(home, {}, now=end, settings=slack.as_bot)
    weeks_later = end + 21 * DAY
    home.lake.append_records(Digest, [replace(digest, headline="A bad week", facts='{"revision": 1}', computed_at=weeks_later)])
    assert outcomes(act(home, {}, now=weeks_later, settings=slack.as_bot)) == [("digest", "sent")]
    assert act(home, {}, now=weeks_later + HOUR, settings=slack.as_bot) == []
    first, second = slack.messages
    assert (second["text"], second.get("thread_ts")) == ("📊 A bad week", first["ts"])


def test_a_correction_of_a_digest_that_nobody_was_told_is_told_to_nobody(home: Home, run):
    end = MONDAY + 7 * DAY
    digest = Digest(
        digest_id="d1", model="parcels", period="week", window_start=MONDAY, window_end=end, headline="A quiet week", text="Fine.", computed_at=end
    )
    home.lake.append_records(Digest, [digest])
    assert [(r.state, r.reason) for r in run(end + 20 * DAY)] == [("skipped", "older than 7 days")]
    home.lake.append_records(Digest, [replace(digest, headline="A bad week", facts='{"revision": 1}', computed_at=end + 21 * DAY)])
    assert [(r.state, r.reason) for r in run(end + 21 * DAY)] == [("skipped", "older than 7 days")]


def test_a_digest_without_slack_is_a_file(home: Home, run):
    end = MONDAY + 7 * DAY
    digest = Digest(
        digest_id="d1",
        model="parcels",
        period="week",
        window_start=MONDAY,
        window_end=end,
        headline="A quiet week",
        text="All is well.",
        computed_at=end,
    )
    home.lake.append_records(Digest, [digest])
    run(end)
    assert (home.outbox_dir / "2025-03-10-d1-digest.md").read_text().startswith("📊 **A quiet week**  \nAll is well.")


@pytest.mark.parametrize(
    ("bases", "expected"),
    [
        (
            {"docs": "https://docs.example/", "prefect": "https://prefect.example"},
            [
                "https://docs.example/incidents/i1.html",
                "https://prefect.example/deployments",
                *(
                    f"https://prefect.example/deployments?deployments.flowOrDeploymentNameLike={verb}&flowOrDeploymentName={verb}"
                    for verb in ("ack", "silence", "resolve")
                ),
            ],
        ),
        ({}, []),
    ],
)
def test_links_use_the_configured_bases_and_nothing_else(home: Home, parcels: Monitor, bases: dict[str, str], expected: list[str]):
    linked = replace(home, workspace=Workspace(links=Links(**bases)))
    rows = act(linked, {"parcels": parcels}, now=happen(home, event()), settings=FILES)
    assert [url for _, url in json.loads(rows[0].payload)["message"]["links"]] == expected


def test_no_row_holds_a_secret(home: Home, run, slack: Slack):
    with Receiver() as pager:
        settings = replace(
            slack.as_bot, slack_webhook_url=slack.as_webhook.slack_webhook_url, webhook_url=f"{pager.url}/{HOOK}", webhook_secret=SECRET
        )
        slack.faults.append(refused("invalid_auth"))
        pager.faults.append(Answer(401))
        rows = run(happen(home, event()), settings)
    seen = repr(rows) + repr(home.lake.newest(Action)) + repr(settings)
    assert [r.state for r in rows] == ["failed", "failed"]
    assert not any(secret in seen for secret in (TOKEN, HOOK.rpartition("/")[2], SECRET))


# Retraining


class Training:
    """Counts what is asked for; files take the messages."""

    def __init__(self) -> None:
        self.asked: list[Posting] = []

    def __call__(self, posting: Posting) -> str:
        if posting.action.kind == "retrain":
            self.asked.append(posting)
        return "run-1"


@pytest.fixture
def retrain(home: Home, parcels: Monitor) -> Callable[..., list[tuple[str, str]]]:
    """Act with retraining on, and return (state, reason) of the decisions."""
    monitor = Monitor.model_validate({**parcels.model_dump(by_alias=True, exclude_none=True), "retraining": {"deployment": "train/parcels"}})

    def acting(now: datetime, training: Training) -> list[tuple[str, str]]:
        return [(r.state, r.reason) for r in act(home, {"parcels": monitor}, now=now, settings=FILES, post=training) if r.kind == "retrain"]

    return acting


def test_retraining_is_asked_for_once_after_three_windows(home: Home, retrain):
    training = Training()
    assert retrain(happen(home, event()), training) == [("skipped", "it has lasted 1 day; retraining needs 3")]
    assert retrain(happen(home, event("joined", day=1)), training) == [("skipped", "it has lasted 2 days; retraining needs 3")]
    assert retrain(happen(home, event("joined", day=2)), training) == [("sent", "")]
    assert retrain(happen(home, event("joined", day=3)), training) == [("skipped", "retraining was already asked for in this incident")]
    assert [json.loads(p.action.payload)["incident_id"] for p in training.asked] == ["i1"]


def test_bad_data_forbids_retraining(home: Home, retrain):
    training = Training()
    guilty = Cause(kind="data", subject="weather is missing in 40 % of rows", share=0.7)
    happen(home, event(), event("joined", day=1))
    assert retrain(happen(home, event("joined", day=2, causes=(guilty,))), training) == [
        ("skipped", "do not retrain on bad data: weather is missing in 40 % of rows")
    ]
    assert training.asked == []


def test_data_that_broke_later_forbids_it_as_well(home: Home, retrain):
    later = "faulty data: wind, as what began this (it came after the first alarm; mend it all the same, for it may keep this going)"
    happen(home, event(), event("joined", day=1))
    assert retrain(happen(home, event("joined", day=2, ruled_out=(later,))), Training()) == [("skipped", f"do not retrain on bad data: {later}")]


def test_a_second_incident_within_the_cooldown_does_not_retrain_again(home: Home, retrain):
    training = Training()
    for incident in ("i1", "i2"):
        happen(home, *(event(what, day=day, incident=incident) for day, what in enumerate(("opened", "joined", "joined"))))
    decisions = retrain(MONDAY + 3 * DAY + 6 * HOUR, training)
    assert sorted(state for state, _ in decisions) == ["sent", "skipped"]
    assert "the next may follow on 13 Mar 2025, 06:00 UTC" in str(decisions)
    assert len(training.asked) == 1


@pytest.mark.parametrize("what", [{"family": "data"}, {"severity": "warning"}, {"environment": "staging"}])
def test_retraining_is_not_considered_for(home: Home, retrain, what: dict[str, str]):
    training = Training()
    happen(home, event(**what), event("joined", day=1, **what))
    assert retrain(happen(home, event("joined", day=2, **what)), training) == []
    assert training.asked == []


# Killed, and two at once

SCRIPT = """
import sys, time
from datetime import datetime
from pathlib import Path
from watchkeeper.adapters.settings import Settings
from watchkeeper.adapters.workspace import find_home, load_monitors
from watchkeeper.operations.act import act

root, now, slack_api_url, token, mode = sys.argv[1:]

def stop_before_sending(posting):
    print("planned", flush=True)
    time.sleep(60)

home = find_home(Path(root))
post = {"post": stop_before_sending} if mode == "before" else {}
rows = act(home, load_monitors(home)[0], now=datetime.fromisoformat(now), settings=Settings(slack_bot_token=token, slack_api_url=slack_api_url), **post)
print("done", sum(r.state == "sent" for r in rows), flush=True)
"""


def started(home: Home, slack: Slack, now: datetime, mode: str = "") -> subprocess.Popen[str]:
    arguments = [str(home.root), now.isoformat(), slack.as_bot.slack_api_url, TOKEN, mode]
    return subprocess.Popen([sys.executable, "-c", SCRIPT, *arguments], stdout=subprocess.PIPE, text=True)


def test_killed_between_plan_and_sending_each_message_is_sent_once(home: Home, run, slack: Slack):
    now = with_updates(home, run, slack, 3)
    child = started(home, slack, now, "before")
    assert child.stdout is not None
    assert child.stdout.readline() == "planned\n"
    child.kill()
    child.wait(10)
    assert [a.state for a in home.lake.newest(Action) if a.kind == "update"] == ["planned"] * 3
    assert outcomes(run(now, slack.as_bot)) == [("update", "sent")] * 3
    assert len(slack.keys()) == len(set(slack.keys())) == 3


def test_killed_between_delivery_and_mark_only_the_one_in_flight_repeats_with_its_key(home: Home, run, slack: Slack):
    now = with_updates(home, run, slack, 3)
    slack.release.clear()
    child = started(home, slack, now)
    assert slack.arrived.wait(30)
    child.kill()
    child.wait(10)
    slack.release.set()
    assert len(slack.keys()) == 1
    run(now, slack.as_bot)
    assert len(slack.keys()) == 4
    assert slack.keys()[0] == slack.keys()[1]
    assert len(set(slack.keys())) == 3


def test_killed_while_one_message_about_three_is_in_flight_it_repeats_with_its_key(home: Home, run, slack: Slack):
    now = happen(home, *(event(incident=f"i{n}") for n in range(3)))
    slack.release.clear()
    child = started(home, slack, now)
    assert slack.arrived.wait(30)
    child.kill()
    child.wait(10)
    slack.release.set()
    assert outcomes(run(now, slack.as_bot)) == [("open", "sent")] * 3
    assert run(now + HOUR, slack.as_bot) == []
    assert len(slack.keys()) == 2
    assert len(set(slack.keys())) == 1


def test_two_runs_at_once_send_each_message_once(home: Home, run, slack: Slack):
    now = with_updates(home, run, slack, 5)
    children = [started(home, slack, now + timedelta(seconds=n)) for n in range(2)]
    said = [child.communicate(timeout=60)[0] for child in children]
    assert sorted(said) == ["done 0\n", "done 5\n"]
    assert len(slack.keys()) == len(set(slack.keys())) == 5


def test_a_run_whose_clock_is_behind_does_not_repeat_what_was_sent(home: Home, run, slack: Slack):
    now = happen(home, event())
    run(now + HOUR, slack.as_bot)
    assert run(now, slack.as_bot) == []
    assert len(slack.messages) == 1


def test_a_message_names_what_else_is_wrong_with_the_model_at_that_time(home: Home, run):
    rows = run(happen(home, event(), event(incident="i2", subject="depot=north", severity="warning")))
    said = {row.incident_id: json.loads(row.payload)["text"] for row in rows}
    assert "*At the same time:* `i2` opened on day 0" in said["i1"]
    assert "*At the same time:* `i1` opened on day 0" in said["i2"]
    later = run(happen(home, event(incident="i3", day=9)))
    assert "At the same time" not in json.loads(later[0].payload)["text"]


def test_beside_an_incident_stands_what_holds_after_the_run(home: Home, run):
    """What the same run takes back never was, and what it resolves is over: neither is told as if it went on."""
    taken_back = replace(event("resolved", incident="i2", at=MONDAY + 2 * DAY), why=RESTATED)
    over = event("resolved", incident="i3", at=MONDAY + 2 * DAY)
    others = (event(incident="i2", family="data", subject="missing labels"), event(incident="i3", subject="depot=north", severity="warning"))
    run(happen(home, event(), *others))
    rows = run(happen(home, event(incident="i4", subject="depot=south", at=MONDAY + 2 * DAY), taken_back, over))
    [said] = [json.loads(row.payload)["text"] for row in rows if row.incident_id == "i4"]
    assert "*At the same time:* `i1` opened on day 0; `i3` opened on day 0, resolved\n" in said
    assert "i2" not in said
