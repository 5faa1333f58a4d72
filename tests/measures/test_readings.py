"""Each number of a window is a score with a state; where there is no number, the score says why."""

from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from measure_world import NAN, counted, decided, scanned
from watchkeeper.measures import catalogue
from watchkeeper.measures.frame import Frame, by_segment
from watchkeeper.measures.gap_to_rest import GAP_TO_REST
from watchkeeper.measures.readings import readings
from watchkeeper.profiles.bins import fit_category, fit_numeric
from watchkeeper.profiles.counted import of_rows
from watchkeeper.profiles.counts import Counts, add
from watchkeeper.profiles.grids import latency_cells
from watchkeeper.profiles.labelled import SCORE, Labelled, pieces
from watchkeeper.profiles.parts import FEATURE, LABEL, PAIR, SERVICE
from watchkeeper.profiles.scan import Numbers, of_category
from watchkeeper.records import Score
from watchkeeper.windows import Window

DAY = datetime(2024, 1, 1, tzinfo=UTC)
RNG = np.random.default_rng(0)
CARRIERS = ("carrier=AA", "carrier=VX")
FITTED = {
    "distance": fit_numeric("distance", RNG.normal(size=3000)),
    "town": fit_category("town", {"ulm": 800, "bonn": 200}),
    SCORE: fit_numeric(SCORE, RNG.random(3000)),
}


def sums_of(n: int, *, seed: int = 1, known: float = 1.0, more_often_on_vx: float = 0.0, latency: bool = False):
    """Return the sums of n rows by segment: a third of them are VX's, a share of labels has come."""
    rng = np.random.default_rng(seed)
    score, carrier = rng.random(n), (rng.random(n) < 1 / 3).astype(np.int64)
    truth = (rng.random(n) < score + more_often_on_vx * carrier).astype(float)
    rows = Labelled(score, decided(score), np.where(rng.random(n) < known, truth, NAN))
    nothing, one = np.zeros(n, bool), np.zeros(n, np.int64)
    found = {("", FEATURE, "distance", ""): counted(FITTED["distance"], rng.normal(size=n))}
    found["", FEATURE, "town", ""] = scanned(of_category("town", FITTED["town"]), pa.array(["ulm"] * n))[0]
    for segments, group, coarse in (([""], one, False), (CARRIERS, carrier, True)):
        for name, part in zip(segments, scanned(Numbers(SCORE, FITTED[SCORE]), pa.array(score), group, len(segments), coarse=coarse), strict=True):
            found[name, FEATURE, SCORE, ""] = part
        for piece in pieces("binary", rows):
            for name, part in zip(segments, piece.count(group, len(segments)).each(), strict=True):
                if part.n:
                    found[name, LABEL, piece.feature, piece.outcome] = part
    if latency:
        found["", SERVICE, "@latency", ""] = of_rows(latency_cells(np.full(n, 20.0)), None, nothing, one, 1).of(0)
        found["", SERVICE, "@status", ""] = of_rows(one, None, nothing, one, 1).of(0)
        found["", SERVICE, "@minute", ""] = of_rows(one, None, nothing, one, 1).of(0)
        for name in ("@queue_time", "@input_tokens", "@output_tokens"):
            found["", SERVICE, name, ""] = of_rows(latency_cells(np.full(n, 5.0)), np.full(n, 5.0), nothing, one, 1).of(0)
    return by_segment(found.items())


FRAME = Frame(
    model="flights",
    task="binary",
    window=Window(DAY, DAY + timedelta(days=1)),
    grain="day",
    bins="b1",
    fitted=FITTED,
    reference="r1",
    reference_sums=sums_of(3000, seed=2),
    is_mature=True,
    has_labels=True,
    now=DAY + timedelta(days=3),
)


def read(sums, **frame) -> dict[tuple[str, str, str], Score]:
    """Return the window's scores by (metric, feature, segment); none comes twice."""
    found: dict[tuple[str, str, str], list[Score]] = defaultdict(list)
    for score in readings(replace(FRAME, usual={}, **frame), sums):
        found[score.metric, score.feature, score.segment].append(score)
    assert all(len(scores) == 1 for scores in found.values())
    return {key: scores[0] for key, scores in found.items()}


def test_every_stored_metric_of_the_task_and_of_each_feature_is_read():
    found = read(sums_of(2000, latency=True))
    wanted = {(m.name, "", "") for m in (*catalogue.of("binary"), *catalogue.of("service"))}
    wanted |= {(name, feature, "") for name in ("psi", "null_ratio") for feature in FITTED}
    wanted |= {(name, feature, "") for name in ("loc", "spread") for feature in FITTED if feature != "town"}
    wanted |= {(name, "town", "") for name in ("unseen_ratio", "exchanged_ratio", "vanished_categories", "share_shift")}
    wanted |= {("segment_shift", feature, "") for feature in FITTED if not feature.startswith("@")}
    assert {key for key in found if not key[2]} == wanted


