"""Readings on disk until they are in the lake: one line a look, written through before the next, so that a killed sampler loses none.

Belongs here: folders that one process at a time holds, numbered batches in them, and reading those again. Does not: what waits for
how long, and landing (telemetry.py).

    spool/telemetry/<writer>/lock         held by the sampler that writes here
    spool/telemetry/<writer>/number       the last number given to a batch; numbers only rise
    spool/telemetry/<writer>/12.jsonl     a batch: each line one look, {"GpuSample": [{...}], "HostSample": [{...}]}
"""

import dataclasses
import fcntl
import json
import os
import typing
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from watchkeeper.samples import GpuProcess, GpuSample, HostSample

Readings = Mapping[type, Sequence[Any]]

_KINDS = {record.__name__: record for record in (GpuSample, GpuProcess, HostSample)}
_MOMENTS = {record: [n for n, hint in typing.get_type_hints(record).items() if hint is datetime] for record in _KINDS.values()}
_DEFAULTS = {record: {f.name: f.default for f in dataclasses.fields(record)} for record in _KINDS.values()}


@dataclass(slots=True, eq=False)
class Batch:
    """Readings that land together; `path` is where they are on disk, None where they are in memory alone."""

    writer: str
    number: int
    path: Path | None = None
    count: int = 0
    held: dict[type, list[Any]] = field(default_factory=dict)
    """In memory: of a batch that is being written, and of one that could not be."""
    unreadable: int = 0
    """Lines on disk that were no readings, beyond a last one that was cut off."""

    def readings(self) -> Readings:
        """Return what is in it, from memory or from disk."""
        if self.held or self.path is None:
            return self.held
        found: dict[type, list[Any]] = {}
        self.unreadable = 0
        for line in _whole_lines(self.path):
            try:
                for record, several in _understood(line).items():
                    found.setdefault(record, []).extend(several)
            except (ValueError, TypeError, KeyError, AttributeError):
                self.unreadable += 1
        return found

    def remove(self) -> None:
        """Delete it from disk; its readings landed, or had to go."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)


class Spool:
    """A folder of one writer, held by this process until it ends."""

    def __init__(self, folder: Path, lock: int) -> None:
        """Go on in a folder whose lock is held."""
        self.folder, self.writer, self._lock = folder, folder.name, lock
        self._file: int | None = None
        there = [int(p.stem) for p in self._paths()]
        noted = folder / "number"
        self.is_numbered = noted.exists()
        """Whether it is known which numbers this writer gave; where it is not, they may be in the lake, and no more are given."""
        self.number = max([*there, int(noted.read_text() or 0) if self.is_numbered else 0])

    def left(self) -> list[Batch]:
        """Return the batches that whoever held this folder before did not land, the oldest first."""
        return [Batch(self.writer, int(path.stem), path, sum(_counted(path))) for path in sorted(self._paths(), key=lambda p: int(p.stem))]

    def begin(self) -> Batch:
        """Begin the next batch; the one before is written no more.

        Raises:
            OSError: the disk refuses.

        """
        self.end()
        number = self.number + 1
        aside = self.folder / "number.new"
        with aside.open("w") as note:
            note.write(str(number))
            note.flush()
            os.fsync(note.fileno())
        aside.replace(self.folder / "number")
        self.number = number
        path = self.folder / f"{number}.jsonl"
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        directory = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
        return Batch(self.writer, number, path)

    def write(self, readings: Readings) -> None:
        """Write one look to the batch that was begun, and through to the disk.

        Raises:
            OSError: the disk refuses.

        """
        line = json.dumps({record.__name__: [_written(r) for r in several] for record, several in readings.items() if several}, separators=(",", ":"))
        left = f"{line}\n".encode()
        if self._file is None:
            raise OSError(None, "no batch was begun")
        while left:
            left = left[os.write(self._file, left) :]
        os.fsync(self._file)

    def end(self) -> None:
        """Close the batch that is written."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def release(self) -> None:
        """Let another process have the folder."""
        self.end()
        os.close(self._lock)

    def _paths(self) -> list[Path]:
        return [p for p in self.folder.glob("*.jsonl") if p.stem.isdigit()]


def open_spools(folder: Path) -> list[Spool]:
    """Return the folders that no living sampler holds, and hold them: the first to write to, others where something was left.

    Raises:
        OSError: nothing can be written there.

    """
    folder.mkdir(parents=True, exist_ok=True)
    others = [Spool(place, lock) for place in sorted(_places(folder)) if (lock := _held(place)) is not None]
    own = next((spool for spool in others if spool.is_numbered), None)
    while own is None:
        place = _made(folder)
        lock = _held(place)
        own = None if lock is None else Spool(place, lock)  # None where another process was first
    found = [own]
    for other in others:
        if other is not own and other.left():
            found.append(other)
        elif other is not own:
            other.release()
    return found


def _places(folder: Path) -> list[Path]:
    return [p for p in folder.iterdir() if p.is_dir() and not p.name.startswith(".")]


def _made(folder: Path) -> Path:
    """Make a folder for a new writer, which appears with its number in it."""
    name = uuid.uuid4().hex
    aside = folder / f".{name}"
    aside.mkdir()
    (aside / "number").write_text("0")
    return aside.rename(folder / name)


def _held(place: Path) -> int | None:
    """Return the lock of a folder, None where a living process has it."""
    lock = os.open(place / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


def _written(reading: Any) -> dict[str, Any]:
    """Return a reading as JSON knows it, without what has its default."""
    defaults = _DEFAULTS[type(reading)]
    values = {name: getattr(reading, name) for name in defaults}
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in values.items() if value != defaults[name]}


def _understood(line: bytes) -> dict[type, list[Any]]:
    """Return the readings of a line; columns that another version of this program knew are left out."""
    found: dict[type, list[Any]] = {}
    for kind, several in json.loads(line).items():
        record = _KINDS[kind]
        for values in several:
            known = {name: value for name, value in values.items() if name in _DEFAULTS[record]}
            known |= {name: datetime.fromisoformat(known[name]) for name in _MOMENTS[record] if name in known}
            found.setdefault(record, []).append(record(**known))
    return found


def _whole_lines(path: Path) -> Iterator[bytes]:
    """Yield the lines of a batch; a last one without its end was being written when its sampler was killed."""
    with path.open("rb") as lines:
        yield from (line for line in lines if line.endswith(b"\n"))


def _counted(path: Path) -> Iterator[int]:
    for line in _whole_lines(path):
        try:
            yield sum(map(len, json.loads(line).values()))
        except (ValueError, TypeError, AttributeError):
            continue
