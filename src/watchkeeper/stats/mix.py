"""The change of a mean split in two: other shares of the groups that it is over, and other means inside them.

Belongs here: numbers in, `Estimate` out (Kitagawa 1955, Oaxaca 1973, Blinder 1973; the symmetric form). Does not: which groups and
which mean (measures/segment_mix.py).

For groups s with shares w and means e before (P) and after (Q):

    mix    = sum_s (w_s^Q - w_s^P) (e_s^P + e_s^Q) / 2
    effect = sum_s (e_s^Q - e_s^P) (w_s^P + w_s^Q) / 2

and mix + effect is the whole change. A group that is on one side alone has no mean on the other. It cannot have become better or worse,
so its mean is taken as the same on both sides: all of it is mix, and nothing of it effect.
"""

from dataclasses import dataclass
from functools import cached_property
from math import nan, sqrt

import numpy as np
from numpy.typing import NDArray

from watchkeeper.stats.intervals import Z95, Estimate

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Side:
    """Independent rows of each group before or after: how many, the sums of their values and of the squares, all of shape (groups,)."""

    rows: Floats
    totals: Floats
    squares: Floats

    @cached_property
    def n(self) -> float:
        """All rows."""
        return float(self.rows.sum())

    @cached_property
    def mean(self) -> float:
        """The mean of all rows."""
        return float(self.totals.sum()) / self.n

    @cached_property
    def shares(self) -> Floats:
        """The share of each group."""
        out: Floats = self.rows / self.n
        return out

    @cached_property
    def means(self) -> Floats:
        """The mean of each group, nought where it has no rows."""
        out: Floats = np.divide(self.totals, self.rows, out=np.zeros(len(self.rows)), where=self.rows > 0)
        return out

    @cached_property
    def _variances(self) -> Floats:
        """The variance of one row of each group; of groups of one row that of all groups pooled."""
        scatter = np.maximum(0.0, self.squares - self.rows * self.means**2)
        pooled = float(scatter.sum()) / max(1.0, self.n - float((self.rows > 0).sum()))
        out: Floats = np.divide(scatter, self.rows - 1, out=np.full(len(scatter), pooled), where=self.rows > 1)
        return out

    def variance_of_mean(self) -> float:
        """Return the variance of the mean of all rows, the same by whatever groups they are told apart; nan of one row."""
        scatter = max(0.0, float(self.squares.sum()) - self.n * self.mean**2)
        return scatter / (self.n - 1) / self.n if self.n > 1 else nan

    def variance(self, of_share: Floats, of_mean: Floats) -> float:
        """Return the variance of a function of shares and means by its gradient a, b (delta method), v being the variance of one row.

        (sum_s w_s (a_s - sum_t w_t a_t)^2 + sum_s b_s^2 v_s / w_s) / n
        """
        centred = of_share - float(self.shares @ of_share)
        slopes = np.divide(of_mean, self.shares, out=np.zeros(len(of_mean)), where=self.rows > 0)
        return (float(self.shares @ centred**2) + float(self.shares @ (slopes**2 * self._variances))) / self.n


@dataclass(frozen=True)
class Split:
    """The change of a mean from `before` to `after`, taken apart by groups; arrays are of shape (groups,).

    The mix of single groups is reckoned from the mean of both sides: what a group adds by growing is how far it lies from that.
    """

    before: Side
    after: Side

    @cached_property
    def _both(self) -> NDArray[np.bool_]:
        return (self.before.rows > 0) & (self.after.rows > 0)

    @cached_property
    def _grown(self) -> Floats:
        return self.after.shares - self.before.shares

    @cached_property
    def _level(self) -> Floats:
        """The mean of a group on both sides, or on the one it has rows on."""
        one = np.where(self.after.rows > 0, self.after.means, self.before.means)
        return np.where(self._both, (self.before.means + self.after.means) / 2, one)

    @cached_property
    def _moved(self) -> Floats:
        return np.where(self._both, self.after.means - self.before.means, 0.0)

    @cached_property
    def _weight(self) -> Floats:
        return (self.before.shares + self.after.shares) / 2

    @cached_property
    def mixes(self) -> Floats:
        """What each group adds to the change by its share."""
        out: Floats = self._grown * (self._level - (self.before.mean + self.after.mean) / 2)
        return out

    @cached_property
    def effects(self) -> Floats:
        """What each group adds by its own mean."""
        out: Floats = self._moved * self._weight
        return out

    def change(self) -> Estimate:
        """Return the whole change."""
        return self._told(self.after.mean - self.before.mean, self.after.variance_of_mean(), self.before.variance_of_mean())

    def mix(self) -> Estimate:
        """Return what other shares explain."""
        after = self.after.variance(self._level, self._grown * self._part_of(self.after))
        before = self.before.variance(-self._level, self._grown * self._part_of(self.before))
        return self._told(float(self._grown @ self._level), after, before)

    def effect(self) -> Estimate:
        """Return what other means explain."""
        slope = np.where(self._both, self._weight, 0.0)
        return self._told(float(self.effects.sum()), self.after.variance(self._moved / 2, slope), self.before.variance(self._moved / 2, -slope))

    def effect_of(self, group: int) -> Estimate:
        """Return what the mean of one group explains."""
        mine = np.zeros(len(self.before.rows))
        mine[group] = 1.0
        slope = np.where(self._both, self._weight, 0.0) * mine
        sides = [side.variance(self._moved / 2 * mine, sign * slope) for side, sign in ((self.after, 1.0), (self.before, -1.0))]
        return self._told(float(self.effects[group]), *sides)

    def mix_of_new_and_gone(self) -> float:
        """Return the part of the mix that is of groups with rows on one side alone."""
        return float(self.mixes[~self._both].sum())

    def _part_of(self, side: Side) -> Floats:
        """Return how much of a group's level is the mean of a side."""
        return np.where(self._both, 0.5, (side.rows > 0).astype(float))

    def _told(self, value: float, *variances: float) -> Estimate:
        variance = sum(variances)
        if not variance >= 0:
            return Estimate(value, n=int(self.after.n))
        se = sqrt(variance)
        return Estimate(value, se, value - Z95 * se, value + Z95 * se, int(self.after.n))
