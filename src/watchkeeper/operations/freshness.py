"""Whether what people look at is still what would be made anew: a print of all that it is made from.

Belongs here: that print, from the lake's own versions, without reading rows. Does not: making pages (pages.py) or the
published file (publish.py).
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from watchkeeper.adapters.monitor_files import Problem
from watchkeeper.adapters.swap import write_whole
from watchkeeper.adapters.warehouse import clock_of
from watchkeeper.adapters.workspace import Home
from watchkeeper.judgement.silences import is_in_force
from watchkeeper.monitor import Monitor
from watchkeeper.operations.incident_book import known_silences
from watchkeeper.operations.look import FOLDER
from watchkeeper.records import RECORDS, Quarantined
from watchkeeper.samples import MetricSample, Span

_STAMP = ".published.json"
_ON_NO_PAGE = (Span, MetricSample)


def print_of(home: Home, monitors: Mapping[str, Monitor], problems: Sequence[Problem], *, now: datetime) -> str:
    """Return a print of what can be seen at `now`: tables, monitors, reports, silences that last, and the day, since old rows fall out of lists.

    Of two moments after the newest row of the lake the later one shows nothing more.
    """
    tables = {r.TABLE: r for r in RECORDS if r not in (Quarantined, *_ON_NO_PAGE)} | {
        f"{Quarantined.TABLE}/{model}": Quarantined for model in monitors
    }
    versions, newest = [], []
    for name, record in tables.items():
        found = home.lake.table(name)
        versions.append((name, None if found is None else found.version()))
        newest.append(None if found is None else home.lake.newest_moment(name, clock_of(record)))
    known = [at for at in newest if at is not None]
    seen = min(now, max(known)) if known and len(known) == sum(v is not None for _, v in versions) else now
    looks = sorted(p.name for p in (home.site_dir / FOLDER).glob("*.html"))
    silent = [s.silence_id for s in known_silences(home, now=now) if is_in_force(s, now)]
    said = (versions, silent, seen.isoformat(), f"{now:%Y-%m-%d}", home.workspace, sorted(monitors.items()), [str(p) for p in problems], looks)
    return hashlib.sha256(repr(said).encode()).hexdigest()


def is_published(home: Home, made_from: str) -> bool:
    """Tell whether the published file was made from the same, and nobody has written into it since."""
    stamp = home.site_dir / _STAMP
    return stamp.is_file() and json.loads(stamp.read_text(encoding="utf-8")) == _stamp(home.published, made_from)


def note_published(home: Home, made_from: str) -> None:
    """Write down what the published file was made from."""
    write_whole(home.site_dir / _STAMP, json.dumps(_stamp(home.published, made_from)))


def _stamp(path: Path, made_from: str) -> list[object]:
    found = path.stat() if path.is_file() else None
    return [made_from, found and found.st_size, found and found.st_mtime_ns]
