"""Figures of a page: a chart in two widths, its words, and its numbers as a table.

Belongs here: which scores make a figure, and what is usual beside them. Does not: drawing (charts.py) or the page (model_page.py).
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

import numpy as np
from markupsafe import Markup

from watchkeeper.judgement import season
from watchkeeper.judgement.incidents import Incident
from watchkeeper.judgement.panels import in_logs, unscaled
from watchkeeper.judgement.policy import RULES
from watchkeeper.judgement.season import Usual
from watchkeeper.records import Score
from watchkeeper.site.charts import NARROW, PAGE, WIDE, Shade, hollow_text, metric_chart, resized
from watchkeeper.windows import Window
from watchkeeper.words import limit_text, metric_text, number_text, window_text

Draw = Callable[[dict[str, Any]], str]
ROWS_SHOWN = 35


@dataclass(frozen=True, slots=True, kw_only=True)
class Normal:
    """A new normal: since when, its days, what is said of it, and by metric and feature the scores of these days that compare, beside itself.

    A step of a rolling reference is one for some `metrics` alone, and windows of its days may have been `left_out`.
    """

    since: datetime
    days: Window
    said: str
    beside: Mapping[tuple[str, str], Sequence[Score]]
    metrics: Collection[str] | None = None
    left_out: Collection[datetime] = ()

    def is_of(self, metric: str) -> bool:
        """Tell whether a metric is compared with it, and judged by it."""
        return self.metrics is None or metric in self.metrics


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What all figures of a model share; `normals` in the order in which they begin."""

    timezone: str
    reference: tuple[datetime, datetime] | None
    incidents: Sequence[Incident]
    draw: Draw
    unit: str = ""
    normals: Sequence[Normal] = ()

    def compared_with(self, moment: datetime) -> str:
        """Return what a window that starts at a moment is compared with, and paged by, where that is a new normal, else nothing."""
        return next((normal.said for normal in reversed(self.normals) if moment >= normal.since and normal.metrics is None), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One chart as a page shows it; `rows` are the newest scores, newest first."""

    title: str
    spoken: str
    legend: str
    wide: Markup
    narrow: Markup
    rows: Sequence[Score]
    left_out: int


def usual_of(scores: Sequence[Score], frame: Frame) -> Usual | None:
    """Return between what 95 % of the reference's own windows lie, in each era, None when none has enough to say; the same as signals say."""
    if frame.reference is None or not scores:
        return None
    first = _usual_of([s for s in scores if s.window_start in Window(*frame.reference)], frame)
    about, later = (scores[0].metric, scores[0].feature), []
    for normal in (n for n in frame.normals if n.is_of(scores[0].metric)):
        own = normal.beside.get(about) or [s for s in scores if s.window_start in normal.days and s.window_start not in normal.left_out]
        later.append((normal.since, _usual_of(own, frame) or season.unknown(frame.timezone, scores[0].grain)))
    if first is None and not any(usual.is_known for _, usual in later):
        return None
    return replace(first or season.unknown(frame.timezone, scores[0].grain), later=tuple(later))


def _usual_of(scores: Sequence[Score], frame: Frame) -> Usual | None:
    found = [s for s in scores if s.value is not None]
    rule = next((r for r in RULES if found and r.metric == found[0].metric and r.in_logs), None)
    values = np.array([s.value for s in found], float)
    usual = season.usual_of([s.window_start for s in found], in_logs(values) if rule else values, frame.timezone, found[0].grain) if found else None
    if usual is None or rule is None:
        return usual
    low, high = (np.array([unscaled(rule, v) for v in ends]) for ends in (usual.low, usual.high))
    return replace(usual, low=low, high=high)


def figure(
    scores: Sequence[Score], frame: Frame, *, limit: float | None = None, shown: Window | None = None, estimated: Sequence[Score] = ()
) -> Figure | None:
    """Return the figure of one metric over time, None when no window has a number.

    With `shown` only windows that start then are drawn; what is usual is learned from all of the reference's. `estimated` are the
    scores of its estimate, which are drawn beside it.
    """
    usual = usual_of(scores, frame)
    ordered = sorted((s for s in scores if shown is None or s.window_start in shown), key=lambda s: s.window_start)
    known = [s for s in ordered if s.value is not None]
    if not known:
        return None
    about = shades(known[0], frame.incidents)
    guessed = [s for s in estimated if s.value is not None]
    chart = metric_chart(ordered, timezone=frame.timezone, palette=PAGE, size=WIDE, usual=usual, limit=limit, shades=about, estimated=guessed)
    wide, narrow = (Markup(frame.draw(resized(chart, size))) for size in (WIDE, NARROW))  # noqa: S704 - the renderer's own SVG
    newest = ordered[::-1][:ROWS_SHOWN]
    named = metric_text(known[0].metric, known[0].feature, known[0].segment)
    return Figure(
        title=named,
        spoken=_spoken(named, known, usual, frame),
        legend=_legend(known, usual, limit, frame.unit, is_shaded=bool(about), is_estimated=bool(guessed)),
        wide=wide,
        narrow=narrow,
        rows=newest,
        left_out=len(ordered) - len(newest),
    )


def shades(score: Score, incidents: Sequence[Incident]) -> list[Shade]:
    """Return the incidents a chart shades: those of the model as a whole, and those of the very segment it shows."""
    about = [i for i in incidents if i.model == score.model and i.severity != "notice" and (i.family != "segment" or i.subject == score.segment)]
    return [Shade(start=i.window_start, end=i.window_end, severity=i.severity) for i in about]


def _spoken(title: str, known: Sequence[Score], usual: Usual | None, frame: Frame) -> str:
    """Return what somebody who does not see the chart is told."""
    last, said = known[-1], partial(number_text, unit=known[-1].unit, truth=frame.unit)
    values = [s.value for s in known if s.value is not None]
    text = f"{title}, {window_text(known[0].window_start, last.window_end, frame.timezone)}: last {said(last.value)}{_so_far(last)}"
    text += f", lowest {said(min(values))}, highest {said(max(values))}"
    if usual is None:
        return f"{text}."
    band, kind = usual.of([last.window_start])[0], usual.at(last.window_start).kind
    if band is None:
        return f"{text}."
    of = f" for its {kind}" if kind else ""
    return (
        f"{text}; usual{of}, which 95 % of reference windows keep, is {said(band.low, beside=[band.high])} to {said(band.high, beside=[band.low])}."
    )


def _so_far(score: Score) -> str:
    return " (provisional)" if score.state == "provisional" else ""


def _legend(known: Sequence[Score], usual: Usual | None, limit: float | None, unit: str, *, is_shaded: bool, is_estimated: bool) -> str:
    said = partial(number_text, unit=known[-1].unit, truth=unit)
    parts = [f"Last: {said(known[-1].value)}{_so_far(known[-1])}"]
    last = known[-1].window_start
    band, kind = (usual.of([last])[0], usual.at(last).kind) if usual else (None, "")
    if usual and band is not None and kind:
        parts.append(f"grey band: what is usual for each {kind}, which 95 % of reference windows keep")
    elif usual and band is not None:
        parts.append(f"grey band: 95 % of reference windows, {said(band.low, beside=[band.high])} to {said(band.high, beside=[band.low])}")
    if usual and any(known[0].window_start < since <= last for since, _ in usual.later):
        parts.append("it steps with each new normal")
    if any(s.low is not None for s in known):
        parts.append("blue: 95 % interval")
    if is_estimated:
        parts.append("dotted: estimated without labels, blind to a change of what inputs mean")
    if limit is not None:
        parts.append(f"dashed: target {limit_text(limit)}")
    if hollow := hollow_text(known):
        parts.append(hollow)
    return "; ".join([*parts, *(["shaded: incidents"] if is_shaded else [])]) + "."
