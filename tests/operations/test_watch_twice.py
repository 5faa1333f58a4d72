"""Two runs at once, and runs killed at any moment: the same scores, incidents and actions as one clean run."""

import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from intake_world import expect, suite
from slack_standin import Slack
from story_world import MOMENTS, MONITOR, arrived, finished, messages, to
from watch_worker import started, state
from watchkeeper.adapters.settings import child_environment
from watchkeeper.adapters.workspace import Home

pytestmark = pytest.mark.slow

KILLS = 20


@pytest.fixture
def world(make_home: Callable[..., Home]) -> Callable[[str], Home]:
    """Return a maker of equal workspaces with no suite, whose files arrive by `arrived`."""
    return lambda name: make_home(MONITOR, name=name)


@dataclass(frozen=True)
class Clean:
    """What undisturbed runs at each moment come to, send, and take in seconds."""

    state: dict[str, Any]
    messages: Counter[str]
    took: list[float]


_CLEAN: list[Clean] = []


@pytest.fixture
def clean(world: Callable[[str], Home]) -> Clean:
    """The clean walk, done once for all tests."""
    if not _CLEAN:
        home = world("clean")
        with Slack() as slack:
            finished(started(arrived(world("warm"), MOMENTS[0]), MOMENTS[0]))  # the first child waits for the imports, the others do not
            took = [_seconds(home, now, slack) for now in MOMENTS]
            _CLEAN.append(Clean(state(home), messages(slack), took))
    return _CLEAN[0]


def _seconds(home: Home, now: datetime, slack: Slack) -> float:
    arrived(home, now)
    began = time.monotonic()
    finished(started(home, now, to(slack)))
    return time.monotonic() - began


@pytest.fixture
def slack() -> Iterator[Slack]:
    with Slack() as server:
        yield server


@pytest.mark.nightly
def test_the_world_holds_a_story(clean):
    assert {i[2] for i in clean.state["incidents"].values()} == {"kpi", "target calibration_gap", "missing rows"}
    assert {event for event, _, _ in clean.state["events"].values()} == {"opened", "joined", "resolved"}
    assert len(clean.state["digests"]) >= 1
    assert sum(clean.messages.values()) >= 4
    assert set(clean.state["actions"].values()) <= {"sent", "skipped"}


@pytest.mark.nightly
def test_runs_killed_at_random_moments_end_like_a_clean_one(world, clean):
    draw, killed, place = random.Random(7), 0, 0
    while killed < KILLS:
        place += 1
        home = world(f"killed-{place}")
        with Slack() as slack:
            died = sum(_killed(home, now, seconds, slack, draw) for now, seconds in zip(MOMENTS, clean.took, strict=True))
            killed += died
            assert state(home) == clean.state, f"after {died} kills in workspace {place}"
            again = messages(slack)
            assert set(again) == set(clean.messages)
            assert sum(again.values()) - sum(clean.messages.values()) <= died, "only the action in flight is repeated"
    assert place <= KILLS


def _killed(home: Home, now: datetime, seconds: float, slack: Slack, draw: random.Random) -> int:
    """Kill two runs somewhere on their way and let a third end; return how many really died."""
    died = 0
    arrived(home, now)
    for _ in range(2):
        run = started(home, now, to(slack))
        time.sleep(draw.uniform(0.05, seconds))
        run.kill()
        run.join()
        died += run.exitcode != 0
    finished(started(home, now, to(slack)))
    return died


@pytest.mark.nightly
def test_two_runs_at_once_end_like_one_and_send_each_message_once(world, clean):
    for place in range(2):
        home = world(f"twice-{place}")
        with Slack() as slack:
            for now in MOMENTS:
                arrived(home, now)
                finished(*[started(home, now, to(slack)) for _ in range(2)])
            assert state(home) == clean.state
            assert messages(slack) == clean.messages
            assert max(messages(slack).values()) == 1


@pytest.mark.nightly
def test_the_command_twice_at_once_with_a_suite_sends_each_message_once(world, slack):
    home = a_file_a_week(arrived(world("commands"), MOMENTS[-1]))
    suite(home, "parcels_events", expect("expect_column_values_to_be_between", column="weight_kg", min_value=0, max_value=4.0))
    runs = [_command(home, MOMENTS[-1], slack) for _ in range(2)]
    assert [run.wait(120) for run in runs] == [0, 0]
    left = state(home)
    assert any(status == "partial" for status, _ in left["batches"].values())
    assert {i[2] for i in left["incidents"].values()} >= {"kpi"}
    assert messages(slack)
    assert set(messages(slack).values()) == {1}
    finished(started(home, MOMENTS[-1], to(slack)))
    assert state(home) == left
    assert set(messages(slack).values()) == {1}


def a_file_a_week(home: Home) -> Home:
    """Put the days of the inbox together: a suite is loaded for each file."""
    inbox = home.root / "inbox"
    for kind in ("parcels", "delivered"):
        for week in range(0, len(files := sorted(inbox.glob(f"{kind}-*.parquet"))), 7):
            days = files[week : week + 7]
            rows = pa.concat_tables([pq.read_table(day) for day in days])
            for day in days:
                day.unlink()
            pq.write_table(rows, inbox / f"{kind}-week-{week}.parquet")
    return home


def _words(home: Home) -> list[str]:
    return [str(Path(sys.executable).with_name("watchkeeper")), "--home", str(home.root)]


def _command(home: Home, now: datetime, slack: Slack) -> subprocess.Popen[bytes]:
    return subprocess.Popen([*_words(home), "run", "--now", now.isoformat()], env=child_environment(**to(slack)), stdout=subprocess.DEVNULL)
