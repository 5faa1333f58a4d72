"""Hours of few rows: one fault that goes on is one episode, and one that ended is over within hours."""

from datetime import timedelta

import numpy as np
import pytest

from watchkeeper.judgement.charts import charted
from watchkeeper.judgement.episodes import Episode
from watchkeeper.judgement.signals import pages, signals
from watchkeeper.operations.judge import _episodes
from worlds import START, noise, scores, watched

HOUR = timedelta(hours=1)
FIRST = 28 * 24
SD = 1.1


def found(later: np.ndarray, *, se: float = 1.0) -> list[Episode]:
    """Return the episodes of an MAE of usually 6.6 whose hours from FIRST on lie so much higher."""
    values = 6.6 + noise(4, FIRST + len(later), sd=SD)
    values[0, FIRST:] += later
    table = scores(values, se=se, metric="mae", grain="hour", length=HOUR, n=20)
    monitor = watched(28, window="hour", task="regression", labels=None)
    windows = sorted(set(zip(table.column("window_start").to_pylist(), table.column("window_end").to_pylist(), strict=True)))
    charts = charted(monitor, table, windows)
    now = windows[-1][1]
    return _episodes(monitor, pages(signals(monitor, "production", charts, table, now)), table, timedelta(0), now, charts)


def shifts(*parts: tuple[int, float]) -> np.ndarray:
    """Return so many hours with such a shift, one after the other."""
    return np.concatenate([np.full(hours, shift) for hours, shift in parts])


def test_a_fault_that_many_single_hours_do_not_show_is_one_episode_that_goes_on():
    """Half its hours do not alarm, and often three in a row."""
    wild = np.random.default_rng(2).normal(2.0, 1.6, 17 * 24)
    [one] = found(wild)
    assert not one.is_over
    assert one.end - one.start > 15 * 24 * HOUR
    assert 20 < len({s.window_start for s in one.signals}) < 14 * 24


def test_a_fault_that_ended_is_over_before_the_day_is():
    story = [(24, 0.0), (5, 8.0)]
    assert [e.is_over for e in found(shifts(*story, (2, 0.0)))] == [False]
    [one] = found(shifts(*story, (6, 0.0)))
    assert one.is_over
    assert one.end <= START + (FIRST + 24 + 5) * HOUR


def test_a_weak_fault_that_ended_is_over_within_a_day_and_a_half():
    [one] = found(shifts((24, 0.0), (72, 2.0), (36, 0.0)))
    assert one.is_over
    assert one.end <= START + (FIRST + 24 + 72) * HOUR


@pytest.mark.parametrize(("pause", "episodes"), [(4, 1), (18, 1), (40, 2)])
def test_what_comes_again_within_a_day_is_the_same_story(pause, episodes):
    assert len(found(shifts((24, 0.0), (5, 8.0), (pause, 0.0), (5, 8.0), (12, 0.0)))) == episodes
