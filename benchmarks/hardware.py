"""Faults of GPUs, hosts and releases that make a service slow or fail, throttles that do no harm, and the readings of both.

Belongs here: what hardware does, and to which requests. Does not: other faults (faults.py), which come together and when (worlds.py).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import numpy as np

from benchmarks.days import HOSTS, SPARE, Day, Fault, Strained
from watchkeeper.samples import GpuSample, HostSample

_MEMORY, _HOST_MEMORY = 24 * 2**30, 128 * 2**30


def slower(factor: float, day: Day, hosts: Sequence[str] = HOSTS) -> None:
    """Make requests on some hosts take several times as long."""
    took = np.asarray(day.columns["latency_ms"], float)
    day.columns["latency_ms"] = np.where(np.isin(day.columns["host"], hosts), factor, 1.0) * took


def _fail(share: float, status: str, hosts: Sequence[str], day: Day) -> None:
    day.columns["status"] = np.where(np.isin(day.columns["host"], hosts) & day.some(share), status, day.columns["status"])


def _some(rng: np.random.Generator, most: int) -> tuple[str, ...]:
    return tuple(sorted(str(h) for h in rng.choice(HOSTS, rng.integers(1, most + 1), replace=False)))


def _of_hosts(what: str, must: str, hosts: tuple[str, ...], served: "partial[None]") -> Fault:
    return Fault("infrastructure", () if hosts == HOSTS else hosts, served=served, strained=(Strained(what, hosts),), must=must)


def slow_host(rng: np.random.Generator) -> Fault:
    """One host answers slowly, or fails."""
    host = (str(rng.choice(HOSTS)),)
    return Fault("infrastructure", host, served=(partial(slower, 2.5, hosts=host), partial(_fail, 0.2, "unavailable", host))[rng.integers(2)])


def gpu_throttled(rng: np.random.Generator) -> Fault:
    """All GPUs are too hot and hold their clocks down."""
    return Fault("infrastructure", ("GPU",), served=partial(slower, rng.uniform(1.5, 2.0)), strained=(Strained("throttled"),), must="throttled")


def gpu_full(rng: np.random.Generator) -> Fault:
    """The memory of all GPUs is full."""
    return Fault("infrastructure", ("GPU",), served=partial(slower, rng.uniform(1.5, 2.0)), strained=(Strained("full"),), must="memory")


def gpu_throttled_on_hosts(rng: np.random.Generator) -> Fault:
    """The GPUs of one host or two are too hot, and requests there take longer."""
    hosts = _some(rng, 2)
    return _of_hosts("throttled", "throttled", hosts, partial(slower, rng.uniform(1.6, 2.6), hosts=hosts))


def gpu_full_on_host(rng: np.random.Generator) -> Fault:
    """The memory of one host's GPU is full: requests there take longer, or fail."""
    hosts = _some(rng, 1)
    how = (partial(slower, rng.uniform(1.6, 2.6), hosts=hosts), partial(_fail, rng.uniform(0.15, 0.3), "out of memory", hosts))[rng.integers(2)]
    return _of_hosts("full", "memory", hosts, how)


def gpu_errors_on_host(rng: np.random.Generator) -> Fault:
    """The GPU of one host has errors, and requests there fail."""
    hosts = _some(rng, 1)
    return _of_hosts("errors", "XID", hosts, partial(_fail, rng.uniform(0.15, 0.3), "internal", hosts))


def fallback_on_host(rng: np.random.Generator) -> Fault:
    """The GPU of one host has errors, and what it would have answered is a default: the model is worse, not slower."""
    hosts, share, default = _some(rng, 2), rng.uniform(0.8, 1.0), rng.choice([0.02, 0.7])

    def fall_back(day: Day) -> None:
        day.score = np.where(np.isin(day.columns["host"], hosts) & day.some(share), default, day.score)

    return Fault("infrastructure", hosts, labels=fall_back, strained=(Strained("errors", hosts),), must="XID")


def network_contention(rng: np.random.Generator) -> Fault:
    """The network of some hosts, or of all, sends much again, and requests there wait."""
    hosts = _some(rng, 2) if rng.random() < 0.7 else HOSTS
    return _of_hosts("network", "network", hosts, partial(_waits, rng.uniform(60, 160), hosts))


def storage_contention(rng: np.random.Generator) -> Fault:
    """The processors of some hosts, or of all, wait for disks."""
    hosts = _some(rng, 2) if rng.random() < 0.7 else HOSTS
    return _of_hosts("storage", "storage", hosts, partial(_waits, rng.uniform(60, 160), hosts))


def memory_pressure(rng: np.random.Generator) -> Fault:
    """The memory of one host is full, and it swaps."""
    hosts = _some(rng, 1)
    return _of_hosts("memory", "memory", hosts, partial(slower, rng.uniform(1.6, 2.6), hosts=hosts))


def _waits(mean_ms: float, hosts: Sequence[str], day: Day) -> None:
    waited = day.rng.exponential(mean_ms, day.rows) * np.isin(day.columns["host"], hosts)
    day.columns["latency_ms"] = np.asarray(day.columns["latency_ms"], float) + waited


