"""The version book: which versions of a model have rows, how each stands, and the reference that its numbers are compared with.

Belongs here: reading parts by version, and adding those of a reference up. Does not: whose windows a reference is (judgement/standing.py),
versions around an incident (versions.py).
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.adapters.arrow_records import as_list
from watchkeeper.adapters.lake import among
from watchkeeper.adapters.workspace import Home
from watchkeeper.judgement.standing import Standing, apart, are_many, named_version, standings
from watchkeeper.measures.frame import Frame
from watchkeeper.measures.readings import readings
from watchkeeper.monitor import Monitor
from watchkeeper.operations.eras import eras_of
from watchkeeper.operations.rollup import Basis, are_of_outputs, basis_of, days_of, frame_of, reference_of
from watchkeeper.operations.sums import NOTHING, ReferenceSums, added, content_of, of_environment, parts_within, rows_by_version, sums_over
from watchkeeper.profiles.groups import REST
from watchkeeper.records import Score, key
from watchkeeper.windows import Window
from watchkeeper.words import counted

OF_ONE = "estimates of errors are made for the version that the model's reference is of"
_REFERENCES: dict[str, ReferenceSums] = {}
_KEPT = 64


@dataclass(frozen=True)
class VersionBook:
    """Which versions have rows when, how each stands in each environment, and by what the references of those that have one are known.

    `starts` are those of the hours or days that parts span, `rows` the environments, versions and rows of each. `of_model` is the
    version that has no other reference than the model's.
    """

    of_model: str | None = None
    standings: Mapping[tuple[str, str], Standing] = field(default_factory=dict)
    rests_on: Mapping[tuple[str, str], str] = field(default_factory=dict)
    starts: Sequence[datetime] = ()
    rows: Sequence[Sequence[tuple[str, str, int]]] = ()

    def apart(self, environment: str, window: Window) -> tuple[list[str], list[str]]:
        """Return the versions that are measured apart in a window, and those whose rows are told together."""
        found: Counter[str] = Counter()
        for e, version, n in self._inside(window):
            found[version] += n if e == environment else 0
        return apart(+found, self.of_model)

    def inputs(self, window: Window) -> str:
        """Return what the scores of a window's versions rest on beside the model's reference, empty where all its rows are of the model's version."""
        found = sorted({(e, version) for e, version, _ in self._inside(window) if version != self.of_model})
        return key(*(part for other in found for part in (*other, self.rests_on.get(other, ""))))[:8] if found else ""

    def _inside(self, window: Window) -> Iterator[tuple[str, str, int]]:
        for each in self.rows[bisect_left(self.starts, window.start) : bisect_left(self.starts, window.end)]:
            yield from each


NO_VERSIONS = VersionBook()


def version_book(home: Home, monitor: Monitor, basis: Basis, *, now: datetime, of_one: bool = False) -> VersionBook:
    """Return what is known of the versions; nothing where rows name none, or, unless `of_one`, all are of one that the monitor says nothing of."""
    if monitor.columns.version is None:
        return NO_VERSIONS
    rows = rows_by_version(home, monitor, basis.bins, basis.fitted, now=now)
    if not of_one and not are_many(monitor, rows):
        return NO_VERSIONS
    found = {(s.environment, s.version): s for s in standings(monitor, rows, basis.maturity.until(monitor.grid, now))}
    by_start: dict[datetime, list[tuple[str, str, int]]] = defaultdict(list)
    for (environment, version), mine in rows.items():
        for start, n in mine.items():
            by_start[start].append((environment, version, n))
    starts = sorted(by_start)
    of_model = next((s.version for s in found.values() if s.source == "model"), None)
    return VersionBook(
        of_model, found, {k: _rests_on(basis, s) for k, s in found.items() if s.is_calibrated}, starts, [by_start[at] for at in starts]
    )


def _rests_on(basis: Basis, standing: Standing) -> str:
    return key(*standing.environments, *standing.reference, max((basis.parts.revision(w) for w in standing.reference), default=0))


