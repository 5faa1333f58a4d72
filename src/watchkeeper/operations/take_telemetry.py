"""Take telemetry: OpenTelemetry files, metrics pages and Prometheus queries -> spans and samples in the lake, each once.

Belongs here: what is new, the order of landing, and what became of each source. Does not: what a file or an answer says
(adapters/otlp*.py, adapters/prometheus.py). A file is known by its content, a span and a value by their keys: a file that has
grown brings what is new in it. Data lands first, then what was set aside, then the batch as the mark.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from watchkeeper.adapters.files import File, Stamp, discover, load, place_of, stamp
from watchkeeper.adapters.leases import lease
from watchkeeper.adapters.otlp import Broken, Message, messages
from watchkeeper.adapters.otlp_metrics import samples
from watchkeeper.adapters.otlp_spans import About, spans
from watchkeeper.adapters.prometheus import Asking, asked, scraped
from watchkeeper.adapters.series import Told, apart
from watchkeeper.adapters.tokens import authorization
from watchkeeper.adapters.workspace import Home, load_monitors
from watchkeeper.errors import ConfigurationError, UnreadableError, UnwritableError, WatchkeeperError
from watchkeeper.monitor import Monitor
from watchkeeper.operations.telemetry_there import SOURCE, Keys, known_samples, known_spans, newest_value, sample_key, stamps_of
from watchkeeper.records import Batch, Quarantined, key
from watchkeeper.samples import TELEMETRY_QUARANTINE, MetricSample, Span
from watchkeeper.telemetry import Prometheus
from watchkeeper.words import counted, listed

AT_ONCE = 200_000
"""Spans and values that wait for a commit; more are landed in several."""

SET_ASIDE = 1_000
"""Lines of one file that quarantine lists; more are counted."""

LONGEST_WAIT_S = 600.0
_SAID = 3
_WHOLE_FILE = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What became of one file or source; a repeat added nothing, and what `failed` is asked for again by the next run."""

    name: str
    status: str
    spans: int = 0
    values: int = 0
    rows_duplicate: int = 0
    rows_quarantined: int = 0
    is_repeat: bool = False
    reason: str = ""


@dataclass(slots=True)
class _Read:
    """One file as it was read, before it has landed."""

    batch_id: str
    name: str
    path: str
    size_bytes: int
    modified_at: datetime | None
    spans: dict[Keys, Span] = field(default_factory=dict)
    told: dict[Keys, Told] = field(default_factory=dict)
    samples: dict[Keys, MetricSample] = field(default_factory=dict)
    broken: list[tuple[int, str]] = field(default_factory=list)
    twice: int = 0
    note: str = ""

    @property
    def rows(self) -> int:
        return len(self.spans) + len(self.samples)


def take(home: Home, monitors: Mapping[str, Monitor], *, now: datetime, files: Sequence[Path] | None = None, is_live: bool = False) -> list[Taken]:
    """Take in what is new: given files, or what watchkeeper.yaml names. Return what became of each source; one that fails stops no other.

    Pages say what is now and nothing of the past, so they are scraped only when `now` is now (`is_live`).
    """
    with lease(home.lake, SOURCE, wait_s=LONGEST_WAIT_S):
        taking = _Taking(home, monitors, now)
        found, taken = (list(files), []) if files is not None else _named(home)
        taken += taking.files(found, is_given=files is not None)
        if files is None:
            taken += [taking.source(s) for s in home.workspace.telemetry.prometheus if s.scrape is None or is_live]
    return taken


def all_monitors(home: Home) -> dict[str, Monitor]:
    """Return the monitors, all of them: what one calls private is dropped from whatever comes in, and what has landed stays.

    Raises:
        ConfigurationError: one of them cannot be read.

    """
    monitors, problems = load_monitors(home)
    if problems:
        more = f", and {counted(len(problems) - 1, 'more mistake')}" if len(problems) > 1 else ""
        what = f"no telemetry is taken in, since what a monitor that cannot be read calls private is not known ({problems[0]}{more})"
        raise ConfigurationError(what, then="Correct it; what waits is taken in by the next run.")
    return monitors


def faults(taken: Sequence[Taken]) -> list[tuple[str, str]]:
    """Return what could not be read, and why."""
    return [(t.name, t.reason) for t in taken if t.status == "failed"]


