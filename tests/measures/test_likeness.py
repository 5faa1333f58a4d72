"""The reference's rows are weighted by what errors depend on, where that moved, and not where they are too few."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from measure_world import binary
from watchkeeper.measures import estimated
from watchkeeper.measures.estimated import weighted
from watchkeeper.measures.likeness import ReferenceRows, by_score, relevant, weighing
from watchkeeper.stats.calibration import calibrated
from watchkeeper.windows import Window

CELLS = 6
BEGIN, DAY = datetime(2025, 1, 6, tzinfo=UTC), timedelta(days=1)
DAYS = tuple(BEGIN + d * DAY for d in range(31))
LATER = Window(BEGIN + 40 * DAY, BEGIN + 41 * DAY)


def known(columns: dict[str, np.ndarray], score: np.ndarray, truth: np.ndarray) -> ReferenceRows:
    kinds, kind = np.unique(np.stack(list(columns.values()), 1), axis=0, return_inverse=True)
    day = np.arange(len(score)) % 30
    return ReferenceRows(score, truth, tuple(columns), kinds, kind.ravel(), day, DAYS)


def world(seed: int, rows: int, shares: list[float]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a cell, score and truth of each row: what the score does not see is that low cells are less sure, high ones surer than it says."""
    rng = np.random.default_rng(seed)
    cell, plain = rng.choice(CELLS, rows, p=shares), rng.normal(size=rows)
    score = 1 / (1 + np.exp(-1.5 * plain))
    chance = 1 / (1 + np.exp(-1.5 * plain * np.linspace(0.2, 2.2, CELLS)[cell] - 0.8 * (cell < 2)))
    return cell, score, (rng.random(rows) < chance).astype(float)


EVEN, LOW = [1 / CELLS] * CELLS, [0.4, 0.3, 0.15, 0.05, 0.05, 0.05]


@pytest.mark.parametrize("seed", range(10))
def test_weighted_estimates_follow_where_plain_ones_go_astray(seed):
    cell, score, truth = world(seed, 30_000, EVEN)
    later, scored, outcome = world(seed + 100, 20_000, LOW)
    rows = known({"x": cell}, score, truth)
    scores, place = by_score(score)
    plain = calibrated(*(np.bincount(place[truth == side], minlength=len(scores)) for side in (1, 0)), scores)
    found = weighing(rows, LATER, lambda _: np.bincount(later, minlength=CELLS))
    assert 5_000 < found.effective < 30_000
    assert found.said.startswith("weighted to the inputs by x: the reference counts as ")
    view, realised = binary(scored, outcome), np.mean((scored >= 0.5) == outcome)
    ours = estimated.accuracy(weighted(rows, found.weights, plain), view)
    assert ours.value == pytest.approx(realised, abs=0.015)
    assert abs(ours.value - realised) < 4 * ours.se
    assert estimated.accuracy(plain, view).value - realised > 0.03


def test_inputs_that_did_not_move_leave_the_rows_as_they_are():
    cell, score, truth = world(1, 20_000, EVEN)
    later, *_ = world(2, 1_000, EVEN)
    found = weighing(known({"x": cell}, score, truth), LATER, lambda _: np.bincount(later, minlength=CELLS))
    assert (found.weights, found.said) == (None, "")


def test_too_few_rows_alike_are_refused_and_counted():
    rng = np.random.default_rng(0)
    cells = {name: rng.choice(2, 3_000, p=[0.97, 0.03]) for name in ("x", "y")}
    found = weighing(known(cells, np.full(3_000, 0.5), np.zeros(3_000)), LATER, lambda _: np.array([0, 500]))
    assert found.is_refused
    assert found.weights is None
    assert found.said.startswith("the reference has too few rows like these in x and y: they count as ")
    assert found.effective < 200


def test_values_that_the_reference_lacks_are_refused():
    cell, score, truth = world(1, 5_000, EVEN)
    found = weighing(known({"x": cell}, score, truth), LATER, lambda _: np.array([100, 100, 100, 100, 100, 100, 300]))
    assert found.said == "33 % of rows have values of x that no labelled row of the reference has"
    assert found.is_refused


def test_features_are_chosen_by_whether_an_error_depends_on_them():
    rng = np.random.default_rng(5)
    cells = {f"f{i}": rng.integers(0, 8, 20_000) for i in range(12)}
    error, day = rng.normal(size=20_000) + 0.15 * cells["f7"] - 0.2 * (cells["f2"] == 3), np.arange(20_000) % 60
    assert list(relevant(cells.items(), [error], day, of=12)) == ["f7", "f2"]


@pytest.mark.parametrize("days", [pytest.param(30, id="days that err alike"), pytest.param(2_000, id="rows by themselves")])
def test_a_feature_that_has_nothing_to_do_with_the_error_is_chosen_at_most_at_its_level(days):
    """A day has one weather and errs its own way: its rows are no witnesses for each other."""
    chosen = 0
    for seed in range(400):
        rng = np.random.default_rng(seed)
        day = np.arange(2_000) % days
        weather, mood = rng.integers(0, 5, days)[day], rng.normal(size=days)[day]
        chosen += bool(relevant({"weather": weather}.items(), [mood + rng.normal(size=2_000)], day, of=1))
    assert chosen <= 33, chosen


def test_rows_of_few_days_are_refused_however_many_they_are():
    day = np.arange(30_000) % 30
    rows = known({"weather": (day < 4).astype(int)}, np.full(30_000, 0.5), np.zeros(30_000))
    found = weighing(rows, LATER, lambda _: np.array([0, 900]))
    assert found.said == "the reference has too few rows like these in weather: they count as 4,000 rows of 4 days, and it takes 200 of 10 days"


def test_a_window_of_the_reference_is_not_told_by_its_own_rows():
    day = np.arange(30_000) % 30
    rows = known({"weather": (day < 12).astype(int)}, np.full(30_000, 0.5), np.zeros(30_000))
    found = weighing(rows, Window(BEGIN + 3 * DAY, BEGIN + 4 * DAY), lambda _: np.array([0, 1_000]))
    assert found.weights[day == 3].tolist() == [0.0] * 1_000
    assert found.said.endswith("counts as 11,000 rows of 11 days")
