"""Readings: every number of one window, from the sums of its parts beside the reference's.

Belongs here: applying the catalogue to views and stating each outcome (done, provisional, mature, insufficient,
not_evaluated). Does not: the formulas, or where parts come from (operations/measure.py).
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from math import isfinite
from typing import Any

from watchkeeper.measures import catalogue
from watchkeeper.measures.catalogue import Metric
from watchkeeper.measures.estimated import calibration_of
from watchkeeper.measures.gap_to_rest import GAP_TO_REST, gap_to_rest
from watchkeeper.measures.views import BinaryView, FeatureView, MulticlassView, RegressionView, ServiceView
from watchkeeper.profiles.bins import FeatureBins
from watchkeeper.profiles.counts import Counts
from watchkeeper.profiles.labelled import SCORE
from watchkeeper.profiles.pairs import Pair, name_of, sums_of
from watchkeeper.profiles.parts import FEATURE, LABEL, PAIR, SERVICE
from watchkeeper.records import Score
from watchkeeper.stats.calibration import Calibration
from watchkeeper.stats.intervals import Estimate, undefined
from watchkeeper.windows import Window
from watchkeeper.words import counted

Sums = Mapping[tuple[str, str, str], Counts]
BySegment = Mapping[str, Sums]
LabelView = BinaryView | RegressionView | MulticlassView

DONE, PROVISIONAL, MATURE, INSUFFICIENT, NOT_EVALUATED = "done", "provisional", "mature", "insufficient", "not_evaluated"
_VIEWS: dict[str, Callable[[dict[tuple[str, str], Counts]], LabelView]] = {
    "binary": BinaryView,
    "regression": RegressionView,
    "multiclass": MulticlassView,
}


@dataclass(frozen=True)
class Frame:
    """What all numbers of one window share: whose they are, where, and against what."""

    model: str
    task: str
    window: Window
    grain: str
    bins: str
    fitted: Mapping[str, FeatureBins]
    reference: str
    reference_sums: BySegment
    is_mature: bool
    has_labels: bool
    now: datetime
    version: str = ""
    environment: str = "production"
    metrics: Collection[str] | None = None
    pairs: Sequence[Pair] = ()
    own: Sequence[Metric] = ()
    usual: dict[tuple[str, str, str], Estimate] = field(default_factory=dict)
    calibrations: dict[str, Calibration | str] = field(default_factory=dict)

    def wants(self, metric: Metric) -> bool:
        """Tell whether a metric is asked for: by name, or because it is stored."""
        return metric.stored if self.metrics is None else metric.name in self.metrics

    def usually(self, metric: str, feature: str, segment: str, compute: Callable[[], Estimate]) -> Estimate:
        """Return a metric on the reference, computed once for all windows."""
        place = (metric, feature, segment)
        if place not in self.usual:
            self.usual[place] = compute()
        return self.usual[place]

    def calibration(self) -> Calibration | str:
        """Return what scores mean in the reference, or why that cannot be said; learned once for all windows."""
        if "" not in self.calibrations:
            self.calibrations[""] = calibration_of(_outcomes(self.reference_sums.get("", {})))
        return self.calibrations[""]


def readings(frame: Frame, sums: BySegment) -> Iterator[Score]:
    """Yield every score of the window: the whole first, then each segment of it."""
    whole = sums.get("", {})
    yield from _features(frame, whole, "")
    yield from _pairs(frame, whole)
    yield from _service(frame, whole, "")
    yield from _kpis(frame, whole, "")
    for segment in sorted(s for s in sums if s):
        yield from _features(frame, sums[segment], segment)
        yield from _service(frame, sums[segment], segment)
        yield from _kpis(frame, sums[segment], segment)
        yield from _gap_to_rest(frame, whole, sums[segment], segment)


def _features(frame: Frame, sums: Sums, segment: str) -> Iterator[Score]:
    reference = frame.reference_sums.get(segment, {})
    for name, bins in frame.fitted.items():
        if segment and name != SCORE:
            continue
        ours, theirs = (FeatureView(bins, s.get((FEATURE, name, ""), Counts()), is_coarse=bool(segment)) for s in (sums, reference))
        for metric in catalogue.of("feature", stored_only=False):
            if frame.wants(metric) and (metric.in_segments or not segment) and _applies(metric, bins, name):
                yield _feature_score(frame, metric, name, segment, theirs, ours)


def _applies(metric: Metric, bins: FeatureBins, name: str) -> bool:
    if metric.only and metric.only != bins.kind:
        return False
    return not (metric.family == "quality" and name.startswith("@") and metric.name != "null_ratio")


def _feature_score(frame: Frame, metric: Metric, name: str, segment: str, theirs: FeatureView, ours: FeatureView) -> Score:
    if ours.counts.n == 0:
        return _score(
            frame, metric, Estimate(float("nan")), NOT_EVALUATED, f"column {name} is absent from this window's events", feature=name, segment=segment
        )
    rows = ours.counts.n if metric.family == "quality" else ours.counts.valued
    estimate = metric.function(theirs, ours)
    usual = frame.usually(metric.name, name, segment, lambda: metric.function(theirs, theirs)) if theirs.counts.n else None
    return _stated(frame, metric, estimate, DONE, rows, usual, feature=name, segment=segment)


def _pairs(frame: Frame, sums: Sums) -> Iterator[Score]:
    ours, theirs = (s.get((PAIR, "", ""), Counts()) for s in (sums, frame.reference_sums.get("", {})))
    for metric in catalogue.of("pair", stored_only=False):
        for place, pair in enumerate(frame.pairs) if frame.wants(metric) else ():
            found = sums_of(ours, place)
            usual = frame.usually(metric.name, name_of(pair), "", partial(metric.function, sums_of(theirs, place)))
            yield _stated(frame, metric, metric.function(found), DONE, found.n, usual, feature=name_of(pair))


def _service(frame: Frame, sums: Sums, segment: str) -> Iterator[Score]:
    view = service_view(sums, frame.task)
    usual = service_view(frame.reference_sums.get(segment, {}), frame.task)
    for metric in catalogue.of("service", stored_only=False):
        if not frame.wants(metric) or (segment and not metric.in_segments):
            continue
        if (metric.name == "error_ratio" and view.status.n == 0) or (metric.name.startswith("latency") and view.latency.n == 0):
            continue
        yield _stated(
            frame,
            metric,
            metric.function(view),
            DONE,
            view.rows,
            frame.usually(metric.name, "", segment, partial(metric.function, usual)) if metric.name != "rows" else None,
            segment=segment,
        )


def service_view(sums: Sums, task: str) -> ServiceView:
    """Return rows, latencies and errors; rows are counted by the score where there is one, else by any feature."""
    score = sums.get((FEATURE, SCORE if task != "multiclass" else "@prediction", ""))
    rows = score.n if score is not None else max((c.n for (kind, _, _), c in sums.items() if kind == FEATURE), default=0)
    return ServiceView(rows, sums.get((SERVICE, "@latency", ""), Counts()), sums.get((SERVICE, "@status", ""), Counts()))


def label_view(sums: Sums, task: str) -> LabelView:
    """Return the label parts of a window as the task's view."""
    return _VIEWS[task]({(feature, outcome): c for (kind, feature, outcome), c in sums.items() if kind == LABEL})


