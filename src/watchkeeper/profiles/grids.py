"""Fixed grids that never need fitting: the logit of a probability, the signed logarithm of a number, latency.

Belongs here: value -> cell for scores and times. Does not: bins fitted on a reference (profiles/bins.py).
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Cells = NDArray[np.int64]

LOGIT_CELLS = 4096
_LOGIT_REACH = 16.0
_LOGIT_STEP = 2 * _LOGIT_REACH / (LOGIT_CELLS - 2)

EXACT = 1 << 62
"""Cells from here on hold one score each: its bits, which rise as it does."""

_ROUNDED = 1 << 12
"""A double has 52 binary places after the first."""

SIGNED_LOG_CELLS = 4096
_DECADES = 12.0
_PER_SIDE = SIGNED_LOG_CELLS // 2 - 1

LATENCY_STEP = 0.02
_MICROSECOND, LONGEST_MS = 1e-3, 1e9
"""The shortest and the longest latency that counts as one, ms: what is longer than eleven days is no time that a request took."""
MOST_TOKENS = 1e8
"""No request has more tokens."""
LATENCY_CELLS = int(np.log(LONGEST_MS / _MICROSECOND) / np.log1p(LATENCY_STEP)) + 2

_AT_ONCE = 1 << 15


def logit_cells(p: Floats) -> Cells:
    """Return the cell of each probability: 0 for p <= 0, 4095 for p >= 1 (exact atoms), else 4,094 steps of the logit.

    >>> logit_cells(np.array([0.0, 0.5, 1.0])).tolist()
    [0, 2048, 4095]
    """
    inside = np.clip(p, 1e-300, 1 - 1e-16)
    z = np.log(inside) - np.log1p(-inside)
    cells = np.clip(np.floor((z + _LOGIT_REACH) / _LOGIT_STEP).astype(np.int64) + 1, 1, LOGIT_CELLS - 2)
    return np.where(p <= 0, 0, np.where(p >= 1, LOGIT_CELLS - 1, cells))


def logit_ends(cells: Cells) -> tuple[Floats, Floats]:
    """Return the lower and upper end of each logit cell, as probabilities; the outermost steps reach to 0 and to 1.

    >>> low, high = logit_ends(np.array([0, 2048, 4095]))
    >>> low.round(3).tolist(), high.round(3).tolist()
    ([0.0, 0.5, 1.0], [0.0, 0.502, 1.0])
    """
    return _LOW[cells], _HIGH[cells]


def _logit_ends() -> tuple[Floats, Floats]:
    """Return the ends of all logit cells."""
    ends = 1 / (1 + np.exp(_LOGIT_REACH - np.arange(LOGIT_CELLS) * _LOGIT_STEP))
    low, high = np.roll(ends, 1), ends
    low[:2], low[-1], high[0], high[-2:] = 0.0, 1.0, 0.0, 1.0
    return low, high


_LOW, _HIGH = _logit_ends()


def exact_cells(p: Floats) -> Cells:
    """Return cells that hold one score each, in ascending order; scores outside [0, 1] count as its ends, and -0.0 as 0.

    >>> a, b = exact_cells(np.array([0.5, 0.5000001]))
    >>> bool(a < b), scores_of(np.array([a])).tolist(), exact_cells(np.array([-0.0])).tolist() == exact_cells(np.array([0.0])).tolist()
    (True, [0.5], True)
    """
    inside = np.clip(p, 0.0, 1.0) + 0.0  # a negative zero has the sign bit
    return inside.view(np.int64) + EXACT


def rounded(cells: Cells) -> Cells:
    """Return exact cells with the score rounded to 40 binary places, which are twelve digits: numbers that end alike take less room.

    >>> float(scores_of(rounded(exact_cells(np.array([1 / 3]))))[0])
    0.33333333333325754
    """
    return np.where(cells < EXACT, cells, (cells + (_ROUNDED >> 1)) & -_ROUNDED)


def ends_of(cells: Cells) -> tuple[Floats, Floats]:
    """Return the lowest and the highest score of each cell: of an exact one itself, else the ends of a step of the grid."""
    is_step = cells < EXACT
    if is_step.all():
        return logit_ends(cells)
    low, high = logit_ends(np.where(is_step, cells, 0))
    score = np.maximum(cells - EXACT, 0).view(np.float64)
    return np.where(is_step, low, score), np.where(is_step, high, score)


def scores_of(cells: Cells) -> Floats:
    """Return the score that each cell stands for: itself of an exact cell, the middle of a step of the grid."""
    low, high = ends_of(cells)
    return (low + high) / 2


def on_the_grid(cells: Cells) -> Cells:
    """Return the logit cell of each cell, exact ones included."""
    is_step = cells < EXACT
    return cells if is_step.all() else np.where(is_step, cells, logit_cells(scores_of(cells)))


def rows_of_steps(cells: Cells, rows: Cells) -> Cells:
    """Return how many rows lie in each logit cell, shape (4096,), from cells of either kind and their rows.

    >>> rows_of_steps(np.array([2048, EXACT + np.float64(0.5).view(np.int64)]), np.array([2, 3]))[2048].item()
    5
    """
    found = np.zeros(LOGIT_CELLS)
    for begin in range(0, len(cells), _AT_ONCE):  # single scores may be as many as rows: what is worked out on the way is kept small
        some = slice(begin, begin + _AT_ONCE)
        found += np.bincount(on_the_grid(cells[some]), weights=rows[some], minlength=LOGIT_CELLS)
    return found.astype(np.int64)


def signed_log_cells(x: Floats) -> Cells:
    """Return the cell of each number in ascending order: zero in the middle, 170 cells a decade from 1e-6 to 1e6 either side.

    >>> cells = signed_log_cells(np.array([-2.0, 0.0, 2.0]))
    >>> bool(cells[0] < cells[1] < cells[2]), int(cells[1])
    (True, 2048)
    """
    size = np.abs(x)
    place = np.log10(np.clip(size, 1e-300, None)) + _DECADES / 2
    step = np.clip(np.floor(place * _PER_SIDE / _DECADES), 0, _PER_SIDE - 1).astype(np.int64) + 1
    return SIGNED_LOG_CELLS // 2 + np.where(x > 0, step, np.where(x < 0, -step, 0))


def signed_log_middle(cells: Cells) -> Floats:
    """Return the geometric middle of each cell of signed logarithms; within .7 % of any number in it.

    >>> signed_log_middle(signed_log_cells(np.array([-2.0, 0.0, 500.0]))).round(1).tolist()
    [-2.0, 0.0, 497.3]
    """
    step = cells - SIGNED_LOG_CELLS // 2
    size = 10.0 ** ((np.abs(step) - 0.5) * _DECADES / _PER_SIDE - _DECADES / 2)
    return np.sign(step) * size


def latency_cells(ms: Floats) -> Cells:
    """Return the cell of each latency: 0 for what is none (0, negative, above eleven days, infinite), then cells 2 % wide from a microsecond up.

    >>> latency_cells(np.array([0.0, 0.001, 1e308, np.inf])).tolist()
    [0, 1, 0, 0]
    """
    place = np.floor(np.log(np.clip(ms, _MICROSECOND, LONGEST_MS) / _MICROSECOND) / np.log1p(LATENCY_STEP) + 1e-9).astype(np.int64)
    return np.where((ms > 0) & (ms <= LONGEST_MS), place + 1, 0)


def token_cells(tokens: Floats) -> Cells:
    """Return the cell of each count of tokens: those of latencies, where 0 is a count; the last is for what is none (negative, a fraction, above 100 million).

    >>> token_cells(np.array([0.0, -7.0, 3.5, 1e18, np.inf])).tolist() == [0, *[LATENCY_CELLS - 1] * 4]
    True
    """
    is_count = (tokens >= 0) & (tokens <= MOST_TOKENS)
    is_count &= np.floor(np.where(is_count, tokens, 0.0)) == tokens
    return np.where(is_count, latency_cells(np.where(is_count, tokens, 0.0)), LATENCY_CELLS - 1)


def latency_middle(cells: Cells) -> Floats:
    """Return the geometric middle of each latency cell, ms; within 1 % of any value in it."""
    return np.where(cells <= 0, 0.0, 1e-3 * (1 + LATENCY_STEP) ** (cells - 0.5))


def latency_edge(cell: int) -> float:
    """Return the upper end of a latency cell, ms."""
    return float(1e-3 * (1 + LATENCY_STEP) ** cell)


def latency_cell_below(ms: float) -> int:
    """Return the cell whose upper end is nearest to a latency, and so within 1 % of it.

    >>> round(latency_edge(latency_cell_below(300.0)))
    301
    """
    return max(0, round(float(np.log(ms / 1e-3) / np.log1p(LATENCY_STEP))))
