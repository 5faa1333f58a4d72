"""Budgets on a temporary lake: told before they break, once a month, and never where spending stays within them."""

import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from watchkeeper.adapters.workspace import Home, find_home, load_monitors
from watchkeeper.judgement.budget import Outlook, outlook_text
from watchkeeper.judgement.incidents import Incident, fold
from watchkeeper.judgement.times import times_of
from watchkeeper.monitor import Monitor
from watchkeeper.operations.act import act
from watchkeeper.operations.budgets import outlook
from watchkeeper.operations.costs import costs
from watchkeeper.operations.judge import judge
from watchkeeper.operations.pages import pages
from watchkeeper.operations.report import digest_of
from watchkeeper.records import IncidentEvent, Signal
from watchkeeper.samples import GpuSample
from watchkeeper.story import Story
from watchkeeper.windows import Window

DAY = timedelta(days=1)
START = datetime(2025, 9, 22, tzinfo=UTC)
NOVEMBER = datetime(2025, 11, 1, tzinfo=UTC)
HEAD = "gpu,provider,instance,price,currency,region,as_of,source\n"


def monitor(**cost: Any) -> dict[str, Any]:
    words = {"task": "binary", "events": {"files": "inbox/one-*.parquet"}, "columns": {"id": "id", "time": "at", "score": "p"}}
    return {"model": "one", "reference": {"from": "2025-01-01", "to": "2025-01-15"}, **words, "cost": {"hosts": ["a"], **cost}}


@pytest.fixture
def farm(make_home: Callable[..., Home]) -> Callable[..., Home]:
    """A model whose GPU-hour costs a dollar."""

    def made(**cost: Any) -> Home:
        home = make_home(monitor(**cost), name="farm")
        home.prices.write_text(HEAD + "L4,aws,g6,1.00,USD,us-east-1,2024-12-01,our contract\n")
        return home

    return made


def readings(day: datetime, hours: float, **more: Any) -> list[GpuSample]:
    """Return readings of devices that together were held for so many hours of a day."""
    out, device = [], 0
    while hours > 0:
        held = min(24.0, hours)
        n = math.ceil(held)  # no reading stands for more than an hour
        step = timedelta(hours=held) / n
        given = {"device_name": "NVIDIA L4", "utilisation_ratio": 0.5, "interval_s": step.total_seconds(), "host": "a", "device": device, **more}
        out += [GpuSample(sampled_at=day + step * (i + 1), device_uuid=f"a-{device}", **given) for i in range(n)]
        hours, device = hours - held, device + 1
    return out


def spend(home: Home, per_day: Sequence[float | None], start: datetime = START, **more: Any) -> None:
    """Land readings of so many dollars on each day; None is a day without any."""
    home.lake.append_records(
        GpuSample, [r for k, amount in enumerate(per_day) if amount is not None for r in readings(start + k * DAY, amount, **more)]
    )


def watch(home: Home, days: Sequence[datetime]) -> list[IncidentEvent]:
    """Judge at six of each day; return what happened, in order."""
    out = []
    for day in days:
        at = day + timedelta(hours=6)
        found = load_monitors(home)[0]
        costs(home, found, now=at)
        out += judge(home, found, now=at)
    return [e for e in out if e.family == "cost"]


def incidents(home: Home) -> list[Incident]:
    return [i for i in fold(home.lake.newest(IncidentEvent)) if i.family == "cost"]


def weekly(seed: int, days: int, level: float = 16.0, *, sd: float = 0.08) -> list[float]:
    """Return spending that halves on weekends, with chance."""
    rng = np.random.default_rng(seed)
    weekend = [(START + k * DAY).weekday() >= 5 for k in range(days)]
    return [round(level * (0.5 if w else 1.0) * float(np.exp(rng.normal(0, sd))), 2) for w in weekend]


BEFORE = (NOVEMBER - START).days


