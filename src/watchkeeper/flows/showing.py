"""After something changed: what people look at is renewed, and the overview artifact with it.

Belongs here: that a failure to show is a failure of the run. Does not: what is renewed (operations/watch.py), or how one run's
own artifact looks (artifacts.py).
"""

from datetime import datetime
from pathlib import Path

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from watchkeeper.adapters.workspace import find_home, load_monitors
from watchkeeper.flows.artifacts import dated, links, publish
from watchkeeper.flows.fan_out import RETRIES, RETRY_AFTER_S, may_help
from watchkeeper.flows.selection import Selection


@task(task_run_name="show", retries=RETRIES, retry_delay_seconds=RETRY_AFTER_S, retry_condition_fn=may_help, cache_policy=NO_CACHE)
def renew(root: Path, now: datetime) -> str:
    """Bring what people look at up to date; return the overview of the whole workspace as markdown."""
    from watchkeeper.operations.status import overview_rows
    from watchkeeper.operations.watch import present
    from watchkeeper.site.overview import overview_markdown

    home = find_home(root)
    monitors, problems = load_monitors(home)
    for missed in present(home, now=now):
        get_run_logger().warning(missed)
    return overview_markdown(overview_rows(home, monitors, now=now, problems=problems))


def show(selection: Selection) -> None:
    """Renew what people look at, and show how every model stands: the same table as `watchkeeper status`."""
    table = renew(selection.home.root, selection.now)
    text = "\n\n".join([f"# {selection.home.workspace.name}", dated(selection), table, links(selection.home)])
    publish("overview", text, "How every model stands")
