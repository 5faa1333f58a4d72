"""Digests: a bad week, a quiet one and one without anything, as a stakeholder reads them in a minute."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from evidence_world import episode, evidence, monitor, score, signal
from watchkeeper.judgement.digest import headline, lines
from watchkeeper.judgement.digest_facts import DigestFacts
from watchkeeper.judgement.digest_mood import mood
from watchkeeper.judgement.incidents import Incident
from watchkeeper.judgement.promises import Promise
from watchkeeper.judgement.settling import SETTLED
from watchkeeper.judgement.spending import Spending
from watchkeeper.judgement.story import story
from watchkeeper.judgement.verdict import Reason, reason_of, within
from watchkeeper.story import Cause
from worlds import DAY, START

DECEMBER = {"window_start": datetime(2024, 12, 1, tzinfo=UTC), "window_end": datetime(2025, 1, 1, tzinfo=UTC)}
WEEK = {"start": START + 7 * DAY, "end": START + 14 * DAY}


def incident(*, state: str = "resolved", severity: str = "high", family: str = "kpi", **more: Any) -> Incident:
    told = story(monitor(), episode(), evidence())
    fields = {"subject": family, "headline": told.headline, "story": told, "why": "", "window_end": START + 8 * DAY} | more
    return Incident(
        id="i1",
        model="parcels",
        environment="production",
        state=state,
        severity=severity,
        family=family,
        opened_at=START + 8 * DAY,
        worse_at=START + 8 * DAY,
        detected_at=START + 8 * DAY,
        onset_at=START + 7 * DAY,
        resolved_at=START + 12 * DAY if state == "resolved" else None,
        window_start=START + 7 * DAY,
        **fields,
    )


def facts(**more: Any) -> DigestFacts:
    week = {"day": 7, "days": 7}
    figures = [
        score("positive_rate", 0.39, low=0.36, high=0.42, n=6400, **week),
        score("calibration_gap", 0.25, n=6400, **week),
        score("score_mean", 0.14, n=6560, **week),
        score("log_loss", 0.47, low=0.45, high=0.49, n=6400, direction="lower_is_better", **week),
        score("recall", 0.12, n=2500, reference_value=0.42, **week),
        score("roc_auc", 0.66, low=0.64, high=0.68, reference_value=0.72, **week),
        score("label_coverage", 0.975, n=6560, **week),
    ]
    given = {
        "scores": {s.metric: s for s in figures},
        "usual": {"log_loss": (0.36, 0.59)},
        "incidents": [],
        "segments": [],
        "notices": [],
        "promises": [],
        "quarantined": 0,
        "quarantine_reasons": [],
        "is_final": True,
    }
    return DigestFacts(**(WEEK | given | more))


def much_worse() -> dict[str, Any]:
    """Return the figures of a week whose log loss lies beyond all of the reference's weeks."""
    return facts().scores | {"log_loss": score("log_loss", 0.87, low=0.81, high=0.94, n=6400, day=7, days=7, direction="lower_is_better")}


def said(found: DigestFacts) -> dict[str, str]:
    return dict(lines(monitor(), found))


