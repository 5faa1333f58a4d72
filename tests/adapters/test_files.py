"""Files of every format give the same rows, text keeps what it said, and finding files is steady."""

import gzip
import io
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from watchkeeper.adapters.files import discover, interpret, load, read, stamp
from watchkeeper.adapters.workspace import Home
from watchkeeper.errors import UnreadableError

ROWS = pa.table({"id": ["a", "b"], "n": pa.array([1, None], pa.int64()), "x": [0.5, 2.0]})
CSV = b"id,n,x\na,1,0.5\nb,,2.0\n"
JSON = b'{"id":"a","n":1,"x":0.5}\n{"id":"b","n":null,"x":2.0}\n'


def written(write: Callable[[pa.BufferOutputStream], None]) -> bytes:
    sink = pa.BufferOutputStream()
    write(sink)
    return sink.getvalue().to_pybytes()


def as_ipc(maker: Callable[..., pa.ipc.RecordBatchStreamWriter]) -> Callable[[pa.BufferOutputStream], None]:
    def write(sink: pa.BufferOutputStream) -> None:
        with maker(sink, ROWS.schema) as writer:
            writer.write_table(ROWS)

    return write


FORMATS = {
    "f.parquet": lambda: written(lambda sink: pq.write_table(ROWS, sink)),
    "f.csv": lambda: CSV,
    "f.tsv": lambda: CSV.replace(b",", b"\t"),
    "f.csv.gz": lambda: gzip.compress(CSV),
    "f.csv.zst": lambda: pa.compress(CSV, "zstd", asbytes=True),
    "f.jsonl": lambda: JSON,
    "f.jsonl.gz": lambda: gzip.compress(JSON),
    "f.ndjson.zst": lambda: pa.compress(JSON, "zstd", asbytes=True),
    "f.arrow": lambda: written(as_ipc(pa.ipc.new_file)),
    "f.arrows": lambda: written(as_ipc(pa.ipc.new_stream)),
    "F.CSV": lambda: b"\xef\xbb\xbf" + CSV,
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_rows(name: str, tmp_path: Path) -> None:
    data = FORMATS[name]()
    (tmp_path / name).write_bytes(data)
    assert read(tmp_path / name, name).to_pylist() == ROWS.to_pylist()
    assert read(io.BytesIO(data), name).to_pylist() == ROWS.to_pylist()


@pytest.mark.parametrize(
    ("texts", "values"),
    [
        (["1", "2"], [1, 2]),
        (["1", "2.5"], [1.0, 2.5]),
        (["1", "NA"], [1, None]),
        (["007", "1"], ["007", "1"]),
        (["1", "x"], ["1", "x"]),
        (["true", "False"], [True, False]),
        (["NA", "null"], ["NA", "null"]),
        (["2025-02-01T10:00:00Z", "2025-02-01T12:00:00+02:00"], [datetime(2025, 2, 1, 10, tzinfo=UTC)] * 2),
        (["99999999999999999999", "1"], ["99999999999999999999", "1"]),
    ],
)
def test_a_column_of_text_takes_the_narrowest_type_that_fits_all_of_it(texts: list[str], values: list[object]) -> None:
    data = "x,y\n" + "".join(f"{t},.\n" for t in texts)
    assert interpret(data.encode(), "f.csv").rows["x"].to_pylist() == values


def test_a_type_that_changes_after_megabytes_is_seen() -> None:
    data = "x,y\n" + "1,abcdefgh\n" * 200_000 + "z,1\n"
    assert interpret(data.encode(), "f.csv").rows["x"].type == pa.string()


def test_quoted_commas_and_line_breaks_are_part_of_a_value() -> None:
    rows = interpret(b'id,text\na,"one, two\nthree"\nb,""\n', "f.csv").rows
    assert rows["text"].to_pylist() == ["one, two\nthree", ""]


def test_rows_keep_their_numbers_around_those_that_do_not_fit() -> None:
    reading = interpret(b"a,b\n1,2\n3\n4,5,6\n7,8\n", "f.csv")
    assert reading.numbers.to_pylist() == [0, 3]
    assert [(u.number, u.text) for u in reading.unfit] == [(1, "3"), (2, "4,5,6")]


def test_json_objects_need_not_have_the_same_keys_or_kinds() -> None:
    rows = interpret(b'{"a": 1}\n\n{"b": "x", "a": "y"}\n{"a": NaN, "b": null}\n', "f.jsonl").rows
    assert rows.to_pylist() == [{"a": "1", "b": None}, {"a": "y", "b": "x"}, {"a": "NaN", "b": None}]


@pytest.mark.parametrize("name", ["f", "f.xlsx", "f.gz", "f.csv.bz2"])
def test_an_unknown_suffix_names_the_known_ones(name: str) -> None:
    with pytest.raises(UnreadableError, match=r"Known: \.parquet"):
        interpret(b"x", name)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match=r"f\.csv: is not there"):
        read(tmp_path / "f.csv", "f.csv")


def test_finding_files_is_sorted_and_leaves_unfinished_ones(home: Home) -> None:
    for name in ("b.csv", "a.csv", ".c.csv", "d.csv.part", "e.csv.tmp"):
        (home.root / "inbox" / name).write_text("x")
    (home.root / "inbox" / "deep").mkdir()
    (home.root / "inbox" / "deep" / "f.csv").write_text("x")
    assert [p.name for p in discover(home, "inbox/*")] == ["a.csv", "b.csv"]
    assert [p.name for p in discover(home, "inbox")] == ["a.csv", "b.csv"]
    assert [p.name for p in discover(home, "inbox/**/*.csv")] == ["a.csv", "b.csv", "f.csv"]
    assert [p.name for p in discover(home, str(home.root / "inbox" / "a*"))] == ["a.csv"]
    assert discover(home, "nowhere/*") == []


def test_a_folder_that_cannot_be_listed_is_said_and_not_taken_for_an_empty_one(home: Home, without_rights: None) -> None:
    inbox = home.root / "inbox"
    inbox.chmod(0)
    try:
        with pytest.raises(UnreadableError, match=r"inbox: cannot be listed \(Permission denied\)\. Check its permissions\."):
            discover(home, "inbox/*.csv")
    finally:
        inbox.chmod(0o755)


def test_a_file_that_vanishes_is_no_error(tmp_path: Path) -> None:
    assert (load(tmp_path / "gone.csv"), stamp(tmp_path / "gone.csv")) == (None, None)


def test_a_file_as_young_as_a_tick_of_the_clock_is_not_known_by_its_time(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_text("x")
    written_at = path.stat().st_mtime_ns
    os.utime(path, ns=(written_at + 10**9, written_at + 10**9))
    assert stamp(path).modified_at is None
    os.utime(path, ns=(written_at - 10**9 + 1000, written_at - 10**9 + 1000))
    assert stamp(path).modified_at is not None
    whole_second = (written_at // 10**9 - 1) * 10**9
    os.utime(path, ns=(whole_second, whole_second))
    assert stamp(path).modified_at is None
