"""What people did with an incident, in words: who looks after it, who silenced it until when, who closed it, and why.

Belongs here: those lines, and the entries of the timeline that tell of silences. Does not: the rules (judgement/), or where the
lines stand (message.py, incident_page.py, published.py).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from watchkeeper.judgement.incidents import Incident
from watchkeeper.records import Silence
from watchkeeper.words import metric_text, moment_text


@dataclass(frozen=True, slots=True)
class Said:
    """The last that was said of an incident as it stands: by whom, why, and of a silence until when."""

    who: str = ""
    why: str = ""
    until: datetime | None = None


def last_said(incident: Incident) -> Said:
    """Return who put an incident into its state, and why; of one that is open, nobody."""
    if incident.silence is not None:
        return Said(incident.silence.who, incident.silence.why, incident.silence.until)
    if incident.closed_by:
        return Said(incident.closed_by, incident.why)
    return Said() if incident.acknowledgement is None else Said(incident.acknowledgement.who, incident.acknowledgement.why)


def care_lines(incident: Incident, timezone: str) -> list[tuple[str, str]]:
    """Return (label, text) of what people did with an incident as it stands."""
    seen, silence = incident.acknowledgement, incident.silence
    lines = [("Acknowledged", f"by {seen.who} on {moment_text(seen.at, timezone)}{_why(seen.why)}")] if seen else []
    lines += [("Silenced", f"by {silence.who} until {moment_text(silence.until, timezone)}{_why(silence.why)}")] if silence else []
    closed = f"by {incident.closed_by} on {moment_text(incident.resolved_at, timezone)}{_why(incident.why)}"
    return [*lines, *([("Closed", closed)] if incident.is_closed_by_hand else [])]


def silence_about(silence: Silence) -> str:
    """Return what a silence is about.

    >>> from datetime import UTC
    >>> at = datetime(2025, 3, 3, tzinfo=UTC)
    >>> silence_about(Silence(silence_id="s", model="parcels", metric="psi", segment="depot=north", until=at, who="ann", at=at))
    'PSI, depot=north, of parcels'
    """
    if silence.incident_id:
        return f"incident {silence.incident_id} of {silence.model}"
    parts = [metric_text(silence.metric)] if silence.metric else []
    parts += [silence.segment] if silence.segment else []
    return f"{', '.join(parts)}, of {silence.model}" if parts else f"all of {silence.model}"


def silences_told(silences: Iterable[Silence], timezone: str, now: datetime) -> list[tuple[datetime, str]]:
    """Return (moment, text) of the beginnings of silences, and of those ends that have come."""
    told = []
    for silence in silences:
        until = moment_text(silence.until, timezone)
        told.append((silence.at, f"Silenced by {silence.who} ({silence_about(silence)}) until {until}{_why(silence.why)}."))
        told += [(silence.until, "The silence was over.")] if silence.until <= now else []
    return told


def _why(why: str) -> str:
    return f": {why}" if why else ""
