"""Worst slice: where losses are highest, found on one half of the rows and tested on the other.

Belongs here: cells and losses of rows -> slices that stand out beyond chance. Does not: which cells and losses (operations/worst_slice.py),
what they are called (site/slices.py).

A slice is one cell of a feature, or cells of two features at once. A search over thousands of them always finds some that look bad;
rows that the choice did not see tell which are.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincc, gammaln, ndtr

from watchkeeper.stats.differences import difference, difference_of_means
from watchkeeper.stats.intervals import Estimate, proportion
from watchkeeper.stats.testing import adjusted

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Codes = NDArray[np.integer[Any]]
Bools = NDArray[np.bool_]
Cells = tuple[tuple[int, int], ...]
"""What the rows of a slice have in common: (feature, cell) once or twice."""

KEPT = 20
"""How many slices are tested."""
LEVEL = 0.05
LEAST_ROWS, LEAST_SHARE = 50, 0.01
"""A slice holds that many rows and that share of them, as far as the half tells that it is chosen on."""
_SURE = 3.0  # standard errors, which the best of some thousand slices of clean rows rarely passes
_STRAIGHT = 1e-6  # a skewness below which the normal tail is the same


@dataclass(frozen=True, slots=True)
class Slice:
    """Rows alike in one or two features: `cells` are (feature, cell) by place and code, -1 for a missing value.

    `rows` counts all of them; means, effect (inside minus outside, with a 95 % interval), p and the p adjusted for the slices tested are
    those of the held half, `held` rows of it inside.
    """

    cells: Cells
    rows: int
    held: int
    inside: float
    outside: float
    effect: Estimate
    p: float
    p_adjusted: float


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found: slices that stand out, in the order of the choosing half, each with something of its own; of how many looked at, and how many tested."""

    slices: tuple[Slice, ...]
    candidates: int
    tested: int


@dataclass(frozen=True, slots=True)
class _Candidates:
    """Conjunctions with what the choosing half says of them: cells as columns (left feature, left cell, right feature, right cell), -1 -1 for none."""

    cells: Ints
    score: Floats


