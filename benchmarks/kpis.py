"""What a month of daily KPIs of a million rows costs beside DuckDB's own aggregates of the columns they are made of.

Belongs here: a month of landed rows, runs in turn, the table. Does not: landing (its checks are Great Expectations').

    python -m benchmarks.kpis
    python -m benchmarks.kpis --rows 200000 --runs 3 --json

The floor counts, and takes the least, the greatest and where there is one the sum, of the id, time, score, decision and segment of every
prediction and of the id, label and time of every label, by day and segment. It joins nothing and ranks nothing, which every way to a KPI
has to: so does the second one, DuckDB's own answer in SQL to the confusion, the log loss, the Brier score and the ROC AUC of each day and
segment, by the last label of each prediction, without intervals, estimates or what comes late. Ours joins labels to predictions, counts
them into label profiles, by day and by day and segment, and measures every KPI that is stored, of the whole and of each segment.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from watchkeeper.adapters.workspace import Home
from watchkeeper.measures.catalogue import CATALOGUE
from watchkeeper.monitor import Monitor
from watchkeeper.operations.bins_in_force import Fitted, bins_of
from watchkeeper.operations.pieces import LabelsPiece, labels_pieces
from watchkeeper.operations.profile import profile, with_labels
from watchkeeper.operations.rollup import rolled_up
from watchkeeper.records import Batch
from watchkeeper.windows import Grid

START, DAY, DAYS, REFERENCE = datetime(2025, 1, 1, tzinfo=UTC), timedelta(days=1), 30, 10
NOW = START + (REFERENCE + DAYS + 2) * DAY
KPIS = {m.name for m in CATALOGUE if m.subject == "binary" and m.stored}


def monitor() -> Monitor:
    """Return a binary model without features, whose rows have one segment column of twenty values."""
    return Monitor.model_validate(
        {
            "model": "asked",
            "task": "binary",
            "events": {"files": "inbox/*"},
            "labels": {"files": "labels/*", "join": "id", "column": "y", "mature_after": "1d"},
            "columns": {"id": "id", "time": "at", "score": "p", "prediction": "said"},
            "reference": {"from": START.date(), "to": (START + REFERENCE * DAY).date()},
            "features": [],
            "segments": ["region"],
        }
    )


def land(home: Home, model: str, day: int, rows: int) -> None:
    """Put a day's events and labels into the lake as intake leaves them."""
    rng, now = np.random.default_rng(day), START + (day + 1) * DAY
    at = pa.array(START + day * DAY + np.sort(rng.integers(0, 86_400, rows)).astype("timedelta64[s]").astype(object), pa.timestamp("us", "UTC"))
    ids, p = [f"{day:02d}-{i:08d}" for i in range(rows)], rng.beta(1, 3, rows)
    landing = {"wk_batch": [f"e{day}"] * rows, "wk_row": np.arange(rows), "wk_landed_at": pa.array([now] * rows, pa.timestamp("us", "UTC"))}
    events = {"id": ids, "at": at, "p": p, "said": p > 0.4, "region": [f"r{i}" for i in rng.integers(0, 20, rows)]}
    home.lake.append(f"events/{model}", pa.table({**events, **landing, "wk_time": at}))
    labels = {"id": ids, "label": [str(int(v)) for v in rng.random(rows) < p], "labelled_at": landing["wk_landed_at"]}
    home.lake.append(f"labels/{model}", pa.table({**labels, **landing, "wk_batch": [f"l{day}"] * rows}))
    both = [("events", f"e{day}"), ("labels", f"l{day}")]
    home.lake.append_records(
        Batch, [Batch(batch_id=b, model=model, source=s, name=b, status="landed", rows_read=rows, rows_landed=rows, landed_at=now) for s, b in both]
    )


def floor(home: Home, model: str) -> int:
    """Run DuckDB's own aggregates of the columns that KPIs are made of."""
    connection = duckdb.connect(config={"threads": 2})
    files = {source: [str(home.root / "warehouse/lake" / source / model / "**/*.parquet")] for source in ("events", "labels")}
    ends = ", ".join(f"count({c}), min({c}), max({c})" for c in ("id", '"at"', "p", "said"))
    events = f'SELECT date_trunc(\'day\', "at"), region, {ends}, sum(p) FROM read_parquet(?) WHERE "at" >= ? GROUP BY ALL'
    labels = "SELECT label, " + ", ".join(f"count({c}), min({c}), max({c})" for c in ("id", "labelled_at")) + " FROM read_parquet(?) GROUP BY ALL"
    begin = START + REFERENCE * DAY
    return len(connection.execute(events, [files["events"], begin]).fetchall()) + len(connection.execute(labels, [files["labels"]]).fetchall())


