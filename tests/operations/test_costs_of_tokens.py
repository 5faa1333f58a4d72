"""What tokens cost, of models without a GPU: it counts without an answer, once, and is taken back where it is attributed otherwise."""

import json
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from watchkeeper.adapters.arrow_records import TIMESTAMP
from watchkeeper.adapters.workspace import Home, load_monitors
from watchkeeper.judgement.budget import outlook_text
from watchkeeper.operations.budgets import outlook
from watchkeeper.operations.costs import costs
from watchkeeper.operations.ingest import ingest
from watchkeeper.operations.judge import judge
from watchkeeper.operations.measure import measure
from watchkeeper.operations.profile import profile
from watchkeeper.operations.report import digest_of
from watchkeeper.records import Batch, Score
from watchkeeper.samples import GpuSample
from watchkeeper.story import Story
from watchkeeper.windows import Window

DAY = datetime(2025, 1, 20, tzinfo=UTC)
NEW_YEAR = datetime(2025, 1, 1, tzinfo=UTC)
A_DAY = timedelta(days=1)
NEXT = DAY + A_DAY


@pytest.fixture
def chat(make_home: Callable[..., Home]) -> Home:
    """A model that is asked of a provider: two dollars a million tokens that go in."""
    return asked_model(make_home)


@pytest.fixture
def hosted(make_home: Callable[..., Home]) -> Home:
    """The same model, which has GPUs of its own besides."""
    return asked_model(make_home, hosts=["a"])


def asked_model(
    make_home: Callable[..., Home], *, window: str = "day", segments: Sequence[str] = (), since: datetime = NEW_YEAR, **cost: Any
) -> Home:
    words = {
        "model": "chat",
        "task": "regression",
        "events": {"files": "inbox/chat-*.parquet"},
        "columns": {"id": "id", "time": "at", "score": "p", "version": "version", "input_tokens": "tokens_in", "output_tokens": "tokens_out"},
        "reference": {"from": "2025-01-01", "to": "2025-01-15"},
        "window": window,
        "segments": list(segments),
    }
    home = make_home({**words, "cost": {"llm": "some-llm", "budget": "100 per month", **cost}}, name="chat")
    home.token_prices.write_text("model,provider,input,output,currency,as_of,source\nsome-llm,p,2,10,USD,2025-01-01,list\n")
    home.prices.write_text("gpu,provider,instance,price,currency,region,as_of,source\nL4,p,i,1.00,USD,r,2025-01-01,s\n")
    landed = {"model": "chat", "source": "events", "name": "f", "status": "landed", "starts_at": since, "landed_at": DAY}
    home.lake.append_records(Batch, [Batch(batch_id="1", **landed)])
    return home


def ask(home: Home, rows: int, *, score: float | None = 1.0, version: str = "1", day: datetime = DAY) -> None:
    """Land requests of one day, of a thousand tokens each."""
    times = pa.array([day + timedelta(hours=5)] * rows, TIMESTAMP)
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
    assert (found.month_to_date, found.is_at_least, found.days_unread, found.days_unpriced) == (pytest.approx(1.0), True, 1, 0)
    assert outlook_text(found).startswith(
        "at least 1.00 USD by 20 January; budget 100; 19 days without readings or tokens are in neither; on 1 day no GPU was read, and tokens alone"
    )


def read(home: Home, day: datetime, hours: int) -> None:
    """Land readings of a GPU for so many hours of a day, at a dollar each."""
    given = {"interval_s": 3600.0, "host": "a", "device": 0, "device_uuid": "a-0", "device_name": "NVIDIA L4"}
    home.lake.append_records(GpuSample, [GpuSample(sampled_at=day + timedelta(hours=k + 1), **given) for k in range(hours)])