def test_a_budget_is_told_before_it_breaks_once_and_is_over_with_the_month(farm):
    home = farm(budget="500 per month")
    spent = [x * (1.7 if k >= BEFORE + 9 else 1.0) for k, x in enumerate(weekly(1, BEFORE + 30, 17.0))]
    broke = NOVEMBER + DAY * next(k + 1 for k in range(30) if sum(spent[BEFORE : BEFORE + k + 1]) > 500)
    spend(home, spent)
    opened, resolved = watch(home, [NOVEMBER + k * DAY for k in (9, 12, 14, 16, 20, 30, 32)])
    assert (opened.event, resolved.event) == ("opened", "resolved")
    assert broke - opened.at > 5 * DAY
    story = Story.from_json(opened.story)
    assert story is not None
    day = (opened.at - NOVEMBER).days
    assert re.fullmatch(rf"will spend \d+ \[\d+, \d+\] USD by 30 November, budget 500; month to date \d+ by day {day}", story.headline)
    assert int(story.headline.split("to date ")[1].split()[0]) == pytest.approx(sum(spent[BEFORE : BEFORE + day]), abs=1)
    assert story.causes[0].subject.startswith("spending rose: ")
    assert re.fullmatch(r"November is over: \d+ USD were spent, budget 500", resolved.why)
    assert int(resolved.why.split()[3]) == pytest.approx(sum(spent[BEFORE:]), abs=2)
    [incident] = incidents(home)
    assert (incident.severity, incident.window_start, incident.state) == ("warning", NOVEMBER, "resolved")
    [signal] = [s for s in home.lake.newest(Signal) if s.family == "cost"]
    assert (signal.rule, signal.level, signal.expected, signal.state) == ("budget", "page", 500.0, "mature")
    assert signal.low is not None
    assert signal.low > 500
    assert times_of(incident).detect_hours is None


def test_people_are_told_in_the_message_on_the_page_in_the_digest_and_by_the_command(farm, watchkeeper):
    home = farm(budget="300 per month")
    spend(home, weekly(4, BEFORE + 12))
    watch(home, [NOVEMBER + 10 * DAY])
    now, found = NOVEMBER + 12 * DAY + timedelta(hours=6), load_monitors(home)[0]
    costs(home, found, now=now)
    act(home, found, now=now)
    sent = "".join(f.read_text() for f in sorted(home.outbox_dir.rglob("*")) if f.is_file())
    assert re.search(r"one: will spend \d+ \[\d+, \d+\] USD by 30 November, budget 300; month to date \d+ by day 10", sent)
    assert "no rise: " in sent
    pages(home, found, now=now)
    page = (home.site_dir / "models" / "one.html").read_text()
    assert re.search(
        r"This month: \d+ USD by 12 November; about \d+ \[\d+, \d+\] by 30 November, an estimate; budget 300, which will be broken", page
    )
    week = Window(datetime(2025, 11, 3, tzinfo=UTC), datetime(2025, 11, 10, tzinfo=UTC))
    digest = digest_of(home, found["one"], week, now=now, period="week").text
    assert re.search(r"Budget:\*+ \d+ USD by 9 November; about \d+ \[\d+, \d+\] by 30 November", digest)
    rows = json.loads(watchkeeper("costs", "--json", "--by", "week", "--now", now.isoformat(), at=home).stdout)
    assert [r["outlook"] is None for r in rows] == [True] * (len(rows) - 1) + [False]
    told = rows[-1]["outlook"]
    assert (told["budget"], told["through"], told["month_end"], told["days_unknown"]) == (300.0, "2025-11-12", "2025-11-30", 0)
    assert told["month_to_date"] < told["low"] < told["forecast"] < told["high"]
    assert told["chance_of_breaking"] > 0.975
    assert "about" in watchkeeper("costs", "one", "--now", now.isoformat(), at=home).stdout


def test_a_forecast_that_is_back_within_the_budget_ends_the_incident_and_one_month_is_one_incident(farm):
    home = farm(budget=500)
    spent = weekly(2, BEFORE + 30, 17.0)
    of_day = {k: 2.4 if BEFORE + 5 <= k < BEFORE + 14 else 0.15 if k >= BEFORE + 14 else 1.0 for k in range(len(spent))}
    spend(home, [x * of_day[k] for k, x in enumerate(spent)])
    events = watch(home, [NOVEMBER + k * DAY for k in (9, 13, 17, 21, 25, 30)])
    assert [e.event for e in events] == ["opened", "resolved"]
    assert events[1].why.startswith("the forecast is back within the budget: ")
    assert events[1].at < NOVEMBER + 30 * DAY


