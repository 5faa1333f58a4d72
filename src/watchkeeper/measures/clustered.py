"""Intervals of what is independent: days where a window holds some, else the entities that rows are about, else rows.

Belongs here: which of these a number's interval takes, and how it says so. Does not: the formulas (stats/clusters.py), or counting
entities (profiles/clusters.py).
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import isfinite, nan

import numpy as np

from watchkeeper.measures.catalogue import Metric
from watchkeeper.measures.row_means import RowMean, RowSums, View
from watchkeeper.profiles.clusters import BY_ENTITY, GROUPS, clusters_by_group, clusters_of, is_of_one_part
from watchkeeper.profiles.counts import Counts
from watchkeeper.profiles.labelled import KNOWN
from watchkeeper.stats.clusters import LEAST_SPANS, LEAST_WORTH, Clusters, clustered_mean, clustered_share, clusters, independent_rows
from watchkeeper.stats.intervals import Estimate, root
from watchkeeper.words import counted

LEAST_ENTITIES, LEAST_HITS = 30, 20
"""Entities of equal size, and of shares independent hits and misses, below which an interval says approximate: `python -m benchmarks.clusters`."""


def clustered(metric: Metric, view: View, found: Estimate, *, entity: str, days: Callable[[], Sequence[View]]) -> Estimate:
    """Return a KPI with its interval over days, else over entities (the column that names them, empty for none), else as it was found.

    Over several windows or versions an entity may come again, and the interval is over groups of entities; of segments these are not kept,
    and it says so. Where there are entities and the KPI is neither a mean over rows nor the root of one, it says that its interval takes rows as independent.
    """
    kind = metric.row_mean
    if not isfinite(found.low):
        return found
    by_day = _over_days(kind, found, kind.sums(view), [kind.sums(day) for day in days()]) if kind is not None else None
    if by_day is not None:
        return by_day
    return _over_entities(kind, metric.name, view, found, entity) if entity else found


def _over_days(kind: RowMean, found: Estimate, whole: RowSums, days: Sequence[RowSums]) -> Estimate | None:
    """Return an estimate with its interval taken from how days differ, None where fewer than five have rows, or they are not all of them."""
    some = [day for day in days if day.n]
    if len(some) < LEAST_SPANS or not isfinite(found.low) or sum(day.n for day in some) != whole.n:
        return None
    made = clusters(np.array([day.total for day in some]), np.array([day.n for day in some], float))
    told = kind.at_least(_told(kind, found, made, if_alike=made.rows), whole)
    return _saying(told, found, f"interval over {counted(len(some), 'day')}") if isfinite(told.low) else None


def rows_taken_apart(found: Estimate, entity: str) -> Estimate:
    """Return an estimate that says what its interval takes as independent, where rows are about entities."""
    said = f"the interval takes rows of one {entity} as independent"
    return _saying(found, found, said) if entity and isfinite(found.low) else found


def _over_entities(kind: RowMean | None, name: str, view: View, found: Estimate, entity: str) -> Estimate:
    part = view.parts.get((BY_ENTITY + name, KNOWN), Counts())
    by_group = None if is_of_one_part(part) else clusters_by_group(part)
    made = by_group or clusters_of(part)
    if kind is None or made.rows != found.n:
        return rows_taken_apart(found, entity)
    if made.worth < LEAST_WORTH:
        said = f"no interval: {'all' if part.n == 1 else 'nearly all'} rows are of {'few values of' if by_group else 'one'} {entity}"
        return _saying(replace(found, low=nan, high=nan), found, said)
    told = kind.at_least(_told(kind, found, made), kind.sums(view))
    if not isfinite(told.low):
        return rows_taken_apart(found, entity)
    return _saying(told, found, _named(kind, told, made, part, entity))


def _told(kind: RowMean, found: Estimate, made: Clusters, if_alike: float | None = None) -> Estimate:
    if kind.is_root:
        return root(clustered_mean(found.value**2, made))
    return clustered_share(found.value, made, if_alike=if_alike) if kind.is_share else clustered_mean(found.value, made)


def _named(kind: RowMean, told: Estimate, made: Clusters, part: Counts, entity: str) -> str:
    """Return over what an interval is, and whether there is enough of it."""
    is_sum = not is_of_one_part(part)
    is_by_group = is_sum and len(part.sums) > 0
    rough = "approximate " if (is_sum and not is_by_group) or is_approximate(told.value, made, is_share=kind.is_share) else ""
    if is_by_group:
        return f"{rough}interval over {GROUPS} groups of values of {entity}"
    nobody = part.nulls
    said = f"{rough}interval over {counted(part.n - nobody, 'value')} of {entity}"
    said = f"{said} and {counted(nobody, 'row')} without one" if nobody else said
    return f"{said}: those that come back at other times or in other versions count again" if is_sum else said


def is_approximate(value: float, made: Clusters, *, is_share: bool) -> bool:
    """Tell whether entities are too few, or of shares the hits or misses, for an interval that covers what it says."""
    hits = independent_rows(value, made) * min(value, 1 - value) if is_share else LEAST_HITS
    return made.worth < LEAST_ENTITIES or hits < LEAST_HITS


def _saying(told: Estimate, found: Estimate, said: str) -> Estimate:
    return replace(told, n=found.n, reason="; ".join(filter(None, [found.reason, said])))
