"""The dry run: what it tells is what intake would do, and it writes nothing."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import Result

from watchkeeper.adapters.workspace import Home
from watchkeeper.errors import ConfigurationError, UsageError
from watchkeeper.monitor import Monitor
from watchkeeper.operations.ingest import ingest
from watchkeeper.operations.validate import validate

NOW = datetime(2025, 1, 3, tzinfo=UTC)
HEAVY = {
    "type": "expect_column_values_to_be_between",
    "kwargs": {"column": "weight_kg", "max_value": 90},
    "severity": "critical",
    "meta": {"owner": "#scales", "why": "the scales end there"},
}
MANY = {
    "type": "expect_table_row_count_to_be_between",
    "kwargs": {"min_value": 10_000},
    "severity": "critical",
    "meta": {"owner": "#scales", "why": "a day is a day"},
}


def suite(home: Home, *expectations: dict[str, Any], name: str = "parcels_events") -> None:
    (home.suites_dir / f"{name}.json").write_text(json.dumps({"name": name, "expectations": list(expectations)}))


@pytest.fixture
def file(parcels_of_day: Callable[..., tuple[Path, Path]]) -> Path:
    """One day's events, of which three weigh too much and one has no id."""
    path, _ = parcels_of_day(date(2025, 1, 1))
    rows = pq.read_table(path)
    weights = [99.0, 98.0, 97.0, *rows["weight_kg"].to_pylist()[3:]]
    ids = [*rows["parcel"].to_pylist()[:-1], None]
    rows = rows.set_column(rows.column_names.index("weight_kg"), "weight_kg", pa.array(weights))
    pq.write_table(rows.set_column(0, "parcel", pa.array(ids)), path)
    return path


def everything(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


def test_a_file_is_judged_as_intake_would(home: Home, parcels: Monitor, file: Path) -> None:
    suite(home, HEAVY)
    found = validate(home, parcels, now=NOW, file=file)
    (batch,) = ingest(home, parcels, now=NOW, source="events")
    assert (found.rows, found.quarantined, found.is_refused, found.is_failed) == (200, 4, False, True)
    assert (batch.rows_read, batch.rows_quarantined, batch.suite_hash) == (found.rows, found.quarantined, found.suite_hash)


def test_reasons_are_counted_those_of_casting_included(home: Home, parcels: Monitor, file: Path) -> None:
    suite(home, HEAVY)
    assert validate(home, parcels, now=NOW, file=file).reasons == {
        "weight_kg values must be less than or equal to 90: the scales end there (#scales)": 3,
        "parcel is null: a row needs an id": 1,
    }


def test_a_failing_table_refuses_every_row(home: Home, parcels: Monitor, file: Path) -> None:
    suite(home, MANY)
    found = validate(home, parcels, now=NOW, file=file)
    assert (found.is_refused, found.quarantined) == (True, 200)


def test_a_dry_run_writes_nothing(home: Home, parcels: Monitor, file: Path) -> None:
    suite(home, HEAVY)
    ingest(home, parcels, now=NOW, source="events")
    before = everything(home.root)
    validate(home, parcels, now=NOW, file=file)
    validate(home, parcels, now=NOW, last=timedelta(days=30))
    assert everything(home.root) == before


def test_landed_events_are_judged_by_todays_suite(home: Home, parcels: Monitor, file: Path) -> None:
    ingest(home, parcels, now=NOW, source="events")
    suite(home, HEAVY)
    found = validate(home, parcels, now=NOW, last=timedelta(days=7))
    assert (found.rows, found.quarantined, found.is_failed) == (199, 3, True)


def test_what_counts_the_rows_of_one_file_is_not_asked_of_many(home: Home, parcels: Monitor, file: Path) -> None:
    ingest(home, parcels, now=NOW, files=[file])
    suite(home, HEAVY, MANY)
    found = validate(home, parcels, now=NOW, last=timedelta(days=7))
    assert [f.expectation for f in found.findings] == [HEAVY["type"]]
    assert (found.is_refused, found.what.endswith("beside 1 expectation about the rows of one file")) == (False, True)


def test_what_landed_after_now_or_happened_too_long_ago_is_not_looked_at(home: Home, parcels: Monitor, file: Path) -> None:
    ingest(home, parcels, now=NOW, source="events")
    suite(home, HEAVY)
    assert validate(home, parcels, now=NOW - timedelta(hours=1), last=timedelta(days=7)).rows == 0
    assert validate(home, parcels, now=NOW, last=timedelta(hours=24)).rows == 0


def test_landed_labels_are_judged_in_the_words_of_their_files(home: Home, parcels: Monitor, file: Path) -> None:
    ingest(home, parcels, now=NOW)
    late = {"type": "expect_column_values_to_be_in_set", "kwargs": {"column": "was_late", "value_set": [True]}, "severity": "warning"}
    known = {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "delivered_at"}}
    suite(home, late, known, name="parcels_labels")
    found = validate(home, parcels, now=NOW, source="labels")
    assert (found.rows, [f.outcome for f in found.findings], found.is_failed) == (200, ["fail", "pass"], False)


