"""Signals: false alarms stay within the budget, planted faults are found, and what cannot be judged is not."""

from collections.abc import Callable
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from watchkeeper.judgement.policy import RULES, level_of_family
from watchkeeper.judgement.signals import judged_metrics, pages
from watchkeeper.records import Signal
from worlds import DAY, START, Floats, day_of, judged, noise, scores, wandering, watched, weekly

HOUR = timedelta(hours=1)
SEEDS = 30
REFERENCE, JUDGED = 90, 90
PER_MONTH = {"alerts": {"false_alarms": "10 per month"}}
"""A generous budget, so that few seeds suffice to count against it."""


def budgeted(days: float) -> float:
    """Return how many false pages of one family the budget accepts in so many days."""
    monitor = watched(REFERENCE, **PER_MONTH)
    return days * level_of_family("kpi", "page", monitor.alerts.false_alarms_per_day, 1.0)


def false_pages(world: Callable[..., Floats], *, se: float) -> int:
    """Return how many stories would have been opened on clean panels: runs of pages with no long pause."""
    monitor, stories = watched(REFERENCE, **PER_MONTH), 0
    for seed in range(SEEDS):
        days = sorted({day_of(s) for s in pages(judged(monitor, scores(world(seed, REFERENCE + JUDGED), se=se)))})
        stories += sum(1 for i, d in enumerate(days) if i == 0 or d - days[i - 1] > 3)
    return stories


@pytest.mark.parametrize(("world", "se"), [pytest.param(noise, 0.05, marks=pytest.mark.nightly), (weekly, 0.05), (wandering, 0.025)])
def test_false_pages_on_clean_panels_stay_within_the_budget(world, se):
    accepted = budgeted(SEEDS * JUDGED)
    assert 40 < accepted < 140
    assert false_pages(world, se=se) <= 1.3 * accepted


def test_many_segments_share_one_budget():
    monitor, found = watched(REFERENCE, **PER_MONTH), 0
    names = [("", f"depot={i}") for i in range(30)]
    for seed in range(8):
        table = scores(noise(seed, REFERENCE + JUDGED, series=30), metric="calibration_gap_to_rest", names=names)
        found += len({(s.segment, day_of(s)) for s in pages(judged(monitor, table))})
    assert found <= 8 * JUDGED * level_of_family("segment", "page", monitor.alerts.false_alarms_per_day, 1.0)


def test_a_segment_that_lies_apart_because_the_rest_moved_is_no_signal():
    names = [("", "depot=north"), ("", "depot=south")]
    own, apart = noise(5, 90, series=2, sd=0.01), noise(6, 90, series=2, sd=0.01)
    own[1, 75:] += 0.2
    apart[:, 75:] += np.array([[-0.2], [0.2]])
    tables = [scores(own, se=0.01, names=names), scores(apart, se=0.01, metric="calibration_gap_to_rest", names=names)]
    found = [s for s in judged(watched(60), pa.concat_tables(tables)) if s.family == "segment"]
    assert {s.segment for s in found} == {"depot=south"}
    alone = [s for s in judged(watched(60), tables[1]) if s.family == "segment"]
    assert {s.segment for s in alone} == {"depot=north", "depot=south"}, "where the segment's own gap is not known, nothing is left out"


def test_a_jump_is_found_on_its_first_day():
    for seed in range(10):
        values = noise(seed, 90, sd=0.02)
        values[0, 75:] += 0.15
        found = pages(judged(watched(60), scores(values, se=0.02)))
        assert 75 in {day_of(s) for s in found}
        assert next(s for s in found if day_of(s) == 75).rule == "sudden"


