"""A feed of labels that died is no health: it pages, the digest says so, and labels that come after all end it."""

from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conftest import PARCELS, new_home
from watchkeeper.adapters.workspace import load_monitor
from watchkeeper.judgement.incidents import Incident, fold
from watchkeeper.operations.report import digest_of
from watchkeeper.operations.status import status
from watchkeeper.operations.watch import watch
from watchkeeper.records import IncidentEvent
from watchkeeper.windows import Window
from worlds import DAY, parcels_days

FIRST = datetime(2025, 1, 1, tzinfo=UTC)
NOW = FIRST + 30 * DAY


@pytest.fixture(scope="module")
def dead(tmp_path_factory):
    """Twenty-eight days of parcels, of whose last eight no label came."""
    home = new_home(tmp_path_factory.mktemp("labels") / "home", PARCELS)
    parcels_days(home.root, FIRST.date(), 28, rows=120)
    for day in range(21, 29):
        (home.root / "inbox" / f"delivered-2025-01-{day}.parquet").rename(home.root / f"late-{day}.parquet")
    watch(home, now=NOW)
    return home


def incidents(home) -> list[Incident]:
    return [i for i in fold(home.lake.newest(IncidentEvent)) if i.subject == "missing labels"]


def test_it_is_one_incident_that_says_what_is_missing_and_what_to_do(dead):
    (found,) = incidents(dead)
    assert found.is_open
    assert found.severity == "high"
    assert found.headline.startswith("no labels came for the ")
    assert found.headline.endswith(", usually for 100 % of them")
    assert found.story.causes[0].subject == "labels no longer arrive"
    assert "whether labels are still delivered" in found.story.next_steps[0]


def test_the_week_is_not_called_quiet(dead):
    told = digest_of(dead, load_monitor(dead, "parcels"), Window(FIRST + 19 * DAY, FIRST + 26 * DAY), now=NOW, period="week")
    assert "quiet" not in told.text
    assert "no labels came" in told.text


def test_status_tells_the_share_of_labels_that_are_due(dead):
    (row,) = status(dead, {"parcels": load_monitor(dead, "parcels")}, now=NOW)
    assert row.overview.label_coverage == 0.0
    assert row.overview.state != "fine"


def test_labels_that_come_after_all_take_it_back(dead):
    for late in dead.root.glob("late-*.parquet"):
        late.rename(dead.root / "inbox" / f"delivered-{late.stem}.parquet")
    watch(dead, now=NOW + DAY)
    (found,) = incidents(dead)
    assert not found.is_open
    (row,) = status(dead, {"parcels": load_monitor(dead, "parcels")}, now=NOW + DAY)
    assert row.overview.label_coverage == pytest.approx(1.0)


def test_files_that_were_refused_whole_are_named_and_not_the_feed(tmp_path):
    """Of one day the events are cut off, of eight days the labels: the day's rows and the days' labels are missing."""
    home = new_home(tmp_path / "home", PARCELS)
    parcels_days(home.root, FIRST.date(), 28, rows=120)
    torn = [home.root / "inbox" / "parcels-2025-01-20.parquet", *(home.root / "inbox" / f"delivered-2025-01-{day}.parquet" for day in range(21, 29))]
    for file in torn:
        file.write_bytes(file.read_bytes()[:400])
    watch(home, now=NOW)
    rows, labels = (next(i for i in fold(home.lake.newest(IncidentEvent)) if i.subject == f"missing {what}") for what in ("rows", "labels"))
    assert rows.story.causes[0].subject.startswith("parcels-2025-01-20.parquet was refused whole (")
    assert labels.headline.startswith("no labels landed for the ")
    assert labels.story.causes[0].subject.startswith("delivered-2025-01-2")
    assert labels.story.causes[0].subject.endswith(", and 7 more files")
    assert "`watchkeeper quarantine list` shows the file and why" in labels.story.next_steps[0]
    assert "Set aside" not in dict(labels.story.facts)
    told = digest_of(home, load_monitor(home, "parcels"), Window(NOW - 6 * DAY, NOW + DAY), now=NOW, period="week")
    assert "0 rows quarantined. 9 files refused whole: `watchkeeper quarantine list` says why." in told.text


def test_labels_that_came_and_were_set_aside_are_not_said_never_to_have_come(tmp_path):
    """Of the last eight days the truth is coded otherwise, and is in no class."""
    home = new_home(tmp_path / "home", PARCELS)
    parcels_days(home.root, FIRST.date(), 28, rows=120)
    for day in range(21, 29):
        file = home.root / "inbox" / f"delivered-2025-01-{day}.parquet"
        labels = pq.read_table(file)
        name = "was_late"
        pq.write_table(labels.set_column(labels.column_names.index(name), name, pa.array([7] * labels.num_rows)), file)
    watch(home, now=NOW)
    (found,) = incidents(home)
    assert found.headline.startswith("no labels landed for the ")
    assert found.story.causes[0].subject.startswith("labels were set aside: ")
    assert "`watchkeeper quarantine list` shows the rows" in found.story.next_steps[0]
