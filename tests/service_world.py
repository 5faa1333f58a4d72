"""A served model whose requests carry how they were answered: latency, status, queue, tokens, region and host.

Belongs here: seeded hours of such requests, and planting what goes wrong. Does not: expectations.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

BEGIN = datetime(2025, 1, 6, tzinfo=UTC)
HOUR = timedelta(hours=1)
REFERENCE_DAYS, DAYS = 10, 12
PLACES = {"eu-west": ("eu-1", "eu-2"), "us-east": ("us-1", "us-2", "us-3"), "asia": ("as-1",)}
_SHARES = {"eu-west": 0.3, "us-east": 0.6, "asia": 0.1}
_BASE_MS = {"eu-west": 80.0, "us-east": 50.0, "asia": 140.0}
SERVED: dict[str, Any] = {
    "model": "ranker",
    "owner": "#search",
    "task": "binary",
    "window": "hour",
    "events": {"files": "inbox/ranker-*.parquet"},
    "columns": {
        "id": "id",
        "time": "at",
        "score": "p",
        "latency": "ms",
        "status": "status",
        "queue_time": "queue_ms",
        "input_tokens": "tokens_in",
        "output_tokens": "tokens_out",
        "host": "host",
        "region": "region",
    },
    "features": ["length"],
    "reference": {"from": BEGIN.date().isoformat(), "to": (BEGIN + timedelta(days=REFERENCE_DAYS)).date().isoformat()},
}

FEW_DAYS = 4
FEW: dict[str, Any] = SERVED | {"reference": {"from": BEGIN.date().isoformat(), "to": (BEGIN + timedelta(days=FEW_DAYS - 1)).date().isoformat()}}
"""The same with a reference of three days, of which nothing is looked for in rows."""

Plant = Callable[[pd.DataFrame, np.random.Generator], None]


def requests(hour: int, *, rows: int = 400, seed: int = 0) -> pd.DataFrame:
    """Return the requests of one hour: fewer at night, slower at noon."""
    rng = np.random.default_rng([seed, hour])
    busy = 1 + 0.4 * np.sin(2 * np.pi * (hour % 24) / 24)
    n = rng.poisson(rows * busy)
    region = rng.choice(list(_SHARES), n, p=list(_SHARES.values()))
    which = rng.integers(0, [len(PLACES[r]) for r in region])
    host = np.array([PLACES[r][i] for r, i in zip(region, which, strict=True)], object)
    queue = rng.exponential(4.0 * busy, n) * (rng.random(n) < 0.3)
    base = np.array([_BASE_MS[r] for r in region]) * (1 + 0.1 * (busy - 1))
    status = np.where(rng.random(n) < 0.004, rng.choice(["timeout", "503", "ValueError", "404"], n), "ok")
    moments = pd.Timestamp(BEGIN + hour * HOUR) + pd.to_timedelta(np.sort(rng.random(n)) * 3600, unit="s")
    return pd.DataFrame(
        {
            "id": [f"{seed}-{hour}-{i}" for i in range(n)],
            "at": moments.round("us"),
            "p": rng.random(n),
            "length": rng.normal(100, 10, n),
            "ms": rng.lognormal(np.log(base), 0.35) + queue,
            "queue_ms": queue,
            "tokens_in": rng.integers(20, 400, n),
            "tokens_out": rng.integers(0, 200, n),
            "status": status,
            "host": host,
            "region": region,
        }
    )


def hours_of(root: Path, hours: range, *, plant: Plant | None = None, during: range = range(0), rows: int = 400, seed: int = 0) -> None:
    """Write hours of requests as one file a day; in the hours `during` the plant changes them."""
    for day in sorted({h // 24 for h in hours}):
        found = []
        for hour in (h for h in hours if h // 24 == day):
            table = requests(hour, rows=rows, seed=seed)
            if plant is not None and hour in during:
                plant(table, np.random.default_rng([seed, hour, 1]))
            found.append(table)
        pd.concat(found).to_parquet(root / "inbox" / f"ranker-{(BEGIN + timedelta(days=day)).date()}-{hours.start}.parquet", index=False)


def slower(where: dict[str, str], factor: float) -> Plant:
    """Return what makes the requests of a place slower."""

    def plant(rows: pd.DataFrame, rng: np.random.Generator) -> None:
        mine = np.ones(len(rows), bool)
        for column, value in where.items():
            mine &= (rows[column] == value).to_numpy()
        rows.loc[mine, "ms"] *= factor

    return plant


def failing(where: dict[str, str], share: float, status: str) -> Plant:
    """Return what makes a share of the requests of a place fail."""

    def plant(rows: pd.DataFrame, rng: np.random.Generator) -> None:
        mine = rng.random(len(rows)) < share
        for column, value in where.items():
            mine &= (rows[column] == value).to_numpy()
        rows.loc[mine, "status"] = status

    return plant