def test_a_bad_week():
    quiet = incident(state="lasting", family="segment", headline="depot=north: 20 % late")
    bad = facts(
        scores=much_worse(),
        incidents=[incident()],
        reason=Reason(signal(), 1),
        segments=[quiet],
        notices=[signal("psi", 0.5, family="covariate", feature="weight_kg")],
        quarantined=1204,
        quarantine_reasons=[("weight_kg is negative", 1200), ("no id", 4)],
        cost=Spending(gpu_hours=12.5, total_cost=30.0, per_1000=4.6, is_synthetic=True),
        restated=3,
        not_known=["latency"],
        promises=[
            Promise(text="AUC at least 0.7", per="week", is_kept=False, value=0.66, window_start=WEEK["start"], window_end=WEEK["end"]),
            Promise(text="F1 at least 0.4", per="week", is_kept=None),
            Promise(text="recall at least 0.3", per="month", is_kept=None, so_far=0.12),
            Promise(text="PSI at most 0.2", per="month", is_kept=True, value=0.1, **DECEMBER, so_far=0.3),
        ],
    )
    assert headline(monitor(), bad) == "parcels, 13 to 19 January: bad. 39 % of parcels were late [36, 42]; the model expected 14 %"
    assert said(bad) == {
        "": "Nothing needs you now: what was wrong is over. All figures are final. 3 figures of this period were restated.",
        "Quality": (
            "log loss 0.870 [0.810, 0.940], reference weeks 0.360 to 0.590 (least and greatest). Found 300 of 2,500 late parcels (12 %; over the whole reference 42 %)."
            " Ranking (AUC) 0.660 [0.640, 0.680], over the whole reference 0.720."
        ),
        "Promises": (
            "AUC at least 0.7: broken (0.660); F1 at least 0.4: not known; recall at least 0.3: 0.120 so far in January, not decided;"
            " PSI at most 0.2: kept in December 2024 (0.100), 0.300 so far in January"
        ),
        "Why": ("50 % of parcels on Mon 13 January were late; the model expected 10 %; likely cause: the outcome changed, not the inputs."),
        "In segments": "depot=north: 20 % late (known, lasts).",
        "Data": ("1,204 rows quarantined (1,200 weight_kg is negative; 4 no id). Inputs differ from the reference (weight_kg): a notice, no alarm."),
        "Labels": "6,396 of 6,560 (97.5 %); 164 never came.",
        "Cost (synthetic trace, not a bill)": "12.5 GPU-hours, 30.00 USD, 4.60 USD per 1,000 predictions.",
        "Not known": "latency",
        "Next": "nothing to do.",
    }


def test_a_quiet_week_needs_nobody():
    calm = facts()
    assert mood(monitor(), calm) == "quiet"
    assert headline(monitor(), calm).startswith("parcels, 13 to 19 January: quiet.")
    told = said(calm)
    assert told[""] == "Nothing needs you now. All figures are final."
    assert told["Next"] == "nothing to do."
    assert "Why" not in told
    assert "In segments" not in told


@pytest.mark.parametrize(
    ("waiting", "told"), [(1, "1 open incident goes on after it: labels of its"), (2, "2 open incidents go on after it: labels of their")]
)
def test_figures_of_a_period_are_final_where_those_of_an_incident_that_goes_on_are_not(waiting, told):
    week = facts(incidents=[incident(state="open")] * waiting, not_due=waiting)
    assert said(week)[""].endswith(f" you. All figures of this week are final. {told} newest days are not due.")
    assert said(replace(week, is_final=False))[""].endswith(" Figures are provisional: labels are still missing.")


@pytest.mark.parametrize(
    ("to_do", "told"), [("name another reference.", "name another reference."), ("", "`watchkeeper check` says what the reference lacks.")]
)
def test_a_model_that_is_not_judged_has_something_to_be_done(to_do, told):
    assert said(facts(is_judged=False, to_be_judged=to_do))["Next"] == told


def test_a_week_without_anything_says_so():
    empty = facts(scores={}, usual={}, not_known=["latency", "everything: no events of this period have landed"])
    assert headline(monitor(), empty) == "parcels, 13 to 19 January: nothing to measure."
    told = said(empty)
    assert told[""] == "Nothing needs you now. There are no figures."
    assert told["Quality"] == "not measured: no parcels landed"
    assert told["Not known"] == "latency; everything: no events of this period have landed"


def test_rows_with_too_few_labels_are_told_apart_from_no_rows():
    without = {k: v for k, v in facts().scores.items() if k in ("score_mean", "label_coverage")}
    assert said(facts(scores=without))["Quality"] == "not measured: too few labels"


