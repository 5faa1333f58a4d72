"""The contract of the bridge: expectations of every kind, each with a case that passes and one that fails.

Belongs here: that Great Expectations evaluates its own types over DuckDB, with the right rows. An upgrade of GX, DuckDB or
SQLAlchemy that breaks the bridge fails here. Does not: what we make of outcomes (test_expectations.py).
"""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from watchkeeper.adapters.expectations import Finding, check

START = datetime(2013, 4, 22, 6, tzinfo=UTC)
ROWS = pa.table(
    {
        "wk_row": pa.array(range(6), pa.int64()),
        "n": [1, 2, 3, 4, 5, 6],
        "double": [2, 4, 6, 8, 10, 12],
        "same": [1, 2, 3, 4, 5, 6],
        "x": [0.1, 0.2, 0.3, 0.4, 0.5, None],
        "kind": ["a", "b", "a", "b", "a", "c"],
        "code": ["A-1", "A-2", "A-3", "B-1", "B-2", "%_"],
        "at": pa.array([START + timedelta(hours=h) for h in range(6)], pa.timestamp("us", "UTC")),
        "ok": [True] * 6,
        "none": pa.array([None] * 6, pa.string()),
    }
)
TABLE_LEVEL = None

# (type, arguments that pass, arguments that fail, rows that break the failing ones)
CASES: list[tuple[str, dict[str, Any], dict[str, Any], list[int] | None]] = [
    ("expect_column_values_to_not_be_null", {"column": "n"}, {"column": "x"}, [5]),
    ("expect_column_values_to_be_null", {"column": "none"}, {"column": "x"}, [0, 1, 2, 3, 4]),
    ("expect_column_values_to_be_unique", {"column": "n"}, {"column": "kind"}, [0, 1, 2, 3, 4]),
    ("expect_column_values_to_be_between", {"column": "x", "min_value": 0, "max_value": 1}, {"column": "x", "max_value": 0.35}, [3, 4]),
    (
        "expect_column_values_to_be_between",
        {"column": "at", "min_value": "2013-04-22"},
        {"column": "at", "max_value": "2013-04-22T08:00:00"},
        [3, 4, 5],
    ),
    ("expect_column_values_to_be_in_set", {"column": "kind", "value_set": ["a", "b", "c"]}, {"column": "kind", "value_set": ["a", "b"]}, [5]),
    ("expect_column_values_to_not_be_in_set", {"column": "kind", "value_set": ["z"]}, {"column": "kind", "value_set": ["b"]}, [1, 3]),
    ("expect_column_values_to_match_regex", {"column": "kind", "regex": "^[a-c]$"}, {"column": "code", "regex": r"^[A-Z]-\d"}, [5]),
    ("expect_column_values_to_match_regex", {"column": "code", "regex": "-|%"}, {"column": "code", "regex": "A"}, [3, 4, 5]),
    ("expect_column_values_to_not_match_regex", {"column": "code", "regex": "Z"}, {"column": "code", "regex": "^A"}, [0, 1, 2]),
    ("expect_column_values_to_match_regex_list", {"column": "code", "regex_list": ["-", "%"]}, {"column": "code", "regex_list": ["^A", "^B"]}, [5]),
    ("expect_column_values_to_not_match_regex_list", {"column": "code", "regex_list": ["Z"]}, {"column": "code", "regex_list": ["^B", "Z"]}, [3, 4]),
    ("expect_column_values_to_match_like_pattern", {"column": "code", "like_pattern": "%"}, {"column": "code", "like_pattern": "A-%"}, [3, 4, 5]),
    ("expect_column_values_to_not_match_like_pattern", {"column": "code", "like_pattern": "Z%"}, {"column": "code", "like_pattern": "B-%"}, [3, 4]),
    (
        "expect_column_values_to_match_like_pattern_list",
        {"column": "code", "like_pattern_list": ["%"]},
        {"column": "code", "like_pattern_list": ["A%", "B%"]},
        [5],
    ),
    ("expect_column_value_lengths_to_be_between", {"column": "code", "min_value": 1, "max_value": 3}, {"column": "code", "min_value": 3}, [5]),
    ("expect_column_value_lengths_to_equal", {"column": "kind", "value": 1}, {"column": "code", "value": 3}, [5]),
    (
        "expect_column_value_z_scores_to_be_less_than",
        {"column": "n", "threshold": 2, "double_sided": True},
        {"column": "n", "threshold": 1.3, "double_sided": True},
        [0, 5],
    ),
    ("expect_column_pair_values_to_be_equal", {"column_A": "n", "column_B": "same"}, {"column_A": "n", "column_B": "double"}, [0, 1, 2, 3, 4, 5]),
    (
        "expect_column_pair_values_a_to_be_greater_than_b",
        {"column_A": "double", "column_B": "n"},
        {"column_A": "n", "column_B": "double"},
        [0, 1, 2, 3, 4, 5],
    ),
    (
        "expect_column_pair_values_to_be_in_set",
        {"column_A": "n", "column_B": "same", "value_pairs_set": [[i, i] for i in range(1, 7)]},
        {"column_A": "n", "column_B": "same", "value_pairs_set": [[i, i] for i in range(1, 6)]},
        [5],
    ),
    ("expect_compound_columns_to_be_unique", {"column_list": ["kind", "n"]}, {"column_list": ["kind", "ok"]}, [0, 1, 2, 3, 4]),
    ("expect_select_column_values_to_be_unique_within_record", {"column_list": ["n", "double"]}, {"column_list": ["n", "same"]}, [0, 1, 2, 3, 4, 5]),
    (
        "expect_multicolumn_sum_to_equal",
        {"column_list": ["ok_n", "ok_n"], "sum_total": 2},
        {"column_list": ["n", "same"], "sum_total": 4},
        [0, 2, 3, 4, 5],
    ),
    (
        "unexpected_rows_expectation",
        {"unexpected_rows_query": "select * from {batch} where n > 9"},
        {"unexpected_rows_query": "select * from {batch} where n > 4"},
        [4, 5],
    ),
    (
        "unexpected_rows_expectation",
        {"unexpected_rows_query": "select n from {batch} where n > 9"},
        {"unexpected_rows_query": "select n from {batch} where n > 4"},
        TABLE_LEVEL,
    ),
    ("expect_column_to_exist", {"column": "n"}, {"column": "nope"}, TABLE_LEVEL),
    ("expect_column_values_to_be_of_type", {"column": "x", "type_": "DOUBLE"}, {"column": "x", "type_": "BIGINT"}, TABLE_LEVEL),
    ("expect_column_values_to_be_of_type", {"column": "at", "type_": "TIMESTAMP"}, {"column": "at", "type_": "VARCHAR"}, TABLE_LEVEL),
    ("expect_column_values_to_be_of_type", {"column": "ok", "type_": "BOOLEAN"}, {"column": "ok", "type_": "BIGINT"}, TABLE_LEVEL),
    (
        "expect_column_values_to_be_in_type_list",
        {"column": "n", "type_list": ["BIGINT", "DOUBLE"]},
        {"column": "kind", "type_list": ["BIGINT"]},
        TABLE_LEVEL,
    ),
    (
        "expect_column_distinct_values_to_be_in_set",
        {"column": "kind", "value_set": ["a", "b", "c", "d"]},
        {"column": "kind", "value_set": ["a"]},
        TABLE_LEVEL,
    ),
    ("expect_column_distinct_values_to_contain_set", {"column": "kind", "value_set": ["a"]}, {"column": "kind", "value_set": ["z"]}, TABLE_LEVEL),
    (
        "expect_column_distinct_values_to_equal_set",
        {"column": "kind", "value_set": ["a", "b", "c"]},
        {"column": "kind", "value_set": ["a", "b"]},
        TABLE_LEVEL,
    ),
    ("expect_column_most_common_value_to_be_in_set", {"column": "kind", "value_set": ["a"]}, {"column": "kind", "value_set": ["c"]}, TABLE_LEVEL),
    ("expect_column_max_to_be_between", {"column": "n", "max_value": 6}, {"column": "n", "max_value": 5}, TABLE_LEVEL),
    ("expect_column_min_to_be_between", {"column": "n", "min_value": 1}, {"column": "n", "min_value": 2}, TABLE_LEVEL),
    ("expect_column_mean_to_be_between", {"column": "n", "min_value": 3.5, "max_value": 3.5}, {"column": "n", "max_value": 3}, TABLE_LEVEL),
    ("expect_column_median_to_be_between", {"column": "n", "min_value": 3, "max_value": 4}, {"column": "n", "max_value": 2}, TABLE_LEVEL),
    ("expect_column_stdev_to_be_between", {"column": "n", "min_value": 1, "max_value": 2}, {"column": "n", "max_value": 1}, TABLE_LEVEL),
    ("expect_column_sum_to_be_between", {"column": "n", "min_value": 21, "max_value": 21}, {"column": "n", "max_value": 20}, TABLE_LEVEL),
    (
        "expect_column_quantile_values_to_be_between",
        {"column": "n", "quantile_ranges": {"quantiles": [0.5], "value_ranges": [[3, 4]]}},
        {"column": "n", "quantile_ranges": {"quantiles": [0.5], "value_ranges": [[9, 10]]}},
        TABLE_LEVEL,
    ),
    (
        "expect_column_unique_value_count_to_be_between",
        {"column": "kind", "min_value": 3, "max_value": 3},
        {"column": "kind", "max_value": 2},
        TABLE_LEVEL,
    ),
    ("expect_column_proportion_of_unique_values_to_be_between", {"column": "n", "min_value": 1}, {"column": "kind", "min_value": 0.9}, TABLE_LEVEL),
    ("expect_column_proportion_of_non_null_values_to_be_between", {"column": "x", "min_value": 0.8}, {"column": "x", "min_value": 0.9}, TABLE_LEVEL),
    ("expect_table_row_count_to_be_between", {"min_value": 6, "max_value": 6}, {"min_value": 7}, TABLE_LEVEL),
    ("expect_table_row_count_to_equal", {"value": 6}, {"value": 7}, TABLE_LEVEL),
    ("expect_table_column_count_to_equal", {"value": 10}, {"value": 11}, TABLE_LEVEL),
    ("expect_table_column_count_to_be_between", {"max_value": 10}, {"max_value": 9}, TABLE_LEVEL),
    ("expect_table_columns_to_match_set", {"column_set": ["n"], "exact_match": False}, {"column_set": ["n"]}, TABLE_LEVEL),
    (
        "expect_table_columns_to_match_ordered_list",
        {"column_list": ["n", "double", "same", "x", "kind", "code", "at", "ok", "none", "ok_n"]},
        {"column_list": ["double", "n"]},
        TABLE_LEVEL,
    ),
]
CONDITIONED: list[tuple[str, dict[str, Any], list[int]]] = [
    ("expect_column_values_to_be_between", {"column": "n", "max_value": 2, "row_condition": 'kind == "a"'}, [2, 4]),
    ("expect_column_values_to_be_unique", {"column": "kind", "row_condition": "n < 4"}, [0, 2]),
    ("expect_compound_columns_to_be_unique", {"column_list": ["kind", "ok"], "row_condition": "n > 2"}, [2, 4]),
]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Finding]]:
    """Findings of three suites, in the order of the cases: those that pass, those that fail, those with row conditions."""
    folder = tmp_path_factory.mktemp("suites")
    rows = ROWS.append_column("ok_n", pa.array([1] * 6))
    suites = {
        "pass": [(kind, arguments) for kind, arguments, _, _ in CASES],
        "fail": [(kind, arguments) for kind, _, arguments, _ in CASES],
        "conditioned": [(kind, {**arguments, "condition_parser": "great_expectations"}) for kind, arguments, _ in CONDITIONED],
    }
    return {name: check(rows, _written(folder / f"{name}.json", entries)).findings for name, entries in suites.items()}