@pytest.mark.parametrize(
    ("segments", "measured"),
    [
        (["carrier=AA", "carrier=VX"], {"distance", "town"}),
        (["carrier=AA", "town=ulm"], {"distance", "town", "carrier"}),
        (["carrier=AA&town=ulm"], {"distance"}),
    ],
    ids=["of one column", "of two", "of a pair"],
)
def test_how_a_column_moved_is_not_asked_of_its_own_segments(segments, measured):
    """All rows of `carrier=AA` have that carrier: whatever becomes of the others moves its share there against the rest."""
    fitted = FITTED | {"carrier": fit_category("carrier", {"AA": 600, "VX": 400})}

    def of(carriers: dict[str, int]):
        parts = {("", FEATURE, "distance", ""): counted(fitted["distance"], np.zeros(sum(carriers.values())))}
        parts["", FEATURE, "town", ""] = scanned(of_category("town", fitted["town"]), pa.array(["ulm"] * sum(carriers.values())))[0]
        for segment, counts in (("", carriers), *((s, {"AA": carriers["AA"]}) for s in segments)):
            column = pa.array([name for name, n in counts.items() for _ in range(n)])
            parts[segment, FEATURE, "carrier", ""] = scanned(of_category("carrier", fitted["carrier"]), column)[0]
        return by_segment(parts.items())

    found = read(of({"AA": 600}), fitted=fitted, reference_sums=of({"AA": 600, "VX": 400}), metrics={"segment_shift"})
    assert {feature for _, feature, _ in found} == measured


def test_correlations_of_pairs_are_read_when_asked_for_beside_the_reference_s():
    sums = Counts(n=100, cells=np.arange(5, 10), counts=np.full(5, 90), sums=np.array([45.0, 0.0, 0.0, 90.0, 90.0]))
    usual = Counts(n=400, cells=np.arange(5, 10), counts=np.full(5, 400), sums=np.array([80.0, 0.0, 0.0, 400.0, 400.0]))
    asked = {"pairs": [("distance", "weight"), ("distance", "age")], "metrics": {"correlation"}}
    found = read({"": {(PAIR, "", ""): sums}}, reference_sums={"": {(PAIR, "", ""): usual}}, **asked)
    assert set(found) == {("correlation", "distance*weight", ""), ("correlation", "distance*age", "")}
    score = found["correlation", "distance*age", ""]
    assert (score.state, score.value, score.n, score.reference_value, score.reference) == ("done", 0.5, 90, 0.2, "r1")
    assert score.low < 0.5 < score.high
    assert found["correlation", "distance*weight", ""].state == "insufficient"
    stored = read({"": {(PAIR, "", ""): sums}}, reference_sums={"": {(PAIR, "", ""): usual}}, pairs=asked["pairs"])
    assert {k for k in stored if k[0] == "correlation"} == set(found)


def test_segments_have_their_score_their_kpis_and_their_gap_to_the_rest():
    found = read(sums_of(2000))
    metrics = {m.name for m in catalogue.CATALOGUE if m.in_segments and m.subject in ("binary", "feature")} | {"rows", GAP_TO_REST.name}
    for segment in CARRIERS:
        assert {metric for metric, _, s in found if s == segment} == metrics
        assert {feature for _, feature, s in found if s == segment} == {"", SCORE}


def test_mature_labels_make_mature_kpis_and_what_needs_none_is_done():
    found = read(sums_of(2000))
    assert found["roc_auc", "", ""].state == "mature"
    assert found["score_mean", "", ""].state == "done"
    assert found["psi", "distance", ""].state == "done"
    assert found["rows", "", ""].state == "done"
    assert found["rows", "", ""].value == 2000


def test_before_its_labels_are_due_a_kpi_is_provisional_with_coverage_and_worst_cases():
    found = read(sums_of(2000, known=0.7), is_mature=False)
    recall = found["recall", "", ""]
    assert recall.state == "provisional"
    assert recall.coverage == pytest.approx(0.7, abs=0.05)
    assert recall.bound_low < recall.value < recall.bound_high
    auc = found["roc_auc", "", ""]
    assert auc.bound_low < auc.value < auc.bound_high
    assert found["matthews", "", ""].bound_low is None


