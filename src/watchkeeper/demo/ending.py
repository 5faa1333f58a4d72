"""What the demo has to tell when it is done: read back from the workspace like anybody else could.

Belongs here: gathering. Does not: making any of it (operations/), or printing it (cli/demo.py). Nothing here knows what
the year holds: the worst week is the one with the worst log loss, the causes are those that were tested.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import and_
from pathlib import Path

import pyarrow.compute as pc

from watchkeeper.adapters.workspace import Home, load_monitor
from watchkeeper.demo.run import MODEL
from watchkeeper.judgement.causes import undecided
from watchkeeper.judgement.incidents import Incident, fold
from watchkeeper.monitor import Monitor
from watchkeeper.records import Batch, Digest, IncidentEvent, Quarantined, Run, Score
from watchkeeper.site.message import UNKNOWN, cause_text
from watchkeeper.spelling import is_remote
from watchkeeper.windows import Grid
from watchkeeper.words import counted, window_text


@dataclass(frozen=True, slots=True)
class Found:
    """One incident in a line: what, when, and the first cause."""

    incident_id: str
    severity: str
    state: str
    when: str
    headline: str
    cause: str


@dataclass(frozen=True, slots=True)
class Held:
    """One row in quarantine and why."""

    file: str
    row_number: int
    reasons: list[str]


@dataclass(frozen=True, slots=True)
class Size:
    """How much there is of something."""

    what: str
    rows: int | None
    size_bytes: int | None


@dataclass(frozen=True, slots=True)
class Ending:
    """Everything that is told at the end."""

    incidents: list[Found]
    worst_week: Digest | None
    quarantined: list[Held]
    sizes: list[Size]


def tally(home: Home, *, now: datetime) -> tuple[int, int]:
    """Return how many windows were measured and how many paging incidents are open, for the progress bar."""
    windows = home.lake.newest(Run, as_of=now)
    incidents = fold(home.lake.newest(IncidentEvent, as_of=now))
    is_open = [i for i in incidents if i.is_open and i.severity != "notice"]
    return sum(r.operation == "measure" and r.outcome == "done" for r in windows), len(is_open)


def ending(home: Home, *, now: datetime) -> Ending:
    """Return what the demo found, as of `now`."""
    monitor = load_monitor(home, MODEL)
    incidents = sorted(fold(home.lake.newest(IncidentEvent, as_of=now)), key=lambda i: i.window_start)
    held = home.lake.newest(Quarantined, as_of=now, table=f"{Quarantined.TABLE}/{MODEL}")
    return Ending(
        incidents=[_found(i, monitor) for i in incidents if i.severity != "notice"],
        worst_week=worst_week(home, monitor, now=now),
        quarantined=[Held(q.name, q.row_number, q.reasons) for q in held if q.state == "held"],
        sizes=list(_sizes(home, now)),
    )


def worst_week(home: Home, monitor: Monitor, *, now: datetime) -> Digest | None:
    """Return the weekly digest of the week with the worst log loss, None when there is none."""
    weekly = (d for d in home.lake.newest(Digest, as_of=now) if d.period == "week" and d.model in ("", monitor.model))
    digests = {d.window_start: d for d in weekly}
    losses = {week: loss for week, loss in _weekly_losses(home, monitor, now).items() if week in digests}
    return digests[max(losses, key=lambda week: losses[week])] if losses else None


def _weekly_losses(home: Home, monitor: Monitor, now: datetime) -> dict[datetime, float]:
    """Return week -> log loss: a mean over flights, and so the mean of its days' weighted by their flights."""
    of = {"model": monitor.model, "metric": "log_loss", "segment": "", "version": "", "grain": monitor.window}
    days = home.lake.newest(Score, as_of=now, where=reduce(and_, (pc.field(name) == value for name, value in of.items())))
    grid = Grid("week", monitor.timezone)
    sums: dict[datetime, tuple[float, int]] = defaultdict(lambda: (0.0, 0))
    for day in (d for d in days if d.value is not None):
        week = grid.at(day.window_start).start
        sums[week] = (sums[week][0] + day.value * day.n, sums[week][1] + day.n)
    return {week: total / n for week, (total, n) in sums.items() if n}


def _found(incident: Incident, monitor: Monitor) -> Found:
    causes = [c for c in (incident.story.causes if incident.story else ()) if c.kind != "unknown"]
    when = window_text(incident.window_start, incident.window_end, monitor.timezone)
    return Found(incident.id, incident.severity, incident.state, when, incident.headline, " Or: ".join(map(cause_text, undecided(causes))) or UNKNOWN)


def _sizes(home: Home, now: datetime) -> Iterator[Size]:
    batches = home.lake.newest(Batch, as_of=now)
    for source in ("events", "labels"):
        files = [b for b in batches if b.source == source]
        yield Size(f"{source}, from {counted(len(files), 'file')}", sum(b.rows_landed for b in files), None)
    scores = home.lake.read(Score.TABLE, columns=["model"])
    yield Size("scores, all revisions", 0 if scores is None else scores.num_rows, None)
    yield Size("the inbox", None, _bytes(home.root / "inbox"))
    if not is_remote(home.workspace.lake):
        yield Size("the lake", None, _bytes(home.root / home.workspace.lake))
    yield Size("the pages", None, _bytes(home.site_dir))
    yield Size("the published file", None, _bytes(home.published))


def _bytes(path: Path) -> int:
    return sum(file.stat().st_size for file in [path, *path.rglob("*")] if file.is_file())
