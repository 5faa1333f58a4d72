"""Inputs that no longer go together are what came before an outcome that follows the model no more; where one moved by itself, that may be why."""

from dataclasses import replace

import pytest

from evidence_world import evidence, signal
from watchkeeper.judgement.causes import causes, ruled_out
from watchkeeper.judgement.evidence import Evidence
from watchkeeper.judgement.moves import Moved
from watchkeeper.judgement.parted import parted_since
from watchkeeper.judgement.settling import SETTLED
from watchkeeper.judgement.traces import Place, Traces
from watchkeeper.records import Signal
from worlds import DAY, START

PLACE = Place("wind", "feature", "wind > 14", 0.9, 0.5, 0.3, 0.8)


def pair(name: str, day: int, *, value: float = 0.04, reason: str = "") -> Signal:
    about = {"feature": name, "family": "covariate", "expected": 0.8, "reason": reason}
    return replace(signal("correlation", value, day=day, **about), level="notice")


def of_ranking(*parted: Signal, **more: object) -> Evidence:
    return evidence(signal("roc_auc", 0.55, expected=0.7), rate=0.2, gap=0.0, moved=[], compared=5, traces=Traces(place=PLACE), parted=parted, **more)


def test_inputs_that_parted_as_the_ranking_was_lost_are_the_cause_and_the_place_of_it_is_evidence():
    (cause,) = causes(of_ranking(pair("size*weight", 7)))
    assert (cause.kind, cause.subject, cause.columns) == ("data", "inputs no longer go together: size and weight", ["size", "weight"])
    assert cause.evidence_for[0].startswith("correlation since ")
    assert cause.evidence_for[0].endswith(": size and weight 0.0400, usually 0.800")
    assert "30 % of rows and 80 % of the change are there" in cause.evidence_for[-1]


def test_the_input_that_several_have_parted_from_is_named_first():
    (cause,) = causes(of_ranking(pair("size*weight", 7), pair("speed*weight", 7)))
    assert cause.subject == "inputs no longer go together: weight with size and speed"


def test_a_change_of_inputs_is_ruled_out_only_where_they_still_go_together():
    kept, parted = of_ranking(), of_ranking(pair("size*weight", 7))
    assert [text for text in ruled_out(kept, causes(kept)) if "a change of inputs" in text] != []
    assert [text for text in ruled_out(parted, causes(parted)) if "a change of inputs" in text] == []


def test_where_an_input_moved_by_itself_nothing_is_said():
    found = causes(replace(of_ranking(pair("size*weight", 7)), moved=[Moved("size", 9.0)]))
    assert not any("go together" in c.subject for c in found)


@pytest.mark.parametrize(
    ("signals", "is_there"),
    [
        ([pair("a*b", 7)], True),
        ([pair("a*b", 9)], False),
        ([pair("a*b", 7, value=0.6)], False),
        ([pair("a*b", 1), pair("a*b", 5, reason=SETTLED)], True),
        ([pair("a*b", 1), pair("a*b", 5)], False),
    ],
    ids=["as it began", "later", "half is left", "settled before", "over before"],
)
def test_a_pair_has_parted_from_the_beginning_on_and_until_it_is_as_usual(signals, is_there):
    start = START + 7 * DAY
    assert bool(parted_since(signals, start, start + DAY)) == is_there
