"""Sums of parts over any windows, as known at a moment; a month is a sum and not a rescan.

Belongs here: reading parts of the table `profiles` and adding them up. Does not: what is computed from them (rollup.py, measure.py).
"""

import hashlib
from bisect import bisect_left
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.adapters.arrow_records import TIMESTAMP, arrow_schema, as_list
from watchkeeper.adapters.lake import among
from watchkeeper.adapters.workspace import Home
from watchkeeper.judgement.standing import RowsOfVersions
from watchkeeper.measures.estimated_classes import Calibrations
from watchkeeper.measures.frame import BySegment, by_segment
from watchkeeper.measures.likeness import ReferenceRows
from watchkeeper.measures.service_view import STATUS
from watchkeeper.monitor import Monitor
from watchkeeper.operations.expected_losses import LossModels
from watchkeeper.operations.pieces import PART_BYTES, parted
from watchkeeper.operations.sensitive import attributes
from watchkeeper.profiles.counts import Counts, add
from watchkeeper.profiles.labelled import DECISION, ERROR, SCORE
from watchkeeper.profiles.parts import FEATURE, GROUP, LABEL, LISTS, LOSS, MARK, PAIR, SERVICE, gathered, moments_alone, newest_scans
from watchkeeper.records import CLASS, Profile, key
from watchkeeper.spelling import segment_name
from watchkeeper.stats.calibration import Calibration
from watchkeeper.stats.intervals import Estimate
from watchkeeper.windows import Window

_BY = ("segment", "kind", "feature", "outcome")
_PARTS_AT_ONCE, _OF_MEMORY = 8_000, 8
KEPT = 64  # ledgers and references of so many models and moments


@dataclass(frozen=True)
class Ledger:
    """Which parts exist, and how new each window's newest is; read once per run without the counts themselves."""

    starts: list[datetime]
    revisions: list[int]
    parts: list[int]

    @property
    def is_empty(self) -> bool:
        """Tell whether there are no parts at all."""
        return not self.starts

    def revision(self, window: Window) -> int:
        """Return the newest revision of any part of a window, 0 when it has none."""
        return max(self.revisions[self._inside(window)], default=0)

    def size(self, window: Window) -> int:
        """Return how many parts a window has."""
        return sum(self.parts[self._inside(window)])

    def has_after(self, moment: datetime) -> bool:
        """Tell whether any part starts at or after a moment."""
        return bool(self.starts) and self.starts[-1] >= moment

    def inside(self, window: Window) -> Iterable[tuple[datetime, int]]:
        """Return the starts of a window's parts, each with how many begin then."""
        here = self._inside(window)
        return zip(self.starts[here], self.parts[here], strict=True)

    def _inside(self, window: Window) -> slice:
        return slice(bisect_left(self.starts, window.start), bisect_left(self.starts, window.end))


def ledger(home: Home, monitor: Monitor, bins: str, *, now: datetime) -> Ledger:
    """Return the newest revision of every window that has parts; kept in this process until a part is added."""
    found = home.lake.table(Profile.TABLE)
    name = (home.lake.address, found.version() if found else -1, monitor.model, bins, now)
    if name not in _LEDGERS:
        _LEDGERS.clear() if len(_LEDGERS) > KEPT else None
        _LEDGERS[name] = _ledger(home, monitor, bins, now)
    return _LEDGERS[name]


def _ledger(home: Home, monitor: Monitor, bins: str, now: datetime) -> Ledger:
    rows = home.lake.read(Profile.TABLE, columns=["window_start", "revision"], where=_mine(monitor, bins, now) & (pc.field("kind") != MARK))
    if rows is None or rows.num_rows == 0:
        return Ledger([], [], [])
    latest = rows.group_by("window_start").aggregate([("revision", "max"), ("revision", "count")]).sort_by("window_start")
    starts = [start.astimezone(UTC) for start in latest.column("window_start").to_pylist()]  # of one zone they compare at once
    return Ledger(starts, *(latest.column(c).to_pylist() for c in ("revision_max", "revision_count")))


_LEDGERS: dict[tuple[str, int, str, str, datetime], Ledger] = {}


def rows_by_version(home: Home, monitor: Monitor, bins: str, names: Collection[str], *, now: datetime) -> RowsOfVersions:
    """Return the rows of each version in each environment by the hour or day that parts span; kept in this process until a part is added.

    Rows are counted by the model's output among the `names` that are counted, or without one by the fullest of them.
    """
    found = home.lake.table(Profile.TABLE)
    name = (home.lake.address, found.version() if found else -1, monitor.model, bins, now)
    if name not in _VERSIONS:
        _VERSIONS.clear() if len(_VERSIONS) > KEPT else None
        told = [n for n in names if n.startswith("@")][:1] or sorted(names)
        mine = _mine(monitor, bins, now) & (pc.field("kind") == FEATURE) & (pc.field("segment") == "") & pc.field("feature").isin(told)
        columns = ["window_start", "version", "environment", "batch_id", "n", "revision"]
        rows = home.lake.read(Profile.TABLE, columns=columns, where=mine)
        _VERSIONS[name] = {} if rows is None else _by_version(newest_scans(rows))
    return _VERSIONS[name]


