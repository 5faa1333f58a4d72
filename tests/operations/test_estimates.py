"""Estimates of landed rows: weighted to a window's inputs where errors depend on them, refused where the reference has too few like these."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from conftest import PARCELS, new_home
from watchkeeper.adapters.workspace import Home, load_monitor
from watchkeeper.operations.reference_rows import MOST_ROWS, spread_out
from watchkeeper.operations.watch import watch
from watchkeeper.records import Score
from watchkeeper.windows import Window
from worlds import DAY

BEGIN = datetime(2025, 1, 1, tzinfo=UTC)
REFERENCE, LATER, ROWS = 28, 3, 800
SHIFTED, STRANGE = [0.05, 0.05, 0.9], [0.0, 0.0, 0.1]
DEPOTS = np.array(["north", "south", "east"])
TASKS: dict[str, dict[str, Any]] = {
    "binary": {"labels": PARCELS["labels"]},
    "regression": {
        "columns": {"id": "parcel", "time": "sent_at", "score": "hours"},
        "labels": PARCELS["labels"] | {"column": "took"},
        "wording": {"unit": "hours"},
    },
}


def parcels(home: Home, task: str, d: int, shares: list[float]) -> tuple[np.ndarray, np.ndarray]:
    """Land a day of parcels; those from the east are harder than the model knows. Return what it said and what became true."""
    rng = np.random.default_rng([d, 4])
    depot = rng.choice(DEPOTS, ROWS, p=shares) if sum(shares) > 0.5 else np.where(rng.random(ROWS) < shares[2], "east", "west")
    plain, is_east = rng.normal(size=ROWS), depot == "east"
    score = 1 / (1 + np.exp(-2 * plain))
    late = rng.random(ROWS) < 1 / (1 + np.exp(-2 * plain * np.where(is_east, 0.2, 1.4)))
    hours = rng.normal(40, 6, ROWS)
    took = hours + rng.normal(size=ROWS) * np.where(is_east, 9.0, 3.0)
    start = BEGIN + d * DAY
    ids, sent = [f"{d}-{i}" for i in range(ROWS)], [start + timedelta(minutes=float(m)) for m in np.sort(rng.uniform(0, 1440, ROWS))]
    at = pa.array(sent, pa.timestamp("us", "UTC"))
    said = {"p_late": score, "is_late": score >= 0.5, "version": ["1"] * ROWS} if task == "binary" else {"hours": hours}
    events = {"parcel": ids, "sent_at": at, "depot": depot, "weight_kg": rng.lognormal(0, 0.5, ROWS)} | said
    known = pa.array([t + timedelta(hours=20) for t in sent], pa.timestamp("us", "UTC"))
    pq.write_table(pa.table(events), home.root / "inbox" / f"parcels-{d:02}.parquet")
    labels = {"parcel": ids, "delivered_at": known} | ({"was_late": late} if task == "binary" else {"took": took})
    pq.write_table(pa.table(labels), home.root / "inbox" / f"delivered-{d:02}.parquet")
    return (score, late) if task == "binary" else (hours, took)


def watched(tmp_path, task: str, shares: list[float]) -> tuple[Home, list[tuple[np.ndarray, np.ndarray]]]:
    """Return a workspace whose last days have other parcels than its reference, and what was said and became true on these."""
    monitor = PARCELS | TASKS[task] | {"task": task, "segments": [], "reference": {"from": "2025-01-01", "to": "2025-01-29"}}
    home = new_home(tmp_path / "home", monitor)
    for d in range(REFERENCE):
        parcels(home, task, d, [0.45, 0.45, 0.1])
    later = [parcels(home, task, REFERENCE + d, shares) for d in range(LATER)]
    assert watch(home, now=BEGIN + (REFERENCE + LATER + 3) * DAY).failures == []
    return home, later


def found(home: Home, metric: str) -> list[Score]:
    scores = home.lake.newest(Score, where=(pc.field("metric") == metric) & (pc.field("segment") == ""))
    return sorted((s for s in scores if s.window_start >= BEGIN + REFERENCE * DAY), key=lambda s: s.window_start)


def test_an_estimate_of_chances_knows_that_there_are_more_hard_ones(tmp_path):
    home, later = watched(tmp_path, "binary", SHIFTED)
    estimates, gaps = found(home, "estimated_accuracy"), found(home, "accuracy_gap")
    realised = np.mean([((said >= 0.5) == true).mean() for said, true in later])
    assert np.mean([s.value for s in estimates]) == pytest.approx(realised, abs=0.025)
    assert all(s.reason.startswith("weighted to the inputs by depot: the reference counts as ") for s in estimates)
    assert all(abs(((said >= 0.5) == true).mean() - s.value) < 3 * s.se for s, (said, true) in zip(estimates, later, strict=True))
    assert [s.value for s in gaps] == pytest.approx([((d[0] >= 0.5) == d[1]).mean() - s.value for s, d in zip(estimates, later, strict=True)])
    before = [s for s in home.lake.newest(Score, where=pc.field("metric") == "estimated_accuracy") if s.window_start < BEGIN + REFERENCE * DAY]
    assert realised < np.mean([s.value for s in before]) - 0.1


def test_an_estimate_of_errors_knows_that_there_are_more_hard_ones(tmp_path):
    home, later = watched(tmp_path, "regression", SHIFTED)
    estimates = found(home, "estimated_mae")
    realised = np.mean([np.abs(said - true).mean() for said, true in later])
    assert np.mean([s.value for s in estimates]) == pytest.approx(realised, rel=0.04)
    assert all(s.reference_value < realised - 2 for s in estimates)
    assert [s.unit for s in estimates] == ["truth"] * LATER
    assert all(abs(s.value) < 3 * s.se for s in found(home, "mae_gap"))


@pytest.mark.parametrize("task", ["binary", pytest.param("regression", marks=pytest.mark.nightly)])
def test_inputs_that_the_reference_lacks_are_said(tmp_path, task):
    home, _ = watched(tmp_path, task, STRANGE)
    (first, *_) = found(home, "estimated_accuracy" if task == "binary" else "estimated_mae")
    said = "no labelled row of the reference has" if task == "binary" else "the reference never had"
    assert f"% of rows have values of depot that {said}" in first.reason
    assert (first.state, first.value is None) == (("done", False) if task == "binary" else ("not_evaluated", True))


def test_a_model_without_labels_has_no_estimates_and_says_nothing_of_them(tmp_path):
    monitor = {k: v for k, v in (PARCELS | TASKS["regression"] | {"task": "regression", "segments": []}).items() if k != "labels"}
    home = new_home(tmp_path / "home", monitor)
    for d in range(20):
        parcels(home, "regression", d, [0.45, 0.45, 0.1])
    for path in (home.root / "inbox").glob("delivered-*"):
        path.unlink()
    assert watch(home, now=BEGIN + 23 * DAY).failures == []
    assert found(home, "estimated_mae") == []


def test_a_large_reference_is_read_in_days_that_meet_every_weekday(tmp_path):
    home = new_home(tmp_path / "home", PARCELS | {"reference": {"from": "2025-01-01", "to": "2025-04-11"}})
    monitor = load_monitor(home, "parcels")
    whole = Window(*monitor.reference_span)
    assert spread_out(monitor, whole, 1_000, MOST_ROWS) == [whole]
    days = spread_out(monitor, whole, 5 * MOST_ROWS, MOST_ROWS)
    assert 18 <= len(days) <= 22
    assert len({d.start.weekday() for d in days}) == 7
    hours = spread_out(monitor, whole, 100 * MOST_ROWS, MOST_ROWS)
    assert 22 <= len(hours) <= 26
    assert len({w.start.hour for w in hours}) >= 8
    assert all(w.end - w.start == timedelta(hours=1) for w in hours)
    assert len(spread_out(monitor, whole, 10**6 * MOST_ROWS, MOST_ROWS)) == 1
