"""Two processes at once, and processes killed at any moment: the same rows and figures as one clean run."""

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from intake_world import GOOD, HEADER, LATER, NOW, DyingLake, Killed, counts, expect, held, landed, loans, put, suite, take
from watchkeeper.adapters.lake import Lake
from watchkeeper.adapters.workspace import Home
from watchkeeper.operations.profile import profile

TESTS = Path(__file__).parents[1]
WORKER = """
import sys
from pathlib import Path
from watchkeeper.adapters.workspace import find_home
from intake_world import NOW, loans, take
import polars, watchkeeper.operations.landing
home = find_home(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
take(home)
print("done", flush=True)
"""


def worker(home: Home) -> subprocess.Popen[str]:
    """Start a process that takes in what is new as soon as it is told to."""
    command = [sys.executable, "-c", WORKER, str(home.root)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=TESTS)


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def ready(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"


def fill(home: Home) -> None:
    """Write files that overlap, contradict, widen and hold rows to be set aside."""
    put(home, "loans-0.csv", HEADER + GOOD + "bad,soon,0.5,1\n")
    put(home, "loans-1.csv", HEADER + GOOD + "c,2025-02-01T12:00:00Z,0.3,1.5\na,2025-02-01T10:00:00Z,0.2,100\n")
    for i in range(8):
        rows = "".join(f"{i}-{j},2025-02-{1 + j % 28:02d}T10:00:00Z,0.5,{j}\n" for j in range(200))
        put(home, f"loans-{i + 2}.csv", HEADER + rows)
        put(home, f"repaid-{i}.csv", "loan,defaulted\n" + "".join(f"{i}-{j},{j % 2}\n" for j in range(200)))


def state(home: Home) -> tuple[Any, ...]:
    """Return all that a repeated run must not change, but for the moment labels landed at."""
    labels = landed(home, "id", "label", "wk_batch", "wk_row", table="labels/loans", by="id")
    return landed(home), labels, held(home), counts(home)


@pytest.fixture
def clean(make_home: Callable[..., Home]) -> tuple[Any, ...]:
    """What one clean run gives."""
    home = make_home(name="clean")
    fill(home)
    take(home)
    return state(home)


def test_a_run_that_dies_between_any_two_commits_is_completed_by_the_next(make_home: Callable[..., Home], clean: tuple[Any, ...]) -> None:
    for commits in range(6):
        home = make_home(name=f"dying-{commits}")
        fill(home)
        home.__dict__["lake"] = dying = DyingLake(home.lake.address)
        dying.commits_left = commits
        try:
            take(home)
        except Killed:
            has_died = True
        else:
            has_died = False
        home.__dict__["lake"] = Lake(dying.address)
        take(home)
        assert (state(home), has_died) == (clean, commits < 5), f"after {commits} commits"


@pytest.mark.nightly
def test_rows_of_a_run_that_died_are_counted_by_one_of_a_later_day(make_home: Callable[..., Home]) -> None:
    counted = {}
    for commits in (99, *range(6)):
        home = make_home(name=f"counted-{commits}")
        fill(home)
        home.__dict__["lake"] = dying = DyingLake(home.lake.address)
        dying.commits_left = commits
        with suppress(Killed):
            take(home)
        home.__dict__["lake"] = lake = Lake(dying.address)
        take(home, now=LATER)
        profile(home, loans(reference={"from": "2025-02-01", "to": "2025-02-20"}), now=LATER)
        parts = lake.read("profiles", where=pc.field("kind") != "mark")
        counted[commits] = parts.group_by(["kind", "feature"]).aggregate([("n", "sum")]).sort_by([("kind", "ascending"), ("feature", "ascending")])
    assert counted[99].num_rows > 0
    assert [commits for commits, found in counted.items() if not found.equals(counted[99])] == []


def test_a_run_that_dies_after_widening_a_column_is_completed_by_the_next(make_home: Callable[..., Home]) -> None:
    home = make_home()
    put(home, "loans-1.csv", HEADER + GOOD)
    take(home)
    put(home, "loans-2.csv", HEADER + "c,2025-02-01T12:00:00Z,0.3,1.5\n")
    home.__dict__["lake"] = DyingLake(home.lake.address)
    with pytest.raises(Killed):
        take(home)
    home.__dict__["lake"] = Lake(home.lake.address)
    take(home)
    assert landed(home, "loan", "amount") == [{"loan": "a", "amount": 100.0}, {"loan": "b", "amount": 200.0}, {"loan": "c", "amount": 1.5}]


def test_two_processes_at_once_land_everything_once(make_home: Callable[..., Home], clean: tuple[Any, ...]) -> None:
    home = make_home(name="two")
    fill(home)
    both = [worker(home), worker(home)]
    for process in both:
        ready(process)
    for process in both:
        go(process)
    assert [process.wait(60) for process in both] == [0, 0]
    assert state(home) == clean


@pytest.mark.nightly
def test_processes_killed_at_random_moments_leave_what_one_clean_run_leaves(make_home: Callable[..., Home], clean: tuple[Any, ...]) -> None:
    home = make_home(name="killed")
    fill(home)
    rng = random.Random(7)
    doomed = [worker(home) for _ in range(3)]
    for process in doomed:
        ready(process)
        go(process)
        time.sleep(rng.uniform(0.02, 0.4))
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    take(home)
    assert state(home) == clean


def test_rows_another_process_lands_while_a_file_is_checked_are_repeats(home: Home) -> None:
    """The other process commits between our scan of landed ids and our commit; the suite is not run again for it."""
    suite(home, "loans_events", expect("expect_column_values_to_be_between", column="amount", max_value=150))

    class Overtaken(Lake):
        rival: Callable[[], object] | None = None

        def append(self, name: str, *arguments: Any, **named: Any) -> None:
            rival, self.rival = self.rival, None
            if rival is not None:
                rival()
            super().append(name, *arguments, **named)

    put(home, "loans-1.csv", HEADER + GOOD + "c,2025-02-01T12:00:00Z,0.3,5\n")
    other = Home(home.root, home.workspace)
    other_file = put(home, "other.csv", HEADER + "a,2025-02-01T10:00:00Z,0.1,100\n")
    home.__dict__["lake"] = ours = Overtaken(home.lake.address)
    ours.rival = lambda: take(other, files=[other_file])
    batch = take(home)[0]
    assert (batch.rows_landed, batch.rows_duplicate, batch.rows_quarantined) == (1, 1, 1)
    assert [row["loan"] for row in landed(other)] == ["a", "c"]
    assert {row["wk_landed_at"] for row in landed(other)} == {NOW}


def test_a_widening_that_another_process_overtakes_loses_nothing(home: Home) -> None:
    from watchkeeper.adapters.widening import widen
    from watchkeeper.errors import ConflictError

    put(home, "loans-1.csv", HEADER + GOOD)
    take(home)
    ours = Lake(home.lake.address)
    seen = ours.version("events/loans", "intake:loans:events")
    put(home, "loans-2.csv", HEADER + "c,2025-02-01T12:00:00Z,0.3,5\n")
    take(home, loans())
    with pytest.raises(ConflictError):
        widen(ours, "events/loans", {"amount": pa.float64()}, pc.cast, guard=("intake:loans:events", seen))
    assert len(landed(home)) == 3
