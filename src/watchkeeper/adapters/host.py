"""The host's own processors and memory, read with psutil.

Belongs here: one reading of this machine. Does not: its GPUs (nvml.py), when to read (operations/sample.py).
"""

import socket
from datetime import datetime

import psutil

from watchkeeper.records import HostSample

_FIRST_LOOK_S = 0.1


def host_name() -> str:
    """Return the name under which this machine's readings are kept, unless another is given."""
    return socket.gethostname()


class HostMeter:
    """Reads how busy this machine was since the reading before."""

    def __init__(self) -> None:
        """Look once for a tenth of a second, since how busy a processor is needs two looks."""
        self._first: float | None = psutil.cpu_percent(interval=_FIRST_LOOK_S)

    def read(self, *, sampled_at: datetime, interval_s: float, host: str) -> HostSample:
        """Return one reading; the first one's share of busy time is that of the look at the start."""
        busy, self._first = (psutil.cpu_percent() if self._first is None else self._first), None
        memory = psutil.virtual_memory()
        return HostSample(
            sampled_at=sampled_at,
            interval_s=interval_s,
            host=host,
            cpu_ratio=min(busy / 100, 1.0),
            memory_used_bytes=memory.total - memory.available,
            memory_total_bytes=memory.total,
            load_1m=psutil.getloadavg()[0],
        )
