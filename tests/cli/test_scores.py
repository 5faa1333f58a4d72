"""What `scores` prints: worst cases while labels are missing, and that a week which goes on is not final."""

import json
import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from conftest import PARCELS, new_home
from watchkeeper.adapters.workspace import Home, find_home
from watchkeeper.operations.watch import watch
from watchkeeper.samples import GpuSample
from worlds import DAY, parcels_days

BEGIN = datetime(2025, 1, 1, tzinfo=UTC)
NOW = BEGIN + 22 * DAY + timedelta(hours=2)  # Thursday 23 January
AT = ("--now", NOW.isoformat())


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Return parcels up to a Wednesday, of which some labels are still missing, on a GPU."""
    home = new_home(tmp_path_factory.mktemp("scores") / "home", PARCELS | {"cost": {"hosts": ["gpu-1"]}})
    shutil.copy(Path(__file__).parents[2] / "warehouse" / "seeds" / "gpu_prices.csv", home.root / "warehouse" / "seeds")
    parcels_days(home.root, date(2025, 1, 1), 22)
    newest = home.root / "inbox" / "delivered-2025-01-22.parquet"
    pq.write_table(pq.read_table(newest).slice(0, 120), newest)
    hours = [BEGIN + 18 * DAY + timedelta(hours=i + 1) for i in range(96)]
    samples = [GpuSample(sampled_at=at, interval_s=3600.0, host="gpu-1", device=0, device_uuid="a", device_name="NVIDIA T4") for at in hours]
    home.lake.append_records(GpuSample, samples)
    home = find_home(home.root)
    watch(home, now=NOW)
    return home


def asked(watchkeeper: Callable, home: Home, *arguments: str) -> list[dict]:
    return json.loads(watchkeeper("scores", "parcels", *arguments, *AT, "--json", at=home).stdout)


def test_a_number_whose_labels_are_missing_is_printed_with_its_worst_cases(watched, watchkeeper: Callable):
    days = ("--metric", "positive_rate", "--from", "2025-01-19")
    newest = asked(watchkeeper, watched, *days)[-1]
    assert (newest["state"], newest["coverage"]) == ("provisional", 0.6)
    lines = watchkeeper("scores", "parcels", *days, *AT, at=watched).stdout.splitlines()
    said = f"between {newest['bound_low']:.3f} and {newest['bound_high']:.3f} whatever the missing labels say"
    assert [said in line for line in lines if line.startswith("positive_rate")] == [False, False, False, True]


def test_a_week_that_goes_on_is_not_done_whatever_its_numbers_rest_on(watched, watchkeeper: Callable):
    weeks = asked(watchkeeper, watched, "--by", "week", "--metric", "rows", "--metric", "psi", "--metric", "roc_auc", "--metric", "gpu_hours")
    found = {(s["metric"], s["window_start"][:10], s["state"], s["reason"].split("; ")[0]) for s in weeks if s["window_start"] > "2025-01-12"}
    assert found == {
        *((metric, "2025-01-13", "done", "") for metric in ("rows", "psi")),
        ("gpu_hours", "2025-01-13", "done", ""),
        ("roc_auc", "2025-01-13", "mature", ""),
        *((metric, "2025-01-20", "provisional", "the week is not over") for metric in ("rows", "psi", "roc_auc", "gpu_hours")),
    }


def test_what_is_stored_of_a_day_that_is_over_is_done(watched, watchkeeper: Callable):
    rows = asked(watchkeeper, watched, "--metric", "rows", "--from", "2025-01-20")
    assert [(s["window_start"][:10], s["state"], s["reason"]) for s in rows] == [(f"2025-01-{d}", "done", "") for d in (20, 21, 22)]


@pytest.mark.parametrize("segment", ["all", "depot=north"])
def test_a_number_that_is_not_kept_by_segment_says_so_and_where_it_is_to_be_had(watched, watchkeeper: Callable, segment):
    """Accuracy is kept by segment of a model of several classes, and not of a binary one."""
    said = watchkeeper("scores", "parcels", "--metric", "accuracy", "--segment", segment, *AT, at=watched).output
    assert "accuracy is not measured in segments. `watchkeeper segments parcels --metric accuracy` has it of each." in said
    assert "depot=north" in watchkeeper("segments", "parcels", "--metric", "accuracy", *AT, at=watched).stdout
    assert "f1 is not measured in segments.\n" in watchkeeper("scores", "parcels", "--metric", "f1", "--segment", segment, *AT, at=watched).output
