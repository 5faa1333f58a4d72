"""Which events of an incident people are told about, and which are passed over and why.

Belongs here: pure rules over incident events and digests. Does not: words (site/message.py), sending (operations/act.py),
retries (outbox.py).

The rules: incidents in production that are or were more than a notice are told. What could have been told more than
seven days ago, never was, and is over, is not told in bulk now; what still goes on is told however long ago it began. One run sends at most one message about one incident: the opening
with the newest story, the newest update, or the resolution; what it replaces is passed over, and so is an update without news on
a day on which nobody is to hear that it goes on (news.py). That one got worse (worsening.py) is told at once, all else once the cooldown is over. While a silence lasts nothing is told: it is passed over, but for the end of what people believe goes on, which waits
until the silence is over. What nobody was told of opens with the first news that may be told. Of incidents that are one (together.py) the first opening
opens and the last end resolves; all between is an update.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Literal

from watchkeeper.judgement.news import News, day_of, is_told_again, news, next_day
from watchkeeper.judgement.silences import in_force
from watchkeeper.judgement.worsening import is_worse
from watchkeeper.records import SEVERITIES, IncidentEvent, Silence
from watchkeeper.words import counted

STALE_AFTER = timedelta(days=7)
STALE = "older than 7 days"
SILENCED = "silenced by "
TOLD_WITH = "told with the opening"
GOES_ON = "it only went on"
Kind = Literal["open", "update", "resolve"]
Fate = Literal["told", "told with", "waiting", "passed over", "silenced"]
"""What became of an event: people were told, by its own message or the opening; its update did not get through yet; or it was passed over, as there was a silence or no
need."""
_KINDS = ("opened", "joined", "updated", "resolved")
_NO_SILENCES: Mapping[str, Sequence[Silence]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Notice:
    """One event to tell; `skip` says why it is not told, `teller` is the event whose story is told."""

    event: IncidentEvent
    kind: Kind
    teller: IncidentEvent
    skip: str = ""
    is_urgent: bool = False
    """It says that the incident got worse, and waits for no cooldown."""
    day: int | None = None
    """Of an update to those who know the incident, how many days after its opening; None of what is told whole."""
    news: Sequence[News] = ()
    """What they do not know yet; an update on a day without any says that it goes on."""


def severity_so_far(history: Sequence[IncidentEvent]) -> str:
    """Return the worst severity that an incident has had."""
    return max((e.severity for e in history), key=SEVERITIES.index, default="notice")


def is_stale(at: datetime, window_end: datetime, *, now: datetime, mature_after: timedelta) -> bool:
    """Tell whether something could have been told more than seven days ago, at the latest when its labels were due."""
    return now - min(at, window_end + mature_after) > STALE_AFTER


def notices(
    history: Sequence[IncidentEvent],
    decided: Mapping[str, Fate],
    *,
    now: datetime,
    mature_after: timedelta,
    silences: Mapping[str, Sequence[Silence]] = _NO_SILENCES,
    held: Mapping[str, datetime] = MappingProxyType({}),
    broken: Sequence[IncidentEvent] = (),
) -> list[Notice]:
    """Return what to do about the events of one incident, or of several that are told of as one, given in order, that were not decided yet.

    `decided` maps decided events to what became of them, `silences` incidents to those that cover them, past ones too; `held` are events
    that waited for the end of quiet hours, with the moment since which they did: by that moment it is judged whether they are old news. `broken` are openings about
    the model's promises, which are news of it. The end of what was told is told too, however long ago its last bad window was: it takes windows without trouble to call it over.
    """
    told = _told(history)
    is_known, lasts = not {"told", "waiting"}.isdisjoint(decided.values()), goes_on(history)
    fresh: list[tuple[IncidentEvent, Kind]] = []
    found: list[Notice] = []
    for event, kind in told:
        covering = silences.get(event.incident_id, ())
        silence = in_force(covering, now)
        is_held = silence is not None and kind == "resolve" and event is told[-1][0] and _is_believed_on(told, decided)
        if event.event_id in decided or is_held:
            continue
        is_awaited = event.event == "resolved" and (is_known or bool(fresh))
        at = max([event.at, *(s.until for s in covering if event.at < s.until <= now)]) if is_awaited else event.at
        due = at if is_awaited else event.window_end
        if event.event_id in held:
            at = due = max(at, held[event.event_id])
        if not lasts and is_stale(at, due, now=now, mature_after=mature_after):
            found.append(Notice(event, kind, event, STALE))
        elif silence is not None:
            found.append(Notice(event, kind, event, silenced_text(silence)))
        else:
            fresh.append((event, kind))
    if is_known and fresh and fresh[-1][1] == "update" and (last := _last_told(told, decided)) is not None:
        return found + _updates(history, fresh, last, _opened_at(told, last), broken)
    return found + _coalesced(fresh, is_known=is_known)


def silenced_text(silence: Silence) -> str:
    """Return why something is not told while a silence lasts."""
    return f"{SILENCED}{silence.who} until {silence.until:%d %b %Y, %H:%M} UTC: {silence.why}"


def _is_believed_on(told: Sequence[tuple[IncidentEvent, Kind]], decided: Mapping[str, Fate]) -> bool:
    """Tell whether the last that people were told of an incident is not its end."""
    return next((kind != "resolve" for event, kind in reversed(told) if decided.get(event.event_id) == "told"), False)


def goes_on(history: Sequence[IncidentEvent]) -> bool:
    """Tell whether an incident, or any of several, whose events are given in order, is not over."""
    return bool(history) and not _are_over(history)[-1]


def _are_over(history: Sequence[IncidentEvent]) -> list[bool]:
    """Tell after each event whether all incidents that it and those before it are about are over."""
    over: dict[str, bool] = {}
    out = []
    for event in history:
        if event.event in _KINDS:
            over[event.incident_id] = event.event == "resolved"
        out.append(all(over.values()))
    return out


def _told(history: Sequence[IncidentEvent]) -> list[tuple[IncidentEvent, Kind]]:
    told: list[tuple[IncidentEvent, Kind]] = []
    are_over = _are_over(history)
    for position, event in enumerate(history):
        if event.event not in _KINDS or event.environment != "production" or severity_so_far(history[: position + 1]) == "notice":
            continue
        is_first, is_end = not told, event.event == "resolved"
        if is_first and is_end:
            continue
        told.append((event, "open" if is_first else "resolve" if is_end and are_over[position] else "update"))
    return told


def _last_told(told: Sequence[tuple[IncidentEvent, Kind]], decided: Mapping[str, Fate]) -> IncidentEvent | None:
    """Return the last event that people know of; None where no message got through, or where that is the end or one came since: what is open again is told whole."""
    for event, kind in reversed(told):
        if kind == "resolve":
            return None
        if decided.get(event.event_id) in ("told", "told with"):
            return event
    return None


def _opened_at(told: Sequence[tuple[IncidentEvent, Kind]], last: IncidentEvent) -> datetime:
    """Return when what people know of opened, or opened again after its last end."""
    at = last.at
    for event, kind in reversed(told[: [e for e, _ in told].index(last) + 1]):
        if kind == "resolve":
            break
        at = event.at
    return at


def _updates(
    history: Sequence[IncidentEvent],
    fresh: Sequence[tuple[IncidentEvent, Kind]],
    last: IncidentEvent,
    opened_at: datetime,
    broken: Sequence[IncidentEvent],
) -> list[Notice]:
    """Return one update to those who know the incident as of `last`: its news, or that it goes on, if they are to hear of that by now."""
    newest, known = fresh[-1][0], history.index(last) + 1
    found = news(history[:known], history[known : history.index(newest) + 1], broken)
    day = day_of(opened_at, newest.at)
    if not found and _stories(history[:known]).items() >= _stories([e for e, _ in fresh]).items():
        return [Notice(e, k, e, "it would repeat what was told last") for e, k in fresh]
    is_told = bool(found) or is_told_again(day, day_of(opened_at, last.at))
    passed = [Notice(e, k, e, "a newer update took its place" if is_told else _thinned(day)) for e, k in fresh[:-1]]
    is_urgent = any(is_worse(e) for e, _ in fresh)
    return [*passed, Notice(newest, "update", newest, "" if is_told else _thinned(day), is_urgent=is_urgent, day=day, news=found)]


def _stories(events: Iterable[IncidentEvent]) -> dict[str, str]:
    """Return what the last event of each incident that brings a story says of it."""
    return {e.incident_id: e.story for e in events if e.event in _KINDS}


def _thinned(day: int) -> str:
    return f"{GOES_ON}: told again {counted(next_day(day), 'day')} after it opened, or with news"


def _coalesced(fresh: Sequence[tuple[IncidentEvent, Kind]], *, is_known: bool) -> list[Notice]:
    """Return what is told whole: an opening, also of what goes on again and of what nobody was told of, or an end."""
    if not fresh:
        return []
    newest, newest_kind = fresh[-1]
    if newest_kind == "resolve":
        passed = [Notice(e, k, e, "the incident was resolved before this could be told") for e, k in fresh[:-1]]
        return [*passed, Notice(newest, "resolve", newest)]
    opening = next((e for e, k in fresh if k == "open"), None)
    if opening is not None:
        passed = [Notice(e, k, e, TOLD_WITH) for e, k in fresh if e is not opening]
        return [Notice(opening, "open", newest), *passed]
    passed = [Notice(e, k, e, "a newer update took its place") for e, k in fresh[:-1]]
    return [*passed, Notice(newest, "update" if is_known else "open", newest, is_urgent=is_known and any(is_worse(e) for e, _ in fresh))]
