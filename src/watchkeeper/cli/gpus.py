"""The command about GPUs and money: costs.

Belongs here: arguments, and what is printed. Does not: taking readings (sampling.py), or adding them up (operations/bill.py).
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from watchkeeper.adapters.gpu_hours import read_between
from watchkeeper.adapters.workspace import Home, load_monitors
from watchkeeper.cli.frame import HomeOption, NowOption, days, moment, open_home
from watchkeeper.cli.output import JsonOption, as_dict, cell, complain, say, show, window_so_far
from watchkeeper.judgement.budget import outlook_text
from watchkeeper.measures.cost import SYNTHETIC
from watchkeeper.measures.gpu_use import energy_source
from watchkeeper.operations.bill import BillRow, bill
from watchkeeper.operations.budgets import with_outlooks
from watchkeeper.words import counted, listed, number_text, window_text

_TABLE = (
    "model",
    "window",
    "gpu_hours",
    "cost",
    "currency",
    "cost_per_1000_predictions",
    "cost_per_correct_prediction",
    "busy_ratio",
    "wasted_ratio",
    "energy_kwh",
    "coverage",
    "is_synthetic",
)

_PARTS = ("model", "window", "of", "gpu_hours", "cost", "currency", "predictions", "cost_per_1000_predictions", "estimated_ratio")


class Per(StrEnum):
    """What a model's cost is parted by."""

    version = "version"
    team = "team"
    purpose = "purpose"
    attributed_by = "attributed_by"
    segment = "segment"


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
    per: Annotated[
        Per | None,
        typer.Option(
            metavar="version|team|purpose|attributed_by|segment",
            help="Show the parts of each cost instead; --json has all of them.",
            show_default=False,
        ),
    ] = None,
    as_json: JsonOption = False,
    now: NowOption = None,
    home: HomeOption = None,
) -> None:
    """Show GPU-hours, cost, cost of 1,000 predictions and of a correct one, busy and wasted share and energy.

    What no model accounts for, and what nobody held, comes last. All rows add up to the bill to the cent. Below stands what each model's month
    will cost, an estimate, beside its budget (`cost.budget`).
    """
    workspace = open_home(ctx, home)
    load_monitors(workspace, models)
    monitors, problems = load_monitors(workspace)
    for problem in problems:
        complain(str(problem))
    zone = workspace.workspace.timezone
    first, last = days(zone, start, end)
    at = moment(now, workspace)
    rows = bill(workspace, monitors, now=at, by=by.value, start=first, end=last)
    shown = with_outlooks(workspace, monitors, [r for r in rows if not models or r.model is None or r.model in models], now=at)
    if as_json:
        show(shown, as_json=True)
        return
    show(
        [line for r in shown for line in (_parts(r, per.value, zone, at) if per else [_for_people(r, zone, at)])],
        as_json=False,
        columns=_PARTS if per else _TABLE,
        title=f"{by.value}s in {zone}",
        empty=_none_yet(workspace, zone, at) if not shown else "",
    )
    for note in [*_notes(shown, zone), *(f"{r.model}: {outlook_text(r.outlook)}" for r in shown if r.outlook is not None)]:
        say(note)


def _none_yet(home: Home, zone: str, now: datetime) -> str:
    """Return what to say of a time without a reading: when there were any, else what takes them."""
    if (ends := read_between(home.lake, now=now)) is None:
        return "No GPU readings in this time. `watchkeeper sample-gpus` takes them."
    first, last = (f"{at.astimezone(ZoneInfo(zone)):%Y-%m-%d}" for at in ends)
    return f"No GPU readings in this time: there are some from {first} to {last}."


def _for_people(row: BillRow, zone: str, now: datetime) -> dict[str, Any]:
    return as_dict(row) | {
        "model": row.model or row.account,
        "window": window_so_far(row.window_start, row.window_end, zone, now),
        "gpu_hours": None if row.is_unread else row.gpu_hours,
        "cost": _money(row.cents),
    }


def _parts(row: BillRow, per: str, zone: str, now: datetime) -> list[dict[str, Any]]:
    """Return the parts of a row as rows that add up to it, of segments those of each column; a row without parts stands as it is."""
    whole = {**_for_people(row, zone, now), "of": "", "predictions": None, "cost_per_1000_predictions": None}
    mine = [p for p in row.parts if p.per == per]
    return [whole | as_dict(p) | {"gpu_hours": None if row.is_unread else p.gpu_hours or None, "cost": _money(p.cents)} for p in mine] or [whole]


