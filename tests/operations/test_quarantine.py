"""What was set aside can be seen, let in and given up, with who and why."""

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from intake_world import GOOD, HEADER, LATER, NOW, expect, held, ids, landed, loans, put, suite, take
from watchkeeper.adapters.workspace import Home
from watchkeeper.errors import UsageError
from watchkeeper.operations.quarantine import ALL, Chosen, discard, entries, heaps, note_look, show_entries
from watchkeeper.operations.release import release
from watchkeeper.records import Batch

LIMIT = "expect_column_values_to_be_between"


def with_limit(home: Home, limit: int) -> None:
    suite(home, "loans_events", expect(LIMIT, column="amount", max_value=limit))


def let_in(home: Home, chosen: Chosen = ALL) -> list[tuple[int, int]]:
    done = release(home, loans(), now=LATER, chosen=chosen, who="ann", why="the limit was wrong")
    return [(r.released, r.kept) for r in done]


@pytest.fixture
def two_held(home: Home) -> Home:
    """Rows 1 and 2 of a file break a limit; row 0 landed."""
    with_limit(home, 150)
    put(home, "loans-1.csv", HEADER + GOOD + "c,2025-02-03T10:00:00Z,0.4,500\n")
    take(home)
    return home


def test_released_rows_land_in_their_own_windows_as_their_batch(two_held: Home) -> None:
    with_limit(two_held, 300)
    assert let_in(two_held) == [(1, 1)]
    assert ids(two_held) == ["a", "b"]
    assert len({row["wk_batch"] for row in landed(two_held)}) == 1
    assert [f"{row['wk_time']:%m-%d %H}" for row in landed(two_held)] == ["02-01 10", "02-01 11"]
    batch = two_held.lake.newest(Batch)[0]
    assert (batch.status, batch.rows_landed, batch.rows_quarantined) == ("partial", 2, 1)
    assert list(held(two_held)) == [2]


def test_a_release_repeated_adds_nothing(two_held: Home) -> None:
    with_limit(two_held, 1000)
    assert let_in(two_held) == [(2, 0)]
    assert let_in(two_held) == []
    assert ids(two_held) == ["a", "b", "c"]
    batch = two_held.lake.newest(Batch)[0]
    assert (batch.status, batch.reason, batch.rows_landed, batch.rows_quarantined) == ("landed", "", 3, 0)


def test_a_release_under_the_same_suite_changes_nothing(two_held: Home) -> None:
    before = entries(two_held, loans(), now=LATER)
    assert let_in(two_held) == [(0, 2)]
    assert entries(two_held, loans(), now=LATER) == before


def test_after_each_release_the_batch_says_why_the_rest_is_still_left_out(two_held: Home) -> None:
    for hours, limit, told in ((1, 300, (1, 1)), (2, 400, (0, 1)), (3, 500, (1, 0))):
        with_limit(two_held, limit)
        now = LATER + timedelta(hours=hours)
        done = release(two_held, loans(), now=now, chosen=ALL, who="ann", why="the limit was wrong")
        batch = two_held.lake.newest(Batch)[0]
        says = f"1 row: amount values must be less than or equal to {limit}: because (data)" if told[1] else ""
        assert ([(r.released, r.kept) for r in done], batch.reason, [r.reason for r in done]) == ([told], says, [says])
        assert list(held(two_held, now=now).values()) == [[says.removeprefix("1 row: ")]] * told[1]
    assert ids(two_held) == ["a", "b", "c"]


def test_a_release_past_an_expectation_that_cannot_be_evaluated_says_so(two_held: Home) -> None:
    suite(two_held, "loans_events", expect("expect_column_values_to_not_be_null", column="branch"))
    done = release(two_held, loans(), now=LATER, chosen=ALL, who="ann", why="")
    assert [(r.released, "could not be evaluated (expect_column_values_to_not_be_null/branch)" in r.reason) for r in done] == [(2, True)]


def test_a_whole_file_is_released_by_reading_it_again(home: Home) -> None:
    suite(home, "loans_events", expect("expect_table_row_count_to_be_between", min_value=3))
    put(home, "loans-1.csv", HEADER + GOOD)
    take(home)
    assert let_in(home) == [(0, 1)]
    suite(home, "loans_events", expect("expect_table_row_count_to_be_between", min_value=1))
    assert let_in(home) == [(1, 0)]
    assert ids(home) == ["a", "b"]
    assert [(b.status, b.rows_landed, b.rows_quarantined) for b in home.lake.newest(Batch)] == [("landed", 2, 0)]
    assert held(home) == {}


def test_a_file_that_is_gone_stays_in_quarantine_and_says_so(home: Home) -> None:
    path = put(home, "loans-1.parquet", b"PAR1")
    take(home)
    path.unlink()
    done = release(home, loans(), now=LATER, chosen=ALL, who="ann", why="")[0]
    assert (done.released, done.kept) == (0, 1)
    assert "is not there any more; put it back at inbox/loans-1.parquet" in done.reason


