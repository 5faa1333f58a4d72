"""Rows of regressions, classes and bare decisions show where the mean error rose, and how much of it other shares of rows make."""

from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa
import pytest

from conftest import PARCELS
from evidence_world import signal
from watchkeeper.adapters.workspace import load_monitor
from watchkeeper.judgement.episodes import Episode
from watchkeeper.operations.ingest import ingest
from watchkeeper.operations.profile import profile
from watchkeeper.operations.traces import traces
from worlds import DAY, parcels_days

BEGIN = datetime(2025, 1, 1, tzinfo=UTC)
NOW = BEGIN + 28 * DAY
BAD = (23, 24)
CLASSES = np.array(["early", "late", "on_time"])
COLUMNS = {"id": "parcel", "time": "sent_at"}
TASKS = {
    "regression": {"task": "regression", "columns": COLUMNS | {"prediction": "minutes"}, "wording": {"unit": "min"}},
    "multiclass": {"task": "multiclass", "columns": COLUMNS | {"prediction": "said"}},
    "decisions": {"task": "binary", "columns": COLUMNS | {"prediction": "is_late"}},
}


def answered(name, events, rng, *, scale, rise):
    """Return events and labels of a day: the error is 5 min or one in ten on average; heavy parcels always err more, and by `rise` times more than that in the south."""
    rows = events.num_rows
    weight, depot = np.asarray(events["weight_kg"]), np.asarray(events["depot"].to_pylist())
    worse = 1.0 + 3.0 * (weight > 2) + rise * (depot == "south")
    said = rng.integers(0, 3, rows)
    wrong = rng.random(rows) < 0.1 * worse
    minutes = 60 * scale * np.ones(rows)
    truth = {
        "regression": minutes + scale * 5 * worse * rng.choice([-1, 1], rows) * rng.uniform(0.5, 1.5, rows),
        "multiclass": CLASSES[(said + wrong) % 3],
        "decisions": (said > 0) != wrong,
    }
    events = events.drop_columns(["p_late", "is_late"])
    for column, values in (("minutes", minutes), ("said", CLASSES[said]), ("is_late", said > 0)):
        if column == TASKS[name]["columns"]["prediction"]:
            events = events.append_column(column, pa.array(values))
    return events, pa.array(truth[name])


def landed(make_home, name, *, scale=1.0, rise=0.0, heavier=1.0):
    """Return a workspace with 26 days of parcels, of which on two the error rose in the south, or parcels are heavier."""

    def day(number):
        def change(events, labels):
            bad = number in BAD
            heavy = pa.array(np.asarray(events["weight_kg"]) * (heavier if bad else 1.0))
            events = events.set_column(events.column_names.index("weight_kg"), "weight_kg", heavy)
            events, truth = answered(name, events, np.random.default_rng(number), scale=scale, rise=rise if bad else 0.0)
            return events, labels.set_column(1, "was_late", truth)

        return change

    home = make_home(PARCELS | TASKS[name], name="errors")
    parcels_days(home.root, date(2025, 1, 1), 26, rows=1500, change={n: day(n) for n in range(26)})
    monitor = load_monitor(home, "parcels")
    ingest(home, monitor, now=NOW)
    profile(home, monitor, now=NOW)
    return home, monitor


def looked_at(home, monitor, metric):
    """Return what rows of the two bad days show."""
    start = BEGIN + BAD[0] * DAY
    alarms = [replace(signal(metric, 0.4), window_start=start + n * DAY, window_end=start + (n + 1) * DAY) for n in range(len(BAD))]
    return traces(home, monitor, Episode("kpi", "kpi", alarms, is_over=True), metric, now=NOW)


@pytest.mark.parametrize(
    ("name", "metric"), [("regression", "mae"), ("multiclass", "accuracy"), pytest.param("decisions", "accuracy", marks=pytest.mark.nightly)]
)
def test_the_place_where_the_mean_error_rose_is_found(make_home, name, metric):
    found = looked_at(*landed(make_home, name, rise=5.0), metric)
    assert found.place.where.replace(" ", "") == "depot=south"
    there, whole = found.error_there, found.error
    expected = {"regression": ("mean absolute error", 5.0, "min"), "multiclass": ("error", 0.1, ""), "decisions": ("error", 0.1, "")}[name]
    assert (there.name, there.unit) == (expected[0], expected[2])
    assert there.now - there.usual == pytest.approx(5 * expected[1], rel=0.2), "by what was planted"
    assert whole.now - whole.usual == pytest.approx(5 * expected[1] * 0.3, rel=0.25), "three in ten parcels are of the south"
    assert 0 < there.se < (there.now - there.usual) / 5
    assert not found.mixes or found.mixes[0].share < 0.2


@pytest.mark.parametrize(
    ("name", "metric"),
    [
        pytest.param("regression", "mae", marks=pytest.mark.nightly),
        pytest.param("multiclass", "accuracy", marks=pytest.mark.nightly),
        ("decisions", "accuracy"),
    ],
)
def test_a_feature_that_moved_has_its_part_of_the_mean_errors_rise(make_home, name, metric):
    found = looked_at(*landed(make_home, name, heavier=2.0), metric)
    assert (found.mixes[0].column, found.mixes[0].role) == ("weight_kg", "feature")
    assert found.mixes[0].share == pytest.approx(1.0, abs=0.25), "the model errs in heavy parcels as it did"
    assert found.mixes[0].low > 0.5
    assert found.place is None


@pytest.mark.parametrize("scale", [pytest.param(1e-4, marks=pytest.mark.nightly), 1e4])
def test_what_is_found_does_not_depend_on_the_unit_of_the_truth(make_home, scale):
    found = looked_at(*landed(make_home, "regression", scale=scale, rise=5.0), "mae")
    assert found.place.where.replace(" ", "") == "depot=south"
    assert found.error_there.now - found.error_there.usual == pytest.approx(25 * scale, rel=0.2)


def test_the_error_is_that_of_the_number_that_alarmed(make_home):
    home, monitor = landed(make_home, "regression", rise=5.0)
    squared = looked_at(home, monitor, "rmse").error_there
    assert (squared.name, squared.unit) == ("mean squared error", "min²")
    assert squared.now > 600, "a mean of (30 min and more) squared"
    bias = looked_at(home, monitor, "bias")
    assert bias.error is None, "errors rose on both sides alike"


def test_an_error_that_fell_has_no_cause(make_home):
    found = looked_at(*landed(make_home, "regression", rise=-0.8), "mae")
    assert (found.error, found.place, list(found.mixes)) == (None, None, [])
