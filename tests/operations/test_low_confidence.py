"""How unsure a model was is measured from its outputs: with labels, and without any; the lists of rows say the same."""

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest

from conftest import PARCELS, new_home
from watchkeeper.adapters.workspace import load_monitor
from watchkeeper.measures.confidence import near
from watchkeeper.operations.bins_in_force import layout
from watchkeeper.operations.explain import explain
from watchkeeper.operations.listing import Wanted, silence
from watchkeeper.operations.pick import pick
from watchkeeper.operations.rollup import threshold_of
from watchkeeper.operations.watch import watch
from watchkeeper.records import IncidentEvent, Score, Signal
from watchkeeper.site.explanation import explanation_lines
from watchkeeper.windows import Window
from worlds import DAY, parcels_days

FIRST = datetime(2025, 1, 1, tzinfo=UTC)
NOW = FIRST + 18 * DAY
ODD_DAY = 16
BARE = {k: v for k, v in PARCELS.items() if k != "labels"}
NAMES = {"low_confidence_ratio", "entropy"}


def _unsure(events: pa.Table, labels: pa.Table) -> tuple[pa.Table, pa.Table]:
    """A day on which every score is near one half, and decided by the same threshold."""
    score = 0.5 + (np.arange(events.num_rows) % 9 - 4) * 0.01
    for name, values in (("p_late", score), ("is_late", (score >= 0.5).astype(int))):
        place = events.column_names.index(name)
        events = events.set_column(place, name, pa.array(values).cast(events.column(name).type))
    return events, labels


def scores_of(home) -> dict[tuple[str, str, int], Score]:
    found = [s for s in home.lake.newest(Score) if s.metric in NAMES and s.version == ""]
    return {(s.metric, s.segment, (s.window_start - FIRST) // DAY): s for s in found}


@pytest.fixture(scope="module", params=["with labels", "without"])
def home(request, tmp_path_factory):
    place = new_home(tmp_path_factory.mktemp("unsure") / "home", PARCELS if request.param == "with labels" else BARE)
    parcels_days(place.root, FIRST.date(), 18, rows=150, change={ODD_DAY: _unsure})
    watch(place, now=NOW)
    return place


def test_each_window_and_segment_says_how_unsure_the_model_was(home):
    found = scores_of(home)
    for name in NAMES:
        usual, odd = found[name, "", ODD_DAY - 1], found[name, "", ODD_DAY]
        assert (usual.state, odd.state, odd.direction) == ("done", "done", "lower_is_better")
        assert odd.low <= odd.value <= odd.high
        assert odd.n == 150
        assert usual.reference_value == pytest.approx(usual.value, abs=0.15)
        assert odd.value > usual.value
        segments = {segment for metric, segment, d in found if metric == name and d == ODD_DAY and segment}
        assert len(segments) > 1
        assert sum(found[name, s, ODD_DAY].n for s in segments) == 150
    assert found["entropy", "", ODD_DAY].value == pytest.approx(np.log(2), abs=0.005)


def test_a_day_of_unsure_scores_is_a_notice_and_no_page(home):
    told = [s for s in home.lake.newest(Signal) if s.metric == "low_confidence_ratio"]
    assert [((s.window_start - FIRST) // DAY, s.level, s.segment) for s in told] == [(ODD_DAY, "notice", "")]


def test_the_listed_rows_count_as_the_score_says(home):
    monitor = load_monitor(home, "parcels")
    window = Window(FIRST + ODD_DAY * DAY, FIRST + (ODD_DAY + 1) * DAY)
    rows = pick(home, monitor, "low_confidence", now=NOW, window=window, limit=1000)
    threshold = threshold_of(home, monitor, now=NOW)
    assert 0.4 < threshold.value < 0.6, "parcels are decided at one half, which the reference's decisions tell"
    is_near = near(np.array([r.score for r in rows]), threshold.value)
    assert is_near.mean() == scores_of(home)["low_confidence_ratio", "", ODD_DAY].value
    assert [r.margin for r in rows] == sorted(abs(r.score - threshold.value) for r in rows)
    said = dict(explanation_lines(monitor, explain(home, monitor, rows[0].id, now=NOW)))["Score"]
    assert said.endswith(": low confidence")


def test_it_pages_nobody_by_itself(home):
    assert not [e for e in home.lake.newest(IncidentEvent) if "confidence" in e.headline or "entropy" in e.headline]


def test_classes_without_labels_are_measured_from_their_probabilities(tmp_path):
    columns = {"id": "parcel", "time": "sent_at", "prediction": "is_late", "probabilities": {"1": "p_late", "0": "p_fine"}}
    home = new_home(tmp_path / "home", {**BARE, "task": "multiclass", "columns": columns})
    add = {d: (lambda e, t: (e.append_column("p_fine", pa.array(1 - np.asarray(e["p_late"], float))), t)) for d in range(16)}
    parcels_days(home.root, FIRST.date(), 16, rows=80, change=add)
    watch(home, now=NOW)
    found = scores_of(home)
    assert found["entropy", "", 15].state == "done"
    assert found["entropy", "", 15].reference_value is not None
    assert 0 <= found["low_confidence_ratio", "", 15].value <= 1
    drift = [s for s in home.lake.newest(Score) if s.metric == "psi" and s.segment]
    assert {s.feature for s in drift} == {"@prediction"}, "what was decided is followed in each segment"
    assert len({s.segment for s in drift}) > 1


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"private": ["p_late"]}, "needs `columns.score` in the monitor file, none of them private"),
        ({"columns": {k: v for k, v in PARCELS["columns"].items() if k != "score"}}, "needs `columns.score`"),
    ],
)
def test_a_private_score_and_none_are_not_told(tmp_path, change, why):
    home = new_home(tmp_path / "home", {**BARE, **change})
    parcels_days(home.root, FIRST.date(), 16, rows=30)
    watch(home, now=NOW)
    assert scores_of(home) == {}
    wanted = Wanted(metrics=frozenset({"entropy"}))
    assert why in silence(home, load_monitor(home, "parcels"), wanted, now=NOW)


def test_only_models_that_gain_something_are_profiled_again(tmp_path):
    """A model with labels and one without a score keep the parts they have."""
    no_score = {**BARE, "columns": {k: v for k, v in PARCELS["columns"].items() if k != "score"}}
    told = {name: layout(load_monitor(new_home(tmp_path / name, m), "parcels")) for name, m in (("a", PARCELS), ("b", no_score), ("c", BARE))}
    assert ["how unsure" in told[name] for name in "abc"] == [False, False, True]
