"""How a run begins: it ends with its worker, and stands in for the runs that piled up before it.

Belongs here: what every scheduled flow does first. Does not: finding out what is due (operations/). One run brings everything
due up to date, so the late ones before it have nothing left to do, and a run that nobody watches any more must not go on.
"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID

from watchkeeper.adapters.processes import end_with_parent
from watchkeeper.adapters.settings import without_telemetry

if TYPE_CHECKING:
    from prefect.client.schemas.filters import FlowRunFilter
    from prefect.client.schemas.objects import FlowRun

_AT_ONCE = 200


def begin(*, stands_in: bool = True) -> None:
    """Begin a run; one that a person calls from Python, without a deployment, needs none of this.

    Not to stand in for late ones is for work that another host has to do too.
    """
    from prefect.runtime import deployment, flow_run

    without_telemetry()
    if deployment.id and flow_run.id:
        end_with_parent()
        if stands_in:
            stand_in_for_late_runs(UUID(deployment.id), UUID(flow_run.id))


def seconds_late() -> float:
    """Return how long ago a run was due; 0 for one that no schedule asked for."""
    from prefect import get_client
    from prefect.runtime import deployment, flow_run

    if not deployment.id or not flow_run.id:
        return 0.0
    with get_client(sync_client=True) as client:
        this = client.read_flow_run(UUID(flow_run.id))
    due = this.expected_start_time if this.auto_scheduled else None
    return max(0.0, (datetime.now(UTC) - due).total_seconds()) if due else 0.0


def stand_in_for_late_runs(deployment_id: UUID, run_id: UUID) -> int:
    """Cancel the late scheduled runs of a deployment that have this run's parameters; return how many."""
    from prefect import get_client
    from prefect.states import Cancelled

    with get_client(sync_client=True) as client:
        this = client.read_flow_run(run_id)
        late = client.read_flow_runs(flow_run_filter=_due(deployment_id), limit=_AT_ONCE)
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
