"""What planning and sending rest on: everything that is known of incidents, digests and the outbox at a moment.

Belongs here: that, and the questions asked of it in more than one place. Does not: reading it (act.py), or what follows from it (plan.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from watchkeeper.adapters.workspace import Home
from watchkeeper.judgement.notices import severity_so_far
from watchkeeper.judgement.outbox import Standing
from watchkeeper.judgement.silences import in_force
from watchkeeper.monitor import Monitor
from watchkeeper.records import Digest, IncidentEvent, Silence, key

TARGETS = ("slack", "file", "webhook", "event")
KINDS = ("open", "update", "resolve")


@dataclass(frozen=True, slots=True)
class Known:
    """All that a plan rests on."""

    home: Home
    monitors: Mapping[str, Monitor]
    histories: Mapping[str, list[IncidentEvent]]
    digests: Sequence[Digest]
    standings: Mapping[str, Standing]
    targets: Sequence[str]
    waits: Mapping[str, timedelta]
    """How long after a window each model's labels are due."""
    now: datetime
    silences: Mapping[str, Sequence[Silence]] = field(default_factory=dict)
    """Incident id -> those that cover it, past ones too."""
    is_parted: bool = False
    """Whether Slack has a place for each channel: a bot posts where it is told to, a webhook into its own channel."""

    def silence_of(self, incident_id: str) -> Silence | None:
        """Return the silence in which an incident is, if any."""
        return in_force(self.silences.get(incident_id, ()), self.now)

    def quiet_until(self, incident_id: str) -> datetime | None:
        """Return when the quiet hours are over in which messages about an incident, as grave as it is, wait; None where they need not."""
        history = self.histories.get(incident_id)
        monitor = self.monitors.get(history[0].model) if history else None
        if not history or monitor is None or monitor.alerts.quiet_hours is None:
            return None
        quiet = monitor.alerts.quiet_hours
        return None if quiet.lets_through(severity_so_far(history)) else quiet.until(self.now, monitor.timezone)


def standings_of(event: IncidentEvent, standings: Mapping[str, Standing]) -> list[Standing]:
    """Return how the actions stand that tell of an event in the first place."""
    return [standings[k] for kind in KINDS for t in TARGETS if (k := key(event.event_id, kind, t)) in standings]


def held_since(history: Sequence[IncidentEvent], standings: Mapping[str, Standing]) -> dict[str, datetime]:
    """Return the events that wait for the end of quiet hours, and since when."""
    held = {e.event_id: [s.action.at for s in standings_of(e, standings) if s.state == "held"] for e in history}
    return {event_id: min(those) for event_id, those in held.items() if those}
