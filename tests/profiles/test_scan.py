"""The scan counts what numpy counts, whatever the type of the column and whatever is missing in it."""

from collections import Counter
from datetime import date, datetime, time, timedelta
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from measure_world import counted, scanned
from watchkeeper.profiles.bins import fit_category, fit_numeric
from watchkeeper.profiles.columns import as_codes, as_numbers
from watchkeeper.profiles.counted import of_rows
from watchkeeper.profiles.scan import Numbers, of_category

NOON = datetime(2024, 2, 29, 12)  # noqa: DTZ001 - times without a zone are counted as they are
SINCE_1970 = (NOON - datetime(1970, 1, 1)).total_seconds()  # noqa: DTZ001
TYPED = {
    "date32": ([date(1970, 1, 3)], pa.date32(), 172_800.0),
    "date64": ([date(1970, 1, 3)], pa.date64(), 172_800.0),
    "seconds": ([NOON], pa.timestamp("s"), SINCE_1970),
    "microseconds in a zone": ([int(SINCE_1970 * 1e6)], pa.timestamp("us", "America/New_York"), SINCE_1970),
    "odd nanoseconds": ([1_500_000_001], pa.timestamp("ns"), 1.500000001),
    "far nanoseconds": ([2**62 + 1], pa.timestamp("ns"), (2**62 + 1) / 1e9),
    "time of day": ([time(1, 30)], pa.time32("s"), 5400.0),
    "fine time of day": ([time(1, 30)], pa.time64("us"), 5400.0),
    "duration": ([timedelta(minutes=2)], pa.duration("ms"), 120.0),
    "true": ([True], pa.bool_(), 1.0),
    "false": ([False], pa.bool_(), 0.0),
    "decimal": ([Decimal("12.25")], pa.decimal128(9, 2), 12.25),
    "beyond exact floats": ([2**63 + 1], pa.uint64(), float(2**63)),
    "half": (np.array([1.5], np.float16), pa.float16(), 1.5),
}


@pytest.mark.parametrize(("values", "kind", "expected"), TYPED.values(), ids=TYPED.keys())
def test_every_numeric_type_becomes_floats_with_its_nulls(values, kind, expected):
    column = pa.chunked_array([pa.array(values, kind), pa.nulls(2, kind), pa.array(values, kind)])
    floats, nulls = as_numbers(column)
    assert floats[~nulls].tolist() == [expected, expected]
    assert nulls.tolist() == [False, True, True, False]


@pytest.mark.parametrize("kind", [pa.float64(), pa.int8(), pa.bool_(), pa.date32(), pa.timestamp("us", "UTC"), pa.null()])
def test_a_column_without_rows_has_no_numbers(kind):
    for column in (pa.chunked_array([], kind), pa.chunked_array([pa.array([], kind)])):
        floats, nulls = as_numbers(column)
        assert (len(floats), len(nulls)) == (0, 0)


def test_a_column_of_nothing_but_nulls_is_all_null_and_in_no_cell():
    bins = fit_numeric("x", np.empty(0))
    for kind in (pa.null(), pa.float64(), pa.date32()):
        ours = scanned(Numbers("x", bins), pa.chunked_array([pa.nulls(5, kind)]))[0]
        assert (ours.n, ours.nulls, ours.valued, ours.sum) == (5, 5, 0, 0.0)


def test_a_constant_column_is_in_one_cell():
    values = np.full(1000, 3.25)
    ours = counted(fit_numeric("x", values), values)
    assert ours.counts.tolist() == [1000]
    assert (ours.low, ours.high, ours.sum, ours.sum2) == (3.25, 3.25, 3250.0, 10562.5)


def test_infinities_fall_in_the_end_cells_and_out_of_the_moments():
    bins = fit_numeric("x", np.arange(100.0))
    ours = scanned(Numbers("x", bins), pa.chunked_array([[np.inf, 5.0, -np.inf], [np.nan, None, 7.0]]))[0]
    assert (ours.n, ours.nulls, ours.nans, ours.pos_infs, ours.neg_infs) == (6, 1, 1, 1, 1)
    assert ours.dense(bins.size)[[0, -1]].tolist() == [1, 1]
    assert (ours.low, ours.high, ours.sum, ours.sum2) == (5.0, 7.0, 12.0, 74.0)
    assert ours.sums.sum() == 12.0


CODED = {
    "texts": pa.chunked_array([["a", None, "b"], ["a"]]),
    "dictionaries that differ": pa.chunked_array([pa.array(["a", None]).dictionary_encode(), pa.array(["b", "a"]).dictionary_encode()]),
    "null inside the dictionary": pa.chunked_array([pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, 0]), pa.array(["a", None, "b"]))]),
    "large texts": pa.chunked_array([pa.array(["a", None, "b", "a"], pa.large_string())]),
}


@pytest.mark.parametrize("column", CODED.values(), ids=CODED.keys())
def test_texts_become_codes_and_null_is_minus_one(column):
    codes, distinct = as_codes(column)
    assert [None if c < 0 else distinct[c] for c in codes] == ["a", None, "b", "a"]


@pytest.mark.parametrize("column", [pa.chunked_array([], pa.string()), pa.chunked_array([pa.nulls(0, pa.string())])])
def test_no_texts_are_no_codes(column):
    codes, distinct = as_codes(column)
    assert (len(codes), distinct) == (0, [])


def test_ten_thousand_categories_are_counted_as_a_dictionary_would():
    rng = np.random.default_rng(2)
    texts = [f"c{i}" for i in rng.zipf(1.3, 20_000) % 10_000]
    bins = fit_category("c", Counter(texts[:10_000]))
    ours = scanned(of_category("c", bins), pa.chunked_array([texts, [None] * 3]))[0]
    cell = {c: i for i, c in enumerate(bins.categories)} | dict.fromkeys(bins.others, 200)
    expected = Counter(cell.get(t, 201) for t in texts)
    assert dict(zip(ours.cells.tolist(), ours.counts.tolist(), strict=True)) == expected
    assert (ours.n, ours.nulls) == (20_003, 3)
    assert expected[201] > 0


def test_counts_per_group_are_a_group_by():
    rng = np.random.default_rng(3)
    group, cells, values = rng.integers(-1, 6, 4000), rng.integers(0, 9, 4000), rng.normal(size=4000)
    ours = of_rows(cells, values, np.zeros(4000, bool), group, 6).each()
    expected = pa.table({"g": group, "c": cells, "v": values}).group_by(["g", "c"]).aggregate([([], "count_all"), ("v", "sum")])
    theirs = {(r["g"], r["c"]): r for r in expected.to_pylist() if r["g"] >= 0}
    found = {(g, int(c)): (int(n), s) for g, part in enumerate(ours) for c, n, s in zip(part.cells, part.counts, part.sums, strict=True)}
    assert {k: n for k, (n, _) in found.items()} == {k: r["count_all"] for k, r in theirs.items()}
    assert {k: s for k, (_, s) in found.items()} == pytest.approx({k: r["v_sum"] for k, r in theirs.items()})


def test_rows_of_no_group_are_counted_nowhere():
    nowhere = np.full(3, -1, np.int64)
    ours = of_rows(np.zeros(3, np.int64), np.ones(3), np.zeros(3, bool), nowhere, 2).each()
    assert [(c.n, c.valued, c.sum) for c in ours] == [(0, 0, 0.0), (0, 0, 0.0)]
