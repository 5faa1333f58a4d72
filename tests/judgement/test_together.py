"""Which incidents are one: by a fault that was tested, at opening, near in time; never by time alone. Worked by hand."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from evidence_world import episode as episode_of
from evidence_world import evidence, signal
from incident_world import DAY, MONDAY, event
from strain_world import strain
from watchkeeper.judgement.causes import causes
from watchkeeper.judgement.data_causes import of_faults
from watchkeeper.judgement.evidence import Broken, Evidence, Refused
from watchkeeper.judgement.incidents import CAUSE_CHANGED, RESTATED, fold
from watchkeeper.judgement.odd_inputs import Odd, Repeats
from watchkeeper.judgement.shared_faults import shared_faults
from watchkeeper.judgement.together import as_one, courses, leading, with_parts, with_parts_marked
from watchkeeper.judgement.traces import Place, Traces
from watchkeeper.records import IncidentEvent
from watchkeeper.story import Cause, Story

FEED = "rows do not come (files inbox/*.parquet)"
SOURCES = {"events": "files in/*", "labels": "files out/*"}
AT = MONDAY + DAY + timedelta(hours=6)


def opened(model: str, *, incident: str = "", faults: tuple[str, ...] = (FEED,), **more: Any) -> IncidentEvent:
    """Return the opening of an incident about missing rows."""
    about = {"family": "data", "subject": "missing rows", "severity": "warning"} | more
    return replace(event(incident=incident or model, model=model, **about), faults=list(faults))


def parts(new: list[IncidentEvent], known: list[IncidentEvent] | None = None) -> dict[str, str]:
    """Return incident -> the one that it is a part of."""
    return {e.incident_id: e.part_of for e in with_parts_marked(new, known or [], max(e.at for e in new)) if e.part_of}


def test_of_those_that_open_together_the_gravest_leads_and_of_equals_the_first_by_name():
    assert parts([opened("b"), opened("c"), opened("a")]) == {"b": "a", "c": "a"}
    assert parts([opened("b"), opened("c", severity="high"), opened("a")]) == {"a": "c", "b": "c"}


def test_what_opened_before_leads_however_grave_the_later_one_is():
    assert parts([opened("a", severity="critical", at=AT + DAY)], [opened("b")]) == {"a": "b"}


@pytest.mark.parametrize(
    "more",
    [
        {"faults": ("rows do not come (files other/*.parquet)",)},
        {"faults": ()},
        {"day": 2},
        {"subject": "missing labels"},
        {"family": "kpi"},
        {"environment": "staging"},
    ],
    ids=str,
)
def test_without_a_fault_in_common_near_in_time_about_the_same_subject_each_stands_alone(more: dict[str, Any]):
    assert parts([opened("a"), opened("b", **more)]) == {}


def test_windows_that_begin_a_day_apart_are_near():
    assert parts([opened("a"), opened("b", day=1)]) == {"b": "a"}


def test_nothing_joins_what_is_over_but_what_opens_at_the_same_moment():
    over = event("resolved", incident="a", model="a", family="data", subject="missing rows", at=AT)
    assert parts([opened("b")], [opened("a"), over]) == {"b": "a"}
    assert parts([opened("b", at=AT + DAY)], [opened("a"), over]) == {}


def test_what_goes_on_in_a_part_alone_goes_on():
    over = event("resolved", incident="a", model="a", family="data", subject="missing rows", at=AT)
    part = replace(opened("b"), part_of="a")
    assert parts([opened("c", at=AT + DAY)], [opened("a"), part, over]) == {"c": "a"}


def test_a_model_has_no_two_incidents_in_one():
    assert parts([opened("a", incident="second", day=1)], [opened("a"), replace(opened("b"), part_of="a")]) == {}


def test_a_part_leads_nothing():
    """The second of a chain shares a fault with the first and the third, which have none in common."""
    chain = [opened("a", faults=("one",)), opened("b", faults=("one", "two")), opened("c", faults=("two",))]
    assert parts(chain) == {"b": "a"}


def test_the_whole_is_as_open_and_as_grave_as_the_worst_of_it_and_over_when_all_are():
    every = [opened("a"), replace(opened("b", severity="critical"), part_of="a")]
    over = [event("resolved", incident=name, model=name, day=3, family="data", subject="missing rows") for name in ("a", "b")]

    def stands(*events: IncidentEvent) -> tuple[str, str, bool]:
        [found] = leading(with_parts(fold([*every, *events])))
        one = as_one(found)
        return one.state, one.severity, one.resolved_at is None

    assert stands() == ("open", "critical", True)
    assert stands(event("acknowledged", incident="a", model="a", who="ann")) == ("acknowledged", "critical", True)
    assert stands(event("acknowledged", incident="b", model="b", who="ann")) == ("open", "critical", True)
    assert stands(over[0]) == stands(over[1]) == ("open", "critical", True)
    assert stands(*over) == ("resolved", "critical", False)


def test_the_whole_has_the_time_of_all_of_it_but_for_what_never_was():
    every = [opened("a", day=2), replace(opened("b"), part_of="a"), replace(opened("c", day=1), part_of="a")]
    never = replace(event("resolved", incident="b", model="b", day=3, family="data", subject="missing rows"), why=RESTATED)
    assert as_one(leading(with_parts(fold(every)))[0]).onset_at == MONDAY
    one = as_one(leading(with_parts(fold([*every, never])))[0])
    assert (one.onset_at, one.window_start, one.window_end) == (MONDAY + DAY, MONDAY + DAY, MONDAY + 3 * DAY)


def test_of_a_part_whose_leading_one_is_not_known_the_part_is_shown():
    [alone] = leading(with_parts(fold([replace(opened("b"), part_of="a")])))
    assert as_one(alone).models == ["b"]


def test_one_course_for_each_channel_and_one_for_each_model_that_nobody_watches():
    histories = {"a": [opened("a")], **{n: [replace(opened(n), part_of="a")] for n in ("b", "c", "d")}, "e": [opened("e")]}
    channels = {"a": "#x", "b": "#y", "c": "#x", "d": "#y", "e": "#x"}
    told = {c.lead: c.incidents for c in courses(histories, channels.get)}
    assert told == {"a": ["a", "c"], "b": ["b", "d"], "e": ["e"]}
    gone = {c.lead: c.incidents for c in courses(histories, (channels | {"a": None}).get)}
    assert gone == {"a": ["a"], "b": ["b", "d"], "c": ["c"], "e": ["e"]}


# What a fault of data did to its own model


def told_of(*causes: Cause, family: str = "kpi", carrier: str = "", **more: Any) -> IncidentEvent:
    """Return the opening of an incident of model a with such causes, most of it in the segment `carrier`."""
    story = Story(headline="24 % were late", when="", causes=list(causes), carrier=carrier).to_json()
    about = {"incident": family, "model": "a", "family": family, "subject": family, "severity": "warning"} | more
    return replace(event(**about), story=story)


def fault(*columns: str, **more: Any) -> Cause:
    return Cause(kind="data", subject=f"faulty data: {', '.join(columns)}", columns=list(columns), **more)


OUTCOME = Cause(kind="concept", subject="the outcome changed, not the inputs", share=0.6)
DATA = told_of(fault("weight"), family="data")
OVER = replace(DATA, event_id="over", event="resolved", at=AT + 3 * DAY, why="clear since Wed 5 Mar 2025")


@pytest.mark.parametrize(
    "harm",
    [
        told_of(fault("weight", "size", share=0.3), OUTCOME),
        told_of(fault("depot"), fault("weight", is_later=True)),
        told_of(OUTCOME, fault("weight", is_later=True)),
        told_of(fault("weight"), family="segment", subject="depot=north"),
        told_of(fault("weight"), severity="critical"),
    ],
    ids=["first of several", "later", "later beside another", "segment", "graver"],
)
def test_a_kpi_is_part_of_the_fault_that_its_causes_name_whichever_comes_first(harm: IncidentEvent):
    assert parts([harm, DATA]) == {harm.incident_id: "data"}, "at once the data lead"
    assert parts([replace(harm, at=AT + 4 * DAY)], [DATA]) == {harm.incident_id: "data"}
    assert parts([replace(harm, at=AT + 4 * DAY)], [DATA, OVER]) == {harm.incident_id: "data"}, "labels come when the data are as usual again"
    assert parts([replace(DATA, at=AT + DAY)], [harm]) == {"data": harm.incident_id}


@pytest.mark.parametrize(
    "harm",
    [
        told_of(OUTCOME, fault("weight")),
        told_of(fault("depot")),
        told_of(),
        told_of(fault("weight"), model="b"),
        told_of(fault("weight"), environment="staging"),
        told_of(fault("weight"), day=1),
        told_of(fault("weight"), family="target"),
        told_of(fault("weight"), incident="more", family="data"),
        told_of(Cause(kind="data", subject="faulty data: weight")),
    ],
    ids=["only possible", "another column", "unknown", "model", "environment", "another day", "promise", "data", "an earlier release"],
)
def test_another_cause_another_time_or_another_model_is_no_harm_of_a_fault(harm: IncidentEvent):
    assert parts([harm], [DATA]) == parts([harm, DATA]) == parts([DATA], [harm]) == {}


def test_what_was_taken_back_did_no_harm():
    assert parts([told_of(fault("weight"), at=AT + 4 * DAY)], [DATA, replace(OVER, why=RESTATED)]) == {}


def test_a_fault_that_begins_later_is_held_against_what_the_kpi_tells_by_now():
    news = replace(told_of(fault("depot"), fault("weight", is_later=True), day=1), event_id="news", event="updated", at=AT + DAY)
    assert parts([news, replace(DATA, at=AT + DAY)], [told_of(fault("depot"))]) == {"data": "kpi"}
    assert parts([replace(DATA, at=AT + DAY)], [told_of(fault("depot"))]) == {}


def test_a_kpi_with_two_faults_is_part_of_the_first_and_what_opens_later_joins_them():
    two = told_of(fault("weight"), fault("size", is_later=True))
    size = told_of(fault("size"), family="data", incident="second", subject="new categories", severity="critical")
    later = replace(size, window_start=size.window_start + timedelta(hours=1))
    assert parts([two, later, DATA]) == {"kpi": "data"}, "what the second did was not known when it opened"
    assert parts([replace(later, at=AT + DAY)], [DATA, replace(two, part_of="data")]) == {"second": "data"}


def test_the_same_fault_of_two_models_and_what_it_did_to_both_are_one():
    mine, other = replace(DATA, faults=[FEED]), replace(DATA, event_id="b1", incident_id="b1", model="b", faults=[FEED])
    harm = [told_of(fault("weight")), told_of(fault("weight"), model="b", incident="b2")]
    assert parts([*harm, other, mine]) == {"kpi": "data", "b1": "data", "b2": "data"}


# The whole and a segment of it

NORTH = replace(OUTCOME, subject=f"{OUTCOME.subject}, where depot = north")
WIND = Cause(kind="covariate", subject="the inputs changed: wind", share=0.7)


def segment(*causes: Cause, **more: Any) -> IncidentEvent:
    """Return the opening of an incident of depot=north."""
    return told_of(*causes, **({"family": "segment", "incident": "north", "subject": "depot=north"} | more))


@pytest.mark.parametrize(
    ("whole", "own"),
    [
        (told_of(NORTH), segment(OUTCOME)),
        (told_of(OUTCOME, carrier="depot=north"), segment(OUTCOME)),
        (told_of(OUTCOME, carrier="depot=north"), segment()),
        (told_of(WIND), segment(Cause(kind="covariate", subject="the model's scores moved against the outcome; so did wind", share=0.6))),
        (told_of(fault("weight (all where depot=north)")), segment(fault("weight"), OUTCOME)),
        (
            told_of(replace(NORTH, subject=f"{OUTCOME.subject}, where rain > 3")),
            segment(replace(NORTH, subject=f"{OUTCOME.subject}, where rain > 3")),
        ),
        (told_of(NORTH, severity="high"), segment(OUTCOME, severity="high")),
    ],
    ids=["named as the place", "carries most", "carries most, unknown", "inputs", "a fault", "the same place", "equally grave"],
)
def test_the_whole_and_a_segment_that_it_names_or_that_has_its_cause_are_one_whichever_came_first(whole: IncidentEvent, own: IncidentEvent):
    assert parts([own, whole]) == {"north": "kpi"}
    assert parts([replace(own, at=AT + DAY)], [whole]) == {"north": "kpi"}
    assert parts([replace(whole, at=AT + DAY)], [own]) == {"kpi": "north"}


@pytest.mark.parametrize(
    ("whole", "own"),
    [
        (told_of(OUTCOME), segment(OUTCOME)),
        (told_of(OUTCOME, carrier="depot=south"), segment(OUTCOME)),
        (told_of(NORTH), segment(OUTCOME, subject="depot=south")),
        (told_of(fault("weight"), NORTH), segment(OUTCOME)),
        (told_of(WIND), segment(replace(WIND, subject="the inputs changed: rain"))),
        (told_of(), segment()),
        (told_of(NORTH), segment(OUTCOME, model="b")),
        (told_of(NORTH), segment(OUTCOME, environment="staging")),
        (told_of(NORTH), segment(OUTCOME, day=1)),
        (told_of(NORTH, family="target"), segment(OUTCOME)),
        (segment(NORTH), segment(OUTCOME, incident="other")),
    ],
    ids=["no place", "another carries it", "another", "not first", "inputs", "unknown", "model", "environment", "day", "promise", "segments"],
)
def test_another_place_cause_time_or_model_leaves_the_whole_and_a_segment_apart(whole: IncidentEvent, own: IncidentEvent):
    assert parts([own, whole]) == parts([own], [replace(whole, at=AT - DAY)]) == parts([whole], [replace(own, at=AT - DAY)]) == {}


def test_a_segment_is_one_with_what_the_whole_s_splits_into_be_that_told_before_or_at_once():
    first = told_of(WIND, incident="first")
    closed = replace(first, event_id="closed", event="resolved", at=AT + 4 * DAY, why=f"{CAUSE_CHANGED}: second goes on")
    second = told_of(NORTH, incident="second", day=1, at=AT + 4 * DAY)
    lasting = segment(OUTCOME, at=AT + 2 * DAY)
    lasting = replace(lasting, window_end=lasting.window_end + DAY)
    assert parts([closed, replace(second, split_from="first")], [first, lasting]) == {"second": "north"}
    assert parts([replace(e, at=AT + 4 * DAY) for e in (lasting, first, closed, replace(second, split_from="first"))]) == {"north": "second"}


def test_what_several_have_to_do_with_becomes_part_of_the_nearest_not_of_the_first():
    """The whole has a faulty column, or another cause that it has in common with one segment, while it names another one."""
    cause = {"start": fault("weight"), "end": WIND}
    for first, expected in ((cause["start"], "data"), (cause["end"], "north")):
        whole = told_of(first, carrier="depot=north", at=AT + 2 * DAY)
        east = segment(first, incident="east", subject="depot=east", severity="critical")
        assert parts([whole], [segment(OUTCOME), east, DATA]) == {"kpi": expected}
    long, whole = (replace(e, window_end=e.window_end + DAY) for e in (segment(WIND), told_of(WIND, at=AT + 2 * DAY)))
    assert parts([whole], [segment(WIND, incident="brief", subject="depot=east"), long]) == {"kpi": "north"}, (
        "of two with its cause that which it shares most days with"
    )


# Which faults are shared


def faults(how: Evidence, found: list[Cause] | None = None) -> list[str]:
    """Return the shared faults of an episode."""
    return shared_faults(episode_of(*how.signals), how, causes(how) if found is None else found, SOURCES)


def data(metric: str, feature: str = "", **more: Any) -> Evidence:
    return evidence(signal(metric, 0.6, family="data", feature=feature), **more)


def of_data(how: Evidence) -> list[str]:
    return faults(how, of_faults(how.signals, how.set_aside, how.refused))


def test_the_fault_of_a_feed_is_its_source_and_why_nothing_came_of_it():
    assert of_data(data("rows")) == ["rows do not come (files in/*)"]
    assert of_data(data("label_coverage")) == ["labels do not come (files out/*)"]
    assert of_data(data("rows", set_aside=(900, "no depot"))) == ["rows were set aside: no depot (files in/*)"]
    assert of_data(data("rows", refused=[Refused("x.csv", "cut off")])) == ["x.csv was refused whole (files in/*)"]


@pytest.mark.parametrize(
    ("metric", "said"),
    [
        ("null_ratio", "missing values in weight (files in/*)"),
        ("unseen_ratio", "new categories in weight (files in/*)"),
        ("exchanged_ratio", "codes of weight are exchanged (files in/*)"),
        ("unexpected_ratio", "values of weight not as the suite expects (files in/*)"),
    ],
)
def test_the_fault_of_a_column_is_what_is_wrong_with_it_in_its_source(metric: str, said: str):
    assert of_data(data(metric, "weight")) == [said]


MOVED = {"rate": 0.2, "gap": -0.3}
"""The scores moved and the outcome did not."""


def test_a_kpi_shares_the_fault_of_its_likely_cause():
    unit = Odd("weight", "unit", "weight comes in another unit: all its values are 2.2 times what they were")
    assert faults(evidence(**MOVED, traces=Traces(odd=[unit]))) == ["weight is not as it was (another unit; files in/*)"]
    fault = signal("null_ratio", 0.5, family="data", feature="weight")
    assert faults(evidence(**MOVED, faults=[fault])) == ["missing values in weight (files in/*)"]
    codes = "ulm is 10 % of values, usually 40 %"
    exchanged = replace(signal("exchanged_ratio", 0.5, family="data", feature="depot"), reason=codes)
    assert faults(evidence(**MOVED, faults=[exchanged])) == ["codes of depot are exchanged (files in/*)"]
    odd = Odd("depot", "codes", f"codes of depot are exchanged: {codes}", (0, 1))
    assert faults(evidence(**MOVED, traces=Traces(odd=[odd]))) == ["codes of depot are exchanged (files in/*)"]
    broken = Broken("weight", "no weight above 30", 0.6, 0.0)
    assert faults(evidence(**MOVED, broken=[broken])) == ["values of weight not as the suite expects (files in/*)"]
    assert faults(evidence(traces=Traces(repeats=Repeats(0.4, 0.0, 0.1)))) == ["rows repeat (files in/*)"]
    assert faults(evidence(rate=1.0, gap=0.8, traces=Traces(labels=(1.0, 0.2, 900)))) == ["labels are not as they were (files out/*)"]


def test_an_outcome_that_changed_or_an_unknown_cause_is_shared_with_nobody():
    assert faults(evidence()) == []
    assert faults(evidence(), []) == []


def test_a_service_shares_its_host_whether_it_is_slow_alone_or_its_gpus_are():
    slow = signal("latency_p95", 900.0, family="service", expected=300.0, normal_low=200.0, normal_high=400.0)
    place = Place("host", "host", "gpu-1", 5.0, 4.0, 0.2, 0.9)
    gpus = Traces(strains=[strain(hosts=("gpu-1", "gpu-2"))])
    assert faults(evidence(slow, versions=None, traces=Traces(place=place))) == ["host gpu-1"]
    assert faults(evidence(slow, versions=None, traces=gpus)) == ["host gpu-1", "host gpu-2"]
    client = replace(place, role="segment", where="client=oak")
    assert faults(evidence(slow, versions=None, traces=Traces(place=client))) == []
