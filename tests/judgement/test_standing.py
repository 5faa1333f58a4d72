"""Whose windows the numbers of a version are compared with, and which versions are measured apart."""

from datetime import datetime, timedelta

import pytest

from watchkeeper.judgement.standing import (
    MOST_APART,
    Standing,
    apart,
    reference_text,
    standings,
    unseen,
    version_of_model,
)
from watchkeeper.monitor import Monitor
from watchkeeper.windows import Window
from worlds import DAY, START, watched

FAR = START + 1000 * DAY
Rows = dict[tuple[str, str], dict[datetime, int]]


def days(environment: str = "production", **rows: list[int]) -> Rows:
    """Return rows of versions by day since START; `v3` stands for the version 3, `none` for rows that name none."""
    names = {name: name.removeprefix("v").replace("none", "") for name in rows}
    return {(environment, names[name]): {START + d * DAY: n for d, n in enumerate(each) if n} for name, each in rows.items()}


def day(first: int, last: int | None = None) -> Window:
    return Window(START + first * DAY, START + ((first if last is None else last) + 1) * DAY)


def stand(monitor: Monitor, rows: Rows, version: str, *, due: datetime = FAR, environment: str = "production") -> Standing:
    (found,) = [s for s in standings(monitor, rows, due) if (s.version, s.environment) == (version, environment)]
    return found


def test_the_version_with_most_rows_in_the_reference_is_the_models():
    rows = days(v1=[300] * 10, v2=[100] * 10 + [900] * 20)
    assert version_of_model(watched(10), rows) == "1"
    assert version_of_model(watched(20), rows) == "2"
    assert [(s.version, s.source, s.is_calibrated) for s in standings(watched(10), rows, FAR)] == [("1", "model", True), ("2", "own", True)]


def test_a_reference_without_rows_is_no_versions():
    rows = days(v1=[0] * 30 + [300] * 10)
    assert version_of_model(watched(20), rows) is None
    assert stand(watched(20), rows, "1").why == "uncalibrated: 10 of 14 windows of version 1 are mature"


def test_the_first_windows_of_a_version_are_its_reference_and_stay_it():
    rows = days(v1=[300] * 20, v2=[0] * 20 + [300] * 40)
    few = stand(watched(20), rows, "2", due=START + 23 * DAY)
    assert (few.why, len(few.reference)) == ("uncalibrated: 3 of 14 windows of version 2 are mature", 3)
    whole = stand(watched(20), rows, "2", due=START + 34 * DAY)
    assert (whole.why, whole.reference) == ("", [day(d) for d in range(20, 34)])
    assert stand(watched(20), rows, "2").reference == whole.reference
    assert reference_text(watched(20), whole) == "its first 14 days, 26 Jan to 8 Feb 2025"


@pytest.mark.parametrize(
    ("of_version", "others", "counts"),
    [(100, 10_000, True), (99, 10_000, False), (99, 99, True), (3, 2, True), (1, 2, False)],
    ids=["100 rows", "99 of many", "half of few", "most of few", "a third of few"],
)
def test_a_window_belongs_to_a_reference_with_100_rows_or_half_of_all(of_version, others, counts):
    rows = days(v1=[others] * 40, v2=[0] * 20 + [of_version] * 20)
    found = stand(watched(20, versions={"calibrated_after": 20}), rows, "2")
    assert found.is_calibrated == counts
    assert found.why == ("" if counts else "uncalibrated: 0 of 20 windows of version 2 are mature; 20 more have fewer than 100 rows")


def test_what_is_needed_is_a_week_of_hours_two_of_days_or_what_is_stated():
    needed = {grain: watched(20, window=grain).calibrated_after for grain in ("hour", "day", "week")}
    assert needed == {"hour": 168, "day": 14, "week": 8}
    assert watched(20, versions={"calibrated_after": 3}).calibrated_after == 3


def test_without_labels_windows_count_when_they_are_over():
    rows = days(v1=[300] * 20, v2=[0] * 20 + [300] * 4)
    assert stand(watched(20, labels=None), rows, "2", due=START + 22 * DAY).why == "uncalibrated: 2 of 14 windows of version 2 are over"


def test_a_version_that_vanishes_and_returns_goes_on_where_it_stood():
    rows = days(v1=[300] * 60, v2=[0] * 20 + [300] * 6 + [0] * 20 + [300] * 14)
    found = stand(watched(20), rows, "2")
    assert found.reference == [day(d) for d in (*range(20, 26), *range(46, 54))]
    assert (found.first, found.last) == (day(20), day(59))


def test_one_row_is_a_version_that_nothing_is_compared_with():
    rows = days(v1=[300] * 40, oops=[0] * 30 + [1])
    assert stand(watched(20), rows, "oops").why == "uncalibrated: 0 of 14 windows of version oops are mature; 1 more has fewer than 100 rows"


