"""Worlds with a planted incident: rows of a small model over ten weeks, and what went wrong in them, when, and what it is called.

Belongs here: one function a kind of incident. Does not: landing the rows, judging them, and the score (causes.py).

A day passes from the inputs to the outcome, to what is logged of the inputs, the score, the service and the label. A fault changes one of
these steps from its first day on. The model knows the world but for two blind spots, both rare until a fault makes them common: it
underrates strong wind and the region `north`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.generic]
NUMBERS = ("weight_kg", "distance_km", "wind_speed", "depot_load", "age_h")
CATEGORIES = ("carrier",)
SEGMENTS = ("region", "client", "channel")
REGIONS, CLIENTS, CHANNELS = ("east", "west", "south", "coast", "north"), ("ash", "birch", "cedar", "oak", "pine"), ("web", "shop", "phone")
HOSTS = ("gpu-1", "gpu-2", "gpu-3", "gpu-4")
REFERENCE, QUIET, MOST_DAYS = 42, 10, 70
"""Days of the reference, the least number of quiet ones after it, and how long a world is."""
ROWS = 700
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
class Fault:
    """What goes wrong: the kind of the true cause, the names of which its subject must hold one, and what it does to each step of a day.

    `change` is the kind and the version of a change that is recorded as it begins; `throttled` and `full` say what the GPUs do.
    """

    kind: str
    names: tuple[str, ...] = ()
    inputs: Step | None = None
    outcome: Step | None = None
    sent: Step | None = None
    served: Step | None = None
    labels: Step | None = None
    change: tuple[str, str, str] | None = None
    throttled: bool = False
    full: bool = False


@dataclass(frozen=True)
class Plan:
    """A world: its faults, which of them are harmless decoys, when they begin and how many days they last."""

    name: str
    faults: tuple[Fault, ...]
    decoys: tuple[Fault, ...]
    onset: int
    lasts: int
    seed: int

    @property
    def end(self) -> int:
        """The first day without them."""
        return self.onset + self.lasts

    def day(self, number: int) -> Day:
        """Return one day."""
        rng = np.random.default_rng([self.seed, number])
        faults = (*self.faults, *self.decoys) if self.onset <= number < self.end else ()
        day = Day(rng, _inputs(rng, int(rng.normal(ROWS, 25)) - 120 * (number % 7 >= 5)))
        for step, usual in (("inputs", None), ("outcome", _outcome), ("sent", None), ("served", _served), ("labels", _labels)):
            if usual is not None:
                usual(day)
            for fault in faults:
                if (change := getattr(fault, step)) is not None:
                    change(day)
        return day


def _inputs(rng: np.random.Generator, rows: int) -> dict[str, Array]:
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
    return np.clip(-1.6 + odds + 0.03 * (x["age_h"] - 12) + carrier, -6, 6)


def _outcome(day: Day) -> None:
    blind = 1.8 * (np.asarray(day.columns["wind_speed"], float) > _STRONG) + 1.8 * (day.columns["region"] == "north")
    day.odds = _log_odds(day.columns) + blind


def _served(day: Day) -> None:
    day.outcome = day.rng.random(day.rows) < _chance(day.odds)
    day.score = _chance(_log_odds(day.columns))


def _labels(day: Day) -> None:
    odds = np.log(day.score / (1 - day.score)) + np.asarray(day.columns.pop("bias"), float)
    day.score = _chance(odds + np.asarray(day.columns.pop("noise"), float) * day.rng.normal(size=day.rows))
    day.is_labelled = day.some(0.97)


def _chance(odds: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-odds))


def _put(name: str, change: Callable[[Day, Array], Array], day: Day) -> None:
    day.columns[name] = change(day, day.columns[name])


# -- the data ---------------------------------------------------------------------------------------------------------------------------


def null_burst(rng: np.random.Generator) -> Fault:
    """The source of one input gives nothing for most rows."""
    name, share = str(rng.choice(["weight_kg", "distance_km", "depot_load"])), rng.uniform(0.6, 0.95)
    return Fault("data", (name,), sent=partial(_put, name, lambda day, x: np.where(day.some(share), np.nan, x)))


def unit_change(rng: np.random.Generator) -> Fault:
    """One input comes in another unit."""
    name, factor = (("weight_kg", 2.2046), ("weight_kg", 1000.0), ("distance_km", 0.6214), ("distance_km", 1000.0), ("age_h", 60.0))[rng.integers(5)]
    return Fault("data", (name,), sent=partial(_put, name, lambda _, x: x * factor))


def unseen_categories(rng: np.random.Generator) -> Fault:
    """The carriers have other names, or new ones among them."""
    share = rng.choice([0.5, 1.0])
    renamed = lambda day, x: np.where(day.some(share), np.char.upper(x.astype(str)), x)  # noqa: E731 - a step as short as this
    return Fault("data", ("carrier",), sent=partial(_put, "carrier", renamed))


def stale(rng: np.random.Generator) -> Fault:
    """One input stands still at a value that it often had."""
    name, value = (("weight_kg", 13.0), ("depot_load", 63.0), ("distance_km", 70.0), ("depot_load", 36.0))[rng.integers(4)]
    return Fault("data", (name,), sent=partial(_put, name, lambda _, x: np.full(len(x), value)))


def default_value(rng: np.random.Generator) -> Fault:
    """One input has a default where its source gives nothing."""
    name, value = (("weight_kg", 0.0), ("distance_km", 999.0), ("depot_load", -1.0), ("weight_kg", 99.0))[rng.integers(4)]
    share = rng.uniform(0.4, 0.9)
    return Fault("data", (name,), sent=partial(_put, name, lambda day, x: np.where(day.some(share), value, x)))


def codes_exchanged(_: np.random.Generator) -> Fault:
    """Two carriers have exchanged their codes: none is new, and the rows of each are another's."""
    exchanged = lambda _, x: np.select([x == "white", x == "red"], ["red", "white"], x)  # noqa: E731 - a step as short as this
    return Fault("data", ("carrier",), sent=partial(_put, "carrier", exchanged))


