"""Values that break what the suite expects page somebody: from files to incidents, digest and status."""

import json
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from conftest import PARCELS, parcels_world
from intake_world import expect, suite
from watchkeeper.adapters.workspace import Home, load_monitor
from watchkeeper.judgement.incidents import Incident, fold
from watchkeeper.operations.report import digest_of
from watchkeeper.operations.status import status
from watchkeeper.operations.watch import watch
from watchkeeper.records import Action, IncidentEvent, Signal, Validation
from watchkeeper.windows import Window
from worlds import DAY, Change, parcels_days

FIRST, BEGIN = date(2025, 1, 1), datetime(2025, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
FAULTY = (20, 21, 22)
WITHOUT_LABELS = {name: value for name, value in PARCELS.items() if name != "labels"}
AT_MOST = expect("expect_column_values_to_be_between", column="weight_kg", max_value=8, severity="warning")


def weights(change: Callable[[pa.ChunkedArray], Any]) -> Change:
    def changed(events: pa.Table, labels: pa.Table) -> tuple[pa.Table, pa.Table]:
        return events.set_column(events.column_names.index("weight_kg"), "weight_kg", change(events["weight_kg"])), labels

    return changed


TEN_TIMES = weights(lambda values: pc.multiply(values, 10.0))
HALF_GONE = weights(lambda values: pa.array([w if i % 2 else None for i, w in enumerate(values.to_pylist())], pa.float64()))


def hundredfold_in_north(events: pa.Table, labels: pa.Table) -> tuple[pa.Table, pa.Table]:
    weight = events["weight_kg"]
    changed = pc.if_else(pc.equal(events["depot"], "north"), pc.multiply(weight, 100.0), weight)
    return events.set_column(events.column_names.index("weight_kg"), "weight_kg", changed), labels


def incidents(home: Home) -> list[Incident]:
    return fold(home.lake.newest(IncidentEvent))


def watched(home: Home, *expectations: Any, days: int = 26, change: Change = TEN_TIMES, faulty: tuple[int, ...] = FAULTY, rows: int = 200) -> None:
    suite(home, "parcels_events", *expectations)
    parcels_days(home.root, FIRST, days, rows=rows, change=dict.fromkeys(faulty, change))
    watch(home, now=BEGIN + days * DAY + 6 * HOUR)


@pytest.mark.parametrize("labels", [None, pytest.param("30d", marks=pytest.mark.nightly)])
def test_a_column_that_grew_tenfold_opens_grows_and_ends_without_any_label(make_home, labels):
    changed = WITHOUT_LABELS if labels is None else PARCELS | {"labels": PARCELS["labels"] | {"mature_after": labels}}
    home = make_home(changed)
    suite(home, "parcels_events", AT_MOST)
    seen: dict[int, list[str]] = {}
    for day in range(26):
        events, _ = parcels_world(BEGIN + day * DAY, rows=200)
        events = TEN_TIMES(events, events)[0] if day in FAULTY else events
        pq.write_table(events, home.root / "inbox" / f"parcels-{(BEGIN + day * DAY).date()}.parquet")
        seen[day] = [e.event for e in watch(home, now=BEGIN + (day + 1) * DAY + 6 * HOUR).events] if day in (20, 22, 24, 25) else []
    assert {day: news for day, news in seen.items() if news} == {20: ["opened"], 22: ["joined"], 25: ["resolved"]}
    [one] = incidents(home)
    assert (one.family, one.subject, one.severity) == ("data", "broken expectations", "high")
    assert one.headline.startswith("weight_kg: up to ")
    assert one.headline.endswith(" % of values not as the suite expects (at most 8) on 21 to 23 January, usually 0 %")
    assert one.story.causes[0].subject == "values not as the suite expects in weight_kg"
    assert re.fullmatch(
        r"weight_kg comes in another unit: all its values are [\d.]+ times .* tens and units \(10\)", one.story.causes[0].evidence_for[0]
    )
    assert "whether the source of weight_kg writes it in another unit" in one.story.next_steps[0]
    sent = [json.loads(a.payload)["text"] for a in home.lake.newest(Action) if a.kind == "resolve" and a.state == "sent"]
    assert sent[0].startswith("✅ **parcels: resolved: share of unexpected values of weight_kg back to 0 %, 0 % and 0 % (24 to 26 January)**")


@pytest.mark.parametrize("private", [[], pytest.param(["fill"], marks=pytest.mark.nightly)])
def test_a_share_that_comes_in_percent_names_the_hundred(make_home, private):
    """Nothing is told of the values of a private column."""
    in_one = expect("expect_column_values_to_be_between", column="fill", max_value=1, severity="warning")
    rng = np.random.default_rng(5)

    def filled(events: pa.Table, labels: pa.Table, times: float) -> tuple[pa.Table, pa.Table]:
        return events.append_column("fill", pa.array(times * rng.beta(2, 3, events.num_rows))), labels

    home = make_home(WITHOUT_LABELS | {"private": private})
    suite(home, "parcels_events", in_one)
    change = {d: (lambda e, t, d=d: filled(e, t, 100.0 if d in FAULTY else 1.0)) for d in range(23)}
    parcels_days(home.root, FIRST, 23, rows=200, change=change)
    watch(home, now=BEGIN + 23 * DAY + 6 * HOUR)
    [one] = [i for i in incidents(home) if i.family == "data"]
    found = [e for c in one.story.causes for e in c.evidence_for if "another unit" in e]
    assert len(found) == (0 if private else 1)
    for text in found:
        assert re.fullmatch(
            r"fill comes in another unit: all its values are 95\.7 times \[91\.7, 99\.9\] what they were, perhaps as between shares and percent, .* \(100\)",
            text,
        )


def test_it_is_no_quiet_week_and_the_model_is_not_fine(make_home):
    home = make_home(WITHOUT_LABELS)
    watched(home, AT_MOST, days=23)
    monitor = load_monitor(home, "parcels")
    told = digest_of(home, monitor, Window(BEGIN + 16 * DAY, BEGIN + 23 * DAY), now=BEGIN + 23.5 * DAY, period="week")
    assert "1 open incident needs you." in told.text
    assert "not as the suite expects (at most 8)" in told.headline
    assert "nothing to do" not in told.text
    assert status(home, {"parcels": monitor}, now=BEGIN + 23.5 * DAY)[0].overview.state != "fine"


@pytest.mark.parametrize(
    ("expectations", "why"),
    [
        ([AT_MOST | {"severity": "info"}], "information is only written down"),
        ([], "there is no suite"),
        ([AT_MOST | {"kwargs": AT_MOST["kwargs"] | {"mostly": 0.1}}], "the suite allows nine of ten"),
    ],
)
def test_what_the_suite_does_not_warn_of_pages_nobody(make_home, expectations, why):
    home = make_home(WITHOUT_LABELS)
    watched(home, *expectations)
    assert incidents(home) == [], why


def test_what_the_reference_broke_as_often_is_usual_and_quiet(make_home):
    """About a half of the weights lies above 1, on each day; and no day's files of twenty rows are enough."""
    often, few = make_home(WITHOUT_LABELS, name="often"), make_home(WITHOUT_LABELS, name="few")
    watched(often, AT_MOST | {"kwargs": {"column": "weight_kg", "max_value": 1}}, faulty=(), days=28)
    watched(few, AT_MOST, rows=20)
    assert (incidents(often), incidents(few)) == ([], [])
    assert max(v.unexpected_count for v in often.lake.newest(Validation)) > 80


@pytest.mark.nightly
def test_missing_values_are_told_once(make_home):
    home = make_home(WITHOUT_LABELS)
    watched(home, expect("expect_column_values_to_not_be_null", column="weight_kg", severity="warning"), change=HALF_GONE)
    assert [i.subject for i in incidents(home)] == ["missing values"]


def test_of_a_private_column_no_value_is_told(make_home):
    home = make_home(WITHOUT_LABELS | {"private": ["weight_kg"]})
    watched(home, AT_MOST | {"kwargs": {"column": "weight_kg", "max_value": 8.125}})
    [one] = incidents(home)
    assert "not as the suite expects (between limits)" in one.headline
    said = [repr(row) for record in (IncidentEvent, Signal, Action) for row in home.lake.newest(record)]
    assert not any("8.125" in text for text in said)


def test_a_file_of_several_days_tells_of_all_its_days(make_home):
    """Days 20 to 22 come as one file: which of its rows broke the expectation cannot be told by day."""
    home = make_home(WITHOUT_LABELS)
    suite(home, "parcels_events", AT_MOST)
    parcels_days(home.root, FIRST, 23, change=dict.fromkeys(FAULTY, TEN_TIMES))
    days = [home.root / "inbox" / f"parcels-2025-01-{day + 1}.parquet" for day in FAULTY]
    pq.write_table(pa.concat_tables([pq.read_table(day) for day in days]), home.root / "inbox" / "parcels-three.parquet")
    for day in days:
        day.unlink()
    watch(home, now=BEGIN + 23 * DAY + 6 * HOUR)
    [one] = incidents(home)
    assert (one.window_start, one.window_end, len(one.signals)) == (BEGIN + 20 * DAY, BEGIN + 23 * DAY, 3)
    assert "weight_kg: up to " not in one.headline


def test_a_file_of_a_day_that_has_not_ended_waits_for_its_end(make_home):
    home = make_home(WITHOUT_LABELS)
    suite(home, "parcels_events", AT_MOST)
    parcels_days(home.root, FIRST, 21, change={20: TEN_TIMES})
    assert watch(home, now=BEGIN + 20 * DAY + 23 * HOUR).events == []
    assert [e.event for e in watch(home, now=BEGIN + 21 * DAY).events] == ["opened"]


def test_judging_again_finds_nothing_new(make_home):
    home = make_home(WITHOUT_LABELS)
    watched(home, AT_MOST)
    before = len(home.lake.newest(Signal))
    assert watch(home, now=BEGIN + 26 * DAY + 7 * HOUR).events == []
    assert len(home.lake.newest(Signal)) == before


def test_where_all_odd_values_lie_and_their_factor_are_told_without_any_label(make_home):
    home = make_home(WITHOUT_LABELS)
    watched(home, AT_MOST, change=hundredfold_in_north)
    [one] = [i for i in incidents(home) if i.family == "data"]
    said = one.story.causes[0].evidence_for[0]
    assert re.match(r"weight_kg comes in another unit where depot ?= ?north: ", said), said
    factor = float(re.search(r"([\d.]+) times", said)[1])
    assert factor == pytest.approx(100, rel=0.1)
