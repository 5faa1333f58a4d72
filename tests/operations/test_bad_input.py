"""Bad input: one clear sentence each, what can be kept is kept, the rest is in quarantine, and the next batch works."""

import gzip
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from intake_world import GOOD, HEADER, LATER, NEXT, NOW, held, ids, landed, loans, put, take
from watchkeeper.adapters.workspace import Home
from watchkeeper.operations.lots import left_out
from watchkeeper.operations.quarantine import entries, set_aside


def parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


WHOLE = parquet(pa.table({"loan": ["a"] * 500, "asked_at": [NOW] * 500, "risk": [0.5] * 500}))


class Case(NamedTuple):
    name: str
    content: str | bytes
    status: str
    sentence: str
    kept: list[str]
    held: list[int]


CASES = {
    "an empty file": Case("loans-1.csv", "", "quarantined", "loans-1.csv: is empty, not even a header. Write it again, or remove it.", [], [-1]),
    "a truncated Parquet": Case("loans-1.parquet", WHOLE[:-40], "quarantined", "is not a whole Parquet file; it may have been cut off", [], [-1]),
    "a truncated gzip": Case("loans-1.csv.gz", gzip.compress(HEADER.encode() * 50)[:-12], "quarantined", "is not whole gzip data", [], [-1]),
    "an unknown suffix": Case("loans-1.xlsx", "x", "quarantined", "has the suffix '.xlsx', which names no known format", [], [-1]),
    "a wrong encoding": Case(
        "loans-1.csv",
        (HEADER + "é,2025-02-01T10:00:00Z,0.1,1\n").encode("latin-1"),
        "quarantined",
        "is not UTF-8 text (byte 0xe9 in line 2)",
        [],
        [-1],
    ),
    "UTF-16": Case("loans-1.csv", (HEADER + GOOD).encode("utf-16"), "quarantined", "is not UTF-8 text (byte 0xff in line 1)", [], [-1]),
    "some rows with a wrong column count": Case(
        "loans-1.csv", HEADER + GOOD + "c,2025-02-01\n", "partial", "1 row: the row has 2 fields where the header names 4", ["a", "b"], [2]
    ),
    "all rows with a wrong column count": Case("loans-1.csv", HEADER + "a,b\nc,d\n", "quarantined", "has no row that fits its header", [], [-1]),
    "two columns of one name": Case("loans-1.csv", "loan,loan\n1,2\n", "quarantined", "has more than one column named loan", [], [-1]),
    "two columns of one name in Parquet": Case(
        "loans-1.parquet",
        parquet(pa.table([["a"], ["b"], [0.5]], names=["loan", "loan", "risk"])),
        "quarantined",
        "loans-1.parquet: has more than one column named loan. Rename one of them.",
        [],
        [-1],
    ),
    "a header only": Case("loans-1.csv", HEADER, "empty", "", [], []),
    "a Parquet without rows": Case("loans-1.parquet", parquet(pq.read_table(io.BytesIO(WHOLE)).slice(0, 0)), "empty", "", [], []),
    "no id column": Case(
        "loans-1.csv", "asked_at,risk\n2025-02-01,0.5\n", "quarantined", "has no column 'loan' (id); it has asked_at, risk", [], [-1]
    ),
    "no time column": Case("loans-1.csv", "loan,risk\na,0.5\n", "quarantined", "has no column 'asked_at' (time)", [], [-1]),
    "no score column": Case("loans-1.csv", "loan,asked_at\na,2025-02-01\n", "quarantined", "has no column 'risk' (score)", [], [-1]),
    "no id": Case(
        "loans-1.csv", HEADER + GOOD + ",2025-02-01T10:00:00Z,0.5,1\n", "partial", "1 row: loan is null: a row needs an id", ["a", "b"], [2]
    ),
    "no time": Case("loans-1.csv", HEADER + GOOD + "c,,0.5,1\n", "partial", "1 row: asked_at is null: a row needs a time", ["a", "b"], [2]),
    "an unparsable time": Case(
        "loans-1.csv",
        HEADER + GOOD + "c,soon,0.5,1\n",
        "partial",
        "1 row: asked_at: '…' is not a time (ISO text, day.month.year, or an epoch)",
        ["a", "b"],
        [2],
    ),
    "a time in the future": Case(
        "loans-1.csv", HEADER + GOOD + "c,2025-03-03T10:00:00Z,0.5,1\n", "partial", "'…' lies more than a day in the future", ["a", "b"], [2]
    ),
    "a time that was never set": Case(
        "loans-1.csv",
        HEADER + GOOD + "c,0001-01-01T00:00:00Z,0.5,1\n",
        "partial",
        "'…' lies before 1971, as times do that were never set",
        ["a", "b"],
        [2],
    ),
    "ids of 22 digits, which are no floats": Case(
        "loans-1.csv",
        HEADER + "1234567890123456789012,2025-02-01T10:00:00Z,0.1,1\n1234567890123456789013,2025-02-01T10:00:00Z,0.1,1\n",
        "landed",
        "",
        ["1234567890123456789012", "1234567890123456789013"],
        [],
    ),
    "an id twice, with the same values": Case("loans-1.csv", HEADER + GOOD + GOOD, "landed", "", ["a", "b"], []),
    "an id twice, with other values": Case(
        "loans-1.csv",
        HEADER + GOOD + "a,2025-02-01T10:00:00Z,0.2,100\n",
        "partial",
        "1 row: id already landed with other values",
        ["a", "b"],
        [2],
    ),
    "scores outside [0, 1]": Case(
        "loans-1.csv",
        HEADER + GOOD + "c,2025-02-01,1.01,1\nd,2025-02-01,-0.1,1\ne,2025-02-01,inf,1\n",
        "partial",
        "3 rows: risk: '…' lies outside [0, 1], where a probability must be",
        ["a", "b"],
        [2, 3, 4],
    ),
    "a score that is no number": Case(
        "loans-1.csv", HEADER + GOOD + "c,2025-02-01,high,1\n", "partial", "1 row: column risk: '…' is not a number", ["a", "b"], [2]
    ),
    "a quote that is never closed": Case(
        "loans-1.csv",
        HEADER + 'z,2025-02-01,0.1,"1\n' + GOOD,
        "partial",
        "1 row: a quote opened in line 2 is never closed",
        ["a", "b"],
        [0],
    ),
    "a separator of another country": Case(
        "loans-1.csv",
        "loan;asked_at;risk\na;2025-02-01;0,5\n",
        "quarantined",
        "loans-1.csv: is separated by semicolons, not by commas as its name says. Write it with commas, or with tabs as .tsv.",
        [],
        [-1],
    ),
    "an Excel workbook": Case("loans-1.xlsx", b"PK\x03\x04x", "quarantined", "is a zip archive, as Excel workbooks are. Unpack it, or ", [], [-1]),
    "gzip that does not say so": Case("loans-1.csv", gzip.compress(HEADER.encode()), "quarantined", "is gzip data. Add .gz to its name.", [], [-1]),
    "Parquet that does not say so": Case("loans-1.csv", WHOLE, "quarantined", "is a Parquet file. Name it .parquet.", [], [-1]),
    "a gzip of nothing": Case("loans-1.csv.gz", gzip.compress(b""), "quarantined", "is empty, not even a header", [], [-1]),
    "UTF-16 without its mark": Case(
        "loans-1.csv", (HEADER + GOOD).encode("utf-16-le"), "quarantined", "is not UTF-8 text (NUL bytes in line 1, as in UTF-16)", [], [-1]
    ),
    "a line of 5 MB": Case(
        "loans-1.csv",
        HEADER + GOOD + f"c,2025-02-01,0.5,{'x' * 5_000_000},1\n",
        "partial",
        "1 row: the row has 5 fields where the header names 4",
        ["a", "b"],
        [2],
    ),
    "a NUL byte": Case(
        "loans-1.csv", HEADER + GOOD + "c\0,2025-02-01,0.5,1\n", "partial", "1 row: column loan: the text holds a NUL byte", ["a", "b"], [2]
    ),
    "whole numbers beyond 64 bits in JSON": Case(
        "loans-1.jsonl", '{"loan": 123456789012345678901234, "asked_at": "2025-02-01", "risk": 0.1}\n', "landed", "", ["123456789012345678901234"], []
    ),
    "a broken line of JSON": Case(
        "loans-1.jsonl",
        '{"loan": "a", "asked_at": "2025-02-01T10:00:00Z", "risk": 0.1}\n{"loan": "b", "asked\n[1]\n',
        "partial",
        "2 rows: the line is not a JSON object",
        ["a"],
        [1, 2],
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_bad_input_is_one_sentence_and_the_next_batch_works(home: Home, case: Case) -> None:
    put(home, case.name, case.content)
    batch = take(home)[0]
    assert (batch.status, ids(home), sorted(held(home))) == (case.status, case.kept, case.held)
    assert case.sentence in batch.reason
    assert "\n" not in batch.reason
    assert batch.rows_read == batch.rows_landed + batch.rows_quarantined + batch.rows_duplicate
    put(home, "loans-2.csv", NEXT)
    assert [b.status for b in take(home)] == ["landed"]
    assert ids(home) == [*case.kept, "next"]


def test_times_in_mixed_zones_are_one_moment_each(home: Home) -> None:
    texts = ["2025-02-01T10:00:00Z", "2025-02-01T12:00:00+02:00", "2025-02-01 05:00", "1738404000", "1738404000000", "2025-02-01T10:00:00.000000001Z"]
    put(home, "loans-1.csv", HEADER + "".join(f"{i},{text},0.5,1\n" for i, text in enumerate(texts)))
    take(home)
    assert {row["wk_time"] for row in landed(home)} == {datetime(2025, 2, 1, 10, tzinfo=UTC)}
    assert len(landed(home)) == len(texts)


def test_a_time_without_a_zone_is_the_monitors(home: Home) -> None:
    put(home, "loans-1.csv", HEADER + "a,2025-02-01 05:00,0.5,1\n")
    put(home, "loans-2.parquet", parquet(pa.table({"loan": ["b"], "asked_at": [datetime(2025, 2, 1, 5)], "risk": [0.5], "amount": [1]})))  # noqa: DTZ001
    take(home)
    assert [row["wk_time"] for row in landed(home)] == [datetime(2025, 2, 1, 10, tzinfo=UTC)] * 2


@pytest.mark.parametrize("beside", ["2025-02-01 05:00", "1738404000"], ids=["all ISO", "with an epoch"])
@pytest.mark.parametrize(
    ("local", "moment"),
    [
        ("2024-11-03 01:30", datetime(2024, 11, 3, 5, 30, tzinfo=UTC)),  # comes twice: the first
        ("2024-11-03T01:30:00-05:00", datetime(2024, 11, 3, 6, 30, tzinfo=UTC)),
        ("2024-03-10 02:30", datetime(2024, 3, 10, 7, tzinfo=UTC)),  # never was: when the clocks went on
    ],
)
def test_a_local_time_of_the_night_when_clocks_change_is_one_moment_whatever_stands_beside_it(
    home: Home, local: str, moment: datetime, beside: str
) -> None:
    put(home, "loans-1.csv", HEADER + f"a,{local},0.5,1\nb,{beside},0.5,1\n")
    take(home)
    assert [row["wk_time"] for row in landed(home)] == [moment, datetime(2025, 2, 1, 10, tzinfo=UTC)]


def test_whole_numbers_that_get_fractions_widen_the_column_and_keep_every_value(home: Home) -> None:
    put(home, "loans-1.csv", HEADER + GOOD)
    take(home)
    put(home, "loans-2.csv", HEADER + "c,2025-02-01T12:00:00Z,0.5,1.5\n")
    batch = take(home)[0]
    assert batch.reason == "column 'amount' was widened from whole numbers to numbers with fractions"
    assert landed(home, "loan", "amount") == [{"loan": "a", "amount": 100.0}, {"loan": "b", "amount": 200.0}, {"loan": "c", "amount": 1.5}]


def test_whole_numbers_too_large_for_a_float_are_never_widened(home: Home) -> None:
    put(home, "loans-1.csv", HEADER + f"a,2025-02-01,0.5,{2**53 + 1}\n")
    take(home)
    put(home, "loans-2.csv", HEADER + "b,2025-02-01,0.5,1.5\nc,2025-02-01,0.5,7\n")
    batch = take(home)[0]
    assert batch.reason == "1 row: column amount: '…' is not a whole number"
    assert landed(home, "amount") == [{"amount": 2**53 + 1}, {"amount": 7}]


def test_a_value_of_another_type_sets_its_row_aside(home: Home) -> None:
    put(home, "loans-1.csv", HEADER + GOOD)
    take(home)
    put(home, "loans-2.csv", HEADER + "c,2025-02-01,0.5,abc\nd,2025-02-01,0.5,300\ne,2025-02-01,0.5,NA\n")
    batch = take(home)[0]
    assert (batch.status, held(home)) == ("partial", {0: ["column amount: 'abc' is not a whole number"]})
    assert landed(home, "loan", "amount")[2:] == [{"loan": "d", "amount": 300}, {"loan": "e", "amount": None}]


@pytest.mark.parametrize(
    ("first", "then", "kept"),
    [
        (pa.array([1.5]), pa.array([2], pa.int64()), [1.5, 2.0]),
        (pa.array([1], pa.int64()), pa.array([2], pa.int32()), [1, 2]),
        (pa.array([1], pa.int64()), pa.array([2.0]), [1, 2]),
        (pa.array([1], pa.int64()), pa.nulls(1), [1, None]),
        (pa.array(["x"]), pa.array([7], pa.int64()), ["x", "7"]),
        (pa.array(["x"]), pa.array(["y"]).dictionary_encode(), ["x", "y"]),
        (pa.array([NOW]), pa.array([NOW.date()]), [NOW, NOW.replace(hour=5)]),
        (pa.array([True]), pa.array([0], pa.int64()), [True, False]),
    ],
    ids=str,
)
def test_a_column_whose_type_changes_without_loss_is_cast(home: Home, first: pa.Array, then: pa.Array, kept: list[object]) -> None:
    for number, values in enumerate((first, then)):
        put(home, f"loans-{number}.parquet", parquet(pa.table({"loan": [str(number)], "asked_at": [NOW], "risk": [0.5], "x": values})))
        assert [b.status for b in take(home)] == ["landed"]
    assert [row["x"] for row in landed(home)] == kept


def test_nested_and_reserved_columns_are_left_out_by_name(home: Home) -> None:
    table = pa.table({"loan": ["a"], "asked_at": [NOW], "risk": [0.5], "embedding": [[1.0, 2.0]], "wk_batch": ["mine"], "Loan": ["x"]})
    put(home, "loans-1.parquet", parquet(table))
    batch = take(home)[0]
    assert (batch.status, ids(home)) == ("landed", ["a"])
    assert "column 'embedding' is left out: list<element: double> values are not supported" in batch.reason
    assert "column 'wk_batch' is left out" in batch.reason
    assert "column 'Loan' is left out: it differs from 'loan' only in case" in batch.reason


def test_of_columns_that_differ_only_in_case_the_one_that_the_monitor_names_is_kept(home: Home) -> None:
    put(home, "loans-1.csv", "loan,asked_at,Risk,risk,k\na,2025-02-01,low,0.5,1\n")
    [batch] = take(home)
    assert (batch.status, [row["risk"] for row in landed(home)]) == ("landed", [0.5])
    assert "column 'Risk' is left out: it differs from 'risk' only in case" in batch.reason
    assert left_out([batch, batch]) == [
        "loans: column 'Risk' is left out: it differs from 'risk' only in case, so one of them must be renamed to be kept (2 files)"
    ]


def test_the_columns_that_a_file_lacks_are_named_where_files_set_aside_are_told(home: Home) -> None:
    put(home, "loans-1.csv", "loan,risky\na,0.5\n")
    batches = take(home)
    assert set_aside(home, batches) == [
        "1 file: has no columns 'asked_at' (time) and 'risk' (score); it has loan, risky. Send the file again with them, or correct the monitor file and release it (`watchkeeper quarantine release`)."
    ]


@pytest.mark.parametrize(
    "value", ["secret", "it's secret", 'so "secret"', 'it\'s "secret"', "has no column 'secret' (id); it has ", "\\'secret\\", "x\" and 'secret' \""]
)
def test_no_value_of_a_row_is_told_whatever_quotes_it_holds(home: Home, value: str) -> None:
    put(home, "loans-1.parquet", parquet(pa.table({"loan": ["a", "b"], "asked_at": [NOW, NOW], "risk": ["0.5", value]})))
    batches = take(home)
    assert set_aside(home, batches) == ["1 row: column risk: '…' is not a number"]
    assert batches[0].reason == "1 row: column risk: '…' is not a number"


@pytest.mark.parametrize("name", ["it's", "a 'b", 'a "b', "'"])
def test_no_value_is_told_of_a_column_with_a_quote_in_its_name(home: Home, name: str) -> None:
    rows = pa.table({"loan": ["a", "b"], "asked_at": [NOW, NOW], name: ["0.5", "secret"]})
    put(home, "loans-1.parquet", parquet(rows))
    [batch] = take(home, loans(columns={"id": "loan", "time": "asked_at", "score": name}))
    assert batch.reason == f"1 row: column {name}: '…' is not a number"


def test_of_columns_that_differ_only_in_case_the_one_that_landed_before_is_kept(home: Home) -> None:
    put(home, "loans-1.csv", "loan,asked_at,risk,amount\na,2025-02-01,0.5,1\n")
    take(home)
    put(home, "loans-2.csv", "loan,asked_at,risk,Amount,amount\nb,2025-02-01,0.5,9,2\n")
    take(home)
    assert [row["amount"] for row in landed(home)] == [1, 2]


def test_nan_and_infinity_of_a_feature_are_values(home: Home) -> None:
    put(home, "loans-1.csv", HEADER + "a,2025-02-01,0.5,nan\nb,2025-02-01,0.5,inf\nc,2025-02-01,nan,-inf\n")
    assert take(home)[0].status == "landed"
    assert [str(row["amount"]) for row in landed(home)] == ["nan", "inf", "-inf"]
    assert str(landed(home)[2]["risk"]) == "nan"


@pytest.mark.parametrize("text", ["1e400", "-1e400"])
def test_a_number_too_large_for_a_float_is_infinite_and_never_null(home: Home, text: str) -> None:
    put(home, "loans-1.csv", HEADER + f"a,2025-02-01,0.5,{text}\nb,2025-02-01,0.5,7\n")
    put(home, "loans-2.jsonl", f'{{"loan": "c", "asked_at": "2025-02-01", "risk": 0.5, "amount": {text}}}\n')
    put(home, "loans-3.csv", HEADER + f"d,2025-02-01,{text},7\n")
    assert [b.status for b in take(home)] == ["landed", "landed", "quarantined"]
    assert [row["amount"] for row in landed(home)] == [float(text), 7.0, float(text)]


def test_moments_of_the_year_20000_are_kept_shown_and_held_like_others(home: Home) -> None:
    far = pa.array([568971820800, 568971820801, 568971820802], pa.int64()).cast(pa.timestamp("s", "UTC"))
    first = {"loan": ["a", None, "c"], "asked_at": [NOW] * 3, "risk": [0.5] * 3, "due": far}
    put(home, "loans-1.parquet", parquet(pa.table(first)))
    put(home, "loans-2.parquet", parquet(pa.table(first | {"loan": ["d", "e", "f"], "asked_at": far})))
    put(home, "loans-3.parquet", parquet(pa.table({"loan": ["g"], "asked_at": [NOW], "risk": [0.5], "amount": [1]})))
    put(home, "loans-4.parquet", parquet(pa.table({"loan": ["h"], "asked_at": [NOW], "risk": [0.5], "amount": far[:1]})))
    assert [(b.rows_landed, b.rows_quarantined) for b in take(home)] == [(2, 1), (0, 3), (1, 0), (0, 1)]
    reasons = {r for e in entries(home, loans(), now=LATER) for r in e.reasons}
    assert "asked_at: '20000-01-01 00:00:00.000000Z' lies more than a day in the future" in reasons
    assert "column amount: '20000-01-01 00:00:00.000000Z' is not a whole number" in reasons
    rows = json.loads(next(e.row for e in entries(home, loans(), now=LATER) if e.name == "loans-1.parquet") or "")
    assert rows["due"] == "20000-01-01 00:00:01.000Z"


def test_a_value_of_5_mb_is_a_value(home: Home) -> None:
    put(home, "loans-1.csv", HEADER + GOOD.replace("100", "x" * 5_000_000))
    assert take(home)[0].rows_landed == 2
    assert [len(row["amount"]) for row in landed(home)] == [5_000_000, 3]


def test_a_column_without_any_value_is_added_with_its_first(home: Home) -> None:
    put(home, "loans-1.csv", HEADER + "a,2025-02-01,0.5,\n")
    put(home, "loans-2.csv", HEADER + "b,2025-02-01,0.5,12\n")
    assert [b.status for b in take(home)] == ["landed", "landed"]
    assert landed(home, "amount") == [{"amount": None}, {"amount": 12}]


def test_a_missing_column_is_null_and_a_new_one_is_added_and_both_are_said(home: Home) -> None:
    put(home, "loans-1.csv", HEADER + GOOD)
    take(home)
    put(home, "loans-2.csv", "loan,asked_at,risk,region\nc,2025-02-01,0.5,north\n")
    assert take(home)[0].reason == "column 'region' (string) is new; column 'amount' is missing and taken as null"
    assert landed(home, "amount", "region") == [
        {"amount": 100, "region": None},
        {"amount": 200, "region": None},
        {"amount": None, "region": "north"},
    ]


def test_a_column_of_one_odd_file_is_not_missed_in_every_later_one(home: Home) -> None:
    put(home, "loans-0.csv", "loan,asked_at,risk,amount,extra\nz,2025-02-01,0.5,1,x\n")
    take(home)
    reasons = []
    for n in range(1, 5):
        put(home, f"loans-{n}.csv", HEADER + f"{n},2025-02-01,0.5,{n}\n")
        reasons += [b.reason for b in take(home, now=NOW + timedelta(minutes=n))]
    assert reasons == ["column 'extra' is missing and taken as null", "", "", ""]


def test_a_column_of_one_odd_file_among_others_of_one_call_is_not_missed_either(home: Home) -> None:
    put(home, "loans-0.csv", HEADER + "z,2025-02-01,0.5,1\n")
    put(home, "loans-1.csv", "loan,asked_at,risk,amount,extra\ny,2025-02-01,0.5,1,x\n")
    put(home, "loans-2.csv", HEADER + "x,2025-02-01,0.5,1\n")
    assert [b.reason for b in take(home)] == ["", "", ""]


def test_a_new_column_in_one_file_of_a_call_is_null_in_those_after_it(home: Home) -> None:
    put(home, "loans-0.csv", HEADER + GOOD)
    take(home)
    put(home, "loans-1.csv", "loan,asked_at,risk,amount,extra\nc,2025-02-02,0.5,1,x\n")
    put(home, "loans-2.csv", HEADER + "d,2025-02-02,0.5,1\n")
    put(home, "loans-3.csv", HEADER + "e,2025-02-02,0.5,1\n")
    assert [(b.status, b.reason) for b in take(home, now=LATER)] == [("landed", "column 'extra' (string) is new"), ("landed", ""), ("landed", "")]
    assert [row["extra"] for row in landed(home)] == [None, None, "x", None, None]


def test_a_column_that_most_files_had_or_the_monitor_names_is_missed(home: Home) -> None:
    monitor = loans(segments=["branch"])
    rows = ["loan,asked_at,risk,amount,branch\nz,2025-02-01,0.5,1,x\n", *(HEADER + f"{n},2025-02-01,0.5,1\n" for n in range(3))]
    for n, text in enumerate([*rows, "loan,asked_at,risk\nlast,2025-02-01,0.5\n"]):
        put(home, f"loans-{n}.csv", text)
        reason = take(home, monitor, now=NOW + timedelta(minutes=n))[0].reason
    assert reason == "columns 'amount', 'branch' are missing and taken as null"


def test_a_constant_column_and_ten_thousand_categories_land(home: Home) -> None:
    n = 10_000
    table = pa.table({"loan": list(range(n)), "asked_at": [NOW] * n, "risk": [0.5] * n, "constant": [1] * n, "city": [f"city {i}" for i in range(n)]})
    put(home, "loans-1.parquet", parquet(table))
    assert take(home)[0].rows_landed == n
    assert len({row["city"] for row in landed(home)}) == n


def test_a_failed_call_without_a_score_is_an_event(home: Home) -> None:
    put(home, "loans-1.csv", "loan,asked_at,risk,status\na,2025-02-01,,timeout\nb,2025-02-01,0.5,ok\n")
    assert take(home)[0].status == "landed"
    assert landed(home, "loan", "risk", "status")[0] == {"loan": "a", "risk": None, "status": "timeout"}


def test_a_private_value_is_in_no_reason(home: Home) -> None:
    put(home, "loans-1.csv", "loan,asked_at,risk,income\na,2025-02-01,0.5,100\n")
    take(home)
    put(home, "loans-2.csv", "loan,asked_at,risk,income\nb,2025-02-01,0.5,secret\n")
    take(home)
    assert held(home) == {0: ["column income: a private value is not a whole number"]}


def test_labels_for_unknown_ids_are_kept_and_counted(home: Home) -> None:
    put(home, "loans-1.csv", HEADER + GOOD)
    put(home, "repaid-1.csv", "loan,defaulted\na,0\nz,1\n")
    batch = take(home)[1]
    assert (batch.source, batch.status, batch.rows_landed, batch.reason) == ("labels", "landed", 2, "1 of 2 ids not seen yet")


def test_a_label_that_contradicts_an_earlier_one_is_appended_and_a_repeated_one_is_not(home: Home) -> None:
    put(home, "loans-1.csv", HEADER + GOOD)
    put(home, "repaid-1.csv", "loan,defaulted\na,0\nb,1\n")
    take(home)
    put(home, "repaid-2.csv", "loan,defaulted\na,1\nb,1\n")
    batch = take(home, now=NOW + timedelta(days=1))[0]
    assert (batch.rows_landed, batch.rows_duplicate, batch.reason) == (1, 1, "1 of 2 labels contradict earlier ones; the last one counts")
    rows = landed(home, "id", "label", "labelled_at", table="labels/loans", by="labelled_at")
    assert rows[-1] == {"id": "a", "label": 1, "labelled_at": NOW + timedelta(days=1)}
    assert len(rows) == 3


def test_of_two_labels_in_one_file_the_last_row_counts_and_the_other_is_held(home: Home) -> None:
    put(home, "repaid-1.csv", "loan,defaulted\na,0\na,1\nb,\n")
    batch = take(home)[0]
    assert landed(home, "id", "label", table="labels/loans", by="id") == [{"id": "a", "label": 1}]
    assert held(home) == {
        0: ["the same file gives this id another label for the same time"],
        2: ["defaulted is null: a label must say something"],
    }
    assert batch.status == "partial"


@pytest.mark.parametrize("write", [json.dumps, str], ids=["JSON", "text"])
def test_a_label_may_be_a_truth_a_number_or_text(home: Home, write: Callable[[object], str]) -> None:
    put(home, "repaid-1.csv", f"loan,defaulted\na,{write(True)}\nb,{write(False)}\n")
    put(home, "repaid-2.csv", "loan,defaulted\nc,1\nd,0\n")
    assert [b.status for b in take(home)] == ["landed", "landed"]
    assert [row["label"] for row in landed(home, table="labels/loans", by="id")] == [True, False, True, False]


@pytest.mark.parametrize("label", ["2", "unknown", "0.5"])
def test_a_label_that_is_no_class_of_a_binary_model_is_held(home: Home, label: str) -> None:
    put(home, "repaid-1.csv", f"loan,defaulted\na,1\nb,{label}\nc,0\n")
    assert take(home)[0].rows_landed == 2
    assert list(held(home)) == [1]
    assert held(home)[1][0].endswith("is no class of a binary model whose positive one is 1")


def test_a_decision_that_is_no_class_of_a_binary_model_is_held(home: Home) -> None:
    columns = {"id": "loan", "time": "asked_at", "score": "risk", "prediction": "amount"}
    put(home, "loans-1.csv", HEADER + GOOD)
    take(home, loans(columns=columns))
    assert held(home)[0] == ["amount: '100' is no class of a binary model whose positive one is 1"]


def test_of_a_positive_class_with_a_name_every_other_class_is_negative(home: Home) -> None:
    put(home, "repaid-1.csv", "loan,defaulted\na,kept\nb,churned\n")
    assert take(home, loans(positive="churned"))[0].status == "landed"


def test_a_version_in_csv_stays_as_it_is_written(home: Home) -> None:
    columns = {"id": "loan", "time": "asked_at", "score": "risk", "version": "model"}
    put(home, "loans-1.csv", "loan,asked_at,risk,model\na,2025-02-01,0.1,1.1\nb,2025-02-01,0.1,1.10\n")
    take(home, loans(columns=columns))
    assert [row["model"] for row in landed(home)] == ["1.1", "1.10"]


def test_a_file_that_cannot_be_opened_is_said_and_tried_again(home: Home) -> None:
    path = home.root / "inbox" / "loans-1.csv"
    path.mkdir()
    put(home, "loans-2.csv", NEXT)
    take(home, files=[path, home.root / "inbox" / "loans-2.csv"])
    assert ids(home) == ["next"]
    assert held(home) == {-1: ["loans-1.csv: cannot be opened (Is a directory). Check its permissions."]}
    path.rmdir()
    put(home, "loans-1.csv", HEADER + GOOD)
    assert [b.status for b in take(home, loans())] == ["landed"]