def test_a_mature_kpi_has_coverage_but_no_worst_cases():
    recall = read(sums_of(2000, known=0.7))["recall", "", ""]
    assert (recall.state, recall.bound_low, recall.bound_high) == ("mature", None, None)
    assert recall.coverage == pytest.approx(0.7, abs=0.05)


def test_of_a_window_that_goes_on_no_number_is_final():
    found = read(sums_of(2000), is_mature=False, grain="week", window=Window(DAY, DAY + timedelta(days=7)))
    numbers = [s for s in found.values() if s.value is not None]
    assert {s.state for s in numbers} == {"provisional"}
    assert {s.reason.split("; ")[0] for s in numbers} == {"the week is not over"}
    ended = read(sums_of(2000), grain="week", window=Window(DAY - timedelta(days=4), DAY + timedelta(days=3)))
    assert not any("not over" in s.reason for s in ended.values())


def test_too_few_rows_are_insufficient_and_say_how_many_are_needed():
    found = read(sums_of(12))
    psi, auc = found["psi", "distance", ""], found["roc_auc", "", ""]
    assert (psi.state, psi.value, psi.n) == ("insufficient", None, 12)
    assert psi.reason == "12 rows, at least 100 are needed"
    assert (auc.state, auc.reason) == ("insufficient", "12 labelled rows, at least 50 are needed")


def test_no_labels_at_all_leave_worst_cases_and_what_needs_no_labels():
    found = read(sums_of(500, known=0.0), is_mature=False)
    recall = found["recall", "", ""]
    assert (recall.state, recall.value, recall.coverage) == ("insufficient", None, 0.0)
    assert (recall.bound_low, recall.bound_high) == (0.0, 1.0)
    assert found["label_coverage", "", ""].value == 0.0
    assert found["score_mean", "", ""].value == pytest.approx(0.5, abs=0.05)


def test_a_number_that_is_undefined_is_not_evaluated_and_says_why():
    sums = sums_of(500)
    lost = {s: {k: c for k, c in parts.items() if k[2] != "1"} for s, parts in sums.items()}
    found = read(lost)
    assert (found["roc_auc", "", ""].state, found["roc_auc", "", ""].reason) == ("not_evaluated", "one class only")
    assert (found["recall", "", ""].state, found["recall", "", ""].reason) == ("not_evaluated", "no positives")


def test_a_feature_that_is_absent_from_a_window_is_not_evaluated_and_the_others_are():
    sums = sums_of(2000)
    sums[""] = {k: c for k, c in sums[""].items() if k[1] != "distance"}
    found = read(sums)
    assert found["psi", "distance", ""].state == "not_evaluated"
    assert found["psi", "distance", ""].reason == "column distance is absent from this window's events"
    assert found["psi", "town", ""].state == "done"


def test_a_feature_of_nulls_alone_has_a_null_ratio_and_no_drift():
    sums = sums_of(400)
    nulls = scanned(Numbers("distance", FITTED["distance"]), pa.nulls(400, pa.float64()))[0]
    sums[""][FEATURE, "distance", ""] = nulls
    found = read(sums)
    assert found["null_ratio", "distance", ""].value == 1.0
    assert found["psi", "distance", ""].state == "insufficient"


def test_an_empty_window_has_no_rows_and_a_reason_for_every_other_number():
    found = read({})
    assert (found["rows", "", ""].value, found["rows", "", ""].state) == (0.0, "done")
    others = {key: score for key, score in found.items() if key != ("rows", "", "")}
    assert {s.state for s in others.values()} == {"insufficient", "not_evaluated"}
    assert all(s.reason and s.value is None for s in others.values())


def test_every_score_either_has_a_number_or_says_why_not():
    for sums in (sums_of(2000), sums_of(30, known=0.5), sums_of(1), {}):
        for score in read(sums, is_mature=False).values():
            assert (score.value is None) == (score.state in ("insufficient", "not_evaluated"))
            assert score.value is not None or score.reason


def test_scores_name_whose_they_are_where_and_against_what():
    score = read(sums_of(2000), version="v7", environment="staging")["psi", "distance", ""]
    assert (score.model, score.version, score.environment, score.grain) == ("flights", "v7", "staging", "day")
    assert (score.window_start, score.window_end, score.computed_at) == (DAY, DAY + timedelta(days=1), FRAME.now)
    assert (score.reference, score.bins, score.reference_value) == ("r1", "b1", 0.0)


def test_without_a_reference_drift_is_not_evaluated_and_kpis_are_measured():
    found = read(sums_of(2000), reference_sums={})
    assert (found["psi", "distance", ""].state, found["psi", "distance", ""].reason) == ("not_evaluated", "the reference has no values")
    assert found["log_loss", "", ""].value is not None
    assert found["log_loss", "", ""].reference_value is None


