"""The task that intake and measure share: one scan of what landed.

Belongs here: the task. Does not: how rows become parts (operations/profile.py).
"""

from datetime import datetime
from pathlib import Path

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from watchkeeper.adapters.workspace import find_home, load_monitor
from watchkeeper.flows.fan_out import RETRIES, RETRY_AFTER_S, may_help


@task(task_run_name="profile-{model}", retries=RETRIES, retry_delay_seconds=RETRY_AFTER_S, retry_condition_fn=may_help, cache_policy=NO_CACHE)
def profile_model(model: str, root: Path, now: datetime) -> int:
    """Scan what landed for one model and was not scanned yet; return the parts written."""
    from watchkeeper.operations.profile import profile

    home = find_home(root)
    parts = profile(home, load_monitor(home, model), now=now)
    get_run_logger().info("%s: %d profile parts", model, parts)
    return parts
