"""Rows and files set aside: seeing them, and deciding that they are let in or given up.

Belongs here: listing, showing, discarding. Does not: letting in (release.py), setting aside (lots.py, marks.py), or corrections (superseded.py).
A decision is a later revision of the same entry, with who and why; nothing is deleted.
"""

import json
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from watchkeeper.adapters.lake import among
from watchkeeper.adapters.workspace import Home
from watchkeeper.errors import UsageError
from watchkeeper.monitor import Monitor
from watchkeeper.operations.lots import WHOLE_FILE, tally, without_values
from watchkeeper.records import Batch, Quarantined

MASK = "***"
_THAT_MOMENT = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Which held entries are meant; what is not given does not narrow the choice."""

    ids: Collection[str] = ()
    batch: str = ""
    matching: str = ""

    def __contains__(self, entry: object) -> bool:
        """Tell whether an entry is meant: ids may be shortened, `matching` is part of a reason."""
        if not isinstance(entry, Quarantined):
            return False
        is_named = not self.ids or any(i and entry.quarantine_id.startswith(i) for i in self.ids)
        is_matched = not self.matching or any(self.matching.lower() in reason.lower() for reason in entry.reasons)
        return is_named and is_matched and entry.batch_id.startswith(self.batch)


ALL = Chosen()


@dataclass(frozen=True, slots=True, kw_only=True)
class Heap:
    """Entries of one file that were set aside for the same reason."""

    model: str
    source: str
    batch_id: str
    name: str
    reason: str
    rows: int
    whole_files: int
    state: str
    since: datetime


def entries(home: Home, monitor: Monitor, *, now: datetime, chosen: Chosen = ALL, states: Collection[str] = ("held",)) -> list[Quarantined]:
    """Return the entries in one of these states as of `now`, by batch and row.

    Raises:
        UsageError: an id, a batch or a reason is asked for that was never in quarantine.

    """
    found = standing(home, monitor, now=now)
    for kind, name, known in [("id", i, [e.quarantine_id for e in found]) for i in chosen.ids] + [
        ("batch", chosen.batch, [e.batch_id for e in found])
    ]:
        if name and not any(one.startswith(name) for one in known):
            raise UsageError(
                f"nothing in quarantine has the {kind} {name!r}", where=monitor.model, then="`watchkeeper quarantine show` lists what is held."
            )
    if chosen.matching and not any(e in replace(chosen, ids=(), batch="") for e in found):
        raise UsageError(
            f"no reason in quarantine holds {chosen.matching!r}", where=monitor.model, then="`watchkeeper quarantine list` tells the reasons."
        )
    return sorted((e for e in found if e.state in states and e in chosen), key=lambda e: (e.batch_id, e.row_number))


def standing(home: Home, monitor: Monitor, *, now: datetime) -> list[Quarantined]:
    """Return every entry as it stands at `now`, with what was decided at that very moment, which is kept microseconds later (`after`)."""
    found: list[Quarantined] = home.lake.newest(Quarantined, as_of=now + _THAT_MOMENT, table=f"quarantine/{monitor.model}")
    return found


def heaps(home: Home, monitors: Sequence[Monitor], *, now: datetime, states: Collection[str] = ("held",)) -> list[Heap]:
    """Return what is set aside, by model, file and reason, without any value; an entry with two reasons counts under both."""
    rows: Counter[tuple[str, ...]] = Counter()
    files: Counter[tuple[str, ...]] = Counter()
    since: dict[tuple[str, ...], datetime] = {}
    for monitor in monitors:
        for entry in entries(home, monitor, now=now, states=states):
            for reason in {without_values(r) for r in entry.reasons}:
                heap = (monitor.model, entry.source, entry.batch_id, entry.name, reason, entry.state)
                (files if entry.row_number == WHOLE_FILE else rows)[heap] += 1
                since[heap] = min(entry.at, since.get(heap, entry.at))
    return [
        Heap(model=h[0], source=h[1], batch_id=h[2], name=h[3], reason=h[4], state=h[5], rows=rows[h], whole_files=files[h], since=at)
        for h, at in sorted(since.items(), key=lambda pair: (pair[0][0], -rows[pair[0]], pair[0]))
    ]


def held(home: Home, monitor: Monitor, *, now: datetime) -> tuple[int, int]:
    """Return how many rows, and how many whole files, are in quarantine."""
    found = entries(home, monitor, now=now)
    files = sum(e.row_number == WHOLE_FILE for e in found)
    return len(found) - files, files


def set_aside(home: Home, batches: Sequence[Batch]) -> list[str]:
    """Return the commonest reasons why something of these batches was set aside, without any value, and of how many rows or files."""
    found: list[Quarantined] = []
    for model in dict.fromkeys(b.model for b in batches):
        mine = among("batch_id", {b.batch_id for b in batches if b.model == model and b.status in ("partial", "quarantined")})
        found += home.lake.newest(Quarantined, where=mine, table=f"{Quarantined.TABLE}/{model}")
    in_order = sorted(found, key=lambda e: (e.source, e.batch_id, e.row_number))
    files, rows = ([e.reasons for e in in_order if (e.row_number == WHOLE_FILE) == is_file] for is_file in (True, False))
    return [*tally(files, "file"), *tally(rows)]


def show_entries(monitor: Monitor, found: Sequence[Quarantined], *, private: bool = False) -> list[dict[str, Any]]:
    """Return entries with their rows as mappings; private columns are masked unless `private`."""
    return [
        {
            "quarantine_id": e.quarantine_id,
            "batch_id": e.batch_id,
            "source": e.source,
            "name": e.name,
            "row_number": e.row_number,
            "reasons": e.reasons,
            "row": _row(monitor, e, private=private),
            "state": e.state,
            "who": e.who,
            "why": e.why,
            "at": e.at,
        }
        for e in found
    ]


def _row(monitor: Monitor, entry: Quarantined, *, private: bool) -> Any:
    if entry.row is None or entry.row_number == WHOLE_FILE:
        return entry.row
    row = json.loads(entry.row)
    if private:
        return row
    if not isinstance(row, dict):
        return MASK if monitor.private else row  # a line that could not be taken apart may hold anything
    hidden = {name.lower() for name in monitor.private}
    return {k: MASK if k.lower() in hidden else v for k, v in row.items()}


def row_of(text: str | None) -> dict[str, Any]:
    """Return a row as it came, column -> value; nothing of a whole file's path, or of a line that could not be taken apart."""
    try:
        values = json.loads(text or "null")
    except ValueError:
        return {}
    return values if isinstance(values, dict) else {}


