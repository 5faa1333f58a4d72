"""What is told of segments whose rows no longer come: headline, cause, and where to look.

Belongs here: the words of these incidents, and what may have come in their place. Does not: which segments are missed (missing_segments.py).
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.judgement.episodes import Episode
from watchkeeper.judgement.evidence import ROLLING, Arrived, Evidence, Refused
from watchkeeper.judgement.held_back import of_refused, of_set_aside, set_aside_text
from watchkeeper.judgement.missing_segments import of_columns
from watchkeeper.judgement.spans import during_text, span_text
from watchkeeper.monitor import Monitor
from watchkeeper.profiles.groups import NULL, REST
from watchkeeper.records import Signal
from watchkeeper.story import Cause
from watchkeeper.windows import Window
from watchkeeper.words import counted, listed

_LISTED = 8
_HALF, _TELLING = 0.5, 0.2


def segments_told(monitor: Monitor, episode: Episode, evidence: Evidence) -> tuple[str, str, list[tuple[str, str]]]:
    """Tell of segments whose rows did not come, or did not come in, while others did; rows are counted in the column that lost most."""
    lost = _lost(episode.signals)
    most, *others = lost
    came, usual = _of_column(lost, most)
    more = f" and {counted(len(others), 'more segment')}" if others else ""
    number = f"only {came:,.0f}" if came else "no"
    span = (monitor, episode.start, episode.end, evidence.told_at)
    headline = f"{number} {monitor.wording.rows} with {most}{more} landed {during_text(*span)}, usually {usual:,.0f}"
    each = [f"{name}: {lost[name].came:,.0f} of {lost[name].usual:,.0f}" for name in [most, *others][:_LISTED]]
    left_out = f", and {len(others) + 1 - _LISTED} more" if len(others) >= _LISTED else ""
    facts = [("Rows that came", ", ".join(each) + left_out)] if others else []
    count, reason = evidence.set_aside
    return headline, f"{span_text(*span)}, {monitor.timezone}.", facts + set_aside_text(count, "row", reason)


def cause_of_missing_segments(signals: Sequence[Signal], set_aside: tuple[int, str], refused: Sequence[Refused], arrived: Sequence[Arrived]) -> Cause:
    """Return why rows of segments are missing: they are in quarantine, come under other values, are in a file that was refused, or they do not come."""
    lost = _lost(signals)
    most, *others = lost
    came, usual = _of_column(lost, most)
    short, onset = usual - came, min(s.window_start for s in signals)
    also = f" and {counted(len(others), 'more segment')}" if others else ""
    if (held := of_set_aside("rows", set_aside, short, onset)) is not None:
        return held
    if arrived:
        subject = f"rows of {most}{also} come {listed([_under(a) for a in arrived])} now"
        support = [f"{a.rows:,.0f} more {_under(a)} than before" for a in arrived]
        share = min(1.0, sum(a.rows for a in arrived) / short)
        return Cause(kind="data", subject=subject, share=share, onset=onset, evidence_for=support)
    if (torn := of_refused("rows", refused, onset)) is not None:
        return torn
    column = most.partition("=")[0]
    support = [f"no other value of {column} has as many more rows, so look at what brings these"]
    support += ["they stopped together"] if others and _together(signals) else []
    return Cause(kind="data", subject=f"rows of {most}{also} no longer arrive", onset=onset, evidence_for=support)


def arrived_instead(signals: Sequence[Signal], windows: Sequence[Window], scores: pa.Table) -> list[Arrived]:
    """Return the values of the column that came with more rows than before, most first, where these make up for half of what the missing ones lack; else nothing.

    One that is not new must have surely more rows than in the windows before: three times what these scatter.
    """
    lost = _lost(signals)
    most = next(iter(lost))
    column, (came, usual) = most.partition("=")[0], _of_column(lost, most)
    onset = min(s.window_start for s in signals)
    before: dict[str, dict[datetime, float]] = defaultdict(dict)
    now: dict[str, float] = defaultdict(float)
    for name, start, value in _rows_of({column}, onset, scores):
        if any(start in w for w in windows) and name not in lost:
            now[name] += value
        elif start < onset and name not in lost:
            before[name][start] = value
    earlier = {start for found in before.values() for start in found}
    bad = {s.window_start for s in signals}
    found = []
    for name, count in now.items():
        then = np.array([before[name].get(start, 0.0) for start in earlier]) if name in before else np.zeros(1)
        more = count - len(bad) * float(np.mean(then))
        if more > 3 * float(np.std(then)) * np.sqrt(len(bad)) and more >= _TELLING * (usual - came):
            found.append(Arrived(name, more))
    is_enough = sum(a.rows for a in found) >= _HALF * (usual - came)
    return sorted(found, key=lambda a: -a.rows) if is_enough else []


def gone_since(signals: Sequence[Signal], windows: Sequence[Window], scores: pa.Table) -> list[str]:
    """Return the segments without any row in the bad windows of faulty columns, that had some in most windows before: theirs may be the faulty rows."""
    onset, columns = min(s.window_start for s in signals), {s.feature for s in signals if s.feature}
    before: dict[str, set[datetime]] = defaultdict(set)
    there = set()
    for name, start, value in _rows_of(columns, onset, scores):
        if value and name.partition("=")[2] not in (NULL, REST):
            if any(start in w for w in windows):
                there.add(name)
            elif start < onset:
                before[name].add(start)
    most = max((len(starts) for starts in before.values()), default=0)
    return sorted(name for name, starts in before.items() if name not in there and len(starts) > _HALF * most)


def come_since(reference: tuple[datetime, datetime] | None, signals: Sequence[Signal], windows: Sequence[Window], scores: pa.Table) -> list[str]:
    """Return the segments, most rows first, that the bad windows of columns with new categories have and no window of the reference: they are these categories."""
    columns = {s.feature for s in signals if s.metric == "unseen_ratio" and s.feature}
    if reference is None or not columns:
        return []
    rows = of_columns(scores.filter((pc.field("metric") == "rows") & (pc.field("value") > 0)), columns)
    known, now = set[str](), defaultdict[str, float](float)
    for name, start, value in zip(*(rows.column(c).to_pylist() for c in ("segment", "window_start", "value")), strict=True):
        if start < reference[1]:
            known.add(name)
        elif name.partition("=")[2] not in (NULL, REST) and any(start in w for w in windows):
            now[name] += value
    return sorted((name for name in now if name not in known), key=lambda name: (-now[name], name))


def _rows_of(columns: Collection[str], onset: datetime, scores: pa.Table) -> Iterator[tuple[str, datetime, float]]:
    """Yield the segments of some columns, when windows of the 56 days before an onset and since start, and their rows."""
    kind = scores.schema.field("window_start").type
    about = (pc.field("metric") == "rows") & pc.field("value").is_valid() & (pc.field("window_start") >= pa.scalar(onset - ROLLING, kind))
    rows = of_columns(scores.filter(about), columns)
    yield from zip(*(rows.column(c).to_pylist() for c in ("segment", "window_start", "value")), strict=True)


def look_for_segments(owner: str, evidence: Evidence) -> str:
    """Return what to do about segments whose rows do not come."""
    names = list(_lost(evidence.signals))
    if evidence.arrived:
        return f"ask {owner} why rows of {names[0]} come {listed([_under(a) for a in evidence.arrived])} now: the model may not know what they are."
    one = "it" if len(names) == 1 else "they"
    return (
        f"ask {owner} whether what brings rows of {names[0]} still runs; if {one} ended for good, `watchkeeper rebaseline` makes that the new normal."
    )


class _Lost(NamedTuple):
    """The rows of a segment in its bad windows: those that came, and those that usually do."""

    came: float
    usual: float


def _lost(signals: Sequence[Signal]) -> dict[str, _Lost]:
    """Return the rows of each missing segment, of that which lost most first."""
    out: dict[str, _Lost] = {}
    for s in signals:
        had = out.get(s.segment, _Lost(0.0, 0.0))
        out[s.segment] = _Lost(had.came + s.value, had.usual + s.expected)
    return dict(sorted(out.items(), key=lambda item: (item[1].came - item[1].usual, item[0])))


def _of_column(lost: Mapping[str, _Lost], most: str) -> tuple[float, float]:
    """Return the rows of the missing segments of one column together: the same rows are missing in every other."""
    column = most.partition("=")[0]
    mine = [counts for name, counts in lost.items() if name.partition("=")[0] == column]
    return sum(m.came for m in mine), sum(m.usual for m in mine)


def _under(arrived: Arrived) -> str:
    """Return in words what rows come as.

    >>> _under(Arrived("shop=west-b", 60)), _under(Arrived("shop=(null)", 60))
    ('as shop=west-b', 'without a shop')
    """
    column, _, value = arrived.segment.partition("=")
    return f"without a {column}" if value == NULL else f"as {arrived.segment}"


def _together(signals: Sequence[Signal]) -> bool:
    first: dict[str, Signal] = {}
    for s in sorted(signals, key=lambda s: s.window_start):
        first.setdefault(s.segment, s)
    return len({s.window_start for s in first.values()}) == 1
