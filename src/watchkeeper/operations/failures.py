"""Failures: a step that could not be done is kept as a run with its reason, until it is done.

Belongs here: writing both down, for the flows and the command line alike. Does not: trying again, or going on with the
others (watch.py, flows/).
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

import pyarrow.compute as pc

from watchkeeper.adapters.lake import among
from watchkeeper.adapters.workspace import Home
from watchkeeper.errors import WatchkeeperError
from watchkeeper.monitor import Monitor
from watchkeeper.operations.due import last_ended
from watchkeeper.records import Run

FIGURES = ("ingest", "profile", "measure", "judge")
"""The steps without which a model's figures and what is said about them are not whole."""


def reason_of(error: BaseException) -> str:
    r"""Return why something failed, in one sentence; what we did not foresee bears the name of its kind and its first line.

    >>> reason_of(ValueError("no match for x in id: string\nscore: double"))
    'ValueError: no match for x in id: string'
    """
    if isinstance(error, WatchkeeperError):
        return str(error)
    said = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def failed(home: Home, monitors: Iterable[Monitor], operation: str, reason: str, *, now: datetime) -> list[Run]:
    """Keep, for each model, that an operation failed; return what was kept."""
    runs = [_failed(monitor, operation, reason, now) for monitor in monitors]
    home.lake.append_records(Run, runs)
    return runs


def recovered(home: Home, monitors: Iterable[Monitor], operation: str, *, now: datetime) -> None:
    """Keep that an operation is done for these models, where it was last known to have failed."""
    mine = (pc.field("operation") == operation) & among("model", (m.model for m in monitors))
    home.lake.append_records(Run, [replace(r, outcome="done", reason="", computed_at=now) for r in _left(home, mine, now)])


def unmended(home: Home, monitor: Monitor, *, now: datetime) -> list[Run]:
    """Return the newest failure of each step that a model's figures rest on, of those that have not been done since."""
    left = _left(home, (pc.field("model") == monitor.model) & among("operation", FIGURES), now)
    return list({r.operation: r for r in sorted(left, key=lambda r: r.computed_at)}.values())


def _left(home: Home, mine: pc.Expression, now: datetime) -> list[Run]:
    """Return the failures that still stand; most lakes have never seen one, and then no more is read."""
    ever = home.lake.read(Run.TABLE, columns=["model"], where=mine & (pc.field("outcome") == "failed"))
    return [r for r in home.lake.newest(Run, as_of=now, where=mine) if r.outcome == "failed"] if ever is not None and ever.num_rows else []


def _failed(monitor: Monitor, operation: str, reason: str, now: datetime) -> Run:
    window = last_ended(monitor, now)
    return Run(
        model=monitor.model,
        operation=operation,
        window_start=window.start,
        window_end=window.end,
        outcome="failed",
        reason=reason,
        computed_at=now,
    )
