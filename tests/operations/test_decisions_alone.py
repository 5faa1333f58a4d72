"""A binary model that logs decisions and no probabilities: numbers of decisions are measured, and those of scores say why they are not."""

from datetime import UTC, datetime

import numpy as np
import pytest

from conftest import PARCELS, new_home
from watchkeeper.adapters.workspace import load_monitor
from watchkeeper.errors import UsageError
from watchkeeper.judgement.honesty import told_by
from watchkeeper.operations.bins_in_force import layout
from watchkeeper.operations.pick import pick
from watchkeeper.operations.report import report
from watchkeeper.operations.watch import watch
from watchkeeper.profiles.labelled import Labelled
from watchkeeper.profiles.losses import losses
from watchkeeper.records import Score
from worlds import DAY, parcels_days

FIRST = datetime(2025, 1, 1, tzinfo=UTC)
NOW = FIRST + 21 * DAY
OF_SCORES = {"log_loss", "brier", "roc_auc", "average_precision", "calibration_gap", "calibration_error", "score_mean"}
OF_DECISIONS = {"accuracy", "balanced_accuracy", "precision", "recall", "specificity", "f1", "matthews", "flagged_ratio", "positive_rate"}
DECIDES = PARCELS | {"columns": {k: v for k, v in PARCELS["columns"].items() if k != "score"}, "features": ["weight_kg"]}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    place = new_home(tmp_path_factory.mktemp("decides") / "home", DECIDES)
    parcels_days(place.root, FIRST.date(), 20, rows=150)
    watch(place, now=NOW)
    return place


def test_what_takes_a_score_is_not_evaluated_and_says_so(home):
    found = [s for s in home.lake.newest(Score) if not s.segment and not s.version and s.metric in OF_SCORES | OF_DECISIONS]
    assert {s.metric for s in found} == OF_SCORES | OF_DECISIONS
    for score in found:
        if score.metric in OF_SCORES:
            assert (score.state, score.value, score.reason) == ("not_evaluated", None, "no scores were logged"), score.metric
        else:
            assert score.value is not None, score.metric


def test_nothing_is_estimated_from_decisions(home):
    found = [s for s in home.lake.newest(Score) if s.metric.startswith("estimated_") or s.metric.endswith(("accuracy_gap", "log_loss_gap"))]
    assert found
    assert {(s.state, s.value) for s in found} == {("not_evaluated", None)}
    assert {s.reason for s in found if not s.version} == {"no scores were logged in the reference, and an estimate is made of scores"}


def test_the_digest_leads_with_the_decisions(home):
    monitor = load_monitor(home, "parcels")
    told = [digest.text for digest in report(home, {"parcels": monitor}, now=NOW + 7 * DAY)]
    assert told
    assert all(": quiet. accuracy " in text and "log loss" not in text and "model expected" not in text for text in told)


def test_nobody_knows_how_sure_it_was(home):
    monitor = load_monitor(home, "parcels")
    with pytest.raises(UsageError, match=r"logs its decisions and no probabilities.*columns\.score"):
        pick(home, monitor, "low_confidence", now=NOW)
    wrong = pick(home, monitor, "wrong", now=NOW)
    assert wrong
    assert {(p.score, p.margin, p.error) for p in wrong} == {(None, None, 1.0)}


def test_losses_by_input_are_wrong_decisions(home):
    monitor = load_monitor(home, "parcels")
    rows = Labelled(np.full(3, np.nan), np.array([1, 0, -1]), np.array([1.0, 1.0, 0.0]), is_scored=not monitor.decides_alone)
    assert losses("binary", rows).loss.tolist()[:2] == [0.0, 1.0]
    assert np.isnan(losses("binary", rows).loss[2])


def test_a_reference_of_training_rows_is_told_by_decisions(home):
    assert told_by(load_monitor(home, "parcels")) == "balanced_accuracy"


def test_lakes_whose_decisions_were_counted_as_scores_are_profiled_again(home, make_home):
    scored = load_monitor(make_home(PARCELS, name="scored"), "parcels")
    assert "decisions are no scores" in layout(load_monitor(home, "parcels"))
    assert "decisions are no scores" not in layout(scored)
