"""No process outlives the family it belongs to."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from watchkeeper.adapters.processes import Family

IDLE = "import time\nwhile True: time.sleep(0.05)"
DEAF = f"import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('deaf', flush=True)\n{IDLE}"
PARENT = f"import subprocess, sys\nprint(subprocess.Popen([sys.executable, '-c', {IDLE!r}], start_new_session=True).pid, flush=True)\n"


def _wait(is_so: Callable[[], object], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


@pytest.fixture
def start(tmp_path: Path):
    family = Family(last_words_s=0.3)

    def run(code: str, *, prints: bool = False):
        child = family.start("child", [sys.executable, "-c", code], env=os.environ, log=tmp_path / "logs" / "child.log", cwd=tmp_path)
        if prints:
            _wait(lambda: child.log.read_text().endswith("\n"))
        return family, child

    yield run
    family.end_all(grace_s=0)


def test_a_child_that_listens_goes_by_itself(start):
    family, child = start(IDLE)
    assert family.end(child, grace_s=10)
    assert not child.is_running
    assert family.children == []


def test_a_deaf_child_is_ended_after_its_grace(start):
    family, child = start(DEAF, prints=True)
    began = time.monotonic()
    assert not family.end(child, grace_s=0.3)
    assert not child.is_running
    assert time.monotonic() - began >= 0.3


def test_somebody_in_a_hurry_ends_the_grace(start):
    family, child = start(DEAF, prints=True)
    began = time.monotonic()
    assert not family.end(child, grace_s=60, in_a_hurry=lambda: True)
    assert time.monotonic() - began < 30


BRIEF = f"import subprocess, sys\np = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(1)'])\nprint(p.pid, flush=True)\n{IDLE}"


def test_draining_waits_for_what_a_child_started_and_lets_it_start_nothing_more(start):
    family, child = start(BRIEF, prints=True)
    assert family.is_busy(child)
    assert family.drain(child, grace_s=20)
    assert not family.is_busy(child)
    assert child.is_running
    assert family.end(child, grace_s=10)


def test_draining_ends_what_does_not_finish_in_its_grace(start):
    family, child = start(PARENT + IDLE, prints=True)
    assert not family.drain(child, grace_s=0.2)
    assert not family.is_busy(child)
    assert family.end(child, grace_s=10)


def test_a_grandchild_in_a_session_of_its_own_goes_with_its_parent(start):
    family, child = start(PARENT + IDLE, prints=True)
    grandchild = int(child.log.read_text())
    assert psutil.pid_exists(grandchild)
    family.end(child, grace_s=10)
    _wait(lambda: not psutil.pid_exists(grandchild))


def test_what_ran_before_the_family_began_goes_on(tmp_path: Path):
    with subprocess.Popen([sys.executable, "-c", IDLE]) as older:
        try:
            family = Family(last_words_s=0.3)
            younger = subprocess.Popen([sys.executable, "-c", IDLE])
            family.end_all(grace_s=0)
            assert older.poll() is None
            _wait(lambda: not psutil.pid_exists(younger.pid))
        finally:
            older.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux hands orphans to a subreaper")
def test_an_orphan_is_found_and_ended(start):
    """Its parent ends at once, so that nobody but the kernel knows whose it is."""
    family, child = start(PARENT, prints=True)
    orphan = int(child.log.read_text())
    _wait(lambda: not child.is_running)
    assert psutil.pid_exists(orphan)
    family.end_all(grace_s=0)
    _wait(lambda: not psutil.pid_exists(orphan))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent died")
def test_children_end_when_their_parent_is_killed(tmp_path: Path):
    code = (
        "import os, sys, time\nfrom pathlib import Path\nfrom watchkeeper.adapters.processes import Family\n"
        f"child = Family().start('c', [sys.executable, '-c', {IDLE!r}], env=os.environ, log=Path('c.log'), cwd=Path.cwd())\n"
        "print(child.process.pid, flush=True)\ntime.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    _wait(lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE)
    parent.stdout.close()


def test_a_child_that_ends_by_itself_is_noticed_with_its_last_words(start):
    family, child = start("print('one')\nprint('two')\nraise SystemExit(3)")
    _wait(lambda: family.ended() is not None)
    assert family.ended() is child
    assert child.last_lines(1) == "two"
    assert child.process.returncode == 3
