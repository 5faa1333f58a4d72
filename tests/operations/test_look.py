"""A look is an Evidently report on a sample that says so, without private columns, loading nothing."""

import re
from datetime import UTC, datetime, timedelta

import pytest

import worlds_site as world
from watchkeeper.adapters.workspace import Home
from watchkeeper.errors import UsageError
from watchkeeper.operations.look import SAMPLE_ROWS, SEED, NothingToLookAtError, _sample, look, look_at_worst, newest_window, worst_incident
from watchkeeper.operations.pages import pages
from watchkeeper.windows import Window

LAST_DAYS = Window(datetime(2013, 4, 22, 4, tzinfo=UTC), datetime(2013, 4, 24, 4, tzinfo=UTC))


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    home, watched = world.build(tmp_path_factory.mktemp("look"))
    world.add_events(home, watched, rows_a_day=70)
    return home, watched


def test_the_sample_is_bounded_and_the_same_each_time(built):
    home, watched = built
    year = Window(*watched.reference_span)
    first, again = (_sample(home, watched, year, world.NOW) for _ in range(2))
    assert first.num_rows == SAMPLE_ROWS < 90 * 70
    assert first.equals(again)
    days = {t.date() for t in first.column("wk_time").to_pylist()}
    assert len(days) >= 90


def test_rows_that_landed_later_are_not_there(built):
    home, watched = built
    assert _sample(home, watched, LAST_DAYS, LAST_DAYS.start - timedelta(days=1)).num_rows == 0


def test_without_a_window_it_is_the_worst_open_incidents_else_the_newest(built):
    home, watched = built
    assert worst_incident(home, watched, now=world.NOW).severity == "warning"
    before = datetime(2013, 4, 20, 12, tzinfo=UTC)
    assert worst_incident(home, watched, now=before) is None
    assert newest_window(home, watched, now=before) == watched.grid.at(before - timedelta(days=1))


def test_nothing_to_look_at_is_said(built, tmp_path):
    home, watched = built
    with pytest.raises(NothingToLookAtError, match="no events have landed"):
        look(Home(tmp_path), watched, window=LAST_DAYS, now=world.NOW)
    empty = Window(LAST_DAYS.start - timedelta(days=900), LAST_DAYS.end - timedelta(days=900))
    with pytest.raises(NothingToLookAtError, match="no events lie in"):
        look(home, watched, window=empty, now=world.NOW)
    with pytest.raises(UsageError, match="the reference is files"):
        look(home, world.monitor(reference={"files": "x.parquet"}), window=LAST_DAYS, now=world.NOW)


@pytest.mark.slow
def test_the_report_says_its_sample_leaves_private_columns_out_and_is_linked(built):
    home, watched = built
    path = look(home, watched, window=LAST_DAYS, now=world.NOW)
    text = path.read_text()
    assert f"A sample: 140 rows of the window and 5,000 of the reference, at most 5,000 each, drawn with seed {SEED}." in text
    assert "is computed by Watchkeeper on all rows" in text
    assert "<title>flight_delays: 22 to 23 Apr 2013 against the reference</title>" in text
    assert "passenger" not in text
    assert "secret-" not in text
    assert "wind" in text
    assert "Dataset Drift" not in text, "a verdict on the whole says nothing of one bad column, and was read as all is well"
    assert "Drift is detected for" in text
    assert not re.search(r"<(?:script|img|link)[^>]+(?:src|href)=[\"']?(?:https?:)?//", text)
    pages(home, {watched.model: watched}, now=world.NOW)
    assert f'href="../looks/{path.name}"' in (home.site_dir / "models" / f"{watched.model}.html").read_text()


@pytest.mark.slow
def test_the_worst_incident_is_looked_at_once_and_linked_from_its_page(built):
    home, watched = built
    path = look_at_worst(home, {watched.model: watched}, now=world.NOW)
    first = path.stat().st_mtime_ns
    assert look_at_worst(home, {watched.model: watched}, now=world.NOW).stat().st_mtime_ns == first
    assert "22 to 26 Apr 2013 against the reference" in path.read_text()
    pages(home, {watched.model: watched}, now=world.NOW)
    assert f'href="../looks/{path.name}"' in (home.site_dir / "incidents" / path.name).read_text()


def test_without_incidents_there_is_nothing_to_look_at(tmp_path):
    assert look_at_worst(Home(tmp_path), {}, now=world.NOW) is None
