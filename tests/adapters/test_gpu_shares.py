"""A GPU second goes to one account, whole: by process, container, host or requests, of slices by their fraction; what is left is nobody's or idle."""

import tempfile
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from draws import draws
from watchkeeper.adapters.arrow_records import TIMESTAMP
from watchkeeper.adapters.gpu_hours import Claims, gpu_uses
from watchkeeper.adapters.lake import Lake
from watchkeeper.measures.gpu_use import Use
from watchkeeper.measures.price_spans import spans_of
from watchkeeper.monitor import Monitor
from watchkeeper.samples import GpuProcess, GpuSample
from watchkeeper.windows import Grid

START = datetime(2025, 1, 1, tzinfo=UTC)
TICK = timedelta(seconds=5)
TICK_US = 5_000_000
LATER = START + timedelta(days=30)
WHOLE_E9 = 1_000_000_000


def reading(end: int, ticks: int = 2, *, device: str = "g", parent: str = "", busy: float | None = 0.5, **more: Any) -> GpuSample:
    given: dict[str, Any] = {"host": "a", "device_name": "NVIDIA A100-SXM4-40GB", "power_w": 100.0, **more}
    return GpuSample(
        sampled_at=START + TICK * end,
        interval_s=TICK.total_seconds() * ticks,
        device=0,
        device_uuid=device,
        parent_uuid=parent,
        utilisation_ratio=busy,
        **given,
    )


def process(end: int, pid: int, model: str = "", *, device: str = "g", ticks: int = 2, **more: Any) -> GpuProcess:
    how = "process" if model else ""
    given: dict[str, Any] = {"host": "a", "attributed_by": how, **more}
    return GpuProcess(sampled_at=START + TICK * end, interval_s=TICK.total_seconds() * ticks, device_uuid=device, pid=pid, model=model, **given)


def monitor(model: str) -> Monitor:
    words = {"task": "binary", "events": {"files": "x"}, "columns": {"id": "id", "time": "at", "score": "p"}}
    return Monitor.model_validate({"model": model, "reference": {"from": "2025-01-01", "to": "2025-01-02"}, **words})


def uses(
    samples: Sequence[GpuSample],
    processes: Sequence[GpuProcess] = (),
    *,
    hosts: dict[str, list[str]] | None = None,
    asked: dict[str, Sequence[datetime]] | None = None,
    grain: Any = "hour",
) -> list[Use]:
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(Path(folder))
        lake.append_records(GpuSample, samples)
        if processes:
            lake.append_records(GpuProcess, processes)
        for model, moments in (asked or {}).items():
            times = pa.array(list(moments), TIMESTAMP)
            lake.append(f"events/{model}", pa.table({"p": [0.5] * len(moments), "wk_time": times, "wk_landed_at": times}))
        claims = Claims(hosts or {}, {m: monitor(m) for m in asked or {}})
        windows = list(Grid(grain, "UTC").between(START - timedelta(hours=1), START + timedelta(hours=2)))
        return gpu_uses(lake, spans_of(windows, (), "UTC"), claims, now=LATER)


def us_by(found: Iterable[Use], *fields: str) -> dict[Any, int]:
    total: dict[Any, int] = {}
    for use in found:
        name = tuple(getattr(use, f) for f in fields) if len(fields) > 1 else getattr(use, fields[0])
        total[name] = total.get(name, 0) + use.sampled_us
    return total


def ten(seconds: float) -> int:
    return round(seconds * 1_000_000)


# The order in which a model is known


def test_processes_part_a_gpu_by_the_time_their_kernels_ran():
    found = uses([reading(2)], [process(2, 1, "one", sm_ratio=0.6), process(2, 2, "two", sm_ratio=0.2)])
    assert us_by(found, "model") == {"one": ten(7.5), "two": ten(2.5)}


