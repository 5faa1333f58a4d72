"""The flow that records what people did to a model, for pipelines that release and for people in the Prefect UI.

Belongs here: the form. Does not: what a change is (records.py) or how it is kept (operations/change.py).
"""

from datetime import datetime
from typing import Any

from prefect import State, flow
from prefect.states import Completed

from watchkeeper.flows.selection import run_name, select
from watchkeeper.operations.change import ChangeKind
from watchkeeper.spelling import utc


@flow(name="change", flow_run_name=run_name)
def change(model: str, kind: ChangeKind, at: datetime | None = None, version: str = "", note: str = "", who: str = "") -> State[Any]:
    """Records something people did to a model or its surroundings, so that causes of incidents can be joined to it.

    Args:
        model: The model that was changed.
        kind: What was changed.
        at: When it took effect. Leave empty for now.
        version: The version that it brought; a release needs one.
        note: What was done, in words.
        who: Who did it.
    """
    from watchkeeper.operations.change import record_change

    selection = select([model], None)
    moment = selection.now if at is None else utc(at)
    recorded = record_change(selection.home, model, kind=kind, at=moment, version=version, note=note, who=who, now=selection.now)
    return Completed(message=f"Recorded as {recorded.change_id}")
