"""Broken expectations: how many are too many, when they are chance or usual, and what is told already."""

from typing import Any

import pytest

from watchkeeper.judgement.breaks import MOST_BETWEEN, Break, broken_signals
from watchkeeper.judgement.episodes import GAP
from watchkeeper.windows import Window
from worlds import DAY, START, watched

LATER = START + 80 * DAY


def broken(day: int = 70, **changes: Any) -> Break:
    about = {"column": "spend", "expected": "at most 500", "broken": 73, "rows": 100, "usual": 0.0, "usual_high": 0.0}
    return Break(window=Window(START + day * DAY, START + (day + 1) * DAY), **about | changes)


def shares(*found: Break, told: tuple[Any, ...] = ()) -> list[float]:
    return [s.value for s in broken_signals(watched(), "production", found, told, LATER)]


def test_a_column_whose_values_break_what_is_expected_is_a_page():
    [page] = broken_signals(watched(), "production", [broken()], [], LATER)
    assert (page.family, page.level, page.rule, page.feature) == ("data", "page", "suite", "spend")
    assert (page.value, page.expected, page.n, page.expects, page.state) == (0.73, 0.0, 100, "at most 500", "mature")
    assert page.p < 1e-5


@pytest.mark.parametrize(
    ("changes", "is_page"),
    [
        ({"broken": 20}, True),
        ({"broken": 19}, False),
        ({"broken": 6, "rows": 30}, True),
        ({"broken": 29, "rows": 29}, False),
        ({"usual": 0.54}, False),
        ({"usual": 0.5}, True),
        ({"broken": 15, "rows": 30, "usual": 0.3}, False),
        ({"broken": 150, "rows": 300, "usual": 0.3}, True),
    ],
    ids=["20 points", "fewer", "30 rows", "fewer rows", "usual", "more than usual", "chance", "no chance"],
)
def test_it_takes_20_points_30_rows_and_more_than_chance(changes, is_page):
    assert bool(shares(broken(**changes))) is is_page


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ({70: 24, 71: 17, 72: 14, 73: 19}, [0.24, 0.17, 0.14, 0.19]),
        ({70: 24, 71: 17, 72: 1, 73: 17}, [0.24, 0.17, 0.17]),
        ({70: 24, 74: 17}, [0.24]),
        ({70: 17, 71: 24}, [0.24]),
        ({70: 24, 71: 5}, [0.24]),
    ],
    ids=["the same fault still", "a mild day", "another time", "not before", "chance"],
)
def test_what_was_telling_goes_on_until_values_are_as_usual(parts, told):
    found = shares(*(broken(day, broken=n) for day, n in parts.items()))
    assert sorted(found) == sorted(told)


def test_as_many_windows_may_lie_between_as_in_an_episode():
    assert MOST_BETWEEN == GAP


def test_what_one_weekday_does_in_the_reference_is_usual():
    """Four of 100 rows break it over all, half of the rows on Sundays."""
    assert shares(broken(broken=60, usual=0.07, usual_high=0.5)) == []
    assert shares(broken(broken=71, usual=0.07, usual_high=0.5)) == [0.71]


def test_of_several_expectations_on_a_column_the_most_broken_is_told():
    two = [broken(broken=40, expected="at least 0"), broken()]
    assert [s.expects for s in broken_signals(watched(), "production", two, [], LATER)] == ["at most 500"]


def test_a_column_that_pages_for_a_fault_in_that_window_is_not_told_twice():
    told = (("spend", START + 70 * DAY),)
    assert shares(broken(), told=told) == []
    assert shares(broken(), broken(71), broken(column="age"), told=told) == [0.73, 0.73]
