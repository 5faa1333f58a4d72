"""Explain: everything that is known of one prediction, found by its id.

Belongs here: reading the row, its label, its batch and its window from the lake. Does not: the words (site/explanation.py).
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.adapters.arrow_records import TIMESTAMP
from watchkeeper.adapters.lake import among
from watchkeeper.adapters.workspace import Home
from watchkeeper.errors import UsageError
from watchkeeper.judgement.eras import era_of, reference_text
from watchkeeper.judgement.incidents import Incident, fold
from watchkeeper.measures.confidence import near
from watchkeeper.measures.frame import BySegment, label_view
from watchkeeper.measures.rarity import NOWHERE, UNCOUNTED, Place, place_of
from watchkeeper.measures.views import BinaryView, FeatureView
from watchkeeper.monitor import Monitor
from watchkeeper.operations.audit import private_shown
from watchkeeper.operations.classes import is_positive
from watchkeeper.operations.convert import as_text, fitted, text_of
from watchkeeper.operations.eras import eras_of
from watchkeeper.operations.fit import features_of, is_private, private_name
from watchkeeper.operations.lots import WHOLE_FILE
from watchkeeper.operations.maturity import maturity_of
from watchkeeper.operations.quarantine import row_of, standing
from watchkeeper.operations.rollup import basis_of, reference_of, threshold_of
from watchkeeper.operations.row_findings import broken_by, findings_of
from watchkeeper.operations.spans import spans_of
from watchkeeper.operations.values import values_of
from watchkeeper.profiles.bins import FeatureBins
from watchkeeper.profiles.columns import as_numbers
from watchkeeper.profiles.counts import Counts
from watchkeeper.profiles.groups import NULL
from watchkeeper.profiles.kinds import Derived
from watchkeeper.profiles.labelled import NEGATIVE, POSITIVE, SCORE
from watchkeeper.profiles.parts import FEATURE
from watchkeeper.records import ATTRIBUTION, Batch, Change, IncidentEvent, Quarantined, Run, Signal, Source
from watchkeeper.site.explanation import MASK, Alike, Explanation, Input, Truth
from watchkeeper.spelling import segment_of, segment_pairs

_REACHES, _ENOUGH = (0.02, 0.05), 50


def explain(home: Home, monitor: Monitor, name: str, *, now: datetime, version: str | None = None, private_reason: str | None = None) -> Explanation:
    """Return what is known of the prediction with an id; of several with the same id, of the latest in the monitor's environment, else of the latest.

    With `version` only what that version said counts. Private columns are masked unless `private_reason` says why they are needed; that is
    kept in `runs`.

    Raises:
        UsageError: no prediction with that id has landed, or none of that version; where one waits in quarantine, the reasons are told.

    """
    rows = _rows(home, monitor, name, now)
    if rows is None or rows.num_rows == 0:
        raise _unknown(home, monitor, name, now)
    versions = _versions(monitor, rows)
    rows = rows if version is None else _of_version(monitor, rows, name, version, versions)
    made = _explained(home, monitor, name, _told_of(monitor, rows), now, has_private=private_reason is not None, times=rows.num_rows)
    found = replace(made, versions=tuple(sorted(set(versions))))
    if private_reason is not None:
        home.lake.append_records(Run, [private_shown(monitor.model, "explain", name, private_reason, rows=1, now=now)])
    return found


def _versions(monitor: Monitor, rows: pa.Table) -> list[str]:
    """Return the version of each row; nothing where the model logs none."""
    column = monitor.columns.version
    return as_text(rows.column(column)).fill_null(NULL).to_pylist() if column in rows.column_names else []


def _of_version(monitor: Monitor, rows: pa.Table, name: str, version: str, versions: Sequence[str]) -> pa.Table:
    if version in versions:
        return rows.filter(pa.array([v == version for v in versions]))
    if not versions:
        raise UsageError(f"the rows of {monitor.model} name no version", where="--version", then="Leave it out, or name `columns.version`.")
    there = ", ".join(sorted(set(versions)))
    raise UsageError(f"version {version!r} did not score {name!r}", where="--version", then=f"Those that did: {there}.")


def _told_of(monitor: Monitor, rows: pa.Table) -> pa.Table:
    """Return the row that is told of: the last one of the monitor's environment, since a shadow may have scored the same id; else the last."""
    column = monitor.columns.environment
    mine = rows.filter(pc.equal(as_text(rows.column(column)), monitor.environment)) if column in rows.column_names else rows
    chosen = mine if mine.num_rows else rows
    return chosen.slice(chosen.num_rows - 1)


