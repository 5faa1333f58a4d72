"""Readings on their way into the lake: held for a minute, landed in one commit a table, kept while the lake is away.

Belongs here: the bounded buffer. Does not: taking readings (nvml.py, host.py), reading them again (gpu_hours.py).
"""

from collections.abc import Iterable
from typing import Any

from deltalake.exceptions import DeltaError

from watchkeeper.adapters.lake import Lake
from watchkeeper.errors import WatchkeeperError

HELD_AT_MOST = 100_000
"""Readings of one table; a day of 10 GPUs read every ten seconds is 86,400."""


class Buffer:
    """Readings not yet in the lake; a commit that is repeated adds nothing, since readings are told apart by their key."""

    def __init__(self, lake: Lake, *, at_most: int = HELD_AT_MOST) -> None:
        """Hold at most so many readings of each table; beyond it the oldest are dropped and counted."""
        self._lake, self._at_most = lake, at_most
        self._held: dict[type, list[Any]] = {}
        self.landed: dict[type, int] = {}
        self.dropped = 0
        self.fault = ""
        """Why the newest attempt to land failed, empty when it did not."""

    @property
    def held(self) -> int:
        """Readings that wait."""
        return sum(map(len, self._held.values()))

    def add(self, record: type, readings: Iterable[Any]) -> None:
        """Take readings of one kind."""
        waiting = self._held.setdefault(record, [])
        waiting += readings
        too_many = max(0, len(waiting) - self._at_most)
        del waiting[:too_many]
        self.dropped += too_many

    def flush(self) -> bool:
        """Land what is held, a commit per table; what cannot be landed stays, and `fault` says why."""
        self.fault = ""
        for record, readings in self._held.items():
            try:
                self._lake.append_records(record, readings)
            except (DeltaError, OSError, WatchkeeperError) as error:
                self.fault = f"the lake cannot be written ({' '.join(str(error).split())})"
                continue
            self.landed[record] = self.landed.get(record, 0) + len(readings)
            readings.clear()
        return not self.fault
