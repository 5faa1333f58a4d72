"""The eras of a model as they are judged: the scores of each, what is usual by its reference, and the signals.

Belongs here: reading what is judged, era by era. Does not: the rules (judgement/), incidents (judge.py).
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.adapters.arrow_records import TIMESTAMP, as_list, to_arrow
from watchkeeper.adapters.lake import among
from watchkeeper.adapters.warehouse import ask, connect, statement
from watchkeeper.adapters.workspace import Home
from watchkeeper.judgement.charts import Charted, charted
from watchkeeper.judgement.eras import Era
from watchkeeper.judgement.honesty import doubt
from watchkeeper.judgement.rolling import moved
from watchkeeper.judgement.self_audit import self_audit, without_wild
from watchkeeper.judgement.signals import judged_metrics, notices, signals
from watchkeeper.monitor import Monitor
from watchkeeper.operations.bins_in_force import stored_bins
from watchkeeper.operations.breaks import broken_expectations
from watchkeeper.operations.eras import eras_of
from watchkeeper.operations.faults import Intake
from watchkeeper.operations.measure import compared_metrics
from watchkeeper.operations.newest import signals_of_looks
from watchkeeper.operations.stayed import versions_of_reference
from watchkeeper.records import ReferenceScore, Score, Signal
from watchkeeper.windows import Window

CONTEXT = ("positive_rate", "calibration_gap", "recall", "score_mean", "psi", "rows")


@dataclass(frozen=True)
class Judged:
    """One era of a model as it is judged: its scores and those of its reference, the charts and signals of these, and what intake found."""

    era: Era
    scores: pa.Table
    charts: Sequence[Charted]
    signals: list[Signal]
    intake: Intake

    @property
    def daily(self) -> pa.Table:
        """The scores of the monitor's own windows."""
        return self.scores.filter(pc.field("grain") == self.era.monitor.window)


def judged_eras(home: Home, monitor: Monitor, *, now: datetime) -> list[Judged]:
    """Return the eras of a model, in order of time, each judged by its own reference as known at `now`."""
    eras, scores = eras_of(home, monitor, now=now), judged_scores(home, monitor, now=now)
    of_looks = _of_looks(home, monitor, eras, now)
    return [_judged_in(home, era, _scores_of(home, era, scores, now), [s for s in of_looks if s.window_start in era], now) for era in eras]


def _judged_in(home: Home, era: Era, scores: pa.Table, of_looks: Sequence[Signal], now: datetime) -> Judged:
    monitor, intake = era.monitor, Intake(home, era.monitor, now)
    daily = scores.filter(pc.field("grain") == monitor.window)
    windows = windows_of(daily)
    charts = charted(monitor, _by_its_own_reference(era, daily), windows)
    current = signals(monitor, monitor.environment, charts, scores, now)
    current += _notices_of_steps(home, era, daily, current, now)
    checked = broken_expectations(intake, [Window(*w) for w in windows], current)
    current += checked.signals
    scores = pa.concat_tables([scores, checked.scores], promote_options="default")
    known = {s.signal_id for s in current}
    current += [s for s in of_looks if s.signal_id not in known]  # what the whole window bears out it tells itself
    current = without_wild(current, self_audit(monitor, charts))
    if doubt(monitor, scores, lambda: versions_of_reference(home, monitor, now=now)):
        current = [replace(s, level="notice") if s.family in ("kpi", "segment") else s for s in current]
    return Judged(era, scores, charts, current, intake)


def _by_its_own_reference(era: Era, daily: pa.Table) -> pa.Table:
    """Return scores without those that are compared with a step of the era's rolling reference."""
    if not era.steps:
        return daily
    return daily.filter(~(among("metric", moved(era.monitor)) & between(era.steps[0].since, era.steps[-1].until)))


def _notices_of_steps(home: Home, era: Era, daily: pa.Table, raised: Sequence[Signal], now: datetime) -> list[Signal]:
    """Return what inputs are out of line beside the days that a rolling reference went on to, step by step."""
    return [s for step, charts in _steps_charted(home, era, daily, now) for s in notices(step.monitor, era.monitor.environment, charts, raised, now)]


