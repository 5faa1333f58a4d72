"""The price book is read whole, and its mistakes are told with their lines."""

from decimal import Decimal
from pathlib import Path

import pytest

from watchkeeper.adapters.prices import parse_prices, price_book, read_prices
from watchkeeper.errors import ConfigurationError

HEAD = "gpu,provider,instance,price,currency,region,as_of,source"
L4 = "L4,aws,g6.xlarge,0.80,USD,us-east-1,2026-09-06,a list"


def test_a_line_becomes_a_price_with_its_line_number():
    (price,) = parse_prices(f"# a note\n{HEAD}\n\n{L4}\n", "book.csv")
    assert (price.gpu, price.price, price.currency, price.line) == ("L4", Decimal("0.80"), "USD", 4)
    assert str(price) == "0.80 USD per GPU-hour (aws us-east-1 g6.xlarge, as of 2026-09-06, a list)"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("T4,aws,g4,-1,USD,us,2026-01-01,list", "line 3: '-1' is not a price"),
        ("T4,aws,g4,,USD,us,2026-01-01,list", "line 3: price missing"),
        ("T4,aws,g4,cheap,USD,us,2026-01-01,list", "line 3: 'cheap' is not a price"),
        ("T4,aws,g4,NaN,USD,us,2026-01-01,list", "line 3: 'NaN' is not a price"),
        ("l4,gcp,g2,0.7,USD,us,2026-01-01,list", "line 3: l4 has a price in USD on line 2 already"),
        ("T4,aws,g4,1,dollars,us,2026-01-01,list", "line 3: 'dollars' is not a currency"),
        ("T4,aws,g4,1,USD,us,last May,list", "line 3: as_of 'last May' is not a day"),
        ("T4,aws,g4,1,USD,us,2026-01-01,", "line 3: source missing"),
        ("T4,aws,1", "line 3: 3 cells where 8 are due"),
    ],
)
def test_a_wrong_line_is_named(line, words):
    with pytest.raises(ConfigurationError, match=r"book\.csv") as caught:
        parse_prices(f"{HEAD}\n{L4}\n{line}\n", "book.csv")
    assert words in str(caught.value)


def test_all_mistakes_are_told_at_once():
    with pytest.raises(ConfigurationError) as caught:
        parse_prices(f"{HEAD}\nT4,,,-1,USD,,2026-01-01,a\n{L4}\nH100,,,x,USD,,2026-01-01,a\n", "book.csv")
    assert "line 2" in str(caught.value)
    assert "line 4" in str(caught.value)


@pytest.mark.parametrize("text", ["", "gpu,price\nL4,1\n"])
def test_a_book_without_its_columns_is_refused(text):
    with pytest.raises(ConfigurationError, match="the first line must be gpu,provider"):
        parse_prices(text, "book.csv")


def test_bytes_that_are_no_text_are_refused(tmp_path: Path):
    (tmp_path / "gpu_prices.csv").write_bytes(b"\xff\xfe\x00g\xff")
    with pytest.raises(ConfigurationError, match="Save it as CSV in UTF-8"):
        read_prices(tmp_path / "gpu_prices.csv")


def test_the_same_gpu_may_have_a_price_in_each_currency():
    prices = parse_prices(f"{HEAD}\n{L4}\n{L4.replace('USD', 'EUR')}\n", "book.csv")
    assert [p.currency for p in prices] == ["USD", "EUR"]


def test_a_workspace_without_prices_has_the_shipped_ones(home):
    assert {"T4", "L4", "H100"} <= {p.gpu for p in price_book(home)}


def test_a_workspaces_own_prices_replace_the_shipped_ones(home):
    home.prices.write_text(f"{HEAD}\n{L4}\n")
    assert [p.gpu for p in price_book(home)] == ["L4"]


def test_the_repositorys_prices_are_the_shipped_ones():
    root = Path(__file__).parents[2]
    shipped = root / "src" / "watchkeeper" / "templates" / "warehouse" / "seeds" / "gpu_prices.csv"
    assert (root / "warehouse" / "seeds" / "gpu_prices.csv").read_bytes() == shipped.read_bytes()


def test_every_shipped_price_says_where_when_and_who(home):
    assert all(p.region and p.provider and p.source for p in price_book(home))
