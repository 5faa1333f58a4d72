"""A rolling reference: inputs are compared with newer days, what pages is not, bad days are no part of it, and no row is read."""

import json
import re
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from conftest import PARCELS
from eras_world import BEGIN, FIRST, brought_up, days
from rolling_world import BAD, HEAVY, NOW, ROLLS, STEPS, WATCHED, landed, rolled_home
from watchkeeper.adapters.workspace import Home, find_home, load_monitor, load_monitors
from watchkeeper.operations.backfill import Asked, backfill
from watchkeeper.operations.eras import eras_of, steps_known
from watchkeeper.operations.incident_book import known_incidents
from watchkeeper.operations.limits import limits_of
from watchkeeper.operations.pages import pages
from watchkeeper.operations.rebaseline import rebaseline, take_back
from watchkeeper.operations.report import digest_of
from watchkeeper.operations.rolling import measure_and_roll, roll
from watchkeeper.operations.status import status
from watchkeeper.operations.watch import watch
from watchkeeper.records import RECORDS, Baseline, Score, Signal
from watchkeeper.windows import Window
from worlds import DAY, parcels_days, parcels_world

HOUR = timedelta(hours=1)
WHOLE = ROLLS | {"segments": []}
"""The same model, of which nothing is measured by depot."""


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return rolled_home(tmp_path_factory.mktemp("rolling") / "home")


@pytest.fixture
def rolled(kept: Home, copy_of: Callable[[Home], Home]) -> Home:
    return copy_of(kept)


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """The same world, whose reference stays."""
    return rolled_home(tmp_path_factory.mktemp("still") / "home", PARCELS)


