"""One prediction in words: what went in, what came out, what is known of it.

Belongs here: facts about a prediction -> lines. Does not: finding them (operations/explain.py), printing (cli/).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np

from watchkeeper.judgement.incidents import Incident
from watchkeeper.measures.confidence import near
from watchkeeper.measures.rarity import NOWHERE, UNCOUNTED, Place
from watchkeeper.monitor import Monitor
from watchkeeper.profiles.groups import NULL
from watchkeeper.records import Batch, Change, Validation
from watchkeeper.samples import Span
from watchkeeper.words import counted, expectation_text, expected_text, listed, metric_text, moment_text, number_text, one_line, share_text

MASK = "***"
_SHOWN = 8
_INPUTS = 20


class Alike(NamedTuple):
    """How reference rows with about a score came out: `n` labelled ones within so much of it, of which so many were positive."""

    within: float
    n: int
    positive: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One value that the model was given."""

    name: str
    value: Any
    place: Place
    attribution: float | None = None
    attribution_place: Place = NOWHERE


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """One label that came: what it said, since when it was known, and when it landed."""

    label: str
    known_at: datetime | None
    landed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """All that is known of one prediction; `inputs` in the monitor's order, `truths` oldest first."""

    model: str
    id: str
    at: datetime
    version: str
    environment: str
    score: float | None
    score_place: Place
    decision: str
    threshold: float | None
    alike: Alike | None
    status: str
    latency_ms: float | None
    trace_id: str
    host: str
    inputs: Sequence[Input]
    truths: Sequence[Truth]
    label_held: str
    """Why the label waits in quarantine, empty where none does."""
    chances: Sequence[tuple[str, float]]
    """The probability of each class, the likeliest first."""
    labels_due: datetime | None
    is_mature: bool
    segments: Sequence[str]
    batch: Batch | None
    row_number: int
    findings: Sequence[Validation]
    """What did not hold of its whole file."""
    changes: Sequence[Change]
    incidents: Sequence[Incident]
    breaks: Mapping[str, bool] = field(default_factory=dict)
    """Whether this very row breaks what did not hold, by expectation id; of those of which that can be told."""
    times_landed: int = 1
    compared_with: str = ""
    """The new normal that its score and inputs are compared with, empty where that is the reference of the monitor file."""
    versions: Sequence[str] = ()
    """All that scored this id; of one alone is told."""
    spans: Sequence[Span] = ()
    """Those of its trace, by when they began."""


def explanation_lines(monitor: Monitor, found: Explanation) -> list[tuple[str, str]]:
    """Return (label, text) in reading order; what is not known is left out, but for the label, which is waited for."""
    made = [
        ("", f"{found.model}, {found.id}, {moment_text(found.at, monitor.timezone)}: {_verdict(monitor, found)}"),
        ("Score", _score(monitor, found)),
        ("Label", _label(monitor, found)),
        ("Moved by", _moved(found)),
        ("Unusual inputs", _unusual(found)),
        ("Compared with", found.compared_with),
        ("Segments", ", ".join(metric_text("", segment=s).removeprefix(", ") for s in found.segments)),
        ("Served", _served(found)),
        ("Version", _version(monitor, found)),
        ("Landed", _landed(monitor, found)),
        ("Incidents", "; ".join(_incident(i) for i in found.incidents) or "none in its window"),
    ]
    return [(label, one_line(said)) for label, said in made if said]


def _verdict(monitor: Monitor, found: Explanation) -> str:
    said = _decision(monitor, found) or (
        f"predicted {number_text(found.score, 'truth', truth=monitor.wording.unit)}" if found.score is not None else ""
    )
    last = found.truths[-1].label if found.truths else None
    if last is None:
        return f"{said or 'nothing was decided'}; the truth is not known"
    return f"{said or 'nothing was decided'}; it was {_named(monitor, last)}"


def _decision(monitor: Monitor, found: Explanation) -> str:
    if monitor.task == "regression" or not found.decision:
        return ""
    return f"decided {_named(monitor, found.decision)}"


