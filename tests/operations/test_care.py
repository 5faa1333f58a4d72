"""Acknowledging and closing: written down once, refused with a sentence, told once, and neither lost beside a judge."""

import json
import multiprocessing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from incident_world import DAY, MONDAY, event, happen
from watchkeeper.adapters.leases import lease
from watchkeeper.adapters.settings import Settings
from watchkeeper.adapters.workspace import Home, find_home
from watchkeeper.errors import UsageError
from watchkeeper.judgement.incidents import LASTED, OURSELVES
from watchkeeper.monitor import Monitor
from watchkeeper.operations.act import act
from watchkeeper.operations.care import JUDGING, acknowledge, resolve
from watchkeeper.operations.incident_book import known_incidents
from watchkeeper.operations.listing import incident_listing, told
from watchkeeper.operations.watch import watch
from watchkeeper.records import Action, IncidentEvent
from worlds import parcels_days

HOUR = timedelta(hours=1)
NOW = MONDAY + DAY + 8 * HOUR
IDS = ("eaad4169aaaaaaaa", "eaad4169bbbbbbbb", "0123456789abcdef")


@pytest.fixture
def three(home: Home) -> Home:
    """Three open incidents."""
    happen(home, *(event(incident=name) for name in IDS))
    return home


def events(home: Home) -> list[IncidentEvent]:
    return [e for e in home.lake.newest(IncidentEvent) if e.who != OURSELVES]


def test_an_incident_is_acknowledged_by_the_beginning_of_its_id(three: Home):
    done = acknowledge(three, "0123", who="ann", why="asking the depot", now=NOW)
    assert (done.id, done.state) == (IDS[2], "acknowledged")
    [kept] = events(three)
    assert (kept.incident_id, kept.event, kept.who, kept.why, kept.at) == (IDS[2], "acknowledged", "ann", "asking the depot", NOW)
    [row] = [r for r in incident_listing(three, models=None, resolved=False, now=NOW) if r["state"] == "acknowledged"]
    assert (row["id"], row["who"], row["why"], row["until"]) == (IDS[2], "ann", "asking the depot", None)
    assert "Acknowledged by ann on Tue 4 Mar 2025, 08:00: asking the depot.\n" in told(three, IDS[2], now=NOW)


def test_acknowledged_again_it_adds_nothing_and_another_person_takes_over(three: Home):
    for _ in range(2):
        acknowledge(three, IDS[0], who="ann", why="asking the depot", now=NOW)
    acknowledge(three, IDS[0], who=" ann ", now=NOW + HOUR)
    assert len(events(three)) == 1
    done = acknowledge(three, IDS[0], who="bob", now=NOW + HOUR)
    assert done.acknowledgement is not None
    assert (done.acknowledgement.who, len(events(three))) == ("bob", 2)


def test_as_of_an_earlier_moment_nobody_has_acknowledged_it(three: Home):
    acknowledge(three, IDS[0], who="ann", now=NOW)
    assert {i.state for i in known_incidents(three, now=NOW - HOUR)} == {"open"}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("eaad5", "incident: no incident has an id that begins with 'eaad5'. Did you mean eaad4169"),
        ("ffff", "incident: no incident has an id that begins with 'ffff'. `watchkeeper incidents --all` lists them."),
        (
            "eaad",
            f"incident: 2 incidents have an id that begins with 'eaad': {IDS[0]} (parcels, open), {IDS[1]} (parcels, open). Write more of the id.",
        ),
        (" ", "incident: no incident is named. `watchkeeper incidents` lists their ids."),
    ],
)
def test_an_id_that_names_none_or_several_is_refused_with_what_to_do(three: Home, name: str, said: str):
    for verb in (acknowledge, resolve):
        with pytest.raises(UsageError) as refused:
            verb(three, name, who="ann", why="because", now=NOW)
        assert str(refused.value).startswith(said)
    assert events(three) == []


def test_an_id_that_is_the_beginning_of_another_means_itself(home: Home):
    happen(home, event(), event(incident="i12"))
    assert acknowledge(home, "i1", who="ann", now=NOW).id == "i1"


