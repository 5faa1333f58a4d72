"""What of telemetry is in the lake already: files by their stamps, spans and values by their keys, and how far each source has come.

Belongs here: finding that without reading more than the time at hand. Does not: what is new by it (take_telemetry.py).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import reduce
from itertools import pairwise
from operator import or_
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.adapters.arrow_records import TIMESTAMP
from watchkeeper.adapters.lake import Lake, among
from watchkeeper.records import Batch
from watchkeeper.samples import MetricSample, Span

SOURCE = "telemetry"
Keys = tuple[Any, ...]
_REACHES = (timedelta(days=1), timedelta(days=35), None)
"""How far back a source's newest value is looked for: little is read where the last run was lately."""
_APART, _MOST_STRETCHES = timedelta(days=1), 64


def stamps_of(lake: Lake) -> set[tuple[Any, ...]]:
    """Return path, size and time of each file that was taken in, under all names it has had: a rotated one keeps its content."""
    names = ["path", "size_bytes", "modified_at"]
    there = lake.read(Batch.TABLE, columns=names, where=(pc.field("source") == SOURCE) & pc.field("modified_at").is_valid())
    return set() if there is None else set(zip(*(there.column(n).to_pylist() for n in names), strict=True))


def newest_value(lake: Lake, name: str, *, now: datetime) -> datetime | None:
    """Return the moment of a source's newest value, None where it has none."""
    dataset = lake.dataset(MetricSample.TABLE)
    if dataset is None:
        return None
    told = (pc.field("source") == name) & (pc.field("at") <= pa.scalar(now, TIMESTAMP))
    for reach in _REACHES:
        where = told if reach is None else told & (pc.field("at") > pa.scalar(now - reach, TIMESTAMP))
        newest: datetime | None = pc.max(dataset.to_table(columns=["at"], filter=where)["at"]).as_py()
        if newest is not None:
            return newest
    return None


def sample_key(sample: MetricSample) -> Keys:
    """Return what tells a value from every other."""
    return (sample.source, sample.name, sample.labels, sample.at)


def known_spans(lake: Lake, found: Sequence[Span]) -> set[Keys]:
    """Return the keys of spans that landed before, among those of the same time."""
    return _known(lake, Span.TABLE, ["trace_id", "span_id"], _within("started_at", [s.started_at for s in found]))


def known_samples(lake: Lake, found: Sequence[MetricSample]) -> set[Keys]:
    """Return the keys of values that landed before, among those of the same sources and times."""
    of_these = among("source", {s.source for s in found})
    return _known(lake, MetricSample.TABLE, ["source", "name", "labels", "at"], of_these & _within("at", [s.at for s in found]))


def _known(lake: Lake, table: str, names: list[str], where: pc.Expression) -> set[Keys]:
    rows = lake.read(table, columns=names, where=where)
    return set() if rows is None else set(zip(*(rows.column(n).to_pylist() for n in names), strict=True))


def _within(clock: str, times: Sequence[datetime]) -> pc.Expression:
    """Return that a moment is in one of the stretches of some times, so that a single old value has no years read."""
    tests = [(pc.field(clock) >= pa.scalar(first, TIMESTAMP)) & (pc.field(clock) <= pa.scalar(last, TIMESTAMP)) for first, last in stretches(times)]
    return reduce(or_, tests, pc.scalar(False))


def stretches(times: Sequence[datetime]) -> list[tuple[datetime, datetime]]:
    """Return first and last moment of each run of times between which never more than a day passes; where these would be many, of all.

    >>> days = [datetime(2025, 1, d) for d in (9, 1, 2)]
    >>> [(first.day, last.day) for first, last in stretches(days)]
    [(1, 2), (9, 9)]
    """
    ordered = sorted(set(times))
    breaks = [i for i, (before, after) in enumerate(pairwise(ordered), start=1) if after - before > _APART]
    edges = [0, *breaks, len(ordered)] if len(breaks) < _MOST_STRETCHES else [0, len(ordered)]
    return [(ordered[start], ordered[end - 1]) for start, end in pairwise(edges) if end > start]
