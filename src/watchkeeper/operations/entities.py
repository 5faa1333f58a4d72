"""Entities: whom joined rows are about, by the column that the monitor names.

Belongs here: the column -> codes. Does not: what is counted of them (profiles/clusters.py), or what intervals make of it
(measures/clustered.py).
"""

import zlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from watchkeeper.operations.convert import as_text
from watchkeeper.operations.join import ENTITY
from watchkeeper.profiles.clusters import GROUPS, Entities

_MIXING = 2_654_435_761
"""Knuth's multiplier: names that differ in their last letter alone go anywhere."""


def entities_of(rows: pa.Table) -> Entities | None:
    """Return whom each joined row is about, -1 where that is not known; None where the monitor names no column, or no row has it."""
    if ENTITY not in rows.column_names:
        return None
    column = rows.column(ENTITY)
    unknown = np.asarray(pc.is_null(column, nan_is_null=True).combine_chunks())
    encoded = pc.dictionary_encode(as_text(column), null_encoding="encode").combine_chunks()
    found = encoded.combine_chunks() if isinstance(encoded, pa.ChunkedArray) else encoded
    codes = np.where(unknown, -1, np.asarray(found.indices, np.int64))
    groups = _grouped(found.dictionary)[np.asarray(found.indices, np.int64)]
    groups[unknown] = _grouped(as_text(rows.column("id")).filter(pa.array(unknown)))
    return Entities(codes, groups)


def _grouped(names: pa.Array | pa.ChunkedArray) -> NDArray[np.int64]:
    """Return the group of each name, by a hash of its text: the same in every scan, whatever else is in it."""
    hashed = np.array([zlib.crc32((name or "").encode()) for name in names.to_pylist()], np.uint64)
    mixed = (hashed * np.uint64(_MIXING)) & np.uint64(0xFFFFFFFF)
    return np.asarray(mixed * np.uint64(GROUPS) >> np.uint64(32), np.int64)
