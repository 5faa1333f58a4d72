"""The processes on one device, asked through NVML: memory, and the share of time that their kernels ran.

Belongs here: which calls tell of processes, and what their answers mean. Does not: whose a process is (gpu_owners.py), or the
device's own sensors (nvml_sensors.py).
"""

from typing import Any

import pynvml

from watchkeeper.adapters.gpu_look import Stamp
from watchkeeper.adapters.gpu_owners import Owners
from watchkeeper.adapters.nvml_sensors import is_lost
from watchkeeper.samples import GpuProcess

_NOTHING = (pynvml.NVML_SUCCESS, pynvml.NVML_ERROR_NOT_FOUND)


class ProcessMeter:
    """The processes of one device, reading after reading."""

    def __init__(self) -> None:
        """Begin without having seen anything."""
        self._seen: dict[int, int] = {}

    def read(self, handle: Any, stamp: Stamp, *, uuid: str, owners: Owners) -> list[GpuProcess]:
        """Return what runs on a device, a record a process.

        Raises:
            NVMLError: the driver does not tell of processes, or not us, or the device is lost.

        """
        running = _running(handle)
        ratios = self._ratios(handle) if running else {}
        found: list[GpuProcess] = []
        for pid, memory in running.items():
            owner = owners.of(pid)
            found.append(
                GpuProcess(
                    sampled_at=stamp.sampled_at,
                    interval_s=stamp.interval_s,
                    host=stamp.host,
                    device_uuid=uuid,
                    pid=pid,
                    name=owner.name,
                    model=owner.model,
                    version=owner.version,
                    team=owner.team,
                    purpose=owner.purpose,
                    attributed_by=owner.attributed_by,
                    memory_used_bytes=memory,
                    sm_ratio=None if ratios is None else ratios.get(pid, 0.0),
                )
            )
        return found

    def _ratios(self, handle: Any) -> dict[int, float] | None:
        """Return the share of time that kernels of each process ran since the reading before, None where it is not told.

        The driver tells the newest looks it took, each with its own time. Those seen before are left out by that time, of
        which it is only asked whether it is another: a clock that was set back hides nothing.
        """
        try:
            told = pynvml.nvmlDeviceGetProcessUtilization(handle, 0)
        except pynvml.NVMLError as error:
            if is_lost(error):
                raise
            if error.value not in _NOTHING:
                return None
            told = []
        newest = {t.pid: int(t.timeStamp) for t in sorted(told, key=lambda t: int(t.timeStamp))}
        was_set_back = bool(newest) and max(newest.values()) < max(self._seen.values(), default=0)
        before = {} if was_set_back else self._seen
        looks: dict[int, list[float]] = {}
        for one in told:
            if int(one.timeStamp) > before.get(one.pid, -1):
                looks.setdefault(one.pid, []).append(one.smUtil / 100)
        self._seen = newest
        return {pid: min(sum(several) / len(several), 1.0) for pid, several in looks.items()}


def _running(handle: Any) -> dict[int, int | None]:
    """Return pid -> bytes of the device's memory (None where it is not told), by the older call where the driver has no newer one."""
    try:
        told = pynvml.nvmlDeviceGetComputeRunningProcesses_v3(handle)
    except pynvml.NVMLError as error:
        if error.value != pynvml.NVML_ERROR_FUNCTION_NOT_FOUND:
            raise
        told = pynvml.nvmlDeviceGetComputeRunningProcesses_v2(handle)
    return {one.pid: one.usedGpuMemory for one in told}