def _named(home: Home) -> tuple[list[File], list[Taken]]:
    """Return the files that watchkeeper.yaml names, and the places that cannot be listed."""
    found: list[File] = []
    unlisted: list[Taken] = []
    for pattern in home.workspace.telemetry.files:
        try:
            found += discover(home, pattern)
        except WatchkeeperError as error:
            unlisted.append(Taken(name=pattern, status="failed", reason=str(error)))
    return list(dict.fromkeys(found)), unlisted


class _Taking:
    """One run: what is known already, and what monitors call private."""

    def __init__(self, home: Home, monitors: Mapping[str, Monitor], now: datetime) -> None:
        self.home, self.now, self.models = home, now, frozenset(monitors)
        self.private = frozenset(name for m in monitors.values() for name in m.private)
        self.also = home.workspace.telemetry.attributes
        self.batches: dict[str, Batch] = {b.batch_id: b for b in home.lake.newest(Batch, where=pc.field("source") == SOURCE)}
        self.in_lake = frozenset(self.batches)
        self.stamps = stamps_of(home.lake)
        self.renamed: list[Batch] = []

    def files(self, found: Sequence[File], *, is_given: bool) -> Iterator[Taken]:
        """Yield what became of files, and land them in portions."""
        portion: list[_Read] = []
        for file in found:
            outcome = self._offered(file, is_given=is_given)
            if isinstance(outcome, Taken):
                yield outcome
            elif outcome is not None:
                portion.append(outcome)
                self.batches[outcome.batch_id] = self._batch(outcome)
            if sum(r.rows for r in portion) >= AT_ONCE:
                yield from self._landed(portion)
                portion = []
        yield from self._landed(portion)
        self.home.lake.append_records(Batch, self.renamed)  # by which the next run knows them unread

    def _offered(self, file: File, *, is_given: bool) -> _Read | Taken | None:
        """Return a file as it was read; None of one that is known unread, or has vanished."""
        place, before = place_of(self.home, file), stamp(file)
        if not is_given and before is not None and (place, before.size_bytes, before.modified_at) in self.stamps:
            return None
        try:
            content = load(file)
        except UnreadableError as error:
            return Taken(name=file.name, status="failed", reason=str(error))
        if content is None:
            return None
        if not content.data.strip():
            return Taken(name=file.name, status="empty", reason="nothing is in it yet") if is_given else None
        batch_id = key("", SOURCE, content.sha256)
        if batch_id in self.batches:
            again = self.batches[batch_id]
            self._note_name(again, place, content.stamp)
            reason = "the same content was taken in before" + (f", as {again.name}" if again.name != file.name else "")
            reason = "; ".join(filter(None, (reason, again.reason)))
            aside, twice = again.rows_quarantined, again.rows_read - again.rows_quarantined
            told = Taken(name=file.name, status=again.status, rows_duplicate=twice, rows_quarantined=aside, is_repeat=True, reason=reason)
            return told if is_given else None
        seen = content.stamp
        read = _Read(batch_id, file.name, place, len(content.data), seen.modified_at if seen else None)
        about = About(now=self.now, batch=batch_id, models=self.models, private=self.private, also=self.also)
        try:
            for message in messages(content.data, file.name):
                _add_or_set_aside(read, message, about)
        except UnreadableError as error:
            read.broken.append((_WHOLE_FILE, f"{error.what}. {error.then}".strip()))
        except Exception as error:  # noqa: BLE001 - whatever one file does, the others go on
            read.broken.append((_WHOLE_FILE, _unforeseen(error)))
        kept, mixed = apart(read.told.values(), named=self.also, private=self.private)
        read.told.clear()
        read.samples = {sample_key(s): s for s in kept}
        read.broken += [(_WHOLE_FILE, clause) for clause in mixed]
        return read

    def _note_name(self, batch: Batch, place: str, found: Stamp | None) -> None:
        """Remember where a file that landed lies now (it was rotated), or since when (it was too young to tell), so that it is not read at every run."""
        is_new = found is not None and found.modified_at is not None and (place, found.size_bytes, found.modified_at) not in self.stamps
        if found is not None and is_new and batch.batch_id in self.in_lake:
            self.renamed.append(replace(batch, path=place, size_bytes=found.size_bytes, modified_at=found.modified_at))

    def _landed(self, portion: Sequence[_Read]) -> list[Taken]:
        """Land files together, or one by one where something of them cannot be landed; one that cannot is told of, and asked for again."""
        try:
            return self._landed_together(portion)
        except WatchkeeperError:
            raise
        except Exception as error:  # noqa: BLE001 - as above
            if len(portion) == 1:
                return [Taken(name=portion[0].name, status="failed", reason=_unforeseen(error))]
            return [told for read in portion for told in self._landed([read])]

    def _landed_together(self, portion: Sequence[_Read]) -> list[Taken]:
        """Land files in one commit a table, then say that they have landed."""
        lake = self.home.lake
        there_spans = known_spans(lake, [s for r in portion for s in r.spans.values()])
        there_samples = known_samples(lake, [s for r in portion for s in r.samples.values()])
        taken: list[Taken] = []
        new_spans: list[Span] = []
        new_samples: list[MetricSample] = []
        batches: list[Batch] = []
        for read in portion:
            fresh = [s for k, s in read.spans.items() if k not in there_spans]
            values = [s for k, s in read.samples.items() if k not in there_samples]
            there_spans |= read.spans.keys()
            there_samples |= read.samples.keys()
            new_spans += fresh
            new_samples += values
            batch = self._batch(read, len(fresh) + len(values))
            batches.append(batch)
            taken.append(_told(batch, len(fresh), len(values)))
        lake.append_records(Span, new_spans)
        lake.append_records(MetricSample, new_samples)
        lake.append_records(Quarantined, self._not_there([q for r in portion for q in self._set_aside(r)]), table=TELEMETRY_QUARANTINE)
        lake.append_records(Batch, batches)
        return taken

    def _batch(self, read: _Read, landed: int | None = None) -> Batch:
        """Return the mark of a file, of which so much was new; None before that is known."""
        new = landed or 0
        times = [s.started_at for s in read.spans.values()] + [s.at for s in read.samples.values()]
        broken = len(read.broken)
        status = "landed" if read.rows and not broken else "partial" if read.rows else "quarantined" if broken else "empty"
        return Batch(
            batch_id=read.batch_id,
            model="",
            source=SOURCE,
            name=read.name,
            path=read.path,
            size_bytes=read.size_bytes,
            modified_at=read.modified_at,
            status=status,
            reason="; ".join(filter(None, (_known_before(read) if landed == 0 else "", _reasons(read), read.note))),
            rows_read=read.rows + read.twice + broken,
            rows_landed=new,
            rows_quarantined=broken,
            rows_duplicate=read.rows + read.twice - new,
            starts_at=min(times, default=None),
            ends_at=max(times, default=None),
            landed_at=self.now,
        )

    def _set_aside(self, read: _Read) -> Iterator[Quarantined]:
        """Yield what was set aside, without what stands there, which may be what people wrote to a model."""
        for number, reason in read.broken[:SET_ASIDE]:
            yield Quarantined(
                quarantine_id=key("", SOURCE, read.path, number, reason),  # the same line of a file that has grown is the same one
                batch_id=read.batch_id,
                source=SOURCE,
                name=read.name,
                row_number=number,
                reasons=[reason],
                at=self.now,
            )

    def _not_there(self, aside: Sequence[Quarantined]) -> list[Quarantined]:
        """Return what was not set aside before, each once."""
        told = {q.quarantine_id: q for q in aside}
        there = (
            self.home.lake.read(TELEMETRY_QUARANTINE, columns=["quarantine_id"], where=pc.field("quarantine_id").isin(list(told))) if told else None
        )
        known = set() if there is None else set(there.column("quarantine_id").to_pylist())
        return [q for name, q in told.items() if name not in known]

    def source(self, source: Prometheus) -> Taken:
        """Ask one source and land what it answers; whatever it does, the others go on."""
        try:
            return self._of_source(source)
        except UnwritableError:
            raise
        except WatchkeeperError as error:
            return Taken(name=source.name, status="failed", reason=str(error))
        except Exception as error:  # noqa: BLE001 - as of files
            return Taken(name=source.name, status="failed", reason=_unforeseen(error))

    def _of_source(self, source: Prometheus) -> Taken:
        asking = Asking(source=source, now=self.now, headers=authorization(source.bearer), private=sorted(self.private), also=self.also)
        values = there = 0
        mixed: list[str] = []
        for told in [scraped(asking)] if source.scrape is not None else asked(asking, newest_value(self.home.lake, source.name, now=self.now)):
            found, clauses = apart(told, named=self.also, private=self.private)
            mixed += clauses
            fresh = self._new_of(found)
            self.home.lake.append_records(MetricSample, fresh)  # before more is asked for, so that what fails then costs none of it
            values, there = values + len(fresh), there + len(found)
        status = "partial" if mixed else "landed" if there else "empty"
        return Taken(name=source.name, status=status, values=values, rows_duplicate=there - values, reason=_few(mixed))

    def _new_of(self, found: Sequence[MetricSample]) -> list[MetricSample]:
        told = {sample_key(s): s for s in found}
        known = known_samples(self.home.lake, list(told.values()))
        return [s for k, s in told.items() if k not in known]


