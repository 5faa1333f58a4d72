"""Fit bins: read the reference once and fix the cells that every later window is counted in.

Belongs here: which columns are features, and the one read of reference rows. Does not: counting (profile.py).
"""

import json
from collections import defaultdict
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.adapters.lake import TIMESTAMP
from watchkeeper.adapters.workspace import Home
from watchkeeper.judgement.normal import LEAST_WINDOWS
from watchkeeper.monitor import Monitor
from watchkeeper.profiles.bins import FeatureBins, fit_category, fit_numeric, version
from watchkeeper.profiles.columns import as_numbers, is_numeric, is_text
from watchkeeper.profiles.labelled import SCORE
from watchkeeper.records import Bins, key
from watchkeeper.words import counted

PREDICTION = "@prediction"
_MANY = 50
_COUNTED = ("task", "window", "timezone", "environment", "columns", "features", "segments", "private", "positive", "threshold")


def bins_of(home: Home, monitor: Monitor, *, now: datetime) -> tuple[str, dict[str, FeatureBins]] | None:
    """Return the bins in force (their version, and each feature's), fitting them when the reference has just become whole.

    None while the reference has not ended yet or holds no rows; `reference_problem` says which. A change of the reference
    keeps the bins. A change of what is counted (see `layout`) fits them anew, and all landed rows are profiled again.
    """
    stored = stored_bins(home, monitor, now=now)
    if stored is not None:
        return stored
    span = monitor.reference_span
    if span is None or now < span[1]:
        return None
    rows = reference_rows(home, monitor, now=now)
    if rows is None or rows.num_rows == 0:
        return None
    fitted = fit(monitor, rows)
    name = version(list(fitted.values()), layout(monitor))
    home.lake.append_records(Bins, [_to_record(monitor.model, name, b, now) for b in fitted.values()])
    return name, fitted


def stored_bins(home: Home, monitor: Monitor, *, now: datetime) -> tuple[str, dict[str, FeatureBins]] | None:
    """Return the newest bins that were fitted for what the monitor counts today, None when there are none."""
    by_name: dict[str, list[Bins]] = defaultdict(list)
    for row in home.lake.newest(Bins, as_of=now, where=pc.field("model") == monitor.model):
        by_name[row.bins].append(row)
    asked = layout(monitor)
    for name in sorted(by_name, key=lambda n: max(b.computed_at for b in by_name[n]), reverse=True):
        fitted = {b.feature: _from_record(b) for b in by_name[name]}
        if version(list(fitted.values()), asked) == name:
            return name, fitted
    return None


def in_force(home: Home, monitor: Monitor, *, now: datetime) -> pc.Expression:
    """Match the scores that rest on today's bins, or on none; those of another window, time zone or task are history."""
    found = stored_bins(home, monitor, now=now)
    return pc.field("bins").isin(["", *([found[0]] if found else [])])


def layout(monitor: Monitor) -> str:
    """Return what decides how rows are counted, beside the bins: profiles of one layout say nothing about another."""
    labels = monitor.labels
    said = monitor.model_dump(mode="json", include=set(_COUNTED), exclude_defaults=True)
    return json.dumps([said, [labels.join, labels.column] if labels else None], sort_keys=True)


def too_short(monitor: Monitor) -> str:
    """Say that the reference is too short to learn from what is usual; empty when it is long enough, or not known yet."""
    span = monitor.reference_span
    if span is None:
        return ""
    windows = sum(1 for _ in monitor.grid.between(*span))
    if windows >= LEAST_WINDOWS:
        return ""
    return f"nothing is judged: the reference has {counted(windows, monitor.window)}, and what is usual takes {LEAST_WINDOWS} to learn"


def reference_problem(monitor: Monitor, *, now: datetime) -> str:
    """Say why there are no bins yet."""
    span = monitor.reference_span
    if span is None:
        return f"the reference is empty: no rows of {monitor.reference.files} have landed"
    if now < span[1]:
        return f"the reference ends on {monitor.reference.to}; measuring starts then"
    return f"the reference is empty: no events between {monitor.reference.from_} and {monitor.reference.to} have landed"


