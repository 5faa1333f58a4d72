"""The sensors of one device, asked through NVIDIA's management library (NVML): a reading, with None for what a device does not tell.

Belongs here: which call gives which column, in which unit. Does not: which devices there are and when one is lost (nvml.py), or
the processes on them (nvml_processes.py).
"""

import contextlib
from collections.abc import Callable
from typing import Any

import pynvml

from watchkeeper.adapters.gpu_look import Stamp
from watchkeeper.samples import GpuSample

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

_FALLEN = (
    pynvml.NVML_ERROR_GPU_IS_LOST,
    pynvml.NVML_ERROR_RESET_REQUIRED,
    pynvml.NVML_ERROR_GPU_NOT_FOUND,
    pynvml.NVML_ERROR_UNINITIALIZED,
    pynvml.NVML_ERROR_DRIVER_NOT_LOADED,
)
_PCIE_FROM_S = 1.0
"""The driver counts PCIe bytes for 20 ms at each question, which is too long for who looks more often than this."""
_MOST_EVENTS = 1_000
_MIG_SLICES = 7


def throttle_names(bits: int) -> list[str]:
    """Return why clocks are held down, as the driver's bits say.

    >>> throttle_names(1), throttle_names(68)
    ([], ['power_cap', 'hardware_thermal'])
    """
    return [name for bit, name in _THROTTLES.items() if bits & bit]


def sensor(call: Callable[..., Any], *arguments: Any) -> Any:
    """Return what a sensor says, None when the device has no such sensor or may not be asked.

    Raises:
        NVMLError: the device is lost.

    """
    try:
        return call(*arguments)
    except pynvml.NVMLError as error:
        if is_lost(error):
            raise
        return None


def is_lost(error: pynvml.NVMLError) -> bool:
    """Tell whether an error says that the device is gone, and not that it lacks a sensor."""
    return error.value in _FALLEN


def read_gpu(handle: Any, stamp: Stamp, *, device: int, uuid: str, name: str, xids: list[int] | None) -> GpuSample:
    """Return one reading of a whole GPU.

    Raises:
        NVMLError: the device is lost.

    """
    utilisation = sensor(pynvml.nvmlDeviceGetUtilizationRates, handle)
    power = sensor(pynvml.nvmlDeviceGetPowerUsage, handle)
    energy = sensor(pynvml.nvmlDeviceGetTotalEnergyConsumption, handle)
    used, total = _memory(handle)
    received, sent = (
        _pcie(handle, side) if stamp.interval_s >= _PCIE_FROM_S else None for side in (pynvml.NVML_PCIE_UTIL_RX_BYTES, pynvml.NVML_PCIE_UTIL_TX_BYTES)
    )
    return GpuSample(
        sampled_at=stamp.sampled_at,
        interval_s=stamp.interval_s,
        host=stamp.host,
        device=device,
        device_uuid=uuid,
        device_name=name,
        model=stamp.model,
        utilisation_ratio=None if utilisation is None else utilisation.gpu / 100,
        memory_used_bytes=used,
        memory_total_bytes=total,
        power_w=None if power is None else power / 1000,
        temperature_c=_temperature(handle),
        sm_clock_mhz=sensor(pynvml.nvmlDeviceGetClockInfo, handle, pynvml.NVML_CLOCK_SM),
        memory_clock_mhz=sensor(pynvml.nvmlDeviceGetClockInfo, handle, pynvml.NVML_CLOCK_MEM),
        throttle_reasons=_throttles(handle),
        energy_j=None if energy is None else energy / 1000,
        memory_busy_ratio=None if utilisation is None else utilisation.memory / 100,
        pcie_received_bytes_s=received,
        pcie_sent_bytes_s=sent,
        ecc_corrected=_ecc(handle, pynvml.NVML_MEMORY_ERROR_TYPE_CORRECTED),
        ecc_uncorrected=_ecc(handle, pynvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED),
        xids=xids,
    )


