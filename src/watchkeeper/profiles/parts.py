"""Parts: counts under their keys, and the table form they are stored in.

Belongs here: key + counts <-> rows of the table `profiles`, and adding parts up over any of their keys. Does not: reading
and writing the table (operations/profile.py, adapters/lake.py).
"""

import itertools
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from watchkeeper.profiles.counts import Counts, add
from watchkeeper.records import Profile

FEATURE, LABEL, SERVICE, MARK = "feature", "label", "service", "mark"
LABELS_BATCH = "labels"

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class PartKey:
    """What a part counts: where (window, segment, version, environment) and what (kind, feature, outcome)."""

    window_start: datetime
    kind: str
    feature: str
    outcome: str = ""
    segment: str = ""
    version: str = ""
    environment: str = "production"
    batch_id: str = ""


Parts = Mapping[PartKey, Counts]


def record(key: PartKey, counts: Counts, *, model: str, bins: str, grain: str, revision: int, now: datetime) -> Profile:
    """Return a part as a row of the table."""
    return Profile(
        model=model,
        version=key.version,
        environment=key.environment,
        batch_id=key.batch_id,
        bins=bins,
        grain=grain,
        window_start=key.window_start,
        segment=key.segment,
        kind=key.kind,
        feature=key.feature,
        outcome=key.outcome,
        n=counts.n,
        nulls=counts.nulls,
        nans=counts.nans,
        pos_infs=counts.pos_infs,
        neg_infs=counts.neg_infs,
        low=counts.low if np.isfinite(counts.low) else None,
        high=counts.high if np.isfinite(counts.high) else None,
        sum=counts.sum,
        sum2=counts.sum2,
        cells=counts.cells.tolist(),
        counts=counts.counts.tolist(),
        sums=counts.sums.tolist(),
        revision=revision,
        computed_at=now,
    )


_KEYS = ("kind", "feature", "outcome", "segment", "version", "environment", "batch_id")
_NUMBERS = ("n", "nulls", "nans", "pos_infs", "neg_infs")
_MOMENTS = ("low", "high", "sum", "sum2")


def from_table(table: pa.Table) -> list[tuple[PartKey, Counts]]:
    """Return the parts in rows of `profiles`; of what was scanned again, only the newest scan."""
    table = _without_replaced(table).combine_chunks()
    if table.num_rows == 0:
        return []
    starts = table.column("window_start").combine_chunks().dictionary_encode()
    moments = starts.dictionary.to_pylist()
    keys = (PartKey(moments[i], *rest) for i, *rest in zip(starts.indices.to_pylist(), *(table.column(k).to_pylist() for k in _KEYS), strict=True))
    fills = {"low": np.inf, "high": -np.inf}
    numbers = [table.column(k).to_pylist() for k in _NUMBERS]
    floats = [pc.fill_null(table.column(k), fills.get(k, 0.0)).to_pylist() for k in _MOMENTS]
    lists = [_slices(table.column(k), kind) for k, kind in (("cells", np.int64), ("counts", np.int64), ("sums", np.float64))]
    counts = (Counts(*values) for values in zip(*numbers, *floats, *lists, strict=True))
    return list(zip(keys, counts, strict=True))


def _without_replaced(table: pa.Table) -> pa.Table:
    """Keep the newest scan of each batch and window: a batch is scanned again when rows of it were released later."""
    newest = table.group_by(["batch_id", "window_start"]).aggregate([("revision", "max")])
    if newest.num_rows == 0 or pc.count_distinct(table.column("revision")).as_py() == 1:
        return table
    named = newest.rename_columns(["batch_id", "window_start", "newest"])
    joined = table.select(["batch_id", "window_start", "revision"]).append_column("row", pa.array(range(table.num_rows)))
    kept = joined.join(named, ["batch_id", "window_start"]).filter(pc.field("revision") == pc.field("newest"))
    return table.take(kept.column("row").sort())


def _slices(column: pa.ChunkedArray, kind: type) -> list[NDArray[Any]]:
    whole = column.combine_chunks()
    lists = whole.chunk(0) if isinstance(whole, pa.ChunkedArray) else whole
    values: NDArray[Any] = np.asarray(lists.values).astype(kind, copy=False)
    return [values[i:j] for i, j in itertools.pairwise(lists.offsets.to_pylist())]


def gathered(parts: Iterable[tuple[PartKey, Counts]], by: Callable[[PartKey], K]) -> dict[K, Counts]:
    """Return the sum of parts under each value of `by`."""
    groups: dict[K, list[Counts]] = defaultdict(list)
    for part_key, counts in parts:
        groups[by(part_key)].append(counts)
    return {k: add(v) for k, v in groups.items()}
