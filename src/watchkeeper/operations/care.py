"""What people do with an incident: acknowledge it, and close it by hand.

What is done with an incident that leads others (judgement/together.py) is done with all of them.

Belongs here: writing each down once, under the lease that judging takes, so that neither loses what the other found. Does not:
silences (silence.py), asking for it (cli/care.py, flows/care.py), or what follows (judgement/incidents.py, judgement/notices.py).
"""

from datetime import datetime

from watchkeeper.adapters.leases import lease
from watchkeeper.adapters.workspace import Home
from watchkeeper.errors import UsageError
from watchkeeper.judgement.incidents import OURSELVES, Incident, event_about
from watchkeeper.judgement.together import as_one
from watchkeeper.operations.incident_book import JUDGING, incident_called, known_incidents
from watchkeeper.records import IncidentEvent, key
from watchkeeper.words import moment_text


def acknowledge(home: Home, incident: str, *, who: str, why: str = "", now: datetime) -> Incident:
    """Write down that somebody looks after an incident, named by the beginning of its id, and return it; again by the same adds nothing.

    Raises:
        UsageError: there is no such incident, several are meant, it is over, or nobody is named.

    """
    who, why = person(who), why.strip()
    with lease(home.lake, JUDGING):
        found = going_on(incident_called(known_incidents(home, now=now), incident), "acknowledged")
        seen = [_event(one, "acknowledged", who, why, now) for one in (found, *found.parts) if one.is_open and _is_news(one, who, why)]
        home.lake.append_records(IncidentEvent, seen)
        return incident_called(known_incidents(home, now=now), found.id)


def resolve(home: Home, incident: str, *, who: str, why: str, now: datetime) -> Incident:
    """Close an incident by hand, named by the beginning of its id, and return it; only windows that are out of line later open it again.

    Raises:
        UsageError: there is no such incident, several are meant, it is over, no reason is given, or nobody is named.

    """
    who, why = person(who), reason(why, "closing an incident")
    with lease(home.lake, JUDGING):
        found = incident_called(known_incidents(home, now=now), incident)
        if as_one(found).state == "resolved":
            raise UsageError(_over(as_one(found)), where=found.id, then="Windows that are out of line later open it again; nothing is to be done.")
        closed = [_event(one, "resolved", who, why, now) for one in (found, *found.parts) if one.state != "resolved"]
        home.lake.append_records(IncidentEvent, closed)
        return incident_called(known_incidents(home, now=now), found.id)


def going_on(incident: Incident, done: str) -> Incident:
    """Return an incident that is not over, or of which not all parts are.

    Raises:
        UsageError: it is, so that it cannot be `done` any more.

    """
    whole = as_one(incident)
    if whole.state == "resolved":
        raise UsageError(f"{_over(whole)} and cannot be {done}", where=incident.id, then="`watchkeeper incidents` lists what goes on.")
    if whole.state == "lasting":
        what = "is closed as lasting, is known and tells nobody any more, so that it need not be"
        raise UsageError(f"{what} {done}", where=incident.id, then=f"Where it is over, `watchkeeper resolve {incident.id}` closes it.")
    return incident


def person(who: str) -> str:
    """Return the name of whoever does something.

    Raises:
        UsageError: none is given, or it is our own.

    """
    name = who.strip()
    if not name:
        raise UsageError("nobody is named", where="who", then="Say who you are, for example --who ann.")
    if name.casefold() == OURSELVES:
        raise UsageError(f"{name!r} is what Watchkeeper's own doings are kept under", where="who", then="Give the name of a person, for example ann.")
    return name


def reason(why: str, what: str) -> str:
    """Return why something is done.

    Raises:
        UsageError: no reason is given.

    """
    if not why.strip():
        raise UsageError(f"{what} needs a reason", where="reason", then='Say why, for example --reason "the sensor was replaced".')
    return why.strip()


def _over(incident: Incident) -> str:
    by = f" by {incident.closed_by}" if incident.is_closed_by_hand else ""
    return f"is over already: resolved{by} on {moment_text(incident.resolved_at, 'UTC')} UTC ({incident.why})"


def _is_news(incident: Incident, who: str, why: str) -> bool:
    """Tell whether it was not known that somebody looks after an incident for a reason; without a reason, that somebody does."""
    before = incident.acknowledgement
    return before is None or before.who != who or why not in ("", before.why)


def _event(incident: Incident, event: str, who: str, why: str, now: datetime) -> IncidentEvent:
    return event_about(incident, event, key(incident.id, event, who, why, now), who=who, why=why, now=now)
