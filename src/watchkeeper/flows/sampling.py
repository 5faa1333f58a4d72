"""The flow that samples the GPUs of the host whose worker runs it, for hosts that have a work pool and no service manager.

Belongs here: parameters, the last word. Does not: taking readings (operations/sample.py), or the daemon (`watchkeeper
sample-gpus`), which begins at once and needs no run a day.
"""

import contextlib
from typing import Any

from prefect import State, flow
from prefect.states import Completed, Failed

from watchkeeper.adapters.dcgm import DcgmExporter
from watchkeeper.adapters.gpu_look import GpuSource
from watchkeeper.adapters.gpu_owners import Owners, rules
from watchkeeper.adapters.host import host_name
from watchkeeper.adapters.nvml import gpus
from watchkeeper.adapters.pace import pace
from watchkeeper.adapters.telemetry import Buffer
from watchkeeper.adapters.workspace import find_home, load_monitors
from watchkeeper.flows.beginning import begin, seconds_late
from watchkeeper.flows.selection import run_name
from watchkeeper.operations.sample import Plan, check_interval, sample
from watchkeeper.samples import GpuProcess, GpuSample, HostSample
from watchkeeper.spelling import parse_duration
from watchkeeper.words import counted


@flow(name="sample-gpus", flow_run_name=run_name)
def sample_gpus(
    hours: float = 24.0,
    every: str = "10s",
    model: str = "",
    processes: list[str] | None = None,
    containers: list[str] | None = None,
    dcgm: list[str] | None = None,
    host: str = "",
) -> State[Any]:
    """Reads the GPUs, processes, processors, memory, disks and network of the host that it runs on into the lake.

    Args:
        hours: For how long; on a schedule from when the run was due, so that a late one ends before the next begins.
        every: Time between two readings, from 0.1s to 1h.
        model: The model that these GPUs serve. Leave empty where processes or cost.hosts of the monitors tell.
        processes: Processes serve a model whose name or command line fits, each as MODEL=PATTERN.
        containers: The same by the name or id of container or pod, each as MODEL=PATTERN.
        dcgm: Addresses of DCGM exporters to ask, and not the driver.
        host: The name to keep the readings under. Leave empty for that of the machine.
    """
    begin(stands_in=False)  # a late run beside this one may be that of another host of the pool
    lasting = hours * 3600 - seconds_late()
    if lasting <= 0:
        return Completed(message="No reading: it was due so long ago that its time is over.")
    home = find_home()
    if model and home.monitors_dir.is_dir():  # a host of GPUs may have the lake's address and no monitors
        load_monitors(home, [model])
    plan = Plan(every_s=check_interval(parse_duration(every)), host=host or host_name(), model=model)
    owners = Owners(processes=rules(processes or [], option="processes"), containers=rules(containers or [], option="containers"))
    sources: list[GpuSource] = [DcgmExporter(url, owners=owners, host=host) for url in dcgm or []]
    with contextlib.ExitStack() as opened:
        buffer = opened.enter_context(Buffer(home.lake, home.root / "spool" / "telemetry"))
        why_none = ""
        if not sources:
            found = opened.enter_context(gpus(owners))
            sources, why_none = [found], found.why_none
        try:
            sample(sources, buffer, plan, pace(lasting))
        finally:
            buffer.flush()  # a run that is cancelled lands what it has; what a killed one leaves lands with the next
    is_short = buffer.dropped or (not why_none and not buffer.landed.get(GpuSample, 0) and not buffer.held)
    return (Failed if is_short else Completed)(message=_last_word(buffer, plan, why_none))


def _last_word(buffer: Buffer, plan: Plan, why_none: str) -> str:
    landed = ", ".join(
        counted(buffer.landed.get(k, 0), f"{n} reading") for k, n in ((GpuSample, "GPU"), (GpuProcess, "process"), (HostSample, "host"))
    )
    none = f" No GPU on {plan.host}: {why_none}." if why_none else ""
    waiting = f" {counted(buffer.held, 'reading')} wait for the next run: {buffer.fault}." if buffer.held else ""
    lost = f" {counted(buffer.dropped, 'reading')} had to go." if buffer.dropped else ""
    return f"{landed} landed.{none}{waiting}{lost}"