def _kpis(frame: Frame, sums: Sums, segment: str) -> Iterator[Score]:
    if not frame.has_labels or frame.task not in _VIEWS:
        return
    view, usual = label_view(sums, frame.task), label_view(frame.reference_sums.get(segment, {}), frame.task)
    for metric in (*catalogue.of(frame.task, stored_only=False), *frame.own):  # type: ignore[arg-type]
        if frame.wants(metric) and (metric.in_segments or not segment):
            yield _kpi_score(frame, metric, view, usual, segment)


def _kpi_score(frame: Frame, metric: Metric, view: LabelView, usual: LabelView, segment: str) -> Score:
    every = view.labelled + view.pending
    coverage = view.labelled / every if every else None
    state = DONE if not metric.needs_labels else MATURE if frame.is_mature else PROVISIONAL
    rows = view.labelled if metric.needs_labels and metric.name != "label_coverage" else every
    bounds = metric.bounds(view) if metric.bounds and view.pending and not frame.is_mature else None
    measure, usually = _of_kpi(frame, metric)
    usual_value = frame.usually(metric.name, "", segment, lambda: usually(usual)) if usual.labelled else None
    return _stated(frame, metric, measure(view), state, rows, usual_value, segment=segment, coverage=coverage, bounds=bounds)


def _of_kpi(frame: Frame, metric: Metric) -> tuple[Callable[[Any], Estimate], Callable[[Any], Estimate]]:
    """Return how a KPI is measured, and how what is usual: an estimate stands beside the KPI that the reference really had."""
    if not metric.estimates:
        return metric.function, metric.function
    known = frame.calibration()
    if isinstance(known, str):
        reason = known
        return lambda view: undefined(reason, view.scored), lambda view: undefined(reason, view.scored)
    estimate = partial(metric.function, known)
    realised = None if metric.needs_labels else catalogue.find(metric.estimates, metric.subject)
    return estimate, estimate if realised is None else realised.function


