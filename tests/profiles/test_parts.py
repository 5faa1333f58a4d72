"""A part comes back from its table as it went in; of what was scanned again only the newest scan counts."""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from measure_world import assert_same, counted, quickly
from watchkeeper.adapters.arrow_records import arrow_schema
from watchkeeper.adapters.lake import Lake
from watchkeeper.measures import drift
from watchkeeper.measures.views import FeatureView
from watchkeeper.profiles.bins import code_numeric, fit_numeric
from watchkeeper.profiles.counted import Counted, of_rows
from watchkeeper.profiles.counts import Counts, add
from watchkeeper.profiles.groups import GroupKey
from watchkeeper.profiles.parts import (
    FEATURE,
    LABEL,
    LABELS_BATCH,
    MARK,
    Origin,
    gathered,
    key_columns,
    mark_rows,
    newest_scans,
    part_rows,
    whole_rows,
)
from watchkeeper.records import Profile

DAY = datetime(2024, 1, 1, tzinfo=UTC)
NEXT = DAY + timedelta(days=1)
KEY = GroupKey(DAY, "b1", "v2", "staging", "")
VALUES = np.array([1.0, 2.0, 2.0, np.inf, -np.inf, np.nan, 9.0])
BINS = fit_numeric("x", np.arange(10.0))
COUNTS = counted(BINS, VALUES)
SCHEMA = arrow_schema(Profile)


def many(parts: Sequence[Counts]) -> Counted:
    """Return counts side by side."""
    return Counted(
        np.array([p.n for p in parts], np.int64),
        np.array([[p.nulls, p.nans, p.pos_infs, p.neg_infs] for p in parts], np.int64).reshape(len(parts), 4),
        np.array([[p.sum, p.sum2, p.low, p.high] for p in parts]).reshape(len(parts), 4),
        np.cumsum([0, *(len(p.cells) for p in parts)]),
        np.concatenate([np.empty(0, np.int64), *(p.cells for p in parts)]),
        np.concatenate([np.empty(0, np.int64), *(p.counts for p in parts)]),
        np.concatenate([np.empty(0), *(p.sums for p in parts)]),
    )


def row(key: GroupKey, counts: Counts, revision: int = 1, *, kind: str = FEATURE, feature: str = "x", outcome: str = "") -> pa.Table:
    made = part_rows(many([counts]), key_columns([key]), kind=kind, feature=feature, outcome=outcome)
    return finished([made], revision)


def finished(parts: Sequence[pa.Table], revision: int = 1) -> pa.Table:
    return whole_rows(parts, Origin("m", "b", "day", revision, NEXT)).select(SCHEMA.names).cast(SCHEMA)


def stored(tmp_path: Path, *rows: pa.Table) -> pa.Table:
    lake = Lake(str(tmp_path / "lake"))
    lake.append(Profile.TABLE, rows[0])
    if rows[1:]:
        lake.append(Profile.TABLE, pa.concat_tables(rows[1:]))
    table = lake.read(Profile.TABLE)
    assert table is not None
    return table


def test_a_part_comes_back_as_it_was_stored(tmp_path):
    table = stored(tmp_path, row(KEY, COUNTS), row(KEY, Counts(n=3, nulls=3), feature="c"))
    found = gathered(table, ("feature", "window_start", "batch_id", "version", "environment", "segment"))
    assert_same(found["x", *KEY], COUNTS)
    assert_same(found["c", *KEY], Counts(n=3, nulls=3))


def test_groups_without_rows_have_no_part():
    table = part_rows(many([COUNTS, Counts(), COUNTS]), key_columns([KEY, KEY._replace(batch_id="b2"), KEY]), kind=FEATURE, feature="x")
    assert table.column("batch_id").to_pylist() == ["b1"] * 2
    assert table.column("counts").to_pylist() == [COUNTS.counts.tolist()] * 2
    assert table.column("sums").to_pylist() == [COUNTS.sums.tolist()] * 2


def test_a_filtered_table_gives_the_lists_of_its_own_rows(tmp_path):
    table = stored(tmp_path, *(row(KEY, Counts(n=i + 1, cells=np.array([i]), counts=np.array([i + 1])), feature=f"f{i}") for i in range(5)))
    part = table.filter(pc.is_in(table.column("feature"), pa.array(["f2", "f4"])))
    for view in (part, part.slice(1)):
        found = gathered(view, ("feature",))
        assert {f: c.cells.tolist() for (f,), c in found.items()} == {f: [int(f[1])] for f in view.column("feature").to_pylist()}
    assert len(gathered(part.slice(1), ("feature",))) == 1


def test_no_rows_are_no_parts():
    assert gathered(SCHEMA.empty_table(), ("feature",)) == {}
    assert newest_scans(SCHEMA.empty_table()).num_rows == 0


def ns(table: pa.Table, *by: str) -> dict[tuple, int]:
    return {k: c.n for k, c in gathered(newest_scans(table), by).items()}


def test_of_a_batch_scanned_again_only_the_newest_scan_counts(tmp_path):
    old, new = Counts(n=5), Counts(n=7)
    rows = [row(KEY, old), row(KEY, old, feature="gone"), row(KEY._replace(start=NEXT), old), row(KEY._replace(batch_id="b2"), old), row(KEY, new, 2)]
    assert ns(stored(tmp_path, *rows), "batch_id", "window_start") == {("b1", DAY): 7, ("b2", DAY): 5}


