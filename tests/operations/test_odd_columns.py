"""Columns with odd names and odd values: each is counted as what it is, and none stops its model."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from intake_world import expect, landed, loans, put, suite
from watchkeeper.adapters.workspace import Home
from watchkeeper.monitor import Monitor
from watchkeeper.operations.ingest import ingest
from watchkeeper.operations.measure import measure
from watchkeeper.operations.profile import profile
from watchkeeper.records import Batch, Bins, Profile, Score

BEGIN, DAYS, A_DAY = datetime(2025, 1, 1, tzinfo=UTC), 14, 240
NOW = BEGIN + timedelta(days=DAYS)
REFERENCE = {"from": "2025-01-01", "to": "2025-01-11"}
MOMENTS = [BEGIN + timedelta(days=n / A_DAY) for n in range(DAYS * A_DAY)]


def odd(**changes: Any) -> Monitor:
    return loans(timezone="UTC", reference=REFERENCE, labels=None, **changes)


def watched(home: Home, columns: dict[str, Callable[[int], Any]], monitor: Monitor | None = None) -> list[Batch]:
    """Land and measure two weeks of ten events an hour, with more columns: place of the row -> value."""
    n = len(MOMENTS)
    fixed = {"loan": list(range(n)), "asked_at": MOMENTS, "risk": [i / n for i in range(n)]}
    rows = pa.table(fixed | {name: pa.array([value(i) for i in range(n)]) for name, value in columns.items()})
    pq.write_table(rows, home.root / "inbox" / "loans-1.parquet")
    monitor = monitor or odd()
    batches = ingest(home, monitor, now=NOW)
    profile(home, monitor, now=NOW)
    measure(home, monitor, now=NOW)
    return batches


def features(home: Home) -> set[str]:
    return {b.feature for b in home.lake.newest(Bins)}


def total(home: Home, feature: str) -> float:
    parts = home.lake.read(Profile.TABLE, where=(pc.field("feature") == feature) & (pc.field("kind") == "feature") & (pc.field("segment") == ""))
    assert parts is not None
    return float(pc.sum(parts["sum"]).as_py())


def figures(home: Home, metric: str, feature: str) -> list[Score]:
    return sorted(
        home.lake.newest(Score, where=(pc.field("metric") == metric) & (pc.field("feature") == feature)), key=lambda s: (s.grain, s.window_start)
    )


@pytest.mark.parametrize("year", [1500, 9999])
def test_one_date_thousands_of_years_away_is_an_age_like_others(home: Home, year: int) -> None:
    far = datetime(year, 12, 31, tzinfo=UTC)
    watched(home, {"booked": lambda i: far if i == 7 else MOMENTS[i] - timedelta(days=2)})
    expected = (MOMENTS[7] - far) / timedelta(days=1) + 2 * (len(MOMENTS) - 1)
    assert total(home, "booked@age") == pytest.approx(expected)
    assert {s.state for s in figures(home, "psi", "booked@age")} == {"done"}


@pytest.mark.parametrize("name", ["booked@age", "at@hour", "x@weekday"])
def test_a_column_named_like_a_derived_one_is_itself(home: Home, name: str) -> None:
    watched(home, {name: lambda i: i})
    assert features(home) == {"@score", name}
    assert total(home, name) == sum(range(len(MOMENTS)))


def test_a_stored_column_hides_what_would_be_derived_under_its_name(home: Home) -> None:
    watched(home, {"booked": lambda i: MOMENTS[i] - timedelta(days=1), "booked@age": lambda i: i})
    assert features(home) == {"@score", "booked@age", "booked@hour", "booked@weekday"}
    assert total(home, "booked@age") == sum(range(len(MOMENTS)))


def test_a_private_column_named_like_a_derived_one_is_private(home: Home) -> None:
    watched(home, {"booked@age": lambda i: i}, odd(private=["booked@age"]))
    assert total(home, "booked@age") == 0


def test_a_column_with_the_name_of_an_output_is_kept_and_said_and_not_watched(home: Home) -> None:
    [batch] = watched(home, {"@score": lambda i: 1000 + i, "@note": lambda i: i})
    said = "is kept but not watched: names that begin with @ stand for the model's own outputs"
    assert batch.reason == f"column '@score' {said}; column '@note' {said}"
    assert features(home) == {"@score"}
    assert total(home, "@score") == pytest.approx(sum(i / len(MOMENTS) for i in range(len(MOMENTS))))
    found = home.lake.read("events/loans")
    assert found is not None
    assert sorted(found["@score"].to_pylist()) == [1000 + i for i in range(len(MOMENTS))]


def test_an_output_may_be_a_column_whose_name_begins_so(home: Home) -> None:
    monitor = odd(columns={"id": "loan", "time": "asked_at", "score": "@score"})
    [batch] = watched(home, {"@score": lambda i: i / len(MOMENTS)}, monitor)
    assert (batch.status, batch.reason, features(home)) == ("landed", "", {"@score", "risk"})


@pytest.mark.parametrize("word", ["NA", "None", "null", "N/A"])
@pytest.mark.parametrize(("value", "kept"), [("1.5", 1.5), ("7", 7), ("red", "red"), ("2025-01-02T00:00:00Z", datetime(2025, 1, 2, tzinfo=UTC))])
def test_a_column_that_says_absent_in_every_row_gets_its_type_from_a_later_file(home: Home, word: str, value: str, kept: Any) -> None:
    header = "loan,asked_at,risk,x\n"
    put(home, "loans-1.csv", header + f"a,2025-01-01,0.5,{word}\nb,2025-01-01,0.5,\n")
    put(home, "loans-2.csv", header + f"c,2025-01-02,0.5,{value}\n")
    put(home, "loans-3.csv", header + f"d,2025-01-03,0.5,{word}\n")
    assert [b.status for b in ingest(home, odd(), now=NOW)] == ["landed"] * 3
    assert landed(home, "x") == [{"x": None}, {"x": None}, {"x": kept}, {"x": word if kept == "red" else None}]


def test_a_day_without_any_value_of_a_column_is_all_null(home: Home) -> None:
    columns = "loan,asked_at,risk,x"
    for day in range(DAYS):
        x = ("NA" if day in {0, DAYS - 1} else "{}").format
        rows = [f"{day}-{i},2025-01-{day + 1:02}T00:00:00Z,0.5,{x(i)}" for i in range(20)]
        put(home, f"loans-{day:02}.csv", "\n".join([columns, *rows, ""]))
        ingest(home, odd(), now=BEGIN + timedelta(days=day + 1))
    profile(home, odd(), now=NOW)
    measure(home, odd(), now=NOW)
    assert [s.value for s in figures(home, "null_ratio", "x")] == [1.0, *[0.0] * (DAYS - 2), 1.0]


def test_a_suite_sees_nulls_where_every_row_says_absent(home: Home) -> None:
    suite(home, "loans_events", expect("expect_column_values_to_not_be_null", column="x"))
    put(home, "loans-1.csv", "loan,asked_at,risk,x\na,2025-01-01,0.5,NA\n")
    [batch] = ingest(home, odd(), now=NOW)
    assert (batch.status, batch.reason) == ("quarantined", "1 row: x values must never be null: because (data)")


def test_ids_and_labels_that_say_absent_in_every_row_are_missing(home: Home) -> None:
    monitor = loans(task="multiclass", columns={"id": "loan", "time": "asked_at", "prediction": "risk"}, private=[])
    put(home, "loans-1.csv", "loan,asked_at,risk\nNA,2025-01-01,good\n")
    put(home, "repaid-1.csv", "loan,defaulted\na,NA\n")
    assert [b.reason for b in ingest(home, monitor, now=NOW)] == [
        "1 row: loan is null: a row needs an id",
        "1 row: defaulted is null: a label must say something",
    ]
