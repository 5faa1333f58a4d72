"""Who has the traffic since when: in place of whom, beside whom, or again; the same day whichever moment it is asked at."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
import pytest

from watchkeeper.judgement.standing import RowsOfVersions
from watchkeeper.judgement.succession import succession, succession_text
from watchkeeper.monitor import Monitor
from worlds import DAY, START, watched

LATER = START + 100 * DAY
HOUR = timedelta(hours=1)
Rows = dict[tuple[str, str], dict[datetime, int]]


def rows_of(*, environment: str = "production", step: timedelta = DAY, **versions: Sequence[int]) -> Rows:
    """Return rows of versions by day (or another step) since START; `v3` stands for the version 3, `none` for rows that name none."""
    names = {name: name.removeprefix("v").replace("none", "") for name in versions}
    return {(environment, names[name]): {START + d * step: int(n) for d, n in enumerate(each) if n} for name, each in versions.items()}


def split(shares: Sequence[float], rows: int = 300, *, seed: int = 1) -> tuple[list[int], list[int]]:
    """Return the rows of two versions by window, of which the second one has those shares, as they fall by chance."""
    of_second = np.random.default_rng(seed).binomial(rows, shares)
    return [rows - int(n) for n in of_second], [int(n) for n in of_second]


def said(rows: RowsOfVersions, day: float, monitor: Monitor | None = None) -> str:
    """Return what is told once so many days are over, empty where nothing is."""
    monitor = monitor or watched(20)
    found = succession(monitor, rows, START + day * DAY)
    return succession_text(monitor, found, LATER) if found else ""


def days_told(rows: RowsOfVersions, days: Sequence[int]) -> set[str]:
    return {said(rows, day) for day in days}


def test_a_clean_switch_is_told_with_its_day_as_long_as_it_lasts_whenever_it_is_asked():
    rows = rows_of(v4=[300] * 25, v5=[0] * 25 + [300] * 40)
    assert days_told(rows, range(1, 26)) == {""}
    assert days_told(rows, range(26, 66)) == {"version 5 took over on Fri 31 January; usual is that of version 4"}


def test_a_window_that_is_not_over_tells_nothing_yet():
    rows = rows_of(v4=[300] * 25, v5=[0] * 25 + [300] * 40)
    assert said(rows, 25.9) == ""


def test_a_switch_in_the_middle_of_a_day_is_told_with_the_first_whole_day_and_the_day_itself_had_both():
    rows = rows_of(v4=[300] * 25 + [150], v5=[0] * 25 + [150] + [300] * 5)
    assert said(rows, 26) == "versions 4 and 5 shared the traffic on Fri 31 January (50 % and 50 %); usual is that of version 4"
    assert days_told(rows, range(27, 31)) == {"version 5 took over on Sat 1 February; usual is that of version 4"}


@pytest.mark.parametrize("rows", [10_000, 300, 100, 12, 1])
@pytest.mark.parametrize("share", [0.5, 0.4, 0.65])
def test_of_a_steady_split_no_version_ever_took_over_however_few_rows_a_window_has(rows, share):
    old, new = split([0.0] * 200 + [share] * 600, rows)
    hours = rows_of(v4=old, v5=new, step=HOUR)
    monitor = watched(8, window="hour")
    told = [succession(monitor, hours, START + h * HOUR) for h in range(200, 801, 60)]
    assert {found.phases[-1].holder for found in told if found} == {None}
    (since,) = {found.phases[-1].since.start for found in told if found}
    assert abs((since - START) / HOUR - 200) <= max(1, 100 / rows)
    assert sum(found is not None for found in told) >= 8


def test_a_steady_split_is_told_with_its_parts_and_since_when():
    old, new = split([0.0] * 25 + [0.48] * 30, 100_000)
    rows = rows_of(v4=old, v5=new)
    assert days_told(rows, range(27, 56)) == {"versions 4 and 5 share the traffic (52 % and 48 % since Fri 31 January); usual is that of version 4"}


def test_a_split_from_the_first_row_on_is_that_of_the_reference_and_no_news():
    old, new = split([0.5] * 60, 100_000)
    assert days_told(rows_of(v4=old, v5=new), range(2, 61)) == {""}


def test_another_split_begins_anew():
    old, new = split([0.0] * 20 + [0.4] * 10 + [0.8] * 10, 10_000)
    rows = rows_of(v4=old, v5=new)
    assert said(rows, 30) == "versions 4 and 5 share the traffic (60 % and 40 % since Sun 26 January); usual is that of version 4"
    assert said(rows, 40) == "versions 4 and 5 share the traffic (20 % and 80 % since Wed 5 February); usual is that of version 4"


def test_a_split_that_went_back_to_a_few_rows_is_not_said_to_be_as_in_a_reference_of_one_version():
    old, new = split([0.0] * 20 + [0.5] * 10 + [0.15] * 10, 10_000)
    assert said(rows_of(v4=old, v5=new), 40) == "versions 4 and 5 share the traffic (85 % and 15 % since Wed 5 February); usual is that of version 4"


def test_a_slow_roll_out_is_told_with_when_it_had_nearly_all_and_since_when_it_was_beside_the_other():
    old, new = split([0.0] * 20 + [0.1] * 5 + [0.5] * 5 + [1.0] * 30)
    rows = rows_of(v4=old, v5=new)
    assert days_told(rows, range(20, 26)) == {""}, "a tenth is a trial"
    assert "since Fri 31 January); usual is that of version 4" in said(rows, 30)
    assert days_told(rows, range(31, 61)) == {
        "version 5 took over on Wed 5 February, after sharing the traffic since Fri 31 January; usual is that of version 4"
    }


@pytest.mark.parametrize("share", [0.001, 0.02, 0.1, 0.2])
@pytest.mark.parametrize("rows", [1000, 100, 12])
def test_a_version_on_trial_is_neither_a_take_over_nor_a_split(share, rows):
    old, new = split([0.0] * 200 + [share] * 600, rows)
    hours = rows_of(v4=old, v5=new, step=HOUR)
    told = {said(hours, h / 24, watched(8, window="hour")) for h in range(200, 801, 60)}
    assert told == {""}


def test_a_roll_back_is_told_as_such_for_four_weeks_and_then_all_is_as_usual():
    rows = rows_of(v4=[300] * 25 + [0] * 4 + [300] * 60, v5=[0] * 25 + [300] * 4)
    assert said(rows, 29) == "version 5 took over on Fri 31 January; usual is that of version 4"
    assert days_told(rows, range(30, 58)) == {
        "version 4 came back on Tue 4 February, after version 5 had answered since Fri 31 January; usual is that of version 4"
    }
    assert days_told(rows, range(58, 89)) == {""}


def test_a_second_try_is_told_with_its_own_day():
    rows = rows_of(v4=[300] * 25 + [0] * 4 + [300] * 4, v5=[0] * 25 + [300] * 4 + [0] * 4 + [300] * 20)
    assert days_told(rows, range(34, 53)) == {
        "version 5 came back on Sat 8 February, after version 4 had answered since Tue 4 February; usual is that of version 4"
    }


def test_a_trial_with_half_the_traffic_that_ended_is_told_as_that():
    rows = rows_of(v4=[300] * 25 + [150] * 4 + [300] * 10, v5=[0] * 25 + [150] * 4)
    assert said(rows, 35) == (
        "version 4 got nearly all the traffic back on Tue 4 February, after versions 4 and 5 had shared it since Fri 31 January; usual is that of version 4"
    )


def test_a_roll_back_to_a_version_whose_numbers_are_not_usual_is_told_as_long_as_it_lasts():
    rows = rows_of(v3=[300] * 25, v4=[0] * 25 + [300] * 10 + [0] * 5 + [300] * 50, v5=[0] * 35 + [300] * 5)
    assert days_told(rows, range(41, 91)) == {
        "version 4 came back on Sat 15 February, after version 5 had answered since Mon 10 February; usual is that of version 3"
    }


def test_one_day_without_the_new_version_is_told_as_it_was_and_one_odd_row_is_nothing():
    rows = rows_of(v4=[300] * 25 + [0] * 10 + [3] + [0] * 5, v5=[0] * 25 + [300] * 10 + [0] + [300] * 5)
    assert days_told(rows, range(26, 42)) == {"version 5 took over on Fri 31 January; usual is that of version 4"}


def test_of_few_rows_a_day_the_day_is_exact_and_is_told_once_there_are_a_hundred():
    rows = rows_of(v4=[10] * 25, v5=[0] * 25 + [10] * 30)
    assert days_told(rows, range(1, 35)) == {""}
    assert days_told(rows, range(35, 56)) == {"version 5 took over on Fri 31 January; usual is that of version 4"}


def test_usual_of_a_reference_of_several_versions_is_said_to_be_that():
    mostly = rows_of(v3=[100] * 20, v4=[200] * 20, v5=[0] * 20 + [300] * 5)
    assert said(mostly, 25) == "version 5 took over on Sun 26 January; usual is mostly that of version 4"
    evenly = rows_of(v3=[160] * 20, v4=[140] * 20 + [300] * 5)
    assert (
        said(evenly, 25) == "version 4 took over on Sun 26 January, after sharing the traffic since Mon 6 January; usual is that of versions 3 and 4"
    )


def test_a_version_that_took_over_within_the_reference_and_is_most_of_it_is_usual():
    assert days_told(rows_of(v3=[300] * 6, v4=[0] * 6 + [300] * 40), range(8, 47)) == {""}


def test_a_reference_of_later_days_has_nobody_take_over_before_it():
    rows = rows_of(v4=[300] * 30, v5=[0] * 30 + [300] * 30)
    later = watched(20, reference={"from": "2025-02-05", "to": "2025-03-01"})
    assert said(rows, 20, later) == "version 4 had nearly all the traffic from the first rows on; usual is that of version 5"
    assert said(rows, 50, later) == ""


def test_many_versions_and_rows_without_one_are_named_in_part():
    many = rows_of(v4=[300] * 40) | {("production", f"exp-{i}"): {START + d * DAY: 60 for d in range(20, 40)} for i in range(30)}
    text = said(many, 40)
    assert text.startswith("version 4 and others share the traffic (14 % and 86 % since Sun 26 January)")
    unnamed = rows_of(v4=[300] * 20 + [100] * 20, none=[0] * 20 + [200] * 20)
    assert said(unnamed, 40).startswith("rows without a version and version 4 share the traffic (67 % and 33 % since Sun 26 January)")


def test_hours_are_told_with_the_hour_and_weeks_with_their_first_day():
    hours = rows_of(v4=[200] * 400, v5=[0] * 400 + [200] * 60, step=HOUR)
    assert said(hours, 18, watched(8, window="hour")) == "version 5 took over on Wed 22 January, 16:00 to 17:00; usual is that of version 4"
    shared = rows_of(v4=[200] * 400 + [100] * 60, v5=[0] * 400 + [100] * 60, step=HOUR)
    assert "(50 % and 50 % since Wed 22 January, 16:00)" in said(shared, 18, watched(8, window="hour"))
    weeks = rows_of(v4=[300] * 28 + [150] * 28, v5=[0] * 28 + [150] * 28)
    assert "(50 % and 50 % since Mon 3 February)" in said(weeks, 56, watched(20, window="week"))


def test_only_the_monitors_environment_counts_and_without_a_reference_nobody_is_in_its_place():
    assert said(rows_of(v4=[300] * 25) | rows_of(environment="staging", v5=[900] * 25), 25) == ""
    assert said(rows_of(v4=[0] * 20 + [300] * 10, v5=[0] * 30 + [300] * 10), 40) == ""
    assert said({}, 40) == ""


def test_the_window_in_which_the_traffic_left_the_versions_of_the_reference_is_known():
    def left(rows: Rows, day: int) -> float | None:
        found = succession(watched(20), rows, START + day * DAY)
        assert found is not None
        return None if found.left is None else (found.left.start - START) / DAY

    assert left(rows_of(v4=[300] * 20 + [150] * 5, v5=[0] * 20 + [150] * 5 + [300] * 5), 30) == 20
    assert left(rows_of(v4=[150] * 20, v5=[150] * 20, v6=[0] * 20 + [300] * 5), 25) == 20
