"""Labels of one class only, and of classes that the reference never had, are named wherever people look."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from deltalake import DeltaTable, write_deltalake

from conftest import PARCELS
from watchkeeper.adapters.workspace import Home, load_monitor
from watchkeeper.cli.look import status_dict
from watchkeeper.operations.check import check
from watchkeeper.operations.ingest import ingest
from watchkeeper.operations.label_classes import label_classes, remarks
from watchkeeper.operations.measure import measure
from watchkeeper.operations.profile import profile
from watchkeeper.operations.report import digest_of
from watchkeeper.operations.status import status
from watchkeeper.records import Bins, Profile
from watchkeeper.site.overview import overview_markdown
from watchkeeper.windows import Window
from worlds import DAY, parcels_days

FIRST = datetime(2025, 1, 1, tzinfo=UTC)
DAYS, CHANGED, NOW = 24, 18, FIRST + 26 * DAY
Change = Callable[[pa.Table, pa.Table], tuple[pa.Table, pa.Table]]


def late_only(events: pa.Table, labels: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Labels as a source gives them that knows of late parcels alone."""
    return events, labels.filter(pc.cast(labels["was_late"], pa.bool_()))


def named(*, lost: bool = False) -> Change:
    """Return labels that are texts: every tenth of those on time is lost instead, if so asked."""

    def change(events: pa.Table, labels: pa.Table) -> tuple[pa.Table, pa.Table]:
        late = pc.cast(labels["was_late"], pa.bool_()).to_pylist()
        texts = ["Late" if is_late else "lost" if lost and i % 10 == 0 else "on time" for i, is_late in enumerate(late)]
        return events, labels.set_column(labels.column_names.index("was_late"), "was_late", pa.array(texts))

    return change


def counted(home: Home, change: dict[int, Change], *, now: datetime = NOW) -> Any:
    parcels_days(home.root, FIRST.date(), DAYS, rows=100, change=change)
    monitor = load_monitor(home, PARCELS["model"])
    ingest(home, monitor, now=now)
    profile(home, monitor, now=now)
    measure(home, monitor, now=now)
    return monitor


def test_labels_of_positives_only_are_named_in_status_check_and_digest(make_home):
    home = make_home(PARCELS)
    monitor = counted(home, dict.fromkeys(range(CHANGED, DAYS), late_only))
    found = label_classes(home, monitor, now=NOW)
    late = sum(there["1"] for start, there in found.later.items() if start >= FIRST + CHANGED * DAY)
    said, new = remarks(home, monitor, now=NOW)
    usual = found.reference["1"] / sum(found.reference.values())
    assert said.startswith(f"all {late} labels since Sun 19 Jan 2025, 00:00 are positive, of the reference {usual:.0%}".replace("%", " %"))
    assert new == ""
    (row,) = status(home, {"parcels": monitor}, now=NOW)
    assert said in row.overview.reason
    assert row.overview.state == "unjudged"
    assert any(f.what == said and f.line for f in check(home, now=NOW).findings)
    week = Window(FIRST + 19 * DAY, FIRST + 24 * DAY)
    assert f". A{said[1:]}." in digest_of(home, monitor, week, now=NOW, period="week").text
    before = Window(FIRST + 14 * DAY, FIRST + 17 * DAY)
    assert "are positive" not in digest_of(home, monitor, before, now=NOW, period="week").text


def test_labels_that_are_not_due_yet_say_nothing(make_home):
    home = make_home(PARCELS)
    monitor = counted(home, dict.fromkeys(range(CHANGED, DAYS), late_only))
    assert remarks(home, monitor, now=FIRST + (CHANGED + 1) * DAY) == ("", "")


def test_ordinary_labels_are_worth_no_word(make_home):
    home = make_home(PARCELS)
    monitor = counted(home, {})
    assert remarks(home, monitor, now=NOW) == ("", "")
    (row,) = status(home, {"parcels": monitor}, now=NOW)
    assert (row.overview.reason, row.overview.new_classes) == ("", "")


def test_a_third_value_beside_a_named_positive_is_named_and_its_labels_are_counted(make_home):
    home = make_home({**PARCELS, "positive": "late"})
    monitor = counted(home, {d: named(lost=d >= CHANGED) for d in range(DAYS)})
    one, said = remarks(home, monitor, now=NOW)
    lost = sum(there["lost"] for there in label_classes(home, monitor, now=NOW).foreign.values())
    assert one == ""
    assert said == f"{lost} labels of class `lost` since Sun 19 Jan 2025, 00:00, which the reference never had; it counts as not `late`"
    assert 0 < lost <= (DAYS - CHANGED) * 10
    (row,) = status(home, {"parcels": monitor}, now=NOW)
    assert (row.overview.new_classes, status_dict(row)["new_classes"], row.overview.state) == (said, said, "fine")
    assert f"- **parcels**: labels: {said}" in overview_markdown([row.overview])
    assert said in {f.what for f in check(home, now=NOW).findings}
    assert remarks(home, monitor, now=NOW + 60 * DAY)[1] == "", "what came long ago is not said for ever"


