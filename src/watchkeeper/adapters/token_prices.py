"""The price book of tokens on disk: what hosted language models cost, a CSV file that people edit.

Belongs here: reading it, and saying which line is wrong. Does not: which line fits, and the sums (measures/token_prices.py).
"""

from pathlib import Path

from watchkeeper.adapters.price_lines import Row, amount, currency, day, needed, parse_lines, text_of
from watchkeeper.adapters.workspace import Home
from watchkeeper.measures.token_prices import TokenPrice

COLUMNS = ("model", "provider", "input", "output", "currency", "as_of", "source")
OPTIONAL = ("cached_input", "from")


def token_book(home: Home) -> list[TokenPrice]:
    """Return the workspace's prices of tokens, none without a file: no such prices are shipped, as they change by the month.

    Raises:
        ConfigurationError: the file is wrong; all its mistakes, with line numbers.

    """
    return read_token_prices(home.token_prices) if home.token_prices.is_file() else []


def read_token_prices(path: Path) -> list[TokenPrice]:
    """Return the prices in a file; lines that start with # are notes.

    Raises:
        ConfigurationError: it cannot be read as a price book.

    """
    return parse_lines(text_of(path), path.name, COLUMNS, OPTIONAL, _price)


def _price(row: Row, line: int, before: list[TokenPrice]) -> TokenPrice:
    needed(row, [c for c in COLUMNS if c != "provider"])
    price = TokenPrice(
        model=row["model"],
        provider=row["provider"],
        input=amount(row["input"]),
        output=amount(row["output"]),
        cached_input=amount(row["cached_input"]) if row.get("cached_input") else None,
        currency=currency(row["currency"]),
        as_of=day(row, "as_of"),
        source=row["source"],
        since=day(row, "from") if row.get("from") else None,
        line=line,
    )
    twin = next((p for p in before if (p.model, p.currency, p.since) == (price.model, price.currency, price.since)), None)
    if twin:
        message = f"{price.model} has a price in {price.currency} on line {twin.line} already; keep one, or give one its `from`"
        raise ValueError(message)
    return price
