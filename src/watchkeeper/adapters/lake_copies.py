"""Copies of lake tables at another address, with their history.

Belongs here: which files go in which order, what is refused, and the proof that a copy is whole. Does not: which tables, and
where to (operations/copy_lake.py). Data files are copied before the log that names them, and the log in its own order, so that
whoever reads a copy on its way sees a table as it once was. A copy that was cut off is completed by the next.
"""

import re
import shutil
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath

import pyarrow.fs as pafs

from watchkeeper.adapters.lake import Lake
from watchkeeper.adapters.object_stores import said
from watchkeeper.errors import ConflictError, UnwritableError, UsageError, WatchkeeperError
from watchkeeper.spelling import is_remote
from watchkeeper.words import counted

_LOG = "_delta_log"
_COMMIT = re.compile(rf"{_LOG}/(\d{{20}})\.json")
_VERSIONED = re.compile(rf"{_LOG}/(\d{{20}})\.")
_PIECE_BYTES = 8 * 2**20
_AT_ONCE = 8
_ASIDE = ".copying-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """One table: the version and rows that the copy has, and what this run had to bring for it."""

    table: str
    version: int
    rows: int
    files: int
    size_bytes: int


def tables_of(lake: Lake) -> list[str]:
    """Return the names of all tables that lie at a lake's address, sorted."""
    found = _files(lake, "").get_file_info(pafs.FileSelector("", recursive=True, allow_not_found=True))
    logs = (PurePosixPath(info.path).parent for info in found if info.type == pafs.FileType.File)
    return sorted({str(folder.parent) for folder in logs if folder.name == _LOG})


def copy_table(source: Lake, target: Lake, name: str) -> Copied:
    """Bring a table's copy to the version that the table has now, and prove that it is whole.

    Raises:
        ConflictError: what lies there is another table, or was written to since.
        UnwritableError: the place refused.
        WatchkeeperError: the copy does not hold what the table holds.

    """
    found = source.table(name)
    if found is None:
        raise UsageError("there is no such table", where=source.uri(name))
    version = found.version()
    with _refusals_said(target.uri(name)):
        job = _Job(source, target, name, version)
        job.require_same()
        brought = job.bring()
    return Copied(table=name, version=version, rows=job.proven_rows(), files=len(brought), size_bytes=sum(brought.values()))


class _Job:
    """The copying of one table up to one version; `here` and `there` are the sizes of its files by path."""

    def __init__(self, source: Lake, target: Lake, name: str, version: int) -> None:
        self.source, self.target, self.name, self.version = source, target, name, version
        self.source_files, self.target_files = _files(source, name), _files(target, name)
        self.here, self.there = _sizes(self.source_files), _sizes(self.target_files)

    def require_same(self) -> None:
        """Refuse to write into a table whose log is not a beginning of this one's."""
        theirs = {path for path in self.there if _COMMIT.fullmatch(path)}
        newest = max((_version(path) for path in theirs), default=-1)
        if newest > self.version:
            raise ConflictError(
                f"the copy is at version {newest} and the table at {self.version}: it was written to since",
                where=self.target.uri(self.name),
                then="Copy to another address, or use the copy as it is.",
            )
        both = sorted(theirs & self.here.keys())
        is_same = all(self.here[path] == self.there[path] for path in both) and all(self._is_equal(path) for path in (*both[:1], *both[-1:]))
        if theirs and not (both and is_same):
            raise ConflictError("another table of that name lies there", where=self.target.uri(self.name), then="Copy to another address.")

    def bring(self) -> dict[str, int]:
        """Copy what the copy lacks and return it: data, then commits, then checkpoints, which speak of both."""
        lacking = {path: size for path, size in self.here.items() if self.there.get(path) != size}
        log = [path for path in lacking if _VERSIONED.match(path) and _version(path) <= self.version]
        data = [path for path in lacking if not path.startswith(f"{_LOG}/")]
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            list(threads.map(self._copy, data))
        for path in sorted(log, key=lambda p: (not _COMMIT.fullmatch(p), p)):
            self._copy(path)
        return {path: lacking[path] for path in (*data, *log)}

    def proven_rows(self) -> int:
        """Return the rows of the copy, which are those of the table, at the same version."""
        copy = self.target.table(self.name)
        version = None if copy is None else copy.version()
        rows, theirs = (lake.dataset_at(self.name, self.version).count_rows() for lake in (self.source, self.target))
        if version != self.version or rows != theirs:
            told = f"the copy has version {version} with {counted(theirs, 'row')}, the table version {self.version} with {rows}"
            raise WatchkeeperError(told, where=self.target.uri(self.name), then="Remove the copy, and copy again.")
        return int(theirs)

    def _copy(self, path: str) -> None:
        """Copy a file; on a disk it is written aside, since a torn one would be seen there."""
        is_folder = not is_remote(self.target.address)
        place = PurePosixPath(path)
        written = str(place.with_name(_ASIDE + place.name)) if is_folder else path
        if is_folder:
            self.target_files.create_dir(str(place.parent), recursive=True)
        with self.source_files.open_input_stream(path) as reading, self.target_files.open_output_stream(written) as writing:
            shutil.copyfileobj(reading, writing, _PIECE_BYTES)
        if is_folder:
            self.target_files.move(written, path)

    def _is_equal(self, path: str) -> bool:
        contents = []
        for files in (self.source_files, self.target_files):
            with files.open_input_stream(path) as reading:
                contents.append(reading.read())
        return bool(contents[0] == contents[1])


def _files(lake: Lake, name: str) -> pafs.FileSystem:
    found = lake.files(name)
    if found is None:
        then = "With nothing running, copy it with the store's own tool."
        raise UsageError("a lake is copied between folders and S3 only", where=lake.address, then=then)
    return found


def _sizes(files: pafs.FileSystem) -> dict[str, int]:
    infos: Iterable[pafs.FileInfo] = files.get_file_info(pafs.FileSelector("", recursive=True, allow_not_found=True))
    return {i.path: i.size for i in infos if i.type == pafs.FileType.File and not PurePosixPath(i.path).name.startswith(".")}


def _version(path: str) -> int:
    found = _VERSIONED.match(path)
    return int(found[1]) if found else -1


@contextmanager
def _refusals_said(place: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UnwritableError(f"could not be copied ({said(error)})", where=place, then="Run the same again: it goes on where it ended.") from error
