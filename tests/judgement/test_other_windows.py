"""Incidents of windows that their monitor has no more: what says so, and what goes on all the same."""

from dataclasses import replace
from datetime import timedelta

from evidence_world import monitor, signal
from watchkeeper.judgement.episodes import Episode
from watchkeeper.judgement.other_windows import unjudged_text
from worlds import DAY, START

HOUR = timedelta(hours=1)
BAD = [signal("log_loss", 1.2, day=7), signal("log_loss", 1.2, day=8)]


def of_an_hour(hour: int, *, is_over: bool) -> Episode:
    start = START + 8 * DAY + hour * HOUR
    return Episode("kpi", "kpi", [replace(signal("log_loss", 1.2), window_start=start, window_end=start + HOUR)], is_over=is_over)


def test_days_are_judged_by_days_alone():
    assert unjudged_text(monitor(), BAD, None) == ""
    assert unjudged_text(monitor(window="hour"), BAD, None) == "no longer judged: the monitor's window changed from day to hour"
    assert unjudged_text(monitor(timezone="America/New_York"), BAD, None) == "no longer judged: the monitor's time zone changed"
    assert unjudged_text(monitor(window="hour"), [], None) == ""


def test_what_the_new_windows_bear_out_goes_on_by_these():
    hourly = monitor(window="hour")
    assert unjudged_text(hourly, BAD, of_an_hour(5, is_over=False)) == ""
    assert unjudged_text(hourly, BAD, of_an_hour(5, is_over=True)) == ""
    assert unjudged_text(hourly, BAD, of_an_hour(-5, is_over=True)).startswith("no longer judged: ")


def test_a_promise_by_the_day_is_judged_by_days_whatever_the_window():
    broken = [signal("recall", 0.1, day=7, family="target", rule="target")]
    assert unjudged_text(monitor(window="hour", targets=[{"metric": "recall", "at_least": 0.35, "per": "day"}]), broken, None) == ""
    assert unjudged_text(monitor(window="hour"), broken, None) == "no longer judged: no promise is judged by the day any more"
