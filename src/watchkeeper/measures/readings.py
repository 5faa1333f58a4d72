"""Readings: every number of one window, from the sums of its parts beside the reference's.

Belongs here: applying the catalogue to views and stating each outcome (done, provisional, mature, insufficient,
not_evaluated). Does not: the formulas, or where parts come from (operations/measure.py).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache, partial
from math import isfinite
from typing import Any

from watchkeeper.measures import catalogue
from watchkeeper.measures.catalogue import Metric
from watchkeeper.measures.classes import most_frequent
from watchkeeper.measures.clustered import clustered, rows_taken_apart
from watchkeeper.measures.confidence import learned_threshold
from watchkeeper.measures.frame import VIEWS, BySegment, Frame, Known, LabelView, Sums, label_view, outcomes, served
from watchkeeper.measures.gap_to_rest import GAP_TO_REST, gap_to_rest
from watchkeeper.measures.places import is_logged, is_place, is_wanted, places_of
from watchkeeper.measures.segment_shift import sides
from watchkeeper.measures.service_view import STATUS
from watchkeeper.measures.views import BinaryView, FeatureView, MulticlassView
from watchkeeper.profiles.bins import FeatureBins
from watchkeeper.profiles.counts import Counts
from watchkeeper.profiles.labelled import SCORE
from watchkeeper.profiles.pairs import name_of, sums_of
from watchkeeper.profiles.parts import FEATURE, PAIR, SERVICE
from watchkeeper.records import CLASS, Score
from watchkeeper.spelling import segment_pairs
from watchkeeper.stats.intervals import Estimate, undefined
from watchkeeper.words import counted

OUTPUTS, STATUS_KEY = (SCORE, "@prediction"), (SERVICE, STATUS, "")
DONE, PROVISIONAL, MATURE, INSUFFICIENT, NOT_EVALUATED = "done", "provisional", "mature", "insufficient", "not_evaluated"


def readings(frame: Frame, sums: BySegment) -> Iterator[Score]:
    """Yield every score of the window: the whole first, then each segment of it."""
    whole = sums.get("", {})
    yield from _features(frame, whole, "")
    yield from _segment_shifts(frame, sums)
    yield from _pairs(frame, whole)
    yield from _service(frame, sums, "")
    yield from _kpis(frame, whole, "")
    places = places_of(frame, sums)
    for segment in sorted(s for s in sums if s):
        if segment in places or not is_place(frame, segment):
            yield from _service(frame, sums, segment)
        if is_place(frame, segment):
            continue
        yield from _features(frame, sums[segment], segment)
        yield from _kpis(frame, sums[segment], segment)
        yield from _gap_to_rest(frame, whole, sums[segment], segment)


def _features(frame: Frame, sums: Sums, segment: str) -> Iterator[Score]:
    reference = frame.reference_sums.get(segment, {})
    output = next((o for o in OUTPUTS if o in frame.fitted), OUTPUTS[-1])
    for name, bins in frame.fitted.items():
        if segment and name != output:
            continue
        ours, theirs = (FeatureView(bins, _judged(s, name), is_coarse=bool(segment)) for s in (sums, reference))
        for metric in catalogue.of("feature", stored_only=False):
            if frame.wants(metric) and (metric.in_segments or not segment) and _applies(metric, bins, name):
                yield _feature_score(frame, metric, name, segment, theirs, ours)


def _judged(sums: Sums, name: str) -> Counts:
    """Return the counts of a feature or an output; of an output without rows whose call failed and which have none: these miss nothing.

    How many failed and how many have none is known, and not which: as many as may be both are taken to be.
    """
    found = sums.get((FEATURE, name, ""), Counts())
    if name not in OUTPUTS or (STATUS_KEY not in sums):
        return found
    statuses = sums[STATUS_KEY]
    failed = min(found.nulls + found.nans, int(statuses.counts[statuses.cells > 0].sum()))
    nulls = max(0, found.nulls - failed)
    return replace(found, n=found.n - failed, nulls=nulls, nans=found.nans - (failed - (found.nulls - nulls)))


def _segment_shifts(frame: Frame, sums: BySegment) -> Iterator[Score]:
    """Yield for each feature how far it moved in the segment where it moved most against the rest.

    A segment of the feature itself says nothing of that: in it the feature is always the same.
    """
    wanted = [metric for metric in catalogue.of("segments", stored_only=False) if frame.wants(metric)]
    every = sorted(s for s in sums if s and s in frame.reference_sums and not is_place(frame, s)) if wanted else []
    columns = {s: {column for column, _ in segment_pairs(s)} for s in every}
    for name, bins in frame.fitted.items():
        names = [s for s in every if name not in columns[s]]
        if not names or name.startswith("@") or (FEATURE, name, "") not in sums[""]:
            continue
        theirs, ours = (
            sides(bins, names, {s: FeatureView(bins, by[s][FEATURE, name, ""], is_coarse=bool(s)) for s in by if (FEATURE, name, "") in by[s]})
            for by in (frame.reference_sums, sums)
        )
        for metric in wanted:
            found = metric.function(names, bins.kind, theirs, ours)
            yield _stated(frame, metric, found, DONE, found.n, None, feature=name)


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
    expected = partial(metric.usual, theirs) if metric.usual else partial(metric.function, theirs, theirs)
    usual = frame.usually(metric.name, name, segment, expected) if theirs.counts.n else None
    return _stated(frame, metric, estimate, DONE, rows, usual, feature=name, segment=segment)


def _pairs(frame: Frame, sums: Sums) -> Iterator[Score]:
    ours, theirs = (s.get((PAIR, "", ""), Counts()) for s in (sums, frame.reference_sums.get("", {})))
    for metric in catalogue.of("pair", stored_only=False):
        for place, pair in enumerate(frame.pairs) if frame.wants(metric) else ():
            found = sums_of(ours, place)
            usual = frame.usually(metric.name, name_of(pair), "", partial(metric.function, sums_of(theirs, place)))
            yield _stated(frame, metric, metric.function(found), DONE, found.n, usual, feature=name_of(pair))


def _service(frame: Frame, sums: BySegment, segment: str) -> Iterator[Score]:
    """Yield the figures of the service, of the whole or of a place; those of which nothing was logged are none."""
    figures, beside_rest = ([m for m in catalogue.of(of, stored_only=False) if is_wanted(frame, m, segment)] for of in ("service", "place"))
    if not figures and not (segment and beside_rest):
        return
    seconds = (min(frame.window.end, frame.now) - frame.window.start).total_seconds()
    view = served(frame, sums.get(segment, {}), seconds=seconds)
    usual = cache(lambda place: served(frame, frame.reference_sums.get(place, {})))
    for metric in figures:
        if is_logged(metric, view):
            expected = None if metric.is_total else frame.usually(metric.name, "", segment, lambda: metric.function(usual(segment)))  # noqa: B023 - called at once
            yield _stated(frame, metric, metric.function(view), DONE, view.rows, expected, segment=segment)
    wanted = [m for m in beside_rest if segment and is_logged(m, view)]
    whole = served(frame, sums.get("", {})) if wanted else view
    for metric in wanted:
        expected = frame.usually(metric.name, "", segment, lambda: metric.function(usual(segment), usual("")))  # noqa: B023 - called at once
        yield _stated(frame, metric, metric.function(view, whole), DONE, view.rows, expected, segment=segment)


def _kpis(frame: Frame, sums: Sums, segment: str) -> Iterator[Score]:
    if frame.task not in VIEWS:
        return
    view, usual = (_with_threshold(frame, label_view(s, frame.task), s) for s in (sums, frame.reference_sums.get(segment, {})))
    every = (*catalogue.of(frame.task, stored_only=False), *frame.own)
    wanted = [m for m in every if frame.wants(m) and (m.in_segments or not segment) and (frame.gives_chances if m.of_chances else frame.has_labels)]
    known = frame.known(sums) if any(m.estimates for m in wanted) else ""
    days = cache(partial(frame.by_day, segment))
    for metric in wanted:
        yield _kpi_score(frame, metric, view, usual, segment, known, days)
    if isinstance(view, MulticlassView) and isinstance(usual, MulticlassView) and not segment and frame.has_labels:
        yield from _classes(frame, sums, view, usual)


def _with_threshold(frame: Frame, view: LabelView, sums: Sums) -> LabelView:
    """Return a binary view that knows the score decisions turn at, and whether scores are no probabilities."""
    if not isinstance(view, BinaryView) or not frame.gives_chances:
        return view
    learned = lambda: learned_threshold(outcomes(frame.reference_sums.get("", {})))  # noqa: E731
    threshold = frame.usually("@threshold", "", "", learned) if frame.threshold is None else Estimate(frame.threshold)
    scores = sums.get((FEATURE, SCORE, ""), Counts())
    return replace(view, threshold=threshold, goes_beyond=scores.low < 0 or scores.high > 1)


def _classes(frame: Frame, sums: Sums, view: MulticlassView, usual: MulticlassView) -> Iterator[Score]:
    """Yield the numbers of one class against all others: of the reference's most frequent classes, and of those asked for."""
    metrics = [m for m in catalogue.of("class", stored_only=False) if frame.wants(m)]
    known = frame.known(sums) if any(m.estimates for m in metrics) else ""
    for name in dict.fromkeys([*most_frequent(usual), *frame.asked]) if metrics else ():
        of_class = known if isinstance(known, str) else known.of_class(name)
        for metric in metrics:
            yield _kpi_score(frame, metric, view.of_class(name), usual.of_class(name), "", of_class, tuple, feature=CLASS + name)


