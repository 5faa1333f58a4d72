"""Trust: whether the reference can say what is usual, by the KPI in it and after it.

Belongs here: reading that KPI. Does not: the rule (judgement/honesty.py), what is left undone for it (judge.py).
"""

from collections.abc import Sequence
from datetime import datetime
from functools import cache

import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.adapters.arrow_records import TIMESTAMP, to_arrow
from watchkeeper.adapters.workspace import Home
from watchkeeper.judgement.honesty import doubt, stayed, told_by
from watchkeeper.judgement.succession import succession_text
from watchkeeper.monitor import Monitor
from watchkeeper.operations.bins_in_force import in_force, reference_problem, stored_bins, too_short
from watchkeeper.operations.eras import in_era
from watchkeeper.operations.maturity import Maturity
from watchkeeper.operations.stayed import versions_of_reference
from watchkeeper.operations.versions import succession_by
from watchkeeper.records import Score


def why_not_judged(home: Home, monitor: Monitor, *, now: datetime) -> str:
    """Return why numbers are not judged by what is usual, empty when they are, or when watching has not begun."""
    if short := too_short(monitor):
        return short
    if stored_bins(home, monitor, now=now) is not None and awaits_reference(home, monitor, now):
        return f"nothing is judged: {reference_problem(monitor, now=now)}"
    return reference_doubt(home, monitor, now=now)


def to_be_judged(home: Home, monitor: Monitor, *, now: datetime) -> str:
    """Return what to do about a model whose numbers are not judged by what is usual, as a sentence."""
    if too_short(monitor):
        return "let `reference.to` in the monitor file be a later day."
    span = monitor.reference_span
    if span is not None and now < span[1]:
        return f"wait until the reference ends on {monitor.reference.to}, or let `reference` in the monitor file name days that are over."
    if awaits_reference(home, monitor, now):
        return "let `reference` in the monitor file name days of which there are rows."
    return (
        "give the reference out-of-fold scores, or let `reference` in the monitor file name another one; "
        f"if the numbers since are normal, declare it with `watchkeeper rebaseline {monitor.model}`."
    )


def blind_text(due: Maturity, coverage: Sequence[float]) -> str:
    """Return why no label tells how good a model is, empty where some do; `coverage` is the share of labels in windows whose labels should be here."""
    if due.source == "none":
        return ""
    if coverage and not any(coverage):
        return "no label of its predictions has come, so that nobody knows how good it is: see that labels are delivered, and that their ids are those of the predictions"
    return f"no number of its quality is final: {due.why}" if coverage and due.source == "unknown" else ""


def is_most(aside: int, landed: int) -> bool:
    """Tell whether so many rows were set aside that numbers of the others say little of all."""
    return aside > landed


def awaits_reference(home: Home, monitor: Monitor, now: datetime) -> bool:
    """Tell whether the reference is not over, or has no row though others landed; before the first row lands that is as it should be."""
    span = monitor.reference_span
    if span is None or now < span[1]:
        return span is not None
    landed = home.lake.dataset(f"events/{monitor.model}")
    if landed is None or not landed.head(1, columns=["wk_time"]).num_rows:
        return False
    first, after = (pa.scalar(at, TIMESTAMP) for at in span)
    return not landed.head(1, columns=["wk_time"], filter=(pc.field("wk_time") >= first) & (pc.field("wk_time") < after)).num_rows


def reference_doubt(home: Home, monitor: Monitor, *, now: datetime) -> str:
    """Return why a reference is not believed, empty when it is, or when there is too little to tell."""
    metric, monitor = told_by(monitor), in_era(home, monitor, now, now=now)
    about = (pc.field("model") == monitor.model) & (pc.field("environment") == monitor.environment) & (pc.field("version") == "")
    about &= (pc.field("metric") == metric) & (pc.field("segment") == "") & (pc.field("grain") == monitor.window) & in_force(home, monitor, now=now)
    versions = cache(lambda: versions_of_reference(home, monitor, now=now))
    said = doubt(monitor, to_arrow(Score, home.lake.newest(Score, as_of=now, where=about)), versions)
    return said and f"{said}{'' if stayed(versions()) else _or_a_version(home, monitor, now)}"


def _or_a_version(home: Home, monitor: Monitor, now: datetime) -> str:
    """Return that another version came in as the reference ended, which looks the same; empty where none did."""
    span = monitor.reference_span
    found = succession_by(home, monitor, now, now=now) if span else None
    if span is None or found is None or found.left is None or found.left.start >= monitor.grid.at(span[1]).end:
        return ""
    return f"; or it is the version: {succession_text(monitor, found, now)}"
