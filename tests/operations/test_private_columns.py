"""Private columns leave the lake only as counts: no text, no sum, no smallest or largest value; names of rows are no features."""

from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa

from intake_world import expect, suite
from watchkeeper.operations.fit import _fit_column, features_of, fit_columns
from watchkeeper.operations.ingest import ingest
from watchkeeper.operations.profile import profile
from watchkeeper.profiles.kinds import Derived
from watchkeeper.records import Bins, Profile
from worlds import DAY, parcels_days

NOW = datetime(2025, 1, 1, tzinfo=UTC) + 18 * DAY


def brought_up(home, monitor):
    parcels_days(home.root, date(2025, 1, 1), 16)
    ingest(home, monitor, now=NOW)
    profile(home, monitor, now=NOW)
    return home.lake


def test_private_texts_and_values_stay_out_of_bins_and_profiles(home, parcels):
    monitor = parcels.model_copy(update={"private": ["depot", "weight_kg"]})
    lake = brought_up(home, monitor)
    events = lake.read(f"events/{monitor.model}")
    depots = set(events["depot"].to_pylist())
    known = {c for b in lake.newest(Bins) for c in (*b.categories, *b.others)}
    assert depots
    assert not depots & known
    edges = next(b.edges for b in lake.newest(Bins) if b.feature == "weight_kg")
    assert max(edges) < max(events["weight_kg"].to_pylist())
    parts = [p for p in lake.newest(Profile) if p.feature == "weight_kg"]
    assert parts
    assert all((p.low, p.high, p.sum, p.sum2, p.sums) == (None, None, 0.0, 0.0, []) for p in parts)


def test_no_edge_of_a_private_column_is_the_value_of_one_row_and_shared_values_keep_theirs():
    rng = np.random.default_rng(4)
    draws = {
        "numbers": rng.integers(1e8, 1e9, 5000),
        "money": rng.lognormal(10, 1, 5000),
        "flag": rng.integers(0, 2, 5000),
        "age": rng.integers(18, 90, 5000),
    }
    draws |= {f"{name} of few rows": values[:40] for name, values in draws.items() if name in ("numbers", "money")}
    for name, values in draws.items():
        bins = _fit_column("x", pa.chunked_array([values.astype(float)]), is_private=True)
        distinct, counts = np.unique(values, return_counts=True)
        alone = set(distinct[counts < 10].tolist())
        assert not alone & set(bins.edges), name
        assert bins.size > 1
    assert set(_fit_column("x", pa.chunked_array([draws["flag"]]), is_private=True).edges) >= {0.0, 1.0}
    assert _fit_column("x", pa.chunked_array([[None, float("nan"), 3.0]]), is_private=True).size > 1


def test_private_categories_are_still_recognised(home, parcels):
    monitor = parcels.model_copy(update={"private": ["depot"]})
    lake = brought_up(home, monitor)
    size = len(next(b.categories for b in lake.newest(Bins) if b.feature == "depot"))
    parts = [p for p in lake.newest(Profile) if p.feature == "depot" and not p.segment]
    assert [p for p in parts if sum(p.cells) >= size] == []


def test_texts_that_hardly_repeat_are_no_features(parcels):
    rows = pa.table({"email": [f"{i}@example.com" for i in range(200)], "depot": ["north", "south"] * 100, "parcel_id": [str(i) for i in range(200)]})
    monitor = parcels.model_copy(update={"features": None})

    def fitted(monitor):
        return fit_columns(monitor, Derived(rows, "wk_time", "UTC"), features_of(monitor, rows.schema))

    assert set(fitted(monitor)) == {"depot"}
    assert set(fitted(monitor.model_copy(update={"features": ["email"]}))) == {"email"}


def test_an_intake_with_a_range_of_a_private_column_lands_and_has_its_page_without_the_limits(home, parcels):
    monitor = parcels.model_copy(update={"private": ["weight_kg"]})
    suite(home, "parcels_events", expect("expect_column_values_to_be_between", column="weight_kg", min_value=0.2513, max_value=4321.5))
    parcels_days(home.root, date(2025, 1, 1), 2)
    batches = ingest(home, monitor, now=NOW)
    assert {b.status for b in batches} <= {"landed", "partial"}
    pages = [page.read_text() for page in (home.site_dir / "validation").rglob("*.html")]
    assert any("values to be between; what it names is not shown" in page for page in pages)
    assert not any("4321" in page or "0.2513" in page for page in pages)
