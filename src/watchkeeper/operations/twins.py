"""Columns of one file whose names differ only in case, of which the lake can keep one: Delta and DuckDB take them for one name.

Belongs here: which of them stays, and the words that say so. Does not: reading a file (cast.py), or who says them.
"""

from collections.abc import Collection, Sequence

from watchkeeper.monitor import Monitor
from watchkeeper.records import Source


def dropped_twins(names: Sequence[str], *, wanted: Collection[str], landed: Collection[str] = ()) -> dict[str, str]:
    """Return column that must go -> its twin that stays: best a `wanted` one, then one `landed` under that very name, then the first.

    >>> dropped_twins(["Score", "k", "score"], wanted={"score"})
    {'Score': 'score'}
    """
    stays: dict[str, str] = {}
    for name in sorted(names, key=lambda n: (n not in wanted, n not in landed)):
        stays.setdefault(name.lower(), name)
    return {name: stays[name.lower()] for name in names if stays[name.lower()] != name}


def named_of(monitor: Monitor, source: Source) -> set[str]:
    """Return the columns of a source that a monitor names."""
    if source == "labels":
        labels = monitor.labels
        return {name for name in (labels.join, labels.column, labels.time) if name} if labels else set()
    return monitor.named_columns | set(monitor.private)


def twin_text(name: str, twin: str) -> str:
    """Return the sentence about a column that must go.

    >>> twin_text("Score", "score")
    "column 'Score' is left out: it differs from 'score' only in case, so one of them must be renamed to be kept"
    """
    return f"column {name!r} is left out: it differs from {twin!r} only in case, so one of them must be renamed to be kept"
