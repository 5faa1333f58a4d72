"""What intake found in a stretch of time: rows that were set aside, and expectations that rows broke and landed all the same.

Belongs here: bringing what is kept of files to the time of their rows. Does not: checking (ingest.py), what follows (judge.py, report.py).
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from itertools import chain

import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.adapters.lake import among
from watchkeeper.adapters.warehouse import ask, connect, quoted
from watchkeeper.adapters.workspace import Home
from watchkeeper.judgement.breaks import TELLING
from watchkeeper.judgement.evidence import Broken, Refused
from watchkeeper.monitor import Monitor
from watchkeeper.operations.lots import without_values
from watchkeeper.operations.quarantine import row_of, standing
from watchkeeper.operations.times import moment_of
from watchkeeper.records import Batch, Quarantined, Validation
from watchkeeper.spelling import segment_of
from watchkeeper.windows import Window

_FIRST, _SLOW = timedelta(days=14), timedelta(days=7)
WORTH_A_LINE = 0.05


@dataclass
class Intake:
    """What is known at `now` of the files of a model; read once, however many stretches of time are asked about."""

    home: Home
    monitor: Monitor
    now: datetime
    _checked: dict[str, list[Validation]] = field(default_factory=dict)

    def set_aside(self, window: Window, sources: Collection[str] = ("events",), segments: Collection[str] = ()) -> tuple[int, list[tuple[str, int]]]:
        """Return how many rows of the window, or of some segments in it, are held in quarantine, and the commonest reasons, without the values they name.

        A row belongs to the window that its own time says, a label to that of the event it is about; one of which that cannot be
        told, to the moment it came. Files that were refused whole are not counted: how many rows they held nobody knows.
        """
        inside = [row for moment, row in self._held if moment in window and row.source in sources and row.row_number >= 0]
        if segments:
            columns = {name.partition("=")[0] for name in segments}
            inside = [row for row in inside if any(segment_of([(c, str(v))]) in segments for c, v in row_of(row.row).items() if c in columns)]
        return len(inside), Counter(reason for row in inside for reason in {without_values(r) for r in row.reasons}).most_common(3)

    def files_refused(self, window: Window) -> int:
        """Return how many files that came in the window are held whole."""
        return len({row.batch_id for moment, row in self._held if row.row_number < 0 and moment in window})

    def refused(self, window: Window, source: str) -> list[Refused]:
        """Return the files of a source that were refused whole and came in the window, within a week after it, or along with its rows.

        When their rows are of cannot be told, so they may belong to the window.
        """
        ends = {b.batch_id: b.ends_at for b in self._batches if b.source == source}
        along = [b.landed_at for b in self._batches if (end := ends.get(b.batch_id)) is not None and end >= window.start]
        until = max(window.end + _SLOW, min(along, default=window.end))
        whole = [q for moment, q in self._held if q.source == source and q.row_number < 0 and window.start <= moment <= until]
        return [Refused(q.name, ". ".join(map(without_values, q.reasons))) for q in whole]

    def broken(self, window: Window, *, least: float = TELLING) -> list[Broken]:
        """Return expectations on inputs and outputs of the model that at least so large a share of the window's rows broke more than is usual.

        Usual is what the reference's rows broke; of an expectation that came later, rows of the first two weeks it was checked in, before
        the window. So a fault that lasts never becomes usual, whatever stretch is asked about. A file belongs to the window that the
        middle of its rows' time lies in. The largest share comes first.
        """
        return self._broken([batch for batch, middle in self._middles.items() if middle in window], window, least)

    def broken_then(self, window: Window) -> list[Broken]:
        """Do as `broken` with all files that hold a row of the window."""
        return self._broken([b for b, (first, last) in self.spans.items() if first < window.end and last >= window.start], window, TELLING)

    def _broken(self, batches: Sequence[str], window: Window, least: float) -> list[Broken]:
        shares = _shares(self._validations(batches))
        usual = self.usual(window.start, shares)
        found = [Broken(column, expectation, share, usual.get((column, expectation), 0.0)) for (column, expectation), share in shares.items()]
        return sorted((b for b in found if b.share - b.usual >= least and self.is_of_model(b.column)), key=lambda b: (-b.share, b.column))

    def is_of_model(self, column: str) -> bool:
        """Tell whether a column may be an input or output of the model."""
        roles = self.monitor.columns
        return column not in {roles.id, roles.time, roles.version, roles.environment, roles.status}

    def usual(self, before: datetime, wanted: Iterable[tuple[str, str]]) -> dict[tuple[str, str], float]:
        """Return the usual share of rows that break expectations, of those of which it is known."""
        span = self.monitor.reference_span
        known = _shares(self._validations([b for b, middle in self._middles.items() if span is not None and span[0] <= middle < span[1]]))
        if all(about in known for about in wanted):
            return known
        earlier = [b for b, middle in self._middles.items() if middle < before]
        since: dict[tuple[str, str], datetime] = {}
        found = [(self._middles[v.batch_id], v) for v in self._validations(earlier)]
        for middle, v in sorted(found, key=lambda pair: pair[0]):
            since.setdefault((v.column, v.expectation), middle)
        return _shares(v for middle, v in found if middle < since[v.column, v.expectation] + _FIRST) | known

    @cached_property
    def _batches(self) -> list[Batch]:
        found: list[Batch] = self.home.lake.newest(Batch, as_of=self.now, where=pc.field("model") == self.monitor.model)
        return found

    @cached_property
    def _held(self) -> list[tuple[datetime, Quarantined]]:
        held = [q for q in standing(self.home, self.monitor, now=self.now) if q.state == "held"]
        came = {b.batch_id: b.landed_at for b in self._batches} if held else {}
        of_events = self._event_times(list(filter(None, (_id_of(q, self.monitor) for q in held))))
        return [(_time_of(q, self.monitor) or of_events.get(_id_of(q, self.monitor)) or came.get(q.batch_id, q.at), q) for q in held]

    def _event_times(self, ids: list[str]) -> dict[str, datetime]:
        """Return when the events with these ids were."""
        table = f"events/{self.monitor.model}"
        if not ids or self.home.lake.table(table) is None:
            return {}
        connection = connect(self.home, {"events": table})
        connection.register("wanted", pa.table({"id": ids}))
        name = f"CAST({quoted(self.monitor.columns.id)} AS VARCHAR)"
        sql = f"SELECT {name} AS id, min(wk_time) AS at FROM events WHERE {name} IN (SELECT id FROM wanted) AND wk_landed_at <= $now GROUP BY 1"
        found = ask(connection, sql, {"now": self.now})
        return dict(zip(found.column("id").to_pylist(), found.column("at").to_pylist(), strict=True))

    @cached_property
    def spans(self) -> dict[str, tuple[datetime, datetime]]:
        """The times of the first and the last row of each file of events that landed."""
        events = [b for b in self._batches if b.source == "events"]
        return {b.batch_id: (b.starts_at, b.ends_at) for b in events if b.starts_at is not None and b.ends_at is not None}

    @cached_property
    def _middles(self) -> dict[str, datetime]:
        return {batch: first + (last - first) / 2 for batch, (first, last) in self.spans.items()}

    def _validations(self, batches: Sequence[str]) -> Iterator[Validation]:
        unread = sorted(set(batches) - self._checked.keys())
        if unread:
            self._checked.update((batch, []) for batch in unread)
            mine = among("batch_id", unread)
            for validation in self.home.lake.newest(Validation, as_of=self.now, where=mine):
                self._checked[validation.batch_id].append(validation)
        return chain.from_iterable(self._checked[batch] for batch in batches)


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
    return moment_of(row_of(row.row).get(monitor.columns.time), monitor.timezone) if row.source == "events" else None


def _id_of(row: Quarantined, monitor: Monitor) -> str:
    """Return the id of the event that a label is about, empty when that cannot be told."""
    named = row_of(row.row).get(monitor.labels.join) if row.source == "labels" and monitor.labels else None
    return "" if named is None else str(named)
