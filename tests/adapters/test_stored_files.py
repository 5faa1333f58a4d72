"""Objects of an S3 are found, read once, known again and told apart from a store that is not there."""

import http.server
import threading
import time
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from conftest import PARCELS, parcels_world
from intake_world import GOOD, HEADER, LATER, LOANS, NOW, held, ids
from object_store import Bucket
from watchkeeper.adapters import stored_files
from watchkeeper.adapters.stored_files import StoredObject, listed, matches
from watchkeeper.adapters.workspace import Home, load_monitor
from watchkeeper.errors import UnreachableError, UnreadableError
from watchkeeper.operations.ingest import ingest
from watchkeeper.operations.quarantine import ALL
from watchkeeper.operations.release import release
from watchkeeper.records import Batch


def put(bucket: Bucket, key: str, text: str) -> None:
    bucket.client.put_object(Bucket=bucket.name, Key=key, Body=text.encode())


@pytest.fixture
def stored(make_home: Callable[..., Home], bucket: Bucket) -> Home:
    """A workspace whose loans lie in a bucket."""
    files = {"files": f"{bucket.address}/in/loans-*.csv"}
    return make_home({**LOANS, "events": files, "labels": {**LOANS["labels"], "files": f"{bucket.address}/in/repaid/**/*.csv"}}, name="stored")


def take(home: Home, now: Any = NOW, **how: Any) -> list[Batch]:
    return ingest(home, load_monitor(home, "loans"), now=now, **how)


def test_a_glob_names_objects_part_by_part(bucket: Bucket) -> None:
    for key in ("in/a-1.csv", "in/a-2.csv", "in/b-1.csv", "in/deep/a-3.csv", "in/deep/er/a-4.csv", "a-5.csv"):
        put(bucket, key, "x")

    def found(pattern: str) -> list[str]:
        return [o.address.removeprefix(f"{bucket.address}/") for o in listed(f"{bucket.address}/{pattern}")]

    assert found("in/a-*.csv") == ["in/a-1.csv", "in/a-2.csv"]
    assert found("in/*/a-*.csv") == ["in/deep/a-3.csv"]
    assert found("in/**/a-*.csv") == ["in/a-1.csv", "in/a-2.csv", "in/deep/a-3.csv", "in/deep/er/a-4.csv"]
    assert found("in/a-1.csv") == ["in/a-1.csv"]
    assert found("in") == found("in/") == ["in/a-1.csv", "in/a-2.csv", "in/b-1.csv"]
    assert found("*.csv") == ["a-5.csv"]
    assert found("none/*.csv") == []


def test_an_object_lands_once_by_its_content_and_old_ones_are_not_read_again(stored: Home, bucket: Bucket) -> None:
    put(bucket, "in/loans-1.csv", HEADER + GOOD)
    put(bucket, "in/repaid/2025/02/r.csv", "loan,defaulted\na,1\n")
    told: list[tuple[str, int, int]] = []
    batches = take(stored, progress=lambda *seen: told.append(seen))
    assert [(b.name, b.path, b.rows_landed) for b in batches] == [
        ("loans-1.csv", f"{bucket.address}/in/loans-1.csv", 2),
        ("r.csv", f"{bucket.address}/in/repaid/2025/02/r.csv", 1),
    ]
    assert told == [("loans-1.csv", 1, 1), ("r.csv", 1, 1)]
    put(bucket, "in/loans-2.csv", HEADER + GOOD)
    assert take(stored, LATER) == []
    time.sleep(2.1)  # younger than that, a time of writing is not relied on
    put(bucket, "in/loans-3.csv", HEADER + "c,2025-02-03T10:00:00Z,0.5,5\n")
    time.sleep(2.1)
    assert [b.name for b in take(stored, LATER)] == ["loans-3.csv"]
    assert ids(stored) == ["a", "b", "c"]
    found = {o.name: o for o in listed(f"{bucket.address}/in/loans-*.csv")}
    batch = next(b for b in stored.lake.newest(Batch) if b.name == "loans-3.csv")
    assert (batch.size_bytes, batch.modified_at) == (found["loans-3.csv"].size_bytes, found["loans-3.csv"].written_at)  # by which it is known unread
    assert take(stored, LATER) == []


