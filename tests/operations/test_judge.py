"""Judge: from worlds with planted faults to incidents with their causes; again and again, nothing new."""

import json
import re
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from conftest import PARCELS, new_home, parcels_world
from intake_world import expect, suite
from watchkeeper.adapters.workspace import Home, load_monitors
from watchkeeper.judgement.incidents import Incident, fold
from watchkeeper.judgement.notices import STALE
from watchkeeper.operations.change import record_change
from watchkeeper.operations.judge import judge
from watchkeeper.operations.watch import watch
from watchkeeper.records import Action, IncidentEvent, Signal
from watchkeeper.story import Story
from worlds import DAY, Change, parcels_days

FIRST, BEGIN = date(2025, 1, 1), datetime(2025, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
BAD = dict.fromkeys((21, 22, 23, 24), 0.5)
SEEN = BEGIN + 26 * DAY


def incidents(home) -> list[Incident]:
    return fold(home.lake.newest(IncidentEvent))


@pytest.fixture(scope="module")
def three_bad(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Twenty-four days of parcels, of whose last three a half is late, watched when all their labels were due."""
    home = new_home(tmp_path_factory.mktemp("three bad") / "home", PARCELS)
    parcels_days(home.root, FIRST, 24, rows=300, late={21: 0.5, 22: 0.5, 23: 0.5})
    watch(home, now=SEEN)
    return home


def deliver(store: Path, home: Home, day: int) -> None:
    """Hand over what the morning after `day` brings: its events, and the labels of the day before."""
    for name in (f"parcels-{(BEGIN + day * DAY).date()}.parquet", f"delivered-{(BEGIN + (day - 1) * DAY).date()}.parquet"):
        if (store / "inbox" / name).exists():
            (store / "inbox" / name).rename(home.root / "inbox" / name)


def test_a_bad_stretch_is_one_incident_that_opens_grows_and_ends(home, tmp_path):
    (tmp_path / "store" / "inbox").mkdir(parents=True)
    parcels_days(tmp_path / "store", FIRST, 32, rows=300, late=BAD)
    seen: dict[int, list[str]] = {}
    for day in range(29):
        deliver(tmp_path / "store", home, day)
        if day in (21, 22, 24, 25, 27, 28):
            seen[day] = [e.event for e in watch(home, now=BEGIN + (day + 1) * DAY + timedelta(hours=13)).events]
    [one] = incidents(home)
    assert {day: news for day, news in seen.items() if news} == {22: ["opened"], 24: ["joined"], 25: ["joined"], 28: ["resolved"]}
    assert (one.family, one.state, one.window_start, one.window_end) == ("kpi", "resolved", BEGIN + 21 * DAY, BEGIN + 25 * DAY)
    assert one.headline.endswith("the model expected 23 %")
    assert [c.kind for c in one.story.causes] == ["concept"]
    assert "missing values" in one.story.ruled_out


@pytest.mark.parametrize("seed", [pytest.param(1, marks=pytest.mark.nightly), 6])
def test_good_days_after_a_bad_stretch_are_no_part_of_its_incident(home, seed):
    """Of these seeds the first good day lies on the side of the fault, within what is usual."""
    parcels_days(home.root, FIRST, 34, rows=300, late=BAD, seed=seed)
    watch(home, now=BEGIN + 35 * DAY)
    [one] = incidents(home)
    assert (one.state, one.window_start, one.window_end) == ("resolved", BEGIN + 21 * DAY, BEGIN + 25 * DAY)
    assert "on 22 to 25 January were positive" in one.headline
    assert [e.why for e in home.lake.newest(IncidentEvent) if e.event == "resolved"] == ["clear since Sun 26 Jan 2025"]


def test_judging_again_writes_nothing(three_bad, copy_of):
    home = copy_of(three_bad)
    rows = [home.lake.read(r.TABLE).num_rows for r in (IncidentEvent, Signal)]
    assert judge(home, load_monitors(home)[0], now=SEEN) == []
    assert [home.lake.read(r.TABLE).num_rows for r in (IncidentEvent, Signal)] == rows


def test_a_quiet_world_has_no_incidents(home):
    parcels_days(home.root, FIRST, 40, rows=300)
    watch(home, now=BEGIN + 42 * DAY)
    assert incidents(home) == []


def test_values_that_go_missing_are_a_data_incident(home):
    def emptied(events: pa.Table, labels: pa.Table) -> tuple[pa.Table, pa.Table]:
        weights = [None if i % 2 else w for i, w in enumerate(events["weight_kg"].to_pylist())]
        return events.set_column(events.column_names.index("weight_kg"), "weight_kg", pa.array(weights, pa.float64())), labels

    parcels_days(home.root, FIRST, 26, change={24: emptied})
    watch(home, now=BEGIN + 26 * DAY)
    [one] = incidents(home)
    assert (one.family, one.state) == ("data", "open")
    assert one.headline.startswith("weight_kg: missing in 50 % of rows on Sat 25 January")


@pytest.mark.parametrize("where", ["east", pytest.param("everywhere", marks=pytest.mark.nightly)])
def test_missing_values_of_one_segment_alone_are_told_with_it(home, where):
    def emptied(events: pa.Table, labels: pa.Table) -> tuple[pa.Table, pa.Table]:
        gone = [depot == "east" or (where == "everywhere" and i % 3 == 0) for i, depot in enumerate(events["depot"].to_pylist())]
        weights = pc.if_else(pa.array(gone), pa.scalar(None, pa.float64()), events["weight_kg"])
        return events.set_column(events.column_names.index("weight_kg"), "weight_kg", weights), labels

    parcels_days(home.root, FIRST, 26, change={24: emptied})
    watch(home, now=BEGIN + 26 * DAY)
    [one] = incidents(home)
    assert one.family == "data"
    assert one.headline.endswith("; all of them where depot=east") == (where == "east")
    assert [c.subject for c in one.story.causes] == ["missing values in weight_kg" + (" (all where depot=east)" if where == "east" else "")]
    assert [re.sub(r"\d\d %", "20 %", said) for label, said in one.story.facts if label == "Where"] == (
        ["depot=east (all of its rows, which are 20 % of all)"] if where == "east" else []
    )


def test_new_categories_of_one_segment_alone_are_told_with_it(home):
    def zoned(new: str, events: pa.Table, labels: pa.Table) -> tuple[pa.Table, pa.Table]:
        far = pc.greater(events["weight_kg"], float(pc.mean(events["weight_kg"]).as_py()))
        zones = pc.if_else(pc.equal(events["depot"], "east"), pa.scalar(new), pc.if_else(far, "outer", "inner"))
        return events.append_column("zone", zones), labels

    days: dict[int, Change] = dict.fromkeys(range(26), partial(zoned, "inner")) | {24: partial(zoned, "harbour")}
    parcels_days(home.root, FIRST, 26, rows=400, change=days)
    watch(home, now=BEGIN + 26 * DAY)
    [one] = incidents(home)
    assert one.headline.startswith("zone: a category that the reference lacks in ")
    assert one.headline.endswith("; all of them where depot=east")
    assert [c.subject for c in one.story.causes] == ["unknown categories in zone (all where depot=east)"]


@pytest.fixture
def slow(make_home) -> Home:
    """Forty days of parcels whose labels take a month; a third of the weights is missing on days 20 to 22."""

    def emptied(events: pa.Table, labels: pa.Table) -> tuple[pa.Table, pa.Table]:
        weights = [w if i % 3 else None for i, w in enumerate(events["weight_kg"].to_pylist())]
        return events.set_column(events.column_names.index("weight_kg"), "weight_kg", pa.array(weights, pa.float64())), labels

    home: Home = make_home(PARCELS | {"labels": PARCELS["labels"] | {"mature_after": "30d"}}, name="slow")
    parcels_days(home.root, FIRST, 40, change=dict.fromkeys((20, 21, 22), emptied))
    return home


@pytest.mark.nightly
def test_an_incident_that_needs_no_label_does_not_wait_for_labels(slow, tmp_path):
    """It ends with the third day in line, and not a month later."""
    (tmp_path / "store").mkdir()
    (slow.root / "inbox").rename(tmp_path / "store" / "inbox")
    (slow.root / "inbox").mkdir()
    seen: dict[int, list[str]] = {}
    for day in range(26):
        deliver(tmp_path / "store", slow, day)
        if day in (20, 22, 24, 25):
            seen[day] = [e.event for e in watch(slow, now=BEGIN + (day + 1) * DAY + 6 * HOUR).events]
    assert {day: news for day, news in seen.items() if news} == {20: ["opened"], 22: ["joined"], 25: ["resolved"]}


def test_an_incident_that_needed_no_label_and_was_over_long_ago_is_not_sent_when_labels_would_be_due(slow):
    done = watch(slow, now=BEGIN + 41 * DAY)
    assert [e.event for e in done.events] == ["opened", "resolved"]
    assert {(a.state, a.reason) for a in slow.lake.newest(Action) if a.kind != "digest"} == {("skipped", STALE)}


def test_days_of_which_no_file_came_yet_do_not_end_an_incident_of_missing_rows(slow):
    """No file of days 30 to 33 came; on the morning after day 36 those of days 34 and 35 are missed too, until they come late."""
    for day in range(30, 40):
        (slow.root / "inbox" / f"parcels-{(BEGIN + day * DAY).date()}.parquet").rename(slow.root / f"parcels-{day}.parquet")
    watch(slow, now=BEGIN + 36 * DAY + 6 * HOUR)
    [one] = [i for i in incidents(slow) if i.subject == "missing rows"]
    assert (one.state, one.window_end) == ("open", BEGIN + 36 * DAY)
    for day in range(34, 38):
        (slow.root / f"parcels-{day}.parquet").rename(slow.root / "inbox" / f"parcels-{(BEGIN + day * DAY).date()}.parquet")
    watch(slow, now=BEGIN + 37 * DAY + 6 * HOUR)
    [one] = [i for i in incidents(slow) if i.subject == "missing rows"]
    assert (one.state, one.window_end) == ("resolved", BEGIN + 34 * DAY)


@pytest.mark.parametrize(
    ("kind", "begins", "is_cause"),
    [("out of range", 21, True), pytest.param("out of range", 22, False, marks=pytest.mark.nightly), ("missing", 22, False)],
)
def test_faulty_data_is_a_cause_only_of_what_began_with_it(home, kind, begins, is_cause):
    """From the 22nd on half of the parcels are late; the weights break on that day, or later."""

    def broken(events: pa.Table, labels: pa.Table) -> tuple[pa.Table, pa.Table]:
        weights = pc.multiply(events["weight_kg"], 1000.0) if kind != "missing" else pa.nulls(events.num_rows, pa.float64())
        return events.set_column(events.column_names.index("weight_kg"), "weight_kg", weights), labels

    suite(home, "parcels_events", expect("expect_column_values_to_be_between", column="weight_kg", max_value=50, severity="warning"))
    parcels_days(home.root, FIRST, 30, rows=300, late=dict.fromkeys(range(21, 30), 0.5), change=dict.fromkeys(range(begins, 30), broken))
    watch(home, now=BEGIN + 32 * DAY)
    [one] = [i for i in incidents(home) if i.family == "kpi"]
    assert ("data" in {c.kind for c in one.story.causes}) == is_cause
    later = "faulty data: weight_kg, as what began this (it came after the first alarm; mend it all the same, for it may keep this going)"
    assert (later in one.story.ruled_out) == (not is_cause)


@pytest.mark.parametrize("where", ["east", pytest.param("everywhere", marks=pytest.mark.nightly)])
def test_another_unit_of_one_segment_alone_is_told_with_it(home, where):
    """From the 22nd on the weights of parcels are in grams, and the model is sure of each of them that it will be late."""

    def in_grams(events: pa.Table, labels: pa.Table) -> tuple[pa.Table, pa.Table]:
        mine = pc.equal(events["depot"], "east") if where == "east" else pa.array([True] * events.num_rows)
        for column, now in (("weight_kg", pc.multiply(events["weight_kg"], 1000.0)), ("p_late", pa.scalar(0.95))):
            changed = pc.if_else(mine, now, events[column])
            events = events.set_column(events.column_names.index(column), column, changed)
        return events, labels

    parcels_days(home.root, FIRST, 30, rows=1200, change=dict.fromkeys(range(21, 30), in_grams))
    watch(home, now=BEGIN + 32 * DAY)
    [one] = [i for i in incidents(home) if i.family == "kpi"]
    said = (
        "weight_kg comes in another unit where depot=east: all its values there are " if where == "east" else "weight_kg comes in another unit: all"
    )
    assert one.story.causes[0].subject.startswith(said)
    assert (one.story.causes[0].share or 0.0) > 0.9


@pytest.mark.parametrize("seed", [1, 2])
def test_an_incident_does_not_begin_with_a_day_that_lay_out_of_line_on_the_other_side(home, seed):
    """On the 21st more parcels were late than the model expected, by chance; from the 22nd on it expects far too many, as weights of the east are in grams."""

    def in_grams(events: pa.Table, labels: pa.Table) -> tuple[pa.Table, pa.Table]:
        mine = pc.equal(events["depot"], "east")
        for column, now in (("weight_kg", pc.multiply(events["weight_kg"], 1000.0)), ("p_late", pa.scalar(0.95))):
            events = events.set_column(events.column_names.index(column), column, pc.if_else(mine, now, events[column]))
        return events, labels

    parcels_days(home.root, FIRST, 24, rows=400, seed=seed, late={20: 0.28}, change=dict.fromkeys(range(21, 24), in_grams))
    watch(home, now=BEGIN + 25 * DAY + 13 * HOUR)
    [one] = [i for i in incidents(home) if i.family == "kpi"]
    assert one.onset_at == BEGIN + 21 * DAY
    assert "on 22 to 24 January were positive" in one.headline
    assert one.story.causes[0].subject.startswith("weight_kg comes in another unit where depot=east")


def test_another_unit_of_one_segment_that_comes_later_is_told_with_its_day(home):
    """From the 22nd on the model expects too much of all parcels; from the 25th on weights of the east are in grams."""

    def changed(*, is_later: bool) -> Change:
        def of_day(events: pa.Table, labels: pa.Table) -> tuple[pa.Table, pa.Table]:
            mine = pc.and_(pc.equal(events["depot"], "east"), is_later)
            score = pc.if_else(mine, 0.95, pc.add(pc.multiply(events["p_late"], 0.75), 0.25))
            for column, now in (("weight_kg", pc.if_else(mine, pc.multiply(events["weight_kg"], 1000.0), events["weight_kg"])), ("p_late", score)):
                events = events.set_column(events.column_names.index(column), column, now)
            return events, labels

        return of_day

    parcels_days(home.root, FIRST, 30, rows=400, change={d: changed(is_later=d >= 24) for d in range(21, 30)})
    watch(home, now=BEGIN + 32 * DAY)
    [one] = [i for i in incidents(home) if i.family == "kpi"]
    [later] = [c for c in one.story.causes if c.is_later]
    assert later.subject.startswith("weight_kg comes in another unit where depot=east: all its values there are ")
    assert (one.onset_at, later.onset) == (BEGIN + 21 * DAY, BEGIN + 24 * DAY)


def test_a_recorded_release_is_named_with_its_doubt(home):
    parcels_days(home.root, FIRST, 28, rows=300, late=dict.fromkeys(range(21, 28), 0.5))
    record_change(home, "parcels", kind="release", at=BEGIN + 20.75 * DAY, version="2", note="new weights", who="ann", now=BEGIN + 21 * DAY)
    watch(home, now=BEGIN + 30 * DAY)
    [one] = [i for i in incidents(home) if i.family == "kpi"]
    assert "release" in {c.kind for c in one.story.causes}
    [release] = [c for c in one.story.causes if c.kind == "release"]
    assert release.evidence_against == ["until the first bad window ended every row was of 1, as in the week before"]
    assert not any("release" in said for said in [*one.story.ruled_out, *one.story.not_measured])


def of_version(name: str, share: float = 1.0) -> Change:
    """Return a change of a day's events: the first `share` of each ten rows come from another version."""

    def changed(events: pa.Table, labels: pa.Table) -> tuple[pa.Table, pa.Table]:
        versions = [name if i % 10 < 10 * share else "1" for i in range(events.num_rows)]
        return events.set_column(events.column_names.index("version"), "version", pa.array(versions)), labels

    return changed


def test_a_version_that_comes_with_the_trouble_is_named_although_nobody_recorded_it(home):
    parcels_days(home.root, FIRST, 28, rows=300, late=dict.fromkeys(range(21, 28), 0.5), change=dict.fromkeys(range(21, 28), of_version("2")))
    watch(home, now=BEGIN + 30 * DAY)
    [one] = [i for i in incidents(home) if i.family == "kpi"]
    [release] = [c for c in one.story.causes if c.kind == "release"]
    assert (release.subject, release.onset, release.share) == ("release 2 in place of 1, seen in the data", BEGIN + 21 * DAY, None)
    assert release.evidence_for == ["its rows began as the first bad window began", "100 % of the rows since then are of 2"]
    assert release.evidence_against == ["coincidence in time alone: no window has rows enough of both versions"]
    assert not any("release" in said for said in [*one.story.ruled_out, *one.story.not_measured])


@pytest.mark.nightly
def test_a_version_that_does_no_worse_than_the_other_in_the_same_days_is_ruled_out(home):
    parcels_days(home.root, FIRST, 28, rows=300, late=dict.fromkeys(range(21, 28), 0.5), change=dict.fromkeys(range(21, 28), of_version("2", 0.5)))
    watch(home, now=BEGIN + 30 * DAY)
    [one] = [i for i in incidents(home) if i.family == "kpi"]
    assert "release" not in {c.kind for c in one.story.causes}
    [said] = [said for said in one.story.ruled_out if "release" in said]
    assert said.startswith("release 2 (in the windows that have both, calibration gap is 0.")


def test_a_release_is_ruled_out_when_the_version_stayed_and_not_because_none_was_recorded(three_bad, make_home):
    silent = make_home(PARCELS | {"columns": {k: v for k, v in PARCELS["columns"].items() if k != "version"}}, name="silent")
    parcels_days(silent.root, FIRST, 24, rows=300, late={21: 0.5, 22: 0.5, 23: 0.5})
    watch(silent, now=SEEN)
    with_versions, without = (i.story for place in (three_bad, silent) for i in incidents(place) if i.family == "kpi")
    assert "a release (until the first bad window ended every row was of 1, as in the week before)" in with_versions.ruled_out
    assert with_versions.not_measured[-1] == "other changes (none was recorded)"
    assert not any("release" in said for said in without.ruled_out)
    assert without.not_measured[-2:] == ["releases (none was recorded, and the rows name no version)", "other changes (none was recorded)"]


def test_a_change_recorded_later_is_told_by_the_next_run_without_new_rows(three_bad, copy_of):
    home, now = copy_of(three_bad), SEEN
    record_change(home, "parcels", kind="config", at=BEGIN + 21 * DAY, note="new threshold", who="ann", now=now + HOUR)
    [event] = watch(home, now=now + 2 * HOUR).events
    assert (event.event, event.why) == ("updated", "recorded since: config")
    assert watch(home, now=now + 3 * HOUR).events == []
    [one] = [i for i in incidents(home) if i.family == "kpi"]
    assert "config new threshold, recorded by ann" in {c.subject for c in one.story.causes}


def test_what_labels_take_back_is_withdrawn(home):
    parcels_days(home.root, FIRST, 25, rows=300, late={22: 0.5})
    watch(home, now=BEGIN + 25 * DAY)
    assert [i.state for i in incidents(home)] == ["open"]
    labels = parcels_world(BEGIN + 22 * DAY, rows=300)[1]
    corrected = labels.set_column(2, "delivered_at", pc.add(labels["delivered_at"], pa.scalar(timedelta(hours=2))))
    pq.write_table(corrected, home.root / "inbox" / "delivered-corrected.parquet")
    watch(home, now=BEGIN + 25.5 * DAY)
    [one] = incidents(home)
    assert (one.state, one.why.split(":")[0]) == ("resolved", "restated")
    assert {s.state for s in home.lake.newest(Signal) if s.level == "page"} == {"withdrawn"}


def test_a_promise_broken_week_after_week_is_one_incident(make_home):
    weeks = 2
    home = make_home(PARCELS | {"targets": [{"metric": "roc_auc", "at_least": 0.99, "per": "week"}]})
    parcels_days(home.root, FIRST, 19 + 7 * weeks)
    watch(home, now=BEGIN + (21 + 7 * weeks) * DAY)
    [one] = incidents(home)
    assert (one.subject, one.state) == ("target roc_auc", "open")
    assert one.window_end - one.window_start == 7 * weeks * DAY


def test_a_promise_that_broke_on_the_days_of_an_incident_of_the_same_numbers_tells_its_story_and_one_about_ranking_does_not(make_home):
    targets = [{"metric": "log_loss", "at_most": 0.55, "per": "week"}, {"metric": "roc_auc", "at_least": 0.99, "per": "week"}]
    home = make_home(PARCELS | {"targets": targets})
    parcels_days(home.root, FIRST, 26, rows=300, late={21: 0.5, 22: 0.5, 23: 0.5})
    watch(home, now=BEGIN + 28 * DAY)
    found = {i.subject: i for i in incidents(home)}
    whole, loss, ranks = (found[name] for name in ("kpi", "target log_loss", "target roc_auc"))
    assert loss.headline.startswith("promise broken: log loss 0.")
    assert loss.story.when == f"20 to 26 January, UTC. On days of incident {whole.id}: {whole.headline}."
    assert [(c.subject, c.share, c.evidence_for) for c in loss.story.causes] == [
        (whole.story.causes[0].subject, None, [f"tested for incident {whole.id}"])
    ]
    assert loss.story.next_steps == [
        f"incident {whole.id} says what to do; once that is over, nothing is left to mend, and this ends with a window that keeps the promise."
    ]
    assert whole.id not in ranks.story.to_json()


def test_how_far_the_rate_moved_is_told_of_the_bad_days_as_causes_are_and_not_of_the_good_one_between(make_home):
    home = make_home(PARCELS)
    late = {20: 0.5, 21: 0.5, 23: 0.5, 24: 0.5}
    parcels_days(home.root, FIRST, 26, rows=600, late=late)
    watch(home, now=BEGIN + 28 * DAY)
    [one] = [i for i in incidents(home) if i.family == "kpi"]
    assert (
        dict(one.story.facts)["Causes"]
        == "are looked for in the rows of 21 to 22 January and 24 to 25 January alone: the other days are less surely part of it."
    )
    labels = home.lake.read("labels/parcels")
    came = [(name[:8], bool(was)) for name, was in zip(labels["id"].to_pylist(), labels["label"].to_pylist(), strict=True)]

    def rate(days: list[int]) -> float:
        names = {f"{BEGIN + d * DAY:%Y%m%d}" for d in days}
        return float(np.mean([was for day, was in came if day in names]))

    def believed(days: list[int]) -> float:
        return float(np.mean(np.concatenate([parcels_world(BEGIN + d * DAY, rows=600)[0]["p_late"].to_numpy() for d in days])))

    usual, bad, every = range(14), list(late), [*late, 22]
    first = one.story.causes[0]
    moved = rate(bad) - rate(usual) - (believed(bad) - believed(usual))
    assert first.subject == "the outcome changed, not the inputs"
    assert re.search(rf"(the rest is|it moved by) \+{100 * moved:.0f} points", first.evidence_for[0]), (first.evidence_for[0], moved)
    assert round(100 * moved) - round(100 * (rate(every) - rate(usual))) >= 3, "of all days it would be another figure"


@pytest.mark.nightly
def test_a_fault_that_lasts_and_is_known_is_told_on_the_day_on_which_it_is_much_worse(make_home):
    def missing(share: float) -> Change:
        def changed(events: pa.Table, labels: pa.Table) -> tuple[pa.Table, pa.Table]:
            holes = pa.array(events["weight_kg"].to_numpy(), mask=np.arange(events.num_rows) % 100 < 100 * share)
            return events.set_column(events.column_names.index("weight_kg"), "weight_kg", holes), labels

        return changed

    home = make_home(PARCELS | {"labels": None})
    shares = {**dict.fromkeys(range(21, 53), 0.25), 53: 0.9}
    store = make_home(PARCELS, name="store")
    parcels_days(store.root, FIRST, 54, rows=200, change={d: missing(share) for d, share in shares.items()})
    told: dict[int, list[str]] = {}
    for day in range(54):
        name = f"parcels-{(BEGIN + day * DAY).date()}.parquet"
        (store.root / "inbox" / name).rename(home.root / "inbox" / name)
        if day in (21, 51, 52, 53):
            rows = watch(home, now=BEGIN + (day + 1) * DAY + 6 * HOUR).actions
            told[day] = [json.loads(a.payload)["text"] for a in rows if a.state == "sent" and a.kind != "digest"]
    [one] = [i for i in incidents(home) if i.family == "data"]
    assert one.state == "open"
    assert told[51][0].startswith("🔵 **parcels: lasts: ")
    assert told[52] == []
    [said] = told[53]
    assert "weight_kg: missing in up to 90 % of rows" in said.splitlines()[0]
    assert "*Open again:* it was closed as lasting." in said
    assert "*Got worse:* share of missing values of weight_kg 90 %, before 25 %." in said


def of_minutes(**more: Any) -> dict[str, Any]:
    """Return the monitor of a model that says how many minutes a parcel takes."""
    columns = {k: v for k, v in PARCELS["columns"].items() if k != "prediction"} | {"score": "minutes"}
    labels = PARCELS["labels"] | {"column": "took", "join": "parcel"}
    return PARCELS | {"task": "regression", "columns": columns, "labels": labels, "wording": {"unit": "minutes"}} | more


@pytest.mark.nightly
def test_an_error_of_hours_is_one_incident_that_tells_all_of_them_and_ends_with_hours_taken_together(make_home):
    """Eleven days of usual errors, two of larger ones and two as before; many a bad hour does not alarm."""
    span = {"from": FIRST, "to": FIRST + 11 * DAY}
    home = make_home(of_minutes(window="hour", segments=[], reference=span))

    def timed(day: int) -> Change:
        def changed(events: pa.Table, labels: pa.Table) -> tuple[pa.Table, pa.Table]:
            error = np.random.default_rng(day).normal(0.0, 14.0 if day in (12, 13) else 8.0, events.num_rows)
            kept = events.drop_columns(["p_late", "is_late"]).append_column("minutes", pa.array([60.0 + i % 7 for i in range(events.num_rows)]))
            return kept, labels.drop_columns(["was_late"]).append_column("took", pc.add(kept["minutes"], pa.array(error)))

        return changed

    parcels_days(home.root, FIRST, 16, rows=480, change={day: timed(day) for day in range(16)})
    watch(home, now=BEGIN + 18 * DAY)
    [one] = [i for i in incidents(home) if i.family == "kpi"]
    assert one.state == "resolved"
    assert BEGIN + 12 * DAY <= one.window_start < BEGIN + 12.5 * DAY
    assert BEGIN + 13.5 * DAY <= one.window_end <= BEGIN + 14 * DAY + 3 * HOUR
    assert re.match(r"MAE 1[01]\.\d minutes \[.*\] from Mon 13 January \d\d:00 to ", one.headline)
    [end] = [Story.from_json(e.story) for e in home.lake.newest(IncidentEvent) if e.event == "resolved"]
    assert re.fullmatch(r"resolved: MAE back to [5-7]\.?\d* minutes \(.*\)", end.headline)


def test_the_segment_that_an_error_comes_from_is_named(make_home):
    """Minutes a parcel takes; from day 21 on those of depot south take an hour longer than the model says."""
    home = make_home(of_minutes())

    def timed(day: int) -> Change:
        def changed(events: pa.Table, labels: pa.Table) -> tuple[pa.Table, pa.Table]:
            said = [60.0 + i % 7 for i in range(events.num_rows)]
            extra = [60.0 if day >= 21 and depot == "south" else 0.0 for depot in events["depot"].to_pylist()]
            took = [s + e + (i * 37 % 11) - 5.0 for i, (s, e) in enumerate(zip(said, extra, strict=True))]
            kept = events.drop_columns(["p_late", "is_late"]).append_column("minutes", pa.array(said))
            return kept, labels.drop_columns(["was_late"]).append_column("took", pa.array(took))

        return changed

    parcels_days(home.root, FIRST, 25, rows=300, change={day: timed(day) for day in range(25)})
    watch(home, now=BEGIN + 27 * DAY)
    [one] = [i for i in incidents(home) if i.family == "kpi"]
    assert one.headline.endswith("; depot=south accounts for all of the excess")
    [worst] = [text for label, text in one.story.facts if label == "Worst"]
    assert re.fullmatch(r"depot=south, (MAE|bias) -?\d\d\.\d minutes, usually -?\d\.\d minutes, 3\d % of rows and all of the excess", worst)


def _late_in_the_east(events: pa.Table, labels: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Let nine of ten parcels of one depot be late."""
    depots, truth = events["depot"].to_pylist(), labels["was_late"].to_pylist()
    late = [i % 10 != 0 if depot == "east" else was for i, (depot, was) in enumerate(zip(depots, truth, strict=True))]
    return events, labels.set_column(labels.column_names.index("was_late"), "was_late", pa.array(late))


@pytest.mark.nightly
@pytest.mark.slow
def test_a_fault_of_one_segment_that_the_whole_s_incident_names_is_no_second_incident(home, tmp_path):
    (tmp_path / "store" / "inbox").mkdir(parents=True)
    parcels_days(tmp_path / "store", FIRST, 32, rows=600, change=dict.fromkeys(range(21, 26), _late_in_the_east))
    for day in range(31):
        deliver(tmp_path / "store", home, day)
        if day in (22, 23, 25, 27, 30):
            watch(home, now=BEGIN + (day + 1) * DAY + timedelta(hours=13))
    [one] = incidents(home)
    assert (one.family, one.window_start, one.state) == ("kpi", BEGIN + 21 * DAY, "resolved")
    assert "; depot=east accounts for " in one.headline
    assert any(s.family == "segment" and s.segment == "depot=east" and s.level == "page" for s in home.lake.newest(Signal))


def _often_late_in_the_east(events: pa.Table, labels: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Let two of five parcels of one depot be late, and the model know it."""
    is_east = pc.equal(events["depot"], "east")
    late = pc.if_else(is_east, pa.array([i % 5 < 2 for i in range(len(events))]), labels["was_late"])
    scores = pc.if_else(is_east, 0.4, events["p_late"])
    return events.set_column(events.column_names.index("p_late"), "p_late", scores), labels.set_column(1, "was_late", late)


def _turned_round(events: pa.Table, labels: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Turn all labels round, which is less wrong where more are late."""
    events, labels = _often_late_in_the_east(events, labels)
    return events, labels.set_column(1, "was_late", pc.invert(labels["was_late"]))


def test_a_segment_that_is_less_wrong_than_the_rest_is_no_second_incident(home):
    usual, turned = dict.fromkeys(range(24), _often_late_in_the_east), dict.fromkeys(range(24, 30), _turned_round)
    parcels_days(home.root, FIRST, 30, rows=600, change=usual | turned)
    watch(home, now=BEGIN + 32 * DAY)
    [one] = incidents(home)
    assert (one.family, one.window_start, one.story.causes[0].kind) == ("kpi", BEGIN + 24 * DAY, "labels")
    found = [s for s in home.lake.newest(Signal) if s.segment == "depot=east" and s.metric == "calibration_gap_to_rest" and s.level == "page"]
    assert not found, "it lies apart because the rest is worse, and its own gap on the other side"