def test_without_that_they_part_it_by_memory():
    found = uses([reading(2)], [process(2, 1, "one", memory_used_bytes=30), process(2, 2, "two", memory_used_bytes=10, sm_ratio=0.9)])
    assert us_by(found, "model") == {"one": ten(7.5), "two": ten(2.5)}


def test_without_either_they_part_it_evenly():
    found = uses([reading(2)], [process(2, pid, model) for pid, model in enumerate(["one", "two", "three"])])
    assert sorted(us_by(found, "model").values()) == [3_333_333, 3_333_333, 3_333_334]


def test_processes_that_hold_memory_and_run_nothing_part_it_by_memory():
    found = uses(
        [reading(2, busy=0.0)], [process(2, 1, "one", memory_used_bytes=30, sm_ratio=0.0), process(2, 2, "two", memory_used_bytes=10, sm_ratio=0.0)]
    )
    assert us_by(found, "model") == {"one": ten(7.5), "two": ten(2.5)}
    assert sum(u.still_us for u in found) == ten(10)


def test_containers_and_environments_are_told_apart_from_processes():
    found = uses([reading(2)], [process(2, -1, "one", attributed_by="container"), process(2, 2, "two", attributed_by="environment")])
    assert us_by(found, "model", "how") == {("one", "container"): ten(5), ("two", "environment"): ten(5)}


def test_what_processes_leave_open_goes_by_the_host_and_not_to_the_other_process():
    found = uses([reading(2)], [process(2, 1, "one"), process(2, 2)], hosts={"a": ["two"]})
    assert us_by(found, "model", "how") == {("one", "process"): ten(5), ("two", "host"): ten(5)}


def test_an_unknown_process_on_a_host_of_nobody_is_unattributed_though_it_sleeps():
    found = uses([reading(2, busy=0.0)], [process(2, 1, "one"), process(2, 2)])
    assert us_by(found, "model", "how") == {("one", "process"): ten(5), (None, "unattributed"): ten(5)}


def test_a_gpu_that_runs_nothing_and_nobody_holds_is_idle_and_a_busy_one_is_unattributed():
    found = uses([reading(2, busy=0.0), reading(4, busy=0.3), reading(6, busy=None)])
    assert us_by(found, "account") == {"idle": ten(10), "unattributed": ten(20)}


def test_an_idle_gpu_of_a_models_own_host_is_that_models_and_wasted():
    (use,) = uses([reading(2, busy=0.0)], hosts={"a": ["one"]})
    assert (use.model, use.how, use.still_us) == ("one", "host", ten(10))


def test_a_host_that_several_share_is_parted_by_their_predictions_of_the_hour():
    in_first = [START + timedelta(minutes=m) for m in range(30)]
    asked = {"one": in_first, "two": in_first[:10]}
    on_the_hour = timedelta(hours=1) // TICK
    found = uses([reading(4, 4), reading(on_the_hour + 4, 4, busy=0.0)], hosts={"a": ["one", "two"]}, asked=asked)
    assert us_by(found, "model", "how") == {("one", "requests"): ten(15), ("two", "requests"): ten(5), (None, "idle"): ten(20)}


def test_processes_come_before_shared_requests():
    asked = {"one": [START], "two": [START]}
    found = uses([reading(2)], [process(2, 1, "one"), process(2, 2)], hosts={"a": ["one", "two"]}, asked=asked)
    assert us_by(found, "model", "how") == {("one", "process"): ten(5), ("one", "requests"): ten(2.5), ("two", "requests"): ten(2.5)}


def test_training_and_serving_are_told_apart_with_version_and_team():
    found = uses([reading(2)], [process(2, 1, "one", version="3"), process(2, 2, "one", purpose="training", team="lab")])
    assert us_by(found, "purpose", "version", "team") == {("serving", "3", ""): ten(5), ("training", "", "lab"): ten(5)}


# Several samplers


def test_a_reading_without_processes_takes_those_that_another_sampler_saw_meanwhile():
    found = uses([reading(3, 3, source="dcgm", host="a.cluster"), reading(4, 4)], [process(4, 1, "one", ticks=4)])
    assert us_by(found, "model") == {"one": ten(20)}


