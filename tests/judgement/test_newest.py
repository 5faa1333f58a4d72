"""The newest rows of a window that has not ended: what is far enough off to be told, and what so few rows never say."""

from datetime import timedelta

import numpy as np
import pytest

from watchkeeper.judgement.newest import LEAST_FOR_A_PERCENTILE, LEAST_LOOKS, LEAST_ROWS, Before, newest_signals, out_of_line, usual_hours
from watchkeeper.measures import catalogue
from watchkeeper.monitor import Monitor
from watchkeeper.records import Look, Score
from worlds import START, noise, scores, wandering, watched

HOUR = timedelta(hours=1)
HOURS = 24 * 14
NOW = START + 20 * 24 * HOUR


def monitor(**changes) -> Monitor:
    return watched(14, window="hour", **changes)


def usual(metric: str, values: np.ndarray, *, se: float, n: int = 1200, **changes):
    feature = "weight" if metric == "null_ratio" else ""
    hours = scores(values, metric=metric, se=se, n=n, names=[(feature, "")], grain="hour", length=HOUR)
    return usual_hours(monitor(**changes), hours)


ERRORS = usual("error_ratio", np.random.default_rng(0).binomial(1200, 0.004, (1, HOURS)) / 1200, se=0.0018)
LATENCY = usual("latency_p95", np.exp(np.log(200) + wandering(1, HOURS, sd=0.04)), se=5.0)
NULLS = usual("null_ratio", np.zeros((1, HOURS)), se=0.0)


def look(metric: str, value: float, n: int, *, at=NOW) -> Score:
    found = catalogue.find(metric)
    assert found is not None
    return Score(
        model="parcels",
        metric=metric,
        method="",
        unit=found.unit,
        direction=found.direction,
        feature="weight" if metric == "null_ratio" else "",
        window_start=at,
        window_end=at + HOUR,
        grain="hour",
        value=value,
        n=n,
        state="provisional",
        computed_at=at,
    )


def is_told(learned, metric: str, value: float, n: int, before: Before | None = None, **changes) -> bool:
    name = (metric, "weight" if metric == "null_ratio" else "", "")
    found = list(out_of_line(monitor(**changes), learned, [look(metric, value, n)], lambda _: {} if before is None else {name: before}))
    return any(held.is_out for _, held in found)


@pytest.mark.parametrize(
    ("learned", "metric", "value", "n"),
    [
        (ERRORS, "error_ratio", 1.0, LEAST_ROWS),
        (ERRORS, "error_ratio", 0.4, LEAST_ROWS),
        (ERRORS, "error_ratio", 0.05, 1000),
        (LATENCY, "latency_p95", 800.0, LEAST_FOR_A_PERCENTILE),
        (LATENCY, "latency_p95", 600.0, 2000),
        (NULLS, "null_ratio", 0.7, LEAST_ROWS),
        (NULLS, "null_ratio", 0.3, 1000),
    ],
)
def test_what_is_plainly_wrong_is_told_by_a_minute_of_rows(learned, metric, value, n):
    assert is_told(learned, metric, value, n)


@pytest.mark.parametrize(
    ("learned", "metric", "value", "n"),
    [
        (ERRORS, "error_ratio", 3 / 30, 30),
        (ERRORS, "error_ratio", 0.012, 100_000),
        (ERRORS, "error_ratio", 0.0, 1000),
        (LATENCY, "latency_p95", 300.0, 2000),
        (LATENCY, "latency_p95", 20.0, 2000),
        (NULLS, "null_ratio", 0.15, 1000),
        (NULLS, "null_ratio", 8 / 30, 30),
        (ERRORS, "error_ratio", 1.0, LEAST_ROWS - 1),
        (LATENCY, "latency_p95", 5000.0, LEAST_FOR_A_PERCENTILE - 1),
    ],
)
def test_what_is_small_or_of_few_rows_waits_for_the_whole_window(learned, metric, value, n):
    assert not is_told(learned, metric, value, n)


def test_what_hours_of_a_reference_too_short_say_is_not_taken_for_usual():
    short = usual("error_ratio", np.full((1, 7), 0.004), se=0.0018)
    assert not is_told(short, "error_ratio", 1.0, 1000)


def test_on_a_day_of_the_calendar_nothing_is_told():
    assert is_told(ERRORS, "error_ratio", 1.0, 1000)
    assert not is_told(ERRORS, "error_ratio", 1.0, 1000, calendar={"holidays": [NOW.date()]})


def test_minutes_that_have_always_differed_more_than_hours_do_are_usual():
    """Every few minutes a job makes requests three times as slow."""
    wild = Before(np.exp(np.log(200) + noise(3, 60, sd=0.5)[0]), np.full(60, 200.0), np.full(60, 1000.0))
    assert is_told(LATENCY, "latency_p95", 700.0, 1000)
    assert is_told(LATENCY, "latency_p95", 700.0, 1000, Before(*(each[: LEAST_LOOKS - 1] for each in wild)))
    assert not is_told(LATENCY, "latency_p95", 700.0, 1000, wild)


@pytest.mark.parametrize("more", [0.0, pytest.param(1.0, marks=pytest.mark.nightly), 3.0])
def test_of_minutes_in_which_nothing_is_wrong_none_is_told(more: float):
    """Of 3,000 minutes; `more` times the wander of hours is added to that of each minute."""
    rng = np.random.default_rng(int(more))
    told = 0
    for _ in range(3000):
        n = int(rng.integers(LEAST_FOR_A_PERCENTILE, 3000))
        slow = float(np.exp(np.log(200) + rng.normal(0, 0.04 * np.sqrt(1 + more**2)) + rng.normal(0, 1.2 / np.sqrt(n))))
        told += is_told(LATENCY, "latency_p95", slow, n)
        told += is_told(ERRORS, "error_ratio", rng.binomial(n, min(1, 0.004 * rng.gamma(4, 0.25))) / n, n)
    assert told == 0


def test_a_window_is_told_once_by_its_worst_look_and_finally_when_it_has_ended():
    def seen(p: float, reached: int, *, is_out: bool = True) -> Look:
        when = NOW + reached * timedelta(minutes=1)
        return Look(
            model="parcels",
            environment="production",
            family="service",
            metric="error_ratio",
            window_start=NOW,
            window_end=NOW + HOUR,
            rows_from=when,
            rows_to=when + timedelta(minutes=1),
            value=1 - p,
            p=p,
            is_out=is_out,
            reached=reached,
            bins="b",
            computed_at=when,
        )

    looks = [seen(1e-9, 3), seen(1e-30, 4), seen(1e-8, 5), seen(0.3, 6, is_out=False)]
    (running,) = newest_signals(looks, NOW + HOUR / 2)
    assert (running.rule, running.state, running.p, running.rows_from) == ("newest", "provisional", 1e-30, NOW + timedelta(minutes=4))
    (ended,) = newest_signals(looks, NOW + HOUR)
    assert (ended.signal_id, ended.state) == (running.signal_id, "mature")
    assert newest_signals([seen(0.3, 6, is_out=False)], NOW) == []
