"""The worst slice: clean rows name none, a bad slice is found, and what is told rests on rows that the choice did not see."""

from itertools import combinations

import numpy as np
import polars as pl
import pytest
from benchmarks.slices import CLEAN, clean, is_found, planted
from scipy import stats

from watchkeeper.stats.slices import (
    LEAST_ROWS,
    LEVEL,
    _hypergeometric_tail,
    _permutation_tail,
    _skewed_tail,
    worst_slices,
)
from watchkeeper.stats.testing import benjamini_hochberg

RUNS = 100


@pytest.mark.parametrize("kind", ["wrong or not", "absolute errors, normal", "log loss of a sound score"])
def test_clean_rows_name_a_slice_in_at_most_six_of_a_hundred_windows(kind):
    assert kind in CLEAN
    named = sum(bool(worst_slices(w.codes, w.loss, seed).slices) for seed in range(RUNS) for w in [clean(seed, kind)])
    assert named <= 0.06 * RUNS


def test_a_bad_slice_of_four_percent_is_found_and_its_effect_covered():
    worlds = [planted(seed, 0.04, 0.2) for seed in range(RUNS)]
    found = [worst_slices(w.codes, w.loss, seed) for seed, w in enumerate(worlds)]
    hits = [f.slices[0] for w, f in zip(worlds, found, strict=True) if is_found(w, f)]
    assert len(hits) >= 0.88 * RUNS
    covered = np.mean([s.effect.low <= 0.2 <= s.effect.high for s in hits])
    assert covered >= 0.9
    assert np.mean([s.effect.value for s in hits]) == pytest.approx(0.2, abs=0.02)


def test_a_search_that_saw_all_rows_would_name_one_on_every_clean_window():
    """The search is strong enough to fool itself: on its own half the best slice has a tiny p each time."""
    fooled = 0
    for seed in range(20):
        world = clean(seed, "wrong or not")
        pairs = [((a, i), (b, j)) for a, b in combinations(range(10), 2) for i in range(5) for j in range(5)]
        masks = [(world.codes[:, a] == i) & (world.codes[:, b] == j) for (a, i), (b, j) in pairs]
        fooled += min(_hypergeometric_tail(float(world.loss[m].sum()), int(m.sum()), world.loss) for m in masks) < LEVEL / 20
    assert fooled >= 18


