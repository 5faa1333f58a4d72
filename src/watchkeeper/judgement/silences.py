"""Silences: what people asked not to be told of, until when, and which incidents that covers.

Belongs here: the fold of silences, and what one covers: pure rules. Does not: what becomes of messages (notices.py), or writing
silences down (operations/silence.py).

An incident is covered where all that is out of line in it is: a silence of one metric hides no trouble of another. While it lasts
an incident that gets graver stays silent.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from watchkeeper.judgement.incidents import Incident
from watchkeeper.records import Signal, Silence
from watchkeeper.spelling import segment_pairs


def fold(rows: Iterable[Silence]) -> list[Silence]:
    """Return silences in the order in which they began, each with the end that it came to have."""
    found = list(rows)
    ends = {row.silence_id: row.at for row in found if row.event == "ended"}
    begun = sorted((row for row in found if row.event == "begun"), key=lambda row: (row.at, row.silence_id))
    return [replace(row, until=min(row.until, ends.get(row.silence_id, row.until))) for row in begun]


def is_in_force(silence: Silence, now: datetime) -> bool:
    """Tell whether a silence lasts at a moment."""
    return silence.at <= now < silence.until


def in_force(silences: Iterable[Silence], now: datetime) -> Silence | None:
    """Return of the silences that last at a moment the one that lasts longest, None where none does."""
    return max((s for s in silences if is_in_force(s, now)), key=lambda s: s.until, default=None)


def covers(silence: Silence, incident: Incident, signals: Sequence[Signal]) -> bool:
    """Tell whether a silence is about an incident, whose signals are given; one of a leading incident is about its parts."""
    if silence.incident_id:
        return silence.incident_id in (incident.id, incident.part_of)
    if silence.model != incident.model:
        return False
    standing = [s for s in signals if s.state != "withdrawn"] or signals
    return not (silence.metric or silence.segment) or (bool(standing) and all(_is_about(silence, s) for s in standing))


def _is_about(silence: Silence, signal: Signal) -> bool:
    return silence.metric in ("", signal.metric) and set(segment_pairs(silence.segment)) <= set(segment_pairs(signal.segment))


def during(silences: Iterable[Silence], incident: Incident) -> list[Silence]:
    """Return of the silences that cover an incident those that lasted while it went on, or still last."""
    return [s for s in silences if s.until > incident.opened_at and (incident.resolved_at is None or s.at <= incident.resolved_at)]


def marked(incident: Incident, silences: Iterable[Silence], now: datetime) -> Incident:
    """Return an incident with the silence in force of those that cover it; one that is over needs none."""
    silence = in_force(silences, now) if incident.is_open else None
    return incident if silence is None else replace(incident, state="silenced", silence=silence)
