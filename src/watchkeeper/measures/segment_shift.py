"""Segment shift: how far a feature moved in one segment and not in the rest, which the whole hides in a good average.

Belongs here: counts of segments beside those of all rows, in the reference and in a window -> one number a feature. Does not: how
all rows moved (drift.py), or what is unusual (judgement/).

Of numbers it is the mean and the spread of ranks (`stats/smooth.py`), of categories the share of each, of both the share of missing values,
in units of the reference's standard deviation: the gap of a segment to all other rows, less the same gap in the reference. What moves
everywhere moves no gap. A share below a twentieth counts as a twentieth, which few rows do not pass by chance.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from watchkeeper.measures.views import FeatureView
from watchkeeper.profiles.bins import FeatureBins
from watchkeeper.stats import smooth
from watchkeeper.stats.intervals import Estimate, undefined
from watchkeeper.stats.testing import beyond_chance
from watchkeeper.words import counted

Floats = NDArray[np.float64]
LEAST_ROWS, LEAST_REFERENCE_ROWS, LEAST_FOR_SHARES = 20, 100, 50
LEAST_SHARE = 0.05
_NO_SEGMENTS = "no segment has 20 rows here and 100 in the reference beside other rows"


@dataclass(frozen=True)
class Sides:
    """Coarse counts of one feature, and of rows without a value behind them: of each segment, shape (segments, cells + 1), and of all rows, shape (cells + 1,)."""

    segments: Floats
    whole: Floats


def sides(bins: FeatureBins, names: Sequence[str], views: Mapping[str, FeatureView]) -> Sides:
    """Return the counts of some segments, zero where a segment has none, and of all rows under the empty name."""
    counts = [_cells(views[name]) if name in views else np.zeros(bins.coarse_size + 1) for name in ("", *names)]
    return Sides(np.array(counts[1:], float).reshape(len(names), bins.coarse_size + 1), np.asarray(counts[0], float))


def _cells(view: FeatureView) -> Floats:
    return np.append(view.coarse, view.counts.nulls + view.counts.nans).astype(float)


def segment_shift(names: Sequence[str], kind: str, reference: Sides, analysis: Sides) -> Estimate:
    """Return what the segment that moved most has moved by at least, in standard deviations of the reference; 0 where none surely did.

    It is the gap less as many standard errors as the largest of so many gaps of nothing stays within, but for one time in 10,000
    (Bonferroni over segments and row functions). So it is near 0 however few rows a window has, and does not grow with more. The
    reason names the segment. Rows count as independent.
    """
    n = int(analysis.whole.sum())
    there = _are_enough(reference, analysis)
    values, are_shares = _row_functions(kind, reference.whole)
    judged = there[:, None] & (~are_shares | (analysis.segments.sum(axis=1) >= LEAST_FOR_SHARES)[:, None])
    if not judged.any():
        return undefined(_NO_SEGMENTS, n)
    moved = _gaps(analysis, values) - _gaps(reference, values)
    error = np.sqrt(sum(1 / np.maximum(1, rows) for side in (analysis, reference) for rows in _rows(side)))[:, None]
    bound = np.where(judged, np.abs(moved) - beyond_chance(int(judged.sum())) * error, -np.inf)
    place, function = divmod(int(np.argmax(bound)), bound.shape[1])
    if bound[place, function] <= 0:
        return Estimate(0.0, n=n)
    of = "of missing values " if function == values.shape[1] - 1 else ""
    said = f"most in {names[place]}: {of}{moved[place, function]:+.2f} standard deviations against the rest, {counted(int(analysis.segments[place].sum()), 'row')}"
    return Estimate(float(bound[place, function]), n=n, reason=said)


def _row_functions(kind: str, reference: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Return what a row in each cell counts as, shape (cells + 1, functions), and which functions are shares; the last is that of missing values.

    All are of mean 0 and variance 1 over the reference's rows, shares of a variance no less than that of a twentieth.
    """
    cells = len(reference) - 1
    raw, shares = np.eye(cells + 1), np.ones(cells + 1, bool)
    if kind == "numeric":
        valued = reference[:-1]
        ranks = np.nan_to_num(smooth.mid_ranks(valued.astype(np.int64)), nan=0.5)
        shapes = np.column_stack([smooth.legendre(ranks, name) for name in smooth.PLACE_AND_WIDTH])
        shapes -= valued @ shapes / max(1.0, valued.sum())
        raw = np.column_stack(
            [np.vstack([shapes, np.zeros(len(smooth.PLACE_AND_WIDTH))]), raw[:, -1]]
        )  # a row without a value says nothing of its place
        shares = np.array([*(False for _ in smooth.PLACE_AND_WIDTH), True])
    weight = reference / max(1.0, reference.sum())
    centred = raw - weight @ raw
    size = np.sqrt(np.maximum(weight @ centred**2, np.where(shares, LEAST_SHARE * (1 - LEAST_SHARE), 0.0)))
    return np.divide(centred, size, out=np.zeros_like(centred), where=size > 0), shares


def _rows(side: Sides) -> tuple[Floats, Floats]:
    """Return the rows of each segment, and those of all others."""
    inside = side.segments.sum(axis=1)
    return inside, side.whole.sum() - inside


def _gaps(side: Sides, values: Floats) -> Floats:
    """Return each row function's mean in each segment less that of all other rows, shape (segments, functions)."""
    inside, outside = (rows[:, None] for rows in _rows(side))
    ours = side.segments @ values
    gaps: Floats = ours / np.maximum(1, inside) - (side.whole @ values - ours) / np.maximum(1, outside)
    return gaps


def _are_enough(reference: Sides, analysis: Sides) -> NDArray[np.bool_]:
    """Tell which segments have rows enough on both sides, and others beside them."""
    enough = [np.minimum(*_rows(side)) >= least for side, least in ((reference, LEAST_REFERENCE_ROWS), (analysis, LEAST_ROWS))]
    both: NDArray[np.bool_] = enough[0] & enough[1]
    return both
