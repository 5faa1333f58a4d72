"""What a GPU-hour costs: the lines of a price book, what own hardware comes to, and which line fits a device on a day.

Belongs here: the rule by which a line fits, and the hourly price of own hardware. Does not: reading the file (adapters/prices.py), sums of
money (cost.py), what tokens cost (token_prices.py).
"""

import functools
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Literal

BOOK = "warehouse/seeds/gpu_prices.csv"
Kind = Literal["on-demand", "reserved", "spot", "own"]
KINDS: tuple[Kind, ...] = ("on-demand", "reserved", "spot", "own")
HOURS_OF_YEAR = Decimal(8766)
"""365.25 days."""
_WATTS = Decimal(1000)
_SMALLEST = Decimal("0.000001")


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """What one GPU of one's own comes to: its share of what was paid, and the power it draws."""

    capital: Decimal
    lifetime_years: Decimal
    power_w: Decimal
    kwh_price: Decimal
    pue: Decimal

    @property
    def hourly(self) -> Decimal:
        """The price of an hour, rounded to a millionth.

        >>> Own(capital=Decimal(35064), lifetime_years=Decimal(4), power_w=Decimal(700), kwh_price=Decimal("0.20"), pue=Decimal("1.5")).hourly
        Decimal('1.210000')
        """
        capital = self.capital / (self.lifetime_years * HOURS_OF_YEAR)
        return (capital + self.power_w / _WATTS * self.pue * self.kwh_price).quantize(_SMALLEST)

    def __str__(self) -> str:
        """The formula, with its numbers."""
        return (
            f"{self.capital} / ({self.lifetime_years} years x {HOURS_OF_YEAR} h) + "
            f"{self.power_w} W / 1000 x PUE {self.pue} x {self.kwh_price} per kWh"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """One line of the price book: what one GPU of an instance costs for an hour, from a day on, on some hosts."""

    gpu: str
    provider: str
    instance: str
    price: Decimal
    currency: str
    region: str
    as_of: date
    source: str
    kind: Kind = "on-demand"
    since: date | None = None
    """The day from which it holds, None: always."""
    hosts: str = ""
    """Pattern of the hosts it is for, empty: all."""
    own: Own | None = None
    pue: Decimal | None = None
    co2_g_per_kwh: Decimal | None = None
    line: int = 0

    @property
    def tokens(self) -> frozenset[str]:
        """The words that must all stand in a device's name."""
        return tokens(self.gpu)

    def __str__(self) -> str:
        """Price, where and when it held, and who says so."""
        kind = "" if self.kind == "on-demand" else f"{self.kind}, "
        where = " ".join(filter(None, (self.provider, self.region, self.instance)))
        since = f", from {self.since}" if self.since else ""
        formula = f" = {self.own}" if self.own else ""
        return f"{self.price} {self.currency} per GPU-hour{formula} ({kind}{f'{where}, ' if where else ''}as of {self.as_of}{since}, {self.source})"


def tokens(name: str) -> frozenset[str]:
    """Return the words of a product name, without case.

    >>> sorted(tokens("NVIDIA A100-SXM4-40GB"))
    ['40gb', 'a100', 'nvidia', 'sxm4']
    """
    return frozenset(re.findall(r"[a-z0-9]+", name.lower()))


def price_of(device_name: str, book: Sequence[Price], currency: str, *, host: str = "", on: date | None = None) -> Price | str:
    """Return the line that fits a device of a host on a day best, or the reason why there is none, with what to add.

    A line fits when every word of its `gpu` is a whole word of the device's name, so that L4 fits `NVIDIA L4` and not
    `NVIDIA L40S`. Of several, one that names the host comes first, then the one with most words, then the one that began last.

    >>> price_of("NVIDIA L4", [], "USD")
    "no price for 'NVIDIA L4' in USD: add a line for it to warehouse/seeds/gpu_prices.csv"
    """
    fitting = [p for p in book if p.tokens <= tokens(device_name) and (not p.hosts or fnmatchcase(host, p.hosts))]
    usable = [p for p in fitting if p.currency == currency]
    if not usable:
        known = sorted({p.currency for p in fitting})
        also = f" (it has one in {', '.join(known)})" if known else ""
        return f"no price for {device_name!r} in {currency}: add a line for it to {BOOK}{also}"
    begun = [p for p in usable if on is None or p.since is None or p.since <= on]
    if not begun:
        first = min(p.since for p in usable if p.since is not None)
        return f"no price for {device_name!r} in {currency} before {first}: add a line for it with an earlier `from`, or with none, to {BOOK}"
    best = _best(begun)
    if len(best) > 1:
        lines = " and ".join(str(p.line) for p in best)
        return f"lines {lines} of {BOOK} fit {device_name!r} equally well: name the device or its hosts more closely in one of them"
    return best[0]


Quotes = Callable[[str, str, date], Price | str]
"""Name of a device, host and day -> the line that fits, or the reason why there is none."""


def quotes(book: Sequence[Price] | str, currency: str) -> Quotes:
    """Return what tells the line for a device, a host and a day, and looks for each once; `book` is the price book, or the reason why there is none."""

    @functools.cache
    def quote(device_name: str, host: str, on: date) -> Price | str:
        return book if isinstance(book, str) else price_of(device_name, book, currency, host=host, on=on)

    return quote


def _best(fitting: Sequence[Price]) -> list[Price]:
    """Return the lines that fit best: one, unless two name the device alike in other words."""
    rank = max((bool(p.hosts), len(p.tokens)) for p in fitting)
    closest = [p for p in fitting if (bool(p.hosts), len(p.tokens)) == rank]
    newest: dict[tuple[frozenset[str], str], Price] = {}
    for price in closest:
        before = newest.get((price.tokens, price.hosts))
        if before is None or (before.since or date.min) < (price.since or date.min):
            newest[price.tokens, price.hosts] = price
    return list(newest.values())


def days_of_change(book: Collection[Price]) -> list[date]:
    """Return the days on which some price begins, in order."""
    return sorted({p.since for p in book if p.since is not None})
