"""Profile: scan each batch once into parts, and rebuild the label parts of the days that new rows or labels touch.

Belongs here: which batches are new, and writing their parts. Does not: the counting (profiles/), how work is cut (pieces.py),
who does it (spread.py), or what is read off the counts (measure.py).
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.adapters.arrow_records import TIMESTAMP, arrow_schema
from watchkeeper.adapters.lake import among
from watchkeeper.adapters.row_groups import row_groups
from watchkeeper.adapters.workspace import Home
from watchkeeper.errors import ConflictError
from watchkeeper.monitor import Monitor
from watchkeeper.operations.bins_in_force import Fitted, bins_of, names_labels
from watchkeeper.operations.entities import entities_of
from watchkeeper.operations.join import Touched, joined, labelled, touched
from watchkeeper.operations.losses import loss_parts
from watchkeeper.operations.own_kpis import own_label_pieces
from watchkeeper.operations.pieces import ID_BYTES, EventsPiece, LabelsPiece, events_pieces, labels_pieces, parted, share_of_memory
from watchkeeper.operations.quantities import countings, service_countings
from watchkeeper.operations.sensitive import group_parts, has_label_parts
from watchkeeper.operations.spread import Spread, in_turn
from watchkeeper.profiles.clusters import with_entities
from watchkeeper.profiles.columns import as_codes
from watchkeeper.profiles.groups import Grouping
from watchkeeper.profiles.kinds import Derived, source_of
from watchkeeper.profiles.labelled import pieces, text_pieces, unlabelled_pieces
from watchkeeper.profiles.losses import losses
from watchkeeper.profiles.pairs import UNIT, pairing
from watchkeeper.profiles.parts import FEATURE, LABEL, LABELS_BATCH, MARK, PAIR, Origin, key_columns, mark_rows, part_rows, whole_rows
from watchkeeper.profiles.scan import Scan
from watchkeeper.records import Batch, Profile
from watchkeeper.windows import Grid

COUNTED, DONE = "counted", ""
"""The marks of a batch: its rows are counted, and, where there are labels, those of the windows it touches are too."""
_COMMIT_BYTES, _COMMIT_PIECES = 32_000_000, 4


def profile(home: Home, monitor: Monitor, *, now: datetime, spread: Spread = in_turn, found: Fitted | None = None, counts_alone: bool = False) -> int:
    """Write the parts of every batch that has none yet, over the bins in force or over those given; return how many were written.

    With `counts_alone` the rows of new events are counted, and what joins them to labels is left for the next time without: it reads all
    rows of the windows it touches, which a schedule of a minute must not.

    Parts and the mark that their batches are done are one commit, so a killed run leaves either all of a batch or nothing,
    and goes on from there when it is started again. Much work is written in several commits, in an order that does not depend
    on who did it. A commit is refused where another process was first, and what is left to do is found out anew.
    """
    written = 0
    while True:
        over = found or bins_of(home, monitor, now=now)
        if over is None:
            return written
        book = _Book(home, monitor, over, now)
        try:
            _brought_up(home, monitor, over, now, spread, book, counts_alone=counts_alone)
        except ConflictError:
            written += book.written
            continue
        return written + book.written


@dataclass(slots=True)
class _Book:
    """Parts and marks on their way into the table: enough of them are one commit, and a commit is refused when another was first."""

    home: Home
    monitor: Monitor
    found: Fitted
    now: datetime
    written: int = 0
    seen: int = field(init=False)
    pieces: int = 0
    size: int = 0
    rows: list[pa.Table] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin where the table stands."""
        self.seen = self.home.lake.version(Profile.TABLE, self._app_id)

    @property
    def _app_id(self) -> str:
        return f"profile:{self.monitor.model}"

    def add(self, parts: pa.Table | None, marks: pa.Table | None = None) -> None:
        """Take the parts of a piece, and the marks that rest on them."""
        self.pieces += 1
        new = [table for table in (parts, marks) if table is not None and table.num_rows]
        self.rows += new
        self.size += sum(table.nbytes for table in new)
        if self.pieces >= _COMMIT_PIECES or self.size > min(_COMMIT_BYTES, 2 * share_of_memory(self.home)):
            self.commit()

    def commit(self) -> None:
        """Write what was taken."""
        if not self.rows:
            return
        origin = Origin(self.monitor.model, self.found.version, self.found.grain, self.seen + 1, self.now)
        schema = arrow_schema(Profile)
        rows = whole_rows(self.rows, origin).select(schema.names).cast(schema)
        self.home.lake.append(Profile.TABLE, rows, guard=(self._app_id, self.seen))
        self.written, self.seen, self.rows = self.written + int(rows.num_rows), self.seen + 1, []
        self.pieces = self.size = 0


@dataclass(frozen=True, slots=True)
class _Todo:
    """Batches whose rows are not counted, and those that are not done: new ones, and those of which rows were released.

    `labels` are those of labels among them, and the done ones of which some labels had landed before their predictions.
    `landed` tells of each when its first rows landed; rows are kept in order of landing, so that earlier ones need not be read.
    """

    uncounted: list[Batch]
    unfinished: list[Batch]
    labels: list[str]
    landed: dict[str, datetime]


