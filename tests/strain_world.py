"""Strains of GPUs worked by hand, as evidence of an incident.

Belongs here: one strain with its usual numbers. Does not: finding strains in readings (operations/test_strains.py).
"""

from datetime import timedelta
from math import log
from typing import Any

from evidence_world import MONDAY
from watchkeeper.judgement.strains import THROTTLING, Effect, Level, Strain

RARE = Level(0.8, 0.02, 0, 28)
SLOWER = Effect(0.25, (log(360), log(150)), (log(151), log(150)), 0.97, 0.9, 1.04)
"""A quarter of the requests takes 2.4 times as long, all others are as they were."""
AS_OTHERS = Effect(0.25, (log(300), log(150)), (log(300), log(150)), 0.0, -0.1, 0.1)


def strain(**more: Any) -> Strain:
    """Return a GPU that throttled from the onset on."""
    fields = {
        "gauge": THROTTLING,
        "hosts": ("gpu-2",),
        "said": "GPU 0 of host gpu-2 throttled (hardware thermal, 91 °C)",
        "level": RARE,
        "since": MONDAY + timedelta(hours=14, minutes=10),
        "since_text": "Mon 13 January 14:10",
        "begun": MONDAY + timedelta(hours=14, minutes=12),
        "slack": timedelta(minutes=30),
        "serves": True,
    }
    return Strain(**(fields | more))
