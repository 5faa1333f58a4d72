"""What is counted of pairs is numpy's sums over the rows that have both values, however they are cut, and correlations are scipy's."""

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from measure_world import quickly
from watchkeeper.measures.drift import correlation
from watchkeeper.profiles.bins import FINE, code_numeric, fit_numeric
from watchkeeper.profiles.counts import add
from watchkeeper.profiles.groups import Dimension, GroupKey
from watchkeeper.profiles.pairs import LEAST_CORRELATION, MOST_PAIRS, NO_CELL, UNIT, PairSums, name_of, pairing, related, sums_of
from watchkeeper.profiles.parts import PAIR, gathered, key_columns, part_rows
from watchkeeper.profiles.scan import Numbers, Scan
from watchkeeper.windows import Grid

RNG = np.random.default_rng(0)
BASE = RNG.normal(size=5000)
REFERENCE = {"a": BASE, "b": BASE + RNG.normal(size=5000), "c": -BASE + RNG.normal(size=5000), "d": np.round(BASE)}
BINS = {name: fit_numeric(name, values) for name, values in REFERENCE.items()}
PAIRS = (("a", "b"), ("a", "c"), ("b", "d"))
odd = st.none() | st.sampled_from([np.nan, np.inf, -np.inf]) | st.floats(-4, 4)


def whole(groups: int) -> Dimension:
    grid = Grid("day", "UTC")
    start = grid.at(datetime(2025, 1, 1, tzinfo=UTC)).start
    return Dimension([GroupKey(start, str(g), "", "production") for g in range(groups)])


def scanned(pieces: list[pa.Table], of: list[np.ndarray], groups: int) -> list[dict[tuple[str, str], PairSums]]:
    """Count pieces with their rows' groups; return the pairs of each group as they come out of the lake's form."""
    scan, dimension = Scan([Numbers(name, bins) for name, bins in BINS.items()], pairing(PAIRS, BINS)), whole(groups)
    for piece, group in zip(pieces, of, strict=True):
        scan.add(piece, [group.astype(np.int32)], [dimension])
        dimension.sizes = np.bincount(group[group >= 0], minlength=groups) + (dimension.sizes if len(dimension.sizes) else 0)
    counted = scan.pairs(dimension)
    assert counted is not None
    stored = part_rows(counted, key_columns(dimension.keys), kind=PAIR, feature="")
    back = {batch: counts for (batch,), counts in gathered(stored, ["batch_id"]).items()}
    return [{pair: sums_of(back[str(g)], p) if str(g) in back else PairSums() for p, pair in enumerate(PAIRS)} for g in range(groups)]


def expected(table: pa.Table, pair: tuple[str, str], rows: np.ndarray) -> PairSums:
    scores = []
    for name in pair:
        column = table.column(name).to_pylist()
        there = np.array([v is not None and v == v for v in column], bool)  # noqa: PLR0124 - NaN alone is unlike itself
        values = np.array([v if t else 0.0 for v, t in zip(column, there, strict=True)], float)
        scores.append(np.where(there, np.asarray(BINS[name].normal_scores)[code_numeric(BINS[name], values)], np.nan))
    both = rows & np.isfinite(scores[0]) & np.isfinite(scores[1])
    a, b = scores[0][both], scores[1][both]
    return PairSums(int(both.sum()), float(a @ b), float(a.sum()), float(b.sum()), float(a @ a), float(b @ b))


def close(ours: PairSums, theirs: PairSums) -> bool:
    return ours.n == theirs.n and np.allclose(
        [ours.ab, ours.a, ours.b, ours.aa, ours.bb], [theirs.ab, theirs.a, theirs.b, theirs.aa, theirs.bb], rtol=1e-6, atol=1e-5
    )


@quickly
@given(st.lists(st.tuples(odd, odd, odd, odd, st.integers(-1, 2)), min_size=1, max_size=80), st.integers(0, 80))
def test_sums_are_numpys_over_rows_with_both_values_however_they_are_cut(rows, cut):
    *columns, group = (list(c) for c in zip(*rows, strict=True))
    table, of = pa.table({name: pa.array(c, pa.float64()) for name, c in zip(BINS, columns, strict=True)}), np.array(group)
    found = scanned([table.slice(0, cut), table.slice(cut)], [of[:cut], of[cut:]], 3)
    for g in range(3):
        for pair, ours in found[g].items():
            assert close(ours, expected(table, pair, of == g)), (g, pair)


