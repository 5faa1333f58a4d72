"""One run catches up everything that is due, so the runs that piled up before it have nothing left to do.

Belongs here: cancelling scheduled runs whose time has passed and that ask for what the current run does anyway.
Does not: finding out what is due (operations/).
"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from prefect.client.schemas.filters import FlowRunFilter
    from prefect.client.schemas.objects import FlowRun

_AT_ONCE = 200


def stand_in_for_late_runs() -> int:
    """Cancel the late scheduled runs of this deployment that have this run's parameters; return how many."""
    from prefect import get_client
    from prefect.runtime import deployment, flow_run
    from prefect.states import Cancelled

    if not deployment.id:
        return 0
    with get_client(sync_client=True) as client:
        this = client.read_flow_run(UUID(flow_run.id))
        late = client.read_flow_runs(flow_run_filter=_due(UUID(deployment.id)), limit=_AT_ONCE)
        covered = [r for r in late if _asks_the_same(r, this)]
        for run in covered:
            client.set_flow_run_state(run.id, Cancelled(message=f"Done by {this.name}, which brings everything due up to date."), force=True)
    return len(covered)


def _due(deployment_id: UUID) -> "FlowRunFilter":
    from prefect.client.schemas import filters
    from prefect.client.schemas.objects import StateType

    return filters.FlowRunFilter(
        deployment_id=filters.FlowRunFilterDeploymentId(any_=[deployment_id]),
        state=filters.FlowRunFilterState(type=filters.FlowRunFilterStateType(any_=[StateType.SCHEDULED])),
        expected_start_time=filters.FlowRunFilterExpectedStartTime(before_=datetime.now(UTC)),
    )


def _asks_the_same(other: "FlowRun", this: "FlowRun") -> bool:
    return other.id != this.id and bool(other.auto_scheduled) and other.parameters == this.parameters
