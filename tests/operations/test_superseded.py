"""A corrected file, sent after its first sending was set aside: the old rows wait no more, and stay readable."""

from datetime import timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from intake_world import HEADER, LATER, NOW, DyingLake, Killed, expect, held, ids, loans, put, suite, take
from watchkeeper.adapters.workspace import Home
from watchkeeper.operations.faults import Intake as Found
from watchkeeper.operations.quarantine import ALL, Chosen, discard, entries, heaps
from watchkeeper.operations.quarantine import held as count_held
from watchkeeper.operations.release import release
from watchkeeper.records import Batch, Quarantined
from watchkeeper.windows import Window

AMOUNT = expect("expect_column_values_to_be_between", column="amount", min_value=0)
DAY = timedelta(days=1)


def line(loan: object, amount: int, day: str = "2025-02-01") -> str:
    return f"{loan},{day}T10:00:00Z,0.5,{amount}\n"


def superseded(home: Home) -> list[Quarantined]:
    return entries(home, loans(), now=LATER + DAY, states=("superseded",))


@pytest.fixture
def refused(home: Home) -> Home:
    """Two rows of a file wait, one has landed."""
    suite(home, "loans_events", AMOUNT)
    put(home, "loans-1.csv", HEADER + line(7, -5) + line(8, -6) + line(9, 1))
    take(home)
    return home


def test_rows_whose_ids_land_later_wait_no_more_and_say_with_which_file(refused: Home) -> None:
    put(refused, "loans-2.csv", HEADER + line(7, 5))
    [batch] = take(refused, now=LATER)
    assert (batch.rows_landed, ids(refused)) == (1, [7, 9])
    assert set(held(refused, now=LATER + DAY)) == {1}
    [old] = superseded(refused)
    assert (old.row_number, old.who, old.why) == (0, "watchkeeper", "landed with loans-2.csv, which came later")
    assert '"amount": -5' in (old.row or ""), "nothing is deleted"
    assert count_held(refused, loans(), now=LATER + DAY) == (1, 0)
    assert [(h.state, h.rows) for h in heaps(refused, [loans()], now=LATER + DAY, states=("superseded",))] == [("superseded", 1)]
    of_month = Window(NOW - 60 * DAY, NOW + 60 * DAY)
    assert Found(refused, loans(), LATER + DAY).set_aside(of_month)[0] == 1, "a digest counts what waits"
    assert Found(refused, loans(), NOW + timedelta(hours=1)).set_aside(of_month)[0] == 2, "as of then both waited"


def test_a_correction_taken_in_with_the_same_run_does_so_by_the_order_of_files(home: Home) -> None:
    suite(home, "loans_events", AMOUNT)
    put(home, "loans-1.csv", HEADER + line(7, -5) + line(8, 1))
    put(home, "loans-2.csv", HEADER + line(7, 5) + line(8, -1))
    take(home)
    assert [(e.name, e.row_number) for e in superseded(home)] == [("loans-1.csv", 0)]
    assert [(e.name, e.row_number) for e in entries(home, loans(), now=LATER)] == [("loans-2.csv", 1)], "what came after the good row waits"


def test_an_old_id_that_is_used_again_is_another_event(refused: Home) -> None:
    put(refused, "loans-2.csv", HEADER + line(7, 5, "2024-09-01"))
    [batch] = take(refused, now=LATER)
    assert (batch.rows_landed, superseded(refused)) == (1, [])


def test_ids_are_compared_whatever_type_a_file_gives_them(refused: Home) -> None:
    asked_at = pa.array([NOW - 28 * DAY], pa.timestamp("us", "UTC"))
    pq.write_table(pa.table({"loan": [8.0], "asked_at": asked_at, "risk": [0.5], "amount": [3]}), refused.root / "inbox" / "loans-2.parquet")
    take(refused, now=LATER)
    assert [e.row_number for e in superseded(refused)] == [1]


def test_an_id_may_be_a_number_of_any_length(home: Home) -> None:
    suite(home, "loans_events", AMOUNT)
    long = 17_500_000_000_000_000_000_123
    for name, amount in (("loans-1.jsonl", -5), ("loans-2.jsonl", 5)):
        put(home, name, f'{{"loan": {long}, "asked_at": "2025-02-01T10:00:00Z", "risk": 0.5, "amount": {amount}}}\n')
        take(home)
    assert [(e.name, e.row_number) for e in superseded(home)] == [("loans-1.jsonl", 0)]


def test_a_label_that_comes_again_with_a_value_does_so_too(refused: Home) -> None:
    put(refused, "repaid-1.csv", "loan,defaulted\n9,maybe\n7,perhaps\n")
    put(refused, "repaid-2.csv", "loan,defaulted\n9,1\n")
    take(refused, now=LATER)
    assert [(e.source, e.row_number) for e in superseded(refused)] == [("labels", 0)]


def test_what_was_decided_before_stands_and_what_was_superseded_is_not_released(refused: Home) -> None:
    second = [e.quarantine_id for e in entries(refused, loans(), now=LATER) if e.row_number == 1]
    discard(refused, loans(), now=NOW + timedelta(hours=1), chosen=Chosen(ids=second), who="ann", why="test")
    put(refused, "loans-2.csv", HEADER + line(7, 5) + line(8, 6))
    take(refused, now=LATER)
    assert [e.row_number for e in superseded(refused)] == [0]
    suite(refused, "loans_events")
    assert release(refused, loans(), now=LATER + DAY, chosen=ALL, who="ann", why="limit") == []
    first = next(b for b in refused.lake.newest(Batch) if b.name == "loans-1.csv")
    assert (first.rows_landed, first.rows_quarantined) == (1, 2), "what happened to the first file does not change"


def test_a_run_that_is_killed_once_its_rows_landed_does_so_when_repeated(refused: Home) -> None:
    put(refused, "loans-2.csv", HEADER + line(7, 5))
    lake = refused.lake
    refused.__dict__["lake"] = dying = DyingLake(lake.address)
    dying.commits_left = 1
    with pytest.raises(Killed):
        take(refused, now=LATER)
    refused.__dict__["lake"] = lake
    assert (ids(refused), superseded(refused)) == ([7, 9], [])
    take(refused, now=LATER)
    assert [e.row_number for e in superseded(refused)] == [0]
    take(refused, now=LATER + DAY)
    assert len(superseded(refused)) == 1
