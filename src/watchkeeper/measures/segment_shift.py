"""Segment shift: how far a feature moved in one segment and not in the rest, which the whole hides in a good average.

Belongs here: counts of segments beside those of all rows, in the reference and in a window -> one number a feature. Does not: how
all rows moved (drift.py), or what is unusual (judgement/).

Of numbers it is the mean and the spread of ranks (`stats/smooth.py`), of categories the share of each, in units of the reference's
standard deviation: the gap of a segment to all other rows, less the same gap in the reference. What moves everywhere moves no gap.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from watchkeeper.measures.views import FeatureView
from watchkeeper.profiles.bins import FeatureBins
from watchkeeper.stats import smooth
from watchkeeper.stats.intervals import Estimate, undefined

Floats = NDArray[np.float64]
SURE = 1e-4
"""The chance that any segment of a feature passes for moved where none did, however many there are."""
LEAST_ROWS, LEAST_REFERENCE_ROWS, LEAST_IN_CELL = 20, 100, 5.0
_NO_SEGMENTS = "no segment has 20 rows here and 100 in the reference beside other rows"
_KINDS = ("loc", "spread")


@dataclass(frozen=True)
class Sides:
    """Coarse counts of one feature: of each segment, shape (segments, cells), and of all rows, shape (cells,)."""

    segments: Floats
    whole: Floats


def sides(bins: FeatureBins, names: Sequence[str], views: Mapping[str, FeatureView]) -> Sides:
    """Return the counts of some segments, zero where a segment has none, and of all rows under the empty name."""
    counts = [views[name].coarse if name in views else np.zeros(bins.coarse_size) for name in ("", *names)]
    return Sides(np.array(counts[1:], float).reshape(len(names), bins.coarse_size), np.asarray(counts[0], float))


def segment_shift(names: Sequence[str], kind: str, reference: Sides, analysis: Sides) -> Estimate:
    """Return what the segment that moved most has moved by at least, in standard deviations of the reference; 0 where none surely did.

    It is the gap less as many standard errors as the largest of so many gaps of nothing stays within, but for one time in 10,000
    (Bonferroni over segments and row functions). So it is near 0 however few rows a window has, and does not grow with more. The
    reason names the segment. Rows count as independent.
    """
    n = int(analysis.whole.sum())
    values = _row_functions(kind, reference.whole)
    there = _are_enough(reference, analysis)
    if not there.any() or not values.shape[1]:
        return undefined(_NO_SEGMENTS, n)
    moved = _gaps(analysis, values) - _gaps(reference, values)
    error = np.sqrt(sum(1 / np.maximum(1, rows) for side in (analysis, reference) for rows in _rows(side)))[:, None]
    judged = there[:, None] & _are_full(kind, reference, analysis)
    bound = np.where(judged, np.abs(moved) - _quantile(int(judged.sum())) * error, -np.inf)
    place, statistic = divmod(int(np.argmax(bound)), bound.shape[1])
    if bound[place, statistic] <= 0:
        return Estimate(0.0, n=n)
    said = (
        f"most in {names[place]}: {moved[place, statistic]:+.2f} standard deviations against the rest, {int(analysis.segments[place].sum()):,} rows"
    )
    return Estimate(float(bound[place, statistic]), n=n, reason=said)


def _row_functions(kind: str, reference: Floats) -> Floats:
    """Return what a row in each cell counts as, shape (cells, functions): of mean 0 and variance 1 over the reference's rows."""
    share = reference / max(1.0, reference.sum())
    if kind == "numeric":
        ranks = smooth.mid_ranks(reference.astype(np.int64))
        raw = np.column_stack([smooth.legendre(ranks, name) for name in _KINDS])
    else:
        raw = np.eye(len(reference))
    centred = np.nan_to_num(raw - share @ raw)
    size = np.sqrt(share @ centred**2)
    return np.asarray(np.divide(centred, size, out=np.zeros_like(centred), where=size > 0), float)


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


def _are_full(kind: str, reference: Sides, analysis: Sides) -> NDArray[np.bool_]:
    """Tell of which segments and row functions the mean is near enough to normal: of a category, where some are to be expected."""
    inside = analysis.segments.sum(axis=1)[:, None]
    if kind == "numeric":
        return np.ones((len(inside), len(_KINDS)), bool)
    share = reference.whole / max(1.0, reference.whole.sum())
    return np.asarray(inside * np.minimum(share, 1 - share)[None, :] >= LEAST_IN_CELL, bool)


def _quantile(tests: int) -> float:
    return float(-ndtri(SURE / (2 * max(1, tests))))
