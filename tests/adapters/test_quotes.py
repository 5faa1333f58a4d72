"""Quotes in CSV swallow no row without a word, and what csv.writer wrote is read as it was."""

import csv
import io
import time

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from draws import draws
from watchkeeper.adapters.files import interpret
from watchkeeper.adapters.text_files import Reading
from watchkeeper.errors import UnreadableError

TEXT = st.text(st.sampled_from("ab \",;\n\r\t'é"), max_size=6)
PLAIN = st.text(st.sampled_from('ab ",'), max_size=6)
WIDTH = 3


def written(rows: list[list[str]], quoting: int = csv.QUOTE_MINIMAL) -> str:
    sink = io.StringIO()
    csv.writer(sink, quoting=quoting).writerows([[f"c{i}" for i in range(WIDTH)], *rows])  # type: ignore[arg-type]
    return sink.getvalue()


def values(reading: Reading) -> dict[int, list[str]]:
    """Return row number -> values, all as text; a field that was empty and not quoted is no value."""
    rows = [["" if v is None else v for v in row.values()] for row in reading.rows.to_pylist()]
    return dict(zip(reading.numbers.to_pylist(), rows, strict=True))


def read(text: str) -> Reading | None:
    try:
        return interpret(text.encode(), "f.csv")
    except UnreadableError:
        return None


def table(fields: st.SearchStrategy[str]) -> st.SearchStrategy[list[list[str]]]:
    """Rows of text that no type fits: each value begins with a letter and the number of its row."""
    rows = st.lists(st.lists(fields, min_size=WIDTH, max_size=WIDTH), min_size=1, max_size=6)
    return rows.map(lambda found: [[f"x{i}{value}" for value in row] for i, row in enumerate(found)])


@settings(max_examples=draws(400, at_each_change=150), deadline=None)
@given(table(TEXT), st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
def test_what_csv_writer_wrote_is_read_as_it_was_or_set_aside_with_its_text(rows: list[list[str]], quoting: int) -> None:
    text = written(rows, quoting)
    reading = read(text)
    if reading is None:
        assert all("\n" in "".join(row) or "\r" in "".join(row) for row in rows)
        return
    landed, held = values(reading), {u.number: u for u in reading.unfit}
    assert sorted([*landed, *held]) == list(range(len(rows)))
    assert all(landed[n] == rows[n] for n in landed)
    for number, unfit in held.items():
        assert "what lies between looks like rows" in unfit.reason
        assert next(csv.reader(io.StringIO(unfit.text, newline=""))) == rows[number]


@settings(max_examples=draws(200, at_each_change=150), deadline=None)
@given(table(PLAIN), st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
def test_text_on_one_line_is_read_as_it_was_whatever_its_quotes(rows: list[list[str]], quoting: int) -> None:
    reading = interpret(written(rows, quoting).encode(), "f.csv")
    assert (values(reading), reading.unfit) == (dict(enumerate(rows)), [])


@settings(max_examples=draws(1000, at_each_change=300), deadline=None)
@given(st.data(), table(PLAIN), st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
def test_of_a_damaged_file_every_whole_row_is_landed_or_among_what_was_set_aside(data: st.DataObject, rows: list[list[str]], quoting: int) -> None:
    text = written(rows, quoting)
    first = text.index("\n") + 1
    at = data.draw(st.integers(first, len(text) - 1))
    damaged = text[:at] + data.draw(st.sampled_from(['"', '""', ',"', '",', "a", ""])) + text[at + data.draw(st.integers(0, 2)) :]
    reading = read(damaged)
    assume(reading is not None)  # else the file is kept whole
    landed, held = list(values(reading).values()), "\n".join(u.text for u in reading.unfit)
    for row, line in zip(rows, text.splitlines()[1:], strict=True):
        assert line not in damaged.splitlines() or row in landed or line in held


@pytest.mark.parametrize(
    ("body", "rows", "unfit"),
    [
        ('1,"abc\n2,def\n', {1: ["2", "def"]}, [(0, '1,"abc', "a quote opened in line 2 is never closed")]),
        ('1,a\n2,"b', {0: ["1", "a"]}, [(1, '2,"b', "a quote opened in line 3 is never closed")]),
        (
            '1,"abc\n2,def\n3,"x"\n4,e\n',
            {1: ["2", "def"], 2: ["3", "x"], 3: ["4", "e"]},
            [(0, '1,"abc', "a quote opened in line 2 is closed within a value in line 4")],
        ),
        (
            '1,"abc\n2,def"\n3,x\n4,5,6\n',
            {1: ["3", "x"]},
            [
                (0, '1,"abc\n2,def"', "a quote opened in line 2 is closed in line 3 only, and what lies between looks like rows"),
                (2, "4,5,6", "the row has 3 fields where the header names 2"),
            ],
        ),
        ('1,"one\ntwo"\n"three\nfour",5\n', {0: ["1", "one\ntwo"], 1: ["three\nfour", "5"]}, []),
        ('1,5" pipe\n2,6" pipe\n', {0: ["1", '5" pipe'], 1: ["2", '6" pipe']}, []),
    ],
)
def test_a_torn_quote_costs_its_own_line(body: str, rows: dict[int, list[str]], unfit: list[tuple[int, str, str]]) -> None:
    reading = interpret(f"a,b\n{body}".encode(), "f.csv")
    assert {n: [str(v) for v in row] for n, row in values(reading).items()} == rows
    assert [(u.number, u.text, u.reason) for u in reading.unfit] == unfit


def test_a_header_with_a_torn_quote_is_said() -> None:
    with pytest.raises(UnreadableError, match=r"f\.csv: has no readable header: a quote opened in line 1 is never closed\."):
        interpret(b'a,"b\n1,2\n', "f.csv")


def test_torn_quotes_in_every_second_row_take_no_more_time_than_reading() -> None:
    data = ("a,b\n" + '1,"x\n2,y\n' * 100_000).encode()
    began = time.monotonic()
    reading = interpret(data, "f.csv")
    assert time.monotonic() - began < 20
    assert reading.rows.num_rows + len(reading.unfit) == 200_000
