"""Small tables held in memory: a file of a table never changes, so it need not be decoded at each of a run's many readings.

Belongs here: which tables are small enough, and of a new state only its new files. Does not: opening tables (lake.py), files as a
dataset (datasets.py). Rows of people are not held.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.dataset as pads

MOST_BYTES = 2**20
"""Of a table's files together, as they are stored."""
_MOST_DECODED = 16 * MOST_BYTES


@dataclass(frozen=True, slots=True)
class _Held:
    """What is known of a table's state: its files as a dataset, and these in memory, each under its path; `rows` is None where they are not held."""

    files: pads.Dataset
    decoded: dict[str, pa.Table]
    rows: pads.Dataset | None = None


class HeldTables:
    """The small tables of one lake, as this process read them last."""

    def __init__(self) -> None:
        self._held: dict[str, _Held] = {}

    def get(self, name: str, files: pads.Dataset, sizes: Callable[[], Sequence[int]]) -> pads.Dataset:
        """Return the rows of a table's state from memory, or `files`, the same rows as they are stored, where it is large or read for the first time.

        `sizes` is asked for the bytes of each file where the state is a new one.
        """
        if name.partition("/")[0] in ("events", "labels", "quarantine"):
            return files
        held = self._held.get(name)
        if held is None:  # whoever reads once need not read all
            self._held[name] = _Held(files, {})
            return files
        if held.rows is None or held.files is not files:
            held = self._held[name] = _decoded(held, files) if sum(sizes()) <= MOST_BYTES else _Held(files, {}, files)
        return held.rows or files


def _decoded(before: _Held, files: pads.Dataset) -> _Held:
    """Return a state whose files are in memory, those that the one before has too as they are there."""
    schema, decoded = files.schema, {}
    for fragment in files.get_fragments():
        known = before.decoded.get(fragment.path)
        decoded[fragment.path] = known if known is not None and known.schema == schema else fragment.to_table(schema=schema)
    if sum(table.nbytes for table in decoded.values()) > _MOST_DECODED:
        return _Held(files, {}, files)
    return _Held(files, decoded, pads.dataset(pa.concat_tables(decoded.values()) if decoded else schema.empty_table()))
