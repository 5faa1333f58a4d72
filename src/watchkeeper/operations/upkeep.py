"""Keeping the lake quick and small: rows beyond a monitor's `keep` go, small files merge, unneeded files are deleted.

Belongs here: what goes and when. Does not: how a table is compacted or vacuumed (adapters/lake.py, adapters/retention.py),
or old validation docs, which go when new ones are written (adapters/validation_docs.py).
The account of what happened (batches, runs, changes, incidents, actions, digests) and the bins stay: they are small, and
batches and runs also say what must not be taken in or measured again. The reference stays, however old it is.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from watchkeeper.adapters.leases import rewriting
from watchkeeper.adapters.retention import Removal, remove_rows
from watchkeeper.adapters.workspace import Home
from watchkeeper.monitor import Monitor
from watchkeeper.operations.eras import baselines_of
from watchkeeper.profiles.parts import MARK
from watchkeeper.records import RECORDS, Look, Profile, Quarantined, ReferenceScore, Score, Signal, Validation
from watchkeeper.samples import TELEMETRY_QUARANTINE, GpuProcess, GpuSample, HostSample, MetricSample, Span
from watchkeeper.windows import local_midnight

LOOKS_KEPT = timedelta(days=35)
"""How long looks in which nothing was wrong are kept: what minutes usually are is learned from a week of them. The others stay as long as what they told."""

READERS_KEEP_HOURS = 7 * 24
"""A file that a commit replaced is deleted this long after: a reader that opened the table before still finds it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What upkeep did to one table."""

    table: str
    rows_removed: int = 0
    files_merged: int = 0
    files_deleted: int = 0


def upkeep(home: Home, monitors: Mapping[str, Monitor], *, now: datetime) -> list[Kept]:
    """Bring every table of the lake into shape as of `now`; return what was done, table by table. Harmless when repeated."""
    removed: dict[str, int] = {}
    for table, removal in _removals(home, monitors, now):
        removed[table] = removed.get(table, 0) + remove_rows(home.lake, table, removal)
    return [_shaped(home, table, removed.get(table, 0)) for table in _tables(monitors) if home.lake.table(table) is not None]


def horizon(home: Home, monitor: Monitor, now: datetime) -> datetime:
    """Return the moment before which a monitor keeps nothing: whole windows older than `keep`, but never any of its reference, of a new normal, or of one named for a version."""
    start, span = monitor.grid.at(now - monitor.keep).start, monitor.reference_span
    named = [local_midnight(days.from_, monitor.timezone) for days in monitor.versions.references.values()]
    normal = [b.starts_at for b in baselines_of(home, monitor, now=now)]
    return min([start, *named, *normal, *([span[0]] if span else [])])


def _removals(home: Home, monitors: Mapping[str, Monitor], now: datetime) -> Iterator[tuple[str, Removal]]:
    for model, monitor in monitors.items():
        before = horizon(home, monitor, now)
        yield f"events/{model}", Removal("wk_time", before)
        yield f"labels/{model}", Removal("labelled_at", before)
        yield f"{Quarantined.TABLE}/{model}", Removal("at", before)
        yield Validation.TABLE, Removal("validated_at", before, model=model)
        yield Profile.TABLE, Removal("window_start", before, model=model, spare=("kind", MARK))
        yield Score.TABLE, Removal("window_start", before, model=model)
        yield ReferenceScore.TABLE, Removal("window_start", before, model=model)
        yield Signal.TABLE, Removal("window_start", before, model=model)
        yield Look.TABLE, Removal("computed_at", max(before, now - LOOKS_KEPT), model=model, spare=("is_out", True))
        yield Look.TABLE, Removal("window_start", before, model=model)
    if monitors:
        longest = now - max(m.keep for m in monitors.values())
        yield from ((record.TABLE, Removal("sampled_at", longest)) for record in (GpuSample, GpuProcess, HostSample))
        yield Span.TABLE, Removal("started_at", longest)
        yield MetricSample.TABLE, Removal("at", longest)
        yield TELEMETRY_QUARANTINE, Removal("at", longest)


def _tables(monitors: Mapping[str, Monitor]) -> Sequence[str]:
    shared = [record.TABLE for record in RECORDS if record is not Quarantined]
    return [*shared, TELEMETRY_QUARANTINE, "leases", *(f"{kind}/{model}" for model in monitors for kind in ("events", "labels", Quarantined.TABLE))]


def _shaped(home: Home, table: str, rows_removed: int) -> Kept:
    if home.lake.table(table) is None:
        return Kept(table=table)
    with rewriting(home.lake, table):
        merged = home.lake.compact(table).get("numFilesRemoved", 0)
    deleted = home.lake.vacuum(table, keep_hours=READERS_KEEP_HOURS)
    home.lake.checkpoint(table)
    return Kept(table=table, rows_removed=rows_removed, files_merged=int(merged), files_deleted=len(deleted))
