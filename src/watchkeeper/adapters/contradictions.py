"""What a monitor file says in good words that cannot be: one column in two roles, a promise that nothing can keep.

Belongs here: what two parts of one file make impossible, each with its place. Does not: what one part may be (monitor.py),
what files of data tell (operations/check.py), or how mistakes are told (monitor_files.py).
"""

import re
from collections.abc import Collection, Iterator, Sequence
from math import isfinite
from typing import TYPE_CHECKING, NamedTuple

from watchkeeper.adapters.yaml_lines import Path
from watchkeeper.monitor import Monitor, Target
from watchkeeper.records import CLASS
from watchkeeper.spelling import dimension_of

if TYPE_CHECKING:
    from watchkeeper.measures.catalogue import Metric

_SHARED_ROLES = frozenset({"entity", "trace_id", "host", "region"})  # of which another column may well hold the same
_UNCLOSED = re.compile(r"\[(?!!?\]?[^\]]*\])")  # fnmatch takes such a bracket for a character of the name
_NO_SEGMENTS = ("trace_id", "latency", "queue_time", "score", "time", "id")


class Contradiction(NamedTuple):
    """One mistake: where it was said, what it is, and what may help; of `valid` words the nearest one may have been meant."""

    path: Path
    what: str
    hint: str = ""
    valid: Collection[str] = ()


def contradictions(monitor: Monitor) -> Iterator[Contradiction]:
    """Yield everything in a monitor that cannot be."""
    yield from _of_globs(monitor)
    yield from _of_roles(monitor)
    yield from _of_features(monitor)
    yield from _of_segments(monitor)
    yield from _of_case(monitor)
    if monitor.task == "binary" and not 0 <= monitor.threshold <= 1:
        yield Contradiction(("threshold",), f"threshold: {monitor.threshold} lies outside [0, 1], where a probability must be")
    if monitor.versions.references and monitor.columns.version is None:
        hint = "name the column that holds the version as `columns.version`"
        yield Contradiction(("versions", "references"), "versions.references: the monitor names no column that tells versions apart", hint)
    yield from _of_kpis(monitor)
    for index, target in enumerate(monitor.targets):
        yield from _of_target(monitor, target, ("targets", index))


def _of_globs(monitor: Monitor) -> Iterator[Contradiction]:
    said = {"events": monitor.events.files, "labels": monitor.labels.files if monitor.labels else None, "reference": monitor.reference.files}
    for section, pattern in said.items():
        if pattern and any(_UNCLOSED.search(part) for part in pattern.split("/")):
            yield Contradiction(
                (section, "files"), f"{section}.files: a [ in '{pattern}' is never closed", "close it, or write [[] for the character"
            )


def _of_roles(monitor: Monitor) -> Iterator[Contradiction]:
    roles: dict[Path, str | None] = {("columns", role): name for role, name in monitor.columns.single().items() if role not in _SHARED_ROLES}
    roles |= {("columns", "probabilities", label): name for label, name in monitor.columns.probabilities.items()}
    roles |= {("columns", "attributions", of): name for of, name in monitor.columns.attributions.items()}
    yield from _twice(roles, is_regression=monitor.task == "regression")
    if monitor.labels is not None:
        yield from _twice({("labels", role): getattr(monitor.labels, role) for role in ("join", "column", "time")})


def _twice(roles: dict[Path, str | None], *, is_regression: bool = False) -> Iterator[Contradiction]:
    first: dict[str, Path] = {}
    for path, name in roles.items():
        if name is None:
            continue
        other = first.setdefault(name, path)
        if other != path and not (is_regression and {path[-1], other[-1]} == {"score", "prediction"}):
            yield Contradiction(path, f"{_said(path)}: column '{name}' is {_said(other)} already", "a column has one role")


