"""Which line of the price book fits a device."""

from datetime import date
from decimal import Decimal

import pytest

from watchkeeper.measures.prices import Price, price_of

NAMES = ("T4", "A10G", "L4", "L40S", "A100 40GB", "A100 80GB", "H100", "H100 NVL")


def price(gpu, currency="USD", line=0, amount=1, **more):
    given = {"provider": "p", "instance": "i", "region": "r", "as_of": date(2026, 9, 6), "source": "s", **more}
    return Price(gpu=gpu, price=Decimal(amount), currency=currency, line=line, **given)


@pytest.mark.parametrize(
    ("device", "gpu"),
    [
        ("NVIDIA L4", "L4"),
        ("NVIDIA L40S", "L40S"),
        ("Tesla T4", "T4"),
        ("NVIDIA A10G", "A10G"),
        ("NVIDIA A100-SXM4-40GB", "A100 40GB"),
        ("NVIDIA A100 80GB PCIe", "A100 80GB"),
        ("NVIDIA H100 80GB HBM3", "H100"),
        ("NVIDIA H100 NVL", "H100 NVL"),
    ],
)
def test_a_device_is_priced_by_the_line_whose_words_it_has(device, gpu):
    assert price_of(device, [price(n) for n in NAMES], "USD").gpu == gpu


@pytest.mark.parametrize("device", ["NVIDIA L40", "NVIDIA A10", "NVIDIA A100-SXM4-64GB", "NVIDIA T400"])
def test_a_device_that_only_looks_alike_has_no_price_and_is_told_what_to_add(device):
    reason = price_of(device, [price(n) for n in NAMES], "USD")
    assert reason == f"no price for {device!r} in USD: add a line for it to warehouse/seeds/gpu_prices.csv"


def test_a_price_in_another_currency_is_not_taken_for_one_in_this():
    assert "in EUR: add a line" in price_of("NVIDIA L4", [price("L4")], "EUR")
    assert "(it has one in USD)" in price_of("NVIDIA L4", [price("L4")], "EUR")


def test_two_lines_that_fit_equally_well_are_named():
    reason = price_of("NVIDIA A100-SXM4-40GB", [price("A100 40GB", line=4), price("A100 SXM4", line=9)], "USD")
    assert "lines 4 and 9" in reason


OCTOBER = date(2026, 10, 1)


@pytest.mark.parametrize(("day", "amount"), [(date(2026, 9, 30), 1), (OCTOBER, 2), (date(2027, 1, 1), 2)])
def test_a_price_holds_from_its_day_until_the_next(day, amount):
    book = [price("L4"), price("L4", amount=2, since=OCTOBER)]
    assert price_of("NVIDIA L4", book, "USD", on=day).price == amount


def test_before_the_first_price_there_is_none_and_what_to_add_is_told():
    reason = price_of("NVIDIA L4", [price("L4", since=OCTOBER)], "USD", on=date(2026, 9, 30))
    assert "in USD before 2026-10-01: add a line for it with an earlier `from`" in reason


def test_a_line_of_the_host_comes_before_one_of_all_hosts():
    book = [price("NVIDIA L4"), price("L4", amount=3, hosts="spot-*")]
    assert [price_of("NVIDIA L4", book, "USD", host=h).price for h in ("spot-7", "serve-1")] == [3, 1]
