"""Files of tables: finding them, knowing them again, and reading their bytes as rows.

Belongs here: Parquet and Arrow, names and stamps. Does not: CSV and JSON lines (text_files.py), unpacking (packing.py), or what the
columns mean (operations/cast.py). A file is read once into memory, so that what was hashed is what was read.
"""

import glob
import hashlib
import os
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq

from watchkeeper.adapters import stored_files
from watchkeeper.adapters.packing import unpack
from watchkeeper.adapters.stored_files import StoredObject
from watchkeeper.adapters.text_files import Reading, read_csv, read_json_lines
from watchkeeper.adapters.workspace import Home
from watchkeeper.errors import UnreadableError, UsageError

_UNFINISHED = (".tmp", ".part")
_COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
_DISGUISES = {  # what bytes begin with: what they are, what to do, and the suffixes under which they may come
    b"PK\x03\x04": ("is a zip archive, as Excel workbooks are", "Unpack it, or export the sheet as CSV.", ()),
    b"\xd0\xcf\x11\xe0": ("is an old Excel workbook", "Export the sheet as CSV.", ()),
    b"\x1f\x8b": ("is gzip data", "Add .gz to its name.", (".gz",)),
    b"\x28\xb5\x2f\xfd": ("is zstd data", "Add .zst to its name.", (".zst",)),
    b"PAR1\x15": ("is a Parquet file", "Name it .parquet.", (".parquet", ".pq")),
    b"ARROW1\0": ("is an Arrow file", "Name it .arrow.", (".arrow", ".arrows", ".feather", ".ipc")),
}
File = Path | StoredObject
Reader = Callable[[bytes, str, Collection[str]], Reading]
_TICK_S, _COARSE_TICK_S = 0.05, 2.0


@dataclass(frozen=True, slots=True)
class Stamp:
    """What tells that a file has not changed since; `modified_at` is None when that cannot be relied on yet."""

    size_bytes: int
    modified_at: datetime | None


@dataclass(frozen=True, slots=True)
class Content:
    """The bytes of one file or stream, and where they came from."""

    name: str
    data: bytes = field(repr=False)
    path: str = ""
    stamp: Stamp | None = None
    is_part: bool = False
    """Whether these are some rows of many, as a query gives them, and not a file that somebody made."""
    notes: tuple[str, ...] = ()

    @property
    def sha256(self) -> str:
        """Hash of the bytes."""
        return hashlib.sha256(self.data).hexdigest()


def require(paths: Iterable[Path]) -> None:
    """Raise UsageError, naming them all, when files that somebody named are not there."""
    missing = [str(path) for path in paths if not path.is_file()]
    folders = [name for name in missing if Path(name).is_dir()]
    if folders:
        raise UsageError(f"{', '.join(folders)} is a folder" if len(folders) == 1 else f"{', '.join(folders)} are folders", then="Name its files.")
    if missing:
        raise UsageError(f"no file at {', '.join(missing)}", then="Check the path; quote globs only in monitor files.")


def discover(home: Home, pattern: str) -> list[File]:
    """Return the finished files that a glob, a folder or a path names, sorted; relative ones lie in the workspace.

    An address such as s3://bucket/events-*.parquet names objects of a store.

    Raises:
        UnreadableError: the folder or store cannot be listed, which a glob takes for an empty one.

    """
    if stored_files.is_address(pattern):
        return [o for o in stored_files.listed(pattern) if is_finished(o)]
    found = home.root / pattern
    _require_listing(next(p for p in (found, *found.parents) if not glob.has_magic(str(p))))
    text = str(found / "*") if found.is_dir() else str(found)
    paths = (Path(p) for p in glob.glob(text, recursive=True))  # noqa: PTH207 - absolute patterns, which Path.glob refuses
    return [*sorted(p for p in paths if is_finished(p) and p.is_file())]


def is_glob(pattern: str) -> bool:
    """Tell whether a path names files by a pattern, or lies in a store; else it names one file or folder."""
    return stored_files.is_address(pattern) or glob.has_magic(pattern)


def at(home: Home, place: str) -> File | None:
    """Return the file that a batch came from by the path that was kept, None when it is not there any more."""
    if stored_files.is_address(place):
        return stored_files.described(place)
    path = home.root / place
    return path if place and path.exists() else None


def place_of(home: Home, file: File) -> str:
    """Return what is kept of where a file is: relative to the workspace where it lies inside, so that a workspace can be moved."""
    if isinstance(file, StoredObject):
        return file.address
    whole, root = file.resolve(), home.root.resolve()
    return str(whole.relative_to(root)) if whole.is_relative_to(root) else str(whole)


def written_at(file: File) -> float:
    """Return when a file was written, in seconds since 1970; 0 where that is not known."""
    if isinstance(file, StoredObject):
        return file.written_at.timestamp() if file.written_at else 0.0
    return file.stat().st_mtime


def _require_listing(folder: Path) -> None:
    try:
        os.stat(f"{folder}/.")  # noqa: PTH116 - a Path drops the dot, which asks whether files inside can be reached
        os.scandir(folder).close()
    except (FileNotFoundError, NotADirectoryError):
        return
    except PermissionError as error:
        raise UnreadableError(f"cannot be listed ({error.strerror})", where=str(folder), then="Check its permissions.") from error


def is_finished(file: File) -> bool:
    """Tell whether a name is that of a whole file: not hidden, and not one that somebody is still writing."""
    return not file.name.startswith(".") and PurePath(file.name).suffix not in _UNFINISHED


