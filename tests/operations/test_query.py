"""`watchkeeper sql` reads the lake and does nothing else."""

import dataclasses
from datetime import timedelta

import duckdb
import pytest

import worlds_site as world
from watchkeeper.errors import UsageError
from watchkeeper.operations.publish import publish
from watchkeeper.operations.query import private_columns, query
from watchkeeper.records import Bins, Quarantined, Run, Score


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    home, watched = world.build(tmp_path_factory.mktemp("query"))
    world.add_events(home, watched, rows_a_day=3, days_back=4)
    restated = dataclasses.replace(
        world._scores(watched, world.days(watched)[0])[0], value=9.0, revision=1, computed_at=world.NOW - timedelta(hours=1)
    )
    home.lake.append_records(Score, [restated])
    held = Quarantined(
        quarantine_id="q",
        batch_id="b",
        source="events",
        name="f",
        row_number=3,
        reasons=["secret-7 is no number"],
        row='{"passenger": "secret-7"}',
        at=world.NOW,
    )
    home.lake.append_records(Quarantined, [held], table=f"quarantine/{watched.model}")
    return home, {watched.model: watched}


def test_a_quarantine_that_holds_nothing_yet_is_an_empty_table(home, parcels):
    found = query(home, {"parcels": parcels}, "SELECT * FROM quarantine_parcels", now=world.NOW)
    assert (found.num_rows, "reasons" in found.column_names, "quarantine_id" in found.column_names) == (0, False, True)


def test_a_table_shows_newest_revisions_and_all_of_them_under_its_other_name(built):
    sql = "SELECT count(*) AS n, max(value) AS top FROM {} WHERE metric = 'log_loss' AND window_start = '2013-01-01 05:00:00+00'"
    assert query(*built, sql.format("scores"), now=world.NOW).to_pylist() == [{"n": 1, "top": 9.0}]
    assert query(*built, sql.format("scores_all"), now=world.NOW).to_pylist()[0]["n"] == 2
    earlier = world.NOW - timedelta(days=2)
    assert query(*built, sql.format("scores"), now=earlier).to_pylist()[0]["top"] < 1


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM scores",
        "CREATE TABLE t AS SELECT 1",
        "COPY (SELECT 1) TO '/tmp/never.csv'",
        "ATTACH '/tmp/never.duckdb'",
        "SET enable_external_access = true",
        "INSTALL httpfs",
        "SELECT 1; SELECT 2",
    ],
)
def test_what_would_change_something_is_refused(built, sql):
    with pytest.raises(UsageError, match="Write one SELECT"):
        query(*built, sql, now=world.NOW)


def test_files_outside_the_lake_cannot_be_read(built, tmp_path):
    (tmp_path / "x.csv").write_text("a\n1\n")
    with pytest.raises(UsageError, match="disabled"):
        query(*built, f"SELECT * FROM read_csv('{tmp_path / 'x.csv'}')", now=world.NOW)


def test_a_mistake_in_the_question_is_one_sentence(built):
    with pytest.raises(UsageError) as caught:
        query(*built, "SELECT headlin FROM (SELECT id, headline FROM incidents)", now=world.NOW)
    assert str(caught.value).startswith('sql: Binder Error: Referenced column "headlin" not found in FROM clause; there is: "headline", "id". ')
    assert str(caught.value).count(". ") == 1


@pytest.mark.parametrize("column", ["passenger", "e.passenger", "delivered"])
def test_a_column_that_is_not_there_is_answered_with_those_of_the_tables_named(built, column):
    asked = f"SELECT {column} FROM events_{world.MODEL} AS e JOIN runs ON true WHERE outcome = 'done'"
    with pytest.raises(UsageError) as caught:
        query(*built, asked, now=world.NOW)
    hint = str(caught.value).split(". ", 1)[1]
    seen = query(*built, f"SELECT * FROM events_{world.MODEL}", now=world.NOW).column_names
    assert hint == f"events_{world.MODEL} has {', '.join(seen)}. runs has {', '.join(f.name for f in dataclasses.fields(Run))}."


