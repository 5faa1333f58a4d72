"""Recording what people did to a model or its surroundings, so that causes of incidents can be joined to it.

Belongs here: writing the record once. Does not: asking for it (cli/, flows/change.py), or finding causes (judgement/causes.py).
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Literal

import pyarrow.compute as pc

from watchkeeper.adapters.workspace import Home
from watchkeeper.errors import UsageError
from watchkeeper.records import Change, key
from watchkeeper.spelling import utc

ChangeKind = Literal["release", "config", "price", "data"]


def record_change(
    home: Home,
    model: str,
    *,
    kind: ChangeKind,
    at: datetime,
    now: datetime,
    version: str = "",
    note: str = "",
    who: str = "",
    parameters: Mapping[str, str] | None = None,
) -> Change:
    """Record a change of a model and return it; the same change again adds nothing, so that a pipeline may repeat itself.

    Raises:
        UsageError: a release does not say which version it brought.

    """
    if kind == "release" and not version.strip():
        raise UsageError("a release says which version it brought", where="--version", then="Add for example --version v2.")
    moment = utc(at)
    made_with = json.dumps(dict(sorted(parameters.items())), ensure_ascii=False) if parameters else ""
    change_id = key(model, kind, moment.isoformat(), version, note, *([made_with] if made_with else []))
    known: list[Change] = home.lake.newest(Change, as_of=now, where=pc.field("change_id") == change_id)
    if known:
        return known[0]
    change = Change(
        change_id=change_id, model=model, kind=kind, at=moment, version=version, note=note, who=who, parameters=made_with, recorded_at=now
    )
    home.lake.append_records(Change, [change])
    return change
