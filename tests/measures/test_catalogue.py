"""Every metric of the catalogue agrees with its oracle: scikit-learn, scipy or numpy on the raw rows.

Belongs here: one row per metric in `ORACLES`; a metric without one fails. Does not: the rows (metric_tables.py).
"""

import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
import pytest
import sklearn.metrics as sk
from numpy.polynomial import Legendre
from scipy import special, stats
from scipy.spatial.distance import jensenshannon

from measure_world import NAN
from metric_tables import CLASSES, SECONDS, TABLES, Rows
from watchkeeper.measures import catalogue
from watchkeeper.measures.estimated import calibration_of
from watchkeeper.measures.estimated_classes import calibrations_of
from watchkeeper.measures.estimated_errors import ExpectedErrors
from watchkeeper.profiles.bins import FeatureBins
from watchkeeper.stats.intervals import Estimate
from watchkeeper.stats.smooth import MOMENTS

EXACT = 1e-9


@dataclass(frozen=True)
class Oracle:
    """What the number should be (NaN: undefined), how near, and from how many labels on; with fewer within .05."""

    value: Callable[..., float]
    within: float = EXACT
    at_least_rows: int = 0
    relative: bool = False
    usual_scores_only: bool = False


def needs_both(function: Callable[..., float]) -> Callable[[Rows], float]:
    return lambda r: function(r.truth, r.score) if len(set(r.truth)) == 2 else NAN


def of_decisions(function: Callable[..., float], undefined_without: Callable[[Rows], Any]) -> Callable[[Rows], float]:
    return lambda r: function(r.truth, r.said) if undefined_without(r) else NAN


def flagged(r: Rows) -> bool:
    return bool(r.said.any())


def positives(r: Rows) -> bool:
    return bool((r.truth == 1).any())


def negatives(r: Rows) -> bool:
    return bool((r.truth == 0).any())


def both(r: Rows) -> bool:
    return positives(r) and negatives(r)


def sk_log_loss(r: Rows) -> float:
    return float(sk.log_loss(r.truth, np.clip(r.score, 0, 1), labels=[0, 1]))


