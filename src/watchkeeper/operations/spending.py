"""What a model spent in windows: its GPUs, its tokens, its predictions and how many were right, brought together.

Belongs here: reading these. Does not: scores that are kept (costs.py), the bill of all models (bill.py), arithmetic (measures/).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from fractions import Fraction
from typing import TypeVar
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.adapters.arrow_records import TIMESTAMP
from watchkeeper.adapters.gpu_hours import Claims, sampled_time
from watchkeeper.adapters.lake import among
from watchkeeper.adapters.prices import price_book
from watchkeeper.adapters.requests import Asked, Serving, asked_by_window
from watchkeeper.adapters.token_prices import token_book
from watchkeeper.adapters.workspace import Home
from watchkeeper.errors import ConfigurationError
from watchkeeper.measures import prices, token_prices
from watchkeeper.measures.cost import Spent, right_of
from watchkeeper.measures.gpu_parts import by_segment, by_version
from watchkeeper.measures.gpu_use import TRAINING, Use, usage
from watchkeeper.measures.price_spans import PriceSpan, spans_of
from watchkeeper.measures.prices import Price, Quotes, days_of_change
from watchkeeper.measures.token_prices import TokenPrice, token_charge
from watchkeeper.monitor import Monitor
from watchkeeper.operations.bins_in_force import in_force
from watchkeeper.operations.rollup import rolled_up
from watchkeeper.records import Batch, Score
from watchkeeper.windows import Grid, Window
from watchkeeper.words import counted, listed

Line = TypeVar("Line", Price, TokenPrice)


@dataclass(frozen=True, slots=True)
class Books:
    """The price books of a workspace, and the zone in which prices change at midnight; of a book that is wrong, by its path, what is wrong with it."""

    gpus: Sequence[Price]
    tokens: Sequence[TokenPrice]
    zone: str
    wrong: Mapping[str, ConfigurationError] = field(default_factory=dict)
    _quotes: dict[str, Quotes] = field(default_factory=dict)

    def day_of(self, moment: datetime) -> date:
        """Return the day whose prices hold at a moment."""
        return moment.astimezone(ZoneInfo(self.zone)).date()

    def spans(self, windows: Sequence[Window]) -> list[PriceSpan]:
        """Return windows, cut where a price changes."""
        return spans_of(windows, {*days_of_change(self.gpus), *(p.since for p in self.tokens if p.since is not None)}, self.zone)

    def quotes(self, currency: str) -> Quotes:
        """Return what tells the prices of GPUs in a currency; each is worked out once."""
        wrong = self.wrong.get(prices.BOOK)
        return self._quotes.setdefault(currency, prices.quotes(str(wrong) if wrong else self.gpus, currency))

    def of_tokens(self) -> Sequence[TokenPrice] | str:
        """Return the prices of tokens, or the reason why there are none."""
        wrong = self.wrong.get(token_prices.BOOK)
        return str(wrong) if wrong else self.tokens


def books_of(home: Home) -> Books:
    """Return the price books of a workspace.

    Raises:
        ConfigurationError: one of them is wrong.

    """
    books = books_or_reasons(home)
    for error in books.wrong.values():
        raise error
    return books


def books_or_reasons(home: Home) -> Books:
    """Return the price books, of one that is wrong what is wrong with it."""
    wrong: dict[str, ConfigurationError] = {}

    def lines(read: Callable[[Home], Sequence[Line]], path: str) -> Sequence[Line]:
        try:
            return read(home)
        except ConfigurationError as error:
            wrong[path] = error
            return []

    return Books(lines(price_book, prices.BOOK), lines(token_book, token_prices.BOOK), home.workspace.timezone, wrong)


def claims_of(monitors: Mapping[str, Monitor]) -> Claims:
    """Return which models each host may serve."""
    hosts: dict[str, list[str]] = {}
    for monitor in monitors.values():
        for host in sorted(set(monitor.cost.hosts)):
            hosts.setdefault(host, []).append(monitor.model)
    return Claims(hosts, monitors)


@dataclass(frozen=True, slots=True)
class Answers:
    """What became of a model's predictions in some windows: the accuracy of each, and rows by segment."""

    accuracy: Mapping[datetime, Score] = field(default_factory=dict)
    segments: Mapping[datetime, Mapping[str, int]] = field(default_factory=dict)


def measured_answers(home: Home, monitor: Monitor, windows: Sequence[Window], *, now: datetime) -> Answers:
    """Return the answers of windows of the monitor's own grid, as they were measured."""
    time = pc.field("window_start")
    where = (pc.field("model") == monitor.model) & (pc.field("grain") == monitor.window) & (pc.field("environment") == monitor.environment)
    where &= (pc.field("version") == "") & (pc.field("feature") == "") & among("metric", ("accuracy", "rows")) & in_force(home, monitor, now=now)
    where &= (time >= pa.scalar(windows[0].start, TIMESTAMP)) & (time < pa.scalar(windows[-1].end, TIMESTAMP))
    return _answers(home.lake.newest(Score, as_of=now, where=where))