def test_a_model_without_labels_says_why_quality_is_not_known():
    without = {k: v for k, v in facts().scores.items() if k == "score_mean"}
    assert dict(lines(monitor(labels=None), facts(scores=without)))["Quality"] == "not measured: no labels"


def test_provisional_figures_are_called_so_and_labels_still_come():
    waiting = said(facts(is_final=False))
    assert waiting[""] == "Nothing needs you now. Figures are provisional: labels are still missing."
    assert waiting["Labels"].endswith("164 not here yet.")


@pytest.mark.parametrize(
    ("aside", "said_of_labels", "said_of_rows"),
    [
        (
            24,
            "6,396 of 6,560 (97.5 %); 24 came and were set aside; 140 never came.",
            "24 rows quarantined, 24 of them labels (24 sold_at: '…' is not).",
        ),
        (164, "6,396 of 6,560 (97.5 %); 164 came and were set aside.", "164 rows quarantined, 164 of them labels (164 sold_at: '…' is not)."),
    ],
)
def test_labels_that_were_set_aside_are_not_said_to_have_never_come(aside, said_of_labels, said_of_rows):
    told = said(facts(labels_aside=aside, quarantined=aside, quarantine_reasons=[("sold_at: '…' is not", aside)]))
    assert (told["Labels"], told["Data"]) == (said_of_labels, said_of_rows)


@pytest.mark.parametrize(("count", "text"), [(1, "1 open incident needs you."), (2, "2 open incidents need you.")])
def test_open_incidents_need_somebody(count, text):
    assert said(facts(incidents=[replace(incident(state="open"), id=f"i{n}") for n in range(count)]))[""].startswith(text)


def test_a_fault_of_data_and_the_kpi_that_suffers_by_it_need_somebody_once_and_are_told_by_the_kpi():
    fault = replace(incident(state="open", family="data", headline="weight_kg: missing in 60 % of rows"), id="i0")
    told = said(facts(incidents=[fault, incident(state="open", part_of="i0")]))
    assert told[""].startswith("1 open incident needs you.")
    assert "weight_kg: missing" not in told["Why"]
    apart = said(facts(incidents=[fault, incident(state="open")]))
    assert apart[""].startswith("2 open incidents need you.")
    assert "weight_kg: missing" in apart["Why"]


@pytest.mark.parametrize(("severity", "feeling"), [("warning", "some trouble"), ("high", "bad"), ("critical", "very bad")])
def test_the_mood_is_that_of_the_gravest_incident(severity, feeling):
    assert mood(monitor(), facts(incidents=[incident(severity="warning"), incident(severity=severity)])) == feeling


def test_a_fault_that_came_later_is_told_with_the_cause_of_the_beginning():
    one = incident()
    later = replace(one.story.causes[0], kind="data", subject="size_cm comes in another unit", onset=START + 9 * DAY, is_later=True)
    both = replace(one, story=replace(one.story, causes=[*one.story.causes, later]))
    said_of_both = "likely cause: the outcome changed, not the inputs; since Wed 15 Jan 2025 also size_cm comes in another unit."
    assert said(facts(incidents=[both]))["Why"].endswith(said_of_both)


def test_a_cause_without_a_name_is_unknown_and_a_budget_names_its_own_days():
    told = story(monitor(), episode(), evidence())
    told = replace(told, headline="has spent 21.04 USD by day 10 of January, budget 20.00", causes=[Cause(kind="unknown", subject="")])
    over = incident(family="cost", severity="warning", state="open", story=told, headline=told.headline, window_end=START + 16 * DAY)
    assert said(facts(incidents=[over]))["Why"] == f"{told.headline}; cause unknown; reply if you know."


