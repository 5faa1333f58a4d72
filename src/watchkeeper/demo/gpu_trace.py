"""A made-up trace of two GPUs for the demo, which has none: every reading is marked synthetic.

Belongs here: drawing the trace. Does not: what is made of it (operations/costs.py), which treats it like any other
telemetry and says with every figure that it is no bill.
"""

import dataclasses
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from watchkeeper.adapters.arrow_records import TIMESTAMP, arrow_schema
from watchkeeper.adapters.lake import Lake
from watchkeeper.samples import GpuSample

EVERY = timedelta(minutes=10)
HOST = "gpu-1"
DEVICES = 2
# Share of New York's departures by local hour, April to December 2013, relative to the busiest hour.
TRAFFIC = np.array([0, 0, 0, 0, 0, 0.07, 0.95, 0.85, 1, 0.75, 0.63, 0.59, 0.68, 0.74, 0.82, 0.88, 0.82, 0.9, 0.8, 0.79, 0.62, 0.4, 0.1, 0.04])
_GIB = 1024**3
_MEMORY = 23_034 * 1024**2
_IDLE_W, _FULL_W = 17.0, 70.0
Floats = npt.NDArray[np.float64]


def land_gpu_trace(lake: Lake, start: datetime, end: datetime, *, model: str, timezone: str, seed: int = 2013) -> int:
    """Append the trace of [start, end) to the telemetry; return how many readings. Landing it twice counts once."""
    trace = gpu_trace(start, end, model=model, timezone=timezone, seed=seed)
    lake.append(GpuSample.TABLE, trace)
    return int(trace.num_rows)


def gpu_trace(start: datetime, end: datetime, *, model: str, timezone: str, seed: int = 2013) -> pa.Table:
    """Return a reading of each device every ten minutes, busy by day and idle by night as flights are."""
    count = (end - start) // EVERY
    moments = [(start + EVERY * (i + 1)).astimezone(UTC) for i in range(count)]
    rng = np.random.default_rng(seed)
    devices = [_device(number, moments, _load(moments, timezone), rng, model) for number in range(DEVICES)]
    return pa.concat_tables(devices)


def _load(moments: list[datetime], timezone: str) -> Floats:
    """Return the expected share of busy time: traffic between its hours is interpolated."""
    local = (m.astimezone(ZoneInfo(timezone)) for m in moments)
    hours = np.array([m.hour + m.minute / 60 for m in local])
    return np.asarray(0.02 + 0.58 * np.interp(hours, np.arange(24) + 0.5, TRAFFIC, period=24))


def _device(number: int, moments: list[datetime], load: Floats, rng: np.random.Generator, model: str) -> pa.Table:
    n = len(moments)
    busy = np.clip(load * (1 - 0.15 * number) * rng.lognormal(0, 0.2, n), 0, 1).round(2)
    power = (_IDLE_W + (_FULL_W - _IDLE_W) * busy + rng.normal(0, 0.8, n)).clip(_IDLE_W - 2, _FULL_W + 2).round(1)
    columns = {
        "sampled_at": pa.array(moments, TIMESTAMP),
        "interval_s": np.full(n, EVERY.total_seconds()),
        "host": [HOST] * n,
        "device": np.full(n, number),
        "device_uuid": [f"GPU-synthetic-{number}"] * n,
        "device_name": ["NVIDIA L4"] * n,
        "model": [model] * n,
        "utilisation_ratio": busy,
        "memory_used_bytes": (4 * _GIB + rng.integers(0, _GIB, n)),
        "memory_total_bytes": np.full(n, _MEMORY),
        "power_w": power,
        "temperature_c": (34 + 30 * busy + rng.normal(0, 1, n)).round(),
        "sm_clock_mhz": np.where(busy > 0, 2040, 210),
        "memory_clock_mhz": np.where(busy > 0, 6251, 405),
        "throttle_reasons": [[]] * n,
        "is_synthetic": [True] * n,
    }
    unread = {f.name: [f.default] * n for f in dataclasses.fields(GpuSample) if f.name not in columns}
    return pa.table({**columns, **unread}, schema=arrow_schema(GpuSample))
