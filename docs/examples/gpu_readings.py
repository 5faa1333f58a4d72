"""Readings of one GPU on one day, as a sampler would have taken them: made up, and marked so. Usage: gpu_readings.py WORKSPACE.

From midnight to 18:00 two models share an L4: kernels of wine run three times as long as those of diabetes. Then the node is held by nobody until 20:00.
"""  # noqa: INP001 - a script, not a package

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from watchkeeper.adapters.workspace import find_home
from watchkeeper.samples import GpuProcess, GpuSample

DAY, STEP = datetime(2025, 2, 17, tzinfo=UTC), timedelta(minutes=10)
GPU = {"host": "serving-1", "device_uuid": "GPU-example", "interval_s": STEP.total_seconds(), "is_synthetic": True}


def main() -> None:
    """Append the readings to the workspace's lake."""
    lake = find_home(Path(sys.argv[1])).lake
    moments = [DAY + STEP * (n + 1) for n in range(20 * 6)]
    shared = [at for at in moments if at <= DAY + timedelta(hours=18)]
    lake.append_records(
        GpuSample,
        [
            GpuSample(**GPU, sampled_at=at, device=0, device_name="NVIDIA L4", utilisation_ratio=0.4 if at in shared else 0.0, power_w=50.0)
            for at in moments
        ],
    )
    lake.append_records(
        GpuProcess,
        [
            GpuProcess(**GPU, sampled_at=at, pid=pid, model=model, attributed_by="process", sm_ratio=ratio)
            for at in shared
            for pid, model, ratio in ((101, "wine", 0.3), (102, "diabetes", 0.1))
        ],
    )


if __name__ == "__main__":
    main()
