"""What is usual differs by hour and weekday where traffic does, and the band holds what it says."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from watchkeeper.judgement.season import centre, on_calendar, places, slots_of, usual_of
from worlds import DAY, START, judged, noise, scores, watched

HOUR = timedelta(hours=1)
HOURS = [START + n * HOUR for n in range(28 * 24)]
DAY_AND_NIGHT = np.array([200 + 1100 * np.exp(-(((at.hour - 14) / 4) ** 2)) * (0.6 if at.weekday() >= 5 else 1.0) for at in HOURS])


def test_a_place_is_the_local_hour_of_the_week_and_for_days_the_weekday():
    monday = datetime(2025, 1, 6, 4, tzinfo=UTC)
    assert places([monday], "UTC", 24).tolist() == [4]
    assert places([monday], "America/New_York", 24).tolist() == [6 * 24 + 23]
    assert places([monday], "America/New_York", 1).tolist() == [6]
    assert (slots_of("hour"), slots_of("day"), slots_of("week")) == (24, 1, 1)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (np.zeros(len(HOURS)), ""),
        (np.array([float(at.weekday() >= 5) for at in HOURS]), "weekday"),
        (np.array([float(at.hour) for at in HOURS]), "hour of the day"),
        (DAY_AND_NIGHT / 100, "hour of the week"),
    ],
)
def test_places_are_told_apart_only_where_they_differ(values, kind):
    noisy = values + noise(3, len(HOURS))[0]
    place = places(HOURS, "UTC", 24)
    found, parameters, said = centre(noisy, place, 24)
    assert said == kind
    assert parameters == {"": 1, "weekday": 7, "hour of the day": 24, "hour of the week": 168}[kind]
    assert np.abs(found[place] - values).max() < 0.15


def test_two_cycles_are_too_few_to_tell_places_apart():
    first = HOURS[: 14 * 24]
    assert centre(DAY_AND_NIGHT[: len(first)], places(first, "UTC", 24), 24)[2] != "hour of the week"


def test_the_band_of_hours_holds_95_percent_of_them_and_is_narrow_by_night():
    values = np.random.default_rng(1).poisson(DAY_AND_NIGHT).astype(float)
    usual = usual_of(HOURS, values, "UTC", "hour")
    bands = usual.of(HOURS)
    inside = [band.low <= value <= band.high for band, value in zip(bands, values, strict=True)]
    assert usual.kind == "hour of the week"
    assert 0.94 <= np.mean(inside) <= 0.97
    assert bands[3].high < 320
    assert bands[14].low > 1000


def test_a_shift_too_small_for_one_hour_is_noticed_within_a_day_and_a_steady_feature_never():
    """The mean rank of 300 rows has a standard error of .058; the shift is three of these, of which less than one is no matter."""
    monitor = watched(28, window="hour")
    rng = np.random.default_rng(5)
    values = rng.normal(0, 0.058, (2, 56 * 24))
    shifted = 42 * 24
    values[0, shifted:] += 0.174
    table = scores(values, se=0.058, metric="loc", names=[("price", ""), ("km", "")], grain="hour", length=HOUR)
    found = judged(monitor, table)
    price = [round((s.window_start - START) / HOUR) for s in found if s.feature == "price"]
    assert {(s.level, s.rule) for s in found} == {("notice", "slow")}
    assert [s for s in found if s.feature == "km"] == []
    assert shifted + 4 <= min(price) <= shifted + 24
    assert len(price) > 0.6 * 7 * 24  # then it has settled


def test_a_number_of_an_hour_is_held_against_the_same_hour_of_the_week():
    monitor = watched(28, window="hour")
    hours = [START + n * HOUR for n in range(42 * 24)]
    values = np.random.default_rng(2).poisson(np.tile(DAY_AND_NIGHT[: 7 * 24], 6)).astype(float)
    night = 35 * 24 + 3
    assert 150 < values[night] < 450
    values[night] = 1000.0
    found = judged(monitor, scores(values[None], se=np.nan, metric="latency_p95", grain="hour", length=HOUR))
    assert [(s.window_start, s.rule, s.value) for s in found] == [(hours[night], "sudden", 1000.0)], "by day it would be usual"
    assert 150 < found[0].normal_low < found[0].expected < found[0].normal_high < 500


def test_traffic_that_swings_is_no_alarm_and_an_hour_without_rows_is():
    monitor = watched(28, window="hour")
    values = np.random.default_rng(2).poisson(np.tile(DAY_AND_NIGHT[: 7 * 24], 6)).astype(float)
    gone = 35 * 24 + 13
    values[[gone, gone + 24]] = 50_000.0, 0.0
    found = judged(monitor, scores(values[None], se=np.nan, metric="rows", grain="hour", length=HOUR))
    assert [(s.window_start, s.rule, s.value) for s in found] == [(START + (gone + 24) * HOUR, "shortfall", 0.0)]
    assert 1000 < found[0].expected < 1400


def test_days_the_calendar_names_are_neither_learned_from_nor_judged():
    values = noise(1, 90)
    values[0, [20, 70, 75]] = 3.0
    found = judged(watched(), scores(values))
    assert {round((s.window_start - START) / DAY) for s in found} <= {70, 75}, "a wild day in the reference makes every day look usual"
    days = {"feast": [(START + d * DAY).date() for d in (20, 70)]}
    named = judged(watched(calendar=days), scores(values))
    assert [round((s.window_start - START) / DAY) for s in named] == [75]
    assert named[0].normal_high < 0.2


def test_rows_missing_on_a_day_the_calendar_names_are_not_missed_and_a_promise_holds():
    rows = np.full((1, 70), 1000.0)
    rows[0, [62, 66]] = 0.0
    days = {"closed": [(START + 62 * DAY).date()]}
    found = judged(watched(calendar=days), scores(rows, metric="rows", se=np.nan))
    assert {round((s.window_start - START) / DAY) for s in found if s.rule == "shortfall"} == {66}
    promised = watched(calendar=days, targets=[{"metric": "recall", "at_least": 0.5, "per": "day"}])
    recall = np.full((1, 70), 0.8)
    recall[0, 62] = 0.1
    assert [s.rule for s in judged(promised, scores(recall, metric="recall", se=0.01))] == ["target"]


def test_an_hour_belongs_to_the_day_of_the_monitors_clock_and_a_week_is_never_left_out():
    monitor = watched(timezone="Europe/Berlin", calendar={"feast": [date(2025, 3, 3)]})
    late = datetime(2025, 3, 2, 23, tzinfo=UTC)
    windows = [(late - HOUR, late), (late, late + HOUR), (late, late + DAY), (late, late + 7 * DAY)]
    assert on_calendar(monitor, windows).tolist() == [False, True, True, False]


def test_a_day_the_calendar_names_makes_nothing_else_look_usual():
    """Also of a number that is mostly nothing, which is held against the largest of the reference."""
    values = np.zeros((1, 90))
    values[0, [20, 75]] = 0.9, 0.5
    days = {"feast": [(START + 20 * DAY).date()]}
    assert judged(watched(), scores(values, metric="segment_shift", se=np.nan)) == []
    found = judged(watched(calendar=days), scores(values, metric="segment_shift", se=np.nan))
    assert [round((s.window_start - START) / DAY) for s in found] == [75]
