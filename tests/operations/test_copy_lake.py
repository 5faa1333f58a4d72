"""A copied lake holds what the lake holds, with its history, however often the copying was cut off; it overwrites nothing."""

import random
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
from typer.testing import Result

from conftest import PARCELS, new_home
from object_store import Bucket
from watchkeeper.adapters.lake import Lake
from watchkeeper.adapters.settings import Settings
from watchkeeper.adapters.workspace import Home
from watchkeeper.errors import ConflictError, UnwritableError, UsageError
from watchkeeper.operations.copy_lake import copy_lake

TABLES = ("events/parcels", "runs", "scores")
COMMITS = 4
COPYING = """
import sys
from pathlib import Path
from watchkeeper.adapters.workspace import find_home
from watchkeeper.operations.copy_lake import copy_lake
print("ready", flush=True)
copy_lake(find_home(Path(sys.argv[1])), sys.argv[2], told=lambda copied: print(copied.table, flush=True))
"""


def written(lake: Lake, first: int, commits: int = COMMITS) -> None:
    """Append to every table, so many times."""
    for n in range(first, first + commits):
        for table in TABLES:
            lake.append(table, pa.table({"n": [n], "text": [table * 20]}))


@pytest.fixture(scope="module")
def full_once(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A workspace whose lake has three tables, one with a checkpoint in its log."""
    home = new_home(tmp_path_factory.mktemp("full") / "full", PARCELS)
    written(home.lake, 0)
    home.lake.table("runs").create_checkpoint()
    written(home.lake, COMMITS, 2)
    return home


@pytest.fixture
def full(full_once: Home, copy_of: Callable[[Home], Home]) -> Home:
    """A copy of it, that may be written to."""
    return copy_of(full_once)


@pytest.fixture
def target(bucket: Bucket) -> str:
    return f"{bucket.address}/watch/lake"


def at(address: str) -> Lake:
    return Lake(address, Settings.from_environment().storage_options)


def content(lake: Lake) -> dict[str, Any]:
    """Return of each table its rows, its version, and what its history says was done."""
    found = {}
    for table in TABLES:
        history = [(h["version"], h["operation"], h["timestamp"]) for h in lake.table(table).history()]
        found[table] = (sorted(lake.read(table)["n"].to_pylist()), history)
    return found


def test_a_lake_goes_to_s3_and_back_with_its_history(full: Home, target: str, make_home: Callable[..., Home]):
    copied = copy_lake(full, target)
    assert {c.table: (c.version, c.rows) for c in copied} == dict.fromkeys(TABLES, (COMMITS + 1, COMMITS + 2))
    assert [c.table for c in copied] == ["runs", "scores", "events/parcels"]
    assert content(at(target)) == content(full.lake)
    assert at(target).dataset_at("scores", 3).count_rows() == 4
    away = make_home(PARCELS, name="away", lake=target)
    copy_lake(away, "warehouse/back")
    assert content(Lake(away.root / "warehouse" / "back")) == content(full.lake)
    at(target).append("runs", pa.table({"n": [99], "text": [""]}))
    assert at(target).table("runs").version() == COMMITS + 2


def test_a_second_copy_brings_only_what_came_since(full: Home, target: str):
    first = copy_lake(full, target)
    assert sum(c.files for c in first) >= 2 * len(TABLES) * (COMMITS + 2)
    assert {c.files for c in copy_lake(full, target)} == {0}
    full.lake.append("scores", pa.table({"n": [100], "text": [""]}))
    assert {c.table: c.files for c in copy_lake(full, target)} == {"runs": 0, "scores": 2, "events/parcels": 0}
    full.lake.compact("scores")
    full.lake.vacuum("scores", keep_hours=0)
    copy_lake(full, target)
    assert content(at(target)) == content(full.lake)


@pytest.mark.nightly
def test_what_is_written_meanwhile_is_left_to_the_next_copy(full: Home, target: str):
    copy_lake(full, target, told=lambda _copied: written(full.lake, 50, 1))
    assert at(target).table("runs").version() == COMMITS + 1
    copy_lake(full, target)
    assert content(at(target)) == content(full.lake)


@pytest.mark.parametrize("place", [pytest.param("store", marks=pytest.mark.nightly), "folder"])
def test_copies_killed_at_random_moments_are_completed_by_the_next(full: Home, target: str, place: str):
    address, draw, killed = target if place == "store" else str(full.root / "copy"), random.Random(5), 0
    for n in range(3):
        copying = subprocess.Popen([sys.executable, "-c", COPYING, str(full.root), address], stdout=subprocess.PIPE, text=True)
        assert copying.stdout.readline() == "ready\n"
        time.sleep(draw.uniform(0.0, 0.5 if place == "store" else 0.1) * (n + 1) / 3)
        copying.kill()
        killed += copying.wait(10) != 0
        for table in TABLES:
            seen = at(address).table(table)
            assert seen is None or at(address).read(table).num_rows == seen.version() + 1, "what lies there is the table as it once was"
    copy_lake(full, address)
    assert content(at(address)) == content(full.lake)
    assert killed


def test_a_copy_that_was_written_to_is_not_overwritten(full: Home, target: str):
    copy_lake(full, target)
    at(target).append("runs", pa.table({"n": [1], "text": ["there"]}))
    with pytest.raises(ConflictError, match=f"at version {COMMITS + 2} and the table at {COMMITS + 1}: it was written to since"):
        copy_lake(full, target)
    written(full.lake, 20, 3)
    before = content(at(target))
    with pytest.raises(ConflictError, match=f"{target}/runs: another table of that name lies there"):
        copy_lake(full, target)
    assert content(at(target)) == before


def test_another_lake_is_not_overwritten(full: Home, target: str):
    at(target).append("scores", pa.table({"n": [7], "text": ["other"]}))
    with pytest.raises(ConflictError, match=f"{target}/scores: another table of that name lies there"):
        copy_lake(full, target)
    assert at(target).read("scores")["n"].to_pylist() == [7]


def test_what_cannot_be_copied_is_said(full: Home, home: Home, bucket: Bucket, make_home: Callable[..., Home]):
    with pytest.raises(UsageError, match="is the address of the lake itself"):
        copy_lake(full, "warehouse/lake")
    with pytest.raises(UsageError, match="between folders and S3 only"):
        copy_lake(full, "gs://bucket/lake")
    with pytest.raises(UsageError, match="has no tables"):
        copy_lake(make_home(PARCELS, name="empty"), "elsewhere")
    with pytest.raises(UnwritableError, match=r"s3://nowhere/lake/runs: could not be copied .* Run the same again"):
        copy_lake(full, "s3://nowhere/lake")


def test_the_command_tells_of_each_table(full: Home, target: str, watchkeeper: Callable[..., Result]):
    said = watchkeeper("copy-lake", target, at=full)
    assert said.exit_code == 0
    assert f"scores                   version {COMMITS + 1}, {COMMITS + 2} rows; {2 * COMMITS + 4} files copied" in said.output
    assert f"3 tables at {target} hold what the lake holds. To use the copy, write `lake: {target}` in watchkeeper.yaml." in said.output
    assert '"files": 0' in watchkeeper("copy-lake", target, "--json", at=full).output