def _todo(home: Home, monitor: Monitor, bins: str, now: datetime) -> _Todo:
    mine = pc.field("model") == monitor.model
    is_mark = mine & (pc.field("kind") == MARK) & (pc.field("bins") == bins)
    marks = home.lake.read(Profile.TABLE, columns=["batch_id", "n", "nulls", "feature"], where=is_mark)
    done: dict[tuple[str, str], int] = {}
    waiting: set[str] = set()
    for batch_id, n, early, step in zip(*(marks.column(c).to_pylist() for c in marks.column_names), strict=True) if marks is not None else ():
        done[batch_id, step] = max(n, done.get((batch_id, step), 0))
        waiting |= {batch_id} if early else set()
    known = mine & (pc.field("landed_at") <= pa.scalar(now, TIMESTAMP))
    offered = home.lake.read(Batch.TABLE, columns=["batch_id", "landed_at", "rows_landed"], where=known)
    landed: dict[str, datetime] = {}
    rows: dict[str, int] = {}
    for batch_id, at, n in zip(*(c.to_pylist() for c in offered.sort_by("landed_at").columns), strict=True) if offered is not None else ():
        landed.setdefault(batch_id, at)
        rows[batch_id] = n
    new = [batch_id for batch_id, n in rows.items() if n > done.get((batch_id, DONE), 0)]
    unfinished = home.lake.newest(Batch, as_of=now, where=mine & among("batch_id", new)) if new else []
    uncounted = [b for b in unfinished if b.source == "events" and b.rows_landed > done.get((b.batch_id, COUNTED), 0)]
    labels = (waiting & landed.keys()) | {b.batch_id for b in unfinished if b.source == "labels"}  # marks may be of a later `now`
    return _Todo(uncounted, unfinished, sorted(labels), landed)


def _brought_up(home: Home, monitor: Monitor, found: Fitted, now: datetime, spread: Spread, book: _Book, *, counts_alone: bool) -> None:
    todo = _todo(home, monitor, found.version, now)
    is_joined = has_label_parts(monitor)
    events = events_pieces(home, monitor, found, todo.uncounted, todo.landed, now)
    for piece, parts in zip(events, spread("counting rows", counted, events), strict=True):
        book.add(parts, _marks(piece.batches, COUNTED if is_joined else DONE))
    if counts_alone:
        pass  # the marks that are left out say that the rest is still to be done
    elif is_joined:
        _labels_brought_up(home, monitor, found, now, spread, book, todo)
    else:
        book.add(None, _marks([b for b in todo.unfinished if b.source == "labels"], DONE))
    book.commit()


def _labels_brought_up(home: Home, monitor: Monitor, found: Fitted, now: datetime, spread: Spread, book: _Book, todo: _Todo) -> None:
    """Rebuild the label parts of the windows that batches touch, in order of time; a batch is done with the last of its windows."""
    if not todo.unfinished:
        return
    found_out = _touched(home, monitor, Grid(found.grain, monitor.timezone), todo, now)
    book.add(None, _marks([b for b in todo.unfinished if b.batch_id not in found_out.last], DONE, found_out.waiting))
    early = min((todo.landed[b] for b in todo.labels), default=now)
    cut = labels_pieces(home, monitor, found, found_out.rows, early, now)
    for piece, parts in zip(cut, spread("joining labels", with_labels, cut), strict=True):
        inside = set(piece.windows)
        book.add(parts, _marks([b for b in todo.unfinished if found_out.last.get(b.batch_id) in inside], DONE, found_out.waiting))


