"""Exactly once, in few commits, whatever the files are called and however often they come."""

import json
import os
from datetime import timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from intake_world import GOOD, HEADER, LATER, NEXT, NOW, counts, expect, held, ids, landed, loans, put, suite, take
from watchkeeper.adapters.files import Content
from watchkeeper.adapters.lake import Lake
from watchkeeper.adapters.workspace import Home
from watchkeeper.errors import ConfigurationError, UsageError
from watchkeeper.operations.ingest import ROWS_AT_ONCE, _in_portions, offer
from watchkeeper.operations.lots import Lot
from watchkeeper.records import Validation


def versions(home: Home, *tables: str) -> list[int | None]:
    lake = Lake(home.lake.address)
    return [None if (found := lake.table(t)) is None else found.version() for t in tables]


def test_the_same_file_again_adds_nothing(home: Home) -> None:
    path = put(home, "loans-1.csv", HEADER + GOOD)
    take(home)
    before = versions(home, "events/loans", "batches", "quarantine/loans")
    assert take(home, now=LATER) == []
    path.write_text(path.read_text())
    assert take(home, now=LATER) == []
    assert versions(home, "events/loans", "batches", "quarantine/loans") == before


def test_a_renamed_file_adds_nothing_and_is_named_as_a_repeat(home: Home) -> None:
    first = take(home, files=[put(home, "loans-1.csv", HEADER + GOOD)])[0]
    again = offer(home, loans(), now=LATER, files=[put(home, "loans-2.csv", HEADER + GOOD)])
    assert [(o.name, o.is_repeat, o.batch.batch_id) for o in again] == [("loans-2.csv", True, first.batch_id)]
    assert ids(home) == ["a", "b"]


def test_two_files_of_the_same_bytes_in_one_call_land_once(home: Home) -> None:
    put(home, "loans-1.csv", HEADER + GOOD)
    put(home, "loans-2.csv", HEADER + GOOD)
    assert [b.name for b in take(home)] == ["loans-1.csv"]
    assert ids(home) == ["a", "b"]


def test_an_overlapping_file_lands_only_what_is_new(home: Home) -> None:
    put(home, "loans-1.csv", HEADER + GOOD)
    take(home)
    put(home, "loans-2.csv", HEADER + GOOD + "c,2025-02-01T12:00:00Z,0.3,5\n")
    batch = take(home)[0]
    assert (batch.status, batch.rows_landed, batch.rows_duplicate) == ("landed", 1, 2)
    assert ids(home) == ["a", "b", "c"]


def test_the_same_rows_in_another_format_are_repeats(home: Home) -> None:
    put(home, "loans-1.csv", HEADER + GOOD)
    take(home)
    times = pa.array([NOW - timedelta(days=28) + timedelta(hours=10 + i) for i in range(2)], pa.timestamp("ns", "Europe/Paris"))
    table = pa.table(
        {"amount": pa.array([100, 200], pa.int16()), "loan": pa.array(["a", "b"]).dictionary_encode(), "risk": [0.1, 0.9], "asked_at": times}
    )
    pq.write_table(table, home.root / "inbox" / "loans-2.parquet")
    assert [(b.rows_landed, b.rows_duplicate) for b in take(home)] == [(0, 2)]


@pytest.mark.parametrize("at_once", [True, False], ids=["in one call", "in two calls"])
def test_files_that_overlap_each_other_give_the_same_in_one_call_or_in_two(home: Home, *, at_once: bool) -> None:
    put(home, "loans-1.csv", HEADER + GOOD)
    if not at_once:
        take(home)
    put(home, "loans-2.csv", HEADER + "b,2025-02-01T11:00:00Z,0.9,200\na,2025-02-01T10:00:00Z,0.7,100\nc,2025-02-01T12:00:00Z,0.3,5\n")
    batch = take(home)[-1]
    assert (batch.status, batch.rows_landed, batch.rows_duplicate, batch.rows_quarantined) == ("partial", 1, 1, 1)
    assert held(home) == {1: ["id already landed with other values"]}
    assert landed(home, "loan", "risk") == [{"loan": "a", "risk": 0.1}, {"loan": "b", "risk": 0.9}, {"loan": "c", "risk": 0.3}]


def test_an_id_beyond_its_scope_is_another_event(home: Home) -> None:
    monitor = loans(id_scope="7d")
    put(home, "loans-1.csv", HEADER + "a,2025-02-01T10:00:00Z,0.1,100\n")
    put(home, "loans-2.csv", HEADER + "a,2025-02-08T10:00:00Z,0.2,100\n")
    put(home, "loans-3.csv", HEADER + "a,2025-02-16T10:00:01Z,0.1,100\n")
    assert [b.status for b in take(home, monitor)] == ["landed", "quarantined", "landed"]
    assert ids(home) == ["a", "a"]


def test_many_files_share_one_commit_a_table(home: Home) -> None:
    for i in range(12):
        put(home, f"loans-{i}.csv", HEADER + f"{i},2025-02-01T10:00:00Z,0.1,100\n")
        put(home, f"repaid-{i}.csv", f"loan,defaulted\n{i},0\n")
    assert len(take(home)) == 24
    assert versions(home, "events/loans", "labels/loans", "batches") == [1, 1, 2]  # the first version is the empty table


def test_late_and_out_of_order_events_keep_their_own_times(home: Home) -> None:
    put(home, "loans-1.csv", HEADER + "b,2025-02-10T10:00:00Z,0.1,100\na,2025-01-03T10:00:00Z,0.1,100\n")
    batch = take(home)[0]
    assert batch.starts_at is not None
    assert batch.ends_at is not None
    assert (f"{batch.starts_at:%m-%d}", f"{batch.ends_at:%m-%d}") == ("01-03", "02-10")
    assert [f"{row['wk_time']:%m-%d}" for row in landed(home)] == ["01-03", "02-10"]


