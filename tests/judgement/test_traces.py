"""What rows show: places, mixes and odd inputs, on rows whose truth is known."""

import re

import numpy as np
import pytest

from watchkeeper.judgement.odd_inputs import exchanged, hole_of, hole_of_codes, odd_of, odd_scale
from watchkeeper.judgement.traces import Column, mixes_of, place_of, told_mix, without
from watchkeeper.words import percent

N = 4_000
DURING = np.arange(N) >= N // 2
DAY = np.arange(N) // 100
"""Twenty days before, and twenty bad ones."""
WIND = np.tile(np.arange(10), N // 10)


def column(cells, *, name="wind", role="feature", is_ordered=True):
    return Column(name, role, np.asarray(cells, np.int64), lambda first, last: f"{name} {first} to {last}", is_ordered=is_ordered)


NOWHERE, EVERYWHERE = np.zeros(N, bool), np.ones(N, bool)


def gap(seed=0, *, where=NOWHERE, by=0.5):
    """Return noise of half a unit, with more of it in some of the bad rows."""
    return np.random.default_rng(seed).normal(0, 0.5, N) + by * (DURING & where)


def test_a_change_in_neighbouring_cells_is_named_by_all_of_them():
    place = place_of([column(WIND)], gap(where=WIND >= 7), DURING, DAY)
    assert (place.first, place.last, place.where) == (7, 9, "wind 7 to 9")
    assert place.share_of_rows == pytest.approx(0.3)
    assert place.share_of_change == pytest.approx(1.0, abs=0.15)
    assert place.now - place.usual == pytest.approx(0.5, abs=0.1)


def test_a_change_everywhere_has_no_place():
    assert place_of([column(WIND)], gap(where=EVERYWHERE), DURING, DAY) is None


def test_noise_has_no_place():
    found = [place_of([column(np.random.default_rng(s).permutation(WIND)) for s in range(20)], gap(seed), DURING, DAY) for seed in range(30)]
    assert found == [None] * 30


def test_cells_that_are_in_no_order_are_named_one_by_one():
    carrier = column(WIND, name="carrier", is_ordered=False)
    assert place_of([carrier], gap(where=WIND == 4), DURING, DAY).where == "carrier 4 to 4"


def test_more_rows_where_a_model_was_always_wrong_are_mix_and_no_change_of_the_outcome():
    """The gap is 1 in cell 9, before as now; of it are 10 % of rows before and 55 % now."""
    cells = np.where(DURING & (np.arange(N) % 2 == 0), 9, WIND)
    value = gap() + (cells == 9)
    [mix] = mixes_of([column(cells)], value, DURING, DAY)
    assert mix.share == pytest.approx(1.0, abs=0.1)
    assert mix.low > 0.8
    assert mix.where == "wind 9 to 9"
    assert (mix.rows_usual, mix.rows_now) == (pytest.approx(0.1, abs=0.03), pytest.approx(0.55, abs=0.06))
    assert told_mix([mix]) is mix
    rest = without(mix, [column(cells)], value, DURING)
    assert rest[DURING].mean() - rest[~DURING].mean() == pytest.approx(0, abs=0.06)


def test_other_shares_of_cells_that_are_alike_account_for_nothing():
    cells = np.where(DURING & (np.arange(N) % 2 == 0), 9, WIND)
    assert told_mix(mixes_of([column(cells)], gap(where=EVERYWHERE), DURING, DAY)) is None


def weights(seed, n=2_000):
    return np.random.default_rng(seed).gamma(2, 4, n)


@pytest.mark.parametrize(
    ("change", "how", "said"),
    [
        (lambda x: np.full(len(x), 13.0), "still", "weight stands still: 100 % of rows have 13, usually 0 %"),
        (lambda x: np.where(np.arange(len(x)) % 2, x, -1.0), "value", "weight is -1 in 50 % of rows, usually in 0 %"),
        (lambda x: x / 1.609344, "factor", "weight comes in another unit: all its values are 1/1.6"),
        (lambda x: x * 1_000, "unit", "what they were, as between thousands and units, such as kilograms and grams (1,000)"),
        (lambda x: x * 60, "unit", "as between hours and minutes, or minutes and seconds (60)"),
    ],
)
def test_an_input_that_is_not_what_it_was_is_told_by_how(change, how, said):
    found = odd_of("weight", weights(1), change(weights(2)), DAY[:2_000])
    assert found.how == how
    assert said in found.text


@pytest.mark.parametrize(
    ("times", "rows", "said"),
    [
        (2.2046, 40_000, r"comes in another unit: all its values are 2\.[12]\d? times what they were, as between kilograms and pounds \(2\.205\)"),
        (0.3937, 40_000, r"comes in another unit: all its values are 1/2\.5\d? of what they were, as between inches and centimetres \(2\.54\)"),
        (
            11,
            101,
            r"comes in another unit: all its values are 1\d(\.\d)? times \[[\d.]+, 1\d(\.\d)?\] what they were, perhaps as between .* \(1[02]\) or .* \(1[02]\)",
        ),
        (
            31,
            40_000,
            r"comes in another scale: all its values are 3\d(\.\d)? times \[3\d(\.\d)?, 3\d(\.\d)?\] what they were \(no known change of unit\)",
        ),
        (
            1 / 31,
            40_000,
            r"comes in another scale: all its values are 1/3\d(\.\d)? \[1/3\d(\.\d)?, 1/3\d(\.\d)?\] of what they were \(no known change of unit\)",
        ),
    ],
)
def test_a_unit_is_named_where_the_factor_with_its_doubt_holds_it_and_two_where_it_holds_both(times: float, rows: int, said: str):
    found = odd_of("weight", weights(1, 40_000), times * weights(2, rows), DAY[np.arange(40_000) % 2_000])
    assert re.fullmatch(f"weight {said}", found.text), found.text


def test_a_factor_between_those_of_units_is_no_other_unit_and_is_told_of_values_that_are_at_fault():
    before, during = weights(1, 40_000), 3.1 * weights(2, 40_000)
    assert odd_of("weight", before, during, DAY[np.arange(40_000) % 2_000]) is None, "the world itself may have made it so"
    told = odd_scale("weight", before, during)
    assert re.fullmatch(
        r"weight comes in another scale: all its values are 3\.\d+ times \[3\.\d+, 3\.\d+\] what they were \(no known change of unit\)", told.text
    )
    assert odd_scale("weight", before, before) is None
    assert odd_scale("weight", before, during[:50]) is None


@pytest.mark.parametrize("change", [lambda x: x, lambda x: x + 3, lambda x: 1.35 * x, lambda x: x[:50]])
def test_an_input_that_merely_drifts_is_not_odd(change):
    assert odd_of("weight", weights(1), change(weights(2)), DAY[:2_000]) is None


def test_an_input_that_always_stood_still_is_not_odd():
    assert odd_of("flag", np.zeros(2_000), np.zeros(2_000), DAY[:2_000]) is None


def codes_of(cells):
    return exchanged("carrier", cells, "abc".__getitem__, DURING, DAY, 3)


def test_codes_that_two_categories_exchanged_are_told_and_a_drift_is_not():
    carrier = np.random.default_rng(3).choice(3, N, p=[0.6, 0.3, 0.1])
    swapped = np.where(DURING, np.array([2, 1, 0])[carrier], carrier)
    found = codes_of(swapped)
    assert found.how == "codes"
    assert found.text.startswith("codes of carrier are exchanged: a is 1")
    assert codes_of(carrier) is None
    assert codes_of(np.where(DURING & (np.arange(N) % 2 == 0), 1, carrier)) is None, "half of all went to one"


def test_the_shares_of_exchanged_codes_are_those_of_all_days_that_show_it():
    carrier = np.random.default_rng(3).choice(3, N, p=[0.6, 0.3, 0.1])
    swapped = np.where(DURING, np.array([2, 1, 0])[carrier], carrier)
    a, c = (percent(float((swapped[DURING] == code).mean())) for code in (0, 2))
    found = codes_of(swapped).text
    assert f": a is {a} of values, usually 6" in found
    assert f"; c is {c} of values, usually 1" in found


def test_codes_are_exchanged_also_where_most_bad_days_are_over_or_some_days_before_had_it():
    carrier = np.random.default_rng(3).choice(3, N, p=[0.75, 0.2, 0.05])
    some = (DAY >= 17) & (DAY < 29)
    assert codes_of(np.where(some, np.array([2, 1, 0])[carrier], carrier)) is not None
    few = (DAY >= 20) & (DAY < 24)
    assert codes_of(np.where(few, np.array([2, 1, 0])[carrier], carrier)) is None, "four bad days of twenty"


def test_codes_of_days_with_few_rows_are_looked_at_together():
    carrier = np.random.default_rng(3).choice(3, N, p=[0.6, 0.3, 0.1])
    swapped = np.where(DURING, np.array([2, 1, 0])[carrier], carrier)
    assert exchanged("carrier", swapped, "abc".__getitem__, DURING, np.arange(N) // 20, 3) is not None


def test_a_change_that_is_gone_in_rows_of_other_codes_is_of_the_exchange():
    carrier = np.random.default_rng(3).choice(3, N, p=[0.75, 0.2, 0.05])
    swapped = np.where(DURING, np.array([1, 0, 2])[carrier], carrier)
    found = codes_of(swapped)
    assert found.cells == (0, 1)
    assert hole_of_codes(found, swapped, gap(where=swapped < 2, by=2.0), DURING).left == pytest.approx(0, abs=0.1)
    assert hole_of_codes(found, swapped, gap(where=EVERYWHERE, by=2.0), DURING).left == pytest.approx(1, abs=0.1)
    assert hole_of_codes(found, swapped, np.where(swapped < 2, gap(), np.nan), DURING) is None, "no other rows are left"


def test_the_factor_of_a_unit_is_no_surer_than_quantiles_of_one_sample_are():
    """Of 150 draws of 300 rows most are taken for miles, whichever way they err together; quantiles that erred apart would be surer."""
    draws = [odd_of("weight", weights(1), weights(100 + seed, 300) / 1.609344, DAY[:2_000]) for seed in range(150)]
    assert sum(one is not None for one in draws) >= 140


def test_a_change_that_is_gone_where_an_input_is_there_is_of_the_rows_that_miss_it():
    is_empty = DURING & (np.arange(N) % 2 == 0)
    hole = hole_of("weight", is_empty, gap(where=is_empty, by=2.0), DURING)
    assert hole.left == pytest.approx(0, abs=0.05)
    assert hole_of("weight", is_empty, gap(where=EVERYWHERE, by=2.0), DURING).left == pytest.approx(1, abs=0.05)
    assert hole_of("weight", NOWHERE, gap(), DURING) is None


def test_the_day_of_the_week_stands_still_on_every_day():
    before = (np.arange(2_000) // 100 % 7).astype(float)
    assert odd_of("weekday", before, np.full(200, 3.0), DAY[:2_000]) is None


def test_weather_that_is_the_same_all_day_is_no_place_and_of_few_such_days_no_mix():
    """Days differ by half a unit; one value of the weather was there on two days before, a bad one and a usual one, and on all bad days."""
    wander = np.random.default_rng(5).normal(0, 0.5, 40)
    wander[[3, 11]] = 1.2, 0.0
    wander[20:] += 1.0
    weather = column(np.where(np.isin(DAY, [3, 11]) | DURING, 9, DAY % 3), name="pressure")
    value = gap() + wander[DAY]
    assert place_of([weather], value, DURING, DAY) is None
    assert told_mix(mixes_of([weather], value, DURING, DAY)) is None


def test_a_category_that_is_new_is_mix_and_a_cell_that_all_rows_are_in_now_is_no_half_of_it():
    client = np.where(DURING & (np.arange(N) % 2 == 0), 10, WIND)
    [mix] = mixes_of([column(client, name="client", role="segment", is_ordered=False)], gap(where=client == 10), DURING, DAY)
    assert (mix.where, mix.rows_usual) == ("client 10 to 10", 0.0)
    assert mix.share == pytest.approx(1.0, abs=0.1)
    cold = column(np.where(DURING, 9, WIND))
    assert mixes_of([cold], gap(where=EVERYWHERE, by=1.0), DURING, DAY) == [], "the outcome changed there: before, that cell was as all others"
