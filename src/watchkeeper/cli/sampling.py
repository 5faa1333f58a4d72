"""The command sample-gpus: a small daemon, or one reading for cron.

Belongs here: arguments, and what is said of readings. Does not: taking them (operations/sample.py),
or what they cost (gpus.py).
"""

import contextlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from watchkeeper.adapters.dcgm import DcgmExporter
from watchkeeper.adapters.gpu_look import GpuSource
from watchkeeper.adapters.gpu_owners import Owners, rules
from watchkeeper.adapters.host import host_name
from watchkeeper.adapters.nvml import Gpus, gpus
from watchkeeper.adapters.pace import pace
from watchkeeper.adapters.telemetry import Buffer
from watchkeeper.adapters.workspace import Home, load_monitors
from watchkeeper.cli.frame import HomeOption, open_home
from watchkeeper.cli.output import JsonOption, complain, plain, say
from watchkeeper.errors import UsageError
from watchkeeper.operations.sample import Plan, Reading, check_interval, sample
from watchkeeper.samples import GpuProcess, GpuSample, HostSample
from watchkeeper.spelling import parse_duration
from watchkeeper.words import counted


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("sample-gpus", epilog="Example: watchkeeper sample-gpus --every 10s --model flight_delays")(sample_gpus)


def sample_gpus(
    ctx: typer.Context,
    *,
    every: Annotated[str, typer.Option(metavar="TIME", help="Time between two readings, from 0.1s to 1h.")] = "10s",
    count: Annotated[int | None, typer.Option(min=1, metavar="N", help="Readings to take; else until Ctrl-C or SIGTERM.", show_default=False)] = None,
    once: Annotated[bool, typer.Option("--once", help="Take one reading, which stands for the time in --every; for cron.")] = False,
    model: Annotated[
        str, typer.Option(metavar="MODEL", help="The model that these GPUs serve; else cost.hosts of the monitors tells.", show_default=False)
    ] = "",
    processes: Annotated[
        list[str] | None,
        typer.Option("--process", metavar="MODEL=PATTERN", help="Processes serve a model whose name or command line fits.", show_default=False),
    ] = None,
    containers: Annotated[
        list[str] | None,
        typer.Option("--container", metavar="MODEL=PATTERN", help="The same by the name or id of container or pod.", show_default=False),
    ] = None,
    dcgm: Annotated[
        list[str] | None, typer.Option("--dcgm", metavar="URL", help="Ask this DCGM exporter, and not the driver.", show_default=False)
    ] = None,
    host: Annotated[
        str | None, typer.Option(metavar="NAME", help="The name to keep the readings under; else this machine's.", show_default=False)
    ] = None,
    spool: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where readings wait; else spool/telemetry of the workspace.", show_default=False)
    ] = None,
    as_json: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Read this host's GPUs, the processes on them, processors, memory, disks and network, again and again, into the lake.

    Readings are on disk at once, and land once a minute and at the end; Ctrl-C and SIGTERM end it without losing any, and what
    a killed one left lands with the next. With --json each reading is a line of JSON.
    """
    if once and count is not None:
        raise UsageError("--once and --count are given together", where="sample-gpus", then="Keep one: --once takes one reading.")
    if host is not None and not host.strip():
        raise UsageError("the name of a host is empty", where="--host", then="Name one, or leave --host out to take this machine's.")
    plan = Plan(every_s=_every(every), host=host or host_name(), model=model, count=1 if once else count)
    by_process, by_container = rules(processes or [], option="--process"), rules(containers or [], option="--container")
    owners = Owners(processes=by_process, containers=by_container)
    exporters = [DcgmExporter(url, owners=owners, host=host or "") for url in dcgm or []]
    workspace = open_home(ctx, home)
    _require_known(workspace, [*([model] if model else []), *(rule.model for rule in (*by_process, *by_container))])
    with Buffer(workspace.lake, spool or workspace.root / "spool" / "telemetry") as buffer, contextlib.ExitStack() as opened:
        if buffer.found:
            complain(f"{counted(buffer.found, 'reading')} of a sampler that was ended before they landed: they land now.")
        sources: Sequence[GpuSource] = exporters or [_driver(opened, owners, plan)]
        if exporters and plan.count != 1:
            complain(f"{', '.join(e.place for e in exporters)}, read every {plan.every_s:g} s. Ctrl-C ends it.")
        teller = _Teller(buffer, as_json=as_json)
        sample(sources, buffer, plan, pace(heeds_signals=True), seen=teller)
        _conclude(buffer, is_blind=teller.is_blind)


def _every(text: str) -> float:
    try:
        return check_interval(parse_duration(text))
    except ValueError as error:
        raise UsageError(str(error), where="--every") from error


def _require_known(workspace: Home, models: Sequence[str]) -> None:
    """Refuse models that no monitor is of; a host of GPUs may have the lake's address and no monitors."""
    if models and workspace.monitors_dir.is_dir():
        load_monitors(workspace, list(dict.fromkeys(models)))


