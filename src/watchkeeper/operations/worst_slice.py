"""Worst slice: where a model fails most in a window, over features in conditions of one or two, beyond what chance makes of so many.

Belongs here: which rows, losses and features are looked at. Does not: the search (stats/slices.py), the words (site/slices.py).
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Literal

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from watchkeeper.adapters.workspace import Home
from watchkeeper.errors import UsageError
from watchkeeper.monitor import Monitor
from watchkeeper.operations.bins_in_force import Fitted, reference_problem, stored_bins
from watchkeeper.operations.join import Joined, in_environment, joined, labelled, predictions_of
from watchkeeper.operations.losses import feature_columns
from watchkeeper.operations.maturity import latest_due_week, maturity_of, no_due_week
from watchkeeper.operations.pieces import PER_JOINED_ROW
from watchkeeper.profiles.bins import FeatureBins
from watchkeeper.profiles.conditions import condition_cells, condition_text
from watchkeeper.profiles.labelled import Labelled
from watchkeeper.profiles.losses import errors, losses
from watchkeeper.site.slices import LossName, SliceSearch, WorstSlice
from watchkeeper.stats.slices import LEAST_ROWS, Slice, worst_slices
from watchkeeper.windows import Window
from watchkeeper.words import counted

Kind = Literal["error", "log_loss"]
Floats = NDArray[np.float64]
LEAST_LABELLED = 10 * LEAST_ROWS
"""Labelled rows below which no slice large enough to test would be a small part of all."""
_PER_CELL = 8  # bytes: a row's cell of one feature, as read and as searched


def worst_slice(home: Home, monitor: Monitor, *, now: datetime, window: Window | None = None, kind: Kind = "error", limit: int = 3) -> SliceSearch:
    """Return the slices of a window that do worst, `limit` at most; the default are the latest seven days whose labels are due.

    Losses are wrong decisions, of a regression absolute errors; `kind` log_loss asks for that of the scores. Only labelled rows of the
    monitor's environment count. Private columns are not looked at.

    Raises:
        UsageError: the model has no labels or no such loss, or the window holds more rows than `memory_limit` lets be joined.

    """
    name = _loss_name(monitor, kind)
    found = stored_bins(home, monitor, now=now)
    due = maturity_of(home, monitor, now=now, bins=found.version if found else None)
    span = window or latest_due_week(home, monitor, due, now=now)
    nothing = SliceSearch(model=monitor.model, window=span, loss=name)
    if found is None:
        return replace(nothing, reason=reference_problem(monitor, now=now))
    if span is None:
        return replace(nothing, reason=no_due_week(due))
    _check_memory(home, monitor, span, found, now)
    both = joined(home, monitor, [span], now=now)
    if both is None or both.rows.num_rows == 0:
        return replace(nothing, reason="no predictions of these days have landed")
    return _searched(monitor, both, found, replace(nothing, is_provisional=due.state_of(span, now) != "mature"), limit)


def _loss_name(monitor: Monitor, kind: Kind) -> LossName:
    """Return the loss that is asked for.

    Raises:
        UsageError: the monitor has none such.

    """
    if monitor.labels is None or monitor.task == "ranking":
        said = "has no labels, so that nobody knows where it failed" if monitor.labels is None else "ranks, which has no loss of one row"
        raise UsageError(f"the model {said}", where=monitor.model, then="`watchkeeper scores` lists what is measured.")
    has_chances = (monitor.task == "binary" and monitor.columns.score) or (monitor.task == "multiclass" and monitor.columns.probabilities)
    if kind == "log_loss" and not has_chances:
        raise UsageError("the model gives no probabilities to take a log loss of", where="--loss", then="Leave it out.")
    return "log loss" if kind == "log_loss" else "absolute error" if monitor.task == "regression" else "wrong"


def _check_memory(home: Home, monitor: Monitor, span: Window, found: Fitted, now: datetime) -> None:
    rows = predictions_of(home, monitor, [span], now=now)
    most = home.memory_bytes // 2 // (PER_JOINED_ROW + _PER_CELL * len(found.bins))
    if rows > most:
        raise UsageError(
            f"the window holds {counted(rows, 'prediction')}, and memory_limit lets {most:,} be looked at",
            where="--window",
            then="Name fewer days, or raise memory_limit in watchkeeper.yaml.",
        )


def _searched(monitor: Monitor, both: Joined, found: Fitted, nothing: SliceSearch, limit: int) -> SliceSearch:
    mine = np.asarray(in_environment(monitor, both.rows))
    lost = _losses(monitor, labelled(monitor, both.rows, found.bins), nothing.loss)
    order = np.asarray(pc.sort_indices(both.rows.column("id")))  # so that the halves do not depend on how rows landed
    known = order[(mine & np.isfinite(lost))[order]]
    loss = lost[known]
    told = replace(nothing, predictions=int(mine.sum()), labelled=len(loss), mean=float(loss.mean()) if len(loss) else None)
    if len(loss) < LEAST_LABELLED:
        return replace(told, reason=f"too few labelled rows to search: {len(loss):,}, and it takes {LEAST_LABELLED:,}")
    columns = {name: condition_cells(found.bins[name], column)[known] for name, column in feature_columns(monitor, both, found.bins)}
    if not columns:
        return replace(told, reason="the model has no features to search, but for private ones")
    bins = [found.bins[name] for name in columns]
    result = worst_slices(np.stack(list(columns.values())).T, loss)
    told = replace(told, features=len(bins), candidates=result.candidates)
    if not result.slices:
        return replace(told, reason=f"no slice stands out beyond chance ({counted(result.candidates, 'candidate')})")
    return replace(told, slices=tuple(_named(one, bins, len(loss)) for one in result.slices[:limit]))


def _losses(monitor: Monitor, rows: Labelled, name: LossName) -> Floats:
    """Return each row's loss, NaN where it has none."""
    if name == "wrong":
        wrong = errors(monitor.task, rows)
        return np.full(len(rows.truth), np.nan) if wrong is None else wrong
    found = losses(monitor.task, rows)
    return np.full(len(rows.truth), np.nan) if found is None else found.loss


def _named(one: Slice, bins: Sequence[FeatureBins], rows: int) -> WorstSlice:
    low, high = one.effect.low, one.effect.high
    return WorstSlice(
        where=" and ".join(condition_text(bins[feature], cell) for feature, cell in one.cells),
        rows=one.rows,
        share=one.rows / rows,
        held=one.held,
        inside=one.inside,
        outside=one.outside,
        effect=one.inside - one.outside,
        low=low if math.isfinite(low) else None,
        high=high if math.isfinite(high) else None,
        p_adjusted=one.p_adjusted,
    )
