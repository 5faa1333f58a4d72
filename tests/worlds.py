"""Seeded worlds with planted faults: panels of scores for the judgement, and days of parcels for the whole chain.

Belongs here: what the world is and where it goes wrong. Does not: workspaces (conftest.py), records of incidents
(incident_world.py).
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from conftest import PARCELS, parcels_world
from watchkeeper.adapters.arrow_records import TIMESTAMP
from watchkeeper.judgement.charts import charted
from watchkeeper.judgement.signals import signals
from watchkeeper.measures import catalogue
from watchkeeper.monitor import Monitor
from watchkeeper.records import Signal

DAY = timedelta(days=1)
START = datetime(2025, 1, 6, tzinfo=UTC)
"""A Monday."""

Floats = NDArray[np.float64]


def watched(reference_days: int = 60, **changes: Any) -> Monitor:
    """Return the parcels monitor with a reference of so many days from START on."""
    end = (START + reference_days * DAY).date()
    return Monitor.model_validate({**PARCELS, "reference": {"from": START.date(), "to": end}, **changes})


def noise(seed: int, days: int, *, sd: float = 0.05, series: int = 1) -> Floats:
    """Return independent values around zero, one row a series."""
    return np.random.default_rng(seed).normal(0.0, sd, (series, days))


def weekly(seed: int, days: int, *, sd: float = 0.05, series: int = 1, depth: float = 0.15) -> Floats:
    """Return values that differ by weekday: weekends lie `depth` higher."""
    weekend = np.array([(START + d * DAY).weekday() >= 5 for d in range(days)])
    return noise(seed, days, sd=sd, series=series) + depth * weekend


def wandering(seed: int, days: int, *, sd: float = 0.05, series: int = 1, memory: float = 0.5) -> Floats:
    """Return values that remember the day before (AR(1)), on top of sampling noise half as large."""
    rng = np.random.default_rng(seed)
    state, out = rng.normal(0.0, sd, series), np.empty((series, days))
    for d in range(days):
        state = memory * state + rng.normal(0.0, sd * np.sqrt(1 - memory**2), series)
        out[:, d] = state
    return out + rng.normal(0.0, sd / 2, (series, days))


def scores(
    values: Floats,
    *,
    se: float = 0.05,
    metric: str = "calibration_gap",
    names: Sequence[tuple[str, str]] = (("", ""),),
    n: int = 400,
    provisional: Mapping[int, tuple[float | None, float | None]] | None = None,
    grain: str = "day",
    length: timedelta = DAY,
) -> pa.Table:
    """Return rows as in judged_scores.sql, one a series and day; a NaN is a score without a number.

    `provisional` maps days to the bounds their missing labels leave.
    """
    waiting = provisional or {}
    found = catalogue.find(metric)
    rows = [
        {
            "metric": metric,
            "feature": feature,
            "segment": segment,
            "direction": found.direction if found else "closer_to_zero",
            "window_start": START + d * length,
            "window_end": START + (d + 1) * length,
            "value": None if np.isnan(value) else float(value),
            "se": None if np.isnan(value) else se,
            "low": None if np.isnan(value) else float(value) - 1.96 * se,
            "high": None if np.isnan(value) else float(value) + 1.96 * se,
            "bound_low": waiting.get(d, (None, None))[0],
            "bound_high": waiting.get(d, (None, None))[1],
            "n": n,
            "state": "provisional" if d in waiting else "insufficient" if np.isnan(value) else "mature",
            "coverage": 1.0,
            "reference_value": 0.0,
            "reason": "",
            "grain": grain,
        }
        for (feature, segment), series in zip(names, values, strict=True)
        for d, value in enumerate(series)
    ]
    return pa.Table.from_pylist(rows, schema=_SCHEMA)


_SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("metric", "feature", "segment", "direction", "state", "grain", "reason")]
    + [(name, TIMESTAMP) for name in ("window_start", "window_end")]
    + [(name, pa.float64()) for name in ("value", "se", "low", "high", "bound_low", "bound_high", "coverage", "reference_value")]
    + [("n", pa.int64())]
)


def judged(monitor: Monitor, table: pa.Table) -> list[Signal]:
    """Return the signals in such scores."""
    windows = sorted(set(zip(table.column("window_start").to_pylist(), table.column("window_end").to_pylist(), strict=True)))
    return signals(monitor, "production", charted(monitor, table, windows), table, windows[-1][1])


def day_of(signal: Signal) -> int:
    """Return the number of a signal's window, counted from START."""
    return (signal.window_start - START) // DAY


Change = Callable[[pa.Table, pa.Table], tuple[pa.Table, pa.Table]]


def parcels_days(
    root: Path,
    first: date,
    days: int,
    *,
    rows: int = 200,
    late: Mapping[int, float] | None = None,
    seed: int = 0,
    change: Mapping[int, Change] | None = None,
) -> None:
    """Write days of parcels into an inbox; `late` is the true share on some days, `change` rewrites a day's two tables."""
    for d in range(days):
        day = datetime(first.year, first.month, first.day, tzinfo=UTC) + d * DAY
        events, labels = parcels_world(day, rows=rows, late=(late or {}).get(d, 0.2), seed=seed)
        if change and d in change:
            events, labels = change[d](events, labels)
        pq.write_table(events, root / "inbox" / f"parcels-{day.date()}.parquet")
        pq.write_table(labels, root / "inbox" / f"delivered-{day.date()}.parquet")
