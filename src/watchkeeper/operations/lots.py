"""A file on its way in, what came of it, and the records that say so.

Belongs here: the states of one file between reading and the mark, as records. Does not: deciding (cast.py, shape.py,
repeats.py, verdict.py) or writing (landing.py, marks.py).
"""

import json
import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.adapters.expectations import Checked
from watchkeeper.adapters.text_files import Reading
from watchkeeper.adapters.workspace import Home
from watchkeeper.monitor import Monitor
from watchkeeper.operations.cast import Cast, Rejects
from watchkeeper.operations.values import rows_of
from watchkeeper.records import Batch, Quarantined, Source, Validation, key
from watchkeeper.words import counted

WHOLE_FILE = -1
_REASONS_TOLD = 3
_QUOTED = re.compile(r"(?<![^\s(])(?:'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")(?!\w)")  # an apostrophe within a name begins nothing
_LACKING = re.compile(rf"has no columns? (?:{_QUOTED.pattern}) \([^();]*\)(?: and (?:{_QUOTED.pattern}) \([^();]*\))*(?=; it has )")
_LEFT_OUT = re.compile(rf"column (?:{_QUOTED.pattern}) is left out: [^;]*")


@dataclass(frozen=True, slots=True)
class Intake:
    """Where rows go: one source of one monitor, as of `now`."""

    home: Home
    monitor: Monitor
    source: Source
    now: datetime

    @property
    def table(self) -> str:
        """The lake table that rows land in."""
        return f"{self.source}/{self.monitor.model}"

    @property
    def app_id(self) -> str:
        """The name under which commits of this source are compared and set."""
        return f"intake:{self.monitor.model}:{self.source}"

    @property
    def id_column(self) -> str:
        """The column of that table that holds the id."""
        return self.monitor.columns.id if self.source == "events" else "id"

    @property
    def scope(self) -> timedelta | None:
        """How close an event lies for an id to be the same; labels have no such limit."""
        return self.monitor.id_scope if self.source == "events" else None

    def batch_id(self, sha256: str) -> str:
        """Return the identity of content: the same bytes are the same batch, whatever their name."""
        return key(self.monitor.model, self.source, sha256)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """One file that was read, or the `fault` for which none of it can be used."""

    batch_id: str
    name: str
    path: str = ""
    size_bytes: int | None = None
    modified_at: datetime | None = None
    reading: Reading | None = None
    cast: Cast | None = None
    fault: str = ""
    is_part: bool = False
    notes: tuple[str, ...] = ()

    @property
    def rows_read(self) -> int:
        """Rows in the file, those that do not fit included."""
        return 0 if self.reading is None else self.reading.rows.num_rows + len(self.reading.unfit)


@dataclass(slots=True, kw_only=True)
class Settled:
    """What came of a lot: the rows to land, those set aside, and what is to be said about it.

    `met` are batches that share ids with it; `landed_before_at` is when an ended run had landed some of its rows.
    """

    lot: Lot
    rows: pa.Table = field(default_factory=lambda: pa.table({}))
    rejects: Rejects = field(default_factory=Rejects)
    notes: list[str] = field(default_factory=list)
    duplicates: int = 0
    met: set[str] = field(default_factory=set)
    landed_before_at: datetime | None = None
    checked: Checked | None = None
    fault: str = ""

    @property
    def is_open(self) -> bool:
        """Tell whether rows of it may still land."""
        return self.lot.cast is not None and not self.fault

    @property
    def rows_landed(self) -> int:
        """Rows accepted."""
        return self.rows.num_rows if self.is_open else 0

    @property
    def rows_quarantined(self) -> int:
        """Rows set aside: all of them when the file is at fault."""
        return self.lot.rows_read if self.fault else len(self.rejects.reasons)

    @property
    def status(self) -> str:
        """The state of the batch, in the words of its record."""
        if self.fault:
            return "quarantined"
        if self.lot.rows_read == 0:
            return "empty"
        if not self.rejects.reasons:
            return "landed"
        return "partial" if self.rows_landed or self.duplicates else "quarantined"

    @property
    def reason(self) -> str:
        """Why it did not land whole, and what else people should know, in one line; never a value."""
        return "; ".join([self.fault] if self.fault else [*tally(list(self.rejects.reasons.values())), *self.notes])


def tally(reasons: Sequence[Sequence[str]], thing: str = "row") -> list[str]:
    """Return the commonest reasons with the number of rows that have them, without the values they name."""
    counts = Counter(kind for several in reasons for kind in dict.fromkeys(without_values(r) for r in several))
    told = [f"{counted(n, thing)}: {kind}" for kind, n in counts.most_common(_REASONS_TOLD)]
    return [*told, counted(len(counts) - len(told), "more reason")] if len(counts) > len(told) else told


