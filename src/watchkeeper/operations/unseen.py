"""Labels whose events have not come yet: kept, since the event may follow, and counted.

Belongs here: that count. Does not: joining labels to events (join.py).
"""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.adapters.arrow_records import TIMESTAMP
from watchkeeper.operations.convert import as_text, fitted
from watchkeeper.operations.lots import Intake, Settled
from watchkeeper.operations.repeats import memberships


def note_unseen(intake: Intake, settled: Sequence[Settled]) -> None:
    """Note for each file of labels how many of its ids no event has, looking `id_scope` back from its first label."""
    labels = [s for s in settled if s.rows_landed]
    if not labels:
        return
    seen = memberships([s.rows["id"] for s in labels], _known(intake, labels))
    for one, flags in zip(labels, seen, strict=True):
        n = one.rows_landed - pc.sum(flags).as_py()
        if n:
            one.notes.append(f"{n:,} of {one.rows_landed:,} ids not seen yet")


def _known(intake: Intake, labels: Sequence[Settled]) -> pa.Array:
    nothing = pa.array([], pa.string())
    columns = intake.monitor.columns
    events = intake.home.lake.dataset(f"events/{intake.monitor.model}")
    if events is None:
        return nothing
    ids, _ = fitted(pa.chunked_array([c for s in labels for c in s.rows["id"].chunks]), events.schema.field(columns.id).type, "UTC")
    since = min(pc.min(s.rows["labelled_at"]).as_py() for s in labels) - intake.monitor.id_scope
    near = pc.field(columns.id).isin(ids.drop_null().combine_chunks()) & (pc.field("wk_time") >= pa.scalar(since, TIMESTAMP))
    found = events.to_table(columns=[columns.id], filter=near)
    return as_text(found[columns.id]).combine_chunks()
