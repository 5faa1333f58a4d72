"""KPIs of people's own: their rows of the catalogue, made of what a monitor states, and how they are read off label parts.

Belongs here: mean and sum over labelled rows, and what keeps them from being known. Does not: evaluating the expressions
(operations/own_kpis.py), or the KPIs of every model (catalogue.py).
"""

from dataclasses import replace
from functools import partial
from math import inf

from watchkeeper.measures import catalogue
from watchkeeper.measures.catalogue import Metric
from watchkeeper.measures.row_means import of_quantity
from watchkeeper.measures.views import BinaryView, MulticlassView, RegressionView
from watchkeeper.monitor import Kpi, Monitor
from watchkeeper.profiles.labelled import FAILED, KNOWN, OWN
from watchkeeper.stats.intervals import Estimate, mean, undefined
from watchkeeper.words import counted

View = BinaryView | RegressionView | MulticlassView
TASKS = ("binary", "regression", "multiclass")
_LEAST = 10


def own_kpis(monitor: Monitor) -> tuple[Metric, ...]:
    """Return the catalogue rows of a monitor's own KPIs."""
    return tuple(_metric(monitor, kpi) for kpi in monitor.kpis) if monitor.task in TASKS and monitor.labels is not None else ()


def _metric(monitor: Monitor, kpi: Kpi) -> Metric:
    return Metric(
        name=kpi.name,
        subject=monitor.task,  # type: ignore[arg-type]  # of TASKS
        function=partial(own_kpi, kpi.name, is_sum=kpi.aggregate == "sum"),
        method=f"{kpi.aggregate} of labelled rows, t",
        unit=kpi.unit,
        direction=kpi.direction,
        family="performance",
        least=_LEAST,
        needs_labels=True,
        in_segments=True,
        row_mean=of_quantity(OWN + kpi.name) if kpi.aggregate == "mean" else None,
        is_total=kpi.aggregate == "sum",
    )


def own_kpi(name: str, view: View, *, is_sum: bool = False) -> Estimate:
    """Return the mean of an expression over the labelled rows that have a value, or their sum, with Student's t interval.

    Undefined where it is infinite for a row or failed on one: what the others have would be another number.
    """
    whole = view.parts.get((OWN + name, KNOWN))
    failures = {
        outcome.removeprefix(FAILED): counts.n for (feature, outcome), counts in view.parts.items() if feature == OWN + name and outcome != KNOWN
    }
    if failures:
        n = sum(failures.values())
        return undefined(f"{name} failed on {counted(n, 'row')}: {min(failures)}", n)
    if whole is None or whole.n == 0:
        return undefined(f"{name} has no value for any labelled row" if view.labelled else "no labels")
    if whole.finite < whole.n:
        return undefined(f"{name} is infinite for {counted(whole.n - whole.finite, 'row')}", whole.n)
    found = mean(whole.sum, whole.sum2, whole.n)
    if not is_sum:
        return found
    return replace(found, value=whole.sum, se=found.se * whole.n, low=found.low * whole.n, high=found.high * whole.n)


def unit_of(monitor: Monitor, metric: str) -> str:
    """Return the unit of a metric, a monitor's own ones included; empty where it is not known."""
    found = _found(monitor, metric)
    return found.unit if found else ""


def range_of(monitor: Monitor, metric: str) -> tuple[float, float]:
    """Return the least and the greatest value that a metric can have, a monitor's own ones included; infinite where there is no end."""
    found = _found(monitor, metric)
    return found.range if found else (-inf, inf)


def _found(monitor: Monitor, metric: str) -> Metric | None:
    return next((m for m in own_kpis(monitor) if m.name == metric), None) or catalogue.find(metric)
