"""Letting quarantined rows in: judged again by today's monitor and suite, landed as their original batch.

Belongs here: release. Does not: choosing and listing (quarantine.py), or the road that rows take (landing.py).
Rows land first, then the batch's figures, then the entries' state; after a kill a repeated release ends the same.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.adapters.files import at, load
from watchkeeper.adapters.leases import lease
from watchkeeper.adapters.text_files import Reading, table_of
from watchkeeper.adapters.workspace import Home
from watchkeeper.errors import UnreadableError
from watchkeeper.monitor import Monitor
from watchkeeper.operations.cast import cast
from watchkeeper.operations.landing import settle
from watchkeeper.operations.lots import WHOLE_FILE, Intake, Lot, Settled, batch_of, quarantined_of, tally, validations_of
from watchkeeper.operations.marks import append_missing, mark
from watchkeeper.operations.quarantine import Chosen, after, decide, entries
from watchkeeper.operations.reading import lot_of
from watchkeeper.records import Batch, Quarantined, Source, Validation

LONGEST_WAIT_S = 600.0
_NUMBERS = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What became of the chosen entries of one batch."""

    batch_id: str
    name: str
    released: int
    kept: int
    reason: str = ""


def release(home: Home, monitor: Monitor, *, now: datetime, chosen: Chosen, who: str, why: str) -> list[Release]:
    """Let in those of the chosen entries that pass today; the others stay, with today's reasons. Of two calls at once the later finds nothing left."""
    with lease(home.lake, f"release:{monitor.model}", wait_s=LONGEST_WAIT_S):
        return _released(home, monitor, now, chosen, who, why)


def _released(home: Home, monitor: Monitor, now: datetime, chosen: Chosen, who: str, why: str) -> list[Release]:
    held = sorted(entries(home, monitor, now=now, chosen=chosen), key=lambda e: (e.source, e.batch_id, e.row_number))
    done: list[Release] = []
    for source, batch_id, group in _groups(held):
        intake = Intake(home, monitor, source, now)
        whole = [e for e in group if e.row_number == WHOLE_FILE]
        rows = [e for e in group if e.row_number != WHOLE_FILE]
        done += [_release_file(intake, e, who, why) for e in whole]
        if rows:
            done.append(_release_rows(intake, batch_id, rows, who, why))
    return done


def _groups(held: Sequence[Quarantined]) -> Iterator[tuple[Source, str, list[Quarantined]]]:
    for (source, batch_id), group in groupby(held, key=lambda e: (e.source, e.batch_id)):
        yield source, batch_id, list(group)


def _release_rows(intake: Intake, batch_id: str, held: list[Quarantined], who: str, why: str) -> Release:
    whole_rows = [e for e in held if isinstance(json.loads(e.row or "null"), dict)]
    settled = _settled_rows(intake, batch_id, whole_rows) if whole_rows else None
    reasons = {e.row_number: e.reasons for e in held if e not in whole_rows}
    if settled is not None:
        reasons |= settled.rejects.reasons if not settled.fault else {e.row_number: [settled.fault] for e in whole_rows}
    passed = [e for e in held if e.row_number not in reasons]
    if passed or any(reasons[e.row_number] != e.reasons for e in held):
        _restate(intake, batch_id, {e.row_number for e in passed}, reasons)
    if passed:
        decide(intake.home, intake.monitor, passed, "released", now=intake.now, who=who, why=why)
    _renew(intake, held, reasons)
    said = tally(list(reasons.values())) + ([settled.checked.not_evaluated] if settled is not None and settled.checked else [])
    return Release(batch_id=batch_id, name=held[0].name, released=len(passed), kept=len(reasons), reason="; ".join(s for s in said if s))


def _settled_rows(intake: Intake, batch_id: str, held: list[Quarantined]) -> Settled:
    rows = table_of([json.loads(e.row or "{}") for e in held])
    rows = pa.table([_with_numbers(rows[n]) for n in rows.column_names], names=rows.column_names)
    reading = Reading(rows, pa.array([e.row_number for e in held], pa.int64()))
    lot = Lot(batch_id=batch_id, name=held[0].name, reading=reading)
    try:
        lot = replace(lot, cast=cast(reading, intake.monitor, intake.source, now=intake.now))
    except UnreadableError as error:
        lot = replace(lot, fault=str(error))
    return settle(intake, [lot], whole=False)[0]


