"""How many examples a property is tried on: fewer at each change, all of them by night.

Belongs here: the one number that differs. Does not: which whole tests wait for the night (they carry the marker `nightly`).
"""

import os


def draws(by_night: int, *, at_each_change: int) -> int:
    """Return how many examples to draw; `make test-all` sets WATCHKEEPER_NIGHTLY."""
    return by_night if os.environ.get("WATCHKEEPER_NIGHTLY") else at_each_change
