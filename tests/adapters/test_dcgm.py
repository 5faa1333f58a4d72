"""The DCGM exporter's page gives the records that the driver gives; a page that is none is told, and the next one is asked for."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from receiver import Answer, Receiver
from watchkeeper.adapters.dcgm import DcgmExporter
from watchkeeper.adapters.gpu_look import Stamp
from watchkeeper.adapters.gpu_owners import Owners, Rule
from watchkeeper.adapters.lake import Lake
from watchkeeper.adapters.pace import Pace
from watchkeeper.adapters.telemetry import Buffer
from watchkeeper.errors import UsageError
from watchkeeper.operations.sample import Plan, Reading, sample
from watchkeeper.samples import GpuProcess, GpuSample

PAGES = Path(__file__).parent / "pages"
PAGE, SLICES = (PAGES / "dcgm.prom").read_text(), (PAGES / "dcgm_slices.prom").read_text()
STAMP = Stamp(sampled_at=datetime(2025, 1, 1, tzinfo=UTC), interval_s=10.0, host="here")
OWNERS = Owners(containers=[Rule("parcels", "parcels-*"), Rule("flights", "models/flights-*")])


@pytest.fixture
def server() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


def test_every_metric_reaches_its_column_in_its_unit(server):
    server.faults.append(Answer(200, PAGE))
    look = DcgmExporter(f"{server.url}/metrics", owners=OWNERS).look(STAMP)
    assert look.faults == {}
    assert look.gpus[0] == GpuSample(
        sampled_at=STAMP.sampled_at,
        interval_s=10.0,
        host="gpu-node-1",
        device=0,
        device_uuid="GPU-604ac76c-d9cf-fef3-62e9-d92044ab6e52",
        device_name="NVIDIA L4",
        utilisation_ratio=0.83,
        memory_used_bytes=16369 * 2**20,
        memory_total_bytes=22500 * 2**20,
        power_w=68.142,
        temperature_c=71.0,
        sm_clock_mhz=2040,
        memory_clock_mhz=6251,
        throttle_reasons=["power_cap", "hardware_thermal"],
        energy_j=2147483.647,
        memory_busy_ratio=0.41,
        pcie_received_bytes_s=97863601.0,
        pcie_sent_bytes_s=33011804.0,
        ecc_corrected=3,
        ecc_uncorrected=0,
        xids=None,
        source="dcgm",
    )
    idle = look.gpus[1]
    assert (idle.utilisation_ratio, idle.throttle_reasons) == (0.0, [])
    assert (idle.pcie_received_bytes_s, idle.ecc_uncorrected) == (None, None), "numbers that stand for not known"
    (used,) = look.processes
    assert (used.pid, used.name, used.model, used.attributed_by, used.host) == (-1, "server", "parcels", "container", "gpu-node-1")
    assert (used.device_uuid, used.memory_used_bytes, used.sm_ratio) == (look.gpus[0].device_uuid, None, None)


def test_slices_stand_beside_their_gpu_which_alone_has_what_the_page_repeats(server):
    server.faults.append(Answer(200, SLICES))
    look = DcgmExporter(server.url, owners=OWNERS).look(STAMP)
    whole, *parts = look.gpus
    assert (whole.parent_uuid, whole.fraction, whole.power_w, whole.energy_j, whole.utilisation_ratio) == ("", 1.0, 211.5, 5000.25, None)
    assert [round(p.fraction * 7) for p in parts] == [3, 1, 1]
    assert {(p.parent_uuid, p.power_w, p.energy_j, p.temperature_c) for p in parts} == {(whole.device_uuid, None, None, None)}
    assert [p.utilisation_ratio for p in parts] == [0.92926, 0.995687, 0.0]
    assert parts[1].memory_used_bytes == 63 * 2**20
    assert len({p.device_uuid for p in look.gpus}) == 4
    assert [(p.device_uuid, p.model) for p in look.processes] == [(parts[0].device_uuid, "parcels"), (parts[1].device_uuid, "flights")]


def test_several_pods_on_one_gpu_are_several(server):
    shared = 'DCGM_FI_DEV_GPU_UTIL{{gpu="0",UUID="GPU-1",Hostname="a",modelName="NVIDIA T4",pod="{}"}} 70\n'
    server.faults.append(Answer(200, shared.format("parcels-1") + shared.format("letters-1")))
    look = DcgmExporter(server.url, owners=OWNERS).look(STAMP)
    assert [s.utilisation_ratio for s in look.gpus] == [0.7]
    assert [(p.pid, p.name, p.model) for p in look.processes] == [(-1, "parcels-1", "parcels"), (-2, "letters-1", "")]


def test_labels_that_a_prometheus_gave_way_to_its_own_are_taken_first(server):
    line = 'DCGM_FI_DEV_GPU_UTIL{gpu="0",UUID="GPU-1",pod="dcgm-exporter-x",container="exporter",exported_pod="parcels-1",exported_container="server"} 70\n'
    server.faults.append(Answer(200, line))
    (used,) = DcgmExporter(server.url, owners=OWNERS).look(STAMP).processes
    assert (used.name, used.model) == ("server", "parcels")


@pytest.mark.parametrize(("said", "kept"), [("100", 1.0), ("250", None), ("-5", None), ("NaN", None)])
def test_a_share_of_time_that_cannot_be_is_not_known(server, said, kept):
    server.faults.append(Answer(200, f'DCGM_FI_DEV_GPU_UTIL{{gpu="0",UUID="GPU-1"}} {said}\n'))
    (sample,) = DcgmExporter(server.url).look(STAMP).gpus
    assert sample.utilisation_ratio == kept


def test_the_last_error_is_told_when_it_is_another_than_before(server):
    told = []
    exporter = DcgmExporter(server.url)
    for xid in (13, 13, 79, 79, 0):
        server.faults.append(Answer(200, f'DCGM_FI_DEV_XID_ERRORS{{gpu="0",UUID="GPU-1"}} {xid}\n'))
        told += [s.xids for s in exporter.look(STAMP).gpus]
    assert told == [None, [], [79], [], []], "of the first one it is not known when it was"


def test_a_host_that_is_named_names_the_readings(server):
    server.faults.append(Answer(200, PAGE))
    assert {s.host for s in DcgmExporter(server.url, host="box").look(STAMP).gpus} == {"box"}


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(200, "<html>Log in</html>"), "web page, and no metrics"),
        (Answer(200, "up 1\n"), "tells of no GPU"),
        (Answer(200, 'DCGM_FI_DEV_NVSWITCH_FATAL_ERRORS{nvswitch="0"} 0\n'), "tells of no GPU"),
        (Answer(503, "starting"), "answers 503"),
        (Answer(200, 'DCGM_FI_DEV_GPU_UTIL{UUID="G"} 1\n' * 200_000), "more than 4 MB"),
    ],
)
def test_a_page_that_is_none_is_a_fault_of_that_reading_and_sampling_goes_on(server, tmp_path, answer, words):
    server.faults += [Answer(200, PAGE), answer, Answer(200, PAGE)]
    lake, told = sampled(server, tmp_path)
    assert [list(r.look.faults) for r in told] == [[], [f"{server.url}/metrics"], []]
    assert words in told[1].look.faults[f"{server.url}/metrics"]
    assert len(lake.newest(GpuSample)) == 4
    assert len(lake.newest(GpuProcess)) == 2


def test_a_page_that_hangs_is_a_fault_of_that_reading(server, tmp_path):
    server.release.clear()
    _, told = sampled(server, tmp_path, count=1, timeout_s=0.2)
    assert "no answer within 0.2 s" in told[0].look.faults[f"{server.url}/metrics"]


def test_exporters_that_hang_make_nobody_elses_reading_late(server, tmp_path):
    lake, told = Lake(tmp_path / "lake"), []
    with Receiver() as silent:
        silent.release.clear()
        server.faults.append(Answer(200, PAGE))
        exporters = [*(DcgmExporter(f"{silent.url}/{n}", timeout_s=1.0) for n in range(8)), DcgmExporter(server.url)]
        pace = Pace(now=lambda: STAMP.sampled_at, seconds=lambda: 0.0, wait=lambda _: False)
        began = time.monotonic()
        sample(exporters, Buffer(lake), Plan(every_s=10.0, host="a", count=1), pace, seen=lambda reading: told.append((reading, time.monotonic())))
    ((reading, at),) = told
    assert at - began < 6, "eight of them, one after the other, would take eight seconds"
    assert (len(reading.look.faults), len(reading.look.gpus)) == (8, 2)


def sampled(server: Receiver, folder: Path, *, count: int = 3, timeout_s: float = 5.0) -> tuple[Lake, list[Reading]]:
    """Sample an exporter so many times; return the lake and what was told."""
    lake, told, ticks = Lake(folder / "lake"), [], iter(range(1000))
    pace = Pace(now=lambda: datetime(2025, 1, 1, 0, 0, next(ticks), tzinfo=UTC), seconds=lambda: 0.0, wait=lambda _: False)
    sample(
        [DcgmExporter(f"{server.url}/metrics", timeout_s=timeout_s)], Buffer(lake), Plan(every_s=10.0, host="a", count=count), pace, seen=told.append
    )
    return lake, told


def test_an_address_that_is_none_is_refused_at_once():
    with pytest.raises(UsageError, match="no http or https address"):
        DcgmExporter("localhost:9400")
