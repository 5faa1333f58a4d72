"""sample-gpus and costs, as people and cron call them."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from nvml_world import NAME, NvmlWorld, needs_gcc
from watchkeeper.adapters.workspace import Home
from watchkeeper.demo.gpu_trace import land_gpu_trace
from watchkeeper.records import GpuSample, HostSample

SAMPLER = [sys.executable, "-c", "from watchkeeper.cli import app; app()"]
MONDAY = datetime(2025, 1, 20, tzinfo=UTC)
PATIENCE_S = 60.0


def sampler(home: Home, *arguments: str, env: dict[str, str]) -> subprocess.Popen[str]:
    command = [*SAMPLER, "--home", str(home.root), "sample-gpus", *arguments]
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture
def no_driver(tmp_path: Path) -> dict[str, str]:
    """An environment in which the library that is found is no library, as on a host without a driver."""
    folder = tmp_path / "empty"
    folder.mkdir()
    (folder / NAME).write_bytes(b"")
    return {**os.environ, "LD_LIBRARY_PATH": str(folder)}


def test_a_host_without_a_gpu_says_so_in_one_line_and_is_sampled(home, no_driver):
    process = sampler(home, "--once", "--host", "box", env=no_driver)
    _, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0
    assert said.splitlines()[0].startswith("No GPU on box: no NVIDIA driver is installed")
    assert said.splitlines()[1:] == ["0 GPU reading(s) and 1 host reading(s) landed."]
    assert [s.host for s in home.lake.newest(HostSample)] == ["box"]


@needs_gcc[0]
@needs_gcc[1]
def test_sigterm_ends_the_sampler_with_all_its_readings_landed(home, tmp_path):
    world = NvmlWorld(tmp_path, "- count 2", "* utilisation 40")
    process = sampler(home, "--every", "0.1s", "--json", env=world.environment)
    assert process.stdout is not None
    told = [json.loads(process.stdout.readline()) for _ in range(5)]
    process.terminate()
    rest, said = process.communicate(timeout=PATIENCE_S)
    told += [json.loads(line) for line in rest.splitlines()]
    assert (process.returncode, "2 GPU(s) on" in said) == (0, True)
    landed = home.lake.newest(GpuSample)
    assert len(landed) == 2 * len(told)
    assert {s.utilisation_ratio for s in landed} == {0.4}
    assert {g["device"] for line in told for g in line["gpus"]} == {0, 1}


@needs_gcc[0]
@needs_gcc[1]
def test_a_gpu_lost_under_a_running_sampler_is_told_once_and_ctrl_c_ends_it(home, tmp_path):
    world = NvmlWorld(tmp_path, "- count 2")
    process = sampler(home, "--every", "0.1s", "--json", env=world.environment)
    assert process.stdout is not None
    process.stdout.readline()
    world.say("0 lost !15")
    deadline = time.monotonic() + PATIENCE_S
    while json.loads(process.stdout.readline())["faults"] != {"0": "GPU is lost"}:
        assert time.monotonic() < deadline
    alone = [json.loads(process.stdout.readline()) for _ in range(3)]
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0
    assert [[g["device"] for g in line["gpus"]] for line in alone] == [[1]] * 3
    assert said.count("GPU 0 gives no readings (GPU is lost)") == 1


def test_an_interval_that_is_no_time_is_wrong_usage(watchkeeper):
    result = watchkeeper("sample-gpus", "--every", "often")
    assert (result.exit_code, "'often' is not a duration" in result.output) == (2, True)


def test_readings_are_not_kept_under_a_model_that_is_in_no_file(home, watchkeeper):
    result = watchkeeper("sample-gpus", "--once", "--model", "parcel")
    assert (result.exit_code, "Did you mean 'parcels'?" in result.output) == (2, True)
    assert home.lake.table("telemetry") is None


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
        "coverage",
        "is_synthetic",
        "prices",
        "reason",
        "account",
        "team",
        "cents",
        "gpu_us",
        "gpu_cost",
        "token_cost",
        "training_gpu_hours",
        "training_cost",
        "wasted_ratio",
        "co2_kg",
        "co2_note",
        "correct_ratio",
        "cost_per_correct_prediction",
        "correct_state",
        "correct_note",
        "estimated_ratio",
        "parts",
    ]


def test_people_read_that_a_trace_is_no_bill_and_where_prices_come_from(traced, watchkeeper: Callable):
    shown = watchkeeper("costs", "--now", "2025-02-10").stdout
    assert "unattributed" in shown
    assert "Synthetic trace, not a bill" in shown
    assert "as of 2026-09-06" in shown
    rows = json.loads(watchkeeper("costs", "--json", "--now", "2025-02-10").stdout)
    assert f"Sum: {sum(r['cost'] or 0.0 for r in rows):,.2f} USD\n" in shown


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
