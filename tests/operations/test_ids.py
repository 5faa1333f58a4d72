"""One id, however a file writes it: events meet their labels, and repeats are known."""

from datetime import UTC, datetime
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from intake_world import LATER, expect, held, landed, loans, suite, take
from intake_world import put as write
from watchkeeper.adapters.workspace import Home
from watchkeeper.operations.join import joined
from watchkeeper.operations.quarantine import ALL
from watchkeeper.operations.release import release
from watchkeeper.windows import Grid

TIMES = pa.array([datetime(2025, 2, 1, hour, tzinfo=UTC) for hour in range(4)])
FLOATS = pa.array([1.0, 2.0, 3e15, None])  # as pandas writes whole ids as soon as one is missing


def put(home: Home, name: str, columns: dict[str, pa.Array]) -> None:
    pq.write_table(pa.table(columns), home.root / "inbox" / name)


def put_events(home: Home, ids: pa.Array, name: str = "loans-1.parquet") -> None:
    put(home, name, {"loan": ids, "asked_at": TIMES[: len(ids)], "risk": pa.array([0.1, 0.2, 0.3, 0.4][: len(ids)])})


WRITTEN = {
    "decimals": pa.array([1, 2, 3 * 10**15], pa.decimal128(38, 0)),  # as Oracle and Snowflake export NUMBER
    "decimals of a scale": pa.array([1, 2, 3 * 10**15], pa.decimal128(38, 10)),
    "fractions": pa.array([1.0, 2.0, 3e15]),
    "whole numbers": pa.array([1, 2, 3 * 10**15]),
    "text": pa.array(["1", "2", "3000000000000000"]),
}


ALIKE = ("decimals of a scale", "fractions")
"""What is written much as another of these is, and as labels waits for the night."""


@pytest.mark.parametrize("ids", [FLOATS, *WRITTEN.values()], ids=["fractions with a null", *WRITTEN])
@pytest.mark.parametrize(
    "label_ids", [pytest.param(ids, id=name, marks=pytest.mark.nightly if name in ALIKE else ()) for name, ids in WRITTEN.items()]
)
def test_labels_join_events_whose_ids_are_written_as_another_type(home: Home, ids: pa.Array, label_ids: pa.Array) -> None:
    put_events(home, ids)
    put(home, "repaid-1.parquet", {"loan": label_ids, "defaulted": pa.array([1, 0, 1])})
    assert [b.reason for b in take(home)] == ["1 row: loan is null: a row needs an id" if ids.null_count else "", ""]
    monitor = loans()
    both = joined(home, monitor, [Grid("day", "UTC").at(datetime(2025, 2, 1, tzinfo=UTC))], now=LATER)
    assert both is not None
    rows = both.rows
    assert rows.sort_by("time").select(["id", "label"]).to_pylist() == [
        {"id": "1", "label": 1},
        {"id": "2", "label": 0},
        {"id": "3000000000000000", "label": 1},
    ]


@pytest.mark.parametrize("again", WRITTEN.values(), ids=WRITTEN)
def test_an_id_written_as_another_type_is_the_same_id(home: Home, again: pa.Array) -> None:
    put_events(home, FLOATS)
    take(home)
    put_events(home, again, "loans-2.parquet")
    assert [(b.rows_landed, b.rows_duplicate) for b in take(home, now=LATER)] == [(0, 3)]


def csv(ids: list[str], zips: list[str], hour: int = 0) -> bytes:
    lines = [f"{i},2025-02-01T{hour:02}:00:00Z,0.5,{z}" for i, z in zip(ids, zips, strict=True)]
    return "\n".join(["loan,asked_at,risk,zip", *lines, ""]).encode()


