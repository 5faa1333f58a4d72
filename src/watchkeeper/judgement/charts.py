"""Charts: each judged number beside what is usual of it, its p-values, and which of them are believed within the budget of false alarms.

Belongs here: charts -> p-values -> what is believed. Does not: what normal is (normal.py), which metrics (policy.py), what is told of it (signals.py).
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.special import betainc

from watchkeeper.judgement.normal import Floats, Normal, Panel, chances, deviations, learn, sides_of, slow, sudden, surprises, usual_ranges
from watchkeeper.judgement.panels import Series, row_medians, series
from watchkeeper.judgement.policy import LEAST_RUN_DAYS, Rule, level_of_family, rules_of
from watchkeeper.judgement.season import on_calendar
from watchkeeper.monitor import Monitor
from watchkeeper.records import Signal
from watchkeeper.stats.detectors import e_detector
from watchkeeper.stats.testing import benjamini_hochberg

_MORE_OF_THE_NEW = 0.5
_UNUSUAL = 0.05
"""The p-value below which a window by itself lies outside what 95 % of windows lie between."""
_WINDOWS_PER_DAY = {"hour": 24.0, "day": 1.0, "week": 1 / 7, "month": 1 / 30.4}


@dataclass(frozen=True)
class Settled:
    """What is usual of numbers that have settled (settling.py); arrays are (series, windows), `when` marks the last window before."""

    is_settled: NDArray[np.bool_]
    when: NDArray[np.bool_]
    centre: Floats
    half: Floats
    """Half of what 95 % of the weeks before keep around the centre."""


@dataclass(frozen=True)
class Charted:
    """One metric's series with what is normal for them and each window's p-value; arrays are (series, windows), `tolerance` and `least` (series, 1).

    What is below `least` is never out of line.
    """

    series: Series
    panel: Panel
    normal: Normal
    p: Floats
    is_slow: NDArray[np.bool_]
    tolerance: Floats
    least: Floats
    settled: Settled | None = None

    def usual(self, j: int) -> tuple[Floats, Floats, Floats]:
        """Return the centre of what is usual at each window of a series, and the ends of what 95 % of windows lie between, on the rule's scale."""
        low, high = usual_ranges(self.panel, self.normal, j)
        centre = self.normal.centre[j, self.panel.place]
        if self.settled is None:
            return centre, low, high
        by, mean, half = self.settled.is_settled[j], self.settled.centre[j], self.settled.half[j]
        return np.where(by, mean, centre), np.where(by, mean - half, low), np.where(by, mean + half, high)

    def is_of(self, signal: Signal) -> bool:
        """Tell whether a signal is of this chart: a number may page by one rule and be noticed by another."""
        return (self.series.rule.metric, self.series.rule.level) == (signal.metric, signal.level)

    @property
    def is_calibrated(self) -> NDArray[np.bool_]:
        """Which series have enough of a reference for their rule."""
        rows = np.nansum(np.where(self.series.is_reference, self.series.n, 0.0), axis=1)
        return np.asarray(self.normal.is_calibrated & (rows >= self.series.rule.least_reference_rows), bool)


def charted(monitor: Monitor, scores: pa.Table, windows: Sequence[tuple[datetime, datetime]]) -> list[Charted]:
    """Learn what is normal for every judged metric and chart it; days that the monitor's calendar names are neither learned from nor judged."""
    span = monitor.reference_span
    if span is None or not windows:
        return []
    by_metric = _by_metric(scores)
    laid = (series(rule, by_metric[rule.metric], windows, span[1], monitor.timezone) for rule in rules_of(monitor) if rule.metric in by_metric)
    known = [s for s in laid if s is not None and s.is_reference.any()]
    return charted_series(monitor, known)


def _by_metric(scores: pa.Table) -> dict[str, pa.Table]:
    """Return the scores of each metric, in their order: sorted once, since each of some twenty rules asks for its own."""
    encoded = pc.dictionary_encode(scores.column("metric").combine_chunks())
    code = encoded.indices.to_numpy()
    ordered = scores.take(pa.array(np.argsort(code, kind="stable")))
    ends = np.cumsum(np.bincount(code, minlength=len(encoded.dictionary))).tolist()
    return {name: ordered.slice(start, end - start) for name, start, end in zip(encoded.dictionary.to_pylist(), [0, *ends], ends, strict=False)}