def read_slice(handle: Any, stamp: Stamp, whole: GpuSample, *, slices_of_gpu: int) -> GpuSample:
    """Return one reading of a MIG slice; power, clocks, temperature and errors are those of the GPU, and stand there alone.

    Raises:
        NVMLError: the slice has no id, or its GPU is lost.

    """
    attributes = sensor(pynvml.nvmlDeviceGetAttributes, handle)
    used, total = _memory(handle)
    compute = attributes.computeInstanceSliceCount if attributes else 1
    return GpuSample(
        sampled_at=stamp.sampled_at,
        interval_s=stamp.interval_s,
        host=stamp.host,
        device=whole.device,
        device_uuid=pynvml.nvmlDeviceGetUUID(handle),
        device_name=whole.device_name,
        model=stamp.model,
        memory_used_bytes=used,
        memory_total_bytes=total,
        parent_uuid=whole.device_uuid,
        fraction=compute / max(slices_of_gpu, compute),
    )


def slices_of(handle: Any) -> tuple[list[Any], int]:
    """Return the handles of a GPU's MIG slices, none where it is whole, and how many compute slices the GPU has."""
    mode = sensor(pynvml.nvmlDeviceGetMigMode, handle)
    if not mode or mode[0] != pynvml.NVML_DEVICE_MIG_ENABLE:
        return [], 0
    most = sensor(pynvml.nvmlDeviceGetMaxMigDeviceCount, handle) or _MIG_SLICES
    found = [sensor(pynvml.nvmlDeviceGetMigDeviceHandleByIndex, handle, i) for i in range(most)]
    return [one for one in found if one], most


class XidWatch:
    """The XID errors of a device that the driver tells of from now on; it tells each once."""

    def __init__(self, handle: Any) -> None:
        """Register with the driver; where it has no such events there will be none, and `new` says None."""
        self._set = None
        wanted = pynvml.nvmlEventTypeXidCriticalError
        if not (sensor(pynvml.nvmlDeviceGetSupportedEventTypes, handle) or 0) & wanted:
            return
        made = sensor(pynvml.nvmlEventSetCreate)
        if made is not None:
            try:
                pynvml.nvmlDeviceRegisterEvents(handle, wanted, made)
                self._set = made
            except pynvml.NVMLError:
                with contextlib.suppress(pynvml.NVMLError):
                    pynvml.nvmlEventSetFree(made)

    def new(self) -> list[int] | None:
        """Return the errors since the last question, None where the driver does not tell.

        Raises:
            NVMLError: the device is lost, and told of no error before.

        """
        if self._set is None:
            return None
        found: list[int] = []
        while len(found) < _MOST_EVENTS:
            try:
                event = sensor(pynvml.nvmlEventSetWait, self._set, 0)  # which times out, an error, when there is none
            except pynvml.NVMLError:
                if found:
                    break  # each is told once, and so they are kept; that the device is lost the next question says again
                raise
            if event is None:
                break
            found.append(int(event.eventData))
        return found

    def close(self) -> None:
        """Give the registration back."""
        if self._set is not None:
            with contextlib.suppress(pynvml.NVMLError):
                pynvml.nvmlEventSetFree(self._set)
            self._set = None


def _memory(handle: Any) -> tuple[int | None, int | None]:
    memory = sensor(pynvml.nvmlDeviceGetMemoryInfo, handle)
    return (None, None) if memory is None else (memory.used, memory.total)


def _pcie(handle: Any, side: int) -> float | None:
    """Return bytes a second; the driver tells kilobytes."""
    told = sensor(pynvml.nvmlDeviceGetPcieThroughput, handle, side)
    return None if told is None else told * 1000.0


def _ecc(handle: Any, kind: int) -> int | None:
    count = sensor(pynvml.nvmlDeviceGetTotalEccErrors, handle, kind, pynvml.NVML_VOLATILE_ECC)
    return None if count is None else int(count)


def _temperature(handle: Any) -> float | None:
    """Return degrees Celsius, by the older call where the driver does not know the newer one."""
    for call in (pynvml.nvmlDeviceGetTemperatureV, pynvml.nvmlDeviceGetTemperature):
        degrees = sensor(call, handle, pynvml.NVML_TEMPERATURE_GPU)
        if degrees is not None:
            return float(degrees)
    return None


def _throttles(handle: Any) -> list[str] | None:
    """Return why clocks are held down, None when the driver does not say."""
    for call in (pynvml.nvmlDeviceGetCurrentClocksEventReasons, pynvml.nvmlDeviceGetCurrentClocksThrottleReasons):
        bits = sensor(call, handle)
        if bits is not None:
            return throttle_names(bits)
    return None
