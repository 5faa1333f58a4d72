"""A model that answers all the time: hours of history, and then files of a few seconds' rows, in which a fault may begin.

Belongs here: rows and files, for tests and `python -m benchmarks.nearlive`. Does not: running the watch over them.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

FAULTS = ("slow", "failing", "missing", "unknown")
"""What can go wrong: latency, errors, missing values of a feature, a category never seen."""
_REGIONS = ["eu", "us", "asia"]
_KINDS = ["a", "b", "c", "d"]
_CHANNEL = "#parcels"


def live_monitor(model: str, now: datetime, *, days: int = 10, window: str = "hour", **more: Any) -> dict[str, Any]:
    """Return the monitor of a model whose reference are the `days` that end two days before `now`."""
    end = now.date() - timedelta(days=2)
    return {
        "model": model,
        "owner": _CHANNEL,
        "task": "regression",
        "window": window,
        "events": {"files": f"inbox/{model}-*.parquet"},
        "columns": {"id": "request", "time": "at", "score": "eta", "latency": "ms", "status": "status"},
        "reference": {"from": (end - timedelta(days=days)).isoformat(), "to": end.isoformat()},
        "segments": ["region"],
        **more,
    }


def live_rows(
    rng: np.random.Generator, start: datetime, end: datetime, rows: int, *, faults: Sequence[str] = (), since: datetime | None = None
) -> pa.Table:
    """Return rows evenly spread over [start, end); those from `since` on have the faults."""
    step = (end - start) / max(1, rows)
    at = np.datetime64(start.replace(tzinfo=None), "us") + (np.arange(rows) + rng.random(rows)) * np.timedelta64(
        step // timedelta(microseconds=1), "us"
    )
    bad = at >= np.datetime64((since or start).replace(tzinfo=None), "us") if faults else np.zeros(rows, bool)
    ms, status = np.exp(rng.normal(4.0, 0.5, rows)), np.where(rng.random(rows) < 0.003, 500, 200)
    weight, kind = rng.gamma(2.0, 3.0, rows), rng.integers(0, len(_KINDS), rows)
    ms = np.where(bad & ("slow" in faults), ms * 6, ms)
    status = np.where(bad & ("failing" in faults) & (rng.random(rows) < 0.4), 503, status)
    missing = bad & ("missing" in faults) & (rng.random(rows) < 0.7)
    kinds = np.where(bad & ("unknown" in faults) & (rng.random(rows) < 0.5), "zz", np.array(_KINDS)[kind])
    first = f"{start:%d%H%M%S%f}"
    return pa.table(
        {
            "request": [f"{first}-{i}" for i in range(rows)],
            "at": pa.array(at, pa.timestamp("us")).cast(pa.timestamp("us", "UTC")),
            "eta": 20 + 3 * weight + rng.normal(0, 4, rows),
            "weight": pa.array(weight, mask=missing),
            "distance": rng.gamma(3.0, 2.0, rows),
            "kind": kinds.tolist(),
            "region": np.array(_REGIONS)[rng.integers(0, len(_REGIONS), rows)].tolist(),
            "ms": ms,
            "status": status,
        }
    )


def last_seconds() -> tuple[datetime, datetime]:
    """Return a span of up to 20 s that ends now, within one hour: of one that spans two, the rows of the first may be too few to look at."""
    end = datetime.now(UTC)
    return max(end - timedelta(seconds=20), end.replace(minute=0, second=0, microsecond=0)), end


def write_file(root: Path, model: str, start: datetime, table: pa.Table) -> Path:
    """Write rows into the inbox, under their name only when they are whole."""
    path = root / "inbox" / f"{model}-{start:%Y%m%dT%H%M%S%f}.parquet"
    pq.write_table(table, path.with_suffix(".part"))
    return path.with_suffix(".part").replace(path)


def live_history(root: Path, model: str, now: datetime, *, days: int = 10, rows_an_hour: int = 1200, seed: int = 0) -> None:
    """Write the days of the reference and those since, up to `now`, one file a day."""
    rng = np.random.default_rng(seed)
    day = datetime.combine(now.date() - timedelta(days=days + 2), datetime.min.time(), UTC)
    while day < now:
        end = min(day + timedelta(days=1), now)
        write_file(root, model, day, live_rows(rng, day, end, max(1, round(rows_an_hour * (end - day) / timedelta(hours=1)))))
        day += timedelta(days=1)


def live_workspace(root: Path, models: Sequence[str], now: datetime, *, days: int = 10, rows_an_hour: int = 1200, window: str = "hour") -> None:
    """Make a workspace of some such models with their history in the inbox."""
    for folder in ("deployments/monitors", "inbox", "expectations"):
        (root / folder).mkdir(parents=True)
    (root / "watchkeeper.yaml").write_text(json.dumps({"name": "live", "timezone": "UTC"}))
    for seed, model in enumerate(models):
        (root / "deployments" / "monitors" / f"{model}.yaml").write_text(json.dumps(live_monitor(model, now, days=days, window=window)))
        live_history(root, model, now, days=days, rows_an_hour=rows_an_hour, seed=seed)
