"""The real clock, and waiting that ends at a signal or when the time is over."""

import os
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from watchkeeper.adapters.pace import pace


@pytest.fixture
def handlers() -> Iterator[None]:
    """Put back what signals did before."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_it_waits_as_long_as_asked_by_the_clock_of_the_world():
    given = pace()
    began = given.seconds()
    assert not given.wait(0.05)
    assert given.seconds() - began >= 0.05
    assert abs(given.now() - datetime.now(UTC)) < timedelta(minutes=1)


def test_a_wait_is_cut_off_when_the_time_is_over_and_says_so():
    given, began = pace(0.05), time.monotonic()
    assert given.wait(60.0)
    assert 0.05 <= time.monotonic() - began < 30.0
    assert given.wait(60.0)


@pytest.mark.usefixtures("handlers")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_all_waiting(number: signal.Signals):
    given = pace(heeds_signals=True)
    os.kill(os.getpid(), number)
    assert given.wait(60.0)


@pytest.mark.usefixtures("handlers")
def test_signals_are_left_alone_unless_asked_for():
    before = signal.getsignal(signal.SIGTERM)
    pace()
    assert signal.getsignal(signal.SIGTERM) is before
