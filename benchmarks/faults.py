"""Faults that are planted into days: one function a kind, from a null burst upstream to a client that tries again and again.

Belongs here: what goes wrong, and what its cause is called. Does not: what a usual day is (days.py), which faults come together and when (worlds.py).
"""

from functools import partial

import numpy as np

from benchmarks.days import Day, Fault, inputs_of, put
from benchmarks.hardware import slower

# -- the data ---------------------------------------------------------------------------------------------------------------------------


def null_burst(rng: np.random.Generator) -> Fault:
    """The source of one input gives nothing for most rows."""
    name, share = str(rng.choice(["weight_kg", "distance_km", "depot_load"])), rng.uniform(0.6, 0.95)
    return Fault("data", (name,), sent=partial(put, name, lambda day, x: np.where(day.some(share), np.nan, x)))


def unit_change(rng: np.random.Generator) -> Fault:
    """One input comes in another unit."""
    name, factor = (("weight_kg", 2.2046), ("weight_kg", 1000.0), ("distance_km", 0.6214), ("distance_km", 1000.0), ("age_h", 60.0))[rng.integers(5)]
    return Fault("data", (name,), sent=partial(put, name, lambda _, x: x * factor))


def unseen_categories(rng: np.random.Generator) -> Fault:
    """The carriers have other names, or new ones among them."""
    share = rng.choice([0.5, 1.0])
    renamed = lambda day, x: np.where(day.some(share), np.char.upper(x.astype(str)), x)  # noqa: E731 - a step as short as this
    return Fault("data", ("carrier",), sent=partial(put, "carrier", renamed))


def stale(rng: np.random.Generator) -> Fault:
    """One input stands still at a value that it often had."""
    name, value = (("weight_kg", 13.0), ("depot_load", 63.0), ("distance_km", 70.0), ("depot_load", 36.0))[rng.integers(4)]
    return Fault("data", (name,), sent=partial(put, name, lambda _, x: np.full(len(x), value)))


def default_value(rng: np.random.Generator) -> Fault:
    """One input has a default where its source gives nothing."""
    name, value = (("weight_kg", 0.0), ("distance_km", 999.0), ("depot_load", -1.0), ("weight_kg", 99.0))[rng.integers(4)]
    share = rng.uniform(0.4, 0.9)
    return Fault("data", (name,), sent=partial(put, name, lambda day, x: np.where(day.some(share), value, x)))


def codes_exchanged(_: np.random.Generator) -> Fault:
    """Two carriers have exchanged their codes: none is new, and the rows of each are another's."""
    exchanged = lambda _, x: np.select([x == "white", x == "red"], ["red", "white"], x)  # noqa: E731 - a step as short as this
    return Fault("data", ("carrier",), sent=partial(put, "carrier", exchanged))


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
    return Fault("covariate", ("wind_speed",), inputs=partial(put, "wind_speed", lambda _, x: x * factor))


def segment_mix(rng: np.random.Generator) -> Fault:
    """A region that the model underrates has far more of the rows."""
    share = rng.uniform(0.3, 0.5)
    return Fault("mix", ("north",), inputs=partial(put, "region", lambda day, x: np.where(day.some(share), "north", x)))


def new_client(rng: np.random.Generator) -> Fault:
    """A client that nobody knew comes with many rows, of which the model knows little."""
    share = rng.uniform(0.25, 0.5)

    def turn(day: Day) -> None:
        day.odds = day.odds + 2.0 * (day.columns["client"] == "willow")

    return Fault("mix", ("willow",), inputs=partial(put, "client", lambda day, x: np.where(day.some(share), "willow", x)), outcome=turn)


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
    return Fault("config", ("pipeline",), sent=partial(put, name, change), change=("config", "", "new feature pipeline"))


def scaling_change(rng: np.random.Generator) -> Fault:
    """A setting of the service, which was recorded, moves the scores."""
    bias = rng.choice([-1.1, 0.9])

    def turn(day: Day) -> None:
        day.columns["bias"] = np.asarray(day.columns["bias"], float) + bias

    return Fault("config", ("calibration",), served=turn, change=("config", "", "calibration layer switched"))


# -- the service ------------------------------------------------------------------------------------------------------------------------


def traffic_volume(rng: np.random.Generator) -> Fault:
    """Several times the usual rows come from everywhere, and all wait for one another."""
    times = int(rng.integers(3, 6))

    def flood(day: Day) -> None:
        more = inputs_of(day.rng, (times - 1) * day.rows)
        day.columns = {name: np.concatenate([values, more[name]]) for name, values in day.columns.items()}

    return Fault("traffic", (), inputs=flood, served=partial(slower, rng.uniform(1.5, 2.0)))


def traffic_of_client(rng: np.random.Generator) -> Fault:
    """One client tries again and again, and most of it fails."""
    client = str(rng.choice(["oak", "pine", "cedar"]))

    def flood(day: Day) -> None:
        more = inputs_of(day.rng, 2 * day.rows)
        more["client"] = np.full(2 * day.rows, client)
        day.columns = {name: np.concatenate([values, more[name]]) for name, values in day.columns.items()}

    def fail(day: Day) -> None:
        day.columns["status"] = np.where((day.columns["client"] == client) & day.some(0.3), "rate limited", day.columns["status"])

    return Fault("traffic", (client,), inputs=flood, served=fail)


# -- without a trace --------------------------------------------------------------------------------------------------------------------


def slow_everywhere(rng: np.random.Generator) -> Fault:
    """Everything is slower; nothing that is logged says why."""
    return Fault("", served=partial(slower, rng.uniform(1.4, 2.0)))


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
    step = (partial(put, "channel", lambda day, x: np.where(day.some(0.5), "phone", x)), partial(put, "age_h", lambda _, x: x * 0.5))[rng.integers(2)]
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
