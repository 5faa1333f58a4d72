"""What the shipped judgement says of streams whose onsets are known: one line of alerts for each stream and seed.

Belongs here: streams -> the lake, the operations in turn, signals -> alerts. Does not: the streams, and their scorer.

    python -m benchmarks.detection --streams streams.py --streams-seeds 0:10 --out alerts.jsonl
    python -m benchmarks.detection --streams streams.py --streams-seeds 0:1 --only n_iid,d_unit --out alerts.jsonl

A module of streams has `specs()`, name -> spec with `R` reference windows, `M` monitored ones, `wpw` windows a week; `Stream(spec, seed)`,
whose `window(t)` gives the columns of a window: features, `seg`, the score `p`, the label `y`, and `delay`, windows until the label comes;
and the names `NUM` and `CAT` of its features. Every row is landed as intake leaves it, then counted, measured and judged by the same
functions as in production, at the end of the stream; signals of the monitored windows are its alerts, pages and notices alike.
A stream that is there already is not run again: a run that was stopped goes on.
"""

import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.alert_files import Asked, Line, module_of, parser_of, still_asked, write
from watchkeeper.adapters.workspace import Home
from watchkeeper.measures.catalogue import find
from watchkeeper.monitor import Monitor
from watchkeeper.operations.judge import judge
from watchkeeper.operations.measure import measure
from watchkeeper.operations.profile import profile
from watchkeeper.records import Batch, Signal

START = datetime(2024, 1, 1, tzinfo=UTC)
"""A Monday."""
POLICY = "watchkeeper"
HOURS_A_WEEK = 168
Alert = tuple[int, str, str]


@dataclass(frozen=True)
class Setting:
    """How the windows of a stream lie in time."""

    length: timedelta
    reference: int
    windows: int

    @classmethod
    def of(cls, spec: Any) -> "Setting":
        """Return hours where a week has as many windows, else days."""
        return cls(timedelta(hours=1) if spec.wpw >= HOURS_A_WEEK else timedelta(days=1), spec.R, spec.R + spec.M)

    def start(self, window: int) -> datetime:
        """Return when a window begins."""
        return START + window * self.length

    def monitored(self, moment: datetime) -> int:
        """Return the number of a window among the monitored ones, of which the first is 0."""
        return round((moment - START) / self.length) - self.reference


def monitor_of(streams: Any, spec: Any, setting: Setting, wait: int) -> Monitor:
    """Return a binary model with all features of a stream, one segment column, and labels that are due after some windows."""
    is_hourly = setting.length < timedelta(days=1)
    return Monitor.model_validate(
        {
            "model": spec.name,
            "task": "binary",
            "window": "hour" if is_hourly else "day",
            "events": {"files": "inbox/*"},
            "labels": {"files": "labels/*", "join": "id", "column": "y", "mature_after": f"{max(1, wait) * setting.length // timedelta(hours=1)}h"},
            "columns": {"id": "id", "time": "at", "score": "p"},
            "reference": {"from": START.date(), "to": setting.start(setting.reference).date()},
            "features": [*streams.NUM, *streams.CAT],
            "segments": ["seg"],
        }
    )


