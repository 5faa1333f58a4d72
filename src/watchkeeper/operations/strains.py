"""Strains of the GPUs and hosts behind a model: their readings in bad windows and in the four weeks before, beside the requests.

Belongs here: which readings are read, and gauges from their columns. Does not: what is usual and the split by host (judgement/strains.py), what follows
(judgement/strain_causes.py).
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from watchkeeper.adapters.arrow_records import TIMESTAMP
from watchkeeper.adapters.lake import among
from watchkeeper.adapters.workspace import Home
from watchkeeper.judgement.strains import (
    CPU,
    GPU_ERRORS,
    GPU_MEMORY,
    HOST_MEMORY,
    NETWORK,
    STORAGE,
    THROTTLING,
    Gauge,
    Level,
    Requests,
    Series,
    Strain,
    begun,
    effect_of,
    level_of,
    since,
    spoilt_of,
)
from watchkeeper.monitor import Monitor
from watchkeeper.samples import GpuSample, HostSample
from watchkeeper.windows import Window
from watchkeeper.words import listed, percent

LONGEST = timedelta(days=28)
"""How much of the time before is read."""
_NOT_THROTTLED = ("application_clocks", "display_clocks")
_NAMED = 3
_OF_THE_COMMONEST = 0.2
_OF_GPU = [
    "sampled_at", "interval_s", "device", "device_uuid", "throttle_reasons", "memory_used_bytes", "memory_total_bytes", "temperature_c", "xids", "ecc_uncorrected"
]  # fmt: skip
_OF_HOST = ["sampled_at", "interval_s", "cpu_ratio", "memory_used_bytes", "memory_total_bytes", "io_wait_ratio", "tcp_retransmitted_ratio"]

Floats = NDArray[np.float64]
Found = dict[tuple[str, int, str], tuple[Series, Level]]
"""Readings and level of a gauge by host, device and its id, of which a MIG slice has its own; of a gauge of hosts the device is -1."""


def strains_of(home: Home, monitor: Monitor, requests: Requests | None, sides: Sequence[Sequence[Window]], now: datetime) -> list[Strain]:
    """Return what GPUs and hosts behind a model did in the second side's windows that people would ask about, unusual or not, with what requests say of it.

    A sampler's readings may come seldom or be lost: what is not known of either side is not told.
    """
    hosts = _hosts(home, monitor, requests, sides, now)
    start = int(min(w.start for w in sides[1]).timestamp())
    found: dict[Gauge, Found] = {}
    details: dict[str, pa.Table] = {}
    sampled: set[str] = set()
    for host in hosts:
        for table, columns, gauges in ((GpuSample, _OF_GPU, _of_gpu), (HostSample, _OF_HOST, _of_host)):
            read = _read(home, monitor, table, columns, host, sides, now)
            if read is None:
                continue
            sampled.add(host)
            if table is GpuSample:
                details[host] = read.filter(read.column("is_during"))
            for device, name, mine in _devices(read):
                for gauge, value in gauges(mine).items():
                    series = _series(mine, value)
                    level = level_of(gauge, series, start)
                    if level is not None and level.is_noticed(gauge):
                        found.setdefault(gauge, {})[host, device, name] = (series, level)
    bare = [(_strain(monitor, gauge, each, details, start), max(s.interval_s for s, _ in each.values())) for gauge, each in found.items()]
    return [strain if requests is None else _beside(strain, requests, sampled, interval_s, start) for strain, interval_s in bare]


def _hosts(home: Home, monitor: Monitor, requests: Requests | None, sides: Sequence[Sequence[Window]], now: datetime) -> list[str]:
    """Return the hosts behind a model that were sampled in the bad windows: those the monitor names, those that answered, and those of GPUs that are said to serve it."""
    behind = among("host", {*monitor.cost.hosts, *(requests.names if requests is not None else ())})
    wanted = ((GpuSample.TABLE, behind | (pc.field("model") == monitor.model)), (HostSample.TABLE, behind))
    found = (home.lake.read(table, columns=["host"], where=where & _sampled(sides[1], now)) for table, where in wanted)
    sampled = {host for read in found if read is not None for host in pc.unique(read.column("host")).to_pylist()}
    return sorted(sampled)


def _sampled(windows: Sequence[Window], now: datetime) -> pc.Expression:
    """Match readings of some windows, of long ones of their last 28 days; made-up ones are none."""
    at, inside = pc.field("sampled_at"), pc.scalar(False)
    for w in windows:
        inside |= (at > pa.scalar(max(w.start, w.end - LONGEST), TIMESTAMP)) & (at <= pa.scalar(min(w.end, now), TIMESTAMP))
    return inside & ~pc.field("is_synthetic")


def _read(
    home: Home, monitor: Monitor, table: type, columns: Sequence[str], host: str, sides: Sequence[Sequence[Window]], now: datetime
) -> pa.Table | None:
    """Return the readings of one host of both sides, None where one has none; a GPU of another model is no matter unless the monitor names its host."""
    where = among("host", [host])
    if table is GpuSample and host not in monitor.cost.hosts:
        where &= among("model", ["", monitor.model])
    out = []
    for side, windows in enumerate(sides):
        one = home.lake.read(table.TABLE, columns=list(columns), where=where & _sampled(windows, now))  # type: ignore[attr-defined]
        if one is None or one.num_rows == 0:
            return None
        out.append(one.append_column("is_during", pa.array(np.full(one.num_rows, bool(side)))))
    return pa.concat_tables(out).sort_by("sampled_at")


def _devices(read: pa.Table) -> Iterator[tuple[int, str, pa.Table]]:
    """Yield the readings of each device with its index on the host and its id; of a host itself -1 and nothing."""
    if "device_uuid" not in read.column_names:
        yield -1, "", read
        return
    for name in sorted(pc.unique(read.column("device_uuid")).to_pylist()):
        mine = read.filter(pc.equal(read.column("device_uuid"), name))
        yield mine.column("device")[0].as_py(), name, mine


def _series(read: pa.Table, value: Floats) -> Series:
    ends = np.asarray(pc.cast(read.column("sampled_at"), pa.int64()).combine_chunks()) / 1e6
    lasts = _numbers(read, "interval_s")
    return Series((ends - lasts).astype(np.int64), float(np.median(lasts)), value, np.asarray(read.column("is_during")).astype(bool))


def _numbers(read: pa.Table, name: str) -> Floats:
    return np.asarray(pc.fill_null(pc.cast(read.column(name), pa.float64()), float("nan")).combine_chunks(), float)


def _of_gpu(read: pa.Table) -> Mapping[Gauge, Floats]:
    reasons = read.column("throttle_reasons").combine_chunks()
    held = np.where(np.asarray(reasons.is_valid()), 0.0, np.nan)
    parents, flat = np.asarray(pc.list_parent_indices(reasons)), pc.list_flatten(reasons)
    held[parents[~np.asarray(pc.is_in(flat, pa.array(_NOT_THROTTLED))).astype(bool)]] = 1.0
    xids = np.asarray(pc.fill_null(pc.cast(pc.list_value_length(read.column("xids")), pa.float64()), float("nan")).combine_chunks(), float)
    ecc = np.diff(_numbers(read, "ecc_uncorrected"), prepend=np.nan)
    errors = np.fmax(np.minimum(xids, 1.0), np.clip(ecc, 0.0, 1.0))
    return {THROTTLING: held, GPU_MEMORY: _numbers(read, "memory_used_bytes") / _numbers(read, "memory_total_bytes"), GPU_ERRORS: errors}


def _of_host(read: pa.Table) -> Mapping[Gauge, Floats]:
    return {
        STORAGE: _numbers(read, "io_wait_ratio"),
        NETWORK: _numbers(read, "tcp_retransmitted_ratio"),
        HOST_MEMORY: _numbers(read, "memory_used_bytes") / _numbers(read, "memory_total_bytes"),
        CPU: _numbers(read, "cpu_ratio"),
    }


def _strain(monitor: Monitor, gauge: Gauge, found: Found, details: Mapping[str, pa.Table], start: int) -> Strain:
    """Return a gauge on the hosts where it is unusual, or where it is as usual on all, on those."""
    unusual = {where: each for where, each in found.items() if not each[1].is_usual(gauge)}
    chosen = unusual or found
    hosts = tuple(sorted({host for host, _, _ in chosen}))
    levels = [level for _, level in chosen.values()]
    level = Level(
        float(np.mean([each.now for each in levels])),
        float(np.mean([each.usual for each in levels])),
        max(each.alike for each in levels) if not unusual else int(np.median([each.alike for each in levels])),
        max(each.days for each in levels),
    )
    at = since([series for series, _ in chosen.values()], level, start)
    said = gauge.says.format(where=_where(chosen), now=percent(level.now), usual=percent(level.usual), detail=_detail(gauge, chosen, details))
    return Strain(gauge, hosts, said, level, at, "" if at is None else _moment(at, monitor))


def _beside(strain: Strain, requests: Requests, sampled: Collection[str], interval_s: float, start: int) -> Strain:
    """Return a strain with what the requests say of it; where none names a host that is sampled, the names are other ones, and nothing is said of hosts."""
    mine = requests.on(strain.hosts)
    answered = {name for place, name in enumerate(requests.names) if ((requests.host == place) & requests.is_during).any()}
    is_known = not set(sampled).isdisjoint(requests.names)
    serves = bool((mine & requests.is_during).any()) if is_known else None
    when = begun(requests, strain.hosts, start)
    return replace(
        strain,
        begun=None if when is None else when[0],
        slack=timedelta(0) if when is None else when[1] + timedelta(seconds=interval_s),
        serves=serves,
        effect=effect_of(requests, strain.hosts) if serves and answered - set(strain.hosts) else None,
        spoilt=spoilt_of(requests, strain.hosts),
    )


def _where(chosen: Found) -> str:
    """Return where a gauge stood out."""
    hosts = sorted({host for host, _, _ in chosen})
    devices = sorted({device for _, device, _ in chosen if device >= 0})
    named = f"host {hosts[0]}" if len(hosts) == 1 else f"hosts {listed(hosts)}" if len(hosts) <= _NAMED else f"{len(hosts)} hosts"
    if not devices:
        return named
    if len(hosts) > 1:
        return f"GPUs of {named}"
    return f"GPU{'s' if len(devices) > 1 else ''} {listed([str(d) for d in devices])} of {named}"


def _detail(gauge: Gauge, chosen: Found, details: Mapping[str, pa.Table]) -> str:
    """Return what is known of a gauge beyond its level: the commonest reasons and how hot it was, or which errors."""
    tables = [details[host].filter(pc.equal(details[host].column("device_uuid"), name)) for host, _, name in chosen if name]
    if gauge is THROTTLING:
        pairs = (zip(*(t.column(name).to_pylist() for name in ("throttle_reasons", "temperature_c")), strict=True) for t in tables)
        held = [(kept, heat) for each in pairs for said, heat in each if (kept := [r for r in said or () if r not in _NOT_THROTTLED])]
        common = Counter(reason for kept, _ in held for reason in kept).most_common(2)
        told = [name.replace("_", " ") for name, times in common if times >= _OF_THE_COMMONEST * common[0][1]]
        warm = [heat for _, heat in held if heat is not None]
        return f" ({', '.join([*told, *([f'{np.mean(warm):.0f} °C'] if warm else [])])})" if told else ""
    if gauge is GPU_ERRORS:
        xids = [str(x) for t in tables for each in t.column("xids").to_pylist() for x in each or ()]
        return f" (XID {listed([name for name, _ in Counter(xids).most_common(3)])})" if xids else " (memory errors that were not corrected)"
    return ""


def _moment(at: datetime, monitor: Monitor) -> str:
    local = at.astimezone(ZoneInfo(monitor.timezone))
    return f"{local:%a} {local.day} {local:%B %H:%M}"
