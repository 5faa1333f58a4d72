"""GPUs as NVIDIA's management library (NVML) tells of them, through the binding nvidia-ml-py.

Belongs here: one reading of every device, with None for what a device does not tell. Does not: when to read
(operations/sample.py), the host's own processors (host.py).
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pynvml

from watchkeeper.records import GpuSample

_THROTTLES = {
    pynvml.nvmlClocksEventReasonApplicationsClocksSetting: "application_clocks",
    pynvml.nvmlClocksEventReasonSwPowerCap: "power_cap",
    pynvml.nvmlClocksEventReasonHwSlowdown: "hardware_slowdown",
    pynvml.nvmlClocksEventReasonSyncBoost: "sync_boost",
    pynvml.nvmlClocksEventReasonSwThermalSlowdown: "software_thermal",
    pynvml.nvmlClocksEventReasonHwThermalSlowdown: "hardware_thermal",
    pynvml.nvmlClocksEventReasonHwPowerBrakeSlowdown: "power_brake",
    pynvml.nvmlClocksEventReasonDisplayClockSetting: "display_clocks",
}
"""Bit -> why clocks are held down; that a GPU is idle is not among them."""

_ABSENT = {
    pynvml.NVML_ERROR_LIBRARY_NOT_FOUND: "no NVIDIA driver is installed (libnvidia-ml.so.1 was not found)",
    pynvml.NVML_ERROR_DRIVER_NOT_LOADED: "the NVIDIA driver is not loaded; run nvidia-smi or restart the host",
    pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH: "the NVIDIA driver and its library are of different versions; restart the host after the upgrade",
    pynvml.NVML_ERROR_NO_PERMISSION: "no permission to read the NVIDIA driver; run as a user who may open /dev/nvidiactl",
}
_FALLEN = (pynvml.NVML_ERROR_GPU_IS_LOST, pynvml.NVML_ERROR_RESET_REQUIRED, pynvml.NVML_ERROR_GPU_NOT_FOUND)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """What all readings of one moment share."""

    sampled_at: datetime
    interval_s: float
    host: str
    model: str = ""


@dataclass(slots=True)
class Gpus:
    """The devices of this host; `why_none` says in a clause why there are none."""

    handles: dict[int, Any] = field(default_factory=dict)
    why_none: str = ""
    faults: dict[int, str] = field(default_factory=dict)
    """Device -> why its newest reading failed."""

    def read(self, stamp: Stamp) -> list[GpuSample]:
        """Return a reading of every device that answers; the others are in `faults`."""
        self.faults = {i: handle for i, handle in self.handles.items() if isinstance(handle, str)}
        samples: list[GpuSample] = []
        for device, handle in self.handles.items():
            if device not in self.faults:
                try:
                    samples.append(_read(device, handle, stamp))
                except pynvml.NVMLError as error:
                    self.faults[device] = str(error)
        return samples


@contextlib.contextmanager
def gpus() -> Iterator[Gpus]:
    """Open the driver while the body runs; a host without GPUs has no handles and a reason."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        yield Gpus(why_none=_ABSENT.get(error.value, f"the NVIDIA driver does not answer ({error})"))
        return
    try:
        yield _found()
    finally:
        with contextlib.suppress(pynvml.NVMLError):
            pynvml.nvmlShutdown()


def _found() -> Gpus:
    try:
        count = pynvml.nvmlDeviceGetCount()
    except pynvml.NVMLError as error:
        return Gpus(why_none=f"the NVIDIA driver does not list its devices ({error})")
    handles = {i: _handle(i) for i in range(count)}
    return Gpus(handles, why_none="" if handles else "the NVIDIA driver knows no device")


def _handle(device: int) -> Any:
    """Return the handle of a device, or as text why there is none."""
    try:
        return pynvml.nvmlDeviceGetHandleByIndex(device)
    except pynvml.NVMLError as error:
        return str(error)


def _read(device: int, handle: Any, stamp: Stamp) -> GpuSample:
    """Return one reading.

    Raises:
        NVMLError: the device has no name and id to be known by, or fell off the bus.

    """
    utilisation = _sensor(pynvml.nvmlDeviceGetUtilizationRates, handle)
    memory = _sensor(pynvml.nvmlDeviceGetMemoryInfo, handle)
    power = _sensor(pynvml.nvmlDeviceGetPowerUsage, handle)
    return GpuSample(
        sampled_at=stamp.sampled_at,
        interval_s=stamp.interval_s,
        host=stamp.host,
        device=device,
        device_uuid=pynvml.nvmlDeviceGetUUID(handle),
        device_name=pynvml.nvmlDeviceGetName(handle),
        model=stamp.model,
        utilisation_ratio=None if utilisation is None else utilisation.gpu / 100,
        memory_used_bytes=None if memory is None else memory.used,
        memory_total_bytes=None if memory is None else memory.total,
        power_w=None if power is None else power / 1000,
        temperature_c=_temperature(handle),
        sm_clock_mhz=_sensor(pynvml.nvmlDeviceGetClockInfo, handle, pynvml.NVML_CLOCK_SM),
        memory_clock_mhz=_sensor(pynvml.nvmlDeviceGetClockInfo, handle, pynvml.NVML_CLOCK_MEM),
        throttle_reasons=_throttles(handle),
    )


def _sensor(call: Callable[..., Any], *arguments: Any) -> Any:
    """Return what a sensor says, None when the device has no such sensor or may not be asked."""
    try:
        return call(*arguments)
    except pynvml.NVMLError as error:
        if error.value in _FALLEN:
            raise
        return None


def _temperature(handle: Any) -> float | None:
    """Return degrees Celsius, by the older call where the driver does not know the newer one."""
    for call in (pynvml.nvmlDeviceGetTemperatureV, pynvml.nvmlDeviceGetTemperature):
        degrees = _sensor(call, handle, pynvml.NVML_TEMPERATURE_GPU)
        if degrees is not None:
            return float(degrees)
    return None


def _throttles(handle: Any) -> list[str] | None:
    """Return why clocks are held down, None when the driver does not say."""
    for call in (pynvml.nvmlDeviceGetCurrentClocksEventReasons, pynvml.nvmlDeviceGetCurrentClocksThrottleReasons):
        bits = _sensor(call, handle)
        if bits is not None:
            return [name for bit, name in _THROTTLES.items() if bits & bit]
    return None
