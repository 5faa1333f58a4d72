"""Columns of a table made such that hold more, in one atomic rewrite: whole numbers as numbers with fractions, ids as text.

Belongs here: that step alone. Does not: when it is needed (operations/shape.py), or how values convert (operations/convert.py).
Delta would otherwise cut 1.5 to 1 on the way into a column of whole numbers, without a word.
"""

from collections.abc import Callable, Iterator, Mapping

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import CommitProperties, Transaction, write_deltalake
from deltalake.exceptions import CommitFailedError

from watchkeeper.adapters.lake import Lake
from watchkeeper.errors import ConflictError

Convert = Callable[[pa.ChunkedArray, pa.DataType], pa.ChunkedArray]
_EXACT_UP_TO = 2**53


def can_widen(lake: Lake, table: str, column: str) -> bool:
    """Tell whether every value of a column is the same as a float."""
    dataset = lake.dataset(table)
    if dataset is None or column not in dataset.schema.names:
        return True
    return all(fits_float(batch.column(0)) for batch in dataset.to_batches(columns=[column]))


def fits_float(whole: pa.Array | pa.ChunkedArray) -> bool:
    """Tell whether all whole numbers are the same as floats."""
    ends = pc.min_max(whole).as_py()
    return all(abs(end) <= _EXACT_UP_TO for end in ends.values() if end is not None)


def widen(lake: Lake, table: str, types: Mapping[str, pa.DataType], convert: Convert, *, guard: tuple[str, int]) -> None:
    """Rewrite a table with columns as other `types`, to which `convert` brings them; readers see the old or the new one, never a part.

    Raises:
        ConflictError: another process committed under the guard's app_id; read again and repeat.

    """
    found = lake.table(table)
    app_id, seen = guard
    if found is None:
        return
    if lake.version(table, app_id) != seen:
        raise ConflictError(f"another process wrote under {app_id}", where=table)
    dataset = found.to_pyarrow_dataset(filesystem=lake.files(table))
    schema = pa.schema([f.with_type(types.get(f.name, f.type)) for f in dataset.schema])

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in dataset.to_batches():
            columns = {n: pa.chunked_array([batch[n]]) for n in batch.schema.names}
            yield from pa.table(columns | {n: convert(columns[n], kind) for n, kind in types.items()}, schema=schema).to_batches()

    properties = CommitProperties(app_transactions=[Transaction(app_id, seen + 1)], max_commit_retries=0)
    stream = pa.RecordBatchReader.from_batches(schema, batches())
    try:
        with lake.writing(table):
            write_deltalake(found, stream, mode="overwrite", schema_mode="overwrite", commit_properties=properties)
    except CommitFailedError as error:
        raise ConflictError("another process wrote while a column was widened", where=table) from error
