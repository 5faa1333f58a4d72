"""The sampler: what a reading stands for, when readings land, how it ends."""

import itertools
import time as clock
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from nvml_world import NvmlWorld, needs_gcc
from receiver import Answer, Receiver
from watchkeeper.adapters.gpu_hours import Claims, gpu_uses
from watchkeeper.adapters.gpu_look import GpuSource
from watchkeeper.adapters.lake import Lake
from watchkeeper.adapters.nvml import gpus
from watchkeeper.adapters.pace import Pace
from watchkeeper.adapters.telemetry import Buffer
from watchkeeper.errors import UsageError
from watchkeeper.measures.price_spans import spans_of
from watchkeeper.operations.sample import Plan, Reading, check_interval, sample
from watchkeeper.samples import GpuSample, HostSample
from watchkeeper.windows import Grid

START = datetime(2025, 1, 1, tzinfo=UTC)


class Time:
    """A clock that moves only by waiting: as long as asked, and `late` on top; it stops the sampler after `waits` waits."""

    def __init__(self, *, late: Iterable[float] = (), waits: int = 1_000_000) -> None:
        self.elapsed, self._late, self._waits = 0.0, iter(late), waits
        self.waited: list[float] = []
        self.buffer: Buffer | None = None

    def wait(self, seconds: float) -> bool:
        self.waited.append(seconds)
        if self.buffer is not None:
            self.buffer.settle()  # it lands aside, and this clock leaves it no time
        self.elapsed += seconds + next(self._late, 0.0)
        return len(self.waited) >= self._waits

    @property
    def pace(self) -> Pace:
        return Pace(now=lambda: START + timedelta(seconds=self.elapsed), seconds=lambda: self.elapsed, wait=self.wait)


def sampled(
    folder: Path,
    time: Time,
    *,
    count: int | None = None,
    every_s: float = 10.0,
    flush_s: float = 60.0,
    found: GpuSource | None = None,
    model: str = "",
):
    """Run the sampler to its end; return the lake and the readings it told of."""
    lake, told = Lake(folder / "lake"), []
    time.buffer = Buffer(lake)
    plan = Plan(every_s=every_s, host="gpu-1", model=model, count=count, flush_s=flush_s)
    sample([found] if found else [], time.buffer, plan, time.pace, seen=told.append)
    return lake, told


def intervals(told: list[Reading]) -> list[float]:
    return [r.host.interval_s for r in told]


def test_without_a_gpu_the_host_is_sampled(tmp_path):
    lake, _ = sampled(tmp_path, Time(), count=1)
    (host,) = lake.newest(HostSample)
    assert lake.table(GpuSample.TABLE) is None
    assert 0 <= host.cpu_ratio <= 1
    assert 0 < host.memory_used_bytes < host.memory_total_bytes
    assert host.host == "gpu-1"


def test_a_single_reading_stands_for_its_interval(tmp_path):
    _, told = sampled(tmp_path, Time(), count=1, every_s=60.0)
    assert intervals(told) == [60.0]


def test_of_many_readings_the_first_only_opens_the_clock(tmp_path):
    _, told = sampled(tmp_path, Time(), count=4)
    assert intervals(told) == [0.0, 10.0, 10.0, 10.0]


def test_a_reading_stands_for_the_time_that_really_passed_and_the_grid_holds(tmp_path):
    time = Time(late=[0.5])
    _, told = sampled(tmp_path, time, count=3)
    assert intervals(told) == [0.0, 10.5, 9.5]


def test_after_a_pause_a_reading_stands_for_one_interval_and_the_rest_is_unknown(tmp_path):
    _, told = sampled(tmp_path, Time(late=[3600.0]), count=2)
    assert intervals(told) == [0.0, 10.0]


def test_asked_to_stop_it_reads_once_more_and_lands_everything(tmp_path):
    lake, told = sampled(tmp_path, Time(waits=9))
    assert sum(intervals(told)) == 90.0
    assert len(lake.newest(HostSample)) == len(told) == 10


def test_readings_land_once_a_minute_and_not_one_by_one(tmp_path):
    lake, _ = sampled(tmp_path, Time(), count=19, flush_s=60.0)
    table = lake.table(HostSample.TABLE)
    assert table is not None
    assert table.version() == 3, "made, and then three commits"
    assert len(lake.newest(HostSample)) == 19


def test_a_lake_that_is_away_for_minutes_costs_no_reading(tmp_path):
    obstacle = tmp_path / "lake"
    obstacle.write_text("in the way")
    buffer, told = Buffer(Lake(obstacle)), []

    def seen(reading: Reading) -> None:
        told.append(reading)
        if len(told) == 15:
            obstacle.unlink()

    sample([], buffer, Plan(every_s=10.0, host="a", count=20), Time().pace, seen=seen)
    assert (buffer.dropped, buffer.held, len(Lake(obstacle).newest(HostSample))) == (0, 0, 20)