def test_steady_spending_within_the_budget_is_never_told(farm):
    home = farm(budget="480 per month")
    spend(home, weekly(3, BEFORE + 30, 16.5))
    assert watch(home, [NOVEMBER + k * DAY for k in (2, 9, 16, 23, 30)]) == []
    found = outlook_at(home, NOVEMBER + 20 * DAY)
    assert found.budget == 480
    assert found.forecast is not None
    assert found.low < found.forecast < found.high < 480


def test_a_run_that_is_repeated_tells_nothing_anew(farm):
    home = farm(budget="300 per month")
    spend(home, weekly(4, BEFORE + 12))
    assert [e.event for e in watch(home, [NOVEMBER + 10 * DAY])] == ["opened"]
    assert watch(home, [NOVEMBER + 10 * DAY, NOVEMBER + 11 * DAY]) == []


def test_a_budget_that_was_raised_ends_the_incident_and_says_so(farm):
    home = farm(budget="300 per month")
    spend(home, weekly(5, BEFORE + 12))
    watch(home, [NOVEMBER + 10 * DAY])
    path = next(home.root.rglob("one.yaml"))
    path.write_text(path.read_text().replace("300 per month", "900 per month"))
    [event] = watch(find_home(home.root), [NOVEMBER + 11 * DAY])
    assert (event.event, event.why) == ("resolved", "the budget is 900 USD now")


def test_days_without_readings_are_in_no_sum_and_are_said(farm):
    home = farm(budget="400 per month")
    spent: list[float | None] = [10.0] * (BEFORE + 12)
    spent[BEFORE + 3] = spent[BEFORE + 4] = None
    spend(home, spent)
    found = outlook_at(home, NOVEMBER + 12 * DAY)
    assert found.days_unknown == 2
    assert found.month_to_date == pytest.approx(100.0)
    assert found.forecast == pytest.approx(280.0, abs=0.1)
    assert "2 days without readings are in neither" in outlook_text(found)


@pytest.mark.parametrize(("before", "unknown"), [(None, 0), (datetime(2025, 7, 1, tzinfo=UTC), 7)], ids=["new", "seen in July"])
@pytest.mark.parametrize("window", ["day", "week"])
def test_days_before_the_first_reading_of_a_model_are_not_without_readings(make_home, window, before, unknown):
    home = make_home({**monitor(budget="400 per month"), "window": window}, name="farm")
    home.prices.write_text(HEAD + "L4,aws,g6,1.00,USD,us-east-1,2024-12-01,our contract\n")
    if before:
        spend(home, [10.0], start=before)
        costs(home, load_monitors(home)[0], now=before + 14 * DAY)
    spend(home, [10.0] * 5, start=NOVEMBER + 7 * DAY)
    found = outlook_at(home, NOVEMBER + 12 * DAY)
    assert (found.days_unknown, found.month_to_date) == (unknown, pytest.approx(50.0))


@pytest.mark.parametrize(("budget", "said"), [(290, "budget 290, which more such days break"), (310, "budget 310, which more such days keep")])
def test_days_that_are_alike_tell_no_interval_and_none_is_printed(farm, watchkeeper, budget, said):
    home = farm(budget=f"{budget} per month")
    spend(home, [10.0] * (BEFORE + 12))
    found = outlook_at(home, NOVEMBER + 12 * DAY)
    assert (found.forecast, found.low, found.high) == (pytest.approx(300.0), None, None)
    assert outlook_text(found) == (
        f"120 USD by 12 November; about 300 by 30 November, an estimate without an interval: the days so far tell none; {said}."
    )
    assert found.method.endswith("; no interval: days so alike tell nothing of how far others may lie")
    shown = watchkeeper("costs", "--now", (NOVEMBER + 12 * DAY).isoformat(), at=home).stdout
    assert not re.search(r"\[([\d.,]+), \1\]", shown)


def odd_card(home: Home, days: int, start: datetime = NOVEMBER) -> None:
    """Land an hour a day of a GPU that no price book knows."""
    readings_of_it = (r for k in range(days) for r in readings(start + k * DAY, 1.0, device_name="Foo X9"))
    home.lake.append_records(GpuSample, [replace(r, device_uuid="odd", device=9) for r in readings_of_it])


