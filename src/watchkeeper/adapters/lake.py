"""The lake: Delta tables in a folder or an object store, written by many processes at once.

Belongs here: opening, appending, reading as of a moment, compaction. Does not: SQL (adapters/warehouse.py), leases
(adapters/leases.py), or what the columns mean (records.py). Every write can be repeated: rows carry keys, and readers take the newest per key.
"""

import dataclasses
import errno
import os
import random
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads
import pyarrow.fs as pafs
from deltalake import ColumnProperties, CommitProperties, DeltaTable, Schema, Transaction, WriterProperties, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError

from watchkeeper.adapters.arrow_records import TIMESTAMP, arrow_schema, as_list, from_arrow, to_arrow
from watchkeeper.adapters.datasets import dataset_of
from watchkeeper.adapters.held_tables import HeldTables
from watchkeeper.adapters.object_stores import files, said
from watchkeeper.errors import ConflictError, UnreadableError, UnwritableError
from watchkeeper.records import Profile
from watchkeeper.spelling import is_remote

_ATTEMPTS = 30
_ROWS_AT_ONCE, _FIGURES_AT_ONCE = 131_072, 8_192
_LEAST_ROOM = 2**20
_OS_ERROR = re.compile(r"(?:os error|code:) (\d+)")  # as Rust writes it


def among(column: str, values: Iterable[str]) -> pc.Expression:
    """Return the condition that a text column holds one of `values`; of none of them it is never true.

    Arrow takes the type of an empty list for null, and refuses to compare text with that.
    """
    return pc.field(column).isin(pa.array(sorted(values), pa.string()))


