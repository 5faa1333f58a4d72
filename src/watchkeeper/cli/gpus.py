"""The commands about GPUs and money: sample-gpus and costs.

Belongs here: arguments, the sampler's clock and signals, and what is printed. Does not: taking readings
(operations/sample.py), or adding them up (operations/bill.py).
"""

import json
import signal
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Annotated, Any

import typer

from watchkeeper.adapters.host import host_name
from watchkeeper.adapters.nvml import Gpus, gpus
from watchkeeper.adapters.telemetry import Buffer
from watchkeeper.adapters.workspace import load_monitors
from watchkeeper.cli.frame import HomeOption, NowOption, days, moment, open_home
from watchkeeper.cli.output import JsonOption, as_dict, cell, complain, plain, say, show, window_so_far
from watchkeeper.errors import UsageError
from watchkeeper.measures.cost import SYNTHETIC
from watchkeeper.measures.gpu_use import shared_out
from watchkeeper.operations.bill import BillRow, bill
from watchkeeper.operations.sample import Pace, Plan, Reading, check_interval, sample
from watchkeeper.records import GpuSample, HostSample
from watchkeeper.spelling import parse_duration
from watchkeeper.words import number_text

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
    """Add the commands."""
    app.command("sample-gpus", epilog="Example: watchkeeper sample-gpus --every 10s --model flight_delays")(sample_gpus)
    app.command("costs", epilog="Example: watchkeeper costs flight_delays --from 2013-04-22 --to 2013-04-29 --by day")(costs)


