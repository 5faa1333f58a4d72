"""The worst window of an episode is the furthest from what is expected, be it one that raised no alarm."""

from dataclasses import replace

from evidence_world import signal
from watchkeeper.judgement.apart import own_moves
from watchkeeper.judgement.charts import charted
from watchkeeper.judgement.episodes import Episode, windows_out_of_line
from watchkeeper.judgement.onset import with_onsets
from watchkeeper.judgement.signals import pages, signals
from watchkeeper.judgement.worst import unalarmed, worst_of
from watchkeeper.windows import Window
from worlds import DAY, START, noise, scores, watched

FIRST = 60
NOW = START + 80 * DAY


def episode_of(values, *, alarms_from: int):
    """Return the episode of alarms from a day on, and a look-up of its windows without an alarm; the MAE of days is 5 but for those from FIRST on."""
    course = 5.0 + noise(4, 80, sd=0.2)
    course[0, FIRST : FIRST + len(values)] = values
    table = scores(course, se=0.05, metric="mae")
    windows = sorted(set(zip(table.column("window_start").to_pylist(), table.column("window_end").to_pylist(), strict=True)))
    monitor = watched(28, task="regression")
    charts = charted(monitor, table, windows)
    found = [s for s in pages(signals(monitor, "production", charts, table, NOW)) if s.window_start >= START + alarms_from * DAY]
    [episode] = with_onsets([Episode("kpi", "kpi", found, is_over=False)], charts, own_moves(monitor, table))
    return episode, lambda one: unalarmed(monitor, charts, table, one, NOW)


def test_the_first_day_counts_though_it_is_known_only_since_a_later_one_alarmed():
    episode, windows = episode_of([8.0, 7.0, 7.1, 7.0], alarms_from=FIRST + 1)
    others = windows(episode)
    assert (episode.start, episode.signals[0].window_start) == (START + FIRST * DAY, START + (FIRST + 1) * DAY)
    assert [(s.window_start, s.value) for s in others] == [(episode.start, 8.0)]
    assert worst_of(episode.signals).value == 7.1
    assert worst_of(episode.signals, others) == others[0]
    assert Window(episode.start, episode.start + DAY) in windows_out_of_line(episode)


def test_a_day_between_that_raised_no_alarm_is_told_with_what_was_usual_of_it():
    episode, windows = episode_of([7.0, 5.0, 7.1, 7.0], alarms_from=FIRST)
    others = windows(episode)
    [usual] = [s for s in others if s.window_start == START + (FIRST + 1) * DAY]
    assert (usual.value, usual.state) == (5.0, "mature")
    assert usual.normal_low < usual.value < usual.normal_high
    assert usual.expected == episode.signals[0].expected
    assert worst_of(episode.signals, others).value == 7.1


def test_of_a_promise_only_what_broke_it_counts():
    episode, windows = episode_of([8.0, 7.0, 7.1], alarms_from=FIRST + 1)
    promised = replace(episode, family="target", signals=[replace(s, family="target") for s in episode.signals])
    assert len(windows(episode)) == 1
    assert windows(promised) == []


def test_a_day_on_the_other_side_is_not_the_worst_and_a_bound_is_held_against_none():
    alarm, further, other = (signal(value=value, day=day) for value, day in ((0.4, 8), (0.5, 7), (-0.9, 9)))
    assert worst_of([alarm], [further, other]) == further
    assert worst_of([alarm], [replace(further, metric="log_loss")]) == alarm
    bound = replace(alarm, state="provisional")
    assert worst_of([bound], [further]) == bound
    assert worst_of([bound, alarm]) == alarm