@pytest.fixture(scope="module")
def early(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """The same world before the first step."""
    return rolled_home(tmp_path_factory.mktemp("early") / "home", until=1)


def day_of(moment: datetime) -> int:
    return (moment - BEGIN) // DAY


def signals(home: Home, level: str, now: datetime = NOW) -> set[tuple[str, str, int]]:
    found: list[Signal] = home.lake.newest(Signal, as_of=now)
    return {(s.metric, s.feature, day_of(s.window_start)) for s in found if s.state != "withdrawn" and s.level == level}


def scores(home: Home, metric: str, feature: str = "", now: datetime = NOW) -> dict[int, Score]:
    about = (pc.field("metric") == metric) & (pc.field("feature") == feature) & (pc.field("segment") == "") & (pc.field("grain") == "day")
    return {day_of(s.window_start): s for s in home.lake.newest(Score, as_of=now, where=about)}


def known(home: Home, now: datetime = NOW) -> list[Baseline]:
    return steps_known(home, load_monitor(home, "parcels"), now=now)


def rows_of(home: Home) -> dict[str, int]:
    return {r.TABLE: table.num_rows for r in RECORDS if (table := home.lake.read(r.TABLE)) is not None}


def told(home: Home, now: datetime = NOW) -> list[tuple[Any, ...]]:
    return [(i.family, i.state, i.window_start, i.window_end, i.why) for i in known_incidents(home, now=now)]


def test_each_step_is_taken_when_it_is_due_without_the_days_of_an_incident(kept: Home):
    [bad] = known_incidents(kept, now=NOW)
    found = known(kept)
    assert [(day_of(b.since), day_of(b.starts_at), day_of(b.ends_at)) for b in found] == [(28, 0, 26), (42, 12, 40), (56, 26, 54)]
    assert [[day_of(start) for start in b.left_out] for b in found] == [list(BAD), list(BAD), []]
    assert [b.why for b in found] == [
        "23 of 28 days; left out: 21 to 23 Jan 2025 (kpi out of line)",
        f"25 of 28 days; left out: 21 to 23 Jan 2025 (incident {bad.id})",
        "28 of 28 days",
    ]
    assert {(b.who, b.kind, b.event) for b in found} == {("rolling", "rolling", "begun")}
    assert [b.at for b in found] == list(WATCHED[1:])


def test_inputs_are_compared_with_the_days_of_their_step_and_the_change_that_stays_is_normal_in_the_end(kept: Home):
    psi = scores(kept, "psi", "weight_kg")
    by_step = [{psi[day].reference for day in days} for days in (range(28), range(28, 42), range(42, 56), range(56, 58))]
    assert [len(found) for found in by_step] == [1, 1, 1, 1]
    assert len(set.union(*by_step)) == 4
    assert min(psi[day].value for day in range(HEAVY, 42)) > 2.0
    assert max(psi[day].value for day in range(56, 58)) < 0.3
    noticed = {day for metric, feature, day in signals(kept, "notice") if feature == "weight_kg"}
    assert {30, 31, 32} <= noticed
    assert not noticed & set(range(56, 58))


@pytest.mark.nightly
def test_what_pages_is_as_if_nothing_had_rolled(kept: Home, still: Home):
    assert signals(kept, "page") == signals(still, "page")
    assert {day for _, _, day in signals(kept, "page")} == set(BAD)
    assert told(kept) == told(still)
    for metric in ("log_loss", "accuracy", "calibration_gap", "null_ratio", "unseen_ratio"):
        feature = {"null_ratio": "weight_kg", "unseen_ratio": "depot"}.get(metric, "")
        ours, theirs = scores(kept, metric, feature), scores(still, metric, feature)
        assert {d: (s.value, s.reference, s.reference_value) for d, s in ours.items()} == {
            d: (s.value, s.reference, s.reference_value) for d, s in theirs.items()
        }
        assert len({s.reference for s in ours.values()}) == 1


def test_estimates_go_on_by_what_was_fitted_to_the_declared_reference(kept: Home, still: Home):
    ours, theirs = scores(kept, "estimated_accuracy"), scores(still, "estimated_accuracy")
    assert {s.reference for s in ours.values()} == {scores(kept, "accuracy")[0].reference}
    assert {d: (s.value, s.state) for d, s in ours.items()} == {d: (s.value, s.state) for d, s in theirs.items()}
    assert ours[29].value is not None


def test_a_repeated_run_adds_nothing(rolled: Home):
    count = rows_of(rolled)
    monitor = load_monitor(rolled, "parcels")
    assert roll(rolled, monitor, now=NOW) == []
    measure_and_roll(rolled, monitor, now=NOW + HOUR)
    brought_up(rolled, NOW + HOUR)
    assert rows_of(rolled) == count


@pytest.mark.nightly
def test_two_runs_at_once_take_a_step_once(early: Home, copy_of: Callable[[Home], Home]):
    home = copy_of(early)
    landed(home, 16, 30)
    monitor = load_monitor(home, "parcels")
    watch(home, now=BEGIN + 27 * DAY)
    homes = [find_home(home.root) for _ in range(2)]
    with ThreadPoolExecutor(2) as both:
        made = list(both.map(lambda place: roll(place, monitor, now=WATCHED[1]), homes))
    assert sorted(len(each) for each in made) == [0, 1]
    assert home.lake.read(Baseline.TABLE).num_rows == 1


def test_as_of_before_a_step_all_is_as_it_was_and_a_run_of_then_takes_none(rolled: Home):
    before = WATCHED[2]
    assert len(known(rolled, before)) == 2
    [era] = eras_of(rolled, load_monitor(rolled, "parcels"), now=before)
    assert [day_of(s.since) for s in era.steps] == list(STEPS[:2])
    count = rows_of(rolled)
    assert roll(rolled, load_monitor(rolled, "parcels"), now=before) == []
    assert roll(rolled, load_monitor(rolled, "parcels"), now=WATCHED[1]) == []
    assert rows_of(rolled) == count
    assert digest_of(rolled, load_monitor(rolled, "parcels"), Window(BEGIN + 40 * DAY, BEGIN + 41 * DAY), now=before, period="day").text.count(
        "without 3 days, rolling since Wed 29 Jan 2025"
    )


def test_no_row_is_read_so_a_step_can_be_taken_when_the_rows_are_gone(rolled: Home, tmp_path):
    for kind in ("events", "labels"):
        shutil.move(rolled.root / "warehouse" / "lake" / kind, tmp_path / kind)
    shutil.rmtree(rolled.root / "inbox")
    later = BEGIN + 71 * DAY
    monitor = load_monitor(rolled, "parcels")
    [made] = roll(rolled, monitor, now=later)
    assert (made.event, day_of(made.since)) == ("begun", 70)
    measure_and_roll(rolled, monitor, now=later)
    assert len({s.window_start for s in rolled.lake.newest(Score, where=pc.field("metric") == "psi")}) == 58


def test_the_steps_of_a_run_that_was_missed_are_caught_up_and_know_the_bad_days(make_home: Callable[..., Home], kept: Home):
    home = make_home(WHOLE)
    landed(home, 0, 58)
    watch(home, now=NOW)
    ours, theirs = known(home), known(kept)
    assert [(b.since, b.starts_at, b.ends_at, b.left_out) for b in ours] == [(b.since, b.starts_at, b.ends_at, b.left_out) for b in theirs]
    assert {b.at for b in ours} == {NOW}
    assert {d: s.value for d, s in scores(home, "psi", "weight_kg").items()} == pytest.approx(
        {d: s.value for d, s in scores(kept, "psi", "weight_kg").items()}
    )


@pytest.mark.nightly
def test_a_backfill_takes_the_steps_that_runs_took(make_home: Callable[..., Home], kept: Home):
    home = make_home(WHOLE)
    landed(home, 0, 58)
    backfill(home, None, now=NOW, asked=Asked())
    assert [(b.since, b.left_out) for b in known(home)] == [(b.since, b.left_out) for b in known(kept)]


@pytest.mark.nightly
def test_where_too_few_days_are_clean_the_step_is_skipped_once_with_its_reason_and_the_one_before_stays(early: Home, copy_of: Callable[[Home], Home]):
    home = copy_of(early)
    days(home, 16, 12, late=0.9, is_heavy=False)
    for hour in range(2):
        watch(home, now=BEGIN + 30 * DAY + hour * HOUR)
    days(home, 28, 14, late=0.9, is_heavy=False)
    for hour in range(2):
        watch(home, now=BEGIN + 44 * DAY + hour * HOUR)
    first, second = known(home, BEGIN + 44 * DAY + HOUR)
    assert (first.event, second.event) == ("begun", "skipped")
    [bad] = known_incidents(home, now=BEGIN + 44 * DAY + HOUR)
    assert second.why == (
        f"skipped: only 4 of 28 days are known to be clean, and a step takes 14; left out: 17 Jan to 9 Feb 2025 (incident {bad.id})"
    )
    psi = scores(home, "psi", "weight_kg", BEGIN + 44 * DAY + HOUR)
    assert psi[30].reference == psi[41].reference != psi[0].reference
    assert (bad.state, day_of(bad.window_start)) == ("open", 16)


@pytest.mark.nightly
def test_a_model_that_gets_worse_bit_by_bit_pages_by_the_declared_reference_however_often_it_rolls(make_home: Callable[..., Home]):
    home = make_home(WHOLE)
    for first, now in zip((0, *map(day_of, WATCHED)), WATCHED, strict=False):
        for day in range(first, day_of(now)):
            days(home, day, 1, late=0.2 + max(0, day - 14) * 0.01, is_heavy=False)
        watch(home, now=now)
    [found] = known_incidents(home, now=NOW)
    assert (found.family, found.state) == ("kpi", "open")
    assert scores(home, "accuracy")[57].reference_value == scores(home, "accuracy")[14].reference_value
    bad = range(day_of(found.window_start), 58)
    for step in known(home):
        inside = set(range(day_of(step.starts_at), day_of(step.ends_at))) - {day_of(start) for start in step.left_out}
        assert step.event == "skipped" or not inside & set(bad)


@pytest.mark.nightly
def test_days_with_no_or_few_rows_and_those_that_the_calendar_names_are_left_out(make_home: Callable[..., Home]):
    home = make_home(WHOLE | {"calendar": {"holidays": ["2025-01-18"]}})
    for day in range(30):
        if day != 15:
            days(home, day, 1, late=0.2, is_heavy=False)
    parcels_days(home.root, FIRST + 19 * DAY, 1, rows=40)
    watch(home, now=WATCHED[1])
    [made] = known(home, WATCHED[1])
    assert made.why.startswith("23 of 28 days; left out: ")
    for said in ("Thu 16 Jan 2025 (no rows)", "Sat 18 Jan 2025 (named by the calendar)", "Mon 20 Jan 2025 ("):
        assert said in made.why


def test_a_step_is_taken_back_like_any_new_normal_and_not_taken_again(rolled: Home):
    last = known(rolled)[-1]
    take_back(rolled, "parcels", last.baseline_id[:8], who="ann", why="not yet", now=NOW + HOUR)
    monitor = load_monitor(rolled, "parcels")
    measure_and_roll(rolled, monitor, now=NOW + 2 * HOUR)
    brought_up(rolled, NOW + 2 * HOUR)
    psi = scores(rolled, "psi", "weight_kg", NOW + 2 * HOUR)
    assert psi[57].reference == psi[55].reference
    assert [b.event for b in known(rolled, NOW + 2 * HOUR)].count("ended") == 1


@pytest.mark.nightly
def test_a_new_normal_that_people_declare_is_what_all_is_compared_with_and_rolls_on_from_there(rolled: Home):
    rebaseline(rolled, "parcels", start=FIRST + 30 * DAY, end=FIRST + 50 * DAY, who="ann", why="heavier", now=NOW + HOUR)
    landed(rolled, 58, 66)
    later = BEGIN + 66 * DAY + HOUR
    watch(rolled, now=later)
    first, second = eras_of(rolled, load_monitor(rolled, "parcels"), now=later)
    assert [day_of(s.since) for s in first.steps] == [28, 42]
    assert [day_of(s.since) for s in second.steps] == [64]
    assert day_of(second.steps[0].baseline.starts_at) >= 30
    psi, accuracy = scores(rolled, "psi", "weight_kg", later), scores(rolled, "accuracy", now=later)
    assert psi[52].reference == accuracy[52].reference == accuracy[65].reference
    assert psi[65].reference != accuracy[65].reference


def test_rows_that_come_late_for_a_day_of_a_step_change_what_later_days_are_compared_with(rolled: Home):
    before = scores(rolled, "psi", "weight_kg")
    events, _ = parcels_world(BEGIN + 44 * DAY, rows=280, late=0.2, seed=9)
    late = pc.binary_join_element_wise(events.column("parcel"), "late", "-")
    events = events.set_column(events.column_names.index("parcel"), "parcel", late)
    pq.write_table(events, rolled.root / "inbox" / "parcels-late.parquet")
    watch(rolled, now=NOW + HOUR)
    after = scores(rolled, "psi", "weight_kg", NOW + HOUR)
    assert after[57].reference != before[57].reference
    assert after[55].reference == before[55].reference


def test_without_rolling_in_the_monitor_file_all_is_compared_with_the_declared_reference_again(rolled: Home, still: Home):
    (rolled.root / "deployments" / "monitors" / "parcels.yaml").write_text(json.dumps(PARCELS))
    assert load_monitor(rolled, "parcels").reference.rolling is None
    brought_up(rolled, NOW + HOUR)
    ours = scores(rolled, "psi", "weight_kg", NOW + HOUR)
    assert {d: s.value for d, s in ours.items()} == {d: s.value for d, s in scores(still, "psi", "weight_kg").items()}
    assert signals(rolled, "notice", NOW + HOUR) == signals(still, "notice")


def test_people_are_told_what_inputs_are_compared_with_and_how_far_normal_has_moved(rolled: Home):
    named = "inputs with 27 Jan to 23 Feb 2025, rolling since Wed 26 Feb 2025"
    monitors = load_monitors(rolled)[0]
    assert [s.overview.compared_with for s in status(rolled, monitors, now=NOW)] == [named]
    text = digest_of(rolled, monitors["parcels"], Window(BEGIN + 57 * DAY, BEGIN + 58 * DAY), now=NOW, period="day").text
    assert f"Compared with:** {named}." in text
    [line] = [line for line in text.splitlines() if line.startswith("**Normal has moved:**")]
    assert line.startswith("**Normal has moved:** since 1 to 14 Jan 2025 inputs by a PSI of: weight_kg ")
    assert re.search(r"; AUC 0\.\d+ then, 0\.\d+ now\.$", line)
    before = digest_of(rolled, monitors["parcels"], Window(BEGIN + 20 * DAY, BEGIN + 21 * DAY), now=NOW, period="day").text
    assert "Normal has moved" not in before
    pages(rolled, monitors, now=NOW)
    assert named in (rolled.site_dir / "models" / "parcels.html").read_text()


def test_limits_of_inputs_are_those_beside_the_newest_step(rolled: Home, still: Home):
    ours, theirs = ({(n.metric, n.feature): n for n in limits_of(h, load_monitor(h, "parcels"), now=NOW).numbers} for h in (rolled, still))
    assert ours["accuracy", ""] == theirs["accuracy", ""]
    assert ours["psi", "weight_kg"].windows == 28
    assert theirs["psi", "weight_kg"].windows == 14


def test_the_list_has_each_step_with_what_it_left_out(rolled: Home, watchkeeper):
    said = watchkeeper("rebaseline", "parcels", "--list", "--now", NOW.isoformat(), at=rolled).stdout
    assert "the monitor file" in said
    listed = json.loads(watchkeeper("rebaseline", "parcels", "--list", "--json", "--now", NOW.isoformat(), at=rolled).stdout)
    assert [(row["kind"], row["who"], row["compared_with"]) for row in listed] == [
        ("declared", "", "1 to 14 Jan 2025"),
        ("rolling", "rolling", "inputs: 1 to 26 Jan 2025"),
        ("rolling", "rolling", "inputs: 13 Jan to 9 Feb 2025"),
        ("rolling", "rolling", "inputs: 27 Jan to 23 Feb 2025"),
    ]
    assert [row["until"] for row in listed[1:]] == ["2025-02-12T00:00:00Z", "2025-02-26T00:00:00Z", None]
    assert listed[1]["left_out"] == ["2025-01-21T00:00:00Z", "2025-01-22T00:00:00Z", "2025-01-23T00:00:00Z"]


def test_what_became_known_later_of_days_of_a_step_is_named_in_the_list(rolled: Home, watchkeeper):
    for day in (50, 51, 52):
        _, labels = parcels_world(BEGIN + day * DAY, rows=300, late=0.2, seed=0)
        again = labels.set_column(labels.column_names.index("was_late"), "was_late", pc.invert(labels.column("was_late")))
        place = again.column_names.index("delivered_at")
        again = again.set_column(place, "delivered_at", pc.add(again.column("delivered_at"), DAY))
        pq.write_table(again, rolled.root / "inbox" / f"delivered-again-{day}.parquet")
    watch(rolled, now=NOW + DAY)
    bad = next(i for i in known_incidents(rolled, now=NOW + DAY) if day_of(i.window_start) >= 50)
    listed = json.loads(watchkeeper("rebaseline", "parcels", "--list", "--json", "--now", (NOW + DAY).isoformat(), at=rolled).stdout)
    assert [f"bad since: incident {bad.id}" in row["why"] for row in listed] == [False, False, False, True]
    assert len(known(rolled, NOW + DAY)) == 3
