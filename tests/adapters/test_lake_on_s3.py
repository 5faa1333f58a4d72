"""A lake on an object store: what is written is read, by whoever asks, as from a folder; what is wrong is said in one sentence."""

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.fs as pafs
import pytest
from typer.testing import Result

from conftest import PARCELS
from object_store import Bucket
from watchkeeper.adapters.arrow_records import TIMESTAMP
from watchkeeper.adapters.lake import Lake
from watchkeeper.adapters.retention import Removal, remove_rows
from watchkeeper.adapters.settings import Settings
from watchkeeper.adapters.widening import can_widen, widen
from watchkeeper.adapters.workspace import Home
from watchkeeper.errors import ConflictError, UnreadableError, UnwritableError

NOW = datetime(2025, 3, 1, tzinfo=UTC)
APPENDING = """
import sys
import pyarrow as pa
from watchkeeper.adapters.lake import Lake
from watchkeeper.adapters.settings import Settings
lake = Lake(sys.argv[1], Settings.from_environment().storage_options)
for n in range(15):
    lake.append("numbers", pa.table({"who": [sys.argv[2]], "n": [n]}))
print(lake.read("numbers").num_rows >= 15)
"""


@pytest.fixture
def lake(bucket: Bucket) -> Lake:
    return another(bucket)


def another(bucket: Bucket, **options: str) -> Lake:
    return Lake(f"{bucket.address}/lake", Settings.from_environment().storage_options | options)


def test_what_one_writes_another_reads_through_arrows_own_client(bucket: Bucket, lake: Lake):
    lake.append("numbers", pa.table({"n": [1, 2]}))
    other = another(bucket)
    assert isinstance(other.files("numbers").base_fs, pafs.S3FileSystem)
    assert other.read("numbers")["n"].to_pylist() == [1, 2]
    assert other.read("numbers", where=pc.field("n") > 1)["n"].to_pylist() == [2]
    lake.append("numbers", pa.table({"n": [3]}))
    assert other.read("numbers").num_rows == 3


@pytest.mark.nightly
def test_processes_that_append_at_once_lose_and_double_nothing_and_end_well(bucket: Bucket, lake: Lake):
    """Whoever reads last ends while its table is open: with delta-rs's own reader a thread could abort the process there."""
    words = [sys.executable, "-c", APPENDING, lake.address]
    writers = [subprocess.Popen([*words, who], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for who in "ab"]
    ended = [(*writer.communicate(timeout=60), writer.returncode) for writer in writers]
    assert ended == [("True\n", "", 0)] * 2
    found = lake.read("numbers").to_pylist()
    assert sorted((row["who"], row["n"]) for row in found) == [(who, n) for who in "ab" for n in range(15)]


def test_a_commit_on_a_stale_read_is_refused(bucket: Bucket, lake: Lake):
    row, other = pa.table({"n": [1]}), another(bucket)
    lake.append("numbers", row, guard=("me", 0))
    with pytest.raises(ConflictError):
        other.append("numbers", row, guard=("me", 0))
    assert other.version("numbers", "me") == 1


def test_rows_are_removed_and_columns_widened_as_on_a_folder(bucket: Bucket, lake: Lake):
    moments = [datetime(2025, 1, 1, tzinfo=UTC), NOW]
    lake.append("numbers", pa.table({"at": pa.array(moments, TIMESTAMP), "n": [1, 2]}), guard=("me", 0))
    assert remove_rows(lake, "numbers", Removal("at", NOW)) == 1
    assert can_widen(lake, "numbers", "n")
    widen(lake, "numbers", {"n": pa.float64()}, pc.cast, guard=("me", 1))
    assert another(bucket).read("numbers").to_pylist() == [{"at": NOW, "n": 2.0}]
    protocol = another(bucket).table("numbers").protocol()
    assert (protocol.min_reader_version, protocol.min_writer_version) == (1, 2), "others read it still"


def test_compaction_and_vacuum_leave_the_rows_and_take_the_old_files(bucket: Bucket, lake: Lake):
    for n in range(5):
        lake.append("numbers", pa.table({"n": [n]}))
    assert lake.compact("numbers")["numFilesRemoved"] == 5
    assert len(lake.vacuum("numbers", keep_hours=0)) == 5
    assert len([k for k in bucket.keys("lake/numbers/") if k.endswith(".parquet")]) == 1
    assert sorted(another(bucket).read("numbers")["n"].to_pylist()) == list(range(5))


def test_a_bucket_that_is_not_there_is_said_when_reading_and_when_writing(bucket: Bucket):
    lost = Lake("s3://nowhere/lake", Settings.from_environment().storage_options)
    with pytest.raises(UnreadableError, match=r"s3://nowhere/lake/numbers: cannot be read \(the store said NoSuchBucket"):
        lost.read("numbers")
    with pytest.raises(UnwritableError, match=r"cannot be written \(the store said NoSuchBucket"):
        lost.append("numbers", pa.table({"n": [1]}))


def test_a_store_that_does_not_answer_is_said(bucket: Bucket):
    silent = another(bucket, AWS_ENDPOINT_URL="http://127.0.0.1:1", max_retries="0")
    with pytest.raises(UnreadableError, match=r"cannot be read \(Connection refused"):
        silent.read("numbers")


def test_the_command_line_says_it_in_one_sentence(make_home: Callable[..., Home], watchkeeper: Callable[..., Result], bucket: Bucket):
    said = watchkeeper("status", at=make_home(PARCELS, name="far", lake="s3://nowhere/lake"))
    assert said.exit_code == 4
    assert "s3://nowhere/lake/" in said.output
    assert "NoSuchBucket" in said.output
    assert bucket.environment["AWS_SECRET_ACCESS_KEY"] not in said.output


def test_doctor_writes_to_the_store_and_reads_it_back(make_home: Callable[..., Home], watchkeeper: Callable[..., Result], bucket: Bucket):
    said = watchkeeper("doctor", at=make_home(PARCELS, name="well", lake=f"{bucket.address}/lake")).output
    assert f"{bucket.address}/lake: written, read back, a stale commit was refused" in said