def _money(cents: int | None) -> Decimal | None:
    return None if cents is None else Decimal(cents).scaleb(-2)


def _notes(rows: Sequence[BillRow], zone: str) -> list[str]:
    """Return the sum, the prices behind it, and what is missing from it."""
    sums: dict[str, int] = {}
    for row in rows:
        if row.cents is not None:
            sums[row.currency] = sums.get(row.currency, 0) + row.cents
    least = {r.currency for r in rows if r.cents is None or r.is_partly_priced}
    unpriced = sum(r.unpriced_gpu_hours for r in rows)
    notes = [f"Sum: {'at least ' if currency in least else ''}{total / 100:,.2f} {currency}" for currency, total in sums.items()]
    notes += [f"Not priced: {cell(unpriced)} GPU-hours"] if unpriced else []
    notes += _also(rows)
    notes += [f"Prices: {text}" for text in dict.fromkeys(r.prices for r in rows if r.prices)]
    windows = Counter(r.model for r in rows)
    notes += [f"{r.model}{_when(r, zone) if windows[r.model] > 1 else ''}: {r.per_prediction_note}" for r in rows if r.per_prediction_note]
    correct = _grouped((r, r.correct_note) for r in rows)
    notes += [f"Correct predictions{_of(_whose(mine, rows))}: {text}" for text, mine in correct.items()]
    reasons = _grouped((r, part) for r in rows for part in r.reason.split("; "))
    return notes + [_reason(part, mine, rows) for part, mine in reasons.items()]


def _when(row: BillRow, zone: str) -> str:
    return f", {window_text(row.window_start, row.window_end, zone)}"


def _grouped(said: Iterable[tuple[BillRow, str]]) -> dict[str, list[BillRow]]:
    """Return what is said, each with the rows of which it is."""
    found: dict[str, list[BillRow]] = {}
    for row, text in said:
        if text:
            found.setdefault(text, []).append(row)
    return found


def _whose(mine: Sequence[BillRow], rows: Sequence[BillRow]) -> str:
    """Return of which of the models that are shown some rows are; empty where only one is."""
    named = dict.fromkeys(r.model or r.account for r in mine)
    return listed(list(named)) if len({r.model or r.account for r in rows}) > 1 else ""


def _of(whose: str) -> str:
    return f" of {whose}" if whose else ""


def _reason(part: str, mine: Sequence[BillRow], rows: Sequence[BillRow]) -> str:
    """Return what some rows have to say, with whose they are; what is true only of time in which no GPU was read tells how many windows that is."""
    if all(r.is_unread for r in mine):
        return f"{listed(sorted({r.model or '' for r in mine}))}, {counted(len(mine), mine[0].grain)}: {part}"
    whose = _whose(mine, rows) if part != SYNTHETIC or len(mine) < len(rows) else ""
    return f"{whose}: {part}" if whose else part if part != SYNTHETIC else SYNTHETIC.capitalize()


def _also(rows: Sequence[BillRow]) -> list[str]:
    """Return what is within the sum and in no column: training, tokens, how the energy is known, and its CO2."""
    said: list[str] = []
    for currency in dict.fromkeys(r.currency for r in rows):
        mine = [r for r in rows if r.currency == currency]
        training, tokens = sum(r.training_cost or 0.0 for r in mine), sum(r.token_cost or 0.0 for r in mine)
        hours = sum(r.training_gpu_hours for r in mine)
        said += [f"Of it training: {number_text(training, currency)}, {cell(hours)} GPU-hours"] if training else []
        said += [f"Of it tokens: {number_text(tokens, currency)}"] if tokens else []
    drawn = sum(r.energy_kwh or 0.0 for r in rows)
    counted = sum((r.energy_kwh or 0.0) * (r.energy_counted_ratio or 0.0) for r in rows)
    said += [f"Energy read: {number_text(drawn, 'kWh')}, {energy_source(counted / drawn)}"] if drawn else []
    known = [r for r in rows if r.co2_kg is not None]
    said += [f"CO2: {number_text(sum(r.co2_kg or 0.0 for r in known))} kg ({'; '.join(dict.fromkeys(r.co2_note for r in known))})"] if known else []
    waiting = [r for r in rows if r.correct_state == "provisional"]
    return said + ([f"The cost of a correct prediction{_of(_whose(waiting, rows))} is provisional: labels are still missing"] if waiting else [])