@pytest.mark.parametrize(
    ("cost", "text"),
    [
        ({"gpu_hours": 252, "priced_cost": 153.4, "unpriced_hours": 98}, "252 GPU-hours, 153.40 USD without 98.0 GPU-hours that have no price."),
        ({"gpu_hours": 252, "priced_cost": 153.4}, "252 GPU-hours, at least 153.40 USD."),
        ({"gpu_hours": 252, "unpriced_hours": 252}, "252 GPU-hours, cost not known."),
        ({"gpu_hours": 252, "unknown_because": "no price for 'X' in USD"}, "252 GPU-hours, cost not known: no price for 'X' in USD."),
        ({"gpu_hours": 252, "total_cost": 200.0, "priced_cost": 200.0}, "252 GPU-hours, 200.00 USD."),
    ],
)
def test_a_cost_that_is_known_in_part_is_told_with_what_it_lacks(cost: dict[str, float], text: str):
    assert said(facts(cost=Spending(**cost)))["Cost"] == text


def test_an_unknown_cause_asks_the_reader():
    unknown = incident(story=None)
    assert said(facts(incidents=[unknown]))["Why"].endswith("cause unknown; reply if you know.")


def test_an_incident_that_reaches_beyond_the_period_is_said_to_be_told_as_a_whole():
    longer = replace(incident(), window_end=START + 16 * DAY)
    assert said(facts(incidents=[longer]))["Why"].endswith("(one incident, told as a whole: 13 to 21 January).")
    assert "as a whole" not in said(facts(incidents=[incident()]))["Why"]


def test_a_regression_tells_its_own_main_figure():
    about = monitor(task="regression")
    mae = score("mae", 58687.78, low=54482.36, high=62893.2, unit="truth", direction="lower_is_better")
    found = facts(scores={"mae": mae}, usual={"mae": (55209.81, 61771.62)})
    assert headline(about, found) == "parcels, 13 to 19 January: quiet. MAE 58,700 [54,500, 62,900]"
    assert dict(lines(about, found))["Quality"] == "MAE 58,700 [54,500, 62,900], reference weeks 55,200 to 61,800 (least and greatest)."
    worse = replace(found, usual={"mae": (20209.81, 21771.62)})
    assert headline(about, worse) == "parcels, 13 to 19 January: some trouble. MAE 58,700 [54,500, 62,900], worse than in any reference week"
    hardly = replace(found, usual={"mae": (55209.81, 57771.62)})
    assert headline(about, hardly) == "parcels, 13 to 19 January: quiet. MAE 58,700 [54,500, 62,900]", "of few weeks one is often the worst"
    within = "; worse than all of them, within its interval."
    told = [dict(lines(about, each))["Quality"] for each in (found, hardly, worse)]
    assert [each.endswith(within) for each in told] == [False, True, False]
    assert told[1] == f"MAE 58,700 [54,500, 62,900], reference weeks 55,200 to 57,800 (least and greatest){within}"


def test_a_week_whose_main_number_is_worse_than_all_of_the_reference_is_not_quiet():
    found = facts(scores=much_worse())
    assert headline(monitor(), found) == (
        "parcels, 13 to 19 January: some trouble. log loss 0.870 [0.810, 0.940], worse than in any reference week;"
        " 39 % of parcels were late [36, 42]; the model expected 14 %"
    )
    told = said(found)
    assert told[""] == "No incident is open, but the main number is worse than in any reference week. All figures are final."
    assert told["Next"] == "find the days and segments behind the log loss, worse than in any reference week."


@pytest.mark.parametrize(
    ("metric", "direction", "usual"), [("log_loss", "lower_is_better", (0.6, 0.9)), ("accuracy", "higher_is_better", (0.3, 0.4))]
)
def test_a_main_number_better_than_all_of_the_reference_is_no_trouble(metric, direction, usual):
    better = {metric: score(metric, 0.5, direction=direction)}
    about = monitor(task="binary" if metric == "log_loss" else "multiclass")
    assert mood(about, facts(scores=better, usual={metric: usual})) == "quiet"
    assert mood(about, facts(scores=better, usual={metric: (0.1, 0.2) if metric == "log_loss" else (0.6, 0.9)})) == "some trouble"