def test_processes_seen_later_say_nothing_of_the_time_before():
    found = uses([reading(2), reading(8)], [process(8, 1, "one")])
    assert us_by(found, "account") == {"unattributed": ten(10), "model": ten(10)}


def test_a_gpu_that_two_hosts_name_is_one_gpu():
    found = uses([reading(2, host="pod-1"), reading(2, host="pod-2")], [process(2, 1, "one", host="pod-1"), process(2, 1, "two", host="pod-2")])
    assert us_by(found, "model") == {"one": ten(5), "two": ten(5)}


def test_the_same_process_told_twice_counts_once():
    twice = [process(2, 1, "one", sm_ratio=0.5), process(2, 1, "one", sm_ratio=0.5), process(2, 2, "two", sm_ratio=0.5)]
    assert us_by(uses([reading(2)], twice), "model") == {"one": ten(5), "two": ten(5)}


# MIG


def slices(end: int, *parts: tuple[str, int], busy: float | None = 0.5, **more: Any) -> list[GpuSample]:
    return [reading(end, device=name, parent="g", fraction=sevenths / 7, busy=busy, power_w=None, **more) for name, sevenths in parts]


def test_slices_take_their_fraction_and_the_gpu_is_not_billed_a_second_time():
    found = uses([reading(2, busy=None), *slices(2, ("s1", 3), ("s2", 2))], [process(2, 1, "one", device="s1"), process(2, 2, "two", device="s2")])
    held = us_by(found, "model")
    assert held == {"one": pytest.approx(10e6 * 3 / 7, abs=1), "two": pytest.approx(10e6 * 2 / 7, abs=1), None: pytest.approx(10e6 * 2 / 7, abs=1)}
    assert sum(held.values()) == ten(10)
    assert us_by(found, "account").keys() == {"model", "idle"}


def test_slices_without_their_gpus_reading_are_billed_and_the_rest_is_unknown():
    found = uses(slices(2, ("s1", 3)), [process(2, 1, "one", device="s1")])
    assert us_by(found, "model") == {"one": pytest.approx(10e6 * 3 / 7, abs=1)}


def test_slices_that_make_a_whole_gpu_leave_nothing_over():
    found = uses([reading(2), *slices(2, ("s1", 3), ("s2", 2), ("s3", 2))])
    assert sum(u.sampled_us for u in found) == ten(10)
    assert us_by(found, "how") == {"unattributed": ten(10)}


def test_slices_have_the_name_of_their_gpu_by_which_it_is_priced():
    found = uses(slices(2, ("s1", 3), device_name="NVIDIA A100-SXM4-40GB MIG 3g.20gb"))
    assert {u.device_name for u in found} == {"NVIDIA A100-SXM4-40GB"}


def test_the_energy_of_a_gpu_is_that_of_its_slices_and_its_rest():
    found = uses([reading(2, power_w=70.0), *slices(2, ("s1", 3), ("s2", 2))])
    assert sum(u.energy_uj for u in found) == pytest.approx(700e6, abs=3)
    assert sum(u.energy_uj for u in found if u.how == "idle") == pytest.approx(200e6, abs=100)


def test_a_gpu_that_is_cut_during_the_day_is_whole_before_and_cut_after():
    found = uses([reading(2), reading(4), *slices(4, ("s1", 3))], [process(2, 1, "one"), process(4, 2, "two", device="s1")])
    assert us_by(found, "model") == {"one": ten(10), "two": pytest.approx(10e6 * 3 / 7, abs=1), None: pytest.approx(10e6 * 4 / 7, abs=1)}


# Whatever is sampled


def _fraction(sevenths: int) -> Fraction:
    return Fraction(round(sevenths / 7 * 1e9), WHOLE_E9)