def repeated_rows(rng: np.random.Generator) -> Fault:
    """A join upstream writes the rows of one region many times, under new ids."""
    times = int(rng.integers(9, 14))
    return Fault(
        "data",
        ("repeat", "twice", "duplicate"),
        labels=lambda day: day.keep(np.repeat(np.arange(day.rows), np.where(day.columns["region"] == "north", times, 1))),
    )


def rows_missing(rng: np.random.Generator) -> Fault:
    """Nearly no rows come."""
    share = rng.uniform(0.0, 0.08)
    return Fault("data", ("rows",), labels=lambda day: day.keep(np.flatnonzero(day.some(share))))


def labels_missing(rng: np.random.Generator) -> Fault:
    """Few of the labels come."""
    share = rng.uniform(0.0, 0.3)

    def lose(day: Day) -> None:
        day.is_labelled &= day.some(share)

    return Fault("data", ("labels",), labels=lose)


# -- the inputs -------------------------------------------------------------------------------------------------------------------------


def covariate_shift(rng: np.random.Generator) -> Fault:
    """Storms: strong wind, which the model underrates, is common."""
    factor = rng.uniform(1.8, 2.4)
    return Fault("covariate", ("wind_speed",), inputs=partial(_put, "wind_speed", lambda _, x: x * factor))


def segment_mix(rng: np.random.Generator) -> Fault:
    """A region that the model underrates has far more of the rows."""
    share = rng.uniform(0.3, 0.5)
    return Fault("mix", ("north",), inputs=partial(_put, "region", lambda day, x: np.where(day.some(share), "north", x)))


