"""Which events of an incident people are told about, and which are passed over and why.

Belongs here: pure rules over incident events and digests. Does not: words (site/message.py), sending (operations/act.py),
retries (outbox.py).

The rules: incidents in production that are or were more than a notice are told. What could have been told more than
seven days ago, never was, and is over, is not told in bulk now; what still goes on is told however long ago it began. One run sends at most one message about one incident: the opening
with the newest story, the newest update, or the resolution; what it replaces is passed over, and so is an update that says
nothing new.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from watchkeeper.records import SEVERITIES, IncidentEvent

STALE_AFTER = timedelta(days=7)
STALE = "older than 7 days"
Kind = Literal["open", "update", "resolve"]
_KINDS: dict[str, Kind] = {"opened": "open", "joined": "update", "updated": "update", "resolved": "resolve"}
_SEQUENCE = ("opened", "joined", "updated", "acknowledged", "silenced", "resolved")


@dataclass(frozen=True, slots=True)
class Notice:
    """One event to tell; `skip` says why it is not told, `teller` is the event whose story is told."""

    event: IncidentEvent
    kind: Kind
    teller: IncidentEvent
    skip: str = ""


def in_order(events: Iterable[IncidentEvent]) -> list[IncidentEvent]:
    """Return events in the order in which they happened; those of one moment in the order of an incident's life."""
    return sorted(events, key=lambda e: (e.at, _SEQUENCE.index(e.event), e.window_start, e.event_id))


def severity_so_far(history: Sequence[IncidentEvent]) -> str:
    """Return the worst severity that an incident has had."""
    return max((e.severity for e in history), key=SEVERITIES.index, default="notice")


def is_stale(at: datetime, window_end: datetime, *, now: datetime, mature_after: timedelta) -> bool:
    """Tell whether something could have been told more than seven days ago, at the latest when its labels were due."""
    return now - min(at, window_end + mature_after) > STALE_AFTER


def notices(history: Sequence[IncidentEvent], decided: Mapping[str, bool], *, now: datetime, mature_after: timedelta) -> list[Notice]:
    """Return what to do about the events of one incident, given in order, that were not decided yet.

    `decided` maps decided events to whether they were told. The end of what was told is told too, however long ago its
    last bad window was: it takes windows without trouble to call it over.
    """
    is_known, goes_on = any(decided.values()), _goes_on(history)
    fresh: list[tuple[IncidentEvent, Kind]] = []
    found: list[Notice] = []
    for event, kind in _told(history):
        if event.event_id in decided:
            continue
        is_awaited = kind == "resolve" and (is_known or bool(fresh))
        since = event.at if is_awaited else event.window_end
        if not goes_on and is_stale(event.at, since, now=now, mature_after=mature_after):
            found.append(Notice(event, kind, event, STALE))
        elif kind == "update" and (silence := _silence(history, event)):
            found.append(Notice(event, kind, event, f"silenced by {silence.who}"))
        else:
            fresh.append((event, kind))
    return found + _coalesced(fresh, _last_said(history, decided))


def _goes_on(history: Sequence[IncidentEvent]) -> bool:
    """Tell whether an incident, whose events are given in order, is not over."""
    return next((e.event != "resolved" for e in reversed(history) if e.event in _KINDS), False)


def _told(history: Sequence[IncidentEvent]) -> list[tuple[IncidentEvent, Kind]]:
    told: list[tuple[IncidentEvent, Kind]] = []
    for position, event in enumerate(history):
        if event.event not in _KINDS or event.environment != "production" or severity_so_far(history[: position + 1]) == "notice":
            continue
        kind = _KINDS[event.event]
        is_first = not told
        if is_first and kind == "resolve":
            continue
        told.append((event, "open" if is_first else kind))
    return told


def _silence(history: Sequence[IncidentEvent], event: IncidentEvent) -> IncidentEvent | None:
    return next((e for e in history if e.event == "silenced" and e.at <= event.at), None)


def _last_said(history: Sequence[IncidentEvent], decided: Mapping[str, bool]) -> tuple[str, str] | None:
    """Return what people were told last about an incident: its severity then, and the story; None after its end."""
    told = [(e, kind) for e, kind in _told(history) if e.event_id in decided]
    if not told or told[-1][1] == "resolve":
        return None
    last = told[-1][0]
    return severity_so_far(history[: history.index(last) + 1]), last.story


def _coalesced(fresh: Sequence[tuple[IncidentEvent, Kind]], said: tuple[str, str] | None) -> list[Notice]:
    if not fresh:
        return []
    newest, newest_kind = fresh[-1]
    if newest_kind == "resolve":
        passed = [Notice(e, k, e, "the incident was resolved before this could be told") for e, k in fresh[:-1]]
        return [*passed, Notice(newest, "resolve", newest)]
    opening = next((e for e, k in fresh if k == "open"), None)
    if opening is not None:
        passed = [Notice(e, k, e, "told with the opening") for e, k in fresh if e is not opening]
        return [Notice(opening, "open", newest), *passed]
    passed = [Notice(e, k, e, "a newer update took its place") for e, k in fresh[:-1]]
    is_said = said == (max(said[0], newest.severity, key=SEVERITIES.index), newest.story) if said else False
    return [*passed, Notice(newest, newest_kind, newest, "it would repeat what was told last" if is_said else "")]