def sample_gpus(
    ctx: typer.Context,
    *,
    every: Annotated[str, typer.Option(metavar="TIME", help="Time between two readings, from 0.1s to 1h.")] = "10s",
    count: Annotated[int | None, typer.Option(min=1, metavar="N", help="Readings to take; else until Ctrl-C or SIGTERM.", show_default=False)] = None,
    once: Annotated[bool, typer.Option("--once", help="Take one reading, which stands for the time in --every; for cron.")] = False,
    model: Annotated[
        str, typer.Option(metavar="MODEL", help="The model that these GPUs serve; else cost.hosts of the monitors tells.", show_default=False)
    ] = "",
    host: Annotated[str, typer.Option(metavar="NAME", help="The name to keep the readings under; else this machine's.", show_default=False)] = "",
    as_json: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Read this host's GPUs, processors and memory, again and again, into the lake.

    Readings land once a minute and at the end; Ctrl-C and SIGTERM end it without losing any. With --json each reading
    is a line of JSON.
    """
    plan = Plan(every_s=_every(every), host=host or host_name(), model=model, count=1 if once else count)
    workspace = open_home(ctx, home)
    if model and workspace.monitors_dir.is_dir():  # a host of GPUs may have the lake's address and no monitors
        load_monitors(workspace, [model])
    buffer = Buffer(workspace.lake)
    with gpus() as found:
        _introduce(found, plan)
        sample(found, buffer, plan, _pace(), seen=_Teller(as_json=as_json))
    _conclude(buffer)


def _every(text: str) -> float:
    try:
        return check_interval(parse_duration(text))
    except ValueError as error:
        raise UsageError(str(error), where="--every") from error


def _pace() -> Pace:
    """Return the real clock, and a wait that Ctrl-C and SIGTERM end."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return Pace(now=lambda: datetime.now(UTC), seconds=time.monotonic, wait=stop.wait)


def _introduce(found: Gpus, plan: Plan) -> None:
    if not found.handles:
        complain(f"No GPU on {plan.host}: {found.why_none}. The host's processors and memory are sampled alone.")
    elif plan.count != 1:
        complain(f"{len(found.handles)} GPU(s) on {plan.host}, read every {plan.every_s:g} s. Ctrl-C ends it.")


class _Teller:
    """Prints readings, and a device's fault when it begins or ends."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._faults: dict[int, str] = {}

    def __call__(self, reading: Reading) -> None:
        for device, fault in reading.faults.items():
            if self._faults.get(device) != fault:
                complain(f"GPU {device} gives no readings ({fault}); the others go on.")
        for device in self._faults.keys() - reading.faults.keys():
            complain(f"GPU {device} gives readings again.")
        self._faults = reading.faults
        if self._as_json:
            say(json.dumps(plain({"gpus": reading.gpus, "host": reading.host, "faults": reading.faults}), ensure_ascii=False))


def _conclude(buffer: Buffer) -> None:
    landed = f"{buffer.landed.get(GpuSample, 0)} GPU reading(s) and {buffer.landed.get(HostSample, 0)} host reading(s) landed"
    lost = buffer.held + buffer.dropped
    complain(f"{landed}." if not lost else f"{landed}; {lost} were lost: {buffer.fault or 'the lake was away for too long'}.")
    if lost:
        raise typer.Exit(4)


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

    What no model accounts for, and what nobody held, comes last. All rows add up to the bill to the cent.
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
    shown = [r for r in rows if not models or r.model is None or r.model in models]
    if as_json:
        show(shown, as_json=True)
        return
    show(
        [line for r in shown for line in (_parts(r, per.value, zone, at) if per else [_for_people(r, zone, at)])],
        as_json=False,
        columns=_PARTS if per else _TABLE,
        title=f"{by.value}s in {zone}",
        empty="No GPU readings in this time. `watchkeeper sample-gpus` takes them.",
    )
    for note in _notes(shown):
        say(note)


def _for_people(row: BillRow, zone: str, now: datetime) -> dict[str, Any]:
    return as_dict(row) | {
        "model": row.model or row.account,
        "window": window_so_far(row.window_start, row.window_end, zone, now),
        "cost": None if row.cents is None else Decimal(row.cents).scaleb(-2),
    }


def _parts(row: BillRow, per: str, zone: str, now: datetime) -> list[dict[str, Any]]:
    """Return the parts of a row as rows; their cents add up to the row's where the parts do."""
    mine = [p for p in row.parts if p.per == per]
    costs = [Fraction(p.cost) for p in mine if p.cost is not None]
    is_whole = per != "segment" and row.cents is not None and len(costs) == len(mine)
    cents = shared_out(row.cents or 0, costs) if is_whole and mine else [None if p.cost is None else round(p.cost * 100) for p in mine]
    whole = {**_for_people(row, zone, now), "predictions": None, "cost_per_1000_predictions": None}
    return [whole | as_dict(p) | {"cost": None if c is None else Decimal(c).scaleb(-2)} for p, c in zip(mine, cents, strict=True)]


def _notes(rows: Sequence[BillRow]) -> list[str]:
    """Return the sum, the prices behind it, and what is missing from it."""
    sums: dict[str, int] = {}
    for row in rows:
        if row.cents is not None:
            sums[row.currency] = sums.get(row.currency, 0) + row.cents
    unpriced = sum(r.gpu_hours for r in rows if r.cost is None)
    notes = [f"Sum: {total / 100:,.2f} {currency}" for currency, total in sums.items()]
    notes += [f"Not priced: {cell(unpriced)} GPU-hours"] if unpriced else []
    notes += _also(rows)
    notes += [f"Prices: {text}" for text in dict.fromkeys(r.prices for r in rows if r.prices)]
    notes += [f"Correct predictions: {text}" for text in dict.fromkeys(r.correct_note for r in rows if r.correct_note)]
    reasons = dict.fromkeys(part for r in rows for part in r.reason.split("; ") if part)
    return notes + [SYNTHETIC.capitalize() if part == SYNTHETIC else part for part in reasons]


def _also(rows: Sequence[BillRow]) -> list[str]:
    """Return what is within the sum and in no column: training, tokens, and the CO2 of the energy."""
    said: list[str] = []
    for currency in dict.fromkeys(r.currency for r in rows):
        mine = [r for r in rows if r.currency == currency]
        training, tokens = sum(r.training_cost or 0.0 for r in mine), sum(r.token_cost or 0.0 for r in mine)
        hours = sum(r.training_gpu_hours for r in mine)
        said += [f"Of it training: {number_text(training, currency)}, {cell(hours)} GPU-hours"] if training else []
        said += [f"Of it tokens: {number_text(tokens, currency)}"] if tokens else []
    known = [r for r in rows if r.co2_kg is not None]
    said += [f"CO2: {number_text(sum(r.co2_kg or 0.0 for r in known))} kg ({'; '.join(dict.fromkeys(r.co2_note for r in known))})"] if known else []
    waiting = [r for r in rows if r.correct_state == "provisional"]
    return said + (["The cost of a correct prediction is provisional: labels are still missing"] if waiting else [])
