"""Work shared with helper processes on the further processors: many tables checked at once, or one thing done beside another.

Belongs here: when sharing pays, and helpers that never outlive this process. Does not: checking one table (expectations.py).
Such work spends its time in Python, so threads would not help; a helper pays its imports once.
"""

import atexit
import itertools
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from functools import cache, partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from watchkeeper.adapters.expectations import Checked, check

Begin = Callable[..., Callable[[], Any]]
WORTH_SHARING = 30
"""How many tables a process has to check before it begins helpers: their import of Great Expectations takes as long as some fifteen checks."""
_AT_ONCE = 6
_LOOKS_EVERY_S = 1.0
_MET = itertools.count(1)


def check_all(tables: Sequence[pa.Table], suite_file: Path, *, private: Collection[str] = ()) -> list[Checked]:
    """Return what `check` returns for each table, in order; a few tables are checked right here, as are those no helper has begun.

    A process that checks a few tables again and again has helpers once they have come to many.

    Raises:
        ConfigurationError: the file is no suite.

    """
    others = _processors() - 1
    met = [next(_MET) for _ in tables]
    if len(tables) < _AT_ONCE or met[-1] < WORTH_SHARING or others < 1 or not suite_file.exists():
        return [check(table, suite_file, private=private) for table in tables]
    lent = {i: _lend(tables[i], suite_file, private) for i in range(len(tables)) if i % (others + 1)}
    try:
        here = {i: check(table, suite_file, private=private) for i, table in enumerate(tables) if i not in lent}
        for i in reversed(lent):  # a helper takes the first ones first, and begins late when it has just started
            if (asked := lent[i]) is not None and asked.cancel():
                here[i] = check(tables[i], suite_file, private=private)
        return [here[i] if i in here else _returned(lent[i], tables[i], suite_file, private) for i in range(len(tables))]
    finally:  # after Ctrl-C nobody waits for what no helper has begun
        for one in filter(None, lent.values()):
            one.cancel()


def _lend(table: pa.Table, suite_file: Path, private: Collection[str]) -> "Future[Checked] | None":
    try:
        return _submit(_helpers(), check, table, suite_file, private=tuple(private))
    except (BrokenProcessPool, OSError, RuntimeError):
        return None


def _returned(lent: "Future[Checked] | None", table: pa.Table, suite_file: Path, private: Collection[str]) -> Checked:
    """Return what a helper found; when it died, find it here."""

    def here() -> Checked:
        if lent is not None:
            _helpers.cache_clear()
        return check(table, suite_file, private=private)

    found: Checked = here() if lent is None else _result(lent, here)
    return found


@contextmanager
def beside() -> Iterator[Begin]:
    """Give a way to begin work in one helper that is there while the body runs, each after the one before it.

    To begin returns how to wait for what comes of it. What a helper that died had not done is done here, as is all where there
    is one processor: so the work has to be harmless when repeated.
    """
    if _processors() < 2:  # noqa: PLR2004 - there is nothing beside one
        yield partial
        return
    with _pool(1) as pool:

        def begin(work: Callable[..., Any], *given: Any) -> Callable[[], Any]:
            with suppress(BrokenProcessPool):
                future = _submit(pool, work, *given)
                return lambda: _result(future, partial(work, *given))
            return partial(work, *given)

        yield begin


def _result(future: "Future[Any]", here: Callable[[], Any]) -> Any:
    try:
        return future.result()
    except BrokenProcessPool:
        return here()


@cache
def _helpers() -> ProcessPoolExecutor:
    return _pool(_processors() - 1)


def _submit(pool: ProcessPoolExecutor, work: Callable[..., Any], *given: Any, **more: Any) -> "Future[Any]":
    """Hand work to a pool; a helper that it starts for it never hears Ctrl-C, which the terminal sends to all: this process ends it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return pool.submit(work, *given, **more)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _pool(helpers: int) -> ProcessPoolExecutor:
    spawn = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(max_workers=helpers, mp_context=spawn, initializer=_settle_in, initargs=(os.getpid(),))


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _settle_in(parent: int) -> None:
    """End this helper when the process that started it is gone, however it went, and without a word.

    At an ordinary exit DuckDB would list on stderr what Great Expectations still holds of it.
    """

    def look() -> None:
        while os.getppid() == parent:
            time.sleep(_LOOKS_EVERY_S)
        os._exit(0)

    atexit.register(os._exit, 0)
    threading.Thread(target=look, daemon=True, name="parent-watch").start()
