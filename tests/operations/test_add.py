"""What `add` says of rows that it learned from and intake would not take, and that suites claim nothing of them that is not so."""

import json
from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conftest import PARCELS, new_home
from watchkeeper.adapters.workspace import load_monitor
from watchkeeper.operations.add import Added, add
from watchkeeper.operations.check import check
from watchkeeper.operations.drafting import Said
from watchkeeper.operations.fit import features_of
from worlds import parcels_days

FIRST_DAY = date(2025, 1, 1)


@pytest.fixture
def files(tmp_path):
    home = new_home(tmp_path / "home")
    parcels_days(home.root, FIRST_DAY, 1, rows=120)
    return home, *(home.root / "inbox" / f"{name}-{FIRST_DAY}.parquet" for name in ("parcels", "delivered"))


def added(files, **said) -> Added:
    home, events, labels = files
    return add(home, "parcels", events=events, labels=labels, said=Said(**said))


def suite_of(files, source: str) -> list[dict]:
    return json.loads((files[0].suites_dir / f"parcels_{source}.json").read_text())["expectations"]


def test_labels_that_are_no_binary_ones_are_counted_and_the_suite_does_not_deny_them(files):
    rows = pq.read_table(files[2])
    marks = np.where(np.arange(rows.num_rows) % 4 == 0, 2, np.asarray(rows["was_late"]).astype(int))
    pq.write_table(rows.set_column(rows.column_names.index("was_late"), "was_late", pa.array(marks)), files[2])
    (said,) = [s for s in added(files, task="binary", score="p_late").left_out if "set aside" in s]
    assert said.startswith("30 of 120 rows of the labels will be set aside when taken in: ")
    (held,) = [e["meta"]["why"] for e in suite_of(files, "labels") if e["kwargs"].get("column") == "was_late" and e["type"].endswith("in_set")]
    assert held == "the first file, without 30 rows that could not be used, held 0 and 1 only"


def test_of_files_that_can_be_taken_in_whole_nothing_is_said(files):
    assert [s for s in added(files).left_out if "set aside" in s] == []
    assert any(e["meta"]["why"] == "the first file held 120 rows" for e in suite_of(files, "labels"))


def test_the_index_of_pandas_is_no_feature(files):
    for path in files[1:]:
        rows = pq.read_table(path)
        pq.write_table(rows.append_column("__index_level_0__", pa.array(range(rows.num_rows))), path)
    made = added(files)
    assert "`__index_level_0__` of the events is the index of pandas, no input of the model: it is left out" in made.left_out
    monitor = load_monitor(files[0], "parcels")
    assert monitor.features is not None
    assert "weight_kg" in monitor.features
    schema = pq.read_schema(files[1])
    assert "__index_level_0__" not in features_of(monitor, schema)
    for source in ("events", "labels"):
        assert "__index_level_0__" not in json.dumps(suite_of(files, source))


def test_an_index_that_somebody_names_is_taken(files):
    for path in files[1:]:
        rows = pq.read_table(path).drop_columns("parcel")
        pq.write_table(rows.append_column("__index_level_0__", pa.array(range(rows.num_rows))), path)
    made = added(files, id="__index_level_0__", join="__index_level_0__")
    assert not any("index of pandas" in said for said in made.left_out)
    assert load_monitor(files[0], "parcels").columns.id == "__index_level_0__"


@pytest.mark.parametrize("model", ["calm1", "calm"])
def test_files_whose_names_begin_with_a_digit_s_word_have_globs_that_take_the_next_ones(files, model):
    home, events, labels = files
    events, labels = (path.rename(path.with_name(f"{name}-{FIRST_DAY}.parquet")) for path, name in ((events, "calm1"), (labels, "calm1_truth")))
    add(home, model, events=events, labels=labels, said=Said())
    monitor = load_monitor(home, model)
    assert {source: place.files for source, place in monitor.places.items()} == {
        "events": "inbox/calm1-*.parquet",
        "labels": "inbox/calm1_truth-*.parquet",
    }


@pytest.mark.parametrize(("named", "unread"), [("inbox/parcels-2025-01-01.parquet", True), ("inbox/parcels-*.parquet", False)])
def test_check_says_that_files_like_the_only_one_named_are_not_read(tmp_path, named, unread):
    home = new_home(tmp_path / "home", PARCELS | {"events": {"files": named}})
    parcels_days(home.root, FIRST_DAY, 3, rows=30)
    said = [f.what for f in check(home, now=datetime(2025, 1, 4, tzinfo=UTC)).findings if "not read" in f.what]
    assert said == (["2 files beside parcels-2025-01-01.parquet are not read, such as parcels-2025-01-03.parquet"] if unread else [])
