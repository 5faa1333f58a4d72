"""Later causes: a fault that begins while an incident goes on has its own onset and share, and none where it did no harm."""

from collections import Counter
from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest

from evidence_world import evidence, signal
from watchkeeper.judgement.causes import causes, ruled_out
from watchkeeper.judgement.data_causes import of_faults
from watchkeeper.judgement.error_changes import ErrorChange
from watchkeeper.judgement.evidence import Evidence
from watchkeeper.judgement.grounds import moved_since
from watchkeeper.judgement.later_causes import later_news, something_else_began
from watchkeeper.judgement.moves import Moved
from watchkeeper.judgement.odd_inputs import Odd
from watchkeeper.judgement.spells import BadDay, Spell, spell_of
from watchkeeper.judgement.succession import Phase, Succession
from watchkeeper.judgement.traces import Place, Traces
from watchkeeper.records import Signal
from watchkeeper.windows import Window
from worlds import DAY, START

UNIT = Odd("size_cm", "unit", "size_cm comes in another unit: all its values are 10 times what they were")


def days(*beyond: float) -> list[BadDay]:
    """Days from the seventh on, of 400 rows each, whose number is so far off."""
    return [BadDay(START + (7 + d) * DAY, 400, value, 0.01) for d, value in enumerate(beyond)]


def missing(feature: str, *on: int) -> list[Signal]:
    return [replace(signal(day=day), family="data", metric="null_ratio", feature=feature, value=0.6, expected=0.0) for day in on]


def at(day: int) -> datetime:
    return START + day * DAY


def two_faults(*beyond: float, nulls: tuple[int, ...] = (7, 8, 9, 10), unit: tuple[int, ...] = (9, 10, 11, 12), **more: object) -> Evidence:
    """Weights are missing on some days, sizes have another unit on some; the number is off by what `beyond` says, from the seventh day on."""
    spells = [Spell(UNIT, tuple(at(d) for d in unit))] if unit else []
    traces = Traces(days=days(*beyond), spells=spells)
    found = {"rate": 0.23, "gap": -0.3, "usual_rate": 0.23, "moved": [Moved("weight_kg", 40.0)], "faults": missing("weight_kg", *nulls)}
    return evidence(*(signal(value=-0.3, day=7 + d) for d in range(len(beyond))), traces=traces, **{**found, **more})


def told(found: Evidence) -> list[tuple[str, float | None, datetime | None, bool]]:
    return [(c.subject.partition(":")[0 if "unit" in c.subject else 2].strip(), c.share, c.onset, c.is_later) for c in causes(found)]


def test_two_faults_share_the_change_between_them():
    """Off by 20 points a day for two days, by 30 for two more with both faults, then by 10 with the second alone: 80 of 120 are the first's."""
    found = told(two_faults(-0.2, -0.2, -0.3, -0.3, -0.1, -0.1))
    assert [c[0] for c in found] == ["weight_kg", "size_cm comes in another unit"]
    assert [c[1] for c in found] == pytest.approx([2 / 3, 1 / 3])
    assert [c[2:] for c in found] == [(at(7), False), (at(9), True)]


@pytest.mark.parametrize("since", [(-0.2, -0.2), (-0.1, -0.1), (-0.21, -0.21)], ids=["as before", "better", "by chance"])
def test_a_later_fault_that_did_no_harm_is_no_cause(since):
    assert [c[:2] for c in told(two_faults(-0.2, -0.2, *since, unit=(9, 10)))] == [("weight_kg", 1.0)]


