"""check tells what would make a bill wrong, before there is one."""

import itertools
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from service_world import FEW
from watchkeeper.adapters.workspace import Home
from watchkeeper.operations.check import check

NOW = datetime(2026, 9, 6, tzinfo=UTC)
HEAD = "gpu,provider,instance,price,currency,region,as_of,source\n"
_NUMBERS = itertools.count()


def told(home: Home) -> list[str]:
    return [str(f) for f in check(home, now=NOW).findings]


def with_costs(make_home: Callable[..., Home], book: str | None = HEAD, **cost: Any) -> Home:
    home = make_home(FEW | {"cost": cost}, name=f"home{next(_NUMBERS)}")
    home.prices.parent.mkdir(parents=True, exist_ok=True)
    home.prices.unlink(missing_ok=True)
    if book is not None:
        home.prices.write_text(book)
    return home


def test_a_currency_is_three_letters(make_home: Callable[..., Home]):
    home = with_costs(make_home, currency="eurox")
    assert [f.level for f in check(home, now=NOW).findings if "'eurox' is not a currency" in f.what] == ["mistake"]


@pytest.mark.parametrize(
    ("cost", "said"), [({"hosts": ["gh1", "gh1"]}, "host 'gh1' is named 2 times"), ({"llm": "nosuch-llm"}, "nosuch-llm")], ids=["hosts", "llm"]
)
def test_a_host_named_twice_and_a_language_model_without_a_price_are_told(cost: dict[str, Any], said: str, make_home: Callable[..., Home]):
    assert [s for s in told(with_costs(make_home, **cost)) if said in s]
    assert not [s for s in told(with_costs(make_home, hosts=["gh1"])) if said in s]


def test_a_book_that_is_gone_and_a_price_of_a_day_to_come_are_told(make_home: Callable[..., Home]):
    line = "L4,p,i,0.8,USD,r,{},s\n"
    assert [s for s in told(with_costs(make_home, None, hosts=["gh1"])) if "shipped with" in s]
    assert [
        s for s in told(with_costs(make_home, HEAD + line.format("2099-01-01"), hosts=["gh1"])) if "line 2: as_of 2099-01-01 is a day to come" in s
    ]
    assert not [s for s in told(with_costs(make_home, HEAD + line.format("2026-09-06"), hosts=["gh1"])) if "day to come" in s or "shipped with" in s]


def test_a_book_that_is_wrong_hides_nothing_of_the_other(make_home: Callable[..., Home]):
    home = with_costs(make_home, HEAD + "L4,p,i,0.8,USD,r,2099-01-01,s\n", llm="some-llm")
    home.token_prices.write_text("model,provider,input,output,currency,as_of,source\nsome-llm,p,abc,10,USD,2025-01-01,list\n")
    said = [s for s in told(home) if "prices.csv" in s]
    assert len(said) == 2
    assert "token_prices.csv: line 2: 'abc' is not a price" in said[0]
    assert "gpu_prices.csv: line 2: as_of 2099-01-01 is a day to come" in said[1]
