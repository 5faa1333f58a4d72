"""Deploying flows to Prefect without taking back what people changed there.

Belongs here: creating and refreshing deployments, their work pool, and the watch for runs that went silent. Does not: what is
deployed (prefect_file.py). A schedule is ours only at first: afterwards it belongs to whoever looks at the Prefect UI.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from watchkeeper.adapters.prefect_file import Deployment, Timing, read_deployments
from watchkeeper.adapters.workspace import Home
from watchkeeper.errors import ConfigurationError, UsageError

if TYPE_CHECKING:
    from prefect import Flow
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.actions import DeploymentScheduleCreate
    from prefect.client.schemas.responses import DeploymentResponse

_SILENT_FOR = timedelta(seconds=120)  # four heartbeats of 30 s
_LOST_RUNS = "watchkeeper: runs that went silent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """What became of one deployment."""

    name: str
    is_new: bool
    schedules: str

    def __str__(self) -> str:
        """One line for people."""
        return f"{'created' if self.is_new else 'updated'}  {self.name:<18} {self.schedules}"


def deploy_all(home: Home, *, reset_schedules: bool = False) -> list[Deployed]:
    """Deploy everything in the workspace's prefect.yaml to the Prefect that the environment or profile names.

    Schedules are sent when a deployment is created; afterwards only with `reset_schedules`.

    Raises:
        UsageError: neither names one; Prefect itself would then start a server that is gone a moment later.

    """
    planned = read_deployments(home)
    _require_server()
    from prefect import get_client

    with get_client(sync_client=True) as client:
        for pool in dict.fromkeys(d.work_pool.name for d in planned):
            _ensure_pool(client, pool)
        done = [_deploy(client, d, home.workspace.timezone, reset_schedules=reset_schedules) for d in planned]
        _ensure_watch_for_lost_runs(client)
    return done


def _require_server() -> None:
    from prefect.settings import get_current_settings

    if not get_current_settings().api.url:
        then = "Set PREFECT_API_URL, such as http://prefect:4200/api, or let `watchkeeper up` start one."
        raise UsageError("there is no Prefect server to deploy to", where="PREFECT_API_URL", then=then)


def _deploy(client: "SyncPrefectClient", planned: Deployment, timezone: str, *, reset_schedules: bool) -> Deployed:
    flow = _flow(planned)
    there = _read(client, f"{flow.name}/{planned.name}")
    schedules = [_schedule(t, timezone) for t in planned.schedules]
    if there is None:
        _create(client, planned, flow, schedules)
        return Deployed(name=f"{flow.name}/{planned.name}", is_new=True, schedules=_in_words(schedules))
    _refresh(client, there, planned, flow, schedules if reset_schedules else None)
    left = schedules if reset_schedules else there.schedules
    kept = "" if reset_schedules else " (as they are in Prefect)"
    return Deployed(name=f"{flow.name}/{planned.name}", is_new=False, schedules=_in_words(left) + kept)


def _create(client: "SyncPrefectClient", planned: Deployment, flow: "Flow[..., Any]", schedules: "list[DeploymentScheduleCreate]") -> None:
    from prefect.client.schemas.objects import ConcurrencyLimitStrategy, ConcurrencyOptions

    limit = planned.concurrency_limit
    client.create_deployment(
        flow_id=client.create_flow_from_name(flow.name),
        name=planned.name,
        entrypoint=planned.entrypoint,
        description=planned.description,
        tags=planned.tags,
        version=planned.version,
        parameters=planned.parameters,
        parameter_openapi_schema=_form(flow),
        enforce_parameter_schema=True,
        work_pool_name=planned.work_pool.name,
        work_queue_name=planned.work_pool.work_queue_name,
        job_variables=planned.work_pool.job_variables,
        pull_steps=[],
        paused=planned.paused,
        concurrency_limit=limit.limit if limit else None,
        concurrency_options=ConcurrencyOptions(collision_strategy=ConcurrencyLimitStrategy(limit.collision_strategy)) if limit else None,
        schedules=schedules,
    )


def _refresh(
    client: "SyncPrefectClient",
    there: "DeploymentResponse",
    planned: Deployment,
    flow: "Flow[..., Any]",
    schedules: "list[DeploymentScheduleCreate] | None",
) -> None:
    """Send what belongs to the code; parameters, pauses, pool and limits may have been set by people and stay."""
    from prefect.client.schemas.actions import DeploymentScheduleUpdate, DeploymentUpdate

    what: dict[str, Any] = {
        "entrypoint": planned.entrypoint,
        "description": planned.description,
        "tags": sorted({*there.tags, *planned.tags}),
        "version": planned.version,
        "parameter_openapi_schema": _form(flow),
    }
    if schedules is not None:
        what |= {
            "paused": planned.paused,
            "schedules": [DeploymentScheduleUpdate.model_validate(s.model_dump(exclude_unset=True)) for s in schedules],
        }
    client.update_deployment(there.id, DeploymentUpdate.model_validate(what))


def _flow(planned: Deployment) -> "Flow[..., Any]":
    from prefect.exceptions import MissingFlowError, ScriptError
    from prefect.flows import load_flow_from_entrypoint

    try:
        return load_flow_from_entrypoint(planned.entrypoint, use_placeholder_flow=False)
    except (ImportError, MissingFlowError, ScriptError, ValueError) as error:
        raise ConfigurationError(
            f"entry point {planned.entrypoint} of '{planned.name}' cannot be loaded: {error}", where="prefect.yaml", then="Write package.module.flow."
        ) from error


def _form(flow: "Flow[..., Any]") -> dict[str, Any]:
    from prefect.utilities.callables import parameter_schema

    return parameter_schema(flow).model_dump(exclude_unset=True)


def _schedule(timing: Timing, timezone: str) -> "DeploymentScheduleCreate":
    from prefect.client.schemas.actions import DeploymentScheduleCreate
    from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule

    zone = timing.timezone or timezone
    when = (
        CronSchedule(cron=timing.cron, timezone=zone)
        if timing.cron is not None
        else IntervalSchedule(interval=timedelta(seconds=timing.interval or 0), timezone=zone)
    )
    return DeploymentScheduleCreate(schedule=when, active=timing.active, parameters=timing.parameters, slug=timing.slug)


def _read(client: "SyncPrefectClient", name: str) -> "DeploymentResponse | None":
    from prefect.exceptions import ObjectNotFound

    try:
        return client.read_deployment_by_name(name)
    except ObjectNotFound:
        return None


def _ensure_pool(client: "SyncPrefectClient", name: str) -> None:
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import ObjectNotFound
    from prefect.workers.process import ProcessWorker

    try:
        client.read_work_pool(name)
    except ObjectNotFound:
        template = ProcessWorker.get_default_base_job_template()
        client.create_work_pool(WorkPoolCreate(name=name, type="process", base_job_template=template, description="Runs Watchkeeper's flows."))


def _ensure_watch_for_lost_runs(client: "SyncPrefectClient") -> None:
    """Have Prefect mark a run as crashed when its heartbeats stop, so that its place in the queue is given on."""
    from prefect.automations import AutomationCore
    from prefect.client.schemas.objects import StateType
    from prefect.events.actions import ChangeFlowRunState
    from prefect.events.schemas.automations import EventTrigger, Posture

    if any(a.name == _LOST_RUNS for a in client.read_automations_by_name(_LOST_RUNS)):
        return
    beat = "prefect.flow-run.heartbeat"
    ends = {f"prefect.flow-run.{state}" for state in ("Completed", "Failed", "Cancelled", "Crashed")}
    trigger = EventTrigger(
        match={"prefect.resource.id": ["prefect.flow-run.*"]},
        for_each={"prefect.resource.id"},
        after={beat},
        expect={beat, *ends},
        posture=Posture.Proactive,
        threshold=1,
        within=_SILENT_FOR,
    )
    message = f"No heartbeat for {_SILENT_FOR.total_seconds():.0f} seconds: its process is gone. The next run catches up."
    crash = ChangeFlowRunState(state=StateType.CRASHED, name="Crashed", message=message)
    client.create_automation(
        AutomationCore(name=_LOST_RUNS, description="Marks runs as crashed when their process is gone.", trigger=trigger, actions=[crash])
    )


def _in_words(schedules: Iterable[Any]) -> str:
    return ", ".join(_words(s) for s in schedules) or "no schedule: runs when asked"


def _words(schedule: Any) -> str:
    when = schedule.schedule
    text = f"`{when.cron}`" if hasattr(when, "cron") else f"every {when.interval}" if hasattr(when, "interval") else f"`{getattr(when, 'rrule', '')}`"
    paused = "" if schedule.active else ", paused"
    return f"{schedule.slug + ' ' if schedule.slug else ''}{text} {getattr(when, 'timezone', None) or 'UTC'}{paused}"
