"""Rows of a query that were met before: those set aside already, and those that a killed run has landed without its mark.

Belongs here: what a second reading of the same rows must not do twice. Does not: rows that have landed (repeats.py).
"""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.adapters.files import at, load, read
from watchkeeper.adapters.lake import among
from watchkeeper.operations.convert import as_text
from watchkeeper.operations.lots import WHOLE_FILE, Intake, Settled, as_json
from watchkeeper.operations.marks import append_missing
from watchkeeper.records import Batch, Quarantined

RESUMED = "landed by a run that was ended before it could say so"


@dataclass(frozen=True, slots=True)
class SetAside:
    """Rows in quarantine, whatever was decided about them: id as text -> the rows as they came."""

    column: str
    rows: dict[str | None, set[str]]

    @classmethod
    def of(cls, intake: Intake, column: str, name: str) -> "SetAside":
        """Return those of a source whose ids are in a column, whole parts whose name begins with `name` included."""
        table = f"{Quarantined.TABLE}/{intake.monitor.model}"
        found = intake.home.lake.read(table, columns=["row", "row_number", "name"], where=pc.field("source") == intake.source)
        rows: dict[str | None, set[str]] = defaultdict(set)
        for entry in found.to_pylist() if found is not None else ():
            if entry["row_number"] != WHOLE_FILE:
                _add(rows, json.loads(entry["row"] or "null"), column, entry["row"])
            elif entry["name"].startswith(name):
                for row in _held(intake, entry["row"] or ""):
                    _add(rows, row, column, as_json(row))
        return cls(column, rows)

    def besides(self, rows: pa.Table) -> pa.Table:
        """Return the rows that are not in quarantine; the very same table when none is."""
        if not self.rows or self.column not in rows.column_names:
            return rows
        ids = as_text(rows[self.column])
        suspects = pc.is_in(ids, pa.array(list(self.rows), pa.string()))
        again = [
            number
            for number, name, row in zip(
                pc.indices_nonzero(suspects).to_pylist(), ids.filter(suspects).to_pylist(), rows.filter(suspects).to_pylist(), strict=True
            )
            if as_json(row) in self.rows[name]
        ]
        return rows.filter(pc.invert(pc.is_in(pa.array(range(rows.num_rows)), pa.array(again, pa.int64())))) if again else rows


def _add(rows: dict[str | None, set[str]], row: object, column: str, text: str) -> None:
    if isinstance(row, dict):
        value = row.get(column)
        rows[None if value is None else as_text(pa.chunked_array([pa.array([value])]))[0].as_py()].add(text)


def _held(intake: Intake, path: str) -> list[dict[str, object]]:
    """Return the rows of a part that was refused whole; none where another machine holds it."""
    file = at(intake.home, path)
    content = None if file is None else load(file)
    return [] if content is None else read(content.data, content.name).to_pylist()


def resumed(intake: Intake, settled: Sequence[Settled]) -> list[Batch]:
    """Write the marks of batches that these rows repeat and that have none: the run that landed them was killed."""
    met = {batch for s in settled for batch in s.met}
    if not met:
        return []
    lake = intake.home.lake
    marked = lake.read(Batch.TABLE, columns=["batch_id"], where=among("batch_id", met))
    unmarked = sorted(met - set(marked["batch_id"].to_pylist() if marked is not None else ()))
    batches = [_batch(intake, batch, settled[0].lot.name) for batch in unmarked]
    append_missing(intake, Batch, batches)
    return batches


def _batch(intake: Intake, batch_id: str, name: str) -> Batch:
    rows = intake.home.lake.read(intake.table, where=pc.field("wk_batch") == batch_id)
    assert rows is not None  # noqa: S101 - its rows were just met there
    ends = pc.min_max(rows["wk_time"]).as_py() if "wk_time" in rows.column_names else {"min": None, "max": None}
    return Batch(
        batch_id=batch_id,
        model=intake.monitor.model,
        source=intake.source,
        name=name,
        status="landed",
        reason=RESUMED,
        rows_read=rows.num_rows,
        rows_landed=rows.num_rows,
        starts_at=ends["min"],
        ends_at=ends["max"],
        landed_at=pc.min(rows["wk_landed_at"]).as_py(),
    )


def brings_news(settled: Settled) -> bool:
    """Tell whether there is anything to write down: of a query's part that repeats what landed there is not."""
    return not settled.lot.is_part or bool(settled.fault or settled.rows_landed or settled.rejects.reasons)