def charted_series(monitor: Monitor, found: Sequence[Series]) -> list[Charted]:
    """Learn what is normal for series from the windows that they call reference, and chart all others."""
    named = on_calendar(monitor, found[0].windows) if found else np.zeros(0, bool)
    return [_chart(s, named, bar_of(monitor, s, found)) for s in found]


@dataclass(frozen=True, slots=True)
class Bar:
    """The evidence at which an e-detector alarms, and the p-value that this counts as."""

    evidence: float
    p: float


def bar_of(monitor: Monitor, one: Series, all_of_them: Sequence[Series]) -> Bar:
    """Return the bar for the series of one metric beside all others of their family: as many windows as the mean run without cause is to take, times the series."""
    together = sum(len(s.names) for s in all_of_them if (s.rule.family, s.rule.level) == (one.rule.family, one.rule.level))
    p = budget_of(monitor, one.rule) / (charts_of(one) * together)
    return Bar(max(together * LEAST_RUN_DAYS * _WINDOWS_PER_DAY[monitor.window], 1 / p), p)


def charts_of(found: Series) -> int:
    """Return how many charts a number is held against."""
    return 1 + len(found.rule.memories_of(found.slots)) + found.rule.e_detector


def _chart(found: Series, named: NDArray[np.bool_], bar: Bar) -> Charted:
    """Chart one metric's series.

    A window that alarms by itself is told, and no evidence of a slow change beside: else usual windows after a fault would alarm for as long as a mean
    remembers it. Only a window that is unusual itself may go on with what was told.
    """
    panel = found.panel()
    panel = replace(panel, value=np.where(named, np.nan, panel.value))
    normal, tolerance = learn(panel), np.full((len(panel.value), 1), found.rule.tolerance)
    if found.rule.beside_reference:
        expected = np.nan_to_num(row_medians(found.reference_value))[:, None]
        normal, tolerance = replace(normal, centre=np.fmax(normal.centre, expected)), tolerance + _MORE_OF_THE_NEW * expected
    centre = normal.centre[:, panel.place]
    judged = np.where(found.is_provisional & ~named, found.favourable(centre), panel.value)
    panel = replace(panel, value=judged)
    deviation = deviations(panel, normal)
    if found.rule.is_relative:
        tolerance = tolerance * _usual_size(normal.centre)
    if found.rule.is_share:
        panel = replace(panel, variance=_variance_of_shares(panel, centre + tolerance))
    floor = _by_counting(found, panel, normal, centre + tolerance) if found.rule.is_share else 0.0
    best = np.maximum(floor, chances(sudden(panel, normal, deviation, tolerance), normal, found.direction))
    is_told, is_usual = best < bar.p, best >= _UNUSUAL
    untold = np.where(is_told, np.nan, deviation)
    slower = []
    for weight in found.rule.memories_of(panel.slots):
        every, rest = (slow(panel, normal, counted, tolerance / 2, weight) for counted in (deviation, untold))
        slower.append(_remembered(np.where(is_usual, rest, every), normal, deviation, found.direction))
    if found.rule.e_detector:
        final = replace(panel, value=np.where(found.is_provisional | is_told, np.nan, panel.value))
        slower.append(_added_up(final, normal, tolerance, found.direction, bar))
    is_slow = np.zeros(best.shape, bool)
    for p in slower:
        is_slow |= p < best
        best = np.fmin(best, p)
    least = np.maximum(found.rule.negligible, _beyond_the_largest(found, named))
    best = np.where(found.value < least, 1.0, best)
    return Charted(found, panel, normal, np.minimum(1.0, charts_of(found) * best), is_slow, tolerance, least)


def _variance_of_shares(panel: Panel, usual: Floats) -> Floats:
    """Return the sampling variance of shares as it would be at the largest `usual` one where they are above that: the score test of one share.

    By itself a share that was 0 and is 2 % of some hundred rows is uncertain; beside a share that is 0, it is not.
    """
    usual = np.clip(usual, 0.0, 0.5)
    smaller = usual * (1 - usual) / np.maximum(panel.value * (1 - panel.value), 1e-12)
    return np.where(panel.value > usual, panel.variance * np.minimum(1.0, smaller), panel.variance)


