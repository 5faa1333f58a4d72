"""Counts are numpy's and Arrow's to the last row on tables of every kind; distances are scipy's on the raw rows, within what is stated."""

import itertools
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import roc_auc_score

from draws import draws
from measure_world import assert_same, binary, feature
from watchkeeper.adapters.row_groups import row_groups_of
from watchkeeper.measures import drift, performance
from watchkeeper.measures.views import FeatureView
from watchkeeper.profiles.bins import fit_category, fit_numeric
from watchkeeper.profiles.columns import as_numbers
from watchkeeper.profiles.counts import Counts
from watchkeeper.profiles.groups import Grouping
from watchkeeper.profiles.kinds import Derived, derived_from
from watchkeeper.profiles.parts import FEATURE, gathered, key_columns, part_rows
from watchkeeper.profiles.scan import Numbers, Quantity, Scan, of_category
from watchkeeper.stats import distances
from watchkeeper.windows import Grid

US = pa.timestamp("us", "UTC")
often = partial(settings, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
moments = st.datetimes(datetime(2024, 1, 1), datetime(2024, 1, 3)).map(lambda t: t.replace(tzinfo=UTC))  # noqa: DTZ001 - made UTC at once
finite = st.floats(-1e150, 1e150)
KINDS: dict[str, tuple[Any, pa.DataType]] = {
    "float": (st.one_of(finite, st.sampled_from([0.0, -0.0, np.nan, np.inf, -np.inf, 5e-324])), pa.float64()),
    "single": (st.floats(width=32), pa.float32()),
    "integer": (st.integers(-(2**52), 2**52) | st.integers(-2, 2), pa.int64()),
    "small integer": (st.integers(-128, 127), pa.int8()),
    "decimal": (st.decimals(-9999, 9999, places=2), pa.decimal128(8, 2)),
    "boolean": (st.booleans(), pa.bool_()),
    "string": (st.sampled_from(["a", "b", "ü", "", "c c"]), pa.string()),
    "dictionary": (st.sampled_from(["a", "b", "ü", "", "c c"]), pa.dictionary(pa.int8(), pa.string())),
    "date": (st.dates(date(2023, 1, 1), date(2024, 1, 3)), pa.date32()),
    "timestamp": (moments, US),
}


def tables(kind: str) -> Any:
    """Rows of one column of a kind, with its time and a segment."""
    values, _ = KINDS[kind]
    return st.lists(st.tuples(moments, st.sampled_from(["x", "y", None]), st.none() | values), min_size=1, max_size=60)


def as_table(kind: str, rows: list[tuple[Any, Any, Any]]) -> pa.Table:
    times, segments, values = (list(column) for column in zip(*rows, strict=True))
    return pa.table({"t": pa.array(times, US), "seg": pa.array(segments, pa.string()), "v": pa.array(values, KINDS[kind][1])})


def quantities(table: pa.Table) -> list[Quantity]:
    """What a fit to the table's first half gives."""
    reference = Derived(table.slice(0, max(1, table.num_rows // 2)), "t", "UTC")
    out: list[Quantity] = []
    for name in derived_from("v", table.schema.field("v").type):
        column = reference.column(name)
        if pa.types.is_string(column.type) or pa.types.is_dictionary(column.type):
            out.append(of_category(name, fit_category(name, Counter(v for v in column.to_pylist() if v is not None))))
        else:
            values, nulls = as_numbers(column)
            out.append(Numbers(name, fit_numeric(name, values[~nulls])))
    return out


def scanned(wanted: list[Quantity], pieces: Any, by: str = "hour") -> pa.Table:
    grouping = Grouping(Grid(by, "UTC"), {"time": "t"}, {"batch": "b", "version": "", "environment": "production"}, ["seg"])
    scan = Scan(wanted)
    for piece in pieces:
        scan.add(Derived(piece, "t", "UTC"), grouping.number(piece), grouping.dimensions)
    keys = [key_columns(d.keys) for d in grouping.dimensions]
    return pa.concat_tables([part_rows(c, keys[d], kind=FEATURE, feature=wanted[q].column) for q, d, c in scan.counted(grouping.dimensions)])


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
@often(max_examples=draws(60, at_each_change=20))
def test_counts_are_those_of_searchsorted_and_group_by(kind, data):
    table = as_table(kind, data.draw(tables(kind)))
    wanted = quantities(table)
    found = gathered(scanned(wanted, [table]), ("feature", "segment", "window_start"))
    for quantity in wanted:
        column = Derived(table, "t", "UTC").column(quantity.column)
        expected = expected_cells(quantity, column)
        hours = [t.replace(minute=0, second=0, microsecond=0) for t in table.column("t").to_pylist()]
        for hour in set(hours):
            inside = [cell for cell, at in zip(expected, hours, strict=True) if at == hour]
            ours = found[quantity.column, "", hour]
            assert ours.n == len(inside)
            assert dict(zip(ours.cells.tolist(), ours.counts.tolist(), strict=True)) == Counter(c for c in inside if c >= 0)
            assert ours.nulls + ours.nans == sum(c < 0 for c in inside)
        parted = [c for (name, segment, _), c in found.items() if name == quantity.column and segment]
        assert sum(c.n for c in parted) == table.num_rows


def expected_cells(quantity: Quantity, column: pa.ChunkedArray) -> list[int]:
    """The cell of each value as numpy finds it; -1 for none."""
    if isinstance(quantity, Numbers):
        values, nulls = as_numbers(column)
        cells = np.searchsorted(np.asarray(quantity.bins.edges, float), values, side="left")
        return np.where(nulls | np.isnan(values), -1, cells).tolist()
    return [-1 if v is None else int(quantity.cells_of([v])[0]) for v in column.to_pylist()]


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
@often(max_examples=10)
def test_hours_sum_to_days_and_row_groups_of_a_file_to_one_table(kind, data, tmp_path_factory):
    table = as_table(kind, data.draw(tables(kind)))
    wanted, path = quantities(table), tmp_path_factory.mktemp("rows") / "rows.parquet"
    pq.write_table(table, path, row_group_size=data.draw(st.integers(1, 30)))
    ahead = data.draw(st.permutations([*table.column_names, "one that is not there"]))
    by_file = scanned(wanted, row_groups_of(pads.dataset(path), pc.scalar(True), ahead), "hour")
    whole = gathered(scanned(wanted, [table], "month"), ("feature", "segment"))
    for key, counts in gathered(by_file, ("feature", "segment")).items():
        assert_same(counts, whole[key], within=1e-6)
    assert len(gathered(by_file, ("feature", "segment"))) == len(whole)


SHAPES = {
    "normal": lambda rng, n: rng.normal(size=n),
    "log-normal": lambda rng, n: rng.lognormal(size=n),
    "half zeros": lambda rng, n: np.where(rng.random(n) < 0.5, 0.0, rng.gamma(2.0, size=n)),
    "whole numbers": lambda rng, n: rng.poisson(4, n).astype(float),
    "two decimals": lambda rng, n: np.round(rng.normal(50, 20, n), 2),
    "heavy tails": lambda rng, n: rng.standard_t(3, n),
}


@pytest.mark.parametrize(("shape", "n", "within"), [(s, n, w) for s, (n, w) in itertools.product(SHAPES, [(100_000, 0.001), (2_000, 0.01)])])
@pytest.mark.parametrize("shift", [0.0, 0.1, 0.5])
def test_ks_and_wasserstein_are_scipys_on_the_raw_rows(shape, n, within, shift):
    rng = np.random.default_rng([n, int(shift * 10)])
    reference, analysis = SHAPES[shape](rng, n), SHAPES[shape](rng, n) + shift
    bins = fit_numeric("x", reference)
    ours = [metric(feature(bins, reference), feature(bins, analysis)).value for metric in (drift.kolmogorov_smirnov, drift.wasserstein)]
    moved_mass = 0.02 if (shape, shift) == ("half zeros", 0.5) else 0.0  # half the rows now lie inside one cell, which says where to a fiftieth
    assert ours[0] == pytest.approx(stats.ks_2samp(reference, analysis).statistic, abs=max(within, moved_mass))
    assert ours[1] == pytest.approx(stats.wasserstein_distance(reference, analysis), abs=0.005 * reference.std())


@pytest.mark.parametrize(("n", "within"), [(1_000, 0.015), (100_000, 0.005)])
@pytest.mark.parametrize("sigma", [1.0, 2.0])
@pytest.mark.parametrize("seed", range(5))
def test_wasserstein_of_long_tails_is_as_exact_as_the_docs_say(n, within, sigma, seed):
    rng = np.random.default_rng([n, seed])
    reference, analysis = rng.lognormal(sigma=sigma, size=n), rng.lognormal(sigma=sigma, size=n) * 1.1
    bins = fit_numeric("x", reference)
    ours = drift.wasserstein(feature(bins, reference), feature(bins, analysis)).value
    assert ours == pytest.approx(stats.wasserstein_distance(reference, analysis), abs=within * reference.std())


@pytest.mark.parametrize(("n", "within"), [(30, 0.01), (100, 0.003), (300, 0.001), (3_000, 0.001)])
@pytest.mark.parametrize("seed", range(10))
def test_roc_auc_is_as_exact_as_the_docs_say(n, within, seed):
    rng = np.random.default_rng([n, seed])
    truth = rng.random(n) < 0.3
    score = 1 / (1 + np.exp(1 - truth - 1.2 * rng.normal(size=n)))
    assert performance.roc_auc(binary(score, truth.astype(float))).value == pytest.approx(roc_auc_score(truth, score), abs=within)


def test_psi_is_taken_over_the_coarse_cells_and_the_distances_over_all():
    rng = np.random.default_rng(3)
    names = [f"D{i:02}" for i in range(97)]
    bins = fit_category("dest", {name: 1000 - 10 * i for i, name in enumerate(names)})
    assert bins.coarse_size == 10
    assert list(bins.coarse[:9]) == [0, 1, 2, 3, 4, 5, 6, 7, 7]
    sides = [np.concatenate([rng.multinomial(300, np.full(97, 1 / 97)), [0, 0]]) for _ in range(2)]
    views = [FeatureView(bins, Counts(n=300, cells=np.arange(99), counts=side)) for side in sides]
    folded = [np.bincount(bins.fold, weights=side, minlength=10).astype(np.int64) for side in sides]
    assert drift.psi(*views).value == pytest.approx(distances.psi(*folded))
    assert drift.total_variation(*views).value == pytest.approx(distances.total_variation(*sides))
    assert distances.psi(*sides) > 10 * drift.psi(*views).value


@pytest.mark.parametrize("shape", SHAPES)
def test_the_p_of_a_binned_ks_is_never_below_that_of_the_raw_rows(shape):
    rng = np.random.default_rng(7)
    reference = SHAPES[shape](rng, 5_000)
    bins = fit_numeric("x", reference)
    for shift in (0.0, 0.02, 0.05):
        analysis = SHAPES[shape](rng, 3_000) + shift
        raw = stats.ks_2samp(reference, analysis, method="asymp").statistic
        exact = stats.kstwobign.sf(raw * np.sqrt(5_000 * 3_000 / 8_000))
        assert drift.kolmogorov_smirnov_p(feature(bins, reference), feature(bins, analysis)).value >= exact - 1e-12


def test_a_decimal_is_counted_by_value():
    table = pa.table(
        {"t": pa.array([datetime(2024, 1, 1, tzinfo=UTC)] * 3, US), "seg": ["x"] * 3, "v": pa.array([Decimal("1.10"), None, Decimal("9.99")])}
    )
    [whole] = [c for (s,), c in gathered(scanned(quantities(table), [table]), ("segment",)).items() if not s]
    assert (whole.n, whole.nulls, whole.low, whole.high) == (3, 1, 1.1, 9.99)


def test_windows_a_year_apart_in_one_piece_are_told_apart():
    times = [datetime(2024, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC) + timedelta(minutes=30)]
    table = pa.table({"t": pa.array(times, US), "seg": ["x", "x"], "v": [1.0, 2.0]})
    found = gathered(scanned(quantities(table), [table]), ("segment", "window_start"))
    assert {start: c.n for (s, start), c in found.items() if not s} == {times[0]: 1, datetime(2025, 1, 1, tzinfo=UTC): 1}
