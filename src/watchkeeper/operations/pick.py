"""Pick: predictions worth reading by a person: those the model was least sure of, those it got wrong, those of a segment.

Belongs here: which rows, and in which order. Does not: all that is known of one of them (explain.py).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from watchkeeper.adapters.workspace import Home
from watchkeeper.errors import UsageError
from watchkeeper.measures.confidence import learned_threshold
from watchkeeper.measures.views import BinaryView
from watchkeeper.monitor import Monitor
from watchkeeper.operations.convert import as_text, has_value
from watchkeeper.operations.join import in_environment, joined, labelled
from watchkeeper.operations.rollup import threshold_of
from watchkeeper.profiles.labelled import Labelled, binary_pieces, margins
from watchkeeper.spelling import is_segment, segment_name, segment_pairs
from watchkeeper.windows import Window

Kind = Literal["low_confidence", "wrong", "any"]
_WEEK = timedelta(days=7)
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picked:
    """One prediction; `margin` is how far it was from another decision, `error` how far from the truth, 0 where it was right, None where unknown."""

    id: str
    at: datetime
    version: str
    score: float | None
    decision: str
    label: str
    is_labelled: bool
    margin: float | None
    error: float | None


def pick(
    home: Home, monitor: Monitor, kind: Kind, *, now: datetime, window: Window | None = None, segment: str = "", limit: int = 20
) -> list[Picked]:
    """Return predictions of a window (default: the seven days up to the newest): the least sure, the most wrong, or the newest first.

    Raises:
        UsageError: the kind does not apply to the task, or the segment names a column that is not kept apart.

    """
    if kind == "low_confidence" and monitor.task not in ("binary", "multiclass"):
        raise UsageError(f"a {monitor.task} model gives no chances to be unsure of", where="--low-confidence", then="Ask for --wrong.")
    if kind == "low_confidence" and (monitor.decides_alone or (monitor.task == "multiclass" and len(monitor.columns.probabilities) < 2)):  # noqa: PLR2004
        raise UsageError(
            f"{monitor.model} logs its decisions and no probabilities, so that nobody knows how sure it was of them",
            where="--low-confidence",
            then=f"Name `columns.{'score' if monitor.decides_alone else 'probabilities'}` in its monitor file, or ask for --wrong.",
        )
    if kind == "wrong" and monitor.labels is None:
        raise UsageError("this model has no labels, so that nobody knows what was wrong", where="--wrong", then="Ask for --low-confidence.")
    span = window or _lately(home, monitor)
    found = None if span is None else joined(home, monitor, [span], now=now)
    if found is None:
        return []
    rows = _of_segment(monitor, found.rows.filter(in_environment(monitor, found.rows)), segment)
    values = labelled(monitor, rows, {})
    margin, error = _margin(home, monitor, rows, values, now), _error(monitor, values)
    order, wanted = {
        "low_confidence": (margin, np.isfinite(margin)),
        "wrong": (-error, error > 0),
        "any": (-np.asarray(rows.column("time").cast(pa.int64()), float), np.ones(rows.num_rows, bool)),
    }[kind]
    places = np.flatnonzero(wanted)
    places = places[np.argsort(order[places], kind="stable")][:limit]
    return [_picked(monitor, rows.slice(int(place), 1), values, int(place), margin, error) for place in places]


def _lately(home: Home, monitor: Monitor) -> Window | None:
    newest = home.lake.newest_moment(f"events/{monitor.model}", "wk_time")
    if newest is None:
        return None
    end = monitor.grid.at(newest).end
    return Window(end - _WEEK, end)


def _of_segment(monitor: Monitor, rows: pa.Table, segment: str) -> pa.Table:
    known = sorted({c for declared in monitor.segments for c in declared.split("&")})
    name = segment_name(segment, [*monitor.segments, *known])
    for column, value in segment_pairs(name):
        if not is_segment(name) or column not in known or column in monitor.private:
            raise UsageError(
                f"{name!r} names no segment", where="--segment", then=f"Write COLUMN=VALUE; the monitor keeps apart: {', '.join(known) or 'none'}."
            )
        rows = rows.filter(has_value(rows.column(column), value))
    return rows


def _margin(home: Home, monitor: Monitor, rows: pa.Table, values: Labelled, now: datetime) -> Floats:
    """Return how far each row is from another decision: of a binary model from its threshold, of classes from the next likely one.

    Where no reference tells the threshold, the rows themselves do, and where they cannot, nothing is known.
    """
    if monitor.task == "binary":
        found = threshold_of(home, monitor, now=now)
        found = found if found.is_defined else learned_threshold(_view(values))
        return np.abs(values.score - found.value)
    return margins(values.chances) if len(values.chances) > 1 else np.full(rows.num_rows, np.nan)


def _view(values: Labelled) -> BinaryView:
    everything = np.zeros(len(values.score), np.int64)
    return BinaryView({(p.feature, p.outcome): p.count(everything, 1).of(0) for p in binary_pieces(values)})


def _error(monitor: Monitor, values: Labelled) -> Floats:
    """Return how wrong each row was, 0 where it was right, NaN where nobody knows: beyond the decision, how sure the model was of it."""
    if monitor.task == "regression":
        return np.abs(values.score - values.truth)
    known = np.isfinite(values.truth) & (values.truth >= 0) & ((values.decision >= 0) | (monitor.task == "multiclass"))
    wrong = values.decision != values.truth
    if monitor.task == "binary":
        size = np.where(np.isfinite(values.score), np.abs(values.score - values.truth), 1.0)
    else:
        size = 1.0 - np.nan_to_num(np.zeros(len(wrong)) if values.probability_of_truth is None else values.probability_of_truth, nan=0.0)
    return np.where(known, np.where(wrong, size, 0.0), np.nan)


def _picked(monitor: Monitor, row: pa.Table, values: Labelled, place: int, margin: Floats, error: Floats) -> Picked:
    score, decision = values.score[place], int(values.decision[place])
    names = values.classes or ("0", "1")
    return Picked(
        id=row.column("id")[0].as_py(),
        at=row.column("time")[0].as_py(),
        version=_text(row, "version"),
        score=float(score) if np.isfinite(score) else None,
        decision="" if monitor.task == "regression" or not 0 <= decision < len(names) else names[decision],
        label="" if monitor.labels is not None and {monitor.labels.column, monitor.labels.join} & set(monitor.private) else _text(row, "label"),
        is_labelled=bool(np.isfinite(values.truth[place])),
        margin=float(margin[place]) if np.isfinite(margin[place]) else None,
        error=float(error[place]) if np.isfinite(error[place]) else None,
    )


def _text(row: pa.Table, name: str) -> str:
    return (as_text(row.column(name))[0].as_py() or "") if name in row.column_names else ""
