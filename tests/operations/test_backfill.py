"""A backfill leaves what a run a day would have left, goes on after a kill, tells nobody, and never mixes bins."""

import dataclasses
import json
import math
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from typer.testing import Result

from conftest import PARCELS, parcels_world
from watchkeeper.adapters.settings import child_environment
from watchkeeper.adapters.workspace import Home, find_home, load_monitor, load_monitors
from watchkeeper.errors import UsageError
from watchkeeper.monitor import Monitor
from watchkeeper.operations.act import act
from watchkeeper.operations.backfill import Asked, backfill, refit
from watchkeeper.operations.bins_in_force import stored_bins
from watchkeeper.operations.ingest import ingest
from watchkeeper.operations.judge import judge
from watchkeeper.operations.listing import Wanted, listed_scores
from watchkeeper.operations.measure import measure
from watchkeeper.operations.profile import profile
from watchkeeper.operations.spread import in_threads, in_turn
from watchkeeper.records import Action, Bins, IncidentEvent, Profile, Run, Score
from worlds import DAY, parcels_days

BEGIN, DAYS = datetime(2025, 1, 1, tzinfo=UTC), 26
NOW = BEGIN + DAYS * DAY + DAY / 4
ALL = Asked()
PROMISED = PARCELS | {"targets": [{"metric": "recall", "at_least": 0.1, "per": "week"}]}


def arrivals() -> Iterator[tuple[int, str, pa.Table]]:
    """Yield (day it comes, file name, rows): late labels, late events, a correction, a day without any, a new depot."""
    for day in range(DAYS):
        start = BEGIN + day * DAY
        events, labels = parcels_world(start, rows=60, late=0.5 if day in (20, 21) else 0.2)
        if day == 18:
            continue
        if day == 17:
            events = events.set_column(events.column_names.index("depot"), "depot", pa.array(["moon"] * 60))
        late = 3 if day == 16 else 0
        yield day + late, f"parcels-{day:02}.parquet", events
        yield day + 1, f"delivered-{day:02}-a.parquet", labels.slice(0, 40)
        yield day + (5 if day % 4 == 0 else 2), f"delivered-{day:02}-b.parquet", labels.slice(40)
        if day == 15:
            corrected = labels.set_column(1, "was_late", pc.invert(labels["was_late"])).slice(0, 10)
            told = pa.array([t + 6 * DAY for t in corrected["delivered_at"].to_pylist()], pa.timestamp("us", "UTC"))
            yield day + 7, "delivered-15-c.parquet", corrected.set_column(2, "delivered_at", told)


def come(home: Home, first: int, last: int) -> None:
    for day, name, rows in arrivals():
        if first <= day <= last:
            pq.write_table(rows, home.root / "inbox" / name)


def newest(home: Home) -> dict[tuple[Any, ...], Score]:
    return {tuple(getattr(s, k) for k in Score.KEY): s for s in home.lake.newest(Score)}


def differing(one: Score, other: Score) -> list[str]:
    """Return the fields in which two scores differ; which revision it is and when it was computed are not compared."""
    names = {f.name for f in dataclasses.fields(Score)} - {"revision", "computed_at"}
    return [n for n in names if not _same(getattr(one, n), getattr(other, n))]


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)
    return bool(one == other)


def assert_same(one: Home, other: Home) -> None:
    here, there = newest(one), newest(other)
    assert here.keys() == there.keys()
    assert [(k, d) for k, s in here.items() if (d := differing(s, there[k]))] == []


@pytest.mark.slow
def test_a_backfill_leaves_the_scores_that_a_run_a_day_leaves(make_home: Callable[..., Home]) -> None:
    daily, at_once = make_home(PROMISED, name="daily"), make_home(PROMISED, name="at-once")
    monitor = load_monitor(daily, "parcels")
    for day in range(13, DAYS + 1):  # the reference ends on the fourteenth
        now = BEGIN + day * DAY + DAY / 4
        come(daily, 0 if day == 13 else day - 1, day - 1)
        ingest(daily, monitor, now=now)
        profile(daily, monitor, now=now)
        measure(daily, monitor, now=now)
    come(at_once, 0, DAYS - 1)
    done = backfill(at_once, now=NOW, asked=ALL, spread=in_threads)
    assert done.watched.failures == []
    assert_same(daily, at_once)
    assert outcomes(daily) == outcomes(at_once)
    assert {s.state for s in newest(daily).values()} >= {"mature", "provisional", "done"}
    assert max(s.revision for s in newest(daily).values()) > 1
    assert {s.revision for s in newest(at_once).values()} == {0}


def outcomes(home: Home) -> dict[Any, Any]:
    return {(r.window_start, r.window_end): r.outcome for r in home.lake.newest(Run) if r.operation == "measure"}


class Killed(Exception):  # noqa: N818 - what a test does, no error
    pass