_LABELLED = """
    SELECT date_trunc('day', e."at") AS day, e.region, l.label = '1' AS truth, e.said, e.p
    FROM read_parquet(?) AS e JOIN (SELECT id, max_by(label, labelled_at) AS label FROM read_parquet(?) GROUP BY id) AS l USING (id)
    WHERE e."at" >= ?
"""
_COUNTED = f"""
    SELECT day, region, truth, said, count(*), sum((p - truth::INT) ** 2), -sum(ln(greatest(1e-15, if(truth, p, 1 - p))))
    FROM ({_LABELLED}) GROUP BY ALL
"""
_RANKED = f"""
    SELECT day, region, count(*) FILTER (truth) AS positives, count(*) FILTER (NOT truth) AS negatives, sum(place) FILTER (truth) AS places
    FROM (SELECT day, region, truth, rank() OVER (PARTITION BY day, region ORDER BY p) AS place FROM ({_LABELLED})) GROUP BY ALL
"""


def asked_in_sql(home: Home, model: str) -> int:
    """Have DuckDB join the month's labels and answer some KPIs of each day and segment by itself."""
    connection = duckdb.connect(config={"threads": 2})
    events, labels = ([str(home.root / "warehouse/lake" / source / model / "**/*.parquet")] for source in ("events", "labels"))
    given = [events, labels, START + REFERENCE * DAY]
    return sum(len(connection.execute(query, given).fetchall()) for query in (_COUNTED, _RANKED))


def joined(home: Home, model: Monitor, found: Fitted) -> int:
    """Join the month's labels to its predictions and count them into label profiles."""
    grid = Grid("day", "UTC")
    rows = {grid.at(START + (REFERENCE + d) * DAY): 0 for d in range(DAYS)}
    pieces: list[LabelsPiece] = labels_pieces(home, model, found, rows, START, NOW)
    return sum(table.num_rows for table in map(with_labels, pieces) if table is not None)


def measured(home: Home, model: Monitor) -> int:
    """Measure the month's KPIs from label profiles."""
    start = START + REFERENCE * DAY
    return sum(1 for _ in rolled_up(home, model, model.grid, now=NOW, metrics=KPIS, start=start, end=start + DAYS * DAY))


def cpu(what: Callable[[], Any]) -> float:
    """Return the CPU seconds that something takes."""
    begun = time.process_time()
    what()
    return time.process_time() - begun


def compared(rows: int, runs: int) -> dict[str, Any]:
    """Return medians of runs in turn: CPU seconds of each, and the ratios to the floor."""
    with tempfile.TemporaryDirectory() as folder:
        home, model = Home(Path(folder)), monitor()
        for day in range(REFERENCE + DAYS):
            land(home, model.model, day, rows // DAYS)
        profile(home, model, now=NOW)
        found = bins_of(home, model, now=NOW)
        if found is None:
            message = "the benchmark's own rows have no bins"
            raise RuntimeError(message)
        ways: dict[str, Callable[[], int]] = {
            "floor": lambda: floor(home, model.model),
            "asked in SQL": lambda: asked_in_sql(home, model.model),
            "joined and counted": lambda: joined(home, model, found),
            "measured from profiles": lambda: measured(home, model),
        }
        numbers = {name: way() for name, way in ways.items()}  # the first run loads code and warms the disk's cache
        spent: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(runs):
            for name, way in ways.items():
                spent[name].append(cpu(way))
    told = {name: median(times) for name, times in spent.items()}
    whole = told["joined and counted"] + told["measured from profiles"]
    ratios = {"all": whole / told["floor"], **{name: told[name] / told["floor"] for name in ways if name != "floor"}}
    asked = whole / told["asked in SQL"]
    return {"rows": rows, "runs": runs, "scores": numbers["measured from profiles"], "cpu_s": told, "ratio_to_floor": ratios, "ratio_to_sql": asked}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the month (default: 1000000)")
    parser.add_argument("--runs", type=int, default=5, help="runs of each in turn (default: 5)")
    parser.add_argument("--json", action="store_true", help="print JSON alone")
    given = parser.parse_args()
    found = compared(given.rows, given.runs)
    if given.json:
        print(json.dumps(found, indent=2))
        return
    print(f"{found['rows']:,} rows in {DAYS} days, 20 segments, {found['scores']:,} scores; medians of {found['runs']} runs in turn")
    for name, seconds in found["cpu_s"].items():
        print(f"{name:24} {seconds:7.2f} CPU s" + (f"  {found['ratio_to_floor'][name]:5.2f} x the floor" if name != "floor" else ""))
    print(f"{'all of ours':24} {'':13}  {found['ratio_to_floor']['all']:5.2f} x the floor, {found['ratio_to_sql']:.2f} x what was asked in SQL")


if __name__ == "__main__":
    main()