def test_a_positive_label_that_the_reference_never_had_is_no_new_class(make_home):
    def none_late(events: pa.Table, labels: pa.Table) -> tuple[pa.Table, pa.Table]:
        return events, labels.set_column(labels.column_names.index("was_late"), "was_late", pa.array(["on time"] * labels.num_rows))

    home = make_home({**PARCELS, "positive": "late"})
    monitor = counted(home, {d: none_late if d < 14 else named() for d in range(DAYS)})
    one, new = remarks(home, monitor, now=NOW)
    assert one.startswith("all 1,400 labels of the reference are negative; ")
    assert new == ""


@pytest.mark.parametrize("changes", [{"private": ["was_late"], "positive": "late"}, pytest.param({"positive": 1}, marks=pytest.mark.nightly)])
def test_texts_of_private_labels_and_of_true_and_false_are_not_kept(make_home, changes):
    home = make_home({**PARCELS, **changes})
    counted(home, {d: named() for d in range(DAYS)} if "private" in changes else {})
    features = home.lake.read(Profile.TABLE, columns=["feature"]).column("feature").to_pylist()
    assert "@label" not in features
    assert "@score" in features


def test_texts_are_kept_of_the_whole_alone_and_a_few(make_home):
    def numbered(events: pa.Table, labels: pa.Table) -> tuple[pa.Table, pa.Table]:
        texts = [f"t{i // 2}" for i in range(labels.num_rows)]
        return events, labels.set_column(labels.column_names.index("was_late"), "was_late", pa.array(texts))

    home = make_home({**PARCELS, "positive": "late"})
    counted(home, dict.fromkeys(range(DAYS), numbered))
    parts = home.lake.read(Profile.TABLE, where=pc.field("feature") == "@label")
    assert set(parts.column("segment").to_pylist()) == {""}
    assert set(parts.group_by("window_start").aggregate([("outcome", "count_distinct")])["outcome_count_distinct"].to_pylist()) == {20}


def test_a_lake_from_before_is_counted_again_by_itself(make_home):
    home = make_home({**PARCELS, "positive": "late"})
    monitor = counted(home, {d: named(lost=d >= CHANGED) for d in range(DAYS)})
    said = remarks(home, monitor, now=NOW)
    for table in (Profile.TABLE, Bins.TABLE):
        rows = home.lake.read(table)
        rows = rows.set_column(rows.column_names.index("bins"), rows.schema.field("bins"), pa.array(["older"] * rows.num_rows))
        if table == Profile.TABLE:
            rows = rows.filter(pc.not_equal(rows.column("feature"), "@label"))
        write_deltalake(DeltaTable(home.lake.uri(table)), rows, mode="overwrite")
    again = Home(home.root)
    assert remarks(again, monitor, now=NOW) == ("", "")
    profile(again, monitor, now=NOW)
    assert remarks(again, monitor, now=NOW) == said


def test_a_new_class_of_several_is_named_with_what_follows(make_home):
    def told(events: pa.Table, labels: pa.Table) -> tuple[pa.Table, pa.Table]:
        said = events.append_column("said", pc.if_else(pc.greater(events["p_late"], 0.5), "late", "on time"))
        return said, named()(events, labels)[1]

    def with_lost(events: pa.Table, labels: pa.Table) -> tuple[pa.Table, pa.Table]:
        return told(events, labels)[0], named(lost=True)(events, labels)[1]

    roles = {k: v for k, v in PARCELS["columns"].items() if k not in ("score", "prediction")}
    home = make_home({**PARCELS, "task": "multiclass", "columns": {**roles, "prediction": "said"}})
    monitor = counted(home, {d: with_lost if d >= CHANGED else told for d in range(DAYS)})
    one, said = remarks(home, monitor, now=NOW)
    lost = sum(there["lost"] for there in label_classes(home, monitor, now=NOW).foreign.values())
    assert one == ""
    assert said == f"{lost} labels of class `lost` since Sun 19 Jan 2025, 00:00, which the reference never had; averages over classes count it too"
