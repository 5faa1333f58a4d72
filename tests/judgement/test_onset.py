"""An episode began where its numbers went out of line, not where the first alarm came."""

from datetime import timedelta

import numpy as np
import pyarrow as pa

from watchkeeper.judgement.apart import own_moves
from watchkeeper.judgement.charts import charted
from watchkeeper.judgement.episodes import Episode
from watchkeeper.judgement.onset import gone_on, with_onsets
from watchkeeper.judgement.signals import pages, signals
from worlds import DAY, START, noise, scores, watched

HOUR = timedelta(hours=1)
FIRST = 42 * 24 + 7
FIRST_DAY = 75


def world(**later):
    """Return charts and signals of hours whose MAE steps up by little at FIRST and by much two hours on."""
    values = 5.0 + noise(4, 44 * 24, sd=0.2)
    values[0, FIRST : FIRST + 8] = [5.6, 5.7, 7.0, 7.1, 7.0, 7.2, 7.1, 7.0]
    for at, value in later.items():
        values[0, FIRST + int(at.removeprefix("h").replace("_", "-"))] = value
    table = scores(values, se=0.05, metric="mae", grain="hour", length=HOUR)
    windows = sorted(set(zip(table.column("window_start").to_pylist(), table.column("window_end").to_pylist(), strict=True)))
    monitor = watched(28, window="hour", task="regression")
    charts = charted(monitor, table, windows)
    found = [s for s in pages(signals(monitor, "production", charts, table, windows[-1][1])) if s.window_start >= START + (FIRST + 2) * HOUR]
    return charts, found


def began(charts, *episodes):
    return [round((e.start - START) / HOUR) - FIRST for e in with_onsets(episodes, charts, {})]


def test_windows_outside_the_band_right_before_the_first_alarm_belong_to_the_episode():
    charts, found = world()
    assert found[0].window_start == START + (FIRST + 2) * HOUR
    assert began(charts, Episode("kpi", "kpi", found, is_over=False)) == [0]


def test_a_window_in_line_a_window_without_a_number_and_an_earlier_episode_end_the_walk():
    charts, found = world(h0=5.0)
    assert began(charts, Episode("kpi", "kpi", found, is_over=False)) == [1]
    charts, found = world(h1=np.nan)
    assert began(charts, Episode("kpi", "kpi", found, is_over=False)) == [2]
    charts, found = world(h1=4.3)
    assert began(charts, Episode("kpi", "kpi", found, is_over=False)) == [2]
    charts, found = world()
    assert began(charts, Episode("kpi", "kpi", found[:1], is_over=True), Episode("kpi", "kpi", found[1:], is_over=False)) == [0, 3]


def test_the_reference_is_never_part_of_an_episode_and_of_promises_the_first_alarm_stands():
    charts, found = world()
    assert began(charts, Episode("target mae", "target", found, is_over=False)) == [2]
    assert Episode("kpi", "kpi", found, is_over=False).first_end == found[0].window_end


def test_the_days_on_which_the_rest_alone_moved_are_not_those_of_a_segment_that_lies_apart_from_it():
    own, apart = noise(5, 90, sd=0.01), noise(6, 90, sd=0.01)
    apart[0, 75:] -= 0.2
    own[0, 79:] -= 0.15
    names = [("", "depot=north")]
    table = pa.concat_tables([scores(own, se=0.01, names=names), scores(apart, se=0.01, metric="calibration_gap_to_rest", names=names)])
    monitor, windows = watched(60), [(START + d * DAY, START + (d + 1) * DAY) for d in range(90)]
    charts = charted(monitor, table, windows)
    found = [s for s in pages(signals(monitor, "production", charts, table, windows[-1][1])) if s.family == "segment"]
    episode = Episode("depot=north", "segment", found, is_over=False)
    begun = [with_onsets([episode], charts, moves)[0].start for moves in ({}, own_moves(monitor, table))]
    assert [(at - START) // DAY for at in begun] == [75, 79]


def swinging(gaps):
    """Return since which day, counted from FIRST_DAY, an incident began whose gap was `gaps` from three days before that on; log loss is high on each of these days."""
    gap, loss = noise(7, 90, sd=0.01), 0.5 + noise(8, 90, sd=0.01)
    gap[0, FIRST_DAY - 3 : FIRST_DAY - 3 + len(gaps)] = gaps
    loss[0, FIRST_DAY - 3 : FIRST_DAY - 3 + len(gaps)] = [0.5 if abs(g) < 0.02 else 0.56 if abs(g) < 0.1 else 1.0 for g in gaps]
    table = pa.concat_tables([scores(gap, se=0.01), scores(loss, se=0.01, metric="log_loss")])
    monitor, windows = watched(60), [(START + d * DAY, START + (d + 1) * DAY) for d in range(90)]
    charts = charted(monitor, table, windows)
    found = [s for s in pages(signals(monitor, "production", charts, table, windows[-1][1])) if s.window_start >= START + FIRST_DAY * DAY]
    [episode] = with_onsets([Episode("kpi", "kpi", found, is_over=False)], charts, {})
    return (episode.start - START) // DAY - FIRST_DAY


def test_a_day_on_which_the_rate_was_out_on_the_other_side_is_no_part_of_what_follows_though_log_loss_was_high():
    assert swinging([0.0, 0.0, -0.04, -0.2, -0.2, -0.2]) == -1
    assert swinging([0.0, 0.0, 0.04, -0.2, -0.2, -0.2]) == 0
    assert swinging([0.0, 0.04, -0.04, -0.2, -0.2, -0.2]) == -1


def test_a_rate_that_swings_both_ways_while_the_incident_lasts_is_one_story_from_its_first_day_on():
    assert swinging([0.0, 0.04, -0.04, -0.2, 0.2, -0.2]) == -2


def gone(*gaps, since):
    """Return from and to which day, counted from FIRST_DAY, each incident reaches whose gap was `gaps` from then on: one that alarmed until two days before the day `since`, one that did from then on."""
    gap = noise(7, 90, sd=0.01)
    gap[0, FIRST_DAY : FIRST_DAY + len(gaps)] = gaps
    monitor, windows, table = watched(60), [(START + d * DAY, START + (d + 1) * DAY) for d in range(90)], scores(gap, se=0.01)
    charts = charted(monitor, table, windows)
    found = [s for s in pages(signals(monitor, "production", charts, table, windows[-1][1])) if s.rule == "sudden"]
    first, second = ([s for s in found if (s.window_start - START) // DAY - FIRST_DAY in days] for days in (range(since - 2), range(since, 15)))
    episodes = [Episode("kpi", "kpi", first, is_over=True), Episode("kpi", "kpi", second, is_over=False)]
    return [
        ((e.start - START) // DAY - FIRST_DAY, (e.end - START) // DAY - FIRST_DAY, e.is_over) for e in gone_on(with_onsets(episodes, charts, {}), 2)
    ]


def test_what_was_out_of_line_again_before_three_windows_were_clear_went_on_though_it_alarmed_later():
    high = [0.2] * 3
    assert gone(0.2, 0.0, 0.2, 0.0, 0.2, 0.2, *high, since=6) == [(0, 9, False)]
    assert gone(0.2, 0.0, 0.2, 0.0, 0.0, 0.0, *high, since=6) == [(0, 3, True), (6, 9, False)], "three were clear"
    assert gone(-0.2, 0.0, -0.2, 0.0, 0.2, 0.2, *high, since=6) == [(0, 3, True), (4, 9, False)], "the other way is another trouble"
