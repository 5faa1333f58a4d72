"""Incidents as they are known at a moment: their events folded, with the silences that cover them; and the one that somebody names.

Belongs here: reading. Does not: the rules (judgement/incidents.py, judgement/silences.py), or what people do with an incident
(care.py, silence.py).
"""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from watchkeeper.adapters.lake import among
from watchkeeper.adapters.workspace import Home
from watchkeeper.errors import UsageError
from watchkeeper.judgement import silences as rules
from watchkeeper.judgement.incidents import Incident, fold
from watchkeeper.judgement.together import with_parts
from watchkeeper.records import IncidentEvent, Signal, Silence

JUDGING = "judge"
"""The lease of whoever changes incidents."""
_NAMED = 5


def known_incidents(home: Home, *, now: datetime) -> list[Incident]:
    """Return all incidents in the order they opened, those that are silenced at `now` with their silence, those that lead with their parts."""
    incidents, silences = fold(home.lake.newest(IncidentEvent, as_of=now)), known_silences(home, now=now)
    by_incident = covering(home, incidents, silences, now=now)
    return with_parts([rules.marked(i, by_incident.get(i.id, ()), now) for i in incidents])


def known_silences(home: Home, *, now: datetime) -> list[Silence]:
    """Return all silences that began by `now`, past ones too, each with the end that it came to have."""
    return rules.fold(home.lake.newest(Silence, as_of=now))


def covering(home: Home, incidents: Iterable[Incident], silences: Sequence[Silence], *, now: datetime) -> dict[str, list[Silence]]:
    """Return the silences that cover each incident, in the order in which they began; signals are read only where a silence asks for some."""
    asked = {s.model for s in silences if s.metric or s.segment}
    signals = _signals(home, asked, now)
    found = {}
    for incident in incidents:
        mine = [signals[name] for name in incident.signals if name in signals]
        if those := [s for s in silences if rules.covers(s, incident, mine)]:
            found[incident.id] = those
    return found


def silence_of(home: Home, incident: Incident, *, now: datetime) -> Silence | None:
    """Return the silence in which an incident is, also one that is over, of whose end people are told after it."""
    return rules.in_force(covering(home, [incident], known_silences(home, now=now), now=now).get(incident.id, ()), now)


def _signals(home: Home, models: Iterable[str], now: datetime) -> Mapping[str, Signal]:
    names = set(models)
    return {s.signal_id: s for s in home.lake.newest(Signal, as_of=now, where=among("model", names))} if names else {}


def incident_called(incidents: Sequence[Incident], beginning: str) -> Incident:
    """Return the incident whose id begins so.

    Raises:
        UsageError: none does, or several do.

    """
    said = beginning.strip()
    found = [i for i in incidents if i.id.startswith(said)] if said else []
    exact = [i for i in found if i.id == said]
    if len(found) == 1 or exact:
        return (exact or found)[0]
    where = "incident"
    if not said:
        raise UsageError("no incident is named", where=where, then="`watchkeeper incidents` lists their ids.")
    if found:
        some = ", ".join([*(f"{i.id} ({i.model}, {i.state})" for i in found[:_NAMED]), *(["..."] if len(found) > _NAMED else [])])
        raise UsageError(f"{len(found)} incidents have an id that begins with {said!r}: {some}", where=where, then="Write more of the id.")
    near = difflib.get_close_matches(said, [i.id[: max(len(said), 4)] for i in incidents], n=1, cutoff=0.7)
    whole = next((i.id for i in incidents if near and i.id.startswith(near[0])), "")
    then = f"Did you mean {whole}? " if whole else ""
    raise UsageError(f"no incident has an id that begins with {said!r}", where=where, then=f"{then}`watchkeeper incidents --all` lists them.")
