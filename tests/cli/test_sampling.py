"""sample-gpus, as people, cron and a service manager call it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nvml_world import NAME, NvmlWorld, needs_gcc
from receiver import Answer, Receiver
from watchkeeper.adapters.workspace import Home
from watchkeeper.samples import GpuProcess, GpuSample, HostSample

SAMPLER = [sys.executable, "-c", "from watchkeeper.cli import app; app()"]
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


def test_an_exporter_that_gives_nothing_ends_with_4_so_that_cron_can_tell(home, no_driver):
    process = sampler(home, "--once", "--host", "box", "--dcgm", "http://127.0.0.1:9/metrics", env=no_driver)
    _, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 4
    fault, landed = said.splitlines()
    assert fault.startswith("http://127.0.0.1:9/metrics gives no readings (")
    assert fault.endswith("); no GPU is read.")
    assert landed == "0 GPU readings, 0 process readings and 1 host reading landed."


def test_a_host_without_a_gpu_says_so_in_one_line_and_is_sampled(home, no_driver):
    process = sampler(home, "--once", "--host", "box", env=no_driver)
    _, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0
    assert said.splitlines()[0].startswith("No GPU on box: no NVIDIA driver is installed")
    assert said.splitlines()[1:] == ["0 GPU readings, 0 process readings and 1 host reading landed."]
    assert [s.host for s in home.lake.newest(HostSample)] == ["box"]


@pytest.mark.parametrize(("arguments", "said"), [(("--once", "--count", "3"), "given together"), (("--once", "--host", ""), "host is empty")])
def test_what_cannot_be_meant_is_refused_and_nothing_is_sampled(arguments, said, home, no_driver):
    process = sampler(home, *arguments, env=no_driver)
    _, told = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 2
    assert said in told
    assert home.lake.newest(HostSample) == []


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
    assert (process.returncode, "2 GPUs on" in said) == (0, True)
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
    while json.loads(process.stdout.readline())["faults"] != {"GPU 0": "GPU is lost"}:
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


@needs_gcc[0]
@needs_gcc[1]
def test_after_a_sigkill_no_reading_is_lost_that_was_taken_and_the_next_sampler_lands_them_once(home, tmp_path):
    world = NvmlWorld(tmp_path, "- count 2")
    killed = sampler(home, "--every", "0.1s", "--json", env=world.environment)
    assert killed.stdout is not None
    told = [json.loads(killed.stdout.readline()) for _ in range(8)]
    killed.kill()
    rest, _ = killed.communicate(timeout=PATIENCE_S)
    told += [json.loads(line) for line in rest.splitlines() if line.endswith("}")]
    assert home.lake.table(GpuSample.TABLE) is None, "it was killed before anything landed"
    _, said = sampler(home, "--once", env=world.environment).communicate(timeout=PATIENCE_S)
    assert "of a sampler that was ended before they landed: they land now" in said
    rows = home.lake.read(GpuSample.TABLE)
    times = rows.column("sampled_at").to_pylist()
    assert {g["sampled_at"] for line in told for g in line["gpus"]} <= {t.isoformat().replace("+00:00", "Z") for t in times}
    assert len(home.lake.newest(GpuSample)) == rows.num_rows, "each once"
    assert len(told) - 1 <= len(home.lake.newest(HostSample)) - 1 <= len(told) + 1
    assert list((home.root / "spool" / "telemetry").rglob("*.jsonl")) == []


@needs_gcc[0]
@needs_gcc[1]
def test_processes_are_read_with_the_rules_of_the_command_line_and_said_once_where_they_may_not_be(home, tmp_path):
    used = subprocess.Popen([sys.executable, "-c", "input()", "serve_parcels"], stdin=subprocess.PIPE)
    world = NvmlWorld(tmp_path, "- count 2", f"0 processes {used.pid}:1024:20", "1 processes !4")
    rule = ("--process", "parcels=*serve_parcels*")
    process = sampler(home, "--every", "0.1s", "--count", "4", "--json", *rule, env=world.environment)
    out, said = process.communicate(timeout=PATIENCE_S)
    used.communicate(b"\n")
    assert process.returncode == 0, said
    assert said.count("The processes on GPU 1 are unknown (Insufficient Permissions); readings of devices go on.") == 1
    told = [json.loads(line) for line in out.splitlines()]
    assert {line["unknown_processes"]["GPU 1"] for line in told} == {"Insufficient Permissions"}
    assert {(p.pid, p.model, p.attributed_by) for p in home.lake.newest(GpuProcess)} == {(used.pid, "parcels", "process")}
    assert len(home.lake.newest(GpuSample)) == 8


def test_a_lake_that_is_away_at_the_end_leaves_the_readings_on_disk_and_says_so(home, no_driver):
    obstacle = home.root / "warehouse" / "lake"
    obstacle.write_text("in the way")
    process = sampler(home, "--once", env=no_driver)
    _, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 4
    assert "1 wait on disk for the next sampler: the lake cannot be written" in said
    assert "lost" not in said
    obstacle.unlink()
    _, said = sampler(home, "--once", env=no_driver).communicate(timeout=PATIENCE_S)
    assert "1 reading of a sampler that was ended before they landed" in said
    assert "2 host readings landed" in said
    assert home.lake.read(HostSample.TABLE).num_rows == 2


def test_a_rule_for_a_model_that_is_in_no_file_is_refused(watchkeeper):
    result = watchkeeper("sample-gpus", "--once", "--container", "parcel=parcels-*")
    assert (result.exit_code, "Did you mean 'parcels'?" in result.output) == (2, True)


def test_an_exporter_is_read_in_the_place_of_the_driver(home, no_driver):
    page = (Path(__file__).parent.parent / "adapters" / "pages" / "dcgm.prom").read_text()
    with Receiver() as server:
        server.faults += [Answer(200, page), Answer(200, "<html></html>"), Answer(200, page)]
        address = f"{server.url}/metrics"
        arguments = ("--dcgm", address, "--container", "parcels=parcels-*", "--every", "0.2s", "--count", "3")
        _, said = sampler(home, *arguments, env=no_driver).communicate(timeout=PATIENCE_S)
    assert said.splitlines() == [
        f"{address}, read every 0.2 s. Ctrl-C ends it.",
        f"{address} gives no readings (answers a web page, and no metrics); no GPU is read.",
        f"{address} gives readings again.",
        "4 GPU readings, 2 process readings and 3 host readings landed.",
    ]
    assert {(s.source, s.host) for s in home.lake.newest(GpuSample)} == {("dcgm", "gpu-node-1")}
    assert {(p.pid, p.model) for p in home.lake.newest(GpuProcess)} == {(-1, "parcels")}


def _machines() -> list[object]:
    """The stand-in, and the real driver where there is one: the same is asked of both."""
    is_real = Path("/proc/driver/nvidia/version").exists()
    return [pytest.param("stand-in", marks=needs_gcc), *([pytest.param("hardware", marks=pytest.mark.gpu)] if is_real else [])]


@pytest.mark.parametrize("machine", _machines())
def test_what_a_driver_tells_is_in_the_bounds_of_what_can_be(home, tmp_path, machine):
    lines = ("- count 2", "* utilisation 40", "* energy 5000", "* memory_used 1024", f"0 processes {os.getpid()}:1024:20")
    env = NvmlWorld(tmp_path, *lines).environment if machine == "stand-in" else dict(os.environ)
    process = sampler(home, "--every", "1s", "--count", "3", "--json", env=env)
    out, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, said
    told = [json.loads(line) for line in out.splitlines()]
    assert [line["faults"] for line in told] == [{}] * 3
    for gpu in (g for line in told for g in line["gpus"]):
        assert 0 <= (gpu["utilisation_ratio"] or 0) <= 1
        assert 0 <= gpu["memory_used_bytes"] <= gpu["memory_total_bytes"]
        assert 0 < (gpu["power_w"] or 1) < 2000
        assert 0 < (gpu["temperature_c"] or 1) < 120
        assert 0 < gpu["fraction"] <= 1
        assert bool(gpu["parent_uuid"]) == (gpu["fraction"] < 1)
    for used in (p for line in told for p in line["processes"]):
        assert used["sm_ratio"] is None or 0 <= used["sm_ratio"] <= 1
        assert used["device_uuid"] in {g["device_uuid"] for line in told for g in line["gpus"]}
    uuids = [[g["device_uuid"] for g in line["gpus"]] for line in told]
    assert uuids[0]
    assert uuids[0] == uuids[1] == uuids[2]
    assert len(set(uuids[0])) == len(uuids[0])
    energies = [[g["energy_j"] for g in line["gpus"]] for line in told]
    assert all(a is None or a <= b for a, b in zip(energies[0], energies[2], strict=True))


@needs_gcc[0]
@needs_gcc[1]
def test_energy_is_what_the_drivers_counter_rose_by_while_it_was_sampled(home, tmp_path, watchkeeper):
    world = NvmlWorld(tmp_path, "- count 1", "0 energy 5000", "0 power 90000")
    process = sampler(home, "--every", "2s", "--count", "3", "--json", env=world.environment)
    assert process.stdout is not None
    first = json.loads(process.stdout.readline())
    world.say("0 energy 12500")
    process.stdout.readline()
    world.say("0 energy 20000")
    _, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, said
    assert [g["energy_j"] for g in first["gpus"]] == [5.0]
    [row] = json.loads(watchkeeper("costs", "--json").stdout)
    assert (row["energy_kwh"], row["energy_counted_ratio"]) == (pytest.approx(15 / 3.6e6, rel=0.02), 1.0)
