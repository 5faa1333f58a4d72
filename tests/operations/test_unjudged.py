"""A model that nobody can judge does not look like health: without labels, and with most of its rows in quarantine."""

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest

from conftest import PARCELS, new_home
from watchkeeper.adapters.workspace import load_monitor
from watchkeeper.operations.maturity import Maturity
from watchkeeper.operations.report import digest_of
from watchkeeper.operations.status import status
from watchkeeper.operations.trust import blind_text, is_most
from watchkeeper.operations.watch import watch
from watchkeeper.site.overview import overview_cells
from watchkeeper.windows import Window
from worlds import DAY, parcels_days

FIRST, DAYS = datetime(2025, 1, 1, tzinfo=UTC), 21
NOW = FIRST + 22 * DAY
WEEK = Window(FIRST + 12 * DAY, FIRST + 19 * DAY)
UNSTATED = PARCELS | {"labels": {k: v for k, v in PARCELS["labels"].items() if k != "mature_after"}}


def _as_logits(events: pa.Table, labels: pa.Table) -> tuple[pa.Table, pa.Table]:
    p = np.asarray(events.column("p_late"))
    return events.set_column(events.column_names.index("p_late"), "p_late", pa.array(np.log(p / (1 - p)))), labels


def watched(root, monitor, *, has_labels=True, change=None):
    home = new_home(root / "home", monitor)
    parcels_days(home.root, FIRST.date(), DAYS, rows=60, change=change)
    for file in () if has_labels else home.root.glob("inbox/delivered-*"):
        file.unlink()
    watch(home, now=NOW)
    loaded = load_monitor(home, "parcels")
    return status(home, {"parcels": loaded}, now=NOW)[0].overview, digest_of(home, loaded, WEEK, now=NOW, period="week")


@pytest.mark.parametrize(("monitor", "so_far"), [(UNSTATED, " (provisional)"), (PARCELS, "")], ids=["nobody knows when labels are due", "after 36 h"])
def test_a_model_without_any_label_is_not_judged(tmp_path, monitor, so_far):
    row, digest = watched(tmp_path, monitor, has_labels=False)
    assert (row.state, overview_cells(row)["state"], row.needs_somebody) == ("unjudged", "not judged", True)
    assert row.reason.startswith("no label of its predictions has come, so that nobody knows how good it is")
    assert f": not judged{so_far}. No label of its predictions has come" in digest.headline
    assert "Nothing needs you" not in digest.text
    assert "see that labels are delivered" in digest.text.split("**Next:**")[1]


def test_a_model_most_of_whose_rows_are_in_quarantine_is_not_quiet(tmp_path):
    row, digest = watched(tmp_path, PARCELS, change=dict.fromkeys(range(DAYS), _as_logits))
    assert row.state == "behind"
    assert "of 420 predictions of the latest week are in quarantine, and in no number" in row.reason
    assert ": most rows set aside" in digest.headline
    assert "of 420 predictions are in quarantine, and in no figure" in digest.headline
    assert "Nothing needs you" not in digest.text
    assert "quarantine release" in digest.text.split("**Next:**")[1]


def test_a_model_whose_labels_come_is_judged(tmp_path):
    row, digest = watched(tmp_path, PARCELS)
    assert (row.state in ("behind", "unjudged"), row.reason) == (False, "")
    assert "not judged" not in digest.text


def test_labels_that_came_and_are_not_known_to_be_all_are_told_as_such():
    due = Maturity("unknown", why="labels of the reference still come")
    assert blind_text(due, [0.0, 0.4]) == "no number of its quality is final: labels of the reference still come"
    assert blind_text(Maturity("stated", DAY), [0.0, 0.4]) == ""
    assert blind_text(Maturity("none"), []) == ""


def test_half_of_the_rows_are_not_most():
    assert (is_most(10, 10), is_most(11, 10), is_most(0, 0)) == (False, True, False)
