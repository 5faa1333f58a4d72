"""What a flow run is about: the workspace, the models, the moment, and the name that people search for.

Belongs here: turning a run's parameters into the arguments of operations. Does not: running them (fan_out.py).
A worker finds the workspace by WATCHKEEPER_HOME, or by the folder it was started in.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from watchkeeper.adapters.monitor_files import Problem
from watchkeeper.adapters.workspace import Home, find_home, load_monitors
from watchkeeper.errors import UsageError
from watchkeeper.monitor import Monitor
from watchkeeper.spelling import utc

_NAMED = 3


@dataclass(frozen=True, slots=True)
class Selection:
    """The models of a run, as of one moment; `problems` are the monitor files that could not be read."""

    home: Home
    monitors: dict[str, Monitor]
    problems: list[Problem]
    now: datetime


def select(models: Sequence[str] | None, as_of: datetime | None) -> Selection:
    """Return the models asked for, by default all; the clock is read here and nowhere else in a flow.

    Without `as_of` the moment is where the workspace's clock stands, else now.
    """
    home = find_home()
    monitors, problems = load_monitors(home, models)
    return Selection(home, monitors, problems, _now(home) if as_of is None else utc(as_of))


def _now(home: Home) -> datetime:
    return home.workspace.now or datetime.now(UTC)


def stretch(start: datetime | None, end: datetime | None) -> tuple[datetime | None, datetime | None]:
    """Return the stretch of time asked for, in UTC.

    Raises:
        UsageError: it ends before it starts.

    """
    first, last = start and utc(start), end and utc(end)
    if first and last and last <= first:
        raise UsageError(f"`end` ({last}) must come after `start` ({first})", then="Both are moments in UTC unless they carry a zone.")
    return first, last


def run_name() -> str:
    """Return the name of the current run: verb, models or period, and the days asked for or the time it was due.

    Prefect calls this when a run starts.
    """
    from prefect.runtime import flow_run

    return name_of(flow_run.flow_name, flow_run.parameters, flow_run.scheduled_start_time)


def name_of(verb: str, parameters: dict[str, Any], due_at: datetime) -> str:
    """Return the name of a run.

    >>> name_of("measure", {"models": ["flight_delays"], "start": datetime(2013, 4, 22)}, datetime(2026, 1, 1, 12, 5, tzinfo=UTC))
    'measure-flight_delays-2013-04-22'
    >>> name_of("digest", {"period": "week"}, datetime(2026, 1, 5, 7, 30, tzinfo=UTC))
    'digest-week-2026-01-05T07:30Z'
    """
    about = (
        parameters.get("period")
        or parameters.get("incident")
        or parameters.get("model")
        or (_about(parameters["models"]) if "models" in parameters else "")
    )
    days = [f"{parameters[k]:%Y-%m-%d}" for k in ("start", "end") if parameters.get(k)]
    return "-".join([verb, *([about] if about else []), "..".join(days) or f"{due_at.astimezone(UTC):%Y-%m-%dT%H:%MZ}"])


def _about(models: Sequence[str] | None) -> str:
    if not models:
        return "all"
    more = f"+{len(models) - _NAMED}" if len(models) > _NAMED else ""
    return "+".join(models[:_NAMED]) + more