def _by_counting(found: Series, panel: Panel, normal: Normal, usual: Floats) -> Floats:
    """Return how likely as many rows or more of a window would count at the largest `usual` share, for shares above it: of few rows one is many.

    The binomial tail, of as many independent rows as leave the share as wide as its wander makes it.
    """
    usual = np.clip(usual, 1e-9, 1 - 1e-9)
    wander = (normal.tau2 + normal.centre_variance)[:, None]
    rows = found.n / (1 + np.maximum(found.n - 1, 0) * np.minimum(wander / (usual * (1 - usual)), 1.0))
    counted = panel.value * rows
    tail = len(sides_of(found.direction)) * betainc(np.maximum(counted, 1e-9), np.maximum(rows - counted + 1, 1e-9), usual)
    return np.where(panel.value > usual, np.minimum(1.0, np.nan_to_num(tail, nan=1.0)), 0.0)


def _remembered(chart: Floats, normal: Normal, deviation: Floats, direction: str) -> Floats:
    """Return the p-values of a slow chart, of windows that lie on its side."""
    p = np.where(np.sign(chart) == np.sign(deviation), chances(chart, normal, direction), 1.0)
    return np.where(np.isfinite(chart), p, np.nan)


def _added_up(panel: Panel, normal: Normal, tolerance: Floats, direction: str, bar: Bar) -> Floats:
    """Return what the evidence of a lasting shift counts as, of windows that lie on its side: a p-value that is at the bar when the evidence is."""
    deviation, sides = deviations(panel, normal), sides_of(direction)
    out = np.where(np.isfinite(deviation), 1.0, np.nan)
    for side in sides:
        evidence = e_detector(surprises(panel, normal, deviation, tolerance, side), len(sides) * bar.evidence) / len(sides)
        counts = np.where(np.sign(deviation) == side, bar.p * bar.evidence / np.maximum(evidence, 1e-300), 1.0)
        out = np.where(np.isfinite(evidence), np.minimum(out, counts), out)
    return out


def _beyond_the_largest(found: Series, named: NDArray[np.bool_]) -> Floats:
    """Return what a number that is mostly 0 must be beyond, shape (series, 1): its tolerance, and some times the largest of the reference's windows, but for `named` ones."""
    if not found.rule.times_largest:
        return np.full((len(found.value), 1), -np.inf)
    largest = np.nan_to_num(np.where(found.is_reference & ~named, found.value, 0.0)).max(axis=1, keepdims=True)
    return np.asarray(found.rule.tolerance + found.rule.times_largest * largest, float)


def _usual_size(centre: Floats) -> float:
    known = np.abs(centre[np.isfinite(centre)])
    return float(known.mean()) if known.size else 0.0


def believed(monitor: Monitor, charts: Iterable[Charted]) -> Iterator[tuple[Charted, NDArray[np.bool_]]]:
    """Yield each chart and which of its numbers, shape (series, windows), are out of line within the budget of its family."""
    by_family: dict[tuple[str, str], list[Charted]] = defaultdict(list)
    for chart in charts:
        by_family[chart.series.rule.family, chart.series.rule.level].append(chart)
    for members in by_family.values():
        for chart, mask in zip(members, _believed(members, budget_of(monitor, members[0].series.rule)), strict=True):
            yield chart, _persistent(chart.series.rule, mask, monitor.window)


def budget_of(monitor: Monitor, rule: Rule) -> float:
    """Return how many windows with a false alarm of a rule's family are accepted, as a share of windows."""
    return level_of_family(rule.family, rule.level, monitor.alerts.false_alarms_per_day, _WINDOWS_PER_DAY[monitor.window])


def _believed(members: Sequence[Charted], budget: float) -> list[NDArray[np.bool_]]:
    """Apply Benjamini-Hochberg over all series of a family, window by window."""
    sizes = [len(c.p) for c in members]
    p = np.vstack([np.where(c.is_calibrated[:, None], c.p, np.nan) for c in members])
    rejected = np.zeros(p.shape, bool)
    for w in np.flatnonzero(~members[0].series.is_reference):
        rejected[:, w] = benjamini_hochberg(p[:, w], budget)
    return [np.asarray(part, bool) for part in np.split(rejected, np.cumsum(sizes)[:-1])]


def _persistent(rule: Rule, mask: NDArray[np.bool_], window: str) -> NDArray[np.bool_]:
    """Keep an alarm only when `persists` of the last `of` windows alarmed; a week or a month out of line has persisted."""
    if rule.persists <= 1 or _WINDOWS_PER_DAY[window] < 1:
        return mask
    padded = np.cumsum(np.pad(mask.astype(int), ((0, 0), (rule.of, 0))), axis=1)
    kept: NDArray[np.bool_] = mask & (padded[:, rule.of :] - padded[:, : -rule.of] >= rule.persists)
    return kept
