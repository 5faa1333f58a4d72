"""How every model stands: the last window of each operation, what is due or was left out, and the row of the overview.

Belongs here: reading runs, scores, incidents and actions as of `now`. Does not: how it looks (site/overview.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast, get_args

import pyarrow.compute as pc

from watchkeeper.adapters.arrow_records import TIMESTAMP
from watchkeeper.adapters.monitor_files import Problem
from watchkeeper.adapters.workspace import Home
from watchkeeper.judgement.episodes import MISSING_LABELS, MISSING_ROWS
from watchkeeper.judgement.eras import compared_text, era_of
from watchkeeper.judgement.incidents import Incident
from watchkeeper.monitor import Monitor
from watchkeeper.operations.bins_in_force import in_force
from watchkeeper.operations.eras import eras_of
from watchkeeper.operations.faults import Intake
from watchkeeper.operations.incident_book import known_incidents
from watchkeeper.operations.label_classes import remarks
from watchkeeper.operations.lost import lost_rows
from watchkeeper.operations.maturity import Maturity, maturity_of
from watchkeeper.operations.promises import promises
from watchkeeper.operations.quarantine import held
from watchkeeper.operations.trust import blind_text, is_most, why_not_judged
from watchkeeper.operations.unevaluated import newest_of, unevaluated
from watchkeeper.operations.unlooked import unlooked_text
from watchkeeper.operations.version_list import versions_text
from watchkeeper.records import Action, Batch, Run, Score, Severity
from watchkeeper.site.overview import OpenIncident, OverviewRow, state_of
from watchkeeper.windows import Window
from watchkeeper.words import counted, moment_text

OPERATIONS = ("ingest", "profile", "measure", "watch", "costs", "judge", "act", "report")
_SILENT = frozenset({"empty", "late", "missed"})
_LOOK_BACK = timedelta(days=35)
_DAY, _WEEK = timedelta(days=1), timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationStatus:
    """How one operation stands on one model, in windows of the monitor's own grid.

    `due` are those that ended after the last run, `left_out` those before it that no run took up, which is the watch's own omission;
    `without_rows` are the newest that were taken up and for which nothing ever landed, which is the data's. `last_done` is the
    newest that had rows, None where none had, and `silent_since` how many were taken up after it and had none.
    """

    operation: str
    window_start: datetime
    window_end: datetime
    outcome: str
    reason: str
    due: list[Window] = field(default_factory=list)
    left_out: list[Window] = field(default_factory=list)
    without_rows: list[Window] = field(default_factory=list)
    last_done: Window | None = None
    silent_since: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelStatus:
    """Everything known about how one model's watch goes; `rows_held` and `files_held` are in quarantine."""

    overview: OverviewRow
    operations: list[OperationStatus] = field(default_factory=list)
    failed_actions: list[Action] = field(default_factory=list)
    rows_held: int = 0
    files_held: int = 0


def status(home: Home, monitors: Mapping[str, Monitor], *, now: datetime, problems: Sequence[Problem] = ()) -> list[ModelStatus]:
    """Return how each model stands as of `now`; a monitor file that cannot be read is a row of its own."""
    runs: list[Run] = home.lake.newest(Run, as_of=now)
    incidents = known_incidents(home, now=now)
    failed = _failed_actions(home.lake.newest(Action, as_of=now))
    found = [
        _misconfigured(where, [p for p in problems if (p.model or p.file) == where]) for where in dict.fromkeys(p.model or p.file for p in problems)
    ]
    for monitor in monitors.values():
        operations = operation_statuses([r for r in runs if r.model == monitor.model], monitor, now)
        rows, files = held(home, monitor, now=now)
        overview = _overview_row(home, monitor, operations, [i for i in incidents if i.model == monitor.model], rows, now)
        mine = [a for a in failed if a.model == monitor.model]
        found.append(ModelStatus(overview=overview, operations=operations, failed_actions=mine, rows_held=rows, files_held=files))
    return found


def overview_rows(home: Home, monitors: Mapping[str, Monitor], *, now: datetime, problems: Sequence[Problem] = ()) -> list[OverviewRow]:
    """Return the overview as of `now`, one row a model."""
    return [s.overview for s in status(home, monitors, now=now, problems=problems)]


