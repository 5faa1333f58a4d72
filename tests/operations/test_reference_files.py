"""A reference of files is measured against like days of the lake, also once the files are gone."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from conftest import PARCELS
from watchkeeper.adapters.workspace import Home, load_monitor
from watchkeeper.operations.watch import gather
from watchkeeper.records import Batch, Score

NOW = datetime(2025, 1, 22, 12, tzinfo=UTC)
DAYS = [date(2025, 1, 1) + timedelta(days=n) for n in range(20)]
BY_FILES: dict[str, Any] = {**PARCELS, "reference": {"files": "validation/*.parquet"}}


@pytest.fixture
def home(make_home: Callable[..., Home]) -> Home:
    """A workspace whose parcels monitor names files as its reference."""
    return make_home(BY_FILES)


@pytest.fixture
def landed(home: Home, parcels_of_day: Callable[..., Any]) -> Home:
    """Two weeks lie in files of the reference, five days in the inbox."""
    (home.root / "validation").mkdir()
    for day in DAYS:
        events, _ = parcels_of_day(day)
        if day < date(2025, 1, 15):
            events.rename(home.root / "validation" / events.name)
    return home


def measured(home: Home) -> list[tuple[Any, ...]]:
    """Return what was measured of January's later windows, and against what."""
    gather(home, now=NOW)
    found = [s for s in home.lake.newest(Score) if s.window_start >= datetime(2025, 1, 15, tzinfo=UTC)]
    by = sorted(found, key=lambda s: (s.metric, s.feature, s.segment, s.window_start))
    return [(s.metric, s.feature, s.segment, s.window_start, s.value, s.reference_value, s.reference) for s in by]


def test_files_and_the_days_they_span_are_the_same_reference(landed: Home, make_home: Callable[..., Home]) -> None:
    twin = make_home(PARCELS, name="twin")
    for file in sorted([*(landed.root / "validation").iterdir(), *(landed.root / "inbox").iterdir()]):
        (twin.root / "inbox" / file.name).write_bytes(file.read_bytes())
    ours, theirs = measured(landed), measured(twin)
    assert ours == theirs
    assert any(metric == "roc_auc" and usual is not None for metric, _, _, _, _, usual, _ in ours)


def test_the_reference_stays_when_its_files_are_gone(landed: Home) -> None:
    gather(landed, now=NOW)
    for file in (landed.root / "validation").iterdir():
        file.unlink()
    reference = load_monitor(landed, "parcels").reference
    assert (reference.from_, reference.to) == (date(2025, 1, 1), date(2025, 1, 15))


def test_a_reference_whose_files_have_not_landed_is_said(home: Home, parcels_of_day: Callable[..., Any]) -> None:
    parcels_of_day(DAYS[0])
    done = gather(home, now=NOW)
    assert [(r.outcome, r.reason) for r in done.runs] == [("insufficient", "the reference is empty: no rows of validation/*.parquet have landed")]


def test_a_file_that_both_name_lands_once(home: Home, parcels_of_day: Callable[..., Any], make_home: Callable[..., Home]) -> None:
    both = make_home({**BY_FILES, "reference": {"files": "inbox/parcels-2025-01-01.parquet"}}, name="both")
    events, _ = parcels_of_day(DAYS[0])
    (both.root / "inbox" / events.name).write_bytes(events.read_bytes())
    gather(both, now=NOW)
    batches = both.lake.newest(Batch)
    assert [(b.name, b.rows_landed) for b in batches] == [(events.name, 200)]
