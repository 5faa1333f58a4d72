"""The rows that are made for people: incidents folded into one row each, and costs side by side.

Belongs here: their columns and their meaning. Does not: the records they come from (records.py), or writing them (operations/publish.py).
"""

import dataclasses
import json
import typing
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated as Of
from typing import Any, ClassVar

from watchkeeper.judgement.incidents import Incident
from watchkeeper.judgement.times import Times, times_of
from watchkeeper.records import Action, Signal
from watchkeeper.site.care import Said, last_said
from watchkeeper.story import Story

_PEOPLE = ("slack", "file", "webhook")
"""Targets that people read; events of Prefect are for automations."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentRow:
    """One incident, folded from its events, in the keys of `watchkeeper incidents --json`."""

    TABLE: ClassVar[str] = "incidents"

    id: Of[str, "the incident"]
    model: Of[str, "the monitor"]
    models: Of[list[str], "all models that it is about, where several have the same fault; `model` is the first"]
    part_of: Of[
        str, "the incident that leads where the same fault was told first, of another model or of its own; empty where it stands alone or leads"
    ]
    split_from: Of[str, "the incident that it goes on from, whose cause changed; else empty"]
    state: Of[str, "open, acknowledged, silenced, lasting (known, and told no more) or resolved"]
    severity: Of[str, "notice, warning, high or critical; all but notice page"]
    acknowledged_by: Of[str, "who looks after it; empty where nobody said so"]
    who: Of[str, "who acknowledged, silenced or closed it, as `state` says; empty while nobody did"]
    why: Of[str, "the reason given with that"]
    until: Of[datetime | None, "when the silence ends that it is in"]
    opened_at: Of[datetime, "when it was opened"]
    onset_at: Of[datetime | None, "since when things have been wrong, as far as is known"]
    detected_at: Of[datetime | None, "when it was first seen"]
    resolved_at: Of[datetime | None, "when it was over; null while it is not, and of one that lasts"]
    first_told_at: Of[datetime | None, "when the first message about it went out; null while none did"]
    acknowledged_at: Of[datetime | None, "when somebody first said to look after it; null where nobody did"]
    detect_hours: Of[float | None, "time to detect: from `onset_at` to `detected_at`; null where it was taken back"]
    acknowledge_hours: Of[float | None, "time to acknowledge: from `detected_at` to `acknowledged_at`"]
    resolve_hours: Of[float | None, "time to resolve: from `detected_at` to `resolved_at`; null where it was over when it was found, or taken back"]
    window_start: Of[datetime, "first window out of line"]
    window_end: Of[datetime, "end of the last window out of line, exclusive"]
    headline: Of[str, "one line for people"]
    subject: Of[str, "what it is about: kpi, a segment, a feature, a source"]
    family: Of[str, "kpi, segment, data, target, service, cost or covariate"]
    signals: Of[str, "metric, feature, segment, window_start, value, low, high of each signal, JSON"]
    causes: Of[str, "tested causes with their evidence, likeliest first, JSON"]
    ruled_out: Of[list[str], "what was tested and is not the cause"]
    not_measured: Of[list[str], "what could not be looked at"]
    actions: Of[str, "kind, target, state, at of each action taken, JSON"]
    next_steps: Of[list[str], "what to do"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CostRow:
    """What each model cost and its GPUs did, one row a model and window; a view over `scores`."""

    TABLE: ClassVar[str] = "costs"

    model: Of[str, "the monitor"]
    environment: Of[str, "production, staging, ..."]
    grain: Of[str, "hour, day, week or month"]
    window_start: Of[datetime, "start of the window"]
    window_end: Of[datetime, "end of the window, exclusive"]
    gpu_hours: Of[float | None, "hours of GPUs held"]
    gpu_busy_ratio: Of[float | None, "share of that time with a kernel running"]
    gpu_energy_kwh: Of[float | None, "energy drawn, kWh"]
    gpu_wasted_ratio: Of[float | None, "share of that time in whose readings nothing ran"]
    gpu_co2_kg: Of[float | None, "CO2 of that energy, kg, by the factor of the price book"]
    gpu_cost: Of[float | None, "price of those hours, in `currency`"]
    gpu_training_hours: Of[float | None, "of those hours training"]
    gpu_training_cost: Of[float | None, "price of these"]
    token_cost: Of[float | None, "price of the tokens of a hosted language model"]
    total_cost: Of[float | None, "GPUs and tokens"]
    cost_per_1000_predictions: Of[float | None, "total less training, per thousand predictions"]
    cost_per_correct_prediction: Of[float | None, "the same over the share of predictions that were right"]
    is_provisional: Of[bool, "true while labels are missing that tell which were right"]
    currency: Of[str | None, "currency of the prices"]
    is_synthetic: Of[bool, "true when it comes from a made-up trace: not a bill"]


def described(record: type) -> dict[str, str]:
    """Return column -> meaning of a record, from its annotations.

    >>> described(CostRow)["currency"]
    'currency of the prices'
    """
    hints = typing.get_type_hints(record, include_extras=True)
    return {f.name: hints[f.name].__metadata__[0] for f in dataclasses.fields(record)}


def incident_rows(incidents: Sequence[Incident], signals: Sequence[Signal], actions: Sequence[Action]) -> list[IncidentRow]:
    """Return one row an incident; `signals` and `actions` are those of the lake, joined here."""
    by_id, about = {s.signal_id: s for s in signals}, defaultdict[str, list[Action]](list)
    for action in actions:
        about[action.incident_id].append(action)
    return [
        _incident_row(i, signals_of(i, by_id), about[i.id], [*about[i.id], *(a for a in about[i.part_of] if a.at >= i.opened_at)]) for i in incidents
    ]


def signals_of(incident: Incident, by_id: Mapping[str, Signal]) -> list[Signal]:
    """Return an incident's signals in the order of their windows; an id that ends in `?` names a signal while it was provisional."""
    named = dict.fromkeys(mark.removesuffix("?") for mark in incident.signals)
    return sorted((by_id[name] for name in named if name in by_id), key=lambda s: (s.window_start, s.metric, s.segment))


