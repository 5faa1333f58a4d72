"""GPUs are read by the real binding, from a stand-in library compiled from C."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from nvml_world import NvmlWorld, needs_gcc
from watchkeeper.adapters.gpu_look import Look, Stamp
from watchkeeper.adapters.gpu_owners import Owners
from watchkeeper.adapters.nvml import gpus
from watchkeeper.samples import GpuSample

pytestmark = needs_gcc
STAMP = Stamp(sampled_at=datetime(2025, 1, 1, tzinfo=UTC), interval_s=10.0, host="gpu-1", model="parcels")
SENSORS = (
    "energy_j",
    "memory_busy_ratio",
    "pcie_received_bytes_s",
    "pcie_sent_bytes_s",
    "ecc_corrected",
    "ecc_uncorrected",
    "xids",
    "utilisation_ratio",
    "memory_used_bytes",
    "memory_total_bytes",
    "power_w",
    "temperature_c",
    "sm_clock_mhz",
    "memory_clock_mhz",
)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NvmlWorld:
    made = NvmlWorld(tmp_path, "- count 2")
    made.enter(monkeypatch)
    return made


def read(world: NvmlWorld, *lines: str) -> tuple[list[GpuSample], dict[str, str]]:
    look = look_at(world, *lines)
    return look.gpus, look.faults


def look_at(world: NvmlWorld, *lines: str, owners: Owners | None = None) -> Look:
    world.say(*lines)
    with gpus(owners) as found:
        return found.look(STAMP)


def test_every_sensor_reaches_its_field_in_its_unit(world):
    lines = ("1 name NVIDIA A100-SXM4-40GB", "1 utilisation 73", "1 memory_used 1024", "1 memory_total 4096", "1 power 211500", "1 temperature 61")
    lines += ("1 energy 5000250", "1 memory_utilisation 12", "1 pcie_sent 2000", "1 pcie_received 30", "1 ecc_corrected 4", "1 ecc_uncorrected 0")
    samples, faults = read(world, *lines, "1 sm_clock 1410", "1 memory_clock 1215", "1 throttle 68")
    assert faults == {}
    assert samples[1] == GpuSample(
        sampled_at=STAMP.sampled_at,
        interval_s=10.0,
        host="gpu-1",
        device=1,
        device_uuid="GPU-00000000-0000-0000-0000-000000000001",
        device_name="NVIDIA A100-SXM4-40GB",
        model="parcels",
        utilisation_ratio=0.73,
        memory_used_bytes=1024,
        memory_total_bytes=4096,
        power_w=211.5,
        temperature_c=61.0,
        sm_clock_mhz=1410,
        memory_clock_mhz=1215,
        throttle_reasons=["power_cap", "hardware_thermal"],
        energy_j=5000.25,
        memory_busy_ratio=0.12,
        pcie_received_bytes_s=30_000.0,
        pcie_sent_bytes_s=2_000_000.0,
        ecc_corrected=4,
        ecc_uncorrected=0,
        xids=[],
    )


def test_devices_are_told_apart_by_their_own_id(world):
    samples, _ = read(world)
    assert [s.device for s in samples] == [0, 1]
    assert len({s.device_uuid for s in samples}) == 2


def test_a_missing_power_sensor_is_none_and_not_zero(world):
    samples, faults = read(world, "0 power !3")
    assert (samples[0].power_w, samples[1].power_w, faults) == (None, 17.0, {})


@pytest.mark.parametrize("error", [3, 4, 13, 999], ids=["not supported", "no permission", "unknown call", "unknown"])
def test_a_device_that_tells_nothing_but_its_name_is_a_reading_of_nones(world, error):
    wanted = ("utilisation", "memory_used", "power", "temperature", "sm_clock", "memory_clock", "throttle", "events")
    samples, faults = read(world, "- count 1", *(f"* {sensor} !{error}" for sensor in wanted))
    assert faults == {}
    assert [getattr(samples[0], name) for name in SENSORS] == [None] * len(SENSORS)
    assert samples[0].throttle_reasons is None


def test_an_idle_gpu_is_not_a_throttled_one(world):
    samples, _ = read(world, "* throttle 1")
    assert [s.throttle_reasons for s in samples] == [[], []]


def test_an_older_driver_is_asked_by_its_older_calls(world):
    samples, _ = read(world, "0 temperature !13", "0 old_temperature 44", "0 throttle !13", "0 old_throttle 32")
    assert (samples[0].temperature_c, samples[0].throttle_reasons) == (44.0, ["software_thermal"])


def test_a_gpu_that_falls_off_the_bus_is_reported_and_the_other_goes_on(world):
    with gpus() as found:
        assert len(found.look(STAMP).gpus) == 2
        world.say("0 lost !15")
        after = found.look(STAMP)
        assert ([s.device for s in after.gpus], after.faults) == ([1], {"GPU 0": "GPU is lost"})
        assert found.lost() == {"GPU 0": "GPU is lost"}
        world.say("0 lost 0")
        back = found.look(STAMP)
        assert ([s.device for s in back.gpus], back.faults, found.lost()) == ([0, 1], {}, {})


def test_the_error_that_a_gpu_was_lost_with_is_told_at_once_and_kept_with_its_first_reading_after(world):
    with gpus() as found:
        found.look(STAMP)
        world.say("0 xids 79")
        first = found.look(STAMP)
        assert [s.xids for s in first.gpus] == [[79], []]
        world.say("0 xids 79,79,48", "0 utilisation !15")
        assert found.look(STAMP).faults == {"GPU 0": "GPU is lost, XID 79, 48"}
        world.say("0 utilisation 5")
        assert [s.xids for s in found.look(STAMP).gpus] == [[79, 48], []]
        assert [s.xids for s in found.look(STAMP).gpus] == [[], []]


def test_the_error_is_told_also_where_the_next_question_for_errors_finds_the_device_gone(world):
    with gpus() as found:
        found.look(STAMP)
        world.say("0 xids 79", "0 wait !15", "0 utilisation !15")
        assert found.look(STAMP).faults == {"GPU 0": "GPU is lost, XID 79"}


def test_errors_from_before_the_sampler_are_not_told(world):
    samples, _ = read(world, "0 xids 13,31")
    assert samples[0].xids == []


def test_a_gpu_that_is_lost_from_the_start_is_reported_and_the_other_goes_on(world):
    samples, faults = read(world, "1 handle !15")
    assert ([s.device for s in samples], faults) == ([0], {"GPU 1": "GPU is lost"})


def test_slices_are_devices_of_their_own_beside_their_gpu(world):
    lines = ("1 slices 3,2,1", "1 name NVIDIA A100-SXM4-40GB", "1 power 200000", "1.0 memory_total 20000", "1.0 memory_used 5000")
    samples, faults = read(world, *lines)
    assert faults == {}
    whole, *parts = [s for s in samples if s.device == 1]
    assert (whole.parent_uuid, whole.fraction, whole.power_w) == ("", 1.0, 200.0)
    assert [round(p.fraction * 7) for p in parts] == [3, 2, 1]
    assert {p.parent_uuid for p in parts} == {whole.device_uuid}
    assert len({p.device_uuid for p in parts}) == 3
    assert {p.device_name for p in parts} == {"NVIDIA A100-SXM4-40GB"}
    assert (parts[0].memory_used_bytes, parts[0].memory_total_bytes) == (5000, 20000)
    assert {(p.power_w, p.utilisation_ratio, p.energy_j) for p in parts} == {(None, None, None)}, "of the GPU, and counted there"


def test_slices_that_are_cut_anew_are_seen_at_the_next_reading(world):
    with gpus() as found:
        assert len(found.look(STAMP).gpus) == 2
        world.say("0 slices 4,3", "0 most_slices 7")
        assert [round(s.fraction, 3) for s in found.look(STAMP).gpus if s.device == 0] == [1.0, round(4 / 7, 3), round(3 / 7, 3)]
        world.say("0 slices !3")
        assert len(found.look(STAMP).gpus) == 2


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("- init !9", "driver is not loaded"),
        ("- init !18", "different versions; restart the host"),
        ("- init !4", "no permission"),
        ("- init !12", "no NVIDIA driver is installed"),
        ("- init !999", "does not answer"),
        ("- count !4", "does not list its devices"),
        ("- count 0", "knows no device"),
    ],
)
def test_why_there_is_no_gpu_is_said_in_a_clause(world, line, words):
    world.say(line)
    with gpus() as found:
        assert words in found.why_none
        assert found.look(STAMP).gpus == []


def test_a_driver_that_comes_after_the_sampler_is_found(world):
    world.say("- init !9")
    with gpus() as found:
        assert found.look(STAMP).gpus == []
        world.say("- init 0")
        assert [s.device for s in found.look(STAMP).gpus] == [0, 1]
        assert found.why_none == ""
