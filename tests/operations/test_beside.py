"""Pages made beside a watch: they are there, one process at a time makes them, and what could not be made is said."""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from live_world import live_workspace
from watchkeeper.adapters.workspace import Home, find_home
from watchkeeper.operations.beside import Beside

NOW = datetime(2026, 11, 20, 14, 20, tzinfo=UTC)
PATIENCE_S = 120.0
Making = Callable[[], list[multiprocessing.process.BaseProcess]]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    live_workspace(tmp_path / "home", ["rides"], NOW, days=1, rows_an_hour=1)
    return find_home(tmp_path / "home")


@pytest.fixture
def making() -> Making:
    """Return what tells which processes were begun in this test: an earlier one may have left helpers that wait for work."""
    others = set(multiprocessing.active_children())
    return lambda: [process for process in multiprocessing.active_children() if process not in others]


def ended(making: Making) -> None:
    """Wait until no process of this test is left."""
    deadline = time.monotonic() + PATIENCE_S
    while making():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_pages_are_made_and_nothing_is_missed(home: Home, making: Making):
    with Beside() as beside:
        beside.show(home, None, NOW)
        ended(making)
        assert beside.missed() == []
    assert (home.site_dir / "index.html").exists()


@pytest.mark.nightly
def test_pages_that_cannot_be_made_are_said_once_and_tried_again_when_asked_for(home: Home, making: Making, capfd: pytest.CaptureFixture[str]):
    home.site_dir.parent.mkdir(exist_ok=True)
    home.site_dir.write_text("a file where the pages should be")
    with Beside() as beside:
        beside.show(home, None, NOW)
        ended(making)
        [said] = beside.missed()
        assert said.startswith("The pages could not be brought up to date (")
        assert str(home.site_dir) in said
        assert beside.missed() == []
        home.site_dir.unlink()
        beside.show(home, None, NOW)
        ended(making)
        assert beside.missed() == []
    assert (home.site_dir / "index.html").exists()
    assert "Traceback" not in capfd.readouterr().err


def test_a_process_that_is_killed_is_said_also_when_the_watch_has_ended(home: Home, making: Making):
    with Beside() as beside:
        beside.show(home, None, NOW)
        (process,) = making()
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join()
    assert beside.missed() == ["The pages could not be brought up to date (their process ended with -9). Those of before are there."]
