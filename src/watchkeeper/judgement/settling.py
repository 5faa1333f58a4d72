"""Settling: a notice that lasts and does no harm is compared with how it has been since, and not with the reference any more.

Belongs here: when a number settles, and what is usual of it then. Does not: what is usual by the reference (normal.py), whether an alarm is
believed (charts.py).

The rule: a number of the inputs that was out of line in as many windows as seven days have, of ten days' measured ones, and in none of the seven a KPI paged. What is usual of it from
then on is how it has been since the first of these, over at most the 56 days before each window; its scatter is no smaller than the reference's. Of weeks
and months there are too few, and these never settle. It settles for good: another reference is how to begin anew.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from watchkeeper.judgement.charts import Charted, Settled
from watchkeeper.judgement.normal import Floats, chances_of, deviations, row_means
from watchkeeper.judgement.policy import Rule

Bools = NDArray[np.bool_]
LASTS, AMONG, OVER = timedelta(days=7), timedelta(days=10), timedelta(days=56)
LEAST = 28
SETTLED = "lasts and did no harm: from here on compared with how it has been since"
"""What the last signal says of a number before it settles."""


def settled(charts: Sequence[tuple[Charted, Bools]], harmed_then: Collection[datetime] = ()) -> list[Charted]:
    """Return charts, given with what is believed of them, of which those of inputs judge what has settled by the weeks before.

    `harmed_then` are the starts of windows in which a KPI paged, where its chart is not among these.
    """
    harmed = [mask.any(axis=0) for chart, mask in charts if chart.series.rule.family == "kpi" and chart.series.rule.level == "page"]
    if harmed_then and charts:
        harmed.append(np.array([start in harmed_then for start, _ in charts[0][0].series.windows], bool))
    is_harmed = np.any(harmed, axis=0) if harmed else None
    return [_of(chart, mask, is_harmed) if is_of_inputs(chart.series.rule) else chart for chart, mask in charts]


def is_of_inputs(rule: Rule) -> bool:
    """Tell whether a rule is for what inputs are like, which is noticed and does no harm by itself: drift, and missing values that are too few to page."""
    return rule.family == "covariate" or (rule.family == "data" and rule.level == "notice")


def _of(chart: Charted, mask: Bools, is_harmed: Bools | None) -> Charted:
    found, normal = chart.series, chart.normal
    start, end = found.windows[0]
    lasts, among, span = (round(time / (end - start)) for time in (LASTS, AMONG, OVER))
    if span < LEAST:
        return chart
    since, when = _settles(np.isfinite(chart.panel.value) & ~found.is_reference, mask if is_harmed is None else mask & ~is_harmed, lasts, among)
    if not when.any():
        return chart
    is_settled = np.cumsum(np.pad(when, ((0, 0), (1, 0)))[:, :-1], axis=1) > 0
    deviation = deviations(chart.panel, normal)
    mean, variance, count = _before(deviation, since, span)
    usual = normal.tau2[:, None] + row_means(chart.panel.variance[:, found.is_reference])[:, None]
    scatter = np.fmax(variance, usual)
    grown = (1 + normal.phi) / (1 - normal.phi)
    off = deviation - mean
    beyond = np.sign(off) * np.maximum(0.0, np.abs(off) - chart.tolerance)
    z = beyond / np.maximum(np.sqrt(scatter * (1 + grown / np.maximum(count, 1))), 1e-12)
    p = np.where(found.value < chart.least, 1.0, chances_of(z, np.fmax(count - 1, 4.0), found.direction))
    known = Settled(is_settled, when, normal.centre[:, chart.panel.place] + mean, 1.96 * np.sqrt(scatter))
    return replace(chart, p=np.where(is_settled, p, chart.p), is_slow=chart.is_slow & ~is_settled, settled=known)


def _settles(seen: Bools, alarmed: Bools, lasts: int, among: int) -> tuple[NDArray[np.int64], Bools]:
    """Return the first window of each series at which `lasts` of the last `among` measured ones are out of line, and the first of these, as a place."""
    since, when = np.zeros(len(seen), np.int64), np.zeros(seen.shape, bool)
    for j in np.flatnonzero(alarmed.sum(axis=1) >= lasts):
        at = np.flatnonzero(seen[j])
        out = alarmed[j, at]
        lasting = np.flatnonzero(out & (np.convolve(out.astype(int), np.ones(among, int))[: len(at)] >= lasts))
        if len(lasting):
            first = max(0, lasting[0] - among + 1)
            since[j], when[j, at[lasting[0]]] = at[first + int(out[first:].argmax())], True
    return since, when


def _before(values: Floats, since: NDArray[np.int64], span: int) -> tuple[Floats, Floats, Floats]:
    """Return mean, variance and count of the numbers before each window, from the place `since` on and at most `span` back; NaN where there is none."""
    seen = np.isfinite(values)
    at = np.arange(values.shape[1])
    first = np.minimum(np.maximum(at - span, since[:, None]), at)
    sums = [np.cumsum(np.pad(np.where(seen, np.nan_to_num(values) ** power, 0.0), ((0, 0), (1, 0))), axis=1) for power in (0, 1, 2)]
    count, total, squares = (s[:, at] - np.take_along_axis(s, first, axis=1) for s in sums)
    mean = total / np.where(count > 0, count, np.nan)
    variance = (squares - count * mean**2) / np.where(count > 1, count - 1, np.nan)
    return mean, np.maximum(variance, 0.0), count
