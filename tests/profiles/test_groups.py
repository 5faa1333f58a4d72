"""Each row is in one window, one version and one value of each segment column, piece after piece."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from measure_world import assert_same, quickly
from watchkeeper.profiles.bins import fit_category
from watchkeeper.profiles.counted import of_rows
from watchkeeper.profiles.counts import add
from watchkeeper.profiles.groups import MOST_VALUES, MOST_VERSIONS, NULL, REST, Grouping, GroupKey
from watchkeeper.windows import Grid

moments = st.datetimes(datetime(2013, 3, 8), datetime(2013, 3, 13)).map(lambda t: t.replace(tzinfo=UTC))  # noqa: DTZ001 - made UTC at once
US = pa.timestamp("us", "UTC")
DAY = datetime(2024, 1, 1, tzinfo=UTC)
SAME = {"batch": "b", "version": "", "environment": "production"}
COLUMNS = {"time": "t", "batch": "batch", "version": "version", "environment": "environment"}


def grouping(*segments: str, grain="day", zone="UTC", **more) -> Grouping:
    return Grouping(Grid(grain, zone), COLUMNS, SAME, segments, **more)


def table(rows: int, **columns) -> pa.Table:
    return pa.table({"t": pa.array([DAY] * rows, US), **columns})


def keys_of(ours: Grouping, rows: pa.Table, dimension: int = 0) -> list[GroupKey | None]:
    """The key of every row."""
    keys = ours.number(rows)[dimension], ours.dimensions[dimension].keys
    return [keys[1][g] if g >= 0 else None for g in keys[0]]


@pytest.mark.parametrize("grain", ["hour", "day", "week", "month"])
@given(times=st.lists(moments, min_size=1, max_size=30))
@quickly
def test_a_row_is_in_the_window_that_holds_its_time_also_when_the_clocks_change(grain, times):
    ours = grouping(grain=grain, zone="America/New_York")
    found = keys_of(ours, pa.table({"t": pa.array(times, US)}))
    assert [k.start for k in found] == [Grid(grain, "America/New_York").at(t).start for t in times]


def test_the_first_moment_of_a_window_is_in_it_and_the_last_before_is_not():
    midnight = datetime(2024, 1, 2, tzinfo=UTC)
    rows = pa.table({"t": pa.array([midnight - timedelta(microseconds=1), midnight], US)})
    assert [k.start for k in keys_of(grouping(), rows)] == [midnight - timedelta(days=1), midnight]


class Told:
    """Rows that know between which times they lie, and count how often their times are read."""

    def __init__(self, rows: pa.Table, first: datetime, last: datetime) -> None:
        self.rows, self.told, self.read = rows, pa.array([first, last], US), 0
        self.num_rows, self.column_names = rows.num_rows, rows.column_names

    def bounds(self, column: str) -> pa.Array | None:
        return self.told if column == "t" else None

    def column(self, i: str) -> pa.ChunkedArray:
        self.read += i == "t"
        return self.rows.column(i)


def test_times_that_are_known_to_lie_in_one_window_are_not_read():
    first, last = DAY, DAY + timedelta(days=1) - timedelta(microseconds=1)
    inside = Told(pa.table({"t": pa.array([first, last], US)}), first, last)
    across = Told(pa.table({"t": pa.array([first, last + timedelta(microseconds=1)], US)}), first, last + timedelta(microseconds=1))
    assert ([k.start for k in keys_of(grouping(), inside)], inside.read) == ([DAY, DAY], 0)
    assert ([k.start for k in keys_of(grouping(), across)], across.read) == ([DAY, DAY + timedelta(days=1)], 1)


def test_no_rows_are_in_no_window():
    ours = grouping()
    assert len(ours.number(table(0))[0]) == 0
    assert ours.dimensions[0].sizes.sum() == 0


@given(
    pieces=st.lists(
        st.lists(st.tuples(moments, st.sampled_from(["v1", "v2", None]), st.sampled_from(["a", "b", None])), max_size=12), min_size=1, max_size=4
    )
)
@quickly
def test_pieces_number_their_rows_as_one_table_would_and_sizes_count_them(pieces):
    ours = grouping("s")
    expected: Counter = Counter()
    for piece in pieces:
        times, versions, segments = ([row[i] for row in piece] for i in range(3))
        rows = pa.table({"t": pa.array(times, US), "version": pa.array(versions, pa.string()), "s": pa.array(segments, pa.string())})
        wanted = [GroupKey(Grid("day", "UTC").at(t).start, "b", v or "", "production", f"s={s or NULL}") for t, v, s in piece]
        assert keys_of(ours, rows, 1) == wanted
        expected.update(wanted)
    parted = ours.dimensions[1] if len(ours.dimensions) > 1 else None
    assert parted is not None
    assert {k: n for k, n in zip(parted.keys, parted.sizes.tolist(), strict=True) if n} == expected
    assert ours.whole.sizes.sum() == expected.total()


def test_of_thousands_of_versions_a_thousand_keep_their_names_and_no_row_is_lost():
    ours, versions = grouping("s"), [f"build-{i % 3000}" for i in range(6000)]
    for rows in (table(6000, version=versions, s=["x"] * 6000), table(3, version=["build-0", "build-2999", None], s=["x"] * 3)):
        ours.number(rows)
    for dimension in ours.dimensions:
        sizes = {k.version: n for k, n in zip(dimension.keys, dimension.sizes.tolist(), strict=True)}
        assert len(sizes) == MOST_VERSIONS + 2
        assert [sizes[v] for v in ("build-0", "build-999", REST, "")] == [3, 2, 4001, 1]
        assert sum(sizes.values()) == 6003


def test_rows_of_other_batches_belong_to_no_group():
    ours = grouping("s", batches=frozenset({"b1", "b3"}))
    rows = table(4, batch=["b1", "b2", "b3", None], s=["x"] * 4)
    assert [k and k.batch_id for k in keys_of(ours, rows)] == ["b1", None, "b3", "b"]
    assert [g >= 0 for g in grouping("s", batches=frozenset({"b2"})).number(table(2, batch=["b1", "b2"], s=["x", "x"]))[1]] == [False, True]


def test_segments_are_named_null_too_and_only_pairs_that_occur():
    rows = table(3, carrier=["VX", None, "UA"], origin=["JFK", "EWR", "EWR"])
    ours = grouping("carrier", "carrier&origin", "absent")
    whole, carrier, pair = ours.number(rows)
    assert len(set(whole)) == 1
    one, two = ours.dimensions[1:]
    assert [one.keys[g].segment for g in carrier] == ["carrier=VX", f"carrier={NULL}", "carrier=UA"]
    assert [two.keys[g].segment for g in pair] == ["carrier=VX&origin=JFK", f"carrier={NULL}&origin=EWR", "carrier=UA&origin=EWR"]
    assert len(two.keys) == 3


def test_of_ten_thousand_known_segment_values_the_most_frequent_keep_their_name_and_no_row_is_lost():
    values = [f"v{i:05d}" for i in range(10_000)] + [f"v{i:05d}" for i in range(MOST_VALUES)]
    ours = grouping("s", known={"s": fit_category("s", Counter(values))})
    ours.number(table(len(values), s=values))
    sizes = dict(zip((k.segment for k in ours.dimensions[1].keys), ours.dimensions[1].sizes.tolist(), strict=True))
    assert sizes.pop(f"s={REST}") == 9_800
    assert set(sizes) == {f"s=v{i:05d}" for i in range(MOST_VALUES)}
    assert set(sizes.values()) == {2}


def test_new_segment_values_keep_their_names_up_to_two_hundred_of_them():
    known = {"s": fit_category("s", {"old": 9})}
    few, many = grouping("s", known=known), grouping("s", known=known)
    assert [k.segment for k in keys_of(few, table(2, s=["old", "new"]), 1)] == ["s=old", "s=new"]
    many.number(table(1_001, s=[*(f"v{i}" for i in range(1_000)), "old"]))
    assert len(many.dimensions[1].keys) == MOST_VALUES + 2
    assert many.dimensions[1].sizes.sum() == 1_001


def test_days_sum_to_their_weeks_and_segments_to_the_whole():
    rng = np.random.default_rng(4)
    start = datetime(2013, 3, 4, 5, tzinfo=UTC)
    seconds = rng.integers(0, 21 * 86_400, 3000).tolist()
    rows = pa.table({"t": pa.array([start + timedelta(seconds=s) for s in seconds], US), "s": rng.choice(["a", "b", None], 3000).tolist()})
    cells, values = rng.integers(0, 5, 3000), rng.normal(size=3000)
    sums = {}
    for grain in ("day", "week"):
        ours = grouping("s", grain=grain, zone="America/New_York")
        for is_whole, codes, dimension in zip((True, False), ours.number(rows), ours.dimensions, strict=True):
            counts = of_rows(cells, values, np.zeros(3000, bool), codes, len(dimension.keys))
            sums[grain, is_whole] = [(k.start, k.segment, counts.of(g)) for g, k in enumerate(dimension.keys)]
    weeks = Grid("week", "America/New_York")
    for is_whole in (True, False):
        for begin, segment, whole in sums["week", is_whole]:
            assert_same(add(c for day, s, c in sums["day", is_whole] if weeks.at(day).start == begin and s == segment), whole)
    for begin, _, whole in sums["day", True]:
        assert_same(add(c for day, _, c in sums["day", False] if day == begin), whole)