@pytest.mark.parametrize("who", ["", "  ", "watchkeeper", "Watchkeeper"])
def test_somebody_must_be_named_who_is_not_watchkeeper(three: Home, who: str):
    for verb in (acknowledge, resolve):
        with pytest.raises(UsageError, match=r"^who: .*(for example --who ann|for example ann)\.$"):
            verb(three, IDS[0], who=who, why="because", now=NOW)


def test_closing_needs_a_reason(three: Home):
    with pytest.raises(UsageError) as refused:
        resolve(three, IDS[0], who="ann", why=" ", now=NOW)
    assert str(refused.value) == 'reason: closing an incident needs a reason. Say why, for example --reason "the sensor was replaced".'


def test_what_is_over_is_neither_acknowledged_nor_closed_again(three: Home):
    resolve(three, IDS[0], who="ann", why="a false alarm", now=NOW)
    with pytest.raises(UsageError) as refused:
        acknowledge(three, IDS[0], who="bob", now=NOW + HOUR)
    over = f"{IDS[0]}: is over already: resolved by ann on Tue 4 Mar 2025, 08:00 UTC (a false alarm)"
    assert str(refused.value) == f"{over} and cannot be acknowledged. `watchkeeper incidents` lists what goes on."
    with pytest.raises(UsageError) as refused:
        resolve(three, IDS[0], who="bob", why="again", now=NOW + HOUR)
    assert str(refused.value).startswith(f"{over}. Windows that are out of line later open it again")
    assert [e.event for e in events(three)] == ["resolved"]


def test_what_lasts_is_known_and_need_not_be_acknowledged_but_can_be_closed(home: Home):
    happen(home, event(), replace(event("resolved", day=1), why=LASTED))
    with pytest.raises(UsageError, match=r"need not be acknowledged\. Where it is over, `watchkeeper resolve i1` closes it"):
        acknowledge(home, "i1", who="ann", now=MONDAY + 3 * DAY)
    assert resolve(home, "i1", who="ann", why="mended", now=MONDAY + 3 * DAY).state == "resolved"


def test_an_end_by_hand_is_told_once_with_who_and_why(home: Home, parcels: Monitor):
    def said(now: datetime) -> list[str]:
        return [json.loads(row.payload)["text"] for row in act(home, {"parcels": parcels}, now=now, settings=Settings()) if row.state == "sent"]

    assert len(said(happen(home, event()))) == 1
    resolve(home, "i1", who="ann", why="the sensor was replaced", now=NOW)
    [text] = said(NOW)
    assert text.startswith("✅ **parcels: resolved by ann: the sensor was replaced**\n*Lasted:* 1 day, Mon 3 Mar 2025.\n*Cause in the end:* unknown")
    assert said(NOW + DAY) == []
    assert "Resolved by ann on Tue 4 Mar 2025, 08:00: the sensor was replaced.\n" in told(home, "i1", now=NOW)


def test_a_message_says_who_looks_after_it_and_that_it_is_open_again(home: Home, parcels: Monitor):
    def said(now: datetime) -> str:
        [row] = [row for row in act(home, {"parcels": parcels}, now=now, settings=Settings()) if row.state == "sent"]
        return str(json.loads(row.payload)["text"])

    said(happen(home, event()))
    acknowledge(home, "i1", who="ann", why="asking the depot", now=NOW)
    assert "*Acknowledged:* by ann on Tue 4 Mar 2025, 08:00: asking the depot.\n" in said(happen(home, event("joined", day=1)))
    resolve(home, "i1", who="bob", why="it was a strike", now=MONDAY + 2 * DAY + 8 * HOUR)
    said(MONDAY + 2 * DAY + 8 * HOUR)
    again = said(happen(home, event("joined", day=2)))
    assert "*Open again:* resolved by bob on Wed 5 Mar 2025, 08:00: it was a strike.\n" in again
    assert "Acknowledged" not in again


