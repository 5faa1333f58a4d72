"""The host's own processors, memory, disks and network, read with psutil.

Belongs here: one reading of this machine; in a container, of what the container sees. Does not: its GPUs (nvml.py), when to read
(operations/sample.py).
"""

import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psutil

from watchkeeper.samples import HostSample

_FIRST_LOOK_S = 0.1
_SNMP = Path("/proc/net/snmp")
_BLOCKS = Path("/sys/block")
_NETS = Path("/sys/class/net")
_LOOPBACK = ("lo", "lo0")


def host_name() -> str:
    """Return the name under which this machine's readings are kept, unless another is given."""
    return socket.gethostname()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counters:
    """What only ever rises, as of one moment; None where the system does not say."""

    at_s: float
    cpu_s: float
    io_wait_s: float | None
    disk_read: int | None
    disk_written: int | None
    received: int | None
    sent: int | None
    segments: int | None
    segments_again: int | None


class HostMeter:
    """Reads how busy this machine was since the reading before."""

    def __init__(self, *, snmp: Path = _SNMP) -> None:
        """Look once for a tenth of a second, since how busy a processor is needs two looks."""
        self._snmp = snmp
        self._before = self._count()
        self._first: float | None = psutil.cpu_percent(interval=_FIRST_LOOK_S)

    def read(self, *, sampled_at: datetime, interval_s: float, host: str) -> HostSample:
        """Return one reading; the first one's shares and rates are those of the look at the start."""
        busy, self._first = (psutil.cpu_percent() if self._first is None else self._first), None
        before, now = self._before, self._count()
        self._before = now
        seconds = now.at_s - before.at_s
        memory = psutil.virtual_memory()
        return HostSample(
            sampled_at=sampled_at,
            interval_s=interval_s,
            host=host,
            cpu_ratio=min(busy / 100, 1.0),
            memory_used_bytes=memory.total - memory.available,
            memory_total_bytes=memory.total,
            load_1m=psutil.getloadavg()[0],
            io_wait_ratio=_share(before.io_wait_s, now.io_wait_s, now.cpu_s - before.cpu_s),
            disk_read_bytes_s=_rate(before.disk_read, now.disk_read, seconds),
            disk_written_bytes_s=_rate(before.disk_written, now.disk_written, seconds),
            network_received_bytes_s=_rate(before.received, now.received, seconds),
            network_sent_bytes_s=_rate(before.sent, now.sent, seconds),
            tcp_retransmitted_ratio=_share(before.segments_again, now.segments_again, _rise(before.segments, now.segments) or 0),
        )

    def _count(self) -> _Counters:
        cpu = psutil.cpu_times()
        disks = [d for name, d in (psutil.disk_io_counters(perdisk=True) or {}).items() if _is_a_disk(name)]
        counted = psutil.net_io_counters(pernic=True)
        nets = [counted[name] for name in carriers(counted)]
        segments, again = _segments(self._snmp)
        return _Counters(
            at_s=time.monotonic(),
            cpu_s=sum(cpu) - getattr(cpu, "guest", 0.0) - getattr(cpu, "guest_nice", 0.0),  # which user and nice hold too
            io_wait_s=getattr(cpu, "iowait", None),
            disk_read=_sum(d.read_bytes for d in disks),
            disk_written=_sum(d.write_bytes for d in disks),
            received=_sum(n.bytes_recv for n in nets),
            sent=_sum(n.bytes_sent for n in nets),
            segments=segments,
            segments_again=again,
        )


def _is_a_disk(name: str) -> bool:
    """Tell a device from its partitions, and from what is made of devices (LVM, RAID, loops), whose bytes are theirs."""
    return not _BLOCKS.exists() or (_BLOCKS / name / "device").exists()


def carriers(names: Iterable[str], nets: Path = _NETS) -> list[str]:
    """Return the interfaces that carry bytes to and from this machine: its devices, and not the bridges, bonds and pairs whose bytes these carry too.

    Where none is a device, as in a container, all but loopback.
    """
    known = [name for name in names if name not in _LOOPBACK]
    return [name for name in known if (nets / name / "device").exists()] or known


def _segments(snmp: Path) -> tuple[int | None, int | None]:
    """Return the TCP segments sent and those sent again, as Linux counts them: a line of names, and one of numbers."""
    try:
        names, numbers = (line.split() for line in snmp.read_text(encoding="ascii").splitlines() if line.startswith("Tcp:"))
        told = dict(zip(names[1:], map(int, numbers[1:]), strict=True))
        return told["OutSegs"], told["RetransSegs"]
    except (OSError, ValueError, KeyError):
        return None, None


def _sum(numbers: Iterable[int]) -> int | None:
    several = list(numbers)
    return sum(several) if several else None


def _rise(before: float | None, now: float | None) -> float | None:
    """Return by how much a counter rose; one that fell began anew, and by how much it rose is unknown."""
    return None if before is None or now is None or now < before else now - before


def _rate(before: float | None, now: float | None, seconds: float) -> float | None:
    rise = _rise(before, now)
    return None if rise is None or seconds <= 0 else rise / seconds


def _share(before: float | None, now: float | None, whole: float) -> float | None:
    rise = _rise(before, now)
    return None if rise is None or whole <= 0 else min(rise / whole, 1.0)
