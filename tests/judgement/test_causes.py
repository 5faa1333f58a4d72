"""Causes: the split of a change, worked by hand; what evidence supports, rules out, and leaves unknown."""

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from evidence_world import MONDAY, episode, evidence, score, signal
from watchkeeper.judgement.causes import causes, ruled_out, undecided
from watchkeeper.judgement.data_causes import of_faults
from watchkeeper.judgement.evidence import (
    Broken,
    Pooled,
    Refused,
    SegmentShare,
    baseline_of,
    is_borne_out,
    segment_excesses,
    segment_shares,
)
from watchkeeper.judgement.fault_places import FaultPlace
from watchkeeper.judgement.leads import lead_of
from watchkeeper.judgement.moves import Moved, drift_between, moved_features
from watchkeeper.judgement.odd_inputs import Hole, Odd
from watchkeeper.judgement.traces import Traces
from watchkeeper.judgement.versions import Versions
from worlds import DAY, START, noise, scores


def test_what_the_inputs_do_not_account_for_is_the_outcome_that_changed():
    """Usually 20 % late, 20 % expected; now 50 % late, 10 % expected: of 40 points the outcome moved 30."""
    [cause] = causes(evidence(rate=0.5, gap=0.4, usual_rate=0.2, usual_gap=0.0))
    assert (cause.kind, cause.subject, cause.share) == ("concept", "the outcome changed, not the inputs", pytest.approx(0.75))
    assert cause.evidence_for == ["inputs alone would have moved the rate by -10 points, it moved by +30 points"]
    assert cause.onset == MONDAY


def test_a_change_is_split_between_inputs_and_outcome():
    """Usually 20 % late and expected; now 50 % late, 30 % expected: inputs +10 points, the rest +20, of +30 in all."""
    both = evidence(rate=0.5, gap=0.2, moved=[Moved("weight_kg", 8.0)])
    concept, inputs = causes(both)
    assert (concept.kind, concept.share) == ("concept", pytest.approx(2 / 3))
    assert (inputs.kind, inputs.share, inputs.subject) == ("covariate", pytest.approx(1 / 3), "the inputs changed: weight_kg")
    assert concept.evidence_against == ["weight_kg moved too"]
    assert concept.low == pytest.approx(2 / 3 - 1.96 * 0.01 / 0.3)


@pytest.mark.parametrize(
    ("expected", "subject", "said"),
    [
        (0.39, "the outcome changed more than the inputs account for", "inputs account for 35 % of the change: they alone"),
        (0.27, "the outcome changed more than the inputs account for", "inputs account for 13 % of the change: they alone"),
        (0.24, "the outcome changed, not the inputs", "inputs alone"),
        (0.1, "the outcome changed, not the inputs", "inputs alone"),
    ],
)
def test_the_words_follow_the_part_of_the_inputs(expected, subject, said):
    """Usually 20 % late and expected; now 74 % late: the inputs made 19, 7, 4 or -10 of 54 points, and none of them stands out."""
    found = evidence(rate=0.74, gap=0.74 - expected)
    [cause] = causes(found)
    assert (cause.subject, cause.evidence_for[0].split(" would")[0]) == (subject, said)
    assert ("a change of inputs (none of 5 features stands out from the 8 weeks before)" in ruled_out(found)) == ("not" in subject)


def test_a_part_of_the_inputs_that_may_be_a_fifth_is_not_called_nothing():
    doubtful = replace(evidence(rate=0.74, gap=0.5), gap=score("calibration_gap", 0.5, se=0.05, reference_value=0.0))
    [cause] = causes(doubtful)
    assert cause.subject == "the outcome changed more than the inputs account for"


def test_a_change_that_the_model_foresaw_is_one_of_inputs():
    """Now 50 % late and 49 % expected: the gap of one point is within its noise."""
    [cause] = causes(evidence(rate=0.5, gap=0.01, moved=[Moved("weight_kg", 8.0), Moved("depot", 5.0)]))
    assert (cause.kind, cause.subject) == ("covariate", "the inputs changed: weight_kg, depot")
    assert cause.evidence_for[0] == "weight_kg stands 8 spreads from the 8 weeks before"


