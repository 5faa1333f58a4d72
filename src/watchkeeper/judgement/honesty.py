"""Honesty of a reference: scores of rows that the model was trained on are better than any it will ever give again.

Belongs here: telling such a reference by its KPI, and saying so. Does not: reading the KPI (operations/trust.py).
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from watchkeeper.judgement.normal import LEAST_WINDOWS
from watchkeeper.measures import catalogue
from watchkeeper.measures.catalogue import Metric
from watchkeeper.monitor import Monitor
from watchkeeper.words import metric_text, number_text

Floats = NDArray[np.float64]
_TOLD_BY = {"binary": "roc_auc", "regression": "mae", "multiclass": "accuracy"}
_LATELY, _AT_ONCE, _OF_IT = 28, 4, 0.7
_SPREADS, _ERRORS, _AS_GOOD = 2.0, 5.0, 0.1


def told_by(monitor: Monitor) -> str:
    """Return the KPI that tells, empty for a task without one: one that the share of positives does not move."""
    return "balanced_accuracy" if monitor.decides_alone else _TOLD_BY.get(monitor.task, "")


def is_too_good(reference: Floats, after: Floats) -> bool:
    """Tell whether a KPI, higher for better, fell for good at the very end of the reference; values are of final windows in order.

    It did when the first windows after the reference lie two spreads below it, beyond five standard errors, most of it with the
    first four and no further since, and hardly a window since was as good as half of the reference's. An outcome that changed on that very day looks
    the same, and can be no alarm either: nothing says what is usual.
    """
    if min(len(reference), len(after)) < LEAST_WINDOWS:
        return False
    lately = after[:_LATELY]
    spread = float(np.hypot(reference.std(ddof=1), lately.std(ddof=1))) / np.sqrt(2)
    fell = float(reference.mean() - lately.mean())
    error = spread * np.sqrt(1 / len(reference) + 1 / len(lately))
    at_once = float(reference.mean() - after[:_AT_ONCE].mean()) > _OF_IT * fell
    earlier, later = np.array_split(lately, 2)
    is_level = float(earlier.mean() - later.mean()) < (1 - _OF_IT) * fell
    as_good = float(np.mean(after >= np.median(reference)))
    return fell > _SPREADS * spread and fell > _ERRORS * error and at_once and is_level and as_good <= _AS_GOOD


def doubt(monitor: Monitor, scores: pa.Table) -> str:
    """Return why nothing is judged by the reference, empty when it is believed, or when there is too little to tell.

    `scores` has at least the columns metric, segment, grain, window_start, value and state, as in sql/judged_scores.sql.
    """
    metric, span = catalogue.find(told_by(monitor), monitor.task), monitor.reference_span
    if metric is None or span is None or monitor.labels is None:
        return ""
    about = (pc.field("metric") == metric.name) & (pc.field("segment") == "") & (pc.field("grain") == monitor.window)
    final = scores.filter(about & (pc.field("state") == "mature") & pc.field("value").is_valid()).sort_by("window_start")
    values, starts = np.asarray(final.column("value"), float), final.column("window_start").to_pylist()
    said = learned_by_heart(metric, values[[span[0] <= start < span[1] for start in starts]], values[[start >= span[1] for start in starts]])
    return said and f"not judged by what is usual: {said}"


def learned_by_heart(metric: Metric, reference: Floats, after: Floats) -> str:
    """Return what tells that a reference's scores are of rows that the model was trained on, empty where nothing does; values are of final windows in order."""
    sign = -1.0 if metric.direction == "lower_is_better" else 1.0
    if not is_too_good(sign * reference, sign * after):
        return ""
    usual, since = float(reference.mean()), float(after.mean())
    was, now = number_text(usual, metric.unit, [since]), number_text(since, metric.unit, [usual])
    return (
        f"{metric_text(metric.name)} is {was} in the reference and {now} from its end on, as when the reference's scores "
        "are of rows that the model was trained on; give the reference out-of-fold scores, or name another one"
    )
