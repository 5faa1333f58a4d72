"""The demo's clock: `now` walks through 2013, files land, and at each step the operations run that the schedules run.

Belongs here: the steps, what is remembered between runs, starting over. Does not: the data (flights.py, model.py,
inbox.py), what is told at the end (story.py), or printing (cli/demo.py).
"""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from watchkeeper.adapters.swap import write_whole
from watchkeeper.adapters.workspace import WORKSPACE_FILE, Home, find_home, load_monitor, load_monitors
from watchkeeper.demo.flights import ZONE, read_flights
from watchkeeper.demo.gpu_trace import land_gpu_trace
from watchkeeper.demo.inbox import Parcel, deliver, parcels
from watchkeeper.demo.model import TRAINED_UNTIL, score
from watchkeeper.errors import UsageError
from watchkeeper.records import Batch, Run
from watchkeeper.spelling import is_remote
from watchkeeper.windows import local_midnight

if TYPE_CHECKING:
    from watchkeeper.operations.watch import Watched

Tell = Callable[[str], None]
MODEL = "flight_delays"
LAST_DAY = date(2014, 1, 2)  # the last flights of 2013 are final in its morning
_TUESDAY, _HOUR = 1, time(13)  # by then Sunday's labels are final and the week can be told
_CLOCK = re.compile(r"^now:[ \t]*[^\s#]+", re.MULTILINE)
_WHY_STANDING = "The clock of this workspace stands still, where the demo ended; remove the line to watch as time goes."
_INBOX_FILES = ("flights-*.parquet", "arrivals-*.csv.gz")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the demo has come in a workspace; kept in a file, so that a killed demo goes on where it stopped."""

    seed: int
    reached: str = ""
    gathered: str = ""
    delivered: str = ""

    @property
    def reached_at(self) -> datetime | None:
        """The last `now` whose step was done whole."""
        return _moment(self.reached)

    @property
    def gathered_at(self) -> datetime | None:
        """The last `now` whose files were landed and measured; its step may not be judged and told yet."""
        return _moment(self.gathered)

    @property
    def delivered_at(self) -> datetime | None:
        """The last `now` whose files may lie in the inbox: no earlier clock may read it."""
        return _moment(self.delivered)

    def left_of(self, nows: Sequence[datetime]) -> list[datetime]:
        """Return the steps that are still to be done: those that were begun, then those of `nows` after them."""
        done = self.reached_at or datetime.min.replace(tzinfo=UTC)
        begun = sorted({at for at in (self.gathered_at, self.delivered_at) if at is not None and at > done})
        return begun + [now for now in nows if now > max([done, *begun])]


def _moment(text: str) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def moments(every: timedelta, until: date) -> list[datetime]:
    """Return each `now` of the walk in UTC: Tuesdays at 13:00 in New York, or every `every` from the first one.

    Raises:
        UsageError: `every` is not positive, or `until` comes before the model went live.

    """
    first, last = _first_tuesday(), datetime.combine(until, _HOUR, ZoneInfo(ZONE))
    if every <= timedelta(0):
        raise UsageError("the steps must have a length", where="--every", then="Write for example 7d.")
    if last < first:
        raise UsageError(f"the watch begins on {first:%-d %B %Y}", where="--until", then="Name that day or a later one.")
    return [moment.astimezone(UTC) for moment in [*_steps(first, last, every), last]]


def _first_tuesday() -> datetime:
    day = TRAINED_UNTIL + timedelta(days=1)
    return datetime.combine(day + timedelta(days=(_TUESDAY - day.weekday()) % 7), _HOUR, ZoneInfo(ZONE))


def _steps(first: datetime, last: datetime, every: timedelta) -> Iterator[datetime]:
    moment = first
    while moment < last:
        yield moment
        moment += every  # wall clock: still 13:00 when summer time ends


def prepare(home: Home, seed: int) -> list[Parcel]:
    """Train, score the year, and return the files it comes in; nothing is written yet.

    Raises:
        ConfigurationError: the workspace has no sound monitor of the demo's model.

    """
    load_monitor(home, MODEL)
    return parcels(score(read_flights(), seed=seed))


def walk(
    home: Home, year: Sequence[Parcel], nows: Sequence[datetime], *, seed: int, tell: Tell | None = None
) -> Iterator[tuple[datetime, list[Run]]]:
    """Bring the workspace from one `now` to the next: deliver, then watch; at the end, what people look at.

    Yields each `now` when its step is done, with what failed in it. `tell` is called with each operation as it begins. As on
    schedules, a week is judged and told while the next one is landed and measured: each sees what was known at its `now`.
    """
    from watchkeeper.adapters.sharing import beside
    from watchkeeper.operations.watch import Watched, gather, present, tidy

    say, so_far = tell or (lambda _operation: None), progress(home) or Progress(seed)

    def note(**far: datetime) -> None:
        known = asdict(progress(home) or Progress(seed))
        remember(home, Progress(**known | {name: at.isoformat() for name, at in far.items()}))

    def gathered(before: datetime, now: datetime) -> "Watched":
        if so_far.gathered_at is not None and now <= so_far.gathered_at:  # a walk that was stopped had come so far
            return Watched(monitors=load_monitors(home, [MODEL])[0])
        note(delivered=now)
        _land(home, year, before, now)
        found = gather(home, [MODEL], now=now, progress=lambda _model, operation: say(operation))
        note(gathered=now)
        tidy(home)
        return found

    def finished(now: datetime, wait: "Callable[[], Watched]") -> tuple[datetime, list[Run]]:
        failures = wait().failures
        if now == nows[-1]:
            say("pages and the published file")
            present(home, [MODEL], now=now)
        note(reached=now)
        return now, failures

    with beside() as begin:
        under_way = None
        for before, now in pairwise([so_far.reached_at or local_midnight(TRAINED_UNTIL, ZONE), *nows]):
            found = gathered(before, now)
            if under_way:
                yield finished(*under_way)
            under_way = now, begin(_respond, home.root, found, now)
        if under_way:
            say("judging and telling")
            yield finished(*under_way)


def _respond(root: Path, gathered: "Watched", now: datetime) -> "Watched":
    from watchkeeper.operations.watch import respond, tidy

    home = _open(root)
    done = respond(home, gathered, now=now)
    tidy(home)  # the tables that this process has open; those of the first half are the other's
    return done


@cache
def _open(root: Path) -> Home:
    """Return a workspace whose tables stay open from one step to the next."""
    return find_home(root)


def _land(home: Home, year: Sequence[Parcel], before: datetime, now: datetime) -> None:
    deliver(home.root / "inbox", year, now)
    land_gpu_trace(home.lake, before, now, model=MODEL, timezone=ZONE, seed=before.toordinal())


def progress(home: Home) -> Progress | None:
    """Return how far the demo has come here, None where it never ran."""
    file = _progress_file(home)
    return Progress(**json.loads(file.read_text())) if file.exists() else None


def remember(home: Home, reached: Progress) -> None:
    """Write down how far the demo has come, whole or not at all."""
    file = _progress_file(home)
    file.parent.mkdir(parents=True, exist_ok=True)
    aside = file.with_name(f".{file.name}.{os.getpid()}")
    aside.write_text(json.dumps(asdict(reached)))
    aside.replace(file)


def stop_clock(home: Home, at: datetime) -> None:
    """Let the workspace's clock stand where the demo came to: what is called there afterwards sees the year, and not the years since."""
    file, line = home.root / WORKSPACE_FILE, f"now: {at:%Y-%m-%dT%H:%MZ}"
    text = file.read_text(encoding="utf-8")
    changed, count = _CLOCK.subn(line, text)
    write_whole(file, changed if count else f"{text.rstrip()}\n\n# {_WHY_STANDING}\n{line}\n")


