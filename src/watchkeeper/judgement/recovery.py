"""Recovery: whether the hours after the last alarm show that what was wrong is over.

Belongs here: the rule for hours. Does not: which signals are one story (episodes.py), what alarms (charts.py).

An hour may have too few rows to alarm by itself, so hours without an alarm are in line only together. They are back when their pooled
number is not surely beyond what is usual, and lies surely nearer to that than to the trouble's; once there is a day of them, the first is enough.
"""

from collections.abc import Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from watchkeeper.judgement.charts import Charted
from watchkeeper.judgement.episodes import CLEAR
from watchkeeper.judgement.newest import NEWEST
from watchkeeper.judgement.normal import deviations
from watchkeeper.judgement.panels import in_logs
from watchkeeper.records import Signal
from watchkeeper.stats.intervals import Z95

HOURS = 24


def are_back(charts: Sequence[Charted], run: Sequence[Signal], quiet: Sequence[datetime]) -> bool:
    """Tell whether `quiet`, the measured hours since the last of a run's alarms, are back to what is usual of its least likely number."""
    if len(quiet) < CLEAR:
        return False
    lead = min(run, key=lambda s: (s.p, s.window_start))
    chart = next((c for c in charts if c.is_of(lead) and (lead.feature, lead.segment) in c.series.names), None)
    if chart is None:
        return True
    j, side = chart.series.names.index((lead.feature, lead.segment)), float(np.sign(lead.value - lead.expected))
    starts, last = [start for start, _ in chart.series.windows], set(quiet[-HOURS:])
    since, spread = _pooled(chart, j, np.array([start in last for start in starts]))
    then, _ = _pooled(chart, j, np.array([run[0].window_start <= start <= run[-1].window_start for start in starts]))
    if lead.rule == NEWEST:  # minutes of the hour, which the whole of it says little about
        then = _scaled(chart, lead.value) - _scaled(chart, lead.expected)
    if not np.isfinite(since):
        return False
    is_in_line = side * since - chart.tolerance[j, 0] <= Z95 * spread
    return bool(is_in_line and (len(quiet) >= HOURS or side * since + Z95 * spread < side * then / 2))


def _scaled(chart: Charted, value: float) -> float:
    return float(in_logs(np.array(value))) if chart.series.rule.in_logs else value


def _pooled(chart: Charted, series: int, inside: NDArray[np.bool_]) -> tuple[float, float]:
    """Return how far the windows' number lies from what is usual, by rows, and its standard error."""
    deviation, panel, normal = deviations(chart.panel, chart.normal)[series], chart.panel, chart.normal
    known = inside & np.isfinite(deviation)
    if not known.any():
        return np.nan, np.nan
    share = np.maximum(1.0, np.nan_to_num(chart.series.n[series, known]))
    share = share / share.sum()
    wander = normal.tau2[series] * (1 + normal.phi) / (1 - normal.phi)
    variance = float((share**2 * (panel.variance[series, known] + wander)).sum()) + float(normal.centre_variance[series])
    return float((share * deviation[known]).sum()), float(np.sqrt(variance))
