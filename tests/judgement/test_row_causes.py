"""Causes from rows and of services, on evidence made by hand."""

from dataclasses import replace

import pytest

from evidence_world import START, signal
from evidence_world import evidence as of_monday
from strain_world import strain
from watchkeeper.judgement.causes import causes
from watchkeeper.judgement.evidence import SegmentShare
from watchkeeper.judgement.moves import Moved
from watchkeeper.judgement.odd_inputs import Hole, Odd, Repeats
from watchkeeper.judgement.traces import Mix, Place, Traces
from watchkeeper.judgement.versions import Versions
from watchkeeper.records import Change

WINDY = Place("wind", "feature", "wind > 14", 0.53, 0.0, 0.1, 0.95)


def evidence(*signals, rate=0.6, **more):
    """Return the evidence of a day on which the outcome moved by 40 points and the scores by none."""
    return of_monday(*signals, rate=rate, **more)


def told(found):
    return [(c.kind, None if c.share is None else round(c.share, 2)) for c in found]


def change(kind, **more):
    return Change(change_id=kind, model="parcels", kind=kind, at=START.replace(day=13), recorded_at=START, **more)


def test_a_changed_outcome_is_told_with_the_place_it_comes_from_and_the_rates_there():
    [cause] = causes(evidence(traces=Traces(place=WINDY, outcome=(0.71, 0.18, 0.5))))
    assert cause.subject == "the outcome changed, not the inputs, where wind > 14"
    assert cause.evidence_for[-1] == (
        "10 % of rows and 95 % of the change are there: the rate went from 18 % to 71 %, by 50 points more than the model expected"
    )


def test_the_rates_of_a_place_that_losses_found_are_in_points_of_the_rate_and_not_of_the_loss():
    in_nats = replace(WINDY, now=1.1, usual=0.4)
    [cause] = causes(evidence(traces=Traces(place=in_nats, outcome=(0.1, 0.3, -0.15))))
    assert cause.evidence_for[-1].endswith("the rate went from 30 % to 10 %, by 15 points less than the model expected")


def test_other_shares_of_rows_take_their_part_from_a_change_of_the_outcome():
    half = Mix("region", "segment", "region=north", 0.5, 0.4, 0.4, 0.05)
    found = causes(evidence(traces=Traces(mixes=[half])))
    assert told(found) == [("mix", 0.5), ("concept", 0.5)]
    assert found[0].subject == "the mix of region changed: more rows of region=north"
    assert found[0].evidence_for[0] == "40 % of rows have region=north, usually 5 %"
    whole = causes(evidence(traces=Traces(mixes=[replace(half, share=0.95, low=0.9)])))
    assert told(whole) == [("mix", 0.95)]


def test_without_a_place_in_the_rows_the_segment_of_the_headline_is_named_unless_the_mix_takes_a_part():
    coast = SegmentShare("region=coast", 0.4, 0.6, 0.2, 0.1, 0.9)
    [cause] = causes(evidence(segments=[coast]))
    assert cause.subject == "the outcome changed, not the inputs, where region=coast"
    assert cause.evidence_for[-1] == "10 % of rows and 90 % of the excess of all its windows are there"
    [cause] = causes(evidence(segments=[coast], traces=Traces(place=WINDY)))
    assert cause.subject.endswith("where wind > 14")
    [cause] = causes(evidence(segments=[replace(coast, share_of_excess=0.5)]))
    assert cause.subject == "the outcome changed, not the inputs"
    half = Mix("region", "segment", "region=coast", 0.5, 0.4, 0.4, 0.05)
    assert causes(evidence(segments=[coast], traces=Traces(mixes=[half])))[1].subject == "the outcome changed, not the inputs"


def test_a_mix_that_may_account_for_nothing_is_not_told():
    doubtful = Mix("region", "segment", "region=north", 0.5, 0.1, 0.4, 0.05)
    assert told(causes(evidence(traces=Traces(mixes=[doubtful])))) == [("concept", 1.0)]


@pytest.mark.parametrize(("rate", "said"), [(1.0, "100 % are positive"), (0.0, "0 % are positive")])
def test_labels_that_say_one_thing_of_every_row_are_the_cause_and_not_the_outcome(rate, said):
    [cause] = causes(evidence(rate=rate, gap=rate - 0.2, traces=Traces(labels=(rate, 0.2, 900))))
    assert cause.kind == "labels"
    assert said in cause.subject
    assert told(causes(evidence(traces=Traces(labels=(0.5, 0.2, 900))))) == [("concept", 1.0)]
    assert told(causes(evidence(traces=Traces(labels=(1.0, 0.2, 20))))) == [("concept", 1.0)], "twenty labels may be alike by chance"


@pytest.mark.parametrize(("rate", "usual", "kind"), [(0.0, 0.22, "labels"), (1.0, 0.22, "labels"), (0.03, 0.22, "concept"), (0.0, 0.05, "concept")])
def test_labels_that_say_one_thing_in_the_place_of_the_change_are_the_cause(rate, usual, kind):
    place = Place("channel", "segment", "channel = app", -0.22, 0.0, 0.3, 0.98)
    traces = Traces(place=place, labels=(0.15, 0.22, 900), outcome=(rate, usual, rate - usual))
    first = causes(evidence(rate=0.15, gap=-0.07, usual_rate=0.22, moved=[], compared=5, traces=traces))[0]
    assert first.kind == kind
    if kind == "labels":
        assert (
            first.subject
            == f"the labels where channel = app: {100 * rate:.0f} % are positive, usually 22 %; look at how they are made before the model"
        )
        assert (first.share, first.evidence_for) == (0.98, ["about 270 labels, of high scores and low ones alike"])


