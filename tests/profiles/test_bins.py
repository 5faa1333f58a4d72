"""Bins are fitted to the reference once: point masses alone, ends open, rare categories together, the version is the content."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from measure_world import counted, quickly
from watchkeeper.profiles.bins import (
    COARSE,
    FINE,
    MOST_CATEGORIES,
    TAILS,
    FeatureBins,
    code_categories,
    code_numeric,
    fit_category,
    fit_numeric,
    version,
)

RNG = np.random.default_rng(0)
SHAPES = {
    "smooth": RNG.normal(size=5000),
    "heavy": RNG.standard_cauchy(5000) ** 3,
    "mostly zero": np.where(RNG.random(5000) < 0.7, 0.0, RNG.exponential(size=5000)),
    "whole numbers": RNG.poisson(4, 5000).astype(float),
    "two values": RNG.integers(0, 2, 5000).astype(float),
    "constant": np.full(100, 7.5),
    "one row": np.array([3.0]),
    "tiny": RNG.normal(size=9),
    "with infinities": np.concatenate([RNG.normal(size=500), [np.inf, -np.inf, np.nan]]),
    "nothing finite": np.array([np.nan, np.inf]),
    "nothing": np.empty(0),
}
numbers = st.lists(st.floats(-1e9, 1e9) | st.integers(-3, 3).map(float), min_size=1, max_size=200).map(np.array)


@pytest.mark.parametrize("values", SHAPES.values(), ids=SHAPES.keys())
def test_coarse_cells_are_at_most_ten_and_contiguous(values):
    bins = fit_numeric("x", values)
    assert len(bins.coarse) == bins.size
    assert bins.coarse_size <= COARSE
    assert sorted(set(bins.coarse)) == list(range(bins.coarse_size))
    assert list(bins.coarse) == sorted(bins.coarse)


@pytest.mark.parametrize("values", SHAPES.values(), ids=SHAPES.keys())
def test_edges_ascend_and_the_ends_hold_nothing_of_the_reference(values):
    bins = fit_numeric("x", values)
    assert all(a < b for a, b in zip(bins.edges, bins.edges[1:], strict=False))
    finite = values[np.isfinite(values)]
    if len(finite):
        cells = counted(bins, finite).dense(bins.size)
        assert (cells[0], cells[-1], cells.sum()) == (0, 0, len(finite))
        assert code_numeric(bins, np.array([-np.inf, finite.min() - 1, finite.max() + 1, np.inf])).tolist() == [0, 0, bins.size - 1, bins.size - 1]


@given(numbers)
@quickly
def test_every_value_with_a_fiftieth_of_the_rows_has_a_cell_of_its_own(values):
    bins = fit_numeric("x", values)
    distinct, counts = np.unique(values, return_counts=True)
    cells = code_numeric(bins, distinct)
    for value, cell in zip(distinct[counts * FINE >= len(values)], cells[counts * FINE >= len(values)], strict=True):
        assert (cells == cell).sum() == 1, value


def test_a_smooth_feature_has_fifty_cells_of_equal_weight_of_which_the_outermost_are_cut_finer():
    values = np.random.default_rng(1).normal(size=50_000)
    bins = fit_numeric("x", values)
    inside, tail = counted(bins, values).dense(bins.size)[1:-1], len(TAILS) + 1
    assert len(inside) == FINE + 2 * len(TAILS)
    middle = inside[tail:-tail]
    assert (middle.min(), middle.max()) == pytest.approx((1000, 1000), abs=50)
    assert [inside[:tail].sum(), inside[-tail:].sum()] == pytest.approx([1000, 1000], abs=50)
    assert inside[0] == pytest.approx(25, abs=5)


def test_a_value_between_two_point_masses_is_in_the_cell_of_neither():
    bins = fit_numeric("x", np.repeat([1.0, 2.0, 3.0], 100))
    assert len(set(code_numeric(bins, np.array([1.0, 1.5, 2.0, 2.5, 3.0])).tolist())) == 5


def test_a_point_mass_among_smooth_values_has_a_cell_without_its_neighbours():
    values = np.concatenate([np.random.default_rng(2).normal(size=1000), np.full(500, 0.1234)])
    bins = fit_numeric("x", values)
    assert counted(bins, values).dense(bins.size)[code_numeric(bins, np.array([0.1234]))[0]] == 500


def test_coarse_cells_hold_about_equal_shares():
    bins = fit_numeric("x", np.repeat(np.arange(20.0), 100))
    cells = code_numeric(bins, np.arange(20.0))
    assert [bins.coarse[cell] for cell in cells] == [i // 2 for i in range(20)]


def test_edges_that_coincide_are_one():
    assert fit_numeric("x", np.full(1000, 2.0)).edges == (np.nextafter(2.0, -np.inf), 2.0)


@given(numbers, numbers)
@quickly
def test_the_cell_of_a_value_is_numpys_searchsorted(reference, values):
    bins = fit_numeric("x", reference)
    expected = Counter(np.searchsorted(np.array(bins.edges), values, side="left").tolist())
    ours = counted(bins, values)
    assert dict(zip(ours.cells.tolist(), ours.counts.tolist(), strict=True)) == expected


def test_an_edge_belongs_to_the_cell_below_it_and_the_label_says_so():
    bins = FeatureBins("x", "numeric", edges=(1.0, 2.0))
    assert code_numeric(bins, np.array([1.0, 1.5, 2.0, 2.5])).tolist() == [0, 1, 1, 2]
    assert [bins.label(i) for i in range(3)] == ["x <= 1", "1 < x <= 2", "2 < x"]


def test_categories_beyond_two_hundred_fold_into_other_and_new_ones_are_unseen():
    bins = fit_category("c", {f"c{i:05d}": 20_000 - i for i in range(10_000)})
    assert (len(bins.categories), len(bins.others), bins.size) == (MOST_CATEGORIES, 9_800, MOST_CATEGORIES + 2)
    assert code_categories(bins, ["c00000", "c00199", "c00200", "c09999", "never"]).tolist() == [0, 199, 200, 200, 201]
    assert [bins.label(i) for i in (0, 200, 201)] == ["c00000", "other", "unseen"]


@pytest.mark.parametrize("n", [0, 1, 2, 7, 8, 9, 200, 201])
def test_coarse_categories_keep_other_and_unseen_apart(n):
    bins = fit_category("c", {f"c{i:05d}": n - i for i in range(n)})
    assert len(bins.coarse) == bins.size
    assert bins.coarse_size == min(n + 2, COARSE)
    assert sorted(set(bins.coarse)) == list(range(bins.coarse_size))
    assert bins.coarse[bins.unseen] > bins.coarse[bins.unseen - 1] > max(bins.coarse[: len(bins.categories)], default=-1)


def test_equally_frequent_categories_are_ordered_by_name_and_so_always_alike():
    assert fit_category("c", {"b": 5, "a": 5, "z": 9}) == fit_category("c", {"z": 9, "a": 5, "b": 5})
    assert fit_category("c", {"b": 5, "a": 5, "z": 9}).categories == ("z", "a", "b")


def test_the_version_changes_with_the_content_and_not_with_the_order():
    x, c = fit_numeric("x", np.arange(100.0)), fit_category("c", {"a": 1})
    assert version([x, c]) == version([c, x]) == version([fit_numeric("x", np.arange(100.0)), fit_category("c", {"a": 1})])
    others = [[x], [x, fit_category("c", {"b": 1})], [fit_numeric("x", np.arange(101.0)), c], [fit_numeric("y", np.arange(100.0)), c]]
    assert len({version(bins) for bins in [[x, c], *others]}) == 5


def test_the_version_tells_apart_bins_that_differ_in_coarse_cells_alone():
    few, many = (fit_numeric("x", np.repeat(np.arange(20.0), weights)) for weights in ([10] * 20, [10] * 10 + [19] * 10))
    assert few.edges == many.edges
    assert few.coarse != many.coarse
    assert version([few]) != version([many])
