"""Traces of a slow or failing service: its requests by host and segment, and what the GPUs did, beside the weeks before.

Belongs here: reading these of the windows of an incident. Does not: the rows that are looked at (traces.py), what follows
(judgement/service_causes.py).
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from watchkeeper.adapters.arrow_records import TIMESTAMP
from watchkeeper.adapters.lake import among
from watchkeeper.adapters.workspace import Home
from watchkeeper.judgement.odd_inputs import change_of
from watchkeeper.judgement.service_causes import OF_ERRORS
from watchkeeper.judgement.traces import Column, Traces, place_of
from watchkeeper.monitor import Monitor
from watchkeeper.operations.fit import is_private
from watchkeeper.operations.join import Joined
from watchkeeper.operations.quantities import is_error
from watchkeeper.profiles.bins import FeatureBins
from watchkeeper.profiles.columns import as_codes, as_numbers
from watchkeeper.records import GpuSample
from watchkeeper.spelling import segment_of
from watchkeeper.windows import Window
from watchkeeper.words import percent

_LONGEST = timedelta(days=28)
_MOST_VALUES = 200  # of a host or a segment column
_THROTTLED, _FULL, _FULLER = 0.2, 0.95, 0.05
_NOT_THROTTLED = frozenset({"application_clocks", "display_clocks"})

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
        return np.asarray(pc.cast(self.both.rows.column("time"), pa.int64()).combine_chunks()) // 86_400_000_000


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
        return _with_gpus(Traces(), home, monitor, sides, now)
    table = rows.both.columns(wanted)
    if is_of_errors:
        value = is_error(table.column(name)).astype(float)[chosen]
    else:
        found, nulls = as_numbers(table.column(name))
        value = np.where(nulls | (found <= 0), np.nan, np.log(np.maximum(found, 1e-9)))[chosen]
    change, se = change_of(value, is_during)
    at_places = [
        one for role, c in places.items() if c in wanted and not is_private(monitor, c) for one in _by_value(c, role, table.column(c), chosen)
    ]
    columns = [*at_places, *(c for c in segment_columns(rows) if c.name not in places.values())]
    grown = {
        c.said(i, i): (float((c.cells[is_during] == i).sum()), float((c.cells[~is_during] == i).sum()))
        for c in columns
        for i in range(int(c.cells.max(initial=-1)) + 1)
    }
    made = Traces(
        place=place_of(columns, value, is_during, rows.day[chosen]) if abs(change) > 2 * se else None,
        grown=grown,
        sides=(float(is_during.sum()), float((~is_during).sum())),
    )
    return _with_gpus(made, home, monitor, sides, now)


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


def _with_gpus(made: Traces, home: Home, monitor: Monitor, sides: Sequence[Sequence[Window]], now: datetime) -> Traces:
    """Return traces with what the model's GPUs did that they do not usually do, in words, and the hosts on which they did."""
    mine = among("host", monitor.cost.hosts) | (pc.field("model") == monitor.model) if monitor.cost.hosts else pc.field("model") == monitor.model
    before, during = (
        home.lake.read(
            GpuSample.TABLE,
            columns=["host", "throttle_reasons", "memory_used_bytes", "memory_total_bytes", "temperature_c"],
            where=mine & ~pc.field("is_synthetic") & _sampled(side, now),
        )
        for side in sides
    )
    if before is None or during is None or not before.num_rows or not during.num_rows:
        return made
    hosts = {
        name: [side.filter(pc.field("host") == name) for side in (before, during)] for name in sorted(pc.unique(during.column("host")).to_pylist())
    }
    found = {
        said: [name for name, (was, here) in hosts.items() if was.num_rows and of(was, here)]
        for of in (_throttled, _full)
        if (said := of(before, during))
    }
    return replace(made, gpus=list(found), gpu_hosts=found)


def _throttled(before: pa.Table, during: pa.Table) -> str:
    """Return that clocks were held down, in words; empty where they were not, or no more than usual."""
    (was, _), (now_held, reasons) = _held(before), _held(during)
    if now_held - was < _THROTTLED:
        return ""
    heat = [float(pc.mean(side.column("temperature_c")).as_py() or np.nan) for side in (during, before)]
    warm = f"; {heat[0]:.0f} °C, usually {heat[1]:.0f}" if np.isfinite(heat).all() else ""
    return f"GPU clocks were held down in {percent(now_held)} of readings, usually in {percent(was)} ({reasons}{warm})"


def _full(before: pa.Table, during: pa.Table) -> str:
    """Return that memory was full, in words; empty where it was not, or no more than usual."""
    used = [
        float(
            pc.mean(pc.divide(pc.cast(s.column("memory_used_bytes"), pa.float64()), pc.cast(s.column("memory_total_bytes"), pa.float64()))).as_py()
            or 0.0
        )
        for s in (during, before)
    ]
    if used[0] < _FULL or used[0] - used[1] < _FULLER:
        return ""
    return f"GPU memory was {percent(used[0])} full, usually {percent(used[1])}"


def _sampled(windows: Sequence[Window], now: datetime) -> pc.Expression:
    """Match readings of some windows, of long ones of their last 28 days."""
    at, inside = pc.field("sampled_at"), pc.scalar(False)
    for w in windows:
        inside |= (at > pa.scalar(max(w.start, w.end - _LONGEST), TIMESTAMP)) & (at <= pa.scalar(min(w.end, now), TIMESTAMP))
    return inside


def _held(samples: pa.Table) -> tuple[float, str]:
    """Return the share of readings in which clocks were held down, and what for, the commonest first."""
    reasons = [[r for r in each if r not in _NOT_THROTTLED] for each in samples.column("throttle_reasons").to_pylist() if each is not None]
    common = [reason for reason, _ in Counter(r for each in reasons for r in each).most_common(2)]
    return sum(map(bool, reasons)) / max(1, len(reasons)), ", ".join(common).replace("_", " ")
