"""Memory is bounded by `memory_limit`: a reference that is larger fits bins and is counted within it."""

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from conftest import PARCELS
from watchkeeper.adapters.settings import child_environment
from watchkeeper.adapters.warehouse import connect
from watchkeeper.adapters.workspace import Home
from watchkeeper.records import Batch

LIMIT = 256_000_000
DAYS, LABELLED, ROWS, FEATURES = 14, 4, 36_000, 80
BEGIN = datetime(2025, 1, 1, tzinfo=UTC)
NOW = BEGIN + timedelta(days=15)

CHILD = """
import sys
from datetime import datetime
from pathlib import Path
from watchkeeper.adapters.workspace import find_home, load_monitor
from watchkeeper.operations.measure import measure
from watchkeeper.operations.profile import profile
from watchkeeper.operations.spread import in_threads

def peak():
    return next(int(line.split()[1]) * 1024 for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))

now, peaks = datetime.fromisoformat(sys.argv[3]), []
for root in sys.argv[1:3]:
    home = find_home(Path(root))
    monitor = load_monitor(home, "parcels")
    parts = profile(home, monitor, now=now, spread=in_threads)
    measure(home, monitor, now=now, spread=in_threads)
    peaks.append(peak())
print(parts, *peaks)
"""


def land(home: Home, rows: int) -> int:
    """Put a reference into the lake as intake leaves it; return the bytes it takes in memory."""
    rng, size = np.random.default_rng(0), 0
    batches = []
    for day in range(DAYS):
        start, batch = BEGIN + timedelta(days=day), f"b{day:02}"
        seconds = np.sort(rng.integers(0, 86_400, rows))
        at = pa.array(np.datetime64(start.replace(tzinfo=None), "us") + seconds.astype("timedelta64[s]")).cast(pa.timestamp("us", "UTC"))
        landing = {
            "wk_batch": pa.repeat(batch, rows),
            "wk_row": np.arange(rows),
            "wk_landed_at": pa.repeat(pa.scalar(NOW, pa.timestamp("us", "UTC")), rows),
        }
        ids = pa.array(np.char.add(f"{day}-", np.arange(rows).astype(str)))
        features = {f"x{i:02}": rng.normal(size=rows) for i in range(FEATURES)}
        score = rng.random(rows)
        events = pa.table(
            {"parcel": ids, "sent_at": at, "p_late": score, "is_late": score > 0.5, "version": pa.repeat("1", rows)}
            | features
            | {"depot": pa.array(["north", "south"]).take(pa.array(rng.integers(0, 2, rows)))}
            | landing
            | {"wk_time": at}
        )
        labels = pa.table({"id": ids, "label": pa.array(["true", "false"]).take(pa.array(rng.integers(0, 2, rows))), "labelled_at": at} | landing)
        home.lake.append("events/parcels", events)
        ends = {"starts_at": at[0].as_py(), "ends_at": at[-1].as_py()}
        landed = [("events", "", ends)]
        size += events.nbytes
        if day >= DAYS - LABELLED:
            home.lake.append("labels/parcels", labels.set_column(labels.column_names.index("wk_batch"), "wk_batch", pa.repeat(f"l{batch}", rows)))
            landed.append(("labels", "l", {}))
        batches += [
            Batch(batch_id=f"{mark}{batch}", model="parcels", source=source, name=batch, status="landed", rows_landed=rows, landed_at=NOW, **found)
            for source, mark, found in landed
        ]
    home.lake.append_records(Batch, batches)
    return size


@pytest.mark.nightly
@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's account of memory")
def test_a_reference_larger_than_the_limit_is_fitted_counted_and_joined_within_it(make_home: Callable[..., Home]) -> None:
    small, large = (make_home(PARCELS, name=name, memory_limit="256MB") for name in ("small", "large"))
    land(small, 50)
    held = land(large, ROWS)
    assert held > 1.4 * LIMIT, "else it would prove nothing"
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(small.root), str(large.root), NOW.isoformat()],
        env=child_environment(),
        check=True,
        capture_output=True,
        text=True,
    )
    parts, libraries, peak = (int(n) for n in done.stdout.split())
    assert parts > DAYS * FEATURES
    assert peak - libraries < LIMIT, f"{held / 1e6:.0f} MB of rows, {libraries / 1e6:.0f} MB of libraries, {(peak - libraries) / 1e6:.0f} MB more"


def test_duckdb_keeps_to_half_of_the_limit(make_home: Callable[..., Home]) -> None:
    connection = connect(make_home(name="little", memory_limit="256MB"), {})
    [(limit,)] = connection.sql("SELECT current_setting('memory_limit')").fetchall()
    assert limit == "122.0 MiB"
    connection.execute("SET temp_directory = ''")
    with pytest.raises(duckdb.OutOfMemoryException):
        connection.execute("CREATE TEMP TABLE many AS SELECT range AS a, range::VARCHAR || repeat('x', 100) AS b FROM range(3_000_000)")


def test_without_a_limit_it_is_half_of_what_the_machine_or_the_container_has(home: Home) -> None:
    from psutil import virtual_memory

    assert 0 < home.memory_bytes <= virtual_memory().total // 2


@pytest.mark.parametrize(("written", "said"), [("12 MB", "too little to work with"), ("much", "is not a size"), ("4 GiB", "is not a size")])
def test_a_limit_that_cannot_be_is_said(make_home: Callable[..., Home], watchkeeper: Callable[..., object], written: str, said: str) -> None:
    from watchkeeper.errors import ConfigurationError

    with pytest.raises(ConfigurationError, match=said):
        make_home(name="wrong", memory_limit=written)
