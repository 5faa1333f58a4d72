"""Segments of a window beside the reference: what of a KPI's change is the mix of segments, and what are segments themselves.

Belongs here: the parts of a segment dimension -> its split, each segment beside the rest. Does not: the formulas (stats/mix.py), where
parts come from (operations/segments.py), the words (site/segments.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from watchkeeper.measures.row_means import RowMean, RowSums
from watchkeeper.profiles.groups import NULL
from watchkeeper.spelling import segment_of
from watchkeeper.stats.differences import difference
from watchkeeper.stats.intervals import Estimate
from watchkeeper.stats.mix import Side, Split

Sums = Mapping[str, RowSums]
"""Of all rows (the empty name) and of each segment of one dimension."""
MOST_PARTS = 200
"""Segments of a dimension that are told one by one: all of a column, of a pair those that explain most."""
_NONE = RowSums(0, 0.0, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentPart:
    """One segment: its rows and value before and after, its gap to all other rows of its window, and what it adds to the change.

    `value`, `gap` and `effect` have intervals; a segment without rows on a side has no value there, and `mix` alone.
    """

    segment: str
    n: int
    reference_n: int
    share: float
    reference_share: float
    value: Estimate
    reference_value: float
    gap: Estimate
    mix: float
    effect: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentSplit:
    """The change of a KPI against the reference, by one dimension: `mix` and `effect` add up to `change`.

    `new_and_gone` is the part of `mix` that is of segments with rows on one side alone. Parts come with the largest first, of so many
    `segments` at most 200. Intervals take rows as independent.
    """

    dimension: str
    change: Estimate
    mix: Estimate
    effect: Estimate
    new_and_gone: float
    new: Sequence[str] = ()
    gone: Sequence[str] = ()
    segments: int = 0
    parts: Sequence[SegmentPart] = ()


def split_by(dimension: str, kind: RowMean, before: Sums, after: Sums) -> SegmentSplit | None:
    """Return how a KPI's change splits by a dimension such as `carrier` or `carrier&origin`, None where either side has no rows.

    Rows that no segment holds, since they landed before the column was there, are of the segment whose value is null.
    """
    nobody = segment_of((column, NULL) for column in dimension.split("&"))
    before, after = _complete(before, nobody), _complete(after, nobody)
    if before[""].n == 0 or after[""].n == 0:
        return None
    names = sorted({name for side in (before, after) for name, sums in side.items() if name and sums.n})
    made = Split(*(Side(*np.array([side.get(name, _NONE)[:3] for name in names], float).T) for side in (before, after)))
    order = np.lexsort((-np.abs(made.mixes), -np.abs(made.effects))).tolist()
    return SegmentSplit(
        dimension=dimension,
        change=made.change(),
        mix=made.mix(),
        effect=made.effect(),
        new_and_gone=made.mix_of_new_and_gone(),
        new=tuple(names[place] for place in order if not made.before.rows[place]),
        gone=tuple(names[place] for place in order if not made.after.rows[place]),
        segments=len(names),
        parts=tuple(_part(made, place, names[place], kind, before, after) for place in order[:MOST_PARTS]),
    )


def _complete(sums: Sums, nobody: str) -> dict[str, RowSums]:
    """Return sums of segments that add up to those of all rows: what is left over is of nobody's segment.

    Where no row is left over the rest is rounding, of segments' sums that are kept to seven digits; it is spread over their rows.
    """
    whole = sums.get("", _NONE)
    inside = {name: part for name, part in sums.items() if name and part.n}
    left = whole
    for part in inside.values():
        left = left.less(part)
    if left.n > 0:
        return {**inside, "": whole, nobody: inside.get(nobody, _NONE).more(left)}
    return {"": whole} | {
        name: part.more(RowSums(0, left.total * part.n / whole.n, left.squares * part.n / whole.n)) for name, part in inside.items()
    }


def _part(made: Split, place: int, name: str, kind: RowMean, before: Sums, after: Sums) -> SegmentPart:
    ours, theirs = after.get(name, _NONE), before.get(name, _NONE)
    value, rest = kind.interval(ours), kind.interval(after[""].less(ours))
    return SegmentPart(
        segment=name,
        n=ours.n,
        reference_n=theirs.n,
        share=float(made.after.shares[place]),
        reference_share=float(made.before.shares[place]),
        value=value,
        reference_value=theirs.mean,
        gap=difference(value, rest),
        mix=float(made.mixes[place]),
        effect=made.effect_of(place),
    )
