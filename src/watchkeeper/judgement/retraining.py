"""Whether an incident is a reason to train its model again.

Belongs here: the pure rule. Does not: how training is started (adapters/training.py) or when this is asked (operations/act.py).
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from watchkeeper.judgement.fault_places import FAULTY
from watchkeeper.judgement.outbox import Standing
from watchkeeper.monitor import Monitor, Retraining
from watchkeeper.records import SEVERITIES, IncidentEvent
from watchkeeper.story import Story

FAMILIES = ("kpi", "segment", "target")
LEAST_WINDOWS = 3


def is_asked(history: Sequence[IncidentEvent], rule: Retraining | None) -> bool:
    """Tell whether an incident is grave enough, and about the model itself, so that retraining must be decided."""
    newest = history[-1]
    if rule is None or newest.environment != "production" or newest.family not in FAMILIES:
        return False
    return SEVERITIES.index(newest.severity) >= SEVERITIES.index(rule.severity)


def objection(history: Sequence[IncidentEvent], story: Story, monitor: Monitor, triggers: Iterable[Standing], *, now: datetime) -> str:
    """Return why the model should not be trained now, empty when nothing speaks against it.

    `triggers` are the retraining actions of this model so far.
    """
    asked = [t for t in triggers if t.state in ("waiting", "sent")]
    return _settled(history, asked) or _veto(story) or _too_short(history, monitor) or _too_soon(asked, monitor, now)


def _settled(history: Sequence[IncidentEvent], asked: Sequence[Standing]) -> str:
    if next(e.event for e in reversed(history) if e.event != "acknowledged") == "resolved":
        return "the incident is over"
    if any(t.action.incident_id == history[0].incident_id for t in asked):
        return "retraining was already asked for in this incident"
    return ""


def _veto(story: Story) -> str:
    """Object to training on rows that are wrong, whether they caused the incident or came after it."""
    guilty = [c.subject or c.kind for c in story.causes if c.kind == "data"] + [said for said in story.ruled_out if said.startswith(FAULTY)]
    return f"do not retrain on bad data: {guilty[0]}" if guilty else ""


def _too_short(history: Sequence[IncidentEvent], monitor: Monitor) -> str:
    start, end = min(e.window_start for e in history), max(e.window_end for e in history)
    lasted = sum(1 for _ in monitor.grid.between(start, end))
    if lasted >= LEAST_WINDOWS:
        return ""
    return f"it has lasted {lasted} {monitor.window}{'s' if lasted > 1 else ''}; retraining needs {LEAST_WINDOWS}"


def _too_soon(asked: Sequence[Standing], monitor: Monitor, now: datetime) -> str:
    rule = monitor.retraining
    last = max((t.action.at for t in asked), default=None)
    if rule is None or last is None or last + rule.cooldown <= now:
        return ""
    return f"retraining was asked for on {last:%d %b %Y, %H:%M} UTC; the next may follow on {last + rule.cooldown:%d %b %Y, %H:%M} UTC"
