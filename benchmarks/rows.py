"""Rows to measure on: made by seed, 20 numeric and 10 text features, 2 % nulls, two segment columns, times nearly in order.

Belongs here: what the benchmarks read. Does not: what is measured (profile.py).
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

NUMERIC = [f"n{i:02d}" for i in range(20)]
TEXT = [f"s{i:02d}" for i in range(10)]
SEGMENTS = {"region": 5, "client": 16}
START = datetime(2025, 1, 1, tzinfo=UTC)
DAYS = 30
ROW_GROUP = 122_880
_CATEGORIES = (3, 5, 8, 12, 20, 30, 50, 80, 120, 200)
_STEP = 1_000_000
_NULLS = 0.02


def numbers(place: int, rows: int, rng: np.random.Generator) -> np.ndarray:
    """One of five shapes: normal, log-normal, half zeros, small whole numbers, two decimals."""
    shapes = (
        lambda: rng.normal(size=rows),
        lambda: rng.lognormal(size=rows),
        lambda: np.where(rng.random(rows) < 0.5, 0.0, rng.gamma(2.0, size=rows)),
        lambda: rng.poisson(4, rows),
        lambda: np.round(rng.normal(50, 20, rows), 2),
    )
    return shapes[place % len(shapes)]()


def _texts(count: int, rows: int, rng: np.random.Generator) -> pa.Array:
    names = pa.array([f"v{i:03d}" for i in range(count)])
    return names.take(pa.array(rng.integers(0, count, rows), mask=rng.random(rows) < _NULLS))


def tables(rows: int, *, seed: int, numeric: list[str] = NUMERIC, text: list[str] = TEXT) -> Iterator[pa.Table]:
    """Yield the rows, a million or fewer at a time."""
    rng = np.random.default_rng(seed)
    begin, month_us = int(START.timestamp()) * 1_000_000, DAYS * 86_400 * 1_000_000
    for first in range(0, rows, _STEP):
        n = min(_STEP, rows - first)
        moments = begin + np.sort(rng.integers(first * month_us // rows, (first + n) * month_us // rows, n))
        columns = {"ts": pa.array(moments + rng.integers(-60_000_000, 60_000_000, n), pa.timestamp("us", "UTC"))}
        columns |= {name: pa.array(numbers(i, n, rng), mask=rng.random(n) < _NULLS) for i, name in enumerate(numeric)}
        columns |= {name: _texts(_CATEGORIES[i % len(_CATEGORIES)], n, rng) for i, name in enumerate(text)}
        columns |= {name: pa.array([f"{name}{i}" for i in range(k)]).take(pa.array(rng.integers(0, k, n))) for name, k in SEGMENTS.items()}
        yield pa.table(columns)


def write(path: Path, rows: int, *, seed: int, numeric: list[str] = NUMERIC, text: list[str] = TEXT) -> Path:
    """Write the rows as Parquet (snappy, row groups of 122,880 rows) unless the file is there already."""
    if path.exists():
        return path
    aside = path.with_suffix(".part")
    writer = None
    for table in tables(rows, seed=seed, numeric=numeric, text=text):
        writer = writer or pq.ParquetWriter(aside, table.schema, compression="snappy")
        writer.write_table(table, row_group_size=ROW_GROUP)
    assert writer is not None
    writer.close()
    return aside.rename(path)
