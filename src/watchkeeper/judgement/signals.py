"""Signals: the scores that are out of line, within a stated budget of false alarms, and the promises that were broken.

Belongs here: what is believed of charts, promises and shortfalls -> records. Does not: what is believed (charts.py), which metrics (policy.py),
incidents (incidents.py).
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from functools import partial
from math import isfinite

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from watchkeeper.judgement.apart import of_their_own
from watchkeeper.judgement.charts import Charted, believed
from watchkeeper.judgement.missing_segments import columns_gone
from watchkeeper.judgement.panels import unscaled
from watchkeeper.judgement.policy import rules_of
from watchkeeper.judgement.settling import SETTLED, settled
from watchkeeper.judgement.shortfall import shortfalls
from watchkeeper.monitor import Monitor, Target
from watchkeeper.records import Signal, key

_HALF = 0.5


def judged_metrics(monitor: Monitor) -> list[str]:
    """Return the names of the metrics that signals can come from."""
    return sorted({r.metric for r in rules_of(monitor)} | {t.metric for t in monitor.targets} | {"label_coverage"})


def signals(monitor: Monitor, environment: str, charts: Sequence[Charted], scores: pa.Table, now: datetime) -> list[Signal]:
    """Return every signal of every window after the reference, in order of time."""
    missed = list(shortfalls(monitor, environment, scores, now))
    learned = list(_learned(monitor, environment, charts, now, gone=columns_gone(missed)))
    found = [
        *of_their_own(monitor, learned, scores),
        *_promises(monitor, environment, scores, now),
        *_not_told_yet(missed, learned),
    ]
    return sorted(found, key=lambda s: (s.window_start, s.family, s.metric, s.feature, s.segment))


def _not_told_yet(missing: Iterable[Signal], learned: Iterable[Signal]) -> Iterator[Signal]:
    """Yield what is missing, but for a segment whose rows may well be those that page for having no value, or another one, in the segment's column."""
    other = {(s.feature, s.window_start): (s.value - s.expected) * s.n for s in learned if s.family == "data" and s.level == "page"}
    for s in missing:
        rows = other.get((s.segment.partition("=")[0], s.window_start), 0.0)
        if not s.segment or s.metric != "rows" or rows < _HALF * (s.expected - s.value):
            yield s


def notices(monitor: Monitor, environment: str, charts: Sequence[Charted], raised: Sequence[Signal], now: datetime) -> list[Signal]:
    """Return the signals of charts of inputs alone; `raised` are those of all else: of KPIs, which tell what did harm, and of segments that are missing."""
    harmed = {s.window_start for s in raised if s.family == "kpi" and s.level == "page"}
    return list(_learned(monitor, environment, charts, now, harmed, columns_gone(raised)))


def _learned(
    monitor: Monitor,
    environment: str,
    charts: Sequence[Charted],
    now: datetime,
    harmed: Collection[datetime] = (),
    gone: Collection[tuple[str, datetime]] = (),
) -> Iterator[Signal]:
    first = [(chart, _untold(chart, mask, gone)) for chart, mask in believed(monitor, charts)]
    found = [
        s for chart, mask in believed(monitor, settled(first, harmed)) for s in _raised(monitor, environment, chart, _untold(chart, mask, gone), now)
    ]
    paged = {_number_of(s) for s in found if s.level == "page"}
    return (s for s in found if s.level == "page" or _number_of(s) not in paged)


def _number_of(signal: Signal) -> tuple[str, str, str, datetime]:
    """Return which number a signal is about, of which window: what pages is not noticed beside."""
    return signal.metric, signal.feature, signal.segment, signal.window_start


def _untold(chart: Charted, mask: NDArray[np.bool_], gone: Collection[tuple[str, datetime]]) -> NDArray[np.bool_]:
    """Return what is believed of a chart; of inputs without what an incident of missing segments tells: a value of the column itself no longer comes."""
    if not gone or chart.series.rule.family != "covariate":
        return mask
    names, starts = chart.series.names, [start for start, _ in chart.series.windows]
    is_told = np.array([[(feature, start) in gone for start in starts] for feature, _ in names], bool)
    return np.asarray(mask & ~is_told, bool)


def _raised(monitor: Monitor, environment: str, chart: Charted, mask: NDArray[np.bool_], now: datetime) -> Iterator[Signal]:
    for j, w in zip(*np.nonzero(mask), strict=True):
        yield signal_at(monitor, environment, chart, int(j), int(w), now)