def summed_answers(home: Home, monitor: Monitor, grid: Grid, start: datetime, end: datetime, *, now: datetime) -> Answers:
    """Return the answers of windows of any grid from the sums of their parts in [start, end), by the start of the whole window."""
    made = rolled_up(home, monitor, grid, now=now, start=start, end=end, metrics={"accuracy", "rows"})
    return _answers([s for s in made if not s.feature])


def _answers(scores: Sequence[Score]) -> Answers:
    segments: dict[datetime, dict[str, int]] = {}
    for score in scores:
        if score.metric == "rows" and score.segment and score.value:
            segments.setdefault(score.window_start, {})[score.segment] = round(score.value)
    return Answers({s.window_start: s for s in scores if s.metric == "accuracy" and not s.segment}, segments)


def first_asked(home: Home, monitor: Monitor, *, now: datetime) -> datetime | None:
    """Return when a model was first asked, as the files that landed tell; None before any."""
    landed = home.lake.newest(Batch, as_of=now, where=(pc.field("model") == monitor.model) & (pc.field("source") == "events"))
    return min((b.starts_at for b in landed if b.starts_at is not None), default=None)


def asked_of(
    home: Home, monitors: Mapping[str, Monitor], books: Books, windows: Sequence[Window], uses: Sequence[Use], *, now: datetime
) -> dict[str, dict[datetime, Asked]]:
    """Return model -> window start -> what was asked of it, and how much of that while the GPUs of these uses that serve it were sampled."""
    spans = books.spans(windows)
    sampled = sampled_time(home.lake, spans, now=now) if uses else None
    return {m: asked_by_window(home.lake, monitor, spans, Serving.of(uses, m, sampled), now=now) for m, monitor in monitors.items()}


def unsampled_text(monitor: Monitor) -> str:
    """Return what is said of a window in which none of a model's GPUs was read."""
    return f"no GPU of {listed(monitor.cost.hosts)} was read in this time: what these cost is not known"


def spent_by(
    monitor: Monitor,
    uses: Sequence[Use],
    window: Window,
    books: Books,
    asked: Asked,
    accuracy: Score | None,
    *,
    with_tokens: bool = True,
    was_sampled: bool = False,
) -> Spent:
    """Return what a model spent in one window, of which these are its uses, all measured or all made up.

    Without any, a model with `cost.hosts` has GPUs that nobody read, unless `was_sampled` says that others of its uses are known.
    """
    currency, training = monitor.cost.currency, [u for u in uses if u.purpose == TRAINING]
    pays_tokens = with_tokens and monitor.cost.llm is not None
    tokens, note = token_charge(asked.all_tokens, monitor.cost.llm or "", books.of_tokens(), currency) if pays_tokens else (None, "")
    if pays_tokens and asked.odd_tokens:
        odd = f"left out: {counted(asked.odd_tokens, 'request')} with tokens that are negative, a fraction or above a hundred million"
        note = "; ".join(filter(None, (note, odd)))
    return Spent(
        gpu=usage(uses, window, books.quotes(currency)) if uses else None,
        unsampled=unsampled_text(monitor) if monitor.cost.hosts and not uses and not was_sampled else "",
        training=usage(training, window, books.quotes(currency)) if training else None,
        tokens=tokens,
        token_note=note,
        pays_tokens=pays_tokens,
        predictions=asked.predictions,
        sampled=asked.in_sampled_time(is_synthetic=any(u.is_synthetic for u in uses)),
        right=right_of(monitor, accuracy),
        currency=currency,
    )


def spent_by_version(
    monitor: Monitor, uses: Sequence[Use], window: Window, books: Books, asked: Asked, *, with_tokens: bool
) -> Iterator[tuple[str, Spent, float]]:
    """Yield each version, what it spent, and which share of its GPU time is an estimate; nothing where neither readings nor rows name any.

    Time of which nothing tells the version is that of the empty one.
    """
    parts = by_version(uses, asked.versions)
    names = sorted({*parts, *(asked.tokens if with_tokens and monitor.cost.llm else ())})
    for version in names if any(names) else ():
        mine, estimated = parts.get(version, ([], 0.0))
        yield version, spent_by(monitor, mine, window, books, asked.of(version), None, with_tokens=with_tokens, was_sampled=bool(uses)), estimated


def segment_shares(rows: Mapping[str, int], asked: Asked) -> dict[str, Fraction]:
    """Return each segment's share of a window's requests, answered or not, as its rows are; shares of one column's segments are never more than all."""
    return by_segment(rows, asked.requests)
