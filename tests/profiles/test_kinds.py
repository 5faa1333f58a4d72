"""Dates and times are counted as age and as calendar parts, each a number a row, so that they add up like other columns."""

from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa
import pytest

from watchkeeper.profiles.kinds import Derived, derived_from, source_of

US = pa.timestamp("us", "UTC")
EVENTS = pa.array([datetime(2024, 7, 1, 3, tzinfo=UTC), datetime(2024, 7, 3, 15, tzinfo=UTC), None], US)


def rows(column: pa.Array, zone: str = "America/New_York") -> Derived:
    return Derived(pa.table({"t": EVENTS, "x": column, "y": [1, 2, 3]}), "t", zone)


TYPED = {
    "with a zone": pa.array([datetime(2024, 7, 1, tzinfo=UTC), None, datetime(2024, 7, 1, tzinfo=UTC)], pa.timestamp("ms", "Asia/Tokyo")),
    "without a zone": pa.array([datetime(2024, 7, 1), None, datetime(2024, 7, 1)], pa.timestamp("ns")),  # noqa: DTZ001
    "a date": pa.array([date(2024, 7, 1), None, date(2024, 7, 1)], pa.date32()),
    "a long date": pa.array([date(2024, 7, 1), None, date(2024, 7, 1)], pa.date64()),
}


@pytest.mark.parametrize("column", TYPED.values(), ids=TYPED.keys())
def test_age_is_days_from_the_value_to_the_event_and_null_where_either_is(column):
    assert rows(column, "UTC").column("x@age").to_pylist() == [0.125, None, None]


def test_the_age_of_a_date_counts_from_midnight_of_the_monitors_clock():
    assert rows(TYPED["a date"], "America/New_York").column("x@age").to_pylist() == [-1 / 24, None, None]
    assert rows(TYPED["a long date"], "Asia/Tokyo").column("x@age").to_pylist() == [0.5, None, None]


FAR = {
    "moments": pa.array([datetime(9999, 12, 31, tzinfo=UTC), datetime(1500, 1, 1, tzinfo=UTC), None], US),
    "dates": pa.array([date(9999, 12, 31), date(1500, 1, 1), None], pa.date32()),
}


@pytest.mark.parametrize("column", FAR.values(), ids=FAR.keys())
def test_a_date_thousands_of_years_away_has_an_age_and_a_weekday(column):
    table = pa.table({"t": pa.array([datetime(2024, 7, 1, tzinfo=UTC)] * 3, US), "x": column})
    derived = Derived(table, "t", "UTC")
    ages = [float((date(2024, 7, 1) - day).days) for day in (date(9999, 12, 31), date(1500, 1, 1))]
    assert derived.column("x@age").to_pylist() == [*ages, None]
    assert derived.column("x@weekday").to_pylist() == [5, 1, None]  # as the calendar of today goes on, both ways


@pytest.mark.parametrize("kind", [US, pa.date32()], ids=str)
def test_the_least_and_the_greatest_date_that_can_be_written_have_an_age(kind):
    ends = pa.array([2**31 - 1, 1 - 2**31, 0], pa.int32()) if kind == pa.date32() else pa.array([2**63 - 1, 1 - 2**63, 0], pa.int64())
    ages = rows(ends.cast(kind)).column("x@age").to_pylist()
    assert ages[0] < -1e8
    assert ages[1] > 1e8


def test_age_before_the_event_is_negative():
    later = pa.array([datetime(2024, 7, 3, 3, tzinfo=UTC)] * 3, US)
    assert rows(later).column("x@age").to_pylist()[0] == -2.0


def test_calendar_parts_are_those_of_the_monitors_clock_where_moments_have_a_zone():
    moments = pa.array([datetime(2024, 7, 1, 3, 30, tzinfo=UTC), datetime(2024, 1, 1, 3, 30, tzinfo=UTC), None], US)
    assert rows(moments).column("x@hour").to_pylist() == [23, 22, None]
    assert rows(moments).column("x@weekday").to_pylist() == [7, 7, None]
    assert rows(moments, "UTC").column("x@weekday").to_pylist() == [1, 1, None]


def test_dates_have_the_weekday_that_the_calendar_says():
    assert rows(TYPED["a date"]).column("x@weekday").to_pylist() == [1, None, 1]


def test_each_type_says_what_is_counted_of_it():
    assert derived_from("x", pa.timestamp("s")) == ["x@age", "x@hour", "x@weekday"]
    assert derived_from("x", pa.date32()) == ["x@age", "x@weekday"]
    for kind in (pa.float64(), pa.string(), pa.bool_(), pa.time32("s"), pa.duration("ms"), pa.decimal128(9, 2)):
        assert derived_from("x", kind) == ["x"]


def test_plain_columns_stay_what_they_are_whatever_they_are_called():
    table = pa.table({"t": EVENTS, "x@age": [7.0, 8.0, 9.0]})
    assert Derived(table, "t", "UTC").column("x@age").to_pylist() == [7.0, 8.0, 9.0]
    assert source_of("@score") == ("@score", "")
    assert source_of("mail@home") == ("mail@home", "")


def test_row_functions_add_over_any_split():
    moments = pa.array(np.arange(0, 10**15, 10**13), pa.timestamp("us"))
    table = pa.table({"t": pa.array([datetime(2024, 7, 1, tzinfo=UTC)] * len(moments), US), "x": moments})
    for name in derived_from("x", moments.type):
        whole = Derived(table, "t", "UTC").column(name).to_pylist()
        assert [
            *Derived(table.slice(0, 33), "t", "UTC").column(name).to_pylist(),
            *Derived(table.slice(33), "t", "UTC").column(name).to_pylist(),
        ] == whole
