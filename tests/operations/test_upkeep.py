"""Upkeep removes what is beyond a monitor's `keep`, merges small files, and changes nothing that is read."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from watchkeeper.adapters.workspace import Home, load_monitors
from watchkeeper.operations.upkeep import horizon, upkeep
from watchkeeper.profiles.parts import MARK
from watchkeeper.records import Look, Profile, Run, Score

NOW = datetime(2025, 6, 15, 12, tzinfo=UTC)
DAY = timedelta(days=1)
KEPT_60_DAYS: dict[str, Any] = {
    "model": "loans",
    "task": "binary",
    "events": {"files": "inbox/loans-*.csv"},
    "columns": {"id": "loan", "time": "at", "score": "p"},
    "reference": {"from": "2025-06-01", "to": "2025-06-08"},
    "keep": "60d",
}


@pytest.fixture
def loans(make_home: Callable[..., Home]) -> Home:
    return make_home(KEPT_60_DAYS)


def _keep(home: Home) -> dict[str, Any]:
    return {k.table: k for k in upkeep(home, load_monitors(home)[0], now=NOW)}


def _score(at: datetime, *, model: str = "loans", value: float = 0.5) -> Score:
    known: dict[str, Any] = {"window_start": at, "window_end": at + DAY, "grain": "day", "value": value, "state": "done", "computed_at": at + DAY}
    named = {"model": model, "version": "", "environment": "production", "metric": "psi", "method": "bins", "unit": "", "direction": "lower"}
    fields = set(Score.__dataclass_fields__)
    return Score(**{k: v for k, v in {**named, **known}.items() if k in fields})


def _events(home: Home, times: list[datetime]) -> None:
    rows = {"loan": [f"{t:%m%d%H}" for t in times], "wk_time": pa.array(times, pa.timestamp("us", "UTC"))}
    home.lake.append("events/loans", pa.table(rows))


def test_rows_older_than_a_monitor_keeps_are_removed_and_the_others_stay(loans: Home):
    _events(loans, [NOW - 61 * DAY, NOW - 59 * DAY, NOW])
    kept = _keep(loans)
    left = loans.lake.read("events/loans")
    assert kept["events/loans"].rows_removed == 1
    assert left is not None
    assert sorted(left.column("wk_time").to_pylist()) == [NOW - 59 * DAY, NOW]


def test_scores_of_old_windows_go_but_not_those_of_another_model(loans: Home):
    old = NOW - 90 * DAY
    loans.lake.append_records(Score, [_score(old), _score(NOW - DAY), _score(old, model="unknown_here")])
    assert _keep(loans)[Score.TABLE].rows_removed == 1
    assert {(s.model, s.window_start) for s in loans.lake.newest(Score)} == {("loans", NOW - DAY), ("unknown_here", old)}


def test_looks_in_which_nothing_was_wrong_go_after_five_weeks_and_what_was_told_stays(loans: Home):
    def seen(days: int, *, is_out: bool) -> Look:
        at = NOW - days * DAY
        return Look(
            model="loans",
            environment="production",
            metric=f"error_ratio{is_out}",
            window_start=at,
            window_end=at + DAY,
            rows_from=at,
            rows_to=at,
            value=0.1,
            is_out=is_out,
            reached=days,
            bins="b",
            computed_at=at,
        )

    loans.lake.append_records(Look, [seen(days, is_out=is_out) for days in (34, 36, 61) for is_out in (False, True)])
    assert _keep(loans)[Look.TABLE].rows_removed == 3
    assert {(one.reached, one.is_out) for one in loans.lake.newest(Look)} == {(34, True), (36, True)} | {(34, False)}


def test_the_mark_that_a_batch_was_scanned_stays(loans: Home):
    """It lies at the beginning of time; without it the batch would be scanned again."""
    common: dict[str, Any] = {"model": "loans", "version": "", "environment": "", "batch_id": "b", "bins": "v", "grain": "day", "segment": "", "n": 1}
    mark = Profile(**common, kind=MARK, feature="", window_start=datetime(1970, 1, 1, tzinfo=UTC), computed_at=NOW)
    part = Profile(**common, kind="feature", feature="x", window_start=NOW - 90 * DAY, computed_at=NOW)
    loans.lake.append_records(Profile, [mark, part])
    assert _keep(loans)[Profile.TABLE].rows_removed == 1
    assert [p.kind for p in loans.lake.newest(Profile)] == [MARK]


def test_the_account_of_what_happened_stays(loans: Home):
    old = NOW - 900 * DAY
    run = Run(model="loans", operation="measure", window_start=old, window_end=old + DAY, outcome="done", computed_at=old + DAY)
    loans.lake.append_records(Run, [run])
    assert _keep(loans)[Run.TABLE].rows_removed == 0
    assert loans.lake.newest(Run) == [run]


def test_the_reference_stays_however_old_it_is(make_home: Callable[..., Home]):
    home = make_home({**KEPT_60_DAYS, "reference": {"from": "2025-01-01", "to": "2025-01-08"}})
    monitor = load_monitors(home)[0]["loans"]
    assert horizon(home, monitor, NOW) == datetime(2025, 1, 1, tzinfo=UTC)


def test_only_whole_windows_go(loans: Home):
    """Half a day's events would be measured as a quiet day."""
    monitor = load_monitors(loans)[0]["loans"]
    assert horizon(loans, monitor, NOW) == datetime(2025, 4, 16, tzinfo=UTC)


def test_small_files_are_merged_and_read_the_same(loans: Home):
    for day in range(5):
        loans.lake.append_records(Score, [_score(NOW - day * DAY, value=day / 10)])
    before = loans.lake.newest(Score)
    assert _keep(loans)[Score.TABLE].files_merged == 5
    after = loans.lake.newest(Score)
    assert sorted(after, key=lambda s: s.window_start) == sorted(before, key=lambda s: s.window_start)


def test_a_second_upkeep_finds_nothing_to_do(loans: Home):
    _events(loans, [NOW - 61 * DAY, NOW])
    _keep(loans)
    again = _keep(loans)["events/loans"]
    assert (again.rows_removed, again.files_merged) == (0, 0)


def test_an_empty_lake_is_fine(loans: Home):
    assert _keep(loans) == {}
