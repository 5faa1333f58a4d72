"""The windows of an episode that are looked at for causes are those that were out of line themselves."""

from datetime import timedelta

from evidence_world import START, signal
from watchkeeper.judgement.episodes import Episode, windows_out_of_line

DAY = timedelta(days=1)
USUAL = {"normal_low": -0.1, "normal_high": 0.1}


def days(*signals, **more):
    found = windows_out_of_line(Episode("kpi", "kpi", list(signals), is_over=True, **more))
    return [((w.start - START).days, (w.end - START).days) for w in found]


def test_a_slow_chart_that_still_alarms_after_the_fault_adds_no_window():
    sudden = [signal(value=0.4, day=d, **USUAL) for d in (7, 8)]
    after = [signal(value=v, day=d, rule="slow", **USUAL) for d, v in ((9, 0.05), (10, 0.11))]
    assert days(*sudden, *after) == [(7, 8), (8, 9)]


def test_windows_before_the_first_alarm_belong_to_it():
    assert days(signal(value=0.4, day=7, **USUAL), onset=START + 5 * DAY) == [(5, 7), (7, 8)]
    slow = [signal(value=v, day=d, rule="slow", **USUAL) for d, v in ((7, 0.05), (8, 0.15))]
    assert days(*slow, onset=START + 5 * DAY) == [(5, 7), (8, 9)]


def test_of_a_slow_change_the_windows_outside_count_and_else_all():
    slow = [signal(value=v, day=d, rule="slow", **USUAL) for d, v in ((7, 0.05), (8, 0.15), (9, 0.08))]
    assert days(*slow) == [(8, 9)]
    assert days(slow[0], slow[2]) == [(7, 10)]
