"""Compare: two versions of a model side by side over the same time, with the difference and how sure it is.

Belongs here: which rows are compared, and the differences. Does not: the KPIs (measures/), how they are printed (cli/versions.py).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from math import nan, sqrt

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.special import stdtrit

from watchkeeper.adapters.arrow_records import TIMESTAMP
from watchkeeper.adapters.workspace import Home
from watchkeeper.errors import UsageError
from watchkeeper.judgement.standing import named_version
from watchkeeper.measures import catalogue
from watchkeeper.measures.frame import label_view
from watchkeeper.monitor import Monitor
from watchkeeper.operations.convert import as_text
from watchkeeper.operations.entities import entities_of
from watchkeeper.operations.join import joined, labelled
from watchkeeper.operations.maturity import maturity_of
from watchkeeper.operations.version_list import known_standings
from watchkeeper.profiles.clusters import Entities
from watchkeeper.profiles.groups import NULL
from watchkeeper.profiles.labelled import Labelled, pieces
from watchkeeper.profiles.losses import errors, losses
from watchkeeper.profiles.parts import LABEL
from watchkeeper.stats.differences import difference
from watchkeeper.stats.intervals import Estimate, mean
from watchkeeper.windows import Window

Floats = NDArray[np.float64]
COMPARED = {
    "binary": ("log_loss", "roc_auc", "accuracy", "recall", "precision", "brier"),
    "regression": ("mae", "rmse", "bias"),
    "multiclass": ("accuracy", "log_loss", "macro_f1"),
}
DECISIVE = {"binary": ("log_loss", "roc_auc", "accuracy"), "regression": ("mae",), "multiclass": ("accuracy", "log_loss")}
"""By which a newer version is called worse: whether it ranks, decides and knows its chances."""
LEAST_PAIRS = 100
_THERE = "`watchkeeper versions list {}` tells which there are."


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One KPI of both versions; `difference` is newer minus older with its 95 % interval, `pairs` how many rows both scored."""

    metric: str
    older: float | None
    newer: float | None
    difference: float | None
    low: float | None
    high: float | None
    verdict: str
    n_older: int
    n_newer: int
    pairs: int
    is_decisive: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What came of comparing two versions, over which time; `uncalibrated` says of which of them it is not known what is usual, and why."""

    older: str
    newer: str
    window: Window
    differences: Sequence[Difference]
    entity: str = ""
    """The column whose rows of one value are one witness, where the monitor names it: the differences of means are told so, others decide nothing."""
    uncalibrated: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_worse(self) -> bool:
        """Tell whether the newer version is worse beyond its interval in what decides."""
        return any(d.verdict == "worse" and d.is_decisive for d in self.differences)


def compare(home: Home, monitor: Monitor, older: str, newer: str, *, now: datetime, window: Window | None = None) -> Comparison:
    """Return the KPIs of two versions and their differences, over the mature windows of a time or of all in which both scored.

    Rows of all environments count, so that a version in staging may be compared with the one in production. Where both scored the
    same ids, losses are compared row by row, which tells smaller differences.

    Raises:
        UsageError: the model logs no version, has no labels, the two are one, or they never scored at the same time.

    """
    if monitor.columns.version is None or monitor.labels is None:
        missing = "`columns.version`" if monitor.columns.version is None else "`labels`"
        raise UsageError(f"versions cannot be compared without {missing}", where=monitor.model, then="Name it in the monitor file.")
    if older == newer:
        raise UsageError(f"{older!r} is named twice: a version is compared with another one", where=monitor.model, then=_THERE.format(monitor.model))
    maturity = maturity_of(home, monitor, now=now)
    due, both = maturity.until(monitor.grid, now), (older, newer)
    span = _together(monitor, _spans(home, monitor, both, now), due) if window is None else Window(window.start, min(window.end, due))
    if span.end <= span.start:
        _spans(home, monitor, both, now)  # a version that never scored is told first
        raise UsageError(
            f"no window of that time is mature: {maturity.due_text}", where=monitor.model, then="Name earlier days of both: --window DAY..DAY."
        )
    found = joined(home, monitor, [span], now=now)
    rows = None if found is None else found.rows
    if rows is None or rows.num_rows == 0:
        raise UsageError("no rows of that time have landed", where="--window", then="`watchkeeper scores` shows which windows there are.")
    version = np.asarray(as_text(rows.column("version")).fill_null(NULL).combine_chunks().to_numpy(zero_copy_only=False), str)
    group = np.where(version == older, 0, np.where(version == newer, 1, -1))
    values = labelled(monitor, rows, {})
    told = [name for place, name in enumerate((older, newer)) if not (group == place).any()]
    if told:
        raise UsageError(f"version {told[0]!r} has no rows there", where=monitor.model, then=_THERE.format(monitor.model))
    differences = list(_differences(monitor, values, group, _pairs(rows, values, group), entities_of(rows)))
    standing = _uncalibrated(home, monitor, both, now)
    entity = monitor.columns.entity or ""
    return Comparison(older=older, newer=newer, window=span, differences=differences, entity=entity, uncalibrated=standing)


def _uncalibrated(home: Home, monitor: Monitor, versions: tuple[str, str], now: datetime) -> dict[str, str]:
    """Return why a version is uncalibrated in every environment that it ran in."""
    found = known_standings(home, monitor, now=now)
    every = {v: [s for s in found if named_version(s.version) == v] for v in versions}
    return {v: mine[0].why for v, mine in every.items() if mine and not any(s.is_calibrated for s in mine)}


def _spans(home: Home, monitor: Monitor, versions: tuple[str, str], now: datetime) -> Mapping[str, tuple[datetime, datetime]]:
    """Return when each version scored first and last."""
    events, version = home.lake.dataset(f"events/{monitor.model}"), pc.coalesce(pc.field(monitor.columns.version or "").cast(pa.string()), NULL)
    if events is None:
        raise UsageError("no rows have landed", where=monitor.model, then="Run `watchkeeper run`.")
    known = (pc.field("wk_landed_at") <= pa.scalar(now, TIMESTAMP)) & version.isin(list(versions))
    rows = events.to_table(columns={"version": version, "at": pc.field("wk_time")}, filter=known)
    spans = rows.group_by("version").aggregate([("at", "min"), ("at", "max")]).to_pylist()
    by_version = {r["version"]: (r["at_min"], r["at_max"]) for r in spans}
    missing = [v for v in versions if v not in by_version]
    if missing:
        raise UsageError(f"no rows of version {missing[0]!r} have landed", where=monitor.model, then=_THERE.format(monitor.model))
    return by_version


def _together(monitor: Monitor, spans: Mapping[str, tuple[datetime, datetime]], due: datetime) -> Window:
    """Return the time in which both versions scored, as far as its labels are due."""
    start = monitor.grid.at(max(first for first, _ in spans.values())).start
    last = monitor.grid.at(min(last for _, last in spans.values())).end
    if last <= start:
        raise UsageError("the two never scored at the same time", where=monitor.model, then="Name days of both: --window DAY..DAY.")
    return Window(start, min(last, due))


@dataclass(frozen=True, slots=True)
class _Paired:
    """Places of the same predictions by both versions, both with a label."""

    older: NDArray[np.int64]
    newer: NDArray[np.int64]


def _pairs(rows: pa.Table, values: Labelled, group: NDArray[np.int64]) -> _Paired:
    known = np.isfinite(values.truth) & ((values.truth >= 0) | (not values.classes))
    ids = rows.column("id").combine_chunks().to_numpy(zero_copy_only=False)
    places = [np.flatnonzero((group == g) & known) for g in (0, 1)]
    _, left, right = np.intersect1d(ids[places[0]].astype(str), ids[places[1]].astype(str), return_indices=True)
    return _Paired(places[0][left], places[1][right])


def _differences(monitor: Monitor, values: Labelled, group: NDArray[np.int64], paired: _Paired, entities: Entities | None) -> Iterator[Difference]:
    counts = [(p.feature, p.outcome, p.count(group, 2)) for p in pieces(monitor.task, values)]
    sides = [{(LABEL, feature, outcome): c.of(g) for feature, outcome, c in counts} for g in (0, 1)]
    views = [label_view({k: c for k, c in side.items() if c.n}, monitor.task) for side in sides]
    for name in COMPARED.get(monitor.task, ()):
        metric = catalogue.find(name, monitor.task)
        if metric is None:
            continue
        older, newer = (metric.function(view) for view in views)
        every = _losses(monitor.task, name, values)
        losses = every if len(paired.older) >= LEAST_PAIRS else None
        found = difference(newer, older) if losses is None else _row_by_row(losses[paired.newer] - losses[paired.older])
        if entities is not None and every is not None and found.is_defined:
            found = _over_entities(found, _pulls(every, group, paired if losses is not None else None), entities)
        yield Difference(
            metric=name,
            older=_or_none(older.value),
            newer=_or_none(newer.value),
            difference=_or_none(found.value),
            low=_or_none(found.low),
            high=_or_none(found.high),
            verdict=_verdict(found, metric.direction),
            n_older=older.n,
            n_newer=newer.n,
            pairs=0 if losses is None else len(paired.older),
            is_decisive=name in DECISIVE[monitor.task] and (entities is None or every is not None),
        )


def _pulls(losses: Floats, group: NDArray[np.int64], paired: _Paired | None) -> Floats:
    """Return by how much each row moves the difference of two means, or the mean of differences: they add up to nought."""
    out = np.zeros(len(losses))
    if paired is not None:
        apart = losses[paired.newer] - losses[paired.older]
        out[paired.newer] = (apart - apart.mean()) / len(apart)
        return out
    for side, sign in ((0, -1.0), (1, 1.0)):
        mine = np.flatnonzero((group == side) & np.isfinite(losses))
        out[mine] = sign * (losses[mine] - losses[mine].mean()) / max(1, len(mine))
    return out


def _over_entities(found: Estimate, pulls: Floats, entities: Entities) -> Estimate:
    """Return a difference with the interval it has when rows of one entity are one witness (Liang and Zeger 1986), of either version; t."""
    of = np.where(entities.codes >= 0, entities.codes, entities.codes.max(initial=0) + 1 + np.arange(len(pulls)))
    whose, place = np.unique(of[pulls != 0], return_inverse=True)
    m = len(whose)
    if m < 2:  # noqa: PLR2004 - one entity has nobody to differ from
        return replace(found, se=nan, low=nan, high=nan)
    se = sqrt(m / (m - 1) * float(np.sum(np.bincount(place, weights=pulls[pulls != 0]) ** 2)))
    half = float(stdtrit(m - 1, 0.975)) * se
    return replace(found, se=se, low=found.value - half, high=found.value + half)


def _losses(task: str, metric: str, values: Labelled) -> Floats | None:
    """Return a KPI's row function where it is a mean of one, so that the same rows can be compared."""
    if metric == "accuracy":
        wrong = errors(task, values)
        return None if wrong is None else 1 - wrong
    if metric in ("brier", "bias"):
        apart = values.score - values.truth
        return apart if metric == "bias" else apart**2
    found = losses(task, values) if (task, metric) in (("binary", "log_loss"), ("regression", "mae")) else None
    return None if found is None else found.loss


def _row_by_row(difference: Floats) -> Estimate:
    finite = difference[np.isfinite(difference)]
    return mean(float(finite.sum()), float((finite**2).sum()), len(finite))


def _verdict(found: Estimate, direction: str) -> str:
    if not (np.isfinite(found.low) and np.isfinite(found.high)) or direction not in ("higher_is_better", "lower_is_better"):
        return "cannot tell"
    sign = 1 if direction == "higher_is_better" else -1
    low, high = sorted((sign * found.low, sign * found.high))
    return "better" if low > 0 else "worse" if high < 0 else "no difference seen"


def _or_none(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
