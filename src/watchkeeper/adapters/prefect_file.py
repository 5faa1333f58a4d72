"""The words of prefect.yaml as far as Watchkeeper deploys it: the part of Prefect's own format that we use.

Belongs here: what may be said in the file, and reading it. Does not: talking to Prefect (deployments.py).
"""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from watchkeeper.adapters.monitor_files import mistakes, understand
from watchkeeper.adapters.workspace import Home
from watchkeeper.adapters.yaml_lines import Document, read_yaml
from watchkeeper.spelling import Words

FILE = "deployments/prefect.yaml"
_SHIPPED = Path(__file__).parent.parent / "templates" / FILE


class WorkPool(Words):
    """Whose workers run it."""

    name: str
    work_queue_name: str = "default"
    job_variables: dict[str, Any] = Field(default_factory=dict)


class ConcurrencyLimit(Words):
    """How many runs go at once, and what becomes of the next one."""

    limit: int = Field(ge=1)
    collision_strategy: Literal["ENQUEUE", "CANCEL_NEW"] = "ENQUEUE"


class Timing(Words):
    """When it runs: a cron line or a number of seconds."""

    slug: str
    cron: str | None = None
    interval: float | None = Field(None, gt=0)
    timezone: str | None = Field(None, description="default: the workspace's")
    active: bool = True
    parameters: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_form(self) -> "Timing":
        if (self.cron is None) == (self.interval is None):
            message = "give either `cron` or `interval`"
            raise ValueError(message)
        return self


class Deployment(Words):
    """One flow with its schedules."""

    name: str
    entrypoint: str
    description: str | None = None
    tags: list[str] = Field(default_factory=list)
    version: str | None = None
    paused: bool = False
    parameters: dict[str, Any] = Field(default_factory=dict)
    work_pool: WorkPool
    concurrency_limit: ConcurrencyLimit | None = None
    schedules: list[Timing] = Field(default_factory=list)


class PrefectFile(Words):
    """The whole file."""

    name: str = ""
    prefect_version: str = Field("", alias="prefect-version")
    build: None = None
    push: None = None
    pull: list[dict[str, Any]] | None = None
    definitions: dict[str, Any] = Field(default_factory=dict)
    deployments: list[Deployment]


def read_deployments(home: Home) -> list[Deployment]:
    """Return the deployments of the workspace's prefect.yaml, or of the one we ship where it has none.

    Raises:
        ConfigurationError: the file has mistakes (all of them in the text).

    """
    own = home.root / FILE
    said, problems = understand(PrefectFile, _document(own if own.exists() else _SHIPPED))
    if said is None:
        raise mistakes(problems)
    return said.deployments


def _document(path: Path) -> Document:
    return read_yaml(path, FILE)
