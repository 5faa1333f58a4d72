"""Causes of an error that rose where no score foresees the outcome's rate, on evidence made by hand."""

from dataclasses import replace

import pytest

from evidence_world import evidence as of_monday
from evidence_world import signal
from watchkeeper.judgement.causes import causes, ruled_out
from watchkeeper.judgement.error_changes import ErrorChange
from watchkeeper.judgement.moves import Moved
from watchkeeper.judgement.odd_inputs import Odd
from watchkeeper.judgement.traces import Mix, Place, Traces

FAR = Place("distance", "feature", "distance > 900", 2.1, 0.0, 0.1, 0.9)
WHOLE, THERE = ErrorChange("mean absolute error", 3.6, 3.0, 0.05, "km"), ErrorChange("mean absolute error", 7.4, 3.1, 0.1, "km")
WIND = Mix("wind", "feature", "wind > 20", 0.8, 0.6, 0.3, 0.03)
TIMES = Odd("wind", "factor", "wind comes in another unit")


def evidence(metric="mae", **more):
    """Return the evidence of a day of a model that no score foresees the rate of."""
    return replace(of_monday(signal(metric, 3.6)), gap=None, observed=None, usual_observed=None, usual_expected=None, **more)


@pytest.mark.parametrize("metric", ["mae", "rmse", "accuracy", "log_loss", "recall"])
def test_a_place_where_the_error_rose_is_told_from_what_to_what(metric):
    [cause] = causes(evidence(metric, traces=Traces(place=FAR, error=WHOLE, error_there=THERE)))
    assert (cause.kind, cause.subject, cause.share) == ("concept", "the outcome no longer follows the prediction, where distance > 900", 0.9)
    assert cause.evidence_for == [
        "mean absolute error from 3.10 to 7.40 km (+4.30 [4.10, 4.50]) where distance > 900",
        "10 % of rows and 90 % of the change are there",
    ]


def test_a_feature_that_moved_has_its_share_with_its_interval():
    moved = Moved("wind", 9.0)
    [cause] = causes(evidence("accuracy", traces=Traces(mixes=[WIND], error=WHOLE), moved=[moved]))
    assert (cause.kind, cause.subject, cause.share) == ("covariate", "the inputs changed: wind", 0.8)
    assert (cause.low, cause.high) == (0.6, pytest.approx(1.0))
    assert cause.evidence_for[0] == "30 % of rows have wind > 20, usually 3 %"
    assert "account for 80 %" in cause.evidence_for[1]
    assert cause.evidence_for[2].startswith("wind stands 9 spreads from the ")


def test_of_a_segment_it_is_the_mix():
    [cause] = causes(evidence(traces=Traces(mixes=[replace(WIND, column="region", role="segment", where="region=north")], error=WHOLE)))
    assert (cause.kind, cause.subject) == ("mix", "the mix of region changed: more rows of region=north")


def test_a_place_has_its_part_of_what_other_shares_leave():
    half = replace(WIND, share=0.5, low=0.4)
    found = causes(evidence(traces=Traces(mixes=[half], place=FAR, error=WHOLE, error_there=THERE)))
    assert [(c.kind, c.share) for c in found] == [("covariate", 0.5), ("concept", pytest.approx(0.45))]
    assert found[1].evidence_for[1] == "10 % of rows and 90 % of the rest of the change are there"
    assert [c.kind for c in causes(evidence(traces=Traces(mixes=[replace(WIND, share=0.9)], place=FAR, error=WHOLE, error_there=THERE)))] == [
        "covariate"
    ]


def test_a_feature_that_moved_beside_an_error_it_does_not_account_for_is_no_cause():
    assert causes(evidence(traces=Traces(error=WHOLE), moved=[Moved("wind", 9.0)])) == []


def test_another_unit_is_a_fault_only_where_the_outcome_did_not_follow_and_then_has_its_columns_part():
    storm = Traces(mixes=[WIND], odd=[TIMES], error=WHOLE)
    assert [c.kind for c in causes(evidence(traces=storm))] == ["covariate"]
    [cause] = causes(evidence(traces=replace(storm, has_outrun=True)))
    assert (cause.kind, cause.share) == ("data", 0.8)
    assert cause.subject == TIMES.text


def test_a_fault_of_a_column_with_a_longer_name_is_another_ones():
    other = replace(TIMES, feature="tailwind", how="still", text="tailwind stands still")
    assert ("covariate", 0.8) in [(c.kind, c.share) for c in causes(evidence(traces=Traces(mixes=[WIND], odd=[other], error=WHOLE)))]


def test_inputs_that_account_for_a_part_are_not_ruled_out():
    def said(traces):
        return [text for text in ruled_out(evidence(traces=traces, moved=[])) if text.startswith("a change of inputs")]

    assert said(Traces(error=WHOLE))
    assert not said(Traces(error=WHOLE, mixes=[WIND]))
