"""Private columns leave the lake only as counts: no text, no sum, no smallest or largest value; names of rows are no features."""

from datetime import UTC, date, datetime

import pyarrow as pa

from watchkeeper.operations.fit import features_of, fit_columns
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


def test_private_categories_are_still_recognised(home, parcels):
    monitor = parcels.model_copy(update={"private": ["depot"]})
    lake = brought_up(home, monitor)
    size = len(next(b.categories for b in lake.newest(Bins) if b.feature == "depot"))
    parts = [p for p in lake.newest(Profile) if p.feature == "depot" and not p.segment]
    assert all(sum(p.cells) < size for p in parts)


def test_texts_that_hardly_repeat_are_no_features(parcels):
    rows = pa.table({"email": [f"{i}@example.com" for i in range(200)], "depot": ["north", "south"] * 100, "parcel_id": [str(i) for i in range(200)]})
    monitor = parcels.model_copy(update={"features": None})

    def fitted(monitor):
        return fit_columns(monitor, Derived(rows, "wk_time", "UTC"), features_of(monitor, rows.schema))

    assert set(fitted(monitor)) == {"depot"}
    assert set(fitted(monitor.model_copy(update={"features": ["email"]}))) == {"email"}