class Lake:
    """Tables at one address: a folder, or an `s3://`, `gs://`, `abfss://` prefix with its storage options."""

    def __init__(self, address: str | Path, storage_options: dict[str, str] | None = None) -> None:
        """Open the lake; nothing is touched until the first write."""
        self.address = str(address).rstrip("/")
        self.options = storage_options
        self._open: dict[str, DeltaTable] = {}
        self._seen: dict[str, tuple[Path, tuple[int, int] | None]] = {}
        self._datasets: dict[str, tuple[tuple[str, int], pads.Dataset]] = {}
        self._committed: dict[str, tuple[tuple[str, int], dict[str, int]]] = {}
        self._held = HeldTables()

    def uri(self, table: str) -> str:
        """Return the address of a table."""
        return f"{self.address}/{table}"

    def table(self, name: str) -> DeltaTable | None:
        """Return the newest state of a table, or None when nothing was ever written to it.

        Raises:
            UnreadableError: the object store refused, or does not answer; or a file lies where the lake should.

        """
        try:
            self._forget_replaced(name)
            if name not in self._open:
                self._open[name] = DeltaTable(self.uri(name), storage_options=self.options)
                self._note(name)
            elif self._may_have_changed(name):
                self._open[name].update_incremental()
                self._note(name)
        except (TableNotFoundError, FileNotFoundError):
            self._require_folder()
            return None
        except (DeltaError, OSError) as error:
            if not is_remote(self.address):
                raise
            then = "Check the address in watchkeeper.yaml, and the endpoint and credentials in the environment."
            raise UnreadableError(f"cannot be read ({said(error)})", where=self.uri(name), then=then) from error
        return self._open[name]

    def _require_folder(self) -> None:
        """Refuse a file in the lake's place, which holds no table and is no empty lake."""
        if not is_remote(self.address) and Path(self.address).is_file():
            raise UnreadableError("is a file, where the lake's folder should be", where=self.address, then="Move it away, or put the lake back.")

    def _may_have_changed(self, name: str) -> bool:
        """Tell whether a table may have a newer state than the one opened; on this disk the log's next entry says so."""
        return is_remote(self.address) or self._entry(name, self._open[name].version() + 1).exists()

    def _entry(self, name: str, version: int) -> Path:
        return Path(self.uri(name), "_delta_log", f"{version:020d}.json")

    def _note(self, name: str) -> None:
        """Note which file the log's entry of the state now seen is; on this disk, where asking costs nothing."""
        if not is_remote(self.address):
            entry = self._entry(name, self._open[name].version())
            self._seen[name] = (entry, _file_of(entry))

    def _forget_replaced(self, name: str) -> None:
        """Forget a table of which the noted entry is another file now, or none: it was removed and made anew, or its log was cleaned.

        The number of commits would not tell, and its later entries would be taken for those of the table that was.
        """
        entry, file = self._seen.get(name, (None, None))
        if entry is not None and name in self._open and (file is None or _file_of(entry) != file):
            del self._open[name]

    def dataset(self, name: str) -> pads.Dataset | None:
        """Return a table as a lazy dataset to query by name, or None when it does not exist."""
        found = self.table(name)
        if found is None:
            return None
        state, known = (found.metadata().id, found.version()), self._datasets.get(name)
        if known is None or known[0] != state:
            before = known[1] if known and known[0][0] == state[0] else None
            known = self._datasets[name] = (state, dataset_of(found, self.files(name), before))
        return known[1]

    def dataset_at(self, name: str, version: int) -> pads.Dataset:
        """Return a table as it was at a version."""
        return DeltaTable(self.uri(name), version=version, storage_options=self.options).to_pyarrow_dataset(filesystem=self.files(name))

    def files(self, name: str) -> pafs.FileSystem | None:
        """Return Arrow's own view of a table's folder, where it has one; to be given to `to_pyarrow_dataset`."""
        return files(self.uri(name), self.options)

    def read(self, name: str, *, columns: Sequence[str] | None = None, where: pc.Expression | None = None, in_order: bool = False) -> pa.Table | None:
        """Return the rows of a table that satisfy `where`, or None when the table does not exist.

        With `in_order` one file is read after the other, which takes less memory than several at once.
        """
        dataset = self.dataset(name)
        if dataset is None:
            return None
        ahead = {"batch_readahead": 2, "fragment_readahead": 1} if in_order else {}
        rows = dataset if in_order else self._held.get(name, dataset, lambda: self.file_sizes(name))
        return rows.to_table(columns=list(columns) if columns else None, filter=where, **ahead)

    def newest(self, record: type, *, as_of: datetime | None = None, where: pc.Expression | None = None, table: str | None = None) -> list[Any]:
        """Return records with only the newest revision of each key, as known at `as_of`.

        `where` must name key columns only, or an older revision could stand in for a newer one. Rows from before a field was
        kept have its default.
        """
        clock = next(
            n
            for n in ("computed_at", "landed_at", "validated_at", "recorded_at", "at", "sampled_at")
            if n in {f.name for f in dataclasses.fields(record)}
        )
        if as_of is not None:
            known = pc.field(clock) <= pa.scalar(as_of, TIMESTAMP)
            where = known if where is None else where & known
        found = self.read(table or record.TABLE, where=where)  # type: ignore[attr-defined]
        if found is None:
            return []
        order = [(clock, "ascending"), *([("revision", "ascending")] if "revision" in found.column_names else [])]
        rows = found.sort_by(order)
        keys = zip(*(as_list(rows.column(k)) for k in record.KEY), strict=True)  # type: ignore[attr-defined]
        last = {names: place for place, names in enumerate(keys)}
        return list(from_arrow(record, rows.take(pa.array(last.values(), pa.int64()))))

    def append(self, name: str, rows: pa.Table, *, guard: tuple[str, int] | None = None, schema_mode: str | None = None) -> None:
        """Append rows in one atomic commit.

        `guard` is (app_id, version seen): the commit is refused with ConflictError when another process has committed
        under that app_id since, which makes read-check-write safe.
        """
        if rows.num_rows == 0 and guard is None:
            return
        if guard is None:
            self._retrying(lambda: self._write(name, rows, CommitProperties(max_commit_retries=20), schema_mode))
            return
        app_id, seen = guard
        self.create(name, rows.schema)
        current = self.version(name, app_id)
        if current != seen:
            raise ConflictError(f"another process wrote under {app_id}", where=name)
        properties = CommitProperties(app_transactions=[Transaction(app_id, seen + 1)], max_commit_retries=20)
        try:
            self._write(name, rows, properties, schema_mode)
        except CommitFailedError as error:
            self._open.pop(name, None)
            raise ConflictError(f"another process wrote under {app_id}", where=name) from error

    def create(self, name: str, schema: pa.Schema) -> None:
        """Create an empty table unless it exists; of two processes, one does.

        A guarded append needs it: delta-rs compares app versions with the state it read, and where there was no table yet
        it compares nothing, so that two processes at once would both be the first.
        """
        if self.table(name) is not None:
            return
        try:
            with self.writing(name):
                made = Schema.from_arrow(schema)
                DeltaTable.create(self.uri(name), made, mode="ignore", storage_options=self.options, configuration=properties_of(name, schema))
        except (CommitFailedError, UnwritableError):
            if self.table(name) is None:
                raise

    def append_records(self, record: type, rows: Sequence[Any], *, table: str | None = None, guard: tuple[str, int] | None = None) -> None:
        """Append records to their table, which is given the columns it lacks; a no-op for none."""
        if not rows:
            return
        name, made = table or record.TABLE, to_arrow(record, rows)  # type: ignore[attr-defined]
        there = self._open.get(name) or self.table(name)  # as last seen: whether the log is longer by now does not matter
        self.append(name, made, guard=guard, schema_mode=_schema_mode(there, made.schema))

    def append_records_once(self, record: type, batches: Mapping[int, Sequence[Any]], *, writer: str) -> int:
        """Append numbered batches of records in one commit, but for those up to the number that `writer` committed last; return how many rows were new.

        The number is in the commit, so whoever was killed between it and taking note may repeat. Of one writer at a time batches
        come in ascending order.

        Raises:
            ConflictError: another process committed as this writer meanwhile.

        """
        if not any(batches.values()):
            return 0
        name, schema = record.TABLE, arrow_schema(record)  # type: ignore[attr-defined]
        self.create(name, schema)
        seen = self.version(name, writer)
        rows = [row for number, several in sorted(batches.items()) if number > seen for row in several]
        if not rows:
            return 0
        mode = _schema_mode(self.table(name), schema)
        properties = CommitProperties(app_transactions=[Transaction(writer, max(batches))], max_commit_retries=20)
        try:
            self._write(name, to_arrow(record, rows), properties, mode)
        except CommitFailedError as error:
            self._open.pop(name, None)
            raise ConflictError(f"another process wrote under {writer}", where=name) from error
        return len(rows)

    def version(self, name: str, app_id: str) -> int:
        """Return the version last committed under `app_id`, 0 when none; to be passed to `append` as the guard."""
        found = self.table(name)
        if found is None:
            return 0
        state, known = (found.metadata().id, found.version()), self._committed.get(name)  # before the log is asked: it may only be newer
        if known is None or known[0] != state:
            known = self._committed[name] = (state, {})
        if app_id not in known[1]:
            known[1][app_id] = found.transaction_version(app_id) or 0  # reads the log, however often it was asked of one state
        return known[1][app_id]

    def tables_in_use(self) -> list[str]:
        """Return the names of the tables this process has opened."""
        return sorted(self._open)

    def file_sizes(self, name: str) -> list[int]:
        """Return the bytes of each data file that a table has now."""
        found = self.table(name)
        sizes: list[int] = [] if found is None else pa.table(found.get_add_actions()).column("size_bytes").to_pylist()
        return sizes

    def newest_moment(self, name: str, column: str) -> datetime | None:
        """Return the latest moment in a column as the table's log states it, None where there are no rows or the log does not say."""
        found = self.table(name)
        adds = None if found is None else pa.table(found.get_add_actions(flatten=True))
        if adds is None or f"max.{column}" not in adds.column_names or adds[f"max.{column}"].null_count:
            return None
        latest: datetime | None = pc.max(adds[f"max.{column}"]).as_py()
        return latest

    def compact(self, name: str, *, up_to: int | None = None) -> dict[str, Any]:
        """Merge the files of a table that are smaller than `up_to` bytes, or all small ones; readers and writers are not disturbed.

        One process at a time may (leases.rewriting): of two at once none is refused, and the rows are there twice.
        """

        def merge() -> dict[str, Any]:
            found = self.table(name)  # anew: another process may have merged the same files
            return {} if found is None else dict(found.optimize.compact(target_size=up_to, writer_properties=form_of(name)))

        merged: dict[str, Any] = self._retrying(merge)
        return merged

    def checkpoint(self, name: str) -> None:
        """Write down a table's state beside its log, so that whoever opens it need not read every commit: on S3 each is a request."""
        found = self.table(name)
        if found is not None:
            found.create_checkpoint()

    def vacuum(self, name: str, *, keep_hours: int = 168) -> list[str]:
        """Delete files that no version younger than `keep_hours` needs; return their names."""
        found = self.table(name)
        return [] if found is None else list(found.vacuum(keep_hours, dry_run=False, enforce_retention_duration=False))

    def _write(self, name: str, rows: pa.Table, properties: CommitProperties, schema_mode: Any) -> None:
        self._forget_replaced(name)
        target = self._open.get(name) or self.uri(name)
        with self.writing(name):
            write_deltalake(
                target,
                rows,
                mode="append",
                schema_mode=schema_mode,
                commit_properties=properties,
                writer_properties=form_of(name),
                storage_options=self.options,
                configuration=None if isinstance(target, DeltaTable) else properties_of(name, rows.schema),
            )

    @contextmanager
    def writing(self, name: str) -> Iterator[None]:
        """Say in one sentence that a table cannot be written; that another process was first is no such case.

        Raises:
            UnwritableError: the folder or the store refused.

        """
        if not is_remote(self.address):
            self._require_writable(name)
        try:
            yield
        except CommitFailedError:
            raise
        except (DeltaError, OSError) as error:
            raise self._unwritable(name, said(error) if is_remote(self.address) else _refusal(error)) from error

    def _require_writable(self, name: str) -> None:
        """Ask first: delta-rs prints the trace of a panic when it finds out by itself."""
        folder = Path(self.uri(name))
        there = next(p for p in (folder, *folder.parents) if os.access(p, os.F_OK))
        for place in (there, folder / "_delta_log"):
            if os.access(place, os.F_OK) and not os.access(place, os.W_OK, effective_ids=os.access in os.supports_effective_ids):
                is_read_only = bool(os.statvfs(place).f_flag & os.ST_RDONLY)
                raise self._unwritable(name, os.strerror(errno.EROFS if is_read_only else errno.EACCES))
        room = os.statvfs(there)
        if room.f_blocks and room.f_bavail * room.f_frsize < _LEAST_ROOM:  # some file systems do not tell
            raise self._unwritable(name, os.strerror(errno.ENOSPC))

    def _unwritable(self, name: str, why: str) -> UnwritableError:
        then = "Check its permissions, and the space left there."
        if is_remote(self.address):
            then = "Check its permissions, and the endpoint and credentials in the environment."
        return UnwritableError(f"cannot be written ({why})", where=self.uri(name), then=then)

    def _retrying(self, write: Any) -> Any:
        for attempt in range(_ATTEMPTS):
            try:
                return write()
            except CommitFailedError:
                if attempt == _ATTEMPTS - 1:
                    raise
                time.sleep(random.uniform(0.01, 0.05) * (attempt + 1))  # noqa: S311 - jitter, not a secret
        raise AssertionError


