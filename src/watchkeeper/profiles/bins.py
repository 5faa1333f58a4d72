"""Bins of a reference: fitted once, versioned by their content, the same for every window after.

Belongs here: fitting edges and categories, value -> cell. Does not: counting (scan.py), fixed grids (grids.py).
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

FINE = 50
COARSE = 10
TAILS = np.array([0.0005, 0.001, 0.0025, 0.005, 0.0075, 0.01, 0.015])
MOST_CATEGORIES = 200
OTHER, UNSEEN = "other", "unseen"
_LEAST_SHARE_OF_A_POINT_MASS = 1 / FINE
_STEPS = 4096
_OUTSIDE = 0.01
_ROUNDED = 128
_FEW = 4
_SMALLEST = float(np.finfo(np.float64).tiny)


class Guide(NamedTuple):
    """The range of the edges cut in equal steps: `below[s]` edges lie below step s, so a value there needs few comparisons."""

    low: float
    per_unit: float
    below: NDArray[np.int32]


@dataclass(frozen=True)
class FeatureBins:
    """The cells of one feature.

    Numeric: cell i holds edges[i-1] < x <= edges[i], the outermost cells are open. Category: one cell each, then
    `other` (rare in the reference), then `unseen` (never in the reference). `coarse[i]` is the coarse cell of fine cell i,
    `normal_scores[i]`, of numbers, the normal quantile at the middle of its ranks in the reference.
    """

    feature: str
    kind: str
    edges: tuple[float, ...] = ()
    categories: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    coarse: tuple[int, ...] = ()
    normal_scores: tuple[float, ...] = ()
    unit: float = 0.0
    """Of numbers: sums per cell are kept in multiples of it, a power of two near a 128th of the spread; 0 for no such rounding."""
    novelty: float = 0.0
    """Of categories: the share of rows to come whose name the reference never had, by the share of its rows whose name it had once (Good 1953)."""

    @property
    def size(self) -> int:
        """How many fine cells there are."""
        return len(self.edges) + 1 if self.kind == "numeric" else len(self.categories) + 2

    @property
    def coarse_size(self) -> int:
        """How many coarse cells there are."""
        return max(self.coarse, default=0) + 1

    @property
    def unseen(self) -> int:
        """The cell of values that the reference never had; -1 for numbers."""
        return self.size - 1 if self.kind == "category" else -1

    @cached_property
    def guide(self) -> Guide:
        """The way to a value's cell; the outermost edges lie beyond it, since tails are long and hold little."""
        edges = np.asarray(self.edges)
        inner = edges[1:-1] if len(edges) > _FEW else edges
        with np.errstate(over="ignore"):
            span = inner[-1] - inner[0] if len(inner) > 1 else 0.0
            per_unit = _STEPS / span if 0 < span < np.inf else 0.0
        if not 0 < per_unit < np.inf:
            return Guide(0.0, 0.0, np.array([0, len(edges)], np.int32))
        steps = np.clip((edges - inner[0]) * per_unit, 0, _STEPS - 1).astype(np.int64)
        below = np.concatenate([[0], np.cumsum(np.bincount(steps, minlength=_STEPS))])
        return Guide(float(inner[0]), float(per_unit), below.astype(np.int32))

    @cached_property
    def known(self) -> dict[str, int]:
        """The cell of each category that the reference had."""
        return {c: i for i, c in enumerate(self.categories)} | dict.fromkeys(self.others, len(self.categories))

    @cached_property
    def fold(self) -> NDArray[np.int64]:
        """The coarse cell of each fine cell."""
        return np.asarray(self.coarse, np.int64)

    def label(self, cell: int) -> str:
        """Return what a fine cell holds, in words.

        >>> FeatureBins("x", "numeric", edges=(1.0, 2.0)).label(1)
        '1 < x <= 2'
        """
        if self.kind == "category":
            return (*self.categories, OTHER, UNSEEN)[cell]
        low = f"{self.edges[cell - 1]:g} < " if cell > 0 else ""
        high = f" <= {self.edges[cell]:g}" if cell < len(self.edges) else ""
        return f"{low}{self.feature}{high}"