def _named(monitor: Monitor, label: str) -> str:
    """Return an outcome in the monitor's words, where it has some."""
    if monitor.task == "regression":
        return f"{label} {monitor.wording.unit}".rstrip()
    if monitor.task != "binary":
        return label
    return monitor.wording.positive if label == "1" else f"not {monitor.wording.positive}" if label == "0" else label


def _score(monitor: Monitor, found: Explanation) -> str:
    if found.chances:
        return _chances(found.chances)
    if found.score is None:
        return "none was logged"
    if monitor.task != "binary":
        return f"{number_text(found.score)}, {found.score_place.said}" if found.score_place.said else number_text(found.score)
    parts = [f"{found.score:.3f}", found.score_place.said]
    if found.alike is not None:
        parts.append(_alike(monitor, found.alike))
    if found.threshold is not None:
        side = "at or above" if found.score >= found.threshold else "below"
        unsure = ": low confidence" if near(np.array([found.score]), found.threshold)[0] else ""
        parts.append(f"{side} the threshold {found.threshold:.3g} by {abs(found.score - found.threshold):.3f}{unsure}")
    return "; ".join(p for p in parts if p)


def _chances(chances: Sequence[tuple[str, float]]) -> str:
    """Say how sure a model of classes was: its likeliest classes, and by how much the first leads."""
    said = ", ".join(f"{name} {p:.3f}" for name, p in chances[:3])
    return f"{said}; {chances[0][0]} leads by {chances[0][1] - chances[1][1]:.3f}" if len(chances) > 1 else said


def _alike(monitor: Monitor, found: Alike) -> str:
    rows, within = monitor.wording.rows, f"within {found.within:g} of it"
    if not found.n:
        return f"no reference {rows} that were labelled scored {within}"
    return f"of {found.n:,} reference {rows} that scored {within}, {share_text(found.positive / found.n)} were {monitor.wording.positive}"


def _label(monitor: Monitor, found: Explanation) -> str:
    if not found.truths:
        if monitor.labels is None:
            return "this model has no labels"
        if found.label_held:
            return f"came, and waits in quarantine ({found.label_held})"
        if found.labels_due is None:
            return "not here yet; how long labels take is not known yet"
        due = moment_text(found.labels_due, monitor.timezone)
        return f"never came; it was due by {due}" if found.is_mature else f"not here yet; due by {due}"
    *before, last = found.truths
    said = (
        f"{_named(monitor, last.label)}, known {moment_text(last.known_at, monitor.timezone)}, landed {moment_text(last.landed_at, monitor.timezone)}"
    )
    others = [t for t in before if t.label != last.label]
    return said + (f"; said {', then '.join(_named(monitor, t.label) for t in others)} before" if others else "")


def _moved(found: Explanation) -> str:
    """Return the attributions that were logged, the largest first."""
    known = sorted(((i, i.attribution) for i in found.inputs if i.attribution is not None), key=lambda one: -abs(one[1]))
    rest = f"; and {len(known) - _SHOWN} more" if len(known) > _SHOWN else ""
    said = (f"{i.name} {value_text(i.value)} by {by:+.3g}{_usually(i.attribution_place)}" for i, by in known[:_SHOWN])
    return "; ".join(said) + (f"{rest} (attributions as they were logged)" if known else "")


def _usually(place: Place) -> str:
    return f", {place.said}" if place.said and place not in (NOWHERE, UNCOUNTED) else ""


def _unusual(found: Explanation) -> str:
    odd = [i for i in found.inputs if i.place.is_unusual]
    if not odd:
        compared = sum(_is_compared(i) for i in found.inputs)
        others = len(found.inputs) - compared
        return (f"none of {compared:,}" + (f"; {others:,} more are not compared" if others else "")) if compared else ""
    rest = f"; and {len(odd) - _SHOWN} more" if len(odd) > _SHOWN else ""
    return "; ".join(f"{i.name} {value_text(i.value)}: {i.place.said}" for i in odd[:_SHOWN]) + rest


def _is_compared(one: Input) -> bool:
    return one.place not in (NOWHERE, UNCOUNTED)


