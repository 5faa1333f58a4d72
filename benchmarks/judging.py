"""What judging many models costs: from the scores of a fleet in one lake to signals and incidents.

Belongs here: made scores of many models, judged by the shipped code. Does not: measuring (kpis.py, growth.py), how right it is (detection.py).

    python -m benchmarks.judging
    python -m benchmarks.judging --models 50 --json

Each model has 30 features, a score for every number of a feature that is stored and every KPI of a binary model, in each of 24 daily
windows, 14 of them the reference. In every tenth model something goes wrong in the last six. Scores are written model by model, as
measuring leaves them, and brought together by upkeep once. The first judgement finds what is wrong, the second nothing new.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from watchkeeper.adapters.workspace import Home
from watchkeeper.measures import catalogue
from watchkeeper.measures.catalogue import Metric
from watchkeeper.monitor import Monitor
from watchkeeper.operations.judge import judge
from watchkeeper.operations.watch import tidy
from watchkeeper.records import Score, Signal

START, DAY = datetime(2025, 1, 6, tzinfo=UTC), timedelta(days=1)
FEATURES, WINDOWS, REFERENCE, ILL = 30, 24, 14, 6
NOW = START + (WINDOWS + 2) * DAY
_SPREAD = 0.01


def monitor(number: int) -> Monitor:
    """Return one model of the fleet."""
    return Monitor.model_validate(
        {
            "model": f"model_{number:03}",
            "task": "binary",
            "events": {"files": "inbox/*"},
            "labels": {"files": "labels/*", "join": "id", "column": "y", "mature_after": "1d"},
            "columns": {"id": "id", "time": "at", "score": "p"},
            "reference": {"from": START.date(), "to": (START + REFERENCE * DAY).date()},
        }
    )


def scores_of(model: str, rng: np.random.Generator, *, is_ill: bool) -> Iterator[Score]:
    """Yield a model's scores: steady numbers, of which an ill model's KPIs and first feature move in the last windows."""
    of_features = catalogue.of("feature")
    of_model = [m for subject in ("binary", "service") for m in catalogue.of(subject)]
    named = [(m, f"x{i:02}") for m in of_features for i in range(FEATURES)] + [(m, "") for m in of_model]
    usual = rng.uniform(0.2, 0.6, len(named))
    values = usual[:, None] + rng.normal(0, _SPREAD, (len(named), WINDOWS))
    if is_ill:
        values[[not f or f == "x00" for _, f in named], -ILL:] += 0.3
    for (metric, feature), series in zip(named, values.tolist(), strict=True):
        for window, value in enumerate(series):
            yield _score(model, metric, feature, window, value)


def _score(model: str, metric: Metric, feature: str, window: int, value: float) -> Score:
    start = START + window * DAY
    return Score(
        model=model,
        metric=metric.name,
        method=metric.method,
        unit=metric.unit,
        direction=metric.direction,
        feature=feature,
        window_start=start,
        window_end=start + DAY,
        grain="day",
        value=value,
        se=_SPREAD,
        low=value - 2 * _SPREAD,
        high=value + 2 * _SPREAD,
        n=1000,
        reference_value=value,
        state="mature" if metric.needs_labels else "done",
        computed_at=start + 2 * DAY,
    )


def measured(models: int) -> dict[str, Any]:
    """Return the CPU seconds of judging so many models, first and again."""
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        home, monitors, written = Home(Path(folder)), {}, 0
        for number in range(models):
            each = monitor(number)
            monitors[each.model] = each
            scores = list(scores_of(each.model, rng, is_ill=number % 10 == 0))
            written += len(scores)
            home.lake.append_records(Score, scores)
        tidy(home)
        spent, opened = [], []
        for _ in range(2):
            begun = time.process_time()
            opened.append(sum(e.event == "opened" for e in judge(home, monitors, now=NOW)))
            spent.append(time.process_time() - begun)
        signals = home.lake.read(Signal.TABLE)
    return {
        "models": models,
        "features": FEATURES,
        "windows": WINDOWS,
        "scores": written,
        "signals": 0 if signals is None else signals.num_rows,
        "opened": opened,
        "cpu_s": {"first": spent[0], "again": spent[1]},
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=500, help="models of the fleet (default: 500)")
    parser.add_argument("--json", action="store_true", help="print JSON alone")
    given = parser.parse_args()
    found = measured(given.models)
    if given.json:
        print(json.dumps(found, indent=2))
        return
    print(f"{found['models']} models x {FEATURES} features x {WINDOWS} windows: {found['scores']:,} scores, {found['signals']:,} signals")
    for name, seconds in found["cpu_s"].items():
        print(f"judged {name:6} {seconds:7.1f} CPU s")


if __name__ == "__main__":
    main()
