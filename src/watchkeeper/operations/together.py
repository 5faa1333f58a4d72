"""Incidents that are one: where sources come from, so that two models can be said to read the same, and openings that are parts.

Belongs here: reading what other models have. Does not: the rules (judgement/together.py, judgement/shared_faults.py), or judging (judge.py).
"""

import os.path
from collections.abc import Sequence
from datetime import datetime

from watchkeeper.adapters.workspace import Home
from watchkeeper.judgement.together import with_parts_marked
from watchkeeper.monitor import Monitor, Place
from watchkeeper.records import IncidentEvent, key
from watchkeeper.spelling import is_remote


def sources(home: Home, monitor: Monitor) -> dict[str, str]:
    """Return in words where `events` and `labels` come from: the same words for the same files, or the same query to the same database."""
    return {name: _said(home, place) for name, place in monitor.places.items()}


def _said(home: Home, place: Place) -> str:
    if place.files is None:
        return f"query {key(' '.join((place.sql or '').split()))[:8]} to {place.connection}"
    if is_remote(place.files):
        return f"files {place.files}"
    root, path = os.path.normpath(home.root), os.path.normpath(home.root / place.files)
    return f"files {os.path.relpath(path, root) if path.startswith(root + os.sep) else path}"


def parts_marked(home: Home, events: Sequence[IncidentEvent], *, now: datetime) -> list[IncidentEvent]:
    """Return new incident events, those openings marked as parts that tell of a fault which another incident tells of."""
    if not any(e.event == "opened" for e in events):
        return list(events)
    return with_parts_marked(events, home.lake.newest(IncidentEvent, as_of=now), now)