def operation_statuses(runs: Sequence[Run], monitor: Monitor, now: datetime) -> list[OperationStatus]:
    """Return the state of each operation that ever ran, in the order of the chain."""
    by_operation = {name: sorted((r for r in runs if r.operation == name), key=lambda r: r.window_start) for name in OPERATIONS}
    return [_operation_status(found, monitor, now) for found in by_operation.values() if found]


def _operation_status(runs: Sequence[Run], monitor: Monitor, now: datetime) -> OperationStatus:
    mine = [r for r in runs if monitor.grid.at(r.window_start) == Window(r.window_start, r.window_end)]
    last = (mine or runs)[-1]
    last_done = next((Window(r.window_start, r.window_end) for r in reversed(mine) if r.outcome == "done"), None)
    due, left_out = ([], [])  # type: tuple[list[Window], list[Window]]
    if mine:
        due = [w for w in monitor.grid.between(last.window_end, now) if w.end <= now]
        taken_up = {r.window_start for r in mine}
        left_out = [w for w in monitor.grid.between(mine[0].window_start, last.window_end) if w.start not in taken_up]
    return OperationStatus(
        operation=last.operation,
        window_start=last.window_start,
        window_end=last.window_end,
        outcome=last.outcome,
        reason=last.reason,
        due=due,
        left_out=left_out,
        without_rows=[Window(r.window_start, r.window_end) for r in mine if r.outcome == "missed"],
        last_done=last_done,
        silent_since=sum(r.outcome in _SILENT and r.window_start >= last_done.end for r in mine) if last_done else 0,
    )


def _failed_actions(actions: Sequence[Action]) -> list[Action]:
    latest: dict[str, Action] = {}
    for action in sorted(actions, key=lambda a: (a.at, a.attempt)):
        latest[action.action_id] = action
    return [a for a in latest.values() if a.state == "failed"]


def _misconfigured(where: str, problems: Sequence[Problem]) -> ModelStatus:
    return ModelStatus(overview=OverviewRow(model=where, state="misconfigured", reason="; ".join(str(p) for p in problems)))


def _overview_row(
    home: Home, monitor: Monitor, operations: Sequence[OperationStatus], incidents: Sequence[Incident], rows_held: int, now: datetime
) -> OverviewRow:
    measured = next((o for o in operations if o.operation == "measure"), None)
    last = None if measured is None else measured.last_done
    scores = [] if measured is None else _recent_scores(home, monitor, last.end if last else measured.window_end, now)
    still_open = open_incidents(incidents)
    taken_in: list[Batch] = home.lake.newest(Batch, as_of=now, where=pc.field("model") == monitor.model)
    silent = "" if any(i.is_open and i.subject == MISSING_ROWS for i in incidents) else silence_text(operations, monitor)
    gone = [f"table {lost.table} {lost.what}: `watchkeeper doctor` says how to mend it" for lost in lost_rows(home, monitor, taken_in)]
    one_class, new_classes = remarks(home, monitor, now=now)
    at = last.start if last else now
    due, era = maturity_of(home, monitor, now=now), era_of(eras_of(home, monitor, now=now), at)
    aside = "" if last is None else _set_aside(home, monitor, scores, last, rows_held, now)
    asleep = unlooked_text(home, monitor, now=now)
    behind = "; ".join(filter(None, (*gone, behind_text(operations), asleep, silent, aside, *unevaluated(home, newest_of(taken_in)))))
    blind = "" if any(i.is_open and i.subject == MISSING_LABELS for i in incidents) else _blind(monitor, due, scores)
    unjudged = "; ".join(filter(None, (why_not_judged(home, monitor, now=now), one_class, blind)))
    return OverviewRow(
        model=monitor.model,
        owner=monitor.owner,
        state=state_of(still_open, is_behind=bool(behind), is_judged=not unjudged, has_scores=bool(scores)),
        reason="; ".join(filter(None, (behind, unjudged)))
        or (measured.reason if measured is not None and measured.outcome == "insufficient" else ""),
        timezone=monitor.timezone,
        window_start=None if last is None else last.start,
        window_end=None if last is None else last.end,
        windows_without_rows=measured.silent_since if measured else 0,
        is_provisional=any(s.state == "provisional" for s in scores if last and s.window_start == last.start),
        incidents=still_open,
        targets=promises(home, monitor, now=now),
        label_coverage=label_coverage(scores),
        maturity=due.text if monitor.labels else "",
        new_classes=new_classes,
        versions=versions_text(home, era.monitor, last, now=now),
        compared_with=compared_text(era, at),
        **_cost(scores),
    )


