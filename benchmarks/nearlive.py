"""How long from a logged event to a message, and what a step costs: `watchkeeper run --every` over models that fail at known moments.

Belongs here: writing files as a service would, planting faults, timing messages at a server that answers like Slack. Does not: the rows
(tests/live_world.py).

    python -m benchmarks.nearlive --every 60 --minutes 10
    python -m benchmarks.nearlive --cost

A fault's latency is from the time of its first row to the arrival of the message about it. Files are written every `--roll` seconds, as a
log shipper does; that wait is in it. With `--cost` steps are taken one by one: with nothing new, and with 120,000 rows that came in one file.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import psutil
import pyarrow as pa

ROOT = Path(__file__).parent.parent
sys.path.append(str(ROOT / "tests"))

from live_world import FAULTS, live_rows, live_workspace, write_file  # noqa: E402 - the tests' world
from receiver import Answer, Request  # noqa: E402
from slack_standin import TOKEN, Slack  # noqa: E402
from watchkeeper.adapters.pace import Pace  # noqa: E402
from watchkeeper.adapters.workspace import find_home  # noqa: E402
from watchkeeper.operations.follow import Plan, Step, follow  # noqa: E402
from watchkeeper.operations.watch import present, watch  # noqa: E402
from watchkeeper.records import Action, IncidentEvent  # noqa: E402

SUBJECTS = {"slow": "service", "failing": "service", "missing": "missing values", "unknown": "new categories"}
MINUTE_ROWS = 120_000


class TimedSlack(Slack):
    """Slack that notes when each message came."""

    def __init__(self) -> None:
        super().__init__()
        self.arrived_at: dict[str, datetime] = {}

    def answer(self, request: Request) -> Answer:
        """Answer, and note the time."""
        answer = super().answer(request)
        if isinstance(answer.content, dict) and answer.content.get("ts"):
            self.arrived_at.setdefault(answer.content["ts"], datetime.now(UTC))
        return answer


@dataclass(frozen=True)
class Planted:
    """A fault that begins in the rows of a model at a moment."""

    model: str
    fault: str
    at: datetime


def planted(models: list[str], start: datetime, seconds: float, rng: np.random.Generator) -> list[Planted]:
    """Return three faults of each model, each about something else, spread over the time but for its end."""
    out = []
    for number, model in enumerate(models):
        kinds = [FAULTS[number % 2], "missing", "unknown"]
        for place, kind in enumerate(kinds):
            share = (place + rng.random()) / len(kinds)
            out.append(Planted(model, kind, start + timedelta(seconds=share * seconds)))
    return out


def latencies(every_s: float, minutes: float, roll_s: float, rows_a_minute: int, models: int) -> dict[str, Any]:
    """Follow models that fail, in a process of its own, and return how long each message took."""
    rng, names = np.random.default_rng(0), [f"m{i}" for i in range(models)]
    with tempfile.TemporaryDirectory() as folder, TimedSlack() as slack:
        root = Path(folder) / "live"
        live_workspace(root, names, datetime.now(UTC), days=7, rows_an_hour=600)
        home = find_home(root)
        now = datetime.now(UTC)
        watch(home, now=now)
        present(home, now=now)
        environment = os.environ | {"SLACK_BOT_TOKEN": TOKEN, "SLACK_API_URL": f"{slack.url}/api/", "PYTHONPATH": str(ROOT / "src")}
        command = [str(Path(sys.executable).parent / "watchkeeper"), "run", "--every", f"{every_s:g}s", "--json", "--home", str(root)]
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
            first = process.stdout.readline() if process.stdout else ""  # its first step is over
            watched = psutil.Process(process.pid)
            cpu_before, memory = sum(watched.cpu_times()[:2]), []
            begun = datetime.now(UTC)
            faults = planted(names, begun + timedelta(seconds=roll_s), minutes * 60, rng)
            until = max(f.at for f in faults) + timedelta(seconds=2 * every_s + 60)
            at = begun
            while at < until:
                after = at + timedelta(seconds=roll_s)
                time.sleep(max(0.0, (after - datetime.now(UTC)).total_seconds()))
                for name in names:
                    _write(root, name, at, after, round(rows_a_minute * roll_s / 60), [f for f in faults if f.model == name], rng)
                memory.append(watched.memory_info().rss)
                at = after
            cpu = sum(watched.cpu_times()[:2]) - cpu_before
            process.send_signal(signal.SIGTERM)
            lines = [json.loads(line) for line in [first, *(process.stdout or [])]]
        taken = _taken(home, slack, faults)
    known = sorted(t for t in taken.values() if t is not None)
    wall = (until - begun).total_seconds()
    return {
        "every_s": every_s,
        "faults": len(faults),
        "told": len(known),
        "latency_s": {"p50": median(known), "p95": float(np.quantile(known, 0.95)), "max": known[-1]} if known else {},
        "by_fault": {f"{f.model} {f.fault}": t for f, t in zip(faults, taken.values(), strict=True)},
        "false": _false(home, faults),
        "steps": len(lines),
        "step_s": {"p50": median(line["took_s"] for line in lines[1:]), "max": max(line["took_s"] for line in lines[1:])},
        "beats_left_out": sum(line["skipped"] for line in lines),
        "failures": [f for line in lines for f in line["failures"]],
        "cpu_share_of_a_core": cpu / wall,
        "memory_mb": {"first": memory[0] / 2**20, "last": memory[-1] / 2**20},
        "exit_code": process.returncode,
    }


def _write(root: Path, model: str, start: datetime, end: datetime, rows: int, faults: list[Planted], rng: np.random.Generator) -> None:
    """Write the rows of [start, end) as one file, in which each fault begins at its moment and goes on for three minutes."""
    here = sorted(f for f in {start, end, *(m for f in faults for m in (f.at, f.at + timedelta(minutes=3)) if start < m < end)})
    tables = []
    for a, b in pairwise(here):
        mine = [f.fault for f in faults if f.at <= a < f.at + timedelta(minutes=3)]
        tables.append(live_rows(rng, a, b, max(1, round(rows * (b - a) / (end - start))), faults=mine))
    write_file(root, model, start, pa.concat_tables(tables))


def _taken(home: Any, slack: TimedSlack, faults: list[Planted]) -> dict[Planted, float | None]:
    """Return the seconds from each fault's first row to the message about it, None where none came."""
    opened = {(e.model, e.subject): e.incident_id for e in home.lake.newest(IncidentEvent) if e.event == "opened"}
    receipts: dict[str, str] = {}
    for action in home.lake.newest(Action):
        if action.kind == "open" and action.state == "sent":
            receipts[action.incident_id] = json.loads(action.receipt or "{}").get("ts", "") if action.receipt.startswith("{") else action.receipt
    out: dict[Planted, float | None] = {}
    for fault in faults:
        receipt = receipts.get(opened.get((fault.model, SUBJECTS[fault.fault]), ""), "")
        arrived = next((at for ts, at in slack.arrived_at.items() if ts in receipt), None)
        out[fault] = None if arrived is None else (arrived - fault.at).total_seconds()
    return out


