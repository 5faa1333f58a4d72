"""What the sampler itself takes: of a processor at a reading of 8 GPUs every ten seconds, and of memory.

Belongs here: the daemon's own loop over the stand-in for NVML, its clock run ahead. Does not: what a real driver takes to answer.

    python -m benchmarks.sampler --readings 360 --json

Readings are taken one after the other, as many as the daemon takes in an hour: devices, processes, the host, the spool with its write
through to the disk, and landing once in six readings. The CPU seconds of all threads by reading, over ten seconds, and what the
process takes while it waits, are its share of a core. The stand-in reads a file at each of its calls, which is counted too.
"""

import argparse
import ctypes
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil

from watchkeeper.adapters.gpu_owners import Owners, Rule
from watchkeeper.adapters.lake import Lake
from watchkeeper.adapters.nvml import Gpus, gpus
from watchkeeper.adapters.pace import Pace
from watchkeeper.adapters.telemetry import Buffer
from watchkeeper.operations.sample import Plan, sample
from watchkeeper.samples import GpuProcess, GpuSample

SOURCE = Path(__file__).parent.parent / "tests" / "nvml_standin" / "nvml.c"
NAME = "libnvidia-ml.so.1"
EVERY_S, GPUS, PROCESSES = 10.0, 8, 2
START = datetime(2025, 1, 1, tzinfo=UTC)


class Ahead:
    """A clock that each wait moves on as long as asked, once what is landed aside has landed."""

    def __init__(self, buffer: Buffer) -> None:
        self.elapsed, self._buffer = 0.0, buffer

    def wait(self, seconds: float) -> bool:
        """Move on."""
        self._buffer.settle()
        self.elapsed += seconds
        return False

    @property
    def pace(self) -> Pace:
        """The clock as the sampler takes it."""
        return Pace(now=lambda: START + timedelta(seconds=self.elapsed), seconds=lambda: self.elapsed, wait=self.wait)


def stand_in(folder: Path, opened: ExitStack) -> None:
    """Compile and load the stand-in, with processes on its GPUs that really run."""
    library, world = folder / NAME, folder / "nvml.txt"
    subprocess.run([_program("gcc"), "-O2", "-shared", "-fPIC", f"-Wl,-soname,{NAME}", "-o", str(library), str(SOURCE)], check=True)
    lines = [f"- count {GPUS}", "* utilisation 60", "* energy 5000000", "* pcie_sent 1000", "* pcie_received 1000", "* ecc_corrected 0"]
    for gpu in range(GPUS):
        pids = [_sleeping(opened) for _ in range(PROCESSES)]
        lines.append(f"{gpu} processes {','.join(f'{pid}:1073741824:30' for pid in pids)}")
    world.write_text("\n".join(lines) + "\n")
    os.environ["NVML_STANDIN"] = str(world)
    ctypes.CDLL(str(library))


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        sys.exit(f"{name} is needed, and not installed")
    return found


def _sleeping(opened: ExitStack) -> int:
    process = subprocess.Popen([_program("sleep"), "3600"], env={"PATH": os.environ["PATH"], "WATCHKEEPER_MODEL": "parcels"})
    opened.callback(process.wait)
    opened.callback(process.kill)
    return process.pid


def measured(folder: Path, readings: int, idle_s: float) -> dict[str, Any]:
    """Return what so many readings took, and so many seconds of waiting."""
    with ExitStack() as opened:
        stand_in(folder, opened)
        lake = Lake(folder / "lake")
        buffer = opened.enter_context(Buffer(lake, folder / "spool"))
        found = opened.enter_context(gpus(Owners(processes=[Rule("letters", "*serve_letters*")])))
        clock = Ahead(buffer)
        _run(found, buffer, clock, 12)  # what is loaded and looked up once
        before, began = time.process_time(), time.monotonic()
        _run(found, buffer, clock, readings)
        spent, took = time.process_time() - before, time.monotonic() - began
        before = time.process_time()
        time.sleep(idle_s)
        idle = (time.process_time() - before) / idle_s
        landed = {kind.__name__: buffer.landed.get(kind, 0) for kind in (GpuSample, GpuProcess)}
    share = spent / readings / EVERY_S
    return {
        "gpus": GPUS,
        "processes": GPUS * PROCESSES,
        "readings": readings,
        "every_s": EVERY_S,
        "cpu_s_per_reading": spent / readings,
        "wall_s_per_reading": took / readings,
        "idle_share_of_a_core": idle,
        "share_of_a_core": share + idle,
        "resident_mb": psutil.Process().memory_info().rss / 1e6,
        "landed": landed,
    }


def _run(found: Gpus, buffer: Buffer, clock: Ahead, readings: int) -> None:
    sample([found], buffer, Plan(every_s=EVERY_S, host="gpu-1", count=readings), clock.pace)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--readings", type=int, default=360, help="how many; 360 are an hour's")
    parser.add_argument("--idle", type=float, default=20.0, metavar="SECONDS", help="how long to wait, and count what that takes")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measured(Path(folder), chosen.readings, chosen.idle)
    if chosen.json:
        json.dump(found, sys.stdout, indent=2)
        print()
        return
    print(f"{found['gpus']} GPUs, {found['processes']} processes, a reading every {found['every_s']:g} s:")
    print(f"  {found['cpu_s_per_reading'] * 1000:.1f} ms of CPU a reading, {found['idle_share_of_a_core']:.3%} of a core while it waits")
    print(f"  {found['share_of_a_core']:.2%} of a core, {found['resident_mb']:.0f} MB")


if __name__ == "__main__":
    main()
