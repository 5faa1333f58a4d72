"""GPU time per window, attributed to models and aggregated by DuckDB over the lake.

Belongs here: what is read, and as of when. Does not: prices, ratios and scores (measures/), counting requests (requests.py), writing (telemetry.py).
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.adapters.arrow_records import TIMESTAMP, arrow_schema
from watchkeeper.adapters.lake import Lake, among
from watchkeeper.adapters.requests import predictions_by_hour, span_table
from watchkeeper.adapters.warehouse import ask, connect, dataset_of_record, statement
from watchkeeper.measures.gpu_use import Use
from watchkeeper.measures.price_spans import PriceSpan
from watchkeeper.monitor import Monitor
from watchkeeper.samples import GpuProcess, GpuSample

LONGEST_INTERVAL = timedelta(hours=1)
"""No reading stands for more than this; the sampler refuses to sample less often."""


@dataclass(frozen=True, slots=True)
class Claims:
    """Which models a host may serve, by the monitors that name it; of hosts that several name it takes their monitors to tell shares."""

    hosts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    monitors: Mapping[str, Monitor] = field(default_factory=dict)

    @property
    def alone(self) -> dict[str, str]:
        """Host -> the one model that it serves."""
        return {host: models[0] for host, models in self.hosts.items() if len(models) == 1}

    @property
    def shared(self) -> dict[str, Sequence[str]]:
        """Host -> models that share it."""
        return {host: models for host, models in self.hosts.items() if len(models) > 1}


def first_uses(lake: Lake, claims: Claims, *, now: datetime, models: Collection[str] | None = None) -> dict[str | None, datetime]:
    """Return model (None: of all readings) -> when GPU telemetry that may be its begins at the earliest; given `models`, of these alone."""
    if lake.dataset(GpuSample.TABLE) is None:
        return {}
    pairs = [(host, model) for host, names in claims.hosts.items() for model in names if models is None or model in models]
    with connect(lake, {}) as connection:
        if models is None:
            _register(connection, lake)
        else:
            named = among("model", models)
            _register(connection, lake, {"samples": named | among("host", {host for host, _ in pairs}), "processes": named})
        connection.register("claims", _table({"host": [h for h, _ in pairs], "model": [m for _, m in pairs]}))
        rows = ask(connection, statement("first_uses"), {"now": now}).to_pylist()
    return {row["model"]: row["first_at"] - LONGEST_INTERVAL for row in rows if models is None or row["model"] in models}


def read_between(lake: Lake, *, now: datetime) -> tuple[datetime, datetime] | None:
    """Return when the first and the last reading of a GPU were taken up to `now`, None where none was."""
    readings = lake.read(GpuSample.TABLE, columns=["sampled_at"], where=pc.field("sampled_at") <= pa.scalar(now, TIMESTAMP))
    if readings is None or not readings.num_rows:
        return None
    ends = pc.min_max(readings["sampled_at"]).as_py()
    return ends["min"], ends["max"]


def gpu_uses(lake: Lake, spans: Sequence[PriceSpan], claims: Claims, *, now: datetime) -> list[Use]:
    """Return what every GPU did in each of some spans (ascending), by model and how that is known."""
    if lake.dataset(GpuSample.TABLE) is None or not spans:
        return []
    since, until = spans[0].start, spans[-1].end
    shares = list(_shares(lake, claims, since - LONGEST_INTERVAL, until + LONGEST_INTERVAL, now))
    with connect(lake, {}) as connection:
        _register(connection, lake)
        connection.register("windows", span_table(spans))
        connection.register("hosts", _table({"host": list(claims.alone), "model": list(claims.alone.values())}))
        connection.register("requests", _request_table(shares))
        connection.execute("SET asof_loop_join_threshold = 0")  # it takes readings for few, and would compare each with each
        bounds = {"since": since, "counted_since": since - 4 * LONGEST_INTERVAL, "until": min(now, until + LONGEST_INTERVAL)}
        longest = LONGEST_INTERVAL // timedelta(microseconds=1)
        rows = ask(connection, statement("gpu_hours"), {**bounds, "longest_us": longest}).to_pylist()
    return [Use(**row) for row in rows]


def sampled_time(lake: Lake, spans: Sequence[PriceSpan], *, now: datetime) -> pa.Table:
    """Return when each GPU was sampled around some spans (ascending), as stretches without a gap: device_uuid, is_synthetic, from_us and to_us."""
    with connect(lake, {}) as connection:
        _register(connection, lake)
        bounds = {"since": spans[0].start, "until": min(now, spans[-1].end + LONGEST_INTERVAL)}
        return ask(connection, statement("sampled_time"), {**bounds, "longest_us": LONGEST_INTERVAL // timedelta(microseconds=1)})


def _register(connection: duckdb.DuckDBPyConnection, lake: Lake, only: Mapping[str, pc.Expression] | None = None) -> None:
    """Name the readings, or only some of them, each of which may be read once."""
    for name, record in (("samples", GpuSample), ("processes", GpuProcess)):
        found = dataset_of_record(lake, record)
        if found is None:
            connection.register(name, arrow_schema(record).empty_table())
        else:
            connection.register(name, found if only is None else found.scanner(columns=["host", "model", "sampled_at"], filter=only[name]))


def _shares(lake: Lake, claims: Claims, start: datetime, end: datetime, now: datetime) -> Iterator[tuple[str, int, str, int]]:
    """Yield (host, hour, model, predictions) of hosts that several models share."""
    shared = claims.shared
    wanted = {model for models in shared.values() for model in models if model in claims.monitors}
    counts = {model: predictions_by_hour(lake, claims.monitors[model], start, end, now=now) for model in sorted(wanted)}
    for host, models in shared.items():
        for model in models:
            yield from ((host, hour, model, n) for hour, n in counts.get(model, {}).items())


def _request_table(shares: Sequence[tuple[str, int, str, int]]) -> pa.Table:
    schema = pa.schema([("host", pa.string()), ("hour", pa.int64()), ("model", pa.string()), ("predictions", pa.int64())])
    return pa.table([list(column) for column in zip(*shares, strict=True)] or [[], [], [], []], schema=schema)


def _table(columns: Mapping[str, Sequence[str]]) -> pa.Table:
    return pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})
