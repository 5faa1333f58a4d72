"""Expected losses: models of a regression's losses, learned on its reference and asked for the rows of windows.

Belongs here: reading rows, and remembering models. Does not: the model itself (measures/loss_model.py).
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from watchkeeper.adapters.workspace import Home
from watchkeeper.measures.estimated_errors import ExpectedErrors
from watchkeeper.measures.frame import Sums
from watchkeeper.measures.likeness import LEAST_LIKE, MOST_OUTSIDE
from watchkeeper.measures.loss_model import LEAST_DAYS, Loss, LossModel, fitted, fold_of
from watchkeeper.monitor import Monitor
from watchkeeper.operations.fit import is_private
from watchkeeper.operations.join import in_environment, joined, labelled, rows_within
from watchkeeper.operations.reference_rows import days_of, some_windows
from watchkeeper.profiles.bins import FeatureBins
from watchkeeper.profiles.columns import Rows, as_numbers, is_numeric
from watchkeeper.profiles.conditions import MISSING, condition_cells
from watchkeeper.profiles.counts import Counts
from watchkeeper.profiles.groups import NULL
from watchkeeper.profiles.kinds import Derived, source_of
from watchkeeper.profiles.labelled import SCORE
from watchkeeper.profiles.parts import FEATURE
from watchkeeper.stats.intervals import Estimate, undefined
from watchkeeper.windows import Window
from watchkeeper.words import counted, percent

MOST_ROWS = 50_000
Block = NDArray[np.float32]


@dataclass(frozen=True)
class LossModels:
    """Labelled rows of a reference, and the models that were fitted to them so far."""

    names: tuple[str, ...]
    bins: Mapping[str, FeatureBins]
    features: Block
    error: NDArray[np.float64]
    day: NDArray[np.int64]
    days: tuple[datetime, ...]
    fitted: dict[Loss, LossModel] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)

    def of(self, loss: Loss) -> LossModel:
        """Return the model of a loss, fitted once."""
        with self.lock:
            if loss not in self.fitted:
                is_category = [self.bins[n].kind == "category" for n in self.names]
                self.fitted[loss] = fitted(self.features, is_category, self.error, self.day, len(self.days) - 1, loss)
            return self.fitted[loss]

    def fold(self, window: Window) -> int | None:
        """Return the fold of a window of the reference, None for one outside; of a longer one the fold that it begins in."""
        inside = [d for d, (begin, end) in enumerate(zip(self.days, self.days[1:], strict=False)) if begin < window.end and end > window.start]
        return int(fold_of(inside[0], len(self.days) - 1)) if inside else None


def loss_models(home: Home, monitor: Monitor, bins: Mapping[str, FeatureBins], *, now: datetime, labels_due: datetime) -> LossModels | str:
    """Return what models of losses are fitted to: at most 50,000 labelled rows of the reference; or why there are too few."""
    if monitor.reference_span is None or monitor.labels is None:
        return "the model has no labels"
    start, end = monitor.reference_span
    whole = Window(start, max(start, min(end, labels_due)))
    windows = some_windows(home, monitor, whole, MOST_ROWS, now=now)
    both = joined(home, monitor, windows, now=now) if windows else None
    rows = None if both is None else labelled(monitor, both.rows, dict(bins))
    known = (
        np.empty(0, np.int64)
        if both is None or rows is None
        else np.flatnonzero(np.asarray(in_environment(monitor, both.rows)) & np.isfinite(rows.truth) & np.isfinite(rows.score))
    )
    if both is None or rows is None or len(known) < LEAST_LIKE:
        return f"the reference has {counted(len(known), 'labelled row')}, and estimates take {LEAST_LIKE}"
    days, day = days_of(monitor, whole, both.rows.column("time"))
    if len(np.unique(day[known])) < LEAST_DAYS:
        return f"the labelled rows of the reference are of {counted(len(np.unique(day[known])), 'day')}, and estimates take {LEAST_DAYS}"
    names = tuple(n for n in bins if (n == SCORE or not n.startswith("@")) and not is_private(monitor, n))
    columns = both.columns(_columns(monitor, names, both.events.schema.names))
    features = _block(monitor, bins, names, Derived(columns, "wk_time", monitor.timezone))
    return LossModels(names, bins, features[known], (rows.score - rows.truth)[known], day[known], days)


def expected_errors(
    home: Home, monitor: Monitor, models: LossModels | str, *, now: datetime, windows: Collection[Window] = ()
) -> Callable[[Window, str, Sums], ExpectedErrors]:
    """Return what says what is expected of the rows of a window (or of several that stand for it), of one version where it is named."""

    def of_window(window: Window, version: str, sums: Sums) -> ExpectedErrors:
        def of(loss: Loss) -> Estimate:
            if isinstance(models, str):
                return undefined(models)
            if strange := _strange(models, sums):
                return undefined(strange)
            return models.of(loss).expected(_blocks(home, monitor, models, windows or [window], version, now), models.fold(window))

        kept: dict[Loss, Estimate] = {}
        return ExpectedErrors(lambda loss: kept.get(loss) or kept.setdefault(loss, of(loss)))

    return of_window


def errors_of_reference(models: LossModels | str) -> ExpectedErrors:
    """Return what was expected of the reference's own rows by models that had not seen them."""
    return ExpectedErrors(lambda loss: undefined(models) if isinstance(models, str) else models.of(loss).known)


