"""The bill: what every model cost by day, week or month, what no model accounts for, and what nobody held.

Belongs here: rows for people, computed from telemetry so that they add up to the bill. Does not: the parts of a row (bill_parts.py), what is stored (costs.py),
reading (spending.py).
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from fractions import Fraction

from watchkeeper.adapters.gpu_hours import first_uses, gpu_uses
from watchkeeper.adapters.requests import Asked
from watchkeeper.adapters.workspace import Home
from watchkeeper.judgement.budget import Outlook
from watchkeeper.measures.cost import SHARED_OUT, SYNTHETIC, Spent
from watchkeeper.measures.gpu_use import TRAINING, Account, Use, in_cents, usage
from watchkeeper.monitor import Monitor
from watchkeeper.operations.bill_parts import OF_GPUS, Part, in_whole_cents, part_of_tokens, parts_of_segments, parts_of_uses, parts_of_versions
from watchkeeper.operations.spending import (
    Answers,
    Books,
    asked_of,
    books_of,
    claims_of,
    first_asked,
    spent_by,
    summed_answers,
)
from watchkeeper.windows import Grain, Grid, Window
from watchkeeper.words import number_text, percent

_HOUR_US = 3_600_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class BillRow:
    """What one account cost in one window: a model, or (`model` is None) what no model accounts for or nobody held."""

    model: str | None
    window_start: datetime
    window_end: datetime
    grain: Grain
    gpu_hours: float
    cost: float | None
    currency: str
    predictions: int | None
    cost_per_1000_predictions: float | None
    busy_ratio: float | None
    energy_kwh: float | None
    energy_counted_ratio: float | None
    """Share of it that the GPUs' own counters told; the rest is power times time, an estimate."""
    coverage: float | None
    is_synthetic: bool
    prices: str
    reason: str
    account: Account = "model"
    team: str = ""
    cents: int | None = None
    """The cost in whole hundredths; of all rows they add up to the bill in whole hundredths."""
    unpriced_gpu_hours: float = 0.0
    """Those of devices without a price: they are in no cost, and the reason names the line to add."""
    is_partly_priced: bool = False
    """Whether `cost` leaves something out, for want of a price or of readings."""
    gpu_us: int = 0
    """GPU time in whole microseconds; of all rows it adds up exactly."""
    gpu_cost: float | None = None
    token_cost: float | None = None
    training_gpu_hours: float = 0.0
    training_cost: float | None = None
    wasted_ratio: float | None = None
    co2_kg: float | None = None
    co2_note: str = ""
    sampled_predictions: int | None = None
    """Of the predictions those of the time in which its GPUs were sampled: the GPUs' cost is divided by these."""
    per_prediction_note: str = ""
    """Which predictions were divided by, where not all; without a cost of a prediction, why there is none."""
    correct_ratio: float | None = None
    cost_per_correct_prediction: float | None = None
    correct_state: str = ""
    correct_note: str = ""
    estimated_ratio: float = 0.0
    parts: list[Part] = field(default_factory=list)
    outlook: Outlook | None = None
    """The month that goes on, beside its budget; of a model's newest row (budgets.py)."""

    @property
    def is_unread(self) -> bool:
        """Whether it has GPUs of which none was read: what they did is not known, and the cost is that of its tokens."""
        return self.coverage == 0 and not self.gpu_us


@dataclass(frozen=True, slots=True)
class _Cell:
    """What a row is made of."""

    account: Account
    model: str | None
    whole: Window
    window: Window
    past: Window
    """What of the window is over: time that has not come is not time without readings."""
    uses: list[Use]
    with_tokens: bool
    currency: str


def bill(
    home: Home, monitors: Mapping[str, Monitor], *, now: datetime, by: Grain = "week", start: datetime | None = None, end: datetime | None = None
) -> list[BillRow]:
    """Return the rows of the windows (in the workspace's time zone), as known at `now`; what is no model's comes last.

    The first and the last window are cut to [start, end), so that what is shown is what was spent in the time asked for.
    Time and cents of all rows add up to the bill of the sampled time, and of the tokens, exactly.

    Raises:
        ConfigurationError: a price book is wrong.

    """
    books = books_of(home)
    asked_first = [at for m in monitors.values() if m.cost.llm and (at := first_asked(home, m, now=now))]
    began = start or min([*first_uses(home.lake, claims_of(monitors), now=now).values(), *asked_first], default=now)
    grid = Grid(by, home.workspace.timezone)
    wholes = {_cut(w, start, end): w for w in grid.between(began, min(end or now, now))}
    order = ("model", "unattributed", "idle")
    rows = billed(home, monitors, books, grid, wholes, now=now)
    return sorted(rows, key=lambda r: (order.index(r.account), r.model or "", r.window_start, r.is_synthetic))