def _false(home: Any, faults: list[Planted]) -> list[str]:
    """Return the incidents that no fault accounts for."""
    known = {(f.model, SUBJECTS[f.fault]) for f in faults}
    return [f"{e.model} {e.subject}" for e in home.lake.newest(IncidentEvent) if e.event == "opened" and (e.model, e.subject) not in known]


def cost(repeats: int) -> dict[str, Any]:
    """Return the CPU and wall seconds of a step with nothing new, and of one with 120,000 rows of a minute, of one model."""
    with tempfile.TemporaryDirectory() as folder:
        root, now = Path(folder) / "live", datetime(2026, 11, 20, 14, 5, tzinfo=UTC)
        live_workspace(root, ["m0"], now, days=7, rows_an_hour=1200)
        home, rng = find_home(root), np.random.default_rng(1)
        watch(home, now=now)
        spent: dict[str, list[tuple[float, float]]] = {"idle": [], "rows": []}
        at, last = [now], [(time.process_time(), time.perf_counter())]
        kinds = ["first", *["rows", "idle"] * repeats]

        def wait(_seconds: float) -> bool:
            at[0] += timedelta(minutes=1)
            done.append(1)
            if len(done) < len(kinds) and kinds[len(done)] == "rows":
                write_file(root, "m0", at[0], live_rows(rng, at[0] - timedelta(minutes=1), at[0], MINUTE_ROWS))
            last[0] = (time.process_time(), time.perf_counter())
            return len(done) >= len(kinds)

        def told(step: Step) -> None:
            kind = kinds[len(done)]
            if kind != "first":
                assert bool(step.looked) == (kind == "rows"), step
                spent[kind].append((time.process_time() - last[0][0], time.perf_counter() - last[0][1]))

        done: list[int] = []
        pace = Pace(now=lambda: at[0], seconds=lambda: (at[0] - now).total_seconds(), wait=wait)  # noqa: PLW0108 - the clock moves
        follow(home, Plan(every_s=60.0, is_whole=False), pace, told=told)
    return {f"{kind}_{name}_s": median(each[i] for each in found) for kind, found in spent.items() for i, name in enumerate(("cpu", "wall"))}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=float, default=60.0, help="seconds between two steps (default: 60)")
    parser.add_argument("--minutes", type=float, default=8.0, help="minutes in which faults begin (default: 8)")
    parser.add_argument("--roll", type=float, default=10.0, help="seconds of rows in a file (default: 10)")
    parser.add_argument("--rows", type=int, default=1500, help="rows a minute of each model (default: 1500)")
    parser.add_argument("--models", type=int, default=4, help="models, with three faults each (default: 4)")
    parser.add_argument("--cost", action="store_true", help="measure what a step costs instead")
    parser.add_argument("--repeats", type=int, default=9, help="steps of each kind with --cost (default: 9)")
    parser.add_argument("--json", action="store_true", help="print on one line")
    given = parser.parse_args()
    found = cost(given.repeats) if given.cost else latencies(given.every, given.minutes, given.roll, given.rows, given.models)
    print(json.dumps(found, indent=None if given.json else 2, default=lambda x: round(x, 3)))


if __name__ == "__main__":
    main()
