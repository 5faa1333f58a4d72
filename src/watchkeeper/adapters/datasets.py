"""A table's files as an Arrow dataset, of which only the files that a new state adds are made anew.

Belongs here: which files there are and what a table's log says of the rows in each, so that files are left unopened. Does not:
opening tables (lake.py), reading pieces of files (row_groups.py).
"""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads
import pyarrow.fs as pafs
from deltalake import DeltaTable

_PLAIN = frozenset({"timestampNtz"})  # what our own tables may ask of a reader
_TOLD = ("model",)  # besides moments
_MILLISECOND = {"s": 1, "ms": 1, "us": 1_000, "ns": 1_000_000}
"""Some engines cut the stated end of moments there; in each unit what may have been cut off."""

_LAST = 2**63 - 1


def dataset_of(table: DeltaTable, filesystem: pafs.FileSystem | None, before: pads.Dataset | None = None) -> pads.Dataset:
    """Return the state of a table as a dataset; files that `before`, an earlier state of it, has too are taken from there with what is known of them.

    deltalake makes an expression of every column of every file at every new state, which for the small tables of figures costs
    more than reading them. Here it is moments and the model's name, by which rows are looked for. Tables that ask more of a
    reader than ours are left to deltalake.

    Raises:
        DeltaProtocolError: another engine has turned on what deltalake does not read.

    """
    asked = frozenset(table.protocol().reader_features or ())
    if filesystem is None or asked - _PLAIN or table.metadata().partition_columns:
        return table.to_pyarrow_dataset(filesystem=filesystem)
    schema = pa.schema(table.schema().to_arrow())
    form = pads.ParquetFileFormat(default_fragment_scan_options=pads.ParquetFragmentScanOptions(pre_buffer=True))
    known = {fragment.path: fragment for fragment in before.get_fragments()} if before is not None else {}
    fragments = [
        known.get(path) or form.make_fragment(path, filesystem=filesystem, partition_expression=holds) for path, holds in _files(table, schema, known)
    ]
    return pads.FileSystemDataset(fragments, schema, form, filesystem)


def _files(table: DeltaTable, schema: pa.Schema, known: dict[str, pads.Fragment]) -> Iterator[tuple[str, pc.Expression]]:
    """Yield every file with what its rows have in common, for known ones nothing."""
    stated = pa.table(table.get_add_actions(flatten=True))
    telling = [f for f in schema if pa.types.is_timestamp(f.type) or f.name in _TOLD]
    telling = [f for f in telling if {f"min.{f.name}", f"max.{f.name}"} <= {*stated.column_names}]
    for row, path in enumerate(stated.column("path").to_pylist()):
        holds = pc.scalar(True)
        for field in telling if path not in known else ():
            low, high, nulls = (stated.column(f"{what}.{field.name}")[row] for what in ("min", "max", "null_count"))
            if low.is_valid and high.is_valid and nulls.as_py() == 0:  # where a value is missing, Arrow makes no use of the others
                low, high = low.cast(field.type), high.cast(field.type)
                if pa.types.is_timestamp(field.type):  # as numbers: a moment of any year is one
                    high = pa.scalar(min(high.value + _MILLISECOND[field.type.unit], _LAST), field.type)
                holds &= (pc.field(field.name) >= low) & (pc.field(field.name) <= high)
        yield path, holds