def land(home: Home, streams: Any, stream: Any, setting: Setting) -> int:
    """Put all windows of a stream into the lake as intake leaves them; return the most windows that a label took."""
    events, labels, batches, longest = [], [], [], 0
    name = stream.s.name
    for t in range(setting.windows):
        columns = stream.window(t)
        rows, begin = len(columns["p"]), setting.start(t)
        ids = [f"{t:05}-{i:07}" for i in range(rows)]
        spread = (np.arange(rows) * (setting.length / timedelta(microseconds=1)) / rows).astype("timedelta64[us]")
        at = pa.array(np.datetime64(begin.replace(tzinfo=None), "us") + spread).cast(pa.timestamp("us", "UTC"))
        end = begin + setting.length
        numbers = {n: pa.array(np.asarray(columns[n], float), from_pandas=True) for n in streams.NUM}
        texts = {n: pa.array(np.asarray(columns[n]).astype(str)) for n in (*streams.CAT, "seg")}
        events.append(pa.table({"id": ids, "at": at, "p": columns["p"], **numbers, **texts, **_landing(f"e{t:05}", rows, end), "wk_time": at}))
        batches.append(_batch(name, "events", f"e{t:05}", rows, end))
        for wait in sorted(set(np.asarray(columns["delay"]).tolist())):
            some = np.flatnonzero(np.asarray(columns["delay"]) == wait)
            known, batch, longest = end + int(wait) * setting.length, f"l{t:05}-{wait}", max(longest, int(wait))
            said = pa.array(np.asarray(columns["y"])[some].astype(str))
            when = pa.repeat(pa.scalar(known, pa.timestamp("us", "UTC")), len(some))
            labels.append(pa.table({"id": [ids[i] for i in some], "label": said, "labelled_at": when, **_landing(batch, len(some), known)}))
            batches.append(_batch(name, "labels", batch, len(some), known))
    home.lake.append(f"events/{name}", pa.concat_tables(events))
    home.lake.append(f"labels/{name}", pa.concat_tables(labels))
    home.lake.append_records(Batch, batches)
    return longest


def _landing(batch: str, rows: int, landed: datetime) -> dict[str, Any]:
    when = pa.repeat(pa.scalar(landed, pa.timestamp("us", "UTC")), rows)
    return {"wk_batch": pa.repeat(batch, rows), "wk_row": np.arange(rows), "wk_landed_at": when}


def _batch(model: str, source: str, batch: str, rows: int, landed: datetime) -> Batch:
    return Batch(batch_id=batch, model=model, source=source, name=batch, status="landed", rows_read=rows, rows_landed=rows, landed_at=landed)


def alerts_of(signals: list[dict[str, Any]], setting: Setting) -> list[Alert]:
    """Return the alerts of signals of monitored windows; those withdrawn are none, nor is it one that no rows come once the stream has ended."""
    found = {(setting.monitored(s["window_start"]), *_named(s)) for s in signals if s["state"] != "withdrawn"}
    return sorted(a for a in found if 0 <= a[0] < setting.windows - setting.reference)


def _named(signal: dict[str, Any]) -> tuple[str, str]:
    """Return kind and target: what a signal is about."""
    feature, segment = signal["feature"], signal["segment"]
    metric = find(signal["metric"])
    if signal["family"] in ("kpi", "segment", "target"):
        return "kpi", signal["metric"] + (f"@{segment}" if segment else "")
    if segment and not feature:
        return "feature", segment.partition("=")[0]
    if not feature or feature.startswith("@"):
        return "dataset", "*"
    if metric is not None and metric.subject == "pair":
        return "correlation", feature.replace("*", "|")
    return ("segment", f"{feature}@{segment}") if segment else ("feature", feature)


def judged(path: str, name: str, seed: int) -> Line:
    """Run one stream through the shipped code; return its line."""
    streams = module_of(path)
    spec = streams.specs()[name]
    setting = Setting.of(spec)
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder))
        wait = land(home, streams, streams.Stream(spec, seed), setting)
        monitor = monitor_of(streams, spec, setting, wait)
        now = setting.start(setting.windows + max(1, wait)) + timedelta(hours=1)
        profile(home, monitor, now=now)
        measure(home, monitor, now=now)
        judge(home, {monitor.model: monitor}, now=now)
        signals = home.lake.read(Signal.TABLE)
    return {"policy": POLICY, "stream": name, "seed": seed, "alerts": alerts_of([] if signals is None else signals.to_pylist(), setting)}


def run(path: str, wanted: list[Asked], processes: int) -> Iterator[Line]:
    """Yield the line of each stream and seed as it comes."""
    if processes == 1:  # another process would import everything once more
        yield from (judged(path, name, seed) for _, name, seed in wanted)
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for done in as_completed([pool.submit(judged, path, name, seed) for _, name, seed in wanted]):
            yield done.result()


def main() -> None:
    """Run and write."""
    given = parser_of(__doc__).parse_args()
    wanted = still_asked(given, [POLICY])
    write(given.out, run(given.streams, wanted, given.processes), len(wanted))


if __name__ == "__main__":
    main()
