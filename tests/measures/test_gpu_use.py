"""Money is summed in whole microseconds and exact prices, and divided last."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest

from watchkeeper.measures.gpu_use import Use, priced, usage
from watchkeeper.measures.prices import Price, quotes
from watchkeeper.windows import Window

START = datetime(2025, 1, 20, tzinfo=UTC)
DAY = Window(START, START + timedelta(days=1))
SECOND = 1_000_000


def use(seconds: int, *, name: str = "NVIDIA L4", device: str = "u", **more) -> Use:
    us = seconds * SECOND
    measured = {"busy_known_us": us, "busy_us": us // 2, "energy_known_us": us, "energy_uj": us * 50, "device_us": us}
    given = {
        "window_start": START,
        "priced_on": START.date(),
        "host": "a",
        "device_uuid": device,
        "device_name": name,
        "model": "one",
        "is_synthetic": False,
        "samples": 1,
    }
    return Use(**{**given, **measured, "sampled_us": us, **more})


def price(gpu: str, amount: str) -> Price:
    return Price(gpu=gpu, provider="p", instance="i", price=Decimal(amount), currency="USD", region="r", as_of=date(2025, 1, 1), source="s")


USD = quotes([price("L4", "0.80"), price("H100", "7.00")], "USD")


def test_each_kind_of_device_is_charged_at_its_own_price():
    found = priced([use(3600), use(1800), use(7200, name="NVIDIA H100")], USD)
    assert found.whole == Fraction(152, 10)
    assert "NVIDIA L4 at 0.80" in found.prices
    assert "NVIDIA H100 at 7.00" in found.prices


def test_many_parts_cost_what_the_whole_costs_to_the_last_digit():
    parts = [use(1) for _ in range(3600)]
    assert priced(parts, USD).whole == priced([use(3600)], USD).whole == Fraction(8, 10)


def test_one_device_without_a_price_leaves_no_half_sum():
    found = priced([use(3600), use(3600, name="NVIDIA B200")], USD)
    assert (found.whole, found.cost, found.missing_us) == (None, Fraction(8, 10), 3600 * SECOND)
    assert "'NVIDIA B200'" in found.missing


def test_a_book_that_is_wrong_prices_nothing_and_says_why():
    found = priced([use(3600), use(7200, name="NVIDIA H100")], quotes("line 2 is no price", "USD"))
    assert (found.cost, found.whole, found.missing_us, found.missing) == (None, None, 10_800 * SECOND, "line 2 is no price")


def test_coverage_is_of_the_devices_that_were_used():
    two = [use(43_200, device="u"), use(86_400, device="v")]
    assert usage(two, DAY, USD).coverage == pytest.approx(0.75)


def test_a_device_shared_in_turn_is_covered_by_all_its_samples():
    mine = use(21_600, device_us=86_400 * SECOND)
    assert usage([mine], DAY, USD).coverage == 1.0
    assert usage([mine], DAY, USD).gpu_hours == 6.0


def test_energy_and_busy_share_are_of_the_time_that_was_read():
    half_read = use(3600, busy_known_us=1800 * SECOND, busy_us=900 * SECOND, energy_known_us=1800 * SECOND, energy_uj=1800 * 100 * SECOND)
    found = usage([half_read], DAY, USD)
    assert (found.busy_ratio, found.energy_kwh, found.energy_coverage) == (0.5, pytest.approx(0.05), 0.5)


def test_each_price_is_looked_up_in_the_book_once():
    class Counting(list[Price]):
        times = 0

        def __iter__(self) -> Iterator[Price]:
            self.times += 1
            return super().__iter__()

    book = Counting([price("L4", "0.80"), price("H100", "7.00")])
    quote = quotes(book, "USD")
    parts = [use(3600), use(7200, name="NVIDIA H100"), use(3600)]
    assert usage(parts, DAY, quote).cost == priced(parts, quote).whole == Fraction(156, 10)
    assert usage(parts[:1], DAY, quote).cost == Fraction(8, 10)
    assert book.times == 2
