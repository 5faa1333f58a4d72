"""Readings wait for the lake, up to a limit, and land once."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from watchkeeper.adapters.lake import Lake
from watchkeeper.adapters.telemetry import Buffer
from watchkeeper.samples import GpuProcess, GpuSample, HostSample

START = datetime(2025, 1, 1, tzinfo=UTC)


def host(second: int) -> HostSample:
    at = START + timedelta(seconds=second)
    return HostSample(sampled_at=at, interval_s=1.0, host="a", cpu_ratio=0.1, memory_used_bytes=1, memory_total_bytes=2, load_1m=0.0)


def gpu(second: int) -> GpuSample:
    at = START + timedelta(seconds=second)
    return GpuSample(sampled_at=at, interval_s=1.0, host="a", device=0, device_uuid="u", device_name="NVIDIA L4")


def blocked(folder: Path) -> tuple[Lake, Path]:
    """Return a lake that cannot be written while a file lies where its folder should be."""
    obstacle = folder / "lake"
    obstacle.write_text("in the way")
    return Lake(obstacle), obstacle


def test_many_readings_are_one_commit_a_table(tmp_path):
    lake = Lake(tmp_path / "lake")
    buffer = Buffer(lake)
    for second in range(50):
        buffer.add({GpuSample: [gpu(second)], HostSample: [host(second)]})
    assert buffer.flush()
    assert [lake.table(r.TABLE).version() for r in (GpuSample, HostSample)] == [1, 1], "made, and written once"
    assert (buffer.landed, buffer.held, buffer.dropped) == ({GpuSample: 50, HostSample: 50}, 0, 0)


def test_nothing_held_is_no_commit(tmp_path):
    lake = Lake(tmp_path / "lake")
    assert Buffer(lake).flush()
    assert lake.table(HostSample.TABLE) is None


def test_readings_wait_until_the_lake_is_back(tmp_path):
    lake, obstacle = blocked(tmp_path)
    buffer = Buffer(lake)
    buffer.add({HostSample: [host(1)]})
    assert not buffer.flush()
    assert "the lake cannot be written" in buffer.fault
    assert "\n" not in buffer.fault
    obstacle.unlink()
    buffer.add({HostSample: [host(2)]})
    assert buffer.flush()
    assert (buffer.held, buffer.fault, len(lake.newest(HostSample))) == (0, "", 2)


def test_beyond_the_limit_the_oldest_are_dropped_and_counted(tmp_path):
    lake, obstacle = blocked(tmp_path)
    buffer = Buffer(lake, tmp_path / "spool", at_most=3)
    for second in range(5):
        buffer.add({HostSample: [host(second)]})
        buffer.flush()
    assert (buffer.held, buffer.dropped, len(files(tmp_path / "spool"))) == (3, 2, 3)
    obstacle.unlink()
    assert buffer.flush()
    kept = sorted(s.sampled_at for s in Lake(tmp_path / "lake").newest(HostSample))
    assert kept == [START + timedelta(seconds=s) for s in (2, 3, 4)]


def files(spool: Path) -> list[Path]:
    return sorted(spool.rglob("*.jsonl"))


def landed(folder: Path, record: type = HostSample) -> list[int]:
    """Return the second of every row that landed, each time that it did."""
    rows = Lake(folder / "lake").read(record.TABLE)
    return [] if rows is None else sorted((at - START).seconds for at in rows.column("sampled_at").to_pylist())


def a_dead_one(folder: Path, *seconds: int) -> None:
    """Leave a spool as a sampler does that is killed: written, and its lock given back by the system."""
    dead = Buffer(Lake(folder / "lake"), folder / "spool")
    for second in seconds:
        dead.add({GpuSample: [gpu(second)], HostSample: [host(second)]})
    os.close(dead._spools[0]._lock)


def test_what_a_dead_sampler_left_lands_once(tmp_path):
    a_dead_one(tmp_path, 1, 2, 3)
    with Buffer(Lake(tmp_path / "lake"), tmp_path / "spool") as buffer:
        assert (buffer.found, landed(tmp_path)) == (6, [])
        buffer.add({HostSample: [host(4)]})
        assert buffer.flush()
    assert (landed(tmp_path), landed(tmp_path, GpuSample), files(tmp_path / "spool")) == ([1, 2, 3, 4], [1, 2, 3], [])
    with Buffer(Lake(tmp_path / "lake"), tmp_path / "spool") as buffer:
        assert (buffer.found, buffer.flush()) == (0, True)
    assert landed(tmp_path) == [1, 2, 3, 4]


@pytest.mark.parametrize("tables", [(HostSample,), (GpuSample, HostSample)], ids=["after one table", "after all tables"])
def test_a_sampler_that_was_killed_between_the_commit_and_the_deletion_lands_nothing_twice(tmp_path, tables):
    a_dead_one(tmp_path, 1, 2)
    (left,) = files(tmp_path / "spool")
    lake = Lake(tmp_path / "lake")
    for record in tables:
        lake.append_records_once(record, {1: [gpu(s) if record is GpuSample else host(s) for s in (1, 2)]}, writer=left.parent.name)
    with Buffer(lake, tmp_path / "spool") as buffer:
        assert buffer.flush()
    assert (landed(tmp_path), landed(tmp_path, GpuSample), files(tmp_path / "spool")) == ([1, 2], [1, 2], [])


def test_a_line_that_was_cut_off_by_the_kill_is_no_reading_and_the_others_are(tmp_path):
    a_dead_one(tmp_path, 1, 2)
    (left,) = files(tmp_path / "spool")
    left.write_bytes(left.read_bytes()[:-9])
    with Buffer(Lake(tmp_path / "lake"), tmp_path / "spool") as buffer:
        assert (buffer.flush(), buffer.dropped) == (True, 0)
    assert landed(tmp_path) == [1]


def test_a_line_that_is_spoilt_is_counted_as_lost_and_the_others_land(tmp_path):
    a_dead_one(tmp_path, 1, 2, 3)
    (left,) = files(tmp_path / "spool")
    first, _, third = left.read_bytes().splitlines()
    left.write_bytes(b"\n".join([first, b'{"HostSample": [{"unheard of": 1}]}', third]) + b"\n")
    with Buffer(Lake(tmp_path / "lake"), tmp_path / "spool") as buffer:
        assert (buffer.flush(), buffer.dropped) == (True, 1)
    assert landed(tmp_path) == [1, 3]


def test_a_column_that_another_version_wrote_is_left_out(tmp_path):
    a_dead_one(tmp_path, 1)
    (left,) = files(tmp_path / "spool")
    left.write_text(left.read_text().replace('"host":"a"', '"host":"a","colour":"red"'))
    with Buffer(Lake(tmp_path / "lake"), tmp_path / "spool") as buffer:
        assert (buffer.flush(), buffer.dropped) == (True, 0)
    assert landed(tmp_path) == [1]


def test_two_samplers_at_once_have_folders_of_their_own_and_leave_each_others_alone(tmp_path):
    lake, spool = Lake(tmp_path / "lake"), tmp_path / "spool"
    with Buffer(lake, spool) as one, Buffer(Lake(tmp_path / "lake"), spool) as other:
        one.add({HostSample: [host(1)]})
        other.add({HostSample: [host(2)]})
        assert len({p.parent for p in files(spool)}) == 2
        assert other.flush()
        assert landed(tmp_path) == [2]
        assert one.flush()
    assert landed(tmp_path) == [1, 2]
    with Buffer(lake, spool):
        assert len(list(spool.iterdir())) == 2, "folders are used again"


def test_readings_come_out_of_the_spool_as_they_went_in(tmp_path):
    whole = GpuSample(
        sampled_at=START,
        interval_s=0.1,
        host="ä\n",
        device=3,
        device_uuid="u",
        device_name="L4",
        throttle_reasons=[],
        xids=[79],
        memory_used_bytes=2**40,
        fraction=3 / 7,
    )
    used = GpuProcess(sampled_at=START, interval_s=0.1, host="ä", device_uuid="u", pid=1, sm_ratio=1 / 3)
    dead = Buffer(Lake(tmp_path / "lake"), tmp_path / "spool")
    dead.add({GpuSample: [whole], GpuProcess: [used]})
    os.close(dead._spools[0]._lock)
    with Buffer(Lake(tmp_path / "lake"), tmp_path / "spool") as buffer:
        buffer.flush()
    assert Lake(tmp_path / "lake").newest(GpuSample) == [whole]
    assert Lake(tmp_path / "lake").newest(GpuProcess) == [used]


def test_numbers_rise_though_the_batches_are_gone(tmp_path):
    """Else a sampler that is started anew would begin at 1, and all of it would be taken for landed."""
    for second in range(3):
        with Buffer(Lake(tmp_path / "lake"), tmp_path / "spool") as buffer:
            buffer.add({HostSample: [host(second)]})
            assert buffer.flush()
    assert landed(tmp_path) == [0, 1, 2]


def test_a_folder_whose_number_is_lost_is_landed_from_and_not_written_to(tmp_path):
    """Its next numbers would be taken for those that landed."""
    with Buffer(Lake(tmp_path / "lake"), tmp_path / "spool") as buffer:
        for second in range(3):
            buffer.add({HostSample: [host(second)]})
            assert buffer.flush()
    a_dead_one(tmp_path, 3)
    (place,) = (tmp_path / "spool").iterdir()
    (place / "number").unlink()
    with Buffer(Lake(tmp_path / "lake"), tmp_path / "spool") as buffer:
        buffer.add({HostSample: [host(4)]})
        assert buffer.flush()
    assert landed(tmp_path) == [0, 1, 2, 3, 4]
    assert len(list((tmp_path / "spool").iterdir())) == 2


def test_a_spool_that_cannot_be_used_is_said_and_readings_wait_in_memory(tmp_path):
    (tmp_path / "spool").write_text("in the way")
    buffer = Buffer(Lake(tmp_path / "lake"), tmp_path / "spool")
    buffer.add({HostSample: [host(1)]})
    assert "cannot be used" in buffer.spool_fault
    assert (buffer.is_durable, buffer.flush()) == (False, True)
    assert landed(tmp_path) == [1]


def test_a_disk_that_refuses_midway_costs_no_reading(tmp_path):
    with Buffer(Lake(tmp_path / "lake"), tmp_path / "spool") as buffer:
        buffer.add({HostSample: [host(1)]})
        os.close(buffer._spools[0]._file)  # as if the disk were gone: writing fails
        buffer._spools[0]._file = os.open("/dev/full", os.O_WRONLY)
        buffer.add({HostSample: [host(2)]})
        assert "No space left on device" in buffer.spool_fault
        buffer.add({HostSample: [host(3)]})
        assert (buffer.flush(), landed(tmp_path)) == (True, [1, 2, 3])
        buffer.add({HostSample: [host(4)]})
        assert buffer.spool_fault == "", "the next batch is on disk again"
        assert len(files(tmp_path / "spool")) == 1


def test_what_somebody_deleted_from_the_spool_is_counted_as_lost(tmp_path):
    lake, obstacle = blocked(tmp_path)
    with Buffer(lake, tmp_path / "spool") as buffer:
        for second in range(3):
            buffer.add({HostSample: [host(second)]})
            buffer.flush()
        files(tmp_path / "spool")[0].unlink()
        obstacle.unlink()
        assert (buffer.flush(), buffer.dropped, landed(tmp_path)) == (True, 1, [1, 2])


def test_a_batch_that_cannot_land_keeps_later_ones_of_its_writer_back(tmp_path):
    """A later number in the lake would say that it is there."""
    lake, obstacle = blocked(tmp_path)
    with Buffer(lake, tmp_path / "spool") as buffer:
        buffer.add({HostSample: [host(1)]})
        buffer.flush()
        obstacle.unlink()
        table = tmp_path / "lake" / GpuSample.TABLE
        table.parent.mkdir(parents=True)
        table.write_text("in the way of one table")
        buffer.add({GpuSample: [gpu(2)], HostSample: [host(2)]})
        assert not buffer.flush()
        buffer.add({GpuSample: [gpu(3)], HostSample: [host(3)]})
        assert not buffer.flush()
        assert len(files(tmp_path / "spool")) == 3
        table.unlink()
        assert buffer.flush()
    assert (landed(tmp_path), landed(tmp_path, GpuSample)) == ([1, 2, 3], [2, 3])


def test_what_is_landed_aside_lands_once_while_readings_go_on(tmp_path):
    with Buffer(Lake(tmp_path / "lake"), tmp_path / "spool") as buffer:
        for second in range(60):
            buffer.add({HostSample: [host(second)]})
            buffer.flush_aside()
        assert buffer.flush()
        assert (buffer.held, buffer.dropped, buffer.landed) == (0, 0, {HostSample: 60})
    assert (landed(tmp_path), files(tmp_path / "spool")) == (list(range(60)), [])