def test_scores_that_collapse_while_the_outcome_stays_are_not_an_outcome_that_changed():
    """Usually 23 % and expected; a feature in the wrong unit: still 23 %, 5 % expected. The scores moved by -18 points, the outcome by none."""
    [cause] = causes(evidence(rate=0.23, gap=0.18, usual_rate=0.23, moved=[Moved("usage_gb", 40.0)]))
    assert (cause.kind, cause.share) == ("covariate", 1.0)
    assert cause.subject == "the model's scores moved, not the outcome; so did usage_gb"
    assert cause.evidence_for[0] == "the mean score moved by -18 points, the outcome's rate by +0 points"


def test_scores_that_move_without_any_input_point_to_the_model():
    [cause] = causes(evidence(rate=0.23, gap=0.18, usual_rate=0.23, moved=[]))
    assert (cause.kind, cause.subject) == ("model", "the model's scores moved, not the outcome")
    assert cause.evidence_against == ["no input moved beyond what is usual from week to week: look at the release and at how features are made"]


def test_a_release_that_was_ruled_out_is_not_to_be_looked_at():
    [cause] = causes(evidence(rate=0.23, gap=0.18, usual_rate=0.23, moved=[], versions=Versions(["v1"], [])))
    assert cause.evidence_against == ["no input moved beyond what is usual from week to week: look at how features are made"]


def test_faulty_data_of_one_segment_are_told_with_it():
    faults = [replace(signal(), family="data", metric="null_ratio", feature="weight_kg", value=0.4, expected=0.0)]
    place = {("null_ratio", "weight_kg"): FaultPlace("depot=east", 0.97, 0.2, 1.0)}
    [cause] = causes(evidence(rate=0.23, gap=0.18, usual_rate=0.23, moved=[Moved("weight_kg", 40.0)], faults=faults, fault_places=place))
    assert cause.subject == "faulty data: weight_kg (97 % where depot=east)"


def test_data_that_broke_while_the_scores_moved_is_what_moved_them():
    broken = [Broken("usage_gb", "expect_column_values_to_be_between", 1.0, 0.0)]
    [cause] = causes(evidence(rate=0.23, gap=0.18, usual_rate=0.23, moved=[Moved("usage_gb", 40.0)], broken=broken))
    assert (cause.kind, cause.subject, cause.share) == ("data", "faulty data: usage_gb", 1.0)
    assert cause.evidence_for[0] == "100 % of usage_gb not as the suite expects (expect_column_values_to_be_between), usually 0 %"
    assert "the mean score moved by -18 points, the outcome's rate by +0 points" in cause.evidence_for


def test_faulty_data_names_the_unit_that_its_values_came_in():
    broken, other = [Broken("usage_gb", "expect_column_values_to_be_between", 1.0, 0.0)], Odd("age", "unit", "age comes in another unit")
    unit = Odd("usage_gb", "unit", "usage_gb comes in another unit: all its values are 1,000 times what they were")
    [cause, *_] = causes(
        evidence(rate=0.23, gap=0.18, usual_rate=0.23, moved=[Moved("usage_gb", 40.0)], broken=broken, traces=Traces(odd=[unit, other]))
    )
    assert cause.subject == "faulty data: usage_gb"
    assert unit.text in cause.evidence_for
    assert other.text not in cause.evidence_for


def test_a_model_that_moves_against_the_outcome_shares_the_gap_with_it():
    """Usually 20 % late and expected; now 30 % late, 0 % expected: of a gap of 30 points the outcome made 10, the scores 20."""
    model, concept = causes(evidence(rate=0.3, gap=0.3, usual_rate=0.2, moved=[Moved("weight_kg", 8.0)]))
    assert (model.kind, model.share) == ("covariate", pytest.approx(2 / 3))
    assert model.subject == "the model's scores moved against the outcome; so did weight_kg"
    assert (concept.kind, concept.share) == ("concept", pytest.approx(1 / 3))


def test_scores_that_overshoot_the_outcome_are_the_cause():
    """Usually 20 % late and expected; now 25 % late, 60 % expected."""
    [cause] = causes(evidence(rate=0.25, gap=-0.35, usual_rate=0.2, moved=[Moved("weight_kg", 8.0)]))
    assert (cause.kind, cause.share) == ("covariate", 1.0)


