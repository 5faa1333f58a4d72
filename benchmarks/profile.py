"""What a scan costs beside DuckDB's own aggregates of the same columns, and beside other tools.

Belongs here: runs in turn, medians, the table. Does not: the engines (engines.py), the tools (peers.py), the rows (rows.py).

    python -m benchmarks.profile --rows 1000000 --rows 10000000 --runs 5
    python -m benchmarks.profile --rows 1000000 --peers --json
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.rows import numbers, write
from watchkeeper.profiles.bins import fit_numeric

MODES = {"ungrouped": "ungrouped", "hour_segment": "grouped"}
ROOT = Path(__file__).parent.parent


class Worker:
    """A process that has one engine loaded and stays warm between runs."""

    def __init__(self, engine: str, path: Path) -> None:
        """Start it."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.engines", engine, str(path)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, mode: str) -> dict[str, float]:
        """Run once and return what it cost."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(mode, file=self.process.stdin, flush=True)
        found: dict[str, float] = json.loads(self.process.stdout.readline())
        return found

    def end(self) -> None:
        """Let it end."""
        self.process.communicate()


def of_size(path: Path, runs: int) -> dict[str, Any]:
    """Return medians of interleaved runs on one file: CPU seconds, wall seconds, peak memory, ratios."""
    workers = {name: Worker(name, path) for name in ("floor", "ours")}
    spent: dict[tuple[str, str], list[dict[str, float]]] = defaultdict(list)
    order = [(name, mode) for mode in MODES.values() for name in workers] + [("ours", "decode")]
    for name, mode in order:
        workers[name].run(mode)  # the first run loads code and warms the disk's cache
    for _ in range(runs):
        for name, mode in order:
            spent[name, mode].append(workers[name].run(mode))
    for worker in workers.values():
        worker.end()
    table = {
        f"{name}_{mode}": {key: round(median(run[key] for run in these), 4) for key in ("cpu_s", "wall_s", "peak_mb")}
        for (name, mode), these in spent.items()
    }
    ratios = {
        said: median(ours["cpu_s"] / theirs["cpu_s"] for ours, theirs in zip(spent["ours", mode], spent["floor", mode], strict=True))
        for said, mode in MODES.items()
    }
    return {"runs": runs, "spent": table, "ratio_to_floor": {k: round(v, 3) for k, v in ratios.items()}, "cold_process_cpu_s": cold(path)}


def cold(path: Path) -> float:
    """Return the CPU seconds of a whole process that scans once: imports, loading compiled code, the scan."""
    before = os.times()
    subprocess.run(
        [sys.executable, "-m", "benchmarks.engines", "ours", str(path)],
        cwd=ROOT,
        input="ungrouped\n",
        text=True,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    after = os.times()
    return round(after.children_user + after.children_system - before.children_user - before.children_system, 3)


def wide(data: Path) -> dict[str, Any]:
    """Return the cost of a window of 300,000 rows and 1,000 features, and of fitting bins to 3,000,000 reference rows of each, apart."""
    numeric, text = [f"n{i:03d}" for i in range(800)], [f"s{i:03d}" for i in range(200)]
    path = write(data / "wide-300000.parquet", 300_000, seed=0, numeric=numeric, text=text)
    worker = Worker("ours", path)
    worker.run("decode")
    runs = [worker.run("ungrouped") for _ in range(3)]
    worker.end()
    fit_cpu_s = 0.0
    for done, name in enumerate(numeric, start=1):
        values = numbers(done, 3_000_000, np.random.default_rng(done)).astype(float)
        before = time.process_time()
        fit_numeric(name, values)
        fit_cpu_s += time.process_time() - before
        if done % 100 == 0:
            print(f"fitted {done} of {len(numeric)} numeric features ...", file=sys.stderr, flush=True)
    scanned = {key: round(median(run[key] for run in runs), 3) for key in ("cpu_s", "wall_s", "peak_mb")}
    return {"rows": 300_000, "features": len(numeric) + len(text)} | scanned | {"fit_cpu_s_of_800_numeric": round(fit_cpu_s, 1)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, action="append", help="rows of the window; may be repeated (default: 1000000)")
    parser.add_argument("--runs", type=int, default=5, help="interleaved runs after one to warm up (default: 5)")
    parser.add_argument("--peers", action="store_true", help="also run evidently, nannyml and whylogs, each in an environment made for it (minutes)")
    parser.add_argument("--wide", action="store_true", help="also 300,000 rows of 1,000 features against 3,000,000 reference rows (ten minutes)")
    parser.add_argument("--data", type=Path, default=Path(tempfile.gettempdir()) / "watchkeeper-benchmarks", help="where the rows are kept")
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args()
    given.data.mkdir(parents=True, exist_ok=True)
    found: dict[str, Any] = {"versions": {name: version(name) for name in ("watchkeeper", "duckdb", "pyarrow", "numba", "numpy")}, "sizes": {}}
    for rows in given.rows or [1_000_000]:
        if not given.json:
            print(f"{rows:,} rows ...", file=sys.stderr, flush=True)
        found["sizes"][str(rows)] = of_size(write(given.data / f"rows-{rows}.parquet", rows, seed=0), given.runs)
    found["ratio_to_floor"] = found["sizes"][max(found["sizes"], key=int)]["ratio_to_floor"]
    if given.wide:
        found["wide"] = wide(given.data)
    if given.peers:
        from benchmarks.peers import compare

        found["ratio_to_peers"] = compare(given.data, min(given.rows or [1_000_000]))
    print(json.dumps(found, indent=2) if given.json else as_text(found))


def as_text(found: dict[str, Any]) -> str:
    """Return the figures as a table."""
    lines = [", ".join(f"{name} {v}" for name, v in found["versions"].items())]
    for rows, one in found["sizes"].items():
        lines += ["", f"{int(rows):,} rows, medians of {one['runs']} interleaved runs", f"{'':24}{'CPU s':>8}{'wall s':>8}{'peak MB':>9}"]
        lines += [f"{name:24}{s['cpu_s']:8.3f}{s['wall_s']:8.3f}{s['peak_mb']:9.0f}" for name, s in one["spent"].items()]
        lines += ["ours to the floor: " + ", ".join(f"{k} {v:.2f}" for k, v in one["ratio_to_floor"].items())]
        lines += [f"cold process, once: {one['cold_process_cpu_s']} CPU s"]
    lines += [f"{k}: {v}" for k, v in found.get("ratio_to_peers", {}).items()]
    lines += [f"wide: {found['wide']}"] if "wide" in found else []
    return "\n".join(lines)


if __name__ == "__main__":
    main()
