"""Readings on their way into the lake: held for a minute, landed in one commit a table, kept while the lake is away.

Belongs here: the bounded buffer. Does not: taking readings (nvml.py, dcgm.py, host.py), their form on disk (spool.py), reading
them again (gpu_hours.py).
"""

import threading
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Self

from watchkeeper.adapters.lake import Lake
from watchkeeper.adapters.spool import Batch, Readings, Spool, open_spools

HELD_AT_MOST = 200_000
"""Readings that wait, on disk or in memory; half a day of 8 GPUs with two processes each, read every ten seconds, is 108,000."""

_AT_ONCE = 50_000
"""Readings of one commit, all of them in memory."""


class Buffer:
    """Readings not yet in the lake. Each is on disk before the next is taken, and lands once: a commit carries the number of its newest batch."""

    def __init__(self, lake: Lake, spool: Path | None = None, *, at_most: int = HELD_AT_MOST) -> None:
        """Hold at most so many readings, in the folder `spool` where one is given and can be written; beyond it the oldest go and are counted."""
        self._lake, self._at_most = lake, at_most
        self._waiting: deque[Batch] = deque()
        self._current: Batch | None = None
        self._spools: list[Spool] = []
        self._alone, self._number = f"memory-{uuid.uuid4().hex}", 0
        self._lock = threading.RLock()
        self._lander: threading.Thread | None = None
        self._on_their_way: list[Batch] = []
        self.landed: dict[type, int] = {}
        self.dropped = 0
        self.fault = ""
        """Why the newest attempt to land failed, empty when it did not."""
        self.spool_fault = ""
        """Why readings are in memory alone, empty where they are on disk, or where no folder was given."""
        if spool is not None:
            self._open(spool)
        self.found = self.held
        """Readings that a sampler left that was killed, or could not land them."""

    def _open(self, folder: Path) -> None:
        try:
            self._spools = open_spools(folder)
            self._waiting.extend(batch for spool in self._spools for batch in spool.left())
            self._make_room()
        except (OSError, ValueError) as error:
            self.spool_fault = f"{folder} cannot be used ({getattr(error, 'strerror', None) or error})"

    def __enter__(self) -> Self:
        """Use it and let go of its folders."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of the folders; what is in them stays."""
        for spool in self._spools:
            spool.release()
        self._spools = []

    @property
    def held(self) -> int:
        """Readings that wait."""
        return sum(batch.count for batch in self._batches())

    @property
    def is_durable(self) -> bool:
        """Tell whether what waits is on disk, where the next sampler finds it."""
        return bool(self._spools) and not any(batch.held for batch in self._waiting)

    def add(self, readings: Readings) -> None:
        """Take the readings of one look; with a spool they are on disk when this returns."""
        if self._current is None:
            self._current = self._begin()
        current = self._current
        for record, several in readings.items():
            current.held.setdefault(record, []).extend(several)
            current.count += len(several)
        if current.path is not None and not self.spool_fault:
            self._attempt(lambda spool: spool.write(readings))
        self._make_room()

    def flush(self) -> bool:
        """Land what is held, a commit per table; what cannot be landed stays, and `fault` says why."""
        self._close_current()
        self.settle()
        self._land_all()
        return not self.fault

    def settle(self) -> None:
        """Wait for what is being landed aside."""
        if self._lander is not None:
            self._lander.join()

    def flush_aside(self) -> None:
        """Land what is held while the next readings are taken: a lake that is slow to answer costs none of them."""
        self._close_current()
        if self._lander is None or not self._lander.is_alive():
            self._lander = threading.Thread(target=self._land_all, name="landing", daemon=True)
            self._lander.start()

    def _land_all(self) -> None:
        self._forget_removed()
        with self._lock:
            waiting = list(self._waiting)
        faults = [self._land_in_order(several) for several in _by_writer(waiting)]
        self.fault = next(filter(None, faults), "")

    def _land_in_order(self, batches: Sequence[Batch]) -> str:
        """Land batches of one writer up to the first that cannot be: a later number in the lake would say that all before it are there."""
        return next(filter(None, map(self._land, _groups(batches))), "")

    def _land(self, group: list[Batch]) -> str:
        """Land batches of one writer; return why not all of it is in the lake, empty when it is."""
        with self._lock:
            group = [batch for batch in group if batch in self._waiting]  # the oldest may have had to go meanwhile
            self._on_their_way = group
        fault = self._commit(group)
        with self._lock:
            self._on_their_way = []
            if not fault:
                for batch in group:
                    self.dropped += batch.unreadable
                    self._waiting.remove(batch)
        if not fault:
            for batch in group:
                batch.remove()
        return fault

    def _commit(self, group: list[Batch]) -> str:
        try:
            contents = {batch.number: batch.readings() for batch in group}
        except OSError as error:
            return f"{error.filename} cannot be read ({error.strerror})"
        fault = ""
        for record in dict.fromkeys(record for readings in contents.values() for record in readings):
            rows = {number: readings.get(record, ()) for number, readings in contents.items()}
            try:
                new = self._lake.append_records_once(record, rows, writer=group[0].writer)
            except Exception as error:  # noqa: BLE001 - whatever the lake says, readings go on, and wait
                fault = f"the lake cannot be written ({' '.join(str(error).split())})"
                continue
            self.landed[record] = self.landed.get(record, 0) + new
        return fault

    def _begin(self) -> Batch:
        """Begin a batch: on disk, or where that is refused in memory."""
        begun: list[Batch] = []
        if self._spools:
            self.spool_fault = ""  # the disk may have room again
            self._attempt(lambda spool: begun.append(spool.begin()))
        if begun:
            return begun[0]
        self._number += 1
        return Batch(self._alone, self._number)

    def _close_current(self) -> None:
        if self._current is None:
            return
        if self._current.path is not None and not self.spool_fault:
            self._current.held = {}
        with self._lock:
            self._waiting.append(self._current)
            self._current = None

    def _attempt(self, write: Callable[[Spool], None]) -> None:
        try:
            write(self._spools[0])
        except OSError as error:
            self.spool_fault = f"{self._spools[0].folder} cannot be written ({error.strerror or error})"

    def _forget_removed(self) -> None:
        """Count what somebody deleted from the spool as lost."""
        with self._lock:
            gone = [batch for batch in self._waiting if not batch.held and batch.path is not None and not batch.path.exists()]
            for batch in gone:
                self._waiting.remove(batch)
                self.dropped += batch.count

    def _make_room(self) -> None:
        """Let the oldest batches go until the rest may be held; those that are being landed stay."""
        with self._lock:
            excess = self.held - self._at_most
            for oldest in [batch for batch in self._waiting if batch not in self._on_their_way] if excess > 0 else []:
                if excess > 0:
                    self._waiting.remove(oldest)
                    excess -= oldest.count
                    self.dropped += oldest.count
                    oldest.remove()

    def _batches(self) -> list[Batch]:
        with self._lock:
            return [*self._waiting, *([self._current] if self._current is not None else [])]


def _by_writer(batches: Sequence[Batch]) -> list[list[Batch]]:
    return [[batch for batch in batches if batch.writer == writer] for writer in dict.fromkeys(batch.writer for batch in batches)]


def _groups(batches: Iterable[Batch]) -> list[list[Batch]]:
    """Return batches, in order, in groups that may be in memory at once."""
    groups: list[list[Batch]] = []
    size = 0
    for batch in batches:
        if not groups or size + batch.count > _AT_ONCE:
            groups.append([])
            size = 0
        groups[-1].append(batch)
        size += batch.count
    return groups
