"""What could not be done is a run with its reason until it is done, and stops no other model."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from conftest import PARCELS
from watchkeeper.adapters.workspace import Home, load_monitors
from watchkeeper.operations.status import overview_rows
from watchkeeper.operations.watch import watch

NOW = datetime(2025, 1, 3, 6, tzinfo=UTC)
LATER = NOW + timedelta(minutes=15)
LETTERS: dict[str, Any] = PARCELS | {"model": "letters", "events": {"files": "inbox/letters-*.parquet"}}
UNREADABLE = "letters_events.json"


@pytest.fixture
def two(make_home: Callable[..., Home]) -> Home:
    """A workspace of two models; one has a suite that is no JSON, so that taking in its files fails whole."""
    home = make_home(PARCELS, LETTERS)
    (home.suites_dir / UNREADABLE).write_text("{")
    return home


@pytest.fixture
def home(two: Home) -> Home:
    return two


def reasons(home: Home, now: datetime) -> dict[str, str]:
    monitors, problems = load_monitors(home)
    return {row.model: row.reason for row in overview_rows(home, monitors, now=now, problems=problems)}


@pytest.fixture
def failed(two: Home, parcels_of_day: Callable[..., tuple[Path, Path]]) -> Home:
    events, _ = parcels_of_day(date(2025, 1, 1))
    (two.root / "inbox" / "letters-1.parquet").write_bytes(events.read_bytes())
    done = watch(two, now=NOW)
    assert [(f.model, f.operation) for f in done.failures] == [("letters", "ingest")]
    return two


def test_a_model_that_fails_says_why_and_stops_no_other(failed: Home):
    assert UNREADABLE in reasons(failed, NOW)["letters"]
    assert "failed" not in reasons(failed, NOW)["parcels"]
    assert failed.lake.read("events/parcels").num_rows == 200


def test_a_failure_stands_until_the_step_is_done(failed: Home):
    assert watch(failed, now=LATER).failures
    assert "ingest failed" in reasons(failed, LATER)["letters"]
    (failed.suites_dir / UNREADABLE).unlink()
    assert watch(failed, now=LATER + timedelta(minutes=15)).failures == []
    assert "failed" not in reasons(failed, LATER + timedelta(minutes=15))["letters"]
    assert "ingest failed" in reasons(failed, LATER)["letters"]
