"""A lake on an object store: what is written is read, by whoever asks, as from a folder."""

from datetime import UTC, datetime

import pyarrow as pa

from object_store import Bucket
from watchkeeper.adapters.lake import Lake
from watchkeeper.adapters.settings import Settings

NOW = datetime(2025, 3, 1, tzinfo=UTC)


def lake(bucket: Bucket) -> Lake:
    return Lake(f"{bucket.address}/lake", Settings.from_environment().storage_options)


def test_what_one_writes_another_reads(bucket: Bucket):
    lake(bucket).append("numbers", pa.table({"n": [1, 2]}))
    found = lake(bucket).read("numbers")
    assert found is not None
    assert found["n"].to_pylist() == [1, 2]
