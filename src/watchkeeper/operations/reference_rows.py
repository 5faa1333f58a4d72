"""Reference rows: the labelled rows of the reference, each with its cells of the features that errors depend on.

Belongs here: reading them, a bounded number of them. Does not: their weights (measures/likeness.py), what is estimated with them.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from math import ceil, gcd

import numpy as np
import pyarrow as pa

from watchkeeper.adapters.arrow_records import TIMESTAMP
from watchkeeper.adapters.workspace import Home
from watchkeeper.measures.likeness import Codes, Floats, ReferenceRows, by_score, relevant
from watchkeeper.monitor import Monitor
from watchkeeper.operations.join import Joined, in_environment, joined, labelled, predictions_of
from watchkeeper.operations.losses import feature_columns
from watchkeeper.operations.pieces import PER_JOINED_ROW
from watchkeeper.profiles.bins import FeatureBins, code_numeric
from watchkeeper.profiles.columns import moments_of
from watchkeeper.profiles.conditions import MISSING, condition_cells
from watchkeeper.profiles.labelled import SCORE, Labelled
from watchkeeper.stats.calibration import calibrated
from watchkeeper.windows import Grid, Window

MOST_ROWS = 200_000
_OF_MEMORY = 8
_WEEK_OF_DAYS, _WEEK_OF_HOURS = 7, 168


def reference_rows(home: Home, monitor: Monitor, bins: dict[str, FeatureBins], *, now: datetime) -> ReferenceRows | None:
    """Return labelled rows of the reference, None where it has none.

    Of a reference with more than 200,000 rows (or than an eighth of `memory_limit` holds) every so manieth day or hour is read, which
    meets all days of the week.
    """
    if monitor.reference_span is None or monitor.labels is None or monitor.task not in ("binary", "regression"):
        return None
    whole = Window(*monitor.reference_span)
    landed = predictions_of(home, monitor, [whole], now=now)
    windows = _some(monitor, whole, landed, min(MOST_ROWS, home.memory_bytes // _OF_MEMORY // PER_JOINED_ROW))
    both = joined(home, monitor, windows, now=now) if landed else None
    return None if both is None or both.rows.num_rows == 0 else _known(monitor, both, bins, whole)


def _some(monitor: Monitor, whole: Window, rows: int, most: int) -> list[Window]:
    """Return windows of the reference that hold about as many rows as may be read, evenly spread."""
    if rows <= most:
        return [whole]
    days = list(Grid("day", monitor.timezone).between(whole.start, whole.end))
    step, week = ceil(rows / most), _WEEK_OF_DAYS
    if step * _WEEK_OF_DAYS > len(days):
        days, week = list(Grid("hour", monitor.timezone).between(whole.start, whole.end)), _WEEK_OF_HOURS
    while gcd(step, week) > 1:
        step += 1
    return days[::step]


def _known(monitor: Monitor, both: Joined, bins: dict[str, FeatureBins], whole: Window) -> ReferenceRows | None:
    rows = labelled(monitor, both.rows, bins)
    known = np.flatnonzero(np.asarray(in_environment(monitor, both.rows)) & np.isfinite(rows.truth) & np.isfinite(rows.score))
    if len(known) == 0:
        return None
    days = [d.start for d in Grid("day", monitor.timezone).between(whole.start, whole.end)]
    starts = moments_of(pa.chunked_array([pa.array(days, TIMESTAMP)]))
    day = np.searchsorted(starts, moments_of(both.rows.column("time"))[known], side="right") - 1
    columns = relevant(_cells(monitor, both, rows, bins, known), _errors(monitor.task, rows, known), day, of=len(bins))
    cells = np.stack(list(columns.values()), axis=1) if columns else np.zeros((len(known), 0), np.int16)
    kinds, kind = np.unique(cells, axis=0, return_inverse=True)
    return ReferenceRows(rows.score[known], rows.truth[known], tuple(columns), kinds, kind.ravel(), day, (*days, whole.end))


def _errors(task: str, rows: Labelled, known: np.ndarray) -> Sequence[Floats]:
    """Return what of each row would have the same mean everywhere if no feature told more than the score does.

    Of a regression the error and its size; else by how much the truth differs from its chance, and by how much the decision is right
    more often than its chance.
    """
    score, truth = rows.score[known], rows.truth[known]
    if task == "regression":
        error = score - truth
        return np.abs(error), error
    scores, place = by_score(score)
    positives, negatives = (np.bincount(place[truth == side], minlength=len(scores)) for side in (1, 0))
    more = truth - calibrated(positives, negatives, scores).of(score)
    return more, np.where(rows.decision[known] == 1, more, -more)


def _cells(monitor: Monitor, both: Joined, rows: Labelled, bins: dict[str, FeatureBins], known: np.ndarray) -> Iterator[tuple[str, Codes]]:
    """Yield each feature's coarse cells of the known rows, a missing value in the last one; of a regression those of the prediction too."""
    for name, column in feature_columns(monitor, both, bins):
        cells = condition_cells(bins[name], column)[known]
        if bins[name].kind == "category":
            cells = np.where(cells == MISSING, MISSING, bins[name].fold[cells]).astype(np.int16)
        yield name, np.where(cells == MISSING, bins[name].coarse_size, cells)
    if SCORE in bins and monitor.task == "regression":
        yield SCORE, bins[SCORE].fold[code_numeric(bins[SCORE], rows.score[known])].astype(np.int16)
