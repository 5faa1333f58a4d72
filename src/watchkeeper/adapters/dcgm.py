"""GPUs as NVIDIA's DCGM exporter tells of them, on the Prometheus page that a cluster has: the same readings as from the driver.

Belongs here: which metric and label gives which column, in which unit. Does not: the request and its bounds (scrape.py), or whose a
container is (gpu_owners.py).
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from prometheus_client import Metric

from watchkeeper.adapters.gpu_look import Look, Stamp
from watchkeeper.adapters.gpu_owners import Owners
from watchkeeper.adapters.nvml_sensors import throttle_names
from watchkeeper.adapters.scrape import TIMEOUT_S, place, scrape
from watchkeeper.errors import WatchkeeperError
from watchkeeper.samples import GpuProcess, GpuSample

_PREFIX = "DCGM_FI_"
_MIB = 2**20
_ALL = 100
_BLANK = 2.0**47
"""DCGM writes numbers from here on for what it does not know, and of 32 bits the highest sixteen."""

_BLANK_32 = range(0x7FFFFFF0, 0x7FFFFFFF + 1)
_PROFILE = re.compile(r"^(?:(\d+)c\.)?(\d+)g\.")
_SLICES_OF = {"A30": 4}
_SLICES = 7


@dataclass(slots=True)
class _Entity:
    """What the page says of one GPU or one MIG slice."""

    labels: dict[str, str]
    values: dict[str, float] = field(default_factory=dict)
    workloads: dict[tuple[str, str, str], None] = field(default_factory=dict)
    """Namespace, pod and container of what runs there, in the page's order."""

    def first(self, *names: str) -> float | None:
        """Return the first of some metrics that is told."""
        return next((self.values[n] for n in names if n in self.values), None)


class DcgmExporter:
    """The exporter of one host. What it does not tell is None; a page that cannot be read is told in the look, and the next one is asked for."""

    def __init__(self, url: str, *, owners: Owners | None = None, host: str = "", timeout_s: float = TIMEOUT_S) -> None:
        """Ask at an address; `host` names the readings, else the page's own `Hostname` does.

        Raises:
            UsageError: the address is none.

        """
        self.place = place(url)
        self._url, self._owners, self._host, self._timeout_s = url, owners or Owners(), host, timeout_s
        self._last_xids: dict[str, float] = {}

    def look(self, stamp: Stamp) -> Look:
        """Return a reading of every GPU and slice on the page, and of the containers that use them."""
        try:
            page = scrape(self._url, timeout_s=self._timeout_s)
        except WatchkeeperError as error:
            return Look(faults={self.place: error.what})
        found = list(_entities(page).items())
        if not found:
            return Look(faults={self.place: "tells of no GPU: there is no metric of DCGM with a UUID"})
        look = Look()
        for (uuid, instance), entity in found:
            if instance and (uuid, "") not in dict(found) and not any(s.device_uuid == uuid for s in look.gpus):
                look.gpus.append(self._whole(uuid, entity, stamp))  # a sliced GPU has no lines of its own
            reading = self._slice(uuid, instance, entity, stamp) if instance else self._whole(uuid, entity, stamp)
            look.gpus.append(reading)
            look.processes += self._workloads(reading, entity)
        return look

    def _whole(self, uuid: str, entity: _Entity, stamp: Stamp) -> GpuSample:
        is_sliced = bool(entity.labels.get("GPU_I_ID"))
        utilisation = None if is_sliced else _ratio(entity)
        used, total = (None, None) if is_sliced else _memory(entity)
        energy, throttles = (
            entity.first("DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION"),
            entity.first("DCGM_FI_DEV_CLOCKS_EVENT_REASONS", "DCGM_FI_DEV_CLOCK_THROTTLE_REASONS"),
        )
        return GpuSample(
            **self._about(uuid, entity, stamp),
            utilisation_ratio=utilisation,
            memory_used_bytes=used,
            memory_total_bytes=total,
            power_w=entity.first("DCGM_FI_DEV_POWER_USAGE"),
            temperature_c=entity.first("DCGM_FI_DEV_GPU_TEMP"),
            sm_clock_mhz=_whole_number(entity.first("DCGM_FI_DEV_SM_CLOCK")),
            memory_clock_mhz=_whole_number(entity.first("DCGM_FI_DEV_MEM_CLOCK")),
            throttle_reasons=None if throttles is None else throttle_names(int(throttles)),
            energy_j=None if energy is None else energy / 1000,
            memory_busy_ratio=None if is_sliced else _memory_busy(entity),
            pcie_received_bytes_s=_pcie(entity, "RX"),
            pcie_sent_bytes_s=_pcie(entity, "TX"),
            ecc_corrected=_whole_number(entity.first("DCGM_FI_DEV_ECC_SBE_VOL_TOTAL")),
            ecc_uncorrected=_whole_number(entity.first("DCGM_FI_DEV_ECC_DBE_VOL_TOTAL")),
            xids=self._xids(uuid, entity),
        )

    def _slice(self, uuid: str, instance: str, entity: _Entity, stamp: Stamp) -> GpuSample:
        """Return a reading of a MIG slice; what the page repeats for each slice though it is the GPU's, such as power, stands with the GPU alone."""
        used, total = _memory(entity)
        about = self._about(uuid, entity, stamp) | {"device_uuid": f"{uuid}/{instance}"}
        return GpuSample(
            **about,
            utilisation_ratio=_ratio(entity),
            memory_used_bytes=used,
            memory_total_bytes=total,
            memory_busy_ratio=_memory_busy(entity),
            parent_uuid=uuid,
            fraction=_fraction(entity.labels),
        )

    def _about(self, uuid: str, entity: _Entity, stamp: Stamp) -> dict[str, Any]:
        device = entity.labels.get("gpu", "")
        return {
            "sampled_at": stamp.sampled_at,
            "interval_s": stamp.interval_s,
            "host": self._host or entity.labels.get("Hostname") or stamp.host,
            "device": int(device) if device.isdigit() else -1,
            "device_uuid": uuid,
            "device_name": entity.labels.get("modelName", ""),
            "model": stamp.model,
            "source": "dcgm",
        }

    def _workloads(self, reading: GpuSample, entity: _Entity) -> Iterator[GpuProcess]:
        """Yield what runs on a device: of a container no process is known, so they are numbered from -1 down."""
        for number, (namespace, pod, container) in enumerate(entity.workloads, 1):
            owner = self._owners.of_container(container or pod, [name for name in (container, pod, namespace and f"{namespace}/{pod}") if name])
            yield GpuProcess(
                sampled_at=reading.sampled_at,
                interval_s=reading.interval_s,
                host=reading.host,
                device_uuid=reading.device_uuid,
                pid=-number,
                name=owner.name,
                model=owner.model,
                attributed_by=owner.attributed_by,
            )

    def _xids(self, uuid: str, entity: _Entity) -> list[int] | None:
        """Return the newest error when it is another than at the reading before: the page goes on telling of it."""
        newest = entity.first("DCGM_FI_DEV_XID_ERRORS")
        if newest is None:
            return None
        before = self._last_xids.get(uuid)
        self._last_xids[uuid] = newest
        if before is None:
            return None  # it may be of yesterday
        return [int(newest)] if newest != before and newest else []


