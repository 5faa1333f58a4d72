"""Parts: counts under their keys, and the table form they are stored in.

Belongs here: key + counts <-> rows of the table `profiles`, and adding parts up over any of their keys. Does not: reading
and writing the table (operations/profile.py, adapters/lake.py).
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import numpy as np
import pyarrow as pa

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


def from_table(table: pa.Table) -> list[tuple[PartKey, Counts]]:
    """Return the parts in rows of `profiles`; of label parts, which are replaced whole, only each window's newest."""
    table = table.combine_chunks()
    if table.num_rows == 0:
        return []
    column = {
        name: table.column(name).to_pylist()
        for name in ("window_start", "kind", "feature", "outcome", "segment", "version", "environment", "batch_id", "revision", "low", "high")
    }
    number = {name: table.column(name).to_pylist() for name in ("n", "nulls", "nans", "pos_infs", "neg_infs", "sum", "sum2")}
    cells, counts, sums = (_slices(table.column(name)) for name in ("cells", "counts", "sums"))
    newest = _newest_label_scan(column)
    out = []
    for i in range(table.num_rows):
        if column["kind"][i] == LABEL and column["revision"][i] != newest[column["window_start"][i]]:
            continue
        names = ("window_start", "kind", "feature", "outcome", "segment", "version", "environment", "batch_id")
        low, high = column["low"][i], column["high"][i]
        moments = {k: v[i] for k, v in number.items()}
        part = Counts(
            **moments,
            low=np.inf if low is None else low,
            high=-np.inf if high is None else high,
            cells=cells(i, np.int64),  # type: ignore[arg-type]
            counts=counts(i, np.int64),  # type: ignore[arg-type]
            sums=sums(i, np.float64),  # type: ignore[arg-type]
        )
        out.append((PartKey(*(column[name][i] for name in names)), part))
    return out


def _newest_label_scan(column: Mapping[str, list[object]]) -> dict[object, object]:
    newest: dict[object, object] = {}
    for kind, start, revision in zip(column["kind"], column["window_start"], column["revision"], strict=True):
        if kind == LABEL and (start not in newest or revision > newest[start]):  # type: ignore[operator]
            newest[start] = revision
    return newest


def _slices(column: pa.ChunkedArray) -> Callable[[int, type], object]:
    whole = column.combine_chunks()
    lists = whole.chunk(0) if isinstance(whole, pa.ChunkedArray) else whole
    offsets, values = np.asarray(lists.offsets), np.asarray(lists.values)
    return lambda i, kind: values[offsets[i] : offsets[i + 1]].astype(kind, copy=False)


def gathered(parts: Iterable[tuple[PartKey, Counts]], by: Callable[[PartKey], K]) -> dict[K, Counts]:
    """Return the sum of parts under each value of `by`."""
    groups: dict[K, list[Counts]] = defaultdict(list)
    for part_key, counts in parts:
        groups[by(part_key)].append(counts)
    return {k: add(v) for k, v in groups.items()}
