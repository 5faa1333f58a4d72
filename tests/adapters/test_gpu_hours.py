"""GPU time is counted once, exactly, however the readings came."""

import itertools
import tempfile
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from draws import draws
from watchkeeper.adapters.gpu_hours import Claims, first_uses, gpu_uses
from watchkeeper.adapters.lake import Lake
from watchkeeper.measures.gpu_use import Use
from watchkeeper.measures.price_spans import spans_of
from watchkeeper.samples import GpuSample
from watchkeeper.windows import Grid

START = datetime(2025, 1, 1, tzinfo=UTC)
TICK = timedelta(seconds=5)
SPAN = 200
LATER = START + timedelta(days=30)
SECOND = 1_000_000


def reading(
    end: int,
    ticks: int,
    *,
    host: str = "a",
    device: int = 0,
    model: str = "one",
    busy: float | None = 0.5,
    power: float | None = 50.0,
    **more: float | None,
) -> GpuSample:
    return GpuSample(
        sampled_at=START + TICK * end,
        interval_s=TICK.total_seconds() * ticks,
        host=host,
        device=device,
        device_uuid=f"{host}-{device}",
        device_name="NVIDIA L4",
        model=model,
        utilisation_ratio=busy,
        power_w=power,
        **more,
    )


def uses(samples: Sequence[GpuSample], *, batches: int = 1, grain="hour", hosts: dict[str, str] | None = None, now: datetime = LATER) -> list[Use]:
    """Land readings in a lake of their own and add them up by hour."""
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(Path(folder))
        for part in range(batches):
            lake.append_records(GpuSample, samples[part::batches])
        windows = list(Grid(grain, "UTC").between(START - timedelta(hours=1), START + timedelta(hours=2)))
        return gpu_uses(lake, spans_of(windows, (), "UTC"), Claims({h: [m] for h, m in (hosts or {}).items()}), now=now)


def seconds_by(found: Iterable[Use], field: str) -> dict[object, float]:
    total: dict[object, float] = {}
    for use in found:
        total[getattr(use, field)] = total.get(getattr(use, field), 0) + use.sampled_us / SECOND
    return total


readings = st.builds(
    reading,
    st.integers(0, SPAN),
    st.integers(1, 40),
    host=st.sampled_from("ab"),
    device=st.integers(0, 1),
    model=st.sampled_from(["", "one", "two"]),
    busy=st.sampled_from([None, 0.0, 0.37, 1.0]),
    power=st.sampled_from([None, 17.0, 71.3]),
    energy_j=st.sampled_from([None, 1000.0, 1400.5, 9000.0]),
)
many = st.lists(readings, min_size=1, max_size=30)
few_runs = settings(max_examples=draws(12, at_each_change=6), deadline=None)