def _with_numbers(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column in which NaN and infinities, kept as text in JSON, are numbers again where all else is numbers."""
    values = column.to_pylist()
    if not any(v in _NUMBERS for v in values if isinstance(v, str)):
        return column
    try:
        return pa.chunked_array([pa.array([None if v is None else _NUMBERS.get(v) if v in _NUMBERS else float(v) for v in values], pa.float64())])
    except (ValueError, TypeError):
        return column


def _renew(intake: Intake, held: list[Quarantined], reasons: dict[int, list[str]]) -> None:
    """Write today's reasons on the entries that stay for others than before."""
    kept = [replace(e, reasons=reasons[e.row_number], at=after(e.at, intake.now)) for e in held if reasons.get(e.row_number, e.reasons) != e.reasons]
    intake.home.lake.append_records(Quarantined, kept, table=f"quarantine/{intake.monitor.model}")


def _restate(intake: Intake, batch_id: str, let_in: Collection[int], reasons: Mapping[int, list[str]]) -> None:
    """Write the batch's figures anew, from what the lake holds of it now, and why rows are still left out: for today's reasons."""
    found: list[Batch] = intake.home.lake.newest(Batch, where=pc.field("batch_id") == batch_id)
    table = intake.home.lake.read(intake.table, where=pc.field("wk_batch") == batch_id)
    if not found or table is None:
        return
    old = found[0]
    left = [e for e in _left_out(intake, batch_id) if e.row_number not in let_in]
    ends: dict[str, Any] = pc.min_max(table["wk_time"]).as_py() if "wk_time" in table.column_names else {"min": None, "max": None}
    new = replace(
        old,
        rows_landed=table.num_rows,
        rows_quarantined=len(left),
        status="landed" if not left else "partial" if table.num_rows or old.rows_duplicate else "quarantined",
        reason="; ".join(tally([reasons.get(e.row_number, e.reasons) for e in left])),
        starts_at=ends["min"],
        ends_at=ends["max"],
        landed_at=after(old.landed_at, intake.now),
    )
    if replace(new, landed_at=old.landed_at) != old:
        intake.home.lake.append_records(Batch, [new])


def _left_out(intake: Intake, batch_id: str) -> list[Quarantined]:
    """Return the entries of a batch that are not released: those given up or sent anew stay out as well."""
    return entries(intake.home, intake.monitor, now=intake.now, chosen=Chosen(batch=batch_id), states=("held", "discarded", "superseded"))


def _release_file(intake: Intake, entry: Quarantined, who: str, why: str) -> Release:
    settled, fault = _settled_file(intake, entry)
    if settled is None or settled.fault:
        return Release(batch_id=entry.batch_id, name=entry.name, released=0, kept=1, reason=settled.fault if settled else fault)
    if settled.lot.batch_id == entry.batch_id:
        _mark_again(intake, settled)
    else:
        mark(intake, [settled])
    decide(intake.home, intake.monitor, [entry], "released", now=intake.now, who=who, why=why)
    return Release(batch_id=settled.lot.batch_id, name=entry.name, released=1, kept=0, reason=settled.reason)


def _settled_file(intake: Intake, entry: Quarantined) -> tuple[Settled | None, str]:
    try:
        file = at(intake.home, entry.row or "")
        content = None if file is None else load(file)
    except UnreadableError as error:
        return None, str(error)
    if content is None:
        return None, f"{entry.name}: the file is not there any more; put it back at {entry.row}, or discard the entry"
    return settle(intake, [lot_of(intake, replace(content, name=entry.name))])[0], ""


def _mark_again(intake: Intake, settled: Settled) -> None:
    """Write what became of a file that was refused whole: a later revision of its marks."""
    lake = intake.home.lake
    append_missing(intake, Quarantined, quarantined_of(settled, intake), table=f"quarantine/{intake.monitor.model}")
    lake.append_records(Validation, validations_of(settled, intake))
    old = lake.newest(Batch, where=pc.field("batch_id") == settled.lot.batch_id)
    at = after(old[0].landed_at, intake.now) if old else intake.now
    lake.append_records(Batch, [replace(batch_of(settled, intake), landed_at=at)])
