"""What intake found in a stretch of time: rows that were set aside, and expectations that rows broke and landed all the same.

Belongs here: bringing what is kept of files to the time of their rows. Does not: checking (ingest.py), what follows (judge.py, report.py).
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.adapters.workspace import Home
from watchkeeper.judgement.evidence import ROLLING, Broken
from watchkeeper.monitor import Monitor
from watchkeeper.operations.times import moment_of
from watchkeeper.records import Batch, Quarantined, Validation
from watchkeeper.windows import Window

_TELLING = 0.2  # a smaller share of rows breaks no number


def set_aside(home: Home, monitor: Monitor, window: Window, *, now: datetime) -> tuple[int, list[tuple[str, int]]]:
    """Return how many rows of the window are held in quarantine, and the commonest reasons.

    A row belongs to the window that its own time says; one without a time that can be read, to the moment it came.
    """
    table = f"quarantine/{monitor.model}"
    held = [q for q in home.lake.newest(Quarantined, as_of=now, table=table) if q.state == "held"]
    if not held:
        return 0, []
    came: dict[str, datetime] = {b.batch_id: b.landed_at for b in _batches(home, monitor, now)}
    inside = [q for q in held if (_time_of(q, monitor) or came.get(q.batch_id, q.at)) in window]
    return len(inside), Counter(reason for q in inside for reason in q.reasons).most_common(3)


def broken_expectations(home: Home, monitor: Monitor, window: Window, *, now: datetime) -> list[Broken]:
    """Return expectations on the values of events that a fifth of the window's rows broke more than rows of the 56 days before.

    A file belongs to the window that the middle of its rows' time lies in. The largest share comes first.
    """
    middles = {
        b.batch_id: b.starts_at + (b.ends_at - b.starts_at) / 2
        for b in _batches(home, monitor, now)
        if b.source == "events" and b.starts_at is not None and b.ends_at is not None
    }
    during = [batch for batch, middle in middles.items() if middle in window]
    before = [batch for batch, middle in middles.items() if window.start - ROLLING <= middle < window.start]
    shares, usual = _shares(_validations(home, during, now)), _shares(_validations(home, before, now))
    found = [Broken(column, expectation, share, usual.get((column, expectation), 0.0)) for (column, expectation), share in shares.items()]
    return sorted((b for b in found if b.share - b.usual >= _TELLING), key=lambda b: (-b.share, b.column))


def _batches(home: Home, monitor: Monitor, now: datetime) -> list[Batch]:
    found: list[Batch] = home.lake.newest(Batch, as_of=now, where=pc.field("model") == monitor.model)
    return found


def _validations(home: Home, batches: Sequence[str], now: datetime) -> list[Validation]:
    if not batches:
        return []
    found: list[Validation] = home.lake.newest(Validation, as_of=now, where=pc.field("batch_id").isin(pa.array(sorted(batches), pa.string())))
    return found


def _shares(validations: Iterable[Validation]) -> dict[tuple[str, str], float]:
    """Return the share of rows that broke each expectation on the values of one column."""
    broken: dict[tuple[str, str], int] = defaultdict(int)
    looked: dict[tuple[str, str], int] = defaultdict(int)
    for v in validations:
        if v.column and v.unexpected_count is not None and v.element_count:
            broken[v.column, v.expectation] += v.unexpected_count
            looked[v.column, v.expectation] += v.element_count
    return {about: broken[about] / rows for about, rows in looked.items()}


def _time_of(row: Quarantined, monitor: Monitor) -> datetime | None:
    if row.row is None or row.row_number < 0 or row.source != "events":
        return None
    try:
        values = json.loads(row.row)
    except ValueError:
        return None
    return moment_of(values.get(monitor.columns.time), monitor.timezone) if isinstance(values, dict) else None
