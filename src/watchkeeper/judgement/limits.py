"""Limits: the smallest change of each number that would be noticed, by the same charts and the same budget that judge it.

Belongs here: charts -> changes. Does not: the charts (charts.py, normal.py), what is printed (operations/limits.py, cli/limits.py).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np
from scipy.special import ndtri, stdtrit

from watchkeeper.judgement.charts import Bar, Charted, bar_of
from watchkeeper.judgement.normal import Floats, kept_by_memory, row_means, sides_of, surprises
from watchkeeper.judgement.panels import in_logs, unscaled
from watchkeeper.monitor import Monitor
from watchkeeper.stats.detectors import e_detector

POWER, WITHIN = 0.8, timedelta(days=56)
_HALVINGS = 12
_FOUR_OF_FIVE = float(ndtri(POWER))


@dataclass(frozen=True, slots=True)
class Limit:
    """What of a number would be noticed four times of five, as changes in its unit: `at_once` in one window, `lasting` within weeks of it.

    None where the reference has too few windows or rows to judge it: then it is not calibrated.
    """

    metric: str
    feature: str
    segment: str
    family: str
    level: str
    usual: float | None
    at_once: float | None
    lasting: float | None
    windows: int
    is_calibrated: bool


def limits(monitor: Monitor, charts: Sequence[Charted]) -> list[Limit]:
    """Return the limits of every number that is judged by what is usual, in order of the charts."""
    every = [chart.series for chart in charts]
    return [limit for chart in charts for limit in _of_chart(chart, bar_of(monitor, chart.series, every))]


def _of_chart(chart: Charted, bar: Bar) -> Iterator[Limit]:
    """Yield the limits of a chart's series; at the bar one of them alarms by itself."""
    series, normal, rule = chart.series, chart.normal, chart.series.rule
    sides = sides_of(series.direction)
    beyond = -stdtrit(normal.freedom, bar.p / len(sides)) + _FOUR_OF_FIVE
    noise = row_means(chart.panel.variance[:, series.is_reference])
    once = chart.tolerance[:, 0] + beyond * np.sqrt(normal.tau2 + noise + normal.centre_variance)
    lasting = np.minimum(once, _lasting(chart, noise, beyond))
    if rule.e_detector:
        lasting = _added_up(chart, noise, lasting, bar)
    floor = in_logs(chart.least[:, 0]) if rule.in_logs else chart.least[:, 0]
    centre = row_means(normal.centre[:, series.place[series.is_reference]])
    for j, (feature, segment) in enumerate(series.names):
        known = bool(chart.is_calibrated[j]) and bool(np.isfinite(centre[j]))
        least = float(floor[j] - centre[j])
        at_once, while_it_lasts = (_moved(chart, float(centre[j]), max(change, least), sides) for change in (float(once[j]), float(lasting[j])))
        yield Limit(
            metric=rule.metric,
            feature=feature,
            segment=segment,
            family=rule.family,
            level=rule.level,
            usual=unscaled(rule, float(centre[j])) if np.isfinite(centre[j]) else None,
            at_once=at_once if known else None,
            lasting=while_it_lasts if known else None,
            windows=int(normal.windows[j]),
            is_calibrated=known,
        )


def _lasting(chart: Charted, noise: Floats, beyond: Floats) -> Floats:
    """Return the least change that a slow chart shows once it has seen enough of it; infinite where there is none."""
    normal, out = chart.normal, np.full(len(noise), np.inf)
    for weight in chart.series.rule.memories_of(chart.panel.slots):
        wander = normal.tau2 * kept_by_memory(normal.phi, weight)
        total = np.sqrt(weight / (2 - weight) * (wander + noise) + normal.centre_variance)
        out = np.minimum(out, chart.tolerance[:, 0] / 2 + beyond * total)
    return out


def _added_up(chart: Charted, noise: Floats, most: Floats, bar: Bar) -> Floats:
    """Return the least change, at most `most`, of which an e-detector has enough evidence within `WITHIN`, where luck is that of one time in five."""
    start, end = chart.series.windows[0]
    steps = max(1, round(WITHIN / (end - start)))
    later = replace(
        chart.panel, variance=np.repeat(noise[:, None], steps, axis=1), is_reference=np.zeros(steps, bool), place=np.zeros(steps, np.int64)
    )
    sides = len(sides_of(chart.series.direction))
    unlucky = _FOUR_OF_FIVE / np.sqrt(np.arange(1, steps + 1))
    low, high = chart.tolerance[:, 0].copy(), most.copy()
    for _ in range(_HALVINGS):
        change = (low + high) / 2
        z = surprises(later, chart.normal, np.repeat(change[:, None], steps, axis=1), chart.tolerance, 1) - unlucky
        is_enough = (e_detector(z, sides * bar.evidence) >= sides * bar.evidence).any(axis=1)
        low, high = np.where(is_enough, low, change), np.where(is_enough, change, high)
    return high


def _moved(chart: Charted, centre: float, change: float, sides: Iterable[int]) -> float:
    """Return a change on the rule's scale as one of the number itself, towards the side on which it is smaller."""
    rule = chart.series.rule
    return min(abs(unscaled(rule, centre + side * change) - unscaled(rule, centre)) for side in (sides if not rule.in_logs else (1,)))