def without_values(reason: str) -> str:
    """Return a reason without the values it quotes, so that like reasons are alike and nothing private is told.

    The columns that a file lacks stay: their names are the monitor's, and no row has anything to say before them.

    >>> without_values("column age: 'abc' is not a number")
    "column age: '…' is not a number"
    >>> without_values("has no column 'score' (score); it has id, at")
    "has no column 'score' (score); it has id, at"
    """
    named = lacking[0] if (lacking := _LACKING.match(reason)) else ""
    return named + _QUOTED.sub("'…'", reason[len(named) :])


def left_out(batches: Sequence[Batch]) -> list[str]:
    """Return the columns that were left out of these batches and why, each with its model and the number of files."""
    notes = Counter((b.model, note) for b in batches for note in dict.fromkeys(_LEFT_OUT.findall(b.reason)))
    told = [f"{model}: {note} ({counted(n, 'file')})" for (model, note), n in notes.most_common(_REASONS_TOLD)]
    return [*told, counted(len(notes) - len(told), "more column")] if len(notes) > len(told) else told


def batch_of(settled: Settled, intake: Intake) -> Batch:
    """Return the record of a batch: the mark that it is done."""
    lot, rows = settled.lot, settled.rows
    has_times = "wk_time" in rows.column_names and settled.rows_landed > 0
    ends = pc.min_max(rows["wk_time"]).as_py() if has_times else {"min": None, "max": None}
    return Batch(
        batch_id=lot.batch_id,
        model=intake.monitor.model,
        source=intake.source,
        name=lot.name,
        path=lot.path,
        size_bytes=lot.size_bytes,
        modified_at=lot.modified_at,
        status=settled.status,
        reason=settled.reason,
        rows_read=lot.rows_read,
        rows_landed=settled.rows_landed,
        rows_quarantined=settled.rows_quarantined,
        rows_duplicate=0 if settled.fault else settled.duplicates,
        starts_at=ends["min"],
        ends_at=ends["max"],
        suite_hash=settled.checked.suite_hash if settled.checked else "",
        landed_at=min(settled.landed_before_at or intake.now, intake.now),
    )


def validations_of(settled: Settled, intake: Intake) -> list[Validation]:
    """Return the records of what was expected of a batch."""
    if settled.checked is None:
        return []
    return settled.checked.records(batch_id=settled.lot.batch_id, model=intake.monitor.model, source=intake.source, now=intake.now)


def quarantined_of(settled: Settled, intake: Intake) -> list[Quarantined]:
    """Return the records of what was set aside: the file, or its rows as they came."""
    if settled.fault:
        return [_held(settled.lot, intake, WHOLE_FILE, [settled.fault], settled.lot.path)]
    raw = _raw_rows(settled.lot, set(settled.rejects.reasons))
    return [_held(settled.lot, intake, number, reasons, raw.get(number)) for number, reasons in sorted(settled.rejects.reasons.items())]


def _held(lot: Lot, intake: Intake, number: int, reasons: list[str], row: str | None) -> Quarantined:
    return Quarantined(
        quarantine_id=key(lot.batch_id, number),
        batch_id=lot.batch_id,
        source=intake.source,
        name=lot.name,
        row_number=number,
        reasons=list(dict.fromkeys(reasons)),
        row=row,
        at=intake.now,
    )


def _raw_rows(lot: Lot, numbers: set[int]) -> dict[int, str]:
    if lot.reading is None or not numbers:
        return {}
    raw = {u.number: json.dumps(u.text, ensure_ascii=False) for u in lot.reading.unfit if u.number in numbers}
    chosen = pc.is_in(lot.reading.numbers, pa.array(sorted(numbers), pa.int64()))
    rows = rows_of(lot.reading.rows.filter(chosen))
    return raw | {n: as_json(row) for n, row in zip(lot.reading.numbers.filter(chosen).to_pylist(), rows, strict=True)}


def as_json(row: dict[str, Any]) -> str:
    """Return a row as JSON that every reader takes: NaN and infinities as text, times in ISO, decimals exactly.

    >>> as_json({"x": float("nan"), "at": date(2013, 4, 22), "id": Decimal("1750000000000000001.00")})
    '{"x": "NaN", "at": "2013-04-22", "id": 1750000000000000001}'
    """
    return json.dumps({k: _plain(v) for k, v in row.items()}, ensure_ascii=False)


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(value)]
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value) if Decimal(repr(float(value))) == value else str(value)
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)
