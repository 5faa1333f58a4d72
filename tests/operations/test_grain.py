"""Parts span hours where hours hold enough rows, else days; windows are their sums whatever the grain."""

from collections import Counter
from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conftest import PARCELS
from watchkeeper.adapters.workspace import load_monitor
from watchkeeper.errors import UsageError
from watchkeeper.operations.bins_in_force import part_grain
from watchkeeper.operations.fit import segment_values
from watchkeeper.operations.ingest import ingest
from watchkeeper.operations.listing import Wanted, listed_scores
from watchkeeper.operations.measure import measure
from watchkeeper.operations.profile import profile
from watchkeeper.records import Bins, Profile, Score
from worlds import DAY, parcels_days, watched

BEGIN = datetime(2025, 1, 6, tzinfo=UTC)


def brought_up(make_home, now=BEGIN + 30 * DAY, rows=200, days=28, **changes):
    home = make_home(PARCELS | {"reference": {"from": "2025-01-06", "to": "2025-01-20"}} | changes)
    monitor = load_monitor(home, "parcels")
    parcels_days(home.root, date(2025, 1, 6), days, rows=rows)
    ingest(home, monitor, now=now)
    profile(home, monitor, now=now)
    measure(home, monitor, now=now)
    return home


def grains(home) -> set[str]:
    return {*home.lake.read(Profile.TABLE).column("grain").to_pylist()}


def test_few_rows_an_hour_make_days_and_many_make_hours():
    span = (BEGIN, BEGIN + 10 * DAY)
    assert part_grain(watched(), 239_999, span, lambda: 1) == "day"
    assert part_grain(watched(), 240_000, span, lambda: 1) == "hour"
    assert part_grain(watched(), 240 * 200 * 20 - 1, span, lambda: 20) == "day", "an average value of twenty has fewer than 200 rows an hour"
    assert part_grain(watched(), 240 * 200 * 20, span, lambda: 20) == "hour"
    assert part_grain(watched(window="hour"), 10, span, lambda: 20) == "hour"
    assert part_grain(watched(window="week"), 10, span, lambda: 1) == "day"


@pytest.mark.parametrize(("segments", "values"), [(["depot"], 3), (["depot", "depot&version"], 6), ([], 1), (["planet"], 1)])
def test_the_segment_column_with_the_most_values_counts(make_home, segments, values):
    home = make_home(PARCELS | {"segments": segments})
    by_version = lambda events, labels: (events.set_column(events.column_names.index("version"), "version", two_versions(events.num_rows)), labels)  # noqa: E731
    parcels_days(home.root, date(2025, 1, 1), 2, rows=200, change=dict.fromkeys((0, 1), by_version))
    monitor = load_monitor(home, "parcels")
    ingest(home, monitor, now=BEGIN)
    assert segment_values(home, monitor, now=BEGIN) == values


def two_versions(rows: int) -> pa.Array:
    return pa.array(["1" if row % 2 else "2" for row in range(rows)])


@pytest.mark.parametrize(("zone", "grain"), [("Asia/Kolkata", "day"), ("Australia/Lord_Howe", "day"), ("America/New_York", "hour")])
def test_hours_are_kept_only_where_they_add_up_to_the_monitors_days(zone, grain):
    assert part_grain(watched(timezone=zone), 10**9, (BEGIN, BEGIN + 10 * DAY), lambda: 1) == grain


def test_a_week_is_seven_days_of_parts_and_its_days_can_still_be_asked_for(make_home):
    home = brought_up(make_home, window="week")
    assert grains(home) == {"day"}
    weeks = [s for s in home.lake.newest(Score) if s.metric == "rows" and not s.segment]
    assert {(s.grain, s.value) for s in weeks} == {("week", 1400.0)}
    by_day = listed_scores(home, load_monitor(home, "parcels"), Wanted(metrics=frozenset({"rows"}), grain="day"), now=BEGIN + 30 * DAY)
    assert [s.value for s in by_day if not s.segment] == [200.0] * 28


def test_promises_by_the_day_are_kept_by_days_also_where_windows_are_weeks(make_home):
    home = brought_up(make_home, window="week", targets=[{"metric": "rows", "at_least": 150, "per": "day"}])
    days = [s for s in home.lake.newest(Score) if s.metric == "rows" and s.grain == "day" and not s.segment]
    assert Counter(s.value for s in days) == {200.0: 28, 0.0: 2}


def test_hours_of_parts_kept_by_day_cannot_be_asked_for(make_home):
    home = brought_up(make_home)
    with pytest.raises(UsageError, match="kept by day"):
        listed_scores(home, load_monitor(home, "parcels"), Wanted(metrics=frozenset({"rows"}), grain="hour"), now=BEGIN + 30 * DAY)


@pytest.mark.slow
def test_a_busy_model_has_hours_whose_sums_are_what_its_rows_say(make_home):
    """Two days of 24,000 rows are the reference, the third has a few: the same bins, the same grain."""
    rng = np.random.default_rng(3)
    home = make_home(PARCELS | {"reference": {"from": "2025-01-06", "to": "2025-01-08"}, "segments": ["depot"]})
    monitor, sizes, truth = load_monitor(home, "parcels"), (24_000, 26_000, 500), []
    for d, n in enumerate(sizes):
        times = BEGIN + d * DAY + np.sort(rng.integers(0, 86_400, n)).astype("timedelta64[s]").astype(object)
        weight = rng.lognormal(size=n)
        table = {"parcel": [f"{d}-{i}" for i in range(n)], "sent_at": pa.array(list(times), pa.timestamp("us", "UTC")), "p_late": rng.random(n)}
        table |= {"is_late": rng.random(n) < 0.5, "version": ["1"] * n, "weight_kg": weight, "depot": rng.choice(["north", "south"], n)}
        pq.write_table(pa.table(table), home.root / "inbox" / f"parcels-{d}.parquet")
        truth.append((n, weight.mean()))
    now = BEGIN + 4 * DAY
    ingest(home, monitor, now=now)
    profile(home, monitor, now=now)
    measure(home, monitor, now=now)
    assert grains(home) == {"hour"}
    assert {b.grain for b in home.lake.newest(Bins)} == {"hour"}
    rows = {s.window_start: s.value for s in home.lake.newest(Score) if s.metric == "rows" and not s.segment}
    assert [rows[BEGIN + d * DAY] for d in range(3)] == list(sizes)
    means = listed_scores(home, monitor, Wanted(metrics=frozenset({"mean"}), feature="weight_kg", grain="day"), now=now)
    assert [s.value for s in means if not s.segment] == pytest.approx([m for _, m in truth])
    hours = listed_scores(home, monitor, Wanted(metrics=frozenset({"rows"}), grain="hour"), now=now)
    assert sum(s.value for s in hours if not s.segment) == sum(sizes)
