"""Exchanges: categories that changed places, each with the share that another one usually has.

Belongs here: counts of categories, usual and now -> which of them changed places. Does not: the metric (measures/drift.py), what rows show of it
(judgement/odd_inputs.py).

Whoever exchanges codes moves no share, only its name: sorted, the shares stay as they were. Customers who move from one category to another
nearly never end at just the share that the other one had. So each share must be that of another category within sampling and a little wander from
day to day, and be three times as far from its own; and all other shares must stay.
"""

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

LEAST_ROWS = 100
_SURE, _WANDER, _TIMES = 2.5, 0.03, 3.0
_RARE = 0.01


def changed_places(reference: Floats | Ints, analysis: Floats | Ints, kept: int) -> Ints:
    """Return the categories that changed places, of counts per category of which only the first `kept` have a name; none where that is not sure.

    >>> changed_places(np.array([4_000, 3_000, 2_000, 1_000]), np.array([100, 300, 200, 400]), 4).tolist()
    [0, 3]
    >>> changed_places(np.array([4_000, 3_000, 2_000, 1_000]), np.array([250, 300, 200, 250]), 4).tolist()
    []
    """
    nothing = np.empty(0, np.int64)
    n, usual_n = float(analysis.sum()), float(reference.sum())
    if min(n, usual_n) < LEAST_ROWS:
        return nothing
    usual, now = reference / usual_n, analysis / n
    own = np.abs(now - usual)
    moved = np.flatnonzero(own > _slack(usual, now, n, usual_n))
    if len(moved) < 2 or moved.max() >= kept:  # noqa: PLR2004 - an exchange takes two
        return nothing
    theirs, ours = np.sort(usual[moved]), np.sort(now[moved])
    slack = _slack(theirs, ours, n, usual_n)
    far = own[moved] >= _TIMES * slack[np.argsort(np.argsort(now[moved]))]
    return moved if (np.abs(ours - theirs) <= slack).all() and far.sum() >= 2 else nothing  # noqa: PLR2004 - as above


def _slack(usual: Floats, now: Floats, n: float, usual_n: float) -> Floats:
    """Return by how much a share may differ from another that it is."""
    share = np.maximum(np.maximum(usual, now), _RARE)
    slack: Floats = _SURE * np.sqrt(share * (1 - share) * (1 / n + 1 / usual_n)) + _WANDER
    return slack