def claim(home: Home, seed: int) -> Progress:
    """Return how far the demo has come in this workspace, after making sure that it is the demo's to use.

    Raises:
        UsageError: the lake holds other rows than the demo's, or those of another seed.

    """
    found = progress(home)
    if found is None:
        _refuse_foreign_rows(home, "has rows that the demo did not bring")
        found = Progress(seed)
        remember(home, found)
    if found.seed != seed:
        raise UsageError(
            f"the demo ran here with seed {found.seed}", where=str(home.root), then=f"Give --seed {found.seed}, or --again to start over."
        )
    return found


def start_over(home: Home) -> None:
    """Remove what the demo brought and what was made of it: inbox, lake, pages, messages, the published file.

    Raises:
        UsageError: the lake is not the demo's alone, or not on this disk.

    """
    if is_remote(home.workspace.lake):
        raise UsageError("the lake is not on this disk and is not removed", where="watchkeeper.yaml", then="Use a workspace with a local lake.")
    if progress(home) is None:
        _refuse_foreign_rows(home, "was not made by the demo and is not removed")
    _refuse_foreign_rows(home, "holds other models' rows and is not removed", known={MODEL})
    for folder in (home.root / home.workspace.lake, home.site_dir, home.outbox_dir):
        shutil.rmtree(folder, ignore_errors=True)
    for file in [_progress_file(home), home.published, *(f for glob in _INBOX_FILES for f in (home.root / "inbox").glob(glob))]:
        file.unlink(missing_ok=True)
    home.__dict__.pop("lake", None)  # it remembers tables that are gone


def _refuse_foreign_rows(home: Home, what: str, *, known: frozenset[str] | set[str] = frozenset()) -> None:
    models = home.lake.read(Batch.TABLE, columns=["model"])
    if models is not None and set(models["model"].to_pylist()) - known:
        raise UsageError(f"the lake {what}", where=str(home.root), then="Name a folder for the demo with --home.")


def _progress_file(home: Home) -> Path:
    return home.root / "inbox" / ".demo.json"