def new_client(rng: np.random.Generator) -> Fault:
    """A client that nobody knew comes with many rows, of which the model knows little."""
    share = rng.uniform(0.25, 0.5)

    def turn(day: Day) -> None:
        day.odds = day.odds + 2.0 * (day.columns["client"] == "willow")

    return Fault("mix", ("willow",), inputs=partial(_put, "client", lambda day, x: np.where(day.some(share), "willow", x)), outcome=turn)


# -- the outcome ------------------------------------------------------------------------------------------------------------------------


def concept_everywhere(rng: np.random.Generator) -> Fault:
    """The outcome is more likely, or less so, whatever the inputs are."""
    by = rng.choice([-1.3, 1.0, 1.3])

    def turn(day: Day) -> None:
        day.odds = day.odds + by

    return Fault("concept", outcome=turn)


def concept_in_region(rng: np.random.Generator) -> Fault:
    """The outcome is another where one input is high or low."""
    name, low, high = (("depot_load", 60.0, np.inf), ("weight_kg", 12.0, np.inf), ("distance_km", 0.0, 22.0), ("depot_load", -np.inf, 40.0))[
        rng.integers(4)
    ]

    def turn(day: Day) -> None:
        x = np.asarray(day.columns[name], float)
        day.odds = day.odds + 2.4 * ((x > low) & (x <= high))

    return Fault("concept", (name,), outcome=turn)


def concept_in_segment(rng: np.random.Generator) -> Fault:
    """The outcome is another in one segment."""
    column, value = (("region", "coast"), ("client", "oak"), ("channel", "phone"), ("client", "cedar"))[rng.integers(4)]

    def turn(day: Day) -> None:
        day.odds = day.odds + 2.2 * (day.columns[column] == value)

    return Fault("concept", (value,), outcome=turn)


def label_fault(rng: np.random.Generator) -> Fault:
    """All labels, or all of one value, come as the same class."""
    value = bool(rng.random() < 0.7)

    def spoil(day: Day) -> None:
        day.outcome = np.full(day.rows, value)

    return Fault("labels", ("label",), labels=spoil)


def labels_turned(_: np.random.Generator) -> Fault:
    """The labels mean the opposite of what they meant."""

    def turn(day: Day) -> None:
        day.outcome = ~day.outcome.astype(bool)

    return Fault("labels", ("label",), labels=turn)


# -- changes ----------------------------------------------------------------------------------------------------------------------------


def _of_version(share: float, bias: float, noise: float, day: Day) -> None:
    new = day.some(share)
    day.columns["version"] = np.where(new, "5", day.columns["version"])
    day.columns["bias"] = np.asarray(day.columns["bias"], float) + np.where(new, bias, 0.0)
    day.columns["noise"] = np.where(new, noise, day.columns["noise"])


def _worse(rng: np.random.Generator) -> tuple[float, float]:
    return ((0.9, 0.0), (-1.0, 0.3), (1.2, 0.0), (0.5, 1.2))[rng.integers(4)]


def release_recorded(rng: np.random.Generator) -> Fault:
    """A worse version answers all, and somebody recorded its release."""
    return Fault("release", ("5",), served=partial(_of_version, 1.0, *_worse(rng)), change=("release", "5", "retrained"))


def release_beside(rng: np.random.Generator) -> Fault:
    """A worse version answers some; nobody recorded it."""
    return Fault("release", ("5",), served=partial(_of_version, float(rng.uniform(0.5, 0.8)), *_worse(rng)))


def release_in_place(rng: np.random.Generator) -> Fault:
    """A worse version answers all; nobody recorded it."""
    return Fault("release", ("5",), served=partial(_of_version, 1.0, *_worse(rng)))


def pipeline_change(rng: np.random.Generator) -> Fault:
    """A change of the feature pipeline, which was recorded, gives one input otherwise."""
    name, change = (
        ("weight_kg", lambda _, x: np.minimum(x, 5.0)),
        ("depot_load", lambda _, x: x - 20.0),
        ("distance_km", lambda _, x: 1.6 * x + 10.0),
    )[rng.integers(3)]
    return Fault("config", ("pipeline",), sent=partial(_put, name, change), change=("config", "", "new feature pipeline"))