def _gap_to_rest(frame: Frame, whole: Sums, sums: Sums, segment: str) -> Iterator[Score]:
    """Yield how far a segment's calibration gap lies from that of all other rows."""
    if frame.task != "binary" or not frame.has_labels or not (frame.metrics is None or GAP_TO_REST.name in frame.metrics):
        return
    everything, ours = _outcomes(whole), _outcomes(sums)
    usual = frame.usually(GAP_TO_REST.name, "", segment, lambda: gap_to_rest(*(_outcomes(frame.reference_sums.get(s, {})) for s in ("", segment))))
    every = ours.labelled + ours.pending
    yield _stated(
        frame,
        GAP_TO_REST,
        gap_to_rest(everything, ours),
        MATURE if frame.is_mature else PROVISIONAL,
        ours.labelled,
        usual,
        segment=segment,
        coverage=ours.labelled / every if every else None,
    )


def _outcomes(sums: Sums) -> BinaryView:
    return BinaryView({(feature, outcome): c for (kind, feature, outcome), c in sums.items() if kind == LABEL})


def _stated(frame: Frame, metric: Metric, estimate: Estimate, state: str, rows: int, usual: Estimate | None, **more: Any) -> Score:
    """Turn an estimate into a score, or say why there is none."""
    if rows < metric.least:
        what = counted(rows, "labelled row" if metric.needs_labels else "row")
        return _score(frame, metric, Estimate(float("nan"), n=rows), INSUFFICIENT, f"{what}, at least {metric.least} are needed", usual=usual, **more)
    if not estimate.is_defined:
        return _score(frame, metric, estimate, NOT_EVALUATED, estimate.reason, usual=usual, **more)
    return _score(frame, metric, estimate, state, estimate.reason, usual=usual, **more)


def _score(
    frame: Frame,
    metric: Metric,
    estimate: Estimate,
    state: str,
    reason: str,
    *,
    feature: str = "",
    segment: str = "",
    usual: Estimate | None = None,
    coverage: float | None = None,
    bounds: tuple[float, float] | None = None,
) -> Score:
    return Score(
        model=frame.model,
        version=frame.version,
        environment=frame.environment,
        metric=metric.name,
        method=metric.method,
        unit=metric.unit,
        direction=metric.direction,
        feature=feature,
        segment=segment,
        window_start=frame.window.start,
        window_end=frame.window.end,
        grain=frame.grain,
        value=_or_none(estimate.value),
        se=_or_none(estimate.se),
        low=_or_none(estimate.low),
        high=_or_none(estimate.high),
        bound_low=_or_none(bounds[0]) if bounds else None,
        bound_high=_or_none(bounds[1]) if bounds else None,
        n=estimate.n,
        reference=frame.reference if metric.compares or usual is not None else "",
        reference_value=_or_none(usual.value) if usual else None,
        bins=frame.bins,
        coverage=coverage,
        state=state,
        reason=reason,
        computed_at=frame.now,
    )


def _or_none(value: float) -> float | None:
    return float(value) if isfinite(value) else None


def by_segment(sums: Iterable[tuple[tuple[str, str, str, str], Counts]]) -> dict[str, dict[tuple[str, str, str], Counts]]:
    """Regroup sums keyed (segment, kind, feature, outcome)."""
    out: dict[str, dict[tuple[str, str, str], Counts]] = {"": {}}
    for (segment, kind, feature, outcome), counts in sums:
        out.setdefault(segment, {})[kind, feature, outcome] = counts
    return out
