"""Estimated performance beside what was realised, and beside nannyml's estimates of the same rows (its own synthetic data sets).

Belongs here: their rows landed as ours, both tools' estimates chunk by chunk, the table. Does not: the estimates (measures/).

    python -m benchmarks.estimates
    python -m benchmarks.estimates --data folder --json

nannyml and its data are fetched into an environment of their own, made on demand. A reference is landed as fifty days, each chunk of
5,000 (binary) or 6,000 (regression) rows after it as a day.
"""

import argparse
import json
import os
import subprocess
import tempfile
import textwrap
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.peers import environment
from watchkeeper.adapters.workspace import Home
from watchkeeper.monitor import Monitor
from watchkeeper.operations.profile import profile
from watchkeeper.operations.rollup import rolled_up
from watchkeeper.records import Batch

START, DAY, REFERENCE = datetime(2025, 1, 1, tzinfo=UTC), timedelta(days=1), 50
REQUIREMENTS = ["nannyml==0.13.1", "pandas<3", "pyarrow", "statsmodels"]

_THEIRS = """
    import json, sys
    from pathlib import Path
    import nannyml as nml
    from nannyml import datasets

    name, folder = sys.argv[1], Path(sys.argv[2])
    if name == "car_loan":
        reference, window, truth = datasets.load_synthetic_car_loan_dataset()
        window, truth_column, chunk = window.merge(truth, on="id"), "repaid", 5000
        metrics = ["accuracy", "roc_auc", "precision", "recall", "f1", "specificity"]
        estimator = nml.CBPE(y_pred="y_pred", y_pred_proba="y_pred_proba", y_true=truth_column, problem_type="classification_binary",
                             metrics=metrics, chunk_size=chunk)
    else:
        reference, window, truth = datasets.load_synthetic_car_price_dataset()
        window, truth_column, chunk = window.merge(truth, on="id"), "y_true", 6000
        metrics = ["mae", "rmse"]
        features = ["car_age", "km_driven", "price_new", "accident_count", "door_count", "fuel", "transmission"]
        estimator = nml.DLE(feature_column_names=features, y_pred="y_pred", y_true=truth_column, metrics=metrics, chunk_size=chunk)
    estimator.fit(reference)
    found = estimator.estimate(window.drop(columns=[truth_column])).filter(period="analysis").to_df()
    reference.to_parquet(folder / "reference.parquet")
    window.to_parquet(folder / "window.parquet")
    (folder / "theirs.json").write_text(json.dumps({"chunk": chunk, "truth": truth_column, "estimates": {m: found[(m, "value")].tolist() for m in metrics}}))
"""
SETS: dict[str, dict[str, Any]] = {
    "car_loan": {"task": "binary", "columns": {"id": "id", "time": "at", "score": "y_pred_proba", "prediction": "y_pred"}},
    "car_price": {"task": "regression", "columns": {"id": "id", "time": "at", "score": "y_pred"}},
}