def worst_slices(codes: Codes, loss: Floats, seed: int = 0, *, level: float = LEVEL) -> Found:
    """Return the slices that stand out in losses; on clean rows there is any with a chance of at most about `level`.

    `codes` (rows, features) are small cells from 0 on, -1 for a missing value, which is a cell of its own; `loss` (rows,) is finite, and
    either 0 or 1 or any number that is not negative. The seed decides which half is which.

    All slices of one or two features are enumerated, as SliceLine does (Sagadeeva and Boehm 2021), and ranked by how much worse than
    all rows they surely are; its own score, a weight of size against loss that takes no account of chance, finds a bad 4 % of 5,000
    rows in 30 of 100 runs where this finds 92. The twenty best are tested: errors of 0 and 1 by the exact hypergeometric tail, other
    losses by the permutation distribution of their sum, and those stand out that Benjamini and Hochberg let pass.
    """
    rows = len(loss)
    order = np.random.default_rng(seed).permutation(rows)
    chosen, held = np.sort(order[: rows // 2]), np.sort(order[rows // 2 :])
    columns = np.ascontiguousarray(codes.T)
    best, looked_at = _best(columns[:, chosen], loss[chosen], max(LEAST_ROWS, LEAST_SHARE * rows) / 2)
    if not best:
        return Found((), looked_at, 0)
    inside = np.array([_inside(columns, cells) for cells in best])
    p = _tails(inside[:, held], loss[held])
    q = adjusted(p)
    told = _told(best, inside[:, held], loss[held], np.flatnonzero(q <= level).tolist(), level)
    slices = tuple(_slice(best[place], inside[place], held, loss, float(p[place]), float(q[place])) for place in told)
    return Found(slices, looked_at, len(best))


def _told(best: Sequence[Cells], inside: Bools, loss: Floats, passed: Sequence[int], level: float) -> list[int]:
    """Return which of the slices that passed say something of their own, by the held half.

    One of two features does when it is worse than the rest of either feature's own slice, should that have passed too. After the
    first, any does when it is worse without the rows of those told before, at a level shared among all that were tested: most pass
    for what they have in common with the first.
    """
    singles = {best[place][0]: place for place in passed if len(best[place]) == 1}
    told: list[int] = []
    for place in passed:
        wider = [inside[singles[cell]] for cell in best[place] if len(best[place]) > 1 and cell in singles]
        limits = [(rows, level) for rows in wider] + [(~inside[told].any(axis=0), level / len(best) if told else level)]
        if all(_tails(inside[[place]][:, rows], loss[rows])[0] <= limit for rows, limit in limits):
            told.append(place)
    return told


def _best(columns: Codes, loss: Floats, least: float) -> tuple[list[Cells], int]:
    """Return the slices with the best scores, no two of the same rows, and how many were looked at."""
    if len(loss) == 0 or loss.min() == loss.max():
        return [], 0
    some = list(_candidates(columns, loss, least))
    if not some:
        return [], 0
    cells, score = np.concatenate([c.cells for c in some]), np.concatenate([c.score for c in some])
    worth = np.flatnonzero(np.isfinite(score))
    best: list[Cells] = []
    met: set[bytes] = set()
    for place in worth[np.argsort(-score[worth], kind="stable")].tolist():
        left, left_cell, right, right_cell = cells[place].tolist()
        one = ((left, left_cell),) if right < 0 else ((left, left_cell), (right, right_cell))
        rows = np.packbits(_inside(columns, one)).tobytes()
        if rows not in met:
            met.add(rows)
            best.append(one)
        if len(best) == KEPT:
            break
    return best, len(score)


def _candidates(columns: Codes, loss: Floats, least: float) -> Iterator[_Candidates]:
    """Yield the slices of each feature, then of each pair, that hold enough rows; those no worse than all rows score minus infinity."""
    kept: list[tuple[int, Ints, Codes]] = []  # feature, cells with enough rows, place of each row's cell among them or beyond
    for f, column in enumerate(columns):
        n, lost = _added(column + 1, loss, 0)
        cells = np.flatnonzero(n >= least)
        yield _Candidates(_named(f, cells - 1), _score(n[cells], lost[cells], loss))
        if len(cells):
            place = np.full(len(n), len(cells), np.int16)
            place[cells] = np.arange(len(cells))
            kept.append((f, cells - 1, place[column + 1]))
    for i, (f, left, narrow) in enumerate(kept):
        rows = narrow.astype(np.int32)
        for g, right, others in kept[i + 1 :]:
            width = len(right) + 1
            n, lost = _added(rows * width + others, loss, (len(left) + 1) * width)
            table = n.reshape(-1, width)[: len(left), : len(right)]
            a, b = np.nonzero(table >= least)
            yield _Candidates(_named(f, left[a], g, right[b]), _score(table[a, b], lost.reshape(-1, width)[a, b], loss))


def _added(cells: Codes, loss: Floats, size: int) -> tuple[Ints, Floats]:
    return np.bincount(cells, minlength=size).astype(np.int64), np.bincount(cells, loss, minlength=size).astype(np.float64)


def _named(left: int, left_cells: Ints, right: int = -1, right_cells: Ints | None = None) -> Ints:
    out = np.full((len(left_cells), 4), -1, np.int64)
    out[:, 0], out[:, 1], out[:, 2] = left, left_cells, right
    if right_cells is not None:
        out[:, 3] = right_cells
    return out


def _score(n: Ints, lost: Floats, loss: Floats) -> Floats:
    """Return how much worse than all rows a slice surely is: by its mean loss less three standard errors of a draw of so many rows."""
    worse = lost / n - loss.mean()
    doubt = loss.std() * np.sqrt(np.maximum(0.0, 1 / n - 1 / len(loss)))
    return np.where((worse > 0) & (doubt > 0), worse - _SURE * doubt, -np.inf)


def _inside(columns: Codes, cells: Cells) -> Bools:
    (feature, cell), *rest = cells
    inside: Bools = columns[feature] == cell
    for other, there in rest:
        inside = inside & (columns[other] == there)
    return inside


def _slice(cells: Cells, mine: Bools, held: Ints, loss: Floats, p: float, q: float) -> Slice:
    here, there = loss[held][mine[held]], loss[held][~mine[held]]
    effect = (
        difference(proportion(float(here.sum()), len(here)), proportion(float(there.sum()), len(there)))
        if _are_errors(loss)
        else difference_of_means(here, there)
    )
    return Slice(cells, int(np.count_nonzero(mine)), len(here), float(here.mean()), float(there.mean()), effect, p, q)


def _are_errors(loss: Floats) -> bool:
    return bool(((loss == 0) | (loss == 1)).all())


def _tails(inside: Bools, loss: Floats) -> Floats:
    """Return, for each slice, the chance of a sum of losses as high as its own if its rows had been drawn at random; NaN where it has no rows."""
    n = inside.sum(axis=1)
    sums = [loss[mine].sum() for mine in inside]
    tail = _hypergeometric_tail if _are_errors(loss) else _permutation_tail
    return np.array([tail(float(s), int(m), loss) if 0 < m < len(loss) else np.nan for s, m in zip(sums, n, strict=True)])


def _hypergeometric_tail(hits: float, drawn: int, loss: Floats) -> float:
    """Return P(X >= hits) of `drawn` rows without replacement, exactly: Fisher's one-sided test."""
    total, all_hits = len(loss), int(loss.sum())
    k = np.arange(round(hits), min(drawn, all_hits) + 1)
    with np.errstate(under="ignore"):
        return float(min(1.0, np.exp(_log_choose(all_hits, k) + _log_choose(total - all_hits, drawn - k) - _log_choose(total, drawn)).sum()))


def _log_choose(n: int, k: Ints | int) -> Any:
    return gammaln(n + 1) - gammaln(np.asarray(k) + 1) - gammaln(n - np.asarray(k) + 1)


def _permutation_tail(total: float, drawn: int, loss: Floats) -> float:
    """Return P(sum >= total) over draws of rows without replacement, by a gamma law with its exact mean, variance and skewness.

    That is Pearson's type III fit to a permutation distribution (Mielke and Berry 2007).
    """
    rows, far = len(loss), loss - loss.mean()
    spread = float(np.sqrt((far**2).mean()))
    if loss.min() == loss.max() or rows < 3:  # noqa: PLR2004 - a skewness takes three
        return 1.0
    skew_of_rows = float(((far / spread) ** 3).mean())
    z = (total - drawn * loss.mean()) / spread / np.sqrt(drawn * (rows - drawn) / (rows - 1))
    skew = skew_of_rows * (rows - 2 * drawn) * np.sqrt(rows - 1) / ((rows - 2) * np.sqrt(drawn * (rows - drawn)))
    return _skewed_tail(float(z), float(skew))


def _skewed_tail(z: float, skew: float) -> float:
    """Return P(Z >= z) of the gamma law, shifted, with mean 0, variance 1 and this skewness; a negative one is its mirror.

    >>> round(_skewed_tail(1.96, 0.0), 3), round(_skewed_tail(0.0, 2.0), 3)      # normal; exponential less one
    (0.025, 0.368)
    """
    if abs(skew) < _STRAIGHT:
        return float(ndtr(-z))
    shape = 4 / skew**2
    x = shape + np.sign(skew) * z * np.sqrt(shape)
    upper = float(gammaincc(shape, max(0.0, x)))
    return upper if skew > 0 else 1 - upper
