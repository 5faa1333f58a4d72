"""Splits: an open incident whose newest windows have another cause alone is closed, and a new one goes on from there.

Belongs here: whether and where an episode is two stories, and the events that say so. Does not: causes (causes.py), the life of each of the
two after that (incidents.py).

The rules are cautious, since a split that was wrong confuses more than one that was missed. The likely cause that was told must be one that was tested, and so must
the new one, of another kind: from unknown to known is news of the same incident. The three newest windows, all final, show the new kind alone and nothing of the old one,
taken together, and none of them leads with the old one alone; all windows before show the old kind alone and nothing of the new one. Where a change was recorded,
or a version came, at the beginning of either, nothing is split: what they did later cannot be tested. What came of a split never splits back into a kind that it had before, so
that a cause that flickers splits once at most.

What nobody was told of while it went on, as where a past is caught up, is held to the same: it is gone through window by window, as if it had been told of each as that became final, and what it
splits into may split again. To go through all of it would read rows for each window: that is done only from where a few windows together show another kind than the first ones.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from watchkeeper.judgement.causes import undecided
from watchkeeper.judgement.developments import LASTING, matching
from watchkeeper.judgement.episodes import Episode
from watchkeeper.judgement.evidence import Evidence
from watchkeeper.judgement.incidents import CAUSE_CHANGED, Incident, event_about, fold
from watchkeeper.records import IncidentEvent, key
from watchkeeper.story import Cause, Story
from watchkeeper.words import moment_text

_NEWEST, _LEAST_BEFORE, _HALF, _MOST_LOOKS = 3, 2, 0.5, 10
_OF_INPUTS = frozenset({"model", "covariate", "mix"})
"""Kinds that pass into one another as evidence grows: the scores or the rows are others than they were."""
_UNTESTED = frozenset({"release", "config", "price", "unknown"})
_WITHOUT_SHARE = frozenset({"infrastructure", "traffic"})

Tested = Callable[[Episode], tuple[Evidence, Sequence[Cause]]]
"""Gives the evidence about an episode, and the causes that it supports."""
Develop = Callable[..., list[IncidentEvent]]
"""Gives what is new about episodes (`found`) beside incidents (`known`), as `developments`."""


class Split(NamedTuple):
    """An episode that is two stories: that of a known incident until the cause changed, and what goes on since."""

    incident: Incident
    episode: Episode
    before: Episode
    since: Episode


def splits_of(incidents: Sequence[Incident], found: Sequence[Episode], tested: Tested) -> list[Split]:
    """Return the episodes whose newest windows have another cause than their incident was told with."""
    pairs = [(incident, episode) for episode in found if (incident := matching(incidents, episode)) is not None]
    looked = (split_of(incident, episode, tested, kinds_before(incident, incidents)) for incident, episode in pairs)
    return [split for split in looked if split is not None]


def split_at_once(new: Sequence[Episode], tested: Tested, develop: Develop) -> tuple[list[IncidentEvent], list[Split]]:
    """Return the splits of episodes that nobody was told of, and the openings of the first story of each: as if each had been told while it went on."""
    out: tuple[list[IncidentEvent], list[Split]] = ([], [])
    for episode in new:
        whole, parts, had = episode, split_in_turn(episode, tested), set[str]()
        incident: Incident | None = None
        while parts is not None:
            before, rest = parts
            had |= {tested_kind(tested(before)[1])}
            parts = split_in_turn(rest, tested, had)
            since = rest if parts is None else replace(parts[0], is_over=False)
            if incident is None:
                [opened] = develop(known=[], found=[replace(before, is_over=False)])
                incident = fold([opened])[0]
                out[0].append(opened)
            out[1].append(Split(incident, whole, before, since))
            [goes_on, *_] = develop(known=[], found=[since])
            incident, whole = fold([replace(goes_on, split_from=incident.id)])[0], since
    return out


def in_pieces(found: Sequence[Episode], splits: Sequence[Split]) -> list[Episode]:
    """Return episodes, those that split as the stories that they are."""
    split = [s.episode for s in splits]
    return [e for e in [*found, *(piece for s in splits for piece in (s.before, s.since))] if e not in split]


def split_of(incident: Incident, episode: Episode, tested: Tested, had: Collection[str]) -> Split | None:
    """Return where the cause of an open incident changed, None where it did not surely; `had` holds the kinds it was split from.

    Windows that are not final are in one of the two by their time, and decide nothing.
    """
    windows = _final(episode)
    old = tested_kind(incident.story.causes) if incident.story is not None else ""
    if not incident.is_open or episode.family == "data" or not _is_news(incident, episode, windows):
        return None
    at = _changed_at(episode, windows, tested, old, had)
    return None if at is None else Split(incident, episode, *_cut_at(episode, at))


def split_in_turn(episode: Episode, tested: Tested, had: Collection[str] = ()) -> tuple[Episode, Episode] | None:
    """Return the first two stories of an episode that nobody was told of, as they would have been told window by window; None where it surely is one.

    What lasts four weeks is told as known from then on, and splits no more.
    """
    every = [w for w in _final(episode) if w <= episode.start + LASTING]
    if episode.family == "data" or len(every) < _NEWEST + _LEAST_BEFORE:
        return None
    for seen in _where_kinds_differ(episode, every, tested):
        old = tested_kind(tested(_until(episode, every[seen - 2]))[1])
        at = _changed_at(episode, every[:seen], tested, old, had)
        if at is not None:
            return _cut_at(episode, at)
    return None


def _where_kinds_differ(episode: Episode, windows: Sequence[datetime], tested: Tested) -> Iterator[int]:
    """Yield how many windows were known whenever the newest showed another kind than the first, from where a few together do."""

    def kind_of(some: Sequence[datetime]) -> str:
        return tested_kind(tested(_part(episode, some))[1])

    at_a_time = max(_NEWEST, -(-len(windows) // _MOST_LOOKS))
    first, other = kind_of(windows[:_LEAST_BEFORE]), len(windows)
    for place in range(_LEAST_BEFORE, len(windows), at_a_time):
        found = kind_of(windows[place : place + at_a_time])
        first = first or found
        if found not in ("", first):
            other = place
            break
    least = max(other + 1, _NEWEST + _LEAST_BEFORE)
    yield from (seen for seen in range(least, len(windows) + 1) if kind_of(windows[seen - _NEWEST : seen]) not in ("", first))


def _changed_at(episode: Episode, windows: Sequence[datetime], tested: Tested, old: str, had: Collection[str]) -> datetime | None:
    """Return the window at which the cause of an episode that was told with an `old` one changed, by the final windows known so far; None where it did not surely."""
    if not old or len(windows) < _NEWEST + _LEAST_BEFORE:
        return None
    new = _alone(tested, _part(episode, windows[-_NEWEST:]), without=old)
    if not new or new == old or new in had or old in {tested_kind(tested(_part(episode, [w]))[1]) for w in windows[-_NEWEST:]}:
        return None
    if had and new == tested_kind(tested(_part(episode, windows[:_NEWEST]))[1]):
        return None  # it came of a split into this kind, which rows of other days hid since
    at = len(windows) - _NEWEST
    while at > _LEAST_BEFORE and tested_kind(tested(_part(episode, [windows[at - 1]]))[1]) == new:
        at -= 1
    sides = _alone(tested, _part(episode, windows[:at]), without=new), _alone(tested, _part(episode, windows[at:]), without=old)
    return windows[at] if sides == (old, new) else None


def _final(episode: Episode) -> list[datetime]:
    """Return the windows of an episode all of whose signals are final."""
    open_ended = {s.window_start for s in episode.signals if s.state != "mature"}
    return sorted({s.window_start for s in episode.signals} - open_ended)


def _until(episode: Episode, window: datetime) -> Episode:
    """Return an episode as it was when a window was its last."""
    return replace(episode, signals=[s for s in episode.signals if s.window_start <= window], is_over=False, ended="")


def _is_news(incident: Incident, episode: Episode, windows: Sequence[datetime]) -> bool:
    """Tell whether the newest of the final windows was not told so before: it is looked into once."""
    return any(s.window_start == max(windows, default=None) and s.signal_id not in incident.marks for s in episode.signals)


def _cut_at(episode: Episode, at: datetime) -> tuple[Episode, Episode]:
    """Return an episode until a moment, which is over, and since then."""
    before, since = ([s for s in episode.signals if (s.window_start >= at) == is_since] for is_since in (False, True))
    return replace(episode, signals=before, is_over=True, ended=""), replace(episode, signals=since, onset=None)


def _part(episode: Episode, windows: Collection[datetime]) -> Episode:
    return replace(episode, signals=[s for s in episode.signals if s.window_start in windows], onset=None)


def tested_kind(found: Sequence[Cause]) -> str:
    """Return the kind of the likely cause where that is one, and was tested on rows; else nothing."""
    level = undecided(found)
    if len(level) != 1 or level[0].kind in _UNTESTED:
        return ""
    is_tested = level[0].kind in _WITHOUT_SHARE or (level[0].share is not None and level[0].share >= _HALF)
    return _kind(level[0]) if is_tested else ""


def _kind(cause: Cause) -> str:
    return "inputs" if cause.kind in _OF_INPUTS else cause.kind


def _alone(tested: Tested, episode: Episode, *, without: str) -> str:
    """Return the kind that an episode shows where it shows nothing of another kind, and nothing changed as it began; else nothing."""
    evidence, found = tested(episode)
    has_changed = bool(evidence.changes) or (evidence.versions is not None and bool(evidence.versions.came))
    is_faulty = bool(evidence.faults or evidence.broken or evidence.faulty_later or evidence.traces.odd)
    shows = {*map(_kind, found), *(["data"] if is_faulty else [])}
    return "" if has_changed or without in shows else tested_kind(found)


def kinds_before(incident: Incident, incidents: Iterable[Incident]) -> set[str]:
    """Return the kinds of the likely causes of those that an incident was split from, one after the other."""
    by_id = {i.id: i for i in incidents}
    found, one = set(), by_id.get(incident.split_from)
    while one is not None:
        found |= {tested_kind(one.story.causes)} if one.story is not None else set()
        one = by_id.get(one.split_from)
    return found


def cut(found: Iterable[Episode], incidents: Iterable[Incident]) -> list[Episode]:
    """Return episodes, those that were split before as the stories that they were split into."""
    out = list(found)
    for incident in (i for i in incidents if i.split_from):
        for episode in [e for e in out if (e.family, e.subject) == (incident.family, incident.subject)]:
            pieces = _cut_at(episode, incident.window_start)
            if all(piece.signals for piece in pieces):
                out.remove(episode)
                out += pieces
    return sorted(out, key=lambda e: (e.start, e.subject))


def split_events(split: Split, was: Story, opened: Sequence[IncidentEvent], timezone: str, now: datetime) -> list[IncidentEvent]:
    """Return the events of a split: the end of the one, told as it `was` until then, and the opening of the other, `opened`, each with the other's id."""
    incident, first = split.incident, opened[0]
    goes_on = Story.from_json(first.story)
    since = moment_text(split.since.start, timezone).removesuffix(", 00:00")
    why = f"{CAUSE_CHANGED} on {since}: {first.incident_id} goes on"
    end = Story(
        headline=f"closed: {CAUSE_CHANGED} on {since}; {first.incident_id} goes on",
        when="",
        facts=[("It was", f"{was.headline}."), ("Cause until then", f"{_subject(was)}."), ("Cause since", f"{_subject(goes_on)}.")],
    )
    ends = [
        replace(
            event_about(incident, what, key(incident.id, what, why), why=why, now=now),
            window_start=split.before.start,
            window_end=split.before.end,
            story=told.to_json(),
        )
        for what, told in (("updated", was), ("resolved", end))
    ]
    return [*ends, replace(first, split_from=incident.id), *opened[1:]]


def _subject(story: Story | None) -> str:
    return story.causes[0].subject if story is not None and story.causes else "unknown"