def theirs(name: str, data: Path) -> dict[str, Any]:
    """Return nannyml's estimates, and leave its rows as files."""
    folder = data / name
    if not (folder / "theirs.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        python = environment(data / "nannyml", REQUIREMENTS)
        quiet = os.environ | {"NML_DISABLE_USAGE_LOGGING": "1", "DO_NOT_TRACK": "1"}
        quiet.pop("PYTHONPATH", None)
        subprocess.run([str(python), "-c", textwrap.dedent(_THEIRS), name, str(folder)], env=quiet, check=True, capture_output=True)
    found: dict[str, Any] = json.loads((folder / "theirs.json").read_text())
    return found


def landed(home: Home, model: Monitor, rows: pa.Table, truth: str, day: int) -> None:
    """Put rows into the lake as a day's events and labels, as intake leaves them."""
    n, begun = rows.num_rows, START + day * DAY
    at = pa.array([begun + timedelta(seconds=80_000 * i / n) for i in range(n)], pa.timestamp("us", "UTC"))
    now = pa.array([begun + DAY] * n, pa.timestamp("us", "UTC"))
    ids = pa.array([f"{day}-{i}" for i in range(n)])
    landing = {"wk_row": np.arange(n), "wk_landed_at": now}
    features = {c: rows[c] for c in rows.column_names if c not in {"id", "timestamp", truth}}
    home.lake.append(f"events/{model.model}", pa.table({"id": ids, "at": at, **features, "wk_batch": [f"e{day}"] * n, **landing, "wk_time": at}))
    told = [f"{v:g}" if float(v) == int(v) else repr(float(v)) for v in rows[truth].to_pylist()]
    home.lake.append(f"labels/{model.model}", pa.table({"id": ids, "label": told, "labelled_at": now, "wk_batch": [f"l{day}"] * n, **landing}))
    sources = (("events", "e"), ("labels", "l"))
    batches = [
        Batch(batch_id=f"{b}{day}", model=model.model, source=s, name=s, status="landed", rows_read=n, rows_landed=n, landed_at=begun + DAY)
        for s, b in sources
    ]
    home.lake.append_records(Batch, batches)


def ours(name: str, data: Path, told: dict[str, Any]) -> tuple[dict[str, list[dict[str, Any]]], int]:
    """Return, for each metric, our estimate and the realised value of every chunk, and how many chunks there are."""
    monitor = Monitor.model_validate(
        SETS[name]
        | {
            "model": name,
            "events": {"files": "inbox/*"},
            "labels": {"files": "labels/*", "join": "id", "column": told["truth"], "mature_after": "1d"},
            "reference": {"from": START.date(), "to": (START + REFERENCE * DAY).date()},
        }
    )
    reference, window = (pq.read_table(data / name / f"{part}.parquet") for part in ("reference", "window"))
    shuffled = reference.take(pa.array(np.random.default_rng(0).permutation(reference.num_rows)))
    days, chunks = reference.num_rows // REFERENCE, window.num_rows // told["chunk"]
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder))
        for day in range(REFERENCE):
            landed(home, monitor, shuffled.slice(day * days, days), told["truth"], day)
        for chunk in range(chunks):
            landed(home, monitor, window.slice(chunk * told["chunk"], told["chunk"]), told["truth"], REFERENCE + chunk)
        now = START + (REFERENCE + chunks + 3) * DAY
        profile(home, monitor, now=now)
        wanted = {m for metric in told["estimates"] for m in (metric, f"estimated_{metric}")}
        span = {"start": START + REFERENCE * DAY, "end": START + (REFERENCE + chunks) * DAY}
        found = {(s.metric, s.window_start): s for s in rolled_up(home, monitor, monitor.grid, now=now, metrics=wanted, **span)}
    out: dict[str, list[dict[str, Any]]] = {}
    for metric in told["estimates"]:
        for chunk in range(chunks):
            at = START + (REFERENCE + chunk) * DAY
            estimate, realised = found[f"estimated_{metric}", at], found[metric, at]
            inside = estimate.low is not None and estimate.high is not None and estimate.low <= (realised.value or 0.0) <= estimate.high
            out.setdefault(metric, []).append(
                {"ours": estimate.value, "realised": realised.value, "is_in_band": bool(inside), "said": estimate.reason}
            )
    return out, chunks


def compared(name: str, data: Path) -> dict[str, Any]:
    """Return how far both tools' estimates were from what was realised, metric by metric."""
    told = theirs(name, data)
    found, chunks = ours(name, data, told)
    lines = {}
    for metric, rows in found.items():
        mine, true = (np.array([r[k] if r[k] is not None else np.nan for r in rows], float) for k in ("ours", "realised"))
        peer = np.array(told["estimates"][metric][:chunks])
        lines[metric] = {
            "ours_mean_error": float(np.abs(mine - true).mean()),
            "theirs_mean_error": float(np.abs(peer - true).mean()),
            "apart": float(np.abs(mine - peer).max()),
            "in_our_band": sum(r["is_in_band"] for r in rows),
            "pooled": {"realised": float(true.mean()), "ours": float(mine.mean()), "theirs": float(peer.mean())},
            "said": sorted({r["said"] for r in rows}),
        }
    return {"chunks": chunks, "metrics": lines}


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder for nannyml's environment and rows; else one that is removed")
    parser.add_argument("--json", action="store_true", help="print JSON alone")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = {name: compared(name, given.data or Path(folder)) for name in SETS}
    if given.json:
        print(json.dumps(found, indent=2))
        return
    for name, one in found.items():
        print(f"{name}: {one['chunks']} chunks; mean absolute error of the estimates against what was realised")
        print(f"{'':14}{'ours':>10}{'nannyml':>10}{'realised':>11}{'ours':>10}{'nannyml':>10}{'in our band':>14}")
        for metric, line in one["metrics"].items():
            pooled = [line["pooled"][k] for k in ("realised", "ours", "theirs")]
            print(
                f"{metric:14}{line['ours_mean_error']:10.4g}{line['theirs_mean_error']:10.4g}{pooled[0]:11.4g}{pooled[1]:10.4g}{pooled[2]:10.4g}",
                end="",
            )
            print(f"{line['in_our_band']:8d} of {one['chunks']}")
            print("".join(f"    {said}\n" for said in line["said"] if said), end="")


if __name__ == "__main__":
    main()