def segment(**more: Any) -> Incident:
    return incident(**{"family": "segment", "state": "open", "headline": "depot=north: 54 % of parcels late, the model expected 18 %"} | more)


def test_a_week_with_an_open_incident_of_a_segment_is_not_quiet_and_says_which():
    found = facts(segments=[segment()])
    assert headline(monitor(), found).startswith(
        "parcels, 13 to 19 January: some trouble. depot=north: 54 % of parcels late, the model expected 18 %; 39 %"
    )
    told = said(found)
    assert told[""].startswith("1 open incident needs you.")
    assert (
        told["Next"]
        == 'look at incident i1 (`watchkeeper incidents show i1`): distrust "not late"; ask #parcels what changed. Do not retrain on one day.'
    )
    assert said(facts(segments=[segment(story=None)]))["Next"] == "look at incident i1 (`watchkeeper incidents show i1`)."
    both = said(facts(scores=much_worse(), segments=[segment(story=None)]))["Next"]
    assert (
        both
        == "find the days and segments behind the log loss, worse than in any reference week. Look at incident i1 (`watchkeeper incidents show i1`)."
    )


def test_each_open_incident_has_its_line_in_next_and_those_beyond_three_are_counted():
    whole, over = incident(state="open", severity="high"), replace(incident(severity="critical"), id="i0")
    places = [replace(segment(story=None), id=f"s{n}", subject=f"depot={n}") for n in range(4)]
    steps = 'distrust "not late"; ask #parcels what changed. Do not retrain on one day.'
    first = f"look at incident i1 (`watchkeeper incidents show i1`): {steps}"
    second, third = (f"Look at incident s{n} (`watchkeeper incidents show s{n}`)." for n in range(2))
    assert said(facts(incidents=[over, whole], segments=places[:2]))["Next"] == f"{first} {second} {third}"
    assert said(facts(incidents=[whole], segments=places[:3]))["Next"].endswith(f"{third} 1 more is open: `watchkeeper incidents` lists them.")
    assert said(facts(incidents=[whole], segments=places))["Next"].endswith(f"{third} 2 more are open: `watchkeeper incidents` lists them.")
    assert said(facts(incidents=[over], segments=places[:1]))["Next"] == "look at incident s0 (`watchkeeper incidents show s0`)."
    assert said(facts(incidents=[whole], segments=[replace(places[0], part_of="i1")]))["Next"] == steps


def test_the_incident_of_a_segment_is_told_with_its_cause():
    assert said(facts(segments=[segment()]))["In segments"] == (
        "depot=north: 54 % of parcels late, the model expected 18 % (open); likely cause: the outcome changed, not the inputs."
    )
    assert said(facts(segments=[segment(state="resolved", story=None)]))["In segments"].endswith("expected 18 %; cause unknown.")


def test_what_ended_in_the_week_troubled_it_and_what_has_long_lasted_does_not():
    """The word stays the same when an incident that was open is over by the time the digest is written anew."""
    assert mood(monitor(), facts(segments=[segment(state="resolved")])) == "some trouble"
    before = segment(state="resolved", window_end=WEEK["start"])
    assert mood(monitor(), facts(segments=[before])) == "quiet"
    assert mood(monitor(), facts(segments=[replace(before, state="open")])) == "some trouble"
    lasting = segment(state="lasting")
    assert mood(monitor(), facts(segments=[lasting])) == "some trouble"
    assert mood(monitor(), facts(segments=[replace(lasting, opened_at=START - 22 * DAY)])) == "quiet"