devices = st.sampled_from([("w", "", 7), ("v", "", 7), ("g", "", 7), ("s1", "g", 3), ("s2", "g", 2), ("s3", "g", 1)])
sampled = st.builds(
    lambda end, ticks, device, busy, host: reading(
        end, ticks, device=device[0], parent=device[1], fraction=device[2] / 7, busy=busy, power_w=None if device[1] else 90.0, host=host
    ),
    st.integers(1, 60),
    st.integers(1, 12),
    devices,
    st.sampled_from([None, 0.0, 0.37, 1.0]),
    st.sampled_from("ab"),
)
ran = st.builds(
    lambda end, pid, device, model, sm, memory: process(end, pid, model, device=device[0], sm_ratio=sm, memory_used_bytes=memory),
    st.integers(1, 60),
    st.integers(1, 3),
    devices,
    st.sampled_from(["", "one", "two", "three"]),
    st.sampled_from([None, 0.0, 0.1, 0.33]),
    st.sampled_from([None, 7_000_000_000, 80_000_000_001]),
)


def owed(samples: Sequence[GpuSample]) -> dict[str, Fraction]:
    """Return GPU -> microseconds that are to be billed, tick by tick: all of it where its own reading is there, else its slices'."""
    seen: dict[int, dict[str, GpuSample]] = {}
    for s in samples:
        end = (s.sampled_at - START) // TICK
        for tick in range(end - int(s.interval_s // 5), end):
            seen.setdefault(tick, {})[s.device_uuid] = s
    total: dict[str, Fraction] = {}
    for here in seen.values():
        for gpu in ("w", "v", "g"):
            cut = sum((_fraction(round(s.fraction * 7)) for s in here.values() if s.parent_uuid == gpu), Fraction(0))
            total[gpu] = total.get(gpu, Fraction(0)) + (Fraction(1) if gpu in here else min(cut, Fraction(1))) * TICK_US
    return total


@settings(max_examples=draws(40, at_each_change=8), deadline=None)
@given(
    st.lists(sampled, min_size=1, max_size=25), st.lists(ran, max_size=25), st.sampled_from([{}, {"a": ["one"]}, {"a": ["one", "two"], "b": ["two"]}])
)
def test_models_idle_and_unattributed_add_up_to_what_was_sampled_whatever_that_was(samples, processes, hosts):
    found = uses(samples, processes, hosts=hosts, asked={"one": [START + TICK * 7], "two": [START + TICK * 9, START + TICK * 11]})
    due, billed = owed(samples), us_by(found, "device_uuid")
    for gpu in ("w", "v"):
        assert billed.get(gpu, 0) == due[gpu]
    always_whole = all(s.device_uuid != "g" for s in samples) is False and due["g"].denominator == 1
    assert billed.get("g", 0) == (due["g"] if always_whole else pytest.approx(float(due["g"]), abs=60))  # parts of microseconds that nobody is billed
    assert all(u.sampled_us >= 0 and u.busy_us <= u.busy_known_us <= u.sampled_us and u.still_us <= u.sampled_us for u in found)
    assert {u.account for u in found} <= {"model", "unattributed", "idle"}


@settings(max_examples=draws(20, at_each_change=4), deadline=None)
@given(st.lists(sampled, min_size=1, max_size=25), st.lists(ran, max_size=25))
def test_hours_add_up_to_the_day_for_every_model(samples, processes):
    by_hour, by_day = uses(samples, processes), uses(samples, processes, grain="day")
    for fields in (("model", "how"), ("device_uuid",)):
        assert us_by(by_hour, *fields) == us_by(by_day, *fields)


@settings(max_examples=draws(20, at_each_change=4), deadline=None)
@given(st.lists(sampled, min_size=1, max_size=20), st.lists(ran, max_size=20), st.randoms(use_true_random=False))
def test_the_order_in_which_readings_land_changes_no_share(samples, processes, random):
    other, some = list(samples), list(processes)
    random.shuffle(other)
    random.shuffle(some)
    assert uses(other, some) == uses(samples, processes)