def signal_at(monitor: Monitor, environment: str, chart: Charted, j: int, w: int, now: datetime) -> Signal:
    """Return what one window of a series tells, whether it alarmed or not."""
    found = chart.series
    feature, segment = found.names[j]
    start, end = found.windows[w]
    centre, low, high = chart.usual(j)
    shown = partial(unscaled, found.rule)
    return Signal(
        signal_id=key(monitor.model, environment, "normal" if found.rule.level == "page" else "noticed", found.rule.metric, feature, segment, start),
        model=monitor.model,
        environment=environment,
        family=found.rule.family,
        level=found.rule.level,
        rule="slow" if chart.is_slow[j, w] else "sudden",
        metric=found.rule.metric,
        feature=feature,
        segment=segment,
        window_start=start,
        window_end=end,
        value=float((chart.panel.value if found.is_provisional[j, w] else found.value)[j, w]),
        low=_or_none(found.low[j, w]),
        high=_or_none(found.high[j, w]),
        expected=shown(float(centre[w])),
        normal_low=shown(float(low[w])),
        normal_high=shown(float(high[w])),
        p=float(chart.p[j, w]),
        n=int(np.nan_to_num(found.n[j, w])),
        reason="; ".join(filter(None, (found.said.get((j, w)), SETTLED if chart.settled is not None and chart.settled.when[j, w] else ""))),
        state="provisional" if found.is_provisional[j, w] else "mature",
        computed_at=now,
    )


def _promises(monitor: Monitor, environment: str, scores: pa.Table, now: datetime) -> Iterator[Signal]:
    """Yield a page for each target that is broken beyond doubt, a notice for each broken within its interval."""
    span = monitor.reference_span
    for target in monitor.targets:
        about = (pc.field("feature") == target.feature) & (pc.field("segment") == target.segment) & (pc.field("grain") == target.per)
        mine = scores.filter((pc.field("metric") == target.metric) & about)
        for row in mine.to_pylist():
            if span is None or row["window_start"] >= span[1]:
                yield from _broken(monitor, environment, target, row, now)


def _broken(monitor: Monitor, environment: str, target: Target, row: dict[str, object], now: datetime) -> Iterator[Signal]:
    kindest, doubt = _kindest(target, row)
    if kindest is None or target.is_kept_by(kindest):
        return
    is_certain = doubt is None or not target.is_kept_by(doubt)
    limit = target.at_least if target.at_least is not None and kindest < target.at_least else target.at_most
    yield Signal(
        signal_id=key(monitor.model, environment, "target", target.metric, target.feature, target.segment, target.per, row["window_start"]),
        model=monitor.model,
        environment=environment,
        family="target",
        level="page" if is_certain else "notice",
        rule="target",
        metric=target.metric,
        feature=target.feature,
        segment=target.segment,
        window_start=row["window_start"],  # type: ignore[arg-type]
        window_end=row["window_end"],  # type: ignore[arg-type]
        value=kindest,
        low=row["low"],  # type: ignore[arg-type]
        high=row["high"],  # type: ignore[arg-type]
        expected=float(limit or 0.0),
        normal_low=target.at_least,
        normal_high=target.at_most,
        p=0.0,
        n=int(row["n"] or 0),  # type: ignore[call-overload]
        state="provisional" if row["state"] == "provisional" else "mature",
        computed_at=now,
    )


def _kindest(target: Target, row: dict[str, object]) -> tuple[float | None, float | None]:
    """Return the value most favourable to the promise, and the favourable end of its interval.

    While labels are missing that is the bound, with the interval's half width beyond it: what is final will be asked no more.
    """
    ends = ("bound_high", "high") if target.at_least is not None else ("bound_low", "low")
    value, bound, end = (None if (x := row[name]) is None else float(x) for name in ("value", *ends))  # type: ignore[arg-type]
    if row["state"] != "provisional":
        return value, end
    if bound is None:
        return None, None
    return bound, bound if value is None or end is None else bound + (end - value)


def _or_none(value: float) -> float | None:
    return float(value) if isfinite(value) else None


def pages(found: Iterable[Signal]) -> list[Signal]:
    """Return the signals that may open an incident."""
    return [s for s in found if s.level == "page"]