def test_label_parts_rebuilt_when_labels_came_replace_those_of_their_day_alone(tmp_path):
    labels, more = KEY._replace(batch_id=LABELS_BATCH), {"kind": LABEL, "feature": "@score"}
    rows = [
        row(labels, Counts(n=10), 3, **more),
        row(labels._replace(start=NEXT), Counts(n=4), 3, **more),
        row(labels, Counts(n=10), 8, outcome="1", **more),
    ]
    assert ns(stored(tmp_path, *rows), "window_start", "outcome") == {(DAY, "1"): 10, (NEXT, ""): 4}


def test_marks_say_how_many_rows_of_a_batch_were_scanned():
    marks = finished([mark_rows([("b1", 7, 2), ("b2", 0, 0)])])
    assert set(marks.column("kind").to_pylist()) == {MARK}
    assert ns(marks, "batch_id") == {("b1",): 7}
    assert marks.column("nulls").to_pylist() == [2]


cell_rows = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 6), st.floats(-9, 9) | st.just(np.nan), st.booleans()), max_size=40)


@given(table=cell_rows, cuts=st.lists(st.integers(0, 40), max_size=3))
@quickly
def test_gathered_parts_of_any_split_are_the_counts_of_all_rows(table, cuts):
    group, cells, values = (np.array([r[i] for r in table], kind) for i, kind in ((0, np.int64), (1, np.int64), (2, float)))
    nulls = np.array([r[3] for r in table], bool)
    places = [0, *sorted(min(c, len(table)) for c in cuts), len(table)]
    keys = [KEY._replace(version=f"v{g}") for g in range(4)]
    pieces = [of_rows(cells[a:b], values[a:b], nulls[a:b], group[a:b], 4) for a, b in itertools.pairwise(places)]
    whole = pa.concat_tables([part_rows(p, key_columns(keys), kind=FEATURE, feature="x") for p in pieces])
    found = gathered(whole, ("version",))
    expected = of_rows(cells, values, nulls, group, 4)
    for g in range(4):
        assert_same(found.get((f"v{g}",), Counts()), expected.of(g), within=1e-6)


def test_a_part_of_a_segment_keeps_its_counts_whole_and_its_sums_to_seven_digits():
    counts = replace(COUNTS, sum=1.23456789012, sum2=2.34567890123)
    [found] = gathered(row(KEY._replace(segment="carrier=VX"), counts), ("segment",)).values()
    assert (found.n, found.counts.tolist(), found.cells.tolist()) == (counts.n, counts.counts.tolist(), counts.cells.tolist())
    assert (found.low, found.high, len(found.sums)) == (np.inf, -np.inf, 0)
    assert (found.sum, found.sum2) == (float(np.float32(counts.sum)), float(np.float32(counts.sum2)))


def test_parts_add_up_under_any_key(tmp_path):
    rows = [row(KEY._replace(batch_id=f"b{i % 2}"), COUNTS, feature=f"f{i // 2}") for i in range(4)]
    table = stored(tmp_path, *rows)
    by_feature = gathered(table, ("feature",))
    assert set(by_feature) == {("f0",), ("f1",)}
    assert_same(by_feature["f0",], add([COUNTS, COUNTS]))
    assert gathered(table, ("model",))["m",].n == 4 * COUNTS.n


@pytest.mark.parametrize("name", ["normal", "far from nought", "mostly nought", "long tail", "whole numbers"])
def test_rounded_sums_of_many_small_parts_give_the_distance_of_the_rows(name):
    rng = np.random.default_rng(7)
    draw = {
        "normal": lambda n, by: rng.normal(by, 1, n),
        "far from nought": lambda n, by: 1e9 + rng.normal(by, 1, n),
        "mostly nought": lambda n, by: np.where(rng.random(n) < 0.95, 0.0, rng.gamma(1, 2, n) + by),
        "long tail": lambda n, by: rng.lognormal(by, 1, n),
        "whole numbers": lambda n, by: rng.poisson(4 + by, n).astype(float),
    }[name]
    reference, window = draw(20_000, 0.0), draw(20_000, 0.3)
    bins = fit_numeric("x", reference)
    assert bins.unit > 0
    sums = []
    for rows in (reference, window):
        group = np.arange(len(rows)) % 400
        counted = of_rows(code_numeric(bins, rows), rows, np.zeros(len(rows), bool), group, 400)
        keys = key_columns([GroupKey(DAY, str(g), "", "production") for g in range(400)])
        stored = part_rows(counted, keys, kind=FEATURE, feature="x", unit=bins.unit)
        [whole] = gathered(stored, ["feature"]).values()
        sums.append(FeatureView(bins, whole))
    ours = drift.wasserstein(*sums).value
    assert ours == pytest.approx(stats.wasserstein_distance(reference, window), abs=0.01 * reference.std())


def test_values_without_spread_or_beyond_all_numbers_are_not_rounded():
    for values in (np.full(50, 3.0), np.array([]), np.array([np.nan]), np.array([-1e308, 1e308] * 50), np.array([0.0, 5e-324] * 50)):
        assert fit_numeric("x", values).unit == 0.0