def _touched(home: Home, monitor: Monitor, grid: Grid, todo: _Todo, now: datetime) -> Touched:
    """Ask what batches touch, as many at a time as memory has room for their ids."""
    whole = Touched({}, {}, {})
    for some in parted(todo.unfinished, [(b.rows_landed * ID_BYTES,) for b in todo.unfinished], (home.memory_bytes // 4,)):
        events, labels = ({b.batch_id: todo.landed[b.batch_id] for b in some if b.source == source} for source in ("events", "labels"))
        new = touched(home, monitor, grid, events=events, labels=labels, now=now)
        whole = Touched(whole.rows | new.rows, whole.last | new.last, whole.waiting | new.waiting)
    return whole


def _marks(batches: Iterable[Batch], step: str, waiting: Mapping[str, int] | None = None) -> pa.Table | None:
    done = [(b.batch_id, b.rows_landed, (waiting or {}).get(b.batch_id, 0)) for b in batches]
    return mark_rows(done, step) if done else None


def counted(piece: EventsPiece) -> pa.Table | None:
    """Count the rows of a piece: one part per batch, window, segment, version and quantity; None where there are no rows."""
    parts = list(_event_parts(piece))
    return pa.concat_tables(parts) if parts else None


def with_labels(piece: LabelsPiece) -> pa.Table | None:
    """Count the labelled rows of a piece: one part per window, segment, version and class; None where there are no rows."""
    parts = list(_label_parts(piece))
    return pa.concat_tables(parts) if parts else None


def _event_parts(piece: EventsPiece) -> Iterator[pa.Table]:
    home, monitor, found = piece.home, piece.monitor, piece.found
    ids = frozenset(b.batch_id for b in piece.batches)
    columns = {"time": "wk_time", "batch": "wk_batch", "version": monitor.columns.version or "", "environment": monitor.columns.environment or ""}
    same = {"batch": "", "version": "", "environment": monitor.environment}
    grouping = Grouping(
        Grid(found.grain, monitor.timezone), columns, same, monitor.dimensions, batches=ids, known=found.bins, emptied=monitor.service_places
    )
    wanted, served = list(countings(monitor, found.bins)), list(service_countings(monitor))
    scan = Scan([c.quantity for c in wanted], pairing(found.pairs, found.bins) if found.pairs else None)
    serving = Scan([c.quantity for c in served])
    events = f"events/{monitor.model}"
    dataset = home.lake.dataset(events)
    stored = dataset.schema.names if dataset is not None else []
    ahead = list(dict.fromkeys(source_of(c.quantity.column, stored)[0] for c in (*wanted, *served)))
    segments = 1 + sum(all(column in stored for column in declared.split("&")) for declared in monitor.segments)
    for rows in row_groups(home.lake, events, _where(piece), ahead):
        derived, groups = Derived(rows, "wk_time", monitor.timezone), grouping.number(rows)
        scan.add(derived, groups[:segments], grouping.dimensions[:segments])
        serving.add(derived, groups, grouping.dimensions)
    keys = [key_columns(d.keys) for d in grouping.dimensions]
    every = ((wanted, scan.counted(grouping.dimensions)), (served, serving.counted(grouping.dimensions)))
    for counting, dimension, made in ((of[place], d, made) for of, counted in every for place, d, made in counted):
        kept = made.without_values() if counting.is_counts_only else made
        unit = found.bins[counting.name].unit if counting.kind == FEATURE else 0.0
        yield part_rows(kept, keys[dimension], kind=counting.kind, feature=counting.name, unit=unit)
    if (pairs := scan.pairs(grouping.whole)) is not None:
        yield part_rows(pairs, keys[0], kind=PAIR, feature="", unit=UNIT)


def _where(piece: EventsPiece) -> pc.Expression:
    """Match the rows of batches, and say when they landed and of when they are: what lies elsewhere need not be read."""
    batches, landed, time = piece.batches, pc.field("wk_landed_at"), pc.field("wk_time")
    where = (
        (landed >= pa.scalar(piece.since, TIMESTAMP)) & (landed <= pa.scalar(piece.now, TIMESTAMP)) & among("wk_batch", {b.batch_id for b in batches})
    )
    starts, ends = [b.starts_at for b in batches if b.starts_at], [b.ends_at for b in batches if b.ends_at]
    if len(starts) == len(ends) == len(batches):
        where &= (time >= pa.scalar(min(starts), TIMESTAMP)) & (time <= pa.scalar(max(ends), TIMESTAMP))
    return where


def _label_parts(piece: LabelsPiece) -> Iterator[pa.Table]:
    monitor, found = piece.monitor, piece.found
    both = joined(piece.home, monitor, piece.windows, now=piece.now, early=piece.early)
    if both is None or both.rows.num_rows == 0:
        return
    grid = Grid(found.grain, monitor.timezone)
    columns = {"time": "time", "version": "version", "environment": "environment"}
    same = {"batch": LABELS_BATCH, "version": "", "environment": monitor.environment}
    grouping = Grouping(grid, columns, same, monitor.segments, known=found.bins)
    groups = grouping.number(both.rows)
    keys = [key_columns(d.keys) for d in grouping.dimensions]
    rows = labelled(monitor, both.rows, found.bins)
    quantities = pieces(monitor.task, rows)
    yield from group_parts(monitor, found, both.rows, quantities)
    if monitor.labels is None:
        quantities = unlabelled_pieces(monitor.task, rows) if monitor.gives_chances else []
    texts = text_pieces(*as_codes(pc.utf8_lower(both.rows.column("label")))) if names_labels(monitor) else []
    every = itertools.chain(quantities, texts, own_label_pieces(monitor, both, rows))
    for one in with_entities(every, monitor.task, rows, entities_of(both.rows) if monitor.labels is not None else None):
        for place, (group, names) in enumerate(zip(groups, keys, strict=True)):
            if place == 0 or not one.is_of_whole:
                counted = one.count(group, names.num_rows, is_whole=place == 0)
                yield part_rows(counted, names, kind=LABEL, feature=one.feature, outcome=one.outcome, is_exact=one.is_exact)
    if monitor.labels is not None and (lost := losses(monitor.task, rows)) is not None:
        yield from loss_parts(piece, both, lost, groups[0], keys[0])
