"""The flow that keeps the lake quick and small.

Belongs here: parameters, retries, what is shown. Does not: what is merged and removed (operations/upkeep.py). Prefect's own old
runs, events and artifacts are removed by its server, for which `watchkeeper up` sets the retention.
"""

from datetime import datetime
from pathlib import Path
from typing import Any

from prefect import State, flow, task
from prefect.cache_policies import NO_CACHE

from watchkeeper.adapters.workspace import find_home, load_monitors
from watchkeeper.flows.artifacts import dated, publish, table
from watchkeeper.flows.beginning import begin
from watchkeeper.flows.fan_out import RETRIES, RETRY_AFTER_S, conclude, may_help, together
from watchkeeper.flows.selection import Selection, run_name, select
from watchkeeper.operations.upkeep import Kept
from watchkeeper.words import counted

_COLUMNS = ("table", "rows removed", "files merged", "files deleted")


@task(task_run_name="upkeep", retries=RETRIES, retry_delay_seconds=RETRY_AFTER_S, retry_condition_fn=may_help, cache_policy=NO_CACHE)
def keep_up(models: list[str], root: Path, now: datetime) -> list[Kept]:
    """Merge, drop and delete, table by table; rows only of these models."""
    from watchkeeper.operations.upkeep import upkeep as keep

    home = find_home(root)
    return keep(home, load_monitors(home, models)[0], now=now)


@flow(name="upkeep", flow_run_name=run_name)
def upkeep(as_of: datetime | None = None) -> State[Any]:
    """Merges small files, removes what is older than monitors keep, deletes files that nobody needs.

    Args:
        as_of: Act as of this moment. Leave empty for now.
    """
    begin()
    selection = select(None, as_of)
    done = together(keep_up, selection, "upkeep")
    kept = done.value or []
    publish("upkeep", _page(selection, kept), "What the newest upkeep merged and removed")
    return conclude(selection, [done], counted(len(kept), "table"))


def _page(selection: Selection, kept: list[Kept]) -> str:
    rows = [dict(zip(_COLUMNS, (k.table, k.rows_removed, k.files_merged, k.files_deleted), strict=True)) for k in kept]
    return "\n\n".join(["# Upkeep", dated(selection), table(_COLUMNS, rows)])
