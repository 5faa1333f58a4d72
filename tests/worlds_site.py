"""A seeded workspace as the pages see it: a model's scores, signals, incidents and runs, written through the records.

The planted story: 22 to 26 April the model is wrong (a KPI incident, resolved), VX is poorly calibrated (an open warning),
and the recall target is broken in the newest final window.
"""

import dataclasses
import json
import random
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa

from watchkeeper.adapters.workspace import Home
from watchkeeper.measures.fairness import Statement
from watchkeeper.monitor import Monitor
from watchkeeper.records import Action, Batch, Digest, IncidentEvent, Run, Score, Signal, Validation, key
from watchkeeper.site.fairness_page import FairnessReport
from watchkeeper.story import Cause, Story
from watchkeeper.windows import Window

MODEL = "flight_delays"
NOW = datetime(2013, 5, 1, 10, tzinfo=UTC)
METRICS = {
    "log_loss": ("nats", "lower_is_better", 0.50),
    "roc_auc": ("probability", "higher_is_better", 0.69),
    "calibration_gap": ("ratio", "closer_to_zero", 0.0),
}
METRICS |= {"recall": ("ratio", "higher_is_better", 0.41), "precision": ("ratio", "higher_is_better", 0.45)}


def monitor(**more) -> Monitor:
    return Monitor.model_validate(
        {
            "model": MODEL,
            "owner": "#flight-ops",
            "description": "Arrives more than 15 minutes late",
            "task": "binary",
            "timezone": "America/New_York",
            "events": {"files": "inbox/flights-*.parquet"},
            "labels": {"files": "inbox/arrivals-*.parquet", "join": "flight_id", "column": "was_late", "mature_after": "36h"},
            "columns": {"id": "flight_id", "time": "scheduled_at", "score": "p_late"},
            "reference": {"from": date(2013, 1, 1), "to": date(2013, 4, 1)},
            "segments": ["carrier"],
            "private": ["passenger"],
            "targets": [
                {"metric": "recall", "at_least": 0.35, "per": "day"},
                {"metric": "roc_auc", "at_least": 0.6, "per": "day"},
                {"metric": "psi", "feature": "dest", "at_most": 0.25, "per": "day"},
            ],
        }
        | more
    )


def days(watched: Monitor, start: datetime = datetime(2013, 1, 1, 12, tzinfo=UTC), end: datetime = NOW) -> list[Window]:
    return [w for w in watched.grid.between(start, end) if w.end <= end]


def build(root: Path, **more) -> tuple[Home, Monitor]:
    """Write the world into an empty workspace and return it."""
    home, watched = Home(root), monitor(**more)
    windows = days(watched)
    home.lake.append_records(Score, [s for w in windows for s in _scores(watched, w)])
    signals = _signals(windows)
    home.lake.append_records(Signal, signals)
    home.lake.append_records(IncidentEvent, _incidents(signals))
    home.lake.append_records(Run, [_run(operation, w) for operation in ("measure", "judge") for w in windows])
    home.lake.append_records(Batch, [_batch(w) for w in windows])
    home.lake.append_records(Validation, [_validation(w) for w in windows[-40:]])
    home.lake.append_records(Digest, [_digest(windows)])
    home.lake.append_records(Action, [_action(state, n) for n, state in enumerate(("planned", "failed"))])
    return home, watched


def add_events(home: Home, watched: Monitor, *, rows_a_day: int = 200, days_back: int = 130) -> None:
    """Land seeded events, with a private column, and labels for them."""
    dice = random.Random(7)
    rows = []
    for w in days(watched)[-days_back:]:
        for n in range(rows_a_day):
            late = w.start >= datetime(2013, 4, 22, 4, tzinfo=UTC)
            rows.append(
                (
                    f"{w.start:%m%d}-{n}",
                    w.start + timedelta(minutes=5 * n),
                    dice.random(),
                    dice.choice("ABC"),
                    dice.gauss(2.0 * late, 1.0),
                    f"secret-{n}",
                )
            )
    ids, times, scores, carriers, winds, people = (list(c) for c in zip(*rows, strict=True))
    stamp = pa.timestamp("us", "UTC")
    events = {"flight_id": ids, "scheduled_at": pa.array(times, stamp), "p_late": scores, "carrier": carriers, "wind": winds, "passenger": people}
    events |= {
        "wk_batch": ["b"] * len(rows),
        "wk_row": list(range(len(rows))),
        "wk_landed_at": pa.array(times, stamp),
        "wk_time": pa.array(times, stamp),
    }
    home.lake.append(f"events/{MODEL}", pa.table(events))


