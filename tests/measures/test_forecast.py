"""Forecasts of a month's cost: the interval holds what it says, and months within their budget raise nothing."""

from collections.abc import Callable
from datetime import date, timedelta

import numpy as np
import pytest

from draws import draws
from watchkeeper.judgement.budget import Course, course, method_text
from watchkeeper.measures.forecast import AtLeast, Floats, Forecast, forecast

DAY = timedelta(days=1)
START = date(2025, 9, 8)
NOVEMBER, DECEMBER = date(2025, 11, 1), date(2025, 12, 1)
DAYS = [START + k * DAY for k in range((DECEMBER - START).days)]
WEEK = np.array([1.0, 1.0, 1.0, 1.0, 1.0, 0.5, 0.4])
PATTERN = np.array([WEEK[d.weekday()] for d in DAYS])
World = Callable[[np.random.Generator], Floats]


def steady(rng: np.random.Generator) -> Floats:
    """Return spending that follows the week, with a tenth of chance."""
    return 20.0 * PATTERN * np.exp(rng.normal(0.0, 0.1, len(DAYS)))


def wandering(rng: np.random.Generator) -> Floats:
    """Return spending whose level goes its own way, 2 % a day."""
    return steady(rng) * np.exp(np.cumsum(rng.normal(0.0, 0.02, len(DAYS))))


def risen(rng: np.random.Generator) -> Floats:
    """Return spending that rose by six tenths at some day of the last weeks."""
    return steady(rng) * np.where(np.arange(len(DAYS)) < rng.integers(30, 60), 1.0, 1.6)


def at(values: Floats, day: int, limit: float | None = None) -> Forecast:
    """Return the forecast at the end of a day of November."""
    return forecast(dict(zip(DAYS, values.tolist(), strict=True)), NOVEMBER, DECEMBER, NOVEMBER + (day - 1) * DAY, limit)


def of_month(values: Floats) -> float:
    return float(sum(v for d, v in zip(DAYS, values, strict=True) if d >= NOVEMBER))


def gone(values: Floats, budget: float) -> Course:
    """Return how November went beside a budget."""
    return course([at(values, day, budget) for day in range(1, 31)], budget, "USD")


def known_until(values: Floats, day: int) -> Floats:
    """Return the same, as if what came later had been ten times as dear."""
    return np.where(np.array(DAYS) > NOVEMBER + (day - 1) * DAY, 10 * values, values)


@pytest.mark.parametrize("behind", [1, 2, 5])
def test_on_its_first_days_a_month_is_foretold_of_its_own_days_alone_however_late_costs_are(behind):
    even = dict.fromkeys(DAYS, 10.0)
    found = forecast(even, NOVEMBER, DECEMBER, NOVEMBER - behind * DAY, limit=305.0)
    assert (found.to_date, found.known, found.unknown) == (0.0, 0, 0)
    assert (found.value, found.low, found.high) == (pytest.approx(300.0), None, None)


@pytest.mark.parametrize("world", [steady, wandering, risen])
@pytest.mark.parametrize("day", [3, 12, 22])
def test_the_interval_holds_the_month_as_often_as_it_says(world, day):
    rng = np.random.default_rng(11)
    months = [world(rng) for _ in range(100)]
    found = [(at(values, day), of_month(values)) for values in months]
    covered = np.mean([f.low <= total <= f.high for f, total in found])
    assert covered >= 0.88  # of 100 months at 95 %: two standard errors and what seven answers cannot know
    if world is not risen:  # what has just risen is believed with the days
        assert abs(np.mean([f.value - total for f, total in found])) < 0.04 * np.mean([total for _, total in found])


def test_the_interval_narrows_as_the_month_goes_on_and_ends_at_what_was_spent():
    values = steady(np.random.default_rng(1))
    widths = [f.high - f.low for f in (at(values, day) for day in (2, 10, 20, 29))]
    assert widths == sorted(widths, reverse=True)
    last = at(values, 30)
    assert (last.low, last.high, last.is_over) == (last.to_date, last.to_date, True)
    assert last.to_date == pytest.approx(of_month(values))


def test_weekdays_are_told_apart_so_that_a_weekend_is_no_news():
    values = 20.0 * PATTERN * np.exp(np.random.default_rng(3).normal(0.0, 0.001, len(DAYS)))
    found = at(values, 14)
    assert found.has_weekdays
    assert found.value == pytest.approx(of_month(values), rel=1e-3)
    assert 0.01 < found.high - found.low < 1.0


@pytest.mark.parametrize("days", [7, 14, 60])
def test_days_that_cost_the_same_tell_no_interval_but_a_limit_beyond_them_is_broken(days):
    costs = {d: 20.0 * WEEK[d.weekday()] if days > 7 else 20.0 for d in DAYS if NOVEMBER <= d + (days - 10) * DAY < NOVEMBER + days * DAY}
    found = forecast(costs, NOVEMBER, DECEMBER, NOVEMBER + 9 * DAY, limit=1000.0)
    assert (found.learned, found.low, found.high, found.chance) == (min(days, 56), None, None, pytest.approx(0.0, abs=1e-6))
    assert found.value is not None
    assert forecast(costs, NOVEMBER, DECEMBER, NOVEMBER + 9 * DAY, limit=found.value - 1).chance == pytest.approx(1.0)


