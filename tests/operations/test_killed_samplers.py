"""However often and whenever a sampler is killed, what it said it had read is in the lake, and once."""

import os
import random
import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest

from watchkeeper.adapters.lake import Lake
from watchkeeper.adapters.telemetry import Buffer
from watchkeeper.samples import HostSample

pytestmark = pytest.mark.slow

SAMPLER = """
import sys, time
from datetime import UTC, datetime
from pathlib import Path
from watchkeeper.adapters.lake import Lake
from watchkeeper.adapters.telemetry import Buffer
from watchkeeper.adapters.pace import Pace
from watchkeeper.operations.sample import Plan, sample
folder = Path(sys.argv[1])
pace = Pace(now=lambda: datetime.now(UTC), seconds=time.monotonic, wait=lambda s: time.sleep(s) or False)
with Buffer(Lake(folder / "lake"), folder / "spool") as buffer:
    sample([], buffer, Plan(every_s=0.02, host="a", flush_s=0.05), pace, seen=lambda r: print(r.host.sampled_at.isoformat(), flush=True))
"""


def killed_after(folder: Path, seconds: float) -> list[datetime]:
    """Run a sampler that lands twenty times a second, kill it so long after its first reading, and return the readings it told of."""
    process = subprocess.Popen([sys.executable, "-c", SAMPLER, str(folder)], stdout=subprocess.PIPE, text=True, env=dict(os.environ))
    assert process.stdout is not None
    first = process.stdout.readline()
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    rest, _ = process.communicate(timeout=60)
    return [datetime.fromisoformat(line.strip()) for line in [first, *rest.splitlines(keepends=True)] if line.endswith("\n")]


@pytest.mark.nightly
def test_no_reading_is_lost_or_doubled_by_kills_amid_landing(tmp_path):
    rng = random.Random(5)
    rounds = int(os.environ.get("KILLS", "4"))
    told = [at for _ in range(rounds) for at in killed_after(tmp_path, rng.uniform(0.2, 0.9))]
    with Buffer(Lake(tmp_path / "lake"), tmp_path / "spool") as buffer:
        assert buffer.flush()
    rows = Lake(tmp_path / "lake").read(HostSample.TABLE).column("sampled_at").to_pylist()
    assert len(told) > 5 * rounds
    assert len(rows) == len(set(rows)), "none twice"
    assert set(told) <= set(rows), "none lost"
    assert len(rows) <= len(told) + rounds, "but for one a kill that was read and not told of"
