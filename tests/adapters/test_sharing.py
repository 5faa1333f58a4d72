"""Checking many tables at once gives what checking them one by one gives, and leaves no helper behind."""

import json
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pyarrow as pa
import pytest

from watchkeeper.adapters.expectations import check
from watchkeeper.adapters.sharing import WORTH_SHARING, _helpers, beside, check_all
from watchkeeper.errors import ConfigurationError, DeliveryError, UsageError, WatchkeeperError
from watchkeeper.operations.look import NothingToLookAtError

SUITE = {
    "name": "s",
    "expectations": [
        {
            "type": "expect_column_values_to_be_between",
            "kwargs": {"column": "x", "min_value": 0},
            "severity": "critical",
            "meta": {"owner": "me", "why": "it is a length"},
        },
    ],
}


def tables(count: int) -> list[pa.Table]:
    return [pa.table({"x": [1.0, -float(i), 2.0], "wk_row": pa.array([0, 1, 2], pa.int64())}) for i in range(count)]


def suite_in(folder: Path) -> Path:
    path = folder / "s.json"
    path.write_text(json.dumps(SUITE))
    return path


def test_shared_checks_find_what_checks_one_by_one_find(tmp_path: Path) -> None:
    suite, many = suite_in(tmp_path), tables(WORTH_SHARING + 1)
    assert check_all(many, suite) == [check(table, suite) for table in many]


def test_no_suite_finds_nothing(tmp_path: Path) -> None:
    assert all(not checked.findings for checked in check_all(tables(WORTH_SHARING), tmp_path / "none.json"))


@pytest.mark.parametrize("error", [ConfigurationError, UsageError, DeliveryError, NothingToLookAtError])
def test_an_error_says_the_same_in_another_process(error: type[WatchkeeperError]) -> None:
    told = error("it is wrong", where="s.json", then="Mend it.")
    again = pickle.loads(pickle.dumps(told))  # noqa: S301 - our own
    assert (type(again), str(again)) == (error, "s.json: it is wrong. Mend it.")


def test_helpers_outlive_a_suite_that_is_none(tmp_path: Path) -> None:
    """An error that this process cannot read takes the helpers with it, and then the process does not end."""
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    with pytest.raises(ConfigurationError):
        check_all(tables(WORTH_SHARING), broken)
    assert isinstance(_helpers().submit(check, tables(1)[0], broken).exception(), ConfigurationError)
    assert _helpers().submit(whose, "").result() != os.getpid()


def whose(_what: str) -> int:
    return os.getpid()


def refuse(what: str) -> None:
    raise ValueError(what)


def die_unless_it_is(process: int) -> int:
    if os.getpid() != process:
        os._exit(9)
    return process


def test_work_beside_is_done_in_a_process_of_its_own_and_its_error_is_raised_here() -> None:
    with beside() as begin:
        first, second, wrong = begin(whose, "one"), begin(whose, "two"), begin(refuse, "no such thing")
        assert first() == second() != os.getpid()
        with pytest.raises(ValueError, match="no such thing"):
            wrong()


def test_what_a_helper_that_died_had_not_done_is_done_here() -> None:
    here = os.getpid()
    with beside() as begin:
        waits = [begin(die_unless_it_is, here), begin(whose, "the next")]
        assert [wait() for wait in waits] == [here, here]
        assert begin(whose, "one more")() == here


def take_a_moment(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def test_ctrl_c_is_heard_by_the_process_that_began_the_work_and_by_no_helper(tmp_path: Path) -> None:
    code = (
        "import signal, sys\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "import test_sharing as t\n"
        "from watchkeeper.adapters.sharing import beside\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # whoever started the tests may have had it ignored
        "if __name__ == '__main__':\n"
        "    try:\n"
        "        with beside() as begin:\n"
        "            begin(t.whose, 'settled')()\n"
        "            last = begin(t.take_a_moment, 1.0)\n"
        "            print('begun', flush=True)\n"
        "            t.take_a_moment(60)\n"
        "    except KeyboardInterrupt:\n"
        "        print(last())\n"
    )
    script = tmp_path / "run.py"
    script.write_text(code)
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline().strip() == "begun"
        os.killpg(parent.pid, signal.SIGINT)
        said, complained = parent.communicate(timeout=30)
    assert (said.strip(), complained, parent.returncode) == ("1.0", "", 0)


@pytest.mark.nightly
def test_helpers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    code = (
        "import sys, time, pathlib, json\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "import test_sharing as t\n"
        "from watchkeeper.adapters.sharing import check_all\n"
        "if __name__ == '__main__':\n"
        "    check_all(t.tables(t.WORTH_SHARING), pathlib.Path(sys.argv[1]))\n"
        "    print('shared', flush=True)\n"
        "    time.sleep(60)\n"
    )
    script = tmp_path / "run.py"
    script.write_text(code)
    with subprocess.Popen([sys.executable, script, suite_in(tmp_path)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline().strip() == "shared"
        helpers = psutil.Process(parent.pid).children(recursive=True)
        assert helpers
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
    deadline = time.monotonic() + 15
    while any(_is_alive(h) for h in helpers) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not [h for h in helpers if _is_alive(h)]


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
