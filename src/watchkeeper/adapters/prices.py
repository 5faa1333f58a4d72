"""The price book of GPUs on disk: a CSV file that people edit, read whole and checked whole.

Belongs here: reading it, and saying which line is wrong. Does not: which line fits a device (measures/prices.py), tokens (token_prices.py).
"""

from decimal import Decimal
from importlib.resources import files
from pathlib import Path

from watchkeeper.adapters.price_lines import Row, amount, currency, day, needed, parse_lines, text_of
from watchkeeper.adapters.workspace import Home
from watchkeeper.measures.prices import KINDS, Own, Price

COLUMNS = ("gpu", "provider", "instance", "price", "currency", "region", "as_of", "source")
OF_OWN = ("capital", "lifetime_years", "power_w", "kwh_price")
OPTIONAL = ("kind", "from", "hosts", *OF_OWN, "pue", "co2_g_per_kwh")


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
    return parse_prices(text_of(path), path.name)


def parse_prices(text: str, name: str) -> list[Price]:
    """Return the prices in a CSV text.

    Raises:
        ConfigurationError: it has mistakes; all of them in one message.

    """
    return parse_lines(text, name, COLUMNS, OPTIONAL, _price)


def _price(row: Row, line: int, before: list[Price]) -> Price:
    kind = next((k for k in KINDS if k == (row.get("kind") or KINDS[0]).lower()), None)
    if kind is None:
        message = f"{row['kind']!r} is no kind of price; write {', '.join(KINDS[:-1])} or {KINDS[-1]}"
        raise ValueError(message)
    needed(row, ("gpu", *(OF_OWN if kind == "own" else ("price",)), "currency", "as_of", "source"))
    own = _own(row) if kind == "own" else None
    price = Price(
        gpu=row["gpu"],
        provider=row["provider"],
        instance=row["instance"],
        price=own.hourly if own else amount(row["price"]),
        currency=currency(row["currency"]),
        region=row["region"],
        as_of=day(row, "as_of"),
        source=row["source"],
        kind=kind,
        since=day(row, "from") if row.get("from") else None,
        hosts=row.get("hosts", ""),
        own=own,
        pue=_pue(row),
        co2_g_per_kwh=amount(row["co2_g_per_kwh"], "a factor in grams per kWh", "380") if row.get("co2_g_per_kwh") else None,
        line=line,
    )
    _refuse_strays(row, kind)
    twin = next((p for p in before if _same(p) == _same(price)), None)
    if twin:
        since = f" from {price.since}" if price.since else ""
        where = f" for {price.hosts}" if price.hosts else ""
        message = f"{price.gpu} has a price in {price.currency}{where}{since} on line {twin.line} already; {_apart(row)}"
        raise ValueError(message)
    return price


def _same(price: Price) -> tuple[object, ...]:
    return price.tokens, price.currency, price.hosts, price.since


def _apart(row: Row) -> str:
    return "keep one of them" if row.get("from") and row.get("hosts") else "keep one, or give one its `from` or its `hosts`"


def _refuse_strays(row: Row, kind: str) -> None:
    """Refuse cells that a line of its kind would pass over in silence."""
    strays = ["price"] if kind == "own" and row["price"] else [c for c in OF_OWN if row.get(c)] if kind != "own" else []
    if strays:
        why = "own hardware has no price of its own, it is worked out" if kind == "own" else "they are for `own` hardware"
        message = f"{' and '.join(strays)} given for kind {kind}: {why}; leave it empty or change the kind"
        raise ValueError(message)


def _own(row: Row) -> Own:
    return Own(
        capital=amount(row["capital"], "what was paid for a GPU", "30000"),
        lifetime_years=amount(row["lifetime_years"], "a lifetime in years", "4", is_above=True),
        power_w=amount(row["power_w"], "a power in watts", "700"),
        kwh_price=amount(row["kwh_price"], "a price of a kWh", "0.25"),
        pue=_pue(row) or _without_pue(),
    )


def _pue(row: Row) -> Decimal | None:
    return amount(row["pue"], "a PUE", "1.3", least=Decimal(1)) if row.get("pue") else None


def _without_pue() -> Decimal:
    message = "pue missing; write 1 where the power is that of the whole building"
    raise ValueError(message)
