"""GPU time and predictions per window, aggregated by DuckDB over the lake.

Belongs here: what is read, and as of when. Does not: prices, ratios and scores (measures/cost.py), writing (telemetry.py).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads

from watchkeeper.adapters.arrow_records import TIMESTAMP
from watchkeeper.adapters.lake import Lake
from watchkeeper.adapters.warehouse import ask, connect, statement
from watchkeeper.measures.cost import Use
from watchkeeper.monitor import Monitor
from watchkeeper.records import GpuSample
from watchkeeper.windows import Window

LONGEST_INTERVAL = timedelta(hours=1)
"""No reading stands for more than this; the sampler refuses to sample less often."""


def first_uses(lake: Lake, hosts: Mapping[str, str], *, now: datetime) -> dict[str | None, datetime]:
    """Return model (None: unattributed) -> when its GPU telemetry begins at the earliest; `hosts` is host -> model."""
    dataset = lake.dataset(GpuSample.TABLE)
    if dataset is None:
        return {}
    with connect(lake, {}) as connection:
        connection.register("samples", dataset)
        connection.register("hosts", _host_table(hosts))
        rows = ask(connection, statement("first_uses"), {"now": now}).to_pylist()
    return {row["model"]: row["first_at"] - LONGEST_INTERVAL for row in rows}


def gpu_uses(lake: Lake, windows: Sequence[Window], hosts: Mapping[str, str], *, now: datetime) -> list[Use]:
    """Return what every device did in each of some windows (ascending), by model; `hosts` is host -> model."""
    dataset = lake.dataset(GpuSample.TABLE)
    if dataset is None or not windows:
        return []
    with connect(lake, {}) as connection:
        connection.register("samples", dataset)
        connection.register("windows", _spans(windows))
        connection.register("hosts", _host_table(hosts))
        bounds = {"since": windows[0].start, "until": min(now, windows[-1].end + LONGEST_INTERVAL)}
        longest = LONGEST_INTERVAL // timedelta(microseconds=1)
        rows = ask(connection, statement("gpu_hours"), {**bounds, "longest_us": longest}).to_pylist()
    return [Use(**row) for row in rows]


def predictions(lake: Lake, monitor: Monitor, windows: Sequence[Window], *, now: datetime) -> dict[datetime, int]:
    """Return window start -> predictions that were answered, for windows (ascending) with any."""
    dataset = lake.dataset(f"events/{monitor.model}")
    if dataset is None or not windows:
        return {}
    with connect(lake, {}) as connection:
        connection.register("answers", _answers(dataset, monitor, windows, now))
        connection.register("windows", _spans(windows))
        rows = ask(connection, statement("predictions")).to_pylist()
    return {row["window_start"]: row["predictions"] for row in rows}


def _host_table(hosts: Mapping[str, str]) -> pa.Table:
    columns = {"host": list(hosts), "model": list(hosts.values())}
    return pa.table(columns, schema=pa.schema([("host", pa.string()), ("model", pa.string())]))


def _spans(windows: Sequence[Window]) -> pa.Table:
    spans = {"window_start": [w.start for w in windows], "window_end": [w.end for w in windows]}
    return pa.table(spans, schema=pa.schema([("window_start", TIMESTAMP), ("window_end", TIMESTAMP)]))


def _answers(dataset: pads.Dataset, monitor: Monitor, windows: Sequence[Window], now: datetime) -> pads.Scanner:
    wanted = (
        (pc.field("wk_landed_at") <= _moment(now))
        & (pc.field("wk_time") >= _moment(windows[0].start))
        & (pc.field("wk_time") < _moment(windows[-1].end))
    )
    outputs = [c for c in (monitor.columns.score, monitor.columns.prediction) if c and c in dataset.schema.names]
    if outputs:
        answered = [pc.field(c).is_valid() for c in outputs]
        wanted = wanted & (answered[0] | answered[-1])
    return dataset.scanner(columns=["wk_time"], filter=wanted)


def _moment(at: datetime) -> pa.Scalar:
    return pa.scalar(at, TIMESTAMP)
