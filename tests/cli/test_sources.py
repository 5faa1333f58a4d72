"""Commands understand queries and object stores: check, doctor, add, validate, run and status, each in words of its own."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import Result

from conftest import PARCELS
from object_store import Bucket
from parcels_database import a_shop_of_parcels
from postgres import PASSWORD, Database
from watchkeeper.adapters.workspace import Home, load_monitor

pytestmark = pytest.mark.postgres

EVENTS = {"sql": "select * from parcels", "connection": "shop", "watermark": "updated_at"}
LABELS = {"sql": "select parcel, was_late, delivered_at from delivered", "connection": "shop"}
ASKED: dict[str, Any] = {**PARCELS, "events": EVENTS, "labels": {**PARCELS["labels"], **LABELS, "files": None}}
Run = Callable[..., Result]


@pytest.fixture
def db(postgres: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    """A shop with two hundred parcels, and what became of them."""
    monkeypatch.setenv("WATCHKEEPER_CONNECTION_SHOP", a_shop_of_parcels(postgres))
    return postgres


def said(done: Result) -> str:
    assert PASSWORD not in done.output
    assert "s3cr" not in done.output
    return " ".join(done.output.split())


def test_check_finds_nothing_wrong_with_a_sound_query(db: Database, make_home: Callable[..., Home], watchkeeper: Run) -> None:
    done = watchkeeper("check", at=make_home(ASKED, name="asked"))
    assert (done.exit_code, "mistake:" in done.output) == (0, False)


@pytest.mark.parametrize(
    ("events", "what"),
    [
        (
            {"connection": "shpo"},
            "mistake: deployments/monitors/parcels.yaml: events.connection: there is no connection 'shpo' (line 6): Set WATCHKEEPER_CONNECTION_SHPO",
        ),
        (
            {"sql": "select parcel, sent_at, version, depot, updated_at from parcels"},
            "events.sql: has no column 'p_late' (score); it has parcel, sent_at, version",
        ),
        (
            {"sql": "select parcel, sent_at, p_late, is_late, version, depot as depto, updated_at from parcels"},
            "mistake: deployments/monitors/parcels.yaml: the query has no column 'depot' (line 27): did you mean 'depto'?",
        ),
        (
            {"sql": "select *, array[1] as list from parcels"},
            "warning: deployments/monitors/parcels.yaml: column 'list' is left out: int4[] values are not supported",
        ),
        ({"sql": "select * from parsels"}, 'events.sql: refuses the query (relation "parsels" does not exist)'),
    ],
)
def test_check_names_what_is_wrong_with_a_query(
    events: dict[str, Any], what: str, db: Database, make_home: Callable[..., Home], watchkeeper: Run
) -> None:
    done = watchkeeper("check", at=make_home({**ASKED, "events": {**EVENTS, **events}}, name="asked"))
    assert what in said(done)
    assert done.exit_code == (0 if "warning" in what else 3)


@pytest.mark.parametrize(
    ("events", "what"),
    [
        ({"files": "inbox/*", "sql": "select 1", "connection": "shop"}, "events: give either `files`, or `sql` and `connection`"),
        ({}, "events: give either `files`, or `sql` and `connection`"),
        ({"sql": "select 1"}, "events: `sql` needs `connection`, the name of the database to ask"),
        ({"sql": " ;", "connection": "shop"}, "events: `sql` is empty"),
        ({"sql": "select 1", "connection": "shop", "lookback": "2d"}, "events: `lookback` needs `watermark`"),
        ({"files": "inbox/*", "watermark": "x"}, "events: `watermark` is for a query; add `sql`, or leave it out"),
        ({"sql": "select 1", "connection": "shop", "timeout": "0s"}, "events: `timeout` is shorter than a second"),
        ({"sql": "select 1", "connection": "postgresql://ann:s3cret@host/shop"}, "'connection' looks like a secret"),
        ({"sql": "select 1", "connection": "postgresql://host/shop"}, "is no name: it begins with a letter"),
    ],
)
def test_a_place_is_files_or_a_whole_query(events: dict[str, Any], what: str, make_home: Callable[..., Home], watchkeeper: Run) -> None:
    done = watchkeeper("check", at=make_home({**PARCELS, "events": events}, name="asked"))
    assert done.exit_code == 3
    assert what in said(done)


def test_check_warns_and_doctor_fails_where_a_database_is_down(
    db: Database, make_home: Callable[..., Home], watchkeeper: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = make_home(ASKED, name="asked")
    found = {d["subject"]: d for d in json.loads(watchkeeper("doctor", "--json", at=home).stdout)}
    assert found["connection shop"]["state"] == "ok"
    assert found["connection shop"]["what"] == f"127.0.0.1:{db.server.port}/{db.name} answers; its address is in WATCHKEEPER_CONNECTION_SHOP"
    monkeypatch.setenv("WATCHKEEPER_CONNECTION_SHOP", "postgresql://wk:s3cret@127.0.0.1:1/shop")
    done = watchkeeper("check", at=home)
    assert done.exit_code == 0
    assert "warning: deployments/monitors/parcels.yaml: connection 'shop' (127.0.0.1:1/shop): cannot be reached (Connection refused)" in said(done)
    found = {d["subject"]: d for d in json.loads(watchkeeper("doctor", "--json", at=home).stdout)}
    assert (found["connection shop"]["state"], found["connection shop"]["what"]) == ("fail", "cannot be reached (Connection refused)")
    monkeypatch.delenv("WATCHKEEPER_CONNECTION_SHOP")
    found = {d["subject"]: d for d in json.loads(watchkeeper("doctor", "--json", at=home).stdout)}
    assert "Set WATCHKEEPER_CONNECTION_SHOP" in found["connection shop"]["mend"]


def test_one_model_whose_source_is_down_is_told_and_recorded_and_the_other_is_brought_up_to_date(
    db: Database, make_home: Callable[..., Home], watchkeeper: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = make_home(ASKED, {**ASKED, "model": "others", "events": {**EVENTS, "connection": "other"}, "labels": None}, name="asked")
    monkeypatch.setenv("WATCHKEEPER_CONNECTION_OTHER", "postgresql://wk:s3cret@127.0.0.1:1/shop")
    done = watchkeeper("run", "--now", "2025-01-05", at=home)
    assert done.exit_code == 4
    assert "connection 'other' (127.0.0.1:1/shop): cannot be reached (Connection refused)" in said(done)
    assert home.lake.read("events/parcels").num_rows == 200  # type: ignore[union-attr]
    assert home.lake.read("labels/parcels").num_rows == 200  # type: ignore[union-attr]
    status = said(watchkeeper("status", "--now", "2025-01-05", at=home))
    assert "ingest failed: connection 'other'" in status
    monkeypatch.setenv("WATCHKEEPER_CONNECTION_OTHER", db.url)
    assert watchkeeper("run", "--now", "2025-01-05T01:00Z", at=home).exit_code == 0
    assert home.lake.read("events/others").num_rows == 200  # type: ignore[union-attr]
    assert "ingest failed" not in said(watchkeeper("status", "--now", "2025-01-05T02:00Z", at=home))


def test_labels_land_though_the_events_cannot_be_read(
    db: Database, make_home: Callable[..., Home], watchkeeper: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = make_home({**ASKED, "events": {**EVENTS, "connection": "other"}}, name="asked")
    monkeypatch.setenv("WATCHKEEPER_CONNECTION_OTHER", "postgresql://wk:s3cret@127.0.0.1:1/shop")
    assert watchkeeper("ingest", "parcels", "--now", "2025-01-05", at=home).exit_code == 4
    assert home.lake.read("labels/parcels").num_rows == 200  # type: ignore[union-attr]


def test_a_model_is_added_from_queries(db: Database, make_home: Callable[..., Home], watchkeeper: Run) -> None:
    home = make_home(name="asked")
    queries = ("--sql", EVENTS["sql"], "--labels-sql", LABELS["sql"], "--connection", "shop", "--watermark", "updated_at")
    done = watchkeeper("add", "parcels", *queries, "--owner", "#parcels", at=home)
    assert done.exit_code == 0, done.output
    monitor = load_monitor(home, "parcels")
    assert (monitor.events.sql, monitor.events.connection) == (EVENTS["sql"], "shop")
    assert monitor.labels is not None
    assert (monitor.events.watermark, monitor.labels.watermark) == ("updated_at", None)
    assert (monitor.labels.join, monitor.labels.column, monitor.columns.id, monitor.columns.score) == ("parcel", "was_late", "parcel", "p_late")
    assert watchkeeper("check", at=home).exit_code == 0
    done = watchkeeper("ingest", "parcels", "--now", "2025-03-01", "--json", at=home)
    assert [(b["source"], b["status"], b["rows_landed"]) for b in json.loads(done.stdout)] == [("events", "landed", 200), ("labels", "landed", 200)]


def test_a_watermark_is_no_feature_of_a_drafted_model(db: Database, make_home: Callable[..., Home], watchkeeper: Run) -> None:
    home = make_home(name="asked")
    told = ("--sql", EVENTS["sql"], "--connection", "shop", "--watermark", "updated_at", "--task", "binary")
    assert watchkeeper("add", "parcels", *told, at=home).exit_code == 0
    assert load_monitor(home, "parcels").events.watermark == "updated_at"
    assert "updated_at" not in (home.suites_dir / "parcels_events.json").read_text()
    assert watchkeeper("ingest", "parcels", "--now", "2025-03-01", at=home).exit_code == 0
    assert "updated_at" not in home.lake.dataset("events/parcels").schema.names  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ((), "there is nothing to learn from. Name a file by --events, or a query by --sql and --connection"),
        (("--sql", "select 1"), "--sql: a query goes to a database. Name it by --connection"),
        (("--sql", "select 1", "--connection", "shop", "--events", "x.csv"), "give either a file or a query, not both"),
        (("--sql", "select * from parcels where false", "--connection", "shop"), "the query gives no rows to learn from"),
        (("--sql", "select * from parcels", "--connection", "shop", "--watermark", "updatd"), "--watermark: no query has a column 'updatd'"),
        (("--sql", "select * from parcels", "--connection", "nowhere"), "there is no connection 'nowhere'"),
    ],
)
def test_add_says_what_is_missing(options: tuple[str, ...], what: str, db: Database, make_home: Callable[..., Home], watchkeeper: Run) -> None:
    done = watchkeeper("add", "parcels", *options, at=make_home(name="asked"))
    assert done.exit_code == 2
    assert what in said(done)


def test_validate_tells_what_the_next_intake_would_set_aside(db: Database, make_home: Callable[..., Home], watchkeeper: Run) -> None:
    home = make_home(ASKED, name="asked")
    told = ("--sql", EVENTS["sql"], "--connection", "shop", "--watermark", "updated_at", "--task", "binary", "--owner", "x")
    assert watchkeeper("add", "draft", *told, at=home).exit_code == 0
    (home.suites_dir / "draft_events.json").rename(home.suites_dir / "parcels_events.json")
    done = watchkeeper("validate", "parcels", "--new", "--now", "2025-03-01", at=home)
    assert done.exit_code == 0, done.output
    assert "shop-events.parquet: 200 rows" in said(done)
    assert home.lake.read("events/parcels") is None
    db.do("update parcels set p_late = 7 where parcel = '20250101-00003'")
    done = watchkeeper("validate", "parcels", "--new", "--now", "2025-03-01", at=home)
    assert "1 of 200 rows would be set aside" in said(done)
    assert watchkeeper("ingest", "parcels", "--now", "2025-03-01", at=home).exit_code == 0
    assert watchkeeper("validate", "parcels", "--new", "--last", "30d", at=home).exit_code == 2


def test_validate_says_when_there_is_no_query(home: Home, watchkeeper: Run) -> None:
    done = watchkeeper("validate", "parcels", "--new")
    assert done.exit_code == 2
    assert "parcels has no query for events. Name a file by --file" in said(done)


def test_check_and_doctor_look_into_object_stores(
    bucket: Bucket, make_home: Callable[..., Home], watchkeeper: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = make_home({**PARCELS, "labels": None, "events": {"files": f"{bucket.address}/in/*.csv"}}, name="stored")
    assert f"no file matches {bucket.address}/in/*.csv yet" in said(watchkeeper("check", at=home))
    bucket.client.put_object(Bucket=bucket.name, Key="in/a.csv", Body=b"parcel,sent_at,p_late,is_late,version\na,2025-01-01,0.5,1,1\n")
    done = watchkeeper("check", at=home)
    assert done.exit_code == 3
    assert "a.csv has no column 'depot'" in said(done)
    found = {d["subject"]: d for d in json.loads(watchkeeper("doctor", "--json", at=home).stdout)}
    assert (found[f"{bucket.address}/in/*.csv"]["state"], found[f"{bucket.address}/in/*.csv"]["what"]) == ("ok", "1 object")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    assert "cannot be read (no connection)" in said(watchkeeper("check", at=home))
    found = {d["subject"]: d for d in json.loads(watchkeeper("doctor", "--json", at=home).stdout)}
    assert found[f"{bucket.address}/in/*.csv"]["state"] == "fail"
