"""Readings wait for the lake, up to a limit, and land once."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from watchkeeper.adapters.lake import Lake
from watchkeeper.adapters.telemetry import Buffer
from watchkeeper.records import GpuSample, HostSample

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
        buffer.add(GpuSample, [gpu(second)])
        buffer.add(HostSample, [host(second)])
    assert buffer.flush()
    assert [lake.table(r.TABLE).version() for r in (GpuSample, HostSample)] == [0, 0]
    assert (buffer.landed, buffer.held, buffer.dropped) == ({GpuSample: 50, HostSample: 50}, 0, 0)


def test_nothing_held_is_no_commit(tmp_path):
    lake = Lake(tmp_path / "lake")
    assert Buffer(lake).flush()
    assert lake.table(HostSample.TABLE) is None


def test_readings_wait_until_the_lake_is_back(tmp_path):
    lake, obstacle = blocked(tmp_path)
    buffer = Buffer(lake)
    buffer.add(HostSample, [host(1)])
    assert not buffer.flush()
    assert "the lake cannot be written" in buffer.fault
    assert "\n" not in buffer.fault
    obstacle.unlink()
    buffer.add(HostSample, [host(2)])
    assert buffer.flush()
    assert (buffer.held, buffer.fault, len(lake.newest(HostSample))) == (0, "", 2)


def test_beyond_the_limit_the_oldest_are_dropped_and_counted(tmp_path):
    buffer = Buffer(Lake(tmp_path / "lake"), at_most=3)
    buffer.add(HostSample, [host(s) for s in range(5)])
    assert (buffer.held, buffer.dropped) == (3, 2)
    buffer.flush()
    kept = sorted(s.sampled_at for s in Lake(tmp_path / "lake").newest(HostSample))
    assert kept == [START + timedelta(seconds=s) for s in (2, 3, 4)]
