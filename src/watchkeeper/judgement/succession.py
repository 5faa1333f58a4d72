"""Succession: which version answers in place of the one whose numbers are usual, or beside it, and since when.

Belongs here: rows by version up to a moment -> who has had the traffic since when, and that in words. Does not: what a version is compared with
(standing.py), which versions came as numbers went out of line (versions.py).

The rule: all rows up to a moment are gone through from the first window on, so that the same is found whichever stretch is asked about, and later
rows move no day. A version takes over in the first window in which it has nine of ten rows, and has the traffic until it has fewer than two
thirds: then versions share it. A split begins anew where a version's part is a quarter of all rows off. What a window shows counts when the next
ones, up to 100 rows together, show it too.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from watchkeeper.judgement.spans import during_text, since_text
from watchkeeper.judgement.standing import RowsOfVersions, of_reference, version_of_model
from watchkeeper.monitor import Monitor
from watchkeeper.windows import Window
from watchkeeper.words import listed, percent, version_text

_NEARLY_ALL, _MOST, _ANOTHER_SPLIT, _TO_SPEAK_OF = 0.9, 2 / 3, 0.25, 0.05
_ENOUGH, _NAMED = 100, 3
_RETURN_IS_NEWS = timedelta(days=28)

_Windows = Sequence[tuple[Window, Counter[str]]]


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of time in which the traffic went the same way, from `since` on, and the rows of each version; `holder` is None where versions shared it."""

    since: Window
    windows: int
    rows: Counter[str]
    holder: str | None


@dataclass(frozen=True, slots=True)
class Succession:
    """How the traffic went up to now, oldest phase first, and the rows of each version in the reference, whose numbers are usual.

    `left` is the window in which it last ceased to go as in the reference, None where it never did, or never went like that.
    """

    phases: Sequence[Phase]
    usual: Counter[str]
    left: Window | None


def succession(monitor: Monitor, rows: RowsOfVersions, until: datetime) -> Succession | None:
    """Return who had the traffic in the windows that ended by a moment, None where that is as in the model's reference.

    That its version came back is told for four weeks. Where the reference has no rows, nobody can be in its version's place.
    """
    of_model, usual = version_of_model(monitor, rows), of_reference(monitor, rows)
    if {version for (environment, version), mine in rows.items() if environment == monitor.environment and mine} == {of_model}:
        return None  # no need to go through years of hours
    phases = _phases(_by_window(monitor, rows, until)) if of_model is not None else []
    if of_model is None or not phases:
        return None
    now = phases[-1]
    if now.holder == of_model and _share(usual, of_model) >= _MOST:
        is_return = any(p.holder == of_model for p in phases[:-1])
        if not is_return or until - now.since.start > _RETURN_IS_NEWS:
            return None
    if now.holder is None and _named(now.rows) == _named(usual) and not _is_another_split(now.rows, usual):
        return None
    last = max((place for place, p in enumerate(phases[:-1]) if p.holder == of_model or not _is_another_split(p.rows, usual)), default=None)
    return Succession(phases, usual, None if last is None else phases[last + 1].since)


def _by_window(monitor: Monitor, rows: RowsOfVersions, until: datetime) -> _Windows:
    """Return the rows of each version in the monitor's environment, by window, in order of time."""
    found: dict[Window, Counter[str]] = defaultdict(Counter)
    for (environment, version), mine in rows.items():
        for start, n in mine.items() if environment == monitor.environment else ():
            if n and start < until:
                found[monitor.grid.at(start)][version] += n
    return [(window, found[window]) for window in sorted(found) if window.end <= until]


def _phases(every: _Windows) -> list[Phase]:
    """Return how the traffic went; the first windows are part of none where fewer than 100 rows follow."""
    out: list[Phase] = []
    for place, (window, own) in enumerate(every):
        ahead = _ahead(every, place) if not out or _turns(out[-1], own) else None
        if ahead is not None and (not out or _turns(out[-1], ahead)):
            out.append(Phase(window, 1, own, _holder(ahead, out[-1].holder if out else None)))
        elif out:
            out[-1] = replace(out[-1], windows=out[-1].windows + 1, rows=out[-1].rows + own)
    return out


def _ahead(every: _Windows, place: int) -> Counter[str] | None:
    """Return the rows from a window on, of as many windows as hold enough; None where all that follow do not."""
    found: Counter[str] = Counter()
    for _, rows in every[place : place + _ENOUGH]:
        found.update(rows)
        if found.total() >= _ENOUGH:
            return found
    return None


def _turns(phase: Phase, rows: Counter[str]) -> bool:
    """Tell whether rows show that the traffic goes another way than in a phase."""
    if phase.holder is not None or _holder(rows, None) is not None:
        return _holder(rows, phase.holder) != phase.holder
    return phase.rows.total() >= _ENOUGH and _is_another_split(phase.rows, rows)


