"""Segments: a KPI of some days beside the reference, taken apart by the segments that a monitor declares.

Belongs here: which windows and which number are looked at, and reading their parts. Does not: the split (measures/segment_mix.py), its
words (site/segments.py).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pyarrow as pa

from watchkeeper.adapters.workspace import Home
from watchkeeper.errors import UsageError
from watchkeeper.measures import catalogue
from watchkeeper.measures.catalogue import Metric
from watchkeeper.measures.own import own_kpis
from watchkeeper.measures.readings import label_view
from watchkeeper.measures.row_means import RowMean, RowSums
from watchkeeper.measures.segment_mix import Counted, Sums, split_by
from watchkeeper.monitor import Monitor
from watchkeeper.operations.bins_in_force import reference_problem
from watchkeeper.operations.maturity import latest_due_week
from watchkeeper.operations.rollup import Basis, basis_of, by_window
from watchkeeper.operations.sums import added, label_parts
from watchkeeper.profiles.groups import dimension_of
from watchkeeper.site.segments import SegmentReport
from watchkeeper.windows import Grid, Window
from watchkeeper.words import counted, listed


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
    if window is None and basis.maturity.source == "unknown":
        return replace(nothing, reason=basis.maturity.due_text)
    span = window or latest_due_week(home, monitor, basis.maturity, now=now)
    if span is None:
        return replace(nothing, reason="no predictions have landed whose labels are due")
    span = _whole_parts(monitor, basis, span)
    state = basis.maturity.state_of(span, now)
    return _told(home, monitor, basis, asked, replace(nothing, window=span, is_provisional=state != "mature"), now)


def usual_metric(monitor: Monitor) -> str:
    """Return the KPI that segments are compared by where none is named: the log loss where there are probabilities, else errors."""
    if monitor.task == "regression":
        return "mae"
    has_chances = monitor.columns.score if monitor.task == "binary" else monitor.columns.probabilities
    return "log_loss" if has_chances else "accuracy"


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
    every = [m for m in (*catalogue.CATALOGUE, *own_kpis(monitor)) if m.subject == monitor.task and m.row_mean is not None]
    found = next((m for m in every if m.name == name), None)
    if found is None:
        names = [m.name for m in every]
        known = any(m.name == name for m in catalogue.of(monitor.task, stored_only=False))
        what = f"{name} is no mean over rows, so that its change has no parts" if known else f"no KPI of this model is called {name!r}"
        raise UsageError(what, where="--metric", then=f"Those that are means over rows: {', '.join(names)}.")
    return found


def _whole_parts(monitor: Monitor, basis: Basis, span: Window) -> Window:
    grid = Grid(basis.grain, monitor.timezone)
    return Window(grid.at(span.start).start, grid.at(span.end - timedelta.resolution).end)


def _told(home: Home, monitor: Monitor, basis: Basis, metric: Metric, nothing: SegmentReport, now: datetime) -> SegmentReport:
    kind, reference = metric.row_mean, monitor.reference_span
    if kind is None or reference is None or nothing.window is None:
        return nothing
    due = min(reference[1], basis.labels_due(monitor, now))
    parts = [label_parts(home, monitor, basis.bins, span, kind.needs, now=now) for span in (Window(reference[0], due), nothing.window)]
    wrong = list(_undefined(monitor, metric, parts))
    if wrong:
        return replace(nothing, reason=listed(wrong))
    days = [list(_by_day(monitor, kind, side)) for side in parts]
    whole = [side[""] for side in map(_added, days)]
    made = [split_by(dimension, kind, *(_of_dimension(side, dimension, monitor) for side in days)) for dimension in monitor.segments]
    apart = not all(split.days for split in made if split is not None)
    return replace(
        nothing,
        value=kind.interval(whole[1]),
        reference_value=whole[0].mean,
        splits=tuple(split for split in made if split is not None),
        rows_of_one=monitor.columns.entity or "" if apart else "",
    )


def _undefined(monitor: Monitor, metric: Metric, parts: Sequence[pa.Table]) -> Iterator[str]:
    """Yield why the number is none, or rests on too few rows, in the reference or in the window."""
    for side, name in zip(parts, ("the reference", "the window"), strict=True):
        view = label_view(added(side).get("", {}), monitor.task)
        found = metric.function(view)
        if not found.is_defined:
            yield f"{name} has none: {found.reason}"
        elif found.n < metric.least:
            yield f"{name} has {counted(found.n, 'row')} of it, and it takes {metric.least}"


def _by_day(monitor: Monitor, kind: RowMean, parts: pa.Table) -> Iterator[dict[str, RowSums]]:
    """Yield the sums of each day, of all rows and by segment."""
    for day in by_window(Grid("day", monitor.timezone), parts).values():
        yield {segment: kind.sums(label_view(sums, monitor.task)) for segment, sums in added(day).items()}


def _added(days: Sequence[Sums]) -> dict[str, RowSums]:
    """Return the sums over days."""
    out: dict[str, RowSums] = {}
    for day in days:
        for name, part in day.items():
            out[name] = out[name].more(part) if name in out else part
    return out


def _of_dimension(days: Sequence[Mapping[str, RowSums]], dimension: str, monitor: Monitor) -> Counted:
    mine = [{name: part for name, part in day.items() if not name or dimension_of(name, monitor.segments) == dimension} for day in days]
    return Counted(_added(mine), [day for day in mine if day[""].n])
