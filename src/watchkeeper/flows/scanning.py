"""What intake and measure share: one scan of what landed, model by model, its pieces spread over a task runner.

Belongs here: the task of a model. Does not: how rows become parts (operations/profile.py), the tasks of its pieces (spreading.py).
"""

from datetime import datetime
from pathlib import Path

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from watchkeeper.adapters.workspace import find_home, load_monitor
from watchkeeper.flows.fan_out import RETRIES, RETRY_AFTER_S, Outcome, fan_out, may_help
from watchkeeper.flows.selection import Selection
from watchkeeper.flows.spreading import spread_here, tasks_of


@task(task_run_name="profile-{model}", retries=RETRIES, retry_delay_seconds=RETRY_AFTER_S, retry_condition_fn=may_help, cache_policy=NO_CACHE)
def profile_model(model: str, root: Path, now: datetime) -> int:
    """Scan what landed for one model and was not scanned yet; return the parts written."""
    from watchkeeper.operations.profile import profile

    home = find_home(root)
    parts = profile(home, load_monitor(home, model), now=now, spread=spread_here())
    get_run_logger().info("%s: %d profile parts", model, parts)
    return parts


def scan(selection: Selection) -> list[Outcome]:
    """Scan what landed for every model; return what became of each."""
    with tasks_of(selection.home):
        return fan_out(profile_model, selection, "profile")
