"""The published file: newest revisions for people and BI tools, nothing private, swapped in whole."""

import dataclasses
import json
import resource
import subprocess
import sys
from datetime import timedelta

import duckdb
import pytest

import worlds_site as world
from evidence_world import signal
from watchkeeper.adapters.arrow_records import TIMESTAMP, arrow_schema, to_arrow
from watchkeeper.adapters.workspace import Home
from watchkeeper.errors import UnwritableError
from watchkeeper.operations.publish import COPIED, publish
from watchkeeper.records import Score, Signal, Validation
from watchkeeper.site.dictionary import PUBLISHED
from watchkeeper.site.published import CostRow, described


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    home, watched = world.build(tmp_path_factory.mktemp("publish"))
    publish(home, {watched.model: watched}, now=world.NOW)
    return home, watched


def asked(path, sql, *values):
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute(sql, list(values)).fetchall()


def test_it_holds_one_row_per_incident_with_its_signals_and_causes(built):
    home, _ = built
    rows = asked(home.published, "SELECT state, severity, signals, causes, ruled_out, next_steps FROM incidents ORDER BY window_start")
    assert [r[:2] for r in rows] == [("resolved", "high"), ("open", "warning")]
    signals, causes = json.loads(rows[0][2]), json.loads(rows[0][3])
    assert [s["metric"] for s in signals] == ["log_loss"] * 5
    assert set(signals[0]) == {"metric", "feature", "segment", "window_start", "value", "low", "high"}
    assert causes[0]["subject"] == "the outcome changed, not the inputs"
    assert rows[0][4] == ["rain, fog", "a new version"]


def test_costs_are_side_by_side_and_say_that_they_are_synthetic(built):
    home, _ = built
    rows = asked(home.published, "SELECT gpu_cost, cost_per_1000_predictions, currency, is_synthetic FROM costs")
    assert len(rows) == 120
    assert all(4 <= cost <= 5 and each > 4 and currency == "USD" and synthetic for cost, each, currency, synthetic in rows)


def test_a_disk_without_room_is_one_sentence_and_the_old_file_stays(built):
    home, watched = built
    before = home.published.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(UnwritableError) as told:
            publish(home, {watched.model: watched}, now=world.NOW)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert str(told.value) == f"{home.published}: cannot be written (File too large). Check its permissions, and the space left there."
    assert home.published.read_bytes() == before


def test_moments_are_plain_utc(built):
    home, _ = built
    assert asked(home.published, "SELECT min(window_start), typeof(min(window_start)) FROM scores")[0][1] == "TIMESTAMP"
    first = asked(home.published, "SELECT strftime(min(window_start), '%Y-%m-%d %H:%M') FROM scores")[0][0]
    assert first == "2013-01-01 05:00"


def test_every_column_of_the_records_is_there_and_says_what_it_means(built):
    home, _ = built
    found = asked(home.published, "SELECT table_name, column_name, comment FROM duckdb_columns() WHERE NOT internal")
    meant = {(r.TABLE, column, meaning) for r in PUBLISHED for column, meaning in described(r).items()}
    assert set(found) == meant


def test_only_the_newest_revision_known_at_the_time_is_there(tmp_path):
    home, watched = Home(tmp_path), world.monitor()
    first = world._scores(watched, world.days(watched)[0])[0]
    later = dataclasses.replace(first, value=0.9, revision=1, computed_at=first.computed_at + timedelta(days=1))
    home.lake.append_records(Score, [first])
    home.lake.append_records(Score, [later])
    publish(home, {watched.model: watched}, now=first.computed_at)
    assert asked(home.published, "SELECT value, revision FROM scores") == [(first.value, 0)]
    publish(home, {watched.model: watched}, now=later.computed_at)
    assert asked(home.published, "SELECT value, revision FROM scores") == [(0.9, 1)]


def test_scores_older_than_400_days_are_left_out(built, tmp_path):
    home, watched = built
    other = Home(tmp_path, home.workspace.model_copy(update={"lake": str(home.root / "warehouse" / "lake")}))
    publish(other, {watched.model: watched}, now=world.NOW + timedelta(days=350))
    oldest = asked(other.published, "SELECT min(window_start) >= ? FROM scores", (world.NOW - timedelta(days=50)).replace(tzinfo=None))
    assert oldest == [(True,)]


