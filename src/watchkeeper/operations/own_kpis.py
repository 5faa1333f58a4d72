"""KPIs of people's own: their expressions over the rows of the label join.

Belongs here: which rows and columns an expression sees. Does not: what an expression may be (adapters/expressions.py), or the numbers
(measures/own.py).
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from watchkeeper.adapters.expressions import columns_of, evaluated
from watchkeeper.measures.own import TASKS
from watchkeeper.monitor import Monitor
from watchkeeper.operations.join import Joined
from watchkeeper.profiles.labelled import Labelled, Piece, own_pieces

LABEL, SCORE, PREDICTION = "label", "score", "prediction"
ROLES = (LABEL, SCORE, PREDICTION)
"""What an expression may name beside the columns of the events; these hide columns of the same name."""
_MOST_SAID = 200


def own_label_pieces(monitor: Monitor, joined: Joined, rows: Labelled) -> Iterator[Piece]:
    """Yield the parts of a monitor's own KPIs over joined rows: of those with a label, each evaluated by itself."""
    if not monitor.kpis or monitor.task not in TASKS or monitor.labels is None:
        return
    known = rows.truth >= 0 if monitor.task == "multiclass" else np.isfinite(rows.truth)
    named = {column for kpi in monitor.kpis for column in columns_of(kpi.sql)} - set(ROLES)
    there = sorted(named & set(joined.events.schema.names))
    columns = joined.columns(there) if there else pa.table({})
    table = pa.table({name: columns.column(name) for name in there} | _roles(monitor, joined, rows)).filter(pa.array(known))
    for kpi in monitor.kpis:
        found = evaluated(kpi.sql, table)
        values, failed = np.full(len(known), np.nan), np.zeros(len(known), bool)
        values[known], failed[known] = found.values, found.failed
        yield from own_pieces(kpi.name, values, failed, found.why[:_MOST_SAID])


def _roles(monitor: Monitor, joined: Joined, rows: Labelled) -> dict[str, pa.Array | pa.ChunkedArray]:
    """Return label, score and decision as expressions see them: 1 and 0 of a binary model, names of classes, numbers of a regression."""
    score = pa.array(rows.score, mask=np.isnan(rows.score))
    if monitor.task == "multiclass":
        return {name: joined.rows.column(name).cast(pa.string()) for name in (LABEL, PREDICTION)} | {SCORE: score}
    label = pa.array(rows.truth, mask=np.isnan(rows.truth))
    if monitor.task == "regression":
        return {LABEL: label, SCORE: score, PREDICTION: score}
    decision = pa.array(rows.decision, mask=rows.decision < 0)
    return {LABEL: label.cast(pa.int64()), SCORE: score, PREDICTION: decision}
