"""Fault places: the segment that faulty values are of is named where nearly all are, and where it is not most of all rows."""

import pytest

from watchkeeper.judgement.fault_places import fault_place

EVERY = ("", (1000, 200))


@pytest.mark.parametrize(
    ("segment", "rows", "empty", "said"),
    [
        ("depot=east", 200, 200, "all of them where depot=east"),
        ("depot=east", 400, 180, "90 % of them where depot=east"),
        ("depot=east", 200, 179, None),
        ("depot=east", 800, 200, None),
        ("depot=east&way=west", 200, 200, None),
        ("weight_kg=(null)", 200, 200, None),
    ],
    ids=["all", "nearly all", "not nearly all", "most of all rows", "a pair", "the feature itself"],
)
def test_the_segment_that_nearly_all_empty_rows_are_of(segment, rows, empty, said):
    found = fault_place("weight_kg", dict([EVERY, (segment, (rows, empty))]), {})
    assert (found and found.of_them) == said


def test_of_several_the_one_with_fewest_other_rows_is_named():
    found = fault_place("weight_kg", dict([EVERY, ("way=west", (700, 200)), ("depot=east", (400, 198))]), {})
    assert found is not None
    assert (found.of_them, found.text) == ("99 % of them where depot=east", "depot=east (50 % of its rows, which are 40 % of all)")


def test_without_an_empty_row_there_is_none():
    assert fault_place("weight_kg", {"": (1000, 0), "depot=east": (200, 0)}, {}) is None


@pytest.mark.parametrize(
    ("usual", "said"),
    [
        ({}, None),
        ({"": (1000, 50), "depot=east": (200, 10), "depot=west": (800, 40)}, "83 % of them where depot=east"),
        ({"": (1000, 14), "depot=east": (200, 10), "depot=west": (800, 4)}, None),
    ],
    ids=["nothing is known", "a few everywhere", "the rest has more, too"],
)
def test_what_is_usual_of_a_segment_is_no_fault(usual, said):
    """All 200 rows of the east and 5 % of 800 others are empty."""
    found = fault_place("weight_kg", {"": (1000, 240), "depot=east": (200, 200), "depot=west": (800, 40)}, usual)
    assert (found and found.of_them) == said


def test_a_segment_that_never_had_a_value_hides_none_that_lost_them():
    usual = {"": (1000, 300), "depot=west": (300, 300), "depot=east": (200, 0)}
    found = fault_place("weight_kg", {"": (1000, 500), "depot=west": (300, 300), "depot=east": (200, 200)}, usual)
    assert found is not None
    assert found.of_them == "40 % of them where depot=east"
