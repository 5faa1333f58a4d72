"""Workspaces for the demo's model of flights, with the configuration that the demo has.

Belongs here: the workspace, and what arrives in it. Does not: the flights (demo/conftest.py reads them once for its folder).
"""

import shutil
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from watchkeeper.adapters.workspace import Home, find_home
from watchkeeper.demo.flights import ZONE
from watchkeeper.demo.gpu_trace import land_gpu_trace
from watchkeeper.demo.inbox import Parcel, deliver
from watchkeeper.demo.run import MODEL

ROOT = Path(__file__).parent.parent


def settled(folder: Path) -> Home:
    """Return a workspace with the configuration of the demo."""
    for name in ("deployments", "expectations", "warehouse/seeds"):
        shutil.copytree(ROOT / name, folder / name)
    shutil.copy(ROOT / "watchkeeper.yaml", folder)
    return find_home(folder)


def arrive(home: Home, year: Sequence[Parcel], start: datetime, end: datetime) -> None:
    """Let come what the demo lets come until `end`: files, and readings of GPUs since `start`."""
    deliver(home.root / "inbox", year, end)
    land_gpu_trace(home.lake, start, end, model=MODEL, timezone=ZONE, seed=start.toordinal())
