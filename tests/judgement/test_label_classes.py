"""When labels of one class only, or of a new class, are worth a word."""

from datetime import timedelta

import pytest

from conftest import PARCELS
from watchkeeper.judgement.label_classes import LabelClasses, new_classes_text, one_class_text
from watchkeeper.monitor import Monitor
from watchkeeper.windows import Window
from worlds import DAY, START

MONITOR = Monitor.model_validate(PARCELS)
CLASSES = Monitor.model_validate(
    {
        **PARCELS,
        "task": "multiclass",
        "columns": {"id": "parcel", "time": "sent_at", "prediction": "said", "probabilities": {"a": "p_a", "b": "p_b"}},
    }
)


def days(*counts: dict[str, int]) -> dict:
    return {START + i * DAY: each for i, each in enumerate(counts)}


def found(later: dict, reference: dict[str, int] | None = None, **more) -> LabelClasses:
    return LabelClasses(reference={"1": 200, "0": 800} if reference is None else reference, later=later, **more)


def test_labels_of_one_class_are_told_since_the_first_window_of_their_row():
    said = one_class_text(MONITOR, found(days({"1": 20, "0": 80}, {"1": 12}, {"1": 15})))
    assert said.startswith(
        "all 27 labels since Tue 7 Jan 2025, 00:00 are positive, of the reference 20 % were; numbers that need another class are not"
    )


def test_labels_that_are_of_one_class_by_chance_are_not_told():
    """Of labels a fifth of which are positive, 61 in a row are negative about once in a million."""
    assert one_class_text(MONITOR, found(days({"0": 61}))) == ""
    assert one_class_text(MONITOR, found(days({"0": 62}))).startswith(
        "all 62 labels since Mon 6 Jan 2025, 00:00 are negative, of the reference 80 % were"
    )
    assert one_class_text(MONITOR, found(days({"1": 19}))) == ""


@pytest.mark.parametrize("later", [({"1": 50}, {"1": 50, "0": 1}), ({"1": 90}, {"0": 10}), ()])
def test_what_was_so_before_the_newest_labels_is_over(later):
    assert one_class_text(MONITOR, found(days(*later))) == ""


def test_labels_that_are_not_due_are_left_out():
    later = days({"1": 20, "0": 80}, {"1": 50})
    assert one_class_text(MONITOR, found(later, due=START + DAY)) == ""
    assert one_class_text(MONITOR, found(later, due=START + 2 * DAY)).startswith("all 50 labels")


def test_a_reference_of_one_class_is_told():
    said = one_class_text(MONITOR, found(days({"1": 50}), {"1": 400}))
    assert said.startswith("all 400 labels of the reference are positive; ")
    assert one_class_text(MONITOR, found({}, {"1": 19})) == ""


def test_a_period_tells_what_goes_on_at_its_end():
    later = days({"1": 30}, {"1": 30}, {"0": 80, "1": 20})
    assert one_class_text(MONITOR, found(later)) == ""
    assert one_class_text(MONITOR, found(later), Window(START, START + 2 * DAY)).startswith("all 60 labels since Mon 6 Jan 2025, 00:00 are positive")
    assert one_class_text(MONITOR, found(later), Window(START + 2 * DAY, START + 9 * DAY)) == ""
    assert one_class_text(MONITOR, found(days({"1": 30})), Window(START + 2 * DAY, START + 9 * DAY)) == ""


def test_several_classes_can_shrink_to_one():
    said = one_class_text(CLASSES, found(days({"a": 40}), {"a": 50, "b": 25, "c": 25}))
    assert said.startswith("all 40 labels since Mon 6 Jan 2025, 00:00 are of class `a`, of the reference 50 % were")


def test_a_new_class_is_told_by_name_number_and_time():
    foreign = days({}, {"c": 4}, {"c": 3, "b": 1})
    said = new_classes_text(CLASSES, found({}, {"a": 9}, foreign=foreign), Window(START, START + 9 * DAY))
    assert said == (
        "7 labels of class `c` since Tue 7 Jan 2025, 00:00 and 1 label of class `b` since Wed 8 Jan 2025, 00:00, which the reference never had; "
        "averages over classes count them too, and the model gives `c` no probability"
    )


def test_a_new_class_of_a_period_long_ago_is_not_told_and_keeps_when_it_began():
    news = found({}, {"a": 9}, foreign=days({"c": 4}, {}, {"c": 3}))
    assert new_classes_text(CLASSES, news, Window(START + 3 * DAY, START + 9 * DAY)) == ""
    assert new_classes_text(CLASSES, news, Window(START + 2 * DAY, START + 9 * DAY)).startswith("7 labels of class `c` since Mon 6 Jan")
    assert new_classes_text(CLASSES, news, Window(START, START + timedelta(hours=1))).startswith("4 labels of class `c`")


def test_of_many_new_classes_those_with_most_labels_are_named():
    news = found({}, {"a": 9}, foreign=days({name: n for n, name in enumerate("vwxyz", start=1)}))
    said = new_classes_text(CLASSES, news, Window(START, START + DAY))
    assert said.split(" since")[0] == "5 labels of class `z`"
    assert " and 2 more, which the reference never had" in said
    assert "`w`" not in said


def test_a_third_value_of_a_binary_model_is_said_to_count_as_negative():
    monitor = MONITOR.model_copy(update={"positive": "late"})
    said = new_classes_text(monitor, found({}, foreign=days({"lost": 5})), Window(START, START + DAY))
    assert said == "5 labels of class `lost` since Mon 6 Jan 2025, 00:00, which the reference never had; it counts as not `late`"
