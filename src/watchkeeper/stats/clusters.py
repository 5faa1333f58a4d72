"""Means over rows that come in clusters: ten rows of one customer, or of one day, are not ten witnesses.

Belongs here: sums over clusters -> `Estimate`. Does not: what a cluster is and which numbers have them (measures/clustered.py).
"""

from dataclasses import dataclass, replace
from math import isfinite, nan, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from watchkeeper.stats.intervals import Estimate, proportion

Floats = NDArray[np.float64]
LEAST_WORTH = 2.0
"""Clusters of equal size that an interval takes."""
LEAST_SPANS = 5
"""Stretches of time (days) from which a variance between them is taken."""
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class Clusters:
    """Sums over clusters, each of d rows that add up to x: how many there are, sum d, sum d^2, sum x d and sum x^2.

    They add up over sets of rows that have no cluster in common.
    """

    count: int
    rows: float
    sizes: float
    products: float
    squares: float

    @property
    def worth(self) -> float:
        """How many clusters of equal size they are worth: (sum d)^2 / sum d^2 (Kish 1965), all of them where sizes are equal."""
        return self.rows**2 / self.sizes if self.sizes > 0 else 0.0

    def variance(self, value: float) -> float:
        """Return the variance of `value` = sum x / sum d, whatever the rows of a cluster have in common.

        The ratio's linear form (Liang and Zeger 1986), sum (x - value d)^2 / (sum d)^2, times k / (k - 1) for the k clusters they are
        worth: of equal sizes that is the usual m / (m - 1), and of unequal ones it leaves no bias where rows are independent.
        """
        scatter = self.squares - 2 * value * self.products + value * value * self.sizes
        if self.worth <= 1 or not isfinite(scatter):
            return nan
        return self.worth / (self.worth - 1) * max(0.0, scatter) / self.rows**2


def clusters(totals: Floats, rows: Floats) -> Clusters:
    """Return the sums over clusters of so many `rows` with these `totals`, both of shape (clusters,); those without rows are none."""
    x, d = totals[rows > 0], rows[rows > 0]
    with np.errstate(over="ignore"):  # of totals near the largest float the squares may be infinite, and leave no interval
        return Clusters(len(d), float(d.sum()), float(d @ d), float(x @ d), float(x @ x))


def clustered_mean(value: float, found: Clusters) -> Estimate:
    """Return a mean over rows, sum x / sum d, with an interval that takes clusters and not rows as independent.

    Student's t of k - 1 degrees, k the clusters of equal size they are worth (Carter, Schnepel and Steigerwald 2017). No interval where
    that is below two, or the sums are beyond all floats.

    >>> e = clustered_mean(0.5, clusters(np.array([2.0, 0.0, 1.0, 3.0]), np.array([3.0, 3.0, 3.0, 3.0])))
    >>> round(e.value, 2), round(e.se, 3), round(e.low, 2), round(e.high, 2)
    (0.5, 0.215, -0.18, 1.18)
    """
    variance = found.variance(value)
    if found.worth < LEAST_WORTH or not isfinite(variance):
        return Estimate(value, n=int(found.rows))
    se = sqrt(variance)
    half = float(stdtrit(found.worth - 1, 0.975)) * se
    return Estimate(value, se, value - half, value + half, int(found.rows))


def clustered_share(value: float, found: Clusters, *, if_alike: float | None = None) -> Estimate:
    """Return the share of rows that are something, with Wilson's interval for as many independent rows as the clusters are worth.

    These are value (1 - value) / variance (Korn and Graubard 1998), and Student's t of `clustered_mean` stands for z. Where no cluster
    differs from another, nothing says how alike the rows of one are: they count as `if_alike` rows, by default as one a cluster.

    >>> e = clustered_share(0.5, clusters(np.array([2.0, 0.0, 1.0, 3.0]), np.array([3.0, 3.0, 3.0, 3.0])))
    >>> round(e.low, 2), round(e.high, 2)
    (0.1, 0.9)
    """
    variance = found.variance(value)
    if found.worth < LEAST_WORTH or not isfinite(variance):
        return Estimate(value, n=int(found.rows))
    alike = float(found.count) if if_alike is None else if_alike
    rows = independent_rows(value, found) or alike
    made = proportion(value * rows, rows, float(stdtrit(found.worth - 1, 0.975)))
    return replace(made, value=value, n=int(found.rows))


def independent_rows(value: float, found: Clusters) -> float:
    """Return as how many independent rows a share over clusters counts, nought where no cluster differs from another."""
    variance = found.variance(value)
    is_alike = variance * found.rows**2 <= _ROUNDING * found.squares
    return value * (1 - value) / variance if not is_alike and 0 < value < 1 else 0.0
