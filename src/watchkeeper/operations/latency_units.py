"""Latencies in another unit than the monitor says: told by a column's name, by values that no service has, and by a change of a thousandfold.

Belongs here: what is doubtful about a column of latencies, in one sentence, and where it is looked up. Does not: who is told (check.py, doctor.py, draft.py).
A doubt is a warning and no alarm: nothing is converted or left out by it.
"""

import re
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.adapters import files
from watchkeeper.adapters.arrow_records import TIMESTAMP
from watchkeeper.adapters.lake import among
from watchkeeper.adapters.workspace import Home
from watchkeeper.errors import UnreadableError
from watchkeeper.measures.service_view import LATENCY, OUTPUT_TOKENS, QUEUE, Measured, Tokens
from watchkeeper.monitor import Monitor
from watchkeeper.operations.bins_in_force import stored_bins
from watchkeeper.profiles.columns import as_numbers, is_numeric
from watchkeeper.profiles.counted import of_rows
from watchkeeper.profiles.counts import Counts
from watchkeeper.profiles.grids import LONGEST_MS, latency_cells, latency_middle
from watchkeeper.profiles.parts import SERVICE, gathered, newest_scans
from watchkeeper.records import Profile
from watchkeeper.words import number_text, percent

_BY_NAME = (
    ("ms", re.compile(r"_?(ms|millis|milliseconds)$", re.IGNORECASE)),
    ("us", re.compile(r"_(us|micros|microseconds)$", re.IGNORECASE)),
    ("s", re.compile(r"_(s|sec|secs|seconds)$", re.IGNORECASE)),
)
_FEWEST, _LATELY = 30, timedelta(days=1)
_FASTEST_MS, _SLOWEST_MS = 1.0, 120_000.0
_FASTEST_TOKENS = 5_000.0  # a second, of one request; no model gives as many
_THOUSAND = (500.0, 2_000.0)
_FINER = {"s": "ms", "ms": "us"}
_COARSER = {"us": "ms", "ms": "s"}
_CALLED = {"s": "seconds", "ms": "milliseconds", "us": "microseconds"}


def unit_of_name(column: str) -> str | None:
    """Return the unit that a column's name ends with, None where it ends with none.

    >>> unit_of_name("latency_ms"), unit_of_name("took_s"), unit_of_name("latency")
    ('ms', 's', None)
    """
    return next((unit for unit, pattern in _BY_NAME if pattern.search(column)), None)


def measured_of(values: pa.ChunkedArray, to_ms: float) -> Measured:
    """Return a column of numbers as latencies, ms."""
    if not is_numeric(values.type):
        return Measured()
    found, nulls = as_numbers(values)
    missing = nulls | np.isnan(found)
    filled = np.where(np.abs(found) <= LONGEST_MS / to_ms, found, 0.0) * to_ms
    return Measured(of_rows(latency_cells(filled), filled, missing, np.zeros(len(found), np.int64), 1).of(0))


def doubt(measured: Measured, unit: str, *, tokens: float = 0.0, usual: Measured | None = None) -> str:
    """Say that latencies are of another unit than was said; empty where nothing speaks for that, or they are fewer than thirty.

    `tokens` are those given in the answers, `usual` the latencies of the reference.
    """
    if measured.n < _FEWEST:
        return ""
    middle = _median(measured)
    shown = f"the median latency is {number_text(middle, 'ms')}"
    if usual is not None and usual.n >= _FEWEST:
        times = middle / _median(usual)
        if any(_THOUSAND[0] <= t <= _THOUSAND[1] for t in (times, 1 / times)):
            return (
                f"{shown}, a thousand{'th of' if times < 1 else ' times'} what it was in the reference: since when are they logged in another unit?"
            )
    speed = tokens / (measured.sum / 1e3)
    if unit in _COARSER and (middle < _FASTEST_MS or speed > _FASTEST_TOKENS):
        why = f", and answers have {number_text(speed, 'tokens/s')}" if speed > _FASTEST_TOKENS else ", which hardly any service is as fast as"
        return f"{shown}{why}; if the column holds {_CALLED[_COARSER[unit]]}, say `columns.latency_unit: {_COARSER[unit]}`"
    if unit in _FINER and middle > _SLOWEST_MS:
        return f"{shown}, which hardly any service is as slow as; if the column holds {_CALLED[_FINER[unit]]}, say `columns.latency_unit: {_FINER[unit]}`"
    return ""


