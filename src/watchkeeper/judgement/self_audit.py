"""The self-audit: what the policy would have paged for in the reference itself, and which numbers are too wild to page for.

Belongs here: replaying the policy over the reference's windows. Does not: the policy (policy.py, charts.py), the words (operations/limits.py).

The reference is cut into `FOLDS` stretches of time; each is judged by what the others say is usual. What alarms there is either a trouble that the
reference should not call usual, or a number that the policy does not fit. One story now and then is the first. A number of which so many
stories as there were come by chance with a chance below `RARELY` within its budget is the second: it would cry wolf, and pages for nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from scipy.special import pdtrc

from watchkeeper.judgement.charts import Charted, believed, budget_of, charted_series
from watchkeeper.judgement.episodes import GAP
from watchkeeper.monitor import Monitor
from watchkeeper.records import Signal

FOLDS = 4
LEAST = 28
LEAST_STORIES = 3
RARELY = 1e-2


@dataclass(frozen=True, slots=True)
class Audited:
    """One number that alarmed in the reference: the windows, how many stories these are, and whether it may page."""

    metric: str
    feature: str
    segment: str
    windows: tuple[tuple[datetime, datetime], ...]
    stories: int
    is_wild: bool


def self_audit(monitor: Monitor, charts: Sequence[Charted]) -> list[Audited]:
    """Return the numbers that would have paged within the reference, in order of the charts; none where it has fewer than `LEAST` windows."""
    paging = [c for c in charts if c.series.rule.level == "page"]
    if not paging or int(paging[0].series.is_reference.sum()) < LEAST:
        return []
    return [found for chart, mask in _replayed(monitor, paging) for found in _audited(monitor, chart, mask)]


def _replayed(monitor: Monitor, charts: Sequence[Charted]) -> Iterator[tuple[Charted, NDArray[np.bool_]]]:
    """Yield each chart and which of its reference's numbers alarm, judged by the rest of the reference."""
    kept = charts[0].series.is_reference
    place = np.flatnonzero(kept)
    alarms = [np.zeros((len(c.series.names), len(place)), bool) for c in charts]
    for fold in np.array_split(np.arange(len(place)), FOLDS):
        learned = kept.copy()
        learned[place[fold]] = False
        again = charted_series(monitor, [c.series.among(kept, learned) for c in charts])
        found = {id(chart): mask for chart, mask in believed(monitor, again)}
        alarms = [so_far | found[id(chart)] for so_far, chart in zip(alarms, again, strict=True)]
    yield from zip(charts, alarms, strict=True)


def _audited(monitor: Monitor, chart: Charted, mask: NDArray[np.bool_]) -> Iterator[Audited]:
    series = chart.series
    windows = [w for w, is_reference in zip(series.windows, series.is_reference.tolist(), strict=True) if is_reference]
    for j in np.flatnonzero(mask.any(axis=1)):
        at = np.flatnonzero(mask[j])
        stories = 1 + int((np.diff(at) > GAP + 1).sum())
        expected = budget_of(monitor, series.rule) * int(np.isfinite(series.value[j, series.is_reference]).sum())
        is_wild = stories >= LEAST_STORIES and float(pdtrc(stories - 1, expected)) < RARELY
        feature, segment = series.names[j]
        yield Audited(series.rule.metric, feature, segment, tuple(windows[w] for w in at), stories, is_wild)


def without_wild(found: Sequence[Signal], audit: Sequence[Audited]) -> list[Signal]:
    """Return signals of which those of numbers that would cry wolf are notices."""
    wild = {(a.metric, a.feature, a.segment): a for a in audit if a.is_wild}
    return [replace(s, level="notice") if s.rule != "target" and (s.metric, s.feature, s.segment) in wild else s for s in found]
