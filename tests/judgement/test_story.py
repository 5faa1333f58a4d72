"""Stories: the words of each kind of incident, from evidence alone, as a person on call reads them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from evidence_world import episode, evidence, monitor, score, signal
from watchkeeper.judgement.apart import rest_of
from watchkeeper.judgement.error_changes import ErrorChange
from watchkeeper.judgement.evidence import SegmentShare
from watchkeeper.judgement.leads import lead_of
from watchkeeper.judgement.places import concentrated
from watchkeeper.judgement.spans import during_text, span_text
from watchkeeper.judgement.story import ending, story
from watchkeeper.judgement.traces import Traces
from watchkeeper.story import Story
from worlds import DAY, START


def told(*signals, how=None, about=None) -> Story:
    found = signals or (signal(),)
    return story(about or monitor(), episode(*found), how or evidence(*found))


def test_a_final_kpi_says_what_was_and_what_was_expected():
    said = told()
    assert said.headline == "50 % of parcels on Mon 13 January were late; the model expected 10 %"
    assert said.when == "Mon 13 January, UTC. Miss: +40 points; 95 % of reference days lie between -13 and +21."
    assert said.facts == [
        ("Labels", "900 of 1,000 (90 %)."),
        ("Missed", "405 of 450 late parcels were not flagged (90 %; over the whole reference 60 %)."),
    ]
    assert said.next_steps == ['distrust "not late"; ask #parcels what changed.', "Do not retrain on one day."]


def test_who_flags_nearly_everything_and_misses_nothing_is_not_praised_for_it():
    everything = {"missed": (0, 450), "flagged": score("flagged_ratio", 0.98, low=0.97, high=0.99, reference_value=0.2)}
    found = told(how=evidence(**everything, precision=score("precision", 0.46, reference_value=0.7)))
    assert found.facts[1][1] == (
        "0 of 450 late parcels were not flagged (0 %; over the whole reference 60 %). "
        "But 98 % of parcels were flagged, over the whole reference 20 %; 46 % of these were late, over the whole reference 70 %."
    )
    waiting = told(how=evidence(is_provisional=True, least_observed=0.45, **everything))
    assert dict(waiting.facts)["Missed"].endswith("But 98 % of parcels were flagged, over the whole reference 20 %.")


@pytest.mark.parametrize(("value", "low", "usual"), [(0.28, 0.25, 0.2), (0.24, 0.22, 0.02), (0.32, 0.29, 0.2), (0.6, 0.55, None)])
def test_the_burden_is_told_only_where_surely_much_more_is_flagged(value: float, low: float, usual: float | None):
    flagged = score("flagged_ratio", value, low=low, high=1.0, reference_value=usual)
    assert (" But " in told(how=evidence(flagged=flagged)).facts[1][1]) == (low > (0.5 if usual is None else max(usual + 0.05, 1.5 * usual)))


def test_a_rate_that_was_too_high_and_then_too_low_is_told_by_both_and_not_by_what_they_cancel_to():
    high, low = signal(value=0.2), signal(value=-0.16, day=10)
    said = told(high, low, how=evidence(high, low, rate=0.33, expected=0.32))
    assert said.headline == (
        "parcels late: 20 points more on Mon 13 January than the model expected, and 16 points fewer on Thu 16 January; over 13 to 16 January together it looks right"
    )
    mostly = told(high, signal(value=-0.02, day=10), how=evidence(high, rate=0.42, expected=0.32))
    assert mostly.headline.startswith("42 % of parcels on 13 to 16 January were late; the model expected 32 %")


def test_a_provisional_kpi_says_at_least_and_counts_the_missing_as_negative():
    waiting = signal(state="provisional", value=0.35)
    said = told(waiting, how=evidence(waiting, is_provisional=True, least_observed=0.45, expected=0.1))
    assert said.headline == "at least 45 % of parcels on Mon 13 January were late; the model expected 10 %"
    assert said.when.startswith("Mon 13 January, UTC. Miss: at least +35 points;")
    assert said.facts[0] == ("Labels", '900 of 1,000 (90 %). "At least" counts the missing as negative.')


def test_a_provisional_kpi_below_what_was_expected_says_at_most_and_counts_the_missing_as_positive():
    waiting = signal(state="provisional", value=-0.2)
    said = told(waiting, how=evidence(waiting, is_provisional=True, least_observed=0.03, most_observed=0.8, expected=1.0))
    assert said.headline == "at most 80 % of parcels on Mon 13 January were late; the model expected 100 %"
    assert said.when.startswith("Mon 13 January, UTC. Miss: -20 points or less;")
    assert said.facts[0] == ("Labels", '900 of 1,000 (90 %). "At most" counts the missing as positive.')


def test_the_monitors_wording_is_used_and_has_defaults():
    plain = monitor(wording={}, owner="")
    assert told(about=plain).headline == "50 % of predictions on Mon 13 January were positive; the model expected 10 %"
    assert told(about=plain).next_steps[0] == 'distrust "not positive"; ask the owner what changed.'


def test_segments_of_several_dimensions_are_told_apart_since_each_dimension_holds_all_of_the_excess():
    ewr, ev, b6 = (
        SegmentShare(name, gap, 0.5, 0.2, rows, share)
        for name, gap, rows, share in (("origin=EWR", 0.3, 0.3, 0.9), ("carrier=EV", 0.3, 0.2, 0.77), ("carrier=B6", 0.3, 0.2, 0.68))
    )
    [(_, said)] = [fact for fact in told(how=evidence(segments=[ewr, ev, b6])).facts if fact[0] == "Worst"]
    assert said.startswith("by origin: EWR, 50 % against 20 % expected, 30 % of rows and 90 % of the excess; by carrier: EV, ")
    assert said.endswith("; B6, 50 % against 20 % expected, 20 % of rows and 68 % of the excess (others of carrier lie on the other side)")


def test_the_worst_segments_are_named_with_their_part_of_the_excess():
    north = SegmentShare("depot=north", 0.6, 0.7, 0.1, 0.5, 0.75)
    west = SegmentShare("way=west", 0.4, 0.5, 0.1, 0.5, 0.53)
    south = SegmentShare("depot=south", 0.2, 0.3, 0.1, 0.5, 0.25)
    said = told(how=evidence(segments=[north, west, south]))
    assert ("Worst", "depot=north, 70 % against 10 % expected, 50 % of rows and 75 % of the excess") in said.facts
    assert said.next_steps[0] == 'distrust "not late" at depot=north; ask #parcels what changed.'


@pytest.mark.parametrize(
    ("rows", "excess", "said"),
    [(0.33, 0.96, "; depot=north accounts for 96 % of the excess"), (0.6, 1.04, "; depot=north accounts for all of the excess")],
)
def test_the_headline_names_the_segment_that_carries_the_excess(rows, excess, said):
    assert told(how=evidence(segments=[SegmentShare("depot=north", 0.6, 0.7, 0.1, rows, excess)])).headline.endswith(said)


@pytest.mark.parametrize(("rows", "excess"), [(0.5, 0.75), (0.1, 0.5), (0.9, 0.95)])
def test_the_headline_names_no_segment_that_is_only_a_part_of_the_story(rows, excess):
    assert "depot" not in told(how=evidence(segments=[SegmentShare("depot=north", 0.6, 0.7, 0.1, rows, excess)])).headline


COAST = SegmentShare("region=coast", 118_000.0, 138_421.0, 20_112.0, 0.3, 0.99, "mae")


def test_the_worst_segment_of_a_regression_is_named_with_its_own_usual_number():
    high = signal("mae", 58331.63, expected=20954.0, low=54212.75, high=62450.51, normal_low=18000.0, normal_high=24000.0)
    said = told(high, how=evidence(high, segments=[COAST], missed=None, moved=None), about=monitor(task="regression"))
    assert said.headline == "MAE 58,300 [54,200, 62,500] on Mon 13 January, 21,000 on a typical day; region=coast accounts for 99 % of the excess"
    assert ("Worst", "region=coast, MAE 138,000, usually 20,000, 30 % of rows and 99 % of the excess") in said.facts
    assert said.next_steps[0] == "look closer at region=coast, Mon 13 January; ask #parcels what changed."


def test_a_promise_that_one_segment_breaks_names_it():
    broken = signal("mae", 58331.63, family="target", expected=25000.0, normal_low=None, normal_high=25000.0, p=0.0)
    said = told(broken, how=evidence(broken, segments=[COAST], missed=None, moved=None), about=monitor(task="regression"))
    assert said.headline.endswith("promised at most 25,000; region=coast accounts for 99 % of the excess")
    assert ("Worst", "region=coast, MAE 138,000, usually 20,000, 30 % of rows and 99 % of the excess") in said.facts


def test_a_number_that_segments_do_not_have_has_the_worst_by_another_and_not_in_its_headline():
    low = signal("r2", 0.2, expected=0.9, normal_low=0.8, normal_high=0.95)
    said = told(low, how=evidence(low, segments=[COAST], missed=None, moved=None), about=monitor(task="regression"))
    assert said.headline == "R² 0.200 on Mon 13 January, 0.900 on a typical day"
    assert said.facts[-1][0] == "Worst"


def test_what_a_segment_is_short_of_is_no_excess():
    short = SegmentShare("channel=app", -0.2, observed=0.0, expected=0.2, share_of_rows=0.3, share_of_excess=0.98)
    assert concentrated(evidence(segments=[short])) == "; channel=app accounts for 98 % of the shortfall"


def test_a_segment_that_fails_alone():
    found = [signal("calibration_gap_to_rest", 0.12, day=d, family="segment", segment="depot=north") for d in (7, 8, 9)]
    said = told(*found, how=evidence(*found, rate=0.2, gap=0.12))
    assert said.headline == "depot=north: 20 % of parcels late [17, 23], the model expected 8 % (13 to 15 January)"
    apart = "Beside the rest: its gap lies +12 points from that of all other parcels on Mon 13 January (the worst of 3 days)."
    assert said.when == f"13 to 15 January, UTC. Its own gap: +12 points. {apart}"


def test_a_segment_tells_its_own_gap_the_worst_day_and_whether_the_rest_is_off_as_well():
    """Of 900 rows, 225 in the segment, the whole is off by -8.25 points: the rest by -19."""
    found = [signal("calibration_gap_to_rest", v, day=d, family="segment", segment="depot=north") for d, v in ((7, 0.37), (8, 0.48), (9, 0.44))]
    own = score("calibration_gap", 0.24, se=0.02, n=225)
    off, usual = (rest_of(score("calibration_gap", whole, se=0.01, reference_value=0.0), own) for whole in (-0.0825, 0.0638))
    said, alone = (told(*found, how=evidence(*found, rate=0.47, gap=0.24, rest=rest)).when for rest in (off, usual))
    apart = "its gap lies +48 points from that of all other parcels on Tue 14 January (the worst of 3 days)."
    assert alone == f"13 to 15 January, UTC. Its own gap: +24 points. Beside the rest: {apart}"
    assert said == f"{alone} The rest is off as well: -19 points over 13 to 15 January, usually +0 points."


def test_the_rest_is_not_known_without_the_whole_nor_where_the_segment_is_all_of_it():
    own = score("calibration_gap", 0.24, se=0.02)
    assert (rest_of(None, own), rest_of(own, None), rest_of(own, own)) == (None, None, None)


def test_a_data_fault_names_features_and_shares():
    faults = [
        signal("null_ratio", 0.7, family="data", feature="weight_kg", expected=0.004),
        signal("null_ratio", 0.2, family="data", feature="depot"),
    ]
    said = told(*faults, how=evidence(*faults, observed=None, coverage=None, missed=None))
    assert said.headline == "weight_kg and 1 more feature: missing in up to 70 % of rows on Mon 13 January, usually 0.4 %"
    assert said.facts == [("Features", "weight_kg 70 %, depot 20 %")]
    assert said.ruled_out == []
    assert "weight_kg" in said.next_steps[0]


def test_unknown_categories_are_a_data_fault_too():
    fault = signal("unseen_ratio", 0.3, family="data", feature="depot")
    assert told(fault).headline == "depot: a category that the reference lacks in 30 % of rows on Mon 13 January, usually 0 %"


def test_exchanged_codes_say_which_and_what_to_ask():
    codes = "ulm is 10 % of values, usually 40 %; bonn is 40 % of values, usually 10 %"
    said = told(replace(signal("exchanged_ratio", 0.5, family="data", feature="depot"), reason=codes))
    assert said.headline == f"codes of depot are exchanged on Mon 13 January: {codes}"
    assert [c.subject for c in said.causes] == [f"codes of depot are exchanged: {codes}"]
    assert "whether the codes of depot were given anew" in said.next_steps[0]


def test_exchanged_codes_of_several_days_have_the_shares_of_one_that_is_named_and_the_same_in_headline_and_cause():
    one, two = "ulm is 10 % of values, usually 40 %", "ulm is 12 % of values, usually 40 %"
    first, fullest = (signal("exchanged_ratio", value, family="data", feature="depot", day=day) for value, day in ((0.6, 7), (0.5, 8)))
    said = told(replace(first, reason=one, n=700), replace(fullest, reason=two, n=900))
    shares = f"{two} (shares of Tue 14 Jan 2025)"
    assert said.headline == f"codes of depot are exchanged on 13 to 14 January: {shares}"
    assert [c.subject for c in said.causes] == [f"codes of depot are exchanged: {shares}"]


def test_a_broken_promise_says_what_was_promised():
    broken = signal("recall", 0.3, family="target", expected=0.5, normal_low=0.5, normal_high=None, low=0.25, high=0.35, p=0.0)
    assert told(broken).headline == "promise broken: recall 0.300 [0.250, 0.350] (Mon 13 January), promised at least 0.5"
    above = signal("latency_p95", 320.0, family="target", expected=200.0, normal_low=None, normal_high=200.0, p=0.0)
    assert told(above).headline == "promise broken: latency p95 320 ms (Mon 13 January), promised at most 200"


def test_a_broken_promise_of_recall_distrusts_what_is_passed_over_and_no_place_by_another_number():
    broken = signal("recall", 0.2, family="target", expected=0.35, normal_low=0.35, normal_high=None, p=0.0)
    by_gap = SegmentShare("depot=north", -0.3, 0.1, 0.4, 0.3, 0.95)
    said = told(broken, how=evidence(broken, rate=0.1, gap=-0.4, usual_rate=0.5, segments=[by_gap]))
    assert said.next_steps[0] == 'distrust "not late"; ask #parcels what changed.'


def test_a_number_that_no_days_add_up_to_is_told_of_the_worst_day_and_not_of_the_least_likely():
    usual = {"expected": 0.67, "normal_low": 0.54, "normal_high": 0.79}
    likeliest, other = signal("roc_auc", 0.50, p=1e-5, **usual), signal("roc_auc", 0.52, day=8, p=1e-3, **usual)
    first = replace(signal("roc_auc", 0.48, day=6, **usual), level="notice")
    said = told(likeliest, other, how=evidence(likeliest, other, missed=None, gap=0.0, unalarmed=[first]))
    assert said.headline.startswith("AUC 0.480 on Sun 12 January (the worst of 3 days), 0.670 on a typical day")
    assert said.size is not None
    assert (said.size.value, said.size.said) == (0.48, "AUC 0.480 on Sun 12 January, usually 0.670")


def test_the_miss_at_worst_is_that_of_all_days_since_it_began():
    found, first = [signal(value=0.3, day=8), signal(value=0.4, day=9)], signal(value=0.5, day=7)
    between = signal(value=-0.6, day=10)
    assert "in all, at worst +50 in a day;" in told(*found, how=evidence(*found, unalarmed=[first, between])).when
    assert "in all, at worst +50 in a day;" in told(found[0], how=evidence(found[0], unalarmed=[first])).when


def test_where_windows_between_were_as_usual_it_says_of_which_ones_causes_are():
    found = [signal(value=0.4, day=7), signal(value=0.1, day=8), signal(value=0.3, day=9)]
    about = evidence(*found, traces=Traces(labels=(0.4, 0.1, 500)))
    rows = "are looked for in the rows of Mon 13 January and Wed 15 January alone: the other days are less surely part of it."
    assert dict(told(*found, how=about).facts)["Causes"] == rows
    split = evidence(*found, bad_observed=score("positive_rate", 0.5), bad_gap=score("calibration_gap", 0.4))
    assert dict(told(*found, how=split).facts)["Causes"] == rows
    assert "Causes" not in dict(told(found[0], how=evidence(found[0], traces=Traces(labels=(0.4, 0.1, 500)))).facts)


def test_inputs_that_moved_too_are_told_where_no_score_foresees_the_errors_and_are_not_ruled_out():
    high = signal("mae", 5.0, expected=3.0, normal_low=2.5, normal_high=3.5)
    apart = signal("segment_shift", 0.3, family="covariate", feature="distance")
    apart = replace(apart, reason="most in region=south: -0.81 standard deviations against the rest, 100 rows; settled")
    rose = Traces(error=ErrorChange("mean absolute error", 5.0, 3.0, 0.1))
    said = told(
        high,
        how=evidence(high, missed=None, traces=rose, noticed=[apart, replace(apart, feature="wind", metric="loc")]),
        about=monitor(task="regression"),
    )
    where = "distance (most in region=south: -0.81 standard deviations against the rest, 100 rows)"
    assert ("Moved too", f"{where} and wind; whether that is why is not known.") in said.facts
    assert not any("change of inputs" in ruled for ruled in said.ruled_out)
    still = told(high, how=evidence(high, missed=None, traces=rose), about=monitor(task="regression"))
    assert any("change of inputs" in ruled for ruled in still.ruled_out)


def test_any_other_number_says_what_it_usually_is():
    low = signal("roc_auc", 0.61, expected=0.72, normal_low=0.68, normal_high=0.76, low=0.57, high=0.65)
    said = told(low)
    assert said.headline == "AUC 0.610 [0.570, 0.650] on Mon 13 January, 0.720 on a typical day"
    assert said.when == "Mon 13 January, UTC. 95 % of reference days lie between 0.680 and 0.760."
    assert said.causes == []


@pytest.mark.parametrize(("unit", "said"), [("", "-49,100 [-61,700, -36,500]"), ("EUR", "-49,100 EUR [-61,700, -36,500]")])
def test_large_numbers_are_grouped_and_have_the_unit_that_the_monitor_gives(unit, said):
    low = signal("bias", -49123.4, expected=62.3, low=-61721.0, high=-36480.0, normal_low=-4612.0, normal_high=4739.0)
    made = told(low, about=monitor(task="regression", wording={"unit": unit}))
    assert made.headline == f"bias {said} on Mon 13 January, {f'62.3 {unit}'.rstrip()} on a typical day"
    assert made.when == f"Mon 13 January, UTC. 95 % of reference days lie between -4,610 {unit} and 4,740 {unit}.".replace(" .", ".").replace(
        "  ", " "
    )


def test_a_promise_is_said_as_it_was_written():
    broken = signal("mae", 58331.63, family="target", expected=25000.0, normal_low=None, normal_high=25000.0, low=54212.75, high=62450.51, p=0.0)
    assert told(broken).headline == "promise broken: MAE 58,300 [54,200, 62,500] (Mon 13 January), promised at most 25,000"


def test_a_slow_change_says_that_no_window_stands_out():
    slow = signal("roc_auc", 0.7, expected=0.72, rule="slow", normal_low=0.68, normal_high=0.76)
    assert told(slow).when.endswith("A slow change: no single window stands out.")
    far = signal("roc_auc", 0.6, expected=0.72, rule="slow", normal_low=0.68, normal_high=0.76)
    assert "slow" not in told(far).when
    sudden = signal("roc_auc", 0.7, expected=0.72, rule="sudden", normal_low=0.68, normal_high=0.76, day=8)
    assert "slow" not in told(slow, sudden).when


@pytest.mark.parametrize(("gap", "said"), [(-0.1, "fewer"), (0.1, "more")])
def test_an_auc_out_of_line_says_how_far_off_the_rate_was(gap, said):
    low = signal("roc_auc", 0.5, expected=0.7)
    about = evidence(low, rate=0.3, gap=gap)
    sure, unsure = (replace(about, gap=replace(about.gap, low=gap - half, high=gap + half)) for half in (0.03, 0.3))
    assert told(low, how=sure).headline.endswith(f"; {said} parcels late than expected: 30 %, not {30 - round(100 * gap)} %")
    assert "expected" not in told(low, how=unsure).headline


def test_a_rate_that_was_not_measured_falls_back_to_the_number():
    assert told(how=evidence(observed=None)).headline == "calibration gap 0.400 on Mon 13 January, 0 on a typical day"


def test_after_three_bad_windows_retraining_is_no_longer_advised_against():
    found = [signal(day=d) for d in (7, 8)]
    assert told(*found).next_steps[-1] == "Do not retrain on 2 days."
    found = [signal(day=d) for d in (7, 8, 9)]
    assert not any("retrain" in step for step in told(*found).next_steps)


@pytest.mark.parametrize(
    ("windows", "advice"),
    [
        ([(7, 1)], "Do not retrain on one day."),
        ([(7, 7)], "Do not retrain on one week."),
        ([(7, 7), (14, 7)], ""),
        ([(7, 30)], ""),
    ],
)
def test_retraining_is_advised_against_by_the_time_that_was_bad(windows, advice):
    found = [signal("recall", 0.2, family="target", expected=0.35, normal_low=0.35, normal_high=None, day=d, days=n) for d, n in windows]
    assert " ".join(s for s in told(*found).next_steps if "retrain" in s) == advice


def test_what_is_not_measured_is_said():
    assert told(how=evidence(not_measured=["latency", "GPU"])).not_measured == [
        "latency",
        "GPU",
        "releases (none was recorded, and the rows name no version)",
        "other changes (none was recorded)",
    ]


def test_an_end_says_what_it_is_back_to_and_what_it_was():
    since = [(START + d * DAY, START + (d + 1) * DAY, v) for d, v in ((8, -0.02), (9, 0.03), (10, 0.004))]
    said = ending(monitor(), episode(), evidence(), since)
    assert said.headline == "resolved: calibration gap back to -2, +3 and +0 points (14 to 16 January)"
    assert said.facts[0] == ("It was", "50 % of parcels on Mon 13 January were late; the model expected 10 %.")


def test_an_end_says_back_to_only_of_numbers_that_lie_where_usual_ones_do():
    high = signal("mae", 14.0, expected=6.6, normal_low=4.5, normal_high=9.0)
    since = [(START + d * DAY, START + (d + 1) * DAY, v) for d, v in ((8, 8.9), (9, 9.4), (10, 7.7))]
    assert ending(monitor(), episode(high), evidence(high), since).headline == "resolved: MAE without alarm: 8.90, 9.40 and 7.70 (14 to 16 January)"
    assert ending(monitor(), episode(high), evidence(high), since[2:]).headline == "resolved: MAE back to 7.70 (Thu 16 January)"


def test_an_end_without_figures_says_only_that():
    assert ending(monitor(), episode(), evidence(), []).headline == "resolved: calibration gap clear again"


def test_a_story_survives_being_written_down():
    said = told()
    assert Story.from_json(said.to_json()) == said


@pytest.mark.parametrize(
    ("window", "hours", "text"),
    [
        ("day", (168, 192), "Mon 13 January"),
        ("day", (168, 240), "13 to 15 January"),
        ("day", (25 * 24, 27 * 24), "31 January to 1 February"),
        ("hour", (170, 173), "Mon 13 January, 02:00 to 05:00"),
    ],
)
def test_a_stretch_of_time_is_said_as_people_do(window, hours, text):
    first, last = (START + h * DAY / 24 for h in hours)
    assert span_text(monitor(window=window), first, last) == text


@pytest.mark.parametrize(
    ("days", "told", "text"),
    [
        ((7, 8), 0, "Mon 13 January"),
        ((7, 8), 360, "Mon 13 January 2025"),
        ((7, 9), 360, "13 to 14 January 2025"),
        ((25, 27), 360, "31 January to 1 February 2025"),
        ((350, 362), 362, "22 December 2025 to 2 January"),
        ((350, 362), 740, "22 December 2025 to 2 January 2026"),
    ],
)
def test_a_year_that_is_not_that_of_the_telling_is_said(days, told, text):
    first, last = (START + d * DAY for d in days)
    assert span_text(monitor(), first, last, START + told * DAY) == text


def test_a_headline_told_in_a_later_year_names_its_year():
    assert "Mon 13 January 2025" in story(monitor(), episode(), evidence(told_at=START + 400 * DAY)).headline


def test_days_are_those_of_the_monitors_clock():
    assert span_text(monitor(timezone="America/New_York"), START + DAY / 24 * 5, START + DAY / 24 * 29) == "Mon 6 January"


def test_a_segment_without_an_interval_is_told_without_one():
    found = signal("calibration_gap_to_rest", 0.12, family="segment", segment="depot=north")
    bare = replace(evidence(found), observed=score("positive_rate", 0.2, reference_value=0.2))
    assert told(found, how=bare).headline.startswith("depot=north: 20 % of parcels late, the model expected")


def test_hours_are_said_with_their_hours_and_whole_days_without():
    hourly, at = monitor(window="hour"), datetime(2025, 1, 6, tzinfo=UTC)
    hour = timedelta(hours=1)
    assert span_text(hourly, at, at + 24 * hour) == "Mon 6 January"
    assert span_text(hourly, at, at + 24 * hour, at + timedelta(days=400)) == "Mon 6 January 2025"
    assert span_text(hourly, at + 2 * hour, at + 3 * hour) == "Mon 6 January, 02:00 to 03:00"
    assert during_text(hourly, at + 2 * hour, at + 62 * hour) == "from Mon 6 January 02:00 to Wed 8 January 14:00"
    assert during_text(hourly, at, at + 48 * hour) == "on 6 to 7 January"
    assert during_text(hourly, at + 2 * hour, at + 3 * hour) == "on Mon 6 January, 02:00 to 03:00"


def test_a_promise_broken_for_several_windows_names_the_one_whose_value_it_tells():
    low = [
        signal("recall", value, family="target", expected=0.35, normal_low=0.35, normal_high=None, p=0.0, day=7 + n)
        for n, value in enumerate((0.3, 0.2, 0.31))
    ]
    said = told(*low, how=evidence(*low, missed=None))
    assert said.headline == "promise broken: recall 0.200 (Tue 14 January, the worst of 3 days), promised at least 0.35"
    assert said.when.startswith("13 to 15 January")


def test_an_error_over_several_windows_is_that_of_all_of_them_and_not_of_the_least_likely_one():
    mild, wild = (
        signal("mae", value, expected=6.6, day=day, low=value - 2, high=value + 2, p=p) for day, value, p in ((7, 9.4, 1e-9), (8, 14.3, 1e-6))
    )
    whole = score("mae", 12.4, days=2, low=11.8, high=13.1)
    regression = monitor(task="regression", wording={"unit": "minutes"})
    assert (
        told(mild, wild, how=evidence(mild, wild, whole=whole), about=regression).headline
        == "MAE 12.4 minutes [11.8, 13.1] on 13 to 14 January, 6.60 minutes on a typical day"
    )
    assert told(mild, how=evidence(mild, whole=whole), about=regression).headline.startswith("MAE 9.4 minutes [7.4, 11.4] on Mon 13 January")


def test_a_number_that_is_no_mean_of_rows_is_told_of_the_window_it_comes_from():
    """An AUC over several days also ranks the days."""
    found = [signal("roc_auc", value, expected=0.67, day=day, p=p) for day, value, p in ((7, 0.51, 1e-6), (8, 0.44, 1e-9))]
    assert told(*found, how=evidence(found[1], found[0])).headline.startswith("AUC 0.440 on Tue 14 January")


def test_causes_that_were_looked_for_in_a_part_of_the_rows_say_so():
    assert "Rows read" not in dict(told().facts)
    found = signal()
    said = told(found, how=evidence(found, traces=Traces(read=(400_000, 3_000_000))))
    assert dict(said.facts)["Rows read"].startswith("400,000 of 3,000,000, evenly spread over the bad windows and the weeks before;")


def test_a_gap_that_is_hardly_more_than_usual_gives_way_to_a_number_that_is_far_out_of_line():
    faint = signal(value=0.22, p=1e-6)
    auc = signal("roc_auc", 0.5, expected=0.7, normal_low=0.66, normal_high=0.74, p=1e-5)
    assert lead_of([faint, auc]) is auc
    assert lead_of([signal(value=0.4, p=1e-6), auc]).metric == "calibration_gap"
    lasting = [signal("roc_auc", 0.6, day=day, expected=0.7, normal_low=0.66, normal_high=0.74, p=1e-8) for day in range(7, 12)]
    assert lead_of([*lasting, signal(value=0.4, day=11, p=1e-3)]) is lasting[0]
    assert lead_of([*lasting[:2], signal(value=0.4, day=8, p=1e-3)]).metric == "calibration_gap"
    near = signal("roc_auc", 0.655, expected=0.7, normal_low=0.66, normal_high=0.74, p=1e-9)
    assert lead_of([faint, near]) is faint
