"""A table of the lake that is gone is noticed: what can be made anew is, and of the rest doctor says how to mend it."""

import math
import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from conftest import PARCELS, new_home, parcels_files
from watchkeeper.adapters.settings import Settings
from watchkeeper.adapters.workspace import Home, find_home
from watchkeeper.monitor import Monitor
from watchkeeper.operations.doctor import examine
from watchkeeper.operations.status import status
from watchkeeper.operations.watch import Watched, watch
from watchkeeper.records import Score

NOW = datetime(2025, 1, 20, tzinfo=UTC)
LATER = NOW + timedelta(hours=2)
FROM_FILES = "restore it from a backup, or remove the table `batches` too: the next `watchkeeper run` takes in again the files that are still there"


@pytest.fixture(scope="module")
def watched_once(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A workspace whose first two weeks and some days were watched."""
    home = new_home(tmp_path_factory.mktemp("whole") / "home", PARCELS)
    for day in range(1, 19):
        parcels_files(home, date(2025, 1, day), rows=60)
    watch(home, now=NOW)
    return home


@pytest.fixture
def watched(watched_once: Home, copy_of: Callable[[Home], Home]) -> Home:
    """A copy of it, of which tables may be removed."""
    return copy_of(watched_once)


def figures(home: Home) -> dict[tuple[Any, ...], float]:
    return {(*(getattr(s, k) for k in Score.KEY),): math.nan if s.value is None else s.value for s in home.lake.newest(Score)}


def without(home: Home, *tables: str) -> Home:
    """Remove tables and return the workspace as another process opens it."""
    for table in tables:
        shutil.rmtree(Path(home.lake.address) / table)
    return find_home(home.root)


def gone(home: Home) -> dict[str, tuple[str, str, str]]:
    """Return what doctor says of tables."""
    found = examine(home, settings=Settings(), now=LATER)
    return {d.subject.removeprefix("table "): (d.state, d.what, d.mend) for d in found if d.subject.startswith("table")}


def told(done: Watched) -> list[object]:
    return [*done.events, *done.digests, *done.actions, *done.failures]


def test_a_whole_lake_lacks_nothing(watched: Home) -> None:
    assert gone(watched) == {"tables": ("ok", "none is gone of those that others speak of", "")}


@pytest.mark.parametrize(
    ("table", "what"),
    [
        ("profiles", "is gone, and 18 windows of parcels were measured from it"),
        pytest.param("bins", "is gone, and 18 windows of parcels were measured from it", marks=pytest.mark.nightly),
        ("scores", "has no score of parcels, and 18 windows were measured"),
        ("batches", "is gone, and rows of parcels landed"),
    ],
)
def test_what_is_made_from_rows_is_made_again_by_the_next_run(watched: Home, table: str, what: str) -> None:
    before, rows = figures(watched), watched.lake.dataset(table).count_rows()
    home = without(watched, table)
    assert {name: said[:2] for name, said in gone(home).items()} == {table: ("warn", what)}
    done = watch(home, now=LATER)
    assert told(done) == []
    assert figures(home) == pytest.approx(before, nan_ok=True)
    assert home.lake.dataset(table).count_rows() == rows
    assert list(gone(home)) == ["tables"]


@pytest.mark.parametrize("table", ["events/parcels", pytest.param("labels/parcels", marks=pytest.mark.nightly)])
def test_lost_rows_are_a_failure_and_come_back_from_their_files_once_batches_is_removed_too(
    watched: Home, parcels: Monitor, table: str, watchkeeper: Callable[..., Result]
) -> None:
    before, rows = figures(watched), watched.lake.dataset(table).count_rows()
    home = without(watched, table)
    assert gone(home) == {table: ("fail", "is gone, and 1,080 rows landed in it", FROM_FILES)}
    [stands] = status(home, {"parcels": parcels}, now=LATER)
    assert f"table {table} is gone, and 1,080 rows landed in it: `watchkeeper doctor` says how to mend it" in stands.overview.reason
    assert watchkeeper("doctor", at=home).exit_code == 3
    home = without(home, "batches")
    assert told(watch(home, now=LATER)) == []
    assert (home.lake.dataset(table).count_rows(), list(gone(home))) == (rows, ["tables"])
    home = without(home, "profiles", "scores")  # what is counted and measured anew rests on all of the rows
    assert told(watch(home, now=LATER + timedelta(hours=1))) == []
    assert figures(home) == pytest.approx(before, nan_ok=True)


def test_lost_rows_of_a_quarantine_come_back_from_a_backup_only(home: Home, parcels_of_day: Callable[..., tuple[Path, Path]]) -> None:
    parcels_of_day(date(2025, 1, 1), rows=20)
    (home.root / "inbox" / "parcels-2025-01-02.parquet").write_bytes(b"PAR1 and then nothing")
    watch(home, now=NOW)
    home = without(home, "quarantine/parcels")
    assert gone(home) == {"quarantine/parcels": ("fail", "is gone, and something of 1 file was set aside in it", "restore it from a backup")}
