"""What another tool alerts of one stream at its defaults; run by the interpreter of that tool's environment.

Belongs here: a stream -> the tool's own question -> alerts. Does not: environments and which streams (peers.py), the streams. Watchkeeper is not
there, so nothing of ours is imported, nor from this folder, whose names would hide some of Python's own.

    python -P benchmarks/peer_alerts.py evidently streams.py d_unit 0

Each tool is given the reference windows and then the monitored ones, with no number of ours: Evidently its `DataDriftPreset` with its tests, a window
against all of the reference; NannyML its univariate drift of each column, and AUC estimated and realised, by windows as chunks. Categories are texts.
"""

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

START = pd.Timestamp("2024-01-01")
HOURS_A_WEEK = 168
Alert = tuple[int, str, str]


def frames(streams: Any, stream: Any, windows: range) -> pd.DataFrame:
    """Return the rows of windows with their time `at`, their window `t` and the decision `d`."""
    length = _length(stream)
    made = []
    for t in windows:
        columns = stream.window(t)
        rows = pd.DataFrame({name: columns[name] for name in (*streams.NUM, *streams.CAT, "p", "y")})
        rows["at"] = START + t * length + np.arange(len(rows)) * (length / max(1, len(rows)))
        made.append(rows.assign(t=t, d=(rows["p"] >= 0.5).astype(int)))
    every = pd.concat(made, ignore_index=True)
    return every.assign(**{name: every[name].astype(str) for name in streams.CAT})


def _length(stream: Any) -> pd.Timedelta:
    return pd.Timedelta(hours=1) if stream.s.wpw >= HOURS_A_WEEK else pd.Timedelta(days=1)


def of_evidently(streams: Any, stream: Any) -> list[Alert]:
    """Return a feature for each column whose drift test fails, and a data set where as many fail as the preset calls drift."""
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    kinds = DataDefinition(numerical_columns=list(streams.NUM), categorical_columns=list(streams.CAT))
    features = [*streams.NUM, *streams.CAT]
    reference = Dataset.from_pandas(frames(streams, stream, range(stream.s.R))[features], data_definition=kinds)
    alerts: list[Alert] = []
    for window in range(stream.s.M):
        rows = frames(streams, stream, range(stream.s.R + window, stream.s.R + window + 1))[features]
        found = Report([DataDriftPreset()], include_tests=True).run(Dataset.from_pandas(rows, data_definition=kinds), reference).dict()
        for test in found["tests"]:
            if test["status"] == "FAIL":
                column = test["metric_config"]["params"].get("column")
                alerts.append((window, "feature", column) if column else (window, "dataset", "*"))
    return alerts


def of_nannyml(streams: Any, stream: Any) -> list[Alert]:
    """Return a feature for each column that alerts, and AUC where its estimate or what was realised does."""
    import nannyml

    features = [*streams.NUM, *streams.CAT]
    reference = frames(streams, stream, range(stream.s.R))
    analysis = frames(streams, stream, range(stream.s.R, stream.s.R + stream.s.M))
    by_window = {"timestamp_column_name": "at", "chunk_period": "h" if stream.s.wpw >= HOURS_A_WEEK else "D"}
    of_model = {"y_pred_proba": "p", "y_pred": "d", "y_true": "y", "problem_type": "classification_binary", "metrics": ["roc_auc"], **by_window}
    drift = nannyml.UnivariateDriftCalculator(column_names=features, **by_window)
    drift.fit(reference)
    found = drift.calculate(analysis).filter(period="analysis").to_df()
    alerts = [a for name in features for a in _alerts(stream, found, (name, "jensen_shannon"), "feature", name)]
    estimated, realised = nannyml.CBPE(**of_model), nannyml.PerformanceCalculator(**of_model)
    estimated.fit(reference)
    realised.fit(reference)
    alerts += _alerts(stream, estimated.estimate(analysis).filter(period="analysis").to_df(), ("roc_auc",), "estimate", "roc_auc")
    alerts += _alerts(stream, realised.calculate(analysis).filter(period="analysis").to_df(), ("roc_auc",), "kpi", "roc_auc")
    return alerts


def _alerts(stream: Any, found: pd.DataFrame, column: tuple[str, ...], kind: str, target: str) -> list[Alert]:
    """Return an alert for each chunk that has one; a chunk is told by when it begins."""
    starts = found[("chunk", "chunk", "start_date") if len(column) > 1 else ("chunk", "start_date")]
    places = [round((start - START) / _length(stream)) - stream.s.R for start in starts]
    return [(place, kind, target) for place, is_alert in zip(places, found[(*column, "alert")], strict=True) if is_alert]


def _loaded(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location("streams", path)
    assert spec is not None  # peers.py has loaded it before
    assert spec.loader is not None
    sys.modules["streams"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TOOLS = {"evidently": of_evidently, "nannyml": of_nannyml}


def main() -> None:
    """Ask one tool about one stream and print its line."""
    tool, path, name, seed = sys.argv[1:]
    streams = _loaded(Path(path))
    alerts = TOOLS[tool](streams, streams.Stream(streams.specs()[name], int(seed)))
    print("ALERTS", json.dumps({"policy": tool, "stream": name, "seed": int(seed), "alerts": sorted(alerts)}))


if __name__ == "__main__":
    main()
