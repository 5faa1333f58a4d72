"""Files to validated batches in the lake, exactly once.

Belongs here: which files are new, and the order in which they are read, landed and marked. Does not: casting (cast.py),
landing (landing.py), or what becomes of quarantined rows (quarantine.py).

Data lands first, then quarantine and validations, then the `batches` row as the mark. After a kill anywhere the files
without a mark are offered again; rows they have landed already are recognised by batch and row number.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import pyarrow.compute as pc

from watchkeeper.adapters.files import Content, Stamp, discover, interpret, is_finished, load, stamp
from watchkeeper.adapters.lake import among
from watchkeeper.adapters.workspace import Home
from watchkeeper.errors import UnreadableError, UsageError
from watchkeeper.monitor import Monitor
from watchkeeper.operations.cast import cast, texts_of
from watchkeeper.operations.landing import settle
from watchkeeper.operations.lots import Intake, Lot, Settled
from watchkeeper.operations.marks import mark
from watchkeeper.operations.unseen import note_unseen
from watchkeeper.records import Batch, Source, Validation, key

Progress = Callable[[str, int, int], None]
ROWS_AT_ONCE = 2_000_000


@dataclass(frozen=True, slots=True)
class Offered:
    """What became of one offered file; a repeat added nothing, and `batch` is then the one it repeats."""

    name: str
    batch: Batch
    is_repeat: bool


@dataclass(slots=True)
class _Seen:
    """The marks of a source: by content, and by path, size and time so that old files need not be read.

    A file whose path, size and time of writing are those of its mark has the bytes that were landed: writing changes the
    time, and a time too young to tell two writes apart is never kept (adapters.files.stamp). In doubt its bytes are hashed.
    """

    ids: set[str]
    by_stamp: dict[tuple[str, Stamp], str]

    @classmethod
    def of(cls, intake: Intake) -> "_Seen":
        mine = (pc.field("model") == intake.monitor.model) & (pc.field("source") == intake.source)
        found = intake.home.lake.read(Batch.TABLE, columns=["batch_id", "path", "size_bytes", "modified_at"], where=mine)
        rows = [] if found is None else found.to_pylist()
        stamps = {(r["path"], Stamp(r["size_bytes"], r["modified_at"])): r["batch_id"] for r in rows if r["modified_at"] is not None}
        return cls({r["batch_id"] for r in rows}, stamps)


def ingest(
    home: Home,
    monitor: Monitor,
    *,
    now: datetime,
    source: Source | None = None,
    files: Sequence[Path | Content] | None = None,
    progress: Progress | None = None,
) -> list[Batch]:
    """Land what is new: given files, or those that the monitor names, events before labels. Return the batches taken in.

    `progress` is called with (name, files done, files in all). Nothing that one file holds stops the others.

    Raises:
        ConfigurationError: the monitor's suite cannot be read; nothing has landed.

    """
    return [o.batch for o in offer(home, monitor, now=now, source=source, files=files, progress=progress) if not o.is_repeat]


def offer(
    home: Home,
    monitor: Monitor,
    *,
    now: datetime,
    source: Source | None = None,
    files: Sequence[Path | Content] | None = None,
    progress: Progress | None = None,
) -> list[Offered]:
    """Do as `ingest`, and also tell which of the given files repeat a batch; of files it found itself, only new ones."""
    if source == "labels" and monitor.labels is None:
        raise UsageError("the monitor file has no part `labels`", where=monitor.model, then="Say there where the labels come from.")
    offered: list[Offered] = []
    validations: list[Validation] = []
    for each in _sources(monitor, source, files):
        intake = Intake(home, monitor, each, now)
        given = files if files is not None else list(dict.fromkeys(file for pattern in _patterns(monitor, each) for file in discover(home, pattern)))
        offered += _take_in(intake, given, validations, progress or _silent, tell_repeats=files is not None)
    if validations:
        from watchkeeper.adapters.validation_docs import build_docs

        build_docs(home, [o.batch for o in offered if not o.is_repeat], validations, now=now)
    return offered


def _silent(name: str, done: int, total: int) -> None:
    """Tell nobody."""


def _sources(monitor: Monitor, source: Source | None, files: Sequence[Path | Content] | None) -> list[Source]:
    if source is not None:
        return [source]
    return ["events"] if files is not None or monitor.labels is None else ["events", "labels"]


def _patterns(monitor: Monitor, source: Source) -> list[str]:
    """Return where files of a source lie; those of the reference are events like others and come first."""
    if source == "labels" and monitor.labels is not None:
        return [monitor.labels.files]
    return [files for files in (monitor.reference.files, monitor.events.files) if files is not None]


def _take_in(
    intake: Intake, given: Sequence[Path | Content], validations: list[Validation], progress: Progress, *, tell_repeats: bool
) -> list[Offered]:
    seen = _Seen.of(intake)
    repeats: list[tuple[str, str]] = []
    offered: list[Offered] = []
    for lots in _in_portions(_lots(intake, given, seen, repeats, progress)):
        settled = settle(intake, lots)
        _keep_streams(intake, settled, given)
        if intake.source == "labels":
            note_unseen(intake, settled)
        batches, found = mark(intake, settled)
        validations += found
        offered += [Offered(b.name, b, is_repeat=False) for b in batches]
    return offered + (_told(intake, repeats) if tell_repeats else [])


def _keep_streams(intake: Intake, settled: Sequence[Settled], given: Sequence[Path | Content]) -> None:
    """Write the bytes of a refused stream to a file, so that it can be released later as other files can."""
    streams = {intake.batch_id(c.sha256): c for c in given if isinstance(c, Content) and not c.path}
    for one in settled:
        if one.fault and one.lot.batch_id in streams:
            path = intake.home.root / "spool" / "held" / f"{one.lot.batch_id}-{Path(one.lot.name).name}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(streams[one.lot.batch_id].data)
            one.lot = replace(one.lot, path=path_in(intake.home, path))


def _told(intake: Intake, repeats: list[tuple[str, str]]) -> list[Offered]:
    if not repeats:
        return []
    ids = {batch for _, batch in repeats}
    batches = {b.batch_id: b for b in intake.home.lake.newest(Batch, where=among("batch_id", ids))}
    return [Offered(name, batches[batch], is_repeat=True) for name, batch in repeats]


def _in_portions(lots: Iterable[Lot]) -> Iterator[list[Lot]]:
    """Yield lots together until they hold so many rows that memory should be given back."""
    portion: list[Lot] = []
    for lot in lots:
        portion.append(lot)
        if sum(one.rows_read for one in portion) >= ROWS_AT_ONCE:
            yield portion
            portion = []
    if portion:
        yield portion


def _lots(intake: Intake, given: Sequence[Path | Content], seen: _Seen, repeats: list[tuple[str, str]], progress: Progress) -> Iterator[Lot]:
    for done, one in enumerate(given, start=1):
        lot = _lot(intake, one, seen, repeats)
        progress(one.name, done, len(given))
        if lot is not None:
            seen.ids.add(lot.batch_id)
            yield lot


def _lot(intake: Intake, given: Path | Content, seen: _Seen, repeats: list[tuple[str, str]]) -> Lot | None:
    """Return a file read and cast; None for one that is a repeat, unfinished, or has vanished."""
    if isinstance(given, Path):
        known = seen.by_stamp.get((path_in(intake.home, given), stamp(given) or Stamp(-1, None)))
        if known is not None:
            repeats.append((given.name, known))
            return None
        try:
            content = load(given) if is_finished(given) else None
        except UnreadableError as error:
            return Lot(
                batch_id=key(intake.monitor.model, intake.source, given, "unopened"),
                name=given.name,
                path=path_in(intake.home, given),
                fault=str(error),
            )
    else:
        content = given
    if content is None:
        return None
    batch_id = intake.batch_id(content.sha256)
    if batch_id in seen.ids:
        repeats.append((content.name, batch_id))
        return None
    return lot_of(intake, content)


def lot_of(intake: Intake, content: Content) -> Lot:
    """Return a file read and cast, or with the fault for which it cannot be."""
    found = content.stamp
    lot = Lot(
        batch_id=intake.batch_id(content.sha256),
        name=content.name,
        path=path_in(intake.home, Path(content.path)) if content.path else "",
        size_bytes=len(content.data),
        modified_at=found.modified_at if found else None,
    )
    try:
        lot = replace(lot, reading=interpret(content.data, content.name, texts_of(intake.monitor)))
        return _cast(intake, lot)
    except UnreadableError as error:
        fault = str(error)
    except Exception as error:  # noqa: BLE001 - whatever one file does, the others go on
        fault = f"{content.name}: could not be taken in ({type(error).__name__})"
    return replace(lot, fault=fault)


def path_in(home: Home, path: Path) -> str:
    """Return a path as it is kept: relative to the workspace where it lies inside, so that a workspace can be moved."""
    whole = path.resolve()
    root = home.root.resolve()
    return str(whole.relative_to(root)) if whole.is_relative_to(root) else str(whole)


def _cast(intake: Intake, lot: Lot) -> Lot:
    if lot.reading is None or lot.rows_read == 0:
        return lot
    return replace(lot, cast=cast(lot.reading, intake.monitor, intake.source, now=intake.now))
