"""Energy is what the driver's counter rose by where both ends of an interval have it, else power times time; its parts add up to the whole."""

import itertools
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from draws import draws
from watchkeeper.adapters.gpu_hours import Claims, gpu_uses
from watchkeeper.adapters.lake import Lake
from watchkeeper.measures.gpu_use import Use
from watchkeeper.measures.price_spans import spans_of
from watchkeeper.samples import GpuProcess, GpuSample
from watchkeeper.windows import Grid

START = datetime(2025, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
JOULE = 1_000_000
WATTS = 50.0
"""What the power sensor says at each reading, which need not be the mean of the interval before."""


def reading(at: float, counter: float | None, *, seconds: float = 10.0, device: str = "g", **more: Any) -> GpuSample:
    given: dict[str, Any] = {"host": "a", "device_name": "NVIDIA L4", "power_w": WATTS, "utilisation_ratio": 0.5, **more}
    return GpuSample(sampled_at=START + at * SECOND, interval_s=seconds, device=0, device_uuid=device, energy_j=counter, **given)


def process(at: float, model: str, ran: float, *, device: str = "g") -> GpuProcess:
    given: dict[str, Any] = {"pid": sum(model.encode()), "name": "serve", "attributed_by": "process"}
    return GpuProcess(sampled_at=START + at * SECOND, interval_s=10.0, host="a", device_uuid=device, model=model, sm_ratio=ran, **given)


def uses(samples: Sequence[GpuSample], processes: Sequence[GpuProcess] = (), *, since: datetime = START - timedelta(hours=1)) -> list[Use]:
    """Return what was used hour by hour from a moment on."""
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(Path(folder))
        lake.append_records(GpuSample, samples)
        if processes:
            lake.append_records(GpuProcess, processes)
        windows = list(Grid("hour", "UTC").between(since, START + timedelta(hours=3)))
        return gpu_uses(lake, spans_of(windows, (), "UTC"), Claims(), now=START + timedelta(days=1))


def joules(found: Sequence[Use]) -> tuple[float, float]:
    """Return the energy, and what of it the counter told."""
    return sum(u.energy_uj for u in found) / JOULE, sum(u.energy_counted_uj for u in found) / JOULE


def test_the_first_reading_has_no_counter_before_it_and_the_others_go_by_the_counter():
    assert joules(uses([reading(10, 1000.0), reading(20, 1700.0), reading(30, 2500.0)])) == (500 + 700 + 800, 700 + 800)


def test_the_reading_that_opens_a_samplers_clock_is_the_first_end():
    assert joules(uses([reading(0, 1000.0, seconds=0.0), reading(10, 1400.0)])) == (400, 400)


def test_a_counter_that_went_back_counts_from_where_it_is_now():
    assert joules(uses([reading(10, 9000.0), reading(20, 30.0), reading(30, 330.0)])) == (500 + 500 + 300, 300)


@pytest.mark.parametrize("lacking", [None, 0.0], ids=["not told", "never counted"])
def test_a_reading_without_the_counter_is_power_times_time_and_so_is_the_next(lacking):
    assert joules(uses([reading(10, 1000.0), reading(20, lacking), reading(30, 2500.0), reading(40, 2600.0)])) == (500 + 500 + 500 + 100, 100)


def test_a_counter_that_stands_still_while_power_is_drawn_is_power_times_time():
    energy, counted = joules(uses([reading(10 * k, 77_777.0, power_w=300.0, utilisation_ratio=0.9) for k in range(1, 361)]))
    assert (energy / 3.6e6, counted) == (pytest.approx(0.3), 0)


def test_of_a_counter_that_is_told_more_slowly_than_it_is_read_no_joule_counts_twice():
    exporter = [1000.0, 1000.0, 1000.0, 1600.0, 1600.0, 1600.0, 3700.0]  # 600 J, and then 2,100 J, in 30 s
    found = joules(uses([reading(10 * k, counter) for k, counter in enumerate(exporter, 1)]))
    assert found == (6 * 500 + 700, 700), "nobody knows since when the first of them rose"


@pytest.mark.parametrize(("source", "counted"), [("nvml", 600 + 610 + 620), ("dcgm", 610 + 620)])
def test_the_first_rise_of_an_exporters_counter_is_an_estimate_since_it_may_be_of_time_before(source, counted):
    samples = [reading(10 * k, counter, source=source) for k, counter in enumerate([1000.0, 1600.0, 2210.0, 2830.0], 1)]
    assert joules(uses(samples)) == (500 * (2 if source == "dcgm" else 1) + counted, counted)


def test_a_slow_exporters_first_rise_holds_what_ran_before_anybody_looked():
    idle, busy = 10.0, 300.0  # busy until the first reading; the page tells of every 30 s at their end
    told = [0.0, 0.0, 30 * busy, 30 * busy, 30 * busy, 30 * (busy + idle)]
    found = joules(uses([reading(10 * k, 5000.0 + counter, source="dcgm", power_w=idle) for k, counter in enumerate(told, 1)]))
    assert found == (60 * idle, 10 * idle)


def test_after_a_gap_a_rise_of_an_exporter_is_measured_from_the_second_change_on():
    samples = [reading(at, counter, source="dcgm") for at, counter in [(10, 1000.0), (20, 1300.0), (100, 9000.0), (110, 9900.0), (120, 10_200.0)]]
    assert joules(uses(samples)) == (4 * 500 + 300, 300)


def test_a_rise_after_a_reading_without_the_counter_goes_back_to_where_it_stood():
    counters = [900.0, 1000.0, None, 1000.0, 2200.0]
    assert joules(uses([reading(10 * k, counter) for k, counter in enumerate(counters, 1)])) == (3 * 500 + 100 + 400, 100 + 400)


def test_a_counter_that_stood_still_for_more_than_two_hours_tells_nothing_by_its_rise():
    for still, counted in ((11, 12_000.0 * 600 / 7200), (12, 0.0)):  # readings ten minutes apart, the first of them where the counter stood still
        samples = [reading(-600.0 * k, 1000.0, seconds=600.0) for k in range(still, -1, -1)]
        samples.append(reading(-600.0 * (still + 1), 700.0, seconds=600.0))
        found = uses([*samples, reading(600, 13_000.0, seconds=600.0)], since=START)
        assert joules(found) == (counted or 600 * WATTS, counted)


def test_energy_is_not_known_where_a_counter_stands_still_and_nothing_tells_the_power():
    (use,) = uses([reading(10, 1000.0, power_w=None), reading(20, 1000.0, power_w=None)])
    assert (use.sampled_us, use.energy_known_us, use.energy_uj) == (20_000_000, 0, 0)


def test_energy_of_a_gap_in_sampling_is_in_no_sum():
    assert joules(uses([reading(10, 1000.0), reading(100, 9000.0), reading(110, 9200.0)])) == (500 + 500 + 200, 200)


def test_two_clocks_that_drift_a_little_do_not_lose_the_counter():
    energy, counted = joules(uses([reading(10, 1000.0), reading(20.05, 1401.0), reading(29.95, 1797.0, seconds=10.05)]))
    assert energy == pytest.approx(500 + 401 * 10 / 10.05 + 396)
    assert counted == pytest.approx(energy - 500)


def test_a_card_that_was_changed_has_a_counter_of_its_own():
    found = uses(
        [reading(10, 1000.0, device="old"), reading(20, 1300.0, device="old"), reading(30, 5000.0, device="new"), reading(40, 5200.0, device="new")]
    )
    assert joules(found) == (500 + 300 + 500 + 200, 300 + 200)


def test_a_counter_alone_tells_the_energy_of_a_gpu_without_a_power_sensor():
    (use,) = uses([reading(10, 1000.0, power_w=None), reading(20, 1300.0, power_w=None)])
    assert (use.sampled_us, use.energy_known_us, use.energy_uj) == (20_000_000, 10_000_000, 300 * JOULE)


def test_a_counter_that_another_sampler_reads_late_is_not_mixed_with_ones_own():
    mine = [reading(at, 100.0 * at) for at in (10, 20, 30, 40)]
    late = [reading(at + 5, 100.0 * (at - 5), source="dcgm", host="a.cluster") for at in (10, 20, 30, 40)]
    energy, counted = joules(uses([*mine, *late]))
    assert (energy, counted) == (20 * WATTS + 25 * 100, 25 * 100)  # of each the first, and of the exporter's the first rise


def test_a_made_up_counter_is_not_mixed_with_a_measured_one():
    found = uses([reading(10, 1000.0), reading(10, 7000.0, is_synthetic=True), reading(20, 1300.0), reading(20, 7900.0, is_synthetic=True)])
    assert joules([u for u in found if u.is_synthetic]) == (500 + 900, 900)
    assert joules([u for u in found if not u.is_synthetic]) == (500 + 300, 300)


def test_an_interval_across_the_hour_is_parted_by_time_and_hours_asked_alone_say_the_same():
    samples = [reading(at, 1000.0 + at, seconds=600.0) for at in range(300, 10_500, 600)]
    found = uses(samples)
    assert joules(found) == (pytest.approx(600 * WATTS + 600 * 16), pytest.approx(600 * 16))
    for hour in (1, 2):
        since = START + timedelta(hours=hour)
        assert uses(samples, since=since) == [u for u in found if u.window_start >= since]


def test_models_part_what_the_counter_told_as_they_part_the_time():
    found = uses([reading(10, 1000.0), reading(20, 1800.0)], [process(20, "one", 0.6), process(20, "two", 0.2)])
    assert {u.model: u.energy_counted_uj / JOULE for u in found if u.model} == {"one": 600, "two": 200}
    assert all(u.energy_counted_uj == u.energy_uj for u in found if u.model)


def test_slices_and_the_rest_of_a_gpu_part_what_its_counter_told():
    wholes = [reading(10, 1000.0), reading(20, 1700.0)]
    slices = [reading(at, None, device=name, parent_uuid="g", fraction=n / 7, power_w=None) for at in (10, 20) for name, n in (("s1", 3), ("s2", 2))]
    found = uses([*wholes, *slices])
    energy, counted = joules(found)
    assert (energy, counted) == (pytest.approx(500 + 700, abs=1e-4), pytest.approx(700, abs=1e-4))
    assert joules([u for u in found if u.how == "idle"])[1] == pytest.approx(200, abs=1e-3)


steps = st.lists(
    st.tuples(
        st.integers(1, 400),  # seconds of the interval
        st.sampled_from([0, 0, 0, 7, 300]),  # seconds of a gap before it
        st.sampled_from([0.0, 13.25, 700.125, None, "loaded again"]),  # what the counter rose by
        st.sampled_from([None, 17.0, 71.3]),
        st.sampled_from([{}, {"one": 0.3}, {"one": 0.33, "two": 0.1}, {"one": 0.1, "two": 0.1, "three": 0.7}]),
    ),
    min_size=1,
    max_size=25,
)


def told(
    series: Sequence[tuple[int, int, float | str | None, float | None, dict[str, float]]],
) -> Iterator[tuple[GpuSample, list[GpuProcess], float, float]]:
    """Yield each reading of a GPU with the processes on it, and its energy by hand: in all, and by the counter."""
    at, total, before, before_at, moved, is_seen = 0, 1e6, None, 0, 0, False
    for seconds, gap, rose, power, ran in series:
        at += seconds + gap
        total = 5.0 if rose == "loaded again" else total + (rose if isinstance(rose, float) else 400.0)
        counter = None if rose is None else total
        goes_on = counter is not None and before is not None and 20 * (at - seconds - before_at) <= at - before_at
        is_counted = goes_on and counter > before and (is_seen or moved == before_at)
        counted = (counter - before) * seconds / (at - moved) if is_counted and at - moved <= 7200 else 0.0
        energy = counted or (power or 0.0) * seconds
        yield reading(at, counter, seconds=seconds, power_w=power), [process(at, model, sm) for model, sm in ran.items()], energy, counted
        if counter is not None:
            moved, is_seen = (moved, is_seen) if counter == before else (at, goes_on)
            before, before_at = counter, at


@settings(max_examples=draws(40, at_each_change=12), deadline=None)
@given(steps)
def test_the_energy_of_all_models_and_of_nobody_is_that_of_the_readings(series):
    made = list(told(series))
    found = uses([sample for sample, *_ in made], list(itertools.chain.from_iterable(ran for _, ran, *_ in made)))
    energy, counted = joules(found)
    rounding = 3 * len(made) / JOULE  # a reading is in three hours at most, and each part of it is whole microjoules
    assert energy == pytest.approx(sum(e for *_, e, _ in made), abs=rounding)
    assert counted == pytest.approx(sum(c for *_, c in made), abs=rounding)
    assert all(0 <= u.energy_counted_uj <= u.energy_uj for u in found)
