"""One id, however a file writes it: events meet their labels, and repeats are known."""

from datetime import UTC, datetime
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from intake_world import LATER, landed, loans, take
from watchkeeper.adapters.workspace import Home
from watchkeeper.operations.join import joined
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


@pytest.mark.parametrize("ids", [FLOATS, *WRITTEN.values()], ids=["fractions with a null", *WRITTEN])
@pytest.mark.parametrize("label_ids", WRITTEN.values(), ids=WRITTEN)
def test_labels_join_events_whose_ids_are_written_as_another_type(home: Home, ids: pa.Array, label_ids: pa.Array) -> None:
    put_events(home, ids)
    put(home, "repaid-1.parquet", {"loan": label_ids, "defaulted": pa.array([1, 0, 1])})
    assert [b.reason for b in take(home)] == ["1 row: loan is null: a row needs an id" if ids.null_count else "", ""]
    monitor = loans()
    rows = joined(home, monitor, [Grid("day", "UTC").at(datetime(2025, 2, 1, tzinfo=UTC))], now=LATER)
    assert rows is not None
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


LARGE = [1_750_000_000_000_000_001 + i for i in range(4)]  # a float holds one of 256 such numbers
HUGE = [10**30 + i for i in range(4)]


@pytest.mark.parametrize("kind", [pa.decimal128(38, 0), pa.decimal128(38, 4), pa.decimal256(60, 0)], ids=str)
@pytest.mark.parametrize("numbers", [LARGE, HUGE], ids=["64 bits", "more"])
@pytest.mark.parametrize("as_labels", [pa.string(), pa.decimal128(38, 0), pa.int64()], ids=str)
def test_decimal_ids_are_exact_and_join_labels(home: Home, kind: pa.DataType, numbers: list[int], as_labels: pa.DataType) -> None:
    if numbers is HUGE and as_labels == pa.int64():
        as_labels = pa.decimal256(40, 2)
    put_events(home, pa.array([Decimal(n) for n in numbers], kind))
    written = [str(n) if as_labels == pa.string() else n if as_labels == pa.int64() else Decimal(n) for n in numbers]
    put(home, "repaid-1.parquet", {"loan": pa.array(written, as_labels), "defaulted": pa.array([1, 0, 1, 0])})
    assert [(b.rows_landed, b.rows_duplicate, b.rows_quarantined, b.reason) for b in take(home)] == [(4, 0, 0, "")] * 2
    rows = joined(home, loans(), [Grid("day", "UTC").at(datetime(2025, 2, 1, tzinfo=UTC))], now=LATER)
    assert rows is not None
    assert rows.sort_by("time").select(["id", "label"]).to_pylist() == [
        {"id": str(n), "label": label} for n, label in zip(numbers, [1, 0, 1, 0], strict=True)
    ]


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
    rows = joined(home, loans(), [Grid("day", "UTC").at(datetime(2025, 2, 1, tzinfo=UTC))], now=LATER)
    assert rows is not None
    assert rows.sort_by("time")["label"].to_pylist() == [1, 0, 1, 0]
