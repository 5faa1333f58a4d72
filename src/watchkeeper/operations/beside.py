"""Beside: pages, pictures and the published file are made in a process of their own while a watch goes on.

Belongs here: that one at a time is made, the newest last, that it ends with the watch, and what could not be made. Does not: making them
(watch.py, present).

They take seconds, and their libraries hundreds of megabytes: a step of a watch that goes on must not wait for the ones, nor keep the others.
"""

import multiprocessing
import signal
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Self

from watchkeeper.adapters.workspace import Home
from watchkeeper.operations.failures import reason_of
from watchkeeper.operations.watch import present

_SPAWNED = multiprocessing.get_context("spawn")
_PATIENCE_S = 20.0


@dataclass(frozen=True, slots=True)
class _Making:
    """A process that makes pages, and where it says what it could not make."""

    process: BaseProcess
    said: Connection

    def missed(self) -> list[str]:
        """Return what could not be made, once the process has ended."""
        with self.said, suppress(EOFError):
            if self.said.poll():
                return list(self.said.recv())
        return [_not_made(f"their process ended with {self.process.exitcode}")]


class Beside:
    """Shows what there is at the newest moment asked for; to be used in a `with`, which does not leave it behind."""

    def __init__(self) -> None:
        """Begin with nothing to show."""
        self._making: _Making | None = None
        self._asked: tuple[Home, Sequence[str] | None, datetime] | None = None
        self._missed: list[str] = []

    def __enter__(self) -> Self:
        """Return this."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Wait a while for what is under way; what is still to be shown is shown by whoever comes next."""
        self._asked = None
        if self._making is None:
            return
        self._making.process.join(_PATIENCE_S)
        if not self._making.process.is_alive():
            self._end()
        else:
            self._making.process.terminate()

    def show(self, home: Home, models: Sequence[str] | None, now: datetime) -> None:
        """Ask for what people look at to be brought up to date as of a moment."""
        self._asked = home, models, now
        self._go_on()

    def missed(self) -> list[str]:
        """Go on with what was asked for last, and return what could not be made since this was called before, as sentences."""
        self._go_on()
        missed, self._missed = self._missed, []
        return missed

    def _go_on(self) -> None:
        if self._making is not None:
            if self._making.process.is_alive():
                return
            self._end()
        if self._asked is None:
            return
        asked, self._asked = self._asked, None
        said, saying = _SPAWNED.Pipe(duplex=False)
        process = _SPAWNED.Process(target=_shown, args=(*asked, saying), daemon=True, name="watchkeeper-pages")
        with saying:  # once it is the other process's alone, its end is the end of what is said
            process.start()
        self._making = _Making(process, said)

    def _end(self) -> None:
        if self._making is not None:
            self._missed += self._making.missed()
            self._making = None


def _shown(home: Home, models: Sequence[str] | None, now: datetime, saying: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the watch, which waits for this
    try:
        missed = present(home, models, now=now)
    except Exception as error:  # noqa: BLE001 - it is said in the line of a step, and nobody reads a traceback there
        missed = [_not_made(reason_of(error))]
    saying.send(missed)


def _not_made(why: str) -> str:
    return f"The pages could not be brought up to date ({why}). Those of before are there."