def _written(path: Path, entries: list[tuple[str, dict[str, Any]]]) -> Path:
    path.write_text(
        json.dumps({"expectations": [{"type": kind, "kwargs": _as_gx(arguments), "severity": "critical"} for kind, arguments in entries]})
    )
    return path


def _as_gx(arguments: dict[str, Any]) -> dict[str, Any]:
    if "row_condition" not in arguments:
        return arguments
    column, rest = arguments["row_condition"].split(" ", maxsplit=1)
    return {**arguments, "row_condition": f'col("{column}") {rest}'}


NUMBERED = [pytest.param(i, id=f"{i}-{case[0]}") for i, case in enumerate(CASES)]


@pytest.mark.parametrize("number", NUMBERED)
def test_what_holds_passes(found: dict[str, list[Finding]], number: int) -> None:
    finding = found["pass"][number]
    assert (finding.expectation, finding.outcome, finding.error) == (CASES[number][0], "pass", "")


@pytest.mark.parametrize("number", NUMBERED)
def test_what_does_not_hold_fails_with_its_rows(found: dict[str, list[Finding]], number: int) -> None:
    finding, rows = found["fail"][number], CASES[number][3]
    assert (finding.outcome, finding.error) == ("fail", "")
    assert (finding.unexpected_rows, finding.is_table_level) == (rows or [], rows is TABLE_LEVEL)


@pytest.mark.parametrize("number", range(len(CONDITIONED)))
def test_rows_outside_a_row_condition_are_not_blamed(found: dict[str, list[Finding]], number: int) -> None:
    finding = found["conditioned"][number]
    assert (finding.outcome, finding.unexpected_rows) == ("fail", CONDITIONED[number][2])


def test_the_contract_covers_at_least_forty_types() -> None:
    assert len({case[0] for case in CASES}) >= 40
