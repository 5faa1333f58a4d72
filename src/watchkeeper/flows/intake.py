"""The flow that takes in files: ingest, then one scan of what landed.

Belongs here: parameters, fan-out, retries, what is shown. Does not: how files are read, checked and landed (operations/ingest.py).
"""

from datetime import datetime
from pathlib import Path
from typing import Any

from prefect import State, flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE

from watchkeeper.adapters.workspace import find_home, load_monitor
from watchkeeper.flows.artifacts import dated, links, publish, table
from watchkeeper.flows.beginning import begin
from watchkeeper.flows.fan_out import RETRIES, RETRY_AFTER_S, Outcome, conclude, fan_out, may_help, threads
from watchkeeper.flows.scanning import scan
from watchkeeper.flows.selection import Selection, run_name, select
from watchkeeper.flows.showing import show
from watchkeeper.records import Batch
from watchkeeper.words import counted

_COLUMNS = ("model", "file", "status", "rows landed", "rows quarantined", "why")


@task(task_run_name="ingest-{model}", retries=RETRIES, retry_delay_seconds=RETRY_AFTER_S, retry_condition_fn=may_help, cache_policy=NO_CACHE)
def ingest_model(model: str, root: Path, now: datetime) -> list[Batch]:
    """Land the new files of one model."""
    from watchkeeper.operations.ingest import ingest

    home = find_home(root)
    batches = ingest(home, load_monitor(home, model), now=now)
    get_run_logger().info("%s: %d new files", model, len(batches))
    return batches


@task(task_run_name="telemetry", cache_policy=NO_CACHE)
def take_telemetry(root: Path, now: datetime, *, is_live: bool) -> tuple[list[str], list[tuple[str, str]]]:
    """Take in the traces and metrics that watchkeeper.yaml names; return what came in, and what could not be read, which the next run asks again."""
    from watchkeeper.operations.watch import take_telemetry as take

    return take(find_home(root), now=now, is_live=is_live)


@flow(name="intake", flow_run_name=run_name, task_runner=threads(1))  # GX keeps one context a process
def intake(models: list[str] | None = None, as_of: datetime | None = None) -> State[Any]:
    """Takes in new files of predictions and labels, checks them, and scans what landed; traces and metrics of others too.

    Args:
        models: Models to take in files for. Leave empty for all.
        as_of: Act as of this moment. Leave empty for now.
    """
    begin()
    selection = select(models, as_of)
    taken = fan_out(ingest_model, selection, "ingest")
    outcomes = [*taken, *scan(selection), *_telemetry(selection, is_live=as_of is None and selection.home.workspace.now is None)]
    batches = [b for o in taken for b in o.value or []]
    if batches or any(o.failure for o in outcomes):
        publish("intake", _page(selection, outcomes, batches), "Files taken in by the newest run that found any")
        show(selection)
    return conclude(selection, outcomes, f"{counted(len(batches), 'new file')} of {counted(len(selection.monitors), 'model')}")


def _telemetry(selection: Selection, *, is_live: bool) -> list[Outcome]:
    """Return what became of each source of telemetry that could not be read; a run without any source has no task for it."""
    if selection.home.workspace.telemetry.is_empty:
        return []
    came_in, unread = take_telemetry(selection.home.root, selection.now, is_live=is_live)
    for said in came_in:
        get_run_logger().info(said)
    return [Outcome(about=name, failure=reason) for name, reason in unread] or [Outcome(about="telemetry")]


def _page(selection: Selection, outcomes: list[Outcome], batches: list[Batch]) -> str:
    rows = [dict(zip(_COLUMNS, (b.model, b.name, b.status, b.rows_landed, b.rows_quarantined, b.reason), strict=True)) for b in batches]
    rows += [{"model": o.about, "status": "failed", "why": o.failure} for o in outcomes if o.failure]
    rows += [{"model": p.model, "status": "failed", "why": str(p)} for p in selection.problems]
    return "\n\n".join(["# Intake", dated(selection), table(_COLUMNS, rows), links(selection.home)])
