"""What `add` says of rows that it learned from and intake would not take, and that suites claim nothing of them that is not so."""

import json
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conftest import new_home
from watchkeeper.operations.add import Added, add
from watchkeeper.operations.draft import Said
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