def scaling_change(rng: np.random.Generator) -> Fault:
    """A setting of the service, which was recorded, moves the scores."""
    bias = rng.choice([-1.1, 0.9])

    def turn(day: Day) -> None:
        day.columns["bias"] = np.asarray(day.columns["bias"], float) + bias

    return Fault("config", ("calibration",), served=turn, change=("config", "", "calibration layer switched"))


# -- the service ------------------------------------------------------------------------------------------------------------------------


def slow_host(rng: np.random.Generator) -> Fault:
    """One host answers slowly, or fails."""
    host = str(rng.choice(HOSTS))

    def slow(day: Day) -> None:
        mine = day.columns["host"] == host
        day.columns["latency_ms"] = np.where(mine, 2.5, 1.0) * day.columns["latency_ms"]

    def fail(day: Day) -> None:
        day.columns["status"] = np.where((day.columns["host"] == host) & day.some(0.2), "unavailable", day.columns["status"])

    return Fault("infrastructure", (host,), served=(slow, fail)[rng.integers(2)])


def _slower(factor: float, day: Day) -> None:
    day.columns["latency_ms"] = np.asarray(day.columns["latency_ms"], float) * factor


def gpu_throttled(rng: np.random.Generator) -> Fault:
    """The GPUs are too hot and hold their clocks down."""
    return Fault("infrastructure", ("GPU",), served=partial(_slower, rng.uniform(1.5, 2.0)), throttled=True)


def gpu_full(rng: np.random.Generator) -> Fault:
    """The memory of the GPUs is full."""
    return Fault("infrastructure", ("GPU",), served=partial(_slower, rng.uniform(1.5, 2.0)), full=True)


def traffic_volume(rng: np.random.Generator) -> Fault:
    """Several times the usual rows come from everywhere, and all wait for one another."""
    times = int(rng.integers(3, 6))

    def flood(day: Day) -> None:
        more = _inputs(day.rng, (times - 1) * day.rows)
        day.columns = {name: np.concatenate([values, more[name]]) for name, values in day.columns.items()}

    return Fault("traffic", (), inputs=flood, served=partial(_slower, rng.uniform(1.5, 2.0)))


def traffic_of_client(rng: np.random.Generator) -> Fault:
    """One client tries again and again, and most of it fails."""
    client = str(rng.choice(["oak", "pine", "cedar"]))

    def flood(day: Day) -> None:
        more = _inputs(day.rng, 2 * day.rows)
        more["client"] = np.full(2 * day.rows, client)
        day.columns = {name: np.concatenate([values, more[name]]) for name, values in day.columns.items()}

    def fail(day: Day) -> None:
        day.columns["status"] = np.where((day.columns["client"] == client) & day.some(0.3), "rate limited", day.columns["status"])

    return Fault("traffic", (client,), inputs=flood, served=fail)


# -- without a trace --------------------------------------------------------------------------------------------------------------------


def slow_everywhere(rng: np.random.Generator) -> Fault:
    """Everything is slower; nothing that is logged says why."""
    return Fault("", served=partial(_slower, rng.uniform(1.4, 2.0)))


def fails_everywhere(rng: np.random.Generator) -> Fault:
    """Some requests fail, of all hosts and clients alike."""
    share = rng.uniform(0.04, 0.1)

    def fail(day: Day) -> None:
        day.columns["status"] = np.where(day.some(share), "unavailable", day.columns["status"])

    return Fault("", served=fail)


def noisy_scores(rng: np.random.Generator) -> Fault:
    """The scores of rows are mixed up among one another: as a whole they are as before."""
    share = rng.uniform(0.5, 0.9)

    def mix(day: Day) -> None:
        place = np.flatnonzero(day.some(share))
        day.score[place] = day.score[day.rng.permutation(place)]

    return Fault("", labels=mix)