@few_runs
@given(many)
def test_time_that_several_samplers_claim_is_counted_once(samples):
    covered = {
        (s.device_uuid, tick)
        for s in samples
        for tick in range((s.sampled_at - START) // TICK - int(s.interval_s // 5), (s.sampled_at - START) // TICK)
    }
    assert sum(u.sampled_us for u in uses(samples)) == len(covered) * 5 * SECOND


@few_runs
@given(many, st.randoms(use_true_random=False), st.integers(1, 4))
def test_the_order_and_the_commits_in_which_readings_land_change_nothing(samples, random, batches):
    shuffled = list(samples)
    random.shuffle(shuffled)
    assert uses(shuffled, batches=batches) == uses(samples)


@few_runs
@given(many)
def test_hours_add_up_to_the_day(samples):
    by_hour, by_day = uses(samples), uses(samples, grain="day")
    assert seconds_by(by_hour, "model") == seconds_by(by_day, "model")
    assert seconds_by(by_hour, "device_uuid") == seconds_by(by_day, "device_uuid")


@few_runs
@given(st.lists(st.tuples(st.integers(1, 20), st.sampled_from(["one", "two", ""])), min_size=1, max_size=20))
def test_readings_cut_in_two_give_what_whole_ones_give(lengths):
    ends = itertools.accumulate(ticks for ticks, _ in lengths)
    whole = [reading(end, ticks, model=model) for end, (ticks, model) in zip(ends, lengths, strict=True) if end <= SPAN]
    cut = [reading((s.sampled_at - START) // TICK - half, ticks, model=s.model) for s in whole for half, ticks in halves(s)]
    columns = ("sampled_us", "busy_us", "busy_known_us", "energy_uj", "energy_known_us", "device_us", "model", "window_start")
    assert [[getattr(u, c) for c in columns] for u in uses(cut)] == [[getattr(u, c) for c in columns] for u in uses(whole)]


def halves(sample: GpuSample) -> list[tuple[int, int]]:
    """Return (ticks before the end, ticks) of the two halves of a reading."""
    ticks = int(sample.interval_s // 5)
    second = ticks // 2
    return [(second, ticks - second)] + ([(0, second)] if second else [])


def test_a_gap_in_sampling_is_unknown_and_not_billed():
    found = uses([reading(2, 2), reading(102, 2)])
    assert sum(u.sampled_us for u in found) == 20 * SECOND


def test_a_node_that_lived_90_seconds_is_billed_for_90_seconds():
    found = uses([reading(0, 0), *(reading(n, 2) for n in range(2, 19, 2))])
    assert sum(u.sampled_us for u in found) == 90 * SECOND


def test_a_reading_across_the_hour_is_split_between_the_hours():
    on_the_hour = timedelta(hours=1) // TICK
    found = uses([reading(on_the_hour + 1, 3)])
    assert [(u.window_start, u.sampled_us) for u in found] == [(START, 10 * SECOND), (START + timedelta(hours=1), 5 * SECOND)]


def test_no_reading_stands_for_more_than_an_hour():
    assert sum(u.sampled_us for u in uses([reading(0, 10_000)])) == 3600 * SECOND


def test_readings_after_now_do_not_exist():
    samples = [reading(2, 2), reading(4, 2)]
    assert sum(u.sampled_us for u in uses(samples, now=START + 2 * TICK)) == 10 * SECOND


def test_a_reading_without_power_adds_time_and_no_energy():
    (use,) = uses([reading(2, 2, power=100.0), reading(4, 2, power=None)])
    assert (use.sampled_us, use.energy_known_us, use.energy_uj) == (20 * SECOND, 10 * SECOND, 1000 * SECOND)


def test_a_reading_without_utilisation_is_not_idle():
    (use,) = uses([reading(2, 2, busy=1.0), reading(4, 2, busy=None)])
    assert (use.busy_known_us, use.busy_us) == (10 * SECOND, 10 * SECOND)


def test_the_readings_own_model_comes_before_the_hosts():
    found = uses([reading(2, 2, model="one"), reading(4, 2, model="")], hosts={"a": "two"})
    assert seconds_by(found, "model") == {"one": 10.0, "two": 10.0}


def test_a_made_up_reading_never_hides_a_measured_one():
    import dataclasses

    measured = reading(2, 2)
    found = uses([dataclasses.replace(measured, is_synthetic=True), measured])
    assert seconds_by(found, "is_synthetic") == {True: 10.0, False: 10.0}


def test_a_models_telemetry_begins_with_its_first_reading_known_by_now(tmp_path):
    lake = Lake(tmp_path)
    assert first_uses(lake, Claims(), now=LATER) == {}
    lake.append_records(GpuSample, [reading(10, 2), reading(50, 2, host="b", model=""), reading(90, 2, host="c", model="")])
    assert first_uses(lake, Claims(), now=START) == {}
    begins = first_uses(lake, Claims({"b": ["two"]}), now=LATER)
    assert begins.keys() == {"one", "two", None}
    assert first_uses(lake, Claims({"b": ["two", "one"]}), now=LATER, models=["two"]) == {"two": begins["two"]}
    assert first_uses(lake, Claims({"c": ["three"]}), now=LATER, models=["one", "three"]) == {"one": begins["one"], "three": begins[None] + TICK * 80}
    assert first_uses(lake, Claims(), now=LATER, models=[]) == {}
    assert all(begins[model] <= START + TICK * (end - 2) for model, end in {"one": 10, "two": 50, None: 90}.items())
