"""Eras of a model as they are known at a moment.

Belongs here: reading them. Does not: the rules (judgement/eras.py), declaring a new normal (rebaseline.py).
"""

from datetime import datetime

import pyarrow.compute as pc

from watchkeeper.adapters.workspace import Home
from watchkeeper.judgement.eras import ROLLING, Era, era_of, eras, fold
from watchkeeper.monitor import Monitor
from watchkeeper.records import Baseline


def eras_of(home: Home, monitor: Monitor, *, now: datetime) -> list[Era]:
    """Return the eras of a model, in order of time, as known at `now`; where no new normal was declared, the one of its monitor file."""
    return [Era(monitor)] if monitor.is_rebased else eras(monitor, baselines_of(home, monitor, now=now))


def baselines_of(home: Home, monitor: Monitor, *, now: datetime) -> list[Baseline]:
    """Return the new normals of a model that stand at `now`, in the order in which they begin."""
    mine = (pc.field("model") == monitor.model) & (pc.field("environment") == monitor.environment)
    return fold(home.lake.newest(Baseline, as_of=now, where=mine))


def steps_known(home: Home, monitor: Monitor, *, now: datetime | None) -> list[Baseline]:
    """Return what is written of the steps of a rolling reference, in order of time: taken, skipped or taken back; all where no `now` is given."""
    mine = (pc.field("model") == monitor.model) & (pc.field("environment") == monitor.environment)
    found: list[Baseline] = home.lake.newest(Baseline, as_of=now, where=mine)
    return sorted((b for b in found if b.kind == ROLLING), key=lambda b: (b.since, b.at, b.event))


def in_era(home: Home, monitor: Monitor, moment: datetime, *, now: datetime) -> Monitor:
    """Return the monitor with the reference that a window which starts at a moment is compared with."""
    return era_of(eras_of(home, monitor, now=now), moment).monitor