class Dying:
    """A spread that ends after so many pieces, as a kill between two of them would."""

    def __init__(self, after: int) -> None:
        self.left, self.done = after, 0

    def __call__(self, what: str, work: Callable[[Any], Any], pieces: Sequence[Any]) -> Iterator[Any]:
        for made in in_turn(what, work, pieces):
            if self.done == self.left:
                raise Killed
            self.done += 1
            yield made


LATER = datetime(2025, 5, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def landed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace in which 120 days have landed: eight pieces of rows, four of labels, four of windows."""
    root = tmp_path_factory.mktemp("landed")
    (root / "deployments" / "monitors").mkdir(parents=True)
    (root / "inbox").mkdir()
    (root / "watchkeeper.yaml").write_text("{}")
    (root / "deployments" / "monitors" / "parcels.yaml").write_text(json.dumps(PARCELS))
    parcels_days(root, date(2025, 1, 1), 120, rows=20)
    ingest(find_home(root), load_monitor(find_home(root), "parcels"), now=LATER)
    return root


@pytest.fixture
def copied(landed: Path, tmp_path: Path) -> Callable[[str], Home]:
    """A maker of copies of it."""
    return lambda name: find_home(Path(shutil.copytree(landed, tmp_path / name)))


@pytest.fixture(scope="module")
def whole(landed: Path) -> Home:
    """A copy that was brought up to date in one go."""
    home = find_home(Path(shutil.copytree(landed, landed.with_name("whole"))))
    counter = Dying(1000)
    assert backfill(home, now=LATER, asked=ALL, spread=counter).watched.failures == []
    assert counter.done == 16
    return home


@pytest.mark.slow
def test_a_killed_backfill_goes_on_where_it_stood(whole: Home, copied: Callable[[str], Home]) -> None:
    torn = copied("torn")
    monitor = load_monitor(torn, "parcels")
    pieces = 0
    for after in (6, 5, 1000):
        spread = Dying(after)
        try:
            profile(torn, monitor, now=LATER, spread=spread)
            measure(torn, monitor, now=LATER, spread=spread)
        except Killed:
            assert after < 1000
        pieces += spread.done
    assert pieces <= 16 + 2 * 3, "what was committed is not done again"
    assert_same(torn, whole)
    assert outcomes(torn) == outcomes(whole)
    assert profile(torn, monitor, now=LATER) == 0
    assert measure(torn, monitor, now=LATER) == []


@pytest.mark.nightly
@pytest.mark.slow
def test_a_process_may_be_killed_at_any_moment(whole: Home, copied: Callable[[str], Home]) -> None:
    torn = copied("torn")
    command = [sys.executable, "-c", "from watchkeeper.cli import app; app()", "--home", str(torn.root), "backfill", "--now", "2025-05-01T12:00Z"]
    started = subprocess.Popen(command, env=child_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not torn.lake.file_sizes(Profile.TABLE):
        assert time.monotonic() < deadline
        assert started.poll() is None
        time.sleep(0.02)
    started.kill()
    started.wait()
    assert torn.lake.table(Score.TABLE) is None, "it was killed before its end"
    assert backfill(torn, now=LATER, asked=ALL).watched.failures == []
    assert_same(torn, whole)


def test_the_command_says_what_it_did_and_finds_nothing_the_second_time(copied: Callable[[str], Home], watchkeeper: Callable[..., Result]) -> None:
    home = copied("again")
    first = watchkeeper("backfill", "--now", "2025-05-01T12:00Z", at=home)
    assert first.exit_code == 0, first.output
    assert "0 batches: 0 rows landed." in first.output
    assert "120 windows measured" in first.output
    again = json.loads(watchkeeper("backfill", "parcels", "--now", "2025-05-01T12:00Z", "--json", at=home).stdout)
    assert (again["parts"], again["windows"], again["failures"]) == ({"parcels": 0}, [], [])
    asked = json.loads(
        watchkeeper("backfill", "--from", "2025-03-01", "--to", "2025-03-04", "--recompute", "--now", "2025-05-01T12:00Z", "--json", at=home).stdout
    )
    assert [w["window_start"][:10] for w in asked["windows"]] == ["2025-03-01", "2025-03-02", "2025-03-03"]
    wrong = watchkeeper("backfill", "--from", "2025-03-04", "--to", "2025-03-01", at=home)
    assert wrong.exit_code == 2
    assert "end" in wrong.output


def test_nobody_is_told_by_a_backfill_nor_after_it_of_what_is_older_than_a_week(make_home: Callable[..., Home]) -> None:
    home = make_home(PARCELS)
    parcels_days(home.root, date(2025, 1, 1), 40, rows=120, late=dict.fromkeys((*range(20, 25), 38, 39), 0.7))
    now = BEGIN + 41 * DAY
    assert backfill(home, now=now, asked=ALL).watched.failures == []
    opened = [e for e in home.lake.newest(IncidentEvent) if e.event == "opened" and e.family == "kpi"]
    assert sorted(e.window_start.day for e in opened) == [8, 21]
    assert home.lake.table(Action.TABLE) is None
    monitors = load_monitors(home)[0]
    judge(home, monitors, now=now)
    states = {a.incident_id: a.state for a in act(home, monitors, now=now) if a.kind == "open"}
    assert {e.window_start.day: states[e.incident_id] for e in opened} == {8: "sent", 21: "skipped"}


def test_refitted_bins_are_in_force_for_every_window_and_the_old_ones_stay_apart(home: Home, parcels: Monitor) -> None:
    """Rows that come late into the reference leave the bins as they are, until somebody asks for new ones."""
    parcels_days(home.root, date(2025, 1, 1), 20, rows=100)
    backfill(home, now=NOW, asked=ALL)
    old = stored_bins(home, parcels, now=NOW)
    heavy = parcels_world(BEGIN + 3 * DAY, rows=100, seed=9)[0]
    heavy = heavy.set_column(0, "parcel", pa.array([f"heavy-{i}" for i in range(100)]))
    heavy = heavy.set_column(heavy.column_names.index("weight_kg"), "weight_kg", pc.multiply(heavy["weight_kg"], 50.0))
    pq.write_table(heavy, home.root / "inbox" / "parcels-heavy.parquet")
    assert backfill(home, now=NOW + DAY, asked=ALL).bins == {}
    assert stored_bins(home, parcels, now=NOW + DAY).version == old.version
    kept = parts(home, old.version)

    done = backfill(home, now=NOW + 2 * DAY, asked=Asked(bins="refit"))
    new = done.bins["parcels"]
    assert done.watched.failures == []
    assert new != old.version
    assert parts(home, old.version).equals(kept), "parts over the old bins stay as they were"
    assert rows_in(parts(home, new)) == rows_in(kept) == 2100
    shown = listed_scores(home, parcels, Wanted(metrics=frozenset({"psi"})), now=NOW + 2 * DAY)
    assert len({s.window_start for s in shown}) == 20
    assert {s.bins for s in shown} == {new}
    before = listed_scores(home, parcels, Wanted(metrics=frozenset({"psi"})), now=NOW + DAY)
    assert {s.bins for s in before} == {old.version}, "as of then the old ones were in force"
    rolled = listed_scores(home, parcels, Wanted(metrics=frozenset({"rows"}), grain="month"), now=NOW + 2 * DAY)
    assert [s.value for s in rolled] == [2100], "no row is counted in both"
    again = backfill(home, now=NOW + 2 * DAY, asked=Asked(bins="refit"))
    assert (again.bins, again.parts, again.watched.runs) == ({}, {"parcels": 0}, [])


def parts(home: Home, bins: str) -> pa.Table:
    rows = home.lake.read(Profile.TABLE, where=pc.field("bins") == bins)
    return rows.sort_by([(n, "ascending") for n in ("kind", "feature", "segment", "outcome", "batch_id", "window_start", "revision")])


def rows_in(rows: pa.Table) -> int:
    whole = rows.filter((pc.field("kind") == "feature") & (pc.field("feature") == "weight_kg") & (pc.field("segment") == ""))
    return pc.sum(whole["n"]).as_py()


def test_until_a_refit_is_whole_everybody_reads_the_old_bins(home: Home, parcels: Monitor) -> None:
    parcels_days(home.root, date(2025, 1, 1), 20, rows=40)
    backfill(home, now=NOW, asked=ALL)
    old = stored_bins(home, parcels, now=NOW)
    more = parcels_world(BEGIN + 3 * DAY, rows=40, seed=9)[0]
    pq.write_table(more.set_column(0, "parcel", pa.array([f"x{i}" for i in range(40)])), home.root / "inbox" / "parcels-more.parquet")
    backfill(home, now=NOW, asked=ALL)
    with pytest.raises(Killed):
        refit(home, parcels, now=NOW, spread=Dying(1))
    assert stored_bins(home, parcels, now=NOW).version == old.version
    shown = listed_scores(home, parcels, Wanted(metrics=frozenset({"psi"})), now=NOW)
    assert {s.bins for s in shown} == {old.version}
    assert backfill(home, now=NOW, asked=ALL).watched.runs == []
    _, new = refit(home, parcels, now=NOW)
    assert new is not None
    assert len(home.lake.newest(Bins)) == 2 * len(new.bins)


def test_bins_are_not_refitted_before_there_is_a_reference(home: Home, parcels: Monitor) -> None:
    parcels_days(home.root, date(2025, 1, 1), 3, rows=20)
    ingest(home, parcels, now=BEGIN + 3 * DAY)
    with pytest.raises(UsageError, match=r"the reference ends on 2025-01-15"):
        refit(home, parcels, now=BEGIN + 3 * DAY)
