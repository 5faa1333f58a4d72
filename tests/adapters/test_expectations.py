"""What becomes of a suite: outcomes, rows to set aside, and what never leaves."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from watchkeeper.adapters.expectations import Checked, Finding, check
from watchkeeper.errors import ConfigurationError

N = 100
ADDRESS = "alice@example.org"
Write = Callable[..., Path]


def rows_of(**columns: Any) -> pa.Table:
    n = len(next(iter(columns.values())))
    return pa.table({**columns, "wk_row": pa.array(range(n), pa.int64())})


ROWS = rows_of(id=[f"e{i}" for i in range(N)], x=[float(i) for i in range(N)], mail=[ADDRESS] * N)


def expect(kind: str, severity: str = "critical", owner: str = "weather desk", why: str = "so it was agreed", **arguments: Any) -> dict[str, Any]:
    return {"type": kind, "kwargs": arguments, "severity": severity, "meta": {"owner": owner, "why": why}}


def between(severity: str = "critical", **arguments: Any) -> dict[str, Any]:
    return expect("expect_column_values_to_be_between", severity, **{"column": "x", "max_value": 89, **arguments})


@pytest.fixture
def suite(tmp_path: Path) -> Write:
    def write(*expectations: dict[str, Any], name: str = "flights_events") -> Path:
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps({"name": name, "expectations": list(expectations)}))
        return path

    return write


def only(checked: Checked) -> Finding:
    (finding,) = checked.findings
    return finding


def test_a_critical_failure_names_its_rows_and_why(suite: Write) -> None:
    finding = only(check(ROWS, suite(between()), private=()))
    assert (finding.outcome, finding.unexpected_count, finding.element_count) == ("fail", 10, N)
    assert finding.unexpected_rows == list(range(90, 100))
    assert finding.reason == "x values must be less than or equal to 89: so it was agreed (weather desk)"


def test_row_numbers_are_those_given_not_positions(suite: Write) -> None:
    kept = ROWS.filter(pa.compute.greater(ROWS["x"], 49.0))
    assert only(check(kept, suite(between()))).unexpected_rows == list(range(90, 100))


@pytest.mark.parametrize("severity", ["warning", "info"])
def test_what_is_not_critical_sets_no_row_aside(suite: Write, severity: str) -> None:
    checked = check(ROWS, suite(between(severity)))
    assert (only(checked).outcome, checked.reasons_by_row, checked.refusals) == ("fail", {}, [])


def test_what_mostly_holds_sets_no_row_aside(suite: Write) -> None:
    checked = check(ROWS, suite(between(mostly=0.9)))
    assert (only(checked).outcome, only(checked).unexpected_count, checked.reasons_by_row) == ("pass", 10, {})


def test_a_critical_failure_of_the_table_refuses_it_whole(suite: Write) -> None:
    checked = check(ROWS, suite(expect("expect_table_row_count_to_be_between", min_value=1000)))
    assert [f.observed for f in checked.refusals] == [str(N)]
    assert checked.reasons_by_row == {}


def test_an_error_is_no_failure_and_the_rest_goes_on(suite: Write) -> None:
    broken = expect("unexpected_rows_expectation", unexpected_rows_query="select wk_row from {batch} where (")
    checked = check(ROWS, suite(between(column="gone"), broken, between()))
    assert [f.outcome for f in checked.findings] == ["error", "error", "fail"]
    assert "gone" in checked.findings[0].error
    assert "syntax error" in checked.findings[1].error
    assert checked.refusals == []


def test_findings_come_in_the_order_of_the_suite(suite: Write) -> None:
    kinds = [
        between(column="gone"),
        expect("expect_column_to_exist", column="id"),
        between(),
        expect("expect_column_values_to_be_unique", column="id"),
    ]
    assert [f.expectation for f in check(ROWS, suite(*kinds)).findings] == [kind["type"] for kind in kinds]


def test_a_row_that_breaks_two_expectations_has_two_reasons(suite: Write) -> None:
    checked = check(ROWS, suite(between(max_value=98), between(max_value=97)))
    assert {row: len(reasons) for row, reasons in checked.reasons_by_row.items()} == {98: 1, 99: 2}


def test_without_a_suite_there_is_nothing_to_check(tmp_path: Path) -> None:
    assert check(ROWS, tmp_path / "none.json", private=()) == Checked()


def test_an_empty_suite_is_a_suite(suite: Write) -> None:
    checked = check(ROWS, suite())
    assert (checked.suite, len(checked.suite_hash), checked.findings) == ("flights_events", 64, [])


def test_no_value_of_a_row_leaves(suite: Write) -> None:
    looks = [
        expect("expect_column_values_to_be_in_set", column="mail", value_set=["x"]),
        expect("expect_column_distinct_values_to_be_in_set", column="mail", value_set=["x"]),
        expect("expect_column_most_common_value_to_be_in_set", column="mail", value_set=["x"]),
        expect("expect_column_values_to_match_regex", column="mail", regex="^x"),
        expect("expect_column_values_to_be_unique", column="mail"),
        expect("unexpected_rows_expectation", unexpected_rows_query="select * from {batch}"),
        expect("unexpected_rows_expectation", unexpected_rows_query="select mail::int as wk_row from {batch}"),
        expect("expect_column_min_to_be_between", column="mail", min_value=0),
    ]
    checked = check(ROWS, suite(*looks))
    assert {f.outcome for f in checked.findings} == {"fail", "error"}
    assert "alice" not in repr(checked)


def test_aggregates_of_private_columns_do_not_leave_either(suite: Write) -> None:
    looked = suite(expect("expect_column_max_to_be_between", column="x", max_value=5))
    assert only(check(ROWS, looked)).observed == "99"
    assert only(check(ROWS, looked, private=["x"])).observed == ""


def test_values_that_expectations_on_private_columns_name_do_not_leave_either(suite: Write) -> None:
    looked = suite(
        expect("expect_column_values_to_be_in_set", column="x", value_set=["SECRET", 7], mostly=0.9),
        expect("expect_column_values_to_be_between", column="x", min_value=123, max_value=456),
        expect("expect_column_values_to_match_regex", column="x", regex="SECRET"),
    )
    plain, hidden = (json.dumps([json.loads(f.arguments) for f in check(ROWS, looked, private=private).findings]) for private in ([], ["x"]))
    assert all(value in plain for value in ("SECRET", "123", "456"))
    assert not any(value in hidden for value in ("SECRET", "7", "123", "456"))
    assert "0.9" in hidden


def test_a_suites_own_sql_reaches_no_file(suite: Write, tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text("a\n1\n")
    query = f"select wk_row from {{batch}}, read_csv('{tmp_path}/secret.csv')"
    finding = only(check(ROWS, suite(expect("unexpected_rows_expectation", unexpected_rows_query=query))))
    assert (finding.outcome, finding.error.split(":")[0]) == ("error", "Permission Error")


def test_times_with_a_zone_are_compared_in_utc(suite: Write) -> None:
    at = pa.array([datetime(2013, 4, 22, 23, tzinfo=UTC), datetime(2013, 4, 23, 1, tzinfo=UTC)], pa.timestamp("us", "America/New_York"))
    finding = only(check(rows_of(at=at), suite(between(column="at", max_value="2013-04-23T00:00:00"))))
    assert finding.unexpected_rows == [1]


def test_nan_is_not_between_numbers(suite: Write) -> None:
    assert only(check(rows_of(x=[0.5, float("nan"), None]), suite(between(max_value=1)))).unexpected_rows == [1]


def test_ids_survive_a_changed_limit_and_tell_twins_apart(suite: Write) -> None:
    first = check(ROWS, suite(between(max_value=1), between(max_value=2)))
    then = check(ROWS, suite(between(max_value=3), between(max_value=4)))
    assert [f.expectation_id for f in first.findings] == ["expect_column_values_to_be_between/x", "expect_column_values_to_be_between/x#2"]
    assert [f.expectation_id for f in then.findings] == [f.expectation_id for f in first.findings]


def test_the_hash_follows_what_people_wrote_and_not_what_gx_added(suite: Write) -> None:
    written = check(ROWS, suite(between())).suite_hash
    minted = {**between(), "id": "5c5bd0ae-2f0b-4b3f-9a8e-0f3d2f7d2a11"}
    path = suite(minted)
    document = {**json.loads(path.read_text()), "id": "0d6f3a52-5a9e-4c59-8d1c-6a5c7a2f3b10", "meta": {"great_expectations_version": "1.24.1"}}
    path.write_text(json.dumps(document, indent=4))
    assert check(ROWS, path).suite_hash == written
    assert check(ROWS, suite(between(max_value=88))).suite_hash != written


def test_records_carry_owner_and_reason(suite: Write) -> None:
    now = datetime(2013, 4, 22, tzinfo=UTC)
    (record,) = check(ROWS, suite(between())).records(batch_id="b", model="flights", source="events", now=now)
    assert (record.owner, record.why, record.outcome, record.validated_at) == ("weather desk", "so it was agreed", "fail", now)
    assert json.loads(record.arguments) == {"max_value": 89}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"expectations": [', "line 1, column 19: not JSON"),
        ('{"expectation": []}', 'a list "expectations"'),
        ('{"expectations": [{"kwargs": {}}]}', "expectations[0]: it has no type"),
        (
            '{"expectations": [{"type": "expect_column_to_exist", "kwargs": {"column": "a"}}, {"type": "expect_column_values_to_be_betwen", "kwargs": {}}]}',
            "expectations[1]: 'expect_column_values_to_be_betwen' is no expectation type; the nearest is 'expect_column_values_to_be_between'",
        ),
        (
            '{"expectations": [{"type": "expect_column_values_to_be_between", "kwargs": {"column": "a", "min_valu": 1, "max_value": 2}}]}',
            "min_valu: extra fields not permitted",
        ),
        (
            '{"expectations": [{"type": "expect_column_to_exist", "kwargs": {"column": "a"}, "severity": "fatal"}]}',
            "Must be one of: critical, warning, info",
        ),
        (
            '{"expectations": [{"type": "unexpected_rows_expectation", "kwargs": {"unexpected_rows_query": "select 1"}}]}',
            "does not read from {batch}",
        ),
    ],
)
def test_a_broken_suite_says_where_and_what(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        check(ROWS, path, private=())
    assert said in str(caught.value)
    assert str(path) in str(caught.value)


def test_all_mistakes_of_a_suite_are_told_at_once(suite: Write) -> None:
    with pytest.raises(ConfigurationError) as caught:
        check(ROWS, suite(expect("expect_nothing"), between(), between(min_valu=1)))
    assert "expectations[0]" in str(caught.value)
    assert "expectations[2]" in str(caught.value)


def test_a_second_check_costs_little(suite: Write) -> None:
    wide = suite(
        *[between("warning", max_value=200 + i) for i in range(8)],
        *[expect("expect_column_values_to_not_be_null", column=c) for c in ("id", "x", "mail")],
    )
    thousand = rows_of(id=[f"e{i}" for i in range(1000)], x=[float(i % 90) for i in range(1000)], mail=["m"] * 1000)
    check(thousand, wide)
    costs = []
    for _ in range(3):
        start = time.process_time()
        check(thousand, wide)
        costs.append(time.process_time() - start)
    assert min(costs) < 0.5  # about 0.1 s alone; the room is for noisy machines


def test_checking_says_nothing_on_stdout_or_stderr(suite: Write, tmp_path: Path) -> None:
    path = suite(between(column="gone"), expect("unexpected_rows_expectation", unexpected_rows_query="select wk_row from {batch}"))
    code = (
        "import sys, pathlib, pyarrow as pa; from watchkeeper.adapters.expectations import check; "
        "check(pa.table({'x': [1.0], 'wk_row': [0]}), pathlib.Path(sys.argv[1]))"
    )
    ran = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert (ran.stdout, ran.stderr) == ("", "")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["flights_events.json"]
