"""How often the shipped judgement names the cause of incidents that were planted: the first cause it tells, and the first three.

Belongs here: worlds -> the lake, the operations in turn, incidents -> what is right. Does not: the worlds (worlds.py).

    python -m benchmarks.causes --seeds 0:8
    python -m benchmarks.causes --seeds 0:2 --only stale,null_burst --json
    python -m benchmarks.causes --seeds 0:4 --only regression,multiclass

Each seed makes one world of every kind. Rows are landed as intake leaves them, then counted, measured and judged by the same functions as
in production, at the end of the world. Of the incidents that overlap the fault the first about the model's quality counts, else the first about
the service, else about the data: that is what somebody is woken by. A cause is right when its kind is that of the fault and its subject names what the fault is in
(a feature, a segment, a version, a host). Of two faults at once one must be told first, and both among three. A decoy is nothing that
was harmless; of GPUs that throttled without harm it is counted besides how often that is said to be ruled out, and of all worlds in which hardware did no harm how
often it is blamed first. A world without a trace is right when no cause is told. An incident that never opens is wrong.
With `--out` a world that is there already is not run again: a run that was stopped goes on.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks import days, worlds
from benchmarks.days import Fault
from benchmarks.hardware import Telemetry
from benchmarks.worlds import Plan
from watchkeeper.adapters.workspace import Home
from watchkeeper.judgement.incidents import Incident, fold
from watchkeeper.judgement.strains import THROTTLING
from watchkeeper.monitor import Monitor
from watchkeeper.operations.judge import judge
from watchkeeper.operations.measure import measure
from watchkeeper.operations.profile import profile
from watchkeeper.records import Batch, Change, IncidentEvent
from watchkeeper.samples import GpuSample, HostSample
from watchkeeper.story import Cause, Story

START = datetime(2025, 1, 6, tzinfo=UTC)
"""A Monday."""
DAY = timedelta(days=1)
MODEL = "parcels"
_FAMILIES = ("kpi", "segment", "target", "service", "data")
_FIRST = 3


_SAID: dict[str, dict[str, Any]] = {
    "binary": {"score": "p"},
    "regression": {"prediction": "said"},
    "multiclass": {"prediction": "said", "probabilities": {name: f"p_{name}" for name in days.CLASSES}},
}
"""Where a model's answer stands, by its task."""


def monitor(task: str = "binary") -> Monitor:
    """Return the monitor of every world whose model has a task."""
    return Monitor.model_validate(
        {
            "model": MODEL,
            "task": task,
            "events": {"files": "inbox/*"},
            "labels": {"files": "labels/*", "join": "id", "column": "y", "mature_after": "24h"},
            "columns": {"id": "id", "time": "at", **_SAID[task], "version": "version", "latency": "latency_ms", "status": "status", "host": "host"},
            "reference": {"from": START.date(), "to": (START + days.REFERENCE * DAY).date()},
            "features": [*days.NUMBERS, *days.CATEGORIES],
            "segments": list(days.SEGMENTS),
            "cost": {"hosts": [*days.HOSTS, days.SPARE]},
        }
    )


def land(home: Home, world: Plan) -> None:
    """Put all days of a world into the lake as intake leaves them, with the changes that were recorded and what the GPUs did."""
    events, labels, batches = [], [], []
    for t in range(days.MOST_DAYS):
        day, begin = world.day(t), START + t * DAY
        rows, end = day.rows, begin + DAY
        if rows:
            ids = np.array([f"{t:03}-{i:06}" for i in range(rows)])
            spread = (np.arange(rows) * (DAY / timedelta(microseconds=1)) / rows).astype("timedelta64[us]")
            at = pa.array(np.datetime64(begin.replace(tzinfo=None), "us") + spread).cast(pa.timestamp("us", "UTC"))
            columns = {name: pa.array(values, from_pandas=True) for name, values in day.columns.items()}
            events.append(pa.table({"id": ids, "at": at, **days.said_of(day), **columns, **_landing(f"e{t:03}", rows, end), "wk_time": at}))
            batches.append(_batch("events", f"e{t:03}", rows, begin, end))
        known = np.flatnonzero(day.is_labelled)
        if len(known):
            said = pa.array(day.outcome[known].astype(int).astype(str) if world.task == "binary" else day.outcome[known])
            when = pa.repeat(pa.scalar(end + DAY, pa.timestamp("us", "UTC")), len(known))
            labels.append(pa.table({"id": ids[known], "label": said, "labelled_at": when, **_landing(f"l{t:03}", len(known), end + DAY)}))
            batches.append(_batch("labels", f"l{t:03}", len(known), begin, end + DAY))
    home.lake.append(f"events/{MODEL}", pa.concat_tables(events))
    home.lake.append(f"labels/{MODEL}", pa.concat_tables(labels))
    home.lake.append_records(Batch, batches)
    home.lake.append_records(Change, list(_changes(world)))
    readings = _telemetry(world)
    home.lake.append_records(GpuSample, list(readings.gpus()))
    home.lake.append_records(HostSample, list(readings.hosts()))


