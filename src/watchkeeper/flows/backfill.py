"""The flow that brings all that is past up to date, for a person who starts it from the Prefect UI.

Belongs here: the form, the progress shown, the page. Does not: what a backfill does (operations/backfill.py).
"""

from datetime import date, datetime
from pathlib import Path
from threading import Lock
from typing import Any
from uuid import UUID

from prefect import State, flow, get_run_logger, task
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.cache_policies import NO_CACHE

from watchkeeper.adapters.workspace import find_home
from watchkeeper.flows.artifacts import dated, links, publish, table
from watchkeeper.flows.beginning import begin
from watchkeeper.flows.fan_out import RETRIES, RETRY_AFTER_S, Outcome, conclude, fan_out, may_help, threads
from watchkeeper.flows.selection import run_name, select, stretch
from watchkeeper.flows.showing import show
from watchkeeper.flows.spreading import spread_here, tasks_of
from watchkeeper.operations.backfill import Asked, Backfilled, OfBins
from watchkeeper.windows import local_midnight
from watchkeeper.words import counted

_COLUMNS = ("model", "batches", "parts", "windows", "incident events", "new bins", "why")


@task(task_run_name="backfill-{model}", retries=RETRIES, retry_delay_seconds=RETRY_AFTER_S, retry_condition_fn=may_help, cache_policy=NO_CACHE)
def backfill_model(model: str, root: Path, now: datetime, asked: Asked) -> Backfilled:
    """Bring all that is past of one model up to date."""
    from watchkeeper.operations.backfill import backfill as bring_up_to_date

    log, shown = get_run_logger(), _Progress(model)
    return bring_up_to_date(
        find_home(root), [model], now=now, asked=asked, spread=spread_here(), tell=lambda _, step: log.info("%s: %s", model, step), far=shown.far
    )


@flow(name="backfill", flow_run_name=run_name, task_runner=threads(1))  # one model after the other: each takes all processors
def backfill(
    models: list[str] | None = None,
    start: date | None = None,
    end: date | None = None,
    bins: OfBins = "keep",
    *,
    recompute: bool = False,
    as_of: datetime | None = None,
) -> State[Any]:
    """Brings all that is past up to date in one go: lands, counts, measures and judges it. Nobody is told by it.

    Started again after it was cancelled or killed it goes on where it stood.

    Args:
        models: Models to bring up to date. Leave empty for all.
        start: First day whose windows are measured. Leave empty for all.
        end: Day after the last. Leave empty for now.
        bins: `refit` fits bins to the reference anew and counts all rows again; `keep` does not.
        recompute: Measure again also the windows about which nothing new is known.
        as_of: Act as of this moment. Leave empty for now.
    """
    begin()
    selection = select(models, as_of)
    zone = selection.home.workspace.timezone
    first, last = stretch(*(local_midnight(day, zone) if day else None for day in (start, end)))
    asked = Asked(start=first, end=last, bins=bins, recompute=recompute)
    with tasks_of(selection.home):
        outcomes = [_whole(o) for o in fan_out(backfill_model, selection, "backfill", asked=asked)]
    page = "\n\n".join(["# Backfill", dated(selection), table(_COLUMNS, [_row(o) for o in outcomes]), links(selection.home)])
    publish("backfill", page, "What the newest backfill brought up to date")
    show(selection)
    windows = sum(len(o.value.watched.runs) for o in outcomes if o.value)
    return conclude(selection, outcomes, f"{counted(windows, 'window')} measured; nobody was told")


class _Progress:
    """A progress artifact of one model, set back by each step."""

    def __init__(self, model: str) -> None:
        """Show nothing yet."""
        self.model, self.made, self._lock = model, dict[str, UUID](), Lock()

    def far(self, what: str, done: int, total: int) -> None:
        """Show how much of a step is done."""
        share = 100.0 * done / total if total else 100.0
        with self._lock:
            if what in self.made:
                update_progress_artifact(self.made[what], progress=share)
            else:
                key = f"backfill-{self.model}-{what}".lower().replace("_", "-").replace(" ", "-")
                made = create_progress_artifact(progress=share, key=key, description=f"{self.model}: {what}")
                self.made[what] = UUID(str(made))


def _whole(outcome: Outcome) -> Outcome:
    """Return an outcome that is a failure where a step of the model failed."""
    if outcome.failure or not outcome.value.watched.failures:
        return outcome
    said = "; ".join(f"{f.operation}: {f.reason}" for f in outcome.value.watched.failures)
    return Outcome(about=outcome.about, value=outcome.value, failure=said)


def _row(outcome: Outcome) -> dict[str, object]:
    done: Backfilled | None = outcome.value
    if done is None:
        return {"model": outcome.about, "why": outcome.failure}
    figures = (len(done.watched.batches), sum(done.parts.values()), len(done.watched.runs), len(done.watched.events))
    told = (outcome.about, *figures, done.bins.get(outcome.about, ""), outcome.failure)
    return dict(zip(_COLUMNS, told, strict=True))