@pytest.mark.parametrize("metric", ["calibration_gap", "log_loss"])
@pytest.mark.parametrize("bad_days", [2, 4])
def test_good_days_after_some_very_bad_ones_are_not_out_of_line(metric, bad_days):
    """Of 40 seeds; a slow chart falls for days after a fault is over, and about half of these lie on its side."""
    after = 0
    for seed in range(40):
        values = noise(seed, 90, sd=0.03)
        values[0, 75 : 75 + bad_days] += 0.3
        days = {day_of(s) for s in pages(judged(watched(60), scores(values, se=0.03, metric=metric)))}
        assert set(range(75, 75 + bad_days)) <= days
        after += len({d for d in days if d >= 75 + bad_days})
    assert after <= 2


def test_good_days_nearly_as_far_off_as_their_usual_scatter_are_not_out_of_line_after_very_bad_ones():
    for seed in range(20):
        values = noise(seed, 90, sd=0.02)
        usual = values[0, :60].mean()
        values[0, 75:79] += 0.3
        values[0, 79:81] = usual + 0.02
        days = {day_of(s) for s in pages(judged(watched(60), scores(values, se=0.02)))}
        assert days & set(range(75, 81)) == {75, 76, 77, 78}


def test_a_shift_that_lasts_is_out_of_line_on_nearly_all_days_though_not_each_alarms_by_itself():
    """Of three spreads, for five weeks: what a day told of itself is no evidence beside, but the days between are."""
    share, by_rule = [], set()
    for seed in range(20):
        values = noise(seed, 110, sd=0.03)
        values[0, 75:] += 0.09
        found = [s for s in pages(judged(watched(60), scores(values, se=0.03))) if day_of(s) >= 75]
        share.append(len({day_of(s) for s in found}) / 35)
        by_rule |= {s.rule for s in found}
    assert by_rule == {"slow", "sudden"}
    assert np.mean(share) >= 0.87


def test_a_slow_drift_is_found_within_weeks_though_no_day_stands_out():
    delays = []
    for seed in range(10):
        values = noise(seed, 120, sd=0.03)
        values[0, 70:] += np.minimum(0.06, 0.06 * np.arange(50) / 20)
        found = [s for s in pages(judged(watched(60), scores(values, se=0.03))) if day_of(s) >= 70]
        assert found, f"seed {seed}: never found"
        assert any(s.rule == "slow" for s in found)
        delays.append(day_of(found[0]) - 70)
    assert np.median(delays) <= 21


@pytest.mark.parametrize("metric", ["calibration_gap", "log_loss"])
def test_a_small_shift_that_lasts_is_found_by_what_adds_up(metric):
    """Of .05 beside a scatter of .05: neither a day nor the last few days tell it within a budget of a page a month."""
    found = []
    for seed in range(12):
        values = noise(seed, 180, sd=0.05)
        values[0, 90:] += 0.05
        days = {day_of(s) for s in pages(judged(watched(90), scores(values, se=0.01, metric=metric))) if s.rule == "slow"}
        assert all(d >= 90 for d in days)
        found.append(min(days, default=999) - 90)
    assert np.median(found) <= 40
    assert np.mean(np.array(found) <= 90) >= 0.9


def test_days_whose_labels_are_missing_add_no_evidence():
    values = noise(5, 150, sd=0.05)
    values[0, 90:] += 0.05
    open_days = dict.fromkeys(range(90, 150), (-0.5, 0.6))
    assert pages(judged(watched(90), scores(values, se=0.01, provisional=open_days))) == []
    assert pages(judged(watched(90), scores(values, se=0.01))) != []


def test_a_drift_of_one_segment_is_found_and_named():
    values = noise(3, 100, sd=0.04, series=5)
    values[2, 70:] += 0.2
    names = [("", f"depot={d}") for d in ("a", "b", "c", "d", "e")]
    found = pages(judged(watched(60), scores(values, se=0.04, metric="calibration_gap_to_rest", names=names)))
    assert {s.segment for s in found} == {"depot=c"}
    assert 71 <= min(day_of(s) for s in found) <= 74


