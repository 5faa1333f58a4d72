"""Label classes: how many labels of each class came, in the reference and after it, read off label profiles; no rows are read.

Belongs here: reading them, and which sentence goes where. Does not: the rule and its words (judgement/label_classes.py), or values that are
no class of a binary model, which intake sets aside (cast.py).
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.adapters.workspace import Home
from watchkeeper.judgement.label_classes import LabelClasses, new_classes_text, one_class_text
from watchkeeper.monitor import Monitor
from watchkeeper.operations.bins_in_force import names_labels, stored_bins
from watchkeeper.operations.classes import spellings
from watchkeeper.operations.eras import in_era
from watchkeeper.operations.maturity import maturity_of
from watchkeeper.operations.sums import label_counts
from watchkeeper.profiles.labelled import DECISION, LABEL_TEXT, PENDING
from watchkeeper.windows import Window

LATELY = timedelta(days=35)
"""A new class is told for so long after its last label."""

_ByStart = Mapping[datetime, Mapping[str, int]]


def label_classes(home: Home, monitor: Monitor, *, now: datetime) -> LabelClasses:
    """Return the labels by class, nothing of a model without classes, labels, bins or reference."""
    span, bins = monitor.reference_span, stored_bins(home, monitor, now=now)
    if span is None or bins is None or monitor.labels is None or monitor.task not in ("binary", "multiclass"):
        return LabelClasses()
    rows = label_counts(home, monitor, bins.version, span[0], (DECISION, LABEL_TEXT), now=now)
    rows = rows.filter(pc.not_equal(rows.column("outcome"), PENDING))
    by_class, usual = _by_start(rows, DECISION), Window(*span)
    told = _by_start(rows, LABEL_TEXT) if names_labels(monitor) else by_class if monitor.task == "multiclass" else {}
    known = {name for start, there in told.items() if start in usual for name in there}
    ours = spellings(monitor.positive) if monitor.task == "binary" else frozenset()
    after = {start: there for start, there in told.items() if start >= usual.end and known}
    foreign = {start: {name: n for name, n in there.items() if name not in known | ours} for start, there in after.items()}
    return LabelClasses(
        reference=_total(by_class, usual),
        later={start: there for start, there in by_class.items() if start >= usual.end},
        foreign={start: there for start, there in foreign.items() if there},
        due=maturity_of(home, monitor, now=now, bins=bins.version).until(monitor.grid, now),
    )


def remarks(home: Home, monitor: Monitor, *, now: datetime) -> tuple[str, str]:
    """Say that labels come of one class only, and which classes that the reference never had came lately; each empty when it is not so."""
    found = label_classes(home, in_era(home, monitor, now, now=now), now=now)
    return one_class_text(monitor, found), new_classes_text(monitor, found, Window(now - LATELY, now))


def of_period(home: Home, monitor: Monitor, window: Window, *, now: datetime) -> list[str]:
    """Return what is to be said of the classes of a period's labels."""
    found = label_classes(home, in_era(home, monitor, window.start, now=now), now=now)
    return [said for said in (one_class_text(monitor, found, window), new_classes_text(monitor, found, window)) if said]


def _by_start(rows: pa.Table, feature: str) -> _ByStart:
    mine = rows.filter(pc.equal(rows.column("feature"), feature)).group_by(["window_start", "outcome"]).aggregate([("n", "sum")])
    found: dict[datetime, dict[str, int]] = {}
    for start, name, n in zip(*(mine.column(c).to_pylist() for c in ("window_start", "outcome", "n_sum")), strict=True):
        if n:
            found.setdefault(start, {})[name] = n
    return found


def _total(by_start: _ByStart, window: Window) -> dict[str, int]:
    total: dict[str, int] = {}
    for start, there in by_start.items():
        for name, n in there.items() if start in window else ():
            total[name] = total.get(name, 0) + n
    return total