def reference_of_version(
    home: Home, monitor: Monitor, basis: Basis, book: VersionBook, environment: str, version: str, of_model: ReferenceSums, *, now: datetime
) -> tuple[ReferenceSums, str]:
    """Return what a version's numbers are compared with, and why that is nothing yet; its rows, and so what they are weighted by, are not read."""
    standing = book.standings[environment, version]
    if standing.source == "model":
        return of_model, ""
    if not standing.is_calibrated:
        why = standing.why
        return ReferenceSums("", {"": {}}, calibrations={"": why}, class_calibrations={"": why}, losses={"": why}), why
    name = key(home.lake.address, monitor.model, basis.bins, version, book.rests_on[environment, version])
    if name not in _REFERENCES:
        of = among("environment", standing.environments) & (pc.field("version") == version)
        due = basis.maturity.until(monitor.grid, now)
        sums = sums_over(home, monitor, basis.bins, basis.parts, standing.reference, of, now=now, labels_due=due, of_whole=True)
        _REFERENCES.clear() if len(_REFERENCES) > _KEPT else None
        known = key(monitor.model, basis.bins, version, *standing.reference, content_of(sums))[:12]
        _REFERENCES[name] = ReferenceSums(known, sums, losses={"": OF_ONE})
    return _REFERENCES[name], ""


def version_scores(
    home: Home,
    monitor: Monitor,
    basis: Basis,
    book: VersionBook,
    frame: Frame,
    parts: pa.Table,
    of_model: ReferenceSums,
    *,
    over_days: bool = False,
) -> Iterator[Score]:
    """Yield the scores of the versions of a window that are measured apart, and how many rows the others had; `parts` are those of one environment.

    With `over_days` intervals are over the days of longer windows, as in `rolled_up`.
    """
    told, rest = book.apart(frame.environment, frame.window)
    whole = parts.filter(pc.field("segment") == "") if told or rest else parts
    for version in told:
        reference, why = reference_of_version(home, monitor, basis, book, frame.environment, version, of_model, now=frame.now)
        against = frame_of(home, monitor, frame.window, frame.grain, basis, reference, frame.now, metrics=frame.metrics)
        these = whole.filter(pc.field("version") == version)
        days = days_of(monitor, frame.window, these, frame.metrics) if over_days else None
        mine = replace(against, environment=frame.environment, version=named_version(version), asked=frame.asked, uncalibrated=why, days=days)
        yield from readings(mine, added(these))
    if rest and (frame.metrics is None or "rows" in frame.metrics):
        said = f"{counted(len(rest), 'version')} with few rows, told together: `watchkeeper versions list {monitor.model}`"
        together = readings(replace(frame, version=REST, metrics={"rows"}, has_labels=False), added(whole.filter(among("version", rest))))
        yield from (replace(score, reference="", reason=said) for score in together)


def rolled_up_versions(
    home: Home,
    monitor: Monitor,
    windows: Sequence[Window],
    grain: str,
    *,
    now: datetime,
    metrics: Collection[str] | None = None,
    feature: str | None = None,
) -> Iterator[Score]:
    """Yield scores of versions in any windows, given in order of time, from the sums of their parts; also of a version that had all rows of a window."""
    basis = basis_of(home, monitor, now=now)
    if basis is None or not windows:
        return
    of_outputs = are_of_outputs(basis, metrics)
    span = Window(windows[0].start, windows[-1].end)
    every = parts_within(home, monitor, basis.bins, span.start, span.end, now=now, of_whole=True, of_outputs=of_outputs, feature=feature)
    every = every.sort_by("window_start")
    starts = as_list(every.column("window_start"))
    for era in eras_of(home, monitor, now=now):
        mine = [window for window in windows if window.start in era]
        book = replace(version_book(home, era.monitor, basis, now=now, of_one=True), of_model=None) if mine else NO_VERSIONS
        of_model = reference_of(home, era.monitor, basis, now=now, metrics=metrics) if mine else NOTHING
        for window in mine:
            frame = frame_of(home, era.monitor, window, grain, basis, of_model, now, metrics=metrics, feature=feature)
            first, after = bisect_left(starts, window.start), bisect_left(starts, window.end)
            parts = every.slice(first, after - first)
            for environment in sorted(pc.unique(parts.column("environment")).to_pylist()):
                here = replace(frame, environment=environment)
                yield from version_scores(home, era.monitor, basis, book, here, of_environment(parts, environment), of_model, over_days=True)