class SetClock(Time):
    """A clock of the wall that is set, at each wait, by seconds that the other clock knows nothing of."""

    def __init__(self, *sets: float) -> None:
        super().__init__()
        self._sets, self.off = iter(sets), 0.0

    @property
    def pace(self) -> Pace:
        def wait(seconds: float) -> bool:
            self.off += next(self._sets, 0.0)
            return self.wait(seconds)

        return Pace(now=lambda: START + timedelta(seconds=self.elapsed + self.off), seconds=lambda: self.elapsed, wait=wait)


def test_a_lake_that_does_not_answer_costs_no_reading_and_no_time_between_readings(tmp_path):
    """An object store that takes requests and answers none, as one does behind a firewall."""
    with Receiver() as store:
        store.release.clear()
        options = {"AWS_ENDPOINT_URL": store.url, "AWS_ALLOW_HTTP": "true", "AWS_REGION": "x", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}
        told: list[Reading] = []

        def wait(seconds: float) -> bool:
            clock.sleep(seconds)
            if len(told) < 20:
                return False
            store.faults.extend([Answer(403, "<Error/>")] * 100)
            store.release.set()
            return True

        pace = Pace(now=lambda: datetime.now(UTC), seconds=clock.monotonic, wait=wait)
        with Buffer(Lake("s3://bucket/lake", options), tmp_path / "spool") as buffer:
            sample([], buffer, Plan(every_s=0.1, host="a", flush_s=0.3), pace, seen=told.append)
            assert (buffer.held, buffer.is_durable, buffer.dropped) == (21, True, 0)
            assert "the lake cannot be written" in buffer.fault
        assert store.requests
    times = [r.host.sampled_at for r in told]
    assert max(later - sooner for sooner, later in itertools.pairwise(times)) < timedelta(seconds=8), "the store kept silent for all of them"


@pytest.mark.parametrize("jump", [3600.0, -3600.0, 86_400.0])
def test_a_clock_that_is_set_makes_no_reading_stand_for_longer_than_passed_and_is_told(tmp_path, jump):
    time = SetClock(0.0, jump, 0.0)
    lake, told = sampled(tmp_path, time, count=5)
    assert intervals(told) == [0.0, 10.0, 10.0, 10.0, 10.0]
    assert [r.clock_jumped_s for r in told] == [0.0, 0.0, jump, 0.0, 0.0]
    assert len(lake.newest(HostSample)) == 5


def test_a_clock_that_drifts_a_little_is_not_told(tmp_path):
    _, told = sampled(tmp_path, SetClock(*[0.2] * 4), count=5)
    assert {r.clock_jumped_s for r in told} == {0.0}


@needs_gcc[0]
@needs_gcc[1]
def test_two_samplers_of_one_host_bill_it_once(tmp_path, monkeypatch):
    NvmlWorld(tmp_path, "- count 1", "* utilisation 50").enter(monkeypatch)
    lake = Lake(tmp_path / "lake")
    for late in (0.0, 3.0):
        time = Time()
        time.elapsed = late
        with gpus() as found, Buffer(lake, tmp_path / "spool") as buffer:
            sample([found], buffer, Plan(every_s=10.0, host="a", model="parcels", count=7), time.pace)
    assert len(lake.newest(GpuSample)) == 14
    windows = list(Grid("hour", "UTC").between(START, START + timedelta(hours=1)))
    (use,) = gpu_uses(lake, spans_of(windows, [], "UTC"), Claims(), now=START + timedelta(days=1))
    assert use.sampled_us == 63_000_000, "one from 0 to 60 s, one from 3 to 63 s"


@pytest.mark.parametrize("every", [timedelta(hours=2), timedelta(0)])
def test_an_interval_that_cannot_be_billed_is_refused(every):
    with pytest.raises(UsageError, match=r"is not between 0\.1 s and 1 h"):
        check_interval(every)


@needs_gcc[0]
@needs_gcc[1]
def test_a_gpu_lost_during_sampling_is_told_and_its_time_is_unknown(tmp_path, monkeypatch):
    world = NvmlWorld(tmp_path, "- count 2")
    world.enter(monkeypatch)
    told: list[Reading] = []

    def seen(reading: Reading) -> None:
        told.append(reading)
        if len(told) in {2, 4}:
            world.say(f"1 lost {'!15' if len(told) == 2 else '0'}")

    lake = Lake(tmp_path / "lake")
    with gpus() as found:
        sample([found], Buffer(lake), Plan(every_s=10.0, host="a", model="parcels", count=6), Time().pace, seen=seen)
    assert [r.look.faults for r in told] == [{}, {}, {"GPU 1": "GPU is lost"}, {"GPU 1": "GPU is lost"}, {}, {}]
    seconds = {0: 0.0, 1: 0.0}
    for one in lake.newest(GpuSample):
        seconds[one.device] += one.interval_s
    assert seconds == {0: 50.0, 1: 30.0}
    assert {s.model for s in lake.newest(GpuSample)} == {"parcels"}
