"""Segments: a KPI of some days beside the reference, taken apart by the segments that a monitor declares.

Belongs here: which windows and which number are looked at, and reading their parts. Does not: the split (measures/segment_mix.py), its
words (site/segments.py).
"""

from dataclasses import replace
from datetime import datetime, timedelta

import pyarrow as pa

from watchkeeper.adapters.workspace import Home
from watchkeeper.errors import UsageError
from watchkeeper.measures import catalogue
from watchkeeper.measures.catalogue import Metric
from watchkeeper.measures.frame import label_view
from watchkeeper.measures.own import own_kpis
from watchkeeper.measures.row_means import RowSums
from watchkeeper.measures.segment_mix import split_by
from watchkeeper.monitor import Monitor
from watchkeeper.operations.bins_in_force import reference_problem
from watchkeeper.operations.eras import in_era
from watchkeeper.operations.maturity import latest_due_week, no_due_week
from watchkeeper.operations.rollup import Basis, basis_of
from watchkeeper.operations.sums import KEPT, added, label_parts, reference_revision
from watchkeeper.records import key
from watchkeeper.site.segments import SegmentReport
from watchkeeper.spelling import dimension_of
from watchkeeper.windows import Grid, Window
from watchkeeper.words import counted, listed

_OF_SCORES = frozenset({"log_loss", "brier", "calibration_gap", "score_mean"})


def segments(home: Home, monitor: Monitor, *, now: datetime, metric: str | None = None, window: Window | None = None) -> SegmentReport:
    """Return how a KPI of a window differs from the reference, by each declared dimension; pairs are dimensions of their own.

    The default are the KPI of `usual_metric` and the latest seven days whose labels are due. The window is widened to whole parts, which
    are hours or days. No rows are read.

    Raises:
        UsageError: no segments or labels are declared, or the KPI is no mean over rows.

    """
    asked = _asked(monitor, metric or usual_metric(monitor))
    basis = basis_of(home, monitor, now=now)
    nothing = SegmentReport(model=monitor.model, metric=asked.name, unit=asked.unit, window=window)
    if basis is None:
        return replace(nothing, reason=reference_problem(monitor, now=now))
    span = window or latest_due_week(home, monitor, basis.maturity, now=now)
    if span is None:
        return replace(nothing, reason=no_due_week(basis.maturity))
    span = _whole_parts(monitor, basis, span)
    is_provisional = basis.maturity.state_of(span, now) != "mature"
    return _told(home, monitor, basis, asked, replace(nothing, window=span, is_provisional=is_provisional), now)


def usual_metric(monitor: Monitor) -> str:
    """Return the KPI that segments are compared by where none is named: the log loss where there are probabilities, else errors."""
    if monitor.task == "regression":
        return "mae"
    return "log_loss" if _has_chances(monitor) else "accuracy"


def _has_chances(monitor: Monitor) -> bool:
    return bool(monitor.columns.score if monitor.task == "binary" else monitor.columns.probabilities)


def _asked(monitor: Monitor, name: str) -> Metric:
    """Return the metric that is asked for.

    Raises:
        UsageError: there are no segments to compare, or nothing to compare them by.

    """
    if not monitor.segments:
        raise UsageError(
            "the monitor declares no segments", where=monitor.model, then="Add for example `segments: [carrier]`, then `watchkeeper run`."
        )
    if monitor.labels is None or monitor.task == "ranking":
        said = "has no labels, so that nobody knows how segments did" if monitor.labels is None else "ranks, which has no KPIs of rows"
        raise UsageError(f"the model {said}", where=monitor.model, then="`watchkeeper scores` lists what is measured.")
    every = split_metrics(monitor)
    if name not in every:
        raise UsageError(_unsplit(monitor, name), where="--metric", then=f"Those that are means over rows: {', '.join(every)}.")
    return every[name]