def inputs_told(found: Explanation) -> list[Input]:
    """Return the inputs that a table shows, in their order, at most 20: the unusual ones, then those that moved the score most, then those that are compared."""
    before = sorted(found.inputs, key=lambda i: (not i.place.is_unusual, i.attribution is None, -abs(i.attribution or 0.0), not _is_compared(i)))
    chosen = {i.name for i in before[:_INPUTS]}
    return [i for i in found.inputs if i.name in chosen]


def inputs_left_out(found: Explanation) -> str:
    """Say how many inputs a table leaves out, and what shows them; empty where it has all."""
    more = len(found.inputs) - _INPUTS
    if more <= 0:
        return ""
    unseen = sum(not _is_compared(i) for i in found.inputs)
    why = f" {counted(unseen, 'column')} {'has' if unseen == 1 else 'have'} no values in the reference." if unseen else ""
    return f"And {counted(more, 'more input')}, less telling than these {_INPUTS}: --json has all.{why}"


def value_text(value: Any) -> str:
    """Return a value of a row with all its digits."""
    if value is None:
        return "(null)"
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def _served(found: Explanation) -> str:
    parts = [
        f"status {found.status}" if found.status else "",
        f"{number_text(found.latency_ms, 'ms')}" if found.latency_ms is not None else "",
        f"on {found.host}" if found.host else "",
        f"trace {found.trace_id}" if found.trace_id else "",
    ]
    return ", ".join(p for p in parts if p)


def _version(monitor: Monitor, found: Explanation) -> str:
    said = found.version if found.environment == monitor.environment else f"{found.version or 'not logged'}, in {found.environment}"
    notes = [f"{c.kind} of {moment_text(c.at, monitor.timezone)}{f': {c.note}' if c.note else ''}{_made_with(c)}" for c in found.changes]
    others = [v for v in found.versions if v != (found.version or NULL)]
    also = [f"{listed(others)} scored this id too: `--version {others[0]}` tells of {'it' if len(others) == 1 else 'that one'}"] if others else []
    return "; ".join([said or NULL, *notes, *also]) if said or also else ""


def _made_with(change: Change) -> str:
    """Return the parameters that were recorded of a version."""
    known = json.loads(change.parameters) if change.parameters else {}
    return f" ({', '.join(f'{name} {value}' for name, value in known.items())})" if known else ""


def _landed(monitor: Monitor, found: Explanation) -> str:
    if found.batch is None:
        return ""
    said = f"{moment_text(found.batch.landed_at, monitor.timezone)} in {found.batch.name}, row {found.row_number}"
    if found.times_landed > 1:
        said += f", its id {counted(found.times_landed, 'time')} in the lake: the last one{f' in {found.environment}' if monitor.columns.environment else ''} is told of"
    broken = [_broken(monitor, found, f) for f in found.findings]
    return said + (f"; of its whole file did not hold: {'; '.join(broken)}" if broken else "; all that was checked of its file held")


def _broken(monitor: Monitor, found: Explanation, finding: Validation) -> str:
    """Return what did not hold: of rows how many are not as expected, and whether this one is among them; of a table what was seen."""
    about = finding.column or "the table"
    if finding.outcome == "error":
        return f"{about}: {expectation_text(finding.expectation)} (could not be checked)"
    if not finding.unexpected_count or not finding.element_count:
        return f"{about}: {expectation_text(finding.expectation)}{f' ({finding.observed} was seen)' if finding.observed else ''}"
    expected = expected_text(finding.expectation, {} if finding.column in monitor.private else json.loads(finding.arguments or "{}"))
    share = share_text(finding.unexpected_count / finding.element_count)
    row = {True: "this row is one of them", False: "this row is not", None: "this row may be sound"}[found.breaks.get(finding.expectation_id)]
    return f"{about}: {share} of {counted(finding.element_count, 'row')} not as expected ({expected}), {row}"


def _incident(incident: Incident) -> str:
    state = "open" if incident.is_open else incident.state
    return f"{incident.severity} {incident.id[:8]} ({state}): {incident.headline}"
