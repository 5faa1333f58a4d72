"""What intake found in a stretch of time: rows that were set aside, and expectations that rows broke and landed all the same.

Belongs here: bringing what is kept of files to the time of their rows. Does not: checking (ingest.py), what follows (judge.py, report.py).
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from itertools import chain

import pyarrow.compute as pc

from watchkeeper.adapters.lake import among
from watchkeeper.adapters.workspace import Home
from watchkeeper.judgement.evidence import ROLLING, Broken
from watchkeeper.monitor import Monitor
from watchkeeper.operations.times import moment_of
from watchkeeper.records import Batch, Quarantined, Validation
from watchkeeper.windows import Window

_TELLING = 0.2  # a smaller share of rows breaks no number


@dataclass
class Intake:
    """What is known at `now` of the files of a model; read once, however many stretches of time are asked about."""

    home: Home
    monitor: Monitor
    now: datetime
    _checked: dict[str, list[Validation]] = field(default_factory=dict)

    def set_aside(self, window: Window) -> tuple[int, list[tuple[str, int]]]:
        """Return how many rows of the window are held in quarantine, and the commonest reasons.

        A row belongs to the window that its own time says; one without a time that can be read, to the moment it came.
        """
        inside = [row for moment, row in self._held if moment in window]
        return len(inside), Counter(reason for row in inside for reason in row.reasons).most_common(3)

    def broken(self, window: Window) -> list[Broken]:
        """Return expectations on inputs and outputs of the model that a fifth of the window's rows broke more than rows of the 56 days before.

        A file belongs to the window that the middle of its rows' time lies in. The largest share comes first.
        """
        during = [batch for batch, middle in self._middles.items() if middle in window]
        before = [batch for batch, middle in self._middles.items() if window.start - ROLLING <= middle < window.start]
        shares, usual = _shares(self._validations(during)), _shares(self._validations(before))
        roles = self.monitor.columns
        named = {roles.id, roles.time, roles.version, roles.environment, roles.status}  # neither inputs nor outputs of the model
        found = [Broken(column, expectation, share, usual.get((column, expectation), 0.0)) for (column, expectation), share in shares.items()]
        found = [b for b in found if b.column not in named]
        return sorted((b for b in found if b.share - b.usual >= _TELLING), key=lambda b: (-b.share, b.column))

    @cached_property
    def _batches(self) -> list[Batch]:
        found: list[Batch] = self.home.lake.newest(Batch, as_of=self.now, where=pc.field("model") == self.monitor.model)
        return found

    @cached_property
    def _held(self) -> list[tuple[datetime, Quarantined]]:
        held = [q for q in self.home.lake.newest(Quarantined, as_of=self.now, table=f"quarantine/{self.monitor.model}") if q.state == "held"]
        came = {b.batch_id: b.landed_at for b in self._batches} if held else {}
        return [(_time_of(q, self.monitor) or came.get(q.batch_id, q.at), q) for q in held]

    @cached_property
    def _middles(self) -> dict[str, datetime]:
        events = [b for b in self._batches if b.source == "events"]
        return {b.batch_id: b.starts_at + (b.ends_at - b.starts_at) / 2 for b in events if b.starts_at is not None and b.ends_at is not None}

    def _validations(self, batches: Sequence[str]) -> Iterator[Validation]:
        unread = sorted(set(batches) - self._checked.keys())
        if unread:
            self._checked.update((batch, []) for batch in unread)
            mine = among("batch_id", unread)
            for validation in self.home.lake.newest(Validation, as_of=self.now, where=mine):
                self._checked[validation.batch_id].append(validation)
        return chain.from_iterable(self._checked[batch] for batch in batches)


def _shares(validations: Iterable[Validation]) -> dict[tuple[str, str], float]:
    """Return the share of rows that broke each expectation on the values of one column."""
    broken: dict[tuple[str, str], int] = defaultdict(int)
    looked: dict[tuple[str, str], int] = defaultdict(int)
    for v in validations:
        if v.column and v.unexpected_count is not None and v.element_count:
            broken[v.column, v.expectation] += v.unexpected_count
            looked[v.column, v.expectation] += v.element_count
    return {about: broken[about] / rows for about, rows in looked.items()}


def _time_of(row: Quarantined, monitor: Monitor) -> datetime | None:
    if row.row is None or row.row_number < 0 or row.source != "events":
        return None
    try:
        values = json.loads(row.row)
    except ValueError:
        return None
    return moment_of(values.get(monitor.columns.time), monitor.timezone) if isinstance(values, dict) else None
