"""Entities: whom joined rows are about, by the column that the monitor names.

Belongs here: the column -> codes. Does not: what is counted of them (profiles/clusters.py), or what intervals make of it
(measures/clustered.py).
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.operations.convert import as_text
from watchkeeper.operations.join import ENTITY
from watchkeeper.profiles.clusters import Entities


def entities_of(rows: pa.Table) -> Entities | None:
    """Return whom each joined row is about, -1 where that is not known; None where the monitor names no column, or no row has it."""
    if ENTITY not in rows.column_names:
        return None
    column = rows.column(ENTITY)
    unknown = np.asarray(pc.is_null(column, nan_is_null=True).combine_chunks())
    codes = pc.dictionary_encode(as_text(column), null_encoding="encode").combine_chunks()
    found = codes.combine_chunks() if isinstance(codes, pa.ChunkedArray) else codes
    return Entities(np.where(unknown, -1, np.asarray(found.indices, np.int64)))
