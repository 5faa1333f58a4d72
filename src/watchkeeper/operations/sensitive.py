"""Sensitive columns: the label parts of each of their values, and of each pair of values, of which fairness is made.

Belongs here: which group a row is in, what groups are called, and their parts. Does not: the audit (fairness.py), or segments,
which are measured window by window (profile.py).
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations

import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.measures.criteria import CRITERIA
from watchkeeper.monitor import Monitor
from watchkeeper.operations.bins_in_force import Fitted
from watchkeeper.operations.convert import as_text
from watchkeeper.operations.fit import private_name
from watchkeeper.operations.join import SENSITIVE
from watchkeeper.profiles.groups import Grouping
from watchkeeper.profiles.labelled import Piece
from watchkeeper.profiles.parts import GROUP, LABELS_BATCH, key_columns, part_rows
from watchkeeper.spelling import dimension_of
from watchkeeper.windows import Grid

_ROLES = ("time", "version", "environment")


def attributes(monitor: Monitor) -> list[str]:
    """Return the sensitive columns, then their pairs.

    >>> from types import SimpleNamespace
    >>> attributes(SimpleNamespace(sensitive=["sex", "region", "age"]))
    ['sex', 'region', 'age', 'sex&region', 'sex&age', 'region&age']
    """
    single = list(dict.fromkeys(monitor.sensitive))
    return [*single, *(f"{left}&{right}" for left, right in combinations(single, 2))]


def attribute_of(monitor: Monitor, group: str) -> str:
    """Return the attribute that a group is of, such as `sex&region` of `sex=f&region=north`."""
    return dimension_of(group, attributes(monitor))


def not_audited(monitor: Monitor) -> tuple[str, str]:
    """Say why a model's sensitive columns cannot be audited, and what to do; nothing when they can."""
    if not monitor.sensitive:
        return "the monitor names no sensitive columns", "Add for example `sensitive: [sex]`, then run `watchkeeper run`."
    if monitor.task not in CRITERIA:
        return f"fairness of a {monitor.task} model is not defined here", f"It is of {' and '.join(CRITERIA)} models."
    if monitor.task == "regression" and monitor.labels is None:
        return "without labels nobody knows the errors of a regression", "Add `labels` to the monitor."
    return "", ""


def has_label_parts(monitor: Monitor) -> bool:
    """Tell whether rows are joined: with their labels or, to see who is flagged in which group and how unsure the model is, without."""
    why, _ = not_audited(monitor)
    return monitor.labels is not None or not why or monitor.gives_chances


def group_parts(monitor: Monitor, found: Fitted, rows: pa.Table, counted: Iterable[Piece]) -> Iterator[pa.Table]:
    """Count the quantities of joined rows in each group; a value that is not known is a group too, and a column that is absent holds none."""
    if not_audited(monitor)[0]:
        return
    columns = {role: f"@{role}" for role in _ROLES}
    same = {"batch": LABELS_BATCH, "version": "", "environment": monitor.environment}
    grouping = Grouping(Grid(found.grain, monitor.timezone), columns, same, attributes(monitor), known=found.bins)
    numbered = grouping.number(_values(monitor, rows))[1:]
    keys = [key_columns(d.keys) for d in grouping.dimensions[1:]]
    for one in counted:
        for group, names in zip(numbered, keys, strict=True):
            yield part_rows(one.count(group, names.num_rows, is_whole=False), names, kind=GROUP, feature=one.feature, outcome=one.outcome)


def _values(monitor: Monitor, rows: pa.Table) -> pa.Table:
    """Return what groups are told by; of private columns the hashes, as everywhere outside the events."""
    found = {f"@{role}": rows.column(role) for role in _ROLES if role in rows.column_names}
    for name in monitor.sensitive:
        there = SENSITIVE + name
        column = as_text(rows.column(there)) if there in rows.column_names else pa.chunked_array([pa.nulls(rows.num_rows, pa.string())])
        found[name] = _hashed(column) if name in monitor.private else column
    return pa.table(found)


def _hashed(column: pa.ChunkedArray) -> pa.ChunkedArray:
    coded = pc.dictionary_encode(column).combine_chunks()
    coded = coded.combine_chunks() if isinstance(coded, pa.ChunkedArray) else coded
    names = pa.array([private_name(value) for value in coded.dictionary.to_pylist()], pa.string())
    return pa.chunked_array([names.take(coded.indices)])


def names_of(column: pa.ChunkedArray) -> Mapping[str, str]:
    """Return hash -> value of a private column."""
    return {private_name(value): value for value in pc.unique(as_text(column)).drop_null().to_pylist()}