def fit_numeric(feature: str, values: NDArray[np.float64], fine: int = FINE) -> FeatureBins:
    """Fit quantile edges to the finite values of a reference: fifty cells of equal weight, the outermost ones cut finer.

    A point mass (a fiftieth of the rows or more) gets a cell of its own, the ends stay open.
    """
    finite = np.sort(values[np.isfinite(values)])
    if len(finite) == 0:
        return FeatureBins(feature, "numeric", coarse=(0,), normal_scores=(0.0,))
    places = np.concatenate([np.arange(1, fine) / fine, TAILS, 1 - TAILS])
    quantiles = np.quantile(finite, places, method="inverted_cdf")
    edges = {float(q) for q in quantiles}
    begun = np.flatnonzero(np.concatenate([[True], finite[1:] != finite[:-1]]))
    distinct, counts = finite[begun], np.diff([*begun, len(finite)])
    for i in np.flatnonzero(counts >= _LEAST_SHARE_OF_A_POINT_MASS * len(finite)):
        edges |= {float(distinct[i]), just_below(float(distinct[i]))}
    edges |= {just_below(float(finite[0])), float(finite[-1])}
    ordered = tuple(sorted(edges))
    counts = np.bincount(np.searchsorted(ordered, finite, side="left"), minlength=len(ordered) + 1)
    return FeatureBins(feature, "numeric", edges=ordered, coarse=_coarsened(counts), normal_scores=_normal_scores(counts), unit=_unit(finite))


def _unit(ordered: NDArray[np.float64]) -> float:
    """Return what sums per cell are rounded to: over n rows that moves the mean of all cells by less than cells / n times a 256th of the spread."""
    inside = ordered[int(_OUTSIDE * len(ordered)) : len(ordered) - int(_OUTSIDE * len(ordered))]
    with np.errstate(over="ignore", invalid="ignore"):
        low, high = np.quantile(ordered, (0.16, 0.84), method="inverted_cdf")
        spread = (high - low) / 2 or inside.std()
    return float(2.0 ** np.floor(np.log2(spread / _ROUNDED))) if _SMALLEST < spread < np.inf else 0.0


def _normal_scores(counts: NDArray[np.int64]) -> tuple[float, ...]:
    """Return the normal quantile at the middle of each cell's ranks (van der Waerden 1952); those of empty end cells are finite too."""
    ranks = (np.cumsum(counts) - counts / 2 + 0.5) / (counts.sum() + 1)
    return tuple(ndtri(ranks).round(6).tolist())


def just_below(value: float) -> float:
    """Return the next smaller number that is not subnormal: processors compare those ten times slower."""
    below = float(np.nextafter(value, -np.inf))
    return below if abs(below) >= _SMALLEST else -_SMALLEST


def fit_category(feature: str, counts: Mapping[str, int]) -> FeatureBins:
    """Keep the most frequent categories whole (200 at most); fold the rest of the reference's into `other`."""
    ranked = sorted(counts, key=lambda k: (-counts[k], k))
    kept, others = ranked[:MOST_CATEGORIES], ranked[MOST_CATEGORIES:]
    common = min(len(kept), COARSE - 3) if len(kept) > COARSE - 2 else len(kept)
    rest = common if len(kept) > common else common - 1
    coarse = [min(i, rest) if i >= common else i for i in range(len(kept))]
    other = max(coarse, default=-1) + 1
    novelty = sum(count == 1 for count in counts.values()) / max(1, sum(counts.values()))
    cells = (*coarse, other, other + 1)
    return FeatureBins(feature, "category", categories=tuple(kept), others=tuple(sorted(others)), coarse=cells, novelty=novelty)


def _coarsened(counts: NDArray[np.int64]) -> tuple[int, ...]:
    """Join neighbouring fine cells into at most ten coarse ones of about equal weight."""
    middle = np.cumsum(counts) - counts / 2
    wanted = np.minimum((middle * COARSE / max(1, counts.sum())).astype(np.int64), COARSE - 1)
    return tuple(int(i) for i in np.unique(wanted, return_inverse=True)[1])


def version(bins: Sequence[FeatureBins], layout: str = "") -> str:
    """Return the version of a set of bins: a hash of their content, and of what else decides how rows are counted in them."""
    content: list[Any] = [layout] if layout else []
    content += [
        [b.feature, b.kind, b.edges, b.categories, b.others, b.coarse, b.normal_scores, b.unit] for b in sorted(bins, key=lambda b: b.feature)
    ]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:12]


def code_numeric(bins: FeatureBins, values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the cell of each value; infinities fall in the end cells, NaN in the last and is to be left out by the caller."""
    return np.searchsorted(np.asarray(bins.edges), values, side="left").astype(np.int64)


def code_categories(bins: FeatureBins, distinct: Sequence[str]) -> NDArray[np.int64]:
    """Return the cell of each distinct text, to be looked up by dictionary codes."""
    known, unseen = bins.known, bins.unseen
    return np.array([known.get(d, unseen) for d in distinct], np.int64)
