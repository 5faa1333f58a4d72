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
        """End what is left, the youngest child first."""
        for child in reversed(list(self.children)):
            self.end(child, grace_s=grace_s)
        _end_now(_descendants(psutil.Process()), self.last_words_s)


def end_with_parent() -> None:
    """Have the kernel end this process when its parent dies, even by kill -9 (Linux; elsewhere nothing happens)."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def _descendants(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _end_now(processes: Iterable[psutil.Process], last_words_s: float) -> None:
    running = [p for p in processes if p.is_running()]
    _send(signal.SIGTERM, running)
    _, left = psutil.wait_procs(running, timeout=last_words_s)
    _send(signal.SIGKILL, left)
    psutil.wait_procs(left, timeout=last_words_s)


def _send(signal_number: signal.Signals, processes: Iterable[psutil.Process]) -> None:
    for process in processes:
        try:
            process.send_signal(signal_number)
        except psutil.NoSuchProcess:
            continue
