"""Days of a small model that worlds are made of: inputs, outcome, score, service and labels, each of which a fault may change.

Belongs here: what a usual day is. Does not: what goes wrong (faults.py), and when (worlds.py).

A day passes from the inputs to the outcome, to what is logged of the inputs, the score, the service and the label. A fault changes one of
these steps from its first day on. The model knows the world but for two blind spots, both rare until a fault makes them common: it
underrates strong wind and the region `north`.

A day is that of a model of one chance (`binary`), of three classes of which the log odds are the one order, or of minutes (`regression`) that are a line of the log odds.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
NUMBERS = ("weight_kg", "distance_km", "wind_speed", "depot_load", "age_h")
CATEGORIES = ("carrier",)
SEGMENTS = ("region", "client", "channel")
REGIONS, CLIENTS, CHANNELS = ("east", "west", "south", "coast", "north"), ("ash", "birch", "cedar", "oak", "pine"), ("web", "shop", "phone")
HOSTS = ("gpu-1", "gpu-2", "gpu-3", "gpu-4")
SPARE = "gpu-5"
"""A host of the model that answers nothing."""
REFERENCE, QUIET, MOST_DAYS = 42, 10, 70
"""Days of the reference, the least number of quiet ones after it, and how long a world is."""
ROWS = 700
CLASSES = ("early", "late", "on_time")
_EARLY, _CHANCE = 2.5, 0.5  # in log odds: so far below even odds a parcel is rather early; how much is left to chance among classes
_USUALLY, _MINUTES, _SCATTER = 30.0, 8.0, 6.0  # min of delay at even odds, of one more in log odds, and of chance
_STRONG = 20.0  # wind_speed; 3 % of rows are above
_USUAL = {"weight_kg": 8.0, "distance_km": 33.0, "wind_speed": 9.0, "depot_load": 50.0, "age_h": 12.0}


@dataclass
class Day:
    """One day on its way from the inputs to the labels; arrays are of shape (rows,). `sent` is what the model gets."""

    rng: np.random.Generator
    columns: dict[str, Array]
    odds: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    outcome: Array = field(default_factory=lambda: np.empty(0))
    score: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    is_labelled: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, bool))
    task: str = "binary"

    @property
    def rows(self) -> int:
        """How many predictions there are."""
        return len(self.columns["region"])

    def some(self, share: float) -> NDArray[np.bool_]:
        """Choose a share of the rows at random."""
        return self.rng.random(self.rows) < share

    def keep(self, place: Array) -> None:
        """Keep these rows, in this order; a row may be named twice."""
        self.columns = {name: values[place] for name, values in self.columns.items()}
        for name in ("odds", "outcome", "score", "is_labelled"):
            values = getattr(self, name)
            setattr(self, name, values[place] if len(values) else values)


Step = Callable[[Day], None]


@dataclass(frozen=True)
class Strained:
    """What GPUs or hosts do: `throttled`, `full`, `errors` (of GPUs), `storage`, `network` or `memory` (of hosts), how many hours after the onset, or as ever."""

    what: str
    hosts: tuple[str, ...] = HOSTS
    delay_hours: int = 0
    is_as_ever: bool = False


@dataclass(frozen=True)
class Fault:
    """What goes wrong: the kind of the true cause, the names of which its subject must hold one, and what it does to each step of a day.

    `change` is the kind and the version of a change that is recorded as it begins; `strained` says what GPUs and hosts do, and `must` what a subject must hold besides.
    """

    kind: str
    names: tuple[str, ...] = ()
    inputs: Step | None = None
    outcome: Step | None = None
    sent: Step | None = None
    served: Step | None = None
    labels: Step | None = None
    change: tuple[str, str, str] | None = None
    strained: tuple[Strained, ...] = ()
    must: str = ""


def inputs_of(rng: np.random.Generator, rows: int) -> dict[str, Array]:
    """Return the inputs of a day, and what is logged beside them."""
    return {
        "weight_kg": rng.gamma(2, 4, rows).round(2),
        "distance_km": rng.lognormal(3.5, 0.6, rows).round(1),
        "wind_speed": rng.gamma(3, 3, rows).round(1),
        "depot_load": rng.normal(50, 12, rows).round(1),
        "age_h": rng.exponential(12, rows).round(1),
        "carrier": rng.choice(["red", "blue", "green", "white"], rows, p=[0.4, 0.3, 0.2, 0.1]),
        "region": rng.choice(REGIONS, rows, p=[0.3, 0.25, 0.22, 0.19, 0.04]),
        "client": rng.choice(CLIENTS, rows, p=[0.35, 0.25, 0.2, 0.12, 0.08]),
        "channel": rng.choice(CHANNELS, rows, p=[0.5, 0.3, 0.2]),
        "host": rng.choice(HOSTS, rows),
        "version": np.full(rows, "4"),
        "latency_ms": rng.lognormal(4.4, 0.4, rows).round(1),
        "status": np.where(rng.random(rows) < 0.004, "timeout", "ok"),
        "bias": np.zeros(rows),
        "noise": np.zeros(rows),
    }


def _log_odds(columns: Mapping[str, Array]) -> NDArray[np.float64]:
    """Return what the model makes of inputs; a missing number is taken for the usual one, an unknown carrier for none."""
    x = {n: np.where(np.isnan(v := np.asarray(columns[n], float)), _USUAL[n], v) for n in NUMBERS}
    carrier = np.select([columns["carrier"] == "green", columns["carrier"] == "white"], [0.5, 1.0], 0.0)
    odds = 0.12 * (x["weight_kg"] - 8) + 0.025 * (x["distance_km"] - 40) + 0.06 * (x["wind_speed"] - 9) + 0.05 * (x["depot_load"] - 50)
    clipped: NDArray[np.float64] = np.clip(-1.6 + odds + 0.03 * (x["age_h"] - 12) + carrier, -6, 6)
    return clipped


def give_outcome(day: Day) -> None:
    """Set the log odds of the outcome: what the model knows, and its blind spots."""
    blind = 1.8 * (np.asarray(day.columns["wind_speed"], float) > _STRONG) + 1.8 * (day.columns["region"] == "north")
    day.odds = _log_odds(day.columns) + blind


def give_score(day: Day) -> None:
    """Draw the outcome, and score what was sent; the score of classes is the chance of `late`."""
    said = _log_odds(day.columns)
    if day.task == "regression":
        day.outcome = _USUALLY + _MINUTES * day.odds + day.rng.normal(0, _SCATTER, day.rows)
        day.score = _USUALLY + _MINUTES * said
        return
    if day.task == "multiclass":
        place = day.odds + day.rng.logistic(0, _CHANCE, day.rows)
        day.outcome = np.select([place > 0, place < -_EARLY], ["late", "early"], "on_time")
        day.score = _chance(said / _CHANCE)
        return
    day.outcome = day.rng.random(day.rows) < _chance(day.odds)
    day.score = _chance(said)


def give_labels(day: Day) -> None:
    """Finish the scores, and choose which labels come."""
    bias, noise = (np.asarray(day.columns.pop(name), float) for name in ("bias", "noise"))
    by = bias + noise * day.rng.normal(size=day.rows)
    day.score = day.score + _MINUTES * by if day.task == "regression" else _chance(np.log(day.score / (1 - day.score)) + by)
    day.is_labelled = day.some(0.97)


def said_of(day: Day) -> dict[str, Array]:
    """Return what the model logs beside its inputs: a chance, minutes, or the chance of each class and the likeliest."""
    if day.task == "binary":
        return {"p": day.score}
    if day.task == "regression":
        return {"said": day.score}
    early = 1 - _chance(np.log(day.score / (1 - day.score)) + _EARLY / _CHANCE)
    chances = np.stack([early, day.score, 1 - early - day.score])
    return {"said": np.array(CLASSES)[chances.argmax(axis=0)], **{f"p_{name}": chances[i] for i, name in enumerate(CLASSES)}}


def _chance(odds: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-odds))


def put(name: str, change: Callable[[Day, Array], Array], day: Day) -> None:
    """Change one column of a day."""
    day.columns[name] = change(day, day.columns[name])