def _kpi_score(
    frame: Frame,
    metric: Metric,
    view: LabelView,
    usual: LabelView,
    segment: str,
    known: Known | str,
    days: Callable[[], Sequence[LabelView]],
    *,
    feature: str = "",
) -> Score:
    every = view.labelled + view.pending
    coverage = view.labelled / every if every and frame.has_labels else None
    state = DONE if not metric.needs_labels else MATURE if frame.is_mature else PROVISIONAL
    rows = view.labelled if metric.needs_labels and metric.name != "label_coverage" else every
    bounds = metric.bounds(view) if metric.bounds and view.pending and not frame.is_mature else None
    measure, usually = _of_kpi(metric, known)
    has_usual = not metric.is_total and bool(usual.labelled or (metric.of_chances and usual.pending))
    usual_value = frame.usually(metric.name, feature, segment, lambda: usually(usual)) if has_usual else None
    found = clustered(metric, view, measure(view), entity=frame.entity, days=days)
    return _stated(frame, metric, found, state, rows, usual_value, feature=feature, segment=segment, coverage=coverage, bounds=bounds)


def _of_kpi(metric: Metric, known: Known | str) -> tuple[Callable[[Any], Estimate], Callable[[Any], Estimate]]:
    """Return how a KPI is measured, and how what is usual: an estimate stands beside the KPI that the reference really had."""
    if not metric.estimates:
        return metric.function, metric.function
    if isinstance(known, str):
        nothing = lambda view: undefined(known, view.scored if isinstance(view, BinaryView) else view.labelled)  # noqa: E731
        return nothing, nothing
    realised = None if metric.needs_labels else catalogue.find(metric.estimates, metric.subject)
    return partial(_estimate, metric, known), partial(metric.function, known.of_reference) if realised is None else realised.function


