"""Of two processes that find no table yet, one is the first; a table from before a field was kept is given its column."""

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from watchkeeper.adapters.arrow_records import to_arrow
from watchkeeper.adapters.lake import Lake
from watchkeeper.errors import ConflictError, UnreadableError, UnwritableError
from watchkeeper.records import Bins
from watchkeeper.samples import GpuSample

READ_ONLY = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && exec "$2" -c "$3" "$1" "$4"'
FULL = """
mount -t tmpfs -o size=4m none "$1" && "$2" -c "$3" "$1" t &&
{ head -c 8m /dev/zero > "$1/filler" 2>/dev/null || true; } && exec "$2" -c "$3" "$1" "$4"
"""
APPEND = """
import sys
import pyarrow as pa
from watchkeeper.adapters.arrow_records import to_arrow
from watchkeeper.adapters.lake import Lake
from watchkeeper.errors import UnwritableError
try:
    Lake(sys.argv[1]).append(sys.argv[2], pa.table({"x": [2]}))
except UnwritableError as error:
    print(error)
"""


def may_mount() -> bool:
    try:
        return subprocess.run(["unshare", "-rm", "true"], check=False, capture_output=True).returncode == 0
    except OSError:
        return False


def test_of_two_guarded_first_appends_one_is_refused(tmp_path) -> None:
    one, two = Lake(tmp_path), Lake(tmp_path)
    rows = pa.table({"x": [1]})
    assert (one.version("t", "app"), two.version("t", "app")) == (0, 0)

    class Overtaken(Lake):
        def create(self, name: str, schema: pa.Schema) -> None:
            one.append("t", rows, guard=("app", 0))
            super().create(name, schema)

    with pytest.raises(ConflictError):
        Overtaken(tmp_path).append("t", rows, guard=("app", 0))
    with pytest.raises(ConflictError):
        two.append("t", rows, guard=("app", 0))
    assert two.read("t").num_rows == 1


def test_creating_a_table_twice_keeps_its_rows(tmp_path) -> None:
    lake = Lake(tmp_path)
    lake.append("t", pa.table({"x": [1]}), guard=("app", 0))
    Lake(tmp_path).create("t", pa.schema({"y": pa.string()}))
    assert lake.read("t").to_pydict() == {"x": [1]}


@pytest.mark.skipif(not may_mount(), reason="nobody may mount here")
def test_a_disk_that_is_read_only_is_said_to_be_so(tmp_path: Path) -> None:
    Lake(tmp_path).append("t", pa.table({"x": [1]}))
    for table in ("t", "other"):
        done = subprocess.run(
            ["unshare", "-rm", "sh", "-c", READ_ONLY, "sh", str(tmp_path), sys.executable, APPEND, table], check=True, capture_output=True, text=True
        )
        said = f"{tmp_path}/{table}: cannot be written (Read-only file system). Check its permissions, and the space left there."
        assert done.stdout.strip() == said


@pytest.mark.skipif(not may_mount(), reason="nobody may mount here")
@pytest.mark.parametrize("table", ["t", "other"])
def test_a_disk_that_is_full_is_said_to_be_so_and_nothing_else_is_printed(tmp_path: Path, table: str) -> None:
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", FULL, "sh", str(tmp_path), sys.executable, APPEND, table], check=True, capture_output=True, text=True
    )
    said = f"{tmp_path}/{table}: cannot be written (No space left on device). Check its permissions, and the space left there."
    assert (done.stdout.strip().splitlines()[-1:], done.stderr) == ([said], "")


def test_a_lake_that_cannot_be_written_is_said_in_one_sentence(tmp_path: Path, without_rights: None) -> None:
    lake = Lake(tmp_path)
    lake.append("t", pa.table({"x": [1]}))
    for folder in (tmp_path / "t", tmp_path):
        folder.chmod(0o555)
    for table in ("t", "other"):
        with pytest.raises(UnwritableError, match=rf"{table}: cannot be written \(Permission denied\)\. Check its permissions"):
            lake.append(table, pa.table({"x": [2]}))
    assert Lake(tmp_path).read("t").to_pydict() == {"x": [1]}


def test_records_from_before_a_field_was_kept_have_its_default_and_the_table_is_given_its_column(tmp_path: Path) -> None:
    lake, now = Lake(tmp_path), datetime(2025, 1, 1, tzinfo=UTC)
    older, younger = (Bins(model="m", bins=name, feature="x", kind="numeric", edges=[1.0], unit=0.5, computed_at=now) for name in ("old", "new"))
    lake.append(Bins.TABLE, to_arrow(Bins, [older]).drop_columns(["unit", "normal_scores"]))
    assert lake.newest(Bins) == [replace(older, unit=0.0)]
    lake.append_records(Bins, [younger])
    assert sorted(lake.newest(Bins), key=lambda b: b.bins) == [younger, replace(older, unit=0.0)]
    assert Lake(tmp_path).newest(Bins) == lake.newest(Bins)


def test_a_file_in_the_place_of_the_lake_is_told_and_is_no_empty_lake(tmp_path: Path):
    place = tmp_path / "lake"
    place.write_text("no lake")
    with pytest.raises(UnreadableError, match="is a file, where the lake's folder should be"):
        Lake(place).read(GpuSample.TABLE)
    assert Lake(tmp_path / "none").read(GpuSample.TABLE) is None
