"""The flow that writes and sends the digest.

Belongs here: parameters, retries, what is shown. Does not: what a digest says (operations/report.py), or how it is sent (operations/act.py).
"""

from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from prefect import State, flow, task
from prefect.cache_policies import NO_CACHE

from watchkeeper.adapters.workspace import find_home, load_monitors
from watchkeeper.flows.artifacts import dated, links, publish
from watchkeeper.flows.beginning import begin
from watchkeeper.flows.fan_out import RETRIES, RETRY_AFTER_S, conclude, may_help, together
from watchkeeper.flows.plots import headline_plot
from watchkeeper.flows.respond import act_for_models
from watchkeeper.flows.selection import Selection, run_name, select
from watchkeeper.flows.showing import show
from watchkeeper.records import Digest
from watchkeeper.words import counted

Period = Literal["day", "week"]


@task(task_run_name="report-{period}", retries=RETRIES, retry_delay_seconds=RETRY_AFTER_S, retry_condition_fn=may_help, cache_policy=NO_CACHE)
def write_digests(models: list[str], root: Path, now: datetime, period: Period) -> list[Digest]:
    """Write the models' digests that are due."""
    from watchkeeper.operations.report import report

    home = find_home(root)
    return report(home, load_monitors(home, models)[0], now=now, period=period)


@flow(name="digest", flow_run_name=run_name)
def digest(period: Period = "week", as_of: datetime | None = None) -> State[Any]:
    """Writes and sends what a stakeholder reads in a minute.

    Args:
        period: The day or the week that ended last.
        as_of: Act as of this moment, with what was known then. Leave empty for now.
    """
    begin()
    selection = select(None, as_of)
    written = together(write_digests, selection, "report", period=period)
    acted = together(act_for_models, selection, "act")
    digests = written.value or []
    if digests:
        publish(f"digest-{period}", _page(selection, digests), f"The newest digest of a {period}")
        show(selection)
    return conclude(selection, [written, acted], f"{counted(len(digests), 'digest')}, {counted(len(acted.value or []), 'action')}")


def _page(selection: Selection, digests: list[Digest]) -> str:
    plots = [headline_plot(selection, model) for model in selection.monitors]
    return "\n\n".join(filter(None, [dated(selection), *(d.text for d in digests), *plots, links(selection.home)]))
