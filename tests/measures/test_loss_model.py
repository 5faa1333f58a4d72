"""A model of losses follows inputs, also where they work together, says how sure it is, and does not tell a reference from itself."""

import numpy as np
import pytest

from measure_world import regression
from watchkeeper.measures import estimated_errors
from watchkeeper.measures.estimated_errors import ExpectedErrors
from watchkeeper.measures.loss_model import FOLDS, LossModel, fitted, fold_of, losses_of
from watchkeeper.stats.intervals import Estimate

DAYS = 42


def world(seed: int, rows: int, *, moved: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Return inputs and errors: errors are large where both inputs are, and biased by the third, which is a code; `moved` moves the first two together."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 2)) + moved * rng.normal(size=(rows, 1))
    code = rng.integers(0, 4, rows)
    error = rng.normal(size=rows) * np.where((x[:, 0] > 0.5) & (x[:, 1] > 0.5), 9.0, 2.0) + np.where(code == 2, 1.5, 0.0)
    return np.column_stack([x, code]).astype(np.float32), error


def model(seed: int, loss: str, rows: int = 12_000) -> LossModel:
    features, error = world(seed, rows)
    return fitted(features, [False, False, True], error, np.arange(rows) % DAYS, DAYS, loss)


@pytest.fixture(scope="module")
def models() -> dict[str, LossModel]:
    return {loss: model(1, loss) for loss in ("absolute", "squared", "signed")}


@pytest.mark.parametrize(("loss", "within"), [("absolute", 0.1), ("squared", 0.2)])
def test_what_is_expected_follows_inputs_that_move_together(models, loss, within):
    features, error = world(2, 12_000, moved=1.2)
    realised, before = losses_of(error, loss).mean(), losses_of(world(1, 12_000)[1], loss).mean()
    assert models[loss].expected([features]).value == pytest.approx(realised, rel=within)
    assert realised > 1.15 * before


def test_a_bias_of_some_values_is_expected_of_more_of_them(models):
    features, error = world(2, 12_000)
    more = np.concatenate([features, *[features[features[:, 2] == 2]] * 4])
    assert error.mean() == pytest.approx(0.375, abs=0.15)
    assert models["signed"].expected([more]).value == pytest.approx(1.5 * 5 / 8, abs=0.25)


def test_rows_in_blocks_are_the_same_rows(models):
    features, _ = world(3, 1_000)
    whole, parts = models["absolute"].expected([features]), models["absolute"].expected([features[:300], features[:0], features[300:]])
    assert parts.value == pytest.approx(whole.value, rel=1e-9)
    assert parts.n == whole.n == 1_000


@pytest.mark.parametrize("seeds", [60, pytest.param(200, marks=pytest.mark.nightly)])
def test_bands_hold_what_was_realised(models, seeds):
    held = dict.fromkeys(models, 0)
    for seed in range(seeds):
        features, error = world(1_000 + seed, 300)
        for loss, known in models.items():
            found = known.expected([features])
            held[loss] += found.low <= losses_of(error, loss).mean() <= found.high
    assert all(0.9 * seeds <= n for n in held.values()), held


def test_days_that_err_alike_make_the_band_wide():
    rng = np.random.default_rng(0)
    features, _ = world(4, 8_400)
    day = np.arange(8_400) % DAYS
    error = rng.normal(size=8_400) * rng.uniform(1, 3, DAYS)[day]
    found = fitted(features, [False, False, True], error, day, DAYS, "absolute").expected([features[:2_000]])
    assert found.se / found.value == pytest.approx(0.29, abs=0.12), "a day's spread lies 29 % around the mean of days"


def test_a_day_of_the_reference_is_told_by_the_model_that_has_not_seen_it(models):
    features, _ = world(1, 12_000)
    known = models["absolute"]
    each = [known.expected([features[:200]], fold).value for fold in range(FOLDS)]
    assert len(set(each)) == FOLDS
    assert known.expected([features[:200]]).value == pytest.approx(np.mean(each))


def test_folds_are_weeks_and_of_a_short_reference_days():
    assert fold_of(np.arange(21), 42).tolist() == [0] * 7 + [1] * 7 + [2] * 7
    assert fold_of(np.arange(6), 10).tolist() == [0, 1, 2, 0, 1, 2]


def test_missing_values_and_no_rows_are_no_trouble(models):
    features, _ = world(5, 100)
    features[:50] = np.nan
    assert models["absolute"].expected([features]).is_defined
    assert models["absolute"].expected([]).reason == "no rows"


def test_a_gap_needs_the_labels_of_nearly_all():
    truth = np.where(np.arange(1_000) < 500, np.nan, 3.0)
    found = estimated_errors.mae_gap(ExpectedErrors(lambda _: Estimate(1.0, 0.1)), regression(np.full(1_000, 4.0), truth))
    assert found.reason == "50 % of rows have a label, and the estimate is of all of them: it takes 90 %"