def test_inputs_are_not_blamed_when_none_of_them_moved():
    assert causes(evidence(rate=0.5, gap=0.01, moved=[])) == []


def test_the_usual_gap_is_no_part_of_the_change():
    """A model that is always 10 points low is not news: usually 30 % late and 20 % expected, now the same."""
    assert causes(evidence(rate=0.3, gap=0.1, usual_rate=0.3, usual_gap=0.1)) == []


@pytest.mark.parametrize("missing", ["gap", "observed", "usual_observed", "usual_expected"])
def test_without_the_numbers_of_the_split_the_cause_is_unknown(missing):
    assert causes(replace(evidence(), **{missing: None})) == []


def test_a_ranking_that_fails_gets_no_cause_from_a_split_of_rates():
    assert causes(evidence(signal("roc_auc", 0.5))) == []


def test_a_gap_within_its_own_noise_is_no_cause():
    quiet, noisy = (score("calibration_gap", 0.1, se=se, reference_value=0.0) for se in (0.01, 0.08))
    assert causes(replace(evidence(rate=0.3, gap=0.1), gap=quiet)) != []
    assert causes(replace(evidence(rate=0.3, gap=0.1), gap=noisy)) == []


def test_faulty_data_comes_first_and_only_when_it_is_much():
    fault = signal("null_ratio", 0.7, family="data", feature="weight_kg", expected=0.01)
    slight = signal("null_ratio", 0.1, family="data", feature="depot")
    found = causes(evidence(faults=[fault, slight], gap=0.1, rate=0.5, moved=[Moved("weight_kg", 9.0)]))
    data = next(c for c in found if c.kind == "data")
    assert data.subject == "faulty data: weight_kg"
    assert data.evidence_for == ["weight_kg: 70 % of rows missing, usually 1 %"]


def test_exchanged_codes_come_before_what_follows_from_them():
    """Most of the change is gone in rows that have other codes."""
    codes = replace(signal("exchanged_ratio", 0.5, family="data", feature="depot"), reason="ulm is 10 % of values, usually 40 %")
    found = causes(evidence(faults=[codes], traces=Traces(holes=[Hole("depot", 0.2)])))
    assert [(c.kind, c.share) for c in found] == [("data", pytest.approx(0.8)), ("concept", pytest.approx(0.75))]
    assert found[0].subject == "codes of depot are exchanged: ulm is 10 % of values, usually 40 %"


@pytest.mark.parametrize(("segment", "kinds"), [("depot=ulm", ["data"]), ("depot=bonn", ["concept", "data"]), ("", ["concept", "data"])])
def test_a_segment_known_by_an_exchanged_code_is_out_of_line_by_the_exchange_and_others_are_not(segment, kinds):
    codes = replace(
        signal("exchanged_ratio", 0.5, family="data", feature="depot"),
        reason="ulm is 10 % of values, usually 40 %; kiel is 40 % of values, usually 10 %",
    )
    bad = signal("calibration_gap_to_rest", family="segment", segment=segment) if segment else signal()
    found = causes(evidence(bad, faults=[codes]))
    assert [c.kind for c in found] == kinds
    said = found[0].subject
    assert said.startswith("codes of depot are exchanged: ulm is 10 %" if kinds == ["data"] else "the outcome changed")


def test_of_many_exchanged_codes_three_are_told_and_all_are_known():
    reason = "; ".join(
        f"{name} is {share} % of values, usually {40 - share} %" for name, share in (("ulm", 10), ("bonn", 12), ("kiel", 14), ("jena", 16))
    )
    codes = replace(signal("exchanged_ratio", 0.6, family="data", feature="depot"), reason=reason)
    lead = signal("calibration_gap_to_rest", 0.4, family="segment", segment="depot=jena")
    found = causes(evidence(lead, faults=[codes]))
    assert [c.kind for c in found] == ["data"]
    assert found[0].subject == "codes of depot are exchanged: " + "; ".join(reason.split("; ")[:3])
    assert found[0].evidence_for[0] == "the rows called depot=jena are others than before"


