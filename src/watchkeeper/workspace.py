"""The words of the workspace file, watchkeeper.yaml, with their defaults.

Belongs here: what may be said and what it means. Does not: what `alerts` and `telemetry` may say (alerts.py, telemetry.py), finding and reading the
file (adapters/workspace.py).
"""

from typing import Literal

from pydantic import Field, model_validator

from watchkeeper.alerts import Routing
from watchkeeper.spelling import Moment, Size, Words, Zone
from watchkeeper.telemetry import Telemetry


class Links(Words):
    """Base addresses that messages point to; what is not given is left out of messages."""

    prefect: str | None = None
    docs: str | None = None


class Slack(Words):
    """How Slack is reached; token and webhook address come from the environment, never from here."""

    channel: str | None = Field(None, description="where messages go when a monitor names no channel")


class Dask(Words):
    """Where scans run when `tasks` is `dask`."""

    scheduler: str | None = Field(None, description="address of a scheduler, such as tcp://10.0.0.5:8786; else a cluster on this machine")
    workers: int | None = Field(None, ge=1, description="processes of a cluster on this machine; else one a processor")


class Workspace(Words):
    """What all monitors of a workspace share (watchkeeper.yaml)."""

    name: str = "watchkeeper"
    timezone: Zone = "UTC"
    lake: str = Field("warehouse/lake", description="folder, or s3://, gs://, abfss:// address")
    links: Links = Links()
    slack: Slack = Slack()
    alerts: Routing = Routing()
    digest: Literal["day", "week"] = "week"
    now: Moment | None = Field(None, description="where the clock of this workspace stands still, for demos and replays; else it goes")
    memory_limit: Size | None = Field(None, description="what a process may take for data; else half of the machine's memory")
    tasks: Literal["threads", "dask"] = "threads"
    dask: Dask = Dask()
    telemetry: Telemetry = Telemetry()

    @model_validator(mode="after")
    def _one_way(self) -> "Workspace":
        """Refuse what would say nothing."""
        if self.dask != Dask() and self.tasks != "dask":
            message = "`dask` says where scans run, and without `tasks: dask` they run in threads"
            raise ValueError(message)
        if self.dask.scheduler and self.dask.workers:
            message = "`dask.workers` is for a cluster on this machine; that of `dask.scheduler` has its own"
            raise ValueError(message)
        return self
