"""Bins in force: which a monitor's rows are counted in, fitted when its reference is whole and stored under a version of their content.

Belongs here: finding, storing and naming them, and why there are none. Does not: fitting them to rows (fit.py), counting (profile.py).
"""

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow.compute as pc

from watchkeeper.adapters.lake import among
from watchkeeper.adapters.workspace import Home
from watchkeeper.errors import ConfigurationError
from watchkeeper.judgement.normal import LEAST_WINDOWS
from watchkeeper.monitor import Monitor
from watchkeeper.operations.classes import has_name
from watchkeeper.operations.fit import fit, segment_values
from watchkeeper.profiles.bins import FeatureBins, version
from watchkeeper.profiles.pairs import Pair
from watchkeeper.records import Bins
from watchkeeper.windows import Grain
from watchkeeper.words import counted

ROWS_AN_HOUR, ROWS_OF_SEGMENT = 1_000, 200
"""Rows that an hour, and the average value of a segment column in it, must have for parts to span hours: of fewer a part holds about a cell a row."""
_FORM = 2
"""How parts are written; raised when older ones would be read wrong."""
_CHANCES = "chances by class, and how unsure"
"""What label parts of multiclass models hold since they were first written; those without it are profiled again."""
_UNSURE = "how unsure"
"""What is counted of models without labels since low confidence is measured; those without it are profiled again."""
_ENTITIES = "by entity, and by group of entities"
"""The same of models whose rows are about entities."""
_LABELS = "labels by their texts"
"""The same of binary models whose labels have names."""
_DECISIONS = "decisions are no scores"
"""What is counted of binary models that log decisions alone; those whose 0 and 1 were counted as probabilities are profiled again."""
_SERVED, _NOT_TOLD = "minutes, classes of statuses, regions and hosts", "empty regions and hosts are not told"
"""What is counted of how events were served; parts without it are counted again; so are those of models with regions or hosts whose empty ones are a place of their own."""
_PAIRS, _PAIRS_KIND = "@pairs", "pairs"
_COUNTED = ("task", "window", "timezone", "environment", "columns", "features", "segments", "sensitive", "private", "positive", "threshold")


class Fitted(NamedTuple):
    """Bins in force: their version, each feature's, the time grain of the parts counted in them, and the pairs counted beside."""

    version: str
    bins: dict[str, FeatureBins]
    grain: Grain
    pairs: tuple[Pair, ...] = ()


def bins_of(home: Home, monitor: Monitor, *, now: datetime) -> Fitted | None:
    """Return the bins in force, fitting them when the reference has just become whole.

    None while the reference has not ended yet or holds no rows; `reference_problem` says which. A change of the reference
    keeps the bins, and so does a new normal. A change of what is counted (see `layout`) fits them anew, and all landed rows are profiled again.

    Raises:
        ConfigurationError: bins are to be fitted, and no landed row has the score or the decision that the monitor names.

    """
    stored = stored_bins(home, monitor, now=now)
    if stored is not None:
        return stored
    span = monitor.reference_span
    if span is None or now < span[1] or monitor.is_rebased:
        return None
    _require_outputs(home, monitor)
    found = fitted(home, monitor, now=now)
    if found is not None:
        put_in_force(home, monitor, found, now=now)
    return found


def _require_outputs(home: Home, monitor: Monitor) -> None:
    """Refuse a score or a decision that no landed row has: without its score a model would be measured by its decisions, as if these were scores.

    Raises:
        ConfigurationError: the monitor names such a column.

    """
    events = home.lake.dataset(f"events/{monitor.model}")
    for role, column in (("score", monitor.columns.score), ("prediction", monitor.columns.prediction)):
        if events is not None and column and column not in events.schema.names:
            there = ", ".join(n for n in events.schema.names if not n.startswith("wk_"))
            raise ConfigurationError(
                f"no landed row has the column {column!r} (columns.{role}); they have {there}",
                where=monitor.model,
                then="Correct the name in the monitor file; nothing was measured anew.",
            )


def fitted(home: Home, monitor: Monitor, *, now: datetime) -> Fitted | None:
    """Return bins as the reference of today would have them; they are not in force by that. None where it holds no rows.

    The same rows give the same bins and the same version.
    """
    bins, pairs, rows = fit(home, monitor, now=now)
    if rows == 0 or monitor.reference_span is None:
        return None
    grain = part_grain(monitor, rows, monitor.reference_span, partial(segment_values, home, monitor, now=now))
    return Fitted(_version(monitor, bins, grain, pairs), bins, grain, pairs)


def _version(monitor: Monitor, bins: Mapping[str, FeatureBins], grain: str, pairs: Sequence[Pair]) -> str:
    return version(list(bins.values()), " ".join([layout(monitor), grain, *([json.dumps(pairs)] if pairs else [])]))