def _landing(batch: str, rows: int, landed: datetime) -> dict[str, Any]:
    when = pa.repeat(pa.scalar(landed, pa.timestamp("us", "UTC")), rows)
    return {"wk_batch": pa.repeat(batch, rows), "wk_row": np.arange(rows), "wk_landed_at": when}


def _batch(source: str, batch: str, rows: int, begin: datetime, landed: datetime) -> Batch:
    return Batch(
        batch_id=batch, model=MODEL, source=source, name=batch, status="landed", rows_read=rows, rows_landed=rows, starts_at=begin, ends_at=begin + DAY, landed_at=landed
    )  # fmt: skip


def _changes(world: Plan) -> Iterator[Change]:
    for fault in (*world.faults, *world.decoys):
        if fault.change is not None:
            kind, version, note = fault.change
            at = START + world.onset * DAY
            yield Change(change_id=kind + note, model=MODEL, kind=kind, at=at, version=version, note=note, who="ana", recorded_at=at)


def _telemetry(world: Plan) -> Telemetry:
    strained = [s for f in (*world.faults, *world.decoys) for s in f.strained]
    return Telemetry(START, 24 * days.MOST_DAYS, 24 * world.onset, 24 * world.end, strained, MODEL, world.seed)


def judged(name: str, seed: int) -> dict[str, Any]:
    """Run one world through the shipped code; return its line."""
    world = worlds.plan(name, seed)
    with tempfile.TemporaryDirectory() as folder:
        home, watched = Home(Path(folder)), monitor(world.task)
        land(home, world)
        now = START + (days.MOST_DAYS + 1) * DAY + timedelta(hours=1)
        profile(home, watched, now=now)
        measure(home, watched, now=now)
        judge(home, {MODEL: watched}, now=now)
        told = _told(fold(home.lake.newest(IncidentEvent, as_of=now)), world)
    return {"kind": name, "seed": seed, "truth": [[f.kind, list(f.names)] for f in world.faults], **_scored(world, told)}


def _told(incidents: Iterable[Incident], world: Plan) -> Incident | None:
    """Return the incident that somebody is woken by."""
    begin, end = START + world.onset * DAY, START + world.end * DAY
    during = [i for i in incidents if i.window_start < end and i.window_end > begin and not i.is_withdrawn]
    return min(during, key=lambda i: (_FAMILIES.index(i.family), i.window_start), default=None)


def _scored(world: Plan, told: Incident | None) -> dict[str, Any]:
    if told is None or told.story is None:
        return {"found": False, "top1": False, "top3": False, "causes": [], **_of_hardware(world, None)}
    causes = [c for c in told.story.causes if c.kind != "unknown"]
    first = causes[:_FIRST]
    faults = [f for f in world.faults if f.kind]
    return {
        "found": True,
        "top1": any(_names(f, causes[:1], told) for f in faults) if faults else not causes,
        "top3": all(_names(f, first, told) for f in faults) if faults else not causes,
        "causes": [[c.kind, c.subject, c.share] for c in causes],
        "headline": f"{told.family}: {told.headline}",
        "onset_error": abs((told.window_start - START) / DAY - world.onset),
        **_of_hardware(world, told.story),
    }


def _of_hardware(world: Plan, story: Story | None) -> dict[str, Any]:
    """Return whether a throttle that did no harm is ruled out, None where there was none, and whether GPUs or hosts that did none are blamed first."""
    first = [c for c in story.causes[:1] if c.kind == "infrastructure"] if story is not None else []
    is_harmless = world.name in worlds.HARMLESS_THROTTLES
    said = [text for text in story.ruled_out if text.startswith(THROTTLING.name)] if story is not None else []
    blamed = bool(first) and not any(f.kind == "infrastructure" for f in world.faults)
    return {
        "ruled_out": bool(said) if is_harmless else None,
        "said": said,
        "gpu_blamed": blamed or any("throttled" in c.subject for c in first if is_harmless),
    }


def _names(fault: Fault, causes: Sequence[Cause], told: Incident) -> bool:
    """Tell whether one of the causes is what was planted; a segment is named too where the incident is about it alone."""
    about = told.subject if told.family == "segment" else ""
    return any(
        c.kind == fault.kind and (not fault.names or any(n in f"{c.subject} {about}" for n in fault.names)) and fault.must in c.subject
        for c in causes
    )


