"""Lift: how many times more positives the highest scores hold than rows drawn at random.

Belongs here: the lift of a share of the rows, view -> Estimate. Does not: other KPIs of scores (performance.py), ranking cells (stats/ranking.py).
"""

import numpy as np

from watchkeeper.measures.performance import unscored
from watchkeeper.measures.views import BinaryView
from watchkeeper.stats import ranking
from watchkeeper.stats.intervals import Estimate, proportion, undefined

_LEAST_SPREAD = 0.01


def lift(share: float, view: BinaryView) -> Estimate:
    """Return the precision among the `share` of labelled rows with the highest scores, over the share of positives among all of them.

    Of rows with equal scores at the cut a part is taken, pro rata. The share of all positives that lie above the cut, over `share`, is the same
    number, and its Wilson interval is the lift's. It counts as many positives as have that spread: fewer rows than all are drawn above the
    cut, so that common positives vary less than rare ones (delta method of two binomial counts, above the cut and below).
    """
    if not view.scored:
        return unscored(view)
    positives, negatives, _ = view.cells()
    every, rows = int(positives.sum()), float(np.sum(positives + negatives))
    if every == 0:
        return undefined("no positives", view.scored)
    above = ranking.found_above(positives, negatives, share)
    worth = every / _of_spread(above, every - above, share * rows, (1 - share) * rows)
    found = proportion(above / every * round(worth), round(worth))
    return Estimate(above / every / share, found.se / share, found.low / share, found.high / share, int(rows))


def _of_spread(above: float, below: float, rows_above: float, rows_below: float) -> float:
    """Return the variance of the share of positives above the cut, over that which it has where positives are rare."""
    if min(above, below) < 1:
        return 1.0
    spread = (1 - above / rows_above) / above + (1 - below / rows_below) / below
    return max(_LEAST_SPREAD, spread / (1 / above + 1 / below))