NO_PRICE = "no price for 'Foo X9' in USD: add a line for it to warehouse/seeds/gpu_prices.csv"


@pytest.mark.parametrize("window", [pytest.param("hour", marks=pytest.mark.nightly), "day", pytest.param("week", marks=pytest.mark.nightly)])
def test_a_small_gpu_without_a_price_hides_no_broken_budget(make_home, window):
    home = make_home({**monitor(budget="100 per month"), "window": window}, name="farm")
    home.prices.write_text(HEAD + "L4,aws,g6,1.00,USD,us-east-1,2024-12-01,our contract\n")
    spend(home, [20.0] * 12, start=NOVEMBER)
    odd_card(home, 12)
    [event] = watch(home, [NOVEMBER + 12 * DAY])
    story = Story.from_json(event.story)
    assert story is not None
    assert story.headline == ("has spent at least 240 USD by day 12 of November, budget 100, broken by day 6; at least 600 USD by 30 November")
    assert dict(story.facts)["Known in part"] == f"on 12 days something has no price, and is in no sum here; {NO_PRICE}."
    assert "Unknown" not in dict(story.facts)
    found = outlook_at(home, NOVEMBER + 12 * DAY)
    assert (found.is_at_least, found.forecast_is_at_least, found.days_unknown, found.days_unpriced) == (True, True, 0, 12)
    assert outlook_text(found) == (
        "at least 240 USD by 12 November; at least 600 by 30 November, an estimate without an interval: the days so far tell none; budget 100, which is spent;"
        f" on 12 days something has no price, and is in neither; {NO_PRICE}."
    )


def test_a_lower_bound_within_the_budget_says_not_that_it_holds(farm):
    home = farm(budget="900 per month")
    spend(home, [20.0] * 12, start=NOVEMBER)
    odd_card(home, 2, start=NOVEMBER + 4 * DAY)
    assert watch(home, [NOVEMBER + 12 * DAY]) == []
    text = outlook_text(outlook_at(home, NOVEMBER + 12 * DAY))
    assert "budget 900, which what is known does not break; on 2 days something has no price" in text


@pytest.mark.parametrize("days", [(2, 20), (20,)], ids=["in time", "late"])
def test_an_alarm_is_not_over_by_a_lower_bound_nor_told_by_one_within_the_budget(farm, days):
    home = farm(budget="500 per month")
    spend(home, [20.0] * 6 + [4.0] * 20, start=NOVEMBER - 4 * DAY)
    spend(home, [20.0] * 30, start=NOVEMBER - 34 * DAY)
    odd_card(home, 20, start=NOVEMBER + 2 * DAY)
    [event] = watch(home, [NOVEMBER + day * DAY for day in days])
    story = Story.from_json(event.story)
    assert event.event == "opened"
    assert story is not None
    assert story.headline == "will spend about 600 USD by 30 November, budget 500; month to date 40.00 by day 2"
    found = outlook_at(home, NOVEMBER + 20 * DAY)
    assert found.forecast is not None
    assert found.forecast < 500


def test_days_without_readings_and_days_without_a_price_are_told_apart(farm):
    home = farm(budget="400 per month")
    spend(home, [10.0] * BEFORE)
    spend(home, [10.0, 10.0, None, 10.0], start=NOVEMBER)
    odd_card(home, 2, start=NOVEMBER + 3 * DAY)
    found = outlook_at(home, NOVEMBER + 5 * DAY)
    assert (found.month_to_date, found.days_unknown, found.days_unpriced) == (pytest.approx(30.0), 1, 2)
    assert "; 1 day without readings is in neither; on 2 days something has no price, and is in neither; " in outlook_text(found)


def test_the_digest_of_a_cost_that_is_known_in_part(farm):
    home = farm(budget="100 per month")
    spend(home, [20.0] * 12, start=NOVEMBER)
    odd_card(home, 12)
    now, found = NOVEMBER + 12 * DAY + timedelta(hours=6), load_monitors(home)[0]
    watch(home, [NOVEMBER + 12 * DAY])
    week = Window(datetime(2025, 11, 3, tzinfo=UTC), datetime(2025, 11, 10, tzinfo=UTC))
    digest = digest_of(home, found["one"], week, now=now, period="week").text
    assert "147 GPU-hours, 140.00 USD without 7.00 GPU-hours that have no price." in digest
    assert "broken by day 6; at least 600 USD by 30 November; cause unknown; reply if you know." in digest