def summed(lines: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the figures of all worlds."""
    with_trace = [x for x in lines if any(kind for kind, _ in x["truth"])]
    without = [x for x in lines if x not in with_trace]
    return {
        "worlds": len(lines),
        "top1": _share(with_trace, "top1"),
        "top3": _share(with_trace, "top3"),
        "decoy_top1": _share([x for x in lines if x["kind"] in worlds.WITH_A_DECOY], "top1"),
        "infrastructure_top1": _share([x for x in lines if x["kind"] in worlds.INFRASTRUCTURE and x in with_trace], "top1"),
        "throttle_ruled_out": _share([x for x in lines if x["ruled_out"] is not None], "ruled_out"),
        "harmless_hardware_blamed": _share(
            [x for x in lines if ["infrastructure"] not in [t[:1] for t in x["truth"]] or x["ruled_out"] is not None], "gpu_blamed"
        ),
        "nothing_known": _share(without, "top1"),
        "found": _share(lines, "found"),
        "onset_error_windows": _onset(lines),
        "by_kind": {name: _of_kind([x for x in lines if x["kind"] == name]) for name in worlds.NAMES if any(x["kind"] == name for x in lines)},
    }


def _of_kind(lines: Sequence[dict[str, Any]]) -> dict[str, Any]:
    ruled_out = {} if lines[0]["ruled_out"] is None else {"ruled_out": _share(lines, "ruled_out")}
    return {
        "worlds": len(lines),
        **{what: _share(lines, what) for what in ("top1", "top3", "found")},
        **ruled_out,
        "onset_error_windows": _onset(lines),
    }


def _share(lines: Sequence[dict[str, Any]], what: str) -> float | None:
    return round(sum(x[what] for x in lines) / len(lines), 3) if lines else None


def _onset(lines: Sequence[dict[str, Any]]) -> float | None:
    """Return the mean error of the onset, in days."""
    found = [x["onset_error"] for x in lines if x["found"]]
    return round(sum(found) / len(found), 2) if found else None


def run(wanted: list[tuple[str, int]], processes: int) -> Iterator[dict[str, Any]]:
    """Yield the line of each world as it comes."""
    if processes == 1:  # another process would import everything once more
        yield from (judged(name, seed) for name, seed in wanted)
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for done in as_completed([pool.submit(judged, name, seed) for name, seed in wanted]):
            yield done.result()


def text(found: dict[str, Any]) -> str:
    """Return the figures as a table."""
    head = ("kind", "worlds", "top-1", "top-3", "found", "onset error")
    names = ("worlds", "top1", "top3", "found", "onset_error_windows")
    rows = [head, *((kind, *(str(one[name]) for name in names)) for kind, one in found["by_kind"].items())]
    rows.append(("all with a trace", *(str(found[name]) for name in names)))
    hardware = f"GPUs that throttled without harm are ruled out in {found['throttle_ruled_out']}, hardware that did none is blamed first in {found['harmless_hardware_blamed']}."
    more = f"With a decoy top-1 {found['decoy_top1']}; nothing known where nothing can be: {found['nothing_known']}."
    return "\n".join([*(f"{row[0]:28}" + "".join(f"{cell:>12}" for cell in row[1:]) for row in rows), more, hardware])


def _kinds(only: str) -> Iterator[str]:
    for name in only.split(",") if only else worlds.NAMES:
        of_task = [kind for kind, (task, _) in worlds.OF_TASKS.items() if task == name]
        yield from worlds.INFRASTRUCTURE if name == "infrastructure" else of_task or [name]


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", required=True, metavar="A:B", help="seeds A up to but without B")
    parser.add_argument(
        "--only",
        default="",
        help="kinds by name, with commas between (default: all); `infrastructure` stands for those of GPUs, hosts and slow releases, `regression` and `multiclass` for those of such models",
    )
    parser.add_argument("--out", type=Path, help="where the line of each world goes, and is found again")
    parser.add_argument("--processes", type=int, default=2, help="worlds at a time (default: 2)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args()
    first, last = (int(said) for said in given.seeds.split(":"))
    asked = [(name, seed) for seed in range(first, last) for name in _kinds(given.only)]
    before = given.out.read_text().splitlines() if given.out and given.out.exists() else []
    lines = [line for line in map(json.loads, before) if (line["kind"], line["seed"]) in asked]
    wanted = [each for each in asked if each not in {(line["kind"], line["seed"]) for line in lines}]
    for place, line in enumerate(run(wanted, given.processes), 1):
        lines.append(line)
        if given.out:
            with given.out.open("a") as out:
                out.write(json.dumps(line) + "\n")
        said = "; ".join(f"{kind}: {subject}" for kind, subject, _ in line["causes"][:_FIRST]) or (
            "nothing known" if line["found"] else "no incident"
        )
        print(f"{place:4}/{len(wanted)} {line['kind']} {line['seed']} {'right' if line['top1'] else 'WRONG'}: {said}", file=sys.stderr)
    found = summed(lines)
    print(json.dumps(found) if given.json else text(found))


if __name__ == "__main__":
    main()