def _rows(home: Home, monitor: Monitor, name: str, now: datetime) -> pa.Table | None:
    """Return the rows of an id, letter by letter, by their time; None where there is no such table."""
    events = home.lake.dataset(f"events/{monitor.model}")
    if events is None:
        return None
    column = monitor.columns.id
    asked, misfits = fitted(pa.chunked_array([[name]]), events.schema.field(column).type, monitor.timezone)
    if len(misfits):
        return None
    is_it = pc.field(column).isin(asked.combine_chunks()) & (pc.field("wk_landed_at") <= pa.scalar(now, TIMESTAMP))
    found = events.to_table(filter=is_it)
    found = found.filter(pc.equal(as_text(found.column(column)), name))  # a number may be written in several ways, and its labels are found by one
    return found.sort_by([("wk_time", "ascending"), ("wk_landed_at", "ascending")])


def _unknown(home: Home, monitor: Monitor, name: str, now: datetime) -> UsageError:
    waiting = _waiting(home, monitor, "events", monitor.columns.id, name, now)
    if not waiting:
        return UsageError(f"no prediction with the id {name!r} has landed", where=monitor.model, then="Ids are compared as text, letter by letter.")
    return UsageError(
        f"the prediction {name!r} has not landed: it waits in quarantine ({'; '.join(waiting[0].reasons).rstrip('.')})",
        where=monitor.model,
        then=f"`watchkeeper quarantine show {monitor.model} {waiting[0].quarantine_id[:8]}` shows it.",
    )


def _explained(home: Home, monitor: Monitor, name: str, row: pa.Table, now: datetime, *, has_private: bool, times: int) -> Explanation:
    roles, at = monitor.columns, row.column("wk_time")[0].as_py()
    hidden: Collection[str] = () if has_private else monitor.private
    era = era_of(eras_of(home, monitor, now=now), monitor.grid.at(at).start)
    fitted_bins, usual = _reference(home, era.monitor, now)
    score = _number(row, roles.score)
    place = _place(SCORE, fitted_bins, usual, score)
    batch = next(iter(home.lake.newest(Batch, as_of=now, where=pc.field("batch_id") == row.column("wk_batch")[0].as_py())), None)
    version = _text(row, roles.version)
    truths = list(_truths(home, monitor, name, now)) if monitor.labels else []
    hides_labels = monitor.labels is not None and bool({monitor.labels.column, monitor.labels.join} & set(hidden))
    findings = findings_of(home, batch, now=now)
    window = monitor.grid.at(at)
    due = maturity_of(home, monitor, now=now)
    return Explanation(
        model=monitor.model,
        id=name,
        at=at,
        version=version,
        environment=_text(row, roles.environment) or monitor.environment,
        score=score,
        score_place=place,
        decision=_decision(monitor, row, score),
        threshold=_threshold(home, era.monitor, score, now),
        alike=_alike(monitor, usual, score),
        status=_text(row, roles.status),
        latency_ms=None if (took := _number(row, roles.latency)) is None else took * roles.to_ms,
        trace_id=_text(row, roles.trace_id),
        spans=spans_of(home, _text(row, roles.trace_id), now=now, near=at),
        host=_text(row, roles.host),
        inputs=list(_inputs(monitor, row, fitted_bins, usual, hidden)),
        truths=[] if hides_labels else truths,
        label_held="" if truths or hides_labels else _label_held(home, monitor, name, now),
        chances=_chances(monitor, row, hidden),
        labels_due=None if due.source in ("none", "unknown") else window.end + due.after,
        is_mature=due.state_of(window, now) == "mature",
        segments=list(_segments(monitor, row, hidden)),
        batch=batch,
        row_number=int(row.column("wk_row")[0].as_py()),
        findings=findings,
        breaks=broken_by(monitor, findings, row, hidden),
        changes=_changes(home, monitor, version, now),
        incidents=_incidents(home, monitor, row, hidden, now),
        times_landed=times,
        compared_with=reference_text(era),
    )