def _estimate(metric: Metric, known: Known, view: LabelView) -> Estimate:
    """Return an estimate that says what it was weighted by."""
    found: Estimate = metric.function(known.of_window, view)
    return replace(found, reason="; ".join(filter(None, [found.reason, known.said]))) if found.is_defined else found


def _gap_to_rest(frame: Frame, whole: Sums, sums: Sums, segment: str) -> Iterator[Score]:
    """Yield how far a segment's calibration gap lies from that of all other rows."""
    if frame.task != "binary" or not frame.has_labels or not (frame.metrics is None or GAP_TO_REST.name in frame.metrics):
        return
    everything, ours = outcomes(whole), outcomes(sums)
    usual = frame.usually(GAP_TO_REST.name, "", segment, lambda: gap_to_rest(*(outcomes(frame.reference_sums.get(s, {})) for s in ("", segment))))
    every = ours.labelled + ours.pending
    yield _stated(
        frame,
        GAP_TO_REST,
        rows_taken_apart(gap_to_rest(everything, ours), frame.entity),
        MATURE if frame.is_mature else PROVISIONAL,
        ours.labelled,
        usual,
        segment=segment,
        coverage=ours.labelled / every if every else None,
    )


def _stated(frame: Frame, metric: Metric, estimate: Estimate, state: str, rows: int, usual: Estimate | None, **more: Any) -> Score:
    """Turn an estimate into a score, or say why there is none."""
    if rows < metric.least:
        what = counted(rows, "labelled row" if metric.needs_labels else "row")
        return _score(frame, metric, Estimate(float("nan"), n=rows), INSUFFICIENT, f"{what}, at least {metric.least} are needed", usual=usual, **more)
    if not estimate.is_defined:
        reason = "" if frame.uncalibrated and metric.compares else estimate.reason
        return _score(frame, metric, estimate, NOT_EVALUATED, reason, usual=usual, **more)
    reason = "; ".join(filter(None, (frame.runs_on, estimate.reason)))
    return _score(frame, metric, estimate, PROVISIONAL if frame.runs_on else state, reason, usual=usual, **more)


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
        method=frame.method_of(metric, feature),
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
        reason="; ".join(dict.fromkeys(filter(None, (frame.uncalibrated, reason)))),
        computed_at=frame.now,
    )


def _or_none(value: float) -> float | None:
    return float(value) if isfinite(value) else None
