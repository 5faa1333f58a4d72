"""A part comes back from its table as it went in; of what was scanned again only the newest scan counts."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from measure_world import assert_same, counted
from watchkeeper.adapters.lake import Lake
from watchkeeper.profiles.bins import fit_numeric
from watchkeeper.profiles.counts import Counts, add
from watchkeeper.profiles.parts import FEATURE, LABEL, LABELS_BATCH, PartKey, from_table, gathered, record
from watchkeeper.records import Profile

DAY = datetime(2024, 1, 1, tzinfo=UTC)
NEXT = DAY + timedelta(days=1)
KEY = PartKey(DAY, FEATURE, "x", "", "carrier=VX", "v2", "staging", "b1")
VALUES = np.array([1.0, 2.0, 2.0, np.inf, -np.inf, np.nan, 9.0])
COUNTS = counted(fit_numeric("x", np.arange(10.0)), VALUES)


def stored(tmp_path: Path, *parts: tuple[PartKey, Counts, int]) -> pa.Table:
    lake = Lake(str(tmp_path / "lake"))
    rows = [record(k, c, model="m", bins="b", grain="day", revision=r, now=NEXT) for k, c, r in parts]
    lake.append_records(Profile, rows[:1])
    lake.append_records(Profile, rows[1:])
    table = lake.read(Profile.TABLE)
    assert table is not None
    return table


def test_a_part_comes_back_as_it_was_stored(tmp_path):
    whole = Counts(n=3, nulls=3)
    found = dict(from_table(stored(tmp_path, (KEY, COUNTS, 1), (replace(KEY, feature="c"), whole, 1))))
    assert_same(found[KEY], COUNTS)
    assert_same(found[replace(KEY, feature="c")], whole)


def test_a_filtered_table_gives_the_lists_of_its_own_rows(tmp_path):
    features = [replace(KEY, feature=f"f{i}") for i in range(5)]
    table = stored(tmp_path, *((k, Counts(n=i + 1, cells=np.array([i]), counts=np.array([i + 1])), 1) for i, k in enumerate(features)))
    part = table.filter(pc.is_in(table.column("feature"), pa.array(["f2", "f4"])))
    for view in (part, part.slice(1)):
        assert {k.feature: c.cells.tolist() for k, c in from_table(view)} == {k.feature: [int(k.feature[1])] for k, _ in from_table(view)}
    assert len(from_table(part.slice(1))) == 1


def test_no_rows_are_no_parts(tmp_path):
    assert from_table(stored(tmp_path, (KEY, COUNTS, 1)).slice(0, 0)) == []


def test_of_a_batch_scanned_again_only_the_newest_scan_counts_window_by_window(tmp_path):
    old, new = Counts(n=5), Counts(n=7)
    tomorrow, other = replace(KEY, window_start=NEXT), replace(KEY, batch_id="b2")
    gone = replace(KEY, feature="gone")
    table = stored(tmp_path, (KEY, old, 1), (gone, old, 1), (tomorrow, old, 1), (other, old, 1), (KEY, new, 2))
    assert {k: c.n for k, c in from_table(table)} == {KEY: 7, tomorrow: 5, other: 5}


def test_label_parts_rebuilt_when_labels_came_replace_those_of_their_day_alone(tmp_path):
    pending, positive = (PartKey(DAY, LABEL, "@score", outcome, batch_id=LABELS_BATCH) for outcome in ("", "1"))
    next_day = replace(pending, window_start=NEXT)
    table = stored(tmp_path, (pending, Counts(n=10), 3), (next_day, Counts(n=4), 3), (positive, Counts(n=10), 8))
    assert {k: c.n for k, c in from_table(table)} == {positive: 10, next_day: 4}


def test_parts_add_up_under_any_key(tmp_path):
    keys = [replace(KEY, batch_id=f"b{i % 2}", feature=f"f{i // 2}") for i in range(4)]
    parts = from_table(stored(tmp_path, *((k, COUNTS, 1) for k in keys)))
    by_feature = gathered(parts, lambda k: k.feature)
    assert set(by_feature) == {"f0", "f1"}
    assert_same(by_feature["f0"], add([COUNTS, COUNTS]))
    assert gathered(parts, lambda _: "all")["all"].n == 4 * COUNTS.n
