"""Queries put to a real PostgreSQL: new rows land exactly once, whatever repeats, breaks or is killed."""

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from intake_world import LATER, LOANS, NOW, DyingLake, Killed, expect, held, ids, landed, suite
from postgres import PASSWORD, Database
from watch_worker import started_intake
from watchkeeper.adapters.databases import PART_ROWS
from watchkeeper.adapters.lake import Lake
from watchkeeper.adapters.workspace import Home, load_monitor
from watchkeeper.errors import ConfigurationError, UnreachableError
from watchkeeper.monitor import Monitor
from watchkeeper.operations import asking
from watchkeeper.operations.ingest import ingest as take_in
from watchkeeper.operations.landing import settle
from watchkeeper.operations.lots import Intake
from watchkeeper.operations.profile import profile
from watchkeeper.operations.quarantine import ALL
from watchkeeper.operations.reading import lot_of
from watchkeeper.operations.release import release
from watchkeeper.operations.resumed import RESUMED
from watchkeeper.records import Batch, Profile, Watermark

pytestmark = pytest.mark.postgres

TABLE = """create table loans (
    loan text primary key, asked_at timestamptz, risk double precision, amount numeric(12, 2), income int,
    updated_at timestamptz not null default '2025-02-01')"""
EVENTS: dict[str, Any] = {"sql": "select * from loans", "connection": "shop", "watermark": "updated_at", "lookback": "2d"}
ONE_DAY: dict[str, Any] = {"reference": {"from": "2025-02-01", "to": "2025-02-02"}, "private": []}
TESTS = Path(__file__).parents[1]
SHOP = "WATCHKEEPER_CONNECTION_SHOP"


