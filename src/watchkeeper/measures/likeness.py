"""Likeness: the labelled rows of the reference, weighted until they have the inputs of a window.

Belongs here: which features the error depends on, whether they moved, and the weights. Does not: raking itself (stats/raking.py), reading
rows (operations/reference_rows.py), what is estimated with the weights (estimated.py, estimated_errors.py).

A score may mean one thing where an input is low and another where it is high; over the reference that evens out, and in a window
of other inputs it does not (Bialek et al. 2024, arXiv 2401.08348, who weight by a classifier; here the weights follow from the
cells that windows are counted in anyway).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincc, stdtr

from watchkeeper.measures.views import FeatureView
from watchkeeper.profiles.grids import logit_cells, scores_of
from watchkeeper.stats.raking import raked
from watchkeeper.windows import Window
from watchkeeper.words import counted as some
from watchkeeper.words import listed, percent

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Codes = NDArray[np.integer[Any]]

LEAST_LIKE, LEAST_DAYS = 200, 10
"""Rows of equal weight that the reference must count as, and days: rows of one day have much in common, such as the weather."""
MOST_OUTSIDE = 0.1
"""The share of a window's rows that may lie where the reference has none."""
_MOST_FEATURES = 6
_LEVEL, _MOVED = 0.05, 1e-3
_LEAST_DAYS_IN_A_CELL = 5


@dataclass(frozen=True)
class ReferenceRows:
    """Labelled rows of the reference: score and truth of each, its day, and its kind: the cells it has of features that errors depend on.

    `cells` has shape (kinds, features). `day` says in which of `days` a row lies; these are their local midnights, and the end of the last.
    """

    score: Floats
    truth: Floats
    features: tuple[str, ...]
    cells: Codes
    kind: Ints
    day: Ints
    days: tuple[datetime, ...]

    def outside(self, window: Window) -> NDArray[np.bool_]:
        """Tell which rows lie in none of the days of a window: a window must not be estimated from its own labels."""
        is_inside = [begin < window.end and end > window.start for begin, end in pairwise(self.days)]
        return ~np.array(is_inside, bool)[self.day]

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


def relevant(columns: Iterable[tuple[str, Codes]], errors: Sequence[Floats], day: Ints, *, of: int) -> dict[str, Codes]:
    """Return those of `of` features that an error depends on, the surest first and six at most, at .05 over all.

    `columns` gives each row's cell, feature by feature; `errors` are numbers of a row whose mean would be the same in all cells if the
    feature told nothing. Rows of one `day` may err alike.
    """
    level = _LEVEL / max(1, of * len(errors))
    found: list[tuple[float, str, Codes]] = []
    for name, cells in columns:
        p = min(_same_mean(cells, e, day) for e in errors)
        if p < level:
            found = sorted([*found, (p, name, cells)], key=lambda one: one[:2])[:_MOST_FEATURES]
    return {name: cells for _, name, cells in found}


def _same_mean(cells: Codes, values: Floats, day: Ints) -> float:
    """Return the chance that any cell's mean differs so much from that of all rows by chance.

    Each cell is a t test whose variance is that of the sums of its days (Liang and Zeger 1986), Bonferroni's bound is over cells.
    """
    width, days = int(cells.max(initial=0)) + 1, int(day.max(initial=0)) + 1
    place = cells.astype(np.int64) * days + day
    off = np.bincount(place, weights=values - values.mean(), minlength=width * days).reshape(width, days)
    there = np.bincount(place, minlength=width * days).reshape(width, days) > 0
    known = there.sum(axis=1)
    spread = np.sqrt(np.sum(off**2, axis=1))
    is_told = (known >= _LEAST_DAYS_IN_A_CELL) & (spread > 0)
    if is_told.sum() < 2:  # noqa: PLR2004 - two means make a difference
        return 1.0
    t = np.abs(off.sum(axis=1)[is_told] / spread[is_told])
    return min(1.0, float(2 * stdtr(known[is_told] - 1, -t).min()) * int(is_told.sum()))


def weighing(known: ReferenceRows, window: Window, counted: Callable[[str], Ints]) -> Weighing:
    """Return how the reference's rows are weighted for a window; `counted` gives its rows by cell of a feature, missing ones last."""
    wanted = [counted(name).astype(float) for name in known.features]
    is_other = known.outside(window)
    rows = np.bincount(known.kind[is_other], minlength=len(known.cells))
    held = [np.bincount(known.cells[:, f], weights=rows, minlength=len(c)).astype(float) for f, c in enumerate(wanted)]
    if any(c.sum() == 0 for c in wanted) or not rows.any() or not any(_has_moved(c, h) for c, h in zip(wanted, held, strict=True)):
        return Weighing()
    found = raked(known.cells, rows, [c / c.sum() for c in wanted])
    if found.outside.max() > MOST_OUTSIDE:
        strange = known.features[int(found.outside.argmax())]
        said = f"{percent(float(found.outside.max()))} of rows have values of {strange} that no labelled row of the reference has"
        return Weighing(said=said, is_refused=True)
    weights = np.where(is_other, found.weights[known.kind], 0.0)
    days = _effective(np.bincount(known.day, weights=weights).astype(float))
    by, count = listed(known.features), f"{some(round(found.effective), 'row')} of {some(round(days), 'day')}"
    if found.effective < LEAST_LIKE or days < LEAST_DAYS:
        said = f"the reference has too few rows like these in {by}: they count as {count}, and it takes {LEAST_LIKE} of {LEAST_DAYS} days"
        return Weighing(effective=found.effective, said=said, is_refused=True)
    return Weighing(weights, found.effective, f"weighted to the inputs by {by}: the reference counts as {count}")


def _effective(weights: Floats) -> float:
    """Return as how many of equal weight they count (Kish 1965)."""
    whole = float(np.sum(weights))
    return whole**2 / float(np.sum(weights**2)) if whole > 0 else 0.0


def _has_moved(window: Floats, reference: Floats) -> bool:
    """Tell whether shares differ beyond chance of the window's rows (Pearson), or rows lie where the reference has none."""
    share, there = reference / reference.sum(), reference > 0
    if window[~there].sum() > MOST_OUTSIDE * window.sum():
        return True
    n = window[there].sum()
    misfit = float(np.sum((window[there] - n * share[there]) ** 2 / (n * share[there]))) if n else 0.0
    return float(gammaincc(max(1, there.sum() - 1) / 2, misfit / 2)) < _MOVED
