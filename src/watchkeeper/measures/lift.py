"""Lift: how many times more positives the highest scores hold than rows drawn at random.

Belongs here: the lift of a share of the rows, view -> Estimate. Does not: other KPIs of scores (performance.py), ranking cells (stats/ranking.py).
"""

import numpy as np

from watchkeeper.measures.performance import unscored
from watchkeeper.measures.views import BinaryView
from watchkeeper.stats import ranking
from watchkeeper.stats.intervals import Estimate, proportion, undefined


def lift(share: float, view: BinaryView) -> Estimate:
    """Return the precision among the `share` of labelled rows with the highest scores, over the share of positives among all of them.

    Of rows with equal scores at the cut a part is taken, pro rata. The share of all positives that lie above the cut, over `share`, is the same
    number: its Wilson interval is the lift's.
    """
    if not view.scored:
        return unscored(view)
    positives, negatives, _ = view.cells()
    every = int(positives.sum())
    if every == 0:
        return undefined("no positives", view.scored)
    found = proportion(ranking.found_above(positives, negatives, share), every)
    return Estimate(found.value / share, found.se / share, found.low / share, found.high / share, int(np.sum(positives + negatives)))
