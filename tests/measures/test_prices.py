"""Which line of the price book fits a device."""

from datetime import date
from decimal import Decimal

import pytest

from watchkeeper.measures.prices import Price, price_of

NAMES = ("T4", "A10G", "L4", "L40S", "A100 40GB", "A100 80GB", "H100", "H100 NVL")


def price(gpu, currency="USD", line=0):
    return Price(gpu=gpu, provider="p", instance="i", price=Decimal(1), currency=currency, region="r", as_of=date(2026, 9, 6), source="s", line=line)


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
