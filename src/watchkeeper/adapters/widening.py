"""A column of whole numbers made one of numbers with fractions, in one atomic rewrite of its table.

Belongs here: that step alone. Does not: when it is needed (operations/shape.py). Delta would otherwise cut 1.5 to 1 on the
way into a column of whole numbers, without a word.
"""

from collections.abc import Collection, Iterator

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import CommitProperties, Transaction, write_deltalake
from deltalake.exceptions import CommitFailedError

from watchkeeper.adapters.lake import Lake
from watchkeeper.errors import ConflictError

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


def widen(lake: Lake, table: str, columns: Collection[str], *, guard: tuple[str, int]) -> None:
    """Rewrite a table with `columns` as floats; readers see the old or the new one, never a part.

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
    schema = pa.schema([f.with_type(pa.float64()) if f.name in columns else f for f in dataset.schema])

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in dataset.to_batches():
            yield from pa.table(batch.columns, names=batch.schema.names).cast(schema).to_batches()

    properties = CommitProperties(app_transactions=[Transaction(app_id, seen + 1)], max_commit_retries=0)
    stream = pa.RecordBatchReader.from_batches(schema, batches())
    try:
        with lake.writing(table):
            write_deltalake(found, stream, mode="overwrite", schema_mode="overwrite", commit_properties=properties)
    except CommitFailedError as error:
        raise ConflictError("another process wrote while a column was widened", where=table) from error
