"""Likeness: the labelled rows of the reference, weighted until they have the inputs of a window.

Belongs here: which features the error depends on, whether they moved, and the weights. Does not: raking itself (stats/raking.py), reading
rows (operations/reference_rows.py), what is estimated with the weights (estimated.py, estimated_errors.py).

A score may mean one thing where an input is low and another where it is high; over the reference that evens out, and in a window
of other inputs it does not (Bialek et al. 2024, arXiv 2401.08348, who weight by a classifier; here the weights follow from the
cells that windows are counted in anyway).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincc

from watchkeeper.measures.views import FeatureView
from watchkeeper.profiles.grids import logit_cells, scores_of
from watchkeeper.stats.raking import raked
from watchkeeper.words import listed, percent

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Codes = NDArray[np.integer[Any]]

LEAST_LIKE = 200
"""Rows of equal weight that the reference must count as."""
MOST_OUTSIDE = 0.1
"""The share of a window's rows that may lie where the reference has none."""
_MOST_FEATURES = 6
_LEVEL, _MOVED = 0.05, 1e-3
_LEAST_IN_A_CELL = 20


@dataclass(frozen=True)
class ReferenceRows:
    """Labelled rows of the reference: score and truth of each, and its `kind`: the cells it has of the features that errors depend on.

    `cells` has shape (kinds, features), `rows` says how many there are of each kind. `share` is which part of the reference was read.
    """

    score: Floats
    truth: Floats
    features: tuple[str, ...]
    cells: Codes
    kind: Ints
    rows: Ints
    share: float = 1.0

    @cached_property
    def by_score(self) -> tuple[Floats, Ints]:
        """The scores that rows have, and which of them each row has."""
        return by_score(self.score)


@dataclass(frozen=True)
class Weighing:
    """The weights of the reference's rows for one window, None where all count the same, and why: in words where that needs saying."""

    weights: Floats | None = None
    effective: float = 0.0
    said: str = ""
    is_refused: bool = False


def by_score(score: Floats) -> tuple[Floats, Ints]:
    """Return the scores of the logit grid that rows have, ascending, and which of them each row has."""
    cells, place = np.unique(logit_cells(score), return_inverse=True)
    return scores_of(cells), place.astype(np.int64)


def window_cells(view: FeatureView) -> Ints:
    """Return how many rows lie in each coarse cell of a feature, and last, in how many it is missing."""
    return np.append(view.coarse, view.counts.nulls + view.counts.nans)


def relevant(columns: Iterable[tuple[str, Codes]], errors: Sequence[Floats], *, of: int) -> dict[str, Codes]:
    """Return those of `of` features that an error depends on, the surest first and six at most: analysis of variance over cells, at .05 over all.

    `columns` gives each row's cell, feature by feature; `errors` are numbers of a row whose mean would be the same in all cells if the
    feature told nothing.
    """
    level = _LEVEL / max(1, of * len(errors))
    found: list[tuple[float, str, Codes]] = []
    for name, cells in columns:
        p = min(_same_mean(cells, e) for e in errors)
        if p < level:
            found = sorted([*found, (p, name, cells)], key=lambda one: one[:2])[:_MOST_FEATURES]
    return {name: cells for _, name, cells in found}


def _same_mean(cells: Codes, values: Floats) -> float:
    """Return the chance that means differ so much between cells by chance: rows over their common variance, chi-square."""
    counts, sums = np.bincount(cells), np.bincount(cells, weights=values)
    is_told = counts >= _LEAST_IN_A_CELL
    spread = float(np.var(values))
    if is_told.sum() < 2 or spread <= 0:  # noqa: PLR2004 - two means make a difference
        return 1.0
    n, means = counts[is_told], sums[is_told] / counts[is_told]
    centre = float(np.sum(n * means) / n.sum())
    return float(gammaincc((len(n) - 1) / 2, float(np.sum(n * (means - centre) ** 2)) / spread / 2))


def weighing(known: ReferenceRows, window: Callable[[str], Ints]) -> Weighing:
    """Return how the reference's rows are weighted for a window; `window` gives its rows by cell of a feature, missing ones last."""
    counted = [window(name).astype(float) for name in known.features]
    held = [np.bincount(known.cells[:, f], weights=known.rows, minlength=len(c)).astype(float) for f, c in enumerate(counted)]
    if any(c.sum() == 0 for c in counted) or not any(_has_moved(c, h) for c, h in zip(counted, held, strict=True)):
        return Weighing()
    found = raked(known.cells, known.rows, [c / c.sum() for c in counted])
    if found.outside.max() > MOST_OUTSIDE:
        strange = known.features[int(found.outside.argmax())]
        return Weighing(
            said=f"{percent(float(found.outside.max()))} of rows have values of {strange} that no labelled row of the reference has", is_refused=True
        )
    by = listed(known.features)
    if found.effective < LEAST_LIKE:
        said = f"the reference has too few rows like these in {by}: they count as {found.effective:,.0f}, and it takes {LEAST_LIKE}"
        return Weighing(effective=found.effective, said=said, is_refused=True)
    said = f"weighted to the inputs by {by}: the reference counts as {found.effective:,.0f} rows"
    return Weighing(found.weights[known.kind], found.effective, said)


def _has_moved(window: Floats, reference: Floats) -> bool:
    """Tell whether shares differ beyond chance of the window's rows (Pearson), or rows lie where the reference has none."""
    share, there = reference / reference.sum(), reference > 0
    if window[~there].sum() > MOST_OUTSIDE * window.sum():
        return True
    n = window[there].sum()
    misfit = float(np.sum((window[there] - n * share[there]) ** 2 / (n * share[there]))) if n else 0.0
    return float(gammaincc(max(1, there.sum() - 1) / 2, misfit / 2)) < _MOVED
