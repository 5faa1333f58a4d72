"""Drafted suites: what they ask, and that they hold for the file they come from and its like."""

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from watchkeeper.adapters.expectations import check, draft_suite, lint_suites
from watchkeeper.monitor import Monitor
from watchkeeper.records import Source

Write = Callable[..., tuple[Path, Path]]


@pytest.fixture
def files(parcels_of_day: Write) -> tuple[pa.Table, pa.Table]:
    """One day's events and labels."""
    events, labels = parcels_of_day(date(2025, 1, 1), rows=400)
    return pq.read_table(events), pq.read_table(labels)


@pytest.fixture
def events(files: tuple[pa.Table, pa.Table]) -> pa.Table:
    return files[0]


def but(monitor: Monitor, **more: Any) -> Monitor:
    return Monitor.model_validate({**monitor.model_dump(by_alias=True), **more})


def severities(suite: dict[str, Any], kind: str) -> dict[str, str]:
    return {e["kwargs"].get("column", ""): e["severity"] for e in suite["expectations"] if e["type"] == kind}


def failures(rows: pa.Table, suite: dict[str, Any], folder: Path) -> list[str]:
    path = folder / f"{suite['name']}.json"
    path.write_text(json.dumps(suite))
    numbered = rows.append_column("wk_row", pa.array(range(rows.num_rows), pa.int64()))
    return [f.expectation_id for f in check(numbered, path).findings if f.outcome != "pass"]


@pytest.mark.parametrize("source", ["events", "labels"])
def test_a_draft_holds_for_its_own_file_and_lacks_nothing(tmp_path: Path, parcels: Monitor, files: tuple[pa.Table, pa.Table], source: Source) -> None:
    rows = files[source == "labels"]
    suite = draft_suite(rows, monitor=parcels, source=source)
    assert len(suite["expectations"]) > 5
    assert failures(rows, suite, tmp_path) == []
    assert lint_suites(tmp_path) == []


def test_a_draft_holds_for_the_next_day(tmp_path: Path, parcels: Monitor, events: pa.Table, parcels_of_day: Write) -> None:
    suite = draft_suite(events, monitor=parcels, source="events")
    assert failures(pq.read_table(parcels_of_day(date(2025, 1, 2), rows=300)[0]), suite, tmp_path) == []


def test_only_what_makes_a_row_unusable_is_critical(parcels: Monitor, events: pa.Table) -> None:
    suite = draft_suite(events, monitor=parcels, source="events")
    critical = {(e["type"], e["kwargs"].get("column", "")) for e in suite["expectations"] if e["severity"] == "critical"}
    assert critical == {
        ("expect_column_values_to_not_be_null", "parcel"),
        ("expect_compound_columns_to_be_unique", ""),
        ("expect_column_values_to_not_be_null", "sent_at"),
        ("expect_column_values_to_not_be_null", "p_late"),
        ("expect_column_values_to_be_between", "p_late"),
    }


def test_a_null_score_is_not_critical_where_a_status_tells_errors(parcels: Monitor, events: pa.Table) -> None:
    told = events.append_column("status", pa.array(["ok"] * events.num_rows))
    columns = parcels.columns.model_dump() | {"status": "status"}
    suite = draft_suite(told, monitor=but(parcels, columns=columns), source="events")
    assert severities(suite, "expect_column_values_to_not_be_null")["p_late"] == "warning"


def test_a_score_that_is_no_probability_has_no_limit_of_one(parcels: Monitor, events: pa.Table) -> None:
    suite = draft_suite(events, monitor=but(parcels, task="regression"), source="events")
    assert severities(suite, "expect_column_values_to_be_between")["p_late"] == "warning"


def test_values_of_private_columns_are_not_written_down(parcels: Monitor, events: pa.Table) -> None:
    suite = draft_suite(events, monitor=but(parcels, private=["depot", "weight_kg"]), source="events")
    assert "north" not in json.dumps(suite)
    assert "weight_kg" not in severities(suite, "expect_column_values_to_be_between")


def test_many_texts_make_no_set_and_neither_do_versions(parcels: Monitor, events: pa.Table) -> None:
    suite = draft_suite(events, monitor=parcels, source="events")
    assert severities(suite, "expect_column_values_to_be_in_set") == {"depot": "warning"}


