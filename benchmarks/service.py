"""Are percentiles from bins right in the tails, does a minute of traffic take less than a minute, and does a quiet service stay quiet.

Belongs here: made latencies and requests, timed and compared. Does not: which cause is found of a slow service (causes.py).

    python -m benchmarks.service --json
    python -m benchmarks.service --parts percentiles throughput --minutes 10

`percentiles` counts rows as the scan does, in sixteen batches that are added up, beside numpy's quantiles of all rows. `throughput` writes a file of
one minute's requests, lands, profiles and measures it, minute after minute. `quiet` judges hours of services in which nothing is wrong, by two rules as
before there were others, and by all of them.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from watchkeeper.adapters.workspace import Home, find_home
from watchkeeper.judgement.charts import believed, charted
from watchkeeper.measures import catalogue
from watchkeeper.measures.service_view import LIMIT, TAIL, Measured, ServiceView
from watchkeeper.monitor import Monitor
from watchkeeper.operations.ingest import ingest
from watchkeeper.operations.measure import measure
from watchkeeper.operations.profile import profile
from watchkeeper.operations.rollup import rolled_up
from watchkeeper.profiles.counted import of_rows
from watchkeeper.profiles.counts import Counts, add
from watchkeeper.profiles.grids import latency_cell_below, latency_cells, latency_middle
from watchkeeper.profiles.statuses import CLASSES

Floats = NDArray[np.float64]
START, HOUR, MINUTE = datetime(2025, 1, 6, tzinfo=UTC), timedelta(hours=1), timedelta(minutes=1)
QUANTILES = (0.5, 0.9, 0.95, 0.99, 0.999)
BATCHES = 16
TAILS: dict[str, Callable[[np.random.Generator, int], Floats]] = {
    "lognormal, sigma 1.5": lambda rng, n: rng.lognormal(3, 1.5, n),
    "Pareto, tail index 1.1": lambda rng, n: (rng.pareto(1.1, n) + 1) * 20,
    "Weibull, shape 0.5": lambda rng, n: rng.weibull(0.5, n) * 50,
    "two humps": lambda rng, n: np.where(rng.random(n) < 0.97, rng.lognormal(3, 0.3, n), rng.lognormal(8, 0.5, n)),
    "a millionth to a million ms": lambda rng, n: np.exp(rng.uniform(np.log(1e-3), np.log(1e6), n)),
}
_HOSTS = {"eu": ("eu-1", "eu-2", "eu-3"), "us": ("us-1", "us-2", "us-3", "us-4"), "asia": ("as-1",)}
_REFERENCE_HOURS, _QUIET_HOURS = 14 * 24, 28 * 24
_BEFORE = ("error_ratio", "latency_p95")


def percentiles(rows: int, seed: int) -> dict[str, Any]:
    """Return the relative error of percentiles from bins of each kind of latencies."""
    out = {}
    for name, drawn in TAILS.items():
        values = drawn(np.random.default_rng([seed, rows]), rows)
        measured = Measured(add(_counts(batch) for batch in np.array_split(values, BATCHES)))
        ours = np.array([float(latency_middle(np.array(measured.cell_at(q)))) for q in QUANTILES])
        theirs = np.quantile(values, QUANTILES)
        out[name] = {f"p{100 * q:g}": round(float(e), 5) for q, e in zip(QUANTILES, np.abs(ours / theirs - 1), strict=True)}
    return {"rows": rows, "relative_error": out, "largest": max(max(errors.values()) for errors in out.values())}


def _counts(values: Floats) -> Counts:
    n = len(values)
    return of_rows(latency_cells(values), values, np.zeros(n, bool), np.zeros(n, np.int64), 1).of(0)


def served(folder: Path, per_second: int) -> tuple[Home, Monitor]:
    """Return a workspace with a model whose requests say how they were answered, and the day before as its reference."""
    for name in ("deployments/monitors", "inbox", "expectations", "warehouse/seeds"):
        (folder / name).mkdir(parents=True)
    said = {
        "model": "ranker",
        "task": "binary",
        "window": "hour",
        "events": {"files": "inbox/*.parquet"},
        "columns": {
            "id": "id",
            "time": "at",
            "score": "p",
            "version": "version",
            "latency": "ms",
            "status": "status",
            "queue_time": "queue_ms",
            "host": "host",
            "region": "region",
        },
        "reference": {"from": (START - timedelta(days=1)).date().isoformat(), "to": START.date().isoformat()},
    }
    (folder / "watchkeeper.yaml").write_text(json.dumps({"name": "service"}))
    (folder / "deployments/monitors/ranker.yaml").write_text(json.dumps(said))
    home, monitor = find_home(folder), Monitor.model_validate(said)
    pq.write_table(requests(START - timedelta(days=1), timedelta(days=1), max(24_000, per_second * 60), 0), folder / "inbox/reference.parquet")
    return home, monitor


def requests(begin: datetime, length: timedelta, rows: int, seed: int) -> pa.Table:
    """Return requests spread over a time: ten features, three regions, eight hosts."""
    rng = np.random.default_rng([seed, rows])
    region = rng.choice(list(_HOSTS), rows, p=[0.3, 0.6, 0.1])
    hosts = np.array([h for each in _HOSTS.values() for h in each])
    firsts = {"eu": (0, 3), "us": (3, 4), "asia": (7, 1)}
    first, many = (np.array([firsts[r][i] for r in _HOSTS])[np.searchsorted(sorted(_HOSTS), region)] for i in (0, 1))
    queue = rng.exponential(4.0, rows) * (rng.random(rows) < 0.3)
    at = [begin + share * length for share in np.sort(rng.random(rows)).tolist()]
    return pa.table(
        {
            "id": [f"{seed}-{i}" for i in range(rows)],
            "at": pa.array(at, pa.timestamp("us", "UTC")),
            "p": rng.random(rows),
            "version": np.full(rows, "7"),
            "ms": rng.lognormal(4, 0.6, rows) + queue,
            "queue_ms": queue,
            "status": np.where(rng.random(rows) < 0.003, rng.choice(["timeout", "503", "ValueError"], rows), "200"),
            "region": region,
            "host": hosts[first + rng.integers(0, 1 << 30, rows) % many],
            **{f"x{i}": rng.normal(size=rows) for i in range(8)},
            "c0": rng.choice([f"c{i}" for i in range(40)], rows),
            "c1": rng.choice(["a", "b", "c"], rows),
        }
    )


def throughput(minutes: int, per_second: int) -> dict[str, Any]:
    """Return what landing, profiling and measuring a minute's file takes, in seconds of wall and of processors."""
    with tempfile.TemporaryDirectory() as name:
        home, monitor = served(Path(name) / "home", per_second)
        now = START + MINUTE
        ingest(home, monitor, now=START)
        profile(home, monitor, now=START)
        measure(home, monitor, now=START)
        spent: list[dict[str, float]] = []
        for minute in range(minutes):
            file = home.root / f"inbox/minute-{minute:04d}.parquet"
            pq.write_table(requests(START + minute * MINUTE, MINUTE, per_second * 60, minute + 1), file)
            now = START + (minute + 1) * MINUTE + timedelta(seconds=1)
            spent.append(_minute(home, monitor, now))
        later = spent[1:] or spent  # the first one compiles, or loads what was compiled
        return {
            "rows_per_minute": per_second * 60,
            "minutes": minutes,
            "processors": os.cpu_count(),
            "load_before": round(os.getloadavg()[0], 1),
            **{name: round(float(np.median([s[name] for s in later])), 2) for name in later[0]},
            "worst_wall_s": round(max(s["wall_s"] for s in later), 2),
        }


