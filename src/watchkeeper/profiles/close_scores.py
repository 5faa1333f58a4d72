"""Close scores: which scores of a group are kept one by one, and which share a cell of the logit grid.

Belongs here: rows and groups -> a cell for each row's score. Does not: the grid (grids.py), counting (counted.py), or ranking (measures/views.py).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from watchkeeper.profiles.counted import of_rows
from watchkeeper.profiles.grids import LOGIT_CELLS, exact_cells, logit_cells, on_the_grid, rounded

Ints = NDArray[np.int64]
Codes = NDArray[np.int32]
Groups = NDArray[np.integer[Any]]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

MOST_EXACT = 2_000
"""A group of at most so many rows, or so many different scores, keeps each of them."""
HIGHEST = 500
"""Of a larger group the highest scores are kept one by one: they decide the average precision."""
STEPS, OF_RANK = 500, 0.02
"""Where the grid would not do, the others are kept in steps: each at most a 500th of the rows, and a fiftieth of those that are higher."""
FEW, TOO_WIDE = 50, 0.002
"""Rows of one outcome that are few: a cell of a five hundredth of all rows would move the ROC AUC by more than .001 where one of them lies in it."""
CROWDED = 0.05
"""A cell that holds more rows than so large a part of those that are higher is too wide for the average precision."""
TIED, WORTH = 0.01, 1.5
_DENSE = 10
WORTH_ROUNDING = 100
"""Scores of a group of fewer rows are kept with all their digits, so that they are told from those of other groups that lie close by."""


@dataclass(frozen=True, slots=True)
class Scores:
    """The scores of rows, each as a cell of the grid and as a place among the different ones."""

    grid: Codes
    """Each row's cell of the grid."""
    place: Codes
    """Each row's place among the different scores, in ascending order."""
    exact: Ints
    """The cell of each place, which holds its score alone."""
    is_near: Mask
    """Whether a place has a neighbour from which it would not be told if both were rounded."""
    scored: Mask
    positive: Mask
    cut: int
    """The place of the lowest score that was decided positive, 0 where decisions do not follow the score: no step lies on both sides of it."""
    found: dict[tuple[int, int, bool], tuple[Mask, Groups, tuple[Codes, Ints]]] = field(default_factory=dict, repr=False)

    def among(self, rows: Mask, group: Groups, groups: int, *, is_whole: bool) -> tuple[Codes, Ints]:
        """Return `of_groups` of some rows; found once for all outcomes that are ranked among the same rows."""
        name = (id(rows), id(group), is_whole)
        if name not in self.found:
            self.found[name] = (rows, group, self.of_groups(np.where(rows, group, -1), groups, is_whole=is_whole))
        return self.found[name][2]

    def of_groups(self, group: Groups, groups: int, *, is_whole: bool) -> tuple[Codes, Ints]:
        """Return a number for each row, and the cell that each number stands for; cells ascend with their numbers.

        Rows of group -1 belong to none, and decide nothing. With `is_whole` a group of few rows keeps all of its scores, and a large one its
        highest; otherwise only a group does whose scores lie too close together for the grid. A large group of such scores keeps the others in
        steps of few rows.
        """
        mine = np.where(self.scored, group, -1)
        place, floor = self.place, np.full(groups, LOGIT_CELLS)
        rows = np.bincount(mine[mine >= 0], minlength=groups)
        wanted = np.ones(groups, bool) if is_whole else self._are_tied(mine, groups)
        floor[wanted & (rows <= MOST_EXACT)] = 0
        for one, inside in _each(mine, wanted & (rows > MOST_EXACT)):
            floor[one], stands = self._of_many(place[inside], int(np.sum(self.positive[inside])))
            if stands is not None:
                place = place.copy() if place is self.place else place
                place[inside] = stands
        if floor.min(initial=LOGIT_CELLS) >= LOGIT_CELLS:
            return self.grid, np.arange(LOGIT_CELLS)
        exact = np.flatnonzero((mine >= 0) & (self.grid >= floor[mine]))
        group, place = mine[exact], place[exact]
        cells = np.where(self._clash(group, place, groups)[group], self.exact[place], rounded(self.exact[place]))
        names, number = np.unique(cells, return_inverse=True)
        numbers = self.grid.copy()
        numbers[exact] = LOGIT_CELLS + number
        return numbers, np.concatenate([np.arange(LOGIT_CELLS), names])

    def _clash(self, group: Groups, place: Codes, groups: int) -> Mask:
        """Tell which groups have scores that differ and would not if they were rounded, or too few to be worth it."""
        rows = np.flatnonzero(self.is_near[place])
        pair = np.unique(group[rows].astype(np.int64) * len(self.exact) + place[rows])
        owner, near = pair // len(self.exact), rounded(self.exact[pair % len(self.exact)])
        out = np.bincount(group, minlength=groups) < WORTH_ROUNDING
        out[owner[1:][(np.diff(owner) == 0) & (np.diff(near) == 0)]] = True
        return out

    def _of_many(self, places: Codes, positives: int) -> tuple[int, Groups | None]:
        """Return from which cell of the grid on the scores of a large group are kept one by one, and where rows are placed if not at their own."""
        different, counts = _tallied(places, len(self.exact))
        if len(different) <= MOST_EXACT:
            return 0, None
        grid = on_the_grid(self.exact[different])
        floor = int(grid[-HIGHEST - 1]) + 1
        if _will_do(grid, counts.astype(np.float64), floor, min(positives, len(places) - positives)):
            return floor, None
        first = np.flatnonzero(_begins(counts) | (different == self.cut))
        size = np.diff(first, append=len(different))
        return 0, np.repeat(different[first + size // 2], size)[np.searchsorted(different, places)]

    def _are_tied(self, mine: Groups, groups: int) -> Mask:
        """Tell in which groups so many pairs of rows share a cell that a ranking by cells could be off by more than .005, though their scores differ."""
        counted = of_rows(self.grid, None, np.zeros(len(mine), bool), mine, groups)
        owner, occupied = np.repeat(np.arange(groups), np.diff(counted.ends)), np.diff(counted.ends)
        pairs = np.bincount(owner, weights=counted.counts.astype(float) ** 2, minlength=groups)
        is_tied: Mask = (pairs > TIED * counted.n.astype(float) ** 2) & (counted.n >= WORTH * occupied)
        if not is_tied.any():
            return is_tied
        inside = (mine >= 0) & is_tied[mine]
        pair = np.unique(mine[inside].astype(np.int64) * len(self.exact) + self.place[inside])
        return is_tied & (np.bincount(pair // len(self.exact), minlength=groups) >= WORTH * occupied)


def _tallied(places: Groups, size: int) -> tuple[Groups, Ints]:
    """Return the different places, of `size` that there are, and how many rows are at each."""
    if len(places) * _DENSE < size:
        return np.unique(places, return_counts=True)
    counts = np.bincount(places, minlength=size)
    different = np.flatnonzero(counts)
    return different, counts[different]


def _will_do(grid: Ints, counts: Floats, floor: int, rarer: int) -> bool:
    """Tell whether a large group can be ranked on the grid below some cell, from the cell of each different score and its rows.

    `rarer` are the rows of the rarer outcome. Rows whose scores are really equal are no harm.
    """
    rows = np.bincount(grid, weights=counts)
    n, mixed = counts.sum(), np.sqrt(rows**2 - np.bincount(grid, weights=counts**2))[:floor]
    if np.sum(mixed**2) > TIED * n**2 or (rarer < FEW and mixed.max() > TOO_WIDE * n):
        return False
    return bool(np.all(mixed <= CROWDED * (n - np.cumsum(rows)[:floor] + mixed)))


def _begins(counts: Ints) -> Mask:
    """Tell of each of many different scores, in ascending order, whether a step begins with it; `counts` are its rows."""
    n = int(counts.sum())
    higher = n - np.cumsum(counts)
    wide = n / STEPS / OF_RANK  # so many rows are higher where a fiftieth of them is a 500th of all
    by_rank, even = np.log(np.maximum(higher, 1) / wide) / OF_RANK, (higher - wide) * STEPS / n
    step = np.floor(np.where(higher < wide, by_rank, even))
    alone = counts * STEPS > n
    alone[-HIGHEST:] = True
    out: Mask = np.ones(len(counts), bool)
    out[1:] = (np.diff(step) != 0) | alone[1:] | alone[:-1]
    return out


def _each(group: Groups, wanted: Mask) -> Iterator[tuple[int, Ints]]:
    """Yield some groups with the places of their rows."""
    if not wanted.any():
        return
    rows = np.flatnonzero((group >= 0) & wanted[group])
    rows = rows[np.argsort(group[rows], kind="stable")]
    ends = np.searchsorted(group[rows], np.arange(len(wanted) + 1))
    for one in np.flatnonzero(wanted).tolist():
        yield one, rows[ends[one] : ends[one + 1]]


def scores_of_rows(score: Floats, positive: Mask, decision: Ints) -> Scores:
    """Return the scores of rows, which are of positives and how they were decided; what is no number is not ranked, and lies in the middle of the grid.

    >>> found = scores_of_rows(np.array([0.7, 0.2, 0.7]), np.array([True, False, False]), np.array([1, 0, 1]))
    >>> found.place.tolist(), found.cut
    ([1, 0, 1], 1)
    """
    scored = np.isfinite(score)
    given = np.where(scored, score, 0.5)
    exact, place = np.unique(exact_cells(given), return_inverse=True)
    flagged, passed = (place[scored & (decision == said)] for said in (1, 0))
    cut = int(flagged.min(initial=len(exact)))
    same = np.diff(rounded(exact)) == 0
    is_near = np.append(same, False) | np.insert(same, 0, False)
    return Scores(
        logit_cells(given).astype(np.int32), place.astype(np.int32), exact, is_near, scored, positive, cut if passed.max(initial=-1) < cut else 0
    )
