"""Estimated performance over several classes: what KPIs come to if probabilities mean what they meant in the reference (CBPE).

Belongs here: one function a metric, (calibrations by class, view) -> Estimate. Does not: two classes, and one class against all others, which is
two of them (estimated.py), or the truth's own KPIs (classes.py).

Each class is calibrated against all others. Parts keep the probability of each class by itself, so chances of a row cannot be made to add up to 1
as Kivimaki et al. 2025 (arXiv 2505.05295) do; none of these numbers needs it: the rows expected of a class, and those expected among the rows
decided so, are sums over the probabilities of that class alone, and so is each class's share of a loss. Over the reference the rows expected
of all classes add up to its rows. What a band needs of the other classes' chances of the same row is not known: it is as wide as it can be.
"""

from collections.abc import Callable, Mapping
from functools import partial
from math import sqrt
from typing import cast

import numpy as np
from numpy.typing import NDArray

from watchkeeper.measures import classes, estimated
from watchkeeper.measures.estimated import LEAST_LABELLED, Expected, realised_minus
from watchkeeper.measures.views import MulticlassView
from watchkeeper.profiles.labelled import DECIDED, NEGATIVE, PENDING, POSITIVE, TINY
from watchkeeper.stats import confusion
from watchkeeper.stats.calibration import Calibration, calibrated
from watchkeeper.stats.intervals import Z95, Estimate, mean, proportion, undefined

Floats = NDArray[np.float64]
Calibrations = Mapping[str, Calibration]
_ALL, _LABELLED = (POSITIVE, NEGATIVE, PENDING), (POSITIVE, NEGATIVE)
_WITHOUT = 0.01
"""The share of labels that may be of classes without a probability."""
_THERE = 1.0
"""A class of which fewer rows are expected is left out of averages."""


def calibrations_of(reference: MulticlassView) -> Calibrations | str:
    """Return what the probability of each class means in the reference, or why that cannot be said."""
    names = reference.with_chances
    views = {name: reference.of_class(name) for name in names}
    scored = min((view.scored for view in views.values()), default=0)
    if scored < LEAST_LABELLED:
        return f"the reference has {scored:,} labelled rows with probabilities, {LEAST_LABELLED} are needed to say what these mean"
    without = [name for name in reference.classes if name not in views]
    if sum(reference.rows_of(name) for name in without) > _WITHOUT * reference.labelled:
        return f"the reference has labels of classes that have no probability: {', '.join(without[:3])}"
    if sum(view.positives > 0 for view in views.values()) < 2:  # noqa: PLR2004 - one class says nothing of the others
        return "the labels of the reference are of one class only"
    out = {}
    for name, view in views.items():
        (positives, negatives), scores = view.by_score(*_LABELLED)
        out[name] = calibrated(positives, negatives, scores)
    return out


def _expected(known: Calibrations, view: MulticlassView, outcomes: tuple[str, ...] = _ALL) -> list[Expected] | str:
    """Return what is expected of the rows of each class, or why that cannot be said; made once for all numbers of a view."""
    by, kept = view.expected.get(outcomes, (None, ""))
    if by is not known:
        kept = _made(known, view, outcomes)
        view.expected[outcomes] = known, kept
    return cast("list[Expected] | str", kept)


def _made(known: Calibrations, view: MulticlassView, outcomes: tuple[str, ...]) -> list[Expected] | str:
    found = [estimated.expected(calibration, view.of_class(name), outcomes) for name, calibration in known.items()]
    sizes = [each.n for each in found]
    if not max(sizes):
        return "no probabilities were logged"
    if min(sizes) < max(sizes):
        return f"the probability of class {list(known)[int(np.argmin(sizes))]} is missing in some of the rows"
    return found


def _flags(found: list[Expected]) -> list[Floats]:
    return [np.zeros(len(each.rows)) if each.flagged is None else each.flagged for each in found]


def _doubt(found: list[Expected], pulls: list[Floats]) -> float:
    """Return the variance from the doubt about chances. Those of one row add up to 1, so what one gains others lose: at most K / (K - 1) as much."""
    total = sum(each.calibration.doubt(pull, each.scores) for each, pull in zip(found, pulls, strict=True))
    return total * len(found) / max(1, len(found) - 1)


def _within(value: float, variance: float, n: int, least: float = 0.0, most: float = 1.0) -> Estimate:
    se = sqrt(max(0.0, variance))
    return Estimate(value, se, max(least, value - Z95 * se), min(most, value + Z95 * se), n)


# Means over rows


def accuracy(known: Calibrations, view: MulticlassView, outcomes: tuple[str, ...] = _ALL) -> Estimate:
    """Share of decisions that are expected to be right."""
    found = _expected(known, view, outcomes)
    if isinstance(found, str):
        return undefined(found, view.labelled)
    n, flags = found[0].n, _flags(found)
    hits = [flagged * each.chances for each, flagged in zip(found, flags, strict=True)]
    variance = sum(float(np.sum(hit * (1 - each.chances))) for each, hit in zip(found, hits, strict=True)) / n**2
    return _within(sum(float(hit.sum()) for hit in hits) / n, variance + _doubt(found, [flagged / n for flagged in flags]), n)


