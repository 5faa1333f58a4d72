"""What was asked of a model: predictions and tokens by window, as DuckDB counts them over the lake's events.

Belongs here: which rows count, and as of when. Does not: GPUs (gpu_hours.py), prices (measures/).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads

from watchkeeper.adapters.arrow_records import TIMESTAMP
from watchkeeper.adapters.lake import Lake
from watchkeeper.adapters.warehouse import ask, connect, statement
from watchkeeper.measures.gpu_use import TRAINING, Use
from watchkeeper.measures.price_spans import PriceSpan
from watchkeeper.measures.token_prices import Tokens
from watchkeeper.monitor import Monitor

_TOKENS = ("input_tokens", "output_tokens", "cached_tokens")


_SAMPLED = pa.schema([("device_uuid", pa.string()), ("is_synthetic", pa.bool_()), ("from_us", pa.int64()), ("to_us", pa.int64())])
_SERVING = pa.schema([("window_start", TIMESTAMP), ("device_uuid", pa.string()), ("is_synthetic", pa.bool_())])


@dataclass(frozen=True, slots=True)
class Serving:
    """Which GPUs served a model in which windows, and when each GPU was sampled."""

    gpus: pa.Table = field(default_factory=_SERVING.empty_table)
    sampled: pa.Table = field(default_factory=_SAMPLED.empty_table)

    @classmethod
    def of(cls, uses: Iterable[Use], model: str, sampled: pa.Table | None) -> "Serving":
        """Return the GPUs of uses that are a model's, save for training; `sampled` as gpu_hours.sampled_time tells it."""
        mine = sorted({(u.window_start, u.device_uuid, u.is_synthetic) for u in uses if u.model == model and u.purpose != TRAINING})
        if not mine or sampled is None:
            return cls()
        return cls(pa.table([list(column) for column in zip(*mine, strict=True)], schema=_SERVING), sampled)


@dataclass(slots=True)
class Asked:
    """What was asked of a model in one window."""

    predictions: int = 0
    """Requests that were answered."""
    versions: dict[str, int] = field(default_factory=dict)
    """Of those by version, empty where rows name none."""
    tokens: dict[str, list[Tokens]] = field(default_factory=dict)
    """By version, for those that used any."""
    sampled: dict[bool, dict[str, int]] = field(default_factory=dict)
    """Whether a trace is made up -> version -> those predictions in whose time it has a reading of a GPU that served."""
    odd_tokens: int = 0
    """Requests with a number of tokens that is no count: negative, a fraction or absurd; it is not paid for."""
    requests: int = 0
    """All of them, whether or not an answer came."""

    @property
    def all_tokens(self) -> list[Tokens]:
        """The tokens of all versions."""
        return [count for counts in self.tokens.values() for count in counts]

    def of(self, version: str) -> "Asked":
        """Return what was asked of one version."""
        predictions = self.versions.get(version, 0)
        sampled = {made_up: {version: counts.get(version, 0)} for made_up, counts in self.sampled.items()}
        return Asked(predictions, {version: predictions}, {version: self.tokens.get(version, [])}, sampled)

    def in_sampled_time(self, *, is_synthetic: bool) -> int:
        """Return how many predictions were made while a GPU that served was sampled."""
        return sum(self.sampled.get(is_synthetic, {}).values())


def asked_by_window(lake: Lake, monitor: Monitor, spans: Sequence[PriceSpan], serving: Serving, *, now: datetime) -> dict[datetime, Asked]:
    """Return window start -> what was asked of a model, for windows with any request; `spans` ascend."""
    dataset = lake.dataset(f"events/{monitor.model}")
    if dataset is None or not spans:
        return {}
    with connect(lake, {}) as connection:
        connection.register("requests", _requests(dataset, monitor, spans[0].start, spans[-1].end, now))
        connection.register("windows", span_table(spans))
        connection.register("serving", serving.gpus)
        connection.register("sampled", serving.sampled)
        connection.execute("SET asof_loop_join_threshold = 0")  # it takes stretches for few, and would compare each with each
        rows = ask(connection, statement("predictions")).to_pylist()
    found: dict[datetime, Asked] = {}
    for row in rows:
        asked = found.setdefault(row["window_start"], Asked())
        asked.predictions += row["predictions"]
        asked.odd_tokens += row["odd_tokens"]
        asked.requests += row["requests"]
        if row["predictions"]:
            asked.versions[row["version"]] = asked.versions.get(row["version"], 0) + row["predictions"]
        for is_synthetic, count in ((False, row["measured"]), (True, row["made_up"])):
            counted = asked.sampled.setdefault(is_synthetic, {})
            counted[row["version"]] = counted.get(row["version"], 0) + count
        counts = {name.removesuffix("_tokens"): row[name] for name in _TOKENS}
        if any(counts.values()):
            asked.tokens.setdefault(row["version"], []).append(Tokens(priced_on=row["priced_on"], **counts))
    return found


def predictions_by_hour(lake: Lake, monitor: Monitor, start: datetime, end: datetime, *, now: datetime) -> dict[int, int]:
    """Return hour (counted since 1970, UTC) -> predictions of a model, for hours with any."""
    dataset = lake.dataset(f"events/{monitor.model}")
    if dataset is None:
        return {}
    with connect(lake, {}) as connection:
        connection.register("requests", _requests(dataset, monitor, start, end, now))
        return {row["hour"]: row["predictions"] for row in ask(connection, statement("hourly_predictions")).to_pylist()}


def span_table(spans: Sequence[PriceSpan]) -> pa.Table:
    """Return spans as a table of their names."""
    columns = {
        "window_start": pa.array([s.window_start for s in spans], TIMESTAMP),
        "span_start": pa.array([s.start for s in spans], TIMESTAMP),
        "span_end": pa.array([s.end for s in spans], TIMESTAMP),
        "priced_on": pa.array([s.priced_on for s in spans], pa.date32()),
    }
    return pa.table(columns)


def _requests(dataset: pads.Dataset, monitor: Monitor, start: datetime, end: datetime, now: datetime) -> pads.Scanner:
    wanted = (pc.field("wk_landed_at") <= _moment(now)) & (pc.field("wk_time") >= _moment(start)) & (pc.field("wk_time") < _moment(end))
    names, roles = dataset.schema.names, monitor.columns
    outputs = [c for c in (roles.score, roles.prediction) if c and c in names]
    answered = [pc.field(c).is_valid() for c in outputs] or [pc.scalar(True)]
    version = pc.field(roles.version) if roles.version and roles.version in names else None
    columns = {
        "wk_time": pc.field("wk_time"),
        "is_answered": answered[0] | answered[-1],
        "version": pc.scalar("") if version is None else pc.coalesce(version.cast(pa.string()), pc.scalar("")),
    }
    for role in _TOKENS:
        column = getattr(roles, role)
        columns[role] = pc.field(column).cast(pa.float64()) if column and column in names else pc.scalar(0.0)
    return dataset.scanner(columns=columns, filter=wanted)


def _moment(at: datetime) -> pa.Scalar:
    return pa.scalar(at, TIMESTAMP)
