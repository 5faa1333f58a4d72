"""GPUs as NVIDIA's management library (NVML) tells of them, through the binding nvidia-ml-py.

Belongs here: which devices there are, slices of them included, and what becomes of one that is lost. Does not: their sensors
(nvml_sensors.py) and processes (nvml_processes.py), when to look (operations/sample.py), the host's own processors (host.py).
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pynvml

from watchkeeper.adapters.gpu_look import Look, Stamp
from watchkeeper.adapters.gpu_owners import Owners
from watchkeeper.adapters.nvml_processes import ProcessMeter
from watchkeeper.adapters.nvml_sensors import XidWatch, is_lost, read_gpu, read_slice, slices_of

_ABSENT = {
    pynvml.NVML_ERROR_LIBRARY_NOT_FOUND: "no NVIDIA driver is installed (libnvidia-ml.so.1 was not found)",
    pynvml.NVML_ERROR_DRIVER_NOT_LOADED: "the NVIDIA driver is not loaded; run nvidia-smi or restart the host",
    pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH: "the NVIDIA driver and its library are of different versions; restart the host after the upgrade",
    pynvml.NVML_ERROR_NO_PERMISSION: "no permission to read the NVIDIA driver; run as a user who may open /dev/nvidiactl",
}


class _Device:
    """One GPU, known by its index; what is asked of it is forgotten when it is lost, and asked anew when it is back."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.handle: Any = None
        self.uuid = self.name = ""
        self._xids: XidWatch | None = None
        self.untold: list[int] = []
        """XID errors for which there was no reading yet, as when the device was lost with them."""
        self._meters: dict[str, ProcessMeter] = {}

    def open(self) -> None:
        """Ask for the device.

        Raises:
            NVMLError: it is lost, or has no name and id to be known by.

        """
        if self._xids is None:
            handle = pynvml.nvmlDeviceGetHandleByIndex(self.index)
            self.uuid, self.name = pynvml.nvmlDeviceGetUUID(handle), pynvml.nvmlDeviceGetName(handle)
            self.handle, self._xids = handle, XidWatch(handle)

    def close(self) -> None:
        """Forget the device."""
        if self._xids is not None:
            self._xids.close()
        self.handle = self._xids = None
        self._meters.clear()

    def look(self, stamp: Stamp, owners: Owners) -> Look:
        """Return a reading of the GPU, of its slices, and of the processes on what is not sliced.

        Raises:
            NVMLError: it is lost.

        """
        self.open()
        xids = None if self._xids is None else self._xids.new()
        self.untold += xids or []
        whole = read_gpu(self.handle, stamp, device=self.index, uuid=self.uuid, name=self.name, xids=None if xids is None else self.untold)
        self.untold = []
        look = Look(gpus=[whole])
        slices, most = slices_of(self.handle)
        for handle in slices:
            part = read_slice(handle, stamp, whole, slices_of_gpu=most)
            look.gpus.append(part)
            self._add_processes(look, handle, stamp, part.device_uuid, owners)
        if not slices:
            self._add_processes(look, self.handle, stamp, self.uuid, owners)
        return look

    def _add_processes(self, look: Look, handle: Any, stamp: Stamp, uuid: str, owners: Owners) -> None:
        try:
            look.processes += self._meters.setdefault(uuid, ProcessMeter()).read(handle, stamp, uuid=uuid, owners=owners)
        except pynvml.NVMLError as error:
            if is_lost(error):
                raise
            look.unseen[f"GPU {self.index}"] = str(error)


@dataclass(slots=True)
class Gpus:
    """The devices of this host; `why_none` says in a clause why there are none."""

    owners: Owners = field(default_factory=Owners)
    why_none: str = ""
    devices: list[_Device] = field(default_factory=list)

    def look(self, stamp: Stamp) -> Look:
        """Return a reading of every device that answers, and why the others do not; a driver that came late is found."""
        if self.why_none:
            self._open()
        look = Look()
        for device in self.devices:
            try:
                look.add(device.look(stamp, self.owners))
            except pynvml.NVMLError as error:
                xids = f", XID {', '.join(map(str, device.untold))}" if device.untold else ""
                look.faults[f"GPU {device.index}"] = f"{error}{xids}"
                device.close()
        self.owners.forget_all_but(p.pid for p in look.processes)
        return look

    def lost(self) -> dict[str, str]:
        """Return which devices do not answer, and why."""
        found: dict[str, str] = {}
        for device in self.devices:
            try:
                device.open()
            except pynvml.NVMLError as error:
                found[f"GPU {device.index}"] = str(error)
        return found

    def _open(self) -> None:
        """Ask the driver what there is; until it has devices, it is closed again."""
        try:
            pynvml.nvmlInit()
        except pynvml.NVMLError as error:
            self.why_none = _ABSENT.get(error.value, f"the NVIDIA driver does not answer ({error})")
            return
        try:
            self.devices = [_Device(index) for index in range(pynvml.nvmlDeviceGetCount())]
            self.why_none = "" if self.devices else "the NVIDIA driver knows no device"
        except pynvml.NVMLError as error:
            self.why_none = f"the NVIDIA driver does not list its devices ({error})"
        if not self.devices:
            _shut_down()

    def close(self) -> None:
        """Let go of the devices and the driver."""
        for device in self.devices:
            device.close()
        if self.devices:
            _shut_down()
            self.devices = []


@contextlib.contextmanager
def gpus(owners: Owners | None = None) -> Iterator[Gpus]:
    """Open the driver while the body runs; a host without GPUs has no devices and a reason."""
    found = Gpus(owners or Owners(), why_none="nobody asked yet")
    found._open()  # noqa: SLF001 - its own maker
    try:
        yield found
    finally:
        found.close()


def _shut_down() -> None:
    with contextlib.suppress(pynvml.NVMLError):
        pynvml.nvmlShutdown()