def test_nothing_private_is_in_it(tmp_path):
    home, watched = Home(tmp_path), world.monitor()
    score = world._scores(watched, world.days(watched)[0])[0]
    home.lake.append_records(
        Score,
        [
            dataclasses.replace(score, reason="most in passenger=secret-4: +1.2 standard deviations"),
            dataclasses.replace(score, segment="carrier=VX&passenger=secret-1"),
            dataclasses.replace(score, segment="carrier=UA", reason="clustered by day"),
        ],
    )
    seen = dataclasses.replace(world._validation(world.days(watched)[0]), expectation_id="p", column="passenger", observed="secret-2")
    open_one = dataclasses.replace(seen, expectation_id="q", column="wind_speed", observed="max 31")
    unknown = dataclasses.replace(seen, batch_id="b2", model="of_a_broken_file", column="anything", observed="secret-3")
    home.lake.append_records(Validation, [seen, open_one, unknown])
    world.add_events(home, watched, rows_a_day=3, days_back=2)
    publish(home, {watched.model: watched}, now=world.NOW)
    assert asked(home.published, "SELECT segment, reason FROM scores ORDER BY 1") == [("", ""), ("carrier=UA", "clustered by day")]
    assert asked(home.published, "SELECT observed FROM validations ORDER BY 1") == [("",), ("",), ("max 31",)]
    assert b"secret-" not in home.published.read_bytes()


def test_an_empty_workspace_gives_a_file_with_every_table_empty(tmp_path):
    home = Home(tmp_path)
    publish(home, {}, now=world.NOW)
    tables = {name for (name,) in asked(home.published, "SHOW TABLES")}
    assert tables == {r.TABLE for r in PUBLISHED}
    assert all(asked(home.published, f"SELECT count(*) FROM {table}") == [(0,)] for table in tables)


def test_a_reader_in_another_process_keeps_its_file_through_a_swap_and_no_writer_fails(tmp_path):
    home, watched = Home(tmp_path), world.monitor()
    scores = [world._scores(watched, w)[0] for w in world.days(watched)[:2]]
    home.lake.append_records(Score, scores[:1])
    publish(home, {watched.model: watched}, now=world.NOW)
    count = "c.execute('SELECT count(*) FROM scores').fetchall()[0][0]"
    code = f"import duckdb, sys; c = duckdb.connect(sys.argv[1], read_only=True)\nfor line in sys.stdin: print({count}, flush=True)"
    with subprocess.Popen([sys.executable, "-c", code, str(home.published)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as reader:
        ask = lambda: (reader.stdin.write("\n"), reader.stdin.flush(), int(reader.stdout.readline()))[2]  # noqa: E731
        assert ask() == 1
        home.lake.append_records(Score, scores[1:])
        publish(home, {watched.model: watched}, now=world.NOW)
        assert ask() == 1
        reader.stdin.close()
    assert asked(home.published, "SELECT count(*) FROM scores") == [(2,)]


def test_a_log_left_by_somebody_who_wrote_into_the_file_does_not_spoil_the_next(tmp_path):
    home = Home(tmp_path)
    publish(home, {}, now=world.NOW)
    with duckdb.connect(str(home.published)) as person:
        person.execute("CREATE TABLE mine AS SELECT 1 AS a")
        home.published.with_name("watchkeeper.duckdb.wal").write_bytes(b"not ours")
        publish(home, {}, now=world.NOW)
    assert asked(home.published, "SELECT count(*) FROM incidents") == [(0,)]
    assert sorted(p.name for p in home.published.parent.iterdir()) == ["watchkeeper.duckdb"]


def test_moments_of_every_copied_record_become_timestamps():
    """Guards `_column`: a record whose moments were not of the lake's type would keep its zone."""
    assert all(f.type == TIMESTAMP for r in COPIED for f in arrow_schema(r) if f.name.endswith("_at") or f.name.startswith("window_"))
    assert "is_synthetic" in described(CostRow)


def test_a_table_that_an_earlier_release_began_is_published_with_the_columns_that_came_since(tmp_path):
    home = Home(tmp_path)
    found = signal("log_loss")
    home.lake.append("signals", to_arrow(Signal, [found]).drop_columns(["reason", "expects"]))
    publish(home, {}, now=found.computed_at)
    assert asked(home.published, "SELECT metric, reason, typeof(reason) FROM signals") == [("log_loss", None, "VARCHAR")]
