"""Apart: whether a segment lies apart from the rest by itself, or because the rest moved.

Belongs here: a segment's own gap and that of all other rows, beside the distance between the two. Does not: what alarms (signals.py), since when (onset.py).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from math import sqrt

import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.monitor import Monitor
from watchkeeper.records import Score, Signal

APART = "calibration_gap_to_rest"
_OWN_PART = 1 / 3
_WORTH_TELLING, _CERTAIN = 0.02, 1.96

Moves = Mapping[tuple[str, datetime], float]
"""Segment and start of a window -> how far the segment's own gap lies from that of the reference."""


def own_moves(monitor: Monitor, scores: pa.Table) -> Moves:
    """Return how far the own gap of each segment moved in each of the monitor's windows; `scores` has rows as in sql/judged_scores.sql."""
    about = (pc.field("metric") == "calibration_gap") & (pc.field("segment") != "") & (pc.field("grain") == monitor.window)
    rows = scores.filter(about & pc.is_valid(pc.field("value")) & pc.is_valid(pc.field("reference_value")))
    own = zip(*(rows.column(name).to_pylist() for name in ("segment", "window_start", "value", "reference_value")), strict=True)
    return {(segment, start): value - usual for segment, start, value, usual in own}


def is_of_the_rest(moves: Moves, segment: str, start: datetime, apart: float) -> bool:
    """Tell whether less than a third of the way that a segment lies apart is its own; not so where its own gap is not known."""
    own = moves.get((segment, start))
    return own is not None and own * apart < _OWN_PART * apart**2


def of_their_own(monitor: Monitor, found: Sequence[Signal], scores: pa.Table) -> Iterator[Signal]:
    """Yield signals without those of segments that lie apart from the rest because that moved."""
    moves = own_moves(monitor, scores) if any(s.metric == APART for s in found) else {}
    return (s for s in found if s.metric != APART or not is_of_the_rest(moves, s.segment, s.window_start, s.value - s.expected))


def rest_of(whole: Score | None, own: Score | None) -> Score | None:
    """Return the gap of all rows but a segment's over some windows, from that of all and the segment's own; None where either is not known, or nothing is left."""
    if whole is None or own is None or whole.value is None or own.value is None or whole.n <= own.n:
        return None
    n = whole.n - own.n
    value = (whole.value * whole.n - own.value * own.n) / n
    squares = ((whole.se or 0.0) * whole.n) ** 2 - ((own.se or 0.0) * own.n) ** 2
    return replace(whole, value=value, n=n, se=sqrt(max(0.0, squares)) / n, low=None, high=None)


def is_off(rest: Score | None) -> bool:
    """Tell whether the gap of the rest surely lies from what it is in the reference, and two points from it."""
    if rest is None or rest.value is None:
        return False
    off = abs(rest.value - (rest.reference_value or 0.0))
    return off >= max(_WORTH_TELLING, _CERTAIN * (rest.se or 0.0))