@pytest.mark.parametrize("kind", ["wrong or not", "absolute errors, normal"])
def test_what_is_told_is_reckoned_on_the_held_half_alone(kind):
    rng = np.random.default_rng(3)
    world = planted(3, 0.08, 0.3)
    loss = world.loss if kind == "wrong or not" else rng.exponential(size=len(world.loss)) * (1 + 2 * world.is_bad)
    (first, *_) = worst_slices(world.codes, loss, seed=11).slices
    order = np.random.default_rng(11).permutation(len(loss))
    chosen, held = order[: len(loss) // 2], order[len(loss) // 2 :]
    mine = np.all([world.codes[:, f] == c for f, c in first.cells], axis=0)
    here, there = loss[held][mine[held]], loss[held][~mine[held]]
    assert (first.rows, first.held) == (mine.sum(), len(here))
    assert (first.inside, first.outside, first.effect.value) == pytest.approx((here.mean(), there.mean(), here.mean() - there.mean()))
    assert first.effect.low < first.effect.value < first.effect.high
    changed = loss.copy()
    changed[chosen] *= 1 if kind == "wrong or not" else 1.5
    assert worst_slices(world.codes, changed, seed=11).slices[0].p == first.p


def test_candidates_are_all_cells_and_pairs_of_cells_with_enough_rows():
    rng = np.random.default_rng(8)
    codes = rng.choice([-1, 0, 1, 4], (3_000, 3), p=[0.03, 0.5, 0.4, 0.07]).astype(np.int16)
    loss = (rng.random(3_000) < 0.3).astype(float)
    order = np.random.default_rng(2).permutation(3_000)[:1_500]
    rows = pl.DataFrame(codes[order].astype(int), schema=["a", "b", "c"], orient="row")
    names = [["a"], ["b"], ["c"], ["a", "b"], ["a", "c"], ["b", "c"]]
    enough = sum((rows.group_by(some).len()["len"] >= LEAST_ROWS / 2).sum() for some in names)
    assert worst_slices(codes, loss, seed=2).candidates == enough


def test_missing_values_are_a_cell_of_their_own():
    rng = np.random.default_rng(1)
    codes = rng.integers(-1, 4, (4_000, 4)).astype(np.int16)
    loss = (rng.random(4_000) < np.where(codes[:, 2] == -1, 0.5, 0.1)).astype(float)
    first = worst_slices(codes, loss).slices[0]
    assert first.cells == ((2, -1),)


def test_a_feature_that_is_there_twice_is_told_once_and_no_slice_lies_within_one_told_before():
    rng = np.random.default_rng(6)
    codes = rng.integers(0, 4, (4_000, 4)).astype(np.int16)
    codes = np.column_stack([codes, codes[:, 1]])
    loss = (rng.random(4_000) < np.where(codes[:, 1] == 2, 0.6, 0.1)).astype(float)
    found = worst_slices(codes, loss)
    assert [s.cells for s in found.slices] == [((1, 2),)]
    assert found.tested > 1


def test_a_bad_value_of_one_feature_is_told_by_that_feature_alone():
    """Its crossings with other features are bad too, some by chance more so; they add nothing that is sure."""
    told = []
    for seed in range(40):
        world = clean(seed, "wrong or not")
        wrong = np.random.default_rng(seed).random(len(world.loss)) < np.where(world.codes[:, 4] == 1, 0.375, 0.175)
        told.append(worst_slices(world.codes, wrong.astype(float), seed).slices[0].cells)
    assert sum(cells == ((4, 1),) for cells in told) >= 36


def test_what_passes_for_the_rows_of_the_first_alone_is_not_told_as_a_second():
    counts = [len(worst_slices(w.codes, w.loss, seed).slices) for seed in range(40) for w in [planted(seed, 0.08, 0.3)]]
    assert min(counts) == 1
    assert sum(n > 1 for n in counts) <= 4


def test_two_bad_slices_are_both_told():
    rng = np.random.default_rng(4)
    codes = rng.integers(0, 5, (8_000, 6)).astype(np.int16)
    is_bad = (codes[:, 1] == 2) | ((codes[:, 3] == 0) & (codes[:, 5] == 4))
    loss = (rng.random(8_000) < np.where(is_bad, 0.5, 0.1)).astype(float)
    assert {s.cells for s in worst_slices(codes, loss).slices} == {((1, 2),), ((3, 0), (5, 4))}


@pytest.mark.parametrize("loss", [np.zeros(1_000), np.ones(1_000), np.full(1_000, 0.3), np.empty(0)], ids=["none", "all", "same", "no rows"])
def test_where_all_rows_do_alike_nothing_is_named(loss):
    codes = np.random.default_rng(0).integers(0, 3, (len(loss), 4)).astype(np.int16)
    assert worst_slices(codes, loss).slices == ()


def test_the_tail_of_errors_is_fishers():
    loss = np.repeat([1.0, 0.0], [60, 340])
    for drawn in (1, 25, 100, 399):
        for hits in range(min(drawn, 60) + 1):
            assert _hypergeometric_tail(hits, drawn, loss) == pytest.approx(stats.hypergeom.sf(hits - 1, 400, 60, drawn), rel=1e-8, abs=1e-300)


def test_the_tail_of_a_gamma_law_is_scipys():
    for skew in (-1.5, -0.2, 0.05, 0.7, 3.0):
        for z in (-1.0, 0.0, 1.5, 4.0):
            assert _skewed_tail(z, skew) == pytest.approx(stats.pearson3.sf(z, skew), rel=1e-6, abs=1e-15)


@pytest.mark.parametrize(
    "kind",
    [
        k if k == "log loss of a sound score" else pytest.param(k, marks=pytest.mark.nightly)
        for k in CLEAN
        if k not in ("wrong or not", "rarely wrong (2 %)")
    ],
)
def test_the_tail_of_other_losses_is_that_of_random_draws(kind):
    """Within a fifth of 40,000 draws at one in forty, and within a factor of two at one in four hundred."""
    rng = np.random.default_rng(5)
    loss = CLEAN[kind](rng, 2_500)
    for drawn in (50, 500):
        sums = np.array([loss[rng.choice(2_500, drawn, replace=False, shuffle=False)].sum() for _ in range(40_000)])
        for share, within in ((1 / 40, 1.2), (1 / 400, 2.0)):
            ours = _permutation_tail(float(np.quantile(sums, 1 - share)), drawn, loss)
            assert share / within <= ours <= share * within


def test_what_passes_is_what_benjamini_and_hochberg_let_pass():
    world = planted(5, 0.2, 0.1)
    found = worst_slices(world.codes, world.loss, 5)
    assert found.slices
    assert benjamini_hochberg(np.array([s.p for s in found.slices]), LEVEL).all()
    assert all(s.p <= s.p_adjusted <= LEVEL for s in found.slices)