@pytest.mark.parametrize("window", ["hour", "day", "week"])
def test_what_is_said_of_days_without_readings_is_true_of_gpus_and_of_tokens(make_home, watchkeeper, window):
    hosted = asked_model(make_home, window=window, hosts=["a"], budget="20 per month")
    for k in range(9):  # the eighth day has neither
        if k != 7:
            ask(hosted, 500, day=DAY + k * A_DAY)
            ask(hosted, 500, day=DAY + k * A_DAY + timedelta(hours=12))
    for k, hours in enumerate([24, 24, 12, 24]):  # no GPU was read on days 5 to 9
        read(hosted, DAY + k * A_DAY, hours)
    now, found = DAY + 9 * A_DAY + timedelta(hours=6), load_monitors(hosted)[0]
    run(hosted, now)
    due = 24 * 3 + 12 + 8 * 2.0
    [row] = json.loads(watchkeeper("costs", "--by", "month", "--from", "2025-01-20", "--json", "--now", now.isoformat(), at=hosted).stdout)
    told = row["outlook"]
    assert (row["gpu_cost"], row["token_cost"], row["cost"]) == pytest.approx((84.0, 16.0, due))
    assert (told["month_to_date"], told["is_at_least"], told["days_unread"], told["days_unpriced"]) == (pytest.approx(due), True, 4, 0)
    assert (told["days_unknown"], told["known_by"]) == (20, "readings or tokens")  # before the first one, and the eighth day
    said = "20 days without readings or tokens are in neither; on 4 days no GPU was read, and tokens alone are counted"
    printed = watchkeeper("costs", "--now", now.isoformat(), at=hosted).stdout
    assert said in " ".join(printed.split())
    assert "at least 100 USD by 28 January" in " ".join(printed.split())
    assert "chat, 1 week: no GPU of a was read in this time: what these cost is not known" in printed
    assert "Sum: at least 100.00 USD" in printed
    by_day = watchkeeper("costs", "--by", "day", "--from", "2025-01-23", "--to", "2025-01-25", "--now", now.isoformat(), at=hosted).stdout
    assert re.search(r"Thu 23 Jan 2025 +24\.0 +26\.00 +USD", by_day)
    assert re.search(r"Fri 24 Jan 2025 +2\.00 +USD", by_day), "hours that nobody read are not none"
    week = Window(datetime(2025, 1, 20, tzinfo=UTC), datetime(2025, 1, 27, tzinfo=UTC))
    digest = digest_of(hosted, found["chat"], week, now=now, period="week").text
    assert "on 3 days no GPU was read, and tokens alone are counted" in digest
    assert "GPUs were sampled for 50 % of the time, and the rest is in no sum." in digest
    story = Story.from_json(next(e for e in judge(hosted, found, now=now) if e.family == "cost").story)
    assert story is not None
    facts = dict(story.facts)
    assert facts["Known in part"] == "on 4 days no GPU was read, and tokens alone are counted."
    assert facts["Unknown"] == "20 days of the month have no readings or tokens: what was spent then is not known, and in no sum here."


def test_days_before_a_models_first_one_are_not_without_anything(make_home, watchkeeper):
    home = asked_model(make_home, since=DAY)
    for k in (0, 1, 3):
        ask(home, 500, day=DAY + k * A_DAY)
    run(home, DAY + 4 * A_DAY)
    chat = load_monitors(home)[0]["chat"]
    found, later = (outlook(home, chat, now=DAY + k * A_DAY) for k in (4, 14))
    assert found is not None
    assert later is not None
    assert (found.days_unknown, found.month_to_date) == (1, pytest.approx(3.0))
    assert outlook_text(found).startswith("3.00 USD by 23 January; budget 100; 1 day without tokens is in neither; ")
    assert later.days_unknown == 2, "in February all days count: the model was there"


def test_tokens_without_a_price_on_a_day_without_readings_are_said_to_have_none(hosted):
    hosted.token_prices.write_text("model,provider,input,output,currency,as_of,source\nother-llm,p,2,10,USD,2025-01-01,list\n")
    ask(hosted, 500)
    run(hosted)
    found = outlook(hosted, load_monitors(hosted)[0]["chat"], now=NEXT)
    assert found is not None
    assert (found.month_to_date, found.is_at_least, found.days_unread, found.days_unpriced) == (0.0, True, 0, 1)
    assert (found.days_unknown, found.days_uncounted) == (20, 1)
    assert found.reason.startswith("no token price for 'some-llm' in USD: add a line for it to warehouse/seeds/token_prices.csv; no forecast yet")
    text = outlook_text(found)
    assert "; 19 days without readings or tokens are in neither; on 1 day no GPU was read and tokens have no price: nothing is counted; on 1" in text


def test_what_is_said_of_a_month_is_true_of_all_its_days_so_far_and_of_no_later_ones(hosted):
    hosted.token_prices.write_text("model,provider,input,output,currency,as_of,source\nother-llm,p,2,10,USD,2025-01-01,list\n")
    for k in range(4):
        ask(hosted, 500, day=DAY + k * A_DAY)
    read(hosted, DAY, 24)
    read(hosted, NEXT, 24)
    now = DAY + 4 * A_DAY
    run(hosted, now)
    chat = load_monitors(hosted)[0]["chat"]
    before, after = outlook(hosted, chat, now=now, at=DAY + 2 * A_DAY), outlook(hosted, chat, now=now)
    assert before is not None
    assert after is not None
    assert (before.month_to_date, before.days_unknown, before.days_uncounted, before.days_unread) == (48.0, 19, 0, 0)
    assert (after.month_to_date, after.days_unknown, after.days_uncounted, after.days_unread) == (48.0, 21, 2, 0)
    assert not [found for found in (before, after) if "was read in this time" in outlook_text(found)]