@pytest.mark.parametrize("nulls", [0.0, 0.05])
def test_long_columns_in_one_group_and_in_many_come_out_alike(nulls):
    rng = np.random.default_rng(3)
    rows = 3000
    table = pa.table({name: pa.array(values[:rows], mask=rng.random(rows) < nulls) for name, values in REFERENCE.items()})
    one, many = np.zeros(rows, int), rng.integers(0, 3, rows)
    [alone] = scanned([table], [one], 1)
    apart = scanned([table], [many], 3)
    for pair in PAIRS:
        assert close(alone[pair], expected(table, pair, one == 0))
        together = PairSums(*(sum(getattr(side[pair], f) for side in apart) for f in ("n", "ab", "a", "b", "aa", "bb")))
        assert close(together, alone[pair])


def test_a_correlation_is_that_of_the_normal_scores_and_close_to_that_of_normal_columns():
    table = pa.table(REFERENCE)
    [found] = scanned([table], [np.zeros(5000, int)], 1)
    for left, right in PAIRS:
        scores = [np.asarray(BINS[n].normal_scores)[code_numeric(BINS[n], REFERENCE[n])] for n in (left, right)]
        ours = correlation(found[left, right])
        assert ours.value == pytest.approx(stats.pearsonr(*scores).statistic, abs=1e-6)
        assert ours.value == pytest.approx(stats.pearsonr(REFERENCE[left], REFERENCE[right]).statistic, abs=0.02)
        interval = stats.pearsonr(*scores).confidence_interval(0.95)
        assert (ours.low, ours.high) == pytest.approx((interval.low, interval.high), abs=1e-5)


def test_a_column_that_is_absent_or_of_another_type_leaves_its_pairs_without_rows():
    for column in (None, pa.array(["x"] * 50)):
        table = pa.table({"a": REFERENCE["a"][:50], "b": REFERENCE["b"][:50], "d": REFERENCE["d"][:50]} | ({} if column is None else {"c": column}))
        [found] = scanned([table], [np.zeros(50, int)], 1)
        assert (found["a", "b"].n, found["a", "c"].n, found["b", "d"].n) == (50, 0, 50)
        assert not correlation(found["a", "c"]).is_defined


def test_columns_that_hardly_vary_have_no_correlation_though_sums_are_rounded():
    for off in (0.0, UNIT / 2, -UNIT / 2):
        assert correlation(PairSums(100, 400.0, 200.0, 200.0, 400.0 + off, 500.0)).reason == "one of both hardly varies"


def test_counts_of_pairs_add_up():
    table = pa.table(REFERENCE)
    scan, dimension = Scan([Numbers(n, b) for n, b in BINS.items()], pairing(PAIRS, BINS)), whole(2)
    group = (np.arange(5000) % 2).astype(np.int32)
    dimension.sizes = np.bincount(group)
    scan.add(table, [group], [dimension])
    counted = scan.pairs(dimension)
    assert counted is not None
    both = sums_of(add(counted.each()), 1)
    assert close(both, expected(table, PAIRS[1], group >= 0))


def test_pairs_are_related_beyond_chance_and_the_closest_come_first():
    rng = np.random.default_rng(1)
    noise = rng.normal(size=(4, 400))
    scores = np.vstack([noise[0], noise[0] + 0.5 * noise[1], noise[2], np.zeros(400), 0.05 * noise[2] + noise[3]])
    assert related(list("pqrst"), scores) == (("p", "q"),)
    assert related(["p", "q"], scores[:2, :10]) == ()
    many = related([f"x{i:02}" for i in range(40)], np.tile(noise[0], (40, 1)) + 0.1 * rng.normal(size=(40, 400)))
    assert len(many) == MOST_PAIRS
    assert LEAST_CORRELATION > 0


def test_every_cell_of_numbers_fits_the_codes():
    worst = np.repeat(np.arange(FINE), 100) + np.where(np.arange(100 * FINE) % 100 < 3, 0.001 * np.arange(100 * FINE), 0)
    assert fit_numeric("x", worst).size + 2 < NO_CELL


def test_a_pair_is_named_after_both():
    assert name_of(("a", "b")) == "a*b"
