"""What is told of segments whose rows no longer come: headline, cause, and where to look.

Belongs here: the words of these incidents, and what may have come in their place. Does not: which segments are missed (missing_segments.py).
"""

from collections import defaultdict
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.judgement.episodes import Episode
from watchkeeper.judgement.evidence import Arrived, Evidence, Refused
from watchkeeper.judgement.spans import during_text, span_text
from watchkeeper.monitor import Monitor
from watchkeeper.profiles.groups import NULL, REST
from watchkeeper.records import Signal
from watchkeeper.story import Cause
from watchkeeper.windows import Window
from watchkeeper.words import counted

_LISTED = 8
_HALF, _TWICE = 0.5, 2.0


def segments_told(monitor: Monitor, episode: Episode, evidence: Evidence) -> tuple[str, str, list[tuple[str, str]]]:
    """Tell of segments whose rows did not come, or did not come in, while others did."""
    came, usual = _counts(episode.signals)
    most, *others = _by_loss(episode.signals)
    more = f" and {counted(len(others), 'more segment')}" if others else ""
    number = f"only {sum(came.values()):,.0f}" if any(came.values()) else "no"
    span = (monitor, episode.start, episode.end, evidence.told_at)
    headline = f"{number} {monitor.wording.rows} with {most}{more} landed {during_text(*span)}, usually {sum(usual.values()):,.0f}"
    listed = [f"{name}: {came[name]:,.0f} of {usual[name]:,.0f}" for name in [most, *others][:_LISTED]]
    left_out = f", and {len(others) + 1 - _LISTED} more" if len(others) >= _LISTED else ""
    facts = [("Rows that came", ", ".join(listed) + left_out)] if others else []
    count, reason = evidence.set_aside
    return headline, f"{span_text(*span)}, {monitor.timezone}.", facts + set_aside_text(count, "row", reason)


def set_aside_text(count: int, what: str, reason: str) -> list[tuple[str, str]]:
    """Tell how many rows or labels of the time are held, and why most of them."""
    most = f", most often because: {reason}" if reason else ""
    return [("Set aside", f"{counted(count, what)} of that time in quarantine{most}")] if count else []


def cause_of_missing_segments(signals: Sequence[Signal], set_aside: tuple[int, str], refused: Sequence[Refused], arrived: Arrived | None) -> Cause:
    """Return why rows of segments are missing: they are in quarantine, in a file that was refused, under another name, or they do not come."""
    came, usual = _counts(signals)
    short, onset = sum(usual.values()) - sum(came.values()), min(s.window_start for s in signals)
    most, *others = _by_loss(signals)
    count, reason = set_aside
    if count >= _HALF * short:
        support = [f"{count:,} rows of {'them' if others else 'it'} are in quarantine"]
        return Cause(kind="data", subject=f"rows were set aside: {reason}", share=min(1.0, count / short), onset=onset, evidence_for=support)
    if arrived is not None:
        support = [f"{arrived.rows:,.0f} rows of {arrived.segment} came in these windows, where there were none before"]
        subject = f"rows of {most} come as {arrived.segment} now"
        return Cause(kind="data", subject=subject, share=min(1.0, arrived.rows / short), onset=onset, evidence_for=support)
    if refused:
        more = f", and {counted(len(refused) - 1, 'more file')}" if len(refused) > 1 else ""
        support = [f"nothing of {'it' if len(refused) == 1 else 'them'} landed; which rows were inside cannot be told"]
        return Cause(kind="data", subject=f"{refused[0].name} was refused whole ({refused[0].reason}){more}", onset=onset, evidence_for=support)
    also = f" and {counted(len(others), 'more segment')}" if others else ""
    support = ["rows of others come as usual, so look at what brings these", *(["they stopped together"] if others and _together(signals) else [])]
    return Cause(kind="data", subject=f"rows of {most}{also} no longer arrive", onset=onset, evidence_for=support)


def arrived_instead(signals: Sequence[Signal], windows: Sequence[Window], scores: pa.Table) -> Arrived | None:
    """Return the segment of the same column that came with about as many rows as one is short of, and had none before; None where none or several are."""
    came, usual = _counts(signals)
    if len(usual) != 1:
        return None
    (missing,) = usual
    column, short = missing.partition("=")[0], usual[missing] - came[missing]
    rows = scores.filter((pc.field("metric") == "rows") & pc.starts_with(pc.field("segment"), f"{column}=") & (pc.field("value") > 0))
    there: dict[str, list[tuple[bool, float]]] = defaultdict(list)
    onset = min(s.window_start for s in signals)
    for name, start, value in zip(*(rows.column(c).to_pylist() for c in ("segment", "window_start", "value")), strict=True):
        if "&" not in name and name.partition("=")[2] not in (NULL, REST) and (start < onset or any(start in w for w in windows)):
            there[name].append((start < onset, value))
    new = {name: sum(value for _, value in found) for name, found in there.items() if not any(before for before, _ in found)}
    like = [Arrived(name, rows) for name, rows in new.items() if _HALF * short <= rows <= _TWICE * short]
    return like[0] if len(like) == 1 else None


def look_for_segments(owner: str, evidence: Evidence) -> str:
    """Return what to do about segments whose rows do not come."""
    names = _by_loss(evidence.signals)
    if evidence.arrived is not None:
        return f"ask {owner} whether {names[0]} was renamed; if so, the model meets a value it does not know, and the segment's history ends with its old name."
    one = "it" if len(names) == 1 else "they"
    return (
        f"ask {owner} whether what brings rows of {names[0]} still runs; if {one} ended for good, `watchkeeper rebaseline` makes that the new normal."
    )


def _counts(signals: Sequence[Signal]) -> tuple[dict[str, float], dict[str, float]]:
    """Return the rows of each segment that came in its bad windows, and those that usually do."""
    came, usual = defaultdict[str, float](float), defaultdict[str, float](float)
    for s in signals:
        came[s.segment] += s.value
        usual[s.segment] += s.expected
    return came, usual


def _by_loss(signals: Sequence[Signal]) -> list[str]:
    """Return the segments, that with most missing rows first."""
    came, usual = _counts(signals)
    return sorted(usual, key=lambda name: (came[name] - usual[name], name))


def _together(signals: Sequence[Signal]) -> bool:
    first: dict[str, Signal] = {}
    for s in sorted(signals, key=lambda s: s.window_start):
        first.setdefault(s.segment, s)
    return len({s.window_start for s in first.values()}) == 1