@pytest.mark.parametrize(
    ("incidents", "segments", "opening"),
    [
        ([{}], [], "Nothing needs you now: what was wrong is over."),
        ([{"why": "new normal since Mon 17 Feb 2025, by bo: the new press stays"}], [], "Nothing needs you now: what was wrong is over."),
        ([{"state": "lasting"}], [], "Nothing needs you now: what was wrong is known and lasts."),
        ([{"state": "lasting"}, {}], [], "Nothing needs you now: what was wrong is over, or known and lasts."),
        ([], [{"state": "resolved"}], "Nothing needs you now."),
    ],
)
def test_of_what_needs_nobody_now_next_has_no_line(incidents: list[dict[str, Any]], segments: list[dict[str, Any]], opening: str):
    told = said(facts(incidents=[incident(**i) for i in incidents], segments=[segment(**s) for s in segments]))
    assert told[""] == f"{opening} All figures are final."
    assert told["Next"] == "nothing to do."


def test_an_open_incident_without_a_story_is_named_as_what_to_look_at():
    assert said(facts(incidents=[incident(state="open", story=None)]))["Next"] == "look at incident i1 (`watchkeeper incidents show i1`)."


def test_the_headline_tells_the_number_that_is_the_reason_when_the_rate_is_not():
    low = [signal("roc_auc", value, expected=0.72, day=day, low=value - 0.05, high=value + 0.05) for day, value in ((8, 0.6), (9, 0.5), (12, 0.62))]
    found = facts(incidents=[incident()], reason=Reason(low[1], 3))
    assert headline(monitor(), found).endswith(". AUC 0.660 [0.640, 0.680]; usually 0.720 over the whole reference")
    assert "39 % of parcels were late" in headline(monitor(), facts(incidents=[incident()], reason=Reason(signal(), 1)))


def test_a_bad_week_whose_own_number_is_as_usual_tells_that_of_its_worst_day():
    """A verdict rests on the figure beside it."""
    low = signal("roc_auc", 0.457, expected=0.668, day=12, low=0.381, high=0.536)
    usual = {"roc_auc": score("roc_auc", 0.697, day=7, days=7, low=0.679, high=0.714, reference_value=0.696)}
    found = facts(scores=usual, incidents=[incident()], reason=Reason(low, 4))
    worst = "AUC 0.457 [0.381, 0.536] on Sat 18 January"
    assert headline(monitor(), found) == f"parcels, 13 to 19 January: bad. {worst}, the worst of 4 days that alarmed; usually 0.668 on a typical day"
    once = facts(scores=usual, incidents=[incident()], reason=Reason(low, 1))
    assert headline(monitor(), once).endswith(f"{worst}; usually 0.668 on a typical day")


def test_a_week_that_data_made_bad_tells_of_the_data():
    fault = incident(family="data", severity="critical", headline="weight_kg: missing in 50 % of rows on Mon 13 January, usually 0.1 %")
    assert headline(monitor(), facts(incidents=[fault, incident()])).endswith(
        ": very bad. weight_kg: missing in 50 % of rows on Mon 13 January, usually 0.1 %"
    )
    slight = facts(incidents=[replace(fault, severity="warning")])
    assert headline(monitor(), slight) == f"parcels, 13 to 19 January: some trouble. {fault.headline}"


def test_an_incident_is_as_grave_in_a_week_as_its_alarms_of_that_week():
    alarms = [signal("roc_auc", 0.6, expected=0.72, day=day, p=1e-3) for day in (7, 8)]
    later = signal("roc_auc", 0.4, expected=0.72, day=14, p=1e-9)
    whole = incident(severity="critical", signals=[s.signal_id for s in (*alarms, later)])
    assert within(whole, alarms).severity == "warning"
    assert within(whole, [later]).severity == "high"
    assert within(whole, []).severity == "warning"
    promise = incident(family="target", signals=[later.signal_id])
    assert within(promise, []) == promise
    found = reason_of([within(whole, alarms)], alarms)
    assert found is not None
    assert (found.worst, found.windows) == (alarms[0], 2)
    assert reason_of([within(whole, alarms), incident(family="data")], alarms) is None


