"""Money is summed in whole microseconds and exact prices, and divided last."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest

from watchkeeper.measures.gpu_use import Use, charge, usage
from watchkeeper.measures.prices import Price
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


BOOK = [price("L4", "0.80"), price("H100", "7.00")]


def test_each_kind_of_device_is_charged_at_its_own_price():
    amount, prices = charge([use(3600), use(1800), use(7200, name="NVIDIA H100")], BOOK, "USD")
    assert amount == Fraction(152, 10)
    assert "NVIDIA L4 at 0.80" in prices
    assert "NVIDIA H100 at 7.00" in prices


def test_many_parts_cost_what_the_whole_costs_to_the_last_digit():
    parts = [use(1) for _ in range(3600)]
    assert charge(parts, BOOK, "USD")[0] == charge([use(3600)], BOOK, "USD")[0] == Fraction(8, 10)


def test_one_device_without_a_price_leaves_no_half_sum():
    amount, reason = charge([use(3600), use(3600, name="NVIDIA B200")], BOOK, "USD")
    assert amount is None
    assert "'NVIDIA B200'" in reason


def test_coverage_is_of_the_devices_that_were_used():
    two = [use(43_200, device="u"), use(86_400, device="v")]
    assert usage(two, DAY, BOOK, "USD").coverage == pytest.approx(0.75)


def test_a_device_shared_in_turn_is_covered_by_all_its_samples():
    mine = use(21_600, device_us=86_400 * SECOND)
    assert usage([mine], DAY, BOOK, "USD").coverage == 1.0
    assert usage([mine], DAY, BOOK, "USD").gpu_hours == 6.0


def test_energy_and_busy_share_are_of_the_time_that_was_read():
    half_read = use(3600, busy_known_us=1800 * SECOND, busy_us=900 * SECOND, energy_known_us=1800 * SECOND, energy_uj=1800 * 100 * SECOND)
    found = usage([half_read], DAY, BOOK, "USD")
    assert (found.busy_ratio, found.energy_kwh, found.energy_coverage) == (0.5, pytest.approx(0.05), 0.5)