def release_slower(rng: np.random.Generator) -> Fault:
    """A version that takes longer, or fails more, answers some or all."""
    share, factor, fails = rng.choice([rng.uniform(0.4, 0.8), 1.0]), rng.uniform(1.6, 2.2), rng.random() < 0.3

    def serve(day: Day) -> None:
        new = day.some(share)
        day.columns["version"] = np.where(new, "5", day.columns["version"])
        if fails:
            day.columns["status"] = np.where(new & day.some(0.15), "internal", day.columns["status"])
        else:
            day.columns["latency_ms"] = np.where(new, factor, 1.0) * np.asarray(day.columns["latency_ms"], float)

    return Fault("release", ("5",), served=serve)


# -- throttles that do no harm ------------------------------------------------------------------------------------------------------------


def throttle_beside(rng: np.random.Generator) -> Fault:
    """The GPUs of one host or two throttle from the same moment on, and no request takes longer for it."""
    return Fault("", strained=(Strained("throttled", _some(rng, 2)),))


def throttle_as_ever(rng: np.random.Generator) -> Fault:
    """GPUs throttle as they did in all the weeks before."""
    return Fault("", strained=(Strained("throttled", HOSTS if rng.random() < 0.5 else _some(rng, 2), is_as_ever=True),))


def throttle_elsewhere(_: np.random.Generator) -> Fault:
    """The GPU of a host that answers no request throttles."""
    return Fault("", strained=(Strained("throttled", (SPARE,)),))


def throttle_later(rng: np.random.Generator) -> Fault:
    """GPUs throttle only hours or a day after the onset."""
    hosts = HOSTS if rng.random() < 0.5 else _some(rng, 2)
    return Fault("", strained=(Strained("throttled", hosts, delay_hours=int(rng.integers(8, 37))),))


# -- readings -----------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Telemetry:
    """When the readings of a world are: from `start` on, so many hours, its faults in the hours [onset, end)."""

    start: datetime
    hours: int
    onset: int
    end: int
    strained: Sequence[Strained]
    model: str
    seed: int

    def _is(self, what: str, host: str, hour: int) -> bool:
        def held(s: Strained) -> bool:
            return s.is_as_ever or self.onset + s.delay_hours <= hour < self.end

        return any(s.what == what and host in s.hosts and held(s) for s in self.strained)

    def gpus(self) -> Iterator[GpuSample]:
        """Yield a reading an hour of each host's GPU."""
        rng = np.random.default_rng([self.seed, 99])
        as_ever = any(s.is_as_ever for s in self.strained)
        for hour in range(self.hours):
            for host in (*HOSTS, SPARE):
                hot, full, errs = (self._is(what, host, hour) for what in ("throttled", "full", "errors"))
                reason = ["hardware_thermal"] if hot and rng.random() < (0.45 if as_ever else 0.8) else []
                yield GpuSample(
                    sampled_at=self.start + timedelta(hours=hour + 1),
                    interval_s=3600.0,
                    host=host,
                    device=0,
                    device_uuid=f"GPU-{host}",
                    device_name="L4",
                    model=self.model,
                    utilisation_ratio=float(rng.uniform(0.3, 0.6)),
                    memory_used_bytes=int(_MEMORY * (rng.uniform(0.97, 0.995) if full else rng.uniform(0.55, 0.65))),
                    memory_total_bytes=_MEMORY,
                    temperature_c=float(rng.normal(91 if hot else 62, 2)),
                    sm_clock_mhz=int(rng.normal(900 if hot else 1_900, 40)),
                    throttle_reasons=reason or (["power_cap"] if rng.random() < 0.03 else []),
                    xids=[int(rng.choice([63, 79]))] if errs and rng.random() < 0.6 else [],
                    ecc_uncorrected=0,
                )

    def hosts(self) -> Iterator[HostSample]:
        """Yield a reading an hour of each host."""
        rng = np.random.default_rng([self.seed, 98])
        for hour in range(self.hours):
            for host in (*HOSTS, SPARE):
                waits, resent, full = (self._is(what, host, hour) for what in ("storage", "network", "memory"))
                yield HostSample(
                    sampled_at=self.start + timedelta(hours=hour + 1),
                    interval_s=3600.0,
                    host=host,
                    cpu_ratio=float(rng.uniform(0.2, 0.6)),
                    memory_used_bytes=int(_HOST_MEMORY * (rng.uniform(0.965, 0.99) if full else rng.uniform(0.4, 0.6))),
                    memory_total_bytes=_HOST_MEMORY,
                    load_1m=float(rng.uniform(1, 8)),
                    io_wait_ratio=float(rng.uniform(0.25, 0.5) if waits else rng.beta(1, 60)),
                    tcp_retransmitted_ratio=float(rng.uniform(0.02, 0.07) if resent else rng.exponential(0.0008)),
                    disk_read_bytes_s=float(rng.uniform(4e8, 6e8) if waits else rng.uniform(1e6, 5e7)),
                    network_received_bytes_s=float(rng.uniform(8e8, 1.2e9) if resent else rng.uniform(1e7, 2e8)),
                )
