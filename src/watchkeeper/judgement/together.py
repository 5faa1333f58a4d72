"""Incidents that tell of one fault: which are parts of which, how they stand as one, and who is told where.

Belongs here: pure rules over incidents and their events. Does not: what a fault is that several models have (shared_faults.py), what one does to
its own model (harm.py), what a segment has in common with the whole (one_trouble.py), the life of one incident (incidents.py), which events are told (notices.py).

The rules: an incident becomes a part when it opens, never later. Of **one model** a fault of data and the KPI that suffers by it are one (harm.py), and the incidents of
the whole and of a segment that are one trouble (one_trouble.py): be it over or not, since labels may come when the data is as usual again. What opens becomes part of what such a one leads, or is a part of; of several
the nearest (`bond_with`), then the first.
Of **several models** it becomes part of one that goes on, is about the same subject, has a fault in common with it, and whose first window began at most
`TOGETHER` before or after its own; a part leads nothing so, and a model has no two such incidents in one.
That one leads which opened first. Of those that open together it is one of data, as that needs no labels; then the gravest, of these the whole's, then the first by the model's name.
Each keeps its own life underneath: together they are as open as the one that is most so.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from watchkeeper.judgement.harm import HARMED, are_fault_and_harm
from watchkeeper.judgement.incidents import Incident, fold, in_order
from watchkeeper.judgement.one_trouble import are_of_one_trouble, does_name
from watchkeeper.records import SEVERITIES, IncidentEvent

TOGETHER = timedelta(days=1)
_MOST_OPEN = ("open", "acknowledged", "silenced", "lasting", "resolved")


@dataclass
class _Leading:
    """An incident that others may become part of, by its opening, and all that are one with it so far, itself first."""

    opened: IncidentEvent
    members: list[Incident]
    goes_on: bool = True

    def has_fault_of(self, opening: IncidentEvent) -> bool:
        """Tell whether what opens tells of the same fault in another model."""
        mine = self.opened
        same = (mine.environment, mine.family, mine.subject) == (opening.environment, opening.family, opening.subject)
        is_near = abs(mine.window_start - opening.window_start) <= TOGETHER
        is_other = opening.model not in {i.model for i in self.members}
        return self.goes_on and same and is_near and is_other and not set(mine.faults).isdisjoint(opening.faults)

    def bond_with(self, opening: Incident) -> tuple[int, timedelta] | None:
        """Return how near what opens is to one of them of its model, the least the nearest, None where it has nothing to do with any.

        A fault of data and what it did precede a segment that the whole names, and this one that has its cause; of such the one with which most time is shared.
        """
        if any(are_fault_and_harm(i, opening) for i in self.members):
            return 0, timedelta(0)
        found = [(1 if does_name(i, opening) else 2, i) for i in self.members if are_of_one_trouble(i, opening)]
        return min(((rank, max(i.window_start, opening.window_start) - min(i.window_end, opening.window_end)) for rank, i in found), default=None)


def with_parts_marked(events: Sequence[IncidentEvent], known: Sequence[IncidentEvent], now: datetime) -> list[IncidentEvent]:
    """Return new events with those openings marked that are parts; `known` are the events of all models before."""
    stand = {i.id: i for i in fold([*known, *events])}
    leading = list(_that_lead(known, stand, now))
    marks: dict[str, str] = {}
    for event in sorted((e for e in events if e.event == "opened"), key=_turn):
        opening = stand[event.incident_id]
        near = [(bond, one) for one in leading if (bond := one.bond_with(opening)) is not None]
        _, found = min(near, key=lambda each: (each[0], each[1].opened.window_start), default=(None, None))
        found = found or next((one for one in leading if one.has_fault_of(event)), None)
        if found is None:
            leading.append(_Leading(event, [opening]))
        else:
            found.members.append(opening)
            marks[event.event_id] = found.opened.incident_id
    return [replace(e, part_of=marks[e.event_id]) if e.event_id in marks else e for e in events]


def _turn(opening: IncidentEvent) -> tuple[bool, int, bool, str, str]:
    return opening.family in HARMED, -SEVERITIES.index(opening.severity), opening.family == "segment", opening.model, opening.event_id


def _that_lead(known: Sequence[IncidentEvent], stand: Mapping[str, Incident], now: datetime) -> Iterator[_Leading]:
    """Yield the incidents that others may become part of, with their parts as they `stand` now; whether they go on is as of before, or that they opened this moment."""
    openings = {e.incident_id: e for e in known if e.event == "opened"}
    for incident in leading(with_parts(fold(known))):
        if incident.id in openings and not incident.part_of:
            goes_on = incident.opened_at == now or as_one(incident).is_open
            yield _Leading(openings[incident.id], [stand[i.id] for i in (incident, *incident.parts)], goes_on)


def with_parts(incidents: Sequence[Incident]) -> list[Incident]:
    """Return incidents, in their order, those that lead with their parts."""
    parts: dict[str, list[Incident]] = defaultdict(list)
    for incident in incidents:
        parts[incident.part_of].append(incident)
    return [i if i.part_of else replace(i, parts=tuple(parts.get(i.id, ()))) for i in incidents]


def leading(incidents: Sequence[Incident]) -> list[Incident]:
    """Return incidents without those that are told of as parts of another one of them."""
    names = {i.id for i in incidents}
    return [i for i in incidents if i.part_of not in names]


def as_one(incident: Incident) -> Incident:
    """Return an incident as it stands with its parts: as open as the one that is most so, as grave as the gravest, over when all are, and with the time of all but for what never was."""
    if not incident.parts:
        return incident
    every = (incident, *incident.parts)
    states = [_with_leading(i, incident) for i in every]
    state = min(states, key=_MOST_OPEN.index)
    so = next(i for i, its in zip(every, states, strict=True) if its == state)
    real = [i for i in every if not i.is_withdrawn] or every
    ends = [i.resolved_at for i in every if i.resolved_at is not None]
    return replace(
        incident,
        state=state,
        severity=max((i.severity for i in every), key=SEVERITIES.index),
        resolved_at=max(ends) if len(ends) == len(every) else None,
        detected_at=min(i.detected_at for i in real),
        onset_at=min(i.onset_at for i in real),
        window_start=min(i.window_start for i in real),
        window_end=max(i.window_end for i in real),
        silence=so.silence if state == "silenced" else None,
        why=incident.why if incident.state == state else so.why,
        closed_by=incident.closed_by if incident.state == state else so.closed_by,
        acknowledgement=incident.acknowledgement or so.acknowledgement,
        acknowledged_at=incident.acknowledged_at or so.acknowledged_at,
    )


def whole_of(incident: Incident, incidents: Iterable[Incident]) -> Incident:
    """Return all that is told as one with an incident, be it leading or a part, as it stands; `incidents` have their parts."""
    return as_one(next((i for i in incidents if i.id == incident.leader), incident))


def _with_leading(incident: Incident, first: Incident) -> str:
    """Return the state of a part; whoever looks after the leading one looks after what joined it since."""
    return "acknowledged" if incident.state == "open" and first.state == "acknowledged" else incident.state


@dataclass(frozen=True, slots=True)
class Together:
    """The other incidents that are one with one, the leading one first, and the faults that it has in common with any of them."""

    others: list[Incident] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def together_of(incident: Incident, incidents: Iterable[Incident]) -> Together:
    """Return what an incident, be it leading or a part, has in common with others."""
    leader = incident.leader
    mine = sorted((i for i in incidents if leader in (i.id, i.part_of) and i.id != incident.id), key=lambda i: (i.id != leader, i.opened_at, i.model))
    return Together(mine, [f for f in incident.faults if any(f in other.faults for other in mine if other.model != incident.model)])


@dataclass(frozen=True, slots=True)
class Course:
    """What happened to incidents that are told of as one, in order: those of one fault whose messages go to one channel.

    It is told under the id of `lead`: the leading incident, or in another channel the first that opened there.
    """

    lead: str
    events: Sequence[IncidentEvent]

    @property
    def model(self) -> str:
        """The model of its lead."""
        return next(e.model for e in self.events if e.incident_id == self.lead)

    @property
    def incidents(self) -> list[str]:
        """The incidents that it is about, its lead first."""
        return list(dict.fromkeys([self.lead, *(e.incident_id for e in self.events)]))

    def of(self, incident_id: str) -> list[IncidentEvent]:
        """Return what happened to one of them."""
        return [e for e in self.events if e.incident_id == incident_id]


def courses(histories: Mapping[str, Sequence[IncidentEvent]], channel_of: Callable[[str], str | None]) -> list[Course]:
    """Return what is told of as one; `channel_of` gives the channel of a model, None where the model is not watched any more."""
    told: dict[tuple[str, str | None], list[str]] = defaultdict(list)
    for name, history in histories.items():
        part_of = history[0].part_of
        told[part_of if part_of in histories else name, channel_of(history[0].model)].append(name)
    out = []
    for (leader, _), names in told.items():
        first = min(names, key=lambda n: (n != leader, histories[n][0].at, -SEVERITIES.index(histories[n][0].severity), histories[n][0].model))
        events = histories[first] if len(names) == 1 else in_order(e for n in names for e in histories[n])
        out.append(Course(first, events))
    return out