def billed(
    home: Home,
    monitors: Mapping[str, Monitor],
    books: Books,
    grid: Grid,
    wholes: Mapping[Window, Window],
    *,
    now: datetime,
    alone: str | None = None,
) -> Iterator[BillRow]:
    """Return the rows of some windows (ascending), each with the window of the grid that it is, or is cut from.

    Where one model `alone` is asked for, what is had for the money is told of that one: rows of others have GPU time and its cost, and no tokens.
    """
    windows, claims = list(wholes), claims_of(monitors)
    uses = gpu_uses(home.lake, books.spans(windows), claims, now=now)
    used = {u.model for u in uses}
    told = {m: monitor for m, monitor in monitors.items() if alone in (None, m) and (m in used or monitor.cost.llm)}
    asked = asked_of(home, told, books, windows, uses, now=now)
    answers = {m: summed_answers(home, monitor, grid, windows[0].start, windows[-1].end, now=now) for m, monitor in told.items() if windows}
    made: list[tuple[BillRow, Fraction | None]] = []
    for cell in _cells(uses, wholes, monitors, asked, now):
        monitor = told.get(cell.model or "")
        if monitor is None:
            made.append(_of_nobody(cell, books, grid.grain))
        else:
            requests = asked[monitor.model].get(cell.window.start, Asked())
            made.append(_of_model(monitor, cell, books, requests, answers[monitor.model], grid.grain))
    return _with_cents(made)


def _cut(window: Window, start: datetime | None, end: datetime | None) -> Window:
    return Window(max(window.start, start or window.start), min(window.end, end or window.end))


def _cells(
    uses: Sequence[Use],
    wholes: Mapping[Window, Window],
    monitors: Mapping[str, Monitor],
    asked: Mapping[str, Mapping[datetime, Asked]],
    now: datetime,
) -> Iterator[_Cell]:
    """Yield what each row is made of; where a model has measured time and a made-up trace, its tokens go with the measured one."""
    by_start = {w.start: w for w in wholes}
    found: dict[tuple[str | None, Account, datetime], dict[bool, list[Use]]] = {}
    for use in uses:
        found.setdefault((use.model, use.account, use.window_start), {}).setdefault(use.is_synthetic, []).append(use)
    for payer, counts in ((m, counts) for m, counts in asked.items() if monitors[m].cost.llm):
        for start in (s for s, a in counts.items() if a.tokens):
            found.setdefault((payer, "model", start), {False: []})
    for (model, account, start), sides in found.items():
        for place, made_up in enumerate(sorted(sides)):
            window = by_start[start]
            yield _Cell(account, model, wholes[window], window, window.until(now), sides[made_up], place == 0, _currency(model, monitors))


def _currency(model: str | None, monitors: Mapping[str, Monitor]) -> str:
    """Return the model's currency; for what is not a monitor's, the one all monitors share, else USD."""
    if model is not None and model in monitors:
        return monitors[model].cost.currency
    shared: Sequence[str] = sorted({m.cost.currency for m in monitors.values()})
    return shared[0] if len(shared) == 1 else "USD"


def _of_nobody(cell: _Cell, books: Books, grain: Grain) -> tuple[BillRow, Fraction | None]:
    """Return the row of what no monitor is for, or of which GPU time alone is asked for."""
    quote = books.quotes(cell.currency)
    used = usage(cell.uses, cell.past, quote)
    training = [u for u in cell.uses if u.purpose == TRAINING]
    spent = Spent(gpu=used, training=usage(training, cell.past, quote) if training else None, currency=cell.currency)
    team = ", ".join(sorted({u.team for u in cell.uses if u.team}))
    parts = [p for per in OF_GPUS for p in parts_of_uses(cell.uses, cell.past, quote, per)]
    row = replace(_row(cell, spent, grain), predictions=None, sampled_predictions=None, per_prediction_note="", team=team, parts=parts)
    return row, spent.priced


