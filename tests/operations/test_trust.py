"""A reference of rows that the model was trained on pages nobody, and is named wherever people look."""

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest

from conftest import PARCELS, new_home
from watchkeeper.adapters.workspace import load_monitor
from watchkeeper.judgement.incidents import fold
from watchkeeper.operations.check import check
from watchkeeper.operations.report import digest_of
from watchkeeper.operations.status import status
from watchkeeper.operations.trust import reference_doubt
from watchkeeper.operations.watch import watch
from watchkeeper.records import IncidentEvent, Signal
from watchkeeper.reference import Reference
from watchkeeper.site.overview import overview_cells
from watchkeeper.windows import Window
from worlds import DAY, parcels_days

FIRST = datetime(2025, 1, 1, tzinfo=UTC)
NOW = FIRST + 34 * DAY


def _known_by_heart(events: pa.Table, labels: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Scores as a model gives them to rows it was trained on."""
    score, truth = np.asarray(events.column("p_late")), np.asarray(labels.column("was_late").to_pylist())
    near = np.clip(0.35 * score + 0.65 * truth, 0.01, 0.99)
    return events.set_column(events.column_names.index("p_late"), "p_late", pa.array(near)), labels


@pytest.fixture(scope="module")
def homes(tmp_path_factory):
    """One workspace whose reference is in-sample, and one with honest scores and four bad days."""
    made = {}
    for name, change in (("in-sample", dict.fromkeys(range(14), _known_by_heart)), ("honest", {})):
        home = made[name] = new_home(tmp_path_factory.mktemp(name) / "home", PARCELS)
        parcels_days(home.root, FIRST.date(), 32, rows=150, late=dict.fromkeys(range(24, 28), 0.6), change=change)
        watch(home, now=NOW)
    return made


def pages(home) -> list[str]:
    return [s.metric for s in home.lake.newest(Signal, as_of=NOW) if s.level == "page" and s.family in ("kpi", "segment") and s.state != "withdrawn"]


def test_an_in_sample_reference_pages_nobody_by_what_is_usual(homes):
    home = homes["in-sample"]
    assert pages(home) == []
    assert [i for i in fold(home.lake.newest(IncidentEvent)) if i.family in ("kpi", "segment")] == []


def test_it_is_named_in_status_check_and_digest(homes):
    home = homes["in-sample"]
    monitor = load_monitor(home, "parcels")
    said = reference_doubt(home, monitor, now=NOW)
    assert said.startswith("not judged by what is usual: AUC is 1.00 in the reference and 0.7")
    (row,) = status(home, {"parcels": monitor}, now=NOW)
    assert said in row.overview.reason
    assert any(said in f.what for f in check(home, now=NOW).findings)
    told = digest_of(home, monitor, Window(FIRST + 19 * DAY, FIRST + 26 * DAY), now=NOW, period="week")
    assert "not judged" in told.text
    assert "**Next:** give the reference out-of-fold scores, or let `reference` in the monitor file name another one" in told.text


def test_an_honest_reference_is_believed_and_bad_days_page(homes):
    home = homes["honest"]
    assert reference_doubt(home, load_monitor(home, "parcels"), now=NOW) == ""
    assert "calibration_gap" in pages(home)


@pytest.mark.parametrize(
    ("reference", "then"),
    [
        ({"from": "2024-06-01", "to": "2024-07-01"}, "let `reference` in the monitor file name days of which there are rows."),
        ({"from": "2026-06-01", "to": "2026-07-01"}, "wait until the reference ends on 2026-07-01"),
    ],
    ids=["long ago", "yet to come"],
)
def test_a_reference_moved_to_days_without_rows_is_told_where_people_look(homes, reference, then):
    home = homes["honest"]
    monitor = load_monitor(home, "parcels")
    moved = monitor.model_copy(update={"reference": Reference.model_validate(reference)})
    (row,) = status(home, {"parcels": moved}, now=NOW)
    assert "nothing is judged: the reference" in row.overview.reason
    assert row.overview.state != "fine"
    told = digest_of(home, moved, Window(FIRST + 12 * DAY, FIRST + 19 * DAY), now=NOW, period="week")
    assert f"**Next:** {then}" in told.text


def test_the_state_has_one_name_and_the_digest_tells_no_estimate_by_such_a_reference(homes):
    home = homes["in-sample"]
    monitor = load_monitor(home, "parcels")
    (row,) = status(home, {"parcels": monitor}, now=NOW)
    assert overview_cells(row.overview)["state"] == "not judged"
    told = digest_of(home, monitor, Window(FIRST + 19 * DAY, FIRST + 26 * DAY), now=NOW, period="week")
    assert ": not judged" in told.headline
    assert "scores alone" not in told.text
    assert "log loss" in told.text
