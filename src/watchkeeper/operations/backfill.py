"""Backfill: bring parts and scores of all that is past up to date in one go, and fit bins anew where that is asked for.

Belongs here: the order of it, for each model. Does not: the operations themselves, who does their pieces (spread.py), or telling
people (act.py): a backfill sends nothing. What the next run tells of it is what is no older than a week.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from watchkeeper.adapters.leases import lease
from watchkeeper.adapters.monitor_files import Problem
from watchkeeper.adapters.reference_files import dated
from watchkeeper.adapters.workspace import Home, load_monitors
from watchkeeper.errors import UsageError
from watchkeeper.monitor import Monitor
from watchkeeper.operations.bins_in_force import Fitted, fitted, put_in_force, reference_problem, stored_bins
from watchkeeper.operations.ingest import ingest
from watchkeeper.operations.judge import judge
from watchkeeper.operations.lost import lost_scores
from watchkeeper.operations.profile import profile
from watchkeeper.operations.rolling import measure_and_roll
from watchkeeper.operations.spread import Spread, Tell, in_turn, telling
from watchkeeper.operations.watch import LONGEST_WAIT_S, Progress, Steps, Watched, tidy
from watchkeeper.records import Run

OfBins = Literal["keep", "refit"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a backfill is to do: windows in [start, end), all by default; with `recompute` also those with nothing new."""

    start: datetime | None = None
    end: datetime | None = None
    bins: OfBins = "keep"
    recompute: bool = False


@dataclass(slots=True)
class Backfilled:
    """What a backfill did; `parts` and `bins` (new versions) are by model."""

    watched: Watched
    parts: dict[str, int] = field(default_factory=dict)
    bins: dict[str, str] = field(default_factory=dict)

    @property
    def problems(self) -> list[Problem]:
        """Monitor files that could not be read."""
        return self.watched.problems


def backfill(
    home: Home,
    models: Sequence[str] | None = None,
    *,
    now: datetime,
    asked: Asked,
    spread: Spread = in_turn,
    tell: Progress | None = None,
    far: Tell | None = None,
) -> Backfilled:
    """Land, profile, measure and judge all that is past; harmless when repeated, and a killed one goes on where it stood.

    `tell` is called with (model, step), `far` with how many pieces of a step are done. A model or step that fails is kept as a
    run with its reason; the others go on.
    """
    monitors, problems = load_monitors(home, models)
    done = Backfilled(Watched(problems=problems, monitors=monitors))
    seen = tell or (lambda _model, _step: None)
    for monitor in monitors.values():
        steps = Steps(home, [monitor], now, done.watched, seen)
        _of_model(home, monitor, now, asked, done, steps, telling(spread, far) if far else spread)
    for model, monitor in monitors.items():
        alone = {model: dated(home, monitor)}
        Steps(home, [monitor], now, done.watched, seen).attempt("judge", lambda a=alone: done.watched.events.extend(judge(home, a, now=now)))  # type: ignore[misc]
    tidy(home)
    return done


def _of_model(home: Home, monitor: Monitor, now: datetime, asked: Asked, done: Backfilled, steps: Steps, spread: Spread) -> None:
    """Bring one model up to date; a run of the same model waits for it."""
    model = monitor.model

    def whole() -> None:
        with lease(home.lake, f"watch:{model}", wait_s=LONGEST_WAIT_S):
            steps.attempt("ingest", lambda: done.watched.batches.extend(ingest(home, monitor, now=now)))
            landed = dated(home, monitor)
            if steps.attempt("profile", lambda: done.parts.update({model: _counted(home, landed, now, asked, done, spread)})):
                steps.attempt("measure", lambda: done.watched.runs.extend(_measured(home, landed, now, asked, spread)))

    steps.attempt("backfill", whole)


def _measured(home: Home, monitor: Monitor, now: datetime, asked: Asked, spread: Spread) -> list[Run]:
    recompute = asked.recompute or lost_scores(home, monitor)
    return measure_and_roll(home, monitor, now=now, start=asked.start, end=asked.end, recompute=recompute, spread=spread)


def _counted(home: Home, monitor: Monitor, now: datetime, asked: Asked, done: Backfilled, spread: Spread) -> int:
    if asked.bins == "keep":
        return profile(home, monitor, now=now, spread=spread)
    parts, new = refit(home, monitor, now=now, spread=spread)
    done.bins |= {monitor.model: new.version} if new else {}
    return parts


def refit(home: Home, monitor: Monitor, *, now: datetime, spread: Spread = in_turn) -> tuple[int, Fitted | None]:
    """Fit bins to the reference as it is today, count all rows in them, and only then put them in force.

    Return the parts written and the bins, None where today's came out again. Until they are in force everybody reads the old
    ones; parts over the old ones stay until retention takes them, and no sum holds parts of both. A killed refit is gone on
    with when it is started again: the same reference gives the same version.

    Raises:
        UsageError: there is no reference yet.

    """
    if monitor.reference_span is None or now < monitor.reference_span[1]:
        raise UsageError(reference_problem(monitor, now=now), where=monitor.model, then="Bins are fitted to it then.")
    new, old = fitted(home, monitor, now=now), stored_bins(home, monitor, now=now)
    if new is None:
        raise UsageError(reference_problem(monitor, now=now), where=monitor.model, then="Land its rows first.")
    parts = profile(home, monitor, now=now, spread=spread, found=new)
    if old is not None and old.version == new.version:
        return parts, None
    put_in_force(home, monitor, new, now=now)
    return parts, new
