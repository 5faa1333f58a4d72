"""Each row is in one window, and in one value of each segment column."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from measure_world import assert_same, quickly
from watchkeeper.profiles.counts import add
from watchkeeper.profiles.groups import MOST_VALUES, NULL, REST, dimensions, windows_of
from watchkeeper.profiles.scan import count_cells
from watchkeeper.windows import Grid

moments = st.datetimes(datetime(2013, 3, 8), datetime(2013, 3, 13)).map(lambda t: t.replace(tzinfo=UTC))  # noqa: DTZ001 - made UTC at once
US = pa.timestamp("us", "UTC")


@pytest.mark.parametrize("grain", ["hour", "day", "week", "month"])
@given(times=st.lists(moments, min_size=1, max_size=30))
@quickly
def test_a_row_is_in_the_window_that_holds_its_time_also_when_the_clocks_change(grain, times):
    grid = Grid(grain, "America/New_York")
    codes, starts = windows_of(pa.chunked_array([pa.array(times, US)]), grid)
    assert [starts[c] for c in codes] == [grid.at(t).start for t in times]
    assert starts == sorted(set(starts))


def test_the_first_moment_of_a_window_is_in_it_and_the_last_before_is_not():
    grid = Grid("day", "UTC")
    midnight = datetime(2024, 1, 2, tzinfo=UTC)
    codes, starts = windows_of(pa.chunked_array([pa.array([midnight - timedelta(microseconds=1), midnight], US)]), grid)
    assert [starts[c] for c in codes] == [midnight - timedelta(days=1), midnight]


def test_no_rows_are_in_no_window():
    codes, starts = windows_of(pa.chunked_array([], US), Grid("day", "UTC"))
    assert (len(codes), starts) == (0, [])


def test_segments_are_named_null_too_and_only_pairs_that_occur():
    table = pa.table({"carrier": ["VX", None, "UA"], "origin": ["JFK", "EWR", "EWR"]})
    whole, carrier, pair = dimensions(table, np.zeros(3, np.int64), [datetime(2024, 1, 1, tzinfo=UTC)], ["carrier", "carrier&origin", "absent"])
    assert whole.is_whole
    assert [carrier.segments[c] for c in carrier.codes] == ["carrier=VX", f"carrier={NULL}", "carrier=UA"]
    assert [pair.segments[c] for c in pair.codes] == ["carrier=VX&origin=JFK", f"carrier={NULL}&origin=EWR", "carrier=UA&origin=EWR"]
    assert pair.size == 3


def test_of_ten_thousand_segment_values_the_most_frequent_keep_their_name_and_no_row_is_lost():
    values = [f"v{i:05d}" for i in range(10_000)] + [f"v{i:05d}" for i in range(MOST_VALUES)]
    _, ours = dimensions(pa.table({"s": values}), np.zeros(len(values), np.int64), [datetime(2024, 1, 1, tzinfo=UTC)], ["s"])
    assert set(ours.segments) == {f"s=v{i:05d}" for i in range(MOST_VALUES)} | {f"s={REST}"}
    sizes = dict(zip(ours.segments, np.bincount(ours.codes).tolist(), strict=True))
    assert sizes.pop(f"s={REST}") == 9_800
    assert set(sizes.values()) == {2}


def test_days_sum_to_their_weeks_and_segments_to_the_whole():
    rng = np.random.default_rng(4)
    start = datetime(2013, 3, 4, 5, tzinfo=UTC)
    seconds = rng.integers(0, 21 * 86_400, 3000).tolist()
    table = pa.table({"t": pa.array([start + timedelta(seconds=s) for s in seconds], US), "s": rng.choice(["a", "b", None], 3000).tolist()})
    cells, values = rng.integers(0, 5, 3000), rng.normal(size=3000)
    sums = {}
    for grain in ("day", "week"):
        grid = Grid(grain, "America/New_York")
        for dimension in dimensions(table, *windows_of(table.column("t"), grid), ["s"]):
            counts = count_cells(cells, 5, values, np.zeros(3000, bool), dimension.codes, dimension.size)
            sums[grain, dimension.is_whole] = [(begin, segment, counts[g]) for g, begin, segment in dimension.named()]
    weeks = Grid("week", "America/New_York")
    for is_whole in (True, False):
        for begin, segment, whole in sums["week", is_whole]:
            assert_same(add(c for day, s, c in sums["day", is_whole] if weeks.at(day).start == begin and s == segment), whole)
    for begin, _, whole in sums["day", True]:
        assert_same(add(c for day, _, c in sums["day", False] if day == begin), whole)
