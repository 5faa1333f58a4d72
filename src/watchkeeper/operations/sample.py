"""Sample: GPUs, processes on them and host -> telemetry, reading after reading, until told to stop.

Belongs here: when to read, for how long a reading stands, when to land. Does not: the clock and the signals, which are
given as a Pace (adapters/pace.py), reading devices (adapters/nvml.py, adapters/dcgm.py), what the time cost (costs.py).
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

from watchkeeper.adapters.gpu_hours import LONGEST_INTERVAL
from watchkeeper.adapters.gpu_look import GpuSource, Look, Stamp
from watchkeeper.adapters.host import HostMeter
from watchkeeper.adapters.pace import Pace
from watchkeeper.adapters.telemetry import Buffer
from watchkeeper.errors import UsageError
from watchkeeper.samples import GpuProcess, GpuSample, HostSample

SHORTEST_INTERVAL = timedelta(milliseconds=100)
_JUMP_S = 1.0
"""A clock that runs off by more than this between two readings was set, and did not drift."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to sample: how often, how many times (None: until asked to stop), under which names, and when to land."""

    every_s: float
    host: str
    model: str = ""
    count: int | None = None
    flush_s: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one look at the GPUs and the host gave."""

    look: Look
    host: HostSample
    clock_jumped_s: float = 0.0
    """By how much the clock was set since the reading before, seconds; 0 when it was not."""


def check_interval(every: timedelta) -> float:
    """Return the seconds between two readings.

    Raises:
        UsageError: a reading would stand for more than may be billed, or for less than a driver can tell.

    """
    if not SHORTEST_INTERVAL <= every <= LONGEST_INTERVAL:
        raise UsageError(f"{every.total_seconds():g} s is not between 0.1 s and 1 h", where="--every", then="Write for example 10s.")
    return every.total_seconds()


def sample(sources: Sequence[GpuSource], buffer: Buffer, plan: Plan, pace: Pace, *, seen: Callable[[Reading], None] = lambda _: None) -> None:
    """Read every device and the host again and again, and land the readings; `seen` is told of each.

    What a sampler before left is landed first. Asked to stop, it reads once more, so that the time since the last reading
    counts, lands what it holds, and returns.
    """
    meter, began, flushed = HostMeter(), pace.seconds(), pace.seconds()
    if buffer.found:
        buffer.flush_aside()
    last: tuple[float, datetime] | None = None
    number, stopped = 0, False
    while True:
        number, at, now = number + 1, pace.seconds(), pace.now()
        elapsed = None if last is None else at - last[0]
        stamp = Stamp(sampled_at=now, interval_s=_stands_for(elapsed, plan), host=plan.host, model=plan.model)
        reading = Reading(look=_look(sources, stamp), host=_host(meter, stamp), clock_jumped_s=_jump(last, at, now))
        last = at, now
        buffer.add({GpuSample: reading.look.gpus, GpuProcess: reading.look.processes, HostSample: [reading.host]})
        seen(reading)
        if stopped or number == plan.count:
            break
        if at - flushed >= plan.flush_s:
            buffer.flush_aside()
            flushed = at
        stopped = pace.wait(_until_next(pace.seconds() - began, plan.every_s))
    buffer.flush()


def _look(sources: Sequence[GpuSource], stamp: Stamp) -> Look:
    """Ask all at once: one that does not answer makes nobody else's reading late."""
    look = Look()
    if len(sources) == 1:
        return sources[0].look(stamp)
    with ThreadPoolExecutor(len(sources) or 1) as asking:
        for told in asking.map(lambda source: source.look(stamp), sources):
            look.add(told)
    return look


def _host(meter: HostMeter, stamp: Stamp) -> HostSample:
    return meter.read(sampled_at=stamp.sampled_at, interval_s=stamp.interval_s, host=stamp.host)


def _jump(last: tuple[float, datetime] | None, at: float, now: datetime) -> float:
    """Return by how much the clock was set since the reading before; a host that was suspended looks the same."""
    if last is None:
        return 0.0
    off = (now - last[1]).total_seconds() - (at - last[0])
    return off if abs(off) > _JUMP_S else 0.0


def _stands_for(elapsed: float | None, plan: Plan) -> float:
    """Return the seconds a reading stands for: never more than passed by a clock that nobody sets.

    A single reading stands for its interval; the first of many only opens the clock. After a pause (a suspended host)
    a reading stands for one interval, and the rest is a gap: unknown, not billed.
    """
    if elapsed is None:
        return plan.every_s if plan.count == 1 else 0.0
    return elapsed if elapsed <= 2 * plan.every_s else plan.every_s


def _until_next(since_start: float, every_s: float) -> float:
    """Return the wait until the next tick of a steady grid, so that the time readings take does not add up."""
    return every_s - since_start % every_s
