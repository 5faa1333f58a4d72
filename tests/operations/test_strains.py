"""What GPUs and hosts did is read off the samplers' readings: on which hosts, since when, and beside which requests."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import numpy as np
import pytest

from conftest import PARCELS
from watchkeeper.adapters.workspace import Home
from watchkeeper.judgement.strains import GPU_ERRORS, GPU_MEMORY, HOST_MEMORY, NETWORK, STORAGE, THROTTLING, Requests, Strain
from watchkeeper.monitor import Monitor
from watchkeeper.operations.strains import strains_of
from watchkeeper.samples import GpuSample, HostSample
from watchkeeper.windows import Window

BEGIN = datetime(2025, 1, 6, tzinfo=UTC)
DAY, STEP = timedelta(days=1), timedelta(minutes=10)
ONSET, END = BEGIN + 14 * DAY, BEGIN + 16 * DAY
SIDES = [[Window(ONSET - 56 * DAY, ONSET)], [Window(ONSET, ONSET + DAY), Window(ONSET + DAY, END)]]
AT_TEN = ONSET + timedelta(hours=10)
MIB = 2**20


def moments() -> list[datetime]:
    return [BEGIN + STEP * (i + 1) for i in range((END - BEGIN) // STEP)]


def gpus(host: str = "gpu-1", device: int = 0, *, since: datetime | None = None, bad: dict[str, Any] | None = None, **more: Any) -> list[GpuSample]:
    """Return readings of one GPU, which are `bad` from a moment on."""
    fields = {
        "interval_s": 600.0, "host": host, "device": device, "device_uuid": f"{host}-{device}", "device_name": "A10", "temperature_c": 60.0,
        "memory_used_bytes": 12 * MIB, "memory_total_bytes": 24 * MIB, "throttle_reasons": [], "xids": [], "ecc_uncorrected": 0,
    }  # fmt: skip
    return [GpuSample(sampled_at=at, **(fields | more | (bad or {} if since is not None and at > since else {}))) for at in moments()]


def hosts(host: str = "gpu-1", *, since: datetime | None = None, bad: dict[str, Any] | None = None, **more: Any) -> list[HostSample]:
    fields = {"interval_s": 600.0, "host": host, "cpu_ratio": 0.3, "memory_used_bytes": 30, "memory_total_bytes": 100, "load_1m": 2.0}
    known = {"io_wait_ratio": 0.01, "tcp_retransmitted_ratio": 0.001}
    return [HostSample(sampled_at=at, **(fields | known | more | (bad or {} if since is not None and at > since else {}))) for at in moments()]


HOT = {"throttle_reasons": ["hardware_thermal", "application_clocks"], "temperature_c": 91.0}


def requests(*names: str, slow: str = "", since: datetime = AT_TEN) -> Requests:
    """Return 2,000 requests a day of some hosts; those of the slow one take three times as long from a moment on."""
    rng = np.random.default_rng(0)
    at = np.sort(rng.integers(int(BEGIN.timestamp()), int(END.timestamp()), 32_000))
    host = rng.integers(0, len(names), len(at))
    value = rng.normal(4.0, 0.3, len(at)) + np.log(3) * (np.array([n == slow for n in names])[host] & (at >= since.timestamp()))
    return Requests(list(names), host, value, at >= ONSET.timestamp(), at)


@pytest.fixture
def found(make_home: Callable[..., Home]) -> Callable[..., list[Strain]]:
    """Return what is found in readings of a workspace of their own."""
    names = count()

    def of(*readings: list[GpuSample] | list[HostSample], asked: Requests | None = None, monitor: dict[str, Any] | None = None) -> list[Strain]:
        home = make_home(PARCELS, name=f"home-{next(names)}")
        for each in readings:
            home.lake.append_records(type(each[0]), each)
        watched = Monitor.model_validate(PARCELS | ({"cost": {"hosts": ["gpu-1", "gpu-2"]}} if monitor is None else monitor))
        return strains_of(home, watched, asked, SIDES, END)

    return of


def test_a_gpu_that_throttles_is_found_with_its_device_its_reason_its_heat_and_its_beginning(found: Callable[..., list[Strain]]):
    one, rest = gpus(device=2, since=AT_TEN, bad=HOT), [gpus(device=0), gpus("gpu-2")]
    [strain] = found(one, *rest, asked=requests("gpu-1", "gpu-2", slow="gpu-1"))
    assert (strain.gauge, strain.hosts, strain.since) == (THROTTLING, ("gpu-1",), AT_TEN)
    assert strain.said == "GPU 2 of host gpu-1 throttled (hardware thermal, 91 °C)"
    assert strain.since_text == "Mon 20 January 10:00"
    assert (strain.level.now, strain.level.usual) == pytest.approx((38 / 48, 0.0))
    assert strain.effect is not None
    assert strain.effect.low > 0.8
    assert abs(strain.begun - AT_TEN) <= strain.slack
    assert strain.serves


def test_clocks_that_a_person_set_are_no_throttle_and_a_driver_that_does_not_say_is_not_known(found: Callable[..., list[Strain]]):
    assert found(gpus(since=ONSET, bad={"throttle_reasons": ["application_clocks"]}), gpus("gpu-2", throttle_reasons=None, xids=None)) == []


def test_a_throttle_of_all_the_weeks_is_found_as_usual(found: Callable[..., list[Strain]]):
    [strain] = found(gpus(**HOT))
    assert strain.level.is_usual(THROTTLING)
    assert strain.level.alike == 14


def test_readings_that_are_made_up_or_of_a_gpu_of_another_model_are_no_matter(found: Callable[..., list[Strain]]):
    synthetic = [replace(s, is_synthetic=True) for s in gpus(since=ONSET, bad=HOT)]
    assert found(synthetic) == []
    others = gpus(since=ONSET, bad=HOT, model="letters")
    assert found(others, asked=requests("gpu-1", "gpu-2"), monitor={}) == []
    spare = gpus("gpu-9", since=ONSET, bad=HOT, model="parcels")
    [mine] = found(spare, gpus(), asked=requests("gpu-1", "gpu-2"), monitor={})
    assert (mine.hosts, mine.serves) == (("gpu-9",), False)


def test_where_requests_call_all_hosts_by_other_names_nothing_is_said_of_who_answered(found: Callable[..., list[Strain]]):
    [strain] = found(gpus(since=ONSET, bad=HOT), gpus("gpu-2"), asked=requests("gpu-1.cluster", "gpu-2.cluster", slow="gpu-1.cluster"))
    assert (strain.serves, strain.effect) == (None, None)


def test_hosts_that_answer_are_looked_at_though_the_monitor_names_none(found: Callable[..., list[Strain]]):
    [strain] = found(gpus(since=ONSET, bad=HOT), asked=requests("gpu-1", "gpu-2", slow="gpu-1", since=ONSET), monitor={})
    assert strain.serves


@pytest.mark.parametrize(
    ("gauge", "bad", "said"),
    [
        (GPU_MEMORY, {"memory_used_bytes": int(23.6 * MIB)}, "memory of GPU 0 of host gpu-1 was 98 % full, usually 50 %"),
        (GPU_ERRORS, {"xids": [79]}, "GPU 0 of host gpu-1 had errors (XID 79)"),
    ],
)
def test_full_memory_and_errors_of_a_gpu_are_found(found: Callable[..., list[Strain]], gauge, bad, said):
    [strain] = found(gpus(since=ONSET, bad=bad))
    assert (strain.gauge, strain.said, strain.effect) == (gauge, said, None)


def test_memory_errors_that_are_counted_are_found_by_their_rise_and_not_by_their_number(found: Callable[..., list[Strain]]):
    rising = [replace(s, ecc_uncorrected=7 + max(0, (s.sampled_at - ONSET) // (6 * STEP))) for s in gpus()]
    [strain] = found(rising, gpus("gpu-2", ecc_uncorrected=900))
    assert strain.said == "GPU 0 of host gpu-1 had errors (memory errors that were not corrected)"


@pytest.mark.parametrize(
    ("gauge", "bad", "said"),
    [
        (STORAGE, {"io_wait_ratio": 0.4}, "storage contention on host gpu-1: processors waited for data 40 % of the time, usually 1 %"),
        (NETWORK, {"tcp_retransmitted_ratio": 0.05}, "network contention on host gpu-1: 5 % of TCP segments were sent again, usually 0.1 %"),
        (HOST_MEMORY, {"memory_used_bytes": 99}, "memory of host gpu-1 was 99 % full, usually 30 %"),
    ],
)
def test_contention_and_full_memory_of_a_host_are_found(found: Callable[..., list[Strain]], gauge, bad, said):
    [strain] = found(hosts(since=ONSET, bad=bad), hosts("gpu-2"))
    assert (strain.gauge, strain.said) == (gauge, said)


def test_a_system_that_tells_nothing_of_waits_and_segments_is_no_strain(found: Callable[..., list[Strain]]):
    assert found(hosts(io_wait_ratio=None, tcp_retransmitted_ratio=None)) == []


def test_a_gap_in_sampling_is_not_known_and_no_calm(found: Callable[..., list[Strain]]):
    assert found([s for s in gpus(since=ONSET, bad=HOT) if s.sampled_at <= ONSET]) == []
    [strain] = found([s for s in gpus(since=ONSET, bad=HOT) if not ONSET < s.sampled_at <= ONSET + DAY])
    assert strain.level.now == 1.0


def test_several_hosts_are_named_together(found: Callable[..., list[Strain]]):
    [strain] = found(gpus(since=ONSET, bad=HOT), gpus("gpu-2", since=ONSET, bad=HOT), asked=requests("gpu-1", "gpu-2"))
    assert strain.said.startswith("GPUs of hosts gpu-1 and gpu-2 throttled")
    assert strain.effect is None, "no other host to compare with"
