"""The workspace at the root of the project: its monitor and suites are sound, and fit the files that the demo brings."""

from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from watchkeeper.adapters.expectations import Checked, check, lint_suites
from watchkeeper.adapters.workspace import find_home, load_monitors
from watchkeeper.demo.inbox import parcels
from watchkeeper.demo.model import EVENT_COLUMNS, LABEL_COLUMNS, Year

ROOT = Path(__file__).parent.parent.parent
SUITES = ROOT / "expectations"


@pytest.fixture(scope="module")
def year(flights: pl.DataFrame) -> Year:
    """Every flight of the year in the model's own columns, with a constant for the score."""
    events = flights.with_columns(p_late=pl.lit(0.2), is_late=pl.lit(0), model_version=pl.lit("v1")).select(EVENT_COLUMNS)
    labels = flights.filter(pl.col("arrived_at").is_not_null()).select(LABEL_COLUMNS)
    return Year(events, labels, 0.3)


def checked(rows: pl.DataFrame, suite: str) -> Checked:
    numbered = rows.to_arrow().append_column("wk_row", pa.array(range(rows.height), pa.int64()))
    return check(numbered, SUITES / f"{suite}.json", private=[])


def test_the_monitor_file_has_no_mistake() -> None:
    monitors, problems = load_monitors(find_home(ROOT))
    assert problems == []
    assert "flight_delays" in monitors


def test_every_expectation_has_an_owner_and_a_reason() -> None:
    assert lint_suites(SUITES) == []


def test_the_monitor_names_files_and_columns_that_the_demo_brings(year: Year) -> None:
    monitor = load_monitors(find_home(ROOT))[0]["flight_delays"]
    assert monitor.labels is not None
    assert {*monitor.columns.named().values(), *monitor.segments} <= {*year.events.columns}
    assert {monitor.labels.join, monitor.labels.column, monitor.labels.time} == {*year.labels.columns}
    globs = [monitor.events.files, monitor.labels.files]
    assert all(any(Path("inbox", p.name).match(glob) for glob in globs) for p in parcels(year))


def test_three_rows_of_the_year_are_quarantined_and_the_suite_says_why(year: Year) -> None:
    broken = {
        f.column: [year.events["flight_id"][r] for r in f.unexpected_rows]
        for f in checked(year.events, "flight_delays_events").findings
        if f.unexpected_rows
    }
    assert broken == {
        "wind_peak": ["2013-02-12-US-1117-EWR", "2013-02-12-UA-1018-EWR"],
        "distance": ["2013-07-27-US-1632-EWR"],
    }


def test_the_day_without_weather_is_a_warning_and_loses_no_row(year: Year) -> None:
    last = next(p.rows for p in parcels(year) if p.name == "flights-2013-12-31.parquet")
    failed = {(f.column, f.severity): f.unexpected_rows for f in checked(last, "flight_delays_events").findings if f.outcome != "pass"}
    assert failed == {("temp", "warning"): [], ("dest", "info"): []}


def test_labels_of_the_whole_year_pass_their_suite(year: Year) -> None:
    assert {f.outcome for f in checked(year.labels, "flight_delays_labels").findings} == {"pass"}
