"""What is read of the machines and programs that serve models: GPUs, processes, hosts, traces and metrics of others; one lake table each.

Belongs here: the columns, their meaning and their keys, as in records.py. Does not: how they are read (adapters/). `None` means not known, never zero.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated as Of
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuSample:
    """One reading of one GPU; it stands for the `interval_s` seconds before it."""

    TABLE: ClassVar[str] = "telemetry/gpus"
    KEY: ClassVar[tuple[str, ...]] = ("host", "device_uuid", "sampled_at")

    sampled_at: Of[datetime, "when it was read"]
    interval_s: Of[float, "seconds it stands for"]
    host: Of[str, "host name"]
    device: Of[int, "index on the host"]
    device_uuid: Of[str, "the device's own id"]
    device_name: Of[str, "product name; the key into the price book"]
    model: Of[str, "model that the device serves, empty when unknown"] = ""
    utilisation_ratio: Of[float | None, "share of time with a kernel running"] = None
    memory_used_bytes: Of[int | None, "memory in use"] = None
    memory_total_bytes: Of[int | None, "memory of the device"] = None
    power_w: Of[float | None, "power drawn, watts"] = None
    temperature_c: Of[float | None, "temperature, Celsius"] = None
    sm_clock_mhz: Of[int | None, "SM clock"] = None
    memory_clock_mhz: Of[int | None, "memory clock"] = None
    throttle_reasons: Of[list[str] | None, "why clocks were held down, empty when not, null when the driver does not say"] = None
    parent_uuid: Of[str, "of a MIG slice the id of the GPU it is cut from, empty for a whole GPU"] = ""
    fraction: Of[float, "share of a whole GPU that this device is: 1, or of a MIG slice its compute slices of those of the GPU"] = 1.0
    energy_j: Of[float | None, "the driver's own energy counter, joules since it was loaded; falls when it is loaded again"] = None
    memory_busy_ratio: Of[float | None, "share of time with memory read or written"] = None
    pcie_received_bytes_s: Of[float | None, "bytes a second that came over PCIe"] = None
    pcie_sent_bytes_s: Of[float | None, "bytes a second that went over PCIe"] = None
    ecc_corrected: Of[int | None, "memory errors that were corrected since the driver was loaded"] = None
    ecc_uncorrected: Of[int | None, "memory errors that were not"] = None
    xids: Of[list[int] | None, "XID errors the driver told of since the reading before; null where it does not tell"] = None
    source: Of[str, "nvml, or dcgm for readings of the DCGM exporter"] = "nvml"
    is_synthetic: Of[bool, "true for a made-up trace"] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuProcess:
    """One process on one GPU at one reading; which model it serves is what a GPU's seconds are split by."""

    TABLE: ClassVar[str] = "telemetry/gpu_processes"
    KEY: ClassVar[tuple[str, ...]] = ("host", "device_uuid", "pid", "sampled_at")

    sampled_at: Of[datetime, "when it was read"]
    interval_s: Of[float, "seconds it stands for"]
    host: Of[str, "host name"]
    device_uuid: Of[str, "the device it runs on, of a MIG slice the slice"]
    pid: Of[int, "process id on the host; -1, -2 and so on where only containers are known (DCGM)"]
    name: Of[str, "name of the program; never its arguments"] = ""
    model: Of[str, "model it serves, empty when unknown"] = ""
    version: Of[str, "version of the model, empty when unknown"] = ""
    team: Of[str, "team that it works for, empty when unknown"] = ""
    purpose: Of[str, "serving or training"] = "serving"
    attributed_by: Of[str, "how its model is known: process, container, environment; empty when unknown"] = ""
    memory_used_bytes: Of[int | None, "memory it uses on the device"] = None
    sm_ratio: Of[float | None, "share of time its kernels ran"] = None
    is_synthetic: Of[bool, "true for a made-up trace"] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSample:
    """One reading of a host's own processors and memory."""

    TABLE: ClassVar[str] = "telemetry/hosts"
    KEY: ClassVar[tuple[str, ...]] = ("host", "sampled_at")

    sampled_at: Of[datetime, "when it was read"]
    interval_s: Of[float, "seconds it stands for"]
    host: Of[str, "host name"]
    cpu_ratio: Of[float, "share of all cores busy"]
    memory_used_bytes: Of[int, "memory in use"]
    memory_total_bytes: Of[int, "memory of the host"]
    load_1m: Of[float, "load average over a minute"]
    io_wait_ratio: Of[float | None, "share of time processors waited for data; null where the system does not say"] = None
    disk_read_bytes_s: Of[float | None, "bytes a second read from disks"] = None
    disk_written_bytes_s: Of[float | None, "bytes a second written to disks"] = None
    network_received_bytes_s: Of[
        float | None, "bytes a second received by network devices; where there are none, as in a container, by all but loopback"
    ] = None
    network_sent_bytes_s: Of[float | None, "bytes a second sent by network devices; where there are none, as in a container, by all but loopback"] = (
        None
    )
    tcp_retransmitted_ratio: Of[float | None, "share of TCP segments sent again; null where the system does not say"] = None
    is_synthetic: Of[bool, "true for a made-up trace"] = False


