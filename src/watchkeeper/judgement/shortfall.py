"""Rows and labels that should have come and did not: a feed that died, or one whose rows are nearly all set aside.

Belongs here: far too few rows or labels -> signals. Does not: how few rows are missed (usual_rows.py), rows of a segment (missing_segments.py) and its labels (missing_labels.py),
rows that are merely fewer than usual (the rule for `rows` in policy.py).

A window without any row counts when two more have ended, and a day at least: until then its file may only be late. Where rows of others came,
two more are enough. Once one counts, those after it that have none either count as soon as they have ended.

Of labels a window whose labels are due is asked: less than half of the least share that any reference window has, and by chance
less than once in 10,000 times. Without them nothing says how good the model is, which must not look like health. Where that is not so, segments are asked
(missing_labels.py).
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from statistics import median
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.judgement.missing_labels import HALF, chance_of, missed_labels
from watchkeeper.judgement.missing_segments import Whole, missed_segments
from watchkeeper.judgement.normal import LEAST_WINDOWS
from watchkeeper.judgement.season import on_calendar, places, slots_of
from watchkeeper.judgement.usual_rows import CHANCE, UsualRows
from watchkeeper.monitor import Monitor
from watchkeeper.records import Signal, key

_LATE = timedelta(days=1)


def shortfalls(monitor: Monitor, environment: str, scores: pa.Table, now: datetime) -> Iterator[Signal]:
    """Yield a page for each window after the reference in which nearly all rows, of the whole or of a segment, or most labels, are missing.

    `scores` are rows as adapters/sql/judged_scores.sql returns them.
    """
    yield from _of_rows(monitor, environment, scores, now)
    yield from _of_labels(monitor, environment, scores, now)


def _windows(monitor: Monitor, scores: pa.Table, metric: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the scores of a metric of the model, but for days that the calendar names: in the reference, and after it, in order."""
    span = monitor.reference_span
    about = (pc.field("metric") == metric) & (pc.field("segment") == "") & (pc.field("grain") == monitor.window)
    every = scores.filter(about).sort_by("window_start").to_pylist()
    is_named = on_calendar(monitor, [(r["window_start"], r["window_end"]) for r in every])
    rows = [row for row, named in zip(every, is_named.tolist(), strict=True) if not named]
    reference = [r for r in rows if span is not None and r["window_start"] < span[1]]
    return reference, rows[len(reference) :]


def _of_labels(monitor: Monitor, environment: str, scores: pa.Table, now: datetime) -> Iterator[Signal]:
    reference, after = _windows(monitor, scores, "label_coverage")
    usual = [r["value"] for r in reference if r["value"] is not None]
    if monitor.labels is None or len(usual) < LEAST_WINDOWS or min(usual) <= 0:
        return
    most_came: dict[datetime, dict[str, Any]] = {}
    for row in after:
        if row["value"] is None or row["state"] != "mature":
            continue
        if row["value"] >= HALF * min(usual) or (chance := chance_of(row["value"], row["n"], usual)) >= CHANCE:
            most_came[row["window_start"]] = row
        else:
            yield _signal(monitor, environment, row, usual, chance, now)
    of_one_length = scores.filter(pc.field("grain") == monitor.window)
    rows = {start: float(row["n"] or 0.0) for start, row in most_came.items()}
    for found in missed_labels(monitor.segments, of_one_length, [row["window_start"] for row in reference], rows):
        row = most_came[found.start] | {"segment": found.segment, "value": found.share, "n": found.rows}
        yield _signal(monitor, environment, row, found.usual, found.chance, now)


def _of_rows(monitor: Monitor, environment: str, scores: pa.Table, now: datetime) -> Iterator[Signal]:
    reference, after = _windows(monitor, scores, "rows")
    after = [row for row in after if row["window_end"] <= now]
    if len(reference) < LEAST_WINDOWS:
        return
    usual = UsualRows(*_counted(monitor, reference))
    may_be_late = [now < row["window_end"] + max(2 * (row["window_end"] - row["window_start"]), _LATE) for row in after]
    for at, like, chance in usual.missed(*_counted(monitor, after), may_be_late):
        yield _signal(monitor, environment, after[at], like, chance, now)
    yield from _of_segments(monitor, environment, scores, reference, after, now)


def _of_segments(
    monitor: Monitor, environment: str, scores: pa.Table, reference: list[dict[str, Any]], after: list[dict[str, Any]], now: datetime
) -> Iterator[Signal]:
    about = (pc.field("metric") == "rows") & (pc.field("segment") != "") & (pc.field("grain") == monitor.window)
    counted, windows = scores.filter(about), [*reference, *after]
    if not counted.num_rows:
        return
    rows, at = _counted(monitor, windows)
    whole = Whole([row["window_start"] for row in windows], at, rows, len(reference))
    may_be_late = [now < row["window_end"] + 2 * (row["window_end"] - row["window_start"]) for row in windows]
    for found in missed_segments(monitor.segments, counted, whole, may_be_late):
        row = windows[found.at] | {"segment": found.segment, "value": found.value}
        yield _signal(monitor, environment, row, found.like, found.chance, now)


def _counted(monitor: Monitor, rows: Sequence[dict[str, Any]]) -> tuple[list[float], list[int]]:
    """Return the rows of some windows, and the places of the week these are at."""
    at = places([row["window_start"] for row in rows], monitor.timezone, slots_of(monitor.window))
    return [float(row["value"] or 0.0) for row in rows], at.tolist()


def _signal(monitor: Monitor, environment: str, row: dict[str, Any], like: Sequence[float], chance: float, now: datetime) -> Signal:
    about = [part for part in (row["metric"] if row["metric"] != "rows" else "", row["segment"]) if part]
    return Signal(
        signal_id=key(monitor.model, environment, "shortfall", *about, row["window_start"]),
        model=monitor.model,
        environment=environment,
        family="data",
        level="page",
        rule="shortfall",
        metric=row["metric"],
        segment=row["segment"],
        window_start=row["window_start"],
        window_end=row["window_end"],
        value=float(row["value"] or 0.0),
        expected=float(median(like)),
        normal_low=min(like),
        normal_high=max(like),
        p=chance,
        n=int((row["value"] if row["metric"] == "rows" else row["n"]) or 0),
        state="mature",
        computed_at=now,
    )