@pytest.mark.parametrize("values", [[None] * 5, [float("nan")] * 5, [7.0] * 5, [-3.0, -2.0, -1.0, 0.0, 5.0], [0.0, 1e-9, None, None, None]])
def test_odd_columns_draft_nothing_that_they_break(tmp_path: Path, parcels: Monitor, events: pa.Table, values: list[float | None]) -> None:
    rows = events.slice(0, 5).append_column("odd", pa.array(values, pa.float64()))
    suite = draft_suite(rows, monitor=parcels, source="events")
    assert failures(rows, suite, tmp_path) == []


def test_infinity_draws_no_range_around_itself(tmp_path: Path, parcels: Monitor, events: pa.Table) -> None:
    rows = events.slice(0, 4).append_column("odd", pa.array([float("inf"), 1.0, 2.0, 3.0]))
    suite = draft_suite(rows, monitor=parcels, source="events")
    assert failures(rows, suite, tmp_path) == ["expect_column_values_to_be_between/odd"]


def test_an_empty_file_drafts_what_needs_no_rows(parcels: Monitor, events: pa.Table) -> None:
    suite = draft_suite(events.slice(0, 0), monitor=parcels, source="events")
    assert severities(suite, "expect_compound_columns_to_be_unique") == {"": "critical"}


def test_zeros_and_ones_are_drafted_as_these_two(tmp_path: Path, parcels: Monitor, events: pa.Table) -> None:
    rows = events.append_column("is_gift", pa.array([i % 2 for i in range(events.num_rows)]))
    suite = draft_suite(rows, monitor=parcels, source="events")
    assert "is_gift" not in severities(suite, "expect_column_values_to_be_between")
    two = rows.set_column(rows.column_names.index("is_gift"), "is_gift", pa.array([i % 3 for i in range(events.num_rows)]))
    assert failures(two, suite, tmp_path) == ["expect_column_values_to_be_in_set/is_gift"]


@pytest.mark.parametrize("source", ["events", "labels"])
def test_whole_number_ids_go_on_beyond_those_of_the_first_file(
    tmp_path: Path, parcels: Monitor, files: tuple[pa.Table, pa.Table], source: Source
) -> None:
    def numbered(first: int) -> pa.Table:
        rows = files[source == "labels"]
        return rows.set_column(rows.column_names.index("parcel"), "parcel", pa.array(range(first, first + rows.num_rows), pa.int64()))

    suite = draft_suite(numbered(0), monitor=parcels, source=source)
    assert failures(numbered(10_000), suite, tmp_path) == []
    twice = pa.concat_tables([numbered(10_000), numbered(10_000).slice(0, 1)])
    assert any("to_be_unique" in name for name in failures(twice, suite, tmp_path))


@pytest.mark.parametrize("roles", [["version"], ["environment"], ["version", "environment"], []])
def test_an_id_comes_once_in_each_version_and_environment(tmp_path: Path, parcels: Monitor, events: pa.Table, roles: list[str]) -> None:
    """As intake tells events apart: what production and a shadow say of one id are two events."""
    base = events.drop_columns("version").append_column("version", pa.array(["1"] * events.num_rows))
    base = base.append_column("environment", pa.array(["production"] * events.num_rows))
    columns = {k: v for k, v in parcels.columns.model_dump().items() if k not in ("version", "environment")} | {role: role for role in roles}
    suite = draft_suite(base, monitor=but(parcels, columns=columns), source="events")
    for role in ("version", "environment"):
        shadow = base.set_column(base.column_names.index(role), role, pa.array(["other"] * base.num_rows))
        both = pa.concat_tables([base.slice(0, 200), shadow.slice(0, 200)])
        found = [name for name in failures(both, suite, tmp_path) if "to_be_unique" in name]
        assert (found == []) == (role in roles)
    twice = pa.concat_tables([base, base.slice(0, 1)])
    assert any("to_be_unique" in name for name in failures(twice, suite, tmp_path))


def test_two_entities_are_no_set_that_a_third_breaks(parcels: Monitor, events: pa.Table) -> None:
    told = events.append_column("sender", pa.array([str(i % 2) for i in range(events.num_rows)]))
    suite = draft_suite(told, monitor=but(parcels, columns=parcels.columns.model_dump() | {"entity": "sender"}), source="events")
    assert severities(suite, "expect_column_values_to_be_in_set") == {"depot": "warning"}