def reference_rows(home: Home, monitor: Monitor, *, now: datetime) -> pa.Table | None:
    """Return the reference's events, all feature columns."""
    span = monitor.reference_span
    if span is None:
        return None
    time = pc.field("wk_time")
    inside = (time >= pa.scalar(span[0], TIMESTAMP)) & (time < pa.scalar(span[1], TIMESTAMP))
    return home.lake.read(f"events/{monitor.model}", where=inside & (pc.field("wk_landed_at") <= pa.scalar(now, TIMESTAMP)))


def fit(monitor: Monitor, rows: pa.Table) -> dict[str, FeatureBins]:
    """Fit bins to every feature, to the score and to the decision."""
    out = {}
    for name in features_of(monitor, rows.schema):
        bins = _fit_column(name, rows.column(name), is_private=name in monitor.private)
        if monitor.features is not None or not _names_rows(bins, rows.column(name)):
            out[name] = bins
    if monitor.columns.score in rows.column_names:
        out[SCORE] = _fit_column(SCORE, rows.column(monitor.columns.score))
    if monitor.task == "multiclass" and monitor.columns.prediction in rows.column_names:
        out[PREDICTION] = _fit_category(PREDICTION, rows.column(monitor.columns.prediction))
    return out


def _names_rows(bins: FeatureBins, column: pa.ChunkedArray) -> bool:
    """Tell whether texts are more like names of rows than like categories: hardly any occurs twice."""
    if bins.kind != "category":
        return False
    distinct, filled = len(bins.categories) + len(bins.others), len(column) - column.null_count
    return distinct > _MANY and distinct > filled / 2


def features_of(monitor: Monitor, schema: pa.Schema) -> list[str]:
    """Return the columns that are features: those named, else every column without another role and of a type we count."""
    if monitor.features is not None:
        return [f for f in monitor.features if f in schema.names]
    roles = {*monitor.columns.named().values(), *monitor.columns.probabilities.values()}
    return [f.name for f in schema if f.name not in roles and not f.name.startswith("wk_") and _is_counted(f.type)]


def _is_counted(kind: pa.DataType) -> bool:
    return is_numeric(kind) or is_text(kind)


def _fit_column(name: str, column: pa.ChunkedArray, *, is_private: bool = False) -> FeatureBins:
    if not is_numeric(column.type):
        return _fit_category(name, column, is_private=is_private)
    values, nulls = as_numbers(column)
    known = values[~nulls]
    if is_private and np.isfinite(known).any():  # the outermost edges would be the smallest and the largest value
        known = np.clip(known, *np.nanquantile(known[np.isfinite(known)], (0.01, 0.99)))
    return fit_numeric(name, known)


def _fit_category(name: str, column: pa.ChunkedArray, *, is_private: bool = False) -> FeatureBins:
    tally = pc.value_counts(pc.cast(column, pa.string()).drop_null()).to_pylist()
    named = private_name if is_private else str
    return fit_category(name, {named(v["values"]): int(v["counts"]) for v in tally})


def private_name(value: str) -> str:
    """Return what stands for a private category outside the events: a hash."""
    return key("private", value)


def _to_record(model: str, name: str, bins: FeatureBins, now: datetime) -> Bins:
    return Bins(
        model=model,
        bins=name,
        feature=bins.feature,
        kind=bins.kind,
        edges=list(bins.edges),
        categories=list(bins.categories),
        others=list(bins.others),
        coarse=list(bins.coarse),
        computed_at=now,
    )


def _from_record(row: Bins) -> FeatureBins:
    return FeatureBins(
        row.feature, row.kind, tuple(row.edges), tuple(row.categories), tuple(row.others), tuple(int(c) for c in np.asarray(row.coarse))
    )
