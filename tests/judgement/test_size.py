"""How bad an incident is in its worst window, as it is said and as a later one is held against it."""

from dataclasses import replace

from evidence_world import episode, evidence, monitor, signal
from watchkeeper.judgement.size import size_of
from watchkeeper.judgement.story import story
from watchkeeper.story import Size, Story


def of(*signals, **more) -> Size:
    return size_of(monitor(**more), evidence(*signals))


def test_it_is_the_worst_of_the_final_windows():
    found = of(signal(value=0.3, day=7, low=0.25, high=0.35), signal(value=-0.4, day=8), replace(signal(value=0.9, day=9), state="provisional"))
    assert (found.value, found.miss, found.is_final) == (-0.4, 0.4, True)
    assert found.said == "calibration gap -40 points on Tue 14 January"


def test_while_labels_are_missing_it_is_a_bound():
    assert of(signal(state="provisional")).said == "calibration gap at least +40 points on Mon 13 January"
    falling = signal("roc_auc", 0.6, expected=0.7, state="provisional")
    assert of(falling).said == "AUC at most 0.600 on Mon 13 January, usually 0.700"


def test_it_is_said_in_its_unit_beside_what_is_usual_or_promised():
    mae = signal("mae", 9.5, expected=4.0, low=8.9, high=10.1)
    assert of(mae, task="regression", wording={"unit": "min"}).said == "MAE 9.50 min on Mon 13 January, usually 4.00 min"
    errors = signal("error_ratio", 0.08, family="service", expected=0.002)
    assert of(errors).said == "error ratio 8 % on Mon 13 January, usually 0.2 %"
    recall = signal("recall", 0.2, family="target", expected=0.35, days=7)
    assert of(recall).said == "recall 0.200 on 13 to 19 January, promised 0.350"


def test_other_numbers_than_the_one_that_leads_are_left_out():
    assert of(signal(value=0.3), signal("log_loss", 9.0, day=8)).value == 0.3


def test_a_story_brings_it_through_json_and_one_of_an_earlier_release_has_none():
    told = story(monitor(), episode(), evidence())
    assert told.size is not None
    assert Story.from_json(told.to_json()) == told
    assert Story.from_json('{"headline": "late", "when": ""}') == Story(headline="late", when="")
