"""Records that are written once a key, whoever writes them first, and however often a killed run is repeated.

Belongs here: quarantine, validations and batches after their data has landed. Does not: the data itself (landing.py).
"""

import random
import time
from collections.abc import Sequence
from typing import Any

from watchkeeper.adapters.lake import among
from watchkeeper.errors import ConflictError
from watchkeeper.operations.lots import Intake, Settled, batch_of, quarantined_of, validations_of
from watchkeeper.operations.superseded import supersede
from watchkeeper.records import Batch, Quarantined, Validation

ATTEMPTS = 40


def mark(intake: Intake, settled: Sequence[Settled]) -> tuple[list[Batch], list[Validation]]:
    """Write what became of each file: first what explains, then the batches as the mark that all of it is done."""
    held = [q for s in settled for q in quarantined_of(s, intake)]
    validations = [v for s in settled for v in validations_of(s, intake)]
    batches = [batch_of(s, intake) for s in settled]
    append_missing(intake, Quarantined, held, table=f"quarantine/{intake.monitor.model}")
    supersede(intake, settled)
    append_missing(intake, Validation, validations)
    append_missing(intake, Batch, batches)
    return batches, validations


def append_missing(intake: Intake, record: type[Any], rows: Sequence[Any], *, table: str | None = None) -> None:
    """Append the records whose keys the table does not hold yet, in one commit."""
    lake, name = intake.home.lake, table or record.TABLE
    for attempt in range(ATTEMPTS):
        seen = lake.version(name, intake.app_id)
        missing = _missing(intake, record, rows, name)
        try:
            lake.append_records(record, missing, table=name, guard=(intake.app_id, seen))
        except ConflictError:
            pause(attempt)
        else:
            return
    raise ConflictError("other processes kept writing", where=name, then="Run it again.")


def pause(attempt: int) -> None:
    """Wait a little, longer at each attempt, so that two processes do not keep step."""
    time.sleep(random.uniform(0.01, 0.05) * (attempt + 1))  # noqa: S311 - jitter, not a secret


def _missing(intake: Intake, record: type[Any], rows: Sequence[Any], table: str) -> list[Any]:
    batches = {r.batch_id for r in rows}
    found = intake.home.lake.read(table, columns=list(record.KEY), where=among("batch_id", batches)) if rows else None
    held = set() if found is None else {tuple(r[k] for k in record.KEY) for r in found.to_pylist()}
    return [r for r in rows if tuple(getattr(r, k) for k in record.KEY) not in held]
