"""One look at the GPUs of a host, whoever was asked: the readings, and what could not be read.

Belongs here: the shape of a look. Does not: asking the driver (nvml.py) or an exporter (dcgm.py), or when to look
(operations/sample.py).
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from watchkeeper.samples import GpuProcess, GpuSample


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """What all readings of one moment share."""

    sampled_at: datetime
    interval_s: float
    host: str
    model: str = ""


@dataclass(slots=True, kw_only=True)
class Look:
    """What one look gave: a reading of every device that answers and of the processes on it."""

    gpus: list[GpuSample] = field(default_factory=list)
    processes: list[GpuProcess] = field(default_factory=list)
    faults: dict[str, str] = field(default_factory=dict)
    """What gave no readings -> why: `GPU 0`, or the address of an exporter."""
    unseen: dict[str, str] = field(default_factory=dict)
    """Device whose processes could not be read -> why; they are unknown, and not absent."""

    def add(self, other: "Look") -> None:
        """Take in what another look gave."""
        self.gpus += other.gpus
        self.processes += other.processes
        self.faults |= other.faults
        self.unseen |= other.unseen


class GpuSource(Protocol):
    """Whoever can be asked about GPUs."""

    def look(self, stamp: Stamp) -> Look:
        """Return what there is to see now; what cannot be read is told in the look, not raised."""