def test_news_that_are_late_tell_the_month_as_it_stands_and_when_it_broke(farm):
    home = farm(budget="20 per month")
    spend(home, [2.1] * 30, start=NOVEMBER)
    opened, *_ = watch(home, [NOVEMBER + 29 * DAY])
    story = Story.from_json(opened.story)
    assert story is not None
    assert story.headline == ("has spent 60.90 USD by day 29 of November, budget 20.00, broken on day 10; about 63.00 USD by 30 November")
    assert story.when.startswith("November 2025, up to the end of day 29")
    [signal] = [s for s in home.lake.newest(Signal) if s.family == "cost"]
    assert signal.window_end <= NOVEMBER + 10 * DAY


def test_news_of_a_month_that_is_over_and_of_an_alarm_that_is(farm):
    home = farm(budget="20 per month")
    spend(home, [2.1] * 30, start=NOVEMBER)
    opened, resolved = watch(home, [NOVEMBER + 30 * DAY])
    story = Story.from_json(opened.story)
    assert story is not None
    assert story.headline == "has spent 63.00 USD by day 30 of November, budget 20.00, broken on day 10"
    assert resolved.why == "November is over: 63.00 USD were spent, budget 20.00"


def test_too_few_days_foretell_nothing_but_a_budget_that_is_spent_is_told(farm):
    home = farm(budget="50 per month")
    spend(home, [10.0, 10.0], start=NOVEMBER)
    assert watch(home, [NOVEMBER + 2 * DAY]) == []
    found = outlook_at(home, NOVEMBER + 2 * DAY)
    assert (found.forecast, found.month_to_date) == (None, pytest.approx(20.0))
    assert "7 days of known cost are needed, 2 are there" in found.reason
    spend(home, [40.0], start=NOVEMBER + 2 * DAY)
    [event] = watch(home, [NOVEMBER + 3 * DAY])
    story = Story.from_json(event.story)
    assert story is not None
    assert story.headline == "has spent 60.00 USD by day 3 of November, budget 50.00"


def test_a_made_up_trace_pages_nobody(farm):
    home = farm(budget="100 per month")
    spend(home, weekly(6, BEFORE + 12), is_synthetic=True)
    assert watch(home, [NOVEMBER + 12 * DAY]) == []
    found = outlook_at(home, NOVEMBER + 12 * DAY)
    assert found.is_synthetic
    assert found.month_to_date > 100


def test_without_a_price_the_outlook_says_what_is_missing(farm):
    home = farm(budget="100 per month")
    home.prices.write_text(HEAD)
    spend(home, weekly(7, BEFORE + 12))
    assert watch(home, [NOVEMBER + 12 * DAY]) == []
    assert "no price for 'NVIDIA L4' in USD" in outlook_at(home, NOVEMBER + 12 * DAY).reason


@pytest.mark.parametrize("window", ["hour", "week"])
def test_windows_of_any_length_have_the_same_outlook(make_home, window):
    home = make_home({**monitor(budget=500), "window": window}, name="farm")
    home.prices.write_text(HEAD + "L4,aws,g6,1.00,USD,us-east-1,2024-12-01,our contract\n")
    spend(home, [10.0] * (BEFORE + 12))
    watch(home, [NOVEMBER + 12 * DAY])
    found = outlook_at(home, NOVEMBER + 12 * DAY)
    assert (round(found.month_to_date), round(found.forecast or 0), found.through) == (120, 300, date(2025, 11, 12))


@pytest.mark.parametrize("text", ["lots", "-5", 0, "500 per week", "500 EUR per month", True, "1e9", "9" * 400])
def test_a_wrong_budget_is_an_error_that_says_what_to_write(text):
    with pytest.raises(ValueError, match="is no budget; write an amount above 0, such as `500 per month`"):
        Monitor.model_validate(monitor(budget=text) | {"suite": None})


def outlook_at(home: Home, now: datetime) -> Outlook:
    found = load_monitors(home)[0]
    costs(home, found, now=now)
    made = outlook(home, found["one"], now=now)
    assert made is not None
    return made
