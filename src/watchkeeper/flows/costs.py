"""The flow that turns GPU samples and prices into cost.

Belongs here: parameters, retries, the last word. Does not: the arithmetic (operations/costs.py), or sampling (`watchkeeper sample-gpus`).
"""

from datetime import datetime
from pathlib import Path
from typing import Any

from prefect import State, flow, task
from prefect.cache_policies import NO_CACHE

from watchkeeper.adapters.workspace import find_home, load_monitors
from watchkeeper.flows.beginning import begin
from watchkeeper.flows.fan_out import RETRIES, RETRY_AFTER_S, conclude, may_help, together
from watchkeeper.flows.selection import run_name, select
from watchkeeper.flows.showing import show
from watchkeeper.words import counted


@task(task_run_name="costs", retries=RETRIES, retry_delay_seconds=RETRY_AFTER_S, retry_condition_fn=may_help, cache_policy=NO_CACHE)
def cost_models(models: list[str], root: Path, now: datetime) -> int:
    """Bring the cost of the models up to date; return the scores written."""
    from watchkeeper.operations.costs import costs as bring_up

    home = find_home(root)
    return bring_up(home, load_monitors(home, models)[0], now=now)


@flow(name="costs", flow_run_name=run_name)
def costs(models: list[str] | None = None, as_of: datetime | None = None) -> State[Any]:
    """Turns GPU samples and the price book into GPU-hours and cost per model.

    Args:
        models: Models to compute the cost of. Leave empty for all.
        as_of: Act as of this moment. Leave empty for now.
    """
    begin()
    selection = select(models, as_of)
    costed = together(cost_models, selection, "costs")
    if costed.value:
        show(selection)
    return conclude(selection, [costed], f"{counted(costed.value, 'cost score')} for {counted(len(selection.monitors), 'model')}")
