"""A date is a date: the same day in every zone, counted by age and weekday, and a time only once a file has times."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from intake_world import LATER, expect, held, landed, loans, put, suite, take
from watchkeeper.adapters.workspace import Home
from watchkeeper.cli import app
from watchkeeper.operations.fit import features_of
from watchkeeper.operations.quarantine import ALL
from watchkeeper.operations.release import release

HEADER = "loan,asked_at,risk,due\n"
DAYS = [date(2025, 2, 3), date(1500, 1, 1), date(9999, 12, 31)]
ZONES = ["UTC", "Asia/Tokyo", "America/New_York"]


def put_csv(home: Home) -> None:
    put(home, "loans-1.csv", HEADER + "".join(f"{i},2025-02-01T00:00:00Z,0.5,{day.isoformat()}\n" for i, day in enumerate(DAYS)))


def put_parquet(home: Home, kind: pa.DataType) -> None:
    rows = pa.table({"loan": ["0", "1", "2"], "asked_at": [datetime(2025, 2, 1, tzinfo=UTC)] * 3, "risk": [0.5] * 3, "due": pa.array(DAYS, kind)})
    pq.write_table(rows, home.root / "inbox" / "loans-1.parquet")


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("write", [put_csv, lambda home: put_parquet(home, pa.date32()), lambda home: put_parquet(home, pa.date64())], ids=range(3))
def test_a_date_is_the_same_day_in_the_lake_whatever_the_zone(home: Home, zone: str, write: Callable[[Home], None]) -> None:
    write(home)
    assert take(home, loans(timezone=zone))[0].rows_landed == len(DAYS)
    dataset = home.lake.dataset("events/loans")
    assert dataset is not None
    assert dataset.schema.field("due").type == pa.date32()
    assert [row["due"] for row in landed(home)] == DAYS
    with duckdb.connect() as connection:
        connection.execute(f"SET timezone = '{zone}'")
        connection.register("events", dataset)
        assert connection.sql("SELECT due::DATE FROM events ORDER BY loan").fetchall() == [(day,) for day in DAYS]
    assert features_of(loans(timezone=zone), dataset.schema) == ["due@age", "due@weekday"]


@pytest.mark.parametrize("zone", ZONES)
def test_dates_become_times_when_a_file_has_times_and_keep_their_days(home: Home, zone: str) -> None:
    monitor = loans(timezone=zone)
    put(home, "loans-1.csv", HEADER + "a,2025-02-01T00:00:00Z,0.5,2025-02-03\nb,2025-02-01T00:00:00Z,0.5,\n")
    take(home, monitor)
    put(home, "loans-2.csv", HEADER + "c,2025-02-01T00:00:00Z,0.5,2025-02-04 10:30\na,2025-02-01T00:00:00Z,0.5,2025-02-03 00:00\n")
    [batch] = take(home, monitor, now=LATER)
    assert (batch.reason, batch.rows_duplicate) == ("column 'due' was widened from dates to times", 1)
    put(home, "loans-3.csv", HEADER + "d,2025-02-01T00:00:00Z,0.5,2025-02-05\n")
    assert take(home, monitor, now=LATER)[0].reason == ""
    with duckdb.connect() as connection:
        connection.execute(f"SET timezone = '{zone}'")
        connection.register("events", home.lake.dataset("events/loans"))
        told = connection.sql("SELECT strftime(due, '%d %H:%M') FROM events ORDER BY loan").fetchall()
    assert told == [("03 00:00",), (None,), ("04 10:30",), ("05 00:00",)]


def test_times_at_midnight_are_dates_where_dates_are_kept_and_other_text_is_set_aside(home: Home) -> None:
    put(home, "loans-1.csv", HEADER + "a,2025-02-01T00:00:00Z,0.5,2025-02-03\n")
    take(home)
    put(home, "loans-2.csv", HEADER + "b,2025-02-01T00:00:00Z,0.5,2025-02-04 00:00\nc,2025-02-01T00:00:00Z,0.5,NA\nd,2025-02-01T00:00:00Z,0.5,soon\n")
    assert [b.reason for b in take(home, now=LATER)] == ["1 row: column due: '…' is not a date"]
    assert [row["due"] for row in landed(home)] == [date(2025, 2, 3), date(2025, 2, 4), None]
    assert held(home) == {2: ["column due: 'soon' is not a date"]}


def test_a_held_date_is_the_same_after_its_release(home: Home) -> None:
    suite(home, "loans_events", expect("expect_column_values_to_be_between", column="risk", max_value=0.4))
    put_csv(home)
    put(home, "loans-2.csv", HEADER + "z,2025-02-01T00:00:00Z,0.1,2025-02-03\n")
    assert [b.rows_quarantined for b in take(home)] == [len(DAYS), 0]
    suite(home, "loans_events")
    [done] = release(home, loans(), now=LATER, chosen=ALL, who="ann", why="the limit was wrong")
    assert done.kept == 0
    assert [row["due"] for row in landed(home)] == [*DAYS, DAYS[0]]


def test_dates_may_be_the_times_of_events(home: Home) -> None:
    put(home, "loans-1.csv", "loan,asked_at,risk\na,2025-02-01,0.5\nb,2025-02-02,0.5\n")
    take(home, loans(timezone="Asia/Tokyo"))
    assert [row["wk_time"] for row in landed(home)] == [datetime(2025, 1, 31, 15, tzinfo=UTC), datetime(2025, 2, 1, 15, tzinfo=UTC)]


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_add_drafts_a_date_and_the_draft_passes_on_its_file(make_home: Callable[..., Home], suffix: str) -> None:
    home = make_home(name="drafted")
    n = 200
    days = [date(2025, 1, 1) + timedelta(days=i // 10) for i in range(n)]
    times = [datetime(2025, 1, 1, tzinfo=UTC) + timedelta(hours=i) for i in range(n)]
    rows = pa.table({"order_id": [f"o{i}" for i in range(n)], "sent_at": times, "p_late": [i / n for i in range(n)], "due": pa.array(days)})
    path = home.root / "inbox" / f"orders-1.{suffix}"
    if suffix == "csv":
        path.write_bytes(rows.to_pandas().assign(sent_at=[t.isoformat() for t in times]).to_csv(index=False).encode())
    else:
        pq.write_table(rows, path)
    runner = CliRunner()
    said = ["add", "orders", "--home", str(home.root), "--events", str(path), "--task", "binary", "--time", "sent_at"]
    assert runner.invoke(app, said).exit_code == 0
    drafted = json.loads((home.suites_dir / "orders_events.json").read_text())
    assert [e["kwargs"]["type_"] for e in drafted["expectations"] if "type_" in e["kwargs"] and e["kwargs"]["column"] == "due"] == ["DATE"]
    done = runner.invoke(app, ["validate", "orders", "--home", str(home.root), "--file", str(path)])
    assert done.exit_code == 0, done.output
    assert "  fail  " not in done.stdout