def equal_groups(truth, score) -> float:
    """The calibration error over ten equally filled groups of sorted rows; equal scores stay together, where their middle is."""
    group = np.minimum((stats.rankdata(score) - 0.5) * 10 // len(score), 9)
    return float(sum(abs((truth - score)[group == g].sum()) for g in range(10)) / len(truth))


def lift(share: float) -> Callable[[Rows], float]:
    """The precision among the highest scores, row by row; equal scores at the cut are as good as the mean of them."""

    def expected(r: Rows) -> float:
        if not positives(r):
            return NAN
        score = np.clip(r.score, 0, 1)
        order = np.argsort(-score, kind="stable")
        place = np.unique(score, return_inverse=True)[1]
        even = (np.bincount(place, weights=r.truth) / np.bincount(place))[place]
        taken = np.clip(share * len(order) - np.arange(len(order)), 0.0, 1.0)
        return float(taken @ even[order] / taken.sum() / r.truth.mean())

    return expected


def smape(r: Rows) -> float:
    both = np.abs(r.truth) + np.abs(r.score)
    return float(np.mean(np.where(both > 0, 2 * np.abs(r.score - r.truth) / np.where(both > 0, both, 1), 0)))


def pinball(q: float) -> Oracle:
    return Oracle(lambda r: sk.mean_pinball_loss(r.truth, r.score, alpha=q), relative=True)


def error_quantile(q: float, of: Callable[[np.ndarray], np.ndarray] = lambda e: e) -> Oracle:
    def expected(r: Rows) -> float:
        value = float(np.quantile(of(r.score - r.truth), q, method="inverted_cdf"))
        return NAN if abs(value) > 0.98e6 else value

    return Oracle(expected, 0.0068, relative=True)


def r2(r: Rows) -> float:
    return float(sk.r2_score(r.truth, r.score)) if len(r.truth) > 3 and np.ptp(r.truth) > 0 else NAN


def mape(r: Rows) -> float:
    some = r.truth != 0
    return float(sk.mean_absolute_percentage_error(r.truth[some], r.score[some]))


def present(r: Rows) -> list[float]:
    return sorted(set(r.truth))


def sk_multiclass_log_loss(r: Rows) -> float:
    return float(sk.log_loss(r.truth, r.score, labels=range(len(CLASSES)))) if len(r.score) else NAN


def shares(r: Rows, *, coarse: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Counts of both sides in the same cells, value by value."""
    bins: FeatureBins = r.args[0].bins
    place = bins.coarse if coarse else range(bins.size)
    out = []
    for rows in (r.truth, r.said):
        tally = np.zeros(max(place) + 1)
        for value, count in Counter(rows.tolist()).items():
            if value is not None:
                tally[place[cell_of(bins, value)]] += count
        out.append(tally)
    return out[0], out[1]


def cell_of(bins: FeatureBins, value: Any) -> int:
    if bins.kind == "category":
        return bins.categories.index(value) if value in bins.categories else bins.size - 1
    return next((i for i, edge in enumerate(bins.edges) if value <= edge), len(bins.edges))


def psi(r: Rows) -> float:
    reference, analysis = shares(r, coarse=True)
    used = (reference + analysis) > 0
    p, q = ((side[used] + 0.5) / (side[used] + 0.5).sum() for side in (reference, analysis))
    return float(stats.entropy(q, p) + stats.entropy(p, q))


def normed(r: Rows) -> list[np.ndarray]:
    return [side / side.sum() for side in shares(r)]


def hellinger(r: Rows) -> float:
    p, q = normed(r)
    return float(np.sqrt(max(0.0, 1 - np.sum(np.sqrt(p * q)))))


def ks(r: Rows) -> float:
    """On raw rows; ours may lie below it by the largest share that one cell holds."""
    return float(stats.ks_2samp(r.truth, r.said).statistic) if r.args[0].bins.kind == "numeric" else NAN


def ks_p(r: Rows) -> float:
    """On rows that sit at their cells."""
    if r.args[0].bins.kind != "numeric":
        return NAN
    cells = [np.array([cell_of(r.args[0].bins, v) for v in side]) for side in (r.truth, r.said)]
    found = stats.ks_2samp(*cells).statistic
    return float(stats.kstwobign.sf(np.sqrt(len(cells[0]) * len(cells[1]) / (len(cells[0]) + len(cells[1]))) * found))


def chi_square(r: Rows) -> tuple[float, float]:
    table = np.array(shares(r))
    used = table[:, table.sum(axis=0) > 0]
    return stats.chi2_contingency(used, correction=False)[:2] if used.shape[1] > 1 else (0.0, 1.0)


def moment(order: int) -> Callable[[Rows], float]:
    """The mean of the normalised Legendre polynomial at the rank that each value's cell has among the reference's rows."""

    def expected(r: Rows) -> float:
        if r.args[0].bins.kind != "numeric":
            return NAN
        reference, analysis = (np.array([cell_of(r.args[0].bins, v) for v in side]) for side in (r.truth, r.said))
        polynomial, ordered = np.sqrt(2 * order + 1) * Legendre.basis(order), np.sort(reference)
        ranks = ((np.searchsorted(ordered, c, "left") + np.searchsorted(ordered, c, "right")) / 2 / len(ordered) for c in (analysis, reference))
        ours, usual = (polynomial(2 * rank - 1).mean() for rank in ranks)
        return float(ours - usual)

    return expected


def wasserstein(r: Rows) -> float:
    return float(stats.wasserstein_distance(r.truth, r.said)) if r.args[0].bins.kind == "numeric" else NAN


def null_ratio(r: Rows) -> float:
    column = r.said if len(r.score) == 0 else r.score
    return float(np.mean([v is None or v != v for v in column]))  # noqa: PLR0124 - NaN alone is unlike itself


def unseen_ratio(r: Rows) -> float:
    if r.args[0].bins.kind == "numeric":
        return NAN
    values, known = [v for v in r.said if v is not None], set(r.truth)
    return sum(v not in known for v in values) / len(values)


def exchanged_ratio(r: Rows) -> float:
    """Of all ways to give the usual shares to other categories, one by one, whether one fits each share, and how many rows it names anew."""
    bins: FeatureBins = r.args[0].bins
    if bins.kind == "numeric":
        return NAN
    theirs, ours = shares(r)
    if min(theirs.sum(), ours.sum()) < 100:
        return 0.0
    usual, now = theirs / theirs.sum(), ours / ours.sum()

    def slack(of: int, like: int) -> float:
        share = max(now[of], usual[like], 0.01)
        return float(0.03 + 2.5 * np.sqrt(share * (1 - share) * (1 / ours.sum() + 1 / theirs.sum())))

    moved = [c for c in range(len(now)) if abs(now[c] - usual[c]) > slack(c, c)]
    if any(c >= len(bins.categories) for c in moved) or len(moved) > 6:
        return 0.0
    for given in permutations(moved):
        pairs = list(zip(moved, given, strict=True))
        fits = all(abs(now[c] - usual[like]) <= slack(c, like) for c, like in pairs)
        if fits and sum(abs(now[c] - usual[c]) >= 3 * slack(c, like) for c, like in pairs) >= 2:
            return float(now[moved].sum())
    return 0.0


def vanished(r: Rows) -> float:
    if r.args[0].bins.kind == "numeric":
        return NAN
    values = [v for v in r.said if v is not None]
    share = {c: np.mean(r.truth == c) for c in set(r.truth)}
    return float(sum(s >= 0.01 and s * len(values) >= 20 and c not in values for c, s in share.items()))


def mean_value(r: Rows) -> float:
    return float(np.mean(r.said)) if r.args[0].bins.kind == "numeric" else NAN


def pearson(r: Rows) -> float:
    return float(stats.pearsonr(r.truth, r.said).statistic) if len(r.truth) > 3 else NAN


def percentile(q: float) -> Callable[[Rows], float]:
    return lambda r: float(np.quantile(r.score, q, method="inverted_cdf")) if len(r.score) else NAN


def over(r: Rows, ms: float) -> float:
    return float(np.mean(r.score > ms)) if len(r.score) else NAN


def waiting(r: Rows) -> float:
    return float(r.said.queue.mean() / r.score.mean()) if len(r.score) else NAN


def token_speed(r: Rows) -> float:
    answering = r.score.sum() - r.said.queue.sum()
    return float(r.said.tokens_out.sum() / answering * 1e3) if len(r.score) and r.said.tokens_out.any() else NAN


def times_as_long(r: Rows) -> float:
    mine = r.truth.astype(bool)
    ours, rest = (r.every[side & (r.every > 0)] for side in (mine, ~mine))
    return float(np.exp(np.log(ours).mean() - np.log(rest).mean())) if min(len(ours), len(rest)) > 1 else NAN


def more_errors(r: Rows) -> float:
    mine, failed = r.truth.astype(bool), r.said.status != "ok"
    return float(failed[mine].mean() - failed[~mine].mean()) if not mine.all() else NAN


CALIBRATION = calibration_of(TABLES["binary"]["plain"].args[0])
"""Of scores that are no chances: an isotonic curve. What scores mean is the same for all tables."""


_LOSSES = {"absolute": (4.0, 0.2), "squared": (25.0, 2.0), "signed": (-1.5, 0.3)}
EXPECTED = ExpectedErrors(lambda loss: Estimate(v := _LOSSES[loss][0], se := _LOSSES[loss][1], v - 1.96 * se, v + 1.96 * se, 500))
"""What a model of losses expects of a window's rows."""
BY_CLASS = calibrations_of(TABLES["multiclass"]["surer than it should be"].args[0])
KNOWN = {"binary": CALIBRATION, "multiclass": BY_CLASS, "class": BY_CLASS[CLASSES[0]], "regression": EXPECTED}
OF_CLASS = KNOWN["class"]


def share_shift(r: Rows) -> float:
    """Of the categories that share a coarse bin, the one whose share surely changed most, by what chance does not make of so many."""
    if r.args[0].bins.kind != "category":
        return NAN
    theirs, ours = shares(r)
    if not theirs.sum() or not ours.sum():
        return NAN
    usual, now = theirs / theirs.sum(), ours / ours.sum()
    coarse = list(r.args[0].bins.coarse)
    rare = [i for i, c in enumerate(coarse) if coarse.count(c) > 1]
    bounds = [0.0]
    for i in rare:
        spread = max(usual[i], 0.01)
        error = np.sqrt(spread * (1 - spread) * (1 / ours.sum() + 1 / theirs.sum()))
        bounds.append(abs(now[i] - usual[i]) - stats.norm.isf(1e-4 / (2 * len(rare))) * error)
    return float(max(bounds))


def segment_shift(r: Rows) -> float:
    """Row by row: each segment's mean against that of all other rows, less the same in the reference, beyond what chance may make of so many."""
    (_, kind, *_), (window, where), (reference, there) = r.args, (r.truth, r.said), (r.score, r.every)
    missing, functions = 6, []
    if kind == "numeric":
        valued = reference[reference < missing]
        rank = dict(zip(valued, (stats.rankdata(valued) - 0.5) / max(1, len(valued)), strict=True))
        for order in (1, 2):
            shape = {c: np.polynomial.legendre.Legendre.basis(order)(2 * rank.get(c, 0.5) - 1) for c in range(missing)}
            middle = np.mean([shape[c] for c in valued]) if len(valued) else 0.0
            functions.append(({c: v - middle for c, v in shape.items()} | {missing: 0.0}, False))
    functions += [({c: float(c == cell) for c in range(missing + 1)}, True) for cell in (range(missing + 1) if kind == "category" else [missing])]
    bounds = []
    for s in sorted(set(where)):
        mine, theirs = where == s, there == s
        if min(mine.sum(), (~mine).sum()) < 20 or min(theirs.sum(), (~theirs).sum()) < 100:
            continue
        for of, is_share in functions:
            if is_share and mine.sum() < 50:
                continue
            here, usual = (np.array([of[c] for c in cells]) for cells in (window, reference))
            gap = here[mine].mean() - here[~mine].mean() - usual[theirs].mean() + usual[~theirs].mean()
            sd = max(usual.std(), np.sqrt(0.05 * 0.95) if is_share else 0.0)
            bounds.append((abs(gap) / sd if sd > 1e-12 else 0.0, np.sqrt(sum(1 / side.sum() for side in (mine, ~mine, theirs, ~theirs)))))
    if not bounds:
        return NAN
    z = stats.norm.isf(1e-4 / (2 * len(bounds)))
    return max([0.0, *(gap - z * error for gap, error in bounds)])


def mae_gap(r: Rows) -> float:
    return sk.mean_absolute_error(r.truth, r.score) - 4.0 if len(r.truth) >= 0.9 * len(r.every) else NAN


def arguments(metric: catalogue.Metric, rows: Rows) -> tuple[Any, ...]:
    return (KNOWN[metric.subject], *rows.args) if metric.estimates else rows.args


def chance(score: np.ndarray) -> np.ndarray:
    return np.interp(np.clip(score, 0, 1), CALIBRATION.scores, CALIBRATION.chances)


def expected_of(function: Callable[..., float], score: np.ndarray) -> float:
    """The KPI if each row were both outcomes at once, each with the weight of its chance."""
    weights = np.concatenate([chance(score), 1 - chance(score)])
    return float(function(np.repeat([1, 0], len(score)), np.tile(score, 2), weights))


def estimate(function: Callable[..., float]) -> Oracle:
    """The estimate from raw rows; scores lie anywhere in their cell of the grid, and few rows have their flags told by a cell."""
    return Oracle(lambda r: expected_of(function, r.every), 3e-3)


def gap(name: str, function: Callable[..., float]) -> Oracle:
    return Oracle(lambda r: ORACLES["binary", name].value(r) - expected_of(function, r.score), 3e-3)


def weighted_accuracy(truth, score, weights) -> float:
    return float(np.average(truth == (score >= 0.5), weights=weights))


def weighted_log_loss(truth, score, weights) -> float:
    return float(sk.log_loss(truth, np.clip(score, 0, 1), sample_weight=weights, labels=[0, 1]))


def ranking(function: Callable[..., float]) -> Oracle:
    def rank(truth, score, weights) -> float:
        enough = min(weights @ truth, weights @ (1 - truth)) >= 1
        return function(truth, np.clip(score, 0, 1), sample_weight=weights) if enough else NAN

    return estimate(rank)


def of_flags(function: Callable[..., float]) -> Callable[..., float]:
    def share(truth, score, weights) -> float:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                return float(function(truth, score >= 0.5, sample_weight=weights))
            except UserWarning:  # nothing to divide by
                return NAN

    return share


def averaged(function: Callable[..., float], average: str) -> Callable[[Rows], float]:
    return lambda r: float(function(r.truth, r.said, labels=present(r), average=average, zero_division=0))


def sk_matthews(r: Rows) -> float:
    return float(sk.matthews_corrcoef(r.truth, r.said)) if len(set(r.truth)) > 1 and len(set(r.said)) > 1 else NAN


def sk_brier(r: Rows) -> float:
    if not len(r.score):
        return NAN
    return float(np.mean(np.sum((r.score - np.eye(len(CLASSES))[r.truth.astype(int)]) ** 2, axis=1)))


def sk_mean_auc(average: str) -> Callable[[Rows], float]:
    """Of the classes that are there: scikit-learn's own refuses a table without one of them."""

    def mean(r: Rows) -> float:
        if not len(r.score) or len(set(r.truth)) < 2:
            return NAN
        each = [sk.roc_auc_score(r.truth == k, r.score[:, int(k)]) for k in present(r)]
        return float(np.average(each, weights=None if average == "macro" else [np.sum(r.truth == k) for k in present(r)]))

    return mean


def expected_rows(r: Rows, scores: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows that are of every class at once, each with the weight of its chance: class, decision and weight."""
    said, p = (r.every[:, 0], r.every[:, 1:]) if scores is None else (r.said, scores)
    weights = np.column_stack([BY_CLASS[name].of(p[:, k]) for k, name in enumerate(CLASSES)])
    return np.tile(np.arange(len(CLASSES)), len(said)), np.repeat(said, len(CLASSES)), weights.ravel()


def estimated_average(function: Callable[..., float], average: str) -> Oracle:
    def value(r: Rows) -> float:
        if not r.every.shape[1]:
            return NAN
        truth, said, weights = expected_rows(r)
        there = [k for k in range(len(CLASSES)) if weights[truth == k].sum() >= 1]
        left = 1 - weights.reshape(-1, len(CLASSES)).sum(axis=1)  # a row is decided once, also where its chances do not add up to 1
        truth, said, weights = np.append(truth, np.full(len(left), -2)), np.append(said, r.every[:, 0]), np.append(weights, left)
        return float(function(truth, said, labels=there, average=average, zero_division=0, sample_weight=weights))

    return Oracle(value, 3e-3)


def estimated_mean(function: Callable[..., np.ndarray], *, of_labelled: bool = False) -> Oracle:
    """The mean over rows of a function of class, decision and probability; less than the realised one for gaps."""

    def value(r: Rows) -> float:
        if not r.every.shape[1]:
            return NAN
        p = r.score if of_labelled else r.every[:, 1:]
        truth, said, weights = expected_rows(r, p if of_labelled else None)
        return float(np.sum(weights * function(truth, said, np.repeat(p, len(CLASSES), axis=0))) / len(p))

    return Oracle(value, 3e-3)


def right(truth, said, _) -> np.ndarray:
    return truth == said


def lost(truth, _, p) -> np.ndarray:
    return -np.log(np.clip(p[np.arange(len(truth)), truth], np.finfo(float).eps, 1))


def estimated_brier(r: Rows) -> float:
    """A class's share of the loss is there whatever the row is of."""
    if not r.every.shape[1]:
        return NAN
    p, chances = r.every[:, 1:], expected_rows(r)[2].reshape(-1, len(CLASSES))
    return float(np.mean(np.sum(chances * (1 - p) ** 2 + (1 - chances) * p**2, axis=1)))


def estimated_auc(average: str) -> Callable[[Rows], float]:
    def mean(r: Rows) -> float:
        if not r.every.shape[1]:
            return NAN
        p, chances = r.every[:, 1:], expected_rows(r)[2].reshape(-1, len(CLASSES))
        there = [k for k in range(len(CLASSES)) if min(chances[:, k].sum(), (1 - chances[:, k]).sum()) >= 1]
        each = [
            sk.roc_auc_score(np.repeat([1, 0], len(p)), np.tile(p[:, k], 2), sample_weight=np.concatenate([chances[:, k], 1 - chances[:, k]]))
            for k in there
        ]
        return float(np.average(each, weights=None if average == "macro" else chances.sum(axis=0)[there])) if there else NAN

    return mean


def entropy_of_classes(r: Rows) -> float:
    return float(np.mean(special.entr(np.clip(r.every[:, 1:], 0, 1)).sum(axis=1))) if r.every.shape[1] else NAN


def low_margin(r: Rows) -> float:
    if not r.every.shape[1]:
        return NAN
    ordered = np.sort(r.every[:, 1:], axis=1)
    return float(np.mean(np.round(ordered[:, -1] - ordered[:, -2], 9) <= 0.1))


def realised_less(name: str, oracle: Oracle) -> Oracle:
    return Oracle(lambda r: ORACLES["multiclass", name].value(r) - oracle.value(r), 3e-3)


def of_one_class(function: Callable[..., float]) -> Oracle:
    """The estimate for one class against all others, over rows that are of it and not at once."""

    def value(r: Rows) -> float:
        if not r.every.shape[1]:
            return NAN
        said, p = r.every[:, 0], r.every[:, 1]
        chances = OF_CLASS.of(p)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                weights = np.concatenate([chances, 1 - chances])
                return float(function(np.repeat([1, 0], len(p)), np.tile(said, 2), np.tile(p, 2), weights))
            except UserWarning:  # nothing to divide by
                return NAN

    return Oracle(value, 3e-3)


def auc_if_enough(truth, _, score, weights) -> float:
    return float(sk.roc_auc_score(truth, score, sample_weight=weights)) if min(weights @ truth, weights @ (1 - truth)) >= 1 else NAN


ORACLES: dict[tuple[str, str], Oracle] = {
    ("feature", "psi"): Oracle(psi),
    ("feature", "jensen_shannon"): Oracle(lambda r: float(jensenshannon(*shares(r), base=2)), 1e-7),
    ("feature", "hellinger"): Oracle(hellinger, 1e-7),
    ("feature", "total_variation"): Oracle(lambda r: float(np.abs(np.subtract(*normed(r))).sum() / 2)),
    ("feature", "l_infinity"): Oracle(lambda r: float(np.abs(np.subtract(*normed(r))).max())),
    ("feature", "ks"): Oracle(ks, 0.021),
    ("feature", "ks_p"): Oracle(ks_p),
    ("feature", "chi_square"): Oracle(lambda r: float(chi_square(r)[0]), relative=True),
    ("feature", "chi_square_p"): Oracle(lambda r: float(chi_square(r)[1])),
    **{("feature", name): Oracle(moment(order)) for order, name in enumerate(MOMENTS, start=1)},
    ("feature", "share_shift"): Oracle(share_shift),
    ("feature", "wasserstein"): Oracle(wasserstein, 0.25),
    ("feature", "null_ratio"): Oracle(null_ratio),
    ("feature", "unseen_ratio"): Oracle(unseen_ratio),
    ("feature", "exchanged_ratio"): Oracle(exchanged_ratio),
    ("feature", "vanished_categories"): Oracle(vanished),
    ("feature", "mean"): Oracle(mean_value),
    ("segments", "segment_shift"): Oracle(segment_shift, 1e-9),
    ("pair", "correlation"): Oracle(pearson, 1e-9),
    ("binary", "roc_auc"): Oracle(needs_both(sk.roc_auc_score), 1e-3, 200, usual_scores_only=True),
    ("binary", "average_precision"): Oracle(
        lambda r: sk.average_precision_score(r.truth, r.score) if positives(r) else NAN, 3e-3, 2000, usual_scores_only=True
    ),
    ("binary", "log_loss"): Oracle(sk_log_loss),
    ("binary", "brier"): Oracle(lambda r: float(np.mean((r.truth - r.score) ** 2))),
    ("binary", "calibration_gap"): Oracle(lambda r: float(np.mean(r.truth - r.score))),
    ("binary", "calibration_error"): Oracle(lambda r: equal_groups(r.truth, r.score), 5e-3, 2000, usual_scores_only=True),
    ("binary", "positive_rate"): Oracle(lambda r: float(np.mean(r.truth))),
    ("binary", "score_mean"): Oracle(lambda r: float(np.mean(r.every))),
    ("binary", "flagged_ratio"): Oracle(lambda r: float(np.mean(r.every >= 0.5))),
    ("binary", "low_confidence_ratio"): Oracle(lambda r: float(np.mean(np.abs(r.every - 0.5) <= 0.05)), 5e-3),
    ("binary", "entropy"): Oracle(lambda r: float(np.mean(stats.bernoulli(np.clip(r.every, 0, 1)).entropy())), 1e-3),
    ("binary", "accuracy"): Oracle(lambda r: sk.accuracy_score(r.truth, r.said)),
    ("binary", "balanced_accuracy"): Oracle(of_decisions(sk.balanced_accuracy_score, both)),
    ("binary", "precision"): Oracle(of_decisions(sk.precision_score, flagged)),
    ("binary", "recall"): Oracle(of_decisions(sk.recall_score, positives)),
    ("binary", "specificity"): Oracle(of_decisions(lambda t, s: sk.recall_score(t, s, pos_label=0), negatives)),
    ("binary", "f1"): Oracle(of_decisions(sk.f1_score, lambda r: flagged(r) or positives(r))),
    ("binary", "matthews"): Oracle(of_decisions(sk.matthews_corrcoef, lambda r: both(r) and 0 < r.said.mean() < 1)),
    ("binary", "lift_at_1"): Oracle(lift(0.01), 0.07, relative=True),
    ("binary", "lift_at_10"): Oracle(lift(0.1), 0.02, relative=True),
    ("binary", "label_coverage"): Oracle(lambda r: len(r.truth) / len(r.every)),
    ("binary", "estimated_accuracy"): estimate(weighted_accuracy),
    ("binary", "estimated_log_loss"): estimate(weighted_log_loss),
    ("binary", "estimated_roc_auc"): ranking(sk.roc_auc_score),
    ("binary", "estimated_positive_rate"): estimate(lambda t, _, w: np.average(t, weights=w)),
    ("binary", "estimated_average_precision"): ranking(sk.average_precision_score),
    ("binary", "estimated_precision"): estimate(of_flags(sk.precision_score)),
    ("binary", "estimated_recall"): estimate(of_flags(sk.recall_score)),
    ("binary", "estimated_specificity"): estimate(of_flags(lambda t, s, **w: sk.recall_score(t, s, pos_label=0, **w))),
    ("binary", "estimated_f1"): estimate(of_flags(sk.f1_score)),
    ("binary", "estimated_brier"): estimate(lambda t, s, w: np.average((t - np.clip(s, 0, 1)) ** 2, weights=w)),
    ("binary", "accuracy_gap"): gap("accuracy", weighted_accuracy),
    ("binary", "log_loss_gap"): gap("log_loss", weighted_log_loss),
    ("regression", "mae"): Oracle(lambda r: sk.mean_absolute_error(r.truth, r.score), relative=True),
    ("regression", "rmse"): Oracle(lambda r: sk.root_mean_squared_error(r.truth, r.score), relative=True),
    ("regression", "bias"): Oracle(lambda r: float(np.mean(r.score - r.truth)), relative=True),
    ("regression", "mape"): Oracle(mape, relative=True),
    ("regression", "r2"): Oracle(r2),
    ("regression", "estimated_mae"): Oracle(lambda _: 4.0),
    ("regression", "estimated_rmse"): Oracle(lambda _: 5.0),
    ("regression", "estimated_bias"): Oracle(lambda _: -1.5),
    ("regression", "mae_gap"): Oracle(mae_gap, relative=True),
    ("regression", "truth_mean"): Oracle(lambda r: float(np.mean(r.truth)), relative=True),
    ("regression", "smape"): Oracle(smape, relative=True),
    **{("regression", f"pinball_{q}"): pinball(q / 100) for q in (10, 50, 90)},
    **{("regression", f"error_p{q:02}"): error_quantile(q / 100) for q in (5, 50, 95)},
    **{("regression", f"absolute_error_p{q}"): error_quantile(q / 100, np.abs) for q in (50, 90)},
    ("regression", "label_coverage"): Oracle(lambda r: len(r.truth) / len(r.every)),
    ("multiclass", "accuracy"): Oracle(lambda r: sk.accuracy_score(r.truth, r.said)),
    ("multiclass", "macro_precision"): Oracle(averaged(sk.precision_score, "macro")),
    ("multiclass", "macro_recall"): Oracle(averaged(sk.recall_score, "macro")),
    ("multiclass", "macro_f1"): Oracle(averaged(sk.f1_score, "macro")),
    ("multiclass", "weighted_precision"): Oracle(averaged(sk.precision_score, "weighted")),
    ("multiclass", "weighted_f1"): Oracle(averaged(sk.f1_score, "weighted")),
    ("multiclass", "matthews"): Oracle(sk_matthews),
    ("multiclass", "log_loss"): Oracle(sk_multiclass_log_loss),
    ("multiclass", "brier"): Oracle(sk_brier),
    ("multiclass", "macro_roc_auc"): Oracle(sk_mean_auc("macro"), 1e-3, 200),
    ("multiclass", "weighted_roc_auc"): Oracle(sk_mean_auc("weighted"), 1e-3, 200),
    ("multiclass", "low_confidence_ratio"): Oracle(low_margin),
    ("multiclass", "entropy"): Oracle(entropy_of_classes),
    ("multiclass", "label_coverage"): Oracle(lambda r: len(r.truth) / len(r.every)),
    ("multiclass", "estimated_accuracy"): estimated_mean(right),
    ("multiclass", "estimated_log_loss"): estimated_mean(lost),
    ("multiclass", "estimated_brier"): Oracle(estimated_brier, 3e-3),
    ("multiclass", "estimated_macro_precision"): estimated_average(sk.precision_score, "macro"),
    ("multiclass", "estimated_macro_recall"): estimated_average(sk.recall_score, "macro"),
    ("multiclass", "estimated_macro_f1"): estimated_average(sk.f1_score, "macro"),
    ("multiclass", "estimated_weighted_precision"): estimated_average(sk.precision_score, "weighted"),
    ("multiclass", "estimated_weighted_f1"): estimated_average(sk.f1_score, "weighted"),
    ("multiclass", "estimated_macro_roc_auc"): Oracle(estimated_auc("macro"), 3e-3),
    ("multiclass", "estimated_weighted_roc_auc"): Oracle(estimated_auc("weighted"), 3e-3),
    ("multiclass", "accuracy_gap"): realised_less("accuracy", estimated_mean(right, of_labelled=True)),
    ("multiclass", "log_loss_gap"): realised_less("log_loss", estimated_mean(lost, of_labelled=True)),
    ("class", "precision"): Oracle(of_decisions(sk.precision_score, flagged)),
    ("class", "recall"): Oracle(of_decisions(sk.recall_score, positives)),
    ("class", "f1"): Oracle(of_decisions(sk.f1_score, lambda r: flagged(r) or positives(r))),
    ("class", "roc_auc"): Oracle(lambda r: needs_both(sk.roc_auc_score)(r) if len(r.score) else NAN, 1e-3, 200),
    ("class", "estimated_precision"): of_one_class(lambda t, said, _, w: sk.precision_score(t, said, sample_weight=w)),
    ("class", "estimated_recall"): of_one_class(lambda t, said, _, w: sk.recall_score(t, said, sample_weight=w)),
    ("class", "estimated_f1"): of_one_class(lambda t, said, _, w: sk.f1_score(t, said, sample_weight=w)),
    ("class", "estimated_roc_auc"): of_one_class(auc_if_enough),
    ("service", "rows"): Oracle(lambda r: float(len(r.every))),
    ("service", "rows_per_second"): Oracle(lambda r: len(r.every) / SECONDS),
    ("service", "rows_peak_minute"): Oracle(lambda r: float(np.bincount((r.said.at // 60).astype(int)).max())),
    ("service", "error_ratio"): Oracle(lambda r: float(np.mean(r.said.status != "ok"))),
    ("service", "availability"): Oracle(lambda r: float(np.mean(np.isin(r.said.status, ["ok", "404", "429", "CANCELLED"])))),
    **{
        ("service", f"{name}_ratio"): Oracle(lambda r, status=status: float(np.mean(r.said.status == status)))
        for name, status in {
            "timeout": "timeout",
            "server_error": "503",
            "client_error": "404",
            "rate_limited": "429",
            "out_of_memory": "OOM",
            "exception": "KeyError",
            "cancelled": "CANCELLED",
            "other_error": "E17",
        }.items()
    },
    **{("service", f"latency_p{q}"): Oracle(percentile(q / 100), 0.01, relative=True) for q in (50, 95, 99)},
    ("service", "latency_over"): Oracle(lambda r: over(r, 100.0), 0.02),
    ("service", "latency_over_p99"): Oracle(lambda r: over(r, 400.0), 0.02),
    ("service", "queue_time_p95"): Oracle(lambda r: float(np.quantile(r.said.queue, 0.95, method="inverted_cdf")), 0.01, relative=True),
    ("service", "saturation"): Oracle(waiting, 0.01, relative=True),
    ("service", "concurrency"): Oracle(lambda r: len(r.every) / SECONDS * r.score.mean() / 1e3 if len(r.score) else NAN, 0.01, relative=True),
    ("service", "tokens_per_request"): Oracle(lambda r: float((r.said.tokens_in + r.said.tokens_out).mean()), 0.01, relative=True),
    ("service", "tokens_per_second"): Oracle(lambda r: float((r.said.tokens_in + r.said.tokens_out).sum()) / SECONDS, 0.01, relative=True),
    ("service", "token_speed"): Oracle(token_speed, 0.01, relative=True),
    ("place", "latency_to_rest"): Oracle(times_as_long, 0.01, relative=True),
    ("place", "errors_to_rest"): Oracle(more_errors),
}
CASES = [(m, name) for m in catalogue.CATALOGUE for name in TABLES[m.subject]]


def test_every_metric_has_an_oracle_and_every_oracle_a_metric():
    assert {(m.subject, m.name) for m in catalogue.CATALOGUE} == set(ORACLES)


def test_no_metric_is_listed_twice():
    assert len(catalogue.CATALOGUE) == len(ORACLES)


@pytest.mark.parametrize(("metric", "name"), CASES, ids=[f"{m.subject}-{m.name}-{name}" for m, name in CASES])
def test_the_metric_is_its_oracle_on_raw_rows(metric, name):
    rows, oracle = TABLES[metric.subject][name], ORACLES[metric.subject, metric.name]
    ours: Estimate = metric.function(*arguments(metric, rows))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = oracle.value(rows)
    if np.isnan(expected):
        assert not ours.is_defined
        assert ours.reason
        return
    assert ours.is_defined, ours.reason
    is_promised = len(rows.truth) >= oracle.at_least_rows and not (oracle.usual_scores_only and name == "outside the usual")
    within = oracle.within if is_promised else 0.05
    assert ours.value == pytest.approx(expected, **{"rel" if oracle.relative else "abs": within}, nan_ok=False)


@pytest.mark.parametrize("metric", catalogue.CATALOGUE, ids=lambda m: f"{m.subject}-{m.name}")
def test_an_interval_holds_its_value_and_a_number_without_one_is_a_distance_a_count_or_says_why(metric):
    for rows in TABLES[metric.subject].values():
        ours: Estimate = metric.function(*arguments(metric, rows))
        if np.isfinite(ours.low):
            assert ours.low - 1e-12 <= ours.value <= ours.high + 1e-12
            assert ours.se >= 0
        else:
            assert ours.reason or metric.family == "drift" or metric.method in ("count", "ratio of sums", "Little's law") or ours.value == 0


def test_scores_outside_the_usual_rank_as_nought_and_one():
    rows = TABLES["binary"]["outside the usual"]
    metric = catalogue.find("roc_auc", "binary")
    assert metric is not None
    assert metric.function(*rows.args).value == pytest.approx(sk.roc_auc_score(rows.truth, np.clip(rows.score, 0, 1)), abs=1e-3)


@pytest.mark.parametrize("name", list(TABLES["feature"]))
def test_ks_lies_below_that_of_the_rows_by_at_most_the_fullest_cell(name):
    rows = TABLES["feature"][name]
    if rows.args[0].bins.kind == "numeric":
        metric = catalogue.find("ks")
        assert metric is not None
        ours, fullest = metric.function(*rows.args).value, max(side.max() for side in normed(rows))
        assert ours - 1e-12 <= ks(rows) <= ours + fullest


def test_a_catalogue_row_is_found_by_name_and_subject():
    assert catalogue.find("accuracy", "multiclass").subject == "multiclass"
    assert catalogue.find("accuracy").subject == "binary"
    assert catalogue.find("no such") is None
    assert {m.name for m in catalogue.of("feature")} < {m.name for m in catalogue.of("feature", stored_only=False)}