def _reference(home: Home, monitor: Monitor, now: datetime) -> tuple[Mapping[str, FeatureBins], BySegment]:
    basis = basis_of(home, monitor, now=now)
    return ({}, {}) if basis is None else (basis.fitted, reference_of(home, monitor, basis, now=now).sums)


def _threshold(home: Home, monitor: Monitor, score: float | None, now: datetime) -> float | None:
    """Return the score that decisions turn at, where it is stated, or a score lies near it."""
    if monitor.task != "binary" or score is None:
        return None
    found = threshold_of(home, monitor, now=now)
    is_told = found.is_defined and (monitor.columns.prediction is None or bool(near(np.array([score]), found.value)[0]))
    return found.value if is_told else None


def _text(row: pa.Table, column: str | None) -> str:
    if column is None or column not in row.column_names:
        return ""
    return as_text(row.column(column))[0].as_py() or ""


def _number(row: pa.Table, column: str | None) -> float | None:
    if column is None or column not in row.column_names:
        return None
    values, nulls = as_numbers(row.column(column))
    return None if nulls[0] or not np.isfinite(values[0]) else float(values[0])


def _decision(monitor: Monitor, row: pa.Table, score: float | None) -> str:
    """Return the decision as a label: of a binary model 1 or 0, whatever it was spelled like."""
    said = monitor.columns.prediction
    if monitor.task == "binary" and said in row.column_names:
        return _as_label(monitor, row.column(said))
    if monitor.task == "binary" and said is None and score is not None:
        return str(int(score >= monitor.threshold))
    return _text(row, said)


def _as_label(monitor: Monitor, column: pa.ChunkedArray) -> str:
    if monitor.task != "binary":
        return as_text(column)[0].as_py() or ""
    (value,) = is_positive(column, monitor.positive)
    return "" if np.isnan(value) else str(int(value))


def _place(name: str, fitted_bins: Mapping[str, FeatureBins], usual: BySegment, value: Any) -> Place:
    if fitted_bins and not usual.get(""):
        return UNCOUNTED
    if name not in fitted_bins:
        return NOWHERE
    return place_of(FeatureView(fitted_bins[name], usual.get("", {}).get((FEATURE, name, ""), Counts())), value)


def _alike(monitor: Monitor, usual: BySegment, score: float | None) -> Alike | None:
    """Return how the labelled reference rows with about such a score came out: within .02 of it, or where these are fewer than 50 within .05."""
    view = label_view(usual.get("", {}), monitor.task) if monitor.task == "binary" and score is not None else None
    if not isinstance(view, BinaryView) or score is None or not view.scored:
        return None
    (positives, negatives), scores = view.by_score(POSITIVE, NEGATIVE)
    found = Alike(0.0, 0, 0)
    for reach in _REACHES:
        near_it = np.abs(scores - score) <= reach
        found = Alike(reach, int((positives + negatives)[near_it].sum()), int(positives[near_it].sum()))
        if found.n >= _ENOUGH:
            break
    return found


def _inputs(monitor: Monitor, row: pa.Table, fitted_bins: Mapping[str, FeatureBins], usual: BySegment, hidden: Collection[str]) -> Iterator[Input]:
    rows = Derived(row, "wk_time", monitor.timezone)
    for name in features_of(monitor, row.schema):
        if hidden and is_private(monitor, name):
            yield Input(name=name, value=MASK, place=Place())
            continue
        by = None if hidden and is_private(monitor, ATTRIBUTION + name) else _number(row, monitor.columns.attributions.get(name))
        column = rows.column(name)
        (value,) = values_of(column)
        place = _place(name, fitted_bins, usual, _compared(monitor, name, fitted_bins.get(name), column))
        usually = NOWHERE if by is None else _place(ATTRIBUTION + name, fitted_bins, usual, by)
        yield Input(name=name, value=value, place=place, attribution=by, attribution_place=usually)


def _compared(monitor: Monitor, name: str, bins: FeatureBins | None, column: pa.ChunkedArray) -> float | str | None:
    """Return a value as it is counted: a number, or a text, which of a private column is a hash."""
    if bins is None or column.null_count:
        return None
    if bins.kind == "numeric":
        values, _ = as_numbers(column)
        return float(values[0])
    text = str(as_text(column)[0].as_py())
    return private_name(text) if is_private(monitor, name) else text


