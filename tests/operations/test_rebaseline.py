"""A new normal: windows since then are compared with it and judged by it, what was before stays, and no row is read."""

import shutil
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import pyarrow.compute as pc
import pytest

from conftest import PARCELS
from eras_world import BEGIN, FIRST, NOW, SAID, SHIFT, SINCE, WATCHED, brought_up, days, declare, shifted_home
from watchkeeper.adapters.workspace import Home, find_home, load_monitor, load_monitors
from watchkeeper.errors import UsageError
from watchkeeper.judgement.incidents import Incident
from watchkeeper.operations.act import act
from watchkeeper.operations.incident_book import known_incidents
from watchkeeper.operations.measure import measure
from watchkeeper.operations.pages import pages
from watchkeeper.operations.rebaseline import eras_listed, rebaseline, take_back
from watchkeeper.operations.rollup import OF_COUNTS
from watchkeeper.operations.upkeep import horizon
from watchkeeper.operations.watch import watch
from watchkeeper.records import RECORDS, Action, Baseline, ReferenceScore, Score, Signal
from watchkeeper.reference import Reference
from worlds import DAY


@pytest.fixture(scope="module")
def shifted(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return shifted_home(tmp_path_factory.mktemp("eras") / "home")


@pytest.fixture
def watched(shifted: Home, copy_of: Callable[[Home], Home]) -> Home:
    return copy_of(shifted)


def signals(home: Home, now: datetime = NOW) -> set[tuple[str, str, int]]:
    found = home.lake.newest(Signal, as_of=now)
    return {(s.metric, s.feature, (s.window_start - BEGIN) // DAY) for s in found if s.state != "withdrawn"}


def scores(home: Home, metric: str, feature: str = "", now: datetime = NOW) -> dict[int, Score]:
    about = (pc.field("metric") == metric) & (pc.field("feature") == feature) & (pc.field("segment") == "") & (pc.field("grain") == "day")
    return {(s.window_start - BEGIN) // DAY: s for s in home.lake.newest(Score, as_of=now, where=about)}


def rows_of(home: Home) -> dict[str, int]:
    return {r.TABLE: table.num_rows for r in RECORDS if (table := home.lake.read(r.TABLE)) is not None}


def only(incidents: list[Incident]) -> Incident:
    [one] = incidents
    return one


def test_from_the_day_on_nothing_is_out_of_line_and_alarms_before_it_stay(watched: Home):
    before = signals(watched)
    assert {day for _, _, day in before} == set(range(SHIFT, 38))
    declare(watched)
    brought_up(watched)
    assert signals(watched) == {found for found in before if found[2] < SINCE}
    psi = scores(watched, "psi", "weight_kg")
    assert psi[SINCE - 1].value > 1.0
    assert max(psi[day].value for day in range(SINCE, 38)) < 0.2
    assert len({psi[day].reference for day in range(SINCE)}) == 1
    assert {psi[day].reference for day in range(SINCE, 38)} == {psi[SINCE].reference} != {psi[0].reference}
    accuracy = scores(watched, "accuracy")
    assert accuracy[SINCE].reference_value == pytest.approx(accuracy[SINCE].value, abs=0.1)
    assert accuracy[SHIFT].reference_value > 0.75


def test_the_open_incident_ends_by_that_and_people_are_told_once_why(watched: Home):
    declare(watched)
    for hour in range(3):
        now = NOW + hour * timedelta(hours=1)
        brought_up(watched, now)
        act(watched, {"parcels": load_monitor(watched, "parcels")}, now=now)
    one = only(known_incidents(watched, now=NOW))
    assert (one.state, one.why, one.closed_by) == ("resolved", SAID, "watchkeeper")
    told = [a for a in watched.lake.newest(Action) if a.incident_id == one.id and a.kind == "resolve" and a.state == "sent"]
    assert len(told) == 1
    [message] = watched.outbox_dir.glob("*-resolve.md")
    assert f"resolved: {SAID}" in message.read_text()


def test_as_of_before_the_declaration_nothing_has_changed(watched: Home):
    before, at = signals(watched, WATCHED), scores(watched, "psi", "weight_kg", WATCHED)
    declare(watched)
    brought_up(watched)
    assert signals(watched, WATCHED) == before
    assert scores(watched, "psi", "weight_kg", WATCHED) == at
    assert only(known_incidents(watched, now=WATCHED)).state == "open"
    assert [era.since for era in eras_listed(watched, "parcels", now=WATCHED)] == [None]
    count = rows_of(watched)
    assert measure(watched, load_monitor(watched, "parcels"), now=WATCHED) == []
    assert rows_of(watched) == count


def test_a_repeated_run_and_a_repeated_declaration_write_nothing_new(watched: Home):
    first = declare(watched)
    brought_up(watched)
    count = rows_of(watched)
    assert declare(watched, NOW + timedelta(hours=1)).baseline == first.baseline
    brought_up(watched, NOW + timedelta(hours=1))
    assert rows_of(watched) == count


def test_no_row_is_read_so_it_works_when_the_rows_are_gone(watched: Home, tmp_path):
    for kind in ("events", "labels"):
        shutil.move(watched.root / "warehouse" / "lake" / kind, tmp_path / kind)
    shutil.rmtree(watched.root / "inbox")
    before = signals(watched)
    declare(watched)
    brought_up(watched)
    assert signals(watched) == {found for found in before if found[2] < SINCE}
    assert only(known_incidents(watched, now=NOW)).why == SAID
    expected = scores(watched, "estimated_accuracy")
    assert expected[SHIFT].value is not None
    assert {(expected[day].state, expected[day].reason) for day in range(SINCE, 38)} == {("not_evaluated", OF_COUNTS)}


def test_what_leaves_the_new_normal_is_out_of_line_also_where_it_was_usual_once(watched: Home):
    """Old scores of the new normal's days would call a PSI of 2 usual, and a return of the light parcels an improvement."""
    declare(watched)
    days(watched, 38, 4, late=0.2, is_heavy=False)
    now = BEGIN + 44 * DAY
    watch(watched, now=now)
    found = signals(watched, now)
    assert {("psi", "weight_kg", day) for day in range(38, 42)} <= found
    assert {("calibration_gap", "", day) for day in range(38, 42)} <= found
    assert not {day for _, _, day in found} & set(range(SINCE, 38))
    first, second = known_incidents(watched, now=now)
    assert (first.why, second.state, second.window_start) == (SAID, "open", BEGIN + 38 * DAY)
    pages(watched, load_monitors(watched)[0], now=now)
    named = "<dt>Compared with</dt><dd>21 Jan to 3 Feb 2025, new normal since Tue 4 Feb 2025, by ann: a new carrier</dd>"
    told = {i.id: (watched.site_dir / "incidents" / f"{i.id}.html").read_text() for i in (first, second)}
    assert [named in " ".join(told[i.id].split()) for i in (first, second)] == [False, True]


def test_numbers_of_its_own_days_are_kept_beside_itself(watched: Home):
    made = declare(watched)
    brought_up(watched)
    kept: list[ReferenceScore] = watched.lake.newest(ReferenceScore)
    assert {s.baseline_id for s in kept} == {made.baseline.baseline_id}
    assert {(s.window_start - BEGIN) // DAY for s in kept} == set(range(SHIFT, SINCE))
    assert max(s.value for s in kept if (s.metric, s.feature) == ("psi", "weight_kg")) < 0.2
    assert {s.reference for s in kept if s.metric == "psi"} == {scores(watched, "psi", "weight_kg")[SINCE].reference}


def test_taken_back_all_is_as_it_was_and_the_incident_goes_on(watched: Home):
    before, psi = signals(watched), {day: s.value for day, s in scores(watched, "psi", "weight_kg").items()}
    made = declare(watched)
    brought_up(watched)
    later = NOW + timedelta(hours=1)
    take_back(watched, "parcels", made.baseline.baseline_id[:6], who="bob", why="the carrier went", now=later)
    brought_up(watched, later)
    assert signals(watched, later) == before
    assert {day: s.value for day, s in scores(watched, "psi", "weight_kg", now=later).items()} == psi
    assert only(known_incidents(watched, now=later)).state == "open"
    kept = {(b.event, b.who, b.why) for b in watched.lake.newest(Baseline)}
    assert kept == {("begun", "ann", "a new carrier"), ("ended", "bob", "the carrier went")}
    assert [era.since for era in eras_listed(watched, "parcels", now=later)] == [None]
    assert [era.since for era in eras_listed(watched, "parcels", now=NOW)] == [None, BEGIN + SINCE * DAY]


@pytest.mark.nightly
def test_an_incident_of_later_windows_is_explained_by_it_too(home: Home):
    for first, count, late in ((0, 20, 0.2), (20, 14, 0.5), (34, 10, 0.2), (44, 4, 0.5)):
        days(home, first, count, late=late, is_heavy=False)
    now = BEGIN + 50 * DAY
    watch(home, now=now)
    assert [i.state for i in known_incidents(home, now=now)] == ["resolved", "open"]
    declare(home, now, since=FIRST + 44 * DAY)
    brought_up(home, now + timedelta(hours=1))
    first, second = known_incidents(home, now=now + timedelta(hours=1))
    assert first.why.startswith("clear since")
    assert second.why == "new normal since Fri 14 Feb 2025, by ann: a new carrier"
    count = rows_of(home)
    brought_up(home, now + timedelta(hours=2))
    assert rows_of(home) == count


def test_what_is_out_of_line_by_both_goes_on_as_one_incident(home: Home):
    for first, count, late in ((0, 20, 0.2), (20, 14, 0.5), (34, 4, 0.9)):
        days(home, first, count, late=late, is_heavy=False)
    watch(home, now=WATCHED)
    before = only(known_incidents(home, now=WATCHED))
    declare(home)
    brought_up(home)
    after = only(known_incidents(home, now=NOW))
    assert (after.id, after.state, after.why) == (before.id, "open", "")
    assert {day for metric, _, day in signals(home) if metric == "calibration_gap"} >= {34, 35}


def test_a_broken_promise_stays_broken(make_home: Callable[..., Home]):
    home = make_home(PARCELS | {"targets": [{"metric": "accuracy", "at_least": 0.75, "per": "day"}]})
    days(home, 0, SHIFT, late=0.2, is_heavy=False)
    days(home, SHIFT, 18)
    watch(home, now=WATCHED)
    assert {(i.family, i.state) for i in known_incidents(home, now=NOW)} == {("kpi", "open"), ("target", "open")}
    declare(home)
    brought_up(home)
    assert {(i.family, i.state) for i in known_incidents(home, now=NOW)} == {("kpi", "resolved"), ("target", "open")}
    assert set(range(SHIFT, 36)) <= {day for metric, _, day in signals(home) if metric == "accuracy"}


@pytest.mark.nightly
def test_of_two_new_normals_each_counts_until_the_next(watched: Home):
    first = declare(watched).baseline
    days(watched, 38, 16, late=0.2)
    now = BEGIN + 56 * DAY
    watch(watched, now=now)
    assert known_incidents(watched, now=now)[-1].state == "open"
    second = declare(watched, now, start=FIRST + 38 * DAY, end=FIRST + 50 * DAY, why="the carrier mended it").baseline
    watch(watched, now=now)
    assert [e.since for e in eras_listed(watched, "parcels", now=now)] == [None, first.since, second.since]
    psi = scores(watched, "psi", "weight_kg", now)
    assert len({psi[day].reference for day in range(54)}) == 3
    assert not {day for metric, _, day in signals(watched, now) if metric == "calibration_gap"} & set(range(50, 54))
    assert [i.state for i in known_incidents(watched, now=now)] == ["resolved", "resolved"]


def test_a_reference_of_the_monitor_file_that_was_moved_beyond_it_takes_its_place(watched: Home):
    declare(watched)
    brought_up(watched)
    file = watched.root / "deployments" / "monitors" / "parcels.yaml"
    file.write_text(file.read_text().replace("2025-01-01", "2025-01-21").replace("2025-01-15", "2025-02-05"))
    assert [era.since for era in eras_listed(watched, "parcels", now=NOW)] == [None]
    brought_up(watched, NOW + timedelta(hours=1))
    assert len({s.reference for s in scores(watched, "psi", "weight_kg", NOW + timedelta(hours=1)).values()}) == 1


def test_lost_numbers_of_its_own_days_are_made_again(watched: Home):
    declare(watched)
    brought_up(watched)
    shutil.rmtree(watched.root / "warehouse" / "lake" / ReferenceScore.TABLE)
    again = find_home(watched.root)
    brought_up(again, NOW + timedelta(hours=1))
    assert len({s.window_start for s in again.lake.newest(ReferenceScore)}) == SINCE - SHIFT


def test_the_days_of_a_new_normal_are_kept_as_long_as_it_stands(watched: Home):
    made = declare(watched).baseline
    moved = Reference(**{"from": FIRST + 25 * DAY, "to": FIRST + 32 * DAY})
    monitor = load_monitor(watched, "parcels").model_copy(update={"reference": moved})
    assert horizon(watched, monitor, NOW + 900 * DAY) == made.starts_at == BEGIN + SHIFT * DAY
    take_back(watched, "parcels", made.baseline_id, who="ann", now=NOW + DAY)
    assert horizon(watched, monitor, NOW + 900 * DAY) == BEGIN + 25 * DAY


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"end": FIRST + 25 * DAY}, "from, to: only 5 of these days have rows, and what is usual takes 8 to learn. Name a longer time"),
        ({"start": FIRST + 34 * DAY, "end": FIRST + 20 * DAY}, "from, to: `to` (2025-01-21) must come after `from` (2025-02-04)."),
        ({"end": FIRST + 60 * DAY}, "to: 2025-03-02 lies in the future: the newest day that is over is Fri 7 Feb 2025."),
        ({"end": FIRST + 38 * DAY}, "to: the labels of these days are not all due: labels are due 36 h after a window ends. Name earlier days"),
        ({"since": FIRST + 30 * DAY}, "since: the new normal would begin (2025-01-31) before its own days end (2025-02-04)"),
        ({"since": FIRST + 50 * DAY}, "since: 2025-02-20 lies in the future."),
        ({"start": FIRST, "end": FIRST + 10 * DAY}, "since: 2025-01-11 lies in the reference that the monitor file names, which ends on 2025-01-15."),
        ({"who": " "}, "who: nobody is named."),
        ({"why": ""}, "reason: a new normal needs a reason."),
    ],
)
def test_what_cannot_be_normal_is_refused_with_what_to_do(watched: Home, given: dict[str, Any], said: str):
    with pytest.raises(UsageError) as refused:
        declare(watched, **given)
    assert said in str(refused.value)
    assert watched.lake.read(Baseline.TABLE) is None


def test_a_model_that_is_unknown_or_was_never_measured_or_whose_reference_is_files_is_refused(home: Home, make_home: Callable[..., Home]):
    with pytest.raises(UsageError, match="nothing is measured yet"):
        declare(home)
    with pytest.raises(UsageError, match="parcls"):
        rebaseline(home, "parcls", start=FIRST, end=FIRST + DAY, who="ann", why="x", now=NOW)
    files = make_home(PARCELS | {"reference": {"files": "inbox/parcels-2025-01-*.parquet"}}, name="files")
    with pytest.raises(UsageError, match="the reference of this monitor is files"):
        declare(files)


def test_days_within_a_week_are_refused_where_windows_are_weeks(make_home: Callable[..., Home]):
    weekly = make_home(PARCELS | {"window": "week", "reference": {"from": "2024-01-01", "to": "2024-06-03"}}, name="weekly")
    with pytest.raises(UsageError) as refused:
        declare(weekly, start=date(2024, 7, 1), end=date(2024, 10, 2))
    assert str(refused.value) == (
        "from, to: 2024-10-02 lies within a week (30 Sep to 6 Oct 2024), and what is usual is learned of whole ones. Name its first day."
    )


def test_an_id_that_names_no_new_normal_is_refused(watched: Home):
    with pytest.raises(UsageError, match=r"no new normal of parcels that stands has an id that begins with 'beef'.*--list"):
        take_back(watched, "parcels", "beef", who="ann", now=NOW)


def test_bad_days_may_be_declared_normal_and_that_is_said(watched: Home):
    [warning] = declare(watched).warnings
    assert warning.startswith("What these days hold passes for usual from now on, and they were bad days: ")
    assert only(known_incidents(watched, now=NOW)).id in warning
