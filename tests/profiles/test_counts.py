"""Parts add: any split of the rows, in any order, scanned apart and merged, is one scan of them all."""

import itertools
import warnings
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from measure_world import assert_same, quickly, scanned
from watchkeeper.profiles.bins import fit_category, fit_numeric
from watchkeeper.profiles.counts import Counts, add
from watchkeeper.profiles.scan import Numbers, of_category

ODD = [np.nan, np.inf, -np.inf, 0.0, -0.0]
BINS = fit_numeric("x", np.random.default_rng(0).normal(size=500))
TOWNS = fit_category("town", {"ulm": 60, "bonn": 30, "kiel": 10})
DISTINCT = ["kiel", "ulm", "atlantis", "bonn"]

values = st.one_of(st.floats(-5, 5), st.sampled_from(ODD))
rows = st.lists(st.tuples(values, st.booleans(), st.integers(0, 3), st.integers(-1, 3)), min_size=1, max_size=120)


def scan_numbers(table, group=None, groups=1) -> list[Counts]:
    value, is_null = (np.array([row[i] for row in table], kind) for i, kind in ((0, float), (1, bool)))
    return scanned(Numbers("x", BINS), pa.array(value, mask=is_null), group, groups)


def scan_codes(table, group=None, groups=1) -> list[Counts]:
    texts = pa.array([None if row[3] < 0 else DISTINCT[row[3]] for row in table], pa.string())
    return scanned(of_category("town", TOWNS), texts, group, groups)


@pytest.mark.parametrize("scan", [scan_numbers, scan_codes])
@given(table=rows, seed=st.integers(0, 2**16))
@quickly
def test_any_split_in_any_order_merges_to_one_scan(scan, table, seed):
    rng = np.random.default_rng(seed)
    shuffled = [table[i] for i in rng.permutation(len(table))]
    cuts = [0, *sorted(rng.integers(0, len(table) + 1, rng.integers(0, 5))), len(table)]
    parts = [scan(shuffled[a:b])[0] for a, b in itertools.pairwise(cuts)]
    rng.shuffle(parts)
    assert_same(add(parts), scan(table)[0])


@pytest.mark.parametrize("scan", [scan_numbers, scan_codes])
@given(table=rows)
@quickly
def test_segments_sum_to_the_whole(scan, table):
    group = np.array([row[2] for row in table], np.int64)
    assert_same(add(scan(table, group, 4)), scan(table)[0])


@pytest.mark.parametrize("scan", [scan_numbers, scan_codes])
@given(table=rows)
@quickly
def test_a_group_of_one_scan_is_a_scan_of_that_group_alone(scan, table):
    group = np.array([row[2] for row in table], np.int64)
    for g, counts in enumerate(scan(table, group, 4)):
        assert_same(counts, scan([row for row in table if row[2] == g])[0])


@given(table=rows)
@quickly
def test_sums_of_sums_do_not_depend_on_how_they_are_bracketed(table):
    a, b, c = (scan_numbers(table[i::3])[0] for i in range(3))
    assert_same(add([add([a, b]), c]), add([a, add([c, b])]))


@given(table=rows)
@quickly
def test_counting_coarse_is_counting_fine_and_joining_cells(table):
    value = pa.array([row[0] for row in table], pa.float64())
    fine, coarse = (scanned(Numbers("x", BINS), value, coarse=c)[0] for c in (False, True))
    joined = fine.recoded(np.asarray(BINS.coarse))
    assert_same(replace(joined, low=np.inf, high=-np.inf, sums=joined.sums[:0]), coarse)


@given(table=rows)
@quickly
def test_every_row_is_in_one_cell_or_null_or_nan(table):
    ours = scan_numbers(table)[0]
    assert ours.n == len(table) == ours.valued + ours.nulls + ours.nans
    assert ours.finite == sum(bool(np.isfinite(value)) and not is_null for value, is_null, *_ in table)


def test_sums_near_the_largest_float_are_added_without_a_word():
    sums = [(1.7e308, np.inf), (np.inf, np.inf), (-np.inf, np.inf)]
    with warnings.catch_warnings(action="error"):
        whole = add(Counts(n=3, sum=total, sum2=squares) for total, squares in sums)
    assert (whole.n, np.isnan(whole.sum), whole.sum2) == (9, True, np.inf)


def test_the_sum_of_nothing_is_nothing():
    assert_same(add([]), Counts())
    assert_same(add([Counts(), Counts()]), Counts())


def test_cells_out_of_order_are_brought_into_order():
    backwards = Counts(n=5, cells=np.array([1, 4]), counts=np.array([2, 3]), sums=np.array([1.0, 2.0])).recoded(np.array([9, 8, 7, 6, 5]))
    assert backwards.cells.tolist() == [5, 8]
    assert backwards.counts.tolist() == [3, 2]
    assert backwards.sums.tolist() == [2.0, 1.0]
