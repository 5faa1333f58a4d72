"""Worst cases: however the missing labels fall, the KPI lies inside the bounds, and at the extremes it reaches them."""

import itertools
import operator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from measure_world import NAN, binary, quickly
from watchkeeper.measures import catalogue
from watchkeeper.measures.catalogue import Metric
from watchkeeper.measures.views import BinaryView
from watchkeeper.measures.worst_cases import roc_auc_bounds
from watchkeeper.profiles.counts import Counts
from watchkeeper.profiles.grids import exact_cells, on_the_grid
from watchkeeper.profiles.labelled import NEGATIVE, PENDING, POSITIVE, SCORE

BOUNDED = [m for m in catalogue.of("binary") if m.bounds]
OF_LOSSES = [m for m in BOUNDED if m.name in ("log_loss", "brier")]
EXACT = [m for m in BOUNDED if m not in OF_LOSSES]
ROUNDING = 1e-9
GRID = 32 / 4094
"""One step of the logit, which is as far as the bounds of a loss may lie from what can be reached."""

scores = st.one_of(st.floats(0, 1), st.sampled_from([0.0, 1.0, 0.5, NAN]))
inner_scores = st.floats(1e-6, 1 - 1e-6, exclude_min=True, exclude_max=True)


def tables(of_scores, truths, **sizes):
    return st.lists(st.tuples(of_scores, st.sampled_from(truths), st.integers(0, 1)), **sizes)


def few_missing(of_scores):
    """Tables of which one to six labels are missing, so that every outcome can be tried."""
    known, missing = tables(of_scores, [0.0, 1.0], max_size=34), tables(of_scores, [NAN], min_size=1, max_size=6)
    return st.builds(operator.add, known, missing).flatmap(st.permutations)


rows = tables(scores, [0.0, 1.0, NAN], min_size=1, max_size=40)


def value(metric: Metric, table, labels) -> float:
    """The KPI if the missing labels came out so."""
    missing = iter(labels)
    truth = [next(missing) if np.isnan(t) else t for _, t, _ in table]
    return metric.function(binary([s for s, _, _ in table], truth, [d for *_, d in table])).value


def bounds(metric: Metric, table) -> tuple[float, float]:
    assert metric.bounds is not None
    return metric.bounds(binary([s for s, _, _ in table], [t for _, t, _ in table], [d for *_, d in table]))


def every_outcome(metric: Metric, table) -> list[float]:
    missing = sum(np.isnan(truth) for _, truth, _ in table)
    found = [value(metric, table, labels) for labels in itertools.product([0.0, 1.0], repeat=missing)]
    return [v for v in found if np.isfinite(v)]


def test_the_kpis_that_page_early_have_bounds():
    of_decisions = {"accuracy", "balanced_accuracy", "precision", "recall", "specificity", "f1"}
    assert {m.name for m in BOUNDED} == {"log_loss", "brier", "calibration_gap", "positive_rate", "roc_auc"} | of_decisions


@pytest.mark.parametrize("metric", BOUNDED, ids=lambda m: m.name)
@given(table=rows, seed=st.integers(0, 2**16))
@quickly
def test_the_kpi_lies_inside_the_bounds_however_the_missing_labels_fall(metric, table, seed):
    low, high = bounds(metric, table)
    labels = np.random.default_rng(seed).integers(0, 2, len(table)).astype(float)
    found = value(metric, table, labels)
    if np.isfinite(found):
        assert not low > found + ROUNDING
        assert not high < found - ROUNDING


@pytest.mark.parametrize("metric", EXACT, ids=lambda m: m.name)
@given(table=few_missing(scores))
@quickly
def test_the_extreme_assignments_reach_the_bounds(metric, table):
    low, high = bounds(metric, table)
    reachable = every_outcome(metric, table)
    if np.isfinite(low):
        assert low == pytest.approx(min(reachable), abs=ROUNDING)
    if np.isfinite(high):
        assert high == pytest.approx(max(reachable), abs=ROUNDING)


@pytest.mark.parametrize("metric", OF_LOSSES, ids=lambda m: m.name)
@given(table=few_missing(inner_scores))
@quickly
def test_the_bounds_of_a_loss_are_at_most_one_step_of_the_grid_too_wide(metric, table):
    low, high = bounds(metric, table)
    reachable = every_outcome(metric, table)
    assert low == pytest.approx(min(reachable), abs=GRID)
    assert high == pytest.approx(max(reachable), abs=GRID)


@pytest.mark.parametrize("metric", BOUNDED, ids=lambda m: m.name)
@given(table=tables(scores, [0.0, 1.0], min_size=1, max_size=40))
@quickly
def test_with_no_label_missing_the_bounds_are_the_kpi(metric, table):
    low, high = bounds(metric, table)
    found = value(metric, table, [])
    if np.isfinite(found):
        assert (low, high) == pytest.approx((found, found), abs=ROUNDING)


@pytest.mark.parametrize("metric", BOUNDED, ids=lambda m: m.name)
def test_a_wider_wait_never_narrows_the_bounds(metric):
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 300).astype(float)
    table = [(float(s), t, int(s > 0.5)) for s, t in zip(rng.random(300), truth, strict=True)]
    widths = []
    for known in (300, 200, 100, 10):
        waiting = [(s, t if i < known else NAN, d) for i, (s, t, d) in enumerate(table)]
        low, high = bounds(metric, waiting)
        widths.append(high - low)
    assert widths == sorted(widths)
    assert widths[-1] > widths[0]


@given(table=few_missing(st.floats(0.3, 0.7)))
@quickly
def test_the_bounds_of_the_auc_hold_where_scores_share_the_steps_of_the_grid(table):
    """The true areas are those of each score by itself; on the grid a step may hold several, as in large parts and in segments."""
    metric = catalogue.find("roc_auc", "binary")
    assert metric is not None
    near = [(0.5 + (score - 0.5) / 50, truth, decision) for score, truth, decision in table]
    exact = binary([s for s, _, _ in near], [t for _, t, _ in near], [d for *_, d in near])
    on_grid = BinaryView({key: counts.moved(on_the_grid) if key[0] == SCORE else counts for key, counts in exact.parts.items()})
    low, high = roc_auc_bounds(on_grid)
    reachable = every_outcome(metric, near)
    if reachable:
        assert low <= min(reachable) + on_grid.tied + ROUNDING
        assert high >= max(reachable) - on_grid.tied - ROUNDING


def test_the_bounds_of_the_auc_are_found_among_millions_of_missing_labels():
    """Thousandfold counts leave the shares of every assignment as they were, and only more of them between."""
    rng = np.random.default_rng(3)
    parts = {outcome: rng.integers(20, 400, 9) for outcome in (POSITIVE, NEGATIVE, PENDING)}
    found = []
    for times in (1, 1_000):
        cells = {
            (SCORE, outcome): Counts(n=times * int(rows.sum()), cells=exact_cells(np.arange(1, 10) / 10), counts=times * rows)
            for outcome, rows in parts.items()
        }
        found.append(roc_auc_bounds(BinaryView(cells)))
    assert found[1] == pytest.approx(found[0], abs=0.001)
    assert found[0][0] < found[0][1] - 0.3