def _strange(models: LossModels, sums: Sums) -> str:
    """Name a category feature of which many rows have values that the reference never had; empty where there is none."""
    for name in models.names:
        bins, counts = models.bins[name], sums.get((FEATURE, name, ""), Counts())
        share = counts.dense(bins.size)[bins.unseen] / max(1, counts.n) if bins.kind == "category" else 0.0
        if share > MOST_OUTSIDE:
            return f"{percent(float(share))} of rows have values of {name} that the reference never had"
    return ""


def _blocks(home: Home, monitor: Monitor, models: LossModels, windows: Collection[Window], version: str, now: datetime) -> Iterator[Block]:
    roles = monitor.columns
    extra = [c for c in (roles.environment, roles.version if version else None) if c]
    told = ((roles.environment, monitor.environment, monitor.environment), (roles.version, version, NULL))
    for rows in rows_within(
        home, monitor, windows, lambda there: [*_columns(monitor, models.names, there), *(c for c in extra if c in there)], now=now
    ):
        mine = pc.is_valid(rows.column("wk_time"))
        for column, wanted, unnamed in told:
            if column in rows.column_names and wanted:
                mine = pc.and_(mine, pc.equal(pc.fill_null(pc.cast(rows.column(column), pa.string()), unnamed), wanted))
        yield _block(monitor, models.bins, models.names, Derived(rows.filter(mine), "wk_time", monitor.timezone))


def _columns(monitor: Monitor, names: tuple[str, ...], there: list[str]) -> list[str]:
    """Return the stored columns that features are made of, and the time."""
    made = {source_of(_column(monitor, n), there)[0] for n in names}
    return sorted({c for c in made if c in there} | {"wk_time"})


def _column(monitor: Monitor, name: str) -> str:
    return (monitor.columns.score or monitor.columns.prediction or "") if name == SCORE else name


def _block(monitor: Monitor, bins: Mapping[str, FeatureBins], names: tuple[str, ...], rows: Rows) -> Block:
    """Return the features of rows as numbers, (rows, features); categories by their cell, NaN where there is none."""
    out = np.full((rows.num_rows, len(names)), np.nan, np.float32)
    for place, name in enumerate(names):
        column = _column(monitor, name)
        if source_of(column, rows.column_names)[0] not in rows.column_names:
            continue
        values = rows.column(column)
        if bins[name].kind == "category":
            cells = condition_cells(bins[name], values)
            out[:, place] = np.where(cells == MISSING, np.nan, cells)
        elif is_numeric(values.type):
            numbers, nulls = as_numbers(values)
            with np.errstate(over="ignore"):
                out[:, place] = np.where(nulls, np.nan, numbers)
    return out
