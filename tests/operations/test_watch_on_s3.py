"""The whole chain on an object store, by two hosts at once of which one is killed: as one clean run on a folder of this disk."""

import io
import json
import random
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from intake_world import counts, expect, held, suite
from object_store import Bucket
from slack_standin import Slack
from story_world import FIRST, MOMENTS, MONITOR, arrived, finished, messages, to
from watch_worker import started, state
from watchkeeper.adapters.lake_copies import tables_of
from watchkeeper.adapters.settings import Settings
from watchkeeper.adapters.workspace import Home, load_monitors
from watchkeeper.monitor import Monitor
from watchkeeper.operations.ingest import ingest
from watchkeeper.operations.publish import publish
from watchkeeper.operations.query import query
from watchkeeper.operations.upkeep import upkeep
from watchkeeper.operations.validate import validate
from watchkeeper.records import Validation
from worlds import parcels_days

pytestmark = pytest.mark.slow

STEPS = (MOMENTS[0], MOMENTS[-1])
LAST = STEPS[-1]
ASKED = "SELECT metric, state, count(*) AS n, round(sum(value), 9) AS value FROM scores GROUP BY ALL ORDER BY ALL"


def walked(home: Home) -> Counter[str]:
    """Watch the story from a workspace, undisturbed; return the messages that were sent."""
    with Slack() as slack:
        for now in STEPS:
            finished(started(arrived(home, now), now, to(slack)))
        return messages(slack)


def told(home: Home) -> Any:
    """Return what people see at the end: an answer, and the tables of the published file."""
    monitors = load_monitors(home)[0]
    answer = query(home, monitors, ASKED, now=LAST).to_pylist()
    with duckdb.connect(publish(home, monitors, now=LAST), read_only=True) as published:
        names = sorted(name for (name,) in published.execute("SHOW TABLES").fetchall())
        return answer, {name: published.execute(f"SELECT count(*) FROM {name}").fetchone() for name in names}


@pytest.mark.nightly
def test_two_hosts_of_which_one_is_killed_end_like_one_clean_run_on_a_folder(make_home: Callable[..., Home], bucket: Bucket):
    local = make_home(MONITOR, name="local")
    clean = walked(local)
    one, two = (make_home(MONITOR, name=name, lake=f"{bucket.address}/lake") for name in ("one", "two"))
    draw, died, took = random.Random(11), 0, 4.0
    with Slack() as slack:
        environment = bucket.environment | to(slack)
        for now in STEPS:
            arrived(one, now), arrived(two, now)
            began, survivor = time.monotonic(), started(one, now, environment)
            for _ in range(2):
                victim = started(two, now, environment)
                time.sleep(draw.uniform(0.2, took))
                victim.kill()
                victim.join()
                died += victim.exitcode != 0
            finished(survivor)
            took = (time.monotonic() - began) / 2
            finished(started(two, now, environment))
        sent = messages(slack)
    assert died
    assert state(one) == state(two) == state(local)
    assert set(sent) == set(clean)
    assert sum(sent.values()) - sum(clean.values()) <= died, "only the action in flight is repeated"
    assert told(one) == told(local)
    _upkeep_changes_nothing(two, bucket)
    _any_reader_of_delta_can_read(one, bucket)


def _upkeep_changes_nothing(home: Home, bucket: Bucket) -> None:
    before, files = (state(home), told(home)), _score_files(bucket)
    kept = {k.table: k for k in upkeep(home, load_monitors(home)[0], now=LAST)}
    assert kept["scores"].files_merged > 1
    assert "lake/scores/_delta_log/_last_checkpoint" in bucket.keys("lake/scores/"), "so that opening it is few requests"
    assert home.lake.vacuum("scores", keep_hours=0)
    assert _score_files(bucket) < files
    assert (state(home), told(home)) == before


def _any_reader_of_delta_can_read(home: Home, bucket: Bucket) -> None:
    """Tables ask of a reader version 1 of the protocol and nothing more: the log is JSON, the data are Parquet files that it names."""
    names = tables_of(home.lake)
    assert {"scores", "profiles", "events/parcels", "labels/parcels", "incidents", "actions", "runs"} <= set(names)
    for name in names:
        table = home.lake.table(name)
        assert (table.protocol().min_reader_version, table.protocol().min_writer_version) == (1, 2), name
        assert not table.protocol().reader_features
        assert not table.metadata().partition_columns
        address, options = home.lake.uri(name), Settings.from_environment().storage_options
        seen = pl.scan_delta(address, storage_options=options).collect()
        assert seen.height == _by_hand(bucket, f"lake/{name}").num_rows == home.lake.read(name).num_rows


def _by_hand(bucket: Bucket, table: str) -> pa.Table:
    """Read a table as the protocol says, with no library for Delta: replay the log, then read the files that are left."""
    files: dict[str, None] = {}
    for key in (k for k in bucket.keys(f"{table}/_delta_log/") if k.endswith(".json")):
        for line in _bytes(bucket, key).splitlines():
            action = json.loads(line)
            files |= {action["add"]["path"]: None} if "add" in action else {}
            files.pop(action.get("remove", {}).get("path", ""), None)
            assert "deletionVector" not in action.get("add", {})
    return pa.concat_tables([pq.read_table(io.BytesIO(_bytes(bucket, f"{table}/{path}"))) for path in files])


def _bytes(bucket: Bucket, key: str) -> bytes:
    return bucket.client.get_object(Bucket=bucket.name, Key=key)["Body"].read()


def _score_files(bucket: Bucket) -> int:
    return len(bucket.keys("lake/scores/part-"))


def test_rows_are_checked_and_set_aside_on_an_object_store_as_on_a_folder(make_home: Callable[..., Home], bucket: Bucket):
    local, remote = make_home(MONITOR, name="local"), make_home(MONITOR, name="remote", lake=f"{bucket.address}/lake")
    for home in (local, remote):
        suite(home, "parcels_events", expect("expect_column_values_to_be_between", column="weight_kg", min_value=0, max_value=2.0))
        parcels_days(home.root, FIRST, 2, rows=120)
        ingest(home, load_monitors(home)[0]["parcels"], now=MOMENTS[0])
    assert held(remote, _monitor(remote)) == held(local, _monitor(local)) != {}
    assert counts(remote) == counts(local)
    checks = [sorted((v.expectation, v.outcome, v.unexpected_count) for v in home.lake.newest(Validation)) for home in (local, remote)]
    assert checks[0] == checks[1] != []
    looked = [validate(home, _monitor(home), now=MOMENTS[0], last=timedelta(days=60)) for home in (local, remote)]
    assert looked[0] == looked[1]
    assert looked[1].rows


def _monitor(home: Home) -> Monitor:
    return load_monitors(home)[0]["parcels"]
