"""News: what of an incident that goes on people were not told yet, and when they hear of one that has none.

Belongs here: pure rules over the events that people know of and those since. Does not: which events may be told at all (notices.py), the message
around it (site/updates.py), what the incident is (incidents.py). All events stay in the audit trail: messages are thinned, events never.

News is: that it got worse (worsening.py); that another model joins, or that its own KPI suffers (harm.py), or a segment does, or one of several is over, or goes on as another; another severity; a cause that is found, that changes or that
comes later; a promise of the model that broke meanwhile; a worst window `_CLEARLY` times as far from what is expected as the one told, or, restated,
so much nearer, beyond its interval; labels that were due and are in; a segment that joins; a change that somebody recorded.

An incident without news is told of a day, two days and three days after it opened, as then people still ask whether it goes on; after a week, and every week from then on, as by
then they know, and one more line a day hides the line that matters. It is the days since it opened that count, and which of them have passed since the last message:
runs that were missed neither add a message nor take one away.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from watchkeeper.judgement.causes import undecided
from watchkeeper.judgement.harm import began_text, turned_text
from watchkeeper.judgement.incidents import CAUSE_CHANGED
from watchkeeper.judgement.later_causes import about
from watchkeeper.judgement.worsening import WORSE, is_worse
from watchkeeper.records import SEVERITIES, IncidentEvent
from watchkeeper.story import Cause, Size, Story
from watchkeeper.words import listed, percent

_DAILY, _WEEK = 3, 7
_EARLY = timedelta(hours=1)
"""How much less than a day runs may lie apart that are a day apart: none begins on the second, and one day a year has 23 hours."""
_CLEARLY = 1.5
_OF_INPUTS = ("model", "covariate", "mix")
"""Kinds that pass into one another as evidence grows (splits.py)."""


@dataclass(frozen=True, slots=True)
class News:
    """One thing that people were not told yet, in words; `kind` says of what it is."""

    kind: str
    text: str


def news(known: Sequence[IncidentEvent], since: Sequence[IncidentEvent], broken: Iterable[IncidentEvent] = ()) -> list[News]:
    """Return what is new in events since those that people know of, the most urgent first; empty where it only went on.

    Both are of one incident, or of several that are told of as one, in order; `broken` are openings of incidents about promises of its model.
    """
    found = list(_worse(since))
    by_incident = _by_incident([*known, *since])
    histories = list(by_incident.values())
    models = [history[0].model for history in histories]
    lead = next((first.model for first, *_ in histories if first.part_of not in by_incident), "")
    for history in sorted(histories, key=lambda h: h[0].model != lead):
        name, model = history[0].incident_id, history[0].model
        before, after = ([e for e in events if e.incident_id == name] for events in (known, since))
        is_of_several = models.count(model) > 1
        of = f"{model}: " if len(set(models)) > 1 else ""
        said = _of_one(before, after, is_of_several=is_of_several)
        found += [News(n.kind, n.text if n.kind == "part" and not is_of_several else f"{of}{n.text}") for n in said]
    found += _graver(known, since)
    found += [News("promise", f"{_headline(e)} (`{e.incident_id}`)") for e in _meanwhile(known, since, broken)]
    return sorted(dict.fromkeys(found), key=lambda n: _ORDER.index(n.kind))


_ORDER = ("worse", "part", "cause", "severity", "promise", "size", "segment", "labels", "change")


def day_of(since: datetime, at: datetime) -> int:
    """Return how many whole days it is since an incident opened, or began.

    >>> from datetime import UTC
    >>> day_of(datetime(2025, 3, 3, 13, tzinfo=UTC), datetime(2025, 3, 5, 12, 30, tzinfo=UTC))
    2
    """
    return (at - since + _EARLY) // timedelta(days=1)


def is_told_again(day: int, last: int) -> bool:
    """Tell whether people hear on a day that an incident only goes on, who heard of it last on day `last`.

    >>> [day for day in range(1, 30) if is_told_again(day, day - 1)]
    [1, 2, 3, 7, 14, 21, 28]
    >>> is_told_again(12, 3), is_told_again(12, 7), is_told_again(12, 12)
    (True, False, False)
    """
    return _tellings(day) > _tellings(last)


def next_day(day: int) -> int:
    """Return the next day after `day`, both since it opened, on which people hear that an incident goes on.

    >>> next_day(0), next_day(3), next_day(7), next_day(16)
    (1, 7, 14, 21)
    """
    return day + 1 if day < _DAILY else _WEEK * (day // _WEEK + 1)


def _tellings(day: int) -> int:
    return min(day, _DAILY) + day // _WEEK


def _by_incident(events: Iterable[IncidentEvent]) -> Mapping[str, list[IncidentEvent]]:
    out: dict[str, list[IncidentEvent]] = {}
    for event in events:
        out.setdefault(event.incident_id, []).append(event)
    return out


def _worse(since: Iterable[IncidentEvent]) -> Iterator[News]:
    said = list(dict.fromkeys(e.why.removeprefix(WORSE) for e in since if is_worse(e)))
    if said:
        yield News("worse", f"{WORSE}{'; '.join(said)}")


def _graver(known: Sequence[IncidentEvent], since: Sequence[IncidentEvent]) -> list[News]:
    before, now = (max((SEVERITIES.index(e.severity) for e in events), default=0) for events in (known, [*known, *since]))
    return [News("severity", f"now {SEVERITIES[now]}, was {SEVERITIES[before]}")] if now > before else []


def _of_one(known: Sequence[IncidentEvent], since: Sequence[IncidentEvent], *, is_of_several: bool) -> Iterator[News]:
    """Yield what is new about one incident, or one `is_of_several` of its model; of a part that joins its headline says all."""
    course = [e for e in since if e.event != "acknowledged"]
    if not course:
        return
    last = course[-1]
    if not known:
        told = _stories(course)
        yield News("part", began_text(told[-1], last.family, last.subject) if is_of_several and told else f"also {last.model}: {_headline(last)}")
        return
    was_over = next((e.event == "resolved" for e in reversed(known) if e.event != "acknowledged"), False)
    if (last.event == "resolved") != was_over and last.why.startswith(CAUSE_CHANGED):
        yield News("part", last.why if is_of_several else f"{last.model}: {last.why}")
        return
    if (last.event == "resolved") != was_over:
        own = turned_text(last.family, last.subject, is_over=not was_over)
        yield News("part", own if is_of_several else f"{last.model} is {'out of line again' if was_over else 'no longer out of line'}")
        return
    yield from (News("change", e.why) for e in course if e.event == "updated" and e.why and not is_worse(e))
    told, now = _stories(known), _stories(course)
    if told and now:
        said = " ".join(e.why for e in course if is_worse(e))
        yield from _causes(
            told[-1].causes, [c for c in now[-1].causes if not c.is_later or about(c.subject) not in said], is_of_data=course[-1].family == "data"
        )
        yield from _of_stories(told, now[-1])


def _of_stories(told: Sequence[Story], now: Story) -> Iterator[News]:
    places = [p for p in now.places if not any(p in story.places for story in told)]
    if places and told[-1].size is not None and told[-1].size.is_final:  # before labels are in no place is looked for
        yield News("segment", f"{listed(places)} {'stands' if len(places) == 1 else 'stand'} out now")
    yield from _size(told, now)


def _size(told: Sequence[Story], now: Story) -> Iterator[News]:
    before, size = told[-1].size, now.size
    if before is None or size is None:
        return
    is_same = before.about == size.about
    if size.is_final and not before.is_final:
        if not is_same or size.value != before.value:
            yield News("labels", f"labels are in: {now.headline}")
    elif not is_same:
        return
    elif _is_clear(size, before) and size.miss >= _CLEARLY * before.miss:
        yield News("size", f"grew: {size.said}; before: {before.said}")
    elif _is_clear(size, before) and _CLEARLY * size.miss <= before.miss:
        yield News("size", f"restated: at worst {size.said}; before: {before.said}")


def _is_clear(size: Size, before: Size) -> bool:
    """Tell whether what was told lies beyond the interval of a number, where it has one."""
    return size.low is None or size.high is None or not size.low <= before.value <= size.high


def _causes(told: Sequence[Cause], now: Sequence[Cause], *, is_of_data: bool) -> Iterator[News]:
    """Yield that the likely cause is found, is another or is lost, and what came later; of data each fault counts that was not told."""
    was, likely = (undecided([c for c in causes if c.kind != "unknown"]) for causes in (told, now))
    known = {_identity(c) for c in told}
    is_other = not {_identity(c) for c in likely} <= {_identity(c) for c in was}
    if likely and not was:
        yield News("cause", f"the likely cause is found: {_named(likely)}")
    elif was and not likely:
        yield News("cause", f"the cause is unknown again, no longer {_named(was)}")
    elif is_other:
        yield News("cause", f"the likely cause is now {_named(likely)}; told before: {_named(was)}")
    further = [c for c in now if c not in likely and (c.is_later or is_of_data) and c.kind != "unknown" and _identity(c) not in known]
    if further:
        yield News("cause", f"also {listed([c.subject for c in further])}")


def _identity(cause: Cause) -> tuple[str, str]:
    """Return what makes a cause another one: of data what it is about, else its kind; numbers and names in its words change from day to day."""
    return ("of inputs" if cause.kind in _OF_INPUTS else cause.kind, about(cause.subject) if cause.kind == "data" else "")


def _named(causes: Sequence[Cause]) -> str:
    return listed([f"{c.subject or c.kind}{f' ({percent(c.share)} of the change)' if c.share is not None else ''}" for c in causes])


def _meanwhile(known: Sequence[IncidentEvent], since: Sequence[IncidentEvent], broken: Iterable[IncidentEvent]) -> Iterator[IncidentEvent]:
    """Yield openings about promises that broke since people were told of an incident, in the time that it is about."""
    if not since or since[-1].family == "target":
        return
    start, end = min(e.window_start for e in [*known, *since]), max(e.window_end for e in [*known, *since])
    yield from (e for e in broken if known[-1].at < e.at <= since[-1].at and e.window_start < end and start < e.window_end)


def _stories(events: Iterable[IncidentEvent]) -> list[Story]:
    return [s for e in events if e.event != "resolved" and (s := Story.from_json(e.story)) is not None]


def _headline(event: IncidentEvent) -> str:
    story = Story.from_json(event.story)
    return story.headline if story is not None else event.subject or event.family
