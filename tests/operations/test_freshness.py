"""What people look at is made anew when what it is made from has changed, and left alone when not."""

import dataclasses
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta

import duckdb
import pytest

import worlds_site as world
from conftest import new_home
from watchkeeper.adapters.workspace import Home, load_monitors
from watchkeeper.operations.pages import pages
from watchkeeper.operations.watch import present
from watchkeeper.records import Score


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A workspace whose pages and published file have been made."""
    home = new_home(tmp_path_factory.mktemp("made") / "shown", json_of(world.monitor()))
    world.build(home.root)
    present(home, now=world.NOW)
    return home


@pytest.fixture
def shown(made_once: Home, copy_of: Callable[[Home], Home]) -> Home:
    """A copy of it."""
    return copy_of(made_once)


def json_of(monitor) -> dict:
    said = monitor.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude={"labels": {"mature_after"}})
    return said | {"labels": said["labels"] | {"mature_after": "36h"}}


def made(home: Home) -> dict[str, int]:
    """Return when each page but the first, and the published file, was written."""
    files = [home.published, *(p for p in home.site_dir.rglob("*.html") if p.name != "index.html")]
    return {str(f.relative_to(home.root)): f.stat().st_mtime_ns for f in files}


def renewed(home: Home, before: dict[str, int]) -> set[str]:
    return {name for name, at in made(home).items() if before.get(name) != at}


def test_nothing_is_made_again_when_nothing_changed_and_the_first_page_says_when_that_was_seen(shown):
    before = made(shown)
    assert f"warehouse/site/models/{world.MODEL}.html" in before
    later = world.NOW + timedelta(minutes=20)
    present(shown, now=later)
    assert renewed(shown, before) == set()
    assert "As of Wed 1 May 2013, 10:20." in (shown.site_dir / "index.html").read_text()


def test_the_metrics_say_as_of_when_they_are_also_where_nothing_changed(shown):
    later = world.NOW + timedelta(minutes=20)
    present(shown, now=later)
    (stamp,) = [line for line in (shown.site_dir / "metrics").read_text().splitlines() if line.startswith("watchkeeper_export_timestamp_seconds ")]
    assert float(stamp.split()[1]) == later.timestamp()


def test_a_new_score_renews_the_model_s_page_and_the_published_file(shown):
    before = made(shown)
    newest = world._scores(world.monitor(), world.days(world.monitor())[-1])[0]
    shown.lake.append_records(Score, [dataclasses.replace(newest, value=0.9, revision=1, computed_at=world.NOW)])
    present(shown, now=world.NOW)
    assert {"warehouse/watchkeeper.duckdb", f"warehouse/site/models/{world.MODEL}.html"} <= renewed(shown, before)


def test_what_is_looked_at_as_of_an_earlier_moment_is_made_for_it(shown):
    before = made(shown)
    present(shown, now=world.NOW - timedelta(days=20))
    assert "warehouse/watchkeeper.duckdb" in renewed(shown, before)
    with duckdb.connect(str(shown.published), read_only=True) as connection:
        [(last,)] = connection.execute("SELECT max(computed_at) FROM scores").fetchall()
    assert last <= (world.NOW - timedelta(days=20)).replace(tzinfo=None)


def test_a_page_that_was_removed_is_there_again(shown):
    page = shown.site_dir / "models" / f"{world.MODEL}.html"
    page.unlink()
    present(shown, now=world.NOW)
    assert page.is_file()


def test_a_published_file_that_somebody_wrote_into_is_replaced(shown):
    with duckdb.connect(str(shown.published)) as person:
        person.execute("CREATE TABLE mine AS SELECT 1 AS a")
    present(shown, now=world.NOW)
    with duckdb.connect(str(shown.published), read_only=True) as connection:
        assert "mine" not in {name for (name,) in connection.execute("SHOW TABLES").fetchall()}


def test_an_edited_monitor_renews_its_page(shown):
    before = made(shown)
    file = shown.monitors_dir / f"{world.MODEL}.yaml"
    file.write_text(file.read_text().replace("Arrives more than 15 minutes late", "Arrives late"))
    assert load_monitors(shown)[0][world.MODEL].description == "Arrives late"
    present(shown, now=world.NOW)
    assert f"warehouse/site/models/{world.MODEL}.html" in renewed(shown, before)


def test_another_process_finds_the_pages_to_be_the_same(shown):
    """The order of a set differs from process to process; what pages are made from must not."""
    code = (
        "import sys; from datetime import datetime, UTC; from pathlib import Path; from watchkeeper.adapters.workspace import find_home, load_monitors;"
        "from watchkeeper.operations.pages import pages; home = find_home(Path(sys.argv[1]));"
        f"pages(home, load_monitors(home)[0], now=datetime.fromisoformat('{world.NOW.isoformat()}'))"
    )
    pages(shown, load_monitors(shown)[0], now=world.NOW)
    ours = (shown.site_dir / ".pages.json").read_text()
    seed = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
    subprocess.run([sys.executable, "-c", code, str(shown.root)], env={**os.environ, "PYTHONHASHSEED": seed}, check=True)
    assert (shown.site_dir / ".pages.json").read_text() == ours


def test_a_run_imports_no_scipy_stats():
    code = "import sys, watchkeeper.cli.watch, watchkeeper.operations.watch; print('scipy.stats' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_a_report_that_cannot_be_made_is_said_and_takes_no_page_with_it(make_home):
    home = make_home(json_of(world.monitor()), name="reported")
    _, watched = world.build(home.root)
    world.add_events(home, watched, rows_a_day=5)
    home.site_dir.mkdir(parents=True, exist_ok=True)
    (home.site_dir / "looks").write_text("in the way of the folder")
    [sentence] = present(home, now=world.NOW)
    assert sentence.startswith("The Evidently report of the worst incident could not be made (")
    assert sentence.endswith("). The pages are there without it.")
    assert made(home)
    assert (home.site_dir / "index.html").is_file()
