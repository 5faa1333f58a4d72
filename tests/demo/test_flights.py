"""The facts of the data, read from its files: what was known before departure and after arrival, faults included."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from watchkeeper.demo import flights as module
from watchkeeper.demo.flights import CATEGORIES, NUMBERS
from watchkeeper.errors import UsageError

PAGE = (Path(__file__).parents[2] / "docs" / "demo.md").read_text(encoding="utf-8")


def test_every_flight_of_the_year_is_there_once(flights: pl.DataFrame) -> None:
    assert flights.height == 336_776
    assert flights["flight_id"].n_unique() == flights.height
    assert flights["flight_id"].null_count() == 0


def test_a_flight_is_named_by_day_carrier_number_and_origin(flights: pl.DataFrame) -> None:
    first = flights.row(0, named=True)
    assert first["flight_id"] == f"2013-01-01-{first['carrier']}-{first['flight']}-{first['origin']}"


def test_schedules_are_in_utc_on_both_sides_of_the_clock_changes(flights: pl.DataFrame) -> None:
    at = dict(flights.filter(pl.col("sched_dep_time") == 600).group_by("day").agg(pl.col("scheduled_at").first()).iter_rows())
    assert at[date(2013, 3, 9)] == datetime(2013, 3, 9, 11, tzinfo=UTC)
    assert at[date(2013, 3, 11)] == datetime(2013, 3, 11, 10, tzinfo=UTC)
    assert at[date(2013, 11, 2)] == datetime(2013, 11, 2, 10, tzinfo=UTC)
    assert at[date(2013, 11, 4)] == datetime(2013, 11, 4, 11, tzinfo=UTC)


def test_no_arrival_is_known_before_the_scheduled_departure(flights: pl.DataFrame) -> None:
    known = flights.filter(pl.col("arrived_at").is_not_null())
    assert known.height == 327_346
    assert known.filter(pl.col("arrived_at") <= pl.col("scheduled_at")).is_empty()


def test_half_of_the_outcomes_take_more_than_two_and_a_half_hours_and_some_more_than_a_day(flights: pl.DataFrame) -> None:
    hours = (flights["arrived_at"] - flights["scheduled_at"]).dt.total_minutes() / 60
    assert hours.median() == pytest.approx(2.75, abs=0.01)
    assert hours.max() == pytest.approx(32.77, abs=0.01)


def test_cancelled_diverted_and_unknown_flights_have_no_outcome(flights: pl.DataFrame) -> None:
    cancelled = flights.filter(pl.col("dep_time").is_null())
    diverted = flights.filter(pl.col("dep_time").is_not_null() & pl.col("arr_delay").is_null())
    assert (cancelled.height, diverted.height) == (8_255, 1_175)
    for never in (cancelled, diverted):
        assert never["was_late"].null_count() == never["arrived_at"].null_count() == never.height


def test_late_means_more_than_fifteen_minutes(flights: pl.DataFrame) -> None:
    late = flights.group_by("was_late").agg(least=pl.col("arr_delay").min(), most=pl.col("arr_delay").max())
    by_outcome = {row["was_late"]: row for row in late.iter_rows(named=True)}
    assert by_outcome[0]["most"] == 15
    assert by_outcome[1]["least"] == 16


def test_the_wind_of_1048_mph_stays_in_and_reaches_two_flights_by_the_peak_of_three_hours(flights: pl.DataFrame) -> None:
    struck = flights.filter(pl.col("wind_peak") > 1_000)
    assert struck["flight_id"].to_list() == ["2013-02-12-US-1117-EWR", "2013-02-12-UA-1018-EWR"]
    assert struck["wind_speed"].max() < 20


def test_the_gaps_of_the_weather_stay_in(flights: pl.DataFrame) -> None:
    assert flights["temp"].null_count() == 1_573
    last_day = flights.filter(pl.col("day") == date(2013, 12, 31))
    assert last_day["temp"].null_count() == last_day.height


def test_so_many_hours_of_the_weather_are_missing_as_the_page_of_the_demo_says() -> None:
    read = pl.read_csv(module._data_folder() / "weather.csv", infer_schema_length=None).select(
        "origin", pl.col("time_hour").str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_zone="UTC", strict=True)
    )
    missing = [(part["time_hour"].max() - part["time_hour"].min()) // timedelta(hours=1) + 1 - part.height for _, part in read.group_by("origin")]
    assert f"{sum(missing)} hourly readings of the three airports are missing" in PAGE


def test_the_flight_of_17_miles_stays_in(flights: pl.DataFrame) -> None:
    assert flights.filter(pl.col("distance") < 80)["flight_id"].to_list() == ["2013-07-27-US-1632-EWR"]


def test_eight_destinations_are_first_flown_to_after_march_and_a_ninth_by_the_flight_that_is_set_aside(flights: pl.DataFrame) -> None:
    is_early = pl.col("day") < date(2013, 4, 1)
    new = set(flights["dest"]) - set(flights.filter(is_early)["dest"])
    assert new == {"ABQ", "ACK", "MVY", "TVC", "ANC", "LGA", "SBN", "ILM", "LEX"}
    assert flights.filter(pl.col("dest") == "LGA")["distance"].to_list() == [17]
    assert "eight destinations that the model never saw" in PAGE


def test_nothing_the_model_sees_is_known_only_after_departure() -> None:
    after = {"dep_time", "dep_delay", "arr_time", "arr_delay", "air_time", "tailnum", "was_late", "arrived_at"}
    assert not after & {*CATEGORIES, *NUMBERS}


def test_without_the_package_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.path", [])
    monkeypatch.setattr("sys.meta_path", [])
    with pytest.raises(UsageError, match=r"watchkeeper\[demo\]"):
        module.read_flights()
