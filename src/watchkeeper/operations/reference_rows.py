"""Reference rows: the labelled rows of the reference, each with its cells of the features that errors depend on.

Belongs here: reading them, a bounded number of them. Does not: their weights (measures/likeness.py), what is estimated with them.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

import numpy as np
import pyarrow as pa

from watchkeeper.adapters.arrow_records import TIMESTAMP
from watchkeeper.adapters.workspace import Home
from watchkeeper.measures.likeness import Codes, Floats, Ints, ReferenceRows, by_score, relevant
from watchkeeper.monitor import Monitor
from watchkeeper.operations.join import Joined, in_environment, joined, labelled, predictions_of
from watchkeeper.operations.losses import feature_columns
from watchkeeper.operations.pieces import PER_JOINED_ROW
from watchkeeper.profiles.bins import FeatureBins
from watchkeeper.profiles.columns import moments_of
from watchkeeper.profiles.conditions import MISSING, condition_cells
from watchkeeper.profiles.labelled import Labelled
from watchkeeper.stats.calibration import calibrated
from watchkeeper.windows import Grid, Window

MOST_ROWS = 200_000
_OF_MEMORY = 8
_GOLDEN = (5**0.5 - 1) / 2
_LEAST_SPREAD = 14


def reference_rows(home: Home, monitor: Monitor, bins: dict[str, FeatureBins], *, now: datetime, labels_due: datetime) -> ReferenceRows | None:
    """Return labelled rows of the reference, None where it has none.

    Of a reference with more than 200,000 rows (or than an eighth of `memory_limit` holds) some days or hours are read (`spread_out`).
    """
    if monitor.reference_span is None or monitor.labels is None or monitor.task != "binary":
        return None
    start, end = monitor.reference_span
    whole = Window(start, max(start, min(end, labels_due)))
    windows = some_windows(home, monitor, whole, MOST_ROWS, now=now)
    both = joined(home, monitor, windows, now=now) if windows else None
    return None if both is None or both.rows.num_rows == 0 else _known(monitor, both, bins, whole)


def some_windows(home: Home, monitor: Monitor, whole: Window, most: int, *, now: datetime) -> list[Window]:
    """Return windows of the reference that hold about as many rows as may be read, evenly spread; none where no row has landed."""
    landed = predictions_of(home, monitor, [whole], now=now)
    return spread_out(monitor, whole, landed, min(most, home.memory_bytes // _OF_MEMORY // PER_JOINED_ROW)) if landed else []


def spread_out(monitor: Monitor, whole: Window, rows: int, most: int) -> list[Window]:
    """Return windows of the reference that hold about as many rows as may be read: single days, or hours where whole days are too large.

    They lie where multiples of the golden ratio fall, which meets all days of the week, and hours from all parts of a day.
    """
    if rows <= most:
        return [whole]
    share = most / rows
    days = list(Grid("day", monitor.timezone).between(whole.start, whole.end))
    if share * len(days) < _LEAST_SPREAD:
        days = list(Grid("hour", monitor.timezone).between(whole.start, whole.end))
    return [day for i, day in enumerate(days) if (i * _GOLDEN) % 1 < share] or days[:1]


def days_of(monitor: Monitor, whole: Window, times: pa.ChunkedArray) -> tuple[tuple[datetime, ...], Ints]:
    """Return the local midnights of the reference's days, and its end, and in which of the days each time lies."""
    days = [d.start for d in Grid("day", monitor.timezone).between(whole.start, whole.end)]
    starts = moments_of(pa.chunked_array([pa.array(days, TIMESTAMP)]))
    return (*days, whole.end), np.searchsorted(starts, moments_of(times), side="right") - 1


def _known(monitor: Monitor, both: Joined, bins: dict[str, FeatureBins], whole: Window) -> ReferenceRows | None:
    rows = labelled(monitor, both.rows, bins)
    known = np.flatnonzero(np.asarray(in_environment(monitor, both.rows)) & np.isfinite(rows.truth) & np.isfinite(rows.score))
    if len(known) == 0:
        return None
    days, every = days_of(monitor, whole, both.rows.column("time"))
    day = every[known]
    columns = relevant(_cells(monitor, both, bins, known), _errors(rows, known), day, of=len(bins))
    cells = np.stack(list(columns.values()), axis=1) if columns else np.zeros((len(known), 0), np.int16)
    kinds, kind = np.unique(cells, axis=0, return_inverse=True)
    return ReferenceRows(rows.score[known], rows.truth[known], tuple(columns), kinds, kind.ravel(), day, days)


def _errors(rows: Labelled, known: Ints) -> Sequence[Floats]:
    """Return what of each row would have the same mean everywhere if no feature told more than the score does.

    They are by how much the truth differs from its chance, and by how much the decision is right more often than its chance.
    """
    score, truth = rows.score[known], rows.truth[known]
    scores, place = by_score(score)
    positives, negatives = (np.bincount(place[truth == side], minlength=len(scores)) for side in (1, 0))
    more = truth - calibrated(positives, negatives, scores).of(score)
    return more, np.where(rows.decision[known] == 1, more, -more)


def _cells(monitor: Monitor, both: Joined, bins: dict[str, FeatureBins], known: Ints) -> Iterator[tuple[str, Codes]]:
    """Yield each feature's coarse cells of the known rows, a missing value in the last one."""
    for name, column in feature_columns(monitor, both, bins):
        cells = condition_cells(bins[name], column)[known]
        if bins[name].kind == "category":
            cells = np.where(cells == MISSING, MISSING, bins[name].fold[cells]).astype(np.int16)
        yield name, np.where(cells == MISSING, bins[name].coarse_size, cells)
