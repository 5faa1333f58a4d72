"""Costs: windows are costed once, restated when their inputs change, and add up to the bill."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from watchkeeper.adapters.arrow_records import TIMESTAMP
from watchkeeper.adapters.workspace import Home, find_home, load_monitors
from watchkeeper.measures.cost import ALWAYS
from watchkeeper.monitor import Monitor
from watchkeeper.operations.bill import bill
from watchkeeper.operations.budgets import daily_costs
from watchkeeper.operations.costs import costs
from watchkeeper.operations.listing import Wanted, listed_scores
from watchkeeper.records import Batch, Run, Score
from watchkeeper.samples import GpuSample

DAY = datetime(2025, 1, 20, tzinfo=UTC)
HEAD = "gpu,provider,instance,price,currency,region,as_of,source\n"
L4 = "L4,aws,g6.xlarge,0.80,USD,us-east-1,2024-12-01,our contract\n"


def monitor(model: str, **more: Any) -> dict[str, Any]:
    return {
        "model": model,
        "task": "binary",
        "events": {"files": f"inbox/{model}-*.parquet"},
        "columns": {"id": "id", "time": "at", "score": "p"},
        "reference": {"from": "2025-01-01", "to": "2025-01-15"},
        **more,
    }


@pytest.fixture
def farm(make_home: Callable[..., Home]) -> Home:
    """Two models, each with a host of its own, and a price for the L4."""
    made = make_home(monitor("one", cost={"hosts": ["a"]}), monitor("two", cost={"hosts": ["b"]}), name="farm")
    made.prices.write_text(HEAD + L4)
    return made


def hours(host: str, count: float, *, start: datetime = DAY, device: int = 0, **more: Any) -> list[GpuSample]:
    """Return readings every ten minutes for `count` hours."""
    given = {"device_name": "NVIDIA L4", "utilisation_ratio": 0.5, "power_w": 60.0, **more}
    step = timedelta(minutes=10)
    return [
        GpuSample(sampled_at=start + step * (i + 1), interval_s=600.0, host=host, device=device, device_uuid=f"{host}-{device}", **given)
        for i in range(round(count * 6))
    ]


def land(home: Home, *series: Sequence[GpuSample]) -> None:
    home.lake.append_records(GpuSample, [s for one in series for s in one])


def land_events(home: Home, model: str, at: datetime, count: int, *, failed: int = 0, landed_at: datetime | None = None) -> None:
    n = count + failed
    columns = {
        "p": pa.array([0.5] * count + [None] * failed, pa.float64()),
        "wk_time": pa.array([at] * n, TIMESTAMP),
        "wk_landed_at": pa.array([landed_at or at] * n, TIMESTAMP),
    }
    home.lake.append(f"events/{model}", pa.table(columns))


def run(home: Home, *, now: datetime = DAY + timedelta(days=1)) -> int:
    return costs(home, monitors_of(home), now=now)


def monitors_of(home: Home) -> dict[str, Monitor]:
    return load_monitors(home)[0]


def score(home: Home, metric: str, *, model: str = "one", day: datetime = DAY, now: datetime = DAY + timedelta(days=90)) -> Score:
    found = [s for s in home.lake.newest(Score, as_of=now) if (s.model, s.metric, s.window_start) == (model, metric, day)]
    assert len(found) == 1
    return found[0]


def test_lost_scores_of_cost_are_summed_again_however_old(farm):
    late = DAY + timedelta(days=50)
    land(farm, hours("a", 12), hours("a", 3, start=late))
    run(farm)
    run(farm, now=late + timedelta(days=1))
    before = {(s.metric, s.window_start): s.value for s in farm.lake.newest(Score)}
    shutil.rmtree(Path(farm.lake.address) / Score.TABLE)
    again = find_home(farm.root)
    assert run(again, now=late + timedelta(days=2)) == len(before) > len(ALWAYS)
    assert {(s.metric, s.window_start): s.value for s in again.lake.newest(Score)} == before
    assert run(again, now=late + timedelta(days=2)) == 0


def test_a_days_scores_are_the_sums_of_its_readings(farm):
    land(farm, hours("a", 12), hours("a", 6, device=1))
    land_events(farm, "one", DAY, 4000)
    assert run(farm) == len(ALWAYS)
    values = {metric: score(farm, metric).value for metric in ALWAYS}
    assert values == {
        "gpu_hours": 18.0,
        "gpu_busy_ratio": 0.5,
        "gpu_wasted_ratio": 0.0,
        "gpu_energy_kwh": pytest.approx(18 * 0.060),
        "gpu_cost": pytest.approx(18 * 0.80),
        "total_cost": pytest.approx(18 * 0.80),
        "cost_per_correct_prediction": None,
        "cost_per_1000_predictions": pytest.approx(18 * 0.80 / 4),
    }
    assert score(farm, "gpu_hours").coverage == pytest.approx(18 / 48)


def test_the_price_behind_a_cost_is_named_with_its_day_and_source(farm):
    land(farm, hours("a", 1))
    run(farm)
    assert score(farm, "gpu_cost").reason == "NVIDIA L4 at 0.80 USD per GPU-hour (aws us-east-1 g6.xlarge, as of 2024-12-01, our contract)"


def test_running_again_writes_nothing(farm):
    land(farm, hours("a", 12), hours("b", 12))
    land_events(farm, "one", DAY, 10)
    assert run(farm) == 2 * len(ALWAYS)
    assert run(farm) == 0
    runs = farm.lake.read("runs")
    assert runs is not None
    assert runs.num_rows == 2


def test_a_late_reading_restates_only_its_window(farm):
    land(farm, hours("a", 12), hours("a", 12, start=DAY + timedelta(days=1)))
    now = DAY + timedelta(days=2)
    run(farm, now=now)
    land(farm, hours("a", 1, start=DAY + timedelta(hours=20)))
    assert run(farm, now=now + timedelta(hours=1)) >= 1
    assert (score(farm, "gpu_hours").value, score(farm, "gpu_hours").revision) == (13.0, 1)
    assert score(farm, "gpu_hours", day=DAY + timedelta(days=1)).revision == 0


def test_late_predictions_restate_only_the_cost_of_a_thousand(farm):
    land(farm, hours("a", 10))
    land_events(farm, "one", DAY, 1000)
    run(farm)
    land_events(farm, "one", DAY, 1000, landed_at=DAY + timedelta(days=2))
    assert run(farm, now=DAY + timedelta(days=1, hours=1)) == 0
    assert run(farm, now=DAY + timedelta(days=2)) == 1
    assert score(farm, "cost_per_1000_predictions").value == pytest.approx(4.0)


def test_a_new_price_restates_the_cost_and_leaves_the_hours(farm):
    land(farm, hours("a", 10))
    land_events(farm, "one", DAY, 1000)
    run(farm)
    farm.prices.write_text(HEAD + L4.replace("0.80", "1.60"))
    assert run(farm, now=DAY + timedelta(days=2)) == 3  # of GPUs, of all, of a thousand predictions
    assert (score(farm, "gpu_cost").value, score(farm, "gpu_cost").revision, score(farm, "gpu_hours").revision) == (16.0, 1, 0)


def test_a_run_as_of_then_gives_what_it_gave_then(farm):
    land(farm, hours("a", 30))
    run(farm, now=DAY + timedelta(days=1))
    assert [r.window_start for r in farm.lake.newest(Run)] == [DAY]
    run(farm, now=DAY + timedelta(days=2))
    assert score(farm, "gpu_hours", day=DAY + timedelta(days=1)).value == 6.0


def test_the_open_window_is_not_costed_yet(farm):
    land(farm, hours("a", 12))
    assert run(farm, now=DAY + timedelta(hours=23)) == 0


def test_without_a_price_the_hours_stand_and_the_cost_says_which_line_to_add(farm):
    land(farm, hours("a", 10), hours("a", 10, device=1, device_name="NVIDIA B200"))
    run(farm)
    assert score(farm, "gpu_hours").value == 20.0
    for metric in ("gpu_cost", "cost_per_1000_predictions"):
        found = score(farm, metric)
        assert (found.value, found.state) == (None, "not_evaluated")
        assert found.reason == "no price for 'NVIDIA B200' in USD: add a line for it to warehouse/seeds/gpu_prices.csv"


def test_a_wrong_price_book_costs_the_money_and_not_the_hours(farm):
    land(farm, hours("a", 10))
    farm.prices.write_text(HEAD + L4.replace("0.80", "-0.80"))
    run(farm)
    assert score(farm, "gpu_hours").value == 10.0
    assert score(farm, "gpu_cost").state == "not_evaluated"
    assert "line 2: '-0.80' is not a price" in score(farm, "gpu_cost").reason


def sampled_between(home: Home, first: int, last: int) -> None:
    """Land readings of hours of the day, and 60 predictions in each hour of it."""
    land(home, hours("a", last - first, start=DAY + timedelta(hours=first)))
    for hour in range(24):
        land_events(home, "one", DAY + timedelta(hours=hour, minutes=30), 60, landed_at=DAY)


@pytest.mark.parametrize("sampled", [2, pytest.param(6, marks=pytest.mark.nightly), 24])
def test_what_a_prediction_costs_does_not_depend_on_how_much_was_sampled(farm, sampled):
    sampled_between(farm, 0, sampled)
    run(farm)
    found = score(farm, "cost_per_1000_predictions")
    assert (found.value, found.n) == (pytest.approx(1000 * 0.80 / 60), 60 * sampled)
    assert found.coverage == pytest.approx(sampled / 24)
    said = "" if sampled == 24 else f"in which {60 * sampled:,} of 1,440 predictions fall: GPUs' cost is divided by these"
    assert said in found.reason
    (row,) = bill(farm, monitors_of(farm), now=DAY + timedelta(days=1), by="day")
    assert (row.predictions, row.sampled_predictions, row.cost_per_1000_predictions) == (1440, 60 * sampled, found.value)


def test_time_sampled_on_several_gpus_counts_its_predictions_once(farm):
    land(farm, hours("a", 4, device=2), hours("a", 4, start=DAY + timedelta(hours=2), device=1), hours("b", 20))
    sampled_between(farm, 10, 11)
    run(farm)
    assert score(farm, "cost_per_1000_predictions").n == 60 * (6 + 1)


@pytest.mark.parametrize(("minutes", "fell"), [(29, 0), (31, 20)])
def test_a_moment_of_sampling_tells_no_cost_of_a_prediction(farm, minutes, fell):
    end = DAY + timedelta(minutes=minutes)
    land(farm, [GpuSample(sampled_at=end, interval_s=100, host="a", device=0, device_uuid="a-0", device_name="NVIDIA L4")])
    for hour in range(24):
        land_events(farm, "one", DAY + timedelta(hours=hour, minutes=30), 20, landed_at=DAY)
    run(farm)
    found = score(farm, "cost_per_1000_predictions")
    assert (found.value, found.state, found.n) == (None, "insufficient", fell)
    assert f"0.1 % of the time, in which {fell} of 480 predictions fall; the cost of one is told from 30 on" in found.reason
    assert score(farm, "gpu_cost").value == pytest.approx(0.80 * 100 / 3600)


def test_tokens_are_known_of_all_predictions_and_gpus_of_those_that_were_sampled(make_home):
    columns = {"id": "id", "time": "at", "score": "p", "input_tokens": "tokens_in", "output_tokens": "tokens_out"}
    home = make_home(monitor("one", task="regression", columns=columns, cost={"llm": "some-llm", "hosts": ["a"]}), name="both")
    home.prices.write_text(HEAD + L4)
    home.token_prices.write_text("model,provider,input,output,currency,as_of,source\nsome-llm,p,2,10,USD,2025-01-01,list\n")
    land(home, hours("a", 12))
    for hour in (6, 18):
        times = pa.array([DAY + timedelta(hours=hour)] * 500, TIMESTAMP)
        home.lake.append(
            "events/one", pa.table({"p": [1.0] * 500, "tokens_in": [1000] * 500, "tokens_out": [0] * 500, "wk_time": times, "wk_landed_at": times})
        )
    run(home)
    assert score(home, "total_cost").value == pytest.approx(12 * 0.80 + 2.0)
    assert score(home, "cost_per_1000_predictions").value == pytest.approx(12 * 0.80 * 2 + 2.0)


def test_a_row_with_a_score_is_answered_whatever_its_status_says_and_one_without_is_not(make_home):
    columns = {"id": "id", "time": "at", "score": "p", "status": "status"}
    home = make_home(monitor("one", columns=columns, cost={"hosts": ["a"]}), name="failed")
    home.prices.write_text(HEAD + L4)
    land(home, hours("a", 24))
    times = pa.array([DAY + timedelta(hours=6)] * 400, TIMESTAMP)
    rows = {"p": [0.5] * 200 + [None] * 200, "status": (["200"] * 100 + ["503"] * 100) * 2, "wk_time": times, "wk_landed_at": times}
    home.lake.append("events/one", pa.table(rows))
    run(home)
    found = score(home, "cost_per_1000_predictions")
    assert (found.n, found.value) == (200, pytest.approx(24 * 0.80 * 1000 / 200))


def test_a_day_whose_gpus_nobody_read_does_not_cost_its_tokens_alone(make_home):
    columns = {"id": "id", "time": "at", "score": "p", "input_tokens": "tokens_in", "output_tokens": "tokens_out"}
    home = make_home(monitor("one", task="regression", columns=columns, cost={"llm": "some-llm", "hosts": ["a"]}), name="both")
    home.prices.write_text(HEAD + L4)
    home.token_prices.write_text("model,provider,input,output,currency,as_of,source\nsome-llm,p,2,10,USD,2025-01-01,list\n")
    land(home, hours("a", 24, start=DAY - timedelta(days=1)))
    times = pa.array([DAY + timedelta(hours=6)] * 500, TIMESTAMP)
    home.lake.append(
        "events/one", pa.table({"p": [1.0] * 500, "tokens_in": [1000] * 500, "tokens_out": [0] * 500, "wk_time": times, "wk_landed_at": times})
    )
    run(home)
    said = "no GPU of a was read in this time: what these cost is not known"
    for metric in ("total_cost", "cost_per_1000_predictions"):
        found = score(home, metric)
        assert (found.value, found.state) == (None, "not_evaluated"), metric
        assert found.reason.startswith(said), metric
    assert score(home, "token_cost").value == pytest.approx(1.0)
    now = DAY + timedelta(days=1)
    [row] = bill(home, load_monitors(home)[0], now=now, by="day", start=DAY, end=now)
    assert (row.cost, row.is_partly_priced, row.cents, row.coverage, row.cost_per_1000_predictions) == (1.0, True, 100, 0.0, None)
    assert row.reason == said
    known = daily_costs(home, load_monitors(home)[0]["one"], (DAY - timedelta(days=1)).date(), now=now)
    assert list(known.costs.values()) == [pytest.approx(24 * 0.80)]
    assert [(a.amount, a.lacks_price, a.lacks_readings) for a in known.at_least.values()] == [(pytest.approx(1.0), False, True)]


@pytest.mark.parametrize("failed", [0, 5])
def test_without_predictions_the_cost_of_a_thousand_is_not_known(farm, failed):
    land(farm, hours("a", 10))
    if failed:
        land_events(farm, "one", DAY, 0, failed=failed)
    run(farm)
    found = score(farm, "cost_per_1000_predictions")
    assert (found.value, found.state, found.reason) == (None, "insufficient", "no predictions in this window")
    assert score(farm, "gpu_cost").value == pytest.approx(8.0)


def test_an_unread_power_sensor_is_no_energy_and_not_zero(farm):
    land(farm, hours("a", 10, power_w=None, utilisation_ratio=None))
    run(farm)
    energy, busy = score(farm, "gpu_energy_kwh"), score(farm, "gpu_busy_ratio")
    assert (energy.value, energy.state, energy.reason) == (None, "not_evaluated", "no reading of the power drawn")
    assert (busy.value, busy.state) == (None, "not_evaluated")


def test_energy_read_for_part_of_the_time_says_so(farm):
    land(farm, hours("a", 3), hours("a", 1, start=DAY + timedelta(hours=3), power_w=None))
    run(farm)
    energy = score(farm, "gpu_energy_kwh")
    assert energy.value == pytest.approx(0.18)
    assert energy.reason == "an estimate: power times time; it is known for 75 % of the sampled time, and is that part's"


def test_energy_says_what_of_it_the_counter_told(farm):
    readings = hours("a", 3)
    land(farm, [replace(r, energy_j=None if k >= 12 else 1000.0 + 72_000 * k) for k, r in enumerate(readings)])
    run(farm)
    energy = score(farm, "gpu_energy_kwh")
    assert energy.value == pytest.approx(11 * 0.02 + 7 * 0.01)  # eleven intervals of the counter, seven at 60 W
    assert energy.reason == "76 % by the GPUs' energy counters, the rest an estimate: power times time"
    [row] = bill(farm, monitors_of(farm), now=DAY + timedelta(days=1), by="day")
    assert (row.energy_kwh, row.energy_counted_ratio) == pytest.approx((0.29, 0.22 / 0.29))
    assert run(farm) == 0


def test_a_synthetic_trace_says_with_every_score_that_it_is_no_bill(farm):
    land(farm, hours("a", 10, is_synthetic=True))
    run(farm)
    found = [score(farm, metric) for metric in ALWAYS]
    assert {s.method for s in found} == {"gpu_samples_synthetic"}
    assert all(s.reason.startswith("synthetic trace, not a bill") for s in found)


def test_measured_and_synthetic_time_never_mix(farm):
    land(farm, hours("a", 4), hours("a", 10, device=1, is_synthetic=True))
    run(farm)
    by_method = {s.method: s.value for s in farm.lake.newest(Score) if s.metric == "gpu_hours"}
    assert by_method == {"gpu_samples": 4.0, "gpu_samples_synthetic": 10.0}


def test_a_day_without_readings_is_empty_and_has_no_score(farm):
    land(farm, hours("a", 10), hours("a", 10, start=DAY + timedelta(days=2)))
    run(farm, now=DAY + timedelta(days=3))
    outcomes = {r.window_start: (r.outcome, r.reason) for r in farm.lake.newest(Run)}
    assert outcomes == {
        DAY: ("done", ""),
        DAY + timedelta(days=1): ("empty", "no GPU reading of this model: its use is unknown, not zero"),
        DAY + timedelta(days=2): ("done", ""),
    }
    assert run(farm, now=DAY + timedelta(days=3)) == 0


def test_a_model_without_gpus_has_neither_scores_nor_outcomes(farm):
    land(farm, hours("a", 10))
    run(farm)
    assert {r.model for r in farm.lake.newest(Run)} == {"one"}


def test_hosts_that_change_hands_leave_no_cost_behind(farm):
    land(farm, hours("a", 10))
    run(farm)
    swapped = monitors_of(farm)
    swapped = {m: with_hosts(w, ["a"] if m == "two" else []) for m, w in swapped.items()}
    costs(farm, swapped, now=DAY + timedelta(days=2))
    assert (score(farm, "gpu_cost").value, score(farm, "gpu_cost").state) == (None, "insufficient")
    assert score(farm, "gpu_cost", model="two").value == pytest.approx(8.0)
    assert costs(farm, swapped, now=DAY + timedelta(days=3)) == 0


def with_hosts(which: Monitor, hosts: list[str]) -> Monitor:
    return which.model_copy(update={"cost": which.cost.model_copy(update={"hosts": hosts})})


def test_a_host_that_two_models_claim_is_billed_to_neither(make_home):
    home = make_home(monitor("one", cost={"hosts": ["a"]}), monitor("two", cost={"hosts": ["a"]}), name="quarrel")
    land(home, hours("a", 10))
    one = {"one": monitors_of(home)["one"]}
    assert costs(home, one, now=DAY + timedelta(days=1)) == 0
    (row,) = bill(home, monitors_of(home), now=DAY + timedelta(days=1))
    assert (row.model, row.gpu_hours) == (None, 10.0)


def test_retention_of_readings_leaves_scores_alone(farm):
    land(farm, hours("a", 10))
    run(farm)
    table = farm.lake.table(GpuSample.TABLE)
    assert table is not None
    table.delete()
    assert run(farm, now=DAY + timedelta(days=2)) <= 1
    assert score(farm, "gpu_cost").value == pytest.approx(8.0)


def test_a_home_without_telemetry_costs_nothing(farm):
    assert run(farm) == 0
    assert farm.lake.read("runs") is None


def test_hourly_monitors_are_costed_by_the_hour(make_home):
    home = make_home(monitor("one", window="hour", cost={"hosts": ["a"]}), name="hourly")
    land(home, hours("a", 2.5))
    run(home, now=DAY + timedelta(hours=3))
    found = {s.window_start.hour: s.value for s in home.lake.newest(Score) if s.metric == "gpu_hours"}
    assert found == {0: 1.0, 1: 1.0, 2: 0.5}


def test_scores_of_the_models_and_the_unattributed_add_up_to_the_bill(farm):
    land(farm, hours("a", 10), hours("b", 7), hours("c", 5), hours("c", 2, device=1, model="one"))
    now = DAY + timedelta(days=1)
    run(farm, now=now)
    rows = bill(farm, monitors_of(farm), now=now, by="day")
    assert [(r.model, r.gpu_hours) for r in rows] == [("one", 12.0), ("two", 7.0), (None, 5.0)]
    assert sum(r.cost for r in rows) == pytest.approx(24 * 0.80)
    for row in rows[:2]:
        assert row.cost == pytest.approx(score(farm, "gpu_cost", model=row.model).value)


def test_a_week_of_cost_scores_is_summed_from_the_readings_and_no_mean_of_days(farm):
    busy, idle = hours("a", 20, start=DAY, utilisation_ratio=1.0), hours("a", 4, start=DAY + timedelta(days=1), utilisation_ratio=0.0)
    land(farm, busy, idle)
    land_events(farm, "one", DAY + timedelta(hours=3), 900)
    land_events(farm, "one", DAY + timedelta(days=1, hours=3), 100)
    now = DAY + timedelta(days=2)
    run(farm, now=now)
    (hours_spent,) = listed_scores(farm, monitors_of(farm)["one"], Wanted(metrics=frozenset({"gpu_hours"}), grain="week"), now=now)
    assert (hours_spent.value, hours_spent.grain, hours_spent.window_end - hours_spent.window_start) == (24.0, "week", timedelta(days=7))
    asked = Wanted(metrics=frozenset({*ALWAYS, "rows"}), grain="week")
    found = {s.metric: s for s in listed_scores(farm, monitors_of(farm)["one"], asked, now=now)}
    assert set(found) == set(ALWAYS)  # nothing was profiled here, and so no rows are counted
    assert found["gpu_busy_ratio"].value == pytest.approx(20 / 24)
    days = [score(farm, "gpu_cost", day=DAY + timedelta(days=n), now=now).value for n in (0, 1)]
    assert found["gpu_cost"].value == pytest.approx(sum(days))
    assert found["cost_per_1000_predictions"].value == pytest.approx(sum(days))


def test_a_finer_grid_is_costed_from_the_first_use_on(farm):
    land(farm, hours("a", 24), hours("a", 24, start=DAY + timedelta(days=50)))
    run(farm, now=DAY + timedelta(days=51))
    finer = {"one": monitors_of(farm)["one"].model_copy(update={"window": "hour"})}
    costs(farm, finer, now=DAY + timedelta(days=51))
    hourly = [s.window_start for s in farm.lake.newest(Score) if s.metric == "gpu_hours" and s.grain == "hour"]
    assert (len(hourly), min(hourly)) == (48, DAY)


def test_after_a_long_pause_every_missed_window_is_costed(farm):
    land(farm, hours("a", 24), hours("a", 24, start=DAY + timedelta(days=1)), hours("a", 24, start=DAY + timedelta(days=200)))
    run(farm)
    run(farm, now=DAY + timedelta(days=300))
    assert {s.window_start for s in farm.lake.newest(Score)} == {DAY + timedelta(days=d) for d in (0, 1, 200)}
    assert score(farm, "gpu_hours", now=DAY + timedelta(days=400)).revision == 0


def test_while_nobody_knows_how_long_labels_take_windows_are_looked_at_from_the_first_use_on_and_not_for_all_time(make_home):
    labels = {"files": "inbox/labels-*.parquet", "join": "id", "column": "y"}
    home = make_home(monitor("one", cost={"hosts": ["a"]}, labels=labels), name="unknown")
    home.prices.write_text(HEAD + L4)
    land(home, hours("a", 10), hours("a", 10, start=DAY + timedelta(days=100)))
    land_events(home, "one", DAY, 200)
    run(home, now=DAY + timedelta(days=101))
    right(home)
    land(home, hours("a", 10, start=DAY - timedelta(days=20)), hours("a", 10, start=DAY - timedelta(days=40)))
    run(home, now=DAY + timedelta(days=102))
    assert score(home, "cost_per_correct_prediction", now=DAY + timedelta(days=200)).value == pytest.approx(10 * 0.80 / 200 / 0.8)
    costed = {s.window_start for s in home.lake.newest(Score) if s.metric == "gpu_cost"}
    assert costed == {DAY + timedelta(days=d) for d in (-20, 0, 100)}


# What was had for it


def right(home: Home, state: str = "mature", **more: Any) -> None:
    """Write the accuracy of the day: 80 of 100 labelled predictions were right."""
    given = {"value": 0.8, "low": 0.7, "high": 0.9, "n": 100, "state": state, "unit": "ratio", "direction": "higher_is_better", "method": "Wilson"}
    where = {"model": "one", "metric": "accuracy", "window_start": DAY, "window_end": DAY + timedelta(days=1), "grain": "day"}
    home.lake.append_records(Score, [Score(**where, **given, computed_at=DAY + timedelta(days=1), **more)])


@pytest.fixture
def labelled(make_home: Callable[..., Home]) -> Home:
    labels = {"files": "inbox/labels-*.parquet", "join": "id", "column": "y", "mature_after": "36h"}
    home = make_home(monitor("one", cost={"hosts": ["a"]}, labels=labels), name="labelled")
    home.prices.write_text(HEAD + L4)
    land(home, hours("a", 10))
    land_events(home, "one", DAY, 200)
    return home


def test_a_correct_prediction_costs_a_prediction_over_the_share_that_is_right(labelled):
    right(labelled)
    run(labelled)
    found = score(labelled, "cost_per_correct_prediction")
    each = 10 * 0.80 / 200
    assert (found.value, found.low, found.high) == (pytest.approx(each / 0.8), pytest.approx(each / 0.9), pytest.approx(each / 0.7))
    assert (found.state, found.n, found.coverage) == ("mature", 100, 0.5)
    assert found.reason == "labels of 50 % of the predictions: the others are taken to be right as often"


def test_it_is_provisional_while_labels_are_missing_and_is_restated_when_they_came(labelled):
    right(labelled, "provisional", bound_low=0.4, bound_high=0.9)
    run(labelled)
    found = score(labelled, "cost_per_correct_prediction")
    assert (found.state, found.bound_low, found.bound_high) == ("provisional", pytest.approx(0.04 / 0.9), pytest.approx(0.04 / 0.4))
    right(labelled, revision=1)
    assert run(labelled, now=DAY + timedelta(days=2)) == 1
    assert (score(labelled, "cost_per_correct_prediction").state, score(labelled, "cost_per_correct_prediction").revision) == ("mature", 1)


def test_of_a_regression_no_prediction_is_right_and_the_reason_is_told(make_home):
    home = make_home(monitor("one", task="regression", cost={"hosts": ["a"]}), name="regression")
    home.prices.write_text(HEAD + L4)
    land(home, hours("a", 10))
    run(home)
    found = score(home, "cost_per_correct_prediction")
    assert (found.value, found.state) == (None, "not_evaluated")
    assert "no answer of a regression or a ranking is right or wrong" in found.reason


def test_a_new_price_bills_from_its_day_and_not_before(farm):
    later = DAY + timedelta(days=1)
    changed = HEAD.strip() + ",kind,from\n" + L4 + L4.strip().replace("0.80", "1.00") + f",,{later:%Y-%m-%d}\n"
    farm.prices.write_text(changed)
    land(farm, hours("a", 24), hours("a", 24, start=later))
    run(farm, now=later + timedelta(days=1))
    assert [score(farm, "gpu_cost", day=d).value for d in (DAY, later)] == [pytest.approx(24 * 0.80), pytest.approx(24.0)]
    (week,) = bill(farm, monitors_of(farm), now=later + timedelta(days=1), by="week")
    assert (week.cost, week.cents) == (pytest.approx(24 * 1.80), 4320)


def test_a_hosted_model_without_gpus_costs_its_tokens(make_home):
    columns = {"id": "id", "time": "at", "score": "p", "input_tokens": "tokens_in", "output_tokens": "tokens_out"}
    home = make_home(monitor("chat", task="regression", columns=columns, cost={"llm": "some-llm"}), name="chat")
    home.token_prices.write_text("model,provider,input,output,currency,as_of,source\nsome-llm,p,2,10,USD,2025-01-01,list\n")
    rows = {"p": [1.0] * 500, "tokens_in": [1000] * 500, "tokens_out": [100] * 500}
    times = pa.array([DAY + timedelta(hours=5)] * 500, TIMESTAMP)
    home.lake.append("events/chat", pa.table({**rows, "wk_time": times, "wk_landed_at": times}))
    landed = {"model": "chat", "source": "events", "name": "f", "status": "landed", "starts_at": DAY, "landed_at": DAY}
    home.lake.append_records(Batch, [Batch(batch_id="1", **landed)])
    assert run(home) == 4
    values = {m: score(home, m, model="chat").value for m in ("token_cost", "total_cost", "cost_per_1000_predictions")}
    assert values == {"token_cost": pytest.approx(1.5), "total_cost": pytest.approx(1.5), "cost_per_1000_predictions": pytest.approx(3.0)}
    (row,) = bill(home, monitors_of(home), now=DAY + timedelta(days=1), by="day")
    assert (row.model, row.token_cost, row.gpu_hours, row.cents) == ("chat", pytest.approx(1.5), 0.0, 150)
