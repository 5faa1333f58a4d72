"""The client of a serving process: what the model saw and said, into files that intake takes up.

Belongs here: a bounded buffer and safe files. Does not: reading them (operations/ingest.py). The standard library alone, so
that importing it costs a serving process next to nothing; for the same reason JSON lines, not Parquet: the standard
library writes them, a line that is cut costs one line, and any language can write the same.
"""

import atexit
import gzip
import json
import os
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

_POLL_S = 0.2


class PredictionLogger:
    """Logs predictions without ever blocking, slowing or breaking the caller.

    Rows wait in a buffer of `max_buffer`; when it is full, the oldest is dropped and counted. A thread writes them to
    `folder/model-host-pid-*.jsonl.gz`, first as `.part`, which intake ignores, then renamed, after `rotate_rows` rows or
    `rotate_seconds`. When the disk is full or the folder gone, rows wait and are tried again. Safe in threads, after a
    fork, and with many processes in one folder.

        log = PredictionLogger("spool", "flight_delays")
        log.log(id=flight, time=scheduled, score=p, features={"carrier": "VX"}, version="2")
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        model: str,
        *,
        max_buffer: int = 100_000,
        rotate_rows: int = 10_000,
        rotate_seconds: float = 60.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Start logging; nothing is touched on disk until the first rows are written."""
        self.folder, self.model = Path(folder), model
        self.max_buffer, self.rotate_rows, self.rotate_seconds, self.clock = max_buffer, rotate_rows, rotate_seconds, clock
        self.dropped = 0
        self.written = 0
        self.last_error = ""
        self._is_closed = False
        self._files = 0
        self._begin()
        _LOGGERS.add(self)

    def log(
        self,
        *,
        id: object,  # noqa: A002 - the column's own name
        time: datetime | float | str | None = None,
        score: float | None = None,
        features: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> None:
        """Log one prediction; `time` is now unless given, features and `more` become columns. Never blocks, never raises."""
        try:
            row = {**(features or {}), **more, "id": id, "time": datetime.fromtimestamp(self.clock(), UTC) if time is None else time, "score": score}
            self._take(row)
        except Exception as error:  # noqa: BLE001 - the caller serves people; a log must not break it
            self._note(error)
            self.dropped += 1

    def flush(self, timeout: float = 5.0) -> bool:
        """Write what waits, and tell whether all of it is on disk."""
        try:
            with self._writing(timeout) as is_mine:
                return is_mine and self._write_all()
        except Exception as error:  # noqa: BLE001 - as in `log`
            self._note(error)
            return False

    def close(self, timeout: float = 5.0) -> None:
        """Write what waits and stop; rows logged later are dropped and counted."""
        self._is_closed = True
        self._wake.set()
        self.flush(timeout)
        _LOGGERS.discard(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _begin(self) -> None:
        """Set up what belongs to this process alone: locks, thread, names."""
        self._buffer: deque[dict[str, Any]] = deque()
        self._lock = threading.Lock()
        self._file_lock = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._pid = os.getpid()
        self._oldest_at: float | None = None

    def _take(self, row: dict[str, Any]) -> None:
        with self._lock:
            if self._is_closed:
                self.dropped += 1
                return
            if len(self._buffer) >= self.max_buffer:
                self._buffer.popleft()
                self.dropped += 1
            self._buffer.append(row)
            if self._oldest_at is None:
                self._oldest_at = self.clock()
            is_due = len(self._buffer) >= self.rotate_rows
            if self._thread is None:
                self._thread = threading.Thread(target=_run, args=(self,), name="watchkeeper-log", daemon=True)
                self._thread.start()
        if is_due:
            self._wake.set()

    def _is_due(self) -> bool:
        with self._lock:
            waited = 0.0 if self._oldest_at is None else self.clock() - self._oldest_at
            return bool(self._buffer) and (len(self._buffer) >= self.rotate_rows or waited >= self.rotate_seconds)

    def _writing(self, timeout: float) -> "_Turn":
        return _Turn(self._file_lock, timeout)

    def _write_all(self) -> bool:
        while True:
            with self._lock:
                rows = [self._buffer.popleft() for _ in range(min(len(self._buffer), self.rotate_rows))]
                self._oldest_at = self.clock() if self._buffer else None
            if not rows:
                return True
            if not self._write(rows):
                self._put_back(rows)
                return False

    def _write(self, rows: list[dict[str, Any]]) -> bool:
        self._files += 1
        name = f"{self.model}-{socket.gethostname()}-{self._pid}-{time.time_ns()}-{self._files}.jsonl.gz"
        part = self.folder / f"{name}.part"
        try:
            lines = [line for line in map(self._line, rows) if line]
            self.folder.mkdir(parents=True, exist_ok=True)
            _write_whole(part, "".join(lines).encode())
            part.rename(self.folder / name)
        except Exception as error:  # noqa: BLE001 - disk full, folder gone: rows wait, the caller goes on
            self._note(error)
            _remove(part)
            return False
        self.written += len(lines)
        return True

    def _line(self, row: dict[str, Any]) -> str:
        try:
            return json.dumps(row, default=_plain) + "\n"
        except (TypeError, ValueError, RecursionError) as error:
            self._note(error)
            with self._lock:
                self.dropped += 1
            return ""

    def _put_back(self, rows: list[dict[str, Any]]) -> None:
        with self._lock:
            room = max(self.max_buffer - len(self._buffer), 0)
            kept = rows[len(rows) - room :] if room else []
            self.dropped += len(rows) - len(kept)
            self._buffer.extendleft(reversed(kept))
            self._oldest_at = self.clock()

    def _note(self, error: BaseException) -> None:
        self.last_error = f"{type(error).__name__}: {error}"


class _Turn:
    """A lock that is waited for only so long; tells whether it was had."""

    def __init__(self, lock: threading.Lock, timeout: float) -> None:
        self.lock, self.timeout, self.is_mine = lock, timeout, False

    def __enter__(self) -> bool:
        self.is_mine = self.lock.acquire(timeout=self.timeout)
        return self.is_mine

    def __exit__(self, *exc: object) -> None:
        if self.is_mine:
            self.lock.release()


def _run(logger: PredictionLogger) -> None:
    """Write when it is due, until the logger is closed."""
    while not logger._is_closed:  # noqa: SLF001 - the logger's own thread
        logger._wake.wait(_POLL_S)  # noqa: SLF001
        logger._wake.clear()  # noqa: SLF001
        if logger._is_due():  # noqa: SLF001
            logger.flush()


def _write_whole(path: Path, data: bytes) -> None:
    with path.open("wb") as raw:
        with gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=1) as packed:
            packed.write(data)
        raw.flush()
        os.fsync(raw.fileno())


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if hasattr(value, "tolist"):  # numpy's numbers and arrays, without importing numpy
        return value.tolist()
    return str(value)


def _close_all() -> None:
    for logger in list(_LOGGERS):
        logger.close()


def _after_fork() -> None:
    for logger in list(_LOGGERS):
        logger._begin()  # noqa: SLF001 - what waited belongs to the parent, which writes it; its locks may be held for ever here


_LOGGERS: set[PredictionLogger] = set()
atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
