"""A small model whose files tests write line by line, and what the lake holds of it afterwards."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from watchkeeper.adapters.lake import Lake
from watchkeeper.adapters.workspace import Home
from watchkeeper.monitor import Monitor
from watchkeeper.operations.ingest import ingest
from watchkeeper.operations.quarantine import entries
from watchkeeper.records import Batch

NOW = datetime(2025, 3, 1, tzinfo=UTC)
LATER = datetime(2025, 3, 2, tzinfo=UTC)
LOANS: dict[str, Any] = {
    "model": "loans",
    "task": "binary",
    "timezone": "America/New_York",
    "events": {"files": "inbox/loans-*"},
    "labels": {"files": "inbox/repaid-*", "join": "loan", "column": "defaulted"},
    "columns": {"id": "loan", "time": "asked_at", "score": "risk", "status": "status"},
    "reference": {"from": "2025-01-01", "to": "2025-02-01"},
    "private": ["income"],
}
HEADER = "loan,asked_at,risk,amount\n"
GOOD = "a,2025-02-01T10:00:00Z,0.1,100\nb,2025-02-01T11:00:00Z,0.9,200\n"
NEXT = HEADER + "next,2025-02-02T10:00:00Z,0.5,300\n"


def loans(**changes: Any) -> Monitor:
    """Return the monitor, with some of its parts changed."""
    return Monitor.model_validate({**LOANS, **changes})


def put(home: Home, name: str, content: str | bytes) -> Path:
    """Write a file into the inbox."""
    path = home.root / "inbox" / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def take(home: Home, monitor: Monitor | None = None, *, now: datetime = NOW, **how: Any) -> list[Batch]:
    """Take in what is new."""
    return ingest(home, monitor or loans(), now=now, **how)


def landed(home: Home, *columns: str, table: str = "events/loans", by: str = "loan") -> list[dict[str, Any]]:
    """Return what the lake holds, in the order of `by`; of all columns or some."""
    found = home.lake.read(table)
    rows: list[dict[str, Any]] = (
        [] if found is None else found.sort_by([(by, "ascending"), ("wk_batch", "ascending"), ("wk_row", "ascending")]).to_pylist()
    )
    return [{c: row[c] for c in columns} for row in rows] if columns else rows


def ids(home: Home) -> list[Any]:
    """Return the ids of the landed events."""
    return [row["loan"] for row in landed(home)]


def held(home: Home, monitor: Monitor | None = None, *, now: datetime = LATER) -> dict[int, list[str]]:
    """Return row number -> reasons of what is in quarantine, -1 for whole files."""
    return {e.row_number: e.reasons for e in entries(home, monitor or loans(), now=now)}


def counts(home: Home) -> list[tuple[Any, ...]]:
    """Return the figures of all batches, to compare two lakes; two runs at once may leave a mark twice, with one key."""
    found: Sequence[Batch] = home.lake.newest(Batch)
    return sorted((b.batch_id, b.status, b.rows_read, b.rows_landed, b.rows_quarantined, b.rows_duplicate) for b in found)


def suite(home: Home, name: str, *expectations: Mapping[str, Any]) -> None:
    """Write an expectation suite."""
    import json

    (home.root / "expectations" / f"{name}.json").write_text(json.dumps({"name": name, "expectations": list(expectations), "meta": {}}))


def expect(kind: str, *, severity: str = "critical", why: str = "because", **arguments: Any) -> dict[str, Any]:
    """Return one expectation of a suite."""
    return {"type": kind, "kwargs": arguments, "severity": severity, "meta": {"owner": "data", "why": why}}


class Killed(BaseException):
    """Ends the process as a kill would, as far as anything behind it is concerned."""


class DyingLake(Lake):
    """A lake whose process ends after so many commits."""

    commits_left = 0

    def append(self, *arguments: Any, **named: Any) -> None:
        """Commit, or die before."""
        if self.commits_left == 0:
            raise Killed
        super().append(*arguments, **named)
        self.commits_left -= 1