@pytest.mark.parametrize("at_once", [True, False], ids=["one call", "two calls"])
def test_ids_with_zeros_in_front_are_other_ids_than_the_numbers_and_both_stay(home: Home, *, at_once: bool) -> None:
    write(home, "loans-1.csv", csv([str(i) for i in range(1, 100)], ["10550"] * 99))
    batches = [] if at_once else take(home)
    write(home, "loans-2.csv", csv([f"{i:04}" for i in range(1, 200)], ["10551"] * 199))
    batches += take(home, now=LATER)
    assert [(b.rows_landed, b.rows_duplicate, b.rows_quarantined) for b in batches] == [(99, 0, 0), (199, 0, 0)]
    assert [b.reason for b in batches] == ["", "column 'loan' was widened from whole numbers to text, which keeps every id as it is written"]
    rows = landed(home, "loan", "zip")
    assert {row["loan"] for row in rows} == {*map(str, range(1, 100)), *(f"{i:04}" for i in range(1, 200))}
    assert {row["zip"] for row in rows if len(row["loan"]) == 4} == {10551}
    write(home, "repaid-1.csv", b"loan,defaulted\n1,1\n2,0\n")
    write(home, "repaid-2.csv", b"loan,defaulted\n0001,0\n0199,1\n")
    assert [b.reason for b in take(home, now=LATER)] == ["", ""]
    both = joined(home, loans(), [Grid("day", "UTC").at(datetime(2025, 2, 1, tzinfo=UTC))], now=LATER)
    assert both is not None
    found = both.rows
    assert {r["id"]: r["label"] for r in found.to_pylist() if r["label"] is not None} == {"1": 1, "2": 0, "0001": 0, "0199": 1}


def test_ids_that_were_landed_as_numbers_are_still_known_once_the_column_is_text(home: Home) -> None:
    write(home, "loans-1.csv", csv(["1", "2", "30"], ["5"] * 3))
    take(home)
    write(home, "loans-2.csv", csv(["02", "2", "30"], ["5", "5", "6"]))
    write(home, "loans-3.csv", csv(["1", "02", "4"], ["5", "7", "5"]))
    batches = take(home, now=LATER)
    assert [(b.rows_landed, b.rows_duplicate, b.rows_quarantined) for b in batches] == [(1, 1, 1), (1, 1, 1)]
    write(home, "loans-4.csv", csv(["1", "2", "4", "5"], ["5"] * 4))
    assert [(b.rows_landed, b.rows_duplicate) for b in take(home, now=LATER)] == [(1, 3)]
    assert [row["loan"] for row in landed(home)] == ["02", "1", "2", "30", "4", "5"]


@pytest.mark.parametrize("first", [pa.array([7, 8]), pa.array([7.0, 8.5])], ids=["whole numbers", "fractions"])
@pytest.mark.parametrize("then", [pa.array(["7", "x7"]), pa.array([10**30], pa.decimal128(38, 0)), pa.array(["7.0"]), pa.array([2**53 + 1])], ids=str)
def test_an_id_that_its_column_cannot_hold_makes_it_text(home: Home, first: pa.Array, then: pa.Array) -> None:
    put_events(home, first)
    take(home)
    put_events(home, then, "loans-2.parquet")
    batch = take(home, now=LATER)[0]
    written = {str(i).removesuffix(".0") if isinstance(i, float) else str(i) for i in [*first.to_pylist(), *then.to_pylist()]}
    assert {str(row["loan"]) for row in landed(home)} == written
    assert batch.rows_quarantined == 0


def test_a_feature_of_whole_numbers_takes_no_text_with_zeros_in_front(home: Home) -> None:
    write(home, "loans-1.csv", csv(["a"], ["10550"]))
    take(home)
    write(home, "loans-2.csv", csv(["b", "c", "d"], ["00650", "10650", "+1"]))
    assert take(home, now=LATER)[0].rows_landed == 1
    assert landed(home, "loan", "zip") == [{"loan": "a", "zip": 10550}, {"loan": "c", "zip": 10650}]
    assert held(home) == {
        0: ["column zip: '00650' is not a whole number as it is written"],
        2: ["column zip: '+1' is not a whole number as it is written"],
    }


def test_a_score_may_be_written_with_a_plus_or_zeros_in_front(home: Home) -> None:
    write(home, "loans-1.csv", b"loan,asked_at,risk\na,2025-02-01,+0.5\nb,2025-02-01,00.25\n")
    take(home)
    assert landed(home, "risk") == [{"risk": 0.5}, {"risk": 0.25}]


