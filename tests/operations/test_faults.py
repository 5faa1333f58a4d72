"""Intake looked at by time: what is usual does not follow a fault, labels belong to their events, like reasons are one."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from watchkeeper.adapters.workspace import Home
from watchkeeper.monitor import Monitor
from watchkeeper.operations.faults import Intake
from watchkeeper.operations.ingest import ingest
from watchkeeper.records import Batch, Quarantined, Validation
from watchkeeper.windows import Window
from worlds import DAY

BEGIN = datetime(2025, 1, 1, tzinfo=UTC)
WEEK = 7 * DAY
NOW = BEGIN + 100 * DAY


def check(home: Home, day: int, broken: int, expectation: str = "expect_column_values_to_not_be_null") -> None:
    """Write down that of a day's file of 100 rows so many broke an expectation on the weight."""
    start = BEGIN + day * DAY
    landed = Batch(
        batch_id=f"b{day}",
        model="parcels",
        source="events",
        name=f"{day}",
        status="landed",
        starts_at=start,
        ends_at=start + DAY / 2,
        landed_at=start,
    )
    found = Validation(
        batch_id=f"b{day}",
        expectation_id=expectation,
        model="parcels",
        source="events",
        suite="parcels_events",
        suite_hash="s",
        expectation=expectation,
        column="weight_kg",
        severity="warning",
        outcome="fail" if broken else "pass",
        unexpected_count=broken,
        element_count=100,
        validated_at=start,
    )
    home.lake.append_records(Batch, [landed])
    home.lake.append_records(Validation, [found])


def usual(home: Home, monitor: Monitor, *days: int) -> list[float]:
    """Return what is said to be usual of the weight in the weeks that begin on these days."""
    intake = Intake(home, monitor, NOW)
    return [b.usual for day in days for b in intake.broken(Window(BEGIN + day * DAY, BEGIN + day * DAY + WEEK))]


def test_a_fault_that_lasts_never_becomes_usual(home, parcels):
    """The reference ends on day 14; from day 30 on 60 of 100 rows are broken, week after week."""
    for day in range(0, 60, 2):
        check(home, day, 60 if day >= 30 else 2)
    assert usual(home, parcels, 30, 37, 51) == [0.02, 0.02, 0.02]


def test_of_an_expectation_that_the_reference_did_not_know_the_first_weeks_say_what_is_usual(home, parcels):
    for day in range(20, 60, 2):
        check(home, day, 60 if day >= 40 else 4)
    assert usual(home, parcels, 40, 47) == [0.04, 0.04]


def held(name: str, number: int, reason: str, row: dict[str, Any], source: str) -> Quarantined:
    return Quarantined(
        quarantine_id=f"{name}{number}",
        batch_id=name,
        source=source,
        name=name,
        row_number=number,
        reasons=[reason],
        row=json.dumps(row),
        at=BEGIN + 60 * DAY,
    )


def test_labels_set_aside_belong_to_the_window_of_their_event(home, parcels, parcels_of_day):
    parcels_of_day(BEGIN.date() + timedelta(days=3), rows=20)
    ingest(home, parcels, now=BEGIN + 5 * DAY)
    reason = "delivered_at: '2026-01-0{}' lies more than a day in the future"
    rows = [held("late", n, reason.format(n), {"parcel": f"20250104-0000{n}"}, "labels") for n in range(4)]
    home.lake.append_records(Quarantined, rows, table="quarantine/parcels")
    intake, day = Intake(home, parcels, NOW), Window(BEGIN + 3 * DAY, BEGIN + 4 * DAY)
    assert intake.set_aside(day, ("labels",)) == (4, [("delivered_at: '…' lies more than a day in the future", 4)])
    assert intake.set_aside(day) == (0, [])


def test_reasons_that_differ_in_their_values_alone_are_one_reason(home, parcels):
    rows = [held("odd", n, f"sent_at: '{n} o clock' is not a time", {"sent_at": "2025-01-04T10:00:00Z"}, "events") for n in range(5)]
    home.lake.append_records(Quarantined, rows, table="quarantine/parcels")
    found = Intake(home, parcels, NOW).set_aside(Window(BEGIN + 3 * DAY, BEGIN + 4 * DAY))
    assert found == (5, [("sent_at: '…' is not a time", 5)])
