"""Segments of a window beside the reference: what of a KPI's change is the mix of segments, and what are segments themselves.

Belongs here: the parts of a segment dimension -> its split, each segment beside the rest. Does not: the formulas (stats/mix.py), where
parts come from (operations/segments.py), the words (site/segments.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from watchkeeper.measures.clustered import over_days
from watchkeeper.measures.row_means import RowMean, RowSums
from watchkeeper.profiles.groups import NULL
from watchkeeper.stats.clusters import LEAST_SPANS
from watchkeeper.stats.differences import difference
from watchkeeper.stats.intervals import Estimate
from watchkeeper.stats.mix import Side, Split

Floats = NDArray[np.float64]
Sums = Mapping[str, RowSums]
"""Of all rows (the empty name) and of each segment of one dimension."""
MOST_PARTS = 200
"""Segments of a dimension that are told one by one: all of a column, of a pair those that explain most."""
_NONE = RowSums(0, 0.0, 0.0)


@dataclass(frozen=True)
class Counted:
    """A KPI's sums on one side, of all rows and by segment, and the same by days where they are known."""

    sums: Sums
    days: Sequence[Sums] = ()


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
    `segments` at most 200. `days` is how many days the intervals are over, 0 where they take rows as independent.
    """

    dimension: str
    change: Estimate
    mix: Estimate
    effect: Estimate
    new_and_gone: float
    new: Sequence[str] = ()
    gone: Sequence[str] = ()
    segments: int = 0
    parts: Sequence[SegmentPart] = field(default=())
    days: int = 0


def split_by(dimension: str, kind: RowMean, before: Counted, after: Counted) -> SegmentSplit | None:
    """Return how a KPI's change splits by a dimension such as `carrier` or `carrier&origin`, None where either side has no rows.

    Rows that no segment holds, since they landed before the column was there, are of the segment whose value is null.
    """
    nobody = "&".join(f"{column}={NULL}" for column in dimension.split("&"))
    before, after = _whole(before, nobody), _whole(after, nobody)
    if before.sums[""].n == 0 or after.sums[""].n == 0:
        return None
    names = sorted({name for side in (before, after) for name, sums in side.sums.items() if name and sums.n})
    made = Split(_side(before, names), _side(after, names))
    order = np.lexsort((-np.abs(made.mixes), -np.abs(made.effects)))
    return SegmentSplit(
        dimension=dimension,
        change=made.change(),
        mix=made.mix(),
        effect=made.effect(),
        new_and_gone=made.mix_of_new_and_gone(),
        new=tuple(names[place] for place in order if not made.before.rows[place]),
        gone=tuple(names[place] for place in order if not made.after.rows[place]),
        segments=len(names),
        parts=tuple(_part(made, place, names[place], kind, before, after) for place in order[:MOST_PARTS].tolist()),
        days=len(after.days) if made.before.is_by_span and made.after.is_by_span else 0,
    )


def _whole(side: Counted, nobody: str) -> Counted:
    return Counted(_complete(side.sums, nobody), [_complete(day, nobody) for day in side.days])


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


def _side(side: Counted, names: Sequence[str]) -> Side:
    rows, totals, squares = np.array([side.sums.get(name, _NONE)[:3] for name in names], float).T
    if len(side.days) < LEAST_SPANS:
        return Side(rows, totals, squares)
    by_day = np.array([[day.get(name, _NONE)[:2] for name in names] for day in side.days], float)
    return Side(rows, totals, squares, by_day[:, :, 0], by_day[:, :, 1])


def _part(made: Split, place: int, name: str, kind: RowMean, before: Counted, after: Counted) -> SegmentPart:
    ours, theirs, whole = after.sums.get(name, _NONE), before.sums.get(name, _NONE), after.sums[""]
    value = valued(kind, ours, [day.get(name, _NONE) for day in after.days])
    rest = valued(kind, whole.less(ours), [day[""].less(day.get(name, _NONE)) for day in after.days])
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


def valued(kind: RowMean, sums: RowSums, days: Sequence[RowSums]) -> Estimate:
    """Return a mean over rows with its interval: over days where five or more have rows, else of independent rows."""
    found = kind.interval(sums)
    return over_days(kind, found, sums, days) or found