def put_in_force(home: Home, monitor: Monitor, found: Fitted, *, now: datetime) -> None:
    """Have everything counted and measured over these bins from now on."""
    rows = [_to_record(monitor.model, found.version, found.grain, b, now) for b in found.bins.values()]
    if found.pairs:
        lefts, rights = zip(*found.pairs, strict=True)
        there = FeatureBins(_PAIRS, _PAIRS_KIND, categories=lefts, others=rights)
        rows.append(_to_record(monitor.model, found.version, found.grain, there, now))
    home.lake.append_records(Bins, rows)


def stored_bins(home: Home, monitor: Monitor, *, now: datetime) -> Fitted | None:
    """Return the newest bins that were fitted for what the monitor counts today, None when there are none."""
    by_name: dict[str, list[Bins]] = defaultdict(list)
    for row in home.lake.newest(Bins, as_of=now, where=pc.field("model") == monitor.model):
        by_name[row.bins].append(row)
    for name in sorted(by_name, key=lambda n: max(b.computed_at for b in by_name[n]), reverse=True):
        rows: list[Bins] = by_name[name]
        bins, grain = {b.feature: _from_record(b) for b in rows if b.kind != _PAIRS_KIND}, rows[0].grain
        pairs = tuple(pair for b in rows if b.kind == _PAIRS_KIND for pair in zip(b.categories, b.others, strict=True))
        if _version(monitor, bins, grain, pairs) == name:
            return Fitted(name, bins, "hour" if grain == "hour" else "day", pairs)
    return None


def part_grain(monitor: Monitor, rows: int, span: tuple[datetime, datetime], values: Callable[[], int]) -> Grain:
    """Return what a part spans in time: an hour where hours are asked for or hold about a thousand rows, and 200 of each segment value, else a day.

    `values` tells how many the segment column with the most has, and is asked where it matters: parts of segments are many, and with few rows each as large as these.
    Hours must add up to the monitor's days, which they do not where clocks differ from UTC by half hours. The rows of one entity must lie
    in one part of a day, or they would count as those of another one in each hour.
    """
    if monitor.window != "hour" and monitor.columns.entity and monitor.labels is not None:
        return "day"
    hours = (span[1] - span[0]).total_seconds() / 3600
    year = (span[0] + timedelta(days=30 * month) for month in range(13))
    offsets = {moment.astimezone(ZoneInfo(monitor.timezone)).utcoffset() or timedelta(0) for moment in year}
    is_whole = all(offset % timedelta(hours=1) == timedelta(0) for offset in offsets)
    if monitor.window == "hour":
        return "hour"
    return "hour" if is_whole and rows / hours >= ROWS_AN_HOUR and rows / hours >= ROWS_OF_SEGMENT * values() else "day"


def in_force(home: Home, monitor: Monitor, *, now: datetime) -> pc.Expression:
    """Match the scores that rest on today's bins, or on none; those of another window, time zone or task are history."""
    found = stored_bins(home, monitor, now=now)
    return among("bins", ["", *([found.version] if found else [])])


def layout(monitor: Monitor) -> str:
    """Return what decides how rows are counted, beside the bins: profiles of one layout say nothing about another."""
    labels = monitor.labels
    said = monitor.model_dump(mode="json", include=set(_COUNTED), exclude_defaults=True)
    own = [[[kpi.name, kpi.sql] for kpi in monitor.kpis]] if monitor.kpis else []
    has_chances = monitor.task == "multiclass" and labels is not None and monitor.columns.probabilities
    more = [
        *([_CHANCES] if has_chances else []),
        *([_UNSURE] if labels is None and monitor.gives_chances else []),
        *([_ENTITIES] if labels is not None and monitor.columns.entity else []),
        *([_LABELS] if names_labels(monitor) else []),
        *([_DECISIONS] if monitor.decides_alone else []),
        *([_SERVED] if monitor.columns.of_service else []),
        *([_NOT_TOLD] if monitor.service_places else []),
    ]
    told = [_FORM, said, [labels.join, labels.column] if labels else None, *own, *more]
    return json.dumps(told, sort_keys=True)


def names_labels(monitor: Monitor) -> bool:
    """Tell whether labels of a binary model are counted by their texts: where one with a name is positive, any other text is taken for negative."""
    labels = monitor.labels
    return monitor.task == "binary" and labels is not None and labels.column not in monitor.private and has_name(monitor.positive)


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


def _to_record(model: str, name: str, grain: Grain, bins: FeatureBins, now: datetime) -> Bins:
    return Bins(
        model=model,
        bins=name,
        feature=bins.feature,
        kind=bins.kind,
        edges=list(bins.edges),
        categories=list(bins.categories),
        others=list(bins.others),
        coarse=list(bins.coarse),
        normal_scores=list(bins.normal_scores),
        unit=bins.unit,
        novelty=bins.novelty,
        grain=grain,
        computed_at=now,
    )


def _from_record(row: Bins) -> FeatureBins:
    return FeatureBins(
        row.feature,
        row.kind,
        tuple(row.edges),
        tuple(row.categories),
        tuple(row.others),
        tuple(int(c) for c in np.asarray(row.coarse)),
        tuple(row.normal_scores),
        row.unit,
        row.novelty,
    )