def test_private_columns_are_not_there(built):
    seen = query(*built, f"SELECT * FROM events_{world.MODEL}", now=world.NOW)
    assert "passenger" not in seen.column_names
    assert seen.num_rows == 12
    with pytest.raises(UsageError, match="passenger"):
        query(*built, f"SELECT passenger FROM events_{world.MODEL}", now=world.NOW)
    held = query(*built, f"SELECT * FROM quarantine_{world.MODEL}", now=world.NOW)
    assert "secret" not in str(held.to_pylist())


def test_private_columns_are_there_for_a_reason_which_is_kept(built):
    seen = query(*built, f"SELECT passenger FROM events_{world.MODEL}", now=world.NOW, private_reason="ticket 12")
    assert "secret-0" in seen.column("passenger").to_pylist()
    kept = [r for r in built[0].lake.newest(Run) if r.operation == "sql"]
    assert ["ticket 12" in r.reason and "SELECT passenger" in r.reason and r.rows == 12 for r in kept] == [True]


def test_bins_of_private_columns_and_of_unknown_models_tell_no_value(built):
    home, monitors = built
    told = {"kind": "numeric", "edges": [31250.37], "computed_at": world.NOW}
    rows = [("passenger", world.MODEL), ("passenger@age", world.MODEL), ("dep_delay", world.MODEL), ("dep_delay", "gone")]
    home.lake.append_records(Bins, [Bins(model=model, bins="b", feature=name, **told) for name, model in rows])
    for asked in ("bins", "bins_all"):
        sql = f"SELECT feature, model, len(edges) AS n FROM {asked} WHERE bins = 'b'"
        seen = {(r["feature"], r["model"]): r["n"] for r in query(home, monitors, sql, now=world.NOW).to_pylist()}
        assert seen == {rows[0]: 0, rows[1]: 0, rows[2]: 1, rows[3]: 0}
        assert query(home, monitors, sql, now=world.NOW, private_reason="ticket 13").column("n").to_pylist() == [1] * 4


def test_a_private_id_is_private_in_the_labels_too():
    watched = world.monitor(private=["flight_id", "was_late"])
    assert private_columns(watched)["labels"] == {"id", "label"}
    assert private_columns(world.monitor())["labels"] == set()


@pytest.mark.parametrize(("asked", "said"), [("scors", '; did you mean "scores"'), ("pg_enu", ""), ("incident", '; did you mean "incidents"')])
def test_a_table_that_is_not_there_is_answered_with_the_nearest_of_ours(built, asked, said):
    with pytest.raises(UsageError) as refused:
        query(*built, f"SELECT * FROM {asked}", now=world.NOW)
    assert str(refused.value) == f"sql: Catalog Error: Table with name {asked} does not exist{said}. `SHOW TABLES` lists what there is."


def test_incidents_and_costs_are_what_they_are_in_the_published_file(built):
    publish(*built, now=world.NOW)
    with duckdb.connect(str(built[0].published), read_only=True) as connection:
        for table, order in (("incidents", "id"), ("costs", "window_start")):
            sql = f"SELECT * FROM {table} ORDER BY {order}"
            published, asked = connection.sql(sql).to_arrow_table(), query(*built, sql, now=world.NOW)
            assert asked.column_names == published.column_names
            assert asked.num_rows == published.num_rows > 0
    events = query(*built, "SELECT event, count(*) AS n FROM incident_events GROUP BY ALL ORDER BY event", now=world.NOW).to_pylist()
    assert {e["event"]: e["n"] for e in events}["opened"] == 2


def test_every_table_is_there_before_anything_was_written(make_home):
    assert query(make_home(), {}, "SELECT headline FROM incidents", now=world.NOW).to_pylist() == []
    assert query(make_home(name="two"), {}, "SELECT count(*) AS n FROM scores_all", now=world.NOW).to_pylist() == [{"n": 0}]