def stamp(path: File) -> Stamp | None:
    """Return the stamp of a file, None when it has vanished.

    A file that is written in place twice within one tick of the file system's clock keeps its time, so a time as young as
    a tick is not relied on (git calls such files racy); whole seconds are what coarse file systems give, ticking in two.
    """
    if isinstance(path, StoredObject):
        is_old = path.written_at is not None and time.time() - path.written_at.timestamp() > _COARSE_TICK_S
        return Stamp(path.size_bytes, path.written_at if is_old else None)
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    tick_s = _COARSE_TICK_S if found.st_mtime_ns % 1_000_000_000 == 0 else _TICK_S
    is_settled = time.time() - found.st_mtime > tick_s
    moment = datetime.fromtimestamp(found.st_mtime_ns // 1_000_000_000, UTC).replace(microsecond=found.st_mtime_ns // 1000 % 1_000_000)
    return Stamp(found.st_size, moment if is_settled else None)


def load(path: File) -> Content | None:
    """Return a file's bytes, None when it has vanished.

    Raises:
        UnreadableError: it is there and cannot be opened.

    """
    before = stamp(path)
    if isinstance(path, StoredObject):
        found = stored_files.read(path)
        return None if found is None else Content(path.name, found, path.address, before if len(found) == path.size_bytes else None)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UnreadableError(f"cannot be opened ({os.strerror(error.errno or 0)})", where=path.name, then="Check its permissions.") from error
    return Content(path.name, data, str(path), before if before == stamp(path) else None)


def read(source: File | IO[bytes] | bytes, name: str) -> pa.Table:
    """Return the rows of a file; those that cannot be read are left out (see `interpret`).

    Raises:
        UnreadableError: it is not what its name says.

    """
    if isinstance(source, File):
        found = load(source)
        if found is None:
            raise UnreadableError("is not there", where=name)
        return interpret(found.data, name).known
    return interpret(source if isinstance(source, bytes) else source.read(), name).known


def column_of(file: File, column: str) -> pa.ChunkedArray | None:
    """Return one column of a file, None when it has none of that name; of a Parquet file on disk nothing else is read.

    Raises:
        UnreadableError: it is not what its name says.

    """
    if isinstance(file, Path) and _reader(file.name) is _read_parquet and file.suffix not in _COMPRESSIONS:
        try:
            with pq.ParquetFile(file) as opened:
                return opened.read([column])[column] if column in opened.schema_arrow.names else None
        except (pa.ArrowException, OSError) as error:
            raise UnreadableError("is not a whole Parquet file; it may have been cut off", where=file.name, then="Copy it again.") from error
    rows = read(file, file.name)
    return rows[column] if column in rows.column_names else None


def interpret(data: bytes, name: str, texts: Collection[str] = ()) -> Reading:
    """Return the rows that bytes hold, by the suffix of their name, and the lines that do not fit.

    Of formats without types, the columns in `texts` stay as they are written: a version 1.10 is not 1.1.

    Raises:
        UnreadableError: the bytes are not what the name says.

    """
    _require_no_disguise(data, name)
    reader = _reader(name)
    if data and PurePath(name).suffix in _COMPRESSIONS:
        data = unpack(data, _COMPRESSIONS[PurePath(name).suffix], name)
    if not data:
        raise UnreadableError("is empty, not even a header", where=name, then="Write it again, or remove it.")
    reading = reader(data, name, texts)
    twice = sorted({c for c in reading.rows.column_names if reading.rows.column_names.count(c) > 1})
    if twice:
        raise UnreadableError(f"has more than one column named {', '.join(twice)}", where=name, then="Rename one of them.")
    return reading


def _require_no_disguise(data: bytes, name: str) -> None:
    for beginning, (what, then, suffixes) in _DISGUISES.items():
        if data.startswith(beginning) and PurePath(name).suffix.lower() not in suffixes:
            raise UnreadableError(what, where=name, then=then)


def _reader(name: str) -> Reader:
    suffixes = [s for s in PurePath(name).suffixes if s not in _COMPRESSIONS]
    known = suffixes[-1].lower() if suffixes else ""
    if known not in _READERS:
        formats = f"Known: {', '.join(_READERS)}, each also with .gz or .zst."
        raise UnreadableError(f"has the suffix {known!r}, which names no known format", where=name, then=formats)
    return _READERS[known]


def _read_parquet(data: bytes, name: str, _texts: Collection[str]) -> Reading:
    try:
        return Reading.whole(pq.ParquetFile(pa.BufferReader(data)).read())  # `read_table` refuses two columns of one name as if the file were torn
    except (pa.ArrowException, OSError) as error:
        raise UnreadableError("is not a whole Parquet file; it may have been cut off", where=name, then="Copy it again.") from error


def _read_arrow(data: bytes, name: str, _texts: Collection[str]) -> Reading:
    try:
        opened = pa.ipc.open_file(data) if data.startswith(b"ARROW1") else pa.ipc.open_stream(data)
        return Reading.whole(opened.read_all())
    except (pa.ArrowException, OSError) as error:
        raise UnreadableError("is not a whole Arrow file or stream; it may have been cut off", where=name, then="Copy it again.") from error


def _read_json(data: bytes, name: str, _texts: Collection[str]) -> Reading:
    return read_json_lines(data, name)


_READERS: dict[str, Reader] = {
    ".parquet": _read_parquet,
    ".pq": _read_parquet,
    ".csv": lambda data, name, texts: read_csv(data, name, ",", texts),
    ".tsv": lambda data, name, texts: read_csv(data, name, "\t", texts),
    ".jsonl": _read_json,
    ".ndjson": _read_json,
    ".json": _read_json,
    ".arrow": _read_arrow,
    ".arrows": _read_arrow,
    ".feather": _read_arrow,
    ".ipc": _read_arrow,
}