def _scores(watched: Monitor, window: Window) -> list[Score]:
    dice = random.Random(str(window.start))
    bad = datetime(2013, 4, 22, tzinfo=UTC) <= window.start < datetime(2013, 4, 27, tzinfo=UTC)
    state = "provisional" if window.end > NOW - timedelta(hours=40) else "mature"
    found = []
    for metric, (unit, direction, level) in METRICS.items():
        value = (
            level
            + dice.gauss(0, 0.03)
            + (0.3 if bad and metric in ("log_loss", "calibration_gap") else 0)
            - (0.3 if bad and metric == "recall" else 0)
        )
        found.append(
            _score(window, metric, value, 0.03, unit=unit, direction=direction, state=state, coverage=0.7 if state == "provisional" else 0.97)
        )
    recall = next(s for s in found if s.metric == "recall")
    if window == days(watched)[-3]:
        found[found.index(recall)] = dataclasses.replace(recall, value=0.2, low=0.15, high=0.25)
    drift = {"method": "psi_fixed_bins", "unit": "nats", "direction": "lower_is_better", "state": "done"}
    found += [_score(window, "psi", abs(dice.gauss(0.1, 0.04)), 0.02, feature=f, **drift) for f in ("dest", "temp", "carrier")]
    found.append(
        _score(window, "label_coverage", 0.7 if state == "provisional" else 0.97, 0.01, unit="ratio", direction="higher_is_better", state=state)
    )
    for carrier, level in (("UA", 0.0), ("VX", 0.12), ("<b>&", 0.01)):
        found.append(
            _score(
                window,
                "calibration_gap",
                level + dice.gauss(0, 0.05),
                0.05,
                unit="ratio",
                direction="closer_to_zero",
                segment=f"carrier={carrier}",
                state=state,
                n=40,
            )
        )
    cost = {"method": "gpu_samples_synthetic", "unit": "usd", "direction": "lower_is_better", "state": "done"}
    spent = 4.0 + dice.random()
    found += [_score(window, metric, spent, None, **cost) for metric in ("gpu_cost", "total_cost")]
    found.append(_score(window, "cost_per_1000_predictions", 4.4 + dice.random(), None, **cost))
    return found


def class_scores(window: Window, names: list[str]) -> list[Score]:
    """Return the recall of classes."""
    about = {"unit": "ratio", "direction": "higher_is_better", "state": "mature"}
    return [_score(window, "recall", 0.5 + i / 50, 0.05, feature=f"@class={name}", **about) for i, name in enumerate(names)]


def _score(window: Window, metric: str, value: float, half: float | None, *, n: int = 900, method: str = "direct", **more) -> Score:
    ends = {} if half is None else {"se": half / 1.96, "low": value - half, "high": value + half}
    return Score(
        model=MODEL,
        metric=metric,
        method=method,
        window_start=window.start,
        window_end=window.end,
        grain="day",
        value=value,
        n=n,
        computed_at=min(window.end + timedelta(hours=6), NOW),
        **ends,
        **more,
    )


def _signals(windows: list[Window]) -> list[Signal]:
    bad = [w for w in windows if datetime(2013, 4, 22, tzinfo=UTC) <= w.start < datetime(2013, 4, 27, tzinfo=UTC)]
    shared = {"model": MODEL, "environment": "production", "rule": "sudden", "state": "mature", "n": 900}
    found = [
        Signal(
            signal_id=key(MODEL, "log_loss", w.start),
            family="kpi",
            level="page",
            metric="log_loss",
            window_start=w.start,
            window_end=w.end,
            value=0.82,
            low=0.79,
            high=0.85,
            expected=0.5,
            normal_low=0.44,
            normal_high=0.57,
            p=1e-9,
            computed_at=w.end + timedelta(hours=6),
            **shared,
        )
        for w in bad
    ]
    last = windows[-4]
    vx = dataclasses.replace(
        found[0], signal_id=key(MODEL, "vx"), family="segment", level="notice", metric="calibration_gap", segment="carrier=VX", value=0.12
    )
    return [*found, dataclasses.replace(vx, low=0.07, high=0.17, expected=0.0, p=1e-4, rule="slow", window_start=last.start, window_end=last.end)]


def _incidents(signals: list[Signal]) -> list[IncidentEvent]:
    kpi = [s for s in signals if s.family == "kpi"]
    told = json.dumps(dataclasses.asdict(_story()), default=str)
    opened = _event(kpi[0], "opened", "high", told, [kpi[0].signal_id])
    joined = [_event(s, "joined", "high", told, [s.signal_id]) for s in kpi[1:]]
    resolved = dataclasses.replace(_event(kpi[-1], "resolved", "high", told, []), at=datetime(2013, 4, 29, 6, tzinfo=UTC), why="two usual days")
    vx = signals[-1]
    quiet = json.dumps(dataclasses.asdict(Story(headline=f"{MODEL}: Virgin America is late more often than <expected> & said", when="1 to 28 April")))
    return [opened, *joined, resolved, _event(vx, "opened", "warning", quiet, [vx.signal_id])]


