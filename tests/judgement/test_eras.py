"""Eras: a window has one reference, that of the newest new normal which had begun when it started."""

from dataclasses import replace
from datetime import timedelta

import pytest

from watchkeeper.judgement.developments import developments
from watchkeeper.judgement.episodes import Episode, across
from watchkeeper.judgement.eras import era_of, eras, fold, new_normal_text, reference_text
from watchkeeper.judgement.incidents import OURSELVES
from watchkeeper.judgement.incidents import fold as folded
from watchkeeper.records import Baseline, IncidentEvent, Signal
from watchkeeper.story import Story
from worlds import DAY, START, watched

MONITOR = watched(60)
WHY = "new normal since Wed 7 May 2025, by ann: a new carrier"


def normal(since: int, *, at: int = 200, name: str = "", **more: str) -> Baseline:
    """Return a new normal that begins on a day counted from START, made of the twenty days before it."""
    begins = START + since * DAY
    fields = {"model": "parcels", "environment": "production", "who": "ann", "why": "a new carrier"} | more
    return Baseline(baseline_id=name or f"b{since}", since=begins, starts_at=begins - 20 * DAY, ends_at=begins, at=START + at * DAY, **fields)


def test_each_era_lasts_until_the_next_and_every_moment_has_one():
    found = eras(MONITOR, [normal(90), normal(121)])
    assert [(e.since, e.until) for e in found] == [
        (None, START + 90 * DAY),
        (START + 90 * DAY, START + 121 * DAY),
        (START + 121 * DAY, None),
    ]
    moment = timedelta.resolution
    assert [found.index(era_of(found, START + d * DAY + by)) for d, by in ((0, 0 * moment), (90, -moment), (90, 0 * moment), (121, 9 * moment))] == [
        0,
        0,
        1,
        2,
    ]
    assert found[0].monitor is MONITOR
    assert found[1].monitor.reference_span == (START + 70 * DAY, START + 90 * DAY)
    assert found[1].monitor.is_rebased
    assert eras(found[1].monitor, [normal(90)])[0].monitor is found[1].monitor


def test_one_that_was_taken_back_is_gone_and_of_two_of_one_day_the_later_declared_counts():
    first, second = normal(90, at=100, name="first"), normal(90, at=101, name="second")
    assert [e.baseline for e in eras(MONITOR, fold([second, first]))] == [None, second]
    taken_back = replace(second, event="ended", who="bob", at=START + 102 * DAY)
    assert [e.baseline for e in eras(MONITOR, fold([first, taken_back, second]))] == [None, first]


def test_one_of_another_model_or_environment_or_before_the_end_of_the_monitors_reference_counts_not():
    others = [normal(90, model="loans"), normal(91, environment="staging"), normal(59)]
    assert len(eras(MONITOR, others)) == 1
    assert len(eras(MONITOR, [*others, normal(60)])) == 2


def test_it_is_told_with_its_days_since_when_by_whom_and_why():
    first, second = eras(MONITOR, [normal(121)])
    assert (reference_text(first), first.after) == ("", WHY)
    assert (reference_text(second), second.after) == (f"17 Apr to 6 May 2025, {WHY}", "")
    assert new_normal_text(normal(121), "America/New_York") == "new normal since Tue 6 May 2025, 20:00, by ann: a new carrier"


def episode(first: int, last: int, **more: object) -> Episode:
    signals = [
        Signal(
            signal_id=f"s{d}",
            model="parcels",
            environment="production",
            family="kpi",
            level="page",
            rule="sudden",
            metric="log_loss",
            window_start=START + d * DAY,
            window_end=START + (d + 1) * DAY,
            value=1.0,
            expected=0.5,
            p=1e-9,
            n=100,
            state="mature",
            computed_at=START + (d + 2) * DAY,
        )
        for d in range(first, last)
    ]
    return Episode("kpi", "kpi", signals, **({"is_over": False} | more))


def happened(known: list[IncidentEvent], *found: Episode, day: int, **more: object) -> list[IncidentEvent]:
    tell = lambda _episode, _severity: Story(headline="bad", when="")  # noqa: E731
    return developments("parcels", "production", folded(known), found, tell, START + day * DAY, **more)


def test_an_incident_that_goes_on_until_the_new_normal_is_over_with_it_once():
    known = happened([], episode(80, 95), day=96)
    ended = happened(known, episode(80, 90, is_over=True, ended=WHY), day=97)
    assert [(e.event, e.why, e.who) for e in ended] == [("resolved", WHY, OURSELVES)]
    assert happened([*known, *ended], episode(80, 90, is_over=True, ended=WHY), day=98) == []


@pytest.mark.parametrize(("first", "is_one"), [(90, True), (92, True), (93, False)])
def test_what_is_out_of_line_by_both_normals_is_one_episode(first: int, *, is_one: bool):
    old, new = episode(80, 90, is_over=True, ended=WHY), episode(first, 95, since=START + 90 * DAY)
    found = across([old], [new], 2)
    assert len(found) == (1 if is_one else 2)
    assert (found[0].start, found[-1].end, found[-1].is_over) == (START + 80 * DAY, START + 95 * DAY, False)
    assert (found[0].ended, found[0].since) == ("" if is_one else WHY, None)


def test_what_was_over_before_the_new_normal_is_no_part_of_what_comes_after():
    over = episode(80, 90, is_over=True)
    assert len(across([over], [episode(90, 95, since=START + 90 * DAY)], 2)) == 2


def test_what_comes_to_be_out_of_line_by_the_new_normal_is_an_incident_of_its_own():
    known = happened([], episode(80, 95), day=96)
    both = (episode(80, 90, is_over=True, ended=WHY), episode(93, 95, since=START + 90 * DAY))
    events = happened(known, *both, day=97)
    assert [e.event for e in events] == ["resolved", "opened"]
    assert len({e.incident_id for e in events}) == 2
    assert happened([*known, *events], *both, day=98) == []


def test_an_incident_that_ended_so_goes_on_when_the_new_normal_is_taken_back():
    known = happened([], episode(80, 95), day=96)
    known += happened(known, episode(80, 90, is_over=True, ended=WHY), day=97)
    [again] = happened(known, episode(80, 95), day=98)
    assert (again.event, again.incident_id) == ("joined", known[0].incident_id)
    assert folded([*known, again])[0].state == "open"


def test_an_incident_of_which_nothing_is_left_says_that_a_new_normal_is_why_and_is_not_withdrawn():
    known = happened([], episode(92, 95), day=96)
    ended = happened(known, day=97, normal_now=lambda _incident: WHY)
    one = folded([*known, *ended])[0]
    assert (one.state, one.why, one.is_normal_now, one.is_withdrawn) == ("resolved", WHY, True, False)
    assert happened([*known, *ended], day=98, normal_now=lambda _incident: WHY) == []
