"""The price book on disk: a CSV file that people edit, read whole and checked whole.

Belongs here: reading it, and saying which line is wrong. Does not: which line fits a device (measures/prices.py).
"""

import csv
from collections.abc import Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from importlib.resources import files
from pathlib import Path

from watchkeeper.adapters.workspace import Home
from watchkeeper.errors import ConfigurationError
from watchkeeper.measures.prices import Price

COLUMNS = ("gpu", "provider", "instance", "price", "currency", "region", "as_of", "source")


def price_book(home: Home) -> list[Price]:
    """Return the workspace's prices; without a file of its own, those that Watchkeeper was shipped with.

    Raises:
        ConfigurationError: the file is wrong; all its mistakes, with line numbers.

    """
    if home.prices.is_file():
        return read_prices(home.prices)
    shipped = files("watchkeeper").joinpath("templates", "warehouse", "seeds", "gpu_prices.csv")
    return parse_prices(shipped.read_text(encoding="utf-8"), "the shipped gpu_prices.csv")


def read_prices(path: Path) -> list[Price]:
    """Return the prices in a file; lines that start with # are notes.

    Raises:
        ConfigurationError: it cannot be read as a price book.

    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"cannot be read ({error})", where=path.name, then="Save it as CSV in UTF-8.") from error
    return parse_prices(text, path.name)


def parse_prices(text: str, name: str) -> list[Price]:
    """Return the prices in a CSV text.

    Raises:
        ConfigurationError: it has mistakes; all of them in one message.

    """
    numbered = [(n, line) for n, line in enumerate(text.splitlines(), 1) if line.strip() and not line.lstrip().startswith("#")]
    rows = list(csv.reader(line for _, line in numbered))
    if not rows or tuple(c.strip() for c in rows[0]) != COLUMNS:
        raise ConfigurationError(f"the first line must be {','.join(COLUMNS)}", where=name, then="Take the columns from there.")
    mistakes: list[str] = []
    prices: list[Price] = []
    for (line, _), cells in zip(numbered[1:], rows[1:], strict=True):
        try:
            prices.append(_price(cells, line, prices))
        except ValueError as error:
            mistakes.append(f"line {line}: {error}")
    if mistakes:
        raise ConfigurationError("; ".join(mistakes), where=name, then="Mend these lines.")
    return prices


def _price(cells: list[str], line: int, before: list[Price]) -> Price:
    if len(cells) != len(COLUMNS):
        message = f"{len(cells)} cells where {len(COLUMNS)} are due"
        raise ValueError(message)
    row = dict(zip(COLUMNS, (c.strip() for c in cells), strict=True))
    missing = [c for c in ("gpu", "price", "currency", "as_of", "source") if not row[c]]
    if missing:
        message = f"{' and '.join(missing)} missing"
        raise ValueError(message)
    price = Price(
        gpu=row["gpu"],
        provider=row["provider"],
        instance=row["instance"],
        price=_amount(row),
        currency=_currency(row["currency"]),
        region=row["region"],
        as_of=_day(row["as_of"]),
        source=row["source"],
        line=line,
    )
    twin = next((p for p in before if (p.tokens, p.currency) == (price.tokens, price.currency)), None)
    if twin:
        message = f"{price.gpu} has a price in {price.currency} on line {twin.line} already"
        raise ValueError(message)
    return price


def _amount(row: Mapping[str, str]) -> Decimal:
    try:
        amount = Decimal(row["price"])
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or amount < 0:
        message = f"{row['price']!r} is not a price; write a number that is not negative, such as 0.80"
        raise ValueError(message)
    return amount


def _currency(text: str) -> str:
    if len(text) != len("USD") or not text.isalpha():
        message = f"{text!r} is not a currency; write for example USD"
        raise ValueError(message)
    return text.upper()


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        message = f"as_of {text!r} is not a day; write for example 2026-09-06"
        raise ValueError(message) from None