def test_of_a_rare_outcome_a_small_move_is_explained_too():
    """Usually 1 % are fraud and 1 % expected; now 3 %, and the model expects 1 %: 2 points are three times as many."""
    rare = evidence(rate=0.03, gap=0.02, usual_rate=0.01, usual_gap=0.0)
    sure = replace(rare, gap=score("calibration_gap", 0.02, se=0.002, reference_value=0.0))
    assert [(c.kind, c.share) for c in causes(sure)] == [("concept", pytest.approx(1.0))]
    assert causes(rare) != [], "2 points, give or take 1.96"
    assert causes(replace(rare, gap=score("calibration_gap", 0.02, se=0.011, reference_value=0.0))) == []


def test_what_was_tested_and_is_not_the_cause_is_listed():
    assert ruled_out(evidence()) == [
        "a change of inputs (none of 5 features stands out from the 8 weeks before)",
        "missing values",
        "new categories",
    ]


def test_where_data_are_at_fault_a_change_of_inputs_is_not_ruled_out():
    """Nor where a segment's rows no longer come: what is left is another mix, though each input by itself looks as before."""
    for fault in (signal("null_ratio", 0.3, family="data", feature="depot"), signal("rows", 0.0, family="data", segment="depot=east")):
        assert not [said for said in ruled_out(evidence(faults=[fault])) if said.startswith("a change of inputs")]


def test_what_was_not_tested_is_not_ruled_out():
    told = ruled_out(evidence(moved=None, faults=[signal("null_ratio", 0.3, family="data", feature="depot")]))
    assert told == ["new categories"]


def test_categories_of_a_later_incident_are_told_by_the_reference_and_not_as_never_seen():
    faults = [signal("unseen_ratio", 0.3, family="data", feature="depot")]
    [data] = [c for c in causes(evidence(faults=faults)) if c.kind == "data"]
    assert data.evidence_for[0].startswith("depot: 30 % of rows in categories that the reference lacks, usually ")


def test_features_that_fail_together_point_to_their_source():
    together = [signal("null_ratio", v, family="data", feature=f) for f, v in (("rain", 0.3), ("wind", 0.9))]
    [cause] = of_faults(together)
    assert (cause.subject, cause.evidence_for) == ("missing values in rain, wind", ["they failed together, so look at their common source"])
    [alone] = of_faults([signal("unseen_ratio", 0.3, family="data", feature="depot")])
    assert alone.subject == "unknown categories in depot"


def test_missing_rows_come_from_intake_when_it_set_them_aside_and_else_from_the_feed():
    gone = signal("rows", 20.0, family="data", expected=400.0)
    [dead] = of_faults([gone])
    assert (dead.subject, dead.evidence_for) == ("rows no longer arrive", ["no file or query brought them"])
    [flood] = of_faults([gone], (380, "usage_gb must be at most 60"))
    assert (flood.subject, flood.share) == ("rows were set aside: usage_gb must be at most 60", 1.0)


def test_a_file_refused_whole_is_named_before_the_feed_is_blamed():
    gone, unlabelled = (
        signal(metric, value, family="data", expected=expected) for metric, value, expected in (("rows", 0.0, 400.0), ("label_coverage", 0.0, 1.0))
    )
    torn = Refused("events-2024-03-07.parquet", "the file is cut off")
    [one] = of_faults([gone], (3, "too large"), [torn])
    assert one.subject == "events-2024-03-07.parquet was refused whole (the file is cut off)"
    assert one.evidence_for == ["nothing of it landed; which rows were inside cannot be told"]
    [several] = of_faults([unlabelled], refused=[torn, torn])
    assert several.subject == "events-2024-03-07.parquet was refused whole (the file is cut off), and 1 more file"
    assert several.evidence_for == ["nothing of them landed; which labels were inside cannot be told"]


def test_labels_that_were_set_aside_have_come():
    unlabelled = signal("label_coverage", 0.1, family="data", expected=1.0, n=400)
    [cause] = of_faults([unlabelled], (360, "the label must be 0 or 1"))
    assert (cause.subject, cause.share) == ("labels were set aside: the label must be 0 or 1", 1.0)
    [silent] = of_faults([unlabelled])
    assert silent.subject == "labels arrive for a part of the predictions only"