def test_metrics_asked_for_by_name_are_read_stored_or_not():
    found = read(sums_of(2000), metrics={"wasserstein", "recall"})
    assert {metric for metric, *_ in found} == {"wasserstein", "recall"}
    assert {feature for metric, feature, _ in found if metric == "wasserstein"} == {"distance", SCORE}


def test_a_model_without_labels_has_no_kpis_but_how_unsure_it_was():
    found = read(sums_of(2000, known=0.0), has_labels=False, reference_sums=sums_of(3000, seed=2, known=0.0))
    others = {m.name for m in catalogue.CATALOGUE if m.family != "performance"}
    assert {metric for metric, *_ in found} - others == {"low_confidence_ratio", "entropy"}
    score = found["low_confidence_ratio", "", CARRIERS[0]]
    assert (score.state, score.coverage) == ("done", None)
    assert score.low < score.value < score.high
    assert score.reference_value == pytest.approx(0.1, abs=0.02), "scores are uniform"


def test_a_model_that_logs_its_decisions_turns_at_the_threshold_its_reference_tells():
    """Half of uniform scores are flagged: the threshold is a half, whatever the monitor's default is."""
    told, learned = (read(sums_of(4000), threshold=t)["low_confidence_ratio", "", ""] for t in (0.5, None))
    assert learned.value == pytest.approx(told.value, abs=0.003)
    nothing = read(sums_of(4000), threshold=None, reference_sums={})["low_confidence_ratio", "", ""]
    assert nothing.state == "not_evaluated"
    assert "no threshold is known" in nothing.reason
    entropy = read(sums_of(4000), threshold=None, reference_sums={})["entropy", "", ""]
    assert entropy.state == "done", "it needs no threshold"


def test_a_model_without_chances_is_not_said_to_be_unsure():
    assert not {"low_confidence_ratio", "entropy"} & {metric for metric, *_ in read(sums_of(2000), gives_chances=False)}


def test_scores_that_are_no_probabilities_are_said_to_count_as_the_ends():
    sums = sums_of(2000)
    sums[""][FEATURE, SCORE, ""] = replace(sums[""][FEATURE, SCORE, ""], high=1.2)
    assert read(sums)["entropy", "", ""].reason == "scores outside [0, 1] count as its ends"


def test_what_was_never_counted_is_no_zero():
    """Parts of multiclass models from before this was counted, and a window without rows."""
    for sums in ({}, {"": {}}):
        assert read(sums)["low_confidence_ratio", "", ""].state == "insufficient"
        assert read(sums, task="multiclass")["entropy", "", ""].state == "insufficient"


def test_the_gap_to_the_rest_is_the_difference_of_the_two_gaps():
    sums = sums_of(4000, more_often_on_vx=0.2)
    found = read(sums)
    gap = {s: found["calibration_gap", "", s].value for s in CARRIERS}
    for ours, rest in (CARRIERS, CARRIERS[::-1]):
        score = found[GAP_TO_REST.name, "", ours]
        assert score.value == pytest.approx(gap[ours] - gap[rest], abs=1e-9)
        assert score.low < score.value < score.high
    assert found[GAP_TO_REST.name, "", "carrier=VX"].low > 0


def test_the_interval_of_the_gap_to_the_rest_covers_nought_where_nothing_is_different():
    covered = []
    for seed in range(60):
        score = read(sums_of(300, seed=100 + seed), metrics={GAP_TO_REST.name})[GAP_TO_REST.name, "", "carrier=VX"]
        covered.append(score.low <= 0 <= score.high)
    assert np.mean(covered) >= 0.9


def test_a_segment_that_is_everything_has_no_rest():
    sums = sums_of(500)
    whole = {k: c for k, c in sums[""].items() if k[0] == LABEL}
    score = read({"": sums[""], "carrier=AA": whole})[GAP_TO_REST.name, "", "carrier=AA"]
    assert (score.state, score.reason) == ("not_evaluated", "no labels on one side")


def test_two_days_read_together_are_the_sum_of_their_parts():
    days = [sums_of(700, seed=s) for s in (11, 12)]
    both = {segment: {key: add(day[segment][key] for day in days) for key in days[0][segment]} for segment in days[0]}
    found, each = read(both), [read(day) for day in days]
    assert found["rows", "", ""].value == sum(day["rows", "", ""].value for day in each)
    for metric in ("log_loss", "brier", "calibration_gap", "positive_rate", "accuracy", "score_mean"):
        ours, theirs = found[metric, "", ""], [day[metric, "", ""] for day in each]
        assert ours.value == pytest.approx(np.average([s.value for s in theirs], weights=[s.n for s in theirs]))