def _event(signal: Signal, event: str, severity: str, story: str, signals: list[str]) -> IncidentEvent:
    incident = key(MODEL, signal.family)
    return IncidentEvent(
        event_id=key(incident, event, signal.window_start),
        incident_id=incident,
        model=MODEL,
        event=event,
        family=signal.family,
        subject=signal.segment or "kpi",
        severity=severity,
        window_start=signal.window_start,
        window_end=signal.window_end,
        signals=signals,
        story=story,
        at=signal.computed_at,
    )


def _story() -> Story:
    onset = datetime(2013, 4, 22, 4, tzinfo=UTC)
    against = ["one rainy hour at Newark"]
    cause = Cause(
        kind="outcome",
        subject="the outcome changed, not the inputs",
        share=0.9,
        low=0.82,
        high=0.96,
        onset=onset,
        evidence_for=["PSI of schedule features below .05"],
        evidence_against=against,
    )
    return Story(
        headline=f"{MODEL}: at least 52 % of Monday's flights were late; the model expected 11 %",
        when="Mon 22 April, New York",
        facts=[("Labels", "907 of 985 (92 %)"), ("Missed", "504 of 511 late flights were not flagged")],
        causes=[cause],
        ruled_out=["rain, fog", "a new version"],
        not_measured=["latency", "GPU"],
        next_steps=["Distrust 'on time' at LaGuardia.", "Do not retrain on one day."],
    )


def _run(operation: str, window: Window) -> Run:
    return Run(
        model=MODEL,
        operation=operation,
        window_start=window.start,
        window_end=window.end,
        outcome="done",
        rows=9,
        computed_at=window.end + timedelta(hours=6),
    )


def _batch(window: Window) -> Batch:
    bad = 1 if window.start.day == 12 else 0
    landed = window.end + timedelta(hours=1)
    return Batch(batch_id=key(window.start), model=MODEL, source="events", name=f"flights-{window.start:%Y-%m-%d}.parquet", status="partial" if bad else "landed", rows_read=900, rows_landed=900 - bad, rows_quarantined=bad, landed_at=landed)  # fmt: skip


def _validation(window: Window) -> Validation:
    failed = window.start.day == 12
    return Validation(
        batch_id=key(window.start),
        expectation_id="wind",
        model=MODEL,
        source="events",
        suite=f"{MODEL}_events",
        suite_hash="s",
        expectation="expect_column_values_to_be_between",
        column="wind_speed",
        severity="critical",
        outcome="fail" if failed else "pass",
        unexpected_count=int(failed),
        element_count=900,
        owner="#weather",
        why="no wind blows at 1,000 mph",
        validated_at=window.end + timedelta(hours=1),
    )


def _digest(windows: list[Window]) -> Digest:
    headline = "Flight delays, 22 to 28 April: bad week"
    text = f"**{headline}**\n\n39 % late; the model expected 14 %.\n\n- *Quality:* log loss .87\n- *Cost:* <script>alert(1)</script> synthetic\n\n| day | late |\n| --- | --- |\n| Mon | 57 % |\n"
    return Digest(
        digest_id=key(MODEL, "week"),
        model=MODEL,
        period="week",
        window_start=windows[-9].start,
        window_end=windows[-2].end,
        headline=headline,
        text=text,
        facts='{"log_loss": 0.87}',
        computed_at=NOW - timedelta(hours=3),
    )


def _action(state: str, attempt: int) -> Action:
    shared = {"action_id": "a1", "incident_id": key(MODEL, "kpi"), "model": MODEL, "kind": "open", "target": "slack"}
    return Action(**shared, state=state, attempt=attempt, reason="" if attempt == 0 else "Slack answered 500", at=NOW - timedelta(hours=2 - attempt))


def audit_report() -> FairnessReport:
    """Return an audit of two groups, with one statement of each verdict."""
    same = {"attribute": "sex", "metric": "demographic_parity", "n": 400, "rest_n": 5000, "rate": 0.45, "rest_rate": 0.3}
    return FairnessReport(
        model=MODEL,
        task="binary",
        environment="production",
        timezone="America/New_York",
        start=datetime(2013, 4, 1, 4, tzinfo=UTC),
        end=datetime(2013, 4, 29, 4, tzinfo=UTC),
        windows=28,
        window="day",
        rows=5400,
        versions={"v1": 4000, "v2": 1400},
        attributes=("sex", "region", "sex&region"),
        verdict="violation",
        level=0.99,
        statements=(
            Statement(**same, group="sex=f", verdict="violation", value=0.15, low=0.09, high=0.21),
            Statement(
                **same | {"attribute": "sex&region"}, group="sex=f&region=n", verdict="cannot tell", value=0.04, low=-0.1, high=0.2, needed=2000
            ),
            Statement(**same, group="sex=m", verdict="none", value=0.0, low=-0.02, high=0.02),
        ),
        warnings=(),
        content="f00d",
        bins="abc123",
        computed_at=NOW,
    )
