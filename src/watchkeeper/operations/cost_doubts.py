"""What is doubtful about costs before anything is billed: hosts named twice, a language model without a price, prices of another book or of a day to come.

Belongs here: these, each in one sentence with what to do. Does not: who is told (check.py), mistakes in a file's lines (adapters/price_lines.py).
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from watchkeeper.adapters.workspace import Home
from watchkeeper.measures import token_prices
from watchkeeper.measures.prices import BOOK, Price
from watchkeeper.measures.token_prices import TokenPrice, token_price_of
from watchkeeper.monitor import Monitor
from watchkeeper.operations.spending import Books
from watchkeeper.samples import GpuSample


@dataclass(frozen=True, slots=True)
class Doubt:
    """One of them, under the key of the monitor file, or the file, that it is about."""

    about: str
    what: str
    hint: str = ""


def cost_doubts(monitor: Monitor, books: Books, *, now: datetime) -> Iterator[Doubt]:
    """Yield what is doubtful about how a monitor's costs are found."""
    for host, times in Counter(monitor.cost.hosts).items():
        if times > 1:
            yield Doubt("hosts", f"host '{host}' is named {times} times", "it counts once: name each host once")
    if monitor.cost.llm and token_prices.BOOK not in books.wrong:
        price = token_price_of(monitor.cost.llm, books.tokens, monitor.cost.currency, books.day_of(now))
        if isinstance(price, str):
            yield Doubt("llm", price)


def book_doubts(home: Home, monitors: Mapping[str, Monitor], books: Books, *, now: datetime) -> Iterator[Doubt]:
    """Yield what is doubtful about the price books."""
    is_billed = any(m.cost.hosts for m in monitors.values()) or home.lake.dataset(GpuSample.TABLE) is not None
    if is_billed and not home.prices.is_file():
        yield Doubt(BOOK, "is not there: GPUs are priced by the book that Watchkeeper was shipped with", "put it back, with your prices")
    dated: list[tuple[str, Price | TokenPrice]] = [(BOOK, p) for p in books.gpus] if home.prices.is_file() else []
    dated += [(token_prices.BOOK, p) for p in books.tokens]
    for path, price in dated:
        if price.as_of > books.day_of(now):
            yield Doubt(
                path,
                f"line {price.line}: as_of {price.as_of} is a day to come",
                "write the day on which the price was seen",
            )
