"""The command about GPUs and money: costs.

Belongs here: arguments, and what is printed. Does not: taking readings (sampling.py), or adding them up (operations/bill.py).
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

import typer

from watchkeeper.adapters.workspace import load_monitors
from watchkeeper.cli.frame import HomeOption, NowOption, days, moment, open_home
from watchkeeper.cli.output import JsonOption, as_dict, cell, complain, say, show, window_so_far
from watchkeeper.measures.cost import SYNTHETIC
from watchkeeper.operations.bill import BillRow, bill
from watchkeeper.words import number_text

UNATTRIBUTED = "unattributed"
_TABLE = (
    "model",
    "window",
    "gpu_hours",
    "cost",
    "currency",
    "cost_per_1000_predictions",
    "busy_ratio",
    "energy_kwh",
    "coverage",
    "is_synthetic",
)


class By(StrEnum):
    """The windows of a listing."""

    day = "day"
    week = "week"
    month = "month"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("costs", epilog="Example: watchkeeper costs flight_delays --from 2013-04-22 --to 2013-04-29 --by day")(costs)


def costs(
    ctx: typer.Context,
    models: Annotated[list[str] | None, typer.Argument(metavar="MODEL", help="Models to show; default: all.", show_default=False)] = None,
    *,
    start: Annotated[str | None, typer.Option("--from", metavar="DAY", help="First day or moment; days begin in the workspace's time zone.")] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="DAY", help="Day or moment at which it ends, exclusive.")] = None,
    by: Annotated[
        By, typer.Option(metavar="day|week|month", help="Windows; weeks and months are sums, the first and last cut to --from and --to.")
    ] = By.week,
    as_json: JsonOption = False,
    now: NowOption = None,
    home: HomeOption = None,
) -> None:
    """Show GPU-hours, cost, cost per 1,000 predictions, busy share and energy; what no model accounts for comes last."""
    workspace = open_home(ctx, home)
    load_monitors(workspace, models)
    monitors, problems = load_monitors(workspace)
    for problem in problems:
        complain(str(problem))
    zone = workspace.workspace.timezone
    first, last = days(zone, start, end)
    at = moment(now, workspace)
    rows = bill(workspace, monitors, now=at, by=by.value, start=first, end=last)
    shown = [r for r in rows if not models or r.model is None or r.model in models]
    if as_json:
        show(shown, as_json=True)
        return
    show(
        [_for_people(r, zone, at) for r in shown],
        as_json=False,
        columns=_TABLE,
        title=f"{by.value}s in {zone}",
        empty="No GPU readings in this time. `watchkeeper sample-gpus` takes them.",
    )
    for note in _notes(shown):
        say(note)


def _for_people(row: BillRow, zone: str, now: datetime) -> dict[str, Any]:
    return as_dict(row) | {
        "model": row.model or UNATTRIBUTED,
        "window": window_so_far(row.window_start, row.window_end, zone, now),
        "cost": None if row.cost is None else Decimal(f"{row.cost:.2f}"),
    }


def _notes(rows: Sequence[BillRow]) -> list[str]:
    """Return the sum, the prices behind it, and what is missing from it."""
    sums: dict[str, float] = {}
    for row in rows:
        if row.cost is not None:
            sums[row.currency] = sums.get(row.currency, 0.0) + row.cost
    unpriced = sum(r.gpu_hours for r in rows if r.cost is None)
    notes = [f"Sum: {number_text(total, currency)}" for currency, total in sums.items()]
    notes += [f"Not priced: {cell(unpriced)} GPU-hours"] if unpriced else []
    notes += [f"Prices: {text}" for text in dict.fromkeys(r.prices for r in rows if r.prices)]
    reasons = dict.fromkeys(part for r in rows for part in r.reason.split("; ") if part)
    return notes + [SYNTHETIC.capitalize() if part == SYNTHETIC else part for part in reasons]
