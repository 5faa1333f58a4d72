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


MORE = f"{HEAD},kind,from,hosts,capital,lifetime_years,power_w,kwh_price,pue,co2_g_per_kwh"


def test_a_price_may_change_from_a_day_on_and_be_of_some_hosts():
    early, late = L4, f"{L4.replace('0.80', '0.90')},,2026-10-01"
    spot = f"{L4.replace('0.80', '0.30')},spot,,spot-*"
    book = parse_prices(f"{MORE}\n{early}\n{late}\n{spot}", "book.csv")
    assert [(p.kind, str(p.since), p.hosts) for p in book] == [("on-demand", "None", ""), ("on-demand", "2026-10-01", ""), ("spot", "None", "spot-*")]


def test_own_hardware_has_an_hourly_price_that_shows_its_formula():
    (own,) = parse_prices(f"{MORE}\nL4,,,,EUR,DE,2026-09-06,invoice,own,,,35064,4,700,0.20,1.5\n", "book.csv")
    assert own.price == Decimal("1.210000")  # 35064 / 35064 + 0.7 x 1.5 x 0.20
    assert "35064 / (4 years x 8766 h) + 700 W / 1000 x PUE 1.5 x 0.20 per kWh" in str(own)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("T4,,,1,USD,us,2026-01-01,list,rented", "line 2: 'rented' is no kind of price; write on-demand, reserved, spot or own"),
        ("T4,,,,USD,us,2026-01-01,list,own,,,100,4,70,0.2", "line 2: pue missing"),
        ("T4,,,,USD,us,2026-01-01,list,own,,,100,0,70,0.2,1.2", "line 2: '0' is not a lifetime in years; write a number that is above 0"),
        ("T4,,,,USD,us,2026-01-01,list,own,,,100,4,70,0.2,0.5", "line 2: '0.5' is not a PUE; write a number that is at least 1"),
        ("T4,,,,USD,us,2026-01-01,list,own,,,-5,4,70,0.2,1", "line 2: '-5' is not what was paid for a GPU"),
        ("T4,,,9,USD,us,2026-01-01,list,own,,,100,4,70,0.2,1", "line 2: price given for kind own"),
        ("T4,,,9,USD,us,2026-01-01,list,spot,,,100", "line 2: capital given for kind spot"),
        ("T4,,,1,USD,us,2026-01-01,list,,May", "line 2: from 'May' is not a day"),
        ("T4,,,1,USD,us,2026-01-01,list,,,,,,,,,-3", "line 2: '-3' is not a factor in grams per kWh"),
    ],
)
def test_a_wrong_cell_of_the_other_columns_is_named(line, words):
    with pytest.raises(ConfigurationError) as caught:
        parse_prices(f"{MORE}\n{line}\n", "book.csv")
    assert words in str(caught.value)


def test_the_same_day_twice_is_a_mistake_and_another_day_is_none():
    with pytest.raises(ConfigurationError, match=r"line 3: L4 has a price in USD from 2026-10-01 on line 2 already"):
        parse_prices(f"{MORE}\n{L4},,2026-10-01\n{L4},spot,2026-10-01\n", "book.csv")


def test_a_column_that_is_none_is_told_with_the_nearest():
    with pytest.raises(ConfigurationError, match="did you mean 'hosts'"):
        parse_prices(f"{HEAD},host\n{L4},a\n", "book.csv")