def test_a_segment_must_be_out_of_line_itself_and_not_only_apart_from_the_rest():
    """Three days of 30 flights: 20, 0 and 20 points over, each within 8 either way, so 13 within 9; and 20, -20 and 0."""
    page = [signal("calibration_gap_to_rest", 0.3, family="segment", segment="carrier=FL", day=d) for d in (7, 9)]

    def gaps(*values):
        return scores(np.array([[0.0] * 7 + list(values)]), names=[("", "carrier=FL")], se=0.08, n=30)

    assert is_borne_out(episode(*page), gaps(0.2, 0.0, 0.2))
    assert not is_borne_out(episode(*page), gaps(0.2, -0.2, 0.0))
    assert not is_borne_out(episode(*page), gaps(np.nan, np.nan, np.nan))
    assert is_borne_out(episode(signal()), gaps(0.0))


def course(*values: float) -> list[tuple[datetime, float]]:
    """Return a PSI day by day."""
    return [(START + day * DAY, value) for day, value in enumerate(values)]


USUAL = [0.02, 0.03, 0.025, 0.02, 0.03] * 8


def test_a_feature_has_moved_when_it_stands_out_from_the_weeks_before():
    before = {"weight_kg": course(*USUAL), "depot": course(*[0.5, 0.7, 0.6, 0.65] * 10), "few": course(*[0.1] * 5), "@score": course(*[0.1] * 40)}
    during = {"weight_kg": course(0.8), "depot": course(0.62), "few": course(3.0), "@score": course(3.0)}
    moved, compared = moved_features(before, during)
    assert [m.feature for m in moved or []] == ["weight_kg"]
    assert compared == 2


def test_against_too_few_weeks_nothing_can_be_said():
    assert moved_features({"weight_kg": course(*[0.1] * 13)}, {"weight_kg": course(5.0)}) == (None, 0)


def test_a_move_too_small_to_act_on_is_none():
    assert moved_features({"weight_kg": course(*[0.001] * 40)}, {"weight_kg": course(0.05)})[0] == []


@pytest.mark.parametrize(
    ("psi", "since"),
    [
        ((0.02, 0.03, 0.9, 1.0, 0.9), 2),
        ((0.03, 0.02, 0.02, 0.9), 3),
        ((0.9, 1.0, 0.9, 0.9), None),
        ((0.02, 0.9, 1.0, 0.9), None),
        ((0.02, 0.08, 0.2, 0.5, 0.9), None),
        ((0.02, 0.02, 0.12, 0.5, 0.9), None),
    ],
    ids=["a jump", "a jump on the last day", "from the beginning", "a day after it", "grows at once", "grows after two days"],
)
def test_an_input_moved_later_where_it_jumped_after_days_that_were_as_usual(psi, since):
    [found] = moved_features({"weight_kg": course(*USUAL)}, {"weight_kg": course(*psi)})[0] or []
    assert found.since == (None if since is None else START + since * DAY)


def test_drift_is_read_from_the_windows_asked_for():
    table = pa.concat_tables([scores(noise(0, 10), metric="psi", names=[("weight_kg", "")]), scores(noise(0, 10))])
    found = drift_between(table, START + 2 * DAY, START + 5 * DAY)
    assert {f: [at for at, _ in v] for f, v in found.items()} == {"weight_kg": [START + day * DAY for day in (2, 3, 4)]}


def test_segments_share_the_excess_by_rows_and_gap():
    """1,000 rows, 20 points over; north 500 rows 30 over: 150 of 200 rows of excess; south 500 rows 10 over: 50."""
    pooled = Pooled(
        [
            score("calibration_gap", 0.2, n=1000),
            score("calibration_gap", 0.3, n=500, segment="depot=north"),
            score("positive_rate", 0.5, n=500, segment="depot=north"),
            score("calibration_gap", 0.1, n=500, segment="depot=south"),
            score("positive_rate", 0.3, n=500, segment="depot=south"),
        ]
    )
    north, south = segment_shares(pooled, usual_gap=0.0)
    assert (north.segment, north.share_of_rows, north.share_of_excess) == ("depot=north", 0.5, pytest.approx(0.75))
    assert (south.segment, south.share_of_excess, south.expected) == ("depot=south", pytest.approx(0.25), pytest.approx(0.2))


