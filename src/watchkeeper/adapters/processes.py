"""Processes that we start, and theirs: none outlives us.

Belongs here: starting, watching and ending child processes. Does not: what they run (prefect_server.py), or when (cli/server.py).
"""

import ctypes
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


@dataclass(frozen=True)
class Child:
    """A process that we started; what it prints goes to `log`."""

    name: str
    process: psutil.Popen
    log: Path

    @property
    def is_running(self) -> bool:
        """Tell whether it has not ended."""
        return self.process.poll() is None

    def last_lines(self, n: int = 8) -> str:
        """Return the end of its log."""
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-n:])


@dataclass
class Family:
    """The children of this process, ended together with everything that they started."""

    children: list[Child] = field(default_factory=list)
    last_words_s: float = 5.0
    """How long what has to go may still take to say so."""
    before: set[psutil.Process] = field(default_factory=lambda: set(_descendants(psutil.Process())), repr=False)
    """What this process had started when the family began; not ours to end."""

    def __post_init__(self) -> None:
        """Become the parent of grandchildren whose own parent dies (Linux), so that they can be found and ended."""
        if _LIBC is not None:
            _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)

    def start(self, name: str, command: Sequence[str], *, env: Mapping[str, str], log: Path, cwd: Path) -> Child:
        """Start a process in a session of its own, so that a Ctrl-C in the terminal reaches only us and we end it in order."""
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as sink:
            process = psutil.Popen(
                list(command),
                env=dict(env),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=end_with_parent,
            )
        child = Child(name, process, log)
        self.children.append(child)
        return child

    def ended(self) -> Child | None:
        """Return a child that ended by itself, if any did."""
        return next((c for c in self.children if not c.is_running), None)

    def is_busy(self, child: Child) -> bool:
        """Tell whether something that a child started is at work."""
        return bool(_running(child.process))

    def drain(self, child: Child, *, grace_s: float, in_a_hurry: Callable[[], bool] = lambda: False) -> bool:
        """Hold a child still, so that it starts nothing more, until what it started has ended; tell whether all of it did by itself.

        What is still there after `grace_s`, or in a hurry, is told to end while those it reports to are there to hear it.
        """
        if not child.is_running:
            return True
        child.process.suspend()
        try:
            deadline = time.monotonic() + grace_s
            while _running(child.process) and time.monotonic() < deadline and not in_a_hurry():
                time.sleep(0.1)
            left = _running(child.process)
            _end_now(left, self.last_words_s)
        finally:
            child.process.resume()
        return not left

    def end(self, child: Child, *, grace_s: float, in_a_hurry: Callable[[], bool] = lambda: False) -> bool:
        """Ask a child to end, and after `grace_s`, or in a hurry, end it and all it started; tell whether it went by itself."""
        kin = {child.process, *_descendants(child.process)}
        _send(signal.SIGTERM, [child.process])
        deadline = time.monotonic() + grace_s
        while child.is_running and time.monotonic() < deadline and not in_a_hurry():
            kin.update(_descendants(child.process))
            time.sleep(0.1)
        went = not child.is_running
        _end_now(kin, self.last_words_s)
        if child in self.children:
            self.children.remove(child)
        return went

    def end_all(self, *, grace_s: float) -> None:
        """End what is left, the youngest child first, and what orphans they left behind."""
        for child in reversed(list(self.children)):
            self.end(child, grace_s=grace_s)
        _end_now([p for p in _descendants(psutil.Process()) if p not in self.before], self.last_words_s)


def end_with_parent() -> None:
    """Have the kernel end this process when its parent dies, even by kill -9 (Linux; elsewhere nothing happens)."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def _running(process: psutil.Process) -> list[psutil.Process]:
    """Return the descendants that do something: one whose parent is held still stays a zombie when it is done."""
    return [p for p in _descendants(process) if _is_at_work(p)]


def _is_at_work(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _descendants(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _end_now(processes: Iterable[psutil.Process], last_words_s: float) -> None:
    all_of_them = list(processes)
    left = [p for p in all_of_them if _is_at_work(p)]
    for last_word in (signal.SIGTERM, signal.SIGKILL):
        _send(last_word, left)
        deadline = time.monotonic() + last_words_s
        while left and time.monotonic() < deadline:
            time.sleep(0.05)
            left = [p for p in left if _is_at_work(p)]
    psutil.wait_procs(all_of_them, timeout=0)  # takes those that are ours out of the process table


def _send(signal_number: signal.Signals, processes: Iterable[psutil.Process]) -> None:
    for process in processes:
        try:
            process.send_signal(signal_number)
        except psutil.NoSuchProcess:
            continue
