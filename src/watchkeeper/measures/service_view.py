"""The view of a service: what was logged of a window's requests beside their predictions, as sums of parts.

Belongs here: reading quantities off these. Does not: the metrics (service.py, service_to_rest.py), or how values become cells (profiles/grids.py,
profiles/statuses.py).

Latencies, queue times and tokens lie in cells of logarithms; the first cell holds what is no time: 0, a negative one, or one above eleven days. It is
counted apart, said, and left out. Of tokens that is the last cell: what is negative, a fraction, or above a hundred million.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from watchkeeper.profiles.counts import Counts
from watchkeeper.profiles.grids import LATENCY_CELLS, latency_edge, latency_middle
from watchkeeper.profiles.parts import SERVICE
from watchkeeper.profiles.statuses import CLASSES
from watchkeeper.words import percent

LATENCY, QUEUE, STATUS, MINUTES = "@latency", "@queue_time", "@status", "@minute"
INPUT_TOKENS, OUTPUT_TOKENS = "@input_tokens", "@output_tokens"
LIMIT, TAIL = "limit", "tail"
"""The limits that latencies are held against: the one promised, else the reference's 95th percentile; and the reference's 99th."""

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Measured:
    """Positive values of one kind in cells of logarithms, and how many rows have none that counts."""

    counts: Counts = field(default_factory=Counts)

    @cached_property
    def cells(self) -> Ints:
        """The cells with usable values, ascending."""
        return self.counts.cells[self._usable]

    @cached_property
    def rows(self) -> Ints:
        """How many values lie in each of these."""
        return self.counts.counts[self._usable]

    @property
    def _usable(self) -> slice:
        return slice(int(np.searchsorted(self.counts.cells, 1)), None)

    @property
    def n(self) -> int:
        """Rows with a usable value."""
        return int(self.rows.sum())

    @property
    def unusable(self) -> int:
        """Rows whose value is 0, negative, or above all that are measured."""
        return self.counts.valued - self.n

    @property
    def absent(self) -> int:
        """Rows without a value."""
        return self.counts.nulls + self.counts.nans

    @cached_property
    def sum(self) -> float:
        """The sum of usable values: of the whole as they are, elsewhere of the middles of their cells, within 1 %."""
        sums = self.counts.sums[self._usable]
        return float(sums.sum()) if len(sums) else float(self.rows @ latency_middle(self.cells))

    def cell_at(self, q: float) -> int:
        """Return the cell of the q-quantile, 0 where there is no value."""
        return int(self.cells[np.searchsorted(np.cumsum(self.rows), max(1.0, self.n * q))]) if self.n else 0

    def beyond(self, cell: int) -> int:
        """Return how many values lie above a cell."""
        return int(self.rows[self.cells > cell].sum())

    def said(self, what: str) -> str:
        """Return which rows are left out, in words; empty where none are."""
        some = {self._odd(what): self.unusable, f"have no {what}": self.absent}
        told = [f"{n:,} of {self.counts.n:,} rows ({percent(n / self.counts.n)}) {why}" for why, n in some.items() if n]
        return f"left out: {'; '.join(told)}" if told else ""

    def _odd(self, what: str) -> str:
        return f"have a {what} of 0, below, or above eleven days"


class Tokens(Measured):
    """Counts of tokens: 0 is one."""

    @property
    def _usable(self) -> slice:
        return slice(int(np.searchsorted(self.counts.cells, LATENCY_CELLS - 1)))

    def _odd(self, what: str) -> str:
        return f"have {what} that are negative, a fraction or above a hundred million"


@dataclass(frozen=True)
class ServiceView:
    """What was logged of the requests of a window; `seconds` is its length so far, NaN where it has none of its own.

    `limits` are cells of latency that requests are slower than.
    """

    rows: int
    latency: Counts = field(default_factory=Counts)
    status: Counts = field(default_factory=Counts)
    queue: Counts = field(default_factory=Counts)
    input_tokens: Counts = field(default_factory=Counts)
    output_tokens: Counts = field(default_factory=Counts)
    minutes: Counts = field(default_factory=Counts)
    seconds: float = float("nan")
    limits: Mapping[str, int] = field(default_factory=dict)

    @cached_property
    def timed(self) -> Measured:
        """The latencies, ms."""
        return Measured(self.latency)

    @cached_property
    def queued(self) -> Measured:
        """The times in the queue, ms; 0 is one."""
        return Measured(self.queue)

    @property
    def taken(self) -> Tokens:
        """The tokens that went in."""
        return Tokens(self.input_tokens)

    @property
    def given(self) -> Tokens:
        """The tokens that came out."""
        return Tokens(self.output_tokens)

    @property
    def waited(self) -> int:
        """Rows with a time in the queue, those that had none to wait included."""
        return self.queue.valued

    @cached_property
    def by_class(self) -> dict[str, int]:
        """How many requests ended in each class of statuses; those without a status went well."""
        known = self.status.dense(max(len(CLASSES), int(self.status.cells.max(initial=0)) + 1))
        return {name: int(known[cell]) + (self.status.n - self.status.valued if name == "ok" else 0) for cell, name in enumerate(CLASSES)}

    @property
    def errors(self) -> int:
        """Requests whose status is an error."""
        return self.status.n - self.by_class["ok"]

    def limit_ms(self, name: str) -> float:
        """Return what a limit is, ms."""
        return latency_edge(self.limits[name])

    def has(self, *parts: str) -> bool:
        """Tell whether parts of some names were counted."""
        of = {
            LATENCY: self.latency,
            QUEUE: self.queue,
            STATUS: self.status,
            MINUTES: self.minutes,
            INPUT_TOKENS: self.input_tokens,
            OUTPUT_TOKENS: self.output_tokens,
        }
        return all(of[name].n for name in parts)


def service_view(
    sums: Mapping[tuple[str, str, str], Counts], rows: int, seconds: float = float("nan"), limits: Mapping[str, int] | None = None
) -> ServiceView:
    """Return the view of the sums of a window's parts; `rows` how many predictions they are of."""

    def of(name: str) -> Counts:
        return sums.get((SERVICE, name, ""), Counts())

    return ServiceView(
        rows,
        latency=of(LATENCY),
        status=of(STATUS),
        queue=of(QUEUE),
        input_tokens=of(INPUT_TOKENS),
        output_tokens=of(OUTPUT_TOKENS),
        minutes=of(MINUTES),
        seconds=seconds,
        limits=limits or {},
    )