def test_where_an_incident_began_is_that_of_the_days_before_the_later_fault_whose_rows_hide_it():
    south, everywhere = (Place("region", "segment", where, 5.2, 2.4, 0.3, 1.0) for where in ("region = south", "wind is missing"))
    rose = ErrorChange("mean absolute error", 5.2, 2.4, 0.1)
    found = two_faults(2.0, 2.0, 4.0, 4.0, nulls=(), unit=(), faults=[], moved=[], faulty_later=["wind"], later_faults=missing("wind", 9, 10))
    first = Traces(place=south, error=rose, error_there=rose, days=days(2.0, 2.0))
    beginning = two_faults(2.0, 2.0, nulls=(), unit=(), faults=[], moved=[])
    for harm, said in ((4.0, ["the outcome no longer follows the prediction, where region = south", "faulty data: wind"]), (2.0, None)):
        traces = replace(found.traces, days=days(2.0, 2.0, harm, harm), place=everywhere, error=rose, error_there=rose)
        subjects = [c.subject for c in causes(replace(found, traces=traces, beginning=replace(beginning, traces=first)))]
        assert subjects == (said or ["the outcome no longer follows the prediction, where wind is missing"])


def test_an_input_that_moved_later_is_no_cause_of_the_beginning_and_is_told_with_its_day():
    """The rate rose by 20 points of itself for two days; then a size moved, the model expected 30 points more, and all days together are the model's fault."""
    moved = [Moved("size_cm", 9.0, since=at(9))]
    whole = evidence(
        *(signal(day=7 + d) for d in range(4)), rate=0.33, gap=-0.1, usual_rate=0.23, moved=moved, traces=Traces(days=days(0.2, 0.2, -0.4, -0.4))
    )
    first = evidence(signal(), signal(day=8), rate=0.43, gap=0.2, usual_rate=0.23, moved=[], traces=Traces(days=days(0.2, 0.2)))
    assert [c.subject for c in causes(whole)] == ["the model's scores moved, not the outcome; so did size_cm"]
    assert something_else_began(whole) == at(9)
    told = replace(whole, beginning=first)
    assert [(c.subject, c.onset) for c in causes(told)] == [("the outcome changed, not the inputs", at(7))]
    [(label, said)] = moved_since(told, causes(told))
    assert (label, said.partition(":")[0]) == ("Since then", "size_cm moved, since Wed 15 Jan 2025")
    assert moved_since(whole, causes(whole)) == []
    few = replace(first, traces=Traces())
    assert causes(replace(whole, beginning=few)) == causes(whole), "too few rows tell nothing"


def test_a_fault_from_the_beginning_is_not_a_later_one():
    assert not any(c[3] for c in told(two_faults(-0.2, -0.2, -0.3, unit=(7, 8, 9))))


def test_values_that_go_missing_later_are_a_cause_where_it_got_worse_since_and_else_ruled_out():
    for since, is_cause in ((-0.4, True), (-0.2, False)):
        found = two_faults(-0.2, -0.2, since, since, unit=(), faulty_later=["wind"], later_faults=missing("wind", 9, 10))
        later = [c for c in causes(found) if c.is_later]
        assert [c.subject for c in later] == (["faulty data: wind"] if is_cause else [])
        assert any(said.startswith("faulty data: wind") for said in ruled_out(found, causes(found))) != is_cause
        assert "missing values" not in ruled_out(found, causes(found)), "there are some"


def test_later_categories_are_told_by_the_reference():
    new = [replace(s, metric="unseen_ratio") for s in missing("wind", 9, 10)]
    *_, later = causes(two_faults(-0.2, -0.2, -0.4, -0.4, unit=(), later_faults=new))
    assert "wind: 60 % of rows in categories that the reference lacks, usually 0 %" in later.evidence_for


def test_each_of_two_later_faults_has_what_lies_beyond_the_others():
    found = two_faults(-0.1, -0.1, -0.2, -0.3, nulls=(7, 8, 9, 10), unit=(9, 10), faulty_later=["wind"], later_faults=missing("wind", 10))
    assert [c[1] for c in told(found)] == pytest.approx([1 - 0.3 / 0.7, 0.3 / 0.7], abs=1e-9)
    harder = two_faults(-0.1, -0.1, -0.2, -0.2, -0.5, nulls=(7, 8, 9, 10, 11), unit=(9, 10), faulty_later=["wind"], later_faults=missing("wind", 11))
    assert [c[1] for c in told(harder)] == pytest.approx([0.5 / 1.1, 0.2 / 1.1, 0.4 / 1.1])


