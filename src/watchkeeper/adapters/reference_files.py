"""A reference of files: the days in the lake that the rows of those files span.

Belongs here: which landed files are the reference's, and from which day to which. Does not: landing them (operations/ingest.py,
like any other file of events), or what is learned from those days (operations/fit.py).
"""

from datetime import date, datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from watchkeeper.monitor import Monitor

if TYPE_CHECKING:
    from watchkeeper.adapters.workspace import Home


def dated(home: "Home", monitor: Monitor) -> Monitor:
    """Return the monitor with the days of its reference files as `from` and `to`; unchanged while none of them has landed."""
    pattern = monitor.reference.files
    if pattern is None:
        return monitor
    import pyarrow.compute as pc

    from watchkeeper.records import Batch

    mine = (pc.field("model") == monitor.model) & (pc.field("source") == "events") & pc.field("starts_at").is_valid()
    found = home.lake.read(Batch.TABLE, columns=["path", "starts_at", "ends_at"], where=mine)
    rows = [r for r in found.to_pylist() if _is_named_by(pattern, home.root, r["path"])] if found is not None else []
    if not rows:
        return monitor
    days = {
        "from_": _day(min(r["starts_at"] for r in rows), monitor.timezone),
        "to": _day(max(r["ends_at"] for r in rows), monitor.timezone) + timedelta(days=1),
    }
    return monitor.model_copy(update={"reference": monitor.reference.model_copy(update=days)})


def _is_named_by(pattern: str, root: Path, path: str) -> bool:
    """Tell whether a glob, a folder or a path names a file, which may have gone since it landed."""
    if "://" in pattern or "://" in path:
        from watchkeeper.adapters.stored_files import matches

        return matches(path, pattern)
    named, file = root.resolve() / pattern, root.resolve() / path
    return bool(path) and (fnmatchcase(str(file), str(named)) or file.is_relative_to(named))


def _day(moment: datetime, timezone: str) -> date:
    return moment.astimezone(ZoneInfo(timezone)).date()
