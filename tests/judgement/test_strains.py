"""Levels, beginnings and splits by host are found in numbers worked by hand, and drawn ones."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from watchkeeper.judgement.strains import (
    CPU,
    GPU_ERRORS,
    HOST_MEMORY,
    THROTTLING,
    Requests,
    Series,
    begun,
    change_point,
    effect_of,
    level_of,
    since,
    spoilt_of,
)

HOUR, DAY = 3_600, 86_400
START = 100 * DAY


def series(value, *, hours_of=28 * 24, during=48, interval=HOUR):
    """Return readings of so many hours before START and some after, the value by hour since the first."""
    at = np.arange(START - hours_of * HOUR, START + during * HOUR, interval)
    return Series(at, float(interval), np.array([value((t - START) // HOUR) for t in at], float), at >= START)


def test_a_level_is_the_mean_of_hours_beside_that_of_the_days_before():
    found = level_of(THROTTLING, series(lambda h: 0.8 if h >= 0 else 0.1), START)
    assert (found.now, found.usual, found.alike, found.days) == pytest.approx((0.8, 0.1, 0, 28))
    assert not found.is_usual(THROTTLING)


def test_a_quiet_day_among_bad_ones_does_not_make_a_full_memory_one_that_had_room():
    mine = series(lambda h: 0.98 if h >= 0 and not 48 <= h < 72 else 0.5, during=8 * 24)
    full = level_of(HOST_MEMORY, mine, START)
    assert (full.now, full.usual, full.is_noticed(HOST_MEMORY), full.is_usual(HOST_MEMORY)) == (0.98, 0.5, True, False)
    share = level_of(THROTTLING, mine, START)
    assert share.now == pytest.approx((7 * 0.98 + 0.5) / 8), "of a share the mean counts"


def test_days_that_were_alike_are_counted_and_make_it_usual():
    weekly = level_of(THROTTLING, series(lambda h: 0.8 if h >= 0 or (h // 24) % 7 == 0 else 0.0), START)
    assert (weekly.alike, weekly.days, weekly.is_usual(THROTTLING)) == (4, 28, True)


def test_a_short_incident_is_held_against_the_same_hours_of_other_days():
    """Each noon is hot; two hours of it are nothing new, though a day's mean is far below them."""
    noon = series(lambda h: 0.9 if h % 24 in (0, 1) else 0.0, during=2)
    assert level_of(THROTTLING, noon, START).alike == 28


def test_readings_of_ten_seconds_and_of_an_hour_tell_the_same():
    one, many = (series(lambda h: 0.6 if h >= 0 else 0.0, hours_of=96, interval=each) for each in (HOUR, 10))
    assert level_of(THROTTLING, one, START).now == pytest.approx(level_of(THROTTLING, many, START).now)


def test_nothing_is_known_where_readings_are_missing_on_one_side():
    assert level_of(THROTTLING, series(lambda h: np.nan if h < 0 else 1.0), START) is None
    assert level_of(THROTTLING, series(float, hours_of=30), START) is None, "of two days nothing is usual"


def test_one_error_an_hour_counts_as_many():
    found = level_of(GPU_ERRORS, series(lambda h: 5.0 if h >= 0 else 0.0), START)
    assert (found.now, found.usual) == (1.0, 0.0)


def test_the_beginning_is_found_to_the_reading():
    mine = series(lambda h: 0.9 if h >= 14 else 0.2)
    found = since([mine], level_of(CPU, mine, START), START)
    assert found == datetime.fromtimestamp(START + 14 * HOUR, UTC)


def test_a_change_point_is_as_unsure_as_its_numbers_scatter():
    rng = np.random.default_rng(1)
    at = np.arange(2_000) * 60
    step = np.where(at >= 60_000, 1.0, 0.0)
    found, slack = change_point(at, step + rng.normal(0, 0.4, len(at)), 1.0, 0.0)
    assert abs(found - 60_000) <= slack.total_seconds() == timedelta(minutes=30).total_seconds()
    assert change_point(at, step + rng.normal(0, 3.0, len(at)), 1.0, 0.0)[1] > timedelta(hours=2)


def requests(slow_on=(), *, factor=2.0, all_slower=1.0, seed=0, hosts=4, score=None):
    """Return twenty days and three bad ones of 400 requests a day, by log latency."""
    rng = np.random.default_rng(seed)
    at = np.sort(rng.integers(START - 20 * DAY, START + 3 * DAY, 400 * 23))
    host, is_during = rng.integers(0, hosts, len(at)), at >= START
    value = rng.normal(4.4, 0.4, len(at)) + np.log(all_slower) * is_during
    value += np.log(factor) * (is_during & np.isin(host, slow_on))
    names = [f"gpu-{i}" for i in range(hosts)]
    given = np.empty(0) if score is None else score(host, is_during, rng)
    return Requests(names, host, value, is_during, at, given, np.zeros(len(at), bool))


def test_requests_on_a_slow_host_account_for_the_whole_change():
    found = effect_of(requests([1]), ["gpu-1"])
    assert found.low > 0.8
    assert np.exp(found.on[0] - found.on[1]) == pytest.approx(2.0, rel=0.1)
    assert found.off[0] == pytest.approx(found.off[1], abs=0.05)


def test_two_of_three_slow_hosts_account_for_about_two_thirds():
    assert effect_of(requests([0, 1, 2]), ["gpu-0", "gpu-1"]).share == pytest.approx(0.5 * 0.5 / 0.75, abs=0.1), (
        "less what the third shows beside them"
    )


@pytest.mark.parametrize("seed", range(10))
def test_a_host_that_is_as_slow_as_all_accounts_for_surely_less_than_half(seed: int):
    found = effect_of(requests(all_slower=1.8, seed=seed), ["gpu-2"])
    assert found.low < 0.2
    assert found.high < 0.5


def test_without_another_host_or_any_change_there_is_no_split():
    assert effect_of(requests([1]), [f"gpu-{i}" for i in range(4)]) is None
    assert effect_of(requests(), ["gpu-1"]) is None


def test_requests_began_to_be_slow_when_those_of_the_host_did():
    moment, slack = begun(requests([1]), ["gpu-1"], START)
    assert abs(moment - datetime.fromtimestamp(START, UTC)) <= slack


def test_a_fallback_shows_as_answers_that_are_the_same_on_that_host_alone():
    def score(host, is_during, rng):
        return np.where((host == 1) & is_during & (rng.random(len(host)) < 0.9), 0.2, rng.random(len(host)))

    there, elsewhere = (spoilt_of(requests(score=score), [name]) for name in ("gpu-1", "gpu-2"))
    assert (there.answer, there.is_worth_telling) == ("0.2", True)
    assert there.now == pytest.approx(0.9, abs=0.05)
    assert not elsewhere.is_worth_telling
