"""What the tokens of a hosted language model cost: the lines of its price book, and the bill of some counts.

Belongs here: which line fits on a day, counts times prices. Does not: reading the file (adapters/token_prices.py), counting (adapters/requests.py).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction

BOOK = "warehouse/seeds/token_prices.csv"
PER = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPrice:
    """One line: what a million tokens of a hosted model cost, from a day on."""

    model: str
    provider: str
    input: Decimal
    output: Decimal
    currency: str
    as_of: date
    source: str
    cached_input: Decimal | None = None
    """Of input that the provider had in its cache; None: like other input."""
    since: date | None = None
    line: int = 0

    def __str__(self) -> str:
        """The prices, when they held, and who says so."""
        cached = f", {self.cached_input} cached" if self.cached_input is not None else ""
        since = f", from {self.since}" if self.since else ""
        return f"{self.input} {self.currency} per million tokens in{cached}, {self.output} out ({self.provider}, as of {self.as_of}{since}, {self.source})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """Tokens of a stretch of time in which no price changes; `cached` are those among `input` that came from a cache."""

    priced_on: date
    input: int
    output: int
    cached: int = 0


def token_price_of(name: str, book: Sequence[TokenPrice], currency: str, on: date) -> TokenPrice | str:
    """Return the line of a hosted model on a day, or the reason why there is none, with what to add."""
    mine = [p for p in book if p.model == name and p.currency == currency]
    if not mine:
        known = sorted({p.currency for p in book if p.model == name})
        also = f" (it has one in {', '.join(known)})" if known else ""
        return f"no token price for {name!r} in {currency}: add a line for it to {BOOK}{also}"
    begun = [p for p in mine if p.since is None or p.since <= on]
    if not begun:
        return f"no token price for {name!r} in {currency} on {on}: add a line for it with an earlier `from`, or with none, to {BOOK}"
    return max(begun, key=lambda p: p.since or date.min)


def token_charge(counts: Iterable[Tokens], name: str, book: Sequence[TokenPrice] | str, currency: str) -> tuple[Fraction | None, str]:
    """Return what some tokens cost, exactly, and the prices used; (None, why) without a price."""
    if isinstance(book, str):
        return None, book
    total, said = Fraction(0), dict[str, None]()
    for count in counts:
        price = token_price_of(name, book, currency, count.priced_on)
        if isinstance(price, str):
            return None, price
        cached = price.input if price.cached_input is None else price.cached_input
        fresh = count.input - count.cached
        total += fresh * Fraction(price.input) + count.cached * Fraction(cached) + count.output * Fraction(price.output)
        said[f"{name} at {price}"] = None
    return total / PER, "; ".join(said)