def _recent_scores(home: Home, monitor: Monitor, last: datetime, now: datetime) -> list[Score]:
    since = pc.scalar(last - _LOOK_BACK).cast(TIMESTAMP)
    where = (pc.field("model") == monitor.model) & (pc.field("window_start") >= since) & (pc.field("grain") == monitor.window)
    where &= in_force(home, monitor, now=now)
    found: list[Score] = home.lake.newest(Score, as_of=now, where=where)
    return found


def _blind(monitor: Monitor, due: Maturity, scores: Sequence[Score]) -> str:
    """Return why no label tells how good the model is, empty where some do, or where none is asked for."""
    known = [s for s in scores if s.metric == "label_coverage" and not s.segment and not s.version and s.environment == monitor.environment]
    return blind_text(due, [s.value for s in known if s.value is not None and (s.state == "mature" or due.source == "unknown")])


def _set_aside(home: Home, monitor: Monitor, scores: Sequence[Score], last: Window, held_rows: int, now: datetime) -> str:
    """Return that more rows of the latest week are in quarantine than landed, empty where they are not."""
    week = Window(last.end - _WEEK, last.end)
    mine = [s for s in scores if s.metric == "rows" and not s.segment and not s.version and s.environment == monitor.environment]
    landed = round(sum(s.value or 0.0 for s in mine if s.window_start in week))
    aside = Intake(home, monitor, now).set_aside(week)[0] if held_rows > landed else 0
    if not is_most(aside, landed):
        return ""
    return f"{aside:,} of {aside + landed:,} {monitor.wording.rows} of the latest week are in quarantine, and in no number"


def open_incidents(incidents: Sequence[Incident]) -> list[OpenIncident]:
    """Return what is not resolved, worst first."""
    found = [
        OpenIncident(incident_id=i.id, severity=cast("Severity", i.severity), headline=i.headline, state=i.state) for i in incidents if i.is_open
    ]
    return sorted(found, key=lambda i: get_args(Severity).index(i.severity), reverse=True)


def behind_text(operations: Sequence[OperationStatus]) -> str:
    """Return what the watch itself left undone, empty when nothing."""
    parts = [f"{o.operation} failed: {o.reason}" for o in operations if o.outcome == "failed"]
    parts += [f"{o.operation} left out {counted(len(o.left_out), 'window')}" for o in operations if o.left_out]
    parts += [f"{o.operation} has {len(o.due):,} windows due, since {o.window_end:%Y-%m-%d}" for o in operations if len(o.due) > 1]
    return "; ".join(parts)


def silence_text(operations: Sequence[OperationStatus], monitor: Monitor) -> str:
    """Return since when nothing has landed, empty when something has lately; an incident about it says more."""
    silent = [w.start for o in operations for w in o.without_rows]
    return f"no {monitor.wording.rows} have landed since {moment_text(min(silent), monitor.timezone)}" if silent else ""


def label_coverage(scores: Sequence[Score]) -> float | None:
    """Return the share of labelled predictions in the newest window whose labels are due, while there is none in the newest; of hours, in a day of them."""
    every = [s for s in scores if s.metric == "label_coverage" and s.value is not None and not s.segment and not s.version and s.n]
    known = [s for s in every if s.state == "mature"] or every
    last = max((s.window_end for s in known), default=None)
    newest = [s for s in known if last is not None and (s.window_end == last or s.window_start >= last - _DAY)]
    return sum((s.value or 0.0) * s.n for s in newest) / sum(s.n for s in newest) if newest else None


def _cost(scores: Sequence[Score]) -> dict[str, Any]:
    whole = [s for s in scores if s.metric in ("total_cost", "gpu_cost") and not s.segment and not s.version and s.value is not None]
    spent = [s for s in whole if s.metric == "total_cost"] or whole  # windows that were settled before there was a total have none
    if not spent:
        return {"cost": None, "is_cost_synthetic": False}
    last = max(s.window_end for s in spent)
    week = [s for s in spent if s.window_start >= last - _WEEK]
    return {
        "cost": sum(s.value or 0.0 for s in week),
        "currency": week[-1].unit.upper(),
        "is_cost_synthetic": any("synthetic" in s.method for s in week),
    }