def _minute(home: Home, monitor: Monitor, now: datetime) -> dict[str, float]:
    wall, processor = time.perf_counter(), time.process_time()
    steps: dict[str, Callable[[], Any]] = {
        "land_cpu_s": lambda: ingest(home, monitor, now=now),
        "profile_cpu_s": lambda: profile(home, monitor, now=now),
        "measure_cpu_s": lambda: [*measure(home, monitor, now=now), *_so_far(home, monitor, now)],
    }
    spent = {}
    for name, step in steps.items():
        before = time.process_time()
        step()
        spent[name] = time.process_time() - before
    return spent | {"cpu_s": time.process_time() - processor, "wall_s": time.perf_counter() - wall}


def _so_far(home: Home, monitor: Monitor, now: datetime) -> list[Any]:
    """Return the numbers of the hour that is not over, as far as it has come."""
    hour = monitor.grid.at(now)
    return list(rolled_up(home, monitor, monitor.grid, now=now, start=hour.start, end=hour.end))


def quiet(services: int, seed: int) -> dict[str, Any]:
    """Return how many hours with a page of the service family there are in services in which nothing is wrong, by the rules of before and by all."""
    found = {"before": 0, "now": 0}
    for service in range(services):
        monitor, table = quiet_scores(np.random.default_rng([seed, service]))
        windows = sorted(set(zip(table.column("window_start").to_pylist(), table.column("window_end").to_pylist(), strict=True)))
        charts = [c for c in charted(monitor, table, windows) if c.series.rule.family == "service" and c.series.rule.level == "page"]
        for name, some in (("before", [c for c in charts if c.series.rule.metric in _BEFORE]), ("now", charts)):
            alarmed = np.zeros(len(windows), bool)
            for _, mask in believed(monitor, some):
                alarmed |= mask.any(axis=0)
            found[name] += int(alarmed.sum())
    days = services * _QUIET_HOURS / 24
    return {
        "services": services,
        "days": days,
        **{f"hours_with_a_page_{k}": v for k, v in found.items()},
        **{f"pages_a_month_{k}": round(v / days * 30, 3) for k, v in found.items()},
        "accepted_a_month": 0.15,
    }


