"""Traces of a slow or failing service: its requests by host and segment, and what GPUs and hosts did, beside the weeks before.

Belongs here: reading these of the windows of an incident. Does not: the rows that are looked at (traces.py), readings of GPUs and hosts (strains.py), what
follows (judgement/service_causes.py).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from watchkeeper.adapters.workspace import Home
from watchkeeper.judgement.odd_inputs import change_of
from watchkeeper.judgement.service_story import OF_ERRORS
from watchkeeper.judgement.strains import Requests
from watchkeeper.judgement.traces import Column, Traces, place_of
from watchkeeper.monitor import Monitor
from watchkeeper.operations.fit import is_private
from watchkeeper.operations.join import Joined
from watchkeeper.operations.quantities import is_error
from watchkeeper.operations.strains import strains_of
from watchkeeper.profiles.bins import FeatureBins
from watchkeeper.profiles.columns import as_codes, as_numbers
from watchkeeper.spelling import segment_of
from watchkeeper.windows import Window

_MOST_VALUES = 200  # of a host or a segment column

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class BothSides:
    """Joined rows of bad windows and of the weeks before, which of them are looked at, and which are of the bad windows."""

    monitor: Monitor
    both: Joined
    bins: dict[str, FeatureBins]
    chosen: Bools
    is_during: Bools

    @cached_property
    def day(self) -> NDArray[np.int64]:
        """The number of each row's day, UTC."""
        return self.seconds // 86_400

    @cached_property
    def seconds(self) -> NDArray[np.int64]:
        """When each row was, seconds since 1970."""
        return np.asarray(pc.cast(self.both.rows.column("time"), pa.int64()).combine_chunks()) // 1_000_000


def service_traces(home: Home, rows: BothSides, metric: str, sides: Sequence[Sequence[Window]], now: datetime) -> Traces:
    """Return which hosts or segments a change of the leading figure lies in, and what the GPUs did."""
    monitor, chosen, is_during = rows.monitor, rows.chosen, rows.is_during[rows.chosen]
    roles = monitor.columns
    is_of_errors = metric in OF_ERRORS
    name = roles.status if is_of_errors else roles.queue_time if metric.startswith("queue_time") else roles.latency
    there = rows.both.events.schema.names
    places = {"region": roles.region, "host": roles.host}
    wanted = [c for c in dict.fromkeys((name, *places.values())) if c and c in there]
    if name not in wanted:
        return Traces(strains=strains_of(home, monitor, None, sides, now))
    table = rows.both.columns(wanted)
    if is_of_errors:
        value = is_error(table.column(name)).astype(float)[chosen]
    else:
        found, nulls = as_numbers(table.column(name))
        value = np.where(nulls | (found <= 0), np.nan, np.log(np.maximum(found, 1e-9)))[chosen]
    change, se = change_of(value, is_during)
    at_places = [
        one for role, c in places.items() if c in wanted and not is_private(monitor, c) for one in _by_value(c, role, _told(table.column(c)), chosen)
    ]
    columns = [*at_places, *(c for c in segment_columns(rows) if c.name not in places.values())]
    grown = {
        c.said(i, i): (float((c.cells[is_during] == i).sum()), float((c.cells[~is_during] == i).sum()))
        for c in columns
        for i in range(int(c.cells.max(initial=-1)) + 1)
    }
    return Traces(
        place=place_of(columns, value, is_during, rows.day[chosen]) if abs(change) > 2 * se else None,
        grown=grown,
        sides=(float(is_during.sum()), float((~is_during).sum())),
        strains=strains_of(home, monitor, requests_of(rows, value), sides, now),
    )


def requests_of(rows: BothSides, value: Floats, score: Floats | None = None) -> Requests:
    """Return the requests that are looked at, with the number to be explained, and where they are given their scores; hosts only where they are no secret."""
    monitor, there, at = rows.monitor, rows.both.events.schema.names, rows.seconds[rows.chosen]
    host, status = (
        c if c is not None and c in there and not is_private(monitor, c) else None for c in (monitor.columns.host, monitor.columns.status)
    )
    wanted = [c for c in (host, status) if c is not None]
    table = rows.both.columns(wanted) if wanted else None
    codes, names = np.full(len(rows.chosen), -1), list[str]()
    if table is not None and host is not None:
        found, names = as_codes(_told(table.column(host)))
        codes = np.where(np.asarray(found) < len(names), np.asarray(found, np.int64), -1)
    failed = np.empty(0, bool) if table is None or status is None else is_error(table.column(status))[rows.chosen]
    given = np.empty(0) if score is None else score
    return Requests(names, codes[rows.chosen], value, rows.is_during[rows.chosen], at, given, failed)


def host_column(rows: BothSides) -> Iterator[Column]:
    """Yield the column of hosts, unless it is private."""
    name = rows.monitor.columns.host
    if name in rows.both.events.schema.names and name is not None and not is_private(rows.monitor, name):
        yield from _by_value(name, "host", _told(rows.both.columns([name]).column(name)), rows.chosen)


def _told(places: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return regions or hosts as texts, null where a row does not tell: an empty text says as little as none.

    >>> _told(pa.chunked_array([["us-1", "", None]])).to_pylist()
    ['us-1', None, None]
    """
    texts = pc.cast(places, pa.string())
    return pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.string()), texts)


def segment_columns(rows: BothSides) -> Iterator[Column]:
    """Yield the columns of segments, but for private ones."""
    names = {column for declared in rows.monitor.segments for column in declared.split("&")}
    for name in sorted(names & set(rows.both.rows.column_names)):
        if not is_private(rows.monitor, name):
            yield from _by_value(name, "segment", rows.both.rows.column(name), rows.chosen)


def _by_value(name: str, role: str, values: pa.ChunkedArray, chosen: Bools) -> Iterator[Column]:
    codes, texts = as_codes(pc.cast(values, pa.string()))
    if 1 < len(texts) <= _MOST_VALUES:
        yield Column(
            name,
            role,
            np.asarray(codes, np.int64)[chosen],
            lambda first, _: texts[first] if role in ("host", "region") else segment_of([(name, texts[first])]),
        )