def unusable(measured: Measured) -> str:
    """Say how many latencies are 0, negative, or above eleven days; empty where none are."""
    if not measured.unusable:
        return ""
    share = percent(measured.unusable / measured.counts.n)
    return f"{measured.unusable:,} of {measured.counts.n:,} rows ({share}) have a latency of 0, below, or above eleven days: they are counted apart, and left out of percentiles"


def _median(measured: Measured) -> float:
    return float(latency_middle(np.array(measured.cell_at(0.5))))


def latency_doubts(home: Home, monitor: Monitor, *, now: datetime) -> list[str]:
    """Return what is doubtful about a model's latencies: of its reference and its last day, or of its newest file while nothing is counted yet."""
    roles = monitor.columns
    if not roles.latency:
        return []
    bins, span = stored_bins(home, monitor, now=now), monitor.reference_span
    if bins is None or span is None:
        newest = _newest(home, monitor)
        return list(filter(None, (doubt(newest, roles.latency_unit), unusable(newest))))
    mine = (pc.field("model") == monitor.model) & (pc.field("bins") == bins.version) & (pc.field("kind") == SERVICE) & (pc.field("segment") == "")
    known = among("feature", [LATENCY, OUTPUT_TOKENS, QUEUE]) & (pc.field("computed_at") <= pa.scalar(now, TIMESTAMP))
    rows = home.lake.read(Profile.TABLE, where=mine & known, in_order=True)
    if rows is None or rows.num_rows == 0:
        return []
    rows = newest_scans(rows)
    start = pc.field("window_start")
    last = pc.max(rows.column("window_start")).as_py()
    reference = _sums(rows.filter((start >= pa.scalar(span[0], TIMESTAMP)) & (start < pa.scalar(span[1], TIMESTAMP))))
    lately = _sums(rows.filter(start > pa.scalar(last - _LATELY, TIMESTAMP)))
    usual, now_measured = (Measured(side.get(LATENCY, Counts())) for side in (reference, lately))
    said = [_of_sums(reference, usual, roles.latency_unit, None) or _of_sums(lately, now_measured, roles.latency_unit, usual)]
    said += [_of_queue(lately, now_measured), unusable(now_measured)]
    return list(dict.fromkeys(filter(None, said)))


def _of_sums(sums: dict[str, Counts], measured: Measured, unit: str, usual: Measured | None) -> str:
    return doubt(measured, unit, tokens=Tokens(sums.get(OUTPUT_TOKENS, Counts())).sum, usual=usual)


def _of_queue(sums: dict[str, Counts], measured: Measured) -> str:
    """Say that requests wait longer than they take."""
    queue = Measured(sums.get(QUEUE, Counts()))
    if not queue.counts.valued or not measured.n or queue.sum / queue.counts.valued <= measured.sum / measured.n:
        return ""
    return "requests wait longer in the queue than they take: `columns.latency` must include the wait, in the same unit"


def _sums(rows: pa.Table) -> dict[str, Counts]:
    return {feature: counts for (feature,), counts in gathered(rows, ("feature",)).items()}


def _newest(home: Home, monitor: Monitor) -> Measured:
    """Return the latencies of the newest file, none where there is no file or no such column."""
    pattern, column = monitor.events.files, monitor.columns.latency
    if pattern is None or column is None:
        return Measured()
    try:
        found = files.discover(home, pattern)
        values = files.column_of(max(found, key=lambda f: (files.written_at(f), f.name)), column) if found else None
    except UnreadableError:
        return Measured()
    return Measured() if values is None else measured_of(values, monitor.columns.to_ms)
