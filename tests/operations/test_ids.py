"""One id, however a file writes it: events meet their labels, and repeats are known."""

from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from intake_world import LATER, loans, take
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


def test_an_id_that_is_a_time_joins_its_label(home: Home) -> None:
    put_events(home, TIMES)
    put(home, "repaid-1.parquet", {"loan": TIMES, "defaulted": pa.array([1, 0, 1, 0])})
    take(home)
    rows = joined(home, loans(), [Grid("day", "UTC").at(datetime(2025, 2, 1, tzinfo=UTC))], now=LATER)
    assert rows is not None
    assert rows.sort_by("time")["label"].to_pylist() == [1, 0, 1, 0]
