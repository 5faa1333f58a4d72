"""Segments in words: how a KPI moved away from the reference, what of it is their mix, and what they are themselves.

Belongs here: a split by segments -> sentences and rows of a table. Does not: splitting (measures/segment_mix.py), printing (cli/).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from watchkeeper.measures.segment_mix import SegmentPart, SegmentSplit
from watchkeeper.monitor import Monitor
from watchkeeper.stats.intervals import Estimate
from watchkeeper.windows import Window
from watchkeeper.words import counted, interval_text, listed, metric_text, number_text, percent, window_text

_NAMED = 3
_HALF = 0.5
NOTE = "What segments are themselves is told, and not why; a segment on one side alone is all mix."


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentReport:
    """A KPI of a window beside the reference, by each dimension; where there is none, `reason` says why.

    `rows_of_one` names the column that says whom rows are about, empty where there is none: intervals take rows as independent.
    """

    model: str
    metric: str
    unit: str
    window: Window | None
    value: Estimate | None = None
    reference_value: float | None = None
    splits: Sequence[SegmentSplit] = ()
    reason: str = ""
    is_provisional: bool = False
    rows_of_one: str = ""


def segment_lines(monitor: Monitor, found: SegmentReport) -> list[str]:
    """Return what was found as sentences: the number, one line a dimension, and what to know about them."""
    where = f"{found.model}, {window_text(found.window.start, found.window.end, monitor.timezone)}: " if found.window else f"{found.model}: "
    if found.value is None:
        return [f"{where}{found.reason}."]
    value, usual = _measured(monitor, found, found.value), number_text(found.reference_value, found.unit, truth=monitor.wording.unit)
    lines = [f"{where}{metric_text(found.metric)} {value} over {counted(found.value.n, 'row')}, in the reference {usual}."]
    if found.is_provisional:
        lines.append("Labels of these days are still due, and those that came first are a biased sample.")
    return [*lines, *split_lines(monitor, found), _note(found)]


def split_lines(monitor: Monitor, found: SegmentReport) -> list[str]:
    """Return one sentence a dimension: of the change, what the mix of segments explains, and what they do themselves."""
    return [" ".join(_sentence(monitor, found, split)) for split in found.splits]


def _sentence(monitor: Monitor, found: SegmentReport, split: SegmentSplit) -> Iterator[str]:
    """Yield sentences whose numbers are rounded alike, as the change is; of a fall they say how much falls."""
    name, change = metric_text(found.metric), split.change
    is_sure = _is_sure(change)
    sign = -1.0 if is_sure and change.value < 0 else 1.0
    whole, mix, effect = (_measured(monitor, found, _turned(e, sign), change) for e in (change, split.mix, split.effect))
    by = split.dimension.replace("&", " and ")
    if is_sure:
        what = f"of the {'fall' if sign < 0 else 'rise'} of {name} by {whole}, the mix"
    else:
        what = f"{name} did not change beyond chance, {whole}; the mix"
    yield f"By {by}: {what} explains {mix}, the segments themselves {effect}{_most(monitor, found, split, sign) if is_sure else ''}."
    if split.new or split.gone:
        sides = [f"{_few(names)} {verb}" for names, verb in ((split.new, "new"), (split.gone, "gone")) if names]
        yield f"Of the mix {_plain(monitor, found, sign * split.new_and_gone, change)} is of segments on one side alone: {listed(sides)}."


def _most(monitor: Monitor, found: SegmentReport, split: SegmentSplit, sign: float) -> str:
    """Name the segment that explains most, where it surely explains some and there are others."""
    with_it = [p for p in split.parts if p.effect.value * split.effect.value > 0]
    if not with_it or split.segments < 2 or not _is_sure(with_it[0].effect):  # noqa: PLR2004 - one segment is all there is
        return ""
    largest = with_it[0]
    how = "most of it" if abs(largest.effect.value) > _HALF * abs(split.effect.value) else "the largest part"
    return f", {how} {segment_text(largest.segment)} ({_plain(monitor, found, sign * largest.effect.value, split.change)})"


def _few(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return listed([*(segment_text(n) for n in names[:_NAMED]), *([f"{more} more"] if more > 0 else [])])


def _note(found: SegmentReport) -> str:
    of_one = f", those of one {found.rows_of_one} too" if found.rows_of_one else ""
    return f"Intervals take rows as independent{of_one}: they are of these days, and not of days like them. {NOTE}"


def segment_cells(monitor: Monitor, found: SegmentReport, limit: int) -> list[dict[str, Any]]:
    """Return the rows of a table: of each dimension the segments that explain most."""
    return [_cells(monitor, found, split, part) for split in found.splits for part in split.parts[:limit]]


def _cells(monitor: Monitor, found: SegmentReport, split: SegmentSplit, part: SegmentPart) -> dict[str, Any]:
    return {
        "segment": part.segment,
        "rows": part.n,
        "share": percent(part.share),
        "reference_share": percent(part.reference_share),
        found.metric: _measured(monitor, found, part.value),
        "reference_value": number_text(part.reference_value, found.unit, truth=monitor.wording.unit) if part.reference_n else "",
        "gap_to_the_rest": _measured(monitor, found, part.gap),
        "mix": _plain(monitor, found, part.mix, split.change),
        "effect": _measured(monitor, found, part.effect, split.change) if part.n and part.reference_n else "",
    }


def segment_text(name: str) -> str:
    """Return a segment in words.

    >>> segment_text("carrier=VX&origin=EWR")
    'carrier VX and origin EWR'
    """
    return metric_text("", segment=name).removeprefix(", ")


def _plain(monitor: Monitor, found: SegmentReport, value: float, beside: Estimate) -> str:
    return number_text(value, found.unit, (beside.value, beside.low, beside.high), truth=monitor.wording.unit)


def _measured(monitor: Monitor, found: SegmentReport, e: Estimate, beside: Estimate | None = None) -> str:
    """Return a number with its interval, rounded like the one it is said beside."""
    if not isfinite(e.value):
        return ""
    like = beside or e
    said = _plain(monitor, found, e.value, like)
    return f"{said} {interval_text(e.low, e.high, beside=(like.value, like.low, like.high))}" if isfinite(e.low) and isfinite(e.high) else said


def _turned(e: Estimate, sign: float) -> Estimate:
    return e if sign > 0 else Estimate(-e.value, e.se, -e.high, -e.low, e.n, e.reason)


def _is_sure(e: Estimate) -> bool:
    return isfinite(e.low) and (e.low > 0 or e.high < 0)
