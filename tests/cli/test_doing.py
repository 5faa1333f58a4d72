"""A long command off a terminal says now and then what it does, and a short one nothing."""

import re
import time

import pytest

from watchkeeper.cli.doing import steps


def test_off_a_terminal_a_line_now_and_then_says_what_is_being_done(capsys: pytest.CaptureFixture[str]):
    with steps(every_s=0.2) as tell:
        tell("parcels", "ingest")
        tell("parcels", "measure")
        time.sleep(0.5)
        tell("", "act")
        time.sleep(0.4)
    said = capsys.readouterr()
    assert said.out == ""
    lines = said.err.splitlines()
    assert 2 <= len(lines) <= 4
    assert all(re.fullmatch(r"\d+ s: (parcels: measure|act)", line) for line in lines)
    assert (lines[0], lines[-1].partition(": ")[2]) == ("0 s: parcels: measure", "act")


def test_what_is_over_soon_says_nothing_and_what_fails_ends_the_lines(capsys: pytest.CaptureFixture[str]):
    def fail() -> None:
        with steps(every_s=0.1) as tell:
            tell("parcels", "ingest")
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        fail()
    time.sleep(0.3)
    assert capsys.readouterr() == ("", "")
