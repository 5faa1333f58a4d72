"""The bill: what every model's GPUs did and cost by day, week or month, and what no model accounts for.

Belongs here: rows for people, computed from telemetry so that they add up to the bill. Does not: what is stored (costs.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from watchkeeper.adapters.gpu_hours import first_uses, gpu_uses, predictions
from watchkeeper.adapters.prices import price_book
from watchkeeper.adapters.workspace import Home
from watchkeeper.measures.cost import SYNTHETIC, Usage, Use, per_1000, usage
from watchkeeper.monitor import Monitor
from watchkeeper.operations.costs import host_map
from watchkeeper.windows import Grain, Grid, Window


@dataclass(frozen=True, slots=True, kw_only=True)
class BillRow:
    """What one model's GPUs did and cost in one window; `model` is None for what no model accounts for."""

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
    coverage: float
    is_synthetic: bool
    prices: str
    reason: str


def bill(
    home: Home, monitors: Mapping[str, Monitor], *, now: datetime, by: Grain = "week", start: datetime | None = None, end: datetime | None = None
) -> list[BillRow]:
    """Return the rows of the windows (in the workspace's time zone), as known at `now`; unattributed ones last.

    The first and the last window are cut to [start, end), so that what is shown is what was spent in the time asked for.
    Cost and hours of all rows add up to the bill of the sampled time.

    Raises:
        ConfigurationError: the price book is wrong.

    """
    book = price_book(home)
    hosts = host_map(monitors.values())
    began = start or min(first_uses(home.lake, hosts, now=now).values(), default=now)
    windows = [_cut(w, start, end) for w in Grid(by, home.workspace.timezone).between(began, min(end or now, now))]
    cells: dict[tuple[str | None, Window, bool], list[Use]] = {}
    by_start = {w.start: w for w in windows}
    for use in gpu_uses(home.lake, windows, hosts, now=now):
        cells.setdefault((use.model, by_start[use.window_start], use.is_synthetic), []).append(use)
    counts = {model: predictions(home.lake, monitors[model], windows, now=now) for model in monitors}
    rows: list[BillRow] = []
    for (model, window, _), uses in cells.items():
        used = usage(uses, window, book, _currency(model, monitors))
        answered = counts[model].get(window.start, 0) if model is not None and model in counts else None
        rows.append(_row(model, window, by, used, answered))
    return sorted(rows, key=lambda r: (r.model is None, r.model or "", r.window_start, r.is_synthetic))


def _cut(window: Window, start: datetime | None, end: datetime | None) -> Window:
    return Window(max(window.start, start or window.start), min(window.end, end or window.end))


def _currency(model: str | None, monitors: Mapping[str, Monitor]) -> str:
    """Return the model's currency; for what is not a monitor's, the one all monitors share, else USD."""
    if model is not None and model in monitors:
        return monitors[model].cost.currency
    shared: Sequence[str] = sorted({m.cost.currency for m in monitors.values()})
    return shared[0] if len(shared) == 1 else "USD"


def _row(model: str | None, window: Window, grain: Grain, used: Usage, answered: int | None) -> BillRow:
    return BillRow(
        model=model,
        window_start=window.start,
        window_end=window.end,
        grain=grain,
        gpu_hours=used.gpu_hours,
        cost=None if used.cost is None else float(used.cost),
        currency=used.currency,
        predictions=answered,
        cost_per_1000_predictions=per_1000(used.cost, answered or 0),
        busy_ratio=used.busy_ratio,
        energy_kwh=used.energy_kwh,
        coverage=used.coverage,
        is_synthetic=used.is_synthetic,
        prices=used.pricing if used.cost is not None else "",
        reason="; ".join(_reasons(used)),
    )


def _reasons(used: Usage) -> list[str]:
    reasons = [SYNTHETIC] if used.is_synthetic else []
    return reasons if used.cost is not None else [*reasons, used.pricing]
