"""Profile: each row is counted once, whenever it landed and however often the scan is asked for."""

from datetime import UTC, date, datetime

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from intake_world import expect, suite
from watchkeeper.operations.ingest import ingest
from watchkeeper.operations.measure import measure
from watchkeeper.operations.profile import profile
from watchkeeper.operations.quarantine import Chosen
from watchkeeper.operations.release import release
from watchkeeper.records import Batch, Profile, Score
from worlds import DAY, parcels_days

FIRST, BEGIN = date(2025, 1, 1), datetime(2025, 1, 1, tzinfo=UTC)
NOW = BEGIN + 18 * DAY


def figure(home, metric: str, day: int, **about) -> Score:
    wanted = {"feature": "", "segment": ""} | about
    where = (pc.field("metric") == metric) & (pc.field("window_start") == pa.scalar(BEGIN + day * DAY, pa.timestamp("us", "UTC")))
    for name, value in wanted.items():
        where &= pc.field(name) == value
    [found] = home.lake.newest(Score, where=where)
    return found


def brought_up(home, parcels, now=NOW) -> int:
    ingest(home, parcels, now=now)
    written = profile(home, parcels, now=now)
    measure(home, parcels, now=now)
    return written


def negative(events: pa.Table, labels: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Turn the weights of ten parcels negative."""
    place = events.column_names.index("weight_kg")
    weights = events["weight_kg"].to_pylist()
    return events.set_column(place, "weight_kg", pa.array([-w if i < 10 else w for i, w in enumerate(weights)])), labels


def test_a_second_scan_finds_nothing_to_do(home, parcels):
    parcels_days(home.root, FIRST, 16)
    assert brought_up(home, parcels) > 0
    assert profile(home, parcels, now=NOW) == 0


def test_nothing_is_profiled_before_the_reference_is_over(home, parcels):
    parcels_days(home.root, FIRST, 5)
    assert brought_up(home, parcels, BEGIN + 5 * DAY) == 0
    assert home.lake.read(Profile.TABLE) is None


@pytest.mark.slow
def test_rows_released_from_quarantine_are_counted_once(home, parcels):
    parcels_days(home.root, FIRST, 16, change={12: negative})
    suite(home, "parcels_events", expect("expect_column_values_to_be_between", column="weight_kg", min_value=0))
    brought_up(home, parcels)
    assert figure(home, "rows", 12).value == 190
    assert figure(home, "label_coverage", 12).n == 190

    suite(home, "parcels_events", expect("expect_column_values_to_be_between", column="weight_kg", min_value=-100))
    [done] = release(home, parcels, now=NOW + DAY, chosen=Chosen(), who="ann", why="a sign convention")
    assert done.released == 10
    assert brought_up(home, parcels, NOW + DAY) > 0
    assert figure(home, "rows", 12).value == 200
    assert figure(home, "rows", 12).revision == 1
    assert figure(home, "label_coverage", 12).n == 200
    assert figure(home, "null_ratio", 12, feature="weight_kg").n == 200
    assert sum(figure(home, "rows", 12, segment=f"depot={d}").value for d in ("north", "south", "east")) == 200
    assert figure(home, "rows", 11).revision == 0
    assert profile(home, parcels, now=NOW + DAY) == 0


def test_a_scan_as_of_an_earlier_moment_does_not_see_what_landed_later(home, parcels):
    parcels_days(home.root, FIRST, 16)
    brought_up(home, parcels)
    parcels_days(home.root, FIRST, 1, seed=1)
    (home.root / "inbox" / "parcels-2025-01-01.parquet").rename(home.root / "inbox" / "parcels-more.parquet")
    ingest(home, parcels, now=NOW + DAY)
    assert len(home.lake.newest(Batch, as_of=NOW)) == 32
    assert profile(home, parcels, now=NOW) == 0


def test_events_and_labels_may_land_in_any_order(home, parcels, make_home):
    other = make_home({**parcels.model_dump(mode="json", by_alias=True, exclude_defaults=True)}, name="other")
    for each in (home, other):
        parcels_days(each.root, FIRST, 16)
    ingest(home, parcels, now=NOW, source="labels")
    ingest(other, parcels, now=NOW, source="events")
    for each in (home, other):
        brought_up(each, parcels)
    figures = [{(s.metric, s.feature, s.segment, s.window_start): s.value for s in each.lake.newest(Score)} for each in (home, other)]
    assert figures[0] == figures[1]
    assert figure(home, "label_coverage", 12).value == pytest.approx(1.0)