def test_where_no_weekday_is_left_that_ever_cost_anything_there_is_no_interval_of_what_is_left():
    costs = {d: 10.0 + k for k, d in enumerate(DAYS) if d.weekday() < 5 and d <= date(2025, 11, 28)}
    found = forecast(costs, NOVEMBER, DECEMBER, date(2025, 11, 28), limit=1e6)
    assert (found.value, found.low, found.is_over, found.chance) == (found.to_date, None, False, 0.0)
    assert method_text(found).endswith("no interval: on no weekday that is left anything was ever spent")


def test_what_comes_later_is_not_looked_at():
    values = steady(np.random.default_rng(2))
    assert at(values, 15, 400.0) == at(known_until(values, 15), 15, 400.0)


def test_months_within_their_budget_raise_nothing():
    rng = np.random.default_rng(5)
    months = [steady(rng) for _ in range(draws(25, at_each_change=10))]
    raised = [gone(v, of_month(v) * 1.05).raised for v in months]
    assert sum(map(bool, raised)) == 0
    assert sum(bool(gone(v, of_month(v) * 1.001).raised) for v in months) <= 3  # a budget that is kept by a thousandth


def test_months_that_break_their_budget_are_told_days_before():
    rng = np.random.default_rng(6)
    months = [steady(rng) for _ in range(15)]
    left = []
    for values in months:
        budget = of_month(values) * 0.85
        spent = np.cumsum([v for d, v in zip(DAYS, values, strict=True) if d >= NOVEMBER])
        broke = int(np.argmax(spent > budget)) + 1
        left.append(broke - gone(values, budget).raised[0].through.day)
    assert min(left) >= 7
    assert np.median(left) >= 18


def test_a_forecast_that_wavers_about_the_budget_is_hardly_ever_told_twice():
    rng = np.random.default_rng(7)
    raised = [len(gone(v, of_month(v) * 0.97).raised) for v in (wandering(rng) for _ in range(30))]
    assert max(raised) <= 2
    assert sum(n > 1 for n in raised) <= 2


def test_a_weekday_that_never_had_a_reading_is_taken_to_have_none_to_come():
    costs = {d: 10.0 for d in DAYS if d.weekday() < 5}
    found = forecast(costs, NOVEMBER, DECEMBER, NOVEMBER + 13 * DAY)
    assert found.value == pytest.approx(10.0 * sum(d.weekday() < 5 for d in DAYS if d >= NOVEMBER))
    assert found.unknown == 4  # two weekends


def test_chance_is_that_of_more_than_the_limit():
    values = steady(np.random.default_rng(8))
    middle = at(values, 10).value
    assert middle is not None
    assert at(values, 10, middle).chance == pytest.approx(0.5, abs=0.05)
    assert (at(values, 10, 1.0).chance, at(values, 10, 10 * middle).chance) == (1.0, pytest.approx(0.0, abs=1e-6))


def test_a_chance_is_never_below_none_by_what_sums_are_rounded():
    chances = [at(steady(np.random.default_rng(seed)), 20, 1e4).chance for seed in range(20)]
    assert all(chance is not None and 0.0 <= chance <= 1.0 for chance in chances)


def test_days_that_are_known_in_part_are_lower_bounds_in_sum_forecast_and_chance():
    costs = {d: 10.0 for d in DAYS if d < NOVEMBER + 10 * DAY}
    late = NOVEMBER + 10 * DAY
    both = AtLeast(None, lacks_price=True, lacks_readings=True)
    partly = {late: AtLeast(4.0, lacks_price=True), late + DAY: both, late + 3 * DAY: AtLeast(7.0, lacks_readings=True)}
    found = forecast(costs, NOVEMBER, DECEMBER, late + 3 * DAY, 100.0, partly)
    assert (found.to_date, found.known, found.unpriced, found.unread, found.chance) == (111.0, 10, 2, 1, 1.0)
    assert (found.unknown, found.uncounted) == (2, 1)
    assert (found.is_least, found.is_ahead_least) == (True, True)
    before = {NOVEMBER - 3 * DAY: AtLeast(4.0, lacks_price=True)}
    earlier = forecast({d: c for d, c in costs.items() if d not in before}, NOVEMBER, DECEMBER, NOVEMBER + 9 * DAY, None, before)
    assert (earlier.to_date, earlier.is_least, earlier.is_ahead_least) == (100.0, False, True)
    whole = forecast(costs, NOVEMBER, DECEMBER, NOVEMBER + 9 * DAY)
    assert (whole.is_least, whole.is_ahead_least, whole.unpriced) == (False, False, 0)
