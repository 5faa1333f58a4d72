"""Apart: whether a segment lies apart from the rest by itself, or because the rest moved.

Belongs here: a segment's own gap beside the distance between its gap and that of all other rows. Does not: what alarms (signals.py), since when (onset.py).
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.monitor import Monitor
from watchkeeper.records import Signal

APART = "calibration_gap_to_rest"
_OWN_PART = 1 / 3

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
