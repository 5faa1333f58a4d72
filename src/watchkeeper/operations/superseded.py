"""Rows in quarantine whose corrected form came later: they wait no more, since their ids have landed from another file.

Belongs here: which waiting rows those are. Does not: how a decision is kept (quarantine.py), or the corrected rows (landing.py).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.operations.convert import as_text
from watchkeeper.operations.lots import WHOLE_FILE, Intake, Settled
from watchkeeper.operations.quarantine import decide, entries, row_of
from watchkeeper.operations.times import moment_of
from watchkeeper.records import Quarantined

WHO = "watchkeeper"


class _Landing(NamedTuple):
    """A row that landed: the place of its file among those of the call, its name, and the row's time (of a label None)."""

    place: int
    name: str
    time: datetime | None


def supersede(intake: Intake, settled: Sequence[Settled]) -> list[Quarantined]:
    """Mark the waiting rows whose ids have landed with later files, and return them; of events those within `id_scope` of each other.

    A row of the very file that holds its correction stays. Repeating it changes nothing.
    """
    landed = [s for s in settled if s.rows_landed]
    ids = _suspects(intake, pa.chunked_array([c for s in landed for c in as_text(s.rows[intake.id_column]).chunks], pa.string())) if landed else {}
    if not ids:
        return []
    waiting = [e for e in entries(intake.home, intake.monitor, now=intake.now) if e.quarantine_id in ids]
    landings, places = _landings(intake, settled, set(ids.values())), {s.lot.batch_id: place for place, s in enumerate(settled)}
    by_name: dict[str, list[Quarantined]] = {}
    for entry in waiting:
        later = [one for one in landings.get(ids[entry.quarantine_id], []) if one.place > places.get(entry.batch_id, -1)]
        if near := [one for one in later if _is_same(entry, one, intake)]:
            by_name.setdefault(near[0].name, []).append(entry)
    why = "landed with {}, which came later"
    return [
        done
        for name, found in by_name.items()
        for done in decide(intake.home, intake.monitor, found, "superseded", now=intake.now, who=WHO, why=why.format(name))
    ]


def _suspects(intake: Intake, landed: pa.ChunkedArray) -> dict[str, str]:
    """Return the rows that were ever held and have an id that landed: quarantine id -> id as ids are compared. Mostly there is none."""
    monitor = intake.monitor
    column = monitor.columns.id if intake.source == "events" else monitor.labels.join if monitor.labels else ""
    mine = (pc.field("source") == intake.source) & (pc.field("state") == "held") & (pc.field("row_number") != WHOLE_FILE)
    found = intake.home.lake.read(f"{Quarantined.TABLE}/{monitor.model}", columns=["quarantine_id", "row"], where=mine)
    if found is None or not found.num_rows:
        return {}
    came = [row_of(text).get(column) for text in found["row"].to_pylist()]
    came = [str(value) if type(value) is int else value for value in came]  # one of any length
    suspects: dict[str, str] = {}
    for kind in (str, float):  # as text in one go each
        of_kind = pa.array([type(value) is kind for value in came])
        names = as_text(pa.chunked_array([pa.array([value for value in came if type(value) is kind])]))
        here = pc.is_in(names, landed.combine_chunks())
        suspects |= dict(zip(found["quarantine_id"].filter(of_kind).filter(here).to_pylist(), names.filter(here).to_pylist(), strict=True))
    return suspects


def _landings(intake: Intake, settled: Sequence[Settled], wanted: set[str]) -> Mapping[str, list[_Landing]]:
    """Return the rows that landed under the ids that are wanted."""
    found: dict[str, list[_Landing]] = {}
    for place, one in enumerate(settled):
        if one.rows_landed:
            ids = as_text(one.rows[intake.id_column])
            here = pc.is_in(ids, pa.array(sorted(wanted), pa.string()))
            rows = one.rows.filter(here)
            times = rows["wk_time"].to_pylist() if intake.scope is not None else [None] * rows.num_rows
            for name, time in zip(ids.filter(here).to_pylist(), times, strict=True):
                found.setdefault(name, []).append(_Landing(place, one.lot.name, time))
    return found


def _is_same(entry: Quarantined, landing: _Landing, intake: Intake) -> bool:
    """Tell whether an id means the same event: an old one may be used again; a row without a usable time is as old as its coming."""
    if intake.scope is None or landing.time is None:
        return True
    time = moment_of(row_of(entry.row).get(intake.monitor.columns.time), intake.monitor.timezone) or entry.at
    return abs(landing.time - time) <= intake.scope