def _by_version(rows: pa.Table) -> RowsOfVersions:
    key = ["environment", "version", "window_start"]
    of_batches = rows.group_by([*key, "batch_id"]).aggregate([("n", "max")])
    whole = of_batches.group_by(key).aggregate([("n_max", "sum")]).sort_by([(name, "ascending") for name in key])
    out: dict[tuple[str, str], dict[datetime, int]] = {}
    for environment, version, start, n in zip(*(as_list(whole.column(c)) for c in (*key, "n_max_sum")), strict=True):
        out.setdefault((environment, version), {})[start] = n
    return out


_VERSIONS: dict[tuple[str, int, str, str, datetime], RowsOfVersions] = {}


def parts_within(
    home: Home,
    monitor: Monitor,
    bins: str,
    start: datetime,
    end: datetime,
    *,
    now: datetime,
    of_whole: bool = False,
    of_outputs: bool = False,
    of_groups: bool = False,
    feature: str | None = None,
) -> pa.Table:
    """Return the parts of all windows that start in [start, end), as rows of their table; losses by feature are not read.

    With `of_whole` those of segments are not read, with `of_outputs` those of the columns the model was given are not, with
    `feature` only its own, those of pairs, and statuses, since a failed call misses no output, are; what is asked of a class is of its labels. Those of the groups of sensitive columns are read `of_groups`, and then no others.
    """
    time = pc.field("window_start")
    inside = (time >= pa.scalar(start, TIMESTAMP)) & (time < pa.scalar(end, TIMESTAMP)) & ~pc.field("kind").isin([MARK, LOSS])
    inside &= (pc.field("kind") == GROUP) == of_groups
    if of_whole:
        inside &= pc.field("segment") == ""
    if of_outputs:
        inside &= (pc.field("kind") != FEATURE) | pc.starts_with(pc.field("feature"), "@")
    if feature and not feature.startswith(CLASS):
        own, statuses = ((pc.field("kind") == kind) & (pc.field("feature") == name) for kind, name in ((FEATURE, feature), (SERVICE, STATUS)))
        inside &= own | statuses | (pc.field("kind") == PAIR)
    rows = home.lake.read(Profile.TABLE, where=_mine(monitor, bins, now) & inside, in_order=True)
    return (
        arrow_schema(Profile).empty_table()
        if rows is None
        else _spelled(newest_scans(rows), attributes(monitor) if of_groups else monitor.dimensions)
    )


def _spelled(parts: pa.Table, declared: Sequence[str]) -> pa.Table:
    """Return parts with the names of their segments as they are spelled today: earlier ones hold a `&` of a value as it was."""
    names = parts.column("segment").combine_chunks().dictionary_encode()
    today = [segment_name(name, declared) for name in names.dictionary.to_pylist()]
    if today == names.dictionary.to_pylist():
        return parts
    return parts.set_column(parts.column_names.index("segment"), "segment", pa.array(today, pa.string()).take(names.indices))


def label_parts(home: Home, monitor: Monitor, bins: str, span: Window, needed: Collection[str], *, now: datetime) -> pa.Table:
    """Return the label parts of the monitor's environment that start within a span, of the quantities needed; by cell only decisions are read."""
    inside = (pc.field("window_start") >= pa.scalar(span.start, TIMESTAMP)) & (pc.field("window_start") < pa.scalar(span.end, TIMESTAMP))
    mine = _mine(monitor, bins, now) & inside & (pc.field("kind") == LABEL)
    plain = [f.name for f in arrow_schema(Profile) if f.name not in LISTS]
    # each scan of a window has some of these, whatever else it holds: by them the newest is known
    others = home.lake.read(Profile.TABLE, columns=plain, where=mine & among("feature", {*needed, SCORE, ERROR} - {DECISION}), in_order=True)
    decided = home.lake.read(Profile.TABLE, where=mine & (pc.field("feature") == DECISION), in_order=True)
    if others is None or decided is None:
        return arrow_schema(Profile).empty_table()
    for name in LISTS:
        others = others.append_column(decided.schema.field(name), pa.nulls(others.num_rows, decided.schema.field(name).type))
    both = pa.concat_tables([decided, moments_alone(others).select(decided.column_names)])
    return _spelled(of_environment(newest_scans(both), monitor.environment), monitor.dimensions)


def label_counts(home: Home, monitor: Monitor, bins: str, since: datetime, features: Collection[str], *, now: datetime) -> pa.Table:
    """Return how many rows each part of some label quantities has, of the whole and the monitor's environment: window_start, feature, outcome, n."""
    inside = (pc.field("window_start") >= pa.scalar(since, TIMESTAMP)) & (pc.field("kind") == LABEL) & (pc.field("segment") == "")
    columns = ["window_start", "feature", "outcome", "n", "environment", "batch_id", "revision"]
    rows = home.lake.read(Profile.TABLE, columns=columns, where=_mine(monitor, bins, now) & inside & among("feature", features))
    if rows is None:
        rows = arrow_schema(Profile).empty_table().select(columns)
    return of_environment(newest_scans(rows), monitor.environment)


