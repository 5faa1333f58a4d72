"""Files, objects and streams to lots: which are new, and each of those read and cast.

Belongs here: knowing content again, and what cannot be opened. Does not: bytes as rows (adapters/files.py), rows as rows of a
monitor (cast.py), or landing (landing.py).
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow.compute as pc

from watchkeeper.adapters.files import Content, File, Stamp, interpret, is_finished, load, place_of, stamp
from watchkeeper.adapters.stored_files import StoredObject, is_address
from watchkeeper.errors import UnreachableError, UnreadableError
from watchkeeper.operations.cast import cast, texts_of
from watchkeeper.operations.lots import Intake, Lot
from watchkeeper.records import Batch, key

Progress = Callable[[str, int, int], None]


@dataclass(slots=True)
class Seen:
    """The marks of a source: by content, and by path, size and time so that old files need not be read.

    A file whose path, size and time of writing are those of its mark has the bytes that were landed: writing changes the
    time, and a time too young to tell two writes apart is never kept (adapters.files.stamp). In doubt its bytes are hashed.
    """

    ids: set[str]
    by_stamp: dict[tuple[str, Stamp], str]

    @classmethod
    def of(cls, intake: Intake) -> "Seen":
        """Return those of a source as the lake has them."""
        mine = (pc.field("model") == intake.monitor.model) & (pc.field("source") == intake.source)
        found = intake.home.lake.read(Batch.TABLE, columns=["batch_id", "path", "size_bytes", "modified_at"], where=mine)
        rows = [] if found is None else found.to_pylist()
        stamps = {(r["path"], Stamp(r["size_bytes"], r["modified_at"])): r["batch_id"] for r in rows if r["modified_at"] is not None}
        return cls({r["batch_id"] for r in rows}, stamps)


@dataclass(slots=True)
class Reading:
    """One reading of given files: what repeats, the bytes of streams that are on their way, and objects whose store refused them."""

    intake: Intake
    total: int
    progress: Progress
    seen: Seen
    repeats: list[tuple[str, str]] = field(default_factory=list)
    streams: dict[str, Content] = field(default_factory=dict)
    refused: list[UnreadableError] = field(default_factory=list)

    def lots(self, given: Iterable[File | Content]) -> Iterator[Lot]:
        """Yield those that are new, read and cast.

        Raises:
            UnreachableError: a store does not answer; what it holds is left for a later run.

        """
        for done, one in enumerate(given, start=1):
            lot = self._lot(one)
            self.progress(one.name, done, self.total)
            if lot is not None:
                self.seen.ids.add(lot.batch_id)
                yield lot

    def _lot(self, given: File | Content) -> Lot | None:
        """Return a file read and cast; None for one that is a repeat, unfinished, refused, or has vanished."""
        if not isinstance(given, Content):
            known = self.seen.by_stamp.get((place_of(self.intake.home, given), stamp(given) or Stamp(-1, None)))
            if known is not None:
                self.repeats.append((given.name, known))
                return None
        try:
            content = given if isinstance(given, Content) else load(given) if is_finished(given) else None
        except UnreachableError:
            raise
        except UnreadableError as error:
            if isinstance(given, StoredObject):
                self.refused.append(error)
                return None
            return self._unopened(given, error)
        if content is None:
            return None
        batch_id = self.intake.batch_id(content.sha256)
        if batch_id in self.seen.ids:
            self.repeats.append((content.name, batch_id))
            return None
        if not content.path:
            self.streams[batch_id] = content
        return lot_of(self.intake, content)

    def _unopened(self, given: File | Content, error: UnreadableError) -> Lot:
        path = "" if isinstance(given, Content) else place_of(self.intake.home, given)
        return Lot(batch_id=key(self.intake.monitor.model, self.intake.source, path, "unopened"), name=given.name, path=path, fault=str(error))


def lot_of(intake: Intake, content: Content) -> Lot:
    """Return a file read and cast, or with the fault for which it cannot be."""
    found = content.stamp
    lot = Lot(
        batch_id=intake.batch_id(content.sha256),
        name=content.name,
        path=content.path if is_address(content.path) else place_of(intake.home, Path(content.path)) if content.path else "",
        size_bytes=len(content.data),
        modified_at=found.modified_at if found else None,
        is_part=content.is_part,
        notes=content.notes,
    )
    try:
        lot = replace(lot, reading=interpret(content.data, content.name, texts_of(intake.monitor)))
        return _cast(intake, lot)
    except UnreadableError as error:
        fault = str(error)
    except Exception as error:  # noqa: BLE001 - whatever one file does, the others go on
        fault = f"{content.name}: could not be taken in ({type(error).__name__})"
    return replace(lot, fault=fault)


def _cast(intake: Intake, lot: Lot) -> Lot:
    if lot.reading is None or lot.rows_read == 0:
        return lot
    names = lot.reading.rows.column_names
    has_twins = len({name.lower() for name in names}) < len(names)
    there = intake.home.lake.dataset(intake.table) if has_twins else None
    landed = there.schema.names if there is not None else ()
    return replace(lot, cast=cast(lot.reading, intake.monitor, intake.source, now=intake.now, landed=landed))
