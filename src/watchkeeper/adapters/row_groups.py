"""Row groups: the pieces of a table's files, each column read when it is asked for and given back when it was counted.

Belongs here: which pieces may hold wanted rows, and reading their columns. Does not: the table's log (lake.py), counting (profiles/).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads
import pyarrow.parquet as pq

from watchkeeper.adapters.lake import Lake
from watchkeeper.errors import UnreadableError
from watchkeeper.profiles.columns import is_text

_AT_ONCE = 4  # columns: together they still lie in a processor's cache when they are counted


@dataclass(slots=True)
class RowGroup:
    """One piece of one file; texts come as dictionary codes and are never built row by row.

    Columns that will be asked for in the order of `ahead` are read a few at a time, which costs a seventh less than one by one.
    """

    file: pq.ParquetFile
    path: str
    index: int
    schema: pa.Schema
    there: frozenset[str]
    ahead: Sequence[str] = ()
    _read: dict[str, pa.ChunkedArray] = field(default_factory=dict)
    _given: set[str] = field(default_factory=set)

    @property
    def num_rows(self) -> int:
        """How many rows the piece has."""
        return int(self.file.metadata.row_group(self.index).num_rows)

    @property
    def column_names(self) -> list[str]:
        """The columns of the table; those that this file lacks are null."""
        return list(self.schema.names)

    def bounds(self, column: str) -> pa.Array | None:
        """Return the first and the last time of a column by the statistics of the piece, None where those do not say."""
        kind = self.file.schema_arrow.field(column).type if column in self.there else pa.null()
        if not pa.types.is_timestamp(kind):
            return None
        group = self.file.metadata.row_group(self.index)
        told = [one.statistics for one in map(group.column, range(group.num_columns)) if one.path_in_schema == column]
        if len(told) != 1 or told[0] is None or not told[0].has_min_max or told[0].null_count != 0 or told[0].physical_type != "INT64":
            return None  # a field of a struct may have the same path
        return pa.array([told[0].min_raw, told[0].max_raw], pa.int64()).cast(kind)

    def column(self, i: str) -> pa.ChunkedArray:
        """Read a column.

        Raises:
            UnreadableError: the file is gone or damaged.

        """
        if i not in self.there:
            return pa.chunked_array([pa.nulls(self.num_rows, self.schema.field(i).type)])
        if i not in self._read:
            names = self._few_from(i)
            with _reading(self.path):
                read = self.file.read_row_group(self.index, columns=names, use_threads=False)
            self._read.update(zip(names, map(read.column, names), strict=True))
        self._given.add(i)
        return self._read.pop(i)

    def _few_from(self, name: str) -> list[str]:
        """Return a column and those that will be asked for next."""
        if name not in self.ahead or name in self._given:
            return [name]
        following = self.ahead[self.ahead.index(name) + 1 :][: _AT_ONCE - 1]
        return [name, *(n for n in following if n in self.there and n not in self._given and n not in self._read)]


def row_groups(lake: Lake, name: str, where: pc.Expression, ahead: Sequence[str] = ()) -> Iterator[RowGroup]:
    """Yield the pieces of a table in which rows that satisfy `where` may lie, by the statistics of files and pieces.

    They may hold other rows too. `ahead` are the columns that will be asked for, in that order.

    Raises:
        UnreadableError: a file is gone or damaged.

    """
    dataset = lake.dataset(name)
    if dataset is not None:
        yield from row_groups_of(dataset, where, ahead)


def row_groups_of(dataset: pads.Dataset, where: pc.Expression, ahead: Sequence[str] = ()) -> Iterator[RowGroup]:
    """Do as `row_groups` with any Parquet files."""
    texts = [f.name for f in dataset.schema if is_text(f.type)]
    for fragment in dataset.get_fragments(filter=where):
        yield from _of_file(fragment, where, dataset.schema, texts, ahead)


def _of_file(fragment: Any, where: pc.Expression, schema: pa.Schema, texts: list[str], ahead: Sequence[str]) -> Iterator[RowGroup]:
    with _reading(fragment.path):
        pieces: list[pads.ParquetFileFragment] = fragment.split_by_row_group(where, schema)
        if not pieces:
            return
        source = fragment.open()
        file = pq.ParquetFile(source, metadata=fragment.metadata, read_dictionary=texts)
    with source, file:
        there = frozenset(file.schema_arrow.names)
        for piece in pieces:
            for group in piece.row_groups:
                yield RowGroup(file, fragment.path, group.id, schema, there, ahead)


@contextmanager
def _reading(path: str) -> Iterator[None]:
    """Say of which file it is that cannot be read, and what to do; nothing is counted of a scan that ends here."""
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        is_gone = isinstance(error, FileNotFoundError)
        what = "the file is gone" if is_gone else f"the file is damaged ({str(error).splitlines()[0]})"
        then = "Run again: another process may have merged files meanwhile. If that does not help, restore the file from a backup of the lake."
        raise UnreadableError(what, where=path, then=then) from error
