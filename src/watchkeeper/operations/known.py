"""What planning and sending rest on: everything that is known of incidents, digests and the outbox at a moment.

Belongs here: that, and the questions asked of it in more than one place. Does not: reading it (act.py), or what follows from it (plan.py).
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property

from watchkeeper.adapters.workspace import Home
from watchkeeper.judgement.notices import goes_on, severity_so_far
from watchkeeper.judgement.outbox import Standing
from watchkeeper.judgement.silences import in_force
from watchkeeper.judgement.together import Course, courses
from watchkeeper.monitor import Monitor
from watchkeeper.records import Digest, IncidentEvent, Silence, key

TARGETS = ("slack", "file", "webhook", "event")
KINDS = ("open", "update", "resolve")


@dataclass(frozen=True)
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
    beside: Mapping[str, Monitor] = field(default_factory=dict)
    """Monitors of other models that have incidents in one with these."""

    def monitor_of(self, model: str) -> Monitor | None:
        """Return the monitor of a model, one beside those that are acted for too; None where it is not watched."""
        return self.monitors.get(model) or self.beside.get(model)

    def channel_of(self, model: str) -> str | None:
        """Return the channel of a model, where no route takes an incident elsewhere; None where it is not watched."""
        monitor = self.monitor_of(model)
        return None if monitor is None else monitor.channel or self.home.workspace.slack.channel or ""

    @cached_property
    def courses(self) -> list[Course]:
        """All that is told of, each thing once; those of one fault are one."""
        return courses(self.histories, self.channel_of)

    @cached_property
    def _by_incident(self) -> dict[str, Course]:
        return {name: course for course in self.courses for name in course.incidents}

    def course_of(self, incident_id: str) -> Course | None:
        """Return what is told of as one with an incident, None where it is not known."""
        return self._by_incident.get(incident_id)

    def promises_broken(self, course: Course) -> list[IncidentEvent]:
        """Return the openings of incidents about promises of the model that leads."""
        return [e for e in self._broken.get(course.model, ()) if e.incident_id != course.lead]

    @cached_property
    def _broken(self) -> dict[str, list[IncidentEvent]]:
        found: dict[str, list[IncidentEvent]] = defaultdict(list)
        for opened, *_ in self.histories.values():
            if (opened.family, opened.environment) == ("target", "production") and opened.severity != "notice":
                found[opened.model].append(opened)
        return found

    def is_acted_for(self, course: Course) -> bool:
        """Tell whether any of the models that it is about is acted for."""
        return not self.monitors.keys().isdisjoint(e.model for e in course.events)

    def silence_of(self, incident_id: str) -> Silence | None:
        """Return the silence in which an incident is, if any, and all that are told of under its id and go on."""
        own = in_force(self.silences.get(incident_id, ()), self.now)
        course = self.course_of(incident_id) if own else None
        with_it = course.incidents if course is not None and course.lead == incident_id else []
        are_silent = (in_force(self.silences.get(name, ()), self.now) for name in with_it if goes_on(self.histories[name]))
        return own if all(are_silent) else None

    def quiet_until(self, incident_id: str) -> datetime | None:
        """Return when the quiet hours are over in which messages about an incident wait, None where they need not.

        The hours are those of the model that leads, and it is as grave as all that is told of as one with it.
        """
        course = self.course_of(incident_id)
        monitor = self.monitor_of(course.model) if course else None
        if course is None or monitor is None or monitor.alerts.quiet_hours is None:
            return None
        quiet = monitor.alerts.quiet_hours
        return None if quiet.lets_through(severity_so_far(course.events)) else quiet.until(self.now, monitor.timezone)


def standings_of(event: IncidentEvent, standings: Mapping[str, Standing]) -> list[Standing]:
    """Return how the actions stand that tell of an event in the first place."""
    return [standings[k] for kind in KINDS for t in TARGETS if (k := key(event.event_id, kind, t)) in standings]


def held_since(history: Sequence[IncidentEvent], standings: Mapping[str, Standing]) -> dict[str, datetime]:
    """Return the events that wait for the end of quiet hours, and since when."""
    held = {e.event_id: [s.action.at for s in standings_of(e, standings) if s.state == "held"] for e in history}
    return {event_id: min(those) for event_id, those in held.items() if those}