def _steps_charted(home: Home, era: Era, daily: pa.Table, now: datetime, *, newest: int = 0) -> Iterator[tuple[Era, list[Charted]]]:
    """Yield the steps of an era (all, or the `newest`), each with its windows' numbers of inputs beside what is usual by it."""
    steps = era.steps[-newest:]
    if not steps:
        return
    goes = moved(era.monitor)
    compared, of_inputs = compared_metrics(era.monitor) & goes, daily.filter(among("metric", goes))
    beside = _beside(home, era.monitor, [step.baseline.baseline_id for step in steps if step.baseline is not None], compared, now)
    for step in steps:
        if step.baseline is None:
            continue
        made = step.baseline
        own = of_inputs.filter(between(made.starts_at, made.ends_at) & ~among("metric", compared))
        own = own.filter(~pc.field("window_start").isin(pa.array(made.left_out, TIMESTAMP)))
        against = beside.filter(pc.field("baseline_id") == made.baseline_id).drop_columns("baseline_id")
        scores = pa.concat_tables([own, against, of_inputs.filter(between(step.since, step.until))])
        yield step, charted(step.monitor, scores, windows_of(scores))


def _beside(home: Home, monitor: Monitor, baseline_ids: Sequence[str], metrics: Collection[str], now: datetime) -> pa.Table:
    """Return the scores of the own windows of new normals, each beside its sum, with the id of which."""
    found = home.lake.read(ReferenceScore.TABLE, where=among("baseline_id", baseline_ids) & among("metric", metrics))
    connection = connect(home, {})
    connection.register("reference_scores", to_arrow(ReferenceScore, []) if found is None else found)
    return ask(connection, statement("judged_beside"), _asked(home, monitor, now) | {"metrics": sorted(metrics)})


def _of_looks(home: Home, monitor: Monitor, eras: Sequence[Era], now: datetime) -> list[Signal]:
    """Return the signals of looks at windows that had not ended; what began before the reference of the monitor file ends is not judged."""
    bins = stored_bins(home, monitor, now=now)
    return signals_of_looks(home, monitor, bins.version, since=eras[0].begins, now=now) if bins else []


def charted_now(home: Home, monitor: Monitor, *, now: datetime) -> tuple[Monitor, list[Charted]]:
    """Return the monitor with the reference that is in force, and what is usual by it of every judged number and how its windows lie to that."""
    era = eras_of(home, monitor, now=now)[-1]
    daily = _scores_of(home, era, judged_scores(home, monitor, now=now), now).filter(pc.field("grain") == monitor.window)
    charts = charted(era.monitor, _by_its_own_reference(era, daily), windows_of(daily))
    rolled = [chart for _, own in _steps_charted(home, era, daily, now, newest=1) for chart in own]
    return era.monitor, [c for c in charts if not rolled or c.series.rule.metric not in moved(era.monitor)] + rolled


def _scores_of(home: Home, era: Era, scores: pa.Table, now: datetime) -> pa.Table:
    """Return the scores of an era's windows, and of the windows of its reference as they are beside that."""
    mine = scores if era.since is None and era.until is None else scores.filter(between(era.since, era.until))
    if era.baseline is None:
        return mine
    own, compared = scores.filter(between(era.baseline.starts_at, era.baseline.ends_at)), compared_metrics(era.monitor)
    beside = _beside(home, era.monitor, [era.baseline.baseline_id], compared, now).drop_columns("baseline_id")
    return pa.concat_tables([own.filter(~among("metric", compared)), beside, mine])


def between(start: datetime | None, end: datetime | None) -> pc.Expression:
    """Match the scores of windows that start in [start, end); None is no end."""
    time, inside = pc.field("window_start"), pc.scalar(True)
    if start is not None:
        inside &= time >= pa.scalar(start, TIMESTAMP)
    return inside if end is None else inside & (time < pa.scalar(end, TIMESTAMP))


def windows_of(scores: pa.Table) -> list[tuple[datetime, datetime]]:
    """Return the windows that have scores, in order."""
    distinct = scores.group_by("window_start").aggregate([("window_end", "max")]).sort_by("window_start")
    return list(zip(as_list(distinct.column("window_start")), as_list(distinct.column("window_end_max")), strict=True))


def judged_scores(home: Home, monitor: Monitor, *, now: datetime) -> pa.Table:
    """Return the newest revision of every score that is judged or bears on a judgement."""
    connection = connect(home, {"scores": Score.TABLE})
    if home.lake.table(Score.TABLE) is None:
        connection.register("scores", to_arrow(Score, []))
    return ask(connection, statement("judged_scores"), _asked(home, monitor, now))


def _asked(home: Home, monitor: Monitor, now: datetime) -> dict[str, Any]:
    bins = stored_bins(home, monitor, now=now)
    return {
        "model": monitor.model,
        "environment": monitor.environment,
        "now": now,
        "metrics": sorted({*judged_metrics(monitor), *CONTEXT}),
        "bins": ["", *([bins.version] if bins else [])],
    }