def test_what_began_after_the_week_and_is_open_is_no_part_of_it_and_not_kept_back():
    names = ("a", "b", "c", "d")
    late = [replace(incident(state="open", headline=f"trouble {n}", severity="critical" if n == "b" else "high"), id=f"i-{n}") for n in names]
    told = said(facts(incidents=[incident()], later=late[:2]))[""]
    assert told.startswith(
        "Nothing of this week needs you now: what was wrong is over. 2 open incidents began later: trouble b (i-b); trouble a (i-a). "
    )
    told = said(facts(incidents=[incident(state="open")], later=late))[""]
    assert told.startswith(
        "1 open incident needs you. 4 open incidents began later: trouble b (i-b); trouble a (i-a); trouble c (i-c); and 1 more. All figures"
    )


def test_what_began_later_and_is_open_has_its_line_in_next_by_how_grave_it_is():
    steps = 'distrust "not late"; ask #parcels what changed. Do not retrain on one day.'
    own, later = incident(state="open", severity="high"), replace(incident(state="open", severity="critical"), id="i2")
    of_later = f"ook at incident i2, which began later (`watchkeeper incidents show i2`): {steps}"
    assert said(facts(incidents=[own], later=[later]))["Next"] == f"l{of_later} Look at incident i1 (`watchkeeper incidents show i1`): {steps}"
    assert said(facts(later=[later]))["Next"] == f"l{of_later}"
    assert said(facts(incidents=[incident()], later=[later]))["Next"] == f"l{of_later}", "what is over needs nobody beside it"
    assert said(facts(is_judged=False, to_be_judged="give labels.", later=[later]))["Next"] == f"give labels. L{of_later}"
    many = [replace(later, id=f"j{n}") for n in range(3)]
    assert said(facts(incidents=[own], later=many))["Next"].endswith("1 more is open: `watchkeeper incidents` lists them.")


def test_what_began_later_and_is_told_as_one_is_named_once_by_its_kpi():
    fault = incident(state="open", family="data", headline="wind: missing")
    harm = replace(incident(state="open", headline="half were late", part_of="i1"), id="i2")
    assert " 1 open incident began later: half were late (i2)." in said(facts(later=[harm, fault]))[""]


def test_a_digest_of_a_day_speaks_of_days_without_their_hours():
    day = {"start": START + 7 * DAY, "end": START + 8 * DAY, "told_at": START + 400 * DAY}
    found = facts(**day)
    assert headline(monitor(window="hour"), found).startswith("parcels, Mon 13 January 2025: ")
    assert "reference days 0.360 to 0.590" in said(found)["Quality"]


def foreseen(value: float, low: float, high: float) -> dict[str, Any]:
    return {"estimated_log_loss": score("estimated_log_loss", value, low=low, high=high, direction="lower_is_better", unit="nats")}


def test_while_labels_are_missing_what_scores_foretell_is_called_an_estimate_with_what_it_cannot_see():
    few = {k: v for k, v in facts().scores.items() if k == "score_mean"} | foreseen(0.361, 0.342, 0.38)
    assert said(facts(scores=few, is_final=False))["Quality"] == (
        "not measured: too few labels. From the scores alone, estimated log loss 0.361 [0.342, 0.380]: "
        "an estimate, blind to a change of what the inputs mean."
    )


@pytest.mark.parametrize(("realised", "told"), [(0.87, "worse"), (0.2, "better"), (0.36, "")])
def test_a_figure_that_scores_did_not_foretell_is_said_to_be(realised, told):
    main = score("log_loss", realised, low=realised - 0.01, high=realised + 0.01, direction="lower_is_better", unit="nats")
    quality = said(facts(scores=facts().scores | {"log_loss": main} | foreseen(0.361, 0.342, 0.38)))["Quality"]
    if told:
        assert quality.endswith(f" The scores alone had promised 0.361 [0.342, 0.380]: what came is {told} than inputs explain.")
    else:
        assert "promised" not in quality


