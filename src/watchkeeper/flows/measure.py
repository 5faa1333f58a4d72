"""The flow that brings the numbers up to date.

Belongs here: parameters, fan-out, retries, what is shown. Does not: which windows are due and what is measured
(operations/measure.py), or the scan before it (scanning.py).
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from prefect import State, flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE

from watchkeeper.adapters.workspace import find_home, load_monitor
from watchkeeper.flows.artifacts import dated, links, publish, table
from watchkeeper.flows.beginning import begin
from watchkeeper.flows.fan_out import RETRIES, RETRY_AFTER_S, Outcome, conclude, fan_out, may_help, threads
from watchkeeper.flows.plots import headline_plot
from watchkeeper.flows.scanning import profile_model
from watchkeeper.flows.selection import Selection, run_name, select, stretch
from watchkeeper.flows.showing import show
from watchkeeper.flows.spreading import spread_here, tasks_of
from watchkeeper.records import Run
from watchkeeper.words import counted

AT_ONCE = 4
_COLUMNS = ("model", "windows", "from", "to", "outcomes", "why")


@task(task_run_name="measure-{model}", retries=RETRIES, retry_delay_seconds=RETRY_AFTER_S, retry_condition_fn=may_help, cache_policy=NO_CACHE)
def measure_model(model: str, root: Path, now: datetime, start: datetime | None, end: datetime | None, *, recompute: bool) -> list[Run]:
    """Measure every window of one model that is due."""
    from watchkeeper.operations.lost import lost_scores
    from watchkeeper.operations.rolling import measure_and_roll

    home = find_home(root)
    monitor = load_monitor(home, model)
    recompute = recompute or lost_scores(home, monitor)
    runs = measure_and_roll(home, monitor, now=now, start=start, end=end, recompute=recompute, spread=spread_here())
    get_run_logger().info("%s: %d windows", model, len(runs))
    return runs


@flow(name="measure", flow_run_name=run_name, task_runner=threads(AT_ONCE))
def measure(
    *,
    models: list[str] | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    recompute: bool = False,
    as_of: datetime | None = None,
) -> State[Any]:
    """Measures drift, performance, data quality and service of every window that is due.

    Args:
        models: Models to measure. Leave empty for all.
        start: First moment of the windows to measure. Leave empty for everything due.
        end: Moment at which they end, exclusive. Leave empty for now.
        recompute: Measure again what was measured before; numbers that come out otherwise are kept as a new revision.
        as_of: Act as of this moment, with what was known then. Leave empty for now.
    """
    begin()
    first, last = stretch(start, end)
    selection = select(models, as_of)
    scanned, measured = scan_and_measure(selection, first, last, recompute=recompute)
    outcomes = [*scanned, *measured]
    runs = [r for o in measured for r in o.value or []]
    if runs or any(o.failure for o in outcomes):
        publish("measure", _page(selection, scanned, measured), "Windows measured by the newest run that found any due")
        show(selection)
    return conclude(selection, outcomes, f"{counted(len(runs), 'window')} of {counted(len(selection.monitors), 'model')}")


def scan_and_measure(selection: Selection, start: datetime | None, end: datetime | None, *, recompute: bool) -> tuple[list[Outcome], list[Outcome]]:
    """Bring the models up to date; return what became of the scans and of the measuring."""
    with tasks_of(selection.home):
        scanned = fan_out(profile_model, selection, "profile")
        return scanned, fan_out(measure_model, selection, "measure", start=start, end=end, recompute=recompute)


def _page(selection: Selection, scanned: Sequence[Outcome], measured: Sequence[Outcome]) -> str:
    rows = [*(_row(o) for o in scanned if o.failure), *(_row(o) for o in measured if o.value or o.failure)]
    plots = [headline_plot(selection, o.about) for o in measured if o.value]
    return "\n\n".join(filter(None, ["# Measure", dated(selection), table(_COLUMNS, rows), *plots, links(selection.home)]))


def _row(outcome: Outcome) -> dict[str, object]:
    if outcome.failure:
        return {"model": outcome.about, "outcomes": "failed", "why": outcome.failure}
    runs: list[Run] = outcome.value
    counted = Counter(r.outcome for r in runs)
    return {
        "model": outcome.about,
        "windows": len(runs),
        "from": f"{min(r.window_start for r in runs):%Y-%m-%d %H:%M}",
        "to": f"{max(r.window_end for r in runs):%Y-%m-%d %H:%M}",
        "outcomes": ", ".join(f"{n} {outcome}" for outcome, n in counted.most_common()),
        "why": "; ".join(dict.fromkeys(r.reason for r in runs if r.reason)),
    }