def discard(home: Home, monitor: Monitor, *, now: datetime, chosen: Chosen, who: str, why: str) -> list[Quarantined]:
    """Give the chosen entries up; they stay readable with who and why. Repeating it changes nothing."""
    return decide(home, monitor, entries(home, monitor, now=now, chosen=chosen), "discarded", now=now, who=who, why=why)


def note_look(home: Home, monitor: Monitor, found: Sequence[Quarantined], *, now: datetime, who: str, why: str) -> None:
    """Put on record that somebody looked at private values, and why."""
    if not why:
        raise UsageError("private values are shown with a reason only", where=monitor.model, then="Add --reason.")
    for state in {e.state for e in found}:
        decide(home, monitor, [e for e in found if e.state == state], state, now=now, who=who, why=f"looked at private values: {why}")


def decide(home: Home, monitor: Monitor, found: Sequence[Quarantined], state: str, *, now: datetime, who: str, why: str) -> list[Quarantined]:
    """Write a later revision of entries, in one commit, and return it."""
    if found and not who:
        raise UsageError("a decision needs somebody who made it", where=monitor.model, then="Say who.")
    decided = [replace(e, state=state, who=who, why=why, at=after(e.at, now)) for e in found]
    home.lake.append_records(Quarantined, decided, table=f"quarantine/{monitor.model}")
    return decided


def after(before: datetime, now: datetime) -> datetime:
    """Return `now`, or the moment just after `before` when both fall together: revisions are told apart by their time."""
    return max(now, before + timedelta(microseconds=1))
