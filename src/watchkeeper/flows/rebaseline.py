"""The flow that declares days the new normal of a model, from a form in the Prefect UI.

Belongs here: the form. Does not: what can be a new normal, and how it is written down (operations/rebaseline.py).
"""

from datetime import date
from typing import Any

from prefect import State, flow
from prefect.states import Completed

from watchkeeper.flows.selection import run_name, select


@flow(name="rebaseline", flow_run_name=run_name)
def rebaseline(model: str, first_day: date, day_after_last: date, reason: str, who: str, since: date | None = None) -> State[Any]:
    """Declares some days the new normal of a model: later windows are compared with these and judged by them. No row is read for it.

    Args:
        model: The model.
        first_day: First day of the new normal, in the model's time zone.
        day_after_last: The day after its last one; it is not part of it.
        reason: Why what these days hold is normal.
        who: Who declares it.
        since: Windows from this day on are compared with it. Leave empty for those from the day after its last one on.
    """
    from watchkeeper.operations.rebaseline import rebaseline as declare

    selection = select([model], None)
    done = declare(selection.home, model, start=first_day, end=day_after_last, since=since, who=who, why=reason, now=selection.now)
    said = f"Declared as {done.baseline.baseline_id}: since {done.baseline.since:%Y-%m-%d %H:%M} UTC"
    return Completed(message="; ".join([said, *done.warnings]))
