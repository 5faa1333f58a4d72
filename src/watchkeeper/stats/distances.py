"""Distances between two histograms over the same cells, reference first.

Belongs here: arithmetic on counts. Does not: which distance a monitor stores (measures/catalogue.py). Each function takes
two arrays of counts of equal length (and, for Wasserstein, the sum of the values in each cell) and returns a float, `nan`
when either side is empty.
"""

from math import isfinite, isnan, nan, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc, kolmogorov

Counts = NDArray[np.int64]


def _shares(reference: Counts, analysis: Counts, smooth: float = 0.0) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    used = (reference > 0) | (analysis > 0)
    r, a = reference[used] + smooth, analysis[used] + smooth
    if reference.sum() == 0 or analysis.sum() == 0:
        return None
    return r / r.sum(), a / a.sum()


def psi(reference: Counts, analysis: Counts) -> float:
    """Return the population stability index, sum (a - r) ln(a / r), with half a count added to every used cell.

    >>> psi(np.array([50, 50]), np.array([50, 50]))
    0.0
    """
    shares = _shares(reference, analysis, 0.5)
    if shares is None:
        return nan
    r, a = shares
    return float(np.sum((a - r) * np.log(a / r)))


def jensen_shannon(reference: Counts, analysis: Counts) -> float:
    """Return the Jensen-Shannon distance, base 2: 0 for equal, 1 for disjoint (Lin 1991).

    >>> jensen_shannon(np.array([10, 0]), np.array([0, 10]))
    1.0
    """
    shares = _shares(reference, analysis)
    if shares is None:
        return nan
    r, a = shares
    m = (r + a) / 2
    return sqrt(max(0.0, (_divergence(r, m) + _divergence(a, m)) / 2))


def _divergence(p: NDArray[np.float64], q: NDArray[np.float64]) -> float:
    some = p > 0
    return float(np.sum(p[some] * np.log2(p[some] / q[some])))


def hellinger(reference: Counts, analysis: Counts) -> float:
    """Return the Hellinger distance: 0 for equal, 1 for disjoint.

    >>> hellinger(np.array([10, 0]), np.array([0, 10]))
    1.0
    """
    shares = _shares(reference, analysis)
    if shares is None:
        return nan
    r, a = shares
    return float(np.sqrt(np.sum((np.sqrt(r) - np.sqrt(a)) ** 2) / 2))


def total_variation(reference: Counts, analysis: Counts) -> float:
    """Return half the sum of absolute differences of shares.

    >>> total_variation(np.array([1, 1]), np.array([2, 0]))
    0.5
    """
    shares = _shares(reference, analysis)
    return nan if shares is None else float(np.abs(shares[0] - shares[1]).sum() / 2)


def kolmogorov_smirnov(reference: Counts, analysis: Counts) -> float:
    """Return the largest gap between the two cumulated shares; cells must be in value order.

    A lower bound of the statistic on the raw values, off by at most the largest share of a cell.

    >>> kolmogorov_smirnov(np.array([1, 1]), np.array([0, 2]))
    0.5
    """
    if reference.sum() == 0 or analysis.sum() == 0:
        return nan
    gap = np.cumsum(reference) / reference.sum() - np.cumsum(analysis) / analysis.sum()
    return float(np.abs(gap).max())


def kolmogorov_smirnov_p(statistic: float, reference: int, analysis: int) -> float:
    """Return the chance of a statistic at least as large between equal distributions, from the numbers of rows (Smirnov 1948, asymptotic).

    Of a binned statistic, which is at most that of the raw values, it is at least theirs: conservative.

    >>> kolmogorov_smirnov_p(0.0, 100, 100)
    1.0
    """
    if not isfinite(statistic) or min(reference, analysis) == 0:
        return nan
    return float(kolmogorov(sqrt(reference * analysis / (reference + analysis)) * statistic))


def l_infinity(reference: Counts, analysis: Counts) -> float:
    """Return the largest difference of shares of any cell.

    >>> l_infinity(np.array([1, 1]), np.array([2, 0]))
    0.5
    """
    shares = _shares(reference, analysis)
    return nan if shares is None else float(np.abs(shares[0] - shares[1]).max())


def wasserstein(reference: Counts, analysis: Counts, reference_sums: NDArray[np.float64], analysis_sums: NDArray[np.float64]) -> float:
    """Return the first Wasserstein distance, in units of the value, with each cell's mass at its own mean; `nan` where a mean overflows.

    >>> wasserstein(np.array([2, 0]), np.array([0, 2]), np.array([2.0, 0.0]), np.array([0.0, 6.0]))
    2.0
    """
    if reference.sum() == 0 or analysis.sum() == 0:
        return nan
    with np.errstate(over="ignore", invalid="ignore"):
        return _transport(reference, analysis, reference_sums, analysis_sums)


def _transport(reference: Counts, analysis: Counts, reference_sums: NDArray[np.float64], analysis_sums: NDArray[np.float64]) -> float:
    places = np.concatenate([_centres(reference, reference_sums), _centres(analysis, analysis_sums)])
    steps = np.concatenate([reference / reference.sum(), -analysis / analysis.sum()])
    some = np.concatenate([reference, analysis]) > 0
    if not np.isfinite(places[some]).all():
        return nan
    order = np.argsort(places[some], kind="stable")
    where, gap = places[some][order], np.cumsum(steps[some][order])
    return float(np.sum(np.abs(gap[:-1]) * np.diff(where)))


def _centres(counts: Counts, sums: NDArray[np.float64]) -> NDArray[np.float64]:
    centres: NDArray[np.float64] = np.divide(sums, counts, out=np.full(len(counts), nan), where=counts > 0)
    return centres


def chi_square(reference: Counts, analysis: Counts) -> float:
    """Return Pearson's chi-square of the two-row table of counts (scipy.stats.chi2_contingency without correction).

    >>> chi_square(np.array([10, 10]), np.array([10, 10]))
    0.0
    """
    if reference.sum() == 0 or analysis.sum() == 0:
        return nan
    used = (reference + analysis) > 0
    table = np.vstack([reference[used], analysis[used]]).astype(float)
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    return float(((table - expected) ** 2 / expected).sum())


def chi_square_p(reference: Counts, analysis: Counts) -> float:
    """Return the chance of a chi-square at least as large between equal distributions; 1 where only one cell is used.

    >>> chi_square_p(np.array([10, 10]), np.array([10, 10]))
    1.0
    """
    value, freedom = chi_square(reference, analysis), int(((reference + analysis) > 0).sum()) - 1
    return value if isnan(value) else float(chdtrc(freedom, value)) if freedom else 1.0