def quiet_scores(rng: np.random.Generator) -> tuple[Monitor, pa.Table]:
    """Return the scores of a service's hours: a daily season of traffic and latency, hosts that differ, latencies and errors that wander together."""
    monitor = Monitor.model_validate(
        {
            "model": "quiet",
            "task": "binary",
            "window": "hour",
            "events": {"files": "x"},
            "columns": {"id": "id", "time": "at", "score": "p", "latency": "ms", "status": "s", "host": "host", "region": "region"},
            "reference": {"from": START.date(), "to": (START + _REFERENCE_HOURS * HOUR).date()},
        }
    )
    hosts = [(region, host) for region, mine in _HOSTS.items() for host in mine]
    level, rate, weight = rng.normal(4, 0.4, len(hosts)), rng.gamma(2, 0.001, len(hosts)), rng.dirichlet(np.full(len(hosts), 3.0))
    drift = 0.0
    rows: list[dict[str, Any]] = []
    metrics = [m for m in catalogue.CATALOGUE if m.name in (*_BEFORE, "latency_over_p99", "timeout_ratio", "latency_to_rest", "errors_to_rest")]
    for hour in range(_REFERENCE_HOURS + _QUIET_HOURS):
        drift = 0.7 * drift + rng.normal(0, 0.02)
        busy = 1 + 0.5 * np.sin(2 * np.pi * (hour % 24) / 24)
        views = [_host_view(rng, rng.poisson(2500 * w * busy), m + drift + 0.05 * busy, r) for m, r, w in zip(level, rate, weight, strict=True)]
        at = {f"host={name}": view for (_, name), view in zip(hosts, views, strict=True)}
        at |= {f"region={region}": _together([v for (r, _), v in zip(hosts, views, strict=True) if r == region]) for region in _HOSTS}
        rows += _scored(metrics, _together(views), at, START + hour * HOUR)
    return monitor, pa.Table.from_pylist(rows, schema=_SCHEMA)


def _host_view(rng: np.random.Generator, n: int, level: float, rate: float) -> ServiceView:
    status = np.where(rng.random(n) < rate, rng.integers(1, len(CLASSES), n), 0)
    one, never = np.zeros(n, np.int64), np.zeros(n, bool)
    return ServiceView(n, latency=_counts(rng.lognormal(level, 0.5, n)), status=of_rows(status, None, never, one, 1).of(0), limits=_LIMITS)


def _together(views: Sequence[ServiceView]) -> ServiceView:
    return ServiceView(sum(v.rows for v in views), latency=add(v.latency for v in views), status=add(v.status for v in views), limits=_LIMITS)


def _scored(metrics: Sequence[catalogue.Metric], whole: ServiceView, at: Mapping[str, ServiceView], start: datetime) -> list[dict[str, Any]]:
    out = []
    for metric in metrics:
        for segment, view in at.items() if metric.subject == "place" else [("", whole)]:
            found = metric.function(view, whole) if metric.subject == "place" else metric.function(view)
            if view.rows >= metric.least and found.is_defined:
                about = {"metric": metric.name, "feature": "", "segment": segment, "direction": metric.direction, "grain": "hour", "reason": ""}
                numbers = {"value": found.value, "se": found.se, "low": found.low, "high": found.high, "n": found.n}
                out.append({**about, **numbers, "state": "done", "window_start": start, "window_end": start + HOUR})
    return out


_LIMITS = {LIMIT: latency_cell_below(150.0), TAIL: latency_cell_below(220.0)}
_TIME = pa.timestamp("us", "UTC")
_SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("metric", "feature", "segment", "direction", "grain", "reason", "state")]
    + [(name, pa.float64()) for name in ("value", "se", "low", "high", "bound_low", "bound_high", "coverage", "reference_value")]
    + [("n", pa.int64()), ("window_start", _TIME), ("window_end", _TIME)]
)
_PARTS = ("percentiles", "throughput", "quiet")


def main() -> None:
    """Print what was found, as text or as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=_PARTS, default=list(_PARTS))
    parser.add_argument("--rows", type=int, default=1_000_000, help="of latencies of each kind")
    parser.add_argument("--minutes", type=int, default=6)
    parser.add_argument("--per-second", type=int, default=2_000)
    parser.add_argument("--services", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    said = parser.parse_args()
    runs: dict[str, Callable[[], dict[str, Any]]] = {
        "percentiles": lambda: percentiles(said.rows, said.seed),
        "throughput": lambda: throughput(said.minutes, said.per_second),
        "quiet": lambda: quiet(said.services, said.seed),
    }
    found = {name: runs[name]() for name in said.parts}
    if said.json:
        print(json.dumps(found))
        return
    for name, values in found.items():
        print(name)
        for key, value in values.items():
            shown = "; ".join(f"{k}: {v}" for k, v in value.items()) if isinstance(value, dict) else value
            print(f"  {key}: {shown}")


if __name__ == "__main__":
    main()
