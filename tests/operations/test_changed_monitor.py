"""A monitor that is edited while it watches: what is counted otherwise is counted again, and what cannot be judged stays open."""

import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from conftest import PARCELS, new_home
from watchkeeper.adapters.workspace import Home, find_home, load_monitor
from watchkeeper.judgement.incidents import Incident, fold
from watchkeeper.judgement.times import times_of
from watchkeeper.operations.listing import Wanted, listed_scores
from watchkeeper.operations.watch import watch
from watchkeeper.records import IncidentEvent, Score
from worlds import parcels_days

WHOLE = PARCELS | {"segments": []}
NOW = datetime(2025, 1, 26, 12, tzinfo=UTC)
SOON = NOW + timedelta(minutes=5)


@pytest.fixture(scope="module")
def watched_once(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Twenty-five days of parcels, the last four of them bad, and one open incident."""
    home = new_home(tmp_path_factory.mktemp("watched") / "home", WHOLE)
    parcels_days(home.root, date(2025, 1, 1), 25, rows=120, late=dict.fromkeys(range(21, 25), 0.6))
    watch(home, now=NOW)
    assert [i.is_open for i in incidents(home)] == [True]
    return home


@pytest.fixture
def watched(watched_once: Home, copy_of: Callable[[Home], Home]) -> Home:
    """A copy of it, whose monitor may be edited."""
    return copy_of(watched_once)


def incidents(home: Home) -> list[Incident]:
    return [i for i in fold(home.lake.newest(IncidentEvent)) if i.family == "kpi"]


def edited(home: Home, *, now: datetime = NOW, **changes: Any) -> Home:
    """Write the monitor with other words, and watch again."""
    (home.monitors_dir / "parcels.yaml").write_text(yaml.safe_dump(WHOLE | changes))
    again = find_home(home.root)
    watch(again, now=now)
    return again


def listed(home: Home, *, now: datetime = NOW, **wanted: Any) -> list[Score]:
    return listed_scores(home, load_monitor(home, "parcels"), Wanted(metrics=frozenset({"rows"}), **wanted), now=now)


def test_a_new_segment_is_measured_in_every_window_there_was(watched: Home) -> None:
    home = edited(watched, segments=["depot", "version"])
    found = {s.window_start.date() for s in listed(home, segment="all") if s.segment.startswith("version=")}
    assert len(found) == 25


def test_of_another_time_zone_no_window_of_the_old_one_is_shown(watched: Home) -> None:
    home = edited(watched, timezone="America/New_York")
    starts = {s.window_start.hour for s in listed(home)}
    assert starts == {5}
    assert sum(s.value or 0 for s in listed(home)) == 25 * 120


@pytest.fixture(scope="module")
def by_the_hour(watched_once: Home, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A copy of it, whose monitor has hours for windows since five minutes."""
    there = tmp_path_factory.mktemp("hours") / "home"
    return edited(find_home(shutil.copytree(watched_once.root, there)), now=SOON, window="hour")


def test_another_window_is_counted_from_the_rows(by_the_hour: Home) -> None:
    by_hour = listed(by_the_hour, now=SOON)
    assert max(s.value or 0 for s in by_hour) < 120
    assert sum(s.value or 0 for s in by_hour) == 25 * 120


@pytest.mark.parametrize(
    "change",
    [
        {"reference": {"from": "2026-01-01", "to": "2026-01-15"}},
        {"reference": {"from": "2023-01-01", "to": "2023-01-15"}},
        {"labels": PARCELS["labels"] | {"mature_after": "60d"}},
    ],
    ids=["a reference yet to come", "a reference without rows", "labels not final"],
)
def test_what_the_edited_monitor_cannot_judge_is_not_called_over(watched: Home, change: dict[str, Any]) -> None:
    assert [i.is_open for i in incidents(edited(watched, **change))] == [True]


@pytest.mark.parametrize("window", ["hour", pytest.param("week", marks=pytest.mark.nightly)])
def test_an_incident_of_other_windows_than_the_monitor_has_now_is_no_longer_judged_and_not_called_over(
    watched: Home, by_the_hour: Home, tmp_path: Path, window: str
) -> None:
    home = find_home(shutil.copytree(by_the_hour.root, tmp_path / "hours")) if window == "hour" else edited(watched, now=SOON, window=window)
    [incident] = incidents(home)
    assert (incident.state, incident.why) == ("resolved", f"no longer judged: the monitor's window changed from day to {window}")
    assert times_of(incident).resolve_hours is None
    [told] = home.outbox_dir.glob("*-resolve.md")
    assert told.read_text().startswith(f"🔵 **parcels: no longer judged: the monitor's window changed from day to {window}")
    assert [(i.id, i.state) for i in incidents(edited(home, now=NOW + timedelta(minutes=10), window=window))] == [(incident.id, "resolved")]
    assert [(i.id, i.state) for i in incidents(edited(home, now=NOW + timedelta(minutes=15)))] == [(incident.id, "open")]


@pytest.mark.parametrize(
    "later",
    [pytest.param(timedelta(0), id="under a clock that stands"), pytest.param(timedelta(minutes=5), id="minutes later", marks=pytest.mark.nightly)],
)
def test_another_reference_is_compared_with_at_once_though_its_rows_landed_with_the_old_one_s(watched: Home, later: timedelta) -> None:
    """All rows landed in one run, so no part of the new reference is younger than those of the old one."""

    def stored(home: Home) -> dict[tuple[str, str, datetime], tuple[float | None, float | None, str]]:
        newest = [s for s in home.lake.newest(Score) if s.metric in ("psi", "log_loss") and not s.segment and s.grain == "day"]
        return {(s.metric, s.feature, s.window_start): (s.value, s.reference_value, s.reference) for s in newest}

    before = stored(watched)
    changed = stored(edited(watched, now=NOW + later, reference={"from": "2025-01-01", "to": "2025-01-09"}))
    assert all(changed[k][2] != reference for k, (_, _, reference) in before.items())
    assert {changed[k][1] == usual for k, (_, usual, _) in before.items() if k[0] == "log_loss"} == {False}
    again = stored(edited(watched, now=NOW + 2 * later, reference=PARCELS["reference"]))
    assert again == before


def test_a_misspelt_score_is_refused_and_measures_nothing_anew(watched: Home) -> None:
    before = watched.lake.read(Score.TABLE).num_rows
    (watched.monitors_dir / "parcels.yaml").write_text(yaml.safe_dump(WHOLE | {"columns": PARCELS["columns"] | {"score": "p_laet"}}))
    done = watch(find_home(watched.root), now=NOW + timedelta(minutes=5))
    assert any("no landed row has the column 'p_laet' (columns.score); they have parcel, sent_at, p_late" in f.reason for f in done.failures)
    assert watched.lake.read(Score.TABLE).num_rows == before
    assert [i.is_open for i in incidents(edited(watched, now=NOW + timedelta(minutes=10)))] == [True]
