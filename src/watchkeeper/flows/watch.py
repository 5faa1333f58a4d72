"""The flow that goes on: it looks at the newest rows every minute, and ends when the next one has begun.

Belongs here: parameters, what is logged and shown. Does not: what a step does (operations/follow.py). To start a run takes a worker
some twenty seconds, so one run takes many steps. What reads old rows is left to the other schedules.
"""

from collections import deque
from datetime import timedelta
from typing import Any

from prefect import State, flow, get_run_logger

from watchkeeper.adapters.pace import pace
from watchkeeper.flows.artifacts import dated, links, publish, table
from watchkeeper.flows.beginning import begin
from watchkeeper.flows.fan_out import Outcome, conclude
from watchkeeper.flows.selection import run_name, select
from watchkeeper.operations.beside import Beside
from watchkeeper.operations.follow import Plan, Step, check_beat, check_clock, follow, line_of
from watchkeeper.records import IncidentEvent
from watchkeeper.words import counted

_COLUMNS = ("at", "model", "event", "severity", "what", "incident")
_SHOWN = 50


@flow(name="watch", flow_run_name=run_name)
def watch(models: list[str] | None = None, every_seconds: float = 60.0, minutes: float = 62.0) -> State[Any]:
    """Looks at the newest rows again and again, and tells people within a step or two when something breaks.

    Args:
        models: Models to follow. Leave empty for all.
        every_seconds: Seconds between two steps, 1 to 3600.
        minutes: For how long. Two minutes more than until the next run begins, so that there is no gap.
    """
    begin()
    selection = select(models, None)
    check_clock(selection.home)
    log = get_run_logger()
    plan = Plan(every_s=check_beat(timedelta(seconds=every_seconds)), for_s=minutes * 60, models=models, is_whole=False)
    told, last = deque[dict[str, object]](maxlen=_SHOWN), deque[Step](maxlen=1)
    with Beside() as beside:

        def tell(step: Step) -> None:
            step.failures += beside.missed()
            last.append(step)
            log.info(line_of(step)) if not step.failures else log.warning("%s: %s", line_of(step), "; ".join(step.failures))
            if step.events:
                told.extend(_event(step, e) for e in step.events)
                publish(
                    "watch", "\n\n".join(["# Watch", dated(selection), table(_COLUMNS, list(told)), links(selection.home)]), "What this watch found"
                )

        steps = follow(selection.home, plan, pace(), told=tell, show=beside.show)
    outcomes = [Outcome(about="the last step", failure=f) for step in last for f in step.failures]
    outcomes += [Outcome(about="pages", failure=f) for f in beside.missed()]
    return conclude(selection, outcomes, f"{counted(steps, 'step')} taken")


def _event(step: Step, event: IncidentEvent) -> dict[str, object]:
    what = (f"{step.at:%H:%M:%S}", event.model, event.event, event.severity, event.subject, event.incident_id)
    return dict(zip(_COLUMNS, what, strict=True))
