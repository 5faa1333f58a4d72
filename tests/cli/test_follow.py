"""`watchkeeper run --every`: it goes on by the real clock, tells a fault at a server that answers like Slack, and ends at SIGTERM."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from live_world import last_seconds, live_rows, live_workspace, write_file
from slack_standin import TOKEN, Slack
from watchkeeper.adapters.workspace import find_home
from watchkeeper.operations.watch import watch

MODEL = "rides"
PATIENCE_S = 240


def until(what: Callable[[], object], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not what():
        assert process.poll() is None, process.returncode
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A model with its history up to now, brought up to date."""
    now = datetime.now(UTC)
    live_workspace(tmp_path / "home", [MODEL], now, days=3, rows_an_hour=300)
    watch(find_home(tmp_path / "home"), now=now)
    return tmp_path / "home"


@pytest.mark.slow
def test_a_fault_is_told_at_slack_by_a_watch_that_goes_on_and_ends_at_sigterm(root: Path):
    command = [str(Path(sys.executable).parent / "watchkeeper"), "run", "--every", "2s", "--home", str(root)]
    with Slack() as slack:
        environment = os.environ | {"SLACK_BOT_TOKEN": TOKEN, "SLACK_API_URL": f"{slack.url}/api/"}
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            assert "everything brought up to date" in process.stdout.readline()
            start, end = last_seconds()
            write_file(root, MODEL, start, live_rows(np.random.default_rng(3), start, end, 400, faults=("failing",)))
            until(lambda: slack.messages and list((root / "warehouse" / "site" / "incidents").glob("*.html")), process)
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, err
    assert re.search(r"error ratio \d\d %", str(slack.messages[0]))
    assert re.search(r"Errors are.*(100|9\d(\.\d)?) % server error", str(slack.messages[0]))
    [line] = [each for each in out.splitlines() if "incident opened" in each]
    # just after a full hour, rows of the one before may be looked at too
    assert re.search(r"1 batch, 400 rows landed; looked at 4\d\d rows; 1 incident opened; 1 message sent; ", line)
    assert err.splitlines()[:2] == ["A step every 2s. Ctrl-C ends it.", "The first step brings everything up to date, which may take minutes."]
    assert "not looked at" not in err
    assert err.splitlines()[-1].endswith("steps taken.")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--every", "0.5s"), "--every: 0.5 s is not between 1 s and 1 h. Write for example 1m."),
        (("--every", "soon"), "--every: 'soon' is not a duration"),
        (("--for", "1h"), "--for: says how long to go on, and not how often. Add --every, for example 1m."),
        (("--every", "1m", "--now", "2025-01-01"), "--now: the clock stands still, and a watch that goes on follows one that goes. Leave --now out."),
        (("--every", "1m", "nobody"), "no model 'nobody'"),
    ],
)
def test_what_cannot_be_followed_is_said_at_once(watchkeeper, arguments: tuple[str, ...], said: str):
    done = watchkeeper("run", *arguments)
    assert done.exit_code == 2
    assert said in done.output


def test_it_ends_after_the_time_asked_for_and_prints_json(watchkeeper):
    done = watchkeeper("run", "--every", "1s", "--for", "3s", "--json")
    assert done.exit_code == 0
    assert '"rows_landed": 0' in done.output
    assert "taken." in done.output


def test_pages_that_cannot_be_made_beside_it_are_said_without_a_traceback(watchkeeper, home, capfd: pytest.CaptureFixture[str]):
    home.site_dir.parent.mkdir(parents=True, exist_ok=True)
    home.site_dir.write_text("a file where the pages should be")
    done = watchkeeper("run", "--every", "1s", "--for", "3s")
    assert done.exit_code == 0
    assert done.output.count("The pages could not be brought up to date (") == 1
    assert "Traceback" not in capfd.readouterr().err
