"""costs, as people call it."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from watchkeeper.adapters.workspace import Home
from watchkeeper.demo.gpu_trace import land_gpu_trace
from watchkeeper.samples import GpuSample

MONDAY = datetime(2025, 1, 20, tzinfo=UTC)


@pytest.fixture
def traced(home: Home) -> Home:
    """A workspace with two weeks of made-up GPUs: of the parcels model, and of a model without a monitor or name."""
    land_gpu_trace(home.lake, MONDAY, MONDAY + timedelta(days=14), model="parcels", timezone="UTC")
    others = [
        GpuSample(sampled_at=MONDAY + timedelta(hours=i + 1), interval_s=3600.0, host="spare", device=0, device_uuid="s", device_name="NVIDIA T4")
        for i in range(10)
    ]
    home.lake.append_records(GpuSample, others)
    return home


def test_costs_are_listed_with_the_unattributed_last(traced, watchkeeper: Callable):
    rows = json.loads(watchkeeper("costs", "--json", "--now", "2025-02-10").stdout)
    assert [(r["model"], r["window_start"], r["gpu_hours"]) for r in rows] == [
        ("parcels", "2025-01-20T00:00:00Z", 336.0),
        ("parcels", "2025-01-27T00:00:00Z", 336.0),
        (None, "2025-01-20T00:00:00Z", 10.0),
    ]
    assert [r["is_synthetic"] for r in rows] == [True, True, False]
    assert rows[0]["reason"] == "synthetic trace, not a bill"


@pytest.mark.parametrize(("now", "until"), [("2031-01-01", "2025-02-03"), ("2025-01-22", "2025-01-22")])
def test_a_time_without_readings_says_from_when_to_when_there_are_any_by_now(now, until, traced, watchkeeper: Callable):
    said = watchkeeper("costs", "--now", now, "--from", "2010-01-01", "--to", "2010-02-01").stdout
    assert f"No GPU readings in this time: there are some from 2025-01-20 to {until}." in " ".join(said.split())


def test_before_the_first_reading_there_is_none(traced, watchkeeper: Callable):
    assert "`watchkeeper sample-gpus` takes them" in watchkeeper("costs", "--now", "2020-01-01").stdout


def test_the_keys_of_a_cost_row_are_stable(traced, watchkeeper: Callable):
    rows = json.loads(watchkeeper("costs", "--json", "--now", "2025-02-10").stdout)
    assert list(rows[0]) == [
        "model",
        "window_start",
        "window_end",
        "grain",
        "gpu_hours",
        "cost",
        "currency",
        "predictions",
        "cost_per_1000_predictions",
        "busy_ratio",
        "energy_kwh",
        "energy_counted_ratio",
        "coverage",
        "is_synthetic",
        "prices",
        "reason",
        "account",
        "team",
        "cents",
        "unpriced_gpu_hours",
        "is_partly_priced",
        "gpu_us",
        "gpu_cost",
        "token_cost",
        "training_gpu_hours",
        "training_cost",
        "wasted_ratio",
        "co2_kg",
        "co2_note",
        "sampled_predictions",
        "per_prediction_note",
        "correct_ratio",
        "cost_per_correct_prediction",
        "correct_state",
        "correct_note",
        "estimated_ratio",
        "parts",
        "outlook",
    ]


def test_people_read_that_a_trace_is_no_bill_and_where_prices_come_from(traced, watchkeeper: Callable):
    shown = watchkeeper("costs", "--now", "2025-02-10").stdout
    assert "unattributed" in shown
    assert "\nparcels: synthetic trace, not a bill\n" in shown
    assert "Synthetic trace, not a bill" in watchkeeper("costs", "--to", "2025-02-03", "--from", "2025-01-27", "--now", "2025-02-10").stdout
    assert "as of 2026-09-06" in shown
    assert re.search(r"^Energy read: [\d.,]+ kWh, an estimate: power times time$", shown, re.MULTILINE)
    rows = json.loads(watchkeeper("costs", "--json", "--now", "2025-02-10").stdout)
    assert f"Sum: {sum(r['cost'] or 0.0 for r in rows):,.2f} USD\n" in shown


def test_of_several_models_each_line_says_whose_it_is(home, watchkeeper: Callable):
    given = {"interval_s": 3600.0, "host": "spare", "device": 0}
    readings = [("parcels", "NVIDIA T4"), ("parcels", "Mystery 9000"), ("other", "Mystery 9000"), ("third", "Riddle 1")]
    home.lake.append_records(
        GpuSample, [GpuSample(sampled_at=MONDAY, device_uuid=f"{m}-{name}", device_name=name, model=m, **given) for m, name in readings]
    )
    shown = watchkeeper("costs", "--now", "2025-02-10").stdout
    assert "\nparcels: 1.00 of 2.00 GPU-hours: no price for 'Mystery 9000' in USD: add" in shown
    assert "\nother: no price for 'Mystery 9000' in USD: add" in shown
    assert "\nthird: no price for 'Riddle 1' in USD: add" in shown
    assert "\nCorrect predictions of parcels: " in shown
    alone = watchkeeper("costs", "parcels", "--now", "2025-02-10").stdout
    assert "\n1.00 of 2.00 GPU-hours: no price for" in alone
    assert "\nCorrect predictions: " in alone


def test_one_week_of_one_model_is_shown_by_the_day(traced, watchkeeper: Callable):
    arguments = ("costs", "parcels", "--from", "2025-01-27", "--to", "2025-01-30", "--by", "day", "--json", "--now", "2025-02-10")
    rows = json.loads(watchkeeper(*arguments).stdout)
    assert [(r["model"], r["window_start"][:10], r["gpu_hours"]) for r in rows] == [("parcels", f"2025-01-{d}", 48.0) for d in (27, 28, 29)]


def test_a_week_is_cut_to_the_days_asked_for_and_says_when_it_is_not_over(traced, watchkeeper: Callable):
    asked = ("costs", "parcels", "--from", "2025-01-23", "--to", "2025-01-30")
    rows = json.loads(watchkeeper(*asked, "--json", "--now", "2025-02-10").stdout)
    assert [(r["window_start"][:10], r["window_end"][:10], r["gpu_hours"], r["coverage"]) for r in rows] == [
        ("2025-01-23", "2025-01-27", 192.0, 1.0),
        ("2025-01-27", "2025-01-30", 144.0, 1.0),
    ]
    shown = watchkeeper(*asked, "--now", "2025-01-29").stdout
    assert "23 to 26 Jan 2025  " in shown
    assert "27 to 29 Jan 2025, not over  " in shown
    assert "27 Jan to 2 Feb 2025, not over  " in watchkeeper("costs", "--now", "2025-01-29").stdout


def test_time_that_has_not_come_is_not_time_without_readings(traced, watchkeeper: Callable):
    at = "2025-01-29T06:00Z"
    rows = json.loads(watchkeeper("costs", "--by", "month", "--json", "--now", at).stdout)
    newest = [r for r in rows if r["window_end"] == "2025-02-01T00:00:00Z"]
    assert {r["model"] for r in newest} == {None, "parcels"}
    assert {r["coverage"] for r in newest} == {
        r["coverage"] for r in json.loads(watchkeeper("costs", "--by", "month", "--json", "--now", at, "--to", at).stdout)
    }
    asked = ("scores", "parcels", "--metric", "gpu_hours", "--by", "week", "--from", "2025-01-27", "--now", at, "--json")
    [score] = json.loads(watchkeeper(*asked).stdout)
    assert (score["state"], score["coverage"]) == ("provisional", 1.0)


@pytest.mark.parametrize("command", [("costs",), ("scores", "parcels"), ("backfill", "parcels")])
def test_turned_dates_are_refused_with_both_options(traced, watchkeeper: Callable, command):
    result = watchkeeper(*command, "--from", "2025-02-01", "--to", "2025-01-01")
    assert result.exit_code == 2
    assert "--from, --to: the time asked for ends (2025-01-01) before it starts (2025-02-01). Name the earlier day with --from." in result.output


def test_an_unknown_model_is_wrong_usage(traced, watchkeeper: Callable):
    assert watchkeeper("costs", "parsels").exit_code == 2


def test_a_day_that_is_none_is_wrong_usage(traced, watchkeeper: Callable):
    result = watchkeeper("costs", "--from", "yesterday")
    assert (result.exit_code, "'yesterday' is not a date" in result.output) == (2, True)


def test_a_wrong_price_book_is_told_with_its_line(traced, watchkeeper: Callable):
    traced.prices.write_text("gpu,provider,instance,price,currency,region,as_of,source\nL4,a,i,-1,USD,r,2025-01-01,s\n")
    result = watchkeeper("costs")
    assert (result.exit_code, "gpu_prices.csv: line 2: '-1' is not a price" in result.output) == (2, True)


def test_no_readings_say_which_command_takes_them(watchkeeper: Callable):
    assert "watchkeeper sample-gpus" in watchkeeper("costs").stdout