LARGE = [1_750_000_000_000_000_001 + i for i in range(4)]  # a float holds one of 256 such numbers
HUGE = [10**30 + i for i in range(4)]


@pytest.mark.parametrize("kind", [pa.decimal128(38, 0), pytest.param(pa.decimal128(38, 4), marks=pytest.mark.nightly), pa.decimal256(60, 0)], ids=str)
@pytest.mark.parametrize("numbers", [LARGE, HUGE], ids=["64 bits", "more"])
@pytest.mark.parametrize("as_labels", [pa.string(), pytest.param(pa.decimal128(38, 0), marks=pytest.mark.nightly), pa.int64()], ids=str)
def test_decimal_ids_are_exact_and_join_labels(home: Home, kind: pa.DataType, numbers: list[int], as_labels: pa.DataType) -> None:
    if numbers is HUGE and as_labels == pa.int64():
        as_labels = pa.decimal256(40, 2)
    put_events(home, pa.array([Decimal(n) for n in numbers], kind))
    written = [str(n) if as_labels == pa.string() else n if as_labels == pa.int64() else Decimal(n) for n in numbers]
    put(home, "repaid-1.parquet", {"loan": pa.array(written, as_labels), "defaulted": pa.array([1, 0, 1, 0])})
    assert [(b.rows_landed, b.rows_duplicate, b.rows_quarantined, b.reason) for b in take(home)] == [(4, 0, 0, "")] * 2
    both = joined(home, loans(), [Grid("day", "UTC").at(datetime(2025, 2, 1, tzinfo=UTC))], now=LATER)
    assert both is not None
    rows = both.rows
    assert rows.sort_by("time").select(["id", "label"]).to_pylist() == [
        {"id": str(n), "label": label} for n, label in zip(numbers, [1, 0, 1, 0], strict=True)
    ]


@pytest.mark.parametrize("numbers", [LARGE, HUGE], ids=["64 bits", "more"])
def test_a_decimal_id_is_the_same_after_its_release(home: Home, numbers: list[int]) -> None:
    suite(home, "loans_events", expect("expect_column_values_to_be_between", column="risk", max_value=0.15))
    put_events(home, pa.array([Decimal(n) for n in numbers], pa.decimal128(38, 0)))
    assert [b.rows_quarantined for b in take(home)] == [3]
    suite(home, "loans_events")
    [done] = release(home, loans(), now=LATER, chosen=ALL, who="ann", why="the limit was wrong")
    assert (done.released, done.kept) == (3, 0)
    assert [str(row["loan"]) for row in landed(home)] == [str(n) for n in numbers]


def test_decimals_are_the_whole_numbers_they_are_and_else_the_nearest_floats(home: Home) -> None:
    columns = {
        "loan": pa.array(["a", "b"]),
        "asked_at": TIMES[:2],
        "risk": pa.array([Decimal("0.1"), Decimal("0.20")]),
        "whole": pa.array([LARGE[0], -7], pa.decimal128(38, 0)),
        "small": pa.array([7, None], pa.decimal32(5, 0)),
        "price": pa.array([Decimal("12.1"), Decimal("5.00")], pa.decimal128(12, 2)),
        "wei": pa.array([10**30, 1], pa.decimal128(38, 0)),
    }
    put(home, "loans-1.parquet", columns)
    assert take(home)[0].rows_landed == 2
    rows = landed(home, "risk", "whole", "small", "price", "wei")
    assert [repr(list(row.values())) for row in rows] == ["[0.1, 1750000000000000001, 7, 12.1, 1e+30]", "[0.2, -7, None, 5.0, 1.0]"]


def test_an_id_that_is_a_time_joins_its_label(home: Home) -> None:
    put_events(home, TIMES)
    put(home, "repaid-1.parquet", {"loan": TIMES, "defaulted": pa.array([1, 0, 1, 0])})
    take(home)
    both = joined(home, loans(), [Grid("day", "UTC").at(datetime(2025, 2, 1, tzinfo=UTC))], now=LATER)
    assert both is not None
    rows = both.rows
    assert rows.sort_by("time")["label"].to_pylist() == [1, 0, 1, 0]