def _loss(known: Calibrations, view: MulticlassView, losses: Callable[[Floats], tuple[Floats, Floats]], outcomes: tuple[str, ...] = _ALL) -> Estimate:
    """Return the mean over rows of a loss that is a sum over classes: of each, `losses` gives it for rows of the class and for others, by score."""
    found = _expected(known, view, outcomes)
    if isinstance(found, str):
        return undefined(found, view.labelled)
    n, sides = found[0].n, [losses(each.scores) for each in found]
    always = sum(float(np.sum(each.rows * others)) for each, (_, others) in zip(found, sides, strict=True)) / n
    more = [mine - others for mine, others in sides]
    masses = [each.rows * each.chances for each in found]
    lost = [float(np.sum(mass * w)) for mass, w in zip(masses, more, strict=True)]
    centre = sum(lost) / sum(float(mass.sum()) for mass in masses)
    variance = sum(float(np.sum(mass * (w - centre) ** 2)) for mass, w in zip(masses, more, strict=True)) / n**2
    variance += _doubt(found, [each.rows * w / n for each, w in zip(found, more, strict=True)])
    return _within(always + sum(lost) / n, variance, n, most=np.inf)


def _log_losses(scores: Floats) -> tuple[Floats, Floats]:
    return -np.log(np.clip(scores, TINY, 1.0)), np.zeros(len(scores))


def log_loss(known: Calibrations, view: MulticlassView) -> Estimate:
    """Mean negative log likelihood that is expected of the probabilities, nats."""
    return _loss(known, view, _log_losses)


def brier(known: Calibrations, view: MulticlassView) -> Estimate:
    """Mean over rows of the squared differences of probability and truth that are expected, summed over the classes."""
    return _loss(known, view, lambda p: ((1 - p) ** 2, p**2))


# Averages over classes


def _average(function: confusion.OfMargins, known: Calibrations, view: MulticlassView) -> Estimate:
    """Return an average over the classes that are expected to be there, from the rows expected of each: delta method over independent rows."""
    every = _expected(known, view)
    if isinstance(every, str):
        return undefined(every, view.labelled)
    found = [each for each in every if float(np.sum(each.rows * each.chances)) >= _THERE]
    if not found:
        return undefined("less than one row of each class is expected", every[0].n)
    flags = _flags(found)
    truths = np.array([np.sum(each.rows * each.chances) for each in found])
    hits = np.array([np.sum(flagged * each.chances) for each, flagged in zip(found, flags, strict=True)])
    decided = np.array([flagged.sum() for flagged in flags])
    of_hits, of_truths, _ = confusion.slopes(function, hits, truths, decided)
    centre = float((np.sum(of_hits * hits) + np.sum(of_truths * truths)) / np.sum(truths))
    variance, pulls = 0.0, []
    for each, flagged, hit, truth in zip(found, flags, of_hits, of_truths, strict=True):
        passed = each.rows - flagged
        variance += float(np.sum(each.chances * (flagged * (hit + truth - centre) ** 2 + passed * (truth - centre) ** 2)))
        pulls.append(flagged * hit + each.rows * truth)
    return _within(function(hits, truths, decided), variance + _doubt(found, pulls), every[0].n)


macro_precision = partial(_average, confusion.macro_precision)
macro_recall = partial(_average, confusion.macro_recall)
macro_f1 = partial(_average, confusion.macro_f1)
weighted_precision = partial(_average, confusion.weighted_precision)
weighted_f1 = partial(_average, confusion.weighted_f1)


def _mean_auc(known: Calibrations, view: MulticlassView, *, by_rows: bool) -> Estimate:
    every = _expected(known, view)
    if isinstance(every, str):
        return undefined(every, view.labelled)
    weights = [float(np.sum(each.rows * each.chances)) if by_rows else 1.0 for each in every]
    return classes.averaged([estimated.roc_auc(calibration, view.of_class(name)) for name, calibration in known.items()], weights)


def macro_roc_auc(known: Calibrations, view: MulticlassView) -> Estimate:
    """Mean over classes of the AUC of one against the rest that is expected."""
    return _mean_auc(known, view, by_rows=False)


def weighted_roc_auc(known: Calibrations, view: MulticlassView) -> Estimate:
    """Mean over the rows expected of the AUC of their class against the rest that is expected."""
    return _mean_auc(known, view, by_rows=True)


# Realised minus estimated, over the same labelled rows


def accuracy_gap(known: Calibrations, view: MulticlassView) -> Estimate:
    """Share of labelled decisions that are right, minus the share expected of these rows."""
    found = accuracy(known, view, _LABELLED)
    right = sum(view.of_class(name).score(DECIDED + POSITIVE).finite for name in known)
    return realised_minus(proportion(right, found.n), found) if found.is_defined else found


def log_loss_gap(known: Calibrations, view: MulticlassView) -> Estimate:
    """Log loss of labelled rows minus the log loss expected of them, nats."""
    loss = view.loss("log_loss")
    return realised_minus(mean(loss.sum, loss.sum2, loss.n), _loss(known, view, _log_losses, _LABELLED))