def _add_or_set_aside(read: _Read, message: Message, about: About) -> None:
    try:
        _add(read, message, about)
    except Exception as error:  # noqa: BLE001 - whatever one message holds, the others are read
        read.broken.append((message.number, f"{message.place} {_unforeseen(error)}"))


def _unforeseen(error: Exception) -> str:
    """Return why something could not be taken in, without the error's own text, in which may stand what people wrote."""
    return f"could not be taken in ({type(error).__name__})"


def _add(read: _Read, message: Message, about: About) -> None:
    if isinstance(message.content, Broken):
        if message.content.is_unfinished:
            read.note = f"{message.place} {message.content.reason}, and is read when it is"
        else:
            read.broken.append((message.number, f"{message.place} {message.content.reason}"))
        return
    made = spans(message.content, about) if message.content.DESCRIPTOR.name == "TracesData" else samples(message.content, about)
    for one in made:
        if isinstance(one, str):
            read.broken.append((message.number, f"{message.place}: {one}"))
            continue
        kept: dict[Keys, Any] = read.spans if isinstance(one, Span) else read.told
        name = (one.trace_id, one.span_id) if isinstance(one, Span) else (*sample_key(one.sample), one.lost, one.teller)
        read.twice += name in kept
        kept[name] = one


def _known_before(read: _Read) -> str:
    """Return why nothing of a file that can be read was new; empty where nothing can."""
    each = ((read.spans, "span"), (read.samples, "value"))
    what = listed([counted(len(some), name) for some, name in each if some])
    return f"nothing in it is new: {what} {'was' if read.rows == 1 else 'were'} taken in before" if what else ""


