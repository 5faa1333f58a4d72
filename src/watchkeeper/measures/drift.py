"""Drift and data quality of one feature, and how two go together: reference counts against a window's counts.

Belongs here: one function a metric, (reference, analysis) -> Estimate. Does not: units, directions, minimum rows
(catalogue.py), or what is unusual (judgement/).

PSI alone is taken over the coarse cells: its chance level grows with the cells (about cells over rows), and segments have no
others. All else is taken over the fine ones.
"""

from math import isfinite

import numpy as np

from watchkeeper.measures.views import FeatureView, Ints
from watchkeeper.profiles.pairs import PairSums
from watchkeeper.stats import distances, smooth
from watchkeeper.stats.exchanges import changed_places
from watchkeeper.stats.intervals import OVERFLOW, Z95, Estimate, mean, proportion, undefined
from watchkeeper.stats.testing import beyond_chance
from watchkeeper.words import counted, percent

_COMMON, _USUALLY_NEW = 0.01, 0.001
_ONE_SIDED = ("the window has no values", "the reference has no values")
_LEAST_OF_A_PAIR = 4
_LEAST_OTHERS = 15
_ALMOST_ONE = 1 - 1e-12
_NO_SPREAD, _ROUNDING = 0.01, 10
"""Of normal scores, which have a variance of 1 in the reference; sums are rounded, and less of it says nothing."""
_PRIVATE = "of a private column only counts are kept"


def _distance(value: float, analysis: FeatureView) -> Estimate:
    n = analysis.counts.valued
    return Estimate(value, n=n) if isfinite(value) else undefined(_ONE_SIDED[n > 0], n)


def psi(reference: FeatureView, analysis: FeatureView) -> Estimate:
    """Population stability index over the (at most ten) coarse bins, half a count added to each used one.

    Of categories these are the seven most frequent, the other kept ones together, `other` and `unseen`; the last three are one where new
    names are usual, as they are of rows that hold ids or product names.
    """
    rare = reference.bins.coarse[max(0, len(reference.bins.categories) - 1)] if reference.bins.novelty >= _USUALLY_NEW else 0
    theirs, ours = (_from_one_on(side.coarse, rare) for side in (reference, analysis))
    return _distance(distances.psi(theirs, ours), analysis)


def _from_one_on(counts: Ints, first: int) -> Ints:
    """Return counts with those from a cell on in one, as they are where that is the first."""
    return np.append(counts[:first], counts[first:].sum()) if first else counts


def jensen_shannon(reference: FeatureView, analysis: FeatureView) -> Estimate:
    """Jensen-Shannon distance (base 2) over the fine bins."""
    return _distance(distances.jensen_shannon(reference.fine, analysis.fine), analysis)


def hellinger(reference: FeatureView, analysis: FeatureView) -> Estimate:
    """Hellinger distance over the fine bins."""
    return _distance(distances.hellinger(reference.fine, analysis.fine), analysis)


def total_variation(reference: FeatureView, analysis: FeatureView) -> Estimate:
    """Total variation distance over the fine bins."""
    return _distance(distances.total_variation(reference.fine, analysis.fine), analysis)


def kolmogorov_smirnov(reference: FeatureView, analysis: FeatureView) -> Estimate:
    """Kolmogorov-Smirnov statistic over the fine bins: at most the largest bin's share below the raw one."""
    if reference.bins.kind != "numeric":
        return undefined("categories have no order")
    return _distance(distances.kolmogorov_smirnov(reference.fine, analysis.fine), analysis)


def kolmogorov_smirnov_p(reference: FeatureView, analysis: FeatureView) -> Estimate:
    """Chance of such a Kolmogorov-Smirnov statistic between equal distributions, never below that on the raw rows."""
    found = kolmogorov_smirnov(reference, analysis)
    if not found.is_defined:
        return found
    return Estimate(distances.kolmogorov_smirnov_p(found.value, reference.counts.valued, analysis.counts.valued), n=found.n)