def test_rows_without_a_version_are_one_of_their_own():
    rows = days(none=[300] * 20, v2=[0] * 20 + [300] * 20)
    assert version_of_model(watched(20), rows) == ""
    assert stand(watched(20), rows, "").source == "model"
    late = days(v1=[300] * 20, none=[0] * 20 + [300] * 3)
    assert stand(watched(20), late, "").why == "uncalibrated: 3 of 14 windows of rows without a version are mature"
    known = watched(20, versions={"references": {"(null)": {"from": "2025-01-26", "to": "2025-01-28"}}})
    assert stand(known, late, "").reference == [day(20, 21)]


def test_named_days_are_a_versions_reference_once_they_are_mature():
    monitor = watched(20, versions={"references": {2: {"from": "2025-01-26", "to": "2025-02-05"}}})
    rows = days(v1=[300] * 20, v2=[0] * 20 + [300] * 20)
    assert stand(monitor, rows, "2", due=START + 29 * DAY).why == (
        "uncalibrated: the days named as the reference of version 2, 26 Jan to 4 Feb 2025, are not all mature"
    )
    named = stand(monitor, rows, "2", due=START + 30 * DAY)
    assert (named.source, named.why, named.reference) == ("named", "", [day(20, 29)])
    assert reference_text(monitor, named) == "the days named for it, 26 Jan to 4 Feb 2025"


@pytest.mark.parametrize("window", ["day", "week"])
def test_named_days_in_which_a_version_has_no_row_are_told_and_no_other_reference_is_taken(window):
    monitor = watched(
        20, window=window, versions={"references": {"2": {"from": "2025-01-24", "to": "2025-01-26"}, "9": {"from": "2025-01-06", "to": "2025-01-07"}}}
    )
    rows = days(v1=[300] * 80, v2=[0] * 20 + [300] * 60)
    found = stand(monitor, rows, "2")
    assert (found.source, found.reference) == ("named", ())
    assert found.why == "uncalibrated: there is no row of version 2 in the days named as its reference, 24 to 25 Jan 2025"
    assert unseen(monitor, standings(monitor, rows, FAR)) == ["9"]


def test_a_shadow_has_the_reference_of_its_own_environment_and_days_named_in_it_count_in_production():
    rows = days(v1=[300] * 40, v2=[0] * 36 + [300] * 4) | days("staging", v2=[0] * 20 + [300] * 16)
    assert stand(watched(20), rows, "2", environment="staging").reference == [day(d) for d in range(20, 34)]
    assert stand(watched(20), rows, "2").why == "uncalibrated: 4 of 14 windows of version 2 are mature"
    monitor = watched(20, versions={"references": {"2": {"from": "2025-01-26", "to": "2025-02-09"}}})
    named = stand(monitor, rows, "2")
    assert (named.environments, named.why) == (["staging"], "")
    assert reference_text(monitor, named) == "the days named for it, 26 Jan to 8 Feb 2025, in staging"
    assert stand(monitor, rows | days(v2=[0] * 20 + [300] * 20), "2").environments == ["production"]


def test_only_versions_with_rows_are_measured_apart_and_all_others_are_told():
    assert apart({"1": 900, "2": 100}, "1") == (["1", "2"], [])
    assert apart({"1": 980, "2": 20, "3": 19, "4": 1}, "1") == (["1", "2"], ["3", "4"])
    assert apart({"1": 3, "2": 2}, "1") == (["1"], ["2"]), "half of all are enough"
    assert apart({"2": 300}, "1") == (["2"], []), "another one than the model's, alone"
    assert apart({"1": 300}, "1") == ([], []), "that is the whole"
    assert apart({}, "1") == ([], [])
    assert apart({"": 200, "1": 200}, "1") == (["", "1"], [])


def test_of_hundreds_of_versions_twenty_are_measured_apart():
    rows = {f"v{i:03}": 1000 + i for i in range(300)}
    told, rest = apart(rows, "v299")
    assert told == [f"v{i:03}" for i in range(299, 299 - MOST_APART, -1)]
    assert len(told) + len(rest) == 300


def test_names_that_stand_for_something_else_are_told_with_the_rest():
    assert apart({"1": 500, "(other)": 300, "(null)": 200}, "1") == (["1"], ["(other)", "(null)"])


def test_hours_add_up_to_the_windows_of_the_monitor():
    rows = {
        ("production", v): {START + h * timedelta(hours=1): n for h in range(first, last)}
        for v, n, first, last in (("1", 50, 0, 480), ("2", 5, 480, 960))
    }
    found = stand(watched(20), rows, "2")
    assert (found.rows, found.first, found.why) == (2400, day(20), "")
    assert found.reference == [day(d) for d in range(20, 34)]
