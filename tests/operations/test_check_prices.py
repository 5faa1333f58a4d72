"""check: a price book that would stop `costs` is a mistake before it does, and prices that nobody is billed by are told."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from conftest import PARCELS
from watchkeeper.adapters.workspace import Home
from watchkeeper.operations.check import Finding, check

NOW = datetime(2025, 2, 1, tzinfo=UTC)
GPUS = "gpu,provider,instance,price,currency,region,as_of,source\nL4,aws,g6.xlarge,{price},{currency},us-east-1,2024-12-01,contract\n"
TOKENS = "model,provider,input,output,currency,as_of,source\nsome-llm,p,{price},10,USD,2025-01-01,list\n"


def told(home: Home) -> list[Finding]:
    return [f for f in check(home, now=NOW).findings if f.file.endswith("prices.csv")]


def test_a_sound_price_book_and_none_at_all_are_nothing_to_tell(home: Home):
    assert told(home) == []
    home.prices.write_text(GPUS.format(price="0.80", currency="USD"))
    assert told(home) == []


@pytest.mark.parametrize(("book", "text"), [("prices", GPUS), ("token_prices", TOKENS)])
def test_a_cell_that_is_no_price_is_a_mistake_with_its_file_and_line(home: Home, book: str, text: str):
    path = getattr(home, book)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.format(price="abc", currency="USD"))
    (found,) = told(home)
    assert (found.level, found.file) == ("mistake", f"warehouse/seeds/{path.name}")
    assert "line 2: 'abc' is not a price" in found.what


def test_a_price_in_a_currency_of_no_model_is_told_until_one_is_billed_in_it(home: Home, make_home: Callable[..., Home]):
    home.prices.write_text(GPUS.format(price="0.80", currency="EUR"))
    (found,) = told(home)
    assert (found.level, found.line) == ("warning", 2)
    assert found.what == "no model is billed in EUR: 1 price in it is not used"
    billed = make_home(PARCELS | {"cost": {"currency": "EUR"}}, name="billed")
    billed.prices.write_text(GPUS.format(price="0.80", currency="EUR"))
    assert told(billed) == []