def l_infinity(reference: FeatureView, analysis: FeatureView) -> Estimate:
    """Largest difference of shares of any fine bin."""
    return _distance(distances.l_infinity(reference.fine, analysis.fine), analysis)


def chi_square(reference: FeatureView, analysis: FeatureView) -> Estimate:
    """Pearson's chi-square of the two rows of counts over the fine bins."""
    return _distance(distances.chi_square(reference.fine, analysis.fine), analysis)


def chi_square_p(reference: FeatureView, analysis: FeatureView) -> Estimate:
    """Chance of such a chi-square between equal distributions."""
    return _distance(distances.chi_square_p(reference.fine, analysis.fine), analysis)


def moment(name: str, reference: FeatureView, analysis: FeatureView) -> Estimate:
    """Mean of a moment's row function over the window, at the reference's mid-ranks; less the reference's own mean, which ties shift.

    Of a feature that mostly has one value it takes as many rows as give 15 of another: the mean of fewer is far from normal.
    """
    if reference.bins.kind != "numeric":
        return undefined("categories have no order")
    if reference.counts.valued == 0 or analysis.counts.valued == 0:
        return undefined(_ONE_SIDED[analysis.counts.valued > 0], analysis.counts.valued)
    others = analysis.counts.valued * (1 - float(reference.fine.max()) / reference.counts.valued)
    if others < _LEAST_OTHERS:
        return undefined(f"in the reference {1 - others / analysis.counts.valued:.0%} are alike, and too few rows are left", analysis.counts.valued)
    values = smooth.legendre(smooth.mid_ranks(reference.fine), name)
    usual = float(np.dot(values, reference.fine) / reference.counts.valued)
    found = mean(float(np.dot(values, analysis.fine)), float(np.dot(values**2, analysis.fine)), analysis.counts.valued)
    return found.shifted(-usual)


def wasserstein(reference: FeatureView, analysis: FeatureView) -> Estimate:
    """First Wasserstein distance in the feature's unit, each bin's mass at its own mean; infinities are left out."""
    if reference.bins.kind != "numeric":
        return undefined("categories have no distance")
    n, finite = analysis.counts.valued, (reference.finite, analysis.finite)
    if not all(counts.sum() for counts in finite):
        return undefined(_ONE_SIDED[n > 0], n)
    if not (reference.has_sums and analysis.has_sums):
        return undefined(_PRIVATE, n)
    value = distances.wasserstein(*finite, reference.fine_sums, analysis.fine_sums)
    return Estimate(value, n=n) if isfinite(value) else undefined(OVERFLOW, n)


def null_ratio(reference: FeatureView, analysis: FeatureView) -> Estimate:  # noqa: ARG001 - one shape for all feature metrics
    """Share of rows whose value is null or NaN."""
    return proportion(analysis.counts.nulls + analysis.counts.nans, analysis.counts.n)


def unseen_ratio(reference: FeatureView, analysis: FeatureView) -> Estimate:
    """Share of values in a category the reference never had."""
    if reference.bins.kind != "category":
        return undefined("numbers have no categories")
    return proportion(int(analysis.fine[reference.bins.unseen]), analysis.counts.valued)


def share_shift(reference: FeatureView, analysis: FeatureView) -> Estimate:
    """By how much at least the share of the rare category that changed most has changed; 0 where none surely did.

    Rare are those that the PSI's bins hold together, where one that gains is lost; all others have a bin of their own there. It is the
    change less as many standard errors as that of no category goes beyond by chance, but for one time in 10,000 (Bonferroni); a share
    below .01 has the error of one.
    """
    if reference.bins.kind != "category":
        return undefined("numbers have no categories")
    n, usual_n = analysis.counts.valued, reference.counts.valued
    if min(n, usual_n) == 0:
        return undefined(_ONE_SIDED[n > 0], n)
    other = len(reference.bins.categories) if reference.bins.novelty >= _USUALLY_NEW else 0
    usual, now = (_from_one_on(side.fine, other) / side.counts.valued for side in (reference, analysis))
    together = reference.bins.fold[: len(usual)]
    is_rare = np.bincount(together)[together] > 1
    if not is_rare.any():
        return Estimate(0.0, n=n)
    spread = np.maximum(usual, _COMMON)
    error = np.sqrt(spread * (1 - spread) * (1 / n + 1 / usual_n))
    sure = np.where(is_rare, np.maximum(0.0, np.abs(now - usual) - beyond_chance(int(is_rare.sum())) * error), 0.0)
    most = int(np.argmax(sure))
    said = f"most that of {reference.bins.label(most)}, which {'gained' if now[most] > usual[most] else 'lost'}" if sure[most] > 0 else ""
    return Estimate(float(sure[most]), n=n, reason=said)


