"""Missing labels of segments: one whose labels no longer come while those of others do, which hides in a coverage that is good as a whole.

Belongs here: which segments are asked, and beside what. Does not: labels of the whole (shortfall.py), rows that do not come (missing_segments.py).

A segment of a column of the monitor is asked in windows whose labels are due and of which most came as a whole: less than half of the least share that
it has in any window of the reference, by a chance that is divided by the segments asked. Labels are due when nearly all of all rows have theirs: one that is
a fiftieth of the rows at most may only be slower.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from scipy.special import pdtr

from watchkeeper.judgement.missing_segments import of_columns
from watchkeeper.judgement.normal import LEAST_WINDOWS
from watchkeeper.judgement.usual_rows import CHANCE

HALF = 0.5
_LEAST_OF_ALL = 0.02
_NEED_LABELS = ("log_loss", "mae", "accuracy", "calibration_gap")
"""Numbers of segments whose coverage is that of their labels; each task has one of them."""


class MissedLabels(NamedTuple):
    """A window in which far too few labels of a segment came: which share of its rows have one, how many rows these are, the shares in the reference, and the chance."""

    segment: str
    start: datetime
    share: float
    rows: float
    usual: Sequence[float]
    chance: float


def chance_of(share: float, rows: float, usual: Sequence[float]) -> float:
    """Return how likely so small a share of some rows has labels by chance, where at least the least of the usual shares is expected."""
    return float(pdtr(share * rows, min(usual) * rows))


def missed_labels(
    columns: Collection[str], scores: pa.Table, reference: Sequence[datetime], after: Mapping[datetime, float]
) -> Iterator[MissedLabels]:
    """Yield the windows in which labels of a segment are missed, of those that start at one of `after`, each with all its rows; `scores` are of one length of windows."""
    counted = of_columns(scores, columns)
    covered = counted.filter(pc.field("metric").isin(_NEED_LABELS) & pc.field("coverage").is_valid())
    low = {name: share for name, share in _shares(covered.filter(pc.field("coverage") < HALF)).items() if name[1] in after}
    if not low:
        return
    usual = _usual(covered, set(reference))
    rows = {(r["segment"], r["window_start"]): r["value"] or 0.0 for r in counted.filter(pc.field("metric") == "rows").to_pylist()}
    for (segment, start), share in sorted(low.items()):
        shares = usual.get(segment, [])
        mine = rows.get((segment, start), 0.0)
        if len(shares) < LEAST_WINDOWS or share >= HALF * min(shares) or mine < _LEAST_OF_ALL * after[start]:
            continue
        if (chance := chance_of(share, mine, shares)) < CHANCE / len(usual):
            yield MissedLabels(segment, start, share, mine, shares, chance)


def _shares(covered: pa.Table) -> dict[tuple[str, datetime], float]:
    """Return which share of its rows has a label, by segment and start of the window; all numbers of one tell the same."""
    return {(r["segment"], r["window_start"]): r["coverage"] for r in covered.select(["segment", "window_start", "coverage"]).to_pylist()}


def _usual(covered: pa.Table, reference: Collection[datetime]) -> Mapping[str, list[float]]:
    """Return the shares that each segment has in the windows of the reference."""
    out: dict[str, list[float]] = defaultdict(list)
    for (segment, start), share in _shares(covered).items():
        if start in reference:
            out[segment].append(share)
    return out
