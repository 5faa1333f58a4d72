"""Profile: scan each batch once into parts, and rebuild the label parts of the days that new rows or labels touch.

Belongs here: which batches are new, and writing their parts in one commit. Does not: the counting (profiles/), or what
is read off the counts (measure.py).
"""

from collections.abc import Iterator
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.adapters.lake import TIMESTAMP, among, arrow_schema
from watchkeeper.adapters.row_groups import row_groups
from watchkeeper.adapters.workspace import Home
from watchkeeper.errors import ConflictError
from watchkeeper.monitor import Monitor
from watchkeeper.operations.fit import Fitted, bins_of
from watchkeeper.operations.join import joined, labelled, touched_windows
from watchkeeper.operations.quantities import countings
from watchkeeper.profiles.groups import Grouping
from watchkeeper.profiles.kinds import Derived
from watchkeeper.profiles.labelled import pieces
from watchkeeper.profiles.parts import LABEL, LABELS_BATCH, MARK, Origin, key_columns, mark_rows, part_rows, whole_rows
from watchkeeper.profiles.scan import Scan
from watchkeeper.records import Batch, Profile
from watchkeeper.windows import Grid


def profile(home: Home, monitor: Monitor, *, now: datetime) -> int:
    """Write the parts of every batch that has none yet; return how many parts were written.

    Parts and the mark that a batch is done are one commit, so a killed run leaves either all of a batch or nothing, and
    a concurrent one is refused and finds the work done.
    """
    while True:
        try:
            return _profile_once(home, monitor, now)
        except ConflictError:
            continue


def _profile_once(home: Home, monitor: Monitor, now: datetime) -> int:
    app_id = f"profile:{monitor.model}"
    seen = home.lake.version(Profile.TABLE, app_id)
    found = bins_of(home, monitor, now=now)
    if found is None:
        return 0
    todo = _unprofiled(home, monitor, found.version, now)
    if not todo:
        return 0
    origin = Origin(monitor.model, found.version, found.grain, seen + 1, now)
    schema = arrow_schema(Profile)
    rows = whole_rows(_parts(home, monitor, found, todo, now), origin).select(schema.names).cast(schema)
    home.lake.append(Profile.TABLE, rows, guard=(app_id, seen))
    return int(rows.num_rows)


def _unprofiled(home: Home, monitor: Monitor, bins: str, now: datetime) -> list[Batch]:
    """Return the batches with rows that no scan has seen: new ones, and those of which rows were released from quarantine."""
    mine = pc.field("model") == monitor.model
    is_mark = mine & (pc.field("kind") == MARK) & (pc.field("bins") == bins)
    marks = home.lake.read(Profile.TABLE, columns=["batch_id", "n"], where=is_mark)
    scanned: dict[str, int] = {}
    for batch_id, n in zip(*(marks.column(c).to_pylist() for c in ("batch_id", "n")), strict=True) if marks is not None else ():
        scanned[batch_id] = max(n, scanned.get(batch_id, 0))
    batches: list[Batch] = home.lake.newest(Batch, as_of=now, where=mine)
    return [b for b in batches if b.rows_landed > scanned.get(b.batch_id, 0)]


def _parts(home: Home, monitor: Monitor, found: Fitted, todo: list[Batch], now: datetime) -> Iterator[pa.Table]:
    events, labels = ([b for b in todo if b.source == source] for source in ("events", "labels"))
    if events:
        yield from _event_parts(home, monitor, found, events, now)
    if monitor.labels is not None:
        yield from _label_parts(home, monitor, found, [b.batch_id for b in events], [b.batch_id for b in labels], now)
    yield mark_rows([(b.batch_id, b.rows_landed) for b in todo])


def _event_parts(home: Home, monitor: Monitor, found: Fitted, batches: list[Batch], now: datetime) -> Iterator[pa.Table]:
    """Count the rows of the batches: one part per batch, window, segment, version and quantity."""
    ids = frozenset(b.batch_id for b in batches)
    columns = {"time": "wk_time", "batch": "wk_batch", "version": monitor.columns.version or "", "environment": monitor.columns.environment or ""}
    same = {"batch": "", "version": "", "environment": monitor.environment}
    grouping = Grouping(Grid(found.grain, monitor.timezone), columns, same, monitor.segments, batches=ids, known=found.bins)
    wanted = list(countings(monitor, found.bins))
    scan = Scan([c.quantity for c in wanted])
    landed = pc.field("wk_landed_at")
    since = _first_landing(home, monitor, ids)
    where = (landed >= pa.scalar(since, TIMESTAMP)) & (landed <= pa.scalar(now, TIMESTAMP)) & among("wk_batch", ids)
    for rows in row_groups(home.lake, f"events/{monitor.model}", where):
        scan.add(Derived(rows, "wk_time", monitor.timezone), grouping.number(rows), grouping.dimensions)
    keys = [key_columns(d.keys) for d in grouping.dimensions]
    for place, dimension, counted in scan.counted(grouping.dimensions):
        counting = wanted[place]
        kept = counted.without_values() if counting.is_private else counted
        yield part_rows(kept, keys[dimension], kind=counting.kind, feature=counting.name)


def _first_landing(home: Home, monitor: Monitor, batches: frozenset[str]) -> datetime:
    """Return when the first rows of the batches landed; rows are kept in order of landing, so earlier ones need not be read."""
    mine = (pc.field("model") == monitor.model) & among("batch_id", batches)
    offered = home.lake.read(Batch.TABLE, columns=["landed_at"], where=mine)
    assert offered is not None  # noqa: S101 - the batches were read there
    first: datetime = pc.min(offered.column("landed_at")).as_py()
    return first


def _label_parts(home: Home, monitor: Monitor, found: Fitted, events: list[str], labels: list[str], now: datetime) -> Iterator[pa.Table]:
    grid = Grid(found.grain, monitor.timezone)
    windows = touched_windows(home, monitor, grid, events=events, labels=labels, now=now)
    rows = joined(home, monitor, windows, now=now) if windows else None
    if rows is None or rows.num_rows == 0:
        return
    columns = {"time": "time", "version": "version", "environment": "environment"}
    same = {"batch": LABELS_BATCH, "version": "", "environment": monitor.environment}
    grouping = Grouping(grid, columns, same, monitor.segments, known=found.bins)
    groups = grouping.number(rows)
    keys = [key_columns(d.keys) for d in grouping.dimensions]
    for piece in pieces(monitor.task, labelled(monitor, rows, found.bins)):
        for group, names in zip(groups, keys, strict=True):
            yield part_rows(piece.count(group, names.num_rows), names, kind=LABEL, feature=piece.feature, outcome=piece.outcome)