def exchanged_ratio(reference: FeatureView, analysis: FeatureView) -> Estimate:
    """Share of values in categories that changed places: each of these has the share that another of them has in the reference; 0 where none surely did."""
    if reference.bins.kind != "category":
        return undefined("numbers have no categories")
    n, usual_n = analysis.counts.valued, reference.counts.valued
    if min(n, usual_n) == 0:
        return undefined(_ONE_SIDED[n > 0], n)
    usual, now = reference.fine, analysis.fine
    moved = changed_places(usual, now, len(reference.bins.categories))
    said = [f"{reference.bins.label(c)} is {percent(now[c] / n)} of values, usually {percent(usual[c] / usual_n)}" for c in moved.tolist()]
    return Estimate(float(now[moved].sum() / n), n=n, reason="; ".join(said))


def unseen_to_come(reference: FeatureView) -> Estimate:
    """Share of values in a category the reference never had that is to be expected: that of the reference's rows whose name came once."""
    if reference.bins.kind != "category":
        return undefined("numbers have no categories")
    return Estimate(reference.bins.novelty, n=reference.counts.valued)


def vanished_categories(reference: FeatureView, analysis: FeatureView) -> Estimate:
    """How many categories with at least 1 % of the reference do not occur, though 20 or more of each were to be expected."""
    if reference.bins.kind != "category":
        return undefined("numbers have no categories")
    if reference.counts.valued == 0:
        return undefined(_ONE_SIDED[1], analysis.counts.valued)
    share = reference.fine / max(1, reference.counts.valued)
    expected = share * analysis.counts.valued
    gone = (analysis.fine == 0) & (share >= _COMMON) & (expected >= 20)  # noqa: PLR2004 - stated above
    gone[[reference.bins.unseen, reference.bins.unseen - 1]] = False
    return Estimate(float(np.sum(gone)), n=analysis.counts.valued)


def mean_value(reference: FeatureView, analysis: FeatureView) -> Estimate:
    """Mean of the finite values, in the feature's unit."""
    if reference.bins.kind != "numeric":
        return undefined("categories have no mean")
    if not analysis.has_sums:
        return undefined(_PRIVATE, analysis.counts.valued)
    return mean(analysis.counts.sum, analysis.counts.sum2, analysis.counts.finite)


def correlation(pair: PairSums) -> Estimate:
    """Pearson correlation of two features' normal scores, with Fisher's interval (atanh r has the variance 1 / (n - 3))."""
    if pair.n < _LEAST_OF_A_PAIR:
        return undefined(f"{counted(pair.n, 'row')} {'has' if pair.n == 1 else 'have'} both values", pair.n)
    spreads = pair.aa - pair.a**2 / pair.n, pair.bb - pair.b**2 / pair.n
    if min(spreads) <= _NO_SPREAD * (pair.n + _ROUNDING):
        return undefined("one of both hardly varies", pair.n)
    r = float(np.clip((pair.ab - pair.a * pair.b / pair.n) / np.sqrt(spreads[0] * spreads[1]), -1.0, 1.0))
    half = Z95 / np.sqrt(pair.n - 3)
    middle = np.arctanh(np.clip(r, -_ALMOST_ONE, _ALMOST_ONE))
    return Estimate(r, (1 - r * r) / np.sqrt(pair.n - 3), min(r, float(np.tanh(middle - half))), max(r, float(np.tanh(middle + half))), pair.n)