def test_acknowledging_stands_in_the_way_of_no_retraining(home: Home, parcels: Monitor):
    monitor = Monitor.model_validate({**parcels.model_dump(by_alias=True, exclude_none=True), "retraining": {"deployment": "train/parcels"}})
    happen(home, event(), event("joined", day=1), event("joined", day=2))
    now = MONDAY + 3 * DAY + 8 * HOUR
    acknowledge(home, "i1", who="ann", now=now)
    rows = act(home, {"parcels": monitor}, now=now, settings=Settings(), post=lambda _posting: "run-1")
    assert [(r.kind, r.state) for r in rows if r.kind == "retrain"] == [("retrain", "sent")]


# Beside a judge


def _closing(root: str, who: str, begun: Any, answers: Any) -> None:
    begun.wait(60)
    try:
        answers.put(resolve(find_home(Path(root)), "i1", who=who, why="mended", now=NOW).closed_by)
    except UsageError as error:
        answers.put(str(error))


@pytest.mark.nightly
def test_of_two_who_close_beside_a_judge_both_wait_and_the_second_is_told_that_it_is_over(home: Home):
    happen(home, event())
    spawn = multiprocessing.get_context("spawn")
    answers, begun = spawn.Queue(), spawn.Barrier(3)
    those = [spawn.Process(target=_closing, args=(str(home.root), who, begun, answers)) for who in ("ann", "bob")]
    with lease(home.lake, JUDGING):
        for process in those:
            process.start()
        begun.wait(60)
        those[0].join(2)
        assert [p.is_alive() for p in those] == [True, True]
        assert events(home) == []
    said = sorted(answers.get(timeout=60) for _ in those)
    for process in those:
        process.join(60)
    [kept] = events(home)
    assert said[0] == kept.who
    assert said[1].startswith(f"i1: is over already: resolved by {kept.who}")


# Through the whole watch

BEGIN = datetime(2025, 1, 1, tzinfo=UTC)


@pytest.mark.nightly
def test_closed_by_hand_it_opens_again_by_a_new_bad_day_alone_and_ends_once(home: Home, tmp_path: Path):
    """Days 21 to 24 are bad; it is closed by hand in the midst of them, when the second of them was the last one known."""
    store = tmp_path / "store"
    (store / "inbox").mkdir(parents=True)
    parcels_days(store, date(2025, 1, 1), 31, rows=300, late=dict.fromkeys((21, 22, 23, 24), 0.5))

    def deliver(day: int) -> None:
        for name in (f"parcels-{(BEGIN + day * DAY).date()}.parquet", f"delivered-{(BEGIN + (day - 1) * DAY).date()}.parquet"):
            if (store / "inbox" / name).exists():
                (store / "inbox" / name).rename(home.root / "inbox" / name)

    def morning(day: int) -> list[tuple[str, str]]:
        deliver(day)
        return [(e.event, e.who) for e in watch(home, now=at(day)).events]

    def at(day: int) -> datetime:
        return BEGIN + (day + 1) * DAY + 13 * HOUR

    for day in range(20):
        deliver(day)
    deliver(20)
    assert [morning(day) for day in range(21, 24)] == [[], [("opened", OURSELVES)], [("joined", OURSELVES)]]
    [one] = known_incidents(home, now=at(23))
    resolve(home, one.id, who="ann", why="the depot was closed", now=at(23))
    assert watch(home, now=at(23) + HOUR).events == []
    assert [morning(day) for day in (24, 25)] == [[("joined", OURSELVES)]] * 2
    deliver(26)
    assert [morning(day) for day in (27, 28)] == [[], [("resolved", OURSELVES)]]
    kinds = [(a.kind, json.loads(a.payload)["message"]["title"].partition(": ")[2]) for a in _sent(home, one.id)]
    assert [kind for kind, _ in kinds] == ["open", "update", "resolve", "update", "update", "resolve"]
    assert kinds[2][1] == "resolved by ann: the depot was closed"


def _sent(home: Home, incident_id: str) -> list[Action]:
    rows = [a for a in home.lake.newest(Action) if a.incident_id == incident_id and a.state == "sent"]
    return sorted(rows, key=lambda a: a.at)