def test_labels_whose_opposite_fits_as_well_as_usual_are_turned_round():
    [cause] = causes(evidence(traces=Traces(labels=(0.7, 0.3, 900), turned=(1.4, 0.52, 0.5))))
    assert (cause.kind, cause.subject) == ("labels", "the labels are turned round: their opposite fits the scores as labels usually do")
    assert told(causes(evidence(traces=Traces(labels=(0.7, 0.3, 900), turned=(0.9, 0.8, 0.5))))) == [("concept", 1.0)]


def test_labels_are_not_turned_round_where_scores_that_are_all_alike_fit_the_opposite_of_a_rare_outcome():
    """Scores of .96 beside an outcome of a tenth: nine in ten of the opposite are positive, which no score was needed for."""
    assert "labels" not in {c.kind for c in causes(evidence(traces=Traces(labels=(0.1, 0.43, 900), turned=(4.21, 0.766, 0.731))))}


MOVED = {"rate": 0.2, "gap": -0.3, "usual_rate": 0.2, "moved": [Moved("weight", 9.0)]}
"""Usually 20 % late and expected; now 20 % late and 50 % expected: the scores moved."""


def test_scores_that_moved_with_an_input_in_another_unit_were_moved_by_it():
    unit = Odd("weight", "factor", "weight comes in another unit: all its values are 2.2 times what they were")
    [cause] = causes(evidence(**MOVED, traces=Traces(odd=[unit])))
    assert (cause.kind, cause.share, cause.subject) == ("data", 1.0, unit.text)


def test_a_storm_that_the_outcome_followed_is_no_other_unit():
    unit = Odd("wind", "factor", "wind comes in another unit: all its values are 2.2 times what they were")
    found = causes(evidence(moved=[Moved("wind", 9.0)], traces=Traces(odd=[unit])))
    assert "data" not in {c.kind for c in found}


def test_a_recorded_config_explains_scores_that_moved_and_a_release_only_where_no_input_did():
    config, release = change("config", note="new pipeline"), change("release", version="5")
    assert told(causes(evidence(**MOVED, changes=[config])))[0] == ("config", 1.0)
    assert told(causes(evidence(**MOVED, changes=[release])))[0] == ("covariate", 1.0)
    assert told(causes(evidence(**MOVED | {"moved": []}, changes=[release])))[0] == ("release", 1.0)


def test_a_change_explains_no_outcome_that_moved_by_itself():
    assert [c.kind for c in causes(evidence(changes=[change("release", version="5")]))] == ["concept", "release"]


def test_rows_that_are_repeated_come_first_when_the_change_is_gone_without_them():
    repeats = Repeats(0.4, 0.0, 0.1)
    first = causes(evidence(traces=Traces(repeats=repeats)))[0]
    assert (first.kind, round(first.share, 1)) == ("data", 0.9)
    assert first.subject == "rows repeat: 40 % say in all inputs the same as another one, usually 0 %"
    assert told(causes(evidence(traces=Traces(repeats=replace(repeats, left=1.0))))) == [("concept", 1.0)]


def test_faulty_data_has_the_share_that_is_gone_where_the_input_is_there():
    fault = signal("null_ratio", 0.7, family="data", feature="weight", expected=0.01)
    holed = evidence(faults=[fault], traces=Traces(holes=[Hole("weight", 0.2)]))
    assert told(causes(holed))[0] == ("data", 0.8)
    harmless = evidence(faults=[fault], traces=Traces(holes=[Hole("weight", 1.0)]))
    assert told(causes(harmless))[0] == ("concept", 1.0)


def service(metric="latency_p95", **more):
    lead = signal(metric, 300.0, family="service", expected=150.0)
    return evidence(lead, **{"versions": Versions(["4"], []), **more})


def test_a_host_that_is_slow_alone_is_named_with_its_share():
    host = Place("host", "host", "gpu-2", 5.3, 4.4, 0.25, 0.98)
    [cause] = causes(service(traces=Traces(place=host)))
    assert (cause.kind, cause.subject, cause.share) == ("infrastructure", "host gpu-2 alone", 0.98)
    assert "they take 2.5 times as long as usual" in cause.evidence_for


def test_a_client_with_far_more_requests_than_usual_is_traffic():
    client = Place("client", "segment", "client=oak", 0.3, 0.004, 0.6, 1.0)
    traces = Traces(place=client, grown={"client=oak": (600.0, 1_000.0)}, sides=(1_000.0, 10_000.0))
    cause = causes(service("error_ratio", traces=traces, volume=(2_000.0, 1_000.0, 1_200.0)))[0]
    assert (cause.kind, cause.subject) == ("traffic", "12.0 times the usual requests of client=oak")
    assert "30 % of them fail, 0.4 % in the weeks before" in cause.evidence_for


def test_gpus_come_before_volume_and_volume_before_a_coincidence():
    many = (5_000.0, 1_000.0, 1_200.0)
    found = causes(service(traces=Traces(strains=[strain()]), volume=many, changes=[change("release", version="5")], versions=None))
    assert [c.kind for c in found] == ["infrastructure", "traffic", "release"]
    assert found[1].subject == "5.0 times the usual requests"


def test_a_busy_day_such_as_there_was_before_is_no_cause():
    assert causes(service(volume=(1_600.0, 1_000.0, 1_700.0))) == []
    assert causes(service(volume=(1_300.0, 1_000.0, 1_200.0))) == []


def test_scores_that_ran_ahead_of_an_outcome_that_hardly_moved_are_not_the_inputs_share():
    """Usually 20 % late and expected; now 21 % late, 25 % expected, a difference of 4 points within 2: of one point's move inputs are no share."""
    [cause] = causes(evidence(rate=0.21, gap=-0.04, usual_rate=0.2, moved=[Moved("carrier", 9.0)]))
    assert cause.subject == "the model's scores moved, not the outcome; so did carrier"
