"""What is compared: each engine answers on a file, ungrouped or by hour and segment, and is timed where it runs.

Belongs here: the floor (DuckDB's own aggregates) and our scan, in a worker process that stays warm. Does not: the rows
(rows.py), the table of results (profile.py), other tools (peers.py).

    python -m benchmarks.engines ours FILE     # then one line a run on standard input: ungrouped, grouped or decode
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads
import pyarrow.parquet as pq

from watchkeeper.adapters.row_groups import row_groups_of
from watchkeeper.measures import drift
from watchkeeper.measures.views import FeatureView
from watchkeeper.profiles.bins import FeatureBins, fit_category, fit_numeric
from watchkeeper.profiles.groups import Grouping
from watchkeeper.profiles.parts import FEATURE, Origin, gathered, key_columns, part_rows, whole_rows
from watchkeeper.profiles.scan import Numbers, Quantity, Scan, of_category
from watchkeeper.windows import Grid

SEGMENT = "region"
_FITTED_ON = 200_000


def columns_of(path: Path) -> tuple[list[str], list[str]]:
    """Return the numeric and the text features of a file."""
    names = pq.read_schema(path).names
    return [n for n in names if n.startswith("n")], [n for n in names if n.startswith("s")]


def fitted(path: Path) -> dict[str, FeatureBins]:
    """Fit bins to the first rows of a file, a column at a time."""
    numeric, text = columns_of(path)
    file, out = pq.ParquetFile(path), {}
    groups = range(min(file.num_row_groups, -(-_FITTED_ON // file.metadata.row_group(0).num_rows)))
    for name in numeric:
        column = file.read_row_groups(groups, columns=[name]).column(0)
        out[name] = fit_numeric(name, np.asarray(column.drop_null().combine_chunks(), float))
    for name in text:
        tally = file.read_row_groups(groups, columns=[name]).column(0).drop_null().value_counts()
        out[name] = fit_category(name, {v["values"].as_py(): v["counts"].as_py() for v in tally})
    return out


def floor(path: Path) -> Callable[[str], int]:
    """Return DuckDB's own count, minimum, maximum and sum of the same columns, grouped alike."""
    import duckdb

    numeric, text = columns_of(path)
    asked = [f"count({c}), min({c}), max({c}), sum({c})" for c in numeric] + [f"count({c})" for c in text]

    def run(mode: str) -> int:
        by = f"date_trunc('hour', ts), {SEGMENT}, " if mode == "grouped" else ""
        connection = duckdb.connect(config={"threads": 2})
        rows = connection.execute(f"SELECT {by}{', '.join(asked)} FROM read_parquet(?) {'GROUP BY ALL' if by else ''}", [str(path)]).fetchall()
        return len(rows)

    return run


def ours(path: Path) -> Callable[[str], int]:
    """Return the shipped scan, from row groups to the rows of the table of parts."""
    bins = fitted(path)

    def run(mode: str) -> int:
        if mode == "decode":
            return sum(len(piece.column(name)) for piece in row_groups_of(pads.dataset(path), pc.scalar(True), list(bins)) for name in bins)
        return int(parts_of(path, bins, mode).num_rows)

    return run


def parts_of(path: Path, bins: dict[str, FeatureBins], mode: str) -> pa.Table:
    """Scan a file into the rows of the table of parts."""
    grouping = Grouping(
        Grid("hour" if mode == "grouped" else "month", "UTC"),
        {"time": "ts"},
        {"batch": "b", "version": "", "environment": "production"},
        [SEGMENT] if mode == "grouped" else [],
    )
    quantities: list[Quantity] = [of_category(name, b) if b.kind == "category" else Numbers(name, b) for name, b in bins.items()]
    scan = Scan(quantities)
    for piece in row_groups_of(pads.dataset(path), pc.scalar(True), list(bins)):
        scan.add(piece, grouping.number(piece), grouping.dimensions)
    keys = [key_columns(d.keys) for d in grouping.dimensions]
    parts = (part_rows(c, keys[d], kind=FEATURE, feature=quantities[q].column) for q, d, c in scan.counted(grouping.dimensions))
    return whole_rows(parts, Origin("benchmark", "bins", "hour", 1, datetime(2025, 2, 1, tzinfo=UTC)))


def drift_of(reference: Path, window: Path) -> None:
    """Print what drift of every feature costs once the reference is profiled: scan the window, then arithmetic on counts."""
    bins = fitted(reference)
    usual = gathered(parts_of(reference, bins, "ungrouped"), ("feature",))
    begun = time.process_time()
    ours = gathered(parts_of(window, bins, "ungrouped"), ("feature",))
    scanned = time.process_time()
    for name, counts in ours.items():
        views = (FeatureView(bins[name[0]], side) for side in (usual[name], counts))
        drift.psi(*views)
        drift.jensen_shannon(FeatureView(bins[name[0]], usual[name]), FeatureView(bins[name[0]], counts))
    ended = time.process_time()
    cold = {"read_cpu_s": scanned - begun, "work_cpu_s": ended - scanned, "process_cpu_s": _cold(window)}
    print("FIGURES", json.dumps(cold))


def _cold(window: Path) -> float:
    """Return the CPU seconds of a whole process that loads everything and scans the window, its bins at hand."""
    before = os.times()
    subprocess.run(
        [sys.executable, "-m", "benchmarks.engines", "ours", str(window)], input="ungrouped\n", text=True, check=True, stdout=subprocess.DEVNULL
    )
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


ENGINES = {"floor": floor, "ours": ours}


def _peak_mb() -> float:
    """Return the most memory this process held; the kernel's own figure of a child would start from its parent's."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().split("VmHWM:")[1].split()[0]) / 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def serve(engine: str, path: Path) -> None:
    """Answer each line of standard input (a mode) with what the run cost."""
    run = ENGINES[engine](path)
    for line in sys.stdin:
        cpu, wall = time.process_time(), time.perf_counter()
        rows = run(line.strip())
        spent = {"cpu_s": time.process_time() - cpu, "wall_s": time.perf_counter() - wall, "rows": rows}
        print(json.dumps(spent | {"peak_mb": _peak_mb()}), flush=True)


if __name__ == "__main__":
    serve(sys.argv[1], Path(sys.argv[2]))