def _of_case(monitor: Monitor) -> Iterator[Contradiction]:
    """Yield the columns of which another, elsewhere in the file, differs only in case: Delta and DuckDB take both for one."""
    named: list[tuple[Path, str]] = [(("columns", role), name) for role, name in monitor.columns.single().items()]
    named += [(("columns", "probabilities", label), name) for label, name in monitor.columns.probabilities.items()]
    named += [(("columns", "attributions", of), name) for of, name in monitor.columns.attributions.items()]
    named += [(("segments", i), name) for i, names in enumerate(monitor.segments) for name in names.split("&")]
    for part in ("features", "sensitive", "private"):
        named += [((part, i), name) for i, name in enumerate(getattr(monitor, part) or ())]
    first: dict[str, tuple[str, Path]] = {}
    for path, name in named:
        other, there = first.setdefault(name.lower(), (name, path))
        if other != name:
            what = f"{_said(path)}: column '{name}' differs from '{other}' ({_said(there)}) only in case, and the lake keeps one such column"
            yield Contradiction(path, what, "name the same column alike; rename one of two in the data")


def _of_features(monitor: Monitor) -> Iterator[Contradiction]:
    for index, name in enumerate(monitor.features or ()):
        if name.startswith("@"):
            yield Contradiction(("features", index), f"features: '{name}' begins with @, as the model's own outputs do", "rename the column")


def _of_segments(monitor: Monitor) -> Iterator[Contradiction]:
    columns = monitor.columns
    roles = {getattr(columns, role): role for role in _NO_SEGMENTS} | {name: f"probability of {k}" for k, name in columns.probabilities.items()}
    for index, declared in enumerate(monitor.segments):
        path: Path = ("segments", index)
        if declared in monitor.segments[:index]:
            yield Contradiction(path, f"segments: '{declared}' is named twice")
        for part in declared.split("&"):
            if part in monitor.private:
                yield Contradiction(
                    path,
                    f"segments: '{part}' is private, and a segment shows its values in scores, pages and messages",
                    "take it out of `segments`, or out of `private`",
                )
            if part in roles:
                yield Contradiction(path, f"segments: '{part}' is the {roles[part].replace('_', ' ')}, whose values are no groups of rows")


def _of_kpis(monitor: Monitor) -> Iterator[Contradiction]:
    """Yield what is wrong with KPIs of people's own: their names, and expressions that are none or would show what is private."""
    if not monitor.kpis:
        return
    from watchkeeper.adapters.expressions import columns_of, fault_of
    from watchkeeper.measures.cost import COST_METRICS
    from watchkeeper.measures.own import TASKS

    taken = {*_metric_names(), *COST_METRICS}
    if monitor.labels is None or monitor.task not in TASKS:
        why = "the monitor names no labels" if monitor.labels is None else f"a {monitor.task} model has no labelled rows of its own"
        yield Contradiction(("kpis",), f"kpis: they are numbers of labelled rows, and {why}")
    for index, kpi in enumerate(monitor.kpis):
        path: Path = ("kpis", index)
        if kpi.name in taken:
            yield Contradiction((*path, "name"), f"kpis: '{kpi.name}' is the name of another metric", "give it a name of its own")
        taken.add(kpi.name)
        if fault := fault_of(kpi.sql):
            yield Contradiction((*path, "sql"), f"kpis: {kpi.name}: {fault}")
            continue
        shown = [name for name in columns_of(kpi.sql) if name.lower() in _private(monitor)]
        if shown:
            what = f"kpis: {kpi.name}: '{shown[0]}' is private, and the KPI would publish what is computed of its values"
            yield Contradiction((*path, "sql"), what, "leave it out of the expression, or out of `private`")


def _private(monitor: Monitor) -> set[str]:
    """Return the private names of an expression, in lower case as DuckDB compares them: columns, and roles that are private ones."""
    names = {name.lower() for name in monitor.private}
    roles = {
        "score": monitor.columns.score,
        "prediction": monitor.columns.prediction or monitor.columns.score,
        "label": monitor.labels.column if monitor.labels else None,
    }
    return (names - set(roles)) | {role for role, column in roles.items() if column and column.lower() in names}


def _metric_names() -> frozenset[str]:
    from watchkeeper.measures.catalogue import NAMES
    from watchkeeper.measures.gap_to_rest import GAP_TO_REST

    return NAMES | {GAP_TO_REST.name}


