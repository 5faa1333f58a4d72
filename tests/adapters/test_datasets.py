"""A table's files as a dataset: the rows that deltalake's own has, of files that only what may hold them are opened."""

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads
import pytest
from deltalake import DeltaTable
from deltalake.exceptions import DeltaProtocolError

from watchkeeper.adapters.arrow_records import TIMESTAMP
from watchkeeper.adapters.lake import Lake
from watchkeeper.adapters.retention import Removal, remove_rows

START, DAY = datetime(2025, 1, 1, tzinfo=UTC), timedelta(days=1)


def rows(day: int, model: str = "parcels", n: int = 20, missing: int | None = None, **more: list[object]) -> pa.Table:
    at = [None if i == missing else START + day * DAY + i * timedelta(hours=1) for i in range(n)]
    return pa.table({"model": [model] * n, "at": pa.array(at, TIMESTAMP), "x": np.arange(n) + day / 10, **more})


def after(moment: datetime) -> pc.Expression:
    return pc.field("at") >= pa.scalar(moment, TIMESTAMP)


def paths(dataset: pads.Dataset, where: pc.Expression | None = None) -> set[str]:
    return {fragment.path for fragment in dataset.get_fragments(filter=where)}


def test_rows_are_those_of_deltalakes_own_dataset_through_every_change_of_the_table(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    changes = [
        lambda: lake.append("t", rows(0)),
        lambda: lake.append("t", rows(1, missing=1)),
        lambda: lake.append("t", rows(2, "vans")),
        lambda: lake.append("t", rows(3, more=[None, 7.0] * 10), schema_mode="merge"),
        lambda: lake.compact("t"),
        lambda: lake.append("t", rows(4, more=[1.0] * 20)),
        lambda: DeltaTable(lake.uri("t")).delete("model = 'vans'"),
        lambda: lake.append(
            "t", pa.table({"model": ["parcels"] * 2, "at": pa.array([None, None], TIMESTAMP), "x": [0.5, None], "more": [None, 1.0]})
        ),
    ]
    wheres = [None, after(START + 2 * DAY), pc.field("model") == "vans", pc.field("at").is_null(), after(START + DAY) & (pc.field("x") > 5)]
    for change in changes:
        change()
        ours, theirs = lake.dataset("t"), DeltaTable(lake.uri("t")).to_pyarrow_dataset(filesystem=lake.files("t"))
        assert ours.schema == theirs.schema
        order = [("model", "ascending"), ("at", "ascending"), ("x", "ascending")]
        for where in wheres:
            there = theirs.to_table(filter=where).sort_by(order)
            assert ours.to_table(filter=where).sort_by(order).equals(there)
            for columns in (None, ["x", "model", "at"]):
                assert lake.read("t", columns=columns, where=where).sort_by(order).equals(there.select(columns or there.column_names))


def test_a_file_that_cannot_hold_what_is_looked_for_is_not_opened(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    for day, model in enumerate(["parcels", "vans", "parcels", "vans"]):
        lake.append("t", rows(day, model))
    dataset = lake.dataset("t")
    assert len(paths(dataset)) == 4
    assert len(paths(dataset, after(START + 2 * DAY))) == 2
    assert len(paths(dataset, after(START + 2 * DAY) & (pc.field("model") == "vans"))) == 1
    assert not paths(dataset, after(START + 9 * DAY))


def test_what_is_known_of_a_file_is_kept_when_others_come(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.append("t", rows(0))
    (first,) = lake.dataset("t").get_fragments()
    lake.append("t", rows(1))
    known, new = sorted(lake.dataset("t").get_fragments(), key=lambda fragment: fragment.path != first.path)
    assert known.partition_expression.equals(first.partition_expression)
    assert paths(lake.dataset("t"), after(START + DAY)) == {new.path}


def test_a_moment_cut_to_milliseconds_by_another_engine_hides_no_row(tmp_path: Path) -> None:
    lake, last = Lake(tmp_path), START + timedelta(microseconds=1999)
    lake.append("t", pa.table({"model": ["m"] * 2, "at": pa.array([START, last], TIMESTAMP)}))
    (log,) = (tmp_path / "t/_delta_log").glob("*0.json")
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    for line in lines:
        if "add" in line:
            stats = json.loads(line["add"]["stats"])
            stats["maxValues"]["at"] = "2025-01-01T00:00:00.001Z"
            line["add"]["stats"] = json.dumps(stats)
    log.write_text("\n".join(map(json.dumps, lines)))
    assert Lake(tmp_path).read("t", where=after(last)).num_rows == 1


@pytest.mark.parametrize("moment", [datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC), datetime(1, 1, 1, tzinfo=UTC)])
def test_moments_at_either_end_of_time_are_read(tmp_path: Path, moment: datetime) -> None:
    lake = Lake(tmp_path)
    lake.append("t", pa.table({"model": ["m"] * 2, "at": pa.array([START, moment], TIMESTAMP)}))
    assert lake.read("t", where=pc.field("at") == pa.scalar(moment, TIMESTAMP)).num_rows == 1
    assert lake.read("t", where=pc.field("at") == pa.scalar(START, TIMESTAMP)).num_rows == 1


@pytest.mark.parametrize("days", [1, 4])
@pytest.mark.parametrize("is_merged", [True, False])
def test_what_a_removal_leaves_of_a_file_can_be_asked_for(tmp_path: Path, days: int, is_merged: bool) -> None:  # noqa: FBT001
    """delta-rs writes it with texts that Arrow does not compare."""
    lake = Lake(tmp_path)
    for day in range(days):
        lake.append("t", pa.concat_tables([rows(day), rows(day, "vans")]))
    lake.compact("t") if is_merged else None
    removal = Removal(clock="at", before=START + timedelta(hours=5), model="vans")
    assert remove_rows(lake, "t", removal) == 5
    for reader in (lake, Lake(tmp_path)):
        assert reader.read("t", where=pc.field("model") == "vans").num_rows == 20 * days - 5
        assert reader.read("t", where=pc.field("model") == "parcels").num_rows == 20 * days
    version = lake.table("t").version()
    assert remove_rows(lake, "t", removal) == 0
    assert lake.table("t").version() == version


def test_a_removal_that_was_killed_halfway_is_mended_by_the_next(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.append("t", pa.concat_tables([rows(0), rows(0, "vans")]))
    removal = Removal(clock="at", before=START + timedelta(hours=5), model="vans")
    lake.table("t").delete(removal.predicate())
    assert remove_rows(lake, "t", removal) == 0
    assert lake.read("t", where=pc.field("model") == "vans").num_rows == 15


def test_a_table_that_asks_more_of_its_readers_is_refused_and_not_read_wrongly(tmp_path: Path) -> None:
    schema = pa.schema([("model", pa.string()), ("at", TIMESTAMP)])
    DeltaTable.create(str(tmp_path / "t"), schema, configuration={"delta.enableDeletionVectors": "true"})
    with pytest.raises(DeltaProtocolError, match="deletionVectors"):
        Lake(tmp_path).dataset("t")


def test_times_without_a_zone_are_read_as_they_were_written(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    naive = pa.array([datetime(2025, 1, 1, 5), datetime(2025, 1, 2, 5), None], pa.timestamp("us"))  # noqa: DTZ001 - that is the case
    lake.append("t", pa.table({"local": naive, "x": [1, 2, 3]}))
    later = pc.field("local") >= pa.scalar(datetime(2025, 1, 2), pa.timestamp("us"))  # noqa: DTZ001
    assert lake.read("t", where=later).column("x").to_pylist() == [2]


@pytest.mark.parametrize("again", [1, 2, 3])
def test_a_table_that_was_removed_and_made_anew_is_read_anew_and_written_to(tmp_path: Path, again: int) -> None:
    """Of as many commits as before, of fewer, and of more; another process did it, so that this one is not told."""
    held, other = Lake(tmp_path), Lake(tmp_path)
    for day in range(2):
        held.append("t", rows(day))
    assert held.read("t").num_rows == 40
    shutil.rmtree(tmp_path / "t")
    for day in range(again):
        other.append("t", rows(day, "vans", n=3))
    assert held.read("t").column("model").to_pylist() == ["vans"] * 3 * again
    held.append("t", rows(7, "vans", n=1))
    assert held.read("t").num_rows == 3 * again + 1
    assert Lake(tmp_path).read("t").equals(held.read("t"))


def test_a_table_that_was_made_anew_is_written_to_by_who_has_not_looked_since(tmp_path: Path) -> None:
    held, other = Lake(tmp_path), Lake(tmp_path)
    for day in range(3):
        held.append("t", rows(day))
    assert held.table("t").version() == 2
    shutil.rmtree(tmp_path / "t")
    other.append("t", rows(0, "vans", n=3))
    held.append("t", rows(1, "vans", n=4))
    assert other.read("t").num_rows == held.read("t").num_rows == 7


def test_a_table_that_was_removed_is_none(tmp_path: Path) -> None:
    held = Lake(tmp_path)
    held.append("t", rows(0))
    assert held.read("t").num_rows == 20
    shutil.rmtree(tmp_path / "t")
    assert held.read("t") is None


def test_a_small_table_that_is_read_again_is_read_from_memory_but_for_its_new_files(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.append("t", rows(0))
    both = [lake.read("t") for _ in range(2)]
    for file in (tmp_path / "t").glob("*.parquet"):
        file.unlink()
    assert both == [rows(0)] * 2
    assert lake.read("t", where=after(START + 5 * timedelta(hours=1))) == rows(0).slice(5)
    lake.append("t", rows(1))
    assert lake.read("t").sort_by("at") == pa.concat_tables([rows(0), rows(1)])
    with pytest.raises(FileNotFoundError):
        Lake(tmp_path).read("t")


@pytest.mark.parametrize(("name", "n"), [("large", 120_000), ("events/parcels", 20)])
def test_neither_a_large_table_nor_rows_of_people_are_kept_in_memory(tmp_path: Path, name: str, n: int) -> None:
    lake = Lake(tmp_path)
    noise = pa.table({"x": np.random.default_rng(1).normal(size=n), "y": np.random.default_rng(2).normal(size=n)})
    lake.append(name, noise)
    assert [lake.read(name).num_rows for _ in range(3)] == [n] * 3
    for file in (tmp_path / name).glob("*.parquet"):
        file.unlink()
    with pytest.raises(FileNotFoundError):
        lake.read(name)


def test_a_table_that_was_removed_and_made_anew_has_its_new_rows_only(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.append("t", rows(0))
    assert [lake.read("t") for _ in range(2)] == [rows(0)] * 2
    shutil.rmtree(tmp_path / "t")
    Lake(tmp_path).append("t", rows(1))
    assert [lake.read("t") for _ in range(2)] == [rows(1)] * 2