# -- decoys -----------------------------------------------------------------------------------------------------------------------------


def harmless_drift(rng: np.random.Generator) -> Fault:
    """Something that the model makes little of is another than it was."""
    step = (partial(_put, "channel", lambda day, x: np.where(day.some(0.5), "phone", x)), partial(_put, "age_h", lambda _, x: x * 0.5))[
        rng.integers(2)
    ]
    return Fault("", inputs=step)


def harmless_release(_: np.random.Generator) -> Fault:
    """A new version, just as good, answers some of the rows from then on; it is recorded."""
    return Fault("", served=partial(_of_version, 0.5, 0.0, 0.0), change=("release", "5", "same weights, new image"))


def release_of_the_same(_: np.random.Generator) -> Fault:
    """A new version, just as good, answers all from then on; it is recorded."""
    return Fault("", served=partial(_of_version, 1.0, 0.0, 0.0), change=("release", "5", "same weights, new image"))


def harmless_config(_: np.random.Generator) -> Fault:
    """A setting is changed and recorded that moves nothing."""
    return Fault("", change=("config", "", "longer timeout of the gateway"))


Kind = Callable[[np.random.Generator], Fault]
ALONE: tuple[Kind, ...] = (
    null_burst, unit_change, unseen_categories, stale, default_value, codes_exchanged, repeated_rows, rows_missing, labels_missing,
    covariate_shift, segment_mix, new_client,
    concept_everywhere, concept_in_region, concept_in_segment, label_fault, labels_turned,
    release_recorded, release_beside, release_in_place, pipeline_change, scaling_change,
    slow_host, gpu_throttled, gpu_full, traffic_volume, traffic_of_client,
)  # fmt: skip
TOGETHER: dict[str, tuple[Kind, Kind]] = {
    "nulls and concept": (null_burst, concept_everywhere),
    "release and unit": (release_beside, unit_change),
    "mix and concept": (segment_mix, concept_in_region),
}
DECOYS: dict[str, tuple[Kind, Kind]] = {
    "concept beside a drift": (concept_everywhere, harmless_drift),
    "segment beside a drift": (concept_in_segment, harmless_drift),
    "concept beside a release": (concept_in_region, harmless_release),
    "concept beside a whole release": (concept_everywhere, release_of_the_same),
    "concept beside a config": (concept_in_segment, harmless_config),
    "nulls beside a release": (null_burst, harmless_release),
    "unit beside a drift": (unit_change, harmless_drift),
    "storm beside a release": (covariate_shift, harmless_release),
    "mix beside a whole release": (segment_mix, release_of_the_same),
    "release beside a drift": (release_beside, harmless_drift),
    "slow host beside a release": (slow_host, harmless_release),
}
WITHOUT_A_TRACE: tuple[Kind, ...] = (slow_everywhere, fails_everywhere, noisy_scores)
NAMES: tuple[str, ...] = (*(k.__name__ for k in ALONE), *TOGETHER, *DECOYS, *(k.__name__ for k in WITHOUT_A_TRACE))


def plan(name: str, seed: int) -> Plan:
    """Return a world by its name and seed."""
    place = crc32(name.encode())
    rng = np.random.default_rng([seed, place])
    single = {k.__name__: k for k in (*ALONE, *WITHOUT_A_TRACE)}
    kinds = TOGETHER.get(name) or DECOYS.get(name) or (single[name],)
    made = tuple(kind(rng) for kind in kinds)
    faults, decoys = (made[:1], made[1:]) if name in DECOYS else (made, ())
    lasts = int(rng.integers(4, 8))
    return Plan(name, faults, decoys, int(rng.integers(REFERENCE + QUIET, MOST_DAYS - lasts - 3)), lasts, seed * 2**32 + place)
