"""Incidents written straight into a lake, for tests of what follows from them.

Belongs here: one incident's life through the records. Does not: judging scores (operations/judge.py does that).
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from watchkeeper.adapters.workspace import Home
from watchkeeper.records import IncidentEvent, key
from watchkeeper.story import Cause, Story

DAY = timedelta(days=1)
MONDAY = datetime(2025, 3, 3, tzinfo=UTC)


def event(
    what: str = "opened",
    *,
    day: int = 0,
    incident: str = "i1",
    at: datetime | None = None,
    causes: tuple[Cause, ...] = (),
    ruled_out: tuple[str, ...] = (),
    **more: Any,
) -> IncidentEvent:
    """Return what happened to an incident on the day after `day`, at six."""
    start = MONDAY + day * DAY
    story = Story(
        headline=f"{what} on day {day}", when=f"{start:%d %B}", causes=list(causes), ruled_out=list(ruled_out), next_steps=["ask the depot."]
    )
    fields = {"model": "parcels", "family": "kpi", "subject": "kpi", "severity": "high"} | more
    return IncidentEvent(
        event_id=key(incident, what, day),
        incident_id=incident,
        event=what,
        window_start=start,
        window_end=start + DAY,
        story="{}" if what == "resolved" else story.to_json(),
        why="3 days clear" if what == "resolved" else "",
        at=at or start + timedelta(days=1, hours=6),
        **fields,
    )


def happen(home: Home, *events: IncidentEvent) -> datetime:
    """Write events and return the moment of the last."""
    home.lake.append_records(IncidentEvent, list(events))
    return max(e.at for e in events)