def test_another_suite_can_be_tried(home: Home, parcels: Monitor, file: Path) -> None:
    suite(home, HEAVY)
    suite(home, name="lenient")
    found = validate(home, parcels, now=NOW, file=file, suite="lenient")
    assert (found.suite, found.quarantined) == ("lenient", 1)


def test_an_unknown_suite_names_the_nearest(home: Home, parcels: Monitor, file: Path) -> None:
    suite(home, HEAVY)
    with pytest.raises(ConfigurationError, match="nearest is 'parcels_events'"):
        validate(home, parcels, now=NOW, file=file, suite="parcel_events")


def test_a_file_and_a_stretch_of_time_are_one_too_many(home: Home, parcels: Monitor, file: Path) -> None:
    with pytest.raises(UsageError):
        validate(home, parcels, now=NOW, file=file, last=timedelta(days=1))


def test_a_file_that_is_not_there_is_said_so(home: Home, parcels: Monitor) -> None:
    with pytest.raises(UsageError, match="no file at"):
        validate(home, parcels, now=NOW, file=home.root / "nothing.csv")


@pytest.mark.parametrize(
    ("expectations", "code"),
    [([HEAVY], 3), ([{**HEAVY, "severity": "warning"}], 0), ([{**HEAVY, "kwargs": {"column": "gone", "max_value": 1}}], 4), ([], 4)],
)
def test_the_exit_code_tells_failed_from_not_evaluated(
    home: Home, file: Path, watchkeeper: Callable[..., Result], expectations: list[dict[str, Any]], code: int
) -> None:
    suite(home, *expectations)
    assert watchkeeper("validate", "parcels", "--file", str(file), "--now", NOW.isoformat()).exit_code == code


def test_the_json_has_stable_keys_and_no_row_numbers(home: Home, file: Path, watchkeeper: Callable[..., Result]) -> None:
    suite(home, HEAVY)
    told = json.loads(watchkeeper("validate", "parcels", "--file", str(file), "--json", "--now", NOW.isoformat()).stdout)
    assert list(told) == [
        "model",
        "source",
        "what",
        "suite",
        "suite_hash",
        "rows",
        "quarantined",
        "is_refused",
        "reasons",
        "findings",
        "is_failed",
        "is_evaluated",
    ]
    assert told["reasons"][0] == {"reason": "weight_kg values must be less than or equal to 90: the scales end there (#scales)", "rows": 3}
    assert (told["findings"][0]["outcome"], told["findings"][0]["unexpected_count"]) == ("fail", 3)
    assert "unexpected_rows" not in told["findings"][0]


def test_people_read_a_table_the_reasons_and_a_verdict(home: Home, file: Path, watchkeeper: Callable[..., Result]) -> None:
    suite(home, HEAVY)
    said = watchkeeper("validate", "parcels", "--file", str(file), "--now", NOW.isoformat()).stdout
    assert "3 rows: weight_kg values must be less than or equal to 90" in said
    assert "Failed: 4 of 200 rows would be set aside." in said


def test_a_file_without_the_column_of_versions_is_asked_about_its_ids_all_the_same(
    home: Home, parcels: Monitor, parcels_of_day: Callable[..., Any]
) -> None:
    """The suite that `add` drafts names the column of versions: rows without it have none, as intake has it, and their ids are to differ."""
    path, _ = parcels_of_day(date(2025, 1, 1))
    once = {"type": "expect_compound_columns_to_be_unique", "kwargs": {"column_list": ["parcel", "version"]}, "severity": "critical"}
    there = {"type": "expect_column_to_exist", "kwargs": {"column": "version"}, "severity": "warning"}
    suite(home, once, there)
    rows = pq.read_table(path).drop_columns(["version"])
    pq.write_table(pa.concat_tables([rows, rows.slice(3, 2)]), path)
    found = validate(home, parcels, now=NOW, file=path)
    assert [(f.expectation, f.outcome) for f in found.findings] == [(once["type"], "fail"), (there["type"], "fail")]
    assert found.is_evaluated
    assert found.quarantined == 4
    pq.write_table(rows, path)
    alone = validate(home, parcels, now=NOW, file=path)
    assert ([f.outcome for f in alone.findings], alone.quarantined) == (["pass", "fail"], 0)
    done = ingest(home, parcels, now=NOW)
    assert [(b.rows_landed, b.rows_quarantined) for b in done if b.source == "events"] == [(200, 0)]
