"""News of an incident: what people were not told yet, and on which days they hear that it only goes on."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from incident_world import DAY, MONDAY, event
from watchkeeper.judgement.incidents import CAUSE_CHANGED
from watchkeeper.judgement.news import News, is_told_again, news, next_day
from watchkeeper.judgement.notices import GOES_ON, Fate, Notice, notices
from watchkeeper.judgement.worsening import WORSE
from watchkeeper.records import IncidentEvent
from watchkeeper.story import Cause, Size, Story

OUTCOME = Cause(kind="concept", subject="the outcome changed, not the inputs", share=0.83)
INPUTS = Cause(kind="covariate", subject="the inputs changed: wind", share=0.7)
WIND = Cause(kind="data", subject="faulty data: wind", share=0.6)
RAIN = Cause(kind="data", subject="rain comes in another unit: 10 times", share=0.3, is_later=True)


def size(value: float, *, within: float = 3.0, **more: Any) -> Size:
    fields = {"about": "MAE", "expected": 10.0, "low": value - within, "high": value + within, "said": f"MAE {value:.0f} on some day, usually 10"}
    return Size(value=value, **(fields | more))


def told(day: int, *causes: Cause, what: str = "joined", places: Sequence[str] = (), of: Size | None = None, **more: Any) -> IncidentEvent:
    """Return an event with a story of its own."""
    story = Story(headline=f"as of day {day}", when="", causes=list(causes), places=list(places), size=of)
    return replace(event(what, day=day, **more), story=story.to_json())


def said(before: IncidentEvent, after: IncidentEvent) -> list[tuple[str, str]]:
    return [(n.kind, n.text) for n in news([before], [after])]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ((OUTCOME,), (OUTCOME,), []),
        ((OUTCOME,), (replace(OUTCOME, share=0.4, subject="the outcome changed more than the inputs account for"),), []),
        ((INPUTS,), (Cause(kind="model", subject="the scores moved"),), []),
        ((), (OUTCOME,), ["the likely cause is found: the outcome changed, not the inputs (83 % of the change)"]),
        ((Cause(kind="unknown", subject=""),), (WIND,), ["the likely cause is found: faulty data: wind (60 % of the change)"]),
        (
            (OUTCOME,),
            (WIND,),
            ["the likely cause is now faulty data: wind (60 % of the change); told before: the outcome changed, not the inputs (83 % of the change)"],
        ),
        ((WIND,), (), ["the cause is unknown again, no longer faulty data: wind (60 % of the change)"]),
        ((WIND,), (WIND, RAIN), ["also rain comes in another unit: 10 times"]),
        ((WIND, RAIN), (WIND, replace(RAIN, subject="rain comes in another unit: 10.1 times", share=0.4)), []),
        ((WIND,), (WIND, INPUTS), []),
    ],
)
def test_a_cause_is_news_when_it_is_found_is_another_is_lost_or_comes_later(before, after, expected: list[str]):
    assert said(told(0, *before), told(1, *after)) == [("cause", text) for text in expected]


def test_a_later_fault_that_made_it_worse_is_told_once():
    worse = replace(told(1, WIND, RAIN), why=f"{WORSE}since Tue 4 Mar 2025 also rain comes in another unit: 10 times")
    assert said(told(0, WIND), worse) == [("worse", "got worse: since Tue 4 Mar 2025 also rain comes in another unit: 10 times")]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (size(20.0), size(24.0), []),
        (size(20.0), size(26.0), [("size", "grew: MAE 26 on some day, usually 10; before: MAE 20 on some day, usually 10")]),
        (size(20.0), size(26.0, within=7.0), []),
        (size(26.0), size(16.0), [("size", "restated: at worst MAE 16 on some day, usually 10; before: MAE 26 on some day, usually 10")]),
        (size(20.0), size(60.0, about="RMSE"), []),
        (size(20.0, is_final=False), size(21.0), [("labels", "labels are in: as of day 1")]),
        (size(20.0, is_final=False), size(20.0), []),
        (size(20.0, is_final=False), size(0.4, about="log loss"), [("labels", "labels are in: as of day 1")]),
        (None, size(60.0), []),
    ],
)
def test_a_number_is_news_when_it_grew_clearly_or_its_labels_are_in(before, after, expected):
    assert said(told(0, of=before), told(1, of=after)) == expected


def test_a_segment_is_news_once():
    first, second = (told(day, of=size(20.0), places=places) for day, places in enumerate((["depot=north"], ["depot=east", "depot=north"])))
    assert said(first, second) == [("segment", "depot=east stands out now")]
    assert news([first, second], [told(2, of=size(20.0), places=["depot=east"])]) == []
    assert said(told(0), told(1, of=size(20.0), places=["depot=north"])) == []  # what is older kept no segments to compare with
    assert said(told(0, of=size(20.0, is_final=False)), told(1, of=size(20.0), places=["depot=north"])) == []  # nor were they known without labels


def test_severity_and_what_somebody_recorded_are_news():
    recorded = replace(told(1, what="updated", severity="critical"), why="recorded since: release 5")
    assert said(told(0), recorded) == [("severity", "now critical, was high"), ("change", "recorded since: release 5")]
    assert said(told(0, severity="critical"), told(1, severity="high")) == []


def test_a_promise_that_broke_meanwhile_is_news():
    broken = told(1, what="opened", incident="p1", family="target", subject="recall")
    before, after = told(0), told(1)
    assert news([before], [after], [broken]) == [News("promise", "as of day 1 (`p1`)")]
    assert news([before], [after], [replace(broken, at=before.at)]) == []
    assert news([before], [after], [replace(broken, window_start=MONDAY - 9 * DAY, window_end=MONDAY - 8 * DAY)]) == []


def test_another_model_that_joins_or_is_over_is_news():
    first, joined = told(0), told(1, what="opened", incident="i2", model="letters", part_of="i1")
    assert news([first], [joined]) == [News("part", "also letters: as of day 1")]
    over = event("resolved", day=2, incident="i2", model="letters")
    assert news([first, joined], [over]) == [News("part", "letters is no longer out of line")]


# Days without news


def walked(days: Sequence[int], *events: IncidentEvent, shift: timedelta = timedelta(0)) -> tuple[list[Notice], dict[str, Fate]]:
    """Let people be told on some days, as plan.py does; return what was decided, and what became of the events."""
    decided: dict[str, Fate] = {}
    out: list[Notice] = []
    for day in days:
        now = MONDAY + (day + 1) * DAY + timedelta(hours=6) + shift
        for notice in notices([e for e in events if e.at <= now], decided, now=now, mature_after=timedelta(0)):
            out.append(notice)
            decided[notice.event.event_id] = "passed over" if notice.skip else "told"
    return out, decided


LASTS = [told(0, what="opened"), *(told(day) for day in range(1, 27))]


def days_told(found: Sequence[Notice]) -> list[int]:
    return [(n.event.at - LASTS[0].at) // DAY for n in found if not n.skip]


def test_what_only_goes_on_is_told_on_three_days_then_after_a_week_and_weekly():
    found, _ = walked(range(27), *LASTS)
    assert days_told(found) == [0, 1, 2, 3, 7, 14, 21]
    assert {n.skip for n in found if n.skip} == {f"{GOES_ON}: told again {day} days after it opened, or with news" for day in (7, 14, 21, 28)}
    assert len({n.event.event_id for n in found}) == len(LASTS)  # none of the events is lost


@pytest.mark.parametrize(("runs", "days"), [((0, 9, 10), [0, 9]), ((0, 3, 4, 5, 8), [0, 3, 8]), ((26,), [0])])
def test_missed_runs_neither_add_a_message_nor_take_one_away(runs: Sequence[int], days: list[int]):
    assert days_told(walked(runs, *LASTS)[0]) == days


@pytest.mark.parametrize(("model", "of"), [("parcels", ""), ("letters", "parcels: ")], ids=["of one model", "of two"])
def test_that_one_of_several_goes_on_as_another_is_news_and_no_end(model: str, of: str):
    first, second = told(0), told(0, incident="i2", model=model, family="segment", subject="depot=east")
    split = event("resolved", day=1)
    why = f"{CAUSE_CHANGED} on Tue 4 Mar 2025: i3 goes on"
    assert news([first, second], [replace(split, why=why)]) == [News("part", f"{of}{why}")]


def test_runs_that_begin_some_minutes_early_are_a_day_apart():
    early = [LASTS[0], *(replace(e, at=e.at - timedelta(minutes=20)) for e in LASTS[1:4])]
    found, _ = walked(range(4), *early)
    assert [n.day for n in found if not n.skip] == [None, 1, 2, 3]


def test_news_on_a_day_between_is_told_and_moves_no_later_day():
    found, _ = walked(range(8), *LASTS[:5], told(5, WIND), told(6, WIND), told(7, WIND))
    assert [(n.day, [x.kind for x in n.news]) for n in found if not n.skip and n.day] == [(1, []), (2, []), (3, []), (5, ["cause"]), (7, [])]


def test_news_that_did_not_get_through_is_told_with_the_next_update():
    events = [told(0, what="opened"), told(1, WIND), told(2, WIND)]
    _, decided = walked([0, 1], *events[:2])
    now = events[2].at
    [lost] = notices(events, decided | {events[1].event_id: "waiting"}, now=now, mature_after=timedelta(0))
    [told_already] = notices(events, decided, now=now, mature_after=timedelta(0))
    assert [n.kind for n in lost.news] == ["cause"]
    assert (list(told_already.news), told_already.day) == ([], 2)


def test_what_opens_again_is_told_whole_and_its_days_count_anew():
    events = [told(0, what="opened"), event("resolved", day=4), told(6, what="joined"), told(7), told(8)]
    found, _ = walked(range(9), *events)
    assert [(n.kind, n.day) for n in found if not n.skip] == [("open", None), ("resolve", None), ("update", None), ("update", 1), ("update", 2)]


def test_the_day_that_a_message_names_as_the_next_is_one():
    assert all(is_told_again(next_day(day), day) and not is_told_again(next_day(day) - 1, day) for day in range(60))