def test_moved_scores_of_a_model_without_labels_are_no_quiet_week():
    moved = replace(signal("psi", 2.45, feature="@score", family="covariate", expected=0.005), level="notice")
    unlabelled = {k: v for k, v in facts().scores.items() if k == "score_mean"}
    week = facts(scores=unlabelled, notices=[moved])
    assert headline(monitor(labels=None), week).startswith("parcels, 13 to 19 January: its scores moved, and no label tells whether that is harm.")
    assert "The model's own scores differ from the reference (PSI up to 2.45, usually 0.005" in dict(lines(monitor(labels=None), week))["Data"]
    assert mood(monitor(), facts(notices=[moved])) == "quiet"


def test_what_lasts_without_harm_is_said_a_last_time():
    moved = signal("loc", 0.4, family="covariate", feature="price")
    last = replace(signal("spread", 0.4, family="covariate", feature="weight_kg"), reason=SETTLED)
    one = said(facts(notices=[moved, last]))["Data"]
    assert "Inputs differ from the reference (price, weight_kg)" in one
    assert "That of weight_kg lasts and no KPI paged: from here on it is compared with how it has been since." in one
    both = said(facts(notices=[replace(moved, reason=SETTLED), last]))["Data"]
    assert "That of price, weight_kg lasts and no KPI paged: from here on they are compared with how they have been since." in both


def test_what_lasts_and_is_no_input_is_named_in_words():
    lasting = [
        signal(metric, 0.4, family="covariate", feature=feature)
        for metric, feature in [("low_confidence_ratio", ""), ("psi", "@score"), ("loc", "age"), ("correlation", "price*weight_kg")]
    ]
    data = said(facts(notices=[replace(s, reason=SETTLED) for s in lasting]))["Data"]
    assert "That of age, price and weight_kg, the low confidence ratio, the model's own scores lasts and no KPI paged: from here on they are" in data
    assert "@" not in data


def test_missing_values_that_are_too_few_to_page_are_named_with_how_many():
    some = [replace(signal("null_ratio", share, family="data", feature="age"), level="notice") for share in (0.024, 0.035)]
    data = said(facts(notices=some))["Data"]
    assert data.endswith(" Missing more often than in the reference: age (up to 4 % of rows, usually 0 %): a notice.")


def test_a_burst_of_unsure_scores_and_longer_waits_are_told_by_their_largest():
    unsure = [signal("low_confidence_ratio", value, family="covariate", expected=0.1) for value in (0.4, 0.55)]
    waits = signal("queue_time_p95", 80.0, family="service", expected=12.0)
    data = said(facts(notices=[*unsure, waits]))["Data"]
    assert "Up to 55 % of scores lie near the threshold, usually 10 %: a notice." in data
    assert "Requests wait longer (p95 up to 80.0 ms, usually 12.0 ms): a notice." in data


def test_what_the_whole_of_a_feature_hides_is_told_by_name():
    apart = replace(
        signal("segment_shift", 0.5, family="covariate", feature="weight_kg"), expected=0.0, reason="most in depot=north: +1.20 standard deviations"
    )
    weaker = replace(apart, value=0.3, reason="most in depot=south: +0.90 standard deviations")
    pair = replace(signal("correlation", -0.7, family="covariate", feature="weight_kg*price"), expected=0.7)
    moved = signal("loc", 0.4, family="covariate", feature="price")
    data = said(facts(notices=[weaker, apart, pair, moved]))["Data"]
    assert "Inputs differ from the reference (price)" in data
    assert "Moved in one segment and not in the rest: weight_kg (most in depot=north: +1.20 standard deviations): a notice." in data
    assert "south" not in data
    assert "Go together otherwise than in the reference: weight_kg and price (correlation -0.700, usually 0.700): a notice." in data
