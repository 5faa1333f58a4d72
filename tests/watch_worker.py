"""Runs of the watch and of an intake in processes that can be killed, and what they leave behind, to compare with a clean run.

Belongs here: starting `watch` or `ingest` in a child that has its imports ready, and the state of a workspace without its
timing. Does not: the worlds (worlds.py).
"""

import multiprocessing
import os
from collections.abc import Mapping
from datetime import datetime
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from watchkeeper.adapters.workspace import Home, find_home, load_monitor
from watchkeeper.judgement.incidents import fold
from watchkeeper.operations.ingest import ingest
from watchkeeper.operations.watch import watch
from watchkeeper.records import Action, Batch, Digest, IncidentEvent, Run, Score

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["watchkeeper.operations.watch", "polars", "duckdb", "slack_sdk", "deltalake", "adbc_driver_postgresql.dbapi"])


def started(home: Home, now: datetime, environment: Mapping[str, str] | None = None) -> BaseProcess:
    """Start a run in a process of its own."""
    process = _FORKS.Process(target=_watch, args=(str(home.root), now, dict(environment or {})))
    process.start()
    return process


def started_intake(home: Home, model: str, now: datetime, environment: Mapping[str, str]) -> BaseProcess:
    """Start taking in what is new of a model, in a process of its own."""
    process = _FORKS.Process(target=_take_in, args=(str(home.root), model, now, dict(environment)))
    process.start()
    return process


def _watch(root: str, now: datetime, environment: dict[str, str]) -> None:
    os.environ.update(environment)
    done = watch(find_home(Path(root)), now=now)
    if done.failures or done.problems:
        raise SystemExit(1)


def _take_in(root: str, model: str, now: datetime, environment: dict[str, str]) -> None:
    os.environ.update(environment)
    home = find_home(Path(root))
    ingest(home, load_monitor(home, model), now=now)


def state(home: Home) -> dict[str, Any]:
    """Return what a workspace has come to: newest values by key, without when and in how many steps."""
    lake = home.lake
    return {
        "batches": {b.batch_id: (b.status, b.rows_landed) for b in lake.newest(Batch)},
        "scores": {tuple(getattr(s, k) for k in Score.KEY): _figures(s) for s in lake.newest(Score)},
        "runs": {tuple(getattr(r, k) for k in Run.KEY): r.outcome for r in lake.newest(Run)},
        "incidents": {i.id: _told(i) for i in fold(lake.newest(IncidentEvent))},
        "events": {e.event_id: (e.event, e.severity, e.at) for e in lake.newest(IncidentEvent)},
        "digests": {d.digest_id: d.text for d in lake.newest(Digest)},
        "actions": actions(home),
    }


def actions(home: Home) -> dict[tuple[str, str, str], str]:
    """Return the last state of each action."""
    found: list[Action] = home.lake.newest(Action)
    return {(a.action_id, a.kind, a.target): a.state for a in sorted(found, key=lambda a: a.attempt)}


def _figures(score: Score) -> tuple[Any, ...]:
    numbers = (score.value, score.low, score.high, score.bound_low, score.bound_high, score.reference_value, score.coverage)
    return (score.state, score.n, *(None if x is None else float(f"{x:.9g}") for x in numbers))


def _told(incident: Any) -> tuple[Any, ...]:
    return (
        incident.state,
        incident.severity,
        incident.subject,
        incident.opened_at,
        incident.resolved_at,
        incident.window_start,
        incident.window_end,
        incident.headline,
        tuple(incident.signals),
        incident.why,
    )
