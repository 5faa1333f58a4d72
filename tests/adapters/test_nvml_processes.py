"""Processes on GPUs: how busy each is, what it holds, and whose it is; seen by the real binding and the real /proc."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from nvml_world import NvmlWorld, needs_gcc
from watchkeeper.adapters.gpu_look import Look, Stamp
from watchkeeper.adapters.gpu_owners import Owner, Owners, Rule, rules
from watchkeeper.adapters.nvml import gpus
from watchkeeper.errors import UsageError

pytestmark = needs_gcc
STAMP = Stamp(sampled_at=datetime(2025, 1, 1, tzinfo=UTC), interval_s=10.0, host="gpu-1")
PERMISSION = "Insufficient Permissions"
SECRET = "sk-hunter2"  # noqa: S105 - a made-up one

Start = Callable[..., int]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NvmlWorld:
    made = NvmlWorld(tmp_path, "- count 2")
    made.enter(monkeypatch)
    return made


@pytest.fixture
def start() -> Iterator[Start]:
    """Return a starter of processes that wait, with an environment of their own; it returns their ids."""
    started: list[subprocess.Popen[bytes]] = []

    def begin(*arguments: str, **environment: str) -> int:
        code = "print(flush=True); import time; time.sleep(60)"
        process = subprocess.Popen([sys.executable, "-c", code, *arguments], env={"PATH": os.environ["PATH"], **environment}, stdout=subprocess.PIPE)
        started.append(process)
        assert process.stdout is not None
        process.stdout.readline()
        return process.pid

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def look_at(world: NvmlWorld, *lines: str, owners: Owners | None = None) -> Look:
    world.say(*lines)
    with gpus(owners) as found:
        return found.look(STAMP)


def test_a_process_has_its_memory_and_the_share_of_time_its_kernels_ran(world, start):
    one, other = start(), start()
    look = look_at(world, f"0 processes {one}:1073741824:35,{other}:-1:0")
    assert [(p.pid, p.memory_used_bytes, p.sm_ratio, p.device_uuid) for p in look.processes] == [
        (one, 2**30, 0.35, look.gpus[0].device_uuid),
        (other, None, 0.0, look.gpus[0].device_uuid),
    ]
    assert {(p.interval_s, p.host, p.sampled_at) for p in look.processes} == {(10.0, "gpu-1", STAMP.sampled_at)}
    assert (look.faults, look.unseen) == ({}, {})


def test_what_serves_which_model_is_said_by_the_environment_and_nothing_else_of_it_is_kept(world, start):
    said = {"WATCHKEEPER_MODEL": "parcels", "WATCHKEEPER_VERSION": "7", "WATCHKEEPER_TEAM": "post", "WATCHKEEPER_PURPOSE": "Training"}
    pid = start("--token", SECRET, API_KEY=SECRET, **said)
    (process,) = look_at(world, f"1 processes {pid}:1:1").processes
    assert (process.model, process.version, process.team, process.purpose, process.attributed_by) == (
        "parcels",
        "7",
        "post",
        "training",
        "environment",
    )
    assert process.name.startswith("python")
    assert SECRET not in repr(process)


def test_a_rule_about_processes_comes_before_one_about_containers_and_both_before_the_environment(world, start):
    pid = start("serve_parcels.py", WATCHKEEPER_MODEL="flights", WATCHKEEPER_VERSION="7", WATCHKEEPER_TEAM="air", HOSTNAME="parcels-5f6d")
    world.say(f"0 processes {pid}:1:1")
    by_process, by_container = [Rule("parcels", "*serve_parcels*")], [Rule("letters", "parcels-*")]

    def whose(**known: list[Rule]) -> tuple[str, str, str, str]:
        (process,) = look_at(world, owners=Owners(**known)).processes
        return process.model, process.attributed_by, process.version, process.team

    assert whose(processes=by_process, containers=by_container) == ("parcels", "process", "", "air"), "the version is that of another model"
    assert whose(containers=by_container) == ("letters", "container", "", "air")
    assert whose() == ("flights", "environment", "7", "air")
    assert whose(processes=[Rule("parcels", "nothing*")])[:2] == ("flights", "environment")


def test_a_process_that_says_nothing_is_of_no_model_and_one_that_is_gone_has_no_name(world, start):
    pid, gone = start(), subprocess.Popen(["true"])
    gone.wait()
    here, there = look_at(world, f"0 processes {pid}:1:1,{gone.pid}:1:1").processes
    assert (here.model, here.attributed_by, here.purpose) == ("", "", "serving")
    assert (there.model, there.name) == ("", "")


def test_the_same_number_of_another_process_is_asked_again(start):
    owners, pid = Owners(), start(WATCHKEEPER_MODEL="parcels")
    assert owners.of(pid).model == "parcels"
    began, known = owners._known[pid]
    owners._known[pid] = (began - 5, Owner(model="letters"))  # as of a process that had this number before
    assert owners.of(pid) == known
    owners.forget_all_but([])
    assert owners._known == {}


@pytest.mark.parametrize(("line", "why"), [("* processes !4", PERMISSION), ("* processes !3", "Not Supported")])
def test_processes_that_may_not_be_seen_are_unknown_and_devices_are_read_all_the_same(world, line, why):
    look = look_at(world, line)
    assert [s.device for s in look.gpus] == [0, 1]
    assert (look.processes, look.faults, look.unseen) == ([], {}, {"GPU 0": why, "GPU 1": why})


def test_where_only_their_use_may_not_be_seen_it_is_unknown_and_not_zero(world, start):
    pid = start()
    (process,) = look_at(world, f"0 processes {pid}:5:40", "0 process_utilisation !4").processes
    assert (process.memory_used_bytes, process.sm_ratio) == (5, None)


def test_an_older_driver_is_asked_for_processes_by_its_older_call(world, start):
    pid = start()
    assert [p.pid for p in look_at(world, f"0 processes {pid}:5:40", "0 newer_processes !13").processes] == [pid]


def test_processes_of_a_slice_are_the_slices(world, start):
    one, other = start(), start()
    look = look_at(world, "0 slices 3,4", f"0.0 processes {one}:5:40", f"0.1 processes {other}:6:10")
    parts = [s.device_uuid for s in look.gpus if s.parent_uuid]
    assert [(p.device_uuid, p.pid, p.sm_ratio) for p in look.processes] == [(parts[0], one, None), (parts[1], other, None)]


def test_a_process_that_does_nothing_more_is_idle_at_the_next_reading_whichever_way_the_drivers_clock_was_set(world, start):
    pid, told = start(), []
    world.say("- count 1", f"0 processes {pid}:5:40", "- clock 1000000000")
    with gpus() as found:
        for line in ("", "", "- clock 1010000000", "- clock 400000000", "- clock 9000000000"):
            world.say(*([line] if line else []))
            told.append(found.look(STAMP).processes[0].sm_ratio)
    assert told == [0.4, 0.0, 0.4, 0.4, 0.4], "the same look of the driver counts once, one of another time always"


@pytest.mark.parametrize("text", ["parcels", "=serve*", "parcels="])
def test_a_rule_without_a_model_or_a_pattern_is_wrong_usage(text):
    with pytest.raises(UsageError, match="does not say MODEL=PATTERN"):
        rules([text], option="--process")
