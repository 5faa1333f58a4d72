"""Scores of any windows on request, from the sums of their parts: other grains, several windows together, the usual range.

Belongs here: what a window is measured from. Does not: which windows are due (measure.py), the numbers (measures/).
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache

import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.adapters.arrow_records import TIMESTAMP
from watchkeeper.adapters.workspace import Home
from watchkeeper.measures.catalogue import CATALOGUE
from watchkeeper.measures.confidence import learned_threshold
from watchkeeper.measures.frame import BySegment, Frame, LabelView, label_view
from watchkeeper.measures.own import own_kpis
from watchkeeper.measures.readings import readings
from watchkeeper.measures.views import BinaryView
from watchkeeper.monitor import Monitor
from watchkeeper.operations.bins_in_force import bins_of
from watchkeeper.operations.eras import eras_of, in_era
from watchkeeper.operations.expected_losses import errors_of_reference, expected_errors, loss_models
from watchkeeper.operations.maturity import Maturity, maturity_of
from watchkeeper.operations.reference_rows import reference_rows
from watchkeeper.operations.sums import NOTHING, Ledger, ReferenceSums, added, ledger, of_environment, parts_within, reference_sums
from watchkeeper.profiles.bins import FeatureBins
from watchkeeper.profiles.labelled import DECISION
from watchkeeper.profiles.pairs import Pair
from watchkeeper.profiles.parts import LABEL, moments_alone
from watchkeeper.records import CLASS, Score
from watchkeeper.stats.clusters import LEAST_SPANS
from watchkeeper.stats.intervals import Estimate, undefined
from watchkeeper.windows import Grain, Grid, Window

OF_COUNTS = "not estimated since the new normal: its rows are not read again, only their counts are added up"


@dataclass(frozen=True)
class Basis:
    """What every window is measured from: the bins' version, the bins, which parts exist and what each spans, when labels are due, and of which pairs."""

    bins: str
    fitted: dict[str, FeatureBins]
    parts: Ledger
    maturity: Maturity
    grain: Grain
    pairs: tuple[Pair, ...] = ()

    def labels_due(self, monitor: Monitor, now: datetime) -> datetime:
        """Return the end of the last day whose labels are all due, up to which the reference's labels count; by days, so that hours do not ask for all anew."""
        return Grid("day", monitor.timezone).at(self.maturity.until(monitor.grid, now)).start


def basis_of(home: Home, monitor: Monitor, *, now: datetime) -> Basis | None:
    """Return what to measure from, None while there are no bins."""
    found = bins_of(home, monitor, now=now)
    if found is None:
        return None
    due = maturity_of(home, monitor, now=now, bins=found.version)
    return Basis(found.version, found.bins, ledger(home, monitor, found.version, now=now), due, found.grain, found.pairs)


def reference_of(home: Home, monitor: Monitor, basis: Basis, *, now: datetime, metrics: Collection[str] | None = None) -> ReferenceSums:
    """Return the reference's sums, with the labels of its mature windows alone; its labelled rows too where a metric that is asked for (default: all that are stored) is an estimate, but never those of a new normal."""
    due, of_counts = basis.labels_due(monitor, now), OF_COUNTS if monitor.is_rebased else ""
    found = reference_sums(home, monitor, basis.bins, basis.parts, now=now, labels_due=due)
    if any(m.estimates and m.subject == monitor.task and (m.stored if metrics is None else m.name in metrics) for m in CATALOGUE):
        if monitor.task == "regression" and "" not in found.losses:
            found.losses[""] = of_counts or loss_models(home, monitor, basis.fitted, now=now, labels_due=due)
        if monitor.task == "binary" and "" not in found.rows:
            found.rows[""] = of_counts or reference_rows(home, monitor, basis.fitted, now=now, labels_due=due)
    return found


