"""Beside: pages, pictures and the published file are made in a process of their own while a watch goes on.

Belongs here: that one at a time is made, the newest last, and that it ends with the watch. Does not: making them (watch.py, present).

They take seconds, and their libraries hundreds of megabytes: a step of a watch that goes on must not wait for the ones, nor keep the others.
"""

import multiprocessing
import signal
from collections.abc import Sequence
from datetime import datetime
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Self

from watchkeeper.adapters.workspace import Home
from watchkeeper.operations.watch import present

_SPAWNED = multiprocessing.get_context("spawn")
_PATIENCE_S = 20.0


class Beside:
    """Shows what there is at the newest moment asked for; to be used in a `with`, which does not leave it behind."""

    def __init__(self) -> None:
        """Begin with nothing to show."""
        self._process: BaseProcess | None = None
        self._asked: tuple[Home, Sequence[str] | None, datetime] | None = None

    def __enter__(self) -> Self:
        """Return this."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Wait a while for what is under way; what is still to be shown is shown by whoever comes next."""
        if self._process is not None:
            self._process.join(_PATIENCE_S)
            self._process.terminate()

    def show(self, home: Home, models: Sequence[str] | None, now: datetime) -> None:
        """Ask for what people look at to be brought up to date as of a moment."""
        self._asked = home, models, now
        self.go_on()

    def go_on(self) -> None:
        """Begin with what was asked for last, unless something is under way."""
        if self._asked is None or (self._process is not None and self._process.is_alive()):
            return
        asked, self._asked = self._asked, None
        self._process = _SPAWNED.Process(target=_shown, args=asked, daemon=True, name="watchkeeper-pages")
        self._process.start()


def _shown(home: Home, models: Sequence[str] | None, now: datetime) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the watch, which waits for this
    present(home, models, now=now)
