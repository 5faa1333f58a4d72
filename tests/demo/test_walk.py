"""The walk itself, on every thirtieth flight: real operations, a stop in the middle, and what is told at the end.

The months up to the first moment are walked once; each test begins with a copy of that workspace and goes on by days, which are short.
"""

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import polars as pl
import pytest

from flights_world import settled
from watchkeeper.adapters.workspace import Home, find_home
from watchkeeper.demo.ending import ending, tally
from watchkeeper.demo.flights import ZONE
from watchkeeper.demo.gpu_trace import land_gpu_trace
from watchkeeper.demo.inbox import Parcel, deliver, parcels
from watchkeeper.demo.model import score
from watchkeeper.demo.run import MODEL, Progress, claim, moments, progress, walk
from watchkeeper.operations.watch import watch
from watchkeeper.records import Action, Batch, Digest, IncidentEvent, Run, Score, Signal
from watchkeeper.samples import GpuSample

NOWS = moments(timedelta(days=1), date(2013, 4, 9))[-3:]
"""The second one is a Monday, on which the first digest comes."""


@pytest.fixture(scope="module")
def year(few: pl.DataFrame) -> list[Parcel]:
    return parcels(score(few))


@pytest.fixture(scope="module")
def begun(year: list[Parcel], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Home]:
    """Return a maker of workspaces that have come to the first moment, which takes longer than all days after it.

    Their suites come with the days after it: to check the months before would take longer still.
    """
    root = tmp_path_factory.mktemp("walks")
    home = settled(root / "begun")
    home.suites_dir.rename(root / "suites")
    walked_on(home, year, NOWS[:1])
    (root / "suites").rename(home.suites_dir)
    return lambda name: find_home(shutil.copytree(root / "begun", root / name))


@pytest.fixture(scope="module")
def walked(begun: Callable[[str], Home], year: list[Parcel]) -> Home:
    return walked_on(begun("whole"), year, NOWS[1:])


def walked_on(home: Home, year: list[Parcel], nows: list[datetime]) -> Home:
    failures = [f for _, failed in walk(home, year, nows, seed=0) for f in failed]
    assert failures == []
    return home


def scores(home: Home) -> set[str]:
    """Return every score whole, but for the name of its reference, which is the lake's own."""
    return {repr(replace(score, reference="")) for score in home.lake.newest(Score)}


@pytest.mark.slow
def test_the_walk_lands_every_file_that_has_come_and_measures_every_day(walked: Home, year: list[Parcel]) -> None:
    due = [parcel for parcel in year if parcel.lands_at <= NOWS[-1]]
    batches = walked.lake.newest(Batch)
    assert {b.name for b in batches} == {p.name for p in due}
    assert sum(b.rows_read for b in batches) == sum(p.rows.height for p in due)
    measured = [r for r in walked.lake.newest(Run) if r.operation == "measure" and r.outcome == "done"]
    days = {r.window_start for r in measured if r.window_end - r.window_start < timedelta(hours=26)}
    assert days == {datetime(2013, 1, 1, 5, tzinfo=UTC) + timedelta(days=d, hours=-(d > 68)) for d in range(98)}
    assert tally(walked, now=NOWS[-1])[0] == len(measured)


@pytest.mark.nightly
@pytest.mark.slow
def test_a_day_judged_while_the_next_one_lands_is_judged_as_it_would_be_alone(walked: Home, year: list[Parcel], begun: Callable[[str], Home]) -> None:
    home = begun("alone")
    for before, now in pairwise(NOWS):
        deliver(home.root / "inbox", year, now)
        land_gpu_trace(home.lake, before, now, model=MODEL, timezone=ZONE, seed=before.toordinal())
        assert watch(home, now=now).failures == []
    assert scores(home) == scores(walked)
    for record in (Signal, IncidentEvent, Digest, Run, Action):
        assert sorted(map(repr, home.lake.newest(record))) == sorted(map(repr, walked.lake.newest(record)))
    assert walked.lake.newest(Digest)


@pytest.mark.slow
def test_what_is_told_at_the_end_is_what_the_lake_holds(walked: Home, year: list[Parcel]) -> None:
    told = ending(walked, now=NOWS[-1])
    assert told.worst_week in walked.lake.newest(Digest)
    sizes = {s.what: s.rows for s in told.sizes}
    files = len([p for p in year if p.lands_at <= NOWS[-1] and p.name.startswith("flights")])
    landed = sum(b.rows_landed for b in walked.lake.newest(Batch) if b.source == "events")
    assert sizes[f"events, from {files} files"] == landed
    assert walked.published.exists()
    assert (walked.site_dir / "index.html").exists()


class StoppedError(Exception):
    """What stops a walk in the middle of a step."""


@pytest.mark.nightly
@pytest.mark.slow
def test_a_walk_stopped_while_a_day_lands_and_the_one_before_is_judged_ends_like_one_that_was_not(
    walked: Home, year: list[Parcel], begun: Callable[[str], Home]
) -> None:
    home = begun("stopped")
    reached, first, second = NOWS
    told = []

    def stop_in_the_second_day(operation: str) -> None:
        told.append(operation)
        if told.count("watch") == 2:
            raise StoppedError

    left = claim(home, 0).left_of(NOWS)
    assert left == [first, second]
    with pytest.raises(StoppedError):
        list(walk(home, year, left, seed=0, tell=stop_in_the_second_day))
    assert claim(home, 0) == Progress(0, reached.isoformat(), gathered=first.isoformat(), delivered=second.isoformat())
    assert [now for now, _ in walk(home, year, claim(home, 0).left_of(NOWS), seed=0)] == [first, second]
    assert scores(home) == scores(walked)
    for record in (Batch, Digest, Action, IncidentEvent):
        assert sorted(map(repr, home.lake.newest(record))) == sorted(map(repr, walked.lake.newest(record)))
    assert {repr(s) for s in home.lake.newest(GpuSample)} == {repr(s) for s in walked.lake.newest(GpuSample)}
    assert progress(home) == progress(walked)
