"""Steps of a rolling reference: when they are due, which windows they are made of, and which stretches follow from them."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from evidence_world import score
from watchkeeper.judgement.eras import Era, compared_text, eras, fold, step_text
from watchkeeper.judgement.policy import rules_of
from watchkeeper.judgement.rolling import Seen, days_of, moved, moved_text, step, steps_due
from watchkeeper.monitor import Monitor
from watchkeeper.records import Baseline
from watchkeeper.windows import Window, local_midnight
from worlds import DAY, START, watched

ROLLS = {"every": "2w", "last": "4w"}
NOW = START + 400 * DAY


def rolls(reference_days: int = 60, rolling: Any = ROLLS, **changes: Any) -> Monitor:
    """Return the parcels monitor with a rolling reference, by default every two weeks, of the last four."""
    given = watched(reference_days, **changes)
    said = {"from": given.reference.from_, "to": given.reference.to, "rolling": rolling}
    return Monitor.model_validate({**given.model_dump(by_alias=True, exclude_unset=True), "reference": said})


def first(monitor: Monitor, *baselines: Baseline) -> Era:
    return eras(monitor, baselines)[0]


def clean(monitor: Monitor, since: datetime, out: dict[int, str] | None = None) -> list[Seen]:
    """Return the days of a step of the first era with all labels in, some of them, counted from its first, left out."""
    return [Seen(w, (out or {}).get(i, "")) for i, w in enumerate(days_of(monitor, first(monitor), since))]


def taken(monitor: Monitor, day: int, *, at: int = 300, **more: Any) -> Baseline:
    """Return a step that begins on a day counted from START and is made of the four weeks before it."""
    since = START + day * DAY
    return replace(step(monitor, first(monitor), since, clean(monitor, since), START + at * DAY), **more)


def test_steps_lie_at_local_midnight_every_so_many_days_after_the_reference_and_are_due_once():
    monitor = rolls(timezone="Europe/Berlin")
    begins = monitor.reference_span[1]
    days = [date(2025, 3, 7) + timedelta(weeks=2 * step) for step in (1, 2, 3)]
    expected = [local_midnight(day, "Europe/Berlin") for day in days]
    assert (expected[1] - expected[0]).total_seconds() == 14 * 86400 - 3600  # the clocks go forward between them
    assert list(steps_due(monitor, first(monitor), [], begins + 43 * DAY)) == expected
    assert list(steps_due(monitor, first(monitor), [], expected[0] - timedelta.resolution)) == []
    known = [replace(taken(monitor, 74), since=expected[1], event="skipped")]
    assert list(steps_due(monitor, first(monitor), known, begins + 43 * DAY)) == expected[2:]


def test_without_rolling_no_step_is_due():
    assert list(steps_due(watched(60), Era(watched(60)), [], NOW)) == []


def test_a_step_of_weeks_or_months_begins_with_one_and_no_two_begin_at_once():
    weeks = rolls(65, {"every": "10d", "last": "20w"}, window="week")
    found = list(steps_due(weeks, first(weeks), [], START + 110 * DAY))
    assert [day.weekday() for day in found] == [0] * len(found)
    assert len(found) == len(set(found)) == 4
    months = rolls(84, {"every": "5w", "last": "36w"}, window="month")
    found = list(steps_due(months, first(months), [], NOW))
    assert {moment.day for moment in found} == {1}
    assert len(found) == len(set(found))


def test_a_step_is_made_of_the_last_days_whose_labels_are_due_and_of_none_before_the_reference():
    monitor = rolls(20)
    days = days_of(monitor, first(monitor), START + 34 * DAY - timedelta(hours=12))
    assert (days[0].start, days[-1].end, len(days)) == (START + 5 * DAY, START + 33 * DAY, 28)
    assert days_of(monitor, first(monitor), START + 22 * DAY)[0].start == START


def test_days_of_another_normal_between_the_declared_ones_and_their_beginning_are_none_of_its_own():
    monitor = rolls(20)
    begins, declared = START + 60 * DAY, START + 40 * DAY
    said = Baseline(
        baseline_id="n",
        model="parcels",
        environment="production",
        since=begins,
        starts_at=declared,
        ends_at=declared + 10 * DAY,
        who="ann",
        why="x",
        at=NOW,
    )
    later = eras(monitor, [said])[1]
    days = [(w.start - START) // DAY for w in days_of(monitor, later, START + 70 * DAY)]
    assert days == [*range(42, 50), *range(60, 70)]
    made = step(monitor, later, START + 74 * DAY, [Seen(w) for w in days_of(monitor, later, START + 70 * DAY)], NOW)
    assert [(s.start, s.end) for s in first_step(monitor, said, made).monitor.reference_stretches] == [
        (START + 42 * DAY, START + 50 * DAY),
        (START + 60 * DAY, START + 70 * DAY),
    ]


def first_step(monitor: Monitor, *baselines: Baseline) -> Era:
    return next(s for era in eras(monitor, baselines) for s in era.steps)


def test_what_is_not_clean_is_a_hole_and_named_with_its_reason():
    monitor = rolls()
    since = START + 74 * DAY
    made = step(monitor, first(monitor), since, clean(monitor, since, {0: "few rows", 5: "no rows", 6: "no rows", 9: "incident ab"}), NOW)
    assert (made.event, made.kind, made.who) == ("begun", "rolling", "rolling")
    assert made.why == "24 of 28 days; left out: Fri 21 Feb 2025 (few rows), 26 to 27 Feb 2025 (no rows), Sun 2 Mar 2025 (incident ab)"
    assert (made.starts_at, made.ends_at) == (START + 47 * DAY, since)
    assert made.left_out == [START + day * DAY for day in (51, 52, 55)]
    rolled = first_step(monitor, made)
    assert rolled.monitor.reference_stretches == [
        Window(START + 47 * DAY, START + 51 * DAY),
        Window(START + 53 * DAY, START + 55 * DAY),
        Window(START + 56 * DAY, since),
    ]
    assert step_text(rolled) == "inputs with 22 Feb to 20 Mar 2025 without 3 days, rolling since Fri 21 Mar 2025"


@pytest.mark.parametrize(("bad", "event"), [(14, "begun"), (15, "skipped")])
def test_a_step_with_half_of_its_days_is_taken_and_one_with_fewer_is_skipped_and_says_why(bad: int, event: str):
    monitor = rolls()
    since = START + 74 * DAY
    made = step(monitor, first(monitor), since, clean(monitor, since, dict.fromkeys(range(bad), "no rows")), NOW)
    assert made.event == event
    if event == "skipped":
        assert made.why == "skipped: only 13 of 28 days are known to be clean, and a step takes 14; left out: 21 Feb to 7 Mar 2025 (no rows)"
        assert eras(monitor, [made])[0].steps == ()


def test_a_step_takes_as_many_windows_as_are_needed_to_learn_what_is_usual():
    monitor = rolls(84, {"every": "4w", "last": "12w"}, window="week")
    since = START + 112 * DAY
    seen = clean(monitor, since, dict.fromkeys(range(5), "no rows"))
    assert (len(seen), step(monitor, first(monitor), since, seen, NOW).event) == (12, "skipped")
    assert step(monitor, first(monitor), since, clean(monitor, since, dict.fromkeys(range(4), "no rows")), NOW).event == "begun"


def test_each_step_lasts_until_the_next_and_before_the_first_the_declared_reference_holds():
    monitor = rolls()
    one = first(monitor, taken(monitor, 74), taken(monitor, 88))
    assert one.monitor is monitor
    assert [(s.since, s.until) for s in one.steps] == [(START + 74 * DAY, START + 88 * DAY), (START + 88 * DAY, None)]
    assert one.step_at(START + 73 * DAY) is None
    assert [one.steps.index(one.step_at(START + d * DAY)) for d in (74, 87, 88, 300)] == [0, 0, 1, 1]
    assert (compared_text(one, START + 73 * DAY), compared_text(one, START + 90 * DAY)) == ("", step_text(one.steps[1]))


def test_a_step_that_was_taken_back_leaves_the_one_before_in_force_and_is_not_taken_again():
    monitor = rolls()
    both = [taken(monitor, 74), taken(monitor, 88)]
    back = replace(both[1], event="ended", who="ann", at=both[1].at + DAY)
    assert [s.since for s in first(monitor, *fold([*both, back])).steps] == [START + 74 * DAY]
    assert list(steps_due(monitor, first(monitor), [*both, back], START + 101 * DAY)) == []


def test_a_new_normal_that_people_declare_ends_the_steps_and_those_of_later_days_count_no_more():
    monitor = rolls()
    declared = Baseline(
        baseline_id="n",
        model="parcels",
        environment="production",
        since=START + 90 * DAY,
        starts_at=START + 80 * DAY,
        ends_at=START + 90 * DAY,
        who="ann",
        why="a new carrier",
        at=NOW,
    )
    before, after = eras(monitor, [taken(monitor, 74), taken(monitor, 88), taken(monitor, 102), declared])
    assert [(s.since, s.until) for s in before.steps] == [(START + 74 * DAY, START + 88 * DAY), (START + 88 * DAY, START + 90 * DAY)]
    assert after.steps == ()
    assert list(steps_due(monitor, after, [taken(monitor, 102)], START + 104 * DAY)) == [START + 104 * DAY]


def test_without_rolling_in_the_monitor_file_and_after_a_later_reference_steps_count_no_more():
    monitor = rolls()
    made = taken(monitor, 74)
    assert eras(watched(60), [made])[0].steps == ()
    assert eras(rolls(75), [made])[0].steps == ()


def test_notices_go_along_and_what_pages_or_is_promised_by_the_same_windows_does_not():
    monitor = rolls()
    assert moved(monitor) == {"psi", "loc", "spread", "share_shift", "segment_shift", "correlation", "score_mean", "low_confidence_ratio"}
    assert {r.level for r in rules_of(monitor) if r.metric in moved(monitor)} == {"notice"}
    by_week, by_day = ({"metric": "psi", "feature": "depot", "at_most": 0.2, "per": per} for per in ("week", "day"))
    assert "psi" in moved(rolls(targets=[by_week]))
    assert "psi" not in moved(rolls(targets=[by_day]))


@pytest.mark.parametrize(
    ("rolling", "more", "said"),
    [
        ({"every": "12h"}, {}, "`every` is whole days; write for example 4w"),
        ({"every": "4w", "last": "2w"}, {}, "`last` (2w) is shorter than `every` (4w)"),
        ({"every": "3d", "last": "12w"}, {"window": "week"}, "`reference.rolling.every` (3d) is shorter than a week; write 1w or more"),
        (
            {"every": "1d", "last": "7d"},
            {},
            "`reference.rolling.last` (1w) has fewer than 8 days, and what is usual takes as many to learn; write 8d or more",
        ),
        ({"every": "4w", "last": "7w"}, {"window": "week"}, "`reference.rolling.last` (7w) has fewer than 8 weeks"),
        ({"often": "4w"}, {}, "often"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_to_write(rolling: dict[str, str], more: dict[str, Any], said: str):
    with pytest.raises(ValidationError) as refused:
        rolls(60, rolling, **more)
    assert said in str(refused.value)


def test_four_weeks_and_twelve_are_meant_where_nothing_else_is_said():
    rolling = rolls(60, {}).reference.rolling
    assert rolling is not None
    assert (rolling.every, rolling.last) == (timedelta(weeks=4), timedelta(weeks=12))


def test_how_far_normal_has_moved_names_the_declared_number_then_and_that_of_the_step_now():
    declared = Window(START, START + 14 * DAY)
    auc, far = score("roc_auc", 0.752, reference_value=0.773), score("psi", 0.34, feature="weight_kg")
    assert moved_text(rolls(), declared, [auc, far]).endswith("inputs by a PSI of: weight_kg 0.340; AUC 0.773 then, 0.752 now")


def test_what_is_decided_has_one_id_whenever_that_is():
    monitor = rolls()
    since = datetime(2025, 3, 21, tzinfo=UTC)
    one, other = (
        step(monitor, first(monitor), since, clean(monitor, since, out), NOW + later * DAY) for later, out in ((0, {}), (9, {3: "no rows"}))
    )
    assert one.baseline_id == other.baseline_id


def test_a_step_of_hours_is_made_of_whole_days():
    monitor = rolls(30, window="hour", timezone="Europe/Berlin")
    hours = days_of(monitor, first(monitor), START + 44 * DAY + timedelta(hours=9))
    assert (hours[0].start, hours[-1].end) == (START + 16 * DAY - timedelta(hours=1), START + 44 * DAY - timedelta(hours=1))
    assert len(hours) == 28 * 24