def _schema_mode(there: DeltaTable | None, schema: pa.Schema) -> str | None:
    """Return how rows are written to a table that may lack columns of theirs."""
    lacks = there is not None and not {f.name for f in there.schema().fields}.issuperset(schema.names)
    return "merge" if lacks else None


def _file_of(path: Path) -> tuple[int, int] | None:
    """Return what tells one file from another under the same name, None where there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns


def _refusal(error: Exception) -> str:
    code = _OS_ERROR.search(str(error))
    return os.strerror(int(code[1])) if code else str(error).splitlines()[0]


_SUMS, _LISTS = {"sum", "sum2"}, {"cells", "counts", "sums"}
_SPLIT = ColumnProperties(dictionary_enabled=False, encoding="BYTE_STREAM_SPLIT")
_DICTIONARY_BYTES = 8_192


def properties_of(name: str, schema: pa.Schema) -> dict[str, str | None] | None:
    """Return what a table says of itself where it is made: the log of one of telemetry repeats no text, which others wrote, as a minimum or maximum."""
    if not name.startswith("telemetry/"):
        return None
    told = [f.name for f in schema if pa.types.is_primitive(f.type)]
    return {"delta.dataSkippingStatsColumns": ",".join(told)}


def form_of(name: str) -> WriterProperties:
    """Return how a table's files are written: rows of people in large pieces, figures in pieces small enough that one window reads few.

    Parts are read more often than written, and few of their sums are alike, so that a dictionary of them would be larger than they are:
    there is none of sums, and in lists it ends early. What is in a list has no name that the writer knows, hence all other columns are named.
    Written byte by byte (the first one of each number, then the second) numbers that begin or end alike take a third less room.
    """
    is_rows, is_parts = name.partition("/")[0] in ("events", "labels", "quarantine"), name == Profile.TABLE
    return WriterProperties(
        compression="ZSTD",
        compression_level=3 if is_parts else 1,
        max_row_group_size=_ROWS_AT_ONCE if is_rows else _FIGURES_AT_ONCE,
        dictionary_page_size_limit=_DICTIONARY_BYTES if is_parts else None,
        default_column_properties=ColumnProperties(encoding="BYTE_STREAM_SPLIT") if is_parts else None,
        column_properties=_OF_PARTS if is_parts else None,
    )


_OF_PARTS = {f.name: _SPLIT if f.name in _SUMS else ColumnProperties(encoding="PLAIN") for f in fields(Profile) if f.name not in _LISTS}
