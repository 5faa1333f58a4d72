"""Of two processes that find no table yet, one is the first."""

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from watchkeeper.adapters.lake import Lake
from watchkeeper.errors import ConflictError, UnwritableError

READ_ONLY = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && exec "$2" -c "$3" "$1" "$4"'
FULL = """
mount -t tmpfs -o size=4m none "$1" && "$2" -c "$3" "$1" t &&
{ head -c 8m /dev/zero > "$1/filler" 2>/dev/null || true; } && exec "$2" -c "$3" "$1" "$4"
"""
APPEND = """
import sys
import pyarrow as pa
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
