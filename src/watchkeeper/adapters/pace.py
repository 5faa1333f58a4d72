"""Pace: the real clock and waiting, as what goes on for a long time is given them.

Belongs here: reading clocks, waiting, and the signals that end it. Does not: what is done at each beat (operations/sample.py, operations/follow.py).
"""

import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """All that goes on knows of time: the clock, seconds that never run back, and waiting, which is True when asked to stop."""

    now: Callable[[], datetime]
    seconds: Callable[[], float]
    wait: Callable[[float], bool]


def pace(for_s: float = float("inf"), *, heeds_signals: bool = False) -> Pace:
    """Return the real clock, and a wait that ends when the time is over; where it heeds signals, at Ctrl-C and SIGTERM too.

    Only a process's main thread may heed them, and under Prefect they are Prefect's.
    """
    stop, end = threading.Event(), time.monotonic() + for_s
    if heeds_signals:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())

    def wait(seconds: float) -> bool:
        return stop.wait(max(0.0, min(seconds, end - time.monotonic()))) or time.monotonic() >= end

    return Pace(now=lambda: datetime.now(UTC), seconds=time.monotonic, wait=wait)
