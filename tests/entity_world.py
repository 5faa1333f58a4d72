"""Parcels whose rows repeat: each customer sends several, which fail alike; a third of the rows name no customer.

Belongs here: the world by task, and what its rows say of a day. Does not: expectations (test_clustered_rows.py).
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from conftest import PARCELS, new_home
from watchkeeper.adapters.workspace import Home
from watchkeeper.operations.watch import gather
from worlds import DAY

BEGIN = datetime(2025, 1, 6, tzinfo=UTC)
"""A Monday."""
DAYS, ROWS, CUSTOMERS = 28, 300, 60
NOW = BEGIN + (DAYS + 3) * DAY
CLASSES = ("early", "late", "lost")
KPI = {"name": "cost", "sql": "CASE WHEN label = 1 THEN 10 * weight_kg ELSE 1 END", "direction": "lower_is_better"}
_COLUMNS = PARCELS["columns"] | {"entity": "customer"}
TASKS: dict[str, dict[str, Any]] = {
    "binary": {"columns": _COLUMNS, "kpis": [KPI]},
    "regression": {
        "columns": {"id": "parcel", "time": "sent_at", "score": "hours", "entity": "customer"},
        "labels": PARCELS["labels"] | {"column": "took"},
    },
    "multiclass": {
        "columns": {
            "id": "parcel",
            "time": "sent_at",
            "prediction": "says",
            "entity": "customer",
            "probabilities": {c: f"p_{c}" for c in CLASSES},
        },
        "labels": PARCELS["labels"] | {"column": "became"},
    },
}
Floats = NDArray[np.float64]


def monitor_of(task: str, **changes: Any) -> dict[str, Any]:
    made = PARCELS | TASKS[task] | {"task": task, "segments": ["depot", "van", "depot&van"], "reference": {"from": "2025-01-06", "to": "2025-01-20"}}
    return made | changes


def day_of(task: str, d: int) -> dict[str, Any]:
    """Return the columns of a day, events and labels in one; customers are None on a third of the rows."""
    rng = np.random.default_rng([d, 4])
    luck, size = rng.normal(0, 1, CUSTOMERS), rng.gamma(0.8, 1.0, CUSTOMERS)
    who = rng.choice(CUSTOMERS, ROWS, p=size / size.sum())
    weight, depot, van = rng.lognormal(0.0, 0.5, ROWS), rng.choice(["north", "south", None], ROWS, p=[0.5, 0.3, 0.2]), rng.choice(["a", "b"], ROWS)
    score = 1 / (1 + np.exp(-(np.log(0.3 / 0.7) + 1.5 * np.log(weight))))
    chance = 1 / (1 + np.exp(-(np.log(score / (1 - score)) + 1.5 * luck[who])))
    hours = 20 + 5 * weight
    p = rng.dirichlet([2, 2, 2], ROWS)
    up_to = p.cumsum(axis=1) / p.sum(axis=1, keepdims=True)
    became = np.array(CLASSES)[(rng.random((len(p), 1)) >= up_to).sum(axis=1)]
    names = np.array([f"c{i}" for i in range(CUSTOMERS)], object)[who]
    names[rng.random(ROWS) < 1 / 3] = None
    return {
        "parcel": [f"{d:02d}-{i:04d}" for i in range(ROWS)],
        "sent_at": [BEGIN + d * DAY + DAY * s for s in np.sort(rng.random(ROWS)).tolist()],
        "customer": names.tolist(),
        "weight_kg": weight,
        "depot": depot.tolist(),
        "van": van,
        "version": ["1"] * ROWS,
        "p_late": score,
        "is_late": score >= 0.5,
        "was_late": rng.random(ROWS) < chance,
        "hours": hours,
        "took": hours + rng.normal(0, 2, ROWS) + 3 * luck[who],
        "says": np.array(CLASSES)[p.argmax(axis=1)],
        "became": became,
        **{f"p_{c}": p[:, i] for i, c in enumerate(CLASSES)},
        "known_at": [BEGIN + (d + 1) * DAY] * ROWS,
    }


_EVENTS = {
    "binary": ("p_late", "is_late", "version"),
    "regression": ("hours",),
    "multiclass": ("says", *(f"p_{c}" for c in CLASSES)),
}


def tables_of(task: str, day: dict[str, Any]) -> tuple[pa.Table, pa.Table]:
    """Return a day as its two files."""
    truth = TASKS[task].get("labels", PARCELS["labels"])["column"]
    events = ("parcel", "customer", "weight_kg", "depot", "van", *_EVENTS[task])
    moment = pa.timestamp("us", "UTC")
    return (
        pa.table({**{name: day[name] for name in events}, "sent_at": pa.array(day["sent_at"], moment)}),
        pa.table({"parcel": day["parcel"], truth: day[truth], "delivered_at": pa.array(day["known_at"], moment)}),
    )


def brought_up(root: Path, task: str, **changes: Any) -> Home:
    """Return a workspace in which all days of the world have landed and are measured."""
    home = new_home(root, monitor_of(task, **changes))
    for d in range(DAYS):
        events, labels = tables_of(task, day_of(task, d))
        pq.write_table(events, home.root / "inbox" / f"parcels-{d:02d}.parquet")
        pq.write_table(labels, home.root / "inbox" / f"delivered-{d:02d}.parquet")
    gather(home, now=NOW)
    return home


def row_means(task: str, day: dict[str, Any]) -> dict[str, tuple[NDArray[np.bool_], Floats]]:
    """Return each KPI that is a mean over rows: which rows, and of what; written from its definition."""
    everyone = np.ones(len(day["parcel"]), bool)
    if task == "regression":
        error = day["hours"] - day["took"]
        return {
            "mae": (everyone, np.abs(error)),
            "bias": (everyone, error),
            "truth_mean": (everyone, day["took"]),
            "mape": (everyone, np.abs(error) / np.abs(day["took"])),
        }
    if task == "multiclass":
        p = np.stack([day[f"p_{c}"] for c in CLASSES], axis=1)
        true = np.array([CLASSES.index(c) for c in day["became"]])
        hit = np.eye(3)[true]
        return {
            "accuracy": (everyone, (day["says"] == day["became"]).astype(float)),
            "log_loss": (everyone, -np.log(p[np.arange(len(true)), true])),
            "brier": (everyone, ((p - hit) ** 2).sum(axis=1)),
        }
    p, y, said = day["p_late"], day["was_late"], day["is_late"]
    return {
        "log_loss": (everyone, -np.where(y, np.log(p), np.log(1 - p))),
        "brier": (everyone, (p - y) ** 2),
        "calibration_gap": (everyone, y - p),
        "positive_rate": (everyone, y.astype(float)),
        "score_mean": (everyone, p),
        "flagged_ratio": (everyone, said.astype(float)),
        "accuracy": (everyone, (said == y).astype(float)),
        "precision": (said, y.astype(float)),
        "recall": (y, said.astype(float)),
        "specificity": (~y, (~said).astype(float)),
        "cost": (everyone, np.where(y, 10 * day["weight_kg"], 1.0)),
    }
