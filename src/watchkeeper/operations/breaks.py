"""Broken expectations by window: what the suites' warnings counted in files, brought to the windows of these files' rows.

Belongs here: counting from what was kept of checks. Does not: what is too many (judgement/breaks.py), checking (ingest.py).
"""

import json
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.adapters.arrow_records import TIMESTAMP, as_list
from watchkeeper.judgement.breaks import BROKEN, GOES_ON, Break, broken_signals
from watchkeeper.measures.readings import DONE
from watchkeeper.monitor import Monitor
from watchkeeper.operations.faults import Intake
from watchkeeper.operations.fit import is_private
from watchkeeper.profiles.kinds import source_of
from watchkeeper.records import Signal, Validation
from watchkeeper.windows import Window
from watchkeeper.words import expected_text

_LEAST_COVERED = 0.5
_KEPT = 0.95
_ABOUT = ("window_start", "column", "expectation")


class Checked(NamedTuple):
    """The signals of broken expectations, and the shares that they rest on, with columns as in sql/judged_scores.sql."""

    signals: list[Signal]
    scores: pa.Table


def broken_expectations(intake: Intake, windows: Sequence[Window], raised: Iterable[Signal]) -> Checked:
    """Judge the suites' warnings in windows, given in order; `raised` are the other signals: a column that pages for a fault is not told twice."""
    monitor, span = intake.monitor, intake.monitor.reference_span
    ended = [w for w in windows if w.end <= intake.now]
    counts = _counts(intake, ended)
    if span is None or counts is None:
        return Checked([], pa.table({}))
    after = {w.start: w for w in ended if w.start >= span[1]}
    roles = {"@score": monitor.columns.score, "@prediction": monitor.columns.prediction}
    pages = [s for s in raised if s.family == "data" and s.level == "page" and s.feature]
    told = [(str(roles.get(s.feature) or source_of(s.feature)[0]), s.window_start) for s in pages]
    found = broken_signals(monitor, monitor.environment, _breaks(intake, counts, after), told, intake.now)
    return Checked(list(found), _shares(monitor, counts, ended))


def _shares(monitor: Monitor, counts: pa.Table, windows: Sequence[Window]) -> pa.Table:
    """Return for each window and column the share of its most broken expectation, as scores that need no label."""
    most = counts.group_by(["window_start", "column"]).aggregate([("share", "max"), ("rows_sum", "max")])
    ends = {w.start: w.end for w in windows}
    same = {"metric": BROKEN, "segment": "", "state": DONE, "grain": monitor.window}
    return pa.table(
        {name: pa.repeat(value, most.num_rows) for name, value in same.items()}
        | {
            "feature": most.column("column"),
            "window_start": most.column("window_start"),
            "window_end": pa.array([ends[start] for start in as_list(most.column("window_start"))], TIMESTAMP),
            "value": most.column("share_max"),
            "n": most.column("rows_sum_max").cast(pa.int64(), safe=False),
        }
    )


def _breaks(intake: Intake, counts: pa.Table, after: Mapping[datetime, Window]) -> Iterator[Break]:
    """Yield what so many rows of a window broke that it may be telling, or go on, where it is known what is usual."""
    many = counts.filter((pc.field("share") >= GOES_ON) & pc.field("is_failed_max"))
    for row in many.to_pylist():
        about = (row["column"], row["expectation"])
        window = after.get(row["window_start"])
        usual = None if window is None or not intake.is_of_model(row["column"]) else intake.usual(window.start, [about]).get(about)
        if window is not None and usual is not None:
            yield Break(
                window=window,
                column=row["column"],
                expected=expected_text(row["expectation"], {} if is_private(intake.monitor, row["column"]) else _arguments(row["arguments_last"])),
                broken=round(row["broken_sum"]),
                rows=max(1, round(row["rows_sum"])),
                usual=usual,
                usual_high=_kept(counts, about, min(after)),
            )


def _kept(counts: pa.Table, about: tuple[str, str], end: datetime) -> float:
    """Return the share that 95 % of the reference's windows keep, 0 where none was checked."""
    same = (pc.field("column") == about[0]) & (pc.field("expectation") == about[1]) & (pc.field("window_start") < pa.scalar(end, TIMESTAMP))
    known = counts.filter(same)
    return float(np.quantile(np.asarray(known.column("share"), float), _KEPT)) if known.num_rows else 0.0


def _arguments(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text or "{}")
    return found


def _counts(intake: Intake, windows: Sequence[Window]) -> pa.Table | None:
    """Return by window, column and expectation how many rows broke a warning, of how many, None where nothing was checked."""
    placed = pa.table(_placed(intake, windows), schema=_PLACED)
    mine = (pc.field("model") == intake.monitor.model) & (pc.field("source") == "events") & (pc.field("severity") == "warning")
    mine &= (pc.field("validated_at") <= pa.scalar(intake.now, TIMESTAMP)) & (pc.field("column") != "") & (pc.field("element_count") > 0)
    names = ["batch_id", "expectation_id", "column", "expectation", "arguments", "outcome", "unexpected_count", "element_count", "validated_at"]
    rows = intake.home.lake.read(Validation.TABLE, columns=names, where=mine & pc.field("unexpected_count").is_valid())
    if rows is None or not rows.num_rows or not placed.num_rows:
        return None
    found = _newest(rows).join(placed, "batch_id", join_type="inner")
    found = found.append_column("broken", pc.multiply(found.column("unexpected_count").cast(pa.float64()), found.column("part")))
    found = found.append_column("rows", pc.multiply(found.column("element_count").cast(pa.float64()), found.column("part")))
    found = found.append_column("is_failed", pc.equal(found.column("outcome"), "fail"))
    sums = [("broken", "sum"), ("rows", "sum"), ("is_failed", "max"), ("arguments", "last")]
    summed = found.sort_by("unexpected_count").group_by(list(_ABOUT), use_threads=False).aggregate(sums)
    return summed.append_column("share", pc.divide(summed.column("broken_sum"), summed.column("rows_sum")))


def _newest(rows: pa.Table) -> pa.Table:
    """Return the newest of each check; one that two runs wrote down at once is there twice."""
    kept = [name for name in rows.column_names if name not in Validation.KEY]
    newest = rows.sort_by("validated_at").group_by(list(Validation.KEY), use_threads=False).aggregate([(name, "last") for name in kept])
    return newest.rename_columns([name.removesuffix("_last") for name in newest.column_names])


_PLACED = pa.schema([("batch_id", pa.string()), ("window_start", TIMESTAMP), ("part", pa.float64())])


def _placed(intake: Intake, windows: Sequence[Window]) -> dict[str, list[Any]]:
    """Return in which windows each file's rows are, and which part of them in each.

    A file is of the window that the middle of its rows' time lies in; one of several windows is of all that it covers by half, its rows
    spread evenly: which of them were broken cannot be told.
    """
    starts = [w.start for w in windows]
    out: dict[str, list[Any]] = {name: [] for name in _PLACED.names}
    for batch, (first, last) in intake.spans.items():
        near = windows[max(0, bisect_right(starts, first) - 1) : bisect_right(starts, last)]
        mine = [w.start for w in near if first + (last - first) / 2 in w or _covered(w, first, last) >= _LEAST_COVERED]
        out["batch_id"] += [batch] * len(mine)
        out["window_start"] += mine
        out["part"] += [1 / len(mine) for _ in mine]
    return out


def _covered(window: Window, first: datetime, last: datetime) -> float:
    return (min(window.end, last) - max(window.start, first)) / (window.end - window.start)
