"""What one more small model costs: many of them share a process, and the compiled loops are loaded once.

Belongs here: a day of many small models, brought up to date in one process. Does not: large ones (profile.py).

    python -m benchmarks.fleet --models 20 --rows 200
"""

import argparse
import json
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from watchkeeper.adapters.workspace import Home, find_home
from watchkeeper.operations.watch import watch

BEGIN, DAY = datetime(2025, 1, 1, tzinfo=UTC), timedelta(days=1)
DAYS, FEATURES = 10, 5
KERNEL = "watchkeeper.profiles.kernel"


def monitor(name: str) -> dict[str, Any]:
    """Return the file of a small regression model."""
    return {
        "model": name,
        "owner": "#fleet",
        "task": "regression",
        "events": {"files": f"inbox/{name}-*.parquet"},
        "columns": {"id": "id", "time": "at", "prediction": "said"},
        "reference": {"from": "2025-01-01", "to": "2025-01-09"},
    }


def fleet(root: Path, models: int, rows: int) -> Home:
    """Make a workspace of so many models, each with a file a day."""
    (root / "deployments" / "monitors").mkdir(parents=True)
    (root / "inbox").mkdir()
    (root / "watchkeeper.yaml").write_text("{}")
    for number in range(models):
        name = f"model_{number:02}"
        (root / "deployments" / "monitors" / f"{name}.yaml").write_text(json.dumps(monitor(name)))
        for day in range(DAYS):
            pq.write_table(_day(number, day, rows), root / "inbox" / f"{name}-{day:02}.parquet")
    return find_home(root)


def _day(number: int, day: int, rows: int) -> pa.Table:
    rng = np.random.default_rng([number, day])
    at = [BEGIN + day * DAY + timedelta(seconds=86_400 * i / rows) for i in range(rows)]
    features = {f"x{i}": rng.normal(size=rows) for i in range(FEATURES)}
    ids = [f"{day}-{i}" for i in range(rows)]
    return pa.table({"id": ids, "at": pa.array(at, pa.timestamp("us", "UTC")), "said": rng.normal(size=rows)} | features)


class Loads:
    """Counts how often the compiled loops are loaded, and what numba compiles, from now on."""

    def __init__(self) -> None:
        """Begin to listen."""
        from numba.core.event import Listener, register

        loads = self

        class Heard(Listener):  # type: ignore[misc]  # numba has no types
            def on_start(self, event: Any) -> None:  # noqa: ARG002 - numba's form
                loads.compiled += 1

            def on_end(self, event: Any) -> None:
                """Hear nothing."""

        self.imported = self.compiled = 0
        sys.addaudithook(self._hear)
        register("numba:compile", Heard())

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "import" and arguments[0] == KERNEL:
            self.imported += 1


def measured(models: int, rows: int) -> dict[str, Any]:
    """Return the CPU seconds of the first run of one model and of so many, each in this process, and what was loaded for all."""
    loads = Loads()
    first = _spent(1, rows)
    compiled = loads.compiled
    every = _spent(models, rows)
    return {
        "models": models,
        "rows_a_model": rows * DAYS,
        "first_model_cpu_s": first,
        "all_models_cpu_s": every,
        "cpu_s_per_model_after_the_first": every / models,
        "kernel_imports": loads.imported,
        "compiled_after_the_first": loads.compiled - compiled,
    }


def _spent(models: int, rows: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        home = fleet(Path(folder) / "fleet", models, rows)
        begun = time.process_time()
        done = watch(home, now=BEGIN + (DAYS + 0.25) * DAY)
        spent = time.process_time() - begun
    assert not done.failures, done.failures
    assert len(done.runs) == models * DAYS
    return spent


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=20, help="models that share the process (default: 20)")
    parser.add_argument("--rows", type=int, default=200, help="rows a model and day (default: 200)")
    given = parser.parse_args()
    print(json.dumps({k: round(v, 3) if isinstance(v, float) else v for k, v in measured(given.models, given.rows).items()}, indent=2))


if __name__ == "__main__":
    main()