def _reasons(read: _Read) -> str:
    return f"set aside: {_few([reason for _, reason in read.broken])}" if read.broken else ""


def _few(clauses: Sequence[str]) -> str:
    told = list(dict.fromkeys(clauses))
    more = f"; and {len(told) - _SAID:,} more" if len(told) > _SAID else ""
    return f"{'; '.join(told[:_SAID])}{more}"


def _told(batch: Batch, spans_: int, values: int) -> Taken:
    return Taken(
        name=batch.name,
        status=batch.status,
        spans=spans_,
        values=values,
        rows_duplicate=batch.rows_duplicate,
        rows_quarantined=batch.rows_quarantined,
        reason=batch.reason,
    )


def taken_text(taken: Sequence[Taken]) -> str:
    """Return what came in, in a sentence, and what sources tell that cannot be kept; empty where nothing was new."""
    new = [t for t in taken if not t.is_repeat and t.status != "failed"]
    mixed = [f"Of {t.name} {t.reason}." for t in new if t.status == "partial" and not t.rows_quarantined]
    return " ".join(filter(None, (_landed_text(new), *mixed)))


def _landed_text(new: Sequence[Taken]) -> str:
    if not any(t.spans or t.values or t.rows_quarantined for t in new):
        return ""
    said = f"Telemetry: {counted(sum(t.spans for t in new), 'span')} and {counted(sum(t.values for t in new), 'value')} landed"
    aside = sum(t.rows_quarantined for t in new)
    return f"{said}, {counted(aside, 'line')} set aside." if aside else f"{said}."