def _driver(opened: contextlib.ExitStack, owners: Owners, plan: Plan) -> Gpus:
    found = opened.enter_context(gpus(owners))
    if found.why_none:
        complain(f"No GPU on {plan.host}: {found.why_none}. The host's processors, memory, disks and network are sampled alone.")
    elif plan.count != 1:
        complain(f"{counted(len(found.devices), 'GPU')} on {plan.host}, read every {plan.every_s:g} s. Ctrl-C ends it.")
    return found


class _Teller:
    """Prints readings, and what cannot be read or kept: once when it begins, and once when it is over."""

    def __init__(self, buffer: Buffer, *, as_json: bool) -> None:
        self._buffer, self._as_json = buffer, as_json
        self._faults: dict[str, str] = {}
        self._unseen: dict[str, str] = {}
        self._spool_fault, self._dropped = "", 0
        self._is_seen = False

    @property
    def is_blind(self) -> bool:
        """Whether there were GPUs to read, and not one of them gave a reading."""
        return bool(self._faults) and not self._is_seen

    def __call__(self, reading: Reading) -> None:
        look = reading.look
        self._is_seen = self._is_seen or bool(look.gpus)
        others = "the others go on" if look.gpus else "no GPU is read"
        for what, why in _begun(self._faults, look.faults):
            complain(f"{what} gives no readings ({why}); {others}.")
        for what in sorted(self._faults.keys() - look.faults.keys()):
            complain(f"{what} gives readings again.")
        for what, why in _begun(self._unseen, look.unseen):
            complain(f"The processes on {what} are unknown ({why}); readings of devices go on.")
        self._faults, self._unseen = look.faults, look.unseen
        if reading.clock_jumped_s:
            complain(f"The clock was set by {reading.clock_jumped_s:+,.1f} s, or the host slept; what it left out is unknown, and not idle.")
        self._tell_of_the_spool()
        if self._as_json:
            told = {
                "gpus": look.gpus,
                "processes": look.processes,
                "host": reading.host,
                "faults": look.faults,
                "unknown_processes": look.unseen,
            }
            say(json.dumps(plain(told), ensure_ascii=False))

    def _tell_of_the_spool(self) -> None:
        fault, dropped = self._buffer.spool_fault, self._buffer.dropped
        if fault and fault != self._spool_fault:
            complain(f"{fault}: readings wait in memory alone, and are lost when the sampler is killed.")
        if dropped > self._dropped == 0:
            complain(f"Readings that waited are lost, the oldest first ({self._buffer.fault or 'the spool was damaged'}).")
        self._spool_fault, self._dropped = fault, dropped


def _begun(before: Mapping[str, str], now: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return what cannot be read since now, with the reason; devices with the same reason together."""
    by_reason: dict[str, list[str]] = {}
    for what, why in now.items():
        if before.get(what) != why:
            by_reason.setdefault(why, []).append(what)
    return [(", ".join(several), why) for why, several in by_reason.items()]


def _conclude(buffer: Buffer, *, is_blind: bool) -> None:
    counts = [
        counted(buffer.landed.get(kind, 0), f"{name} reading") for kind, name in ((GpuSample, "GPU"), (GpuProcess, "process"), (HostSample, "host"))
    ]
    landed = f"{', '.join(counts[:-1])} and {counts[-1]} landed"
    waiting = f"; {buffer.held} wait on disk for the next sampler: {buffer.fault}" if buffer.held and buffer.is_durable else ""
    lost = buffer.dropped + (0 if buffer.is_durable else buffer.held)
    gone = f"; {lost} were lost: {buffer.fault or 'the lake was away for too long'}" if lost else ""
    complain(f"{landed}{waiting}{gone}.")
    if lost or waiting or is_blind:
        raise typer.Exit(4)
