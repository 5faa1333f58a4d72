"""Versions: which model versions answered, and which came shortly before or as numbers went out of line.

Belongs here: rows by version -> versions that came. Does not: reading rows (operations/versions.py), what follows (changes.py).

The rule: the rows up to the end of the first bad window are compared with those of the week before. A version came when it had
no rows in that week, or when its share rose by a fifth of all rows. What had most rows as that week ended took over before: it did not grow then, and comes
where its share rises by a fifth above all that it had come to since.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from watchkeeper.records import Score

BEFORE_A_WINDOW = timedelta(days=3)  # a change so long before the first bad window may bear on it
WEEK = timedelta(days=7)
_DAY = timedelta(days=1)
_GREW = 0.2
_MOST = 0.5

RowsByVersion = Mapping[datetime, Mapping[str, int]]
"""Start of a stretch of time (an hour or a day) -> version -> rows."""


@dataclass(frozen=True, slots=True)
class Came:
    """A version that came or took over: since when, beside or in place of which others, and its share of the rows before and since, up to the end of the episode.

    `ours` and `theirs` are the leading metric on its rows and on those of the others, in the windows that have both; None where none has.
    """

    version: str
    since: datetime
    before: list[str]
    share_before: float
    share: float
    ours: Score | None = None
    theirs: Score | None = None


@dataclass(frozen=True, slots=True)
class Versions:
    """The versions that had rows, by rows, and those among them that came."""

    names: list[str]
    came: list[Came]


def versions(rows: RowsByVersion, start: datetime, end: datetime) -> Versions | None:
    """Return what the rows say about the first bad window [start, end); None when they name no version, or none came before.

    Rows after `end` count in the share since a version came, and in nothing else.
    """
    lead_in = start - BEFORE_A_WINDOW
    earlier = [at for at in rows if at < lead_in and any(rows[at].values())]
    if not earlier:
        return None
    last = max(earlier)
    before = _added(rows, [at for at in earlier if at > last - WEEK])
    if not any(before.keys()):
        return None
    lately = _added(rows, [at for at in earlier if at > last - _DAY])
    times = sorted(at for at in rows if last < at < end)
    since = _added(rows, times)
    names = [name for name, _ in (before + since).most_common() if name]
    if not times:
        return None
    came = [found for name in names if (found := _came(rows, name, before, lately, times)) is not None]
    return Versions(names, [replace(c, share=_share(_added(rows, [at for at in rows if at >= c.since]), c.version)) for c in came])


def _came(rows: RowsByVersion, name: str, before: Counter[str], lately: Counter[str], times: list[datetime]) -> Came | None:
    others, usual = [other for other, _ in before.most_common() if other not in ("", name)], _share(before, name)
    for place, (at, had) in enumerate(zip(times, _had(rows, name, usual, lately, times), strict=True)):
        is_new = not before[name] and rows[at].get(name, 0) > 0
        if is_new or _share(Counter(rows[at]), name) - had >= _GREW:
            share = _share(_added(rows, times[place:]), name)
            if is_new or share - had >= _GREW:
                return Came(name, at, others, usual, share)
    return None


def _had(rows: RowsByVersion, name: str, usual: float, lately: Counter[str], times: list[datetime]) -> Iterator[float]:
    """Yield the share that a version must grow beyond at each time: the usual one, or what it had come to where it had most rows before the first."""
    if _share(lately, name) <= _MOST:
        yield from (usual for _ in times)
        return
    alone, together = Counter[str](), Counter(lately)
    for at in times:
        yield max(usual, _share(alone, name), _share(together, name)) if alone else 1.0
        alone.update(rows[at])
        together.update(rows[at])


def _added(rows: RowsByVersion, times: list[datetime]) -> Counter[str]:
    total: Counter[str] = Counter()
    for at in times:
        total.update(rows[at])
    return total


def _share(rows: Counter[str], name: str) -> float:
    return rows[name] / max(1, rows.total())