def test_segments_share_the_excess_of_a_number_each_against_its_own_usual():
    """MAE 50 where 20 is usual, 900 rows: 27,000 in excess; coast 300 rows 110 instead of 20: all of it; city 600 rows as usual."""
    pooled = Pooled(
        [
            score("mae", 50.0, n=900, reference_value=20.0),
            score("mae", 110.0, n=300, segment="region=coast", reference_value=20.0),
            score("mae", 20.0, n=600, segment="region=city", reference_value=20.0),
        ]
    )
    coast, city = segment_excesses(pooled, "mae")
    assert coast == SegmentShare("region=coast", 90.0, 110.0, 20.0, pytest.approx(1 / 3), pytest.approx(1.0), "mae")
    assert (city.segment, city.share_of_excess) == ("region=city", 0.0)
    assert segment_excesses(pooled, "bias") == []


def test_without_an_excess_no_segment_is_named():
    assert segment_shares(Pooled([score("calibration_gap", 0.1, n=1000)]), usual_gap=0.1) == []


def test_a_calibration_gap_tells_a_story_better_than_what_is_less_likely():
    gap, loss = signal(p=1e-4), signal("log_loss", 0.9, p=1e-12)
    assert lead_of([loss, gap]) is gap


def test_halves_of_one_split_are_undecided_and_a_clear_share_is_not():
    """Usually 20 % late and 20 % expected; now 28 % late and 12 % expected: eight points each."""
    found = causes(evidence(rate=0.28, gap=0.16, usual_rate=0.2, usual_gap=0.0))
    assert {(c.kind, round(c.share, 2)) for c in undecided(found)} == {("model", 0.5), ("concept", 0.5)}
    clear = causes(evidence(rate=0.5, gap=0.4, usual_rate=0.2, usual_gap=0.0))
    assert [c.kind for c in undecided(clear)] == ["concept"]
    assert undecided([]) == []


def test_a_share_falls_steadily_as_the_scores_move_more_against_the_outcome():
    """The outcome moves by 20 points; the scores by 1, 5, 10, 15 and 19 against it."""
    shares = []
    for against in (0.01, 0.05, 0.10, 0.15, 0.19):
        found = causes(evidence(rate=0.4, gap=0.2 + against, usual_rate=0.2, usual_gap=0.0))
        shares.append(next(c.share for c in found if c.kind == "concept"))
    assert shares == pytest.approx([0.2 / (0.2 + against) for against in (0.01, 0.05, 0.10, 0.15, 0.19)])


def test_shares_of_an_excess_that_may_be_chance_are_not_told():
    about = {"segment": "depot=north", "n": 200}
    parts = [score("calibration_gap", 0.05, **about), score("positive_rate", 0.25, **about)]
    assert segment_shares(Pooled([score("calibration_gap", 0.01, n=1000, se=0.02), *parts]), usual_gap=0.0) == []
    assert len(segment_shares(Pooled([score("calibration_gap", 0.10, n=1000, se=0.02), *parts]), usual_gap=0.0)) == 1


def test_the_weeks_before_are_as_many_as_there_are():
    days = [START + timedelta(days=d) for d in range(60)]
    table = pa.table({"metric": ["psi"] * 60, "value": [0.1] * 60, "window_start": pa.array(days, pa.timestamp("us", "UTC"))})
    assert baseline_of(table, days[52]) == timedelta(days=52)
    assert baseline_of(table, days[59]) == timedelta(days=56)
    assert baseline_of(table, days[59] + timedelta(hours=1)) == timedelta(days=56), "the clocks have changed meanwhile"
    [moved] = [r for r in ruled_out(replace(evidence(), baseline=timedelta(days=52))) if r.startswith("a change of inputs")]
    assert moved.endswith("stands out from the 7.4 weeks before)")
