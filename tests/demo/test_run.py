"""The walk through the year: which moments, what is remembered, and whose workspace it is."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from watchkeeper.adapters.workspace import Home, find_home
from watchkeeper.demo.run import LAST_DAY, MODEL, Progress, claim, moments, progress, remember, start_over, stop_clock
from watchkeeper.errors import UsageError
from watchkeeper.records import Batch

ROOT = Path(__file__).parents[2]
WEEK = timedelta(days=7)
NOW = datetime(2013, 4, 9, 17, tzinfo=UTC)


def batch(model: str) -> Batch:
    return Batch(batch_id="b", model=model, source="events", name="f", status="landed", landed_at=NOW)


def test_the_walk_goes_by_tuesdays_at_13_in_new_york_also_when_the_clocks_change() -> None:
    nows = moments(WEEK, LAST_DAY)
    assert nows[0] == datetime(2013, 4, 2, 17, tzinfo=UTC)
    assert datetime(2013, 10, 29, 17, tzinfo=UTC) in nows
    assert datetime(2013, 11, 5, 18, tzinfo=UTC) in nows
    assert nows[-2:] == [datetime(2013, 12, 31, 18, tzinfo=UTC), datetime(2014, 1, 2, 18, tzinfo=UTC)]


def test_the_walk_ends_on_the_day_asked_for_and_not_twice() -> None:
    assert moments(WEEK, date(2013, 4, 9)) == [datetime(2013, 4, 2, 17, tzinfo=UTC), NOW]
    assert moments(WEEK, date(2013, 4, 10))[-1] == NOW + timedelta(days=1)


def test_going_on_takes_only_the_moments_after_the_last_one_done() -> None:
    whole = moments(WEEK, LAST_DAY)
    assert Progress(0).left_of(whole) == whole
    assert Progress(0, whole[10].isoformat()).left_of(whole) == whole[11:]
    assert Progress(0, whole[-1].isoformat()).left_of(whole) == []


def test_what_was_begun_comes_first_also_when_the_steps_are_others_now() -> None:
    weeks, days = moments(WEEK, LAST_DAY), moments(timedelta(days=1), LAST_DAY)
    stopped = Progress(0, *(weeks[n].isoformat() for n in (3, 4, 5)))
    assert stopped.left_of(weeks) == weeks[4:]
    assert stopped.left_of(days) == [weeks[4], weeks[5], *(day for day in days if day > weeks[5])]
    assert Progress(0, delivered=weeks[0].isoformat()).left_of(weeks) == weeks


@pytest.mark.parametrize(("every", "until", "where"), [(timedelta(0), LAST_DAY, "--every"), (WEEK, date(2013, 3, 31), "--until")])
def test_a_walk_that_cannot_be_is_a_mistake_with_a_place(every: timedelta, until: date, where: str) -> None:
    with pytest.raises(UsageError, match=where):
        moments(every, until)


def test_progress_is_remembered(home: Home) -> None:
    assert progress(home) is None
    assert claim(home, 0) == Progress(0)
    remember(home, Progress(0, NOW.isoformat()))
    assert claim(home, 0).reached_at == NOW


def test_another_seed_does_not_continue_what_one_seed_began(home: Home) -> None:
    claim(home, 0)
    with pytest.raises(UsageError, match="seed 0"):
        claim(home, 1)


def test_a_lake_with_other_rows_is_not_the_demos_to_use(home: Home) -> None:
    home.lake.append_records(Batch, [batch("parcels")])
    with pytest.raises(UsageError, match="--home"):
        claim(home, 0)
    assert progress(home) is None


def test_starting_over_removes_what_the_demo_made_and_nothing_else(home: Home) -> None:
    claim(home, 0)
    home.lake.append_records(Batch, [batch(MODEL)])
    made = [home.root / "inbox" / "flights-2013-04-01.parquet", home.site_dir / "index.html", home.published]
    kept = [home.root / "inbox" / "mine.csv", home.monitors_dir / "parcels.yaml", home.root / "watchkeeper.yaml"]
    for file in [*made, kept[0]]:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("x")
    start_over(home)
    assert [f.exists() for f in made] == [False] * 3
    assert all(f.exists() for f in kept)
    assert home.lake.table(Batch.TABLE) is None
    assert progress(home) is None


@pytest.mark.parametrize("is_claimed", [True, False])
def test_starting_over_never_removes_the_rows_of_other_models(home: Home, *, is_claimed: bool) -> None:
    if is_claimed:
        claim(home, 0)
    home.lake.append_records(Batch, [batch("parcels")])
    with pytest.raises(UsageError, match="not removed"):
        start_over(home)
    assert home.lake.table(Batch.TABLE) is not None


def test_a_lake_in_an_object_store_is_never_removed(make_home: Callable[..., Any]) -> None:
    with pytest.raises(UsageError, match="not on this disk"):
        start_over(make_home(lake="s3://bucket/lake"))


def test_the_shipped_workspace_stands_where_the_demo_ends() -> None:
    assert find_home(ROOT).workspace.now == moments(WEEK, LAST_DAY)[-1]


def test_the_clock_stands_where_the_demo_came_to(make_home: Callable[..., Any]) -> None:
    home = make_home(name="flights")
    file = home.root / "watchkeeper.yaml"
    file.write_text("name: flights # ours\nnow: 2014-01-02T18:00Z  # the end\ndigest: week\n")
    stop_clock(home, NOW)
    assert file.read_text() == "name: flights # ours\nnow: 2013-04-09T17:00Z  # the end\ndigest: week\n"
    file.write_text("name: flights\n")
    stop_clock(home, NOW)
    assert find_home(home.root).workspace.now == NOW
    assert find_home(home.root).workspace.name == "flights"