def rolled_up(
    home: Home,
    monitor: Monitor,
    grain: Grid,
    *,
    now: datetime,
    start: datetime,
    end: datetime,
    metrics: Collection[str] | None = None,
    of_whole: bool = False,
    feature: str | None = None,
    over_days: bool = False,
) -> Iterator[Score]:
    """Yield scores of other windows (or of metrics not stored), computed from the sums of their parts, not averaged.

    Each window is compared with the reference of its era, unless the monitor is that of an era already.
    With `of_whole` segments are left out, with `feature` all other features. Intervals are those of a window's rows: how sure is what
    happened in it. With `over_days` they are over the days of longer windows: how sure that is of other days like these.
    """
    basis = basis_of(home, monitor, now=now)
    if basis is None:
        return
    needs_no_segments = of_whole and not are_of_segments(metrics)
    parts = parts_within(
        home, monitor, basis.bins, start, end, now=now, of_whole=needs_no_segments, of_outputs=are_of_outputs(basis, metrics), feature=feature
    )
    found = by_window(grain, of_environment(parts, monitor.environment))
    for era in eras_of(home, monitor, now=now):
        windows = [w for w in grain.between(start, end) if w.start in found and w.start in era]
        reference = reference_of(home, era.monitor, basis, now=now, metrics=metrics) if windows else NOTHING
        for window in windows:
            here = found[window.start]
            frame = frame_of(home, era.monitor, window, grain.grain, basis, reference, now, metrics=metrics, feature=feature)
            made = readings(replace(frame, days=days_of(monitor, window, here, metrics) if over_days else None), added(here))
            yield from (score for score in made if not (of_whole and score.segment))


def usual_range(home: Home, monitor: Monitor, grain: Grid, metric: str, *, now: datetime) -> tuple[float, float] | None:
    """Return the least and the largest value of a metric of the model over the periods of the monitor's reference, None below two of them."""
    basis, span = basis_of(home, monitor, now=now), monitor.reference_span
    if basis is None or span is None:
        return None
    reference = reference_of(home, monitor, basis, now=now, metrics={metric})
    if (metric, grain.grain) not in reference.ranges:
        made = rolled_up(home, monitor, grain, now=now, start=span[0], end=span[1], metrics={metric}, of_whole=True)
        inside = [s.value for s in made if s.value is not None and s.window_start >= span[0] and s.window_end <= span[1]]
        reference.ranges[metric, grain.grain] = (min(inside), max(inside)) if len(inside) > 1 else None
    return reference.ranges[metric, grain.grain]


def pooled_scores(
    home: Home, monitor: Monitor, windows: Collection[tuple[datetime, datetime]], metrics: Collection[str], *, now: datetime
) -> Iterator[Score]:
    """Yield scores of several windows taken together, from the sum of their parts, beside the reference of the first of them."""
    basis = basis_of(home, monitor, now=now)
    if basis is None or not windows:
        return
    monitor = in_era(home, monitor, min(start for start, _ in windows), now=now)
    reference = reference_of(home, monitor, basis, now=now, metrics=metrics)
    span = Window(min(start for start, _ in windows), max(end for _, end in windows))
    every = parts_within(home, monitor, basis.bins, span.start, span.end, now=now, of_outputs=are_of_outputs(basis, metrics))
    inside = of_environment(every, monitor.environment).filter(_within(windows))
    apart = [Window(*each) for each in windows]
    yield from readings(frame_of(home, monitor, span, monitor.window, basis, reference, now, metrics=metrics, apart=apart), added(inside))


def labels_within(home: Home, monitor: Monitor, window: Window, *, now: datetime) -> LabelView | None:
    """Return what became true of the predictions of a time, None while there are no bins, or no labels."""
    basis = basis_of(home, monitor, now=now)
    if basis is None or monitor.labels is None:
        return None
    every = parts_within(home, monitor, basis.bins, window.start, window.end, now=now, of_whole=True, of_outputs=are_of_outputs(basis, ()))
    return label_view(added(of_environment(every, monitor.environment))[""], monitor.task)


def threshold_of(home: Home, monitor: Monitor, *, now: datetime) -> Estimate:
    """Return the score that a binary model's decisions turn at: as stated, or, where it logs its decisions, as the reference tells."""
    if monitor.columns.prediction is None:
        return Estimate(monitor.threshold)
    basis = basis_of(home, monitor, now=now)
    sums = {} if basis is None else reference_of(home, monitor, basis, now=now, metrics=()).sums.get("", {})
    view = label_view(sums, monitor.task)
    return learned_threshold(view) if isinstance(view, BinaryView) else undefined("only a binary model has one")


def _within(windows: Collection[tuple[datetime, datetime]]) -> pc.Expression:
    start = pc.field("window_start")
    inside = pc.scalar(False)
    for begin, end in windows:
        inside |= (start >= pa.scalar(begin, TIMESTAMP)) & (start < pa.scalar(end, TIMESTAMP))
    return inside


