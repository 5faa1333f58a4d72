"""E-detectors: how long they run without cause, how soon they tell of what lasts, and what they forget."""

import numpy as np
import pytest

from watchkeeper.stats.detectors import e_detector

ENOUGH = 100.0


def first_alarms(z):
    """Return the number of windows until each series' first alarm, the length of the series where there is none."""
    hit = e_detector(z, ENOUGH) >= ENOUGH
    return np.where(hit.any(axis=1), hit.argmax(axis=1) + 1, z.shape[1])


@pytest.mark.parametrize("shape", ["normal", "short of tail", "lower than expected"])
def test_the_mean_run_without_cause_is_at_least_what_is_enough(shape):
    random = np.random.default_rng(1)
    z = {"normal": random.normal(size=(400, 2000)), "short of tail": random.uniform(-1.7, 1.7, (400, 2000))}.get(shape)
    runs = first_alarms(random.normal(-0.3, size=(400, 2000)) if z is None else z)
    assert runs.mean() - 3 * runs.std() / np.sqrt(len(runs)) > ENOUGH


def test_windows_are_no_surprise_beyond_what_was_expected_of_them():
    """E[M_t | before] <= M_{t-1} + 1: without a bar the evidence minus the windows so far has mean 0 at most."""
    z = np.random.default_rng(2).normal(size=(200_000, 6))
    evidence = e_detector(z, np.inf)[:, -1]
    assert evidence.mean() == pytest.approx(6, abs=4 * evidence.std() / np.sqrt(len(z)))


@pytest.mark.parametrize(("shift", "within"), [(0.5, 45), (1.0, 13), (2.0, 4)])
def test_what_lasts_is_told_the_sooner_the_larger_it_is(shift, within):
    z = np.random.default_rng(3).normal(shift, size=(200, 400))
    assert np.median(first_alarms(z)) <= within


def test_the_evidence_begins_anew_after_an_alarm():
    z = np.concatenate([np.ones(30), np.zeros(30)])[None, :]
    alarms = np.flatnonzero(e_detector(z, ENOUGH)[0] >= ENOUGH)
    assert len(alarms) > 1
    assert np.diff(alarms).min() > 5
    assert alarms.max() < 32


def test_one_wild_window_is_no_shift():
    z = np.zeros((1, 20))
    z[0, 10] = 50.0
    assert e_detector(z, ENOUGH).max() < ENOUGH


def test_windows_without_a_number_neither_add_nor_forget():
    z = np.full((1, 9), 1.0)
    holes = np.array([[1.0, np.nan, 1.0, 1.0, np.nan, 1.0, 1.0, 1.0, 1.0, np.nan, 1.0, 1.0]])
    found = e_detector(holes, 1e9)[0]
    assert np.isnan(found[[1, 4, 9]]).all()
    assert found[np.isfinite(found)].tolist() == e_detector(z, 1e9)[0].tolist()