def _entities(page: Mapping[str, Metric]) -> dict[tuple[str, str], _Entity]:
    """Return what a page says, by GPU and slice (empty for the whole GPU), in the page's order."""
    found: dict[tuple[str, str], _Entity] = {}
    for name, family in page.items():
        if not name.startswith(_PREFIX):
            continue
        for sample in family.samples:
            uuid = sample.labels.get("UUID", "")
            if not uuid:
                continue  # a switch, or a processor
            entity = found.setdefault((uuid, sample.labels.get("GPU_I_ID", "")), _Entity(sample.labels))
            namespace, pod, container = (
                sample.labels.get(f"exported_{part}") or sample.labels.get(part, "") for part in ("namespace", "pod", "container")
            )
            if pod or container:
                entity.workloads[namespace, pod, container] = None
            if _is_known(name, sample.value):
                entity.values.setdefault(name, sample.value)
    return found


def _is_known(name: str, value: float) -> bool:
    """Tell a number from those that DCGM writes for what it does not know."""
    is_possible = value <= _ALL if name.endswith("_UTIL") else value < _BLANK
    return math.isfinite(value) and value >= 0 and is_possible and not (value in _BLANK_32 and "ENERGY" not in name)


def _ratio(entity: _Entity) -> float | None:
    percent, ratio = entity.first("DCGM_FI_DEV_GPU_UTIL"), entity.first("DCGM_FI_PROF_GR_ENGINE_ACTIVE")
    return ratio if percent is None else percent / 100


def _memory_busy(entity: _Entity) -> float | None:
    percent, ratio = entity.first("DCGM_FI_DEV_MEM_COPY_UTIL"), entity.first("DCGM_FI_PROF_DRAM_ACTIVE")
    return ratio if percent is None else percent / 100


def _memory(entity: _Entity) -> tuple[int | None, int | None]:
    """Return bytes in use and in all; the page tells MiB."""
    used, free, total = (entity.first(f"DCGM_FI_DEV_FB_{what}") for what in ("USED", "FREE", "TOTAL"))
    if total is None and used is not None and free is not None:
        total = used + free + (entity.first("DCGM_FI_DEV_FB_RESERVED") or 0)
    return None if used is None else int(used * _MIB), None if total is None else int(total * _MIB)


def _pcie(entity: _Entity, side: str) -> float | None:
    """Return bytes a second: the newer metric tells them, though exporters call it a counter, the older one kilobytes."""
    newer, older = entity.first(f"DCGM_FI_PROF_PCIE_{side}_BYTES"), entity.first(f"DCGM_FI_DEV_PCIE_{side}_THROUGHPUT")
    return newer if newer is not None or older is None else older * 1000


def _fraction(labels: Mapping[str, str]) -> float:
    """Return a slice's share of its GPU: of the profile 1c.3g.20gb one compute slice, of 3g.20gb three."""
    profile = _PROFILE.match(labels.get("GPU_I_PROFILE", ""))
    most = next((n for card, n in _SLICES_OF.items() if card in labels.get("modelName", "").split()), _SLICES)
    return int(profile[1] or profile[2]) / most if profile else 1 / most


def _whole_number(value: float | None) -> int | None:
    return None if value is None else int(value)
