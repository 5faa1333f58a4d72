"""What a period cost, for a model's digest: from the bill of that period.

Belongs here: which figures of the bill a digest tells. Does not: the bill (bill.py), the words (judgement/spending.py).
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.adapters.arrow_records import TIMESTAMP
from watchkeeper.adapters.lake import among
from watchkeeper.adapters.workspace import Home, load_monitors
from watchkeeper.judgement.advice import material, saving_text
from watchkeeper.judgement.budget import Outlook, known_by
from watchkeeper.judgement.spending import Spending
from watchkeeper.measures.cost import COST_METRICS, SYNTHETIC
from watchkeeper.monitor import Monitor
from watchkeeper.operations.advise import advise, facts_of
from watchkeeper.operations.bill import BillRow, billed
from watchkeeper.operations.bill_parts import Per
from watchkeeper.operations.budgets import outlook
from watchkeeper.operations.spending import books_or_reasons
from watchkeeper.records import Score
from watchkeeper.spelling import segment_pairs
from watchkeeper.windows import Grid, Window


def spending_of(home: Home, monitor: Monitor, grid: Grid, window: Window, *, now: datetime) -> Spending | None:
    """Return what a model cost in a window of a grid, measured where there is both, else the made-up trace.

    Where nothing can be said of that there is the month beside the budget, and None without one.
    """
    budgeted = outlook(home, monitor, now=now, at=window.end) if monitor.cost.budget is not None else None
    unmeasured = _unmeasured(monitor, budgeted) if budgeted is not None else None
    if not _is_costed(home, monitor, window, now):
        return unmeasured
    monitors, books = {**load_monitors(home)[0], monitor.model: monitor}, books_or_reasons(home)
    rows = list(billed(home, monitors, books, grid, {window: window}, now=now, alone=monitor.model))
    mine = sorted((r for r in rows if r.model == monitor.model), key=lambda r: r.is_synthetic)
    if not mine:
        return unmeasured
    is_known = mine[0].cost is not None and not mine[0].is_synthetic
    could = material(advise(monitor, facts_of(home, monitor, monitors, books, now=now, at=window.end))) if is_known else None
    lacks_tokens = monitor.cost.llm is not None and mine[0].token_cost is None
    return replace(_spending(mine[0], rows), lacks_tokens=lacks_tokens, outlook=budgeted, advice=saving_text(could) if could else "")


def _is_costed(home: Home, monitor: Monitor, window: Window, now: datetime) -> bool:
    """Tell whether there was something that costs, with a price or without, in any window that the period has a part of."""
    where = (pc.field("window_end") > pa.scalar(window.start, TIMESTAMP)) & (pc.field("window_start") < pa.scalar(window.end, TIMESTAMP))
    where &= pc.field("environment") == monitor.environment
    where &= (pc.field("model") == monitor.model) & (pc.field("version") == "") & (pc.field("segment") == "") & among("metric", COST_METRICS)
    return any(s.value is not None or s.state == "not_evaluated" for s in home.lake.newest(Score, as_of=now, where=where))


def _unmeasured(monitor: Monitor, budgeted: Outlook) -> Spending:
    """Return what is said of a period with neither readings nor tokens, of a model with a budget."""
    lacking = known_by(monitor)
    taken = "; `watchkeeper sample-gpus` takes readings" if lacking != "tokens" else ""
    return Spending(gpu_hours=0.0, currency=monitor.cost.currency, unknown_because=f"no {lacking} of this period{taken}", outlook=budgeted)


def _spending(row: BillRow, rows: Sequence[BillRow]) -> Spending:
    alike = [r for r in rows if r.is_synthetic == row.is_synthetic]
    return Spending(
        gpu_hours=row.gpu_hours,
        currency=row.currency,
        is_synthetic=row.is_synthetic,
        total_cost=None if row.is_partly_priced else row.cost,
        priced_cost=row.cost,
        unknown_because="" if row.cost is not None else row.reason.removeprefix(f"{SYNTHETIC}; "),
        unpriced_hours=row.unpriced_gpu_hours,
        per_1000=row.cost_per_1000_predictions,
        per_correct=row.cost_per_correct_prediction,
        is_provisional=row.correct_state == "provisional",
        busy_ratio=row.busy_ratio,
        wasted_ratio=row.wasted_ratio,
        coverage=None if row.is_unread else row.coverage,
        energy_kwh=row.energy_kwh,
        energy_counted_ratio=row.energy_counted_ratio,
        co2_kg=row.co2_kg,
        training_hours=row.training_gpu_hours,
        training_cost=row.training_cost,
        token_cost=row.token_cost,
        estimated_ratio=row.estimated_ratio,
        team=row.team,
        versions=_dearest(row, "version"),
        segments=[(_segment_text(name), cost) for name, cost in _dearest(row, "segment")],
        idle_hours=sum(r.gpu_hours for r in alike if r.account == "idle"),
        unattributed_hours=sum(r.gpu_hours for r in alike if r.account == "unattributed"),
        every_hours=sum(r.gpu_hours for r in alike),
    )


def _dearest(row: BillRow, per: Per) -> list[tuple[str, float]]:
    return sorted(((p.of, p.cost) for p in row.parts if p.per == per and p.cost is not None and not p.is_rest), key=lambda part: (-part[1], part[0]))


def _segment_text(name: str) -> str:
    return " and ".join(f"{column} {value}" for column, value in segment_pairs(name))