@pytest.mark.parametrize("window", ["day", "week"])
def test_a_month_says_which_price_lacks_and_nothing_of_those_that_are_there(make_home, window):
    hosted = asked_model(make_home, hosts=["a"], window=window)
    hosted.token_prices.write_text("model,provider,input,output,currency,as_of,source\nother-llm,p,2,10,USD,2025-01-01,list\n")
    ask(hosted, 500)
    read(hosted, DAY, 24)
    run(hosted)
    found = outlook(hosted, load_monitors(hosted)[0]["chat"], now=NEXT)
    assert found is not None
    no_price = "no token price for 'some-llm' in USD: add a line for it to warehouse/seeds/token_prices.csv"
    assert found.reason == f"{no_price}; no forecast yet: 7 days of known cost are needed, 1 is there"


def test_a_digest_says_that_tokens_without_a_price_are_not_in_the_cost_of_gpus(hosted):
    hosted.token_prices.write_text("model,provider,input,output,currency,as_of,source\nother-llm,p,2,10,USD,2025-01-01,list\n")
    ask(hosted, 500)
    read(hosted, DAY, 24)
    run(hosted)
    day = Window(DAY, NEXT)
    digest = digest_of(hosted, load_monitors(hosted)[0]["chat"], day, now=NEXT, period="day").text
    assert "24.0 GPU-hours, 24.00 USD without tokens that have no price." in digest


def test_what_no_reading_tells_the_purpose_of_is_shown_as_tokens(hosted, watchkeeper):
    ask(hosted, 500)
    read(hosted, DAY, 24)
    shown = watchkeeper("costs", "--per", "purpose", "--now", NEXT.isoformat(), at=hosted).stdout
    assert re.search(r"^chat .* serving +24\.0 +24\.00 +USD", shown, re.MULTILINE)
    assert re.search(r"^chat .* tokens +1\.00 +USD", shown, re.MULTILINE)
    assert "Sum: 25.00 USD" in shown


def test_of_several_windows_each_says_which_predictions_its_cost_is_divided_by(hosted, watchkeeper):
    for k, hours in enumerate([12, 6]):
        ask(hosted, 500, day=DAY + k * A_DAY)
        ask(hosted, 300, day=DAY + k * A_DAY + timedelta(hours=15))
        read(hosted, DAY + k * A_DAY, hours)
    shown = watchkeeper("costs", "--by", "day", "--now", (DAY + 2 * A_DAY).isoformat(), at=hosted).stdout
    said = "of the time, in which 500 of 800 predictions fall: GPUs' cost is divided by these"
    assert f"\nchat, Mon 20 Jan 2025: GPUs were sampled for 50 % {said}\n" in shown
    assert f"\nchat, Tue 21 Jan 2025: GPUs were sampled for 25 % {said}\n" in shown
    alone = watchkeeper("costs", "--by", "day", "--from", "2025-01-21", "--now", (DAY + 2 * A_DAY).isoformat(), at=hosted).stdout
    assert f"\nchat: GPUs were sampled for 25 % {said}\n" in alone


def land_in_shops(home: Home, name: str, days: Sequence[datetime], shop: str, rows: int, *, unanswered: int = 0) -> None:
    ids = [f"{shop}-{day:%d}-{n}" for day in days for n in range(rows)]
    times = pa.array([day + timedelta(hours=5) for day in days for _ in range(rows)], TIMESTAMP)
    scores = [n / rows if n >= unanswered else None for _ in days for n in range(rows)]
    asked = {"version": ["1"] * len(ids), "tokens_in": [1000] * len(ids), "tokens_out": [0] * len(ids), "shop": [shop] * len(ids)}
    pq.write_table(pa.table({"id": ids, "at": times, "p": scores, **asked}), home.root / "inbox" / f"chat-{name}.parquet")
    ingest(home, load_monitors(home)[0]["chat"], now=NEXT)


def test_what_no_segment_has_of_a_cost_is_shown_beside_the_segments(make_home, watchkeeper):
    home = asked_model(make_home, segments=["shop"])
    land_in_shops(home, "1", [*(DAY - k * A_DAY for k in range(19, 5, -1)), DAY], "a", 300)
    profile(home, load_monitors(home)[0]["chat"], now=NEXT)
    land_in_shops(home, "2", [DAY], "b", 100)  # its tokens are paid for, its segments not counted yet
    shown = watchkeeper("costs", "--per", "segment", "--from", "2025-01-20", "--now", NEXT.isoformat(), at=home).stdout
    assert re.search(r"^chat .* shop=a .*0\.60 +USD", shown, re.MULTILINE)
    assert re.search(r"^chat .* shop: none of these .*0\.20 +USD", shown, re.MULTILINE)
    assert "Sum: 0.80 USD" in shown


