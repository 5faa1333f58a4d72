"""The flows for what people do with an incident: acknowledge, silence and resolve it, from a form in the Prefect UI.

Belongs here: the forms. Does not: how each is written down (operations/care.py, operations/silence.py).
"""

from datetime import datetime
from typing import Any

from prefect import State, flow
from prefect.states import Completed

from watchkeeper.flows.selection import run_name, select


@flow(name="ack", flow_run_name=run_name)
def ack(incident: str, who: str, reason: str = "") -> State[Any]:
    """Says that somebody looks after an incident; it stays open, and its messages go on.

    Args:
        incident: The incident's id, or the beginning of it.
        who: Who looks after it.
        reason: What is known or done so far, in words.
    """
    from watchkeeper.operations.care import acknowledge

    selection = select(None, None)
    done = acknowledge(selection.home, incident, who=who, why=reason, now=selection.now)
    return Completed(message=f"{done.id} of {done.model} is acknowledged by {who.strip()}")


@flow(name="silence", flow_run_name=run_name)
def silence(until: datetime, reason: str, who: str, incident: str = "", model: str = "", metric: str = "", segment: str = "") -> State[Any]:
    """Asks that nobody is told of an incident, or of what opens of a model, until a moment.

    Args:
        until: When people are told again; at most 90 days from now. A moment without a zone is UTC.
        reason: Why nobody is to be told.
        who: Who asks for it.
        incident: One incident, by its id or the beginning of it. Leave empty to silence a model.
        model: All of a model, also what opens later. Leave empty to silence one incident.
        metric: Of the model only what is about this metric alone. Leave empty for every metric.
        segment: Of the model only what is about this segment, such as carrier=VX. Leave empty for the whole and every segment.
    """
    from watchkeeper.operations.silence import About
    from watchkeeper.operations.silence import silence as write_down
    from watchkeeper.site.care import silence_about

    selection = select(None, None)
    about = About(incident=incident, model=model, metric=metric, segment=segment)
    done = write_down(selection.home, about, until=until, who=who, why=reason, now=selection.now)
    return Completed(message=f"Silenced as {done.silence_id}: {silence_about(done)}, until {done.until:%Y-%m-%d %H:%M} UTC")


@flow(name="resolve", flow_run_name=run_name)
def resolve(incident: str, reason: str, who: str) -> State[Any]:
    """Closes an incident by hand, which people are told once. Windows that are out of line later open it again.

    Args:
        incident: The incident's id, or the beginning of it.
        reason: Why it is over.
        who: Who closes it.
    """
    from watchkeeper.operations.care import resolve as close

    selection = select(None, None)
    done = close(selection.home, incident, who=who, why=reason, now=selection.now)
    return Completed(message=f"{done.id} of {done.model} is resolved by {done.closed_by}")