def test_a_row_whose_times_read_wrong_is_released_under_a_right_monitor(home: Home) -> None:
    put(home, "loans-1.csv", "loan,asked_at,risk\na,2025-02-01,7\nb,2025-02-01,0.7\n")
    take(home)
    done = release(home, loans(task="regression"), now=LATER, chosen=ALL, who="ann", why="it is a rate")
    assert [(r.released, r.kept) for r in done] == [(1, 0)]
    assert landed(home, "loan", "risk") == [{"loan": "a", "risk": 7.0}, {"loan": "b", "risk": 0.7}]


def test_infinities_survive_quarantine(home: Home) -> None:
    suite(home, "loans_events", expect("expect_column_values_to_not_be_null", column="branch"))
    put(home, "loans-1.csv", "loan,asked_at,risk,amount,branch\na,2025-02-01,0.5,inf,\nb,2025-02-01,0.5,1.5,\nc,2025-02-01,0.5,2,x\n")
    take(home)
    suite(home, "loans_events")
    assert let_in(home) == [(2, 0)]
    assert [row["amount"] for row in landed(home)] == [float("inf"), 1.5, 2.0]


def test_discarded_rows_stay_readable_with_who_and_why(two_held: Home) -> None:
    chosen = Chosen(ids=[entries(two_held, loans(), now=LATER)[0].quarantine_id[:6]])
    assert len(discard(two_held, loans(), now=LATER, chosen=chosen, who="ann", why="a test")) == 1
    assert discard(two_held, loans(), now=LATER, chosen=chosen, who="ann", why="a test") == []
    assert list(held(two_held)) == [2]
    given_up = entries(two_held, loans(), now=LATER, states=("discarded",))
    assert [(e.row_number, e.who, e.why, e.row is not None) for e in given_up] == [(1, "ann", "a test", True)]


def test_as_of_a_moment_before_the_decision_the_rows_are_still_held(two_held: Home) -> None:
    discard(two_held, loans(), now=LATER, chosen=ALL, who="ann", why="a test")
    assert sorted(held(two_held, now=NOW)) == [1, 2]


def test_what_is_decided_at_the_moment_of_intake_is_seen_at_that_moment(two_held: Home) -> None:
    one = entries(two_held, loans(), now=NOW)[0].quarantine_id
    discard(two_held, loans(), now=NOW, chosen=Chosen(ids=[one]), who="ann", why="a test row")
    assert one not in [e.quarantine_id for e in entries(two_held, loans(), now=NOW)]
    assert [h.state for h in heaps(two_held, [loans()], now=NOW, states=("discarded",))] == ["discarded"]


def test_heaps_count_by_reason_and_tell_no_value(home: Home) -> None:
    put(home, "loans-1.csv", HEADER + "a,soon,0.5,1\nb,later,0.5,1\nc,2025-02-01,0.5,1\n")
    take(home)
    found = heaps(home, [loans()], now=LATER)
    assert [(h.reason, h.rows, h.whole_files) for h in found] == [("asked_at: '…' is not a time (ISO text, day.month.year, or an epoch)", 2, 0)]


def test_private_columns_are_masked_and_a_look_at_them_is_on_record(home: Home) -> None:
    put(home, "loans-1.csv", "loan,asked_at,risk,income\na,soon,0.5,77000\nb,2025-02-01,0.5,1\n")
    take(home)
    found = entries(home, loans(), now=LATER)
    assert show_entries(loans(), found)[0]["row"]["income"] == "***"
    with pytest.raises(UsageError, match="with a reason only"):
        note_look(home, loans(), found, now=LATER, who="ann", why="")
    note_look(home, loans(), found, now=LATER, who="ann", why="ticket 7")
    assert show_entries(loans(), found, private=True)[0]["row"]["income"] == 77000
    assert [(e.state, e.who, e.why) for e in entries(home, loans(), now=LATER)] == [("held", "ann", "looked at private values: ticket 7")]


RELEASE = """
import sys
from pathlib import Path
from intake_world import LATER, loans
from watchkeeper.adapters.workspace import find_home
from watchkeeper.operations.quarantine import ALL
from watchkeeper.operations.release import release
home = find_home(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
print(sum(r.released for r in release(home, loans(), now=LATER, chosen=ALL, who="ann", why="the limit was wrong")), flush=True)
"""


@pytest.mark.nightly
def test_of_two_releases_at_once_one_lets_the_rows_in_and_the_other_says_none(two_held: Home) -> None:
    with_limit(two_held, 1000)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": Path(__file__).parents[1]}
    workers = [subprocess.Popen([sys.executable, "-c", RELEASE, str(two_held.root)], **pipes) for _ in range(2)]
    for worker in workers:
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        worker.stdin.write("go\n")
        worker.stdin.flush()
    assert sorted(worker.communicate(timeout=120)[0].strip() for worker in workers) == ["0", "2"]
    assert ids(two_held) == ["a", "b", "c"]