def story_of(incident: Incident) -> Story:
    """Return what was told about an incident; when nothing was, only its headline."""
    return incident.story or Story(headline=incident.headline, when="")


def _incident_row(incident: Incident, signals: Sequence[Signal], actions: Sequence[Action], telling: Sequence[Action]) -> IncidentRow:
    """Return the row of an incident; `telling` are the actions that told of it: of a part also those of the one that leads, since it opened."""
    told, said = story_of(incident), last_said(incident)
    sent = [a.at for a in telling if a.state == "sent" and a.kind in ("open", "update", "resolve") and a.target in _PEOPLE]
    made = ("signals", "causes", "ruled_out", "not_measured", "actions", "next_steps", "acknowledged_by", "first_told_at")
    folded = {*made, *Said.__dataclass_fields__, *Times.__dataclass_fields__}
    return IncidentRow(
        **{f.name: getattr(incident, f.name) for f in dataclasses.fields(IncidentRow) if f.name not in folded},
        **dataclasses.asdict(said),
        **dataclasses.asdict(times_of(incident)),
        first_told_at=min(sent, default=None),
        acknowledged_by=incident.acknowledgement.who if incident.acknowledgement else "",
        signals=_json([_picked(s, "metric", "feature", "segment", "window_start", "value", "low", "high") for s in signals]),
        causes=_json([dataclasses.asdict(c) for c in told.causes]),
        ruled_out=list(told.ruled_out),
        not_measured=list(told.not_measured),
        actions=_json([_picked(a, "kind", "target", "state", "at") for a in actions]),
        next_steps=list(told.next_steps),
    )


def _picked(record: Any, *names: str) -> dict[str, Any]:
    return {name: getattr(record, name) for name in names}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=_moment)


def _moment(value: datetime) -> str:
    return value.isoformat().replace("+00:00", "Z")