def _of_model(monitor: Monitor, cell: _Cell, books: Books, asked: Asked, answers: Answers, grain: Grain) -> tuple[BillRow, Fraction | None]:
    spent = spent_by(monitor, cell.uses, cell.past, books, asked, answers.accuracy.get(cell.whole.start), with_tokens=cell.with_tokens)
    rows = answers.segments.get(cell.whole.start, {})
    quote, billed_to = books.quotes(cell.currency), monitor.billed_to
    parts = [
        *parts_of_versions(monitor, cell.uses, cell.past, books, asked, with_tokens=cell.with_tokens),
        *(p for per in OF_GPUS for p in (*parts_of_uses(cell.uses, cell.past, quote, per, billed_to), *part_of_tokens(spent, per))),
        *parts_of_segments(spent, rows, asked),
    ]
    correct = spent.right.accuracy is not None and spent.per_correct is not None
    row = replace(
        _row(cell, spent, grain),
        team=monitor.billed_to,
        correct_ratio=spent.right.accuracy,
        cost_per_correct_prediction=spent.per_correct,
        correct_state=spent.right.state if correct else "",
        correct_note=spent.right.why_none,
        parts=parts,
    )
    return row, spent.priced


def _row(cell: _Cell, spent: Spent, grain: Grain) -> BillRow:
    used, cost, training = spent.gpu, spent.priced, spent.training
    return BillRow(
        model=cell.model,
        account=cell.account,
        window_start=cell.window.start,
        window_end=cell.window.end,
        grain=grain,
        gpu_us=used.gpu_us if used else 0,
        gpu_hours=used.gpu_hours if used else 0.0,
        cost=None if cost is None else float(cost),
        unpriced_gpu_hours=used.priced.missing_us / _HOUR_US if used else 0.0,
        is_partly_priced=cost is not None and spent.total is None,
        gpu_cost=None if used is None or used.priced.cost is None else float(used.priced.cost),
        token_cost=None if spent.tokens is None else float(spent.tokens),
        training_gpu_hours=training.gpu_hours if training else 0.0,
        training_cost=None if training is None or training.priced.cost is None else float(training.priced.cost),
        currency=cell.currency,
        predictions=spent.predictions,
        sampled_predictions=spent.sampled if spent.of_gpus is not None else None,
        cost_per_1000_predictions=spent.per_1000,
        per_prediction_note=spent.divided_by,
        busy_ratio=used.busy_ratio if used else None,
        wasted_ratio=used.wasted_ratio if used else None,
        energy_kwh=used.energy_kwh if used else None,
        energy_counted_ratio=used.energy_counted_ratio if used else None,
        co2_kg=used.co2_kg if used else None,
        co2_note=used.co2_note if used else "",
        coverage=used.coverage if used else 0.0 if spent.unsampled else None,
        estimated_ratio=used.estimated_ratio if used else 0.0,
        is_synthetic=spent.is_synthetic,
        prices=spent.pricing if spent.total is not None else used.priced.prices if used else "",
        reason="; ".join(_reasons(spent)),
    )


def _reasons(spent: Spent) -> list[str]:
    reasons = [SYNTHETIC] if spent.is_synthetic else []
    ratio = spent.gpu.estimated_ratio if spent.gpu else 0.0
    reasons += [f"{percent(ratio)} of its GPU time is {SHARED_OUT}"] if ratio else []
    return reasons if spent.total is not None else [*reasons, *_unpriced(spent)]


def _unpriced(spent: Spent) -> Iterator[str]:
    """Yield why something has no price, and how much of the GPU time that is where the rest has one."""
    lacking = spent.gpu.priced if spent.gpu else None
    if spent.gpu is not None and lacking is not None and lacking.missing:
        is_part = lacking.missing_us < spent.gpu.gpu_us
        yield (f"{number_text(lacking.missing_us / _HOUR_US)} of {number_text(spent.gpu.gpu_hours)} GPU-hours: " if is_part else "") + lacking.missing
    if spent.unsampled:
        yield spent.unsampled
    if spent.pays_tokens and spent.tokens is None:
        yield spent.token_note


def _with_cents(made: Sequence[tuple[BillRow, Fraction | None]]) -> Iterator[BillRow]:
    """Yield rows with their cents, which of each currency add up to its bill."""
    priced = sorted((pair for pair in made if pair[1] is not None), key=lambda pair: pair[0].currency)
    for _, several in itertools.groupby(priced, key=lambda pair: pair[0].currency):
        mine = list(several)
        for (row, _), cents in zip(mine, in_cents([cost for _, cost in mine if cost is not None]), strict=True):
            yield replace(row, cents=cents, parts=in_whole_cents(row.parts, cents))
    yield from (row for row, cost in made if cost is None)
