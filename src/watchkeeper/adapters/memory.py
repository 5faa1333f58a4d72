"""The memory of this machine, or of the container that this process runs in.

Belongs here: how much there is. Does not: what is done with it (operations/pieces.py, adapters/warehouse.py).
"""

from functools import cache
from pathlib import Path

import psutil

_CONTAINER_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
SHARE = 2
"""A process takes one half of the memory for data: its libraries, and its neighbours, need the other."""


@cache
def half_of_this_machine() -> int:
    """Return half of the bytes that this process could have."""
    return min([psutil.virtual_memory().total, *_limits()]) // SHARE


def _limits() -> list[int]:
    """Return the limits of the container, none outside of one."""
    found = []
    for path in _CONTAINER_LIMITS:
        try:
            said = path.read_text(encoding="ascii").strip()
        except OSError:
            continue
        found += [int(said)] if said.isdigit() else []
    return found
