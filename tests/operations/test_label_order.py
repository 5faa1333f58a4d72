"""The last label counts: by its time, then by landing, then by its place in the file, however the files come."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from deltalake import DeltaTable, write_deltalake

from intake_world import GOOD, HEADER, LATER, NOW, landed, loans, put, take
from watchkeeper.adapters.workspace import Home
from watchkeeper.monitor import Monitor
from watchkeeper.operations.join import joined
from watchkeeper.windows import Grid

TIMED = loans(labels={"files": "inbox/repaid-*", "join": "loan", "column": "defaulted", "time": "known_at"})
FILES = {
    1: [["x", "y", "z", "a=0"], ["a=1"]],  # the label that counts has the least row number
    0: [["x", "a=0"], ["y", "z", "a=1"], ["x", "a=1", "b=1"], ["a=0"]],  # the last one says again what the first one said
}


def put_labels(home: Home, number: int, ids: Sequence[str], monitor: Monitor) -> None:
    rows = [(i.partition("=")[0], i.partition("=")[2] or "0") for i in ids]
    timed = monitor is TIMED
    lines = ["loan,defaulted" + ",known_at" * timed, *(f"{i},{label}" + ",2025-02-10T00:00:00Z" * timed for i, label in rows)]
    put(home, f"repaid-{number}.csv", "\n".join([*lines, ""]))


def truth(home: Home, monitor: Monitor, now: datetime) -> dict[str, int | None]:
    both = joined(home, monitor, [Grid("day", "UTC").at(datetime(2025, 2, 1, tzinfo=UTC))], now=now)
    assert both is not None
    rows = both.rows
    return dict(zip(rows["id"].to_pylist(), rows["label"].to_pylist(), strict=True))


@pytest.mark.parametrize("monitor", [TIMED, loans()], ids=["labels with times", "labels without"])
@pytest.mark.parametrize("a_run", [4, *(pytest.param(n, marks=pytest.mark.nightly) for n in (3, 2)), 1], ids="{} files a run".format)
@pytest.mark.parametrize("tick", [timedelta(0), timedelta(minutes=1)], ids=["one moment", "later and later"])
@pytest.mark.parametrize("last", FILES)
def test_the_last_label_is_the_same_in_however_many_runs_files_come(home: Home, monitor: Monitor, a_run: int, tick: timedelta, last: int) -> None:
    put(home, "loans-1.csv", HEADER + GOOD)
    take(home, monitor, source="events")
    notes = 0
    for first in range(0, len(FILES[last]), a_run):
        for number, ids in enumerate(FILES[last][first : first + a_run], start=first):
            put_labels(home, number, ids, monitor)
        notes += sum("contradict earlier ones" in b.reason for b in take(home, monitor, now=NOW + first * tick, source="labels"))
    assert truth(home, monitor, LATER)["a"] == last
    assert notes == {1: 1, 0: 2}[last]


def test_labels_that_landed_before_an_order_was_kept_come_first(home: Home) -> None:
    put(home, "loans-1.csv", HEADER + GOOD)
    put_labels(home, 1, ["b=0", "a=0"], TIMED)
    take(home, TIMED)
    old = home.lake.read("labels/loans")
    assert old is not None
    write_deltalake(DeltaTable(str(home.lake.address) + "/labels/loans"), old.drop_columns(["wk_order"]), mode="overwrite", schema_mode="overwrite")
    assert truth(home, TIMED, LATER) == {"a": 0, "b": 0}
    put_labels(home, 2, ["a=1"], TIMED)
    take(home, TIMED)
    assert truth(home, TIMED, LATER) == {"a": 1, "b": 0}
    assert sorted(row["wk_order"] is None for row in landed(home, table="labels/loans", by="id")) == [False, True, True]