def test_news_of_a_later_fault_is_told_once():
    before, since = causes(two_faults(-0.2, -0.2, unit=())), causes(two_faults(-0.2, -0.2, -0.3, -0.3))
    more = [replace(c, subject=c.subject.replace("10 times", "9.9 times")) for c in since]
    assert later_news(before, since, "UTC") == f"since Wed 15 Jan 2025 also {UNIT.text}"
    assert later_news(since, more, "UTC") == ""
    assert later_news([], since, "UTC") == ""


def test_features_that_lost_their_values_on_other_days_did_not_fail_together():
    first, later = of_faults([*missing("weight_kg", 7, 8, 9, 10), *missing("size_cm", 8, 9), *missing("wind", 11, 12)])
    assert (first.subject, first.onset, first.is_later) == ("missing values in size_cm, weight_kg", at(7), False)
    assert (later.subject, later.onset, later.is_later) == ("missing values in wind", at(11), True)
    assert later.evidence_for == ["it failed alone, so look at this column first"]


def values(*factors: float, usual: tuple[float, ...] = (1.0,) * 14, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[datetime]]:
    """Days of 300 numbers that are a multiple of what they usually are, the bad ones last; with the side, the day and the start of each."""
    rng, every = np.random.default_rng(seed), (*usual, *factors)
    day = np.repeat(np.arange(len(every)), 300)
    return rng.lognormal(3, 0.4, len(day)) * np.array(every)[day], day >= len(usual), day, [at(d) for d in range(len(every))]


def test_a_spell_is_the_days_on_which_the_unit_was_another():
    found = spell_of("size_cm", *values(1, 1, 1, 10, 10, 10, 1))
    assert found is not None
    assert (found.odd.how, found.days) == ("unit", (at(17), at(18), at(19)))


@pytest.mark.parametrize("factors", [(1, 1, 1, 1), (1, 10, 1, 1), (1.2, 0.9, 1.1, 1.2)], ids=["none", "one day", "what wanders"])
def test_other_days_are_no_spell(factors):
    assert spell_of("size_cm", *values(*factors)) is None


def test_what_the_days_before_show_as_well_is_no_spell():
    """Storms double the wind now and then."""
    assert spell_of("wind", *values(1, 2.54, 2.54, 2.54, usual=(*(1.0,) * 12, 2.54, 1.0))) is None
    assert spell_of("wind", *values(1, 2.54, 2.54, 2.54)) is not None


def took_over(day: int) -> Succession:
    before, since = (Phase(Window(at(d), at(d + 1)), 5, Counter({version: 2000}), version) for d, version in ((0, "1"), (day, "2")))
    return Succession([before, since], Counter({"1": 9000}), since.since)


def test_a_version_that_took_over_is_a_cause_of_the_days_on_which_the_fault_is_over_whichever_side_they_lie_on():
    found = two_faults(0.2, 0.2, 0.2, 0.2, -0.2, -0.2, -0.2, -0.2, unit=(), succession=took_over(9))
    data, release = causes(found)
    assert (data.subject, data.share) == ("faulty data: weight_kg", pytest.approx(0.5))
    assert (release.kind, release.subject, release.is_later, release.share) == ("release", "version 2 took over", True, pytest.approx(0.5))
    assert release.onset == at(9)
    assert release.evidence_for[0].startswith("since Fri 17 Jan 2025 what it began with is over")
    assert not [said for said in ruled_out(found, [data, release]) if "release" in said]


@pytest.mark.parametrize(
    ("beyond", "day"), [((0.2, 0.2, 0.2, 0.2), 9), ((0.2, 0.2, 0.2, 0.2, -0.2, -0.2), 3)], ids=["the fault lasts", "it came before"]
)
def test_a_version_is_no_later_cause_while_the_fault_shows_nor_where_it_came_before(beyond, day):
    assert [c.kind for c in causes(two_faults(*beyond, unit=(), succession=took_over(day))) if c.is_later] == []
