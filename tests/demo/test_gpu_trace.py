"""The demo's GPU trace: made up, says so, and is the same every time."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.adapters.gpu_hours import Claims, gpu_uses
from watchkeeper.adapters.lake import Lake
from watchkeeper.demo.gpu_trace import gpu_trace, land_gpu_trace
from watchkeeper.measures.price_spans import spans_of
from watchkeeper.windows import Grid

START, END = datetime(2013, 4, 1, 4, tzinfo=UTC), datetime(2014, 1, 1, 5, tzinfo=UTC)
ZONE = "America/New_York"
WEEK = timedelta(days=7)


def trace(start=START, end=START + WEEK, **more):
    return gpu_trace(start, end, model="flight_delays", timezone=ZONE, **more)


def test_every_reading_is_marked_synthetic():
    assert pc.all(trace()["is_synthetic"]).as_py()


def test_april_to_december_stays_under_100_000_rows():
    assert 75_000 < trace(START, END).num_rows < 100_000


def test_a_seed_gives_one_trace():
    assert trace(seed=1).equals(trace(seed=1))
    assert not trace(seed=1).equals(trace(seed=2))


def test_gpus_are_busy_when_flights_leave_and_idle_at_night():
    made = trace()
    local = pc.hour(made["sampled_at"].cast(pa.timestamp("us", ZONE)))
    day = pc.mean(made.filter(pc.and_(pc.greater_equal(local, 8), pc.less(local, 20)))["utilisation_ratio"]).as_py()
    night = pc.mean(made.filter(pc.less(local, 4))["utilisation_ratio"]).as_py()
    assert night < 0.05
    assert 0.3 < day < 0.8


def test_a_week_of_two_gpus_is_336_hours_and_landing_it_twice_changes_nothing(tmp_path):
    lake = Lake(tmp_path)
    windows = list(Grid("week", ZONE).between(START, START + WEEK))
    seen = []
    for _ in range(2):
        assert land_gpu_trace(lake, START, START + WEEK, model="flight_delays", timezone=ZONE) == 2 * 7 * 144
        seen.append(gpu_uses(lake, spans_of(windows, (), ZONE), Claims(), now=END))
    assert sum(u.sampled_us for u in seen[0]) == 336 * 3_600_000_000
    assert seen[0] == seen[1]
