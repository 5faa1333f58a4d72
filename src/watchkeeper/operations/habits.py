"""Which columns the files of a source usually bring.

Belongs here: asking the newest batches. Does not: what is said of a file that lacks one (shape.py).
"""

from collections.abc import Collection

import pyarrow.compute as pc

from watchkeeper.adapters.lake import among
from watchkeeper.operations.lots import Intake
from watchkeeper.records import Batch

REMEMBERED = 5


def brought(intake: Intake, columns: Collection[str]) -> list[set[str]]:
    """Return for each of the newest batches, the oldest first, in which of these columns it has a value.

    A column that the lake does not have yet, because a file of this very call brings it, was in none of them.
    """
    mine = (pc.field("model") == intake.monitor.model) & (pc.field("source") == intake.source)
    taken_in: list[Batch] = intake.home.lake.newest(Batch, where=mine)
    newest = sorted((b for b in taken_in if b.rows_landed), key=lambda b: b.landed_at)[-REMEMBERED:]
    if not newest:
        return []
    dataset = intake.home.lake.dataset(intake.table)
    if dataset is None:
        return []
    theirs = among("wk_batch", (b.batch_id for b in newest))
    there = [c for c in columns if c in dataset.schema.names]
    rows = dataset.to_table(columns=["wk_batch", *there], filter=theirs)
    counted = rows.group_by("wk_batch").aggregate([(c, "count") for c in there]).to_pylist()
    found = {row["wk_batch"]: {c for c in there if row[f"{c}_count"]} for row in counted}
    return [found.get(b.batch_id, set()) for b in newest]