@pytest.fixture
def db(postgres: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    monkeypatch.setenv(SHOP, postgres.url)
    postgres.do(TABLE)
    return postgres


@pytest.fixture
def make(make_home: Callable[..., Home]) -> Callable[..., Home]:
    """Return a maker of workspaces whose loans come from a query."""
    return lambda name="asking", **changes: make_home({**LOANS, "events": EVENTS, "labels": None, **changes}, name=name)


def take(home: Home, *, now: datetime = NOW) -> list[Batch]:
    return take_in(home, loans(home), now=now)


def loans(home: Home) -> Monitor:
    return load_monitor(home, "loans")


def put(db: Database, *rows: tuple[Any, ...], at: str = "2025-02-10") -> None:
    """Write loans: (id, hour, risk, amount), changed last `at`."""
    values = ", ".join(f"('{i}', '2025-02-01 {hour}:00+00', {risk}, {amount}, 1, '{at}')" for i, hour, risk, amount in rows)
    db.do(f"insert into loans values {values} on conflict (loan) do update set risk = excluded.risk, updated_at = excluded.updated_at")


def watermarks(home: Home) -> list[str]:
    return [w.value for w in home.lake.newest(Watermark)]


def test_rows_land_once_though_the_lookback_asks_for_them_again(db: Database, make: Callable[..., Home]) -> None:
    home = make()
    put(db, ("a", 10, 0.1, 100), ("b", 11, 0.9, 200))
    first = take(home)
    assert [(b.name, b.status, b.rows_landed) for b in first] == [("shop-events.parquet", "landed", 2)]
    assert watermarks(home) == ["2025-02-10T00:00:00+00:00"]
    assert take(home, now=LATER) == []
    put(db, ("c", 12, 0.5, 300), at="2025-02-09 12:00")  # a transaction that began before the last run and ended after it
    put(db, ("d", 12, 0.5, 300), at="2025-02-11")
    assert [(b.rows_read, b.rows_landed, b.rows_duplicate) for b in take(home, now=LATER)] == [(4, 2, 2)]
    assert ids(home) == ["a", "b", "c", "d"]
    assert len(home.lake.newest(Batch)) == 2


def test_only_rows_after_the_watermark_less_the_lookback_are_asked_for(db: Database, make: Callable[..., Home]) -> None:
    home = make()
    put(db, ("a", 10, 0.1, 100), at="2025-02-10")
    take(home)
    put(db, ("too late", 10, 0.1, 100), at="2025-02-07 23:59")
    put(db, ("in time", 10, 0.1, 100), at="2025-02-08 00:00")
    assert [b.rows_read for b in take(home)] == [2]
    assert ids(home) == ["a", "in time"]


def test_the_database_uses_the_index_of_the_watermark(db: Database, make: Callable[..., Home]) -> None:
    """The value comes as a setting; were it opaque to the planner, every run would read the whole table."""
    home = make()
    db.do(
        "insert into loans select 'x' || i, '2025-02-01', 0.5, 1, 1, timestamptz '2025-01-01' + i * interval '1 minute' from generate_series(1, 40000) i",
        "create index on loans (updated_at)",
        "analyze loans",
    )
    take(home)
    db.do("select pg_stat_reset()")
    assert take(home) == []
    time.sleep(1.2)  # figures reach the server's statistics when a session ends, at most once a second
    index, whole = db.do("select idx_scan, seq_scan from pg_stat_user_tables where relname = 'loans'").split("|")
    assert (int(index) > 0, int(whole)) == (True, 0)


def test_without_a_watermark_the_whole_query_is_read_and_ids_drop_the_repeats(db: Database, make: Callable[..., Home]) -> None:
    home = make(events={"sql": "select loan, asked_at, risk from loans order by loan;  -- all of them", "connection": "shop"})
    put(db, ("a", 10, 0.1, 100), ("b", 11, 0.9, 200))
    take(home)
    assert take(home, now=LATER) == []
    put(db, ("c", 12, 0.5, 300))
    assert [(b.rows_read, b.rows_landed, b.rows_duplicate) for b in take(home, now=LATER)] == [(3, 1, 2)]
    assert ids(home) == ["a", "b", "c"]
    assert watermarks(home) == []


def test_a_row_that_was_only_touched_is_a_repeat_and_one_with_other_values_is_set_aside_once(db: Database, make: Callable[..., Home]) -> None:
    home = make()
    put(db, ("a", 10, 0.1, 100), ("b", 11, 0.9, 200))
    take(home)
    put(db, ("a", 10, 0.1, 100), at="2025-02-12")
    assert take(home, now=LATER) == []
    assert watermarks(home) == ["2025-02-12T00:00:00+00:00"]
    put(db, ("b", 11, 0.2, 200), at="2025-02-13")
    assert [(b.rows_landed, b.rows_quarantined) for b in take(home, now=LATER)] == [(0, 1)]
    put(db, ("b", 11, 0.2, 200), at="2025-02-13 06:00")
    assert take(home, now=LATER) == []
    assert list(held(home).values()) == [["id already landed with other values"]]
    assert landed(home, "loan", "risk") == [{"loan": "a", "risk": 0.1}, {"loan": "b", "risk": 0.9}]
    assert "updated_at" not in landed(home)[0]


def test_of_labels_that_changed_late_the_last_one_counts(db: Database, make: Callable[..., Home]) -> None:
    labels = {**EVENTS, "sql": "select loan, defaulted, updated_at from repaid", "join": "loan", "column": "defaulted"}
    home = make(labels=labels)
    db.do("create table repaid (loan text, defaulted boolean, updated_at timestamptz)", "insert into repaid values ('a', false, '2025-02-10')")
    put(db, ("a", 10, 0.1, 100))
    assert [(b.source, b.rows_landed) for b in take(home)] == [("events", 1), ("labels", 1)]
    db.do("update repaid set defaulted = true, updated_at = '2025-02-20'")
    assert [(b.source, b.rows_landed) for b in take(home, now=LATER)] == [("labels", 1)]
    assert take(home, now=LATER + timedelta(days=1)) == []
    rows = sorted(landed(home, "labelled_at", "label", table="labels/loans", by="id"), key=lambda row: row["labelled_at"])
    assert [row["label"] for row in rows] == [False, True]


def test_a_feature_table_is_joined_in_the_query_and_one_watermark_covers_both(db: Database, make: Callable[..., Home]) -> None:
    sql = """
        select l.loan, l.asked_at, l.risk, c.score as bureau_score, greatest(l.updated_at, c.updated_at) as changed_at
        from loans l join credit c using (loan)
        where l.risk is not null -- it failed else
    """
    home = make(events={**EVENTS, "sql": sql, "watermark": "changed_at", "lookback": "0s"})
    db.do("create table credit (loan text, score int, updated_at timestamptz)", "insert into credit values ('a', 700, '2025-02-11')")
    put(db, ("a", 10, 0.1, 100), ("b", 10, 0.2, 100))
    take(home)
    assert landed(home, "loan", "bureau_score") == [{"loan": "a", "bureau_score": 700}]
    db.do("insert into credit values ('b', 650, '2025-02-12')")
    take(home, now=LATER)
    assert landed(home, "loan", "bureau_score") == [{"loan": "a", "bureau_score": 700}, {"loan": "b", "bureau_score": 650}]


def test_rows_without_a_watermark_are_asked_for_every_time(db: Database, make: Callable[..., Home]) -> None:
    home = make()
    db.do("alter table loans alter updated_at drop not null")
    put(db, ("a", 10, 0.1, 100))
    take(home)
    db.do("insert into loans values ('b', '2025-02-01 10:00+00', 0.5, 1, 1, null)")
    assert [b.rows_landed for b in take(home, now=LATER)] == [1]
    assert take(home, now=LATER) == []
    assert ids(home) == ["a", "b"]


def test_a_watermark_in_the_far_future_does_not_hide_the_rows_after_it(db: Database, make: Callable[..., Home]) -> None:
    home = make()
    put(db, ("a", 10, 0.1, 100))
    put(db, ("b", 10, 0.1, 100), at="9999-12-31")
    take(home)
    assert watermarks(home) == ["2025-02-10T00:00:00+00:00"]
    put(db, ("c", 10, 0.1, 100), at="2025-02-11")
    assert [b.rows_landed for b in take(home, now=LATER)] == [1]


@pytest.mark.parametrize("kind", ["timestamp", "date"])
def test_a_watermark_may_be_a_local_time_or_a_date(kind: str, db: Database, make: Callable[..., Home]) -> None:
    home = make(events={**EVENTS, "sql": f"select loan, asked_at, risk, updated_at::{kind} as changed from loans", "watermark": "changed"})
    put(db, ("a", 10, 0.1, 100))
    take(home)
    assert watermarks(home) == ["2025-02-10T00:00:00" if kind == "timestamp" else "2025-02-10"]
    put(db, ("b", 10, 0.1, 100), at="2025-02-11 08:00")
    put(db, ("old", 10, 0.1, 100), at="2025-02-01")
    assert [(b.rows_read, b.rows_landed) for b in take(home, now=LATER)] == [(2, 1)]


def test_another_query_begins_anew_and_repeats_nothing(db: Database, make: Callable[..., Home], make_home: Callable[..., Home]) -> None:
    home = make(events={**EVENTS, "sql": "select * from loans where risk < 0.5"})
    put(db, ("a", 10, 0.1, 100), at="2025-02-20")
    put(db, ("b", 10, 0.9, 100), at="2025-02-02")
    take(home)
    file = home.monitors_dir / "loans.yaml"
    file.write_text(file.read_text().replace("risk < 0.5", "risk < 1"))
    assert [(b.rows_landed, b.rows_duplicate) for b in take(home, now=LATER)] == [(1, 1)]
    assert ids(home) == ["a", "b"]


def test_bad_rows_are_set_aside_once_and_released_as_those_of_files_are(db: Database, make: Callable[..., Home]) -> None:
    home = make()
    suite(home, "loans_events", expect("expect_column_values_to_be_between", column="amount", max_value=150))
    put(db, ("a", 10, 0.1, 100), ("b", 11, 0.9, 200), ("c", 11, 1.5, 3))
    assert [(b.status, b.rows_landed, b.rows_quarantined) for b in take(home)] == [("partial", 1, 2)]
    assert take(home, now=LATER) == []
    put(db, ("d", 11, 0.9, 100))
    assert [(b.rows_read, b.rows_landed, b.rows_quarantined) for b in take(home, now=LATER)] == [(2, 1, 0)]
    (home.root / "expectations" / "loans_events.json").unlink()
    done = release(home, loans(home), now=LATER, chosen=ALL, who="ann", why="the limit was wrong")
    assert [(r.released, r.kept) for r in done] == [(1, 1)]
    assert ids(home) == ["a", "b", "d"]
    assert take(home, now=LATER) == []


def test_a_part_that_its_suite_refuses_is_held_once_and_can_be_released(db: Database, make: Callable[..., Home]) -> None:
    home = make()
    suite(home, "loans_events", expect("expect_column_mean_to_be_between", column="risk", max_value=0.3))
    put(db, ("a", 10, 0.1, 100), ("b", 11, 0.9, 200))
    assert [(b.status, b.rows_quarantined) for b in take(home)] == [("quarantined", 2)]
    assert take(home, now=LATER) == []
    put(db, ("c", 11, 0.2, 200))
    assert [(b.rows_read, b.rows_landed) for b in take(home, now=LATER)] == [(1, 1)]
    (home.root / "expectations" / "loans_events.json").unlink()
    release(home, loans(home), now=LATER, chosen=ALL, who="ann", why="the limit was wrong")
    assert ids(home) == ["a", "b", "c"]


def test_a_row_count_is_not_asked_of_a_few_new_rows(db: Database, make: Callable[..., Home]) -> None:
    home = make()
    suite(
        home,
        "loans_events",
        expect("expect_table_row_count_to_be_between", min_value=1000),
        expect("expect_column_values_to_not_be_null", column="risk"),
    )
    put(db, ("a", 10, 0.1, 100))
    assert [(b.status, b.rows_landed) for b in take(home)] == [("landed", 1)]


def test_a_large_answer_comes_in_parts(db: Database, make: Callable[..., Home]) -> None:
    home = make()
    db.do(f"insert into loans select 'x' || i, '2025-02-01 10:00+00', 0.5, 1, 1, '2025-02-10' from generate_series(1, {PART_ROWS + 7}) i")
    batches = take(home)
    assert len(batches) == 2
    assert [b.name for b in batches] == ["shop-events-1.parquet", "shop-events-2.parquet"]
    assert sum(b.rows_landed for b in batches) == PART_ROWS + 7
    assert home.lake.newest(Watermark)[0].batch_id == batches[-1].batch_id
    assert list((home.root / "spool").iterdir()) == []


TYPES = """select loan, asked_at, risk, 1.25::numeric as exact, 'NaN'::numeric as no_number, date '2025-01-02' as day, true as flag, 7::smallint as small,
    'x'::text as text, null::int as nothing, '5c8f0c0e-0000-4000-8000-000000000001'::uuid as token, time '10:30' as clock, timestamp '2025-01-02 03:00' as local,
    timestamptz 'infinity' as never, 1.5::real as short from loans"""


def test_the_types_of_postgresql_come_as_those_that_the_lake_keeps(db: Database, make: Callable[..., Home]) -> None:
    home = make(events={"sql": TYPES, "connection": "shop"})
    put(db, ("a", 10, 0.1, 100))
    take(home)
    row = landed(home)[0]
    assert row.pop("no_number") != 0.0
    shown = ("asked_at", "exact", "day", "flag", "small", "text", "token", "clock", "local", "never", "short")
    assert {name: row[name] for name in shown} == {
        "asked_at": datetime(2025, 2, 1, 10, tzinfo=UTC),
        "exact": 1.25,
        "day": date(2025, 1, 2),
        "flag": True,
        "small": 7,
        "text": "x",
        "token": "5c8f0c0e-0000-4000-8000-000000000001",
        "clock": "10:30:00.000000",
        "local": datetime(2025, 1, 2, 8, tzinfo=UTC),
        "never": None,
        "short": 1.5,
    }


def test_columns_that_cannot_be_taken_are_named_and_left_out(db: Database, make: Callable[..., Home]) -> None:
    sql = "select loan, asked_at, risk, '{}'::jsonb as payload, array[1] as list, interval '1 day' as span, inet '10.0.0.1' as ip, row(1, 'x') as pair from loans"
    home = make(events={"sql": sql, "connection": "shop"})
    put(db, ("a", 10, 0.1, 100))
    batch = take(home)[0]
    kinds = {"payload": "jsonb", "list": "int4[]", "span": "interval", "ip": "inet", "pair": "record"}
    assert all(f"column '{name}' is left out: {kind} values are not supported" in batch.reason for name, kind in kinds.items())
    assert set(landed(home)[0]) == {"loan", "asked_at", "risk", "wk_row", "wk_time", "wk_batch", "wk_landed_at"}


def test_ids_that_are_exact_numbers_keep_all_their_digits(db: Database, make: Callable[..., Home]) -> None:
    labels = {"sql": "select 12345678901234567890::numeric as loan, true as paid", "connection": "shop", "join": "loan", "column": "paid"}
    home = make(events={"sql": "select 12345678901234567890.0::numeric as loan, asked_at, risk from loans", "connection": "shop"}, labels=labels)
    put(db, ("a", 10, 0.1, 100))
    take(home)
    assert ids(home) == ["12345678901234567890"]
    assert landed(home, "id", table="labels/loans", by="id") == [{"id": "12345678901234567890"}]


@pytest.mark.parametrize(
    ("events", "what"),
    [
        ({"connection": "shpo"}, "there is no connection 'shpo'"),
        ({"sql": "select loan, asked_at from loans"}, "has no column 'risk' (score); it has loan, asked_at"),
        ({"sql": "select loan, asked_at, risk from loans"}, "has no column 'updated_at' (watermark)"),
        (
            {"sql": "select loan, asked_at, risk, 1 as updated_at from loans"},
            "the watermark 'updated_at' is of the type int4; it must be a column of times",
        ),
        ({"sql": "select loan, loan, asked_at, risk, updated_at from loans"}, "has more than one column named loan"),
        ({"sql": "select array[loan] as loan, asked_at, risk, updated_at from loans"}, "'loan' is of the type text[], which cannot be taken"),
        ({"sql": "select * from lonas"}, 'refuses the query (relation "lonas" does not exist)'),
        ({"sql": "delete from loans returning *"}, "refuses the query (syntax error"),
        (
            {"sql": "with gone as (delete from loans returning *) select * from gone"},
            "refuses the query (WITH clause containing a data-modifying statement",
        ),
        ({"sql": "select 1; drop table loans"}, "refuses the query (syntax error"),
    ],
)
def test_a_query_that_cannot_be_used_is_a_mistake_that_says_what_to_do(
    events: dict[str, Any], what: str, db: Database, make: Callable[..., Home]
) -> None:
    home = make(events={**EVENTS, **events})
    put(db, ("a", 10, 0.1, 100))
    with pytest.raises(ConfigurationError) as caught:
        take(home)
    assert what in str(caught.value)
    assert caught.value.then
    assert ids(home) == []
    assert db.do("select count(*) from loans") == "1"


def test_an_error_about_values_tells_none_of_them(db: Database, make: Callable[..., Home]) -> None:
    home = make(events={**EVENTS, "sql": "select l.*, loan::int as number from loans l"})
    put(db, ("private", 10, 0.1, 100))
    with pytest.raises(UnreachableError, match=r"fails while it is read \(invalid input syntax for type integer\)") as caught:
        take(home)
    assert "private" not in str(caught.value)


class Broken:
    """How a source breaks, and how it is mended."""

    def __init__(self, db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        self.db, self.monkeypatch = db, monkeypatch

    def down(self) -> Callable[[], None]:
        self.db.server.stop()
        return self.db.server.start

    def changed(self) -> Callable[[], None]:
        self.db.do("create role reader login password 'first'", "grant select on loans to reader", "alter role reader password 'second'")
        self._as("reader", "first")
        return lambda: self._as("reader", "second")

    def expired(self) -> Callable[[], None]:
        self.db.do("create role guest login password 'g' valid until '2020-01-01'", "grant select on loans to guest")
        self._as("guest", "g")
        return lambda: self.db.do("alter role guest valid until 'infinity'") and None

    def forbidden(self) -> Callable[[], None]:
        self.db.do("create role stranger login password 'x'")
        self._as("stranger", "x")
        return lambda: self.db.do("grant select on loans to stranger") and None

    def gone(self) -> Callable[[], None]:
        self.monkeypatch.setenv("WATCHKEEPER_CONNECTION_SHOP", self.db.server.url("nowhere"))
        return lambda: self.monkeypatch.setenv("WATCHKEEPER_CONNECTION_SHOP", self.db.url)

    def _as(self, user: str, password: str) -> None:
        self.monkeypatch.setenv("WATCHKEEPER_CONNECTION_SHOP", self.db.server.url(self.db.name, user=user, password=password))


@pytest.mark.parametrize(
    ("how", "what"),
    [
        ("down", "cannot be reached (Connection refused)"),
        ("changed", "the password of user 'reader' is refused: wrong, changed or expired. Renew it in WATCHKEEPER_CONNECTION_SHOP"),
        ("expired", "the password of user 'guest' is refused: wrong, changed or expired"),
        ("forbidden", "refuses the query (permission denied for table loans)"),
        ("gone", 'cannot be reached (database "nowhere" does not exist)'),
    ],
)
def test_a_broken_source_is_told_in_one_sentence_and_the_next_run_lands_everything(
    how: str, what: str, db: Database, make: Callable[..., Home], monkeypatch: pytest.MonkeyPatch, watchkeeper: Callable[..., Any]
) -> None:
    home = make()
    put(db, ("a", 10, 0.1, 100))
    take(home)
    put(db, ("b", 10, 0.1, 100), at="2025-02-12")
    mend = getattr(Broken(db, monkeypatch), how)()
    try:
        done = watchkeeper("ingest", "loans", "--now", "2025-03-02", at=home)
        assert done.exit_code == (2 if how == "forbidden" else 4)
        assert what in done.output
        assert "connection 'shop' (127.0.0.1:" in done.output
        assert len(done.output.strip().splitlines()) == 1
        assert PASSWORD not in done.output
        assert "s3cr" not in done.output
    finally:
        mend()
    assert [b.rows_landed for b in take(home, now=LATER)] == [1]
    assert ids(home) == ["a", "b"]


def test_a_slow_query_is_ended_in_time(db: Database, make: Callable[..., Home]) -> None:
    home = make(events={**EVENTS, "sql": "select l.*, pg_sleep(30)::text as nap from loans l", "timeout": "1s"})
    put(db, ("a", 10, 0.1, 100))
    began = time.monotonic()
    with pytest.raises(UnreachableError, match=r"took longer than its 1 second and was ended\. Raise `timeout`"):
        take(home)
    assert time.monotonic() - began < 10
    assert db.do("select count(*) from pg_stat_activity where query like '%pg_sleep%' and pid <> pg_backend_pid()") == "0"
    assert (ids(home), watermarks(home)) == ([], [])


def test_a_source_that_breaks_in_the_middle_lands_nothing_of_that_answer(
    db: Database, make: Callable[..., Home], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first rows are there long before the last one divides by zero."""
    home = make(
        events={**EVENTS, "sql": "select l.*, 1 / (case when loan = 'x200000' then 0 else 1 end) as one from loans l order by length(loan), loan"}
    )
    db.do("insert into loans select 'x' || i, '2025-02-01 10:00+00', 0.5, 1, 1, '2025-02-10' from generate_series(1, 200000) i")
    with pytest.raises(UnreachableError, match="division by zero"):
        take(home)
    assert (ids(home), watermarks(home)) == ([], [])
    db.do("delete from loans where loan = 'x200000'")
    assert sum(b.rows_landed for b in take(home)) == 199_999


def total(home: Home) -> dict[str, int]:
    """Return rows landed, as batches tell it and as they are profiled."""
    profile(home, loans(home), now=LATER)
    parts = home.lake.read(Profile.TABLE, columns=["kind", "feature", "segment", "n"])
    assert parts is not None
    counted = sum(r["n"] for r in parts.to_pylist() if r["feature"] == "amount" and not r["segment"])
    return {"batches": sum(b.rows_landed for b in home.lake.newest(Batch)), "profiled": counted}


@pytest.mark.nightly
def test_a_run_that_dies_between_any_two_commits_is_completed_by_the_next(db: Database, make_home: Callable[..., Home]) -> None:
    """A row comes in between, so that the next answer is another one."""
    deaths = 0
    for commits in range(6):
        db.do("truncate loans")
        home = make_home({**LOANS, **ONE_DAY, "events": EVENTS, "labels": None}, name=f"dying-{commits}")
        suite(home, "loans_events", expect("expect_column_values_to_be_between", column="amount", max_value=150))
        put(db, ("a", 10, 0.1, 100), ("b", 11, 0.9, 120), ("bad", 11, 0.9, 200))
        home.__dict__["lake"] = dying = DyingLake(home.lake.address)
        dying.commits_left = commits
        try:
            take(home)
        except Killed:
            deaths += 1
        home.__dict__["lake"] = Lake(dying.address)
        put(db, ("c", 12, 0.5, 100))
        take(home, now=LATER)
        assert take(home, now=LATER) == []
        assert (ids(home), total(home)) == (["a", "b", "c"], {"batches": 3, "profiled": 3}), f"after {commits} commits"
        assert len(held(home)) == 1
    assert deaths == 5


def _undisturbed(home: Home, db: Database) -> float:
    """Return the seconds that a run takes on this machine when nobody kills it."""
    began = time.monotonic()
    process = started_intake(home, "loans", NOW, {SHOP: db.url})
    process.join()
    assert process.exitcode == 0
    return time.monotonic() - began


@pytest.mark.nightly
@pytest.mark.slow
def test_runs_that_are_killed_at_random_moments_lose_nothing_and_repeat_nothing(db: Database, make: Callable[..., Home]) -> None:
    home = make(**ONE_DAY)
    db.do(
        "insert into loans select 'x' || i, timestamptz '2025-02-01 10:00+00' + i * interval '1 second', 0.5, i % 7, 1, '2025-02-10' from generate_series(1, 8000) i",
        "insert into loans select 'bad' || i, '2025-02-01 10:00+00', 1.5, 1, 1, '2025-02-10' from generate_series(1, 10) i",
    )
    _undisturbed(make(**ONE_DAY, name="warm"), db)  # the first child waits for the imports, the others do not
    kills, seconds = 0, _undisturbed(make(**ONE_DAY, name="undisturbed"), db)
    for share in (0.02, 0.1, 0.2, 0.3, 0.45, 0.6, 0.8):
        process = started_intake(home, "loans", NOW, {SHOP: db.url})
        time.sleep(share * seconds)
        process.kill()
        process.join()
        kills += process.exitcode != 0
    assert kills >= 3
    take(home, now=LATER)
    assert take(home, now=LATER + timedelta(hours=1)) == []
    found = Counter(ids(home))
    assert (len(found), set(found.values())) == (8000, {1})
    assert total(home) == {"batches": 8000, "profiled": 8000}
    assert len(held(home)) == 10
    assert watermarks(home) == ["2025-02-10T00:00:00+00:00"]
    assert list((home.root / "spool").iterdir()) == []


def test_rows_that_a_killed_run_left_without_a_mark_get_one(db: Database, make: Callable[..., Home]) -> None:
    """The run ends between the commit of the rows and the mark; then other rows come, so that the answer is another one."""
    home = make(**ONE_DAY)
    put(db, ("a", 10, 0.1, 100), ("b", 11, 0.9, 200))
    intake = Intake(home, loans(home), "events", NOW)
    with asking.asked(intake, loans(home).events) as (query, answer):
        lots = [lot_of(intake, content) for content in asking.contents(query, answer, lambda rows: rows)]
        settle(intake, lots)
    assert home.lake.newest(Batch) == []
    put(db, ("c", 12, 0.5, 300))
    batches = take(home, now=LATER)
    assert [(b.reason, b.rows_landed, b.landed_at) for b in batches] == [(RESUMED, 2, NOW), ("", 1, LATER)]
    assert total(home) == {"batches": 3, "profiled": 3}


ASKER = """
import resource, sys
from datetime import UTC, datetime
from pathlib import Path
from watchkeeper.adapters.workspace import find_home, load_monitor
from watchkeeper.operations.asking import asked
from watchkeeper.operations.lots import Intake
home = find_home(Path(sys.argv[1]))
monitor = load_monitor(home, "loans")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with asked(Intake(home, monitor, "events", datetime(2025, 3, 1, tzinfo=UTC)), monitor.events) as (query, answer):
    print(len(answer.sizes), (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""
MANY = """select 'x' || i as loan, timestamptz '2025-02-01' as asked_at, 0.5 as risk, repeat('y', 200) as text,
    timestamptz '2025-02-10' as updated_at from generate_series(1, 2000000) i"""


@pytest.mark.slow
@pytest.mark.nightly
def test_an_answer_is_read_in_the_memory_of_a_part(db: Database, make: Callable[..., Home]) -> None:
    """Asked with parameters the driver would hold the whole of it, a gigabyte here; so this begins at a watermark."""
    home = make(events={**EVENTS, "sql": MANY})
    monitor = loans(home)
    intake = Intake(home, monitor, "events", NOW)
    asking.note_reached(intake, asking.prepared(monitor, "events", monitor.events), datetime(2025, 2, 10, tzinfo=UTC), "")
    done = subprocess.run([sys.executable, "-c", ASKER, str(home.root)], capture_output=True, text=True, check=True, cwd=TESTS)
    parts, megabytes = map(int, done.stdout.split())
    assert parts >= 4
    assert megabytes < 500
