"""Later causes: faults of data that began, and versions that took over, while an incident went on, and what each of the causes does to the number.

Belongs here: causes of the beginning, days and spells -> all causes, each with its own onset and share. Does not: the causes of the beginning
(causes.py), finding spells (spells.py), the words around it (story.py).

What an incident began with is looked for in the windows before something else began: what came since hides it, and an input that moved only then is no cause of it.

A fault that comes later is a cause where the number is clearly worse on its days than it was before it: it has what lies beyond that. Of a day on
which the fault of the beginning is over all of it is the later one's. So it is with a version that took over meanwhile: it is a cause of the days on which that fault is over, whichever side the number lies on. So two faults have no more than the whole change between them. It is
attribution, not experiment.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from math import hypot

import numpy as np

from watchkeeper.judgement.evidence import Evidence, places_of
from watchkeeper.judgement.fault_places import FAULTY, placed
from watchkeeper.judgement.moves import Moved
from watchkeeper.judgement.odd_inputs import EXCHANGED
from watchkeeper.judgement.spells import BadDay, Spell
from watchkeeper.records import Signal
from watchkeeper.story import Cause
from watchkeeper.words import moment_text, percent, version_text

_MISSING, _WORTH, _CERTAIN, _FEW = 0.2, 0.1, 2.0, 2
_NUMBERS = re.compile(r" \(|: (?=\d)")


def with_later(evidence: Evidence, found: Sequence[Cause]) -> list[Cause]:
    """Return causes with those that came later and made it worse, the shares of all others made smaller by theirs."""
    days = evidence.traces.days
    shown = _shown(evidence, found[0], days) if found else {d.start for d in days}
    later = sorted(((cause, on) for cause, on in [*_candidates(evidence), *_releases(evidence, shown)] if on), key=lambda each: each[1][0])
    sides = [sum(d.rows * d.beyond for d in days if (d.start in shown) == is_shown) for is_shown in (True, False)]
    if not later or len(days) < 2 or (total := sum(abs(side) for side in sides)) == 0:  # noqa: PLR2004 - before and since
        return list(found)
    made, named = {d.start: 0.0 for d in days}, []
    first = [d for d in days if d.start < later[0][1][0] and d.start in shown]
    if not first:
        return list(found)
    usual = _mean(first)
    made |= {d.start: usual for d in days if d.start in shown}
    for cause, on in later:
        mine = [replace(d, beyond=d.beyond - made[d.start]) for d in days if d.start in set(on)]
        beyond = _mean(mine)
        worse = abs(beyond) if set(on).isdisjoint(shown) else beyond if usual >= 0 else -beyond  # with nothing else there either side is out of line
        share = worse * sum(d.rows for d in mine) / total if mine else 0.0
        if share < _WORTH or abs(beyond) < _CERTAIN * hypot(_se(mine), _se(first)):
            continue
        made |= {d.start: made[d.start] + beyond for d in mine}
        since = [] if cause.kind == "release" else [_since(evidence, cause)]
        named.append(replace(cause, share=min(1.0, share), is_later=True, evidence_for=[*since, *cause.evidence_for]))
    left = max(0.0, 1.0 - sum(c.share or 0.0 for c in named))
    return [*(_scaled(c, left) for c in found), *named] if named else list(found)


def something_else_began(evidence: Evidence) -> datetime | None:
    """Return when the first thing began that may be at work beside what an incident began with: a fault of data, or an input that moved; None where nothing did."""
    first = min((d.start for d in evidence.traces.days), default=None)
    spells = [s.days[0] for s in evidence.traces.spells if first is not None and s.days[0] > first]
    moves = [m.since for m in evidence.moved or () if m.since is not None]
    return min([*spells, *moves, *(s.window_start for s in evidence.later_faults)], default=None)


def of_the_beginning(evidence: Evidence, found: Sequence[Cause]) -> Evidence | None:
    """Return the evidence of the windows before something else began, where that made it worse or is an input that moved; None where all windows tell the same, or rows of so few show nothing."""
    first = evidence.beginning
    if first is None or not first.traces.days:
        return None
    return first if moved_later(evidence) or any(c.is_later for c in found) else None


def moved_later(evidence: Evidence) -> list[Moved]:
    """Return the inputs that moved only while the incident went on, and that the evidence of its beginning is without."""
    if evidence.beginning is None or not evidence.beginning.traces.days:
        return []
    return [m for m in evidence.moved or () if m.since is not None]


def begun_together(signals: Sequence[Signal]) -> list[list[Signal]]:
    """Return signals of features by when these were first faulty: what follows within the next window began with what was before it."""
    first = {feature: min((s for s in signals if s.feature == feature), key=lambda s: s.window_start) for feature in {s.feature for s in signals}}
    out: list[list[str]] = []
    for feature in sorted(first, key=lambda f: (first[f].window_start, f)):
        if out and first[feature].window_start <= first[out[-1][-1]].window_end:
            out[-1].append(feature)
        else:
            out.append([feature])
    return [[s for s in signals if s.feature in group] for group in out]


def also_text(causes: Sequence[Cause], timezone: str) -> str:
    """Return after the cause of the beginning what came later, and when; empty where nothing did."""
    return "".join(f"; since {_day(c.onset, timezone)} also {c.subject}" for c in causes if c.is_later)


def later_news(told: Sequence[Cause], now: Sequence[Cause], timezone: str) -> str:
    """Return which faults have begun since an incident was told, in words; empty where none has."""
    known = {about(c.subject) for c in told}
    return also_text([c for c in now if about(c.subject) not in known], timezone).removeprefix("; ") if told else ""


def about(subject: str) -> str:
    """Return what a cause is about without its numbers, which change from day to day.

    >>> about("rows repeat: 15 % of them"), about("size_cm comes in another unit"), about("the inputs changed: size_cm")
    ('rows repeat', 'size_cm', 'the inputs changed: size_cm')
    """
    subject = _NUMBERS.split(subject, maxsplit=1)[0]
    for verb in (" comes in ", " stands still", " is "):
        subject = subject.partition(verb)[0]
    return subject


def _candidates(evidence: Evidence) -> Iterable[tuple[Cause, Sequence[datetime]]]:
    """Yield faults that began after the first bad day, and the days on which they showed."""
    days = [d.start for d in evidence.traces.days]
    at_fault = {s.feature for s in [*evidence.faults, *evidence.later_faults]}
    for spell in evidence.traces.spells:
        is_long = spell.odd.how != "factor" or len(spell.days) > _FEW
        if days and spell.days[0] > days[0] and spell.odd.feature not in at_fault and is_long:
            support = ["its values since then, beside those of the weeks before the incident"]
            yield Cause(kind="data", subject=spell.odd.text, onset=spell.days[0], evidence_for=support, columns=[spell.odd.feature]), spell.days
    for mine in begun_together([s for s in evidence.later_faults if s.value >= _MISSING and s.feature and s.metric != EXCHANGED]):
        worst, names = max(mine, key=lambda s: s.value), sorted({s.feature for s in mine})
        what = "missing" if worst.metric == "null_ratio" else "in categories that the reference lacks"
        support = [f"{worst.feature}: {percent(worst.value)} of rows {what}, usually {percent(worst.expected)}"]
        subject = f"{FAULTY}: {placed(names[:4], places_of(mine, evidence.fault_places))}"
        onset = min(s.window_start for s in mine)
        yield (
            Cause(kind="data", subject=subject, onset=onset, evidence_for=support, columns=[name.removeprefix("@") for name in names]),
            _inside(days, mine),
        )


def _releases(evidence: Evidence, shown: Collection[datetime]) -> Iterable[tuple[Cause, Sequence[datetime]]]:
    """Yield versions that took over while the incident went on, and the days since then on which the fault of the beginning is over.

    While that shows, the number is its doing, and of two at once nothing is known: a version that has all rows is compared with none.
    """
    days = [d.start for d in evidence.traces.days]
    phases = evidence.succession.phases if evidence.succession is not None else ()
    for before, phase in pairwise(phases):
        since = phase.since.start
        if days and phase.holder is not None and phase.holder != before.holder and days[0] < since <= days[-1]:
            on = [d for d in days if d >= since and d not in shown]
            over = f"since {_day(min(on, default=since), evidence.timezone)} what it began with is over, and the number is out of line all the same"
            support = [over, "a coincidence in time: no other version answered beside it"]
            yield Cause(kind="release", subject=f"{version_text(phase.holder)} took over", onset=since, evidence_for=support), on


def _inside(days: Iterable[datetime], signals: Sequence[Signal]) -> list[datetime]:
    """Return the days that lie in windows of signals."""
    return [d for d in days if any(s.window_start <= d < s.window_end for s in signals)]


def _shown(evidence: Evidence, cause: Cause, days: Sequence[BadDay]) -> set[datetime]:
    """Return the days on which the cause of the beginning was there: those of its faults where they are known, else all."""
    every = {d.start for d in days}
    spells: Mapping[str, Spell] = {about(s.odd.text): s for s in evidence.traces.spells}
    if (said := about(cause.subject)) in spells:
        return every & set(spells[said].days)
    if cause.kind != "data" or not cause.subject.startswith(FAULTY) or evidence.broken:
        return every
    return set(_inside(every, [s for s in evidence.faults if s.feature in cause.subject])) or every


def _mean(days: Sequence[BadDay]) -> float:
    return float(np.average([d.beyond for d in days], weights=[d.rows for d in days])) if days else 0.0


def _se(days: Sequence[BadDay]) -> float:
    """Return the standard error of the mean of some days: that of their rows, or of the days themselves where these scatter more."""
    rows = np.array([d.rows for d in days], float)
    of_rows = float(np.sqrt(np.sum((rows * [d.se for d in days]) ** 2)) / rows.sum())
    of_days = float(np.std([d.beyond for d in days], ddof=1) / np.sqrt(len(days))) if len(days) > _FEW else 0.0
    return max(of_rows, of_days)


def _scaled(cause: Cause, by: float) -> Cause:
    low, share, high = (None if end is None else end * by for end in (cause.low, cause.share, cause.high))
    return replace(cause, low=low, share=share, high=high)


def _since(evidence: Evidence, cause: Cause) -> str:
    return f"since {_day(cause.onset, evidence.timezone)}, and the number is worse since then"


def _day(moment: datetime | None, timezone: str) -> str:
    return moment_text(moment, timezone).removesuffix(", 00:00")
