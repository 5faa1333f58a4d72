"""How far normal has moved: the days that a rolling reference went on to, beside those that people declared.

Belongs here: adding both up, and reading one beside the other. Does not: the words (judgement/rolling.py), which days (rolling.py). No row is read.
"""

from datetime import datetime

from watchkeeper.adapters.workspace import Home
from watchkeeper.judgement.eras import Era
from watchkeeper.judgement.honesty import told_by
from watchkeeper.judgement.rolling import moved_text
from watchkeeper.measures.readings import readings
from watchkeeper.monitor import Monitor
from watchkeeper.operations.rollup import basis_of, frame_of, reference_of
from watchkeeper.windows import Window


def normal_moved(home: Home, monitor: Monitor, era: Era, moment: datetime, *, now: datetime) -> str:
    """Return in words how far normal has moved up to the step that a window which starts at a moment is of; empty where it is of none."""
    step, span, basis = era.step_at(moment), era.monitor.reference_span, basis_of(home, monitor, now=now)
    if step is None or step.baseline is None or span is None or basis is None:
        return ""
    metrics = {"psi", told_by(monitor)}
    declared, newer = (reference_of(home, each.monitor, basis, now=now, metrics=()) for each in (era, step))
    days = Window(step.baseline.starts_at, step.baseline.ends_at)
    frame = frame_of(home, era.monitor, days, monitor.window, basis, declared, now, metrics=metrics)
    return moved_text(monitor, Window(*span), readings(frame, {"": newer.sums.get("", {})}))