def _truths(home: Home, monitor: Monitor, name: str, now: datetime) -> Iterator[Truth]:
    """Yield the labels that came for an id, in the order in which the last one counts."""
    labels = home.lake.dataset(f"labels/{monitor.model}")
    if labels is None:
        return
    order = [n for n in ("labelled_at", "wk_landed_at", "wk_order", "wk_row") if n in labels.schema.names]
    is_its = (pc.field("id") == name) & (pc.field("wk_landed_at") <= pa.scalar(now, TIMESTAMP))
    rows = labels.to_table(columns=["label", *order], filter=is_its).sort_by([(n, "ascending") for n in order])
    for place in range(rows.num_rows):
        one = rows.slice(place, 1)
        yield Truth(
            label=_as_label(monitor, one.column("label")),
            known_at=one.column("labelled_at")[0].as_py(),
            landed_at=one.column("wk_landed_at")[0].as_py(),
        )


def _label_held(home: Home, monitor: Monitor, name: str, now: datetime) -> str:
    """Return why the label of an id waits in quarantine, empty where none does."""
    if monitor.labels is None:
        return ""
    waiting = _waiting(home, monitor, "labels", monitor.labels.join, name, now)
    return "; ".join(waiting[-1].reasons).rstrip(".") if waiting else ""


def _waiting(home: Home, monitor: Monitor, source: Source, column: str, name: str, now: datetime) -> list[Quarantined]:
    """Return the rows of a source that are held in quarantine and have an id in a column."""
    held = [e for e in standing(home, monitor, now=now) if e.state == "held" and e.source == source and e.row_number != WHOLE_FILE]
    return [e for e in held if text_of(row_of(e.row).get(column)) == name]


def _chances(monitor: Monitor, row: pa.Table, hidden: Collection[str]) -> Sequence[tuple[str, float]]:
    """Return the probability of each class that was logged, the likeliest first."""
    found = {name: _number(row, column) for name, column in monitor.columns.probabilities.items() if column not in hidden}
    return sorted(((name, p) for name, p in found.items() if p is not None), key=lambda pair: (-pair[1], pair[0]))


def _segments(monitor: Monitor, row: pa.Table, hidden: Collection[str]) -> Iterator[str]:
    for declared in monitor.segments:
        columns = declared.split("&")
        if all(c in row.column_names and c not in hidden for c in columns):
            yield segment_of((c, _text(row, c) or NULL) for c in columns)


def _changes(home: Home, monitor: Monitor, version: str, now: datetime) -> Sequence[Change]:
    if not version:
        return []
    found: list[Change] = home.lake.newest(Change, as_of=now, where=pc.field("model") == monitor.model)
    return sorted((c for c in found if c.version == version), key=lambda c: c.at)


def _incidents(home: Home, monitor: Monitor, row: pa.Table, hidden: Collection[str], now: datetime) -> Sequence[Incident]:
    """Return the incidents whose windows hold a row: about the model, or about a segment that the row is in; of rows that did not come this is none."""
    at, model = row.column("wk_time")[0].as_py(), pc.field("model") == monitor.model
    told = fold(home.lake.newest(IncidentEvent, as_of=now, where=model & (pc.field("environment") == monitor.environment)))
    during = [i for i in told if i.window_start <= at < i.window_end and not i.is_withdrawn]
    marks = {mark for i in during for mark in i.signals}
    known: list[Signal] = home.lake.newest(Signal, as_of=now, where=model & among("signal_id", marks)) if marks else []
    segments = {s.signal_id: s.segment for s in known}

    def is_its(incident: Incident) -> bool:
        about = {incident.subject} if incident.family == "segment" else {segments[mark] for mark in incident.signals if mark in segments}
        return not about or any(_is_in(row, segment, hidden) for segment in about)

    return [i for i in during if is_its(i)]


def _is_in(row: pa.Table, segment: str, hidden: Collection[str]) -> bool:
    """Tell whether a row is in a segment, as it is in the whole; of a column that is hidden that is not told."""
    return all(c in row.column_names and c not in hidden and (_text(row, c) or NULL) == value for c, value in segment_pairs(segment))
