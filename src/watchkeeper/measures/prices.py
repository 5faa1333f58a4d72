"""What a GPU-hour costs: the lines of a price book, and which of them fits a device.

Belongs here: the rule by which a line fits. Does not: reading the file (adapters/prices.py), sums of money (cost.py).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

BOOK = "warehouse/seeds/gpu_prices.csv"


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """One line of the price book: what one GPU of an instance costs for an hour."""

    gpu: str
    provider: str
    instance: str
    price: Decimal
    currency: str
    region: str
    as_of: date
    source: str
    line: int = 0

    @property
    def tokens(self) -> frozenset[str]:
        """The words that must all stand in a device's name."""
        return tokens(self.gpu)

    def __str__(self) -> str:
        """Price, where and when it held, and who says so."""
        return f"{self.price} {self.currency} per GPU-hour ({self.provider} {self.region} {self.instance}, as of {self.as_of}, {self.source})"


def tokens(name: str) -> frozenset[str]:
    """Return the words of a product name, without case.

    >>> sorted(tokens("NVIDIA A100-SXM4-40GB"))
    ['40gb', 'a100', 'nvidia', 'sxm4']
    """
    return frozenset(re.findall(r"[a-z0-9]+", name.lower()))


def price_of(device_name: str, book: Sequence[Price], currency: str) -> Price | str:
    """Return the line that fits a device best, or the reason why there is none, with what to add.

    A line fits when every word of its `gpu` is a whole word of the device's name, so that L4 fits `NVIDIA L4` and not
    `NVIDIA L40S`; of several the one with most words is taken.

    >>> price_of("NVIDIA L4", [], "USD")
    "no price for 'NVIDIA L4' in USD: add a line for it to warehouse/seeds/gpu_prices.csv"
    """
    fitting = [p for p in book if p.tokens <= tokens(device_name)]
    usable = [p for p in fitting if p.currency == currency]
    if not usable:
        known = sorted({p.currency for p in fitting})
        also = f" (it has one in {', '.join(known)})" if known else ""
        return f"no price for {device_name!r} in {currency}: add a line for it to {BOOK}{also}"
    most = max(len(p.tokens) for p in usable)
    best = [p for p in usable if len(p.tokens) == most]
    if len(best) > 1:
        lines = " and ".join(str(p.line) for p in best)
        return f"lines {lines} of {BOOK} fit {device_name!r} equally well: name the device more closely in one of them"
    return best[0]