def test_a_segment_must_stand_out_twice_in_five_days():
    values = noise(3, 100, sd=0.04, series=2)
    values[1, 80] += 1.0
    assert pages(judged(watched(60), scores(values, se=0.04, metric="calibration_gap_to_rest", names=[("", "depot=a"), ("", "depot=b")]))) == []


def test_a_segment_must_stand_out_in_one_week_only():
    values = noise(3, 30, sd=0.04, series=2)
    values[1, 25] += 1.0
    table = scores(
        values, se=0.04, metric="calibration_gap_to_rest", names=[("", "depot=a"), ("", "depot=b")], grain="week", length=timedelta(days=7)
    )
    found = pages(judged(watched(140, window="week"), table))
    assert {(s.segment, s.window_start) for s in found} >= {("depot=b", START + timedelta(days=175))}
    assert {s.segment for s in found} == {"depot=b"}


def test_false_segment_pages_by_the_week_stay_within_the_budget():
    monitor, found, weeks = watched(140, window="week", **PER_MONTH), 0, 40
    names = [("", f"depot={i}") for i in range(10)]
    for seed in range(SEEDS):
        values = noise(seed, 20 + weeks, sd=0.04, series=10)
        table = scores(values, se=0.04, metric="calibration_gap_to_rest", names=names, grain="week", length=timedelta(days=7))
        found += len({s.window_start for s in pages(judged(monitor, table))})
    assert found <= 1.3 * SEEDS * weeks * level_of_family("segment", "page", monitor.alerts.false_alarms_per_day, 1 / 7)


def test_a_segment_with_few_reference_rows_is_not_judged():
    values = noise(3, 100, sd=0.04)
    values[0, 70:] += 0.5
    few = scores(values, se=0.04, metric="calibration_gap_to_rest", names=[("", "depot=a")], n=3)
    assert pages(judged(watched(60), few)) == []


@pytest.mark.parametrize("windows", [1, 4, 7])
def test_a_reference_of_fewer_than_eight_windows_never_pages(windows):
    values = noise(0, 60, sd=0.01)
    values[0, 30:] += 0.8
    assert judged(watched(windows), scores(values, se=0.01)) == []


def test_eight_windows_are_enough_to_page_on_what_is_glaring():
    values = noise(0, 60, sd=0.01)
    values[0, 30:] += 0.8
    assert min(day_of(s) for s in pages(judged(watched(8), scores(values, se=0.01)))) == 30


def test_a_constant_series_pages_only_when_it_stops_being_constant():
    values = np.zeros((1, 90))
    table = scores(values, se=0.0, metric="null_ratio", names=[("weight_kg", "")])
    assert judged(watched(60), table) == []
    values[0, 80] = 0.3
    found = judged(watched(60), scores(values, se=0.0, metric="null_ratio", names=[("weight_kg", "")]))
    assert [(day_of(s), s.feature, s.expected) for s in found] == [(80, "weight_kg", 0.0)]


def test_a_change_smaller_than_is_worth_anyones_time_is_no_signal():
    values = np.zeros((1, 90))
    values[0, 70:] = 0.019
    assert judged(watched(60), scores(values, se=1e-6)) == []


def test_windows_without_a_number_are_passed_over():
    values = noise(1, 100, sd=0.02)
    values[0, 10:20] = values[0, 65:72] = np.nan
    values[0, 80] += 0.3
    assert {day_of(s) for s in pages(judged(watched(60), scores(values, se=0.02)))} == {80}


def test_a_metric_without_any_number_is_no_trouble():
    assert judged(watched(60), scores(np.full((1, 90), np.nan))) == []


def test_wild_windows_with_wild_noise_do_not_echo_in_the_days_after():
    """A broken input: four days of a log loss of 30, each known to .4 only, and the old number again."""
    values = 0.42 + noise(3, 100, sd=0.01)
    values[0, 65:69] = 30.0
    table = scores(values, se=0.015, metric="log_loss")
    se = [0.4 if row["value"] > 1 else row["se"] for row in table.to_pylist()]
    table = table.set_column(table.column_names.index("se"), "se", [se])
    days = {day_of(s) for s in pages(judged(watched(60), table))}
    assert {65, 66, 67, 68} <= days
    assert max(days) <= 70


