"""Files and queries to validated batches in the lake, exactly once.

Belongs here: the sources, and the order in which they are read, landed and marked. Does not: which files are new (reading.py),
asking a database (asking.py), landing (landing.py), or what becomes of quarantined rows (quarantine.py).

Data lands first, then quarantine and validations, then the `batches` row as the mark. After a kill anywhere the files
without a mark are offered again; rows they have landed already are recognised by batch and row number.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from watchkeeper.adapters.files import Content, File, discover, place_of
from watchkeeper.adapters.lake import among
from watchkeeper.adapters.workspace import Home
from watchkeeper.errors import UsageError, WatchkeeperError
from watchkeeper.monitor import Monitor, Place
from watchkeeper.operations.asking import asked, contents, note_reached
from watchkeeper.operations.landing import settle
from watchkeeper.operations.lots import Intake, Lot, Settled
from watchkeeper.operations.marks import mark
from watchkeeper.operations.reading import Progress, Reading, Seen
from watchkeeper.operations.resumed import SetAside, brings_news, resumed
from watchkeeper.operations.unseen import note_unseen
from watchkeeper.records import Batch, Source, Validation

ROWS_AT_ONCE = 2_000_000


@dataclass(frozen=True, slots=True)
class Offered:
    """What became of one offered file; a repeat added nothing, and `batch` is then the one it repeats."""

    name: str
    batch: Batch
    is_repeat: bool


def ingest(
    home: Home,
    monitor: Monitor,
    *,
    now: datetime,
    source: Source | None = None,
    files: Sequence[File | Content] | None = None,
    progress: Progress | None = None,
) -> list[Batch]:
    """Land what is new: given files, or what the monitor names, events before labels. Return the batches taken in.

    `progress` is called with (name, files done, files in all). Nothing that one file holds stops the others, and a source
    that cannot be read does not stop the other one.

    Raises:
        ConfigurationError: the monitor's suite cannot be read, or its connection is not known.
        UnreadableError: a source cannot be read; what the others had has landed, and the rest is left for the next run.

    """
    return [o.batch for o in offer(home, monitor, now=now, source=source, files=files, progress=progress) if not o.is_repeat]


def offer(
    home: Home,
    monitor: Monitor,
    *,
    now: datetime,
    source: Source | None = None,
    files: Sequence[File | Content] | None = None,
    progress: Progress | None = None,
) -> list[Offered]:
    """Do as `ingest`, and also tell which of the given files repeat a batch; of files it found itself, only new ones."""
    if source == "labels" and monitor.labels is None:
        raise UsageError("the monitor file has no part `labels`", where=monitor.model, then="Say there where the labels come from.")
    offered: list[Offered] = []
    validations: list[Validation] = []
    errors: list[WatchkeeperError] = []
    for each in _sources(monitor, source, files):
        intake = Intake(home, monitor, each, now)
        try:
            offered.extend(_of_source(intake, files, validations, progress or _silent))
        except WatchkeeperError as error:
            errors.append(error)
    if validations:
        from watchkeeper.adapters.validation_docs import build_docs

        build_docs(home, [o.batch for o in offered if not o.is_repeat], validations, now=now)
    if errors:
        raise errors[0]
    return offered


def _silent(name: str, done: int, total: int) -> None:
    """Tell nobody."""


def _sources(monitor: Monitor, source: Source | None, files: Sequence[File | Content] | None) -> list[Source]:
    if source is not None:
        return [source]
    return ["events"] if files is not None or monitor.labels is None else ["events", "labels"]


def _of_source(intake: Intake, files: Sequence[File | Content] | None, validations: list[Validation], progress: Progress) -> Iterator[Offered]:
    """Yield what became of given files, or else of what the monitor names: files first, then a query."""
    if files is not None:
        yield from _take_in(intake, files, len(files), validations, progress, tell_repeats=True)
        return
    place = intake.monitor.places[intake.source]
    found = list(dict.fromkeys(file for pattern in _patterns(intake.monitor, intake.source) for file in discover(intake.home, pattern)))
    yield from _take_in(intake, found, len(found), validations, progress, tell_repeats=False)
    if place.sql is not None:
        yield from _take_in_answer(intake, place, validations, progress)


def _patterns(monitor: Monitor, source: Source) -> list[str]:
    """Return where files of a source lie; those of the reference are events like others and come first."""
    reference = monitor.reference.files if source == "events" else None
    return [files for files in (reference, monitor.places[source].files) if files is not None]


def _take_in_answer(intake: Intake, place: Place, validations: list[Validation], progress: Progress) -> Iterator[Offered]:
    with asked(intake, place) as (query, answer):
        set_aside = SetAside.of(intake, *query.told_by)
        batch_id = ""
        parts = contents(query, answer, set_aside.besides)
        for offered in _take_in(intake, parts, len(answer.sizes), validations, progress, tell_repeats=False):
            batch_id = offered.batch.batch_id
            yield offered
        note_reached(intake, query, answer.highest, batch_id)


def _take_in(
    intake: Intake, given: Iterable[File | Content], total: int, validations: list[Validation], progress: Progress, *, tell_repeats: bool
) -> Iterator[Offered]:
    reading = Reading(intake, total, progress, Seen.of(intake))
    for lots in _in_portions(reading.lots(given)):
        settled = settle(intake, lots)
        yield from (Offered(b.name, b, is_repeat=False) for b in resumed(intake, [s for s in settled if s.lot.is_part]))
        settled = [s for s in settled if brings_news(s)]
        _keep_streams(intake, settled, reading.streams)
        reading.streams.clear()
        if intake.source == "labels":
            note_unseen(intake, settled)
        batches, found = mark(intake, settled)
        validations += found
        yield from (Offered(b.name, b, is_repeat=False) for b in batches)
    if tell_repeats:
        yield from _told(intake, reading.repeats)
    if reading.refused:
        raise reading.refused[0]


def _keep_streams(intake: Intake, settled: Sequence[Settled], streams: Mapping[str, Content]) -> None:
    """Write the bytes of a refused stream to a file, so that it can be released later as other files can."""
    for one in settled:
        if one.fault and one.lot.batch_id in streams:
            path = intake.home.root / "spool" / "held" / f"{one.lot.batch_id}-{Path(one.lot.name).name}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(streams[one.lot.batch_id].data)
            one.lot = replace(one.lot, path=place_of(intake.home, path))


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