def added(parts: pa.Table) -> BySegment:
    """Return the sums by segment and quantity, over windows, batches, versions and whatever else the parts differ in."""
    return by_segment(gathered(parts, _BY).items())


def of_environment(parts: pa.Table, environment: str) -> pa.Table:
    """Return the parts of one environment."""
    return parts.filter(pc.equal(parts.column("environment"), environment))


@dataclass(frozen=True)
class ReferenceSums:
    """The reference's profile: the sum of its windows, and an id that says which parts went into it.

    `usual` remembers each metric on the reference, once it was computed, `ranges` each metric's range over its periods, `calibrations` and
    `class_calibrations` what scores mean there, and `rows` and `losses` its labelled rows, which are read when something is to be estimated, or why they are not.
    """

    id: str
    sums: BySegment
    usual: dict[tuple[str, str, str], Estimate] = field(default_factory=dict)
    ranges: dict[tuple[str, str], tuple[float, float] | None] = field(default_factory=dict)
    calibrations: dict[str, Calibration | str] = field(default_factory=dict)
    rows: dict[str, ReferenceRows | str | None] = field(default_factory=dict)
    losses: dict[str, LossModels | str] = field(default_factory=dict)
    class_calibrations: dict[str, Calibrations | str] = field(default_factory=dict)


NOTHING = ReferenceSums("", {"": {}})
"""What windows are compared with while there are none."""
_REFERENCES: dict[str, ReferenceSums] = {}


def reference_sums(home: Home, monitor: Monitor, bins: str, found: Ledger, *, now: datetime, labels_due: datetime) -> ReferenceSums:
    """Return the reference's sums; kept in this process while no part of them changes.

    Of windows that end after `labels_due` no label counts: those that came first are a biased sample, and would pass for what is usual.
    """
    start, end = monitor.reference_span or (now, now)
    out, revision = monitor.reference_left_out, reference_revision(monitor, found)
    name = f"{home.lake.address} {key(monitor.model, bins, start, end, revision, min(end, labels_due), *out)}"
    if name not in _REFERENCES:
        sums = sums_over(
            home, monitor, bins, found, monitor.reference_stretches, pc.field("environment") == monitor.environment, now=now, labels_due=labels_due
        )
        _REFERENCES.clear() if len(_REFERENCES) > KEPT else None
        _REFERENCES[name] = ReferenceSums(key(monitor.model, bins, start, end, content_of(sums), *out)[:12], sums)
    return _REFERENCES[name]


def sums_over(
    home: Home,
    monitor: Monitor,
    bins: str,
    found: Ledger,
    spans: Sequence[Window],
    of: pc.Expression,
    *,
    now: datetime,
    labels_due: datetime,
    of_whole: bool = False,
) -> BySegment:
    """Add the parts of a reference up, some of its windows at a time: it may be larger than memory.

    `spans` are in order and apart, `of` says whose parts count, and of windows that end after `labels_due` no label does.
    """
    inside = [each for span in spans for each in found.inside(span)]
    at_once = min(_PARTS_AT_ONCE, home.memory_bytes // _OF_MEMORY // PART_BYTES)
    sums: dict[tuple[str, str, str, str], Counts] = {}
    for some in parted([begin for begin, _ in inside], [(n,) for _, n in inside], (at_once,)):
        parts = parts_within(home, monitor, bins, some[0], some[-1] + timedelta.resolution, now=now, of_whole=of_whole)
        is_due = (pc.field("kind") != LABEL) | (pc.field("window_start") < pa.scalar(labels_due, TIMESTAMP))
        mine = parts.filter(of & is_due & pc.field("window_start").isin(pa.array(some, TIMESTAMP)))
        for name, counts in gathered(mine, _BY).items():
            sums[name] = add([sums[name], counts]) if name in sums else counts
        pa.default_memory_pool().release_unused()  # the next ones come on top of what allocators keep of these
    return by_segment(sums.items())


def reference_revision(monitor: Monitor, found: Ledger) -> int:
    """Return the newest revision of any part of the reference, 0 when it has none."""
    return max((found.revision(stretch) for stretch in monitor.reference_stretches), default=0)


def content_of(sums: BySegment) -> str:
    """Return what tells profiles apart: a hash of their counts, which come out the same however the rows were scanned."""
    told = hashlib.sha256()
    for segment in sorted(sums):
        for quantity, counts in sorted(sums[segment].items()):
            told.update(repr((segment, quantity, counts.n)).encode())
            told.update(counts.cells.tobytes() + counts.counts.tobytes())
    return told.hexdigest()


def _mine(monitor: Monitor, bins: str, now: datetime) -> pc.Expression:
    return (pc.field("model") == monitor.model) & (pc.field("bins") == bins) & (pc.field("computed_at") <= pa.scalar(now, TIMESTAMP))
