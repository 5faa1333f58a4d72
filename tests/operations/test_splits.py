"""An incident whose cause changed is closed and another goes on from it, each naming the other; a cause that flickers is one incident, or two at most."""

import json
import shutil
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from conftest import PARCELS, new_home
from watchkeeper.adapters.workspace import Home, find_home, load_monitors
from watchkeeper.operations.incident_book import known_incidents
from watchkeeper.operations.judge import judge
from watchkeeper.operations.listing import incident_listing, told
from watchkeeper.operations.watch import present, watch
from watchkeeper.records import Action, IncidentEvent
from worlds import DAY, parcels_days

BEGIN = datetime(2025, 1, 1, tzinfo=UTC)
FIRST = 24
"""The first bad day."""


def all_late(events: pa.Table, labels: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Label every parcel late, whatever the inputs."""
    return events, labels.set_column(1, "was_late", pa.array([True] * labels.num_rows))


def walked(home: Home, course: str, runs: Iterable[int]) -> tuple[Home, datetime]:
    """Watch a workspace through bad days on days of one's choice, each with what has come by then; return it with the moment of the last run.

    On each day the (o)utcome changed, or all (l)abels say late; on those of a dot nothing is wrong, nor on the two after the course.
    """
    waiting = home.root / "waiting"
    (waiting / "inbox").mkdir(parents=True, exist_ok=True)
    late = {FIRST + d: 0.6 for d, letter in enumerate(course) if letter == "o"}
    change = {FIRST + d: all_late for d, letter in enumerate(course) if letter == "l"}
    parcels_days(waiting, BEGIN.date(), FIRST + len(course) + 2, rows=300, late=late, change=change)
    now = BEGIN
    for day in runs:
        now = BEGIN + day * DAY + timedelta(hours=14)
        for file in sorted((waiting / "inbox").iterdir()):
            of, wait = datetime.fromisoformat(file.stem.split("-", 1)[1]).replace(tzinfo=UTC), 2 if file.name.startswith("delivered") else 1
            if of + wait * DAY <= now and not (home.root / "inbox" / file.name).exists():
                file.rename(home.root / "inbox" / file.name)
        watch(home, now=now)
    return home, now


def copied(home: Home, root: Path) -> Home:
    """Return a copy of a workspace, to go on from there."""
    return find_home(shutil.copytree(home.root, root / home.root.name))


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Three days on which the outcome changed, watched twice."""
    return walked(new_home(tmp_path_factory.mktemp("three") / "home", PARCELS), "ooo", [FIRST + 2, FIRST + 3])[0]


@pytest.fixture(scope="module")
def seven(three: Home, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Five days on which the outcome changed, then two of labels that are all alike."""
    return walked(copied(three, tmp_path_factory.mktemp("seven")), "oooooll", [FIRST + 5, FIRST + 7])[0]


@pytest.fixture(scope="module")
def world(seven: Home, tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, datetime]:
    """Five days on which the outcome changed, then five of labels that are all alike."""
    return walked(copied(seven, tmp_path_factory.mktemp("ten")), "ooooolllll", [FIRST + 8, FIRST + 10, FIRST + 12])


def test_it_is_closed_where_its_cause_changed_and_another_goes_on_from_there(world: tuple[Home, datetime]):
    home, now = world
    first, second = known_incidents(home, now=now)
    at = BEGIN + (FIRST + 5) * DAY
    assert (first.state, first.window_end, first.closed_by) == ("resolved", at, "watchkeeper")
    assert first.why == f"the cause changed on Thu 30 Jan 2025: {second.id} goes on"
    assert first.headline == "62 % of predictions on 25 to 29 January were positive; the model expected 22 %"
    assert (second.state, second.window_start, second.split_from) == ("open", at, first.id)
    assert [[c.kind for c in i.story.causes] for i in (first, second) if i.story] == [["concept"], ["labels"]]
    assert second.window_end == at + 5 * DAY


def test_a_past_that_is_caught_up_in_one_run_has_the_same_incidents_as_day_by_day(world: tuple[Home, datetime], tmp_path: Path):
    def known(home: Home, now: datetime) -> list[tuple[object, ...]]:
        return [(i.id, i.state, i.onset_at, i.window_end, i.why, i.split_from, i.headline, i.story) for i in known_incidents(home, now=now)]

    by_day, at_once = known(*world), known(*walked(new_home(tmp_path / "home", PARCELS), "ooooolllll", [FIRST + 12]))
    assert len(at_once) == 2
    assert at_once == by_day


def test_each_is_told_with_the_other_s_id(world: tuple[Home, datetime]):
    home, now = world
    first, second = known_incidents(home, now=now)
    sent = [a for a in sorted(home.lake.newest(Action), key=lambda a: a.at) if a.state == "sent" and a.kind in ("open", "resolve")]
    assert (sent[0].kind, sent[0].incident_id) == ("open", first.id)
    closed, opened = (next(a for a in sent if (a.kind, a.incident_id) == about) for about in (("resolve", first.id), ("open", second.id)))
    said, goes_on = (json.loads(a.payload)["text"] for a in (closed, opened))
    assert said.startswith(f"✅ **parcels: closed: the cause changed on Thu 30 Jan 2025; {second.id} goes on**")
    assert "*Cause until then:* the outcome changed, not the inputs." in said
    assert "*Cause since:* the labels: 100 % are positive whatever the inputs" in said
    assert f"*Goes on from:* {first.id}, whose cause changed." in goes_on
    assert f"the cause changed on Thu 30 Jan 2025: {second.id} goes on" in told(home, first.id, now=now)
    assert f"Goes on from {first.id}" in told(home, second.id, now=now)
    rows = {r["id"]: r["split_from"] for r in incident_listing(home, models=None, resolved=True, now=now)}
    assert rows == {first.id: "", second.id: first.id}
    present(home, now=now)
    page, after = ((home.site_dir / "incidents" / f"{i.id}.html").read_text() for i in (first, second))
    assert second.id in page
    assert first.id in after


def test_a_repeated_run_changes_nothing_and_as_of_the_day_before_there_was_one(world: tuple[Home, datetime]):
    home, now = world
    before = sorted(e.event_id for e in home.lake.newest(IncidentEvent))
    assert judge(home, load_monitors(home)[0], now=now) == []
    again = watch(home, now=now)
    assert (again.events, again.actions) == ([], [])
    assert sorted(e.event_id for e in home.lake.newest(IncidentEvent)) == before
    first, second = known_incidents(home, now=now)
    [alone] = known_incidents(home, now=second.opened_at - DAY)
    assert (alone.id, alone.state) == (first.id, "open")
    assert alone.window_end > first.window_end


def test_two_days_of_another_cause_are_no_split(seven: Home, copy_of: Callable[[Home], Home]):
    home, now = walked(copy_of(seven), "oooooll", [FIRST + 9])
    [one] = known_incidents(home, now=now)
    assert one.state == "open"


@pytest.mark.nightly
@pytest.mark.parametrize(("course", "count"), [("ooolllooolll", 2), ("oolololololo", 1)])
def test_a_cause_that_flickers_splits_once_at_most(tmp_path: Path, three: Home, course: str, count: int):
    begins_alike = course.startswith("ooo")
    home = copied(three, tmp_path) if begins_alike else new_home(tmp_path / "home", PARCELS)
    home, now = walked(home, course, range(FIRST + (4 if begins_alike else 1), FIRST + len(course) + 3))
    found = known_incidents(home, now=now)
    assert len(found) == count
    assert sum(i.is_open for i in found) == 1


@pytest.mark.nightly
def test_the_one_that_goes_on_ends_when_it_is_clear_and_the_first_stays_closed(world: tuple[Home, datetime], copy_of: Callable[[Home], Home]):
    home, now = walked(copy_of(world[0]), "ooooolllll.....", runs=[37, 41])
    first, second = known_incidents(home, now=now)
    assert second.split_from == first.id
    assert (first.state, second.state) == ("resolved", "resolved")
    assert first.resolved_at is not None
    assert second.resolved_at is not None
    assert first.resolved_at < second.resolved_at
    assert second.why.startswith("clear since")
    assert [e.event for e in home.lake.newest(IncidentEvent) if e.incident_id == first.id].count("resolved") == 1


@pytest.mark.nightly
def test_what_two_models_split_into_is_one_incident_where_it_is_the_same_fault(tmp_path: Path):
    """That the outcome changed for both is no fault that they share; that the labels of the file are all alike is."""
    home, now = walked(new_home(tmp_path / "home", PARCELS, PARCELS | {"model": "letters"}), "ooooollll", runs=[28, 32, 34])
    rows = [(r["models"], r["state"], r["split_from"]) for r in incident_listing(home, models=None, resolved=True, now=now)]
    before = {i.model: i.id for i in known_incidents(home, now=now) if not i.split_from}
    assert rows[0] == (["letters", "parcels"], "open", before["letters"])
    assert sorted(rows[1:]) == [(["letters"], "resolved", ""), (["parcels"], "resolved", "")]
    part = next(i for i in known_incidents(home, now=now) if i.part_of)
    assert (part.model, part.split_from) == ("parcels", before["parcels"])