def _unsplit(monitor: Monitor, name: str) -> str:
    """Return why the change of a number has no parts."""
    if any(m.name == name and m.is_total for m in own_kpis(monitor)):
        return f"{name} is a sum over rows, so that its change is first of all how many rows there are; a KPI of its SQL with `aggregate: mean` has parts"
    if monitor.task != "regression" and name in _OF_SCORES:
        return f"{name} is of scores or probabilities, and the monitor names no columns of these"
    known = any(m.name == name and m.subject == monitor.task for m in catalogue.CATALOGUE)
    return f"{name} is no mean over rows, so that its change has no parts" if known else f"no KPI of this model is called {name!r}"


def split_metrics(monitor: Monitor) -> dict[str, Metric]:
    """Return the KPIs of a model that are means over rows, whose change has parts; without scores those of decisions alone."""
    every = (*catalogue.CATALOGUE, *own_kpis(monitor)) if monitor.labels is not None else ()
    lacking = _OF_SCORES if monitor.task != "regression" and not _has_chances(monitor) else frozenset()
    return {m.name: m for m in every if m.subject == monitor.task and m.row_mean is not None and not m.row_mean.is_root and m.name not in lacking}


def _whole_parts(monitor: Monitor, basis: Basis, span: Window) -> Window:
    grid = Grid(basis.grain, monitor.timezone)
    return Window(grid.at(span.start).start, grid.at(span.end - timedelta.resolution).end)


def _told(home: Home, monitor: Monitor, basis: Basis, metric: Metric, nothing: SegmentReport, now: datetime) -> SegmentReport:
    kind = metric.row_mean
    if kind is None or nothing.window is None:
        return nothing
    before = _of_reference(home, in_era(home, monitor, nothing.window.start, now=now), basis, metric, now)
    after = _sides(monitor, metric, label_parts(home, monitor, basis.bins, nothing.window, kind.needs, now=now))
    wrong = [f"{name} has {side}" for name, side in (("the reference", before), ("the window", after)) if isinstance(side, str)]
    if isinstance(before, str) or isinstance(after, str):
        return replace(nothing, reason=listed(wrong))
    made = [split_by(dimension, kind, *(_of_dimension(side, dimension, monitor) for side in (before, after))) for dimension in monitor.segments]
    return replace(
        nothing,
        value=kind.interval(after[""]),
        reference_value=before[""].mean,
        splits=tuple(split for split in made if split is not None),
        rows_of_one=monitor.columns.entity or "",
    )


_REFERENCES: dict[str, dict[str, RowSums] | str] = {}


def _of_reference(home: Home, monitor: Monitor, basis: Basis, metric: Metric, now: datetime) -> dict[str, RowSums] | str:
    """Return the reference's side, as far as its labels are due; kept in this process while no part of it changes."""
    start, end = monitor.reference_span or (now, now)
    span, revision = Window(start, min(end, basis.labels_due(monitor, now))), reference_revision(monitor, basis.parts)
    name = f"{home.lake.address} {key(monitor.model, basis.bins, metric.name, span.start, span.end, revision)}"
    if name not in _REFERENCES:
        _REFERENCES.clear() if len(_REFERENCES) > KEPT else None
        needs = metric.row_mean.needs if metric.row_mean else ()
        _REFERENCES[name] = _sides(monitor, metric, label_parts(home, monitor, basis.bins, span, needs, now=now))
    return _REFERENCES[name]


def _sides(monitor: Monitor, metric: Metric, parts: pa.Table) -> dict[str, RowSums] | str:
    """Return a KPI's sums over all rows and by segment, or what is wrong where they make no number."""
    views = {segment: label_view(sums, monitor.task) for segment, sums in added(parts).items()}
    found = metric.function(views[""])
    if metric.row_mean is None or not found.is_defined:
        return f"no {metric.name}: {found.reason}"
    if found.n < metric.least:
        return f"{counted(found.n, 'row')} of it, and it takes {metric.least}"
    return {segment: metric.row_mean.sums(view) for segment, view in views.items()}


def _of_dimension(sums: dict[str, RowSums], dimension: str, monitor: Monitor) -> dict[str, RowSums]:
    return {name: part for name, part in sums.items() if not name or dimension_of(name, monitor.segments) == dimension}