TELEMETRY_QUARANTINE = "telemetry/quarantine"
"""The table of `Quarantined` for files of telemetry: which line, and why; never the line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One step of serving a request, as OpenTelemetry tells of it; never what a person asked or a model answered."""

    TABLE: ClassVar[str] = "telemetry/spans"
    KEY: ClassVar[tuple[str, ...]] = ("trace_id", "span_id")

    trace_id: Of[str, "32 hexadecimal digits; the trace id on a prediction"]
    span_id: Of[str, "16 hexadecimal digits"]
    parent_span_id: Of[str, "the span it is a part of, empty for the first of its trace"] = ""
    name: Of[str, "what was done, such as POST /predict"]
    kind: Of[str, "server, client, internal, producer or consumer; empty when not told"] = ""
    service: Of[str, "service.name: the program that did it"] = ""
    host: Of[str, "host.name, else the pod or the node; empty when not told"] = ""
    model: Of[str, "the monitor it belongs to: watchkeeper.model, else the service where a monitor has its name; else empty"] = ""
    started_at: Of[datetime, "when it began"]
    duration_ms: Of[float, "how long it took"]
    status: Of[str, "ok, error, or unset where the program did not say"] = "unset"
    status_message: Of[str, "what the program said of an error, without what looks like a secret, at most 500 characters"] = ""
    operation: Of[str, "gen_ai.operation.name: chat, embeddings, execute_tool; empty for what is no call of a language model"] = ""
    request_model: Of[str, "gen_ai.request.model: the language model that was asked for"] = ""
    response_model: Of[str, "gen_ai.response.model: the one that answered"] = ""
    input_tokens: Of[int | None, "gen_ai.usage.input_tokens"] = None
    output_tokens: Of[int | None, "gen_ai.usage.output_tokens"] = None
    finish_reasons: Of[list[str], "gen_ai.response.finish_reasons: why each answer ended"] = field(default_factory=list)
    attributes: Of[str, "the other attributes that are known to hold no contents, JSON; at most 64 of 256 characters"] = "{}"
    landed_at: Of[datetime, "the `now` of the run that took it in"]
    batch: Of[str, "the batch it came in; `batches` has it"] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricSample:
    """One value of one series of somebody else's metrics at one moment."""

    TABLE: ClassVar[str] = "telemetry/metrics"
    KEY: ClassVar[tuple[str, ...]] = ("source", "name", "labels", "at")

    name: Of[str, "metric; of a histogram its `_bucket`, `_count` and `_sum`, as Prometheus has them"]
    labels: Of[str, "its labels, JSON with sorted keys"] = "{}"
    value: Of[float | None, "the value; null where the source says that it is not known (NaN, stale)"] = None
    at: Of[datetime, "the moment it is of"]
    kind: Of[str, "gauge (as it stands), counter (total so far), or delta (since the sample before)"]
    unit: Of[str, "unit as the source tells it: s, By, 1"] = ""
    source: Of[str, "where it came from: otlp, or the name of a Prometheus source in watchkeeper.yaml"]
    landed_at: Of[datetime, "the `now` of the run that took it in"]
    batch: Of[str, "the batch it came in, empty for what was scraped or asked for"] = ""
