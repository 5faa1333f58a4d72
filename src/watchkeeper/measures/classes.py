"""KPIs of several classes: averages over them, and each class against all others, which is a binary model.

Belongs here: one function a metric, view -> Estimate, and the worst cases over labels still missing. Does not: two classes (performance.py),
the formulas of averages (stats/confusion.py), estimates (estimated_classes.py).

Each row has one class and one decision, so the micro averages of precision, recall and F1 are the accuracy, and so is the recall weighted by
rows; balanced accuracy is the macro recall. Each has one name here.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np

from watchkeeper.measures import performance
from watchkeeper.measures.views import BinaryView, ClassView, MulticlassView
from watchkeeper.measures.worst_cases import Bounds
from watchkeeper.profiles.counts import Counts
from watchkeeper.stats import confusion
from watchkeeper.stats.intervals import Estimate, mean, undefined
from watchkeeper.words import counted

MOST_CLASSES = 20
"""How many classes are measured one by one in each window; others are on request."""
_REASONS = {
    "no positives": "no label is of this class",
    "no negatives": "all labels are of this class",
    "nothing was flagged": "this class was never decided",
    "no scores were logged": "no probabilities of this class were logged",
    "one class only": "the labels are of one class only",
}


def most_frequent(view: MulticlassView, most: int = MOST_CLASSES) -> list[str]:
    """Return the classes with the most labelled rows, the most frequent first."""
    return sorted(view.classes, key=lambda name: (-view.rows_of(name), name))[:most]


# Averages


def macro_precision(view: MulticlassView) -> Estimate:
    """Mean over classes of the share of decisions for them that are right; nought for a class that was never decided."""
    return confusion.of_confusion(confusion.macro_precision, view.counts)


def macro_recall(view: MulticlassView) -> Estimate:
    """Mean over classes of the share found; classes without rows are left out. The same as balanced accuracy."""
    return confusion.of_confusion(confusion.macro_recall, view.counts)


def macro_f1(view: MulticlassView) -> Estimate:
    """Mean over classes of F1; classes without rows are left out."""
    return confusion.of_confusion(confusion.macro_f1, view.counts)


def weighted_precision(view: MulticlassView) -> Estimate:
    """Mean over rows of their class's precision; nought for a class that was never decided."""
    return confusion.of_confusion(confusion.weighted_precision, view.counts)


def weighted_f1(view: MulticlassView) -> Estimate:
    """Mean over rows of their class's F1."""
    return confusion.of_confusion(confusion.weighted_f1, view.counts)


def matthews(view: MulticlassView) -> Estimate:
    """Matthews correlation of decision and truth over all classes."""
    return confusion.of_confusion(confusion.matthews, view.counts, least=-1.0)


def log_loss(view: MulticlassView) -> Estimate:
    """Mean negative log likelihood of the truth, nats; labels of a class without a probability stay out, and are told."""
    return _mean_loss(view, "log_loss")


def brier(view: MulticlassView) -> Estimate:
    """Mean over rows of the squared differences of probability and truth, summed over the classes (Brier 1950): between 0 and 2."""
    return _mean_loss(view, "brier")


def _mean_loss(view: MulticlassView, name: str) -> Estimate:
    loss: Counts = view.loss(name)
    if not loss.n:
        return undefined(_unscored(view), view.labelled)
    found = mean(loss.sum, loss.sum2, loss.n)
    left_out = [c for c in view.classes if view.with_chances and c not in view.with_chances]
    rows = sum(view.rows_of(c) for c in left_out)
    lacking = view.labelled - rows - loss.n
    told = [f"without {counted(rows, 'label')} of classes that have no probability: {_some(left_out)}"] if left_out else []
    if lacking > 0:  # of which classes is known of the whole alone
        told.append(
            f"without {counted(lacking, 'labelled row')} of which a probability is missing{f': {_some(view.unlogged)}' if view.unlogged else ''}"
        )
    return replace(found, reason="; ".join(filter(None, (found.reason, *told))))


def _unscored(view: MulticlassView) -> str:
    """Return why no labelled row has what a number of probabilities takes."""
    if not view.labelled:
        return "no labels"
    were_logged = any(view.unlogged.get(name, 0) < view.labelled for name in view.with_chances)
    return (
        f"a probability is missing in every labelled row: {_some(view.unlogged)}" if view.unlogged and were_logged else "no probabilities were logged"
    )


def _some(names: Iterable[str]) -> str:
    """Return the first three of some classes."""
    first = list(names)
    return f"{', '.join(first[:3])}{', ...' if len(first) > 3 else ''}"  # noqa: PLR2004


def macro_roc_auc(view: MulticlassView) -> Estimate:
    """Mean over classes of the AUC of one against the rest (Provost and Domingos 2000)."""
    return _mean_auc(view, by_rows=False)


def weighted_roc_auc(view: MulticlassView) -> Estimate:
    """Mean over rows of the AUC of their class against the rest."""
    return _mean_auc(view, by_rows=True)


def _mean_auc(view: MulticlassView, *, by_rows: bool) -> Estimate:
    """Average the classes that were and that have a probability."""
    names = [c for c in view.classes if c in view.with_chances]
    if not names:
        return undefined(_unscored(view), view.labelled)
    if view.unlogged and not any(view.of_class(c).scored for c in names):
        return undefined(_unscored(view), view.labelled)
    found = [performance.roc_auc(view.of_class(c)) for c in names]
    return averaged(found, [view.rows_of(c) if by_rows else 1 for c in names])


def averaged(found: Sequence[Estimate], weights: Sequence[float]) -> Estimate:
    """Return the mean of estimates, those that are none left out.

    They rest on the same rows, and how they move together is not known: ends are the means of their ends, as if all moved as one,
    which is the widest that it can be.
    """
    defined = [(e, w) for e, w in zip(found, weights, strict=True) if e.is_defined]
    if not defined:
        return replace(found[0], reason=_REASONS.get(found[0].reason, found[0].reason))
    shares = np.array([w for _, w in defined], float) / sum(w for _, w in defined)
    value, se, low, high = (float(np.sum(shares * [getattr(e, k) for e, _ in defined])) for k in ("value", "se", "low", "high"))
    return Estimate(value, se, low, high, max(e.n for e, _ in defined))


def accuracy_bounds(view: MulticlassView) -> Bounds:
    """All missing labels contradict the decision, all agree with it; where nothing was decided nothing can be right."""
    right, every = int(np.trace(view.counts)), view.labelled + view.pending
    return (right / every, (right + view.pending_decided) / every) if every else (np.nan, np.nan)


# One class against all others


def _of_class(function: Callable[[BinaryView], Estimate]) -> Callable[[ClassView], Estimate]:
    def of_class(view: ClassView) -> Estimate:
        found = function(view)
        return found if found.is_defined else replace(found, reason=_REASONS.get(found.reason, found.reason))

    of_class.__doc__ = function.__doc__
    return of_class


precision = _of_class(performance.precision)
recall = _of_class(performance.recall)
f1 = _of_class(performance.f1)
roc_auc = _of_class(performance.roc_auc)
