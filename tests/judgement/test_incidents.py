"""Incidents: what becomes one story, when it is over, and that judging again adds nothing."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from watchkeeper.judgement.developments import developments
from watchkeeper.judgement.episodes import AGAIN, Episode, episodes, severity_of, subject_of
from watchkeeper.judgement.incidents import LASTED, RESTATED, Incident, fold
from watchkeeper.records import IncidentEvent, Severity, Signal, key
from watchkeeper.story import Story
from watchkeeper.words import moment_text
from worlds import DAY, START


def signal(day: int, *, metric: str = "calibration_gap", family: str = "kpi", p: float = 1e-3, state: str = "mature", **more: Any) -> Signal:
    """Return a page of one day."""
    about = {"feature": "", "segment": ""} | more
    return Signal(
        signal_id=key(family, metric, *about.values(), day),
        model="parcels",
        environment="production",
        family=family,
        level="page",
        rule="sudden",
        metric=metric,
        window_start=START + day * DAY,
        window_end=START + (day + 1) * DAY,
        value=0.2,
        expected=0.0,
        p=p,
        state=state,
        computed_at=START + (day + 2) * DAY,
        **about,
    )


def tell(episode: Episode, severity: Severity) -> Story:
    return Story(headline=f"{episode.subject}: {len(episode.signals)} signals, {severity}", when="")


class _Always(dict):
    def get(self, *_):
        return [START + d * DAY for d in range(400)]


MEASURED = _Always()
"""Every metric has a final number on every day."""


def tell_end(episode: Episode) -> Story:
    return Story(headline=f"resolved: {episode.subject}", when="")


class Watch:
    """A judge with a memory: each day it sees all signals anew, as the operation does."""

    def __init__(self) -> None:
        self.events: list[IncidentEvent] = []

    def sees(self, signals: Iterable[Signal], *, day: int) -> list[str]:
        """Judge on the morning after `day`; return what was new."""
        now = START + (day + 1) * DAY + timedelta(hours=6)
        windows = [START + d * DAY for d in range(day + 1)]
        found = episodes(signals, windows, MEASURED, again=AGAIN)
        new = developments("parcels", "production", fold(self.events), found, tell, now, tell_end=tell_end)
        self.events += new
        return [e.event for e in new]

    @property
    def incidents(self) -> list[Incident]:
        return fold(self.events)


@pytest.fixture
def watch() -> Watch:
    return Watch()


def test_a_signal_opens_an_incident_and_the_next_one_joins(watch):
    assert watch.sees([signal(3)], day=3) == ["opened"]
    assert watch.sees([signal(3), signal(4)], day=4) == ["joined"]
    [one] = watch.incidents
    assert (one.state, one.window_start, one.window_end) == ("open", START + 3 * DAY, START + 5 * DAY)
    assert one.headline == "kpi: 2 signals, warning"
    assert len(one.signals) == 2


def test_three_clear_windows_resolve_it(watch):
    watch.sees([signal(3)], day=3)
    assert watch.sees([signal(3)], day=4) == []
    assert watch.sees([signal(3)], day=5) == []
    assert watch.sees([signal(3)], day=6) == ["resolved"]
    [one] = watch.incidents
    assert (one.state, one.why) == ("resolved", f"clear since {moment_text(START + 4 * DAY, 'UTC').removesuffix(', 00:00')}")
    assert one.resolved_at == START + 7 * DAY + timedelta(hours=6)


def test_windows_whose_labels_are_still_missing_are_not_clear():
    windows = [START + d * DAY for d in range(10)]
    waiting = episodes([signal(3)], windows, {"calibration_gap": windows[:6]})
    assert [e.is_over for e in waiting] == [False]


@pytest.mark.parametrize(("silent", "is_over"), [(range(4, 10), False), (range(4, 7), True), (range(4, 8), False)])
def test_windows_in_which_nothing_was_measured_are_not_clear(silent, is_over):
    """Of days 4 to 9 three must have numbers: a feed that died has not healed."""
    windows = [START + d * DAY for d in range(10)]
    measured = {"calibration_gap": {w for d, w in enumerate(windows) if d not in silent}}
    [one] = episodes([signal(3)], windows, measured)
    assert one.is_over is is_over


def test_an_incident_found_after_its_end_opens_and_resolves_at_once(watch):
    assert watch.sees([signal(3)], day=20) == ["opened", "resolved"]
    assert [i.state for i in watch.incidents] == ["resolved"]


def test_judging_again_adds_nothing(watch):
    for day, found in ((3, [signal(3)]), (4, [signal(3), signal(4)]), (9, [signal(3), signal(4)])):
        assert watch.sees(found, day=day) != []
        before = watch.incidents
        assert watch.sees(found, day=day) == []
        assert watch.incidents == before


def test_two_episodes_apart_are_two_incidents(watch):
    found = [signal(3), signal(4), signal(20)]
    assert watch.sees(found, day=20) == ["opened", "resolved", "opened"]
    assert [(i.state, i.window_start) for i in watch.incidents] == [("resolved", START + 3 * DAY), ("open", START + 20 * DAY)]


def test_two_quiet_windows_do_not_split_a_story_and_three_do():
    windows = [START + d * DAY for d in range(30)]
    assert len(episodes([signal(3), signal(6)], windows, MEASURED)) == 1
    assert len(episodes([signal(3), signal(7)], windows, MEASURED)) == 2


BEFORE = [signal(3), signal(4), signal(5)]
"""What lasted three windows, and ended on day 6."""


def test_what_lasted_and_comes_again_within_a_week_opens_again(watch):
    watch.sees(BEFORE, day=5)
    assert watch.sees(BEFORE, day=8) == ["resolved"]
    assert watch.sees([*BEFORE, signal(13)], day=13) == ["joined"]
    [one] = watch.incidents
    assert (one.state, one.window_start, one.window_end) == ("open", START + 3 * DAY, START + 14 * DAY)
    assert watch.sees([*BEFORE, signal(13)], day=16) == ["resolved"]
    assert watch.sees([*BEFORE, signal(13)], day=17) == []


def test_what_comes_again_and_is_over_when_first_seen_is_told_and_resolved(watch):
    watch.sees(BEFORE, day=8)
    assert watch.sees([*BEFORE, signal(13)], day=20) == ["joined", "resolved"]
    assert [i.state for i in watch.incidents] == ["resolved"]


@pytest.mark.parametrize(("first", "again"), [(BEFORE, 14), (BEFORE[:2], 12), (BEFORE[:1], 8)])
def test_what_comes_later_or_had_not_lasted_is_another_incident(watch, first, again):
    watch.sees(first, day=8)
    assert watch.sees([*first, signal(again)], day=again) == ["opened"]
    assert [i.state for i in watch.incidents] == ["resolved", "open"]


def test_windows_without_numbers_do_not_end_a_story():
    """Days nobody measured are not in the windows, so they are neither clear nor a pause."""
    windows = [START + d * DAY for d in (*range(4), *range(10, 12))]
    [one] = episodes([signal(3), signal(10)], windows, MEASURED)
    assert not one.is_over


def test_kpis_of_one_day_are_one_story_and_segments_each_their_own(watch):
    found = [
        signal(3),
        signal(3, metric="log_loss"),
        signal(3, metric="calibration_gap_to_rest", family="segment", segment="depot=north"),
        signal(3, metric="calibration_gap_to_rest", family="segment", segment="depot=south"),
        signal(3, metric="null_ratio", family="data", feature="weight_kg"),
        signal(3, metric="null_ratio", family="data", feature="depot"),
    ]
    assert watch.sees(found, day=3) == ["opened"] * 4
    assert sorted(i.subject for i in watch.incidents if i.family == "segment") == ["depot=north", "depot=south"]


def test_each_promise_is_its_own_subject():
    broken = signal(3, metric="recall", family="target", segment="depot=north")
    assert subject_of(broken) == "target recall depot=north"
    assert subject_of(signal(3, metric="recall", family="target")) == "target recall"


def test_what_is_restated_to_nothing_is_resolved_and_says_so(watch):
    watch.sees([signal(3)], day=3)
    assert watch.sees([], day=4) == ["resolved"]
    assert watch.incidents[0].why == RESTATED
    assert watch.sees([], day=5) == []


def test_what_was_restated_to_nothing_and_comes_back_is_open_again(watch):
    watch.sees([signal(3, state="provisional")], day=3)
    watch.sees([], day=4)
    assert watch.sees([signal(3)], day=5) == ["joined"]
    assert [i.state for i in watch.incidents] == ["open"]
    assert watch.sees([signal(3)], day=5) == []


def test_the_same_end_again_is_another_event(watch):
    for day, found in enumerate([[signal(3, state="provisional")], [], [signal(3)], []], 3):
        watch.sees(found, day=day)
    ends = [e for e in watch.events if e.event == "resolved"]
    assert [e.why for e in ends] == [RESTATED] * 2
    assert len({e.event_id for e in ends}) == 2


def test_late_labels_that_prolong_a_resolved_story_open_it_again(watch):
    watch.sees([signal(3)], day=3)
    watch.sees([signal(3)], day=6)
    assert watch.sees([signal(3), signal(5), signal(6)], day=7) == ["joined"]
    assert [i.state for i in watch.incidents] == ["open"]
    assert watch.sees([signal(3), signal(5), signal(6)], day=9) == ["resolved"]


def test_a_late_signal_inside_a_story_that_is_over_wakes_nobody(watch):
    watch.sees([signal(3), signal(5)], day=12)
    assert watch.sees([signal(3), signal(4), signal(5)], day=13) == []


def test_the_final_word_on_a_provisional_signal_is_news(watch):
    assert watch.sees([signal(3, state="provisional")], day=3) == ["opened"]
    assert watch.sees([signal(3)], day=4) == ["joined"]
    assert watch.sees([signal(3)], day=4) == []
    assert watch.incidents[0].signals == [signal(3).signal_id]


def test_a_state_that_lasts_is_closed_after_four_weeks_and_does_not_come_back(watch):
    news = {day: watch.sees([signal(d) for d in range(3, day + 1)], day=day) for day in range(3, 60)}
    assert news[3] == ["opened"]
    assert news[31] == ["joined", "resolved"]
    assert all(news[day] == [] for day in range(32, 60))
    [one] = watch.incidents
    assert (one.state, one.why, one.is_open, one.resolved_at) == ("lasting", LASTED, False, None)


def test_what_lasts_is_open_again_once_it_is_twice_as_bad_and_lasts_anew_after_four_weeks(watch):
    def seen(day: int) -> list[Signal]:
        found = [replace(signal(d), value=0.2 if d < 40 else 0.35 if d < 45 else 0.45) for d in range(3, day + 1)]
        return [replace(s, low=s.value - 0.1, high=s.value + 0.1) for s in found]

    news = {day: watch.sees(seen(day), day=day) for day in range(3, 75)}
    assert {day: said for day, said in news.items() if said != ["joined"] and said} == {
        3: ["opened"],
        31: ["joined", "resolved"],
        73: ["joined", "resolved"],
    }
    assert [day for day, said in news.items() if said == ["joined"]] == [*range(4, 31), *range(45, 73)]
    again = next(e for e in watch.events if e.window_end == START + 46 * DAY)
    assert again.why == "got worse: calibration gap +45 points, before +20 points"
    assert watch.incidents[0].state == "lasting"


def test_what_lasts_is_open_again_where_another_column_fails_and_not_by_a_number_that_its_interval_leaves_open(watch):
    def missing(day: int, **more: Any) -> Signal:
        return replace(signal(day, family="data", metric="null_ratio", feature="wind"), **more)

    known = [missing(d) for d in range(3, 34)]
    for day in range(3, 34):
        watch.sees(known[: day - 2], day=day)
    assert watch.incidents[0].state == "lasting"
    unsure = [*known, missing(34, value=0.5, low=0.15, high=0.9)]
    assert watch.sees(unsure, day=34) == []
    rain = replace(signal(35, family="data", metric="null_ratio", feature="rain"), value=0.3)
    assert watch.sees([*unsure, missing(35), rain], day=35) == ["joined"]
    assert (watch.incidents[0].state, watch.events[-1].why) == ("open", "got worse: also share of missing values of rain 30 %")


def test_what_lasts_is_resolved_once_it_has_been_clear(watch):
    for day in range(3, 33):
        watch.sees([signal(d) for d in range(3, day + 1)], day=day)
    assert watch.incidents[0].state == "lasting"
    assert watch.sees([signal(d) for d in range(3, 33)], day=34) == []
    assert watch.sees([signal(d) for d in range(3, 33)], day=36) == ["joined", "resolved"]
    [one] = watch.incidents
    assert one.headline == "kpi: 30 signals, high"
    assert (one.state, one.resolved_at is None) == ("resolved", False)
    assert one.why.startswith("clear since")
    assert watch.sees([signal(d) for d in range(3, 33)], day=37) == []


def test_after_it_was_clear_the_same_subject_may_open_anew(watch):
    for day in range(3, 40):
        watch.sees([signal(d) for d in range(3, day + 1)], day=day)
    assert watch.sees([*(signal(d) for d in range(3, 40)), signal(50)], day=50) == ["joined", "resolved", "opened"]


@pytest.mark.parametrize(
    ("family", "days", "p", "severity"),
    [
        ("kpi", 1, 1e-3, "warning"),
        ("kpi", 1, 1e-9, "high"),
        ("kpi", 3, 1e-3, "high"),
        ("kpi", 3, 1e-9, "critical"),
        ("service", 3, 1e-9, "critical"),
        ("segment", 1, 1e-3, "warning"),
        ("segment", 3, 1e-9, "high"),
        ("data", 1, 1e-9, "warning"),
        ("target", 1, 0.0, "warning"),
        ("target", 5, 0.0, "warning"),
    ],
)
def test_severity_follows_how_unlikely_how_long_and_whom_it_concerns(family, days, p, severity):
    found = [signal(3 + d, family=family, p=p) for d in range(days)]
    assert severity_of(Episode(family, family, found, is_over=False)) == severity


def test_severity_never_falls(watch):
    watch.sees([signal(3, p=1e-9)], day=3)
    watch.sees([signal(3, p=1e-3), signal(4)], day=4)
    assert watch.incidents[0].severity == "high"


def test_what_a_person_said_is_kept_while_signals_join(watch):
    watch.sees([signal(3)], day=3)
    at = START + 4 * DAY + timedelta(hours=8)
    said = replace(watch.events[0], event_id="a", event="acknowledged", signals=[], story="{}", who="ann", at=at)
    watch.events.append(said)
    assert watch.incidents[0].state == "acknowledged"
    watch.sees([signal(3), signal(4)], day=4)
    assert watch.incidents[0].state == "acknowledged"
    assert watch.incidents[0].is_open


def test_the_headline_of_a_resolved_incident_tells_what_it_was(watch):
    watch.sees([signal(3)], day=3)
    watch.sees([signal(3)], day=6)
    assert watch.incidents[0].headline == "kpi: 1 signals, warning"


# Closed by hand


def close(watch: Watch, *, day: int, who: str = "ann", why: str = "the feed was mended") -> None:
    """Close the only incident on the morning after `day`, as operations/care.py does."""
    at, [one] = START + (day + 1) * DAY + timedelta(hours=8), watch.incidents
    watch.events.append(
        replace(
            watch.events[0],
            event_id=key(one.id, "resolved", who, at),
            event="resolved",
            signals=[],
            story="{}",
            severity=one.severity,
            window_start=one.window_start,
            window_end=one.window_end,
            who=who,
            why=why,
            at=at,
        )
    )


def test_what_a_person_closed_stays_closed_while_nothing_new_is_out_of_line(watch):
    watch.sees([signal(3), signal(4)], day=4)
    close(watch, day=4)
    assert [watch.sees([signal(3), signal(4)], day=day) for day in range(5, 45)] == [[]] * 40
    [one] = watch.incidents
    assert (one.state, one.closed_by, one.why, one.is_closed_by_hand) == ("resolved", "ann", "the feed was mended", True)


def test_the_final_word_on_a_known_signal_does_not_open_it_again_nor_does_another_metric_of_its_windows(watch):
    watch.sees([signal(3, state="provisional")], day=3)
    close(watch, day=3)
    assert watch.sees([signal(3)], day=4) == []
    assert watch.sees([signal(3), signal(3, metric="log_loss")], day=5) == []
    assert watch.incidents[0].state == "resolved"


def test_a_new_bad_window_opens_it_again_as_its_next_chapter_which_ends_by_itself(watch):
    watch.sees([signal(3)], day=3)
    close(watch, day=3)
    found = [signal(3), signal(4)]
    assert watch.sees(found, day=4) == ["joined"]
    [one] = watch.incidents
    assert (one.state, one.closed_by, one.resolved_at) == ("open", "", None)
    assert [watch.sees(found, day=day) for day in range(5, 9)] == [[], [], ["resolved"], []]
    assert (watch.incidents[0].state, watch.incidents[0].closed_by) == ("resolved", "watchkeeper")


def test_signals_taken_back_after_a_person_closed_it_tell_no_second_end(watch):
    watch.sees([signal(3, family="data", metric="null_ratio")], day=3)
    close(watch, day=3)
    assert [watch.sees([], day=day) for day in range(4, 9)] == [[]] * 5
    assert not watch.incidents[0].is_withdrawn


def test_a_chapter_opened_again_lasts_four_weeks_of_its_own_before_it_is_called_lasting(watch):
    found = [signal(3 + d) for d in range(60)]
    watch.sees(found[:26], day=28)
    close(watch, day=28)
    assert watch.sees(found[:31], day=33) == ["joined"]
    assert watch.sees(found[:56], day=58) == ["joined"]
    assert watch.incidents[0].state == "open"
    assert watch.sees(found[:59], day=61) == ["joined", "resolved"]
    assert watch.incidents[0].state == "lasting"


def test_an_acknowledgement_is_of_one_chapter(watch):
    watch.sees([signal(3)], day=3)
    watch.events.append(replace(watch.events[0], event_id="a", event="acknowledged", signals=[], story="{}", who="ann", at=START + 4 * DAY + DAY / 3))
    close(watch, day=4, who="bob")
    watch.sees([signal(3), signal(4), signal(5)], day=5)
    [one] = watch.incidents
    assert (one.state, one.acknowledgement) == ("open", None)


@pytest.mark.parametrize("why", [RESTATED, LASTED])
def test_a_reason_in_our_own_words_is_still_that_of_a_person(watch, why):
    watch.sees([signal(3)], day=3)
    close(watch, day=3, why=why)
    assert (watch.incidents[0].state, watch.incidents[0].is_withdrawn) == ("resolved", False)


def test_of_two_that_turn_out_to_be_one_the_earlier_that_is_over_was_all_the_same(watch):
    """Late rows show a bad day between two incidents of data: the later goes on with all of it, and of the earlier nothing is taken back."""
    first, between, later = (signal(day, metric="null_ratio", family="data", feature="depot") for day in (3, 5, 8))
    assert watch.sees([first], day=6) == ["opened", "resolved"]
    assert watch.sees([first, later], day=8) == ["opened"]
    assert watch.sees([first, between, later], day=9) == ["joined"]
    assert [(i.state, i.why == RESTATED) for i in watch.incidents] == [("resolved", False), ("open", False)]
