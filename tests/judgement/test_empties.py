"""Empties: the segment that rows without a value are of is named where nearly all are, and where it is not most of all rows."""

import pytest

from watchkeeper.judgement.empties import empty_at

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
    found = empty_at("weight_kg", dict([EVERY, (segment, (rows, empty))]))
    assert (found and found.of_them) == said


def test_of_several_the_one_with_fewest_other_rows_is_named():
    found = empty_at("weight_kg", dict([EVERY, ("way=west", (700, 200)), ("depot=east", (400, 198))]))
    assert found is not None
    assert (found.of_them, found.text) == ("99 % of them where depot=east", "depot=east (50 % of its rows, which are 40 % of all)")


def test_without_an_empty_row_there_is_none():
    assert empty_at("weight_kg", {"": (1000, 0), "depot=east": (200, 0)}) is None