def _holder(rows: Counter[str], before: str | None) -> str | None:
    """Return which version has the traffic, None where several share it; the one that had it `before` may have less of it."""
    ((most, _),) = rows.most_common(1)
    if _share(rows, most) >= _NEARLY_ALL:
        return most
    return before if before is not None and _share(rows, before) >= _MOST else None


def _is_another_split(one: Counter[str], other: Counter[str]) -> bool:
    return any(abs(_share(one, version) - _share(other, version)) >= _ANOTHER_SPLIT for version in {*one, *other})


def _share(rows: Counter[str], version: str) -> float:
    return rows[version] / max(1, rows.total())


def succession_text(monitor: Monitor, found: Succession, told_at: datetime | None) -> str:
    """Return in words who took over, came back or shares the traffic, and whose numbers are usual."""
    now = found.phases[-1]
    if now.holder is None:
        return f"{_shared_text(monitor, now, told_at)}; {_usual_text(found.usual)}"
    return f"{_held_text(monitor, found.phases, now.holder, told_at)}; {_usual_text(found.usual)}"


def _usual_text(usual: Counter[str]) -> str:
    ((most, _),) = usual.most_common(1)
    share = _share(usual, most)
    return f"usual is {'mostly ' if _MOST <= share < _NEARLY_ALL else ''}that of {version_text(most) if share >= _MOST else _named(usual)}"


def _shared_text(monitor: Monitor, phase: Phase, told_at: datetime | None) -> str:
    told = _told(phase.rows)
    shares = [_share(phase.rows, version) for version in told]
    parts = listed([percent(share) for share in (*shares, *([1 - sum(shares)] if _has_others(phase.rows) else []))])
    if phase.windows == 1:
        return f"{_named(phase.rows)} shared the traffic {during_text(monitor, phase.since.start, phase.since.end, told_at)} ({parts})"
    return f"{_named(phase.rows)} share the traffic ({parts} {since_text(monitor, phase.since.start, told_at)})"


def _held_text(monitor: Monitor, phases: Sequence[Phase], holder: str, told_at: datetime | None) -> str:
    """Return in words since when a version has had the traffic, and who had it before."""
    now, earlier, who = phases[-1], phases[:-1], version_text(holder)
    if not earlier:
        return f"{who} had nearly all the traffic from the first rows on"
    on = during_text(monitor, now.since.start, now.since.end, told_at)
    held = max((place for place, phase in enumerate(earlier) if phase.holder == holder), default=None)
    if held is None:
        shared = _beside(earlier, holder)
        is_long = sum(phase.windows for phase in shared) > 1
        return f"{who} took over {on}" + (f", after sharing the traffic {since_text(monitor, shared[0].since.start, told_at)}" if is_long else "")
    between = earlier[held + 1 :]
    for phase in reversed(between):
        if phase.holder is not None:
            return f"{who} came back {on}, after {version_text(phase.holder)} had answered {since_text(monitor, phase.since.start, told_at)}"
    first = between[0]
    return f"{who} got nearly all the traffic back {on}, after {_named(first.rows)} had shared it {since_text(monitor, first.since.start, told_at)}"


def _beside(earlier: Sequence[Phase], version: str) -> list[Phase]:
    """Return the unbroken run of phases up to the last one in which a version had a part of the traffic beside others."""
    out: list[Phase] = []
    for phase in reversed(earlier):
        if phase.holder is not None or _share(phase.rows, version) < _TO_SPEAK_OF:
            break
        out.insert(0, phase)
    return out


def _told(rows: Counter[str]) -> list[str]:
    """Return the versions that are named: up to three with a twentieth of the rows, `9` before `10`."""
    most = [version for version, _ in rows.most_common(_NAMED)]
    return sorted([v for v in most if _share(rows, v) >= _TO_SPEAK_OF] or most[:1], key=lambda v: (len(v), v))


def _has_others(rows: Counter[str]) -> bool:
    return sum(rows[version] for version in _told(rows)) <= (1 - _TO_SPEAK_OF) * rows.total()


def _named(rows: Counter[str]) -> str:
    """Return the versions of rows in one breath.

    >>> _named(Counter({"4": 52, "5": 48})), _named(Counter({"4": 52, "": 48})), _named(Counter({"1": 4, "2": 3, "3": 2, "7": 1, "8": 1}))
    ('versions 4 and 5', 'rows without a version and version 4', 'versions 1, 2, 3 and others')
    """
    told, others = _told(rows), ["others"] if _has_others(rows) else []
    are_plain = all(version_text(version) == f"version {version}" for version in told)
    return f"version{'s' if len(told) > 1 else ''} {listed([*told, *others])}" if are_plain else listed([*map(version_text, told), *others])
