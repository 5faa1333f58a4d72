"""Removing the rows of a lake table that are older than somebody keeps.

Belongs here: the removal, safe beside writers. Does not: what is too old (operations/upkeep.py).
"""

import random
import time
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import CommitProperties, write_deltalake
from deltalake.exceptions import CommitFailedError

from watchkeeper.adapters.arrow_records import TIMESTAMP
from watchkeeper.adapters.lake import Lake, form_of
from watchkeeper.adapters.leases import rewriting
from watchkeeper.errors import ConflictError

_ATTEMPTS = 10


@dataclass(frozen=True, slots=True)
class Removal:
    """Which rows go: those whose `clock` lies before a moment, of one model or of all, but for `spare` (column, value)."""

    clock: str
    before: datetime
    model: str = ""
    spare: tuple[str, str | bool] | None = None

    def condition(self) -> pc.Expression:
        """Return it for a scan."""
        rows = pc.field(self.clock) < pa.scalar(self.before, TIMESTAMP)
        rows = rows & (pc.field("model") == self.model) if self.model else rows
        return rows & (pc.field(self.spare[0]) != self.spare[1]) if self.spare else rows

    def predicate(self) -> str:
        """Return it for a delete."""
        moment = _text(f"{self.before.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}")
        words = [f"""{self.clock} < arrow_cast({moment}, 'Timestamp(Microsecond, Some("UTC"))')"""]  # a plain TIMESTAMP does not compare
        words += [f"model = {_text(self.model)}"] if self.model else []
        words += [f"{self.spare[0]} <> {_text(self.spare[1]) if isinstance(self.spare[1], str) else self.spare[1]}"] if self.spare else []
        return " AND ".join(words)


def remove_rows(lake: Lake, table: str, removal: Removal) -> int:
    """Delete rows of a table in one commit and return how many; no commit where there are none.

    Raises:
        ConflictError: others kept rewriting the same rows.

    """
    going = 0
    if lake.table(table) is None:
        return going
    for attempt in range(_ATTEMPTS):
        try:
            with rewriting(lake, table):
                going += _removed(lake, table, removal)
                _without_views(lake, table)
        except CommitFailedError:
            time.sleep(random.uniform(0.05, 0.2) * (attempt + 1))  # noqa: S311 - jitter, not a secret
            continue
        return going
    raise ConflictError("rows could not be removed, others were rewriting them", where=table, then="Run upkeep again.")


def _removed(lake: Lake, table: str, removal: Removal) -> int:
    _without_views(lake, table)  # those of a removal that was killed
    found, dataset = lake.table(table), lake.dataset(table)
    going = 0 if dataset is None else dataset.count_rows(filter=removal.condition())
    if found is not None and going:
        found.delete(removal.predicate())
    return int(going)


def _without_views(lake: Lake, table: str) -> None:
    """Write anew what a removal left of a file: delta-rs makes its texts views, which Arrow does not compare with texts."""
    if _has_views(lake, table):
        lake.compact(table)
    if _has_views(lake, table) and (found := lake.table(table)) is not None:  # there was nothing to merge it with
        # Rows and write are of one state, and the write is refused when another came meanwhile.
        rows = found.to_pyarrow_dataset(filesystem=lake.files(table)).scanner().to_reader()
        write_deltalake(found, rows, mode="overwrite", commit_properties=CommitProperties(max_commit_retries=0), writer_properties=form_of(table))


def _has_views(lake: Lake, table: str) -> bool:
    dataset = lake.dataset(table)
    return dataset is not None and any("_view" in str(f.type) for part in dataset.get_fragments() for f in part.physical_schema)


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