def test_old_files_are_not_read_again_and_a_changed_one_is(home: Home) -> None:
    path = put(home, "loans-1.csv", HEADER + GOOD)
    hours_ago = path.stat().st_mtime - 7200
    os.utime(path, (hours_ago, hours_ago))
    take(home)
    path.write_text((HEADER + GOOD).replace("0.9", "0.8"))  # the same size and, against all custom, the same time: nobody looks inside
    os.utime(path, (hours_ago, hours_ago))
    assert take(home) == []
    path.write_text(HEADER + GOOD + "c,2025-02-01T12:00:00Z,0.3,5\n")
    assert [b.rows_landed for b in take(home)] == [1]


def test_unfinished_and_hidden_files_are_left_alone(home: Home) -> None:
    for name in ("loans-1.csv.part", "loans-2.tmp", ".loans-3.csv"):
        put(home, name, HEADER + GOOD)
    assert take(home, loans(events={"files": "inbox"})) == []


def test_a_stream_that_cannot_be_read_is_kept_for_release(home: Home) -> None:
    batch = take(home, files=[Content("calls.jsonl", b"nonsense")])[0]
    assert (batch.status, (home.root / batch.path).read_bytes()) == ("quarantined", b"nonsense")


def test_a_critical_expectation_sets_its_rows_aside_and_the_rest_lands(home: Home) -> None:
    suite(home, "loans_events", expect("expect_column_values_to_be_between", column="amount", min_value=0, max_value=150, why="we lend at most 150"))
    put(home, "loans-1.csv", HEADER + GOOD)
    batch = take(home)[0]
    assert (batch.status, ids(home), list(held(home))) == ("partial", ["a"], [1])
    assert "we lend at most 150" in batch.reason
    assert [v.outcome for v in home.lake.newest(Validation)] == ["fail"]
    assert batch.suite_hash
    assert list((home.root / "warehouse" / "site" / "validation").rglob("*.html"))


def test_a_critical_expectation_about_the_table_sets_the_batch_aside(home: Home) -> None:
    suite(home, "loans_events", expect("expect_table_row_count_to_be_between", min_value=3, why="a day has three"))
    put(home, "loans-1.csv", HEADER + GOOD)
    put(home, "loans-2.csv", NEXT + GOOD.replace("a,", "c,").replace("b,", "d,"))
    assert [(b.status, b.rows_landed, b.rows_quarantined) for b in take(home)] == [("quarantined", 0, 2), ("landed", 3, 0)]
    assert ids(home) == ["c", "d", "next"]
    assert list(held(home)) == [-1]


def test_a_warning_or_an_error_of_an_expectation_sets_nothing_aside(home: Home) -> None:
    warning = expect("expect_column_values_to_be_between", severity="warning", column="amount", max_value=150)
    error = expect("expect_column_values_to_not_be_null", column="no_such_column")
    suite(home, "loans_events", warning, error)
    put(home, "loans-1.csv", HEADER + GOOD)
    assert [b.status for b in take(home)] == ["landed"]
    assert sorted(v.outcome for v in home.lake.newest(Validation)) == ["error", "fail"]


def test_a_failed_call_owes_no_score_to_an_expectation(home: Home) -> None:
    suite(home, "loans_events", expect("expect_column_values_to_not_be_null", column="risk"))
    put(home, "loans-1.csv", "loan,asked_at,risk,status\na,2025-02-01,,timeout\nb,2025-02-01,,ok\nc,2025-02-01,0.5,ok\n")
    take(home)
    assert (ids(home), list(held(home))) == (["a", "c"], [1])


def test_labels_are_checked_as_they_came(home: Home) -> None:
    suite(home, "loans_labels", expect("expect_column_values_to_be_in_set", column="defaulted", value_set=[0, 1]))
    put(home, "repaid-1.csv", "loan,defaulted\na,0\nb,2\n")
    take(home)
    assert landed(home, "id", "label", table="labels/loans", by="id") == [{"id": "a", "label": 0}]


def test_a_suite_that_cannot_be_read_lets_nothing_in_and_condemns_no_file(home: Home) -> None:
    path = home.root / "expectations" / "loans_events.json"
    path.write_text("{")
    put(home, "loans-1.csv", HEADER + GOOD)
    with pytest.raises(ConfigurationError, match="loans_events"):
        take(home)
    assert counts(home) == []
    path.write_text(json.dumps({"name": "loans_events", "expectations": []}))
    assert [b.status for b in take(home)] == ["landed"]


def test_labels_of_a_monitor_without_labels_are_refused_in_one_sentence(home: Home) -> None:
    with pytest.raises(UsageError, match="has no part `labels`"):
        take(home, loans(labels=None), source="labels")


def test_a_call_goes_through_its_files_in_portions_that_fit_into_memory() -> None:
    class Long(Lot):
        @property
        def rows_read(self) -> int:
            return ROWS_AT_ONCE // 2

    lots = [Long(batch_id=str(i), name=str(i)) for i in range(5)]
    assert [len(portion) for portion in _in_portions(lots)] == [2, 2, 1]


def test_progress_counts_every_file(home: Home) -> None:
    for i in range(3):
        put(home, f"loans-{i}.csv", HEADER + f"{i},2025-02-01T10:00:00Z,0.1,100\n")
    told: list[tuple[str, int, int]] = []
    take(home, source="events", progress=lambda *step: told.append(step))
    assert told == [("loans-0.csv", 1, 3), ("loans-1.csv", 2, 3), ("loans-2.csv", 3, 3)]