def test_the_parts_in_json_add_up_to_the_bill_in_each_respect(make_home, watchkeeper):
    home = asked_model(make_home, segments=["shop"], hosts=["a"])
    land_in_shops(home, "1", [*(DAY - k * A_DAY for k in range(19, 5, -1)), DAY], "a", 300)
    profile(home, load_monitors(home)[0]["chat"], now=NEXT)
    land_in_shops(home, "2", [DAY], "b", 101)  # its tokens are paid for, its segments not counted yet
    read(home, DAY, 7)
    [row] = json.loads(watchkeeper("costs", "--by", "day", "--from", "2025-01-20", "--json", "--now", NEXT.isoformat(), at=home).stdout)
    assert (row["gpu_cost"], row["token_cost"], row["cents"]) == (7.0, 0.802, 780)
    parts: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for part in row["parts"]:
        parts.setdefault((part["per"], part["columns"]), []).append(part)
    assert set(parts) == {("version", ""), ("team", ""), ("purpose", ""), ("attributed_by", ""), ("segment", "shop")}
    for mine in parts.values():
        assert sum(p["cents"] for p in mine) == row["cents"]
        assert sum(p["cost"] for p in mine) == pytest.approx(row["cost"], abs=1e-12)
        assert sum(p["gpu_hours"] for p in mine) == pytest.approx(row["gpu_hours"], abs=1e-12)
    assert [(p["of"], p["cost"], p["is_rest"]) for p in parts["purpose", ""]] == [("serving", 7.0, False), ("tokens", 0.802, True)]
    of_shop, rest = parts["segment", "shop"]
    assert (of_shop["of"], rest["of"], rest["is_rest"]) == ("shop=a", "shop: none of these", True)
    assert rest["cost"] == pytest.approx(7.802 * 101 / 401)
    digest = digest_of(home, load_monitors(home)[0]["chat"], Window(DAY, NEXT), now=NEXT, period="day").text
    assert "none of these" not in digest


def test_shares_of_segments_are_of_all_requests_so_that_unanswered_ones_make_no_more_of_the_cost(make_home):
    home = asked_model(make_home, segments=["shop"])
    before = [DAY - k * A_DAY for k in range(19, 5, -1)]
    land_in_shops(home, "1", [*before, DAY], "a", 300, unanswered=100)
    land_in_shops(home, "2", [*before, DAY], "b", 200, unanswered=150)
    chat = load_monitors(home)[0]["chat"]
    profile(home, chat, now=NEXT)
    measure(home, chat, now=NEXT)
    run(home)
    shares = {s.segment: s.value for s in home.lake.newest(Score) if s.metric == "total_cost" and s.window_start == DAY and not s.version}
    assert shares == {"": pytest.approx(1.0), "shop=a": pytest.approx(0.6), "shop=b": pytest.approx(0.4)}


@pytest.mark.parametrize("hosts", [[], ["a"]], ids=["tokens", "tokens beside GPUs that nobody read"])
def test_a_digest_of_tokens_without_a_price_says_what_is_not_known_and_what_to_add(make_home, hosts):
    home = asked_model(make_home, hosts=hosts)
    home.token_prices.write_text("model,provider,input,output,currency,as_of,source\nother-llm,p,2,10,USD,2025-01-01,list\n")
    ask(home, 500)
    run(home)
    digest = digest_of(home, load_monitors(home)[0]["chat"], Window(DAY, NEXT), now=NEXT, period="day").text
    unread = "no GPU of a was read in this time: what these cost is not known; " if hosts else ""
    assert f"**Cost:** not known: {unread}no token price for 'some-llm' in USD: add a line for it to warehouse/seeds/token_prices.csv." in digest
    assert "**Budget:** at least 0.00 USD by 20 January; budget 100; 19 days without" in digest


@pytest.mark.parametrize(
    ("hosts", "lacking"), [([], "no tokens of this period."), (["a"], "no readings or tokens of this period; `watchkeeper sample-gpus`")]
)
def test_the_month_of_a_model_with_a_budget_is_told_of_a_period_without_anything(make_home, hosts, lacking):
    home = asked_model(make_home, hosts=hosts)
    ask(home, 500)
    run(home)
    now, chat = NEXT + A_DAY, load_monitors(home)[0]["chat"]
    digest = digest_of(home, chat, Window(NEXT, now), now=now, period="day").text
    assert f"**Cost:** not known: {lacking}" in digest
    assert re.search(r"\*\*Budget:\*\* (at least )?1\.00 USD by 2[01] January; budget 100; ", digest)


def test_a_day_on_which_a_model_without_gpus_was_not_asked_has_no_tokens(chat):
    ask(chat, 500)
    run(chat)
    found = outlook(chat, load_monitors(chat)[0]["chat"], now=NEXT)
    assert found is not None
    assert "; 19 days without tokens are in neither; " in outlook_text(found)


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