def are_of_outputs(basis: Basis, metrics: Collection[str] | None) -> bool:
    """Tell whether metrics can be had without the parts of the columns that the model was given."""
    of_features = {m.name for m in CATALOGUE if m.subject in ("feature", "segments", "pair") or m.estimates}
    return metrics is not None and not of_features.intersection(metrics) and any(name.startswith("@") for name in basis.fitted)


def are_of_segments(metrics: Collection[str] | None) -> bool:
    """Tell whether a metric was asked for that is a number of the whole, and takes the parts of its segments to tell."""
    return metrics is not None and any(m.subject == "segments" and m.name in metrics for m in CATALOGUE)


def by_window(grid: Grid, parts: pa.Table) -> dict[datetime, pa.Table]:
    """Return parts by the start of the window of a grid that they lie in."""
    begun = parts.column("window_start").combine_chunks().dictionary_encode()
    windows = pa.array([grid.at(start).start for start in begun.dictionary.to_pylist()], TIMESTAMP)
    place = windows.take(begun.indices)
    order = pc.sort_indices(place)
    ordered, runs = parts.take(order), pc.run_end_encode(place.take(order))
    ends = runs.run_ends.to_pylist()
    return {start: ordered.slice(first, end - first) for start, first, end in zip(runs.values.to_pylist(), [0, *ends], ends, strict=False)}


def days_of(monitor: Monitor, window: Window, parts: pa.Table, metrics: Collection[str] | None) -> Callable[[], Sequence[BySegment]] | None:
    """Return how to get the label parts of each day of a window from its parts, as far as metrics (default: all) are means over rows.

    None for a window that holds fewer than five days, and for models that are measured by the week or month: how much the days of
    these differ is theirs.
    """
    if monitor.window not in ("hour", "day") or window.end - window.start < (LEAST_SPANS - 0.5) * timedelta(days=1):
        return None
    every = [m.row_mean for m in (*CATALOGUE, *own_kpis(monitor)) if m.row_mean is not None and (metrics is None or m.name in metrics)]
    needed = sorted({name for kind in every for name in kind.needs})

    @cache
    def made() -> list[BySegment]:
        labels = parts.filter((pc.field("kind") == LABEL) & pc.field("feature").isin(needed)) if needed else parts.slice(0, 0)
        decided = pc.field("feature") == DECISION
        labels = pa.concat_tables([labels.filter(decided), moments_alone(labels.filter(~decided))])
        return [added(day) for day in by_window(Grid("day", monitor.timezone), labels).values()] if labels.num_rows else []

    return made


def frame_of(
    home: Home,
    monitor: Monitor,
    window: Window,
    grain: str,
    basis: Basis,
    reference: ReferenceSums,
    now: datetime,
    *,
    metrics: Collection[str] | None = None,
    feature: str | None = None,
    apart: Collection[Window] = (),
) -> Frame:
    """Return what the readings of a window are taken against; classes that targets or the question name are measured one by one.

    With `apart` the window stands for these.
    """
    models = reference.losses.get("", "estimates of errors were not asked for")
    asked = (f or "" for f in (*(t.feature for t in monitor.targets), feature))
    return Frame(
        model=monitor.model,
        task=monitor.task,
        window=window,
        grain=grain,
        bins=basis.bins,
        fitted=basis.fitted,
        reference=reference.id,
        reference_sums=reference.sums,
        pairs=basis.pairs,
        own=own_kpis(monitor),
        entity=monitor.columns.entity or "",
        usual=reference.usual,
        calibrations=reference.calibrations,
        rows=reference.rows.get(""),
        errors=expected_errors(home, monitor, models, now=now, windows=apart),
        errors_of_reference=errors_of_reference(models),
        class_calibrations=reference.class_calibrations,
        asked=tuple(f.removeprefix(CLASS) for f in asked if f.startswith(CLASS)),
        is_mature=basis.maturity.state_of(window, now) != "provisional",
        has_labels=monitor.labels is not None,
        threshold=monitor.threshold if monitor.columns.prediction is None else None,
        gives_chances=monitor.gives_chances,
        latency_limit=monitor.service.latency_limit,
        places=monitor.service_places,
        now=now,
        environment=monitor.environment,
        metrics=metrics,
    )