def test_an_object_that_was_written_anew_is_read_again(stored: Home, bucket: Bucket) -> None:
    put(bucket, "in/loans-1.csv", HEADER + GOOD)
    take(stored)
    put(bucket, "in/loans-1.csv", HEADER + GOOD + "c,2025-02-03T10:00:00Z,0.5,5\n")
    assert [(b.rows_landed, b.rows_duplicate) for b in take(stored, LATER)] == [(1, 2)]


def test_an_object_that_was_refused_is_released_from_where_it_lies(stored: Home, bucket: Bucket) -> None:
    put(bucket, "in/loans-1.csv", "loan,asked_at\na,2025-02-01T10:00:00Z\n")
    assert [b.status for b in take(stored)] == ["quarantined"]
    assert list(held(stored)) == [-1]
    put(bucket, "in/loans-1.csv", HEADER + GOOD)
    done = release(stored, load_monitor(stored, "loans"), now=LATER, chosen=ALL, who="ann", why="sent again")
    assert [(r.released, r.kept) for r in done] == [(1, 0)]
    assert ids(stored) == ["a", "b"]


def test_what_is_not_there_or_refused_is_told_in_one_sentence(stored: Home, bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnreachableError, match=r"s3://no-such-bucket/in/\*\.csv: cannot be read \(there is no such bucket\)\. Check the address"):
        listed("s3://no-such-bucket/in/*.csv")
    assert stored_files.read(StoredObject(f"{bucket.address}/gone.csv", 1, None)) is None
    put(bucket, "in/loans-1.csv", HEADER + GOOD)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    began = time.monotonic()
    with pytest.raises(UnreadableError) as caught:
        take(stored)
    assert "cannot be read (no connection)" in str(caught.value)
    assert "only-on-loopback" not in str(caught.value)
    assert time.monotonic() - began < 30
    monkeypatch.setenv("AWS_ENDPOINT_URL", bucket.environment["AWS_ENDPOINT_URL"])
    assert [b.rows_landed for b in take(stored, LATER)] == [2]


class Refusing(http.server.BaseHTTPRequestHandler):
    """A store that refuses: what it says is the first part of the bucket's name."""

    def do_GET(self) -> None:
        code = self.path.split("/")[1].partition("?")[0]
        said = f"<Error><Code>{code}</Code><Message>of AKIAWATCHKEEPER</Message></Error>".encode()
        self.send_response(400 if code == "ExpiredToken" else 403)
        self.send_header("content-type", "application/xml")
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.mark.parametrize(
    ("code", "what"),
    [
        ("ExpiredToken", "the credentials have expired"),
        ("InvalidAccessKeyId", "the access key is not known"),
        ("SignatureDoesNotMatch", "the secret key is wrong"),
        ("AccessDenied", "access is denied"),
    ],
)
def test_refused_credentials_are_told_without_them(code: str, what: str, bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        with pytest.raises(UnreadableError) as caught:
            listed(f"s3://{code}/in/*.csv")
        server.shutdown()
    assert str(caught.value).startswith(f"s3://{code}/in/*.csv: cannot be read ({what}). Check the address, the credentials in the environment")
    assert "AKIA" not in str(caught.value)


def test_a_reference_may_lie_in_a_store(make_home: Callable[..., Home], bucket: Bucket) -> None:
    import io

    import pyarrow.parquet as pq

    monitor = {**PARCELS, "reference": {"files": f"{bucket.address}/validation"}, "labels": None}
    home = make_home(monitor, name="reference")
    events, _ = parcels_world(NOW, rows=10)
    sink = io.BytesIO()
    pq.write_table(events, sink)
    bucket.client.put_object(Bucket=bucket.name, Key="validation/v.parquet", Body=sink.getvalue())
    ingest(home, load_monitor(home, "parcels"), now=LATER)
    reference = load_monitor(home, "parcels").reference
    assert (reference.from_, reference.to) == (date(2025, 3, 1), date(2025, 3, 2))


@pytest.mark.parametrize(
    ("address", "pattern", "expected"),
    [
        ("abfss://box@acc.dfs.core.windows.net/in/a.csv", "abfss://box@acc.dfs.core.windows.net/in/*.csv", True),
        ("gs://b/in/x/a.csv", "gs://b/**/a.csv", True),
        ("gs://b/in/a.csv", "gs://b/in/a.csv/c", False),
        ("s3://b/in-2/a.csv", "s3://b/in", False),
    ],
)
def test_addresses_are_matched(address: str, pattern: str, *, expected: bool) -> None:
    assert matches(address, pattern) is expected
