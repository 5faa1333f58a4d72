"""Threads help: while a compiled loop runs, other threads of the process go on."""

import sys
import threading
import time
from inspect import getmembers

import numpy as np
from numba.core.registry import CPUDispatcher

from watchkeeper.profiles import kernel


def test_every_compiled_loop_lets_go_of_pythons_lock():
    loops = dict(getmembers(kernel, lambda thing: isinstance(thing, CPUDispatcher)))
    assert len(loops) >= 4
    assert {name for name, loop in loops.items() if not loop.targetoptions.get("nogil")} == set()


def test_another_thread_goes_on_while_a_loop_runs():
    rng = np.random.default_rng(0)
    starts = np.arange(0, 1 << 40, 1 << 20)
    moments = rng.integers(0, 1 << 40, 4_000_000)
    kernel.place(moments[:10], starts, np.empty(10, np.int64))
    took: list[tuple[float, float]] = []

    def loop() -> None:
        begun = time.perf_counter()
        kernel.place(moments, starts, np.empty(len(moments), np.int64))
        took.append((begun, time.perf_counter()))

    before = sys.getswitchinterval()
    thread, ticks = threading.Thread(target=loop), list[float]()
    thread.start()
    while thread.is_alive():
        ticks.append(time.perf_counter())
        time.sleep(0.001)
    [(begun, ended)] = took
    inside = [t for t in ticks if begun < t < ended]
    assert ended - begun > 20 * before, "long enough to tell"
    assert len(inside) > 5
