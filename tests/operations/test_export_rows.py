"""What is read for our metrics: little, once, and the same as all rows would say."""

import dataclasses
import random
from datetime import timedelta
from pathlib import Path

import pytest

import worlds_site as world
from watchkeeper.operations.export import deliver, metrics_of, write_page
from watchkeeper.operations.export_rows import LASTS, newest_runs, newest_scores
from watchkeeper.records import Run, Score


@pytest.fixture
def built(tmp_path):
    home, watched = world.build(tmp_path)
    wanted = home.workspace.telemetry.export.model_copy(update={"textfile": "out.prom"})
    telemetry = home.workspace.telemetry.model_copy(update={"export": wanted})
    workspace = home.workspace.model_copy(update={"telemetry": telemetry})
    return dataclasses.replace(home, workspace=workspace), watched


def files_of(home, table):
    return sorted(Path(home.lake.address, table).glob("**/*.parquet"))


def lines(path):
    return [line for line in path.read_text().splitlines() if "export_timestamp" not in line]


def test_what_was_shown_is_sent_without_reading_the_scores_again(built):
    home, watched = built
    page = write_page(home, {watched.model: watched}, now=world.NOW)
    for file in files_of(home, Score.TABLE):
        file.unlink()  # whoever reads them now fails
    assert deliver(home, {watched.model: watched}, now=world.NOW) == []
    assert lines(home.root / "out.prom") == lines(page)
    later = newest_scores(home, watched, now=world.NOW + timedelta(minutes=15))
    assert later == newest_scores(home, watched, now=world.NOW)


def test_a_score_that_came_since_is_there_at_once_and_one_known_later_is_not_there_before(built):
    home, watched = built
    before = newest_scores(home, watched, now=world.NOW)
    later = world.NOW + timedelta(minutes=1)
    new = dataclasses.replace(before[0], value=0.125, revision=before[0].revision + 1, computed_at=later)
    home.lake.append_records(Score, [new])
    assert new in newest_scores(home, watched, now=later)
    assert sorted(map(repr, newest_scores(home, watched, now=world.NOW))) == sorted(map(repr, before))
    assert new in newest_scores(home, watched, now=later + timedelta(minutes=1))


def test_a_score_that_was_kept_falls_out_when_it_is_old(built):
    home, watched = built
    kept = newest_scores(home, watched, now=world.NOW)
    last = max(s.window_end for s in kept)
    assert newest_scores(home, watched, now=last + LASTS)
    assert newest_scores(home, watched, now=last + LASTS + timedelta(seconds=1)) == []


def test_runs_of_other_models_are_not_read(built):
    home, watched = built
    there = set(files_of(home, Run.TABLE))
    mine = newest_runs(home, {watched.model: watched}, now=world.NOW)
    home.lake.append_records(Run, [dataclasses.replace(mine[0], model="of_others")])
    [other] = set(files_of(home, Run.TABLE)) - there
    other.unlink()
    gauges = metrics_of(home, {watched.model: watched}, now=world.NOW)
    assert next(g for g in gauges if g.name == "watchkeeper.run.timestamp").points
    assert sorted(map(repr, newest_runs(home, {watched.model: watched}, now=world.NOW))) == sorted(map(repr, mine))


def test_the_newest_of_restated_and_failed_rows_is_what_all_rows_say(built):
    home, watched = built
    draw = random.Random(7)
    base = newest_scores(home, watched, now=world.NOW)[0]
    rows = [
        dataclasses.replace(
            base,
            metric=draw.choice(["a", "b"]),
            segment=draw.choice(["", "x=1"]),
            window_start=base.window_start - timedelta(days=day),
            window_end=base.window_end - timedelta(days=day),
            value=draw.choice([None, draw.random()]),
            state=draw.choice(["provisional", "mature", "insufficient"]),
            revision=n,
            computed_at=world.NOW - timedelta(minutes=draw.randrange(1000)),
        )
        for n, day in enumerate(draw.randrange(40) for _ in range(600))
    ]
    home.lake.append_records(Score, rows)
    expected = {}
    for s in sorted(home.lake.newest(Score, as_of=world.NOW), key=lambda s: s.window_start):
        if s.metric in ("a", "b") and s.value is not None and s.state != "insufficient" and s.window_end >= world.NOW - LASTS:
            expected[s.metric, s.segment, s.state] = s
    found = {(s.metric, s.segment, s.state): s for s in newest_scores(home, watched, now=world.NOW) if s.metric in ("a", "b")}
    assert found == expected
    assert len(found) == 8
