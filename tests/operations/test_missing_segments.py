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
    assert cause.evidence_for == ["no other value of depot has as many more rows, so look at what brings these"]
    assert "whether what brings rows of depot=east still runs" in story.next_steps[0]


def in_new_places(events: pa.Table, labels: pa.Table) -> tuple[pa.Table, pa.Table]:
    is_odd = pa.array([n % 2 == 1 for n in range(events.num_rows)])
    to = pc.if_else(is_odd, "east-1", "east-2")
    return _with(events, "depot", pc.if_else(_of("east", events), to, events["depot"])), labels


def in_another(events: pa.Table, labels: pa.Table) -> tuple[pa.Table, pa.Table]:
    return _with(events, "depot", pc.if_else(_of("east", events), "south", events["depot"])), labels


def test_rows_that_were_set_aside(make_home):
    one = told(make_home, without_ids)
    assert (one.state, one.window_end) == ("resolved", BEGIN + BACK * DAY)
    [cause] = one.story.causes
    assert cause.subject == "rows were set aside: parcel is null: a row needs an id"
    assert cause.share == pytest.approx(1.0, abs=0.15)


def test_rows_that_come_under_another_value_which_is_there_already(make_home):
    [cause] = told(make_home, in_another, BACK).story.causes
    assert cause.subject == "rows of depot=east come as depot=south now"
    assert cause.share == pytest.approx(1.0, abs=0.35)


@pytest.mark.parametrize(("change", "names"), [(renamed, "depot=East"), (in_new_places, "depot=east-2 and depot=east-1")])
def test_a_value_that_is_renamed_pages_once_as_new_categories_and_what_is_gone_and_what_is_new_is_named(make_home, change, names):
    home = make_home(PARCELS)
    parcels_days(home.root, FIRST, BACK, change=dict.fromkeys(range(GONE, BACK), change))
    watch(home, now=BEGIN + BACK * DAY + DAY / 2)
    [one] = fold(home.lake.newest(IncidentEvent))
    assert one.subject == "new categories"
    assert one.story.causes[0].evidence_for[0] == f"new there: {names}"
    assert "depot=east had no rows then, so these may be theirs" in one.story.causes[0].evidence_for


def test_rows_of_several_columns_are_counted_once_and_a_day_it_never_comes_on_is_no_end(make_home):
    """Parcels of the east all go by ship; they come on Mondays, until 3 February."""

    def ships(*, is_gone: bool) -> Change:
        def changed(events: pa.Table, labels: pa.Table) -> tuple[pa.Table, pa.Table]:
            by = events.append_column("way", pc.if_else(_of("east", events), "ship", "road"))
            is_monday = pc.equal(pc.day_of_week(events["sent_at"]), 0)
            stays = pc.or_(pc.invert(_of("east", by)), pc.and_(is_monday, pa.scalar(not is_gone)))
            return by.filter(stays), labels

        return changed

    home = make_home(PARCELS | {"segments": ["depot", "way"], "reference": {"from": "2025-01-01", "to": "2025-02-01"}})
    parcels_days(home.root, FIRST, 46, change={d: ships(is_gone=d >= 36) for d in range(46)})
    watch(home, now=BEGIN + 46 * DAY + DAY / 2)
    [one] = [i for i in fold(home.lake.newest(IncidentEvent)) if i.subject == "missing segments"]
    assert (one.state, one.window_start) == ("open", BEGIN + 40 * DAY), "Monday 10 February"
    assert one.story.headline.startswith("no predictions with depot=east and 1 more segment landed on Mon 10 February, usually ")
    assert 25 <= int(one.story.headline.rpartition(" ")[2]) <= 55


def without_labels(events: pa.Table, labels: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Leave out the labels of the east, a third of all."""
    east = set(events.filter(_of("east", events))["parcel"].to_pylist())
    return events, labels.filter(pa.array([parcel not in east for parcel in labels["parcel"].to_pylist()]))


def test_labels_that_do_not_come_for_one_segment_page_though_most_come(make_home):
    home = make_home(PARCELS)
    parcels_days(home.root, FIRST, DAYS, change=dict.fromkeys(range(GONE, BACK), without_labels))
    watch(home, now=BEGIN + DAYS * DAY + DAY / 2)
    [one] = [i for i in fold(home.lake.newest(IncidentEvent)) if i.subject == "missing labels"]
    assert (one.window_start, one.state) == (BEGIN + GONE * DAY, "resolved")
    assert one.story.headline.startswith("no labels came for the ")
    assert " predictions of depot=east on 21 to 24 January, usually for 100 % of them" in one.story.headline
    assert [c.subject for c in one.story.causes] == ["labels of depot=east no longer arrive"]