def test_one_side_alone_counts_where_better_is_known():
    values = 0.7 + noise(2, 90, sd=0.01)
    values[0, 80] += 0.2
    assert judged(watched(60), scores(values, se=0.01, metric="roc_auc")) == []
    values[0, 85] -= 0.2
    assert {day_of(s) for s in judged(watched(60), scores(values, se=0.01, metric="roc_auc"))} == {85}


def test_labels_that_arrive_bad_news_first_raise_nothing():
    """Of the labels in, most are positive: the gap looks huge, but the missing ones may still make it usual."""
    values = noise(5, 64, sd=0.02)
    values[0, 62:] = 0.6
    table = scores(values, se=0.02, provisional={62: (-0.15, 0.7), 63: (-0.05, 0.65)})
    assert pages(judged(watched(60), table)) == []


def test_a_provisional_window_pages_when_even_its_favourable_bound_is_out_of_line():
    values = noise(5, 64, sd=0.02)
    values[0, 63] = 0.6
    found = pages(judged(watched(60), scores(values, se=0.02, provisional={63: (0.25, 0.7)})))
    assert [(day_of(s), s.state, s.value) for s in found] == [(63, "provisional", 0.25)]


def test_a_provisional_number_without_bounds_waits():
    values = 0.7 + noise(5, 64, sd=0.02)
    values[0, 63] = 0.3
    waiting = scores(values, se=0.02, metric="roc_auc", provisional={63: (None, None)})
    assert pages(judged(watched(60), waiting)) == []
    assert [day_of(s) for s in pages(judged(watched(60), scores(values, se=0.02, metric="roc_auc")))] == [63]


def test_a_drifting_feature_is_a_notice_and_wakes_nobody():
    values = np.abs(noise(4, 100, sd=0.01)) + 0.02
    values[0, 70:] = 0.6
    found = judged(watched(60), scores(values, se=0.0, metric="psi", names=[("weight_kg", "")]))
    assert {s.level for s in found} == {"notice"}
    assert min(day_of(s) for s in found) == 70
    assert found[0].value == pytest.approx(0.6, rel=1e-9)


AUC = {"metric": "roc_auc", "at_least": 0.68, "per": "day"}


def errors_of_hours(rate: Floats, requests: NDArray[np.int64], seed: int) -> pa.Table:
    """Return the error ratios of hours of so many requests, each with the error of Wilson's interval."""
    value = np.random.default_rng(seed).binomial(requests, rate) / requests
    se = np.sqrt(value * (1 - value) / requests + 1.96**2 / (4 * requests**2)) / (1 + 1.96**2 / requests)
    found = scores(value[None, :], metric="error_ratio", grain="hour", length=HOUR)
    for name, values in {"se": se, "n": requests, "direction": ["lower_is_better"] * len(value)}.items():
        found = found.set_column(found.column_names.index(name), found.schema.field(name), pa.array(values, found.schema.field(name).type))
    return found


