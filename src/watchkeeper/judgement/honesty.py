"""Honesty of a reference: scores of rows that the model was trained on are better than any it will ever give again.

Belongs here: telling such a reference by its KPI, and saying so; clearing it by a version that answered on as usual. Does not: reading the KPI
(operations/trust.py, operations/stayed.py).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

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
_SURE, _MOST = 2.0, 0.5


@dataclass(frozen=True, slots=True)
class OfVersion:
    """The KPI of one version of the reference: its rows in that, and its values of final windows in order, in the reference and after it."""

    rows: int
    reference: Floats
    after: Floats


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
    fell, spread, error = _fall(reference, lately)
    at_once = float(reference.mean() - after[:_AT_ONCE].mean()) > _OF_IT * fell
    earlier, later = np.array_split(lately, 2)
    is_level = float(earlier.mean() - later.mean()) < (1 - _OF_IT) * fell
    as_good = float(np.mean(after >= np.median(reference)))
    return fell > _SPREADS * spread and fell > _ERRORS * error and at_once and is_level and as_good <= _AS_GOOD


def _fall(reference: Floats, lately: Floats) -> tuple[float, float, float]:
    """Return how far a KPI fell, the spread of its windows, and the standard error of the fall."""
    spread = float(np.hypot(reference.std(ddof=1), lately.std(ddof=1))) / np.sqrt(2)
    return float(reference.mean() - lately.mean()), spread, spread * float(np.sqrt(1 / len(reference) + 1 / len(lately)))


def stayed(versions: Sequence[OfVersion]) -> list[OfVersion]:
    """Return the versions that answered on for enough windows after the reference, none where they did not make most of it: they cannot speak for it."""
    there = [v for v in versions if min(len(v.reference), len(v.after)) >= LEAST_WINDOWS]
    return there if sum(v.rows for v in there) > _MOST * sum(v.rows for v in versions) else []


def did_not_fall(metric: Metric, versions: Sequence[OfVersion], reference: Floats, after: Floats) -> bool:
    """Tell whether the versions that stayed refute that the reference is too good: each kept up, and surely fell less than all rows together did."""
    sign = -1.0 if metric.direction == "lower_is_better" else 1.0
    whole = _fall(sign * reference, sign * after[:_LATELY])[0]
    there = stayed(versions)
    return bool(there) and all(_kept_up(sign * v.reference, sign * v.after, whole) for v in there)


def _kept_up(reference: Floats, after: Floats, whole: float) -> bool:
    fell, _, error = _fall(reference, after[:_LATELY])
    return not is_too_good(reference, after) and fell + _SURE * error < whole


def doubt(monitor: Monitor, scores: pa.Table, versions: Callable[[], Sequence[OfVersion]] = tuple) -> str:
    """Return why nothing is judged by the reference, empty when it is believed, or when there is too little to tell.

    `versions` reads the KPI of the versions of the reference, and is asked only when all rows together give reason to doubt. `scores` has at least the columns metric, segment, grain, window_start, value and state, as in sql/judged_scores.sql.
    """
    metric, span = catalogue.find(told_by(monitor), monitor.task), monitor.reference_span
    if metric is None or span is None or monitor.labels is None:
        return ""
    about = (pc.field("metric") == metric.name) & (pc.field("segment") == "") & (pc.field("grain") == monitor.window)
    final = scores.filter(about & (pc.field("state") == "mature") & pc.field("value").is_valid()).sort_by("window_start")
    values, starts = np.asarray(final.column("value"), float), final.column("window_start").to_pylist()
    reference, after = values[[span[0] <= start < span[1] for start in starts]], values[[start >= span[1] for start in starts]]
    said = learned_by_heart(metric, reference, after)
    return f"not judged by what is usual: {said}" if said and not did_not_fall(metric, versions(), reference, after) else ""


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
