"""Does a year make a day dearer: what profiling and measuring one more day costs on day 10 and on day 360, and what asking costs.

Belongs here: a year of days landed one by one, timed. Does not: landing's own cost (its checks are Great Expectations').

    python -m benchmarks.growth --days 360 --rows 1000
"""

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pyarrow as pa

from watchkeeper.adapters.workspace import Home
from watchkeeper.monitor import Monitor
from watchkeeper.operations.listing import Wanted, listed_scores
from watchkeeper.operations.measure import measure
from watchkeeper.operations.profile import profile
from watchkeeper.operations.watch import tidy
from watchkeeper.records import Batch

START, DAY = datetime(2024, 1, 1, tzinfo=UTC), timedelta(days=1)
AROUND = 5
FEATURES = [f"x{i:02d}" for i in range(10)]


def monitor() -> Monitor:
    """Return a binary model with ten features and one segment column."""
    return Monitor.model_validate(
        {
            "model": "grown",
            "task": "binary",
            "events": {"files": "inbox/*"},
            "labels": {"files": "labels/*", "join": "id", "column": "y", "mature_after": "1d"},
            "columns": {"id": "id", "time": "at", "score": "p"},
            "reference": {"from": START.date(), "to": (START + 28 * DAY).date()},
            "segments": ["region"],
        }
    )


def land(home: Home, model: str, day: int, rows: int, rng: np.random.Generator) -> None:
    """Put one day's events and labels into the lake as intake leaves them."""
    now = START + (day + 1) * DAY
    at = pa.array(START + day * DAY + np.sort(rng.integers(0, 86_400, rows)).astype("timedelta64[s]").astype(object), pa.timestamp("us", "UTC"))
    ids, p = [f"{day}-{i}" for i in range(rows)], rng.random(rows)
    landing = {"wk_batch": [f"e{day}"] * rows, "wk_row": np.arange(rows), "wk_landed_at": pa.array([now] * rows, pa.timestamp("us", "UTC"))}
    features = {name: rng.normal(size=rows) for name in FEATURES} | {"region": [f"r{i}" for i in rng.integers(0, 5, rows)]}
    home.lake.append(f"events/{model}", pa.table({"id": ids, "at": at, "p": p, **features, **landing, "wk_time": at}))
    labels = {"id": ids, "label": [str(int(v)) for v in rng.random(rows) < p], "labelled_at": landing["wk_landed_at"]}
    home.lake.append(f"labels/{model}", pa.table({**labels, **landing, "wk_batch": [f"l{day}"] * rows}))
    batches = [
        Batch(
            batch_id=f"{source[0]}{day}", model=model, source=source, name=str(day), status="landed", rows_read=rows, rows_landed=rows, landed_at=now
        )
        for source in ("events", "labels")
    ]
    home.lake.append_records(Batch, batches)


def cpu(what: Callable[[], Any]) -> float:
    """Return the CPU seconds that something takes."""
    begun = time.process_time()
    what()
    return time.process_time() - begun


def day_of(home: Home, model: Monitor, day: int, rows: int, rng: np.random.Generator) -> float:
    """Land one day and return the CPU seconds of bringing it up to date."""
    land(home, model.model, day, rows, rng)
    now = START + (day + 1) * DAY

    def up_to_date() -> None:
        profile(home, model, now=now)
        measure(home, model, now=now)
        tidy(home)

    return cpu(up_to_date)


def grown(days: int, rows: int) -> dict[str, Any]:
    """Return the CPU seconds of days around the tenth after the reference and of the last ones, and of questions at the end.

    The lake as it was early is kept, and its days are run in turn with the last ones: a processor's speed changes within minutes.
    """
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as kept:
        home, model, rng, first = Home(Path(folder)), monitor(), np.random.default_rng(0), 28 + 10 - AROUND
        last = max(days - 2 * AROUND, first)
        for day in range(first):
            day_of(home, model, day, rows, rng)
        shutil.copytree(folder, kept, dirs_exist_ok=True)
        for day in range(first, last):
            day_of(home, model, day, rows, rng)
        before = Home(Path(kept))
        spent = [(day_of(before, model, first + i, rows, rng), day_of(home, model, last + i, rows, rng)) for i in range(2 * AROUND)]
        end = START + (last + 2 * AROUND) * DAY
        month = Wanted(metrics=frozenset({"psi"}), feature="x03", start=end - 30 * DAY, end=end)
        quarter = Wanted(metrics=frozenset({"log_loss"}), segment="region=r2", start=end - 90 * DAY, end=end, grain="week")
        ask = {"feature_month_cpu_s": month, "segment_quarter_cpu_s": quarter}
        asked = {name: min(cpu(partial(listed_scores, home, model, wanted, now=end)) for _ in range(3)) for name, wanted in ask.items()}
    early, late = (median(part) for part in zip(*spent, strict=True))
    return {"days": days, "rows_a_day": rows, "day_10_cpu_s": early, "last_day_cpu_s": late, "ratio": late / early} | asked


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=360, help="days that land one by one (default: 360)")
    parser.add_argument("--rows", type=int, default=1000, help="rows a day (default: 1000)")
    given = parser.parse_args()
    print(json.dumps({k: round(v, 4) if isinstance(v, float) else v for k, v in grown(given.days, given.rows).items()}, indent=2))


if __name__ == "__main__":
    main()