def test_errors_of_a_bad_release_are_told_in_its_first_hours_though_each_has_few_requests():
    hours, bad = 24 * 42, 24 * 28
    requests = np.full(hours, 80)
    rate = np.where(np.arange(hours) < bad, 0.007, 0.1)
    found = judged(watched(28, window="hour"), errors_of_hours(rate, requests, 1))
    alarmed = {(s.window_start - START) // HOUR for s in found}
    assert min(alarmed) in (bad, bad + 1)
    assert len(alarmed) > 0.9 * (hours - bad)


@pytest.mark.parametrize("seed", range(3))
def test_one_error_of_few_requests_is_no_matter(seed):
    requests = np.random.default_rng(seed).integers(3, 40, 24 * 42)
    assert judged(watched(28, window="hour"), errors_of_hours(np.full(24 * 42, 0.007), requests, seed)) == []


def test_missing_values_that_are_too_few_to_page_are_a_notice_where_there_never_were_any():
    values = np.zeros((1, 75))
    values[0, 65:70], values[0, 70:] = 0.02, 0.3
    found = judged(watched(60), scores(values, se=0.0045, metric="null_ratio", names=[("weight_kg", "")]))
    assert [(day_of(s), s.level) for s in found] == [*((day, "notice") for day in range(65, 70)), *((day, "page") for day in range(70, 75))]


def test_a_share_of_missing_values_that_wanders_is_no_notice():
    wander = 0.02 + 0.01 * np.abs(noise(3, 120, sd=1.0))
    assert not judged(watched(60), scores(wander, se=0.004, metric="null_ratio", names=[("weight_kg", "")]))


def test_a_broken_promise_is_a_page_and_a_doubtful_one_a_notice():
    values = np.array([[0.7] * 62 + [0.6, 0.66]])
    found = [s for s in judged(watched(60, targets=[AUC]), scores(values, se=0.02, metric="roc_auc")) if s.family == "target"]
    assert [(day_of(s), s.level, s.expected) for s in found] == [(62, "page", 0.68), (63, "notice", 0.68)]


def test_two_promises_of_one_number_that_break_in_windows_that_begin_alike_are_two_signals():
    table = scores(np.array([[0.7] * 62 + [0.6]]), se=0.02, metric="roc_auc")
    weeks = table.set_column(table.column_names.index("grain"), "grain", pa.array(["week"] * table.num_rows))
    monitor = watched(60, targets=[AUC, AUC | {"per": "week"}])
    found = [s for s in judged(monitor, pa.concat_tables([table, weeks])) if s.family == "target"]
    assert [day_of(s) for s in found] == [62, 62]
    assert len({s.signal_id for s in found}) == 2


def test_a_promise_is_not_held_against_the_reference():
    values = np.full((1, 70), 0.5)
    found = judged(watched(60, targets=[AUC]), scores(values, se=0.01, metric="roc_auc"))
    assert {day_of(s) for s in found} == set(range(60, 70))


def test_a_provisional_promise_is_broken_only_by_its_favourable_bound():
    target = {"metric": "calibration_gap", "at_most": 0.1, "per": "day"}
    values = np.array([[0.0] * 60 + [0.5, 0.5]])
    table = scores(values, se=0.01, provisional={60: (0.05, 0.9), 61: (0.2, 0.9)})
    found = [s for s in judged(watched(60, targets=[target]), table) if s.family == "target"]
    assert [(day_of(s), s.level, s.value, s.state) for s in found] == [(61, "page", 0.2, "provisional")]


def test_a_provisional_promise_is_asked_no_more_than_the_final_one():
    """Of a recall of .60 at most .67 is left, with .04 of sampling beyond it: what is promised may yet be kept."""
    values = np.array([[0.7] * 60 + [0.6]])
    table = scores(values, se=0.02, metric="roc_auc", provisional={60: (0.5, 0.67)})
    assert [s.level for s in judged(watched(60, targets=[AUC]), table) if s.family == "target"] == ["notice"]


def test_a_target_on_any_metric_is_read():
    assert judged_metrics(watched(targets=[{"metric": "f1", "at_least": 0.4}])) == sorted({r.metric for r in RULES} | {"f1", "label_coverage"})


def psi_of(values, n) -> list[Signal]:
    table = scores(values, se=np.nan, metric="psi", names=[("weight_kg", "")])
    table = table.set_column(table.column_names.index("n"), "n", pa.array(n, pa.int64()))
    return judged(watched(60), table)


def chance_psi(seed, n):
    """PSI over ten cells where nothing moved: a chi-square of nine degrees of freedom over the rows."""
    return (np.random.default_rng(seed).chisquare(9, len(n)) / n)[None]


def test_windows_of_few_rows_have_a_larger_psi_and_are_no_notice():
    n = np.full(120, 5_000)
    n[[70, 80, 90, 100]] = 250, 120, 500, 1_000
    assert [psi_of(chance_psi(seed, n), n) for seed in range(10)] == [[]] * 10
    full = np.full(120, 5_000)
    told = [{round((s.window_start - START) / DAY) for s in psi_of(chance_psi(seed, n), full)} for seed in range(10)]
    assert sum(len({70, 80} & days) for days in told) > 14, "else the rows behind a window would not matter"


def test_a_real_shift_in_a_window_of_few_rows_is_a_notice():
    n = np.full(120, 5_000)
    n[80] = 500
    values = chance_psi(1, n)
    values[0, 80] = 0.4
    assert [round((s.window_start - START) / DAY) for s in psi_of(values, n)] == [80]


def test_a_psi_that_is_small_is_no_matter_however_still_it_lay():
    values = np.abs(noise(3, 120, sd=0.00001)) + 0.0001
    values[0, 80:] = 0.009
    assert psi_of(values, np.full(120, 1_000_000)) == []
    values[0, 100:] = 0.02
    assert {round((s.window_start - START) / DAY) for s in psi_of(values, np.full(120, 1_000_000))} == set(range(100, 107))  # then it has settled


def test_a_signal_says_what_its_score_says_of_itself():
    values = np.zeros((1, 70))
    values[0, 65] = 0.6
    table = scores(values, se=np.nan, metric="segment_shift", names=[("weight_kg", "")])
    reasons = ["most in depot=north: +1.20 standard deviations" if v else "" for v in table.column("value").to_pylist()]
    table = table.set_column(table.column_names.index("reason"), "reason", pa.array(reasons))
    found = judged(watched(60), table)
    assert [(s.level, s.feature, s.reason) for s in found] == [("notice", "weight_kg", reasons[65])]


def unseen_of(values, novelty) -> set[int]:
    table = scores(values, se=0.005, metric="unseen_ratio", names=[("product", "")])
    table = table.set_column(table.column_names.index("reference_value"), "reference_value", pa.array(np.full(table.num_rows, novelty)))
    return {round((s.window_start - START) / DAY) for s in judged(watched(60), table)}


def test_new_names_page_beyond_those_that_the_reference_says_will_come():
    """The reference's own windows have none: the names were taken from them."""
    values = np.concatenate([np.zeros(60), 0.04 + noise(1, 60, sd=0.003)[0]])[None]
    assert unseen_of(values, 0.0) == set(range(60, 120)), "where every name came many times, new ones are a fault"
    assert unseen_of(values, 0.04) == set()
    values[0, 100:] = 0.2
    assert unseen_of(values, 0.04) == set(range(100, 120))


def test_exchanged_codes_page_at_once_unless_the_reference_s_own_windows_have_them():
    values = np.zeros((1, 90))
    values[0, 70:72] = 0.5
    table = scores(values, se=np.nan, metric="exchanged_ratio", names=[("carrier", "")])
    assert [(s.level, s.family, day_of(s)) for s in judged(watched(60), table)] == [("page", "data", 70), ("page", "data", 71)]
    values[0, 30] = 0.5
    assert judged(watched(60), scores(values, se=np.nan, metric="exchanged_ratio", names=[("carrier", "")])) == []


def test_a_number_that_is_mostly_nothing_is_out_of_line_far_beyond_the_largest_of_the_reference():
    values = np.zeros((1, 120))
    values[0, [10, 30, 50]] = 0.2
    values[0, [80, 90]] = 0.45, 0.7
    found = judged(watched(60), scores(values, se=np.nan, metric="segment_shift", names=[("weight_kg", "")]))
    assert [round((s.window_start - START) / DAY) for s in found] == [90], "beyond .1 and twice .2"
