"""Tokens cost what the book says on their day, to the last digit."""

from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest

from watchkeeper.adapters.token_prices import read_token_prices
from watchkeeper.errors import ConfigurationError
from watchkeeper.measures.token_prices import Tokens, token_charge

HEAD = "model,provider,input,output,currency,as_of,source,cached_input,from"
EARLY = "some-llm,p,2.50,10,USD,2026-01-01,list,1.25,"
LATE = "some-llm,p,2.00,8,USD,2026-06-01,list,,2026-06-01"


@pytest.fixture
def book(tmp_path):
    path = tmp_path / "token_prices.csv"
    path.write_text(f"{HEAD}\n{EARLY}\n{LATE}\n")
    return read_token_prices(path)


def counts(day: date) -> Tokens:
    return Tokens(priced_on=day, input=1_000_000, output=500_000, cached=400_000)


def test_cached_tokens_have_their_own_price_or_that_of_other_input(book):
    assert token_charge([counts(date(2026, 5, 31))], "some-llm", book, "USD")[0] == Fraction(Decimal("1.5")) + Fraction(Decimal("0.5")) + 5
    assert token_charge([counts(date(2026, 6, 1))], "some-llm", book, "USD")[0] == 2 + 4


@pytest.mark.parametrize(("name", "currency", "words"), [("other", "USD", "'other' in USD: add a line"), ("some-llm", "EUR", "it has one in USD")])
def test_a_missing_price_says_which_line_to_add(book, name, currency, words):
    amount, reason = token_charge([counts(date(2026, 5, 1))], name, book, currency)
    assert amount is None
    assert words in reason


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (EARLY.replace("2.50", "-1"), "line 3: '-1' is not a price"),
        (EARLY, "line 3: some-llm has a price in USD on line 2 already"),
        (EARLY.replace("2.50", ""), "line 3: input missing"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, line, words):
    path = tmp_path / "token_prices.csv"
    path.write_text(f"{HEAD}\n{EARLY}\n{line}\n")
    with pytest.raises(ConfigurationError) as caught:
        read_token_prices(path)
    assert words in str(caught.value)
