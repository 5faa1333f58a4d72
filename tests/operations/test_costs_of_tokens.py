"""What tokens cost, of models without a GPU: it counts without an answer, once, and is taken back where it is attributed otherwise."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from watchkeeper.adapters.arrow_records import TIMESTAMP
from watchkeeper.adapters.workspace import Home, load_monitors
from watchkeeper.judgement.budget import outlook_text
from watchkeeper.operations.budgets import outlook
from watchkeeper.operations.costs import costs
from watchkeeper.records import Batch, Score
from watchkeeper.samples import GpuSample

DAY = datetime(2025, 1, 20, tzinfo=UTC)
NEXT = DAY + timedelta(days=1)


@pytest.fixture
def chat(make_home: Callable[..., Home]) -> Home:
    """A model that is asked of a provider: two dollars a million tokens that go in."""
    return asked_model(make_home)


@pytest.fixture
def hosted(make_home: Callable[..., Home]) -> Home:
    """The same model, which has GPUs of its own besides."""
    return asked_model(make_home, hosts=["a"])


def asked_model(make_home: Callable[..., Home], **cost: list[str]) -> Home:
    words = {
        "model": "chat",
        "task": "regression",
        "events": {"files": "inbox/chat-*.parquet"},
        "columns": {"id": "id", "time": "at", "score": "p", "version": "version", "input_tokens": "tokens_in", "output_tokens": "tokens_out"},
        "reference": {"from": "2025-01-01", "to": "2025-01-15"},
    }
    home = make_home({**words, "cost": {"llm": "some-llm", "budget": "100 per month", **cost}}, name="chat")
    home.token_prices.write_text("model,provider,input,output,currency,as_of,source\nsome-llm,p,2,10,USD,2025-01-01,list\n")
    home.prices.write_text("gpu,provider,instance,price,currency,region,as_of,source\nL4,p,i,1.00,USD,r,2025-01-01,s\n")
    landed = {"model": "chat", "source": "events", "name": "f", "status": "landed", "starts_at": DAY, "landed_at": DAY}
    home.lake.append_records(Batch, [Batch(batch_id="1", **landed)])
    return home


def ask(home: Home, rows: int, *, score: float | None = 1.0, version: str = "1") -> None:
    """Land requests of one day, of a thousand tokens each."""
    times = pa.array([DAY + timedelta(hours=5)] * rows, TIMESTAMP)
    answers = {"p": pa.array([score] * rows, pa.float64()), "version": [version] * rows, "tokens_in": [1000] * rows, "tokens_out": [0] * rows}
    home.lake.append("events/chat", pa.table({**answers, "wk_time": times, "wk_landed_at": times}))


def ask_otherwise(home: Home, rows: int, **given: float | str | None) -> None:
    """Replace the requests, as corrected rows do."""
    table = home.lake.table("events/chat")
    assert table is not None
    table.delete()
    ask(home, rows, **given)


def run(home: Home, now: datetime = NEXT) -> None:
    costs(home, load_monitors(home)[0], now=now)


def spent(home: Home) -> dict[tuple[str, str], float | None]:
    """Return (version, method) -> the total cost of the day."""
    return {(s.version, s.method): s.value for s in home.lake.newest(Score) if s.metric == "total_cost"}


def to_date(home: Home) -> float:
    found = outlook(home, load_monitors(home)[0]["chat"], now=DAY + timedelta(days=2))
    assert found is not None
    return found.month_to_date


def test_tokens_of_a_day_without_an_answer_are_in_the_budget(chat):
    ask(chat, 500, score=None)
    run(chat)
    assert to_date(chat) == pytest.approx(1.0)


def test_tokens_of_a_day_on_which_no_gpu_was_read_are_at_least_what_it_cost(hosted):
    ask(hosted, 500)
    run(hosted)
    found = outlook(hosted, load_monitors(hosted)[0]["chat"], now=NEXT)
    assert found is not None
    assert (found.month_to_date, found.is_at_least, found.days_unpriced) == (pytest.approx(1.0), True, 0)
    assert "at least 1.00 USD by 20 January" in outlook_text(found)
    assert found.reason.startswith("no GPU of a was read in this time: what these cost is not known; ")


@pytest.mark.parametrize("score", [1.0, None], ids=["answered", "not answered"])
def test_the_cost_of_a_version_that_answered_none_of_it_after_all_is_taken_back(chat, score):
    ask(chat, 500, score=score)
    run(chat)
    assert spent(chat) == {("", "token_prices"): pytest.approx(1.0), ("1", "token_prices"): pytest.approx(1.0)}
    ask_otherwise(chat, 500, score=score, version="2")
    run(chat, NEXT + timedelta(hours=1))
    assert spent(chat) == {("", "token_prices"): pytest.approx(1.0), ("1", "token_prices"): None, ("2", "token_prices"): pytest.approx(1.0)}
    (gone,) = (s for s in chat.lake.newest(Score) if s.metric == "total_cost" and s.version == "1")
    assert (gone.state, gone.reason) == ("insufficient", "it is attributed otherwise now")
    before = len(chat.lake.newest(Score))
    run(chat, NEXT + timedelta(hours=2))
    assert len(chat.lake.newest(Score)) == before


def test_tokens_beside_which_a_gpu_is_found_later_are_counted_once(hosted):
    ask(hosted, 500)
    run(hosted)
    reading = {"interval_s": 3600.0, "host": "a", "device": 0, "device_uuid": "a-0", "device_name": "NVIDIA L4"}
    hosted.lake.append_records(GpuSample, [GpuSample(sampled_at=DAY + timedelta(hours=6), **reading)])
    run(hosted, NEXT + timedelta(hours=1))
    found = spent(hosted)
    assert (found["", "gpu_samples"], found["", "token_prices"]) == (pytest.approx(2.0), None)
    assert to_date(hosted) == pytest.approx(2.0)