def _of_target(monitor: Monitor, target: Target, path: Path) -> Iterator[Contradiction]:
    from watchkeeper.measures.catalogue import CATALOGUE, NAMES, subjects_of  # brings scipy, which a file without promises does not need
    from watchkeeper.measures.own import own_kpis

    metric, at = target.metric, (*path, "metric")
    every = (*CATALOGUE, *own_kpis(monitor))
    those = [m for m in every if m.name == metric]
    mine = [m for m in those if m.subject in subjects_of(monitor.task) - {"pair"}]
    of_class = target.feature.startswith(CLASS)
    if not those:
        yield Contradiction(at, f"unknown metric '{metric}'", valid={*NAMES, *(m.name for m in every)})
    elif all(m.subject == "pair" for m in those):
        yield Contradiction(at, f"metric '{metric}' is made on request and cannot be promised", "ask for it with `watchkeeper scores --metric`")
    elif not mine:
        kinds = " and ".join(dict.fromkeys("multiclass" if m.subject == "class" else m.subject for m in those))
        yield Contradiction(at, f"metric '{metric}' is one of {kinds} models, and this one is {monitor.task}")
    elif all(m.subject == "feature" for m in mine) and not target.feature:
        yield Contradiction(at, f"metric '{metric}' is one of a column, and the target names none", "add `feature`; `@score` is the model's output")
    elif of_class or all(m.subject == "class" for m in mine):
        yield from _of_class(monitor, target, path)
    elif target.feature and all(m.subject != "feature" for m in mine):
        yield Contradiction((*path, "feature"), f"metric '{metric}' is one of the whole model, not of a column", "leave `feature` out")
    else:
        yield from _of_segment(target, mine, path)
    if mine:
        yield from _of_limits(target, min(m.range[0] for m in mine), max(m.range[1] for m in mine), path)
    there = monitor.dimensions if mine and all(m.family == "service" for m in mine) else monitor.segments
    if target.segment and not dimension_of(target.segment, there):
        known = f"declared: {', '.join(there)}" if there else "declare its column in `segments`"
        yield Contradiction((*path, "segment"), f"segment '{target.segment}' is of no declared segment", known)


def _of_segment(target: Target, metrics: "Sequence[Metric]", path: Path) -> Iterator[Contradiction]:
    """Yield that a metric has no segments, or has nothing else."""
    if target.segment and not any(m.in_segments for m in metrics):
        yield Contradiction((*path, "segment"), f"metric '{target.metric}' is not measured in segments", "leave `segment` out")
    elif not target.segment and all(m.subject == "place" for m in metrics):
        said = f"metric '{target.metric}' is one of a region, a host or a segment, and the target names none"
        yield Contradiction((*path, "metric"), said, "add `segment`")


def _of_class(monitor: Monitor, target: Target, path: Path) -> Iterator[Contradiction]:
    """Yield what is wrong with a promise about one class."""
    from watchkeeper.measures.catalogue import find, of

    names, name = monitor.columns.probabilities, target.feature.removeprefix(CLASS)
    if not target.feature.startswith(CLASS):
        average = f"macro_{target.metric}"
        hint = f'add `feature: "{CLASS}NAME"`' + (f", or promise `{average}`" if find(average, "multiclass") else "")
        yield Contradiction((*path, "metric"), f"metric '{target.metric}' is one of a class, and the target names none", hint)
    elif find(target.metric, "class") is None or monitor.task != "multiclass":
        there = ", ".join(m.name for m in of("class", stored_only=False) if not m.estimates)
        yield Contradiction(
            (*path, "feature"), f"metric '{target.metric}' is none of a class", f"of each class of a multiclass model there are {there}"
        )
    elif names and name not in names:
        yield Contradiction((*path, "feature"), f"columns.probabilities has no class '{name}'", valid=[CLASS + n for n in names])
    if target.segment:
        yield Contradiction((*path, "segment"), f"metric '{target.metric}' of a class is not measured in segments", "leave `segment` out")


def _of_limits(target: Target, low: float, high: float, path: Path) -> Iterator[Contradiction]:
    """Yield the limits that no value of the metric can break, or none can keep."""
    span = (
        f"lies between {low:g} and {high:g}"
        if isfinite(low) and isfinite(high)
        else f"is never below {low:g}"
        if isfinite(low)
        else f"is never above {high:g}"
    )
    for name in ("at_least", "at_most"):
        limit = getattr(target, name)
        if limit is not None and not low <= limit <= high:
            hint = "write a share as 0.7, not as 70" if (low, high) == (0, 1) else ""
            yield Contradiction((*path, name), f"{name}: {limit:g} is no value of '{target.metric}', which {span}", hint)


def _said(path: Path) -> str:
    return ".".join(map(str, path))
