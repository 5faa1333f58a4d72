"""A segment's rows stop inside a traffic that is hardly less: what an incident says, by what became of them, and when it is over."""

from datetime import date

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from conftest import PARCELS
from watchkeeper.judgement.incidents import fold
from watchkeeper.operations.watch import watch
from watchkeeper.records import IncidentEvent
from worlds import DAY, START, Change, parcels_days

FIRST = date(2025, 1, 1)
GONE, BACK, DAYS = 20, 24, 30
BEGIN = START.replace(day=1)


def _of(depot: str, table: pa.Table) -> pa.Array:
    return pc.equal(table["depot"], depot)


def left_out(events: pa.Table, labels: pa.Table) -> tuple[pa.Table, pa.Table]:
    return events.filter(pc.invert(_of("east", events))), labels


def renamed(events: pa.Table, labels: pa.Table) -> tuple[pa.Table, pa.Table]:
    return _with(events, "depot", pc.if_else(_of("east", events), "East", events["depot"])), labels


def without_ids(events: pa.Table, labels: pa.Table) -> tuple[pa.Table, pa.Table]:
    return _with(events, "parcel", pc.if_else(_of("east", events), pa.scalar(None, pa.string()), events["parcel"])), labels


def _with(table: pa.Table, name: str, values: pa.Array) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, values)


def told(make_home, change: Change, days: int = DAYS):
    home = make_home(PARCELS)
    parcels_days(home.root, FIRST, days, change=dict.fromkeys(range(GONE, BACK), change))
    watch(home, now=BEGIN + days * DAY + DAY / 2)
    [one] = [i for i in fold(home.lake.newest(IncidentEvent)) if i.subject == "missing segments"]
    return one


def test_rows_that_do_not_come(make_home):
    one = told(make_home, left_out, BACK)
    assert one.state == "open"
    assert one.window_start == BEGIN + GONE * DAY
    story = one.story
    assert story.headline == "no predictions with depot=east landed on 21 to 24 January, usually 166"
    [cause] = story.causes
    assert cause.subject == "rows of depot=east no longer arrive"
    assert cause.evidence_for == ["rows of others come as usual, so look at what brings these"]
    assert "whether what brings rows of depot=east still runs" in story.next_steps[0]


@pytest.mark.parametrize(
    ("change", "subject"),
    [(renamed, "rows of depot=east come as depot=East now"), (without_ids, "rows were set aside: parcel is null: a row needs an id")],
    ids=["renamed", "set aside"],
)
def test_rows_that_came_otherwise(make_home, change, subject):
    one = told(make_home, change)
    assert one.state == "resolved"
    assert one.window_end == BEGIN + BACK * DAY
    [cause] = one.story.causes
    assert cause.subject == subject
    assert cause.share == pytest.approx(1.0, abs=0.15)
